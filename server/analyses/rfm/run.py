"""RFM: one segmentation for all holders, in two questions.

1. *cut points*: cumulative distributions of recency_days, money and orders.
2. *segments*: customers, orders and money by segment, with the cuts of question 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.options import FixedCuts, KnownCuts
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.analyses.rfm.results import Distribution, RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segment_totals import AMPLITUDES, SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.public_grid import FINEST, class_of, coarsened
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from server.analyses.rfm.cut_points import (
    QUINTILES,
    Cumulative,
    clipping_cap,
    count_cut,
    cumulate,
    lower_cut,
    smoothed,
    total_customers,
)
from server.analyses.rfm.shares_only import shares_only
from server.analysis import Ask, Planned
from server.analysis.expectation import Expectation

NAME = "rfm"
CUT_POINTS = "cut points"
SEGMENTS = "segments"

#: Bins: days one by one for a year; money 2.7% wide over six powers of ten; orders one by one up to 24.
_RECENCY_BINS = 512
_MONEY_BINS = 512
_ORDERS_SINGLE = 24
_ORDERS_BINS = 64
#: Shares of the squared sensitivity, in thousandths. Orders have few distinct values and need less; days are the
#: hardest, because a whole day's customers move with a cut.
_PERMILLE = {"recency_days": 440, "money": 380, "orders": 180}
#: Bars in the report's pictures.
_DISPLAY_BINS = 40


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    if isinstance(study.of(CONTRACT).cut_points, KnownCuts):
        return {SEGMENTS: Fraction(1)}
    share = Fraction(study.of(CONTRACT).cut_points_share)
    return {CUT_POINTS: share, SEGMENTS: 1 - share}


def cut_points_statistic(study: Study) -> PrefixSums:
    """The first question; it depends on the study alone."""
    low, high = study.money_bounds
    return PrefixSums(
        grids=(
            FactGrid(
                fact="recency_days",
                upper=_stepped(0, 365, study.bounds.recency_max_days, _RECENCY_BINS - 1),
                permille=_PERMILLE["recency_days"],
            ),
            FactGrid(
                fact="money",
                upper=tuple(sorted({round(x) for x in np.geomspace(low, high, _MONEY_BINS - 1)})),
                permille=_PERMILLE["money"],
            ),
            FactGrid(
                fact="orders",
                upper=_stepped(1, _ORDERS_SINGLE, study.bounds.orders_max, _ORDERS_BINS - 1),
                permille=_PERMILLE["orders"],
            ),
        )
    )


def _stepped(first: int, single: int, last: int, count: int) -> tuple[int, ...]:
    """Upper ends one by one from ``first`` to ``single``, then growing by a constant factor up to ``last``."""
    if last <= single:
        return tuple(range(first, last + 1))
    ones = list(range(first, single + 1))
    rest = {round(x) for x in np.geomspace(single, last, max(count - len(ones), 1) + 1)[1:]}
    return (*ones, *sorted(value for value in rest if value > single))


def run(study: Study, ask: Ask, planned: Planned) -> RfmResult:
    """The analysis. What it returns may be handed out: without totals where the study withholds them.

    Args:
        study: what was agreed.
        ask: asks a question by its title.
        planned: the noise that a question is planned to have among all the study's holders. Not among those that
            are there: a study that goes on after an interruption must ask the very same question.
    """
    known = study.of(CONTRACT).cut_points
    found = _with_fixed_high(study, known) if isinstance(known, KnownCuts) else None
    distributions: tuple[Distribution, ...] = ()
    customers: Estimate | None = None
    if found is None:
        found, distributions, customers = _find(study, ask, planned)
    unit = 10 ** minor_digits(study.currency)
    rules = SegmentRules(cuts=found.cuts, thresholds=study.of(CONTRACT).rules, money_unit=unit)
    totals = _totals(study, rules, orders_cap=found.orders_cap, money_cap=found.money_cap)
    release = ask(SEGMENTS, totals)
    schemes = tuple(
        scheme_figures(estimate, rules, floor=study.of(CONTRACT).floor, unit=unit)
        for estimate in totals.decode(release.array, release.deviation)
    )
    result = RfmResult(
        rules=rules,
        customers=customers or schemes[0].total_customers,
        distributions=distributions,
        schemes=schemes,
        money_cap=found.money_cap / unit,
        orders_cap=found.orders_cap,
        revenue_above_cap=float(found.above_cap),
    )
    return shares_only(result, floor=study.of(CONTRACT).floor) if study.of(CONTRACT).totals == "shares" else result


def _with_fixed_high(study: Study, known: KnownCuts) -> KnownCuts:
    """Earlier cut points, with the high/low cuts that this study's operators set themselves, where they do."""
    high = _fixed_high(study)
    if high is None:
        return known
    names = ("recency_high", "orders_high", "money_high")
    return known.model_copy(update={"cuts": known.cuts.model_copy(update=dict(zip(names, high, strict=True)))})


def _fixed_high(study: Study) -> tuple[int, int, int] | None:
    fixed = study.of(CONTRACT).high_low
    if not isinstance(fixed, FixedCuts):
        return None
    # Fixed money cuts mean "at least"; money in minor units is an integer, so that is "more than one less".
    return fixed.recency_days, fixed.orders, int(fixed.money * 10 ** minor_digits(study.currency)) - 1


def _find(study: Study, ask: Ask, planned: Planned) -> tuple[KnownCuts, tuple[Distribution, ...], Estimate]:
    """The first question: cut points, caps for the second one, pictures, and the number of customer records."""
    first = cut_points_statistic(study)
    release = ask(CUT_POINTS, first)
    estimates = first.decode(release.array, release.deviation)
    customers, deviation = total_customers(estimates)
    recency, money, orders = (
        # Orders have ties, which smoothing would blur.
        cumulate(estimate if estimate.grid.fact == "orders" else smoothed(estimate), customers)
        for estimate in estimates
    )
    unit = 10 ** minor_digits(study.currency)
    cuts = find_cuts(study, recency, money, orders)
    rules = SegmentRules(cuts=cuts, thresholds=study.of(CONTRACT).rules, money_unit=unit)
    cells = max(len(rules.segments(scheme)) for scheme in study.of(CONTRACT).report)
    noise = planned(SEGMENTS, _totals(study, rules, orders_cap=1, money_cap=1)).released_deviation
    if study.of(CONTRACT).totals == "shares":
        # The best cap for the number of customers would tell it, to every holder, in the plan. Its class shows anyway.
        money, orders = (_as_if(fact, class_of(customers)) for fact in (money, orders))
    money_cap, above = clipping_cap(money, noise / AMPLITUDES[2], cells)
    orders_cap, _ = clipping_cap(orders, noise / AMPLITUDES[1], cells)
    found = KnownCuts(
        cuts=cuts,
        money_cap=money_cap,
        orders_cap=orders_cap,
        above_cap=Decimal(str(round(above, 6))),
        origin=f"{study.name} {study.as_of}",
    )
    distributions = (
        _distribution("recency_days", recency, cuts, 1),
        _distribution("orders", orders, cuts, 1),
        _distribution("money", money, cuts, unit),
    )
    return found, distributions, Estimate(value=customers, margin=Z95 * deviation)


def _as_if(fact: Cumulative, customers: float) -> Cumulative:
    """The same shares, as far above their noise as they are, of another number of customers."""
    factor = customers / fact.customers
    estimate = fact.estimate
    scaled = replace(
        estimate,
        prefix=estimate.prefix * factor,
        deviation=estimate.deviation * factor,
        total_covariance=estimate.total_covariance * factor**2,
    )
    return replace(fact, estimate=scaled, customers=customers)


def _totals(study: Study, rules: SegmentRules, *, orders_cap: int, money_cap: int) -> SegmentTotals:
    return SegmentTotals(rules=rules, schemes=study.of(CONTRACT).report, orders_cap=orders_cap, money_cap=money_cap)


def find_cuts(study: Study, recency: Cumulative, money: Cumulative, orders: Cumulative) -> CutPoints:
    """All cut points from the three distributions."""
    high = _fixed_high(study) or (
        lower_cut(recency, 0.5, logarithmic=False),
        count_cut(orders, 0.5),
        lower_cut(money, 0.5, logarithmic=True),
    )
    return CutPoints(
        recency_days=_four(lower_cut(recency, rank, logarithmic=False) for rank in QUINTILES),
        orders=_four(count_cut(orders, rank) for rank in QUINTILES),
        money=_four(lower_cut(money, rank, logarithmic=True) for rank in QUINTILES),
        recency_high=high[0],
        orders_high=high[1],
        money_high=high[2],
    )


def _four(values: Iterable[int]) -> tuple[int, int, int, int]:
    a, b, c, d = values
    return (a, b, c, d)


def scheme_figures(estimate: SegmentEstimate, rules: SegmentRules, *, floor: int, unit: int) -> SchemeFigures:
    """A segmentation's figures with their margins; cells under the floor are suppressed."""
    count_margin = Z95 * estimate.customers_deviation
    orders_margin = Z95 * estimate.orders_deviation
    money_margin = Z95 * estimate.money_deviation / unit
    money = estimate.money / unit
    cells = len(money)
    totals = [float(column.sum()) for column in (estimate.customers, estimate.orders, money)]
    rows = []
    for index, segment in enumerate(rules.segments(estimate.scheme)):
        count = float(estimate.customers[index])
        if count < max(floor, 1):
            rows.append(SegmentFigures(code=segment.code, en=segment.en, zh=segment.zh, suppressed=True))
            continue
        ordered, spent = float(estimate.orders[index]), float(money[index])
        rows.append(
            SegmentFigures(
                code=segment.code,
                en=segment.en,
                zh=segment.zh,
                suppressed=False,
                customers=Estimate(value=count, margin=count_margin),
                orders=Estimate(value=ordered, margin=orders_margin),
                revenue=Estimate(value=spent, margin=money_margin),
                share_of_customers=_share(count, totals[0], count_margin, cells),
                share_of_revenue=_share(spent, totals[2], money_margin, cells),
                orders_per_customer=_ratio(ordered, orders_margin, count, count_margin),
                revenue_per_customer=_ratio(spent, money_margin, count, count_margin),
                revenue_per_order=_ratio(spent, money_margin, ordered, orders_margin),
            )
        )
    spread = math.sqrt(cells)
    return SchemeFigures(
        scheme=estimate.scheme,
        segments=tuple(rows),
        total_customers=Estimate(value=totals[0], margin=count_margin * spread),
        total_orders=Estimate(value=totals[1], margin=orders_margin * spread),
        total_revenue=Estimate(value=totals[2], margin=money_margin * spread),
        orders_per_customer=_ratio(totals[1], orders_margin * spread, totals[0], count_margin * spread),
        revenue_per_customer=_ratio(totals[2], money_margin * spread, totals[0], count_margin * spread),
        revenue_per_order=_ratio(totals[2], money_margin * spread, totals[1], orders_margin * spread),
    )


def _ratio(top: float, top_margin: float, bottom: float, bottom_margin: float) -> Estimate | None:
    """A quotient of two noisy totals; first-order propagation. None where the lower total is not clear of zero."""
    if bottom <= bottom_margin:
        return None
    value = top / bottom
    return Estimate(value=value, margin=math.hypot(top_margin, value * bottom_margin) / bottom)


def _share(part: float, total: float, margin: float, cells: int) -> Estimate | None:
    """A cell's share of the total of all cells, whose noise contains the cell's own."""
    if total <= margin * math.sqrt(cells):
        return None
    value = part / total
    spread = math.sqrt(max((1 - value) ** 2 + value**2 * (cells - 1), 0.0))
    return Estimate(value=value, margin=margin * spread / total)


def _distribution(
    feature: Literal["recency_days", "orders", "money"], fact: Cumulative, cuts: CutPoints, unit: int
) -> Distribution:
    """A distribution coarsened for a picture, with its cuts."""
    quintiles = {"recency_days": cuts.recency_days, "orders": cuts.orders, "money": cuts.money}[feature]
    high = {"recency_days": cuts.recency_high, "orders": cuts.orders_high, "money": cuts.money_high}[feature]
    upper = np.array(fact.grid.upper)
    if feature == "recency_days":
        top = upper[min(fact.first_reaching(0.995), len(upper) - 1)]
        ends = np.unique(np.searchsorted(upper, np.linspace(0, top, _DISPLAY_BINS + 1)[1:]))
    elif feature == "orders":
        ends = np.flatnonzero(upper <= _ORDERS_SINGLE)
    else:
        # With next to no customers the noise may leave every share unreached: both ends then are the last bin.
        last = min(fact.first_reaching(0.995), len(upper) - 1)
        first = min(fact.first_reaching(0.005), last)
        ends = np.unique(np.linspace(first, last, _DISPLAY_BINS).round().astype(int))
    share = np.diff(np.concatenate([[0.0], fact.share[ends]]))
    return Distribution(
        feature=feature,
        upper=tuple(float(value) / unit for value in upper[ends]),
        share=tuple(float(max(value, 0.0)) for value in share),
        cuts=_float4([value / unit for value in quintiles]),
        high=high / unit,
        rank_margin=_float4([fact.rank_margin(rank) for rank in QUINTILES]),
    )


def _float4(values: Sequence[float]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return (a, b, c, d)


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected errors if the holders have ``size_class`` customers together.

    ``rank_error`` is the half-width of the 95% interval of a quintile cut's rank, as a share of the records (at the
    median, where it is about largest); it is left out where known cut points are used. ``records_margin`` is that of a
    segment's count, in customer records. Where the study withholds totals, ``share_margin`` stands in its place, that
    of a small segment's share of the records; then all are those of the class of ``size_class``, on the public grid.

    Args:
        study: the study.
        planned: the noise of a question, by its title.
    """
    withheld = study.of(CONTRACT).totals == "shares"
    size = study.budget.size_class
    least = class_of(size) if withheld else size
    found = []
    if not isinstance(study.of(CONTRACT).cut_points, KnownCuts):
        first = cut_points_statistic(study)
        estimate = first.decode(np.zeros(first.dim, dtype=np.int64), planned(CUT_POINTS, first).released_deviation)[0]
        flat = Cumulative(
            grid=estimate.grid, share=np.linspace(0.0, 1.0, estimate.grid.bins), estimate=estimate, customers=least
        )
        error = flat.rank_margin(0.5)
        if withheld:
            _, error = coarsened(0.0, error, finest=FINEST)
        found.append(
            Expectation(
                analysis=NAME,
                code="rank_error",
                value=error,
                text=f"a quintile cut point      off by up to {error:.2%} of the records",
                warning=f"Cut points will be off by up to {error:.1%} of the customers: too coarse for quintiles. "
                "Raise epsilon, or invite more customers."
                if error > 0.05
                else "",
            )
        )
    margin = Z95 * planned(SEGMENTS, segments_probe(study)).released_deviation / AMPLITUDES[0]
    if withheld:
        _, share = coarsened(0.0, margin / least, finest=FINEST)
        return (*found, _share_expectation(share))
    found.append(
        Expectation(
            analysis=NAME,
            code="records_margin",
            value=margin,
            text=f"records in one segment    off by up to {margin:,.0f}",
            warning=f"Segment counts will be off by up to {margin:,.0f} of {size:,} records."
            if margin > size / 20
            else "",
        )
    )
    return tuple(found)


def _share_expectation(margin: float) -> Expectation:
    wide = f" Shares of segments will be off by up to {margin:.1%} of the records." if margin > 0.05 else ""
    return Expectation(
        analysis=NAME,
        code="share_margin",
        value=margin,
        text=f"share of one segment      off by up to {margin:.1%} of the records",
        warning='totals = "shares" keeps totals from holders, reports and readers, but not their order of magnitude: '
        "the margins tell the number of customers within a factor of about 2, and a holder that has nearly all "
        "customers of a segment can read the total off that segment's share. Nothing is hidden from the coordinator's "
        "operator, whose releases/ holds the noisy totals." + wide,
    )


def segments_probe(study: Study) -> SegmentTotals:
    """The second question with placeholders for what is not known yet; its noise and size do not depend on them."""
    four = (1, 2, 3, 4)
    cuts = CutPoints(recency_days=four, orders=four, money=four, recency_high=1, orders_high=1, money_high=1)
    rules = SegmentRules(cuts=cuts, thresholds=study.of(CONTRACT).rules, money_unit=1)
    return _totals(study, rules, orders_cap=1, money_cap=1)
