"""Declared tables as holders see them: keys, which entries a customer has, and rows that encoders read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from privacy.kernel.cells import CellRequest, CellRows
from privacy.kernel.declarations import CellTable
from privacy.kernel.dimensions import DIMENSIONS, meaning_of
from privacy.kernel.keys import Keys

AS_OF = dt.date(2025, 1, 15)
LISTS = {"channels": ("search", "live")}


@pytest.mark.parametrize(
    ("written", "count", "spelled"),
    [
        (["a", "b"], 2, ("a", "b")),
        ("0..3", 4, ("0", "1", "2", "3")),
        ({"upper": [7, 30]}, 3, ("7", "30", "above")),
        ({"months": 2, "before": "as_of"}, 2, ("2024-11-01", "2024-12-01")),
        ({"quarters": 2}, 2, ("2024-07-01", "2024-10-01")),
        ({"from": "lists.channels"}, 2, ("search", "live")),
        ({"days": ["2024-01-01", "2024-02-01"]}, 1, ("2024-01-01",)),
    ],
)
def test_keys_as_they_are_written(written: Any, count: int, spelled: tuple[str, ...]) -> None:
    found = Keys.model_validate(written).written_out(AS_OF, LISTS)
    assert found.is_written_out
    assert (found.count, found.spelled) == (count, spelled)
    assert [found.place(key) for key in spelled] == list(range(count))


def test_periods_are_over_on_the_as_of_day() -> None:
    """The last month is the last that is over: on the first of a month that is the one before."""
    for day, last in ((dt.date(2025, 1, 1), dt.date(2025, 1, 1)), (dt.date(2025, 1, 31), dt.date(2025, 1, 1))):
        assert Keys.model_validate({"months": 13}).written_out(day, {}).days[-1] == last
        assert Keys.model_validate({"months": 13}).written_out(day, {}).days[0] == dt.date(2023, 12, 1)
    assert Keys.model_validate({"quarters": 1}).written_out(dt.date(2025, 3, 31), {}).days == (
        dt.date(2024, 10, 1), dt.date(2025, 1, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("0-3", "write a range"),
        ("5..2", "smaller number to a larger"),
        ({}, "one form"),
        ({"months": 3, "upper": [1]}, "one form"),
        ({"months": 3, "before": "today"}, "before"),
        ({"upper": [3, 3]}, "ascend"),
        (["a", "A "], "listed twice"),
        (["other", "a"], "stands last"),
        ({"from": "channels"}, "lists.channels"),
        ({"first": 3}, "smaller number to a larger"),
    ],
)
def test_keys_that_cannot_be(written: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Keys.model_validate(written)


def test_a_list_that_the_study_does_not_have() -> None:
    with pytest.raises(ValueError, match="no list 'stores'"):
        Keys(source="lists.stores").written_out(AS_OF, LISTS)


def test_every_name_has_words_and_measures_have_units() -> None:
    assert all(each.en and each.zh for each in DIMENSIONS.values())
    units = {text: meaning_of(text).unit for text in
             ("customers", "count(order)", "sum(order.amount)", "sum(view.seconds)", "share(order.discount)",
              "weight", "weight * order.amount")}  # fmt: skip
    assert list(units.values()) == ["customers", "count", "money", "number", "share", "share", "money"]


def table(**fields: Any) -> CellTable:
    """A small table with some fields otherwise."""
    least = {"name": "t", "by": [{"dimension": "tenure_band", "keys": {"upper": [90, 365]}}],
             "measures": [{"of": "customers"}]}  # fmt: skip
    return CellTable.model_validate({**least, **fields})


def by(dimension: str, keys: Any, **more: Any) -> dict[str, Any]:
    return {"by": [{"dimension": dimension, "keys": keys, **more}]}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"by": [{"dimension": "colour", "keys": ["a"]}]}, "dimension"),
        ({"by": [{"dimension": "tenure_band", "keys": ["a"]}]}, "its keys are a range"),
        ({"by": [{"dimension": "order.weekday", "keys": ["someday"]}]}, "some of monday"),
        ({"by": [{"dimension": "order.weekday", "keys": ["tuesday", "monday"]}]}, "in order"),
        ({"by": [{"dimension": "customer.known", "keys": ["yes", "no"]}]}, "roles go with"),
        ({"by": [{"dimension": "customer.known", "keys": ["yes", "no"], "roles": ["hat"]}]}, "no role 'hat'"),
        ({"by": [{"dimension": "tenure_band", "keys": "0..3"}] * 2}, "named twice"),
        ({"by": [{"dimension": "tenure_band", "keys": "0..300"}, {"dimension": "recency_band", "keys": "0..300"}]},
         "90,601 cells, and at most 2,000"),
        ({"by": [{"dimension": "session.source", "keys": ["a"]}, {"dimension": "order.category", "keys": ["b"]}]},
         "events of order and session"),
        ({"by": [{"dimension": "touch.model", "keys": ["first"]}]}, "touch.model goes with"),
        ({"by": [{"dimension": "session.furthest", "keys": ["reached"]}]}, "session.furthest goes with"),
        ({"events": {"of": "session"}}, "events are of session"),
        ({"measures": [{"of": "count(horses)"}]}, "no feed 'horses'"),
        ({"measures": [{"of": "sum(order.colour)"}]}, "no role 'colour'"),
        ({"measures": [{"of": "sum(order.category)"}]}, "write one of"),
        ({"measures": [{"of": "most(order)"}]}, "no measure"),
        ({"measures": [{"of": "share(order)"}]}, "needs a dimension of events"),
        ({"measures": [{"of": "weight"}]}, "goes with conversions"),
        ({"measures": [{"of": "customers", "first_days": 3}]}, "first_days and last_days go with"),
        ({"where": ["sunshine >= 3"]}, "tenure_days"),
        ({"where": ["tenure_days = 3"]}, "is no condition"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_says_what_to_write(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        table(**fields)


def test_what_a_table_reads() -> None:
    """Feeds, roles and the words of policies follow from its names."""
    dwell = table(
        by=[{"dimension": "view.page", "keys": ["home"]}, {"dimension": "view.seconds_band", "keys": {"upper": [30]}}],
        events={"of": "view", "which": "longest", "per": "view.page"},
    )
    assert (dwell.feed, dwell.shape, dwell.cells) == ("view", (1, 2), 2)
    assert dwell.feeds == {"view"}
    assert dwell.needs == {("view", "page"), ("view", "seconds")}
    assert dwell.columns == {"view", "view.page", "view.seconds"}
    campaign = table(by=[{"dimension": "sent.arm", "keys": ["a"]}, {"dimension": "sent.outcome", "keys": ["bought"]}])
    assert campaign.feeds == {"sent", "order"}
    assert table(**by("customer.known", ["yes", "no"], roles=["born"])).columns == {"customer", "customer.born"}
    assert table(**by("order.store", ["a"])).by[0].meaning.of_a_holder
    assert not table(where=["orders < 3"]).by[0].meaning.of_a_holder
    assert table(where=["orders < 3"]).columns == {"orders", "recency"}


def test_other_is_added_to_texts_alone() -> None:
    for dimension, keys, found in (
        ("order.category", ("a",), ("a", "other")),
        ("order.category", ("a", "other"), ("a", "other")),
        ("order.weekday", ("monday",), ("monday",)),
    ):
        use = table(**by(dimension, keys)).by[0]
        assert use.written_out(use.keys).keys.values == found


def test_a_request_is_written_out() -> None:
    with pytest.raises(ValidationError, match="not written out"):
        CellRequest(tables=(table(**by("first_order.month", {"months": 3})),))
    with pytest.raises(ValidationError, match="one name"):
        CellRequest(tables=(table(), table()))
    request = CellRequest(tables=(table(), table(name="u", where=["orders >= 2"])))
    assert request.columns == {"orders", "recency"}
    assert CellRequest.parse(request.canonical()) == request


# --- rows ----------------------------------------------------------------------------------------------------------


def rows() -> CellRows:
    """Three customers with 2, 0 and 1 entries."""
    return CellRows(
        start=np.array([0, 2, 2, 3]), table=np.array([0, 1, 0]), cell=np.array([3, 0, 7]),
        values=np.array([[1, 5], [1, 0], [1, -9]]),
    )  # fmt: skip


def test_rows_are_of_customers() -> None:
    found = rows()
    assert len(found) == 3
    assert found.customer.tolist() == [0, 0, 2]
    assert repr(found) == "CellRows(<private>)"


@pytest.mark.parametrize("index", [slice(1, 3), np.array([2, 0, 0]), np.array([True, False, True]), slice(0, 0)])
def test_some_customers_have_their_own_entries(index: Any) -> None:
    found, chosen = rows().take(index), np.arange(3)[index]
    per_customer = {0: [(0, 3, 1, 5), (1, 0, 1, 0)], 1: [], 2: [(0, 7, 1, -9)]}
    entries = [(t, c, *v) for t, c, v in zip(found.table.tolist(), found.cell.tolist(), found.values.tolist(),
                                             strict=True)]  # fmt: skip
    assert entries == [entry for customer in chosen.tolist() for entry in per_customer[customer]]
    assert len(found) == len(chosen)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"cell": np.array([3, 0])}, ValueError),
        ({"cell": np.array([3.0, 0.0, 7.0])}, TypeError),
        ({"values": np.array([1, 1, 1])}, ValueError),
        ({"start": np.array([0, 2, 1, 3])}, ValueError),
        ({"start": np.array([0, 2, 2, 4])}, ValueError),
        ({"start": np.array([1, 2, 2, 3])}, ValueError),
        ({"start": np.array([], dtype=np.int64)}, ValueError),
    ],
)
def test_rows_that_cannot_be(fields: dict[str, Any], error: type[Exception]) -> None:
    found = rows()
    given = {name: getattr(found, name) for name in ("start", "table", "cell", "values")}
    with pytest.raises(error):
        CellRows(**{**given, **fields})
