"""All texts of pages: both languages, with the same fields, each used, none that looks like the other language."""

from __future__ import annotations

import re
import string
from importlib import resources
from pathlib import Path

import pytest

from privacy.kernel.features import FEATURES
from privacy.presentation.texts import LANGUAGES, SPOKEN, Text, read_texts, say

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path.relative_to(ROOT)
    for part in ("privacy", "server", "clients", "cohortium")
    for path in (ROOT / part).rglob("*.toml")
    if path.name in ("texts.toml", "card.toml", "words.toml", "traits.toml", "claims.toml")
)

#: Keys that are put together from a beginning and a code.
COMPOSED = (
    "scheme_", "feature_", "axis_", "question_", "step_", "placement_", "no_promise_", "returns_",
    "duplicates_", "totals_", "quality_", "family_", "churn_finding_", "calibration_", "ethics_", "card_placement_",
    "card_clusters_", "clusters_number_", "clusters_limit_", "count_", "moves_", "cluster_heat", "cluster_parallel",
    "measure_", "status_", "second_", "yardstick_", "card_list_",
    "churn_find_", "churn_by_", "churn_limit_", "churn_word_", "churn_auc", "churn_average_precision", "churn_top_lift",
    "lists_", "churn_place_", "history_tried_", "groups_limit_", "claim_", "name_", "panel_", "row_", "noise_", "why_",
    "recalibration_", "aged_", "tests_",
)  # fmt: skip
#: What a feature says at both ends, and degrees.
FEATURE_ENDS = ("degree_", *{feature.listed[0] if feature.listed else name for name, feature in FEATURES.items()})
#: Outcomes of a question are keys themselves; the others are the same in both languages.
CODES = {"released", "failed"}
ALIKE = {
    "plus_minus", "tests_auc", "rate_fixed", "definition_eight", "definition_grid", "cut_at", "value_with_interval",
    "value_with_margin", "sentence_gap", "title_gap", "step_of_question", "degree_so", "told_apart",
    "counted", "feature_with_unit", "k",
    "act_revenue", "churn_auc", "bin_one", "finding_of_table", "answer",
    "finding_number", "finding_numbers", "finding_between", "claim_named",
}  # fmt: skip
#: Chinese has no sign between sentences, and no word for a plain degree.
EMPTY = {"sentence_gap", "degree_so"}
#: What frames ask a section to say.
ASKED = {"missing_note", "withheld_limits", "missing_self", "missing_others"}
HAN = r"[一-鿿]"


def texts_of(file: Path) -> dict[str, Text]:
    return read_texts(".".join(file.parent.parts), file.name)


def test_there_are_texts_and_a_package_for_each_file() -> None:
    assert len(FILES) >= 5
    for file in FILES:
        assert resources.files(".".join(file.parent.parts)).joinpath(file.name).is_file()


def fields_of(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_text_is_in_every_language(file: Path) -> None:
    for key, entry in texts_of(file).items():
        assert set(entry) == set(LANGUAGES), f"{key} is not in every language"
        said = {language: entry.forms(language) for language in LANGUAGES}
        everything = [words for forms in said.values() for words in forms.values()]
        # Where a number picks the form, a form may say the number in words.
        picks = {"count"} if len(everything) > len(LANGUAGES) else set()
        assert len({frozenset(fields_of(words) - picks) for words in everything}) == 1, f"{key}: different fields"
        assert all(words.strip() for words in everything) or key in EMPTY, key
        for language, forms in said.items():
            named = {form for form in forms if not re.fullmatch("=[0-9]+", form)}
            assert "other" in named, key
            assert named <= set(SPOKEN[language].forms), f"{key}: {language} has no such form"
        chinese, english = "".join(said["zh"].values()), "".join(said["en"].values())
        assert key in ALIKE or re.search(HAN + "|、", chinese), f"{key} is not translated"
        assert not re.search(HAN, english), f"{key}: Chinese in the English text"
        assert not re.search(HAN + "[,:;()]", chinese), f"{key}: half-width punctuation"


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_text_is_used(file: Path) -> None:
    # A room's texts are its own; what stands in a hall is for all that look there.
    own = "analyses" in file.parts and file.parts[0] != "privacy"
    places = [file.parent] if own else [Path(part) for part in ("privacy", "server", "clients", "cohortium")]
    source = "".join(
        path.read_text(encoding="utf-8")
        for place in places
        for path in sorted((ROOT / place).rglob("*"))
        if path.suffix in (".py", ".j2")
    )
    composed = FEATURE_ENDS if file.name == "traits.toml" else COMPOSED
    unused = [
        key
        for key in texts_of(file)
        if key not in CODES | ASKED
        and not key.startswith(composed)
        and not re.search(rf"""["']{re.escape(key)}["']""", source)
    ]
    assert unused == []


def test_a_number_of_things_picks_its_form_and_is_grouped() -> None:
    texts = {"left": Text({"en": {"one": "1 customer left", "other": "{count} customers left"}})}
    said = [say(texts, "left", "en", count=count) for count in (0, 1, 12_345)]
    assert said == ["0 customers left", "1 customer left", "12,345 customers left"]
    assert say(texts, "left", "en", count="some") == "some customers left"


def test_chinese_has_no_blank_beside_chinese_that_is_filled_in() -> None:
    """A blank of a text stands for one beside Latin letters and digits; values with a margin end on a wide bracket."""
    texts = {"lost": Text({"zh": "自 {day} 起，{share} 的客户流失；{first} 和 {last} 除外"})}
    narrow = say(texts, "lost", "zh", day="2024-11-01", share="44.5%", first="north", last="west")
    assert narrow == "自 2024-11-01 起，44.5% 的客户流失；north 和 west 除外"
    named = {"first": "北店", "last": "客户群 2（久未购买）"}
    wide = say(texts, "lost", "zh", day="2024年11月1日", share="44.5%（± 0.3）", **named)
    assert wide == "自 2024年11月1日起，44.5%（± 0.3）的客户流失；北店和客户群 2（久未购买）除外"
    assert say({"a": Text({"en": "{x} of them"})}, "a", "en", x="北店") == "北店 of them"
    assert say({"a": Text({"zh": "{x} 位"})}, "a", "zh", x="沉 睡") == "沉 睡位", "what a value says stays as it is"
