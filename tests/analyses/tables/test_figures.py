"""Figures of declared tables: each is what slow obvious code makes of the same cells, and its interval holds."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from analyses.tables.examples import cells_from, study_of, tables_result
from analyses.tables.examples import table as small_table
from numpy.typing import NDArray

from privacy.analyses.tables.figures import result_of
from privacy.analyses.tables.grid import closed_cells
from privacy.analyses.tables.results import FigureValues, TablesResult
from privacy.analyses.tables.shown import shown
from privacy.analyses.tables.survival import life_table
from privacy.errors import ConfigError
from privacy.figures.estimates import Z95

FloatArray = NDArray[np.float64]

COHORTS: dict[str, Any] = {
    "name": "retention",
    "by": [
        {"dimension": "first_order.month", "keys": {"months": 4}},
        {"dimension": "order.months_since_first", "keys": "0..3"},
    ],
    "usual_cells": 2,
    "measure": [{"name": "customers"}, {"name": "money", "of": "sum(order.amount)", "cap": 100}],
    "figure": [
        {"name": "rate", "is": "customers / customers[order.months_since_first = 0]"},
        {"name": "curve", "is": "customers / customers[order.months_since_first = 0]", "over": "first_order.month"},
        {"name": "per_customer", "is": "money / customers"},
        {"name": "all", "is": "customers[all order.months_since_first]", "over": "first_order.month"},
        {"name": "lost", "is": "1 - customers[order.months_since_first = 1] / customers[order.months_since_first = 0]"},
    ],
}
FUNNEL: dict[str, Any] = {
    "name": "funnel",
    "by": [
        {"dimension": "session.source", "keys": ["search", "ads"]},
        {"dimension": "session.furthest", "keys": ["reached", "viewed", "in_cart", "checkout", "ordered"]},
    ],
    "events": {"of": "session", "which": "furthest"},
    "measure": [{"name": "customers"}],
    "figure": [
        {"name": "steps", "is": "reached(each) / reached(reached)", "over": "session.source"},
        {"name": "abandonment", "is": "1 - reached(ordered) / reached(in_cart)"},
    ],
}
RETURNS: tuple[dict[str, Any], ...] = (
    {
        "name": "returns",
        "by": [{"dimension": "return.reason", "keys": ["size", "late"]},
               {"dimension": "return.category", "keys": ["toys", "food"]}],
        "measure": [{"name": "returned", "of": "count(return)", "cap": 2}],
    },
    {
        "name": "ordered",
        "by": [{"dimension": "order.category", "keys": ["toys", "food"]}],
        "measure": [{"name": "orders", "of": "count(order)", "cap": 5}],
        "figure": [{"name": "rate", "is": "returns.returned / orders", "over": "return.reason", "unit": "share"}],
    },
)  # fmt: skip
CAMPAIGN: dict[str, Any] = {
    "name": "campaign",
    "by": [{"dimension": "sent.arm", "keys": ["message", "control"]},
           {"dimension": "sent.outcome", "keys": ["bought", "not"]}],
    "measure": [{"name": "customers"}],
    "figure": [
        {"name": "rate", "is": "customers[sent.outcome = bought] / customers[all sent.outcome]"},
        {"name": "difference", "is": "customers[sent.outcome = bought, sent.arm = message] "
         "/ customers[all sent.outcome, sent.arm = message] - customers[sent.outcome = bought] "
         "/ customers[all sent.outcome]"},
    ],
}  # fmt: skip


def figures(*tables: dict[str, Any], totals: list[FloatArray], deviation: float = 0.0) -> TablesResult:
    """Figures of cells with these totals; those of keys of text beside the listed ones (``other``) are empty."""
    study = study_of(*tables)
    written = study.tables.request(study.as_of).tables  # type: ignore[attr-defined]
    for place, (table, given) in enumerate(zip(written, totals, strict=True)):
        whole = np.zeros((*table.shape, given.shape[1]))
        listed = [range(len(use.keys.spelled) - (use.keys.spelled[-1] == "other")) for use in table.by]
        whole[np.ix_(*listed)] = given.reshape(*map(len, listed), -1)
        totals[place] = whole.reshape(table.cells, -1)
    return result_of(study.tables, study, cells_from(study, totals, deviation))  # type: ignore[attr-defined]


def figure(result: TablesResult, name: str, table: int = 0) -> FigureValues:
    return next(one for one in result.tables[table].figures if one.name == name)


def values(found: FigureValues) -> list[float | None]:
    return [None if point.estimate is None else point.estimate.value for point in found.points]


def test_cohorts_are_read_where_their_months_are_over() -> None:
    """Also where a cohort is added up: a month counts only with the beginnings of those cohorts that have it."""
    rng = np.random.default_rng(3)
    cells = rng.integers(50, 900, (16, 2)).astype(np.float64)
    counts = cells[:, 0].reshape(4, 4)
    result = figures(COHORTS, totals=[cells])
    closed = [(i, m) for i, m in itertools.product(range(4), repeat=2) if i + m < 4]
    rate = figure(result, "rate")
    assert rate.dimensions == ("first_order.month", "order.months_since_first")
    assert (rate.unit, rate.points[1].keys) == ("share", ("2024-09-01", "1"))
    for place, point in enumerate(rate.points):
        i, m = divmod(place, 4)
        if (i, m) in closed:
            assert point.estimate is not None
            assert point.estimate.value == pytest.approx(counts[i, m] / counts[i, 0])
        else:
            assert (point.estimate, point.why) == (None, "not_over")
    expected = [sum(counts[i, m] for i in range(4 - m)) / sum(counts[i, 0] for i in range(4 - m)) for m in range(4)]
    assert values(figure(result, "curve")) == pytest.approx(expected)
    money = figure(result, "per_customer")
    assert money.unit == "amount"
    assert money.points[0].amount is not None
    assert money.points[0].amount.value == pytest.approx(cells[0, 1] / cells[0, 0])
    assert values(figure(result, "lost"))[:3] == pytest.approx([1 - counts[i, 1] / counts[i, 0] for i in range(3)])
    assert figure(result, "lost").points[3].why == "not_over"
    # Only the oldest cohort has all of its months.
    (whole,) = figure(result, "all").points
    assert whole.count is not None
    assert whole.count.value == pytest.approx(counts[0].sum())


@pytest.mark.parametrize(
    ("cohorts", "since", "as_of", "over"),
    [
        # Of the last two months before the day: the younger one has begun, and no more.
        ({"months": 2}, "0..1", dt.date(2025, 1, 1), [True, True, True, False]),
        # In the middle of January no cell of it is over, and none the less of the months before.
        ({"months": 2}, "0..1", dt.date(2025, 1, 15), [True, True, True, False]),
        # Cohorts of a year ago have all of their months, though the last of them is the youngest that is asked about.
        ({"days": ["2023-11-01", "2023-12-01", "2024-01-01"]}, "0..1", dt.date(2025, 1, 1), [True] * 4),
        # Periods that end inside a month: who ordered first on 14 January orders in February one month later.
        ({"days": ["2024-12-15", "2025-01-15"]}, "0..1", dt.date(2025, 2, 28), [True, False]),
        ({"days": ["2024-12-15", "2025-01-15"]}, "0..1", dt.date(2025, 3, 1), [True, True]),
        # Of a quarter its last month counts, of a bin its end, and the open bin is never over.
        ({"quarters": 1}, {"upper": [0, 2]}, dt.date(2025, 1, 1), [True, False, False]),
        ({"quarters": 1}, {"upper": [0, 2]}, dt.date(2025, 3, 1), [True, True, False]),
    ],
)
def test_a_cell_is_over_by_the_day_not_by_the_last_cohort(
    cohorts: Any, since: Any, as_of: dt.date, over: list[bool]
) -> None:
    declared = small_table(
        by=[
            {"dimension": "first_order.month", "keys": cohorts},
            {"dimension": "order.months_since_first", "keys": since},
        ]
    )
    # Periods are those before the first of January also where the day is a later one of the same study.
    written = declared.written_out(dt.date(2025, 1, 1), {})
    assert closed_cells(written, as_of).tolist() == over


def test_intervals_are_wider_by_what_scaling_took_off() -> None:
    """Of quotients of what was scaled; 5% of it allows for a fortieth at either end, and the value stays."""
    study = study_of(COHORTS | {"lost": 20, "most_cells": 4})
    options = study.tables  # type: ignore[attr-defined]
    cells = cells_from(study, [np.full((16, 2), 4000.0)], 1e6)
    plain, lost = (
        result_of(options, study, [replace(one, lost=share) for one in cells]) for share in (None, (0.05, 0.001))
    )
    for name, changes in (("rate", True), ("per_customer", True), ("lost", True), ("all", False)):
        for before, after in zip(figure(plain, name).points, figure(lost, name).points, strict=True):
            if before.estimate is None or after.estimate is None or before.estimate.margin == 0:
                continue
            (low, high), (least, most) = before.estimate.interval, after.estimate.interval
            assert after.estimate.value == before.estimate.value
            assert (least < low and most > high) == changes, name
            if name == "rate":
                assert (least, most) == (pytest.approx(low * 0.975), pytest.approx(high / 0.975))


def test_a_funnel_adds_up_stages() -> None:
    counts = np.array([[50.0, 40, 30, 20, 10], [5, 4, 3, 2, 1]])
    result = figures(FUNNEL, totals=[counts.reshape(10, 1)])
    both = counts.sum(axis=0)
    reached = both[::-1].cumsum()[::-1]
    steps = figure(result, "steps")
    assert steps.dimensions == ("session.furthest",)
    assert values(steps) == pytest.approx((reached / reached[0]).tolist())
    assert figure(result, "abandonment").dimensions == ("session.source",)
    assert values(figure(result, "abandonment"))[0] == pytest.approx(1 - 10 / 60)
    assert figure(result, "abandonment").points[1].why == "floor"  # 6 carts, and the study's floor is 20


def test_a_sum_of_another_table_is_of_the_same_key() -> None:
    returned, orders = np.array([[3.0], [5], [7], [2]]), np.array([[100.0], [50]])
    rate = figure(figures(*RETURNS, totals=[returned, orders]), "rate", 1)
    assert (rate.unit, rate.dimensions) == ("share", ("order.category",))
    assert values(rate)[:2] == pytest.approx([(3 + 7) / 100, (5 + 2) / 50])
    assert rate.points[2].why == "noise"  # nothing was ordered of any other


def test_another_tables_dimension_must_be_added_up_or_shared() -> None:
    alone = {**RETURNS[1], "figure": [{"name": "rate", "is": "returns.returned / orders"}]}
    with pytest.raises(ConfigError, match=r"returns is by return\.reason") as error:
        figures(RETURNS[0], alone, totals=[np.ones((4, 1)), np.ones((2, 1))])
    assert "add it up" in str(error.value.hint)


def test_a_difference_is_of_other_cells_or_none() -> None:
    counts = np.array([[30.0], [70], [10], [90]])
    result = figures(CAMPAIGN, totals=[counts], deviation=1e6)
    message, control, _ = figure(result, "difference").points
    assert message.points is not None
    assert control.points is not None
    assert (message.points.value, message.points.margin) == (0.0, 0.0)  # of itself
    assert control.points.value == pytest.approx(0.3 - 0.1)
    rates = [point.share for point in figure(result, "rate").points]
    assert rates[0] is not None
    assert rates[1] is not None
    assert control.points == rates[0].minus(rates[1])
    parts = {**CAMPAIGN, "figure": [{"name": "x", "is": "customers / customers[all sent.outcome] - "
             "customers[sent.outcome = not] / customers[all sent.outcome]"}]}  # fmt: skip
    with pytest.raises(ConfigError, match="cells in common"):
        figures(parts, totals=[counts])


def test_what_the_noise_or_the_floor_hides_says_so() -> None:
    result = figures(CAMPAIGN, totals=[np.array([[30.0], [70], [3], [9]])], deviation=1e6)
    first, second, _ = figure(result, "rate").points
    assert first.estimate is not None
    assert (second.estimate, second.why) == (None, "floor")
    result = figures(CAMPAIGN, totals=[np.array([[30.0], [70], [3], [29]])], deviation=1e9)
    assert [point.why for point in figure(result, "rate").points] == ["noise", "noise", "floor"]


def test_nothing_is_shown_that_cannot_be() -> None:
    _, result = tables_result(customers=60.0, deviation=9e6)
    for net in (True, False):
        for table in shown(result, net=net).tables:
            for found in (point for one in table.figures for point in one.points):
                for share in (found.share,):
                    assert share is None or 0 <= share.interval[0] <= share.interval[1] <= 1
                assert found.count is None or found.count.interval[0] >= 0
                assert net or found.amount is None or found.amount.interval[0] >= 0


# --- intervals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "customers"), [((COHORTS,), 300.0), ((FUNNEL,), 120.0), (RETURNS, 200.0), ((CAMPAIGN,), 150.0)],
    ids=["cohorts", "funnel", "returns", "campaign"],
)  # fmt: skip
def test_intervals_of_all_figures_hold(tables: tuple[dict[str, Any], ...], customers: float) -> None:
    """95% of them, pooled over a table's figures: of 2,500 or more, 93% to 97% is more than three deviations."""
    rng = np.random.default_rng(11)
    study = study_of(*tables)
    options = study.tables  # type: ignore[attr-defined]
    written = options.request(study.as_of).tables
    truth = [customers * (1 + rng.random((one.cells, len(one.measures)))) for one in written]
    exact = result_of(options, study, cells_from(study, truth))
    deviation = 1.0e6
    spread = [cells.deviations for cells in cells_from(study, truth, deviation)]
    hits: list[bool] = []
    while len(hits) < 2500:
        noisy = [one + rng.normal(0, 1, one.shape) * by for one, by in zip(truth, spread, strict=True)]
        seen = result_of(options, study, cells_from(study, noisy, deviation))
        for table, true in zip(seen.tables, exact.tables, strict=True):
            for one, other in zip(table.figures, true.figures, strict=True):
                for point, at in zip(one.points, other.points, strict=True):
                    if point.estimate is not None and at.estimate is not None and point.estimate.margin > 0:
                        low, high = point.estimate.interval
                        hits.append(low <= at.estimate.value <= high)
    assert 0.93 < float(np.mean(hits)) < 0.97


# --- second orders -------------------------------------------------------------------------------------------------

ENDS = (7, 30, 90, 365)


def slow_table(again: list[float], not_yet: list[float]) -> list[float]:
    """Shares that have bought again, bin by bin, as the definition says."""
    stay, found = 1.0, []
    for j in range(len(again)):
        at_risk = sum(again[j:]) + sum(not_yet[j:]) - not_yet[j] / 2
        stay *= 1 - again[j] / at_risk
        found.append(1 - stay)
    return found


def test_a_life_table_is_the_definition() -> None:
    again, not_yet = np.array([90.0, 60, 40, 30, 5]), np.array([10.0, 20, 40, 90, 200])
    curve = life_table(again, not_yet, 0.0, ENDS)
    assert curve.again.tolist() == pytest.approx(slow_table(again.tolist(), not_yet.tolist())[:4])
    assert curve.within(30).value == pytest.approx(slow_table(again.tolist(), not_yet.tolist())[1])
    assert not curve.deviations.any()


def test_half_of_those_who_leave_in_a_bin_are_at_risk() -> None:
    """The table has the true share to within what wide bins leave; without the half it is too low by more."""
    rng = np.random.default_rng(5)
    waits, observed = rng.exponential(100, 400_000), rng.uniform(0, 400, 400_000)
    bins = [0, *ENDS, 10_000]
    again = np.histogram(np.minimum(waits, observed)[waits <= observed], bins)[0].astype(np.float64)
    not_yet = np.histogram(observed[waits > observed], bins)[0].astype(np.float64)
    found = life_table(again, not_yet, 0.0, ENDS)
    for place, end in enumerate(ENDS[:3]):
        assert found.again[place] == pytest.approx(1 - np.exp(-end / 100), abs=0.006)
    whole = (again + not_yet)[::-1].cumsum()[::-1]
    assert 1 - np.prod(1 - again[:3] / whole[:3]) < 1 - np.exp(-0.9) - 0.012


def test_margins_of_a_life_table_hold() -> None:
    rng = np.random.default_rng(8)
    again, not_yet = np.array([90.0, 160, 140, 130, 25]), np.array([30.0, 60, 90, 190, 400])
    truth, deviation, hits = life_table(again, not_yet, 0.0, ENDS).again, 6.0, []
    for _ in range(1000):
        noisy = (counts + rng.normal(0, deviation, 5) for counts in (again, not_yet))
        found = life_table(*noisy, deviation**2, ENDS)
        hits.append(np.abs(found.again - truth) <= Z95 * found.deviations)
    assert all(0.93 < share < 0.97 for share in np.mean(hits, axis=0))


def test_the_day_by_which_half_have_bought_again() -> None:
    again, not_yet = np.array([100.0, 300, 200, 100, 10]), np.zeros(5)
    exact = life_table(again, not_yet, 0.0, ENDS).median()
    assert exact is not None
    part = (0.5 - 100 / 710) / (300 / 710)
    # A straight line over log(1 + day) between the ends of the bin; and over days between two of them.
    assert exact.value == pytest.approx((1 + 7) * ((1 + 30) / (1 + 7)) ** part - 1, abs=0.02)
    noisy = life_table(again, not_yet, 100.0, ENDS).median()
    assert noisy is not None
    assert noisy.interval[0] < exact.value < noisy.interval[1]
    assert life_table(np.array([100.0, 0, 0, 0, 0]), np.array([0.0, 0, 0, 900, 900]), 1.0, ENDS).median() is None
