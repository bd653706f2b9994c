"""Whom to contact: as many as there are hands for, in the order of what is at risk, with a control group that is a lot.

Asserted: who is called, written to and left alone is what slow obvious code says; the list is worked through by day;
the control group is the same whenever it is drawn again, is another one for each month and holder, has the share that
was asked for, and says nothing of the score; nothing runs in a spreadsheet; a person who is forgotten is on no list.
"""

from __future__ import annotations

import csv
import math
import stat
from pathlib import Path

import numpy as np
import pytest
from contact_kit import KEY, contact_list
from hypothesis import given
from hypothesis import strategies as st

from clients.labels.config import ContactSettings, FileTarget
from clients.labels.contacts import PLACES, places, share_of, write_contacts
from clients.labels.control import PARTS, ControlDraw, control_key, seen_from
from privacy.errors import DataError


@given(st.lists(st.integers(-5, 50), max_size=40), st.integers(0, 12), st.integers(0, 12))
def test_the_first_are_called_the_next_written_to_and_nobody_without_value(values, call, write) -> None:
    found = places(np.array(values, dtype=np.int64), ContactSettings(call=call, write=write))
    order = sorted(range(len(values)), key=lambda row: (-values[row], row))
    slow = [2] * len(values)
    for rank, row in enumerate(order):
        if values[row] > 0 and rank < call + write:
            slow[row] = 0 if rank < call else 1
    assert found.tolist() == slow


def test_calls_are_in_the_order_of_their_days_and_letters_in_that_of_value() -> None:
    settings = ContactSettings(call=3, write=2)
    made = contact_list([900, 800, 700, 600, 500, 0], settings=settings, days=[9, 2, 2, 1, 0, 0])
    rows = made.table.to_pylist()
    assert [(row["place"], row["number"], row["customer_id"]) for row in rows] == [
        ("call", 1, "c00001"), ("call", 2, "c00002"), ("call", 3, "c00000"),
        ("write", 1, "c00003"), ("write", 2, "c00004"),
    ]  # fmt: skip
    first = rows[0]
    assert (str(first["value_at_risk"]), str(first["money_365"]), str(first["probability"])) == (
        "8.00",
        "16.00",
        "0.5000",
    )
    assert (first["todo_en"], first["todo_zh"], first["reason_zh"]) == ("risky en", "risky zh", "久未购买")


def test_the_control_group_is_drawn_by_lot_once_and_for_all() -> None:
    ids = [f"c{number}" for number in range(20_000)]
    draw = ControlDraw(key=KEY, study="spring", as_of="2024-06-01")
    tenth, third = draw.of(ids, 100), draw.of(ids, 300)
    assert (draw.of(ids[::-1], 100)[::-1] == tenth).all(), "the same whoever else is on the list"
    assert (third | ~tenth).all(), "a larger share holds the smaller"
    for found, share in ((tenth, 0.1), (third, 0.3)):
        spread = math.sqrt(share * (1 - share) / len(ids))
        assert abs(found.mean() - share) < 5 * spread
    halves = np.arange(len(ids)) % 2 == 0
    assert abs(tenth[halves].mean() - tenth[~halves].mean()) < 5 * math.sqrt(0.09 / len(ids)) * 2
    for other in (
        ControlDraw(key=b"x" * 32, study="spring", as_of="2024-06-01"),
        ControlDraw(key=KEY, study="spring", as_of="2024-07-01"),
        ControlDraw(key=KEY, study="autumn", as_of="2024-06-01"),
    ):
        both = (other.of(ids, 300) & third).mean()
        assert abs(both - 0.09) < 5 * math.sqrt(0.09 * 0.91 / len(ids)), "another draw"
    assert not draw.of(ids, 0).any()
    assert draw.of(ids, PARTS).all()
    assert "k" * 8 not in repr(draw)


def test_no_two_lists_share_a_draw_by_how_their_names_are_put_together() -> None:
    ids = [f"{number}" for number in range(2_000)]
    one = ControlDraw(key=KEY, study="a", as_of="b").of([f"c{one}" for one in ids], 500)
    two = ControlDraw(key=KEY, study="ab", as_of="c").of(ids, 500)
    assert 0.4 < (one == two).mean() < 0.6


def test_short_lists_leave_more_alone_and_the_operator_decides() -> None:
    usual = ContactSettings()
    assert [share_of(names, usual) for names in (10, 2_999, 3_000, 100_000)] == [300, 300, 100, 100]
    assert share_of(10, ContactSettings(control=0)) == 0
    assert share_of(10, ContactSettings(control=0.25)) == 250


@pytest.mark.parametrize(
    ("names", "share", "points"), [(300, 100, 16), (300, 500, 10), (1000, 100, 9), (1000, 500, 5.4), (3000, 100, 5)]
)
def test_what_a_list_can_show_is_said_beforehand(names: int, share: int, points: float) -> None:
    """A quarter buys again; the table of the design, rounded as there."""
    assert 100 * seen_from(names, share, 0.25) == pytest.approx(points, abs=0.5)
    assert seen_from(names, 0, 0.25) == 1
    assert seen_from(0, 100, 0.25) == 1


def test_the_shown_difference_is_that_of_many_simulated_lists() -> None:
    generator = np.random.default_rng(8)
    names, alone, rate = 1_000, 300, 0.25
    contacted = generator.binomial(names - alone, rate, 20_000) / (names - alone)
    control = generator.binomial(alone, rate, 20_000) / alone
    within = np.abs(contacted - control) <= seen_from(names, 300, rate)
    assert 0.94 < within.mean() < 0.96


def test_the_key_is_the_holders_own_and_stays(tmp_path: Path) -> None:
    key = control_key(tmp_path)
    assert control_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "control.key").stat().st_mode) == 0o600
    (tmp_path / "other").mkdir()
    assert control_key(tmp_path / "other") != key
    (tmp_path / "control.key").write_bytes(b"short")
    with pytest.raises(DataError, match="is no key"):
        control_key(tmp_path)


def test_a_list_opens_in_a_spreadsheet_and_runs_nothing(tmp_path: Path) -> None:
    made = contact_list([500, 400], ["=1+1", "007"], settings=ContactSettings(call=1, write=1, control=0.5))
    path = tmp_path / "list.csv"
    write_contacts(made, FileTarget(separator=";", decimal=",", ids="excel"), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    assert [row["customer_id"] for row in rows] == ['="=1+1"', '="007"']
    assert [row["value_at_risk"] for row in rows] == ["5,00", "4,00"]
    assert {row["control"] for row in rows} <= {"true", "false"}
    assert [row["place"] for row in rows] == list(PLACES)


def test_nobody_at_risk_is_an_empty_list() -> None:
    made = contact_list([0, -3])
    assert len(made.table) == 0
