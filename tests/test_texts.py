"""All texts of pages: both languages, with the same fields, each used, none that looks like the other language."""

from __future__ import annotations

import re
import string
from importlib import resources
from pathlib import Path

import pytest

from privacy.presentation.texts import Text, read_texts

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path.relative_to(ROOT)
    for part in ("privacy", "server", "clients")
    for path in (ROOT / part).rglob("*.toml")
    if path.name in ("texts.toml", "card.toml", "words.toml")
)

#: Keys that are put together from a beginning and a code.
COMPOSED = (
    "month_", "scheme_", "feature_", "axis_", "question_", "step_", "placement_", "no_promise_", "returns_",
    "duplicates_", "totals_", "quality_", "family_", "churn_finding_", "calibration_", "ethics_", "card_placement_",
    "card_clusters_", "clusters_number_", "clusters_limit_", "count_", "moves_", "cluster_heat", "cluster_parallel",
    "churn_find_", "churn_by_", "churn_limit_", "churn_word_", "churn_auc", "churn_average_precision", "churn_top_lift",
    "groups_limit_", "claim_", "name_", "panel_",
)  # fmt: skip
#: Outcomes of a question are keys themselves; the others are the same in both languages.
CODES = {"released", "failed"}
ALIKE = {
    "plus_minus", "rate_fixed", "definition_eight", "definition_grid", "cut_at", "percent_with_margin",
    "value_with_margin", "sentence_gap", "title_gap", "step_of_question",
    "act_revenue", "churn_auc",
}  # fmt: skip
HAN = r"[一-鿿]"


def texts_of(file: Path) -> dict[str, Text]:
    return read_texts(".".join(file.parent.parts), file.name)


def test_there_are_texts_and_a_package_for_each_file() -> None:
    assert len(FILES) >= 5
    for file in FILES:
        assert resources.files(".".join(file.parent.parts)).joinpath(file.name).is_file()


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_text_is_in_both_languages(file: Path) -> None:
    for key, entry in texts_of(file).items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(said) if name} for said in entry]
        assert fields[0] == fields[1], f"{key}: the languages have different fields"
        assert all(said.strip() for said in entry) or key == "sentence_gap", key
        if key not in ALIKE:
            assert re.search(HAN + "|、", entry.zh), f"{key} is not translated"
        assert not re.search(HAN, entry.en), f"{key}: Chinese in the English text"
        assert not re.search(HAN + "[,:;()]", entry.zh), f"{key}: half-width punctuation"


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_text_is_used(file: Path) -> None:
    # A room's texts are its own; what stands in a hall is for all that look there.
    own = "analyses" in file.parts and file.name != "words.toml"
    places = [file.parent] if own else [Path(part) for part in ("privacy", "server", "clients")]
    source = "".join(
        path.read_text(encoding="utf-8")
        for place in places
        for path in sorted((ROOT / place).rglob("*"))
        if path.suffix in (".py", ".j2")
    )
    unused = [
        key
        for key in texts_of(file)
        if key not in CODES and not key.startswith(COMPOSED) and not re.search(rf"""["']{key}["']""", source)
    ]
    assert unused == []
