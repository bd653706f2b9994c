"""The pages on tables and on coverage name what there is, all of it."""

from __future__ import annotations

import re
from pathlib import Path

from privacy.kernel.dimensions import DIMENSIONS
from server.analyses.tables.catalogue import names

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_all_96_things_have_an_answer_and_their_tables_are_there() -> None:
    rows = re.findall(r"^\| (\d+) \| ([012]) \| ([^|]+) \| ([FL, ]+) \| ([^|]+) \|$", page("coverage"), flags=re.M)
    assert [int(number) for number, *_ in rows] == list(range(1, 97))
    named = set()
    for number, _, _, where, answer in rows:
        assert set(where.split(", ")) <= {"F", "L"}, number
        for said in re.findall(r"tables? ((?:`[a-z_*]+`(?:, )?)+)", answer):
            named |= {name for name in re.findall(r"`([a-z_]+)\*?`", said) if name != "profile"}
    assert named <= set(names()), named - set(names())
    assert named >= set(names()) - {"profile", "profile_level"}, "a table that answers nothing"


def test_the_guide_lists_the_whole_catalogue_and_every_dimension() -> None:
    for text in (page("tables"), page("zh/tables")):
        catalogue = text[text.index("| `second_purchase`") :]
        assert set(names()) <= set(re.findall(r"`([a-z_]+)`", catalogue))
    guide = re.sub(r"\s+", " ", page("tables"))
    for name in DIMENSIONS:
        feed, _, role = name.rpartition(".")
        assert re.search(rf"{re.escape(feed)}\.[^`]*\b{role}\b" if feed else rf"\b{name}\b", guide), name


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")
