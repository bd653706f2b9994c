"""The week on the holder's page: what changed among tags, which lists are under way, and how much is known."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.analysis.texts import text
from clients.campaigns.ended import UnderWay, lately
from clients.data.campaigns import Campaign
from clients.report.week import TagsShown, tags_of, week
from clients.tags.changes import changes_on, week_of
from clients.tags.config import Tag
from clients.tags.store import INTERVALS, History, RunNote, path_of
from privacy.presentation.texts import LANGUAGES, Language

FIRST = dt.date(2024, 9, 1)
TAGS, CUSTOMERS = ("quiet", "regular"), ("a", "b", "c")


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def history_of(levels: dict[tuple[str, str], list[int]], *, days: list[int] | None = None) -> History:
    """Intervals of who has which level of which tag on each of some days; runs on all of them, or on some."""
    rows = []
    for (tag, who), each in levels.items():
        begun = None
        for number, level in enumerate([*each, 0]):
            before = each[number - 1] if number else 0
            if (before and level != before) or number == len(each):
                if before and begun is not None:
                    ended = None if number == len(each) else day(number)
                    rows.append((who, who, tag, before, 1, day(begun), ended))
                begun = None
            if level and level != before:
                begun = number
    table = pa.Table.from_pylist([dict(zip(INTERVALS.names, row, strict=True)) for row in rows], schema=INTERVALS)
    length = len(next(iter(levels.values())))
    runs = tuple(
        RunNote(
            day=day(number), customers=len(CUSTOMERS), complete=number % 3,
            counts={tag: sum(levels[tag, who][number] > 0 for who in CUSTOMERS) for tag in TAGS},
        )
        for number in (range(length) if days is None else days)
    )  # fmt: skip
    return History(table=table, runs=runs)


@st.composite
def _levels(draw: st.DrawFn) -> dict[tuple[str, str], list[int]]:
    length = draw(st.integers(2, 8))
    each = st.lists(st.integers(0, 2), min_size=length, max_size=length)
    return {(tag, who): draw(each) for tag in TAGS for who in CUSTOMERS}


@given(levels=_levels(), ends=st.tuples(st.integers(0, 7), st.integers(0, 7)))
def test_what_changed_is_the_difference_of_two_days(
    levels: dict[tuple[str, str], list[int]], ends: tuple[int, int]
) -> None:
    length = len(next(iter(levels.values())))
    then, now = sorted(min(one, length - 1) for one in ends)
    expected = {}
    for (tag, who), each in levels.items():
        if each[then] != each[now] or (each[now] and len(set(each[then : now + 1])) > 1):
            kind = "entered" if not each[then] else "left" if not each[now] else "moved"
            expected[tag, who] = (kind, each[now])
    if then == now:
        expected = {}
    found = changes_on(history_of(levels), day(now), since=day(then)).to_pylist()
    assert {(row["tag"], row["customer_id"]): (row["change"], row["value"]) for row in found} == expected


def test_the_newest_run_stands_beside_one_of_a_week_before() -> None:
    levels = {(tag, who): [1] * 40 for tag in TAGS for who in CUSTOMERS}

    def days(runs: list[int], seen: int = 39) -> tuple[int, int | None] | None:
        found = week_of(history_of(levels, days=runs), day(seen))
        return found and ((found.last.day - FIRST).days, found.then and (found.then.day - FIRST).days)

    assert days([0, 10, 20, 21, 22, 27]) == (27, 20)
    assert days([0, 10, 20, 21, 22, 27], seen=22) == (22, 10)
    assert days([5, 7]) == (7, 5)
    assert days([5]) == (5, None)
    assert days([5], seen=4) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_what_changed_and_which_lists_are_under_way(language: Language) -> None:
    say = partial(text, language=language)
    levels = {(tag, who): [0] * 10 + [1] * 10 for tag in TAGS for who in CUSTOMERS}
    levels["regular", "a"] = [1] * 10 + [0] * 10
    found = week_of(history_of(levels, days=[0, 10, 12, 19]), day(19))
    assert found is not None
    tags = TagsShown(
        week=found, names={"quiet": Tag(code="quiet", when="orders = 0", en="Quiet ones", zh="安静的客户")}
    )
    lists = [UnderWay(code="recall", contacted=1270, control=130, first=day(15), told=day(45))]
    section = week(tags, lists, say, language)
    assert section is not None
    assert section["lists"][0]["contacted"] == "1,270"
    names = {"en": "Quiet ones", "zh": "安静的客户"}
    assert section["changes"]["rows"] == []
    assert section["changes"]["about"].startswith({"en": "From 13 September", "zh": "2024年9月13日"}[language])
    assert section["portraits"]["says"].count("%") == 1
    assert "<svg" in section["portraits"]["trend"]["wide"]
    early = week_of(history_of(levels, days=[0, 10]), day(10))
    assert early is not None
    shown = week(TagsShown(week=early, names=tags.names), [], say, language)
    assert shown is not None
    assert [tuple(row.values()) for row in shown["changes"]["rows"]] == [
        (names[language], "3", "+3", "-0"), ("regular", "2", "+2", "-1")
    ]  # fmt: skip
    assert shown["portraits"]["trend"] is None
    assert week(None, [], say, language) is None


def test_a_holder_s_lists_are_under_way_until_everybody_s_days_are_over(tmp_path: Path) -> None:
    ids = [str(number) for number in range(10)]
    drawn = pa.table(
        {"customer_id": ids, "source_id": ids, "place": ["call"] * 10, "control": [True] * 3 + [False] * 7}
    )
    Campaign.begun("recall", None, 300).joined(drawn, day(0)).save(tmp_path)
    Campaign.begun("nobody", None, 300).save(tmp_path)
    (going,) = lately(tmp_path, day(29)).under_way
    assert going == UnderWay(code="recall", contacted=7, control=3, first=day(0), told=day(30))
    assert lately(tmp_path, day(200)).ended == ()
    assert lately(tmp_path, day(200)).under_way == ()


def test_without_a_run_there_is_nothing_and_a_wrong_file_costs_the_names_only(tmp_path: Path) -> None:
    assert tags_of(tmp_path, FIRST) is None
    levels = {(tag, who): [1, 1] for tag in TAGS for who in CUSTOMERS}
    path_of(tmp_path).parent.mkdir(parents=True)
    history_of(levels).save(path_of(tmp_path))
    (tmp_path / "tags.toml").write_text("[[tag]]\ncode = 1", encoding="utf-8")
    found = tags_of(tmp_path, day(9))
    assert found is not None
    assert found.names == {}
    assert found.week.last.day == day(1)
