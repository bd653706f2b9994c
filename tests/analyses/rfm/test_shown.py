"""Segments as they are shown: possible, adding up, inside their intervals, and nearer to the truth than released."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analyses.rfm.shown_kit import CASES, NO_TAILS, NOISE, RULES, TABLE, counted, question_of, released, truth
from hypothesis import given
from hypothesis import strategies as st

from privacy.analyses.rfm.results import SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.shown import shown
from privacy.analyses.rfm.shown_sums import Release
from privacy.figures.consistent import Equations, agreed, nearest, possible
from privacy.figures.estimates import Z95, Estimate
from server.analyses.rfm.figures import scheme_figures
from server.analyses.rfm.shares_only import shares_only


def figures_of(row: SegmentFigures) -> list[Estimate]:
    return [figure for figure in (row.customers, row.orders, row.revenue) if figure is not None]


def every_figure(scheme: SchemeFigures) -> list[Estimate]:
    return [value for row in (scheme, *scheme.segments) for _, value in row if isinstance(value, Estimate)]


def check_possible(question: SegmentTotals, scheme: SchemeFigures) -> None:
    """No figure, and no pair of figures of a row, that no customers could have; intervals hold their values."""
    ranges = question.ranges(scheme.scheme)
    net, unit = question.returns == "net", RULES.money_unit
    for place, row in enumerate(scheme.segments):
        if row.suppressed:
            assert not figures_of(row)
            continue
        customers, orders, revenue = (figure.value for figure in figures_of(row))
        near = 1e-6 * max(customers, 1.0)
        (few, poor), (often, rich) = ranges.low[place].tolist(), ranges.high[place].tolist()
        assert customers >= 0
        # An order's sum may be raised to the place that it is written at.
        assert few * customers - near <= orders <= often * customers + near + row.orders.margin
        assert poor / unit * customers - near * rich <= revenue <= rich / unit * customers + near * rich
        assert row.orders.interval[0] >= 0
        assert net or row.revenue.interval[0] >= 0
        for share in (row.share_of_customers, None if net else row.share_of_revenue):
            assert share is None or 0 <= share.interval[0] <= share.interval[1] <= 1
        if row.orders_per_customer is not None:
            assert few <= row.orders_per_customer.interval[0] <= row.orders_per_customer.interval[1] <= often
    for figure in every_figure(scheme):
        assert figure.interval[0] <= figure.value <= figure.interval[1]


def check_adds_up(scheme: SchemeFigures, *, net: bool) -> None:
    rows = [row for row in scheme.segments if not row.suppressed]
    sums = np.sum([[figure.value for figure in figures_of(row)] for row in rows], axis=0)
    totals = [scheme.total_customers.value, scheme.total_orders.value, scheme.total_revenue.value]
    raising = sum(row.orders.margin for row in rows) + scheme.total_orders.margin
    for part, whole, slack in zip(sums, totals, (0.0, raising, 0.0), strict=True):
        if len(rows) == len(scheme.segments):
            assert part == pytest.approx(whole, rel=1e-9, abs=1e-6 + slack)
        elif not net:  # what is suppressed may be less than none
            assert part <= whole + 1e-6 + slack
    shares = [row.share_of_customers.value for row in rows if row.share_of_customers is not None]
    if len(shares) == len(scheme.segments):
        assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize(("schemes", "returns"), CASES)
def test_nothing_is_impossible_and_parts_add_up(schemes: tuple[str, ...], returns: str) -> None:
    rng = np.random.default_rng(8)
    question = question_of(schemes, returns)
    odd = 0
    for noise in [4.0, 15.0, NOISE, 150.0] * 6:
        result = released(question, rng, noise=noise)
        rows = [row for row in result.schemes[0].segments if not row.suppressed]
        odd += any(row.orders.value < row.customers.value or row.revenue.value < 0 for row in rows)
        found = shown(result, net=returns == "net", complete=True)
        for scheme in found.schemes:
            check_possible(question, scheme)
            check_adds_up(scheme, net=returns == "net")
        if all(not row.suppressed for scheme in found.schemes for row in scheme.segments):
            totals = {(s.total_customers.value, s.total_revenue.value) for s in found.schemes}
            assert len(totals) == 1 or np.ptp(sorted(totals), axis=0).max() < 0.1
            assert found.customers == found.schemes[0].total_customers
    assert odd > 1, "there was something to do"


@pytest.mark.parametrize(("schemes", "returns"), CASES)
def test_intervals_cover_as_often_as_they_say(schemes: tuple[str, ...], returns: str) -> None:
    """Of 700 figures each, or more, with a fixed seed: .94 is 1.2 standard errors below .95, and most cover more."""
    rng = np.random.default_rng(23)
    question = question_of(schemes, returns)
    exact = {scheme: truth(question, scheme) for scheme in schemes}
    held: list[list[bool]] = [[], [], []]
    of_totals = []
    cells = min(len(rows) for rows in exact.values())
    for _ in range(max(100, 700 // cells)):
        found = shown(released(question, rng), net=returns == "net", complete=True)
        for scheme in found.schemes:
            for row, true in zip(scheme.segments, exact[scheme.scheme], strict=True):
                for fact, figure in enumerate(figures_of(row)):
                    low, high = figure.interval
                    held[fact].append(low - 1e-3 <= true[fact] <= high + 1e-3)
            total = exact[scheme.scheme].sum(axis=0)
            whole = (scheme.total_customers, scheme.total_orders, scheme.total_revenue)
            of_totals += [f.interval[0] - 1e-3 <= t <= f.interval[1] + 1e-3 for f, t in zip(whole, total, strict=True)]
    covered = [round(float(np.mean(fact)), 3) for fact in (*held, of_totals)]
    assert min(covered[:-1]) >= 0.94, covered
    assert covered[-1] >= 0.92, covered  # the totals of some 100 to 200 runs, three times each


@pytest.mark.parametrize(("schemes", "returns"), CASES)
def test_an_exact_release_is_not_moved(schemes: tuple[str, ...], returns: str) -> None:
    """What is true is possible: sums are taken out of figures as they were encoded, and in the cones of the rules."""
    question = question_of(schemes, returns)
    values = question.decode(question.encode_sum(counted(TABLE, returns)), 3.0 * question.amplitudes[0])
    result = released(question, np.random.default_rng(1)).model_copy(
        update={
            "customers": Estimate(value=float(len(TABLE)), margin=10.0),
            "schemes": tuple(scheme_figures(estimate, question, NO_TAILS, floor=0) for estimate in values),
        }
    )
    found = shown(result, net=returns == "net", complete=True)
    for scheme in found.schemes:
        for row, true in zip(scheme.segments, truth(question, scheme.scheme), strict=True):
            for figure, exact in zip(figures_of(row), true, strict=False):
                assert figure.value == pytest.approx(exact, rel=1e-5, abs=1e-3)


@pytest.mark.parametrize(("schemes", "returns"), CASES)
def test_the_weighted_error_is_never_larger(schemes: tuple[str, ...], returns: str) -> None:
    """In units of the noise, with the count of all: the projection on a convex set that holds the truth."""
    rng = np.random.default_rng(5)
    question = question_of(schemes, returns)
    for noise in (4.0, NOISE):
        for _ in range(5):
            result = released(question, rng, noise=noise)
            for scheme in result.schemes:
                item = Release.of(result, scheme, net=returns == "net")
                count = result.customers
                rows = np.tile([1.0, 0.0, 0.0], len(item.places))[None]
                known = Equations(rows=rows, values=np.array([count.value]), deviations=np.array([count.deviation]))
                projected = nearest(item.values, item.deviations, item.corners, known)
                true = truth(question, scheme.scheme)[list(item.places)]
                sums = true[:, 1:] - item.middle * true[:, :1]
                beside = np.divide(sums, item.half, where=item.half > 0, out=np.zeros_like(sums))
                exact = np.column_stack([true[:, 0], beside])
                before = (((item.values - exact) / item.deviations) ** 2).sum()
                before += ((count.value - exact[:, 0].sum()) / count.deviation) ** 2
                after = (((projected - exact) / item.deviations) ** 2).sum()
                after += ((projected[:, 0] - exact[:, 0]).sum() / count.deviation) ** 2
                assert after <= before * (1 + 1e-9)


def test_the_total_of_records_has_a_margin_of_its_own() -> None:
    """From both questions together: below that of either."""
    question = question_of(("eight",), "drop")
    result = released(question, np.random.default_rng(2), noise=10.0)
    found = shown(result, net=False, complete=True).schemes[0].total_customers
    alone = math.sqrt(8) * 10.0
    assert found.margin == pytest.approx(Z95 / math.hypot(1 / alone, 1 / 8.0), rel=0.05)
    assert shown(result, net=False, complete=False).schemes[0].total_customers.margin == pytest.approx(
        Z95 * alone, rel=0.05
    )


def test_suppressed_segments_stay_so_and_totals_are_not_below_what_is_shown() -> None:
    question = question_of(("eight",), "drop")
    rng = np.random.default_rng(9)
    floor = int(np.median(truth(question, "eight")[:, 0]))
    for _ in range(10):
        result = released(question, rng, noise=60.0, floor=floor)
        found = shown(result, net=False, complete=True)
        assert any(row.suppressed for row in found.schemes[0].segments)
        assert [r.suppressed for r in found.schemes[0].segments] == [r.suppressed for r in result.schemes[0].segments]
        check_possible(question, found.schemes[0])
        check_adds_up(found.schemes[0], net=False)
        records = found.schemes[0].total_customers
        assert records == found.customers
        # Of both questions; it may be raised to what is shown.
        both = Z95 / math.hypot(1 / (math.sqrt(8) * 60.0), 1 / 8.0)
        assert records.interval[0] == pytest.approx(records.interval[1] - 2 * both, abs=both)
        for name in ("total_orders", "total_revenue"):
            low, high = getattr(result.schemes[0], name).interval
            kept = getattr(found.schemes[0], name).interval
            assert kept[0] <= max(low, 0.0), "what is shown is noisy, and no bound on all"
            assert high <= kept[1]


def test_where_totals_are_withheld_figures_stay_on_the_grid_but_inside_what_they_can_be() -> None:
    question = question_of(("eight",), "drop")
    rng = np.random.default_rng(3)
    deviation = 60.0 * question.amplitudes[0]
    values = question.encode_sum(TABLE) + np.rint(rng.normal(0, deviation, question.dim)).astype(np.int64)
    estimates = question.decode(values, deviation)
    full = released(question, rng).model_copy(
        update={"schemes": tuple(scheme_figures(estimate, question, NO_TAILS, floor=0) for estimate in estimates)}
    )
    withheld = shares_only(full, estimates, question, NO_TAILS, floor=0)
    found = shown(withheld, net=False, complete=True)
    assert found.customers is None
    for row in found.schemes[0].segments:
        assert row.customers is None
        for share in (row.share_of_customers, row.share_of_revenue):
            assert share is None or 0 <= share.interval[0] <= share.interval[1] <= 1
        assert row.orders_per_customer is None or row.orders_per_customer.interval[0] >= 1


# --- the arithmetic

ends = st.floats(-1e6, 1e6)


@given(value=ends, margin=st.floats(0, 1e6), least=ends, width=st.floats(0, 1e6), where=st.floats(0, 1))
def test_a_possible_figure_covers_what_the_given_one_covers(
    value: float, margin: float, least: float, width: float, where: float
) -> None:
    true = least + where * width
    given_one = Estimate(value=value, margin=margin)
    found = possible(given_one, least, least + width)
    low, high = found.interval
    assert least <= low <= found.value <= high <= least + width
    first, last = given_one.interval
    assert low <= true <= high or not first <= true <= last


def test_what_agrees_has_the_error_that_it_states() -> None:
    rng = np.random.default_rng(6)
    deviations = np.array([1.0, 2.0, 3.0, 1.5])
    rows = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, -1.0, -1.0]])
    true, spread = np.array([5.0, 7.0, 4.0, 8.0]), np.array([0.5, 0.0])
    found = []
    for _ in range(4000):
        known = Equations(rows=rows, values=rows @ true + rng.normal(size=2) * spread, deviations=spread)
        agree, covariance = agreed(true + rng.normal(size=4) * deviations, deviations, known)
        assert agree @ rows[1] == pytest.approx(0.0, abs=1e-9)
        found.append(agree)
    errors = np.array(found) - true
    assert np.abs(errors.mean(axis=0)).max() < 0.15  # five standard errors of the largest
    assert np.cov(errors.T) == pytest.approx(covariance, abs=0.25)
    assert (np.diag(covariance) < deviations**2).all()
