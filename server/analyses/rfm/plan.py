"""What RFM asks, by title, with which shares of the budget, and how exact the answers will be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import numpy as np

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.ageing import is_of_season
from privacy.analyses.rfm.options import KnownCuts
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.analyses.rfm.segment_totals import CENTRED_AMPLITUDES, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.figures.estimates import Z95
from privacy.figures.public_grid import FINEST, class_of, coarsened
from privacy.protocol.study import Study
from server.analyses.rfm.closer import closer_question
from server.analyses.rfm.cut_points import QUINTILES, Cumulative
from server.analysis import Planned
from server.analysis.expectation import Expectation
from server.releases import again, combined_deviation

NAME = "rfm"
CUT_POINTS = "cut points"
SEGMENTS = "segments"

#: Bins: days one by one for two years; money 2.7% wide over six powers of ten; orders one by one up to 24.
_SINGLE_DAYS = 730
_RECENCY_BINS = 797
_MONEY_BINS = 512
ORDERS_SINGLE = 24
_ORDERS_BINS = 64

#: Shares of the squared sensitivity, in thousandths. Orders have few distinct values and need less; on money rest its
#: cap and what lies above it, too.
_PERMILLE = {"recency_days": 400, "money": 430, "orders": 170}


#: Cut points where any do: the noise and size of later questions do not depend on them.
_SOME_CUTS = CutPoints(
    recency_days=(1, 2, 3, 4),
    orders=(1, 2, 3, 4),
    money=(1, 2, 3, 4),
    recency_high=1,
    orders_high=1,
    money_high=1,
)


def weights(study: Study) -> dict[str, Fraction]:
    """Title of each question to its share of the budget."""
    if isinstance(study.of(CONTRACT).cut_points, KnownCuts):
        return {SEGMENTS: Fraction(1)}
    cut_points, segments, _ = _shares(study)
    return {CUT_POINTS: cut_points, SEGMENTS: segments}


def second_weights(study: Study) -> dict[str, Fraction]:
    """What is kept for the closer look at the cut points, beside what the reserve pays of it."""
    if isinstance(study.of(CONTRACT).cut_points, KnownCuts):
        return {}
    *_, closer = _shares(study)
    return {CUT_POINTS: closer} if closer else {}


def _shares(study: Study) -> tuple[Fraction, Fraction, Fraction]:
    """Of the first look, the segments and the closer look; they add up to 1.

    So that cut points have ``cut_points_share`` of all that is spent where a study asks nothing else, keeps one spare
    attempt, and nothing fails: half of it for the first look, which says where to look and stands alone where the
    closer one fails, and half for that one, which also gets what the reserve has beyond repeating the segments; and
    these are answered twice (``docs/decisions/0044``). Where nothing is asked again, the two questions have the share
    and the rest.
    """
    share = Fraction(study.of(CONTRACT).cut_points_share)
    if study.budget.reserve == "kept" or not study.budget.spare_attempts:
        return share, 1 - share, Fraction(0)
    first, segments = share / 2, (1 - share) / 2
    closer = min(first, segments)
    whole = first + segments + closer
    return first / whole, segments / whole, closer / whole


def cut_points_statistic(study: Study) -> PrefixSums:
    """The first question; it depends on the study alone.

    In a window of days nobody's last purchase is older than it, and fewer bins have less noise.
    """
    low, high = study.money_bounds
    days, window_days = study.bounds.recency_max_days, study.of(CONTRACT).window_days
    days = days if window_days is None else min(days, window_days)
    return PrefixSums(
        grids=(
            FactGrid(
                fact="recency_days",
                upper=_stepped(0, _SINGLE_DAYS, days, _RECENCY_BINS - 1),
                permille=_PERMILLE["recency_days"],
            ),
            FactGrid(
                fact="money",
                upper=tuple(sorted({round(x) for x in np.geomspace(low, high, _MONEY_BINS - 1)})),
                permille=_PERMILLE["money"],
            ),
            FactGrid(
                fact="orders",
                upper=_stepped(1, ORDERS_SINGLE, study.bounds.orders_max, _ORDERS_BINS - 1),
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


def segments_statistic(study: Study, rules: SegmentRules, *, orders_cap: int, money_cap: int) -> SegmentTotals:
    """The second question; it depends on what the first one found."""
    return SegmentTotals(
        rules=rules,
        schemes=study.of(CONTRACT).report,
        orders_cap=orders_cap,
        money_cap=money_cap,
        form="centred",
        returns=study.cleaning.returns,
    )


def forecast(study: Study, planned: Planned) -> tuple[Expectation, ...]:
    """Expected errors if the holders have ``size_class`` customers together.

    ``rank_error`` is the half-width of the 95% interval of the quintile cut's rank of which the noise is largest, as a
    share of the records; it is left out where known cut points are used. ``records_margin`` is that of a
    segment's count, in customer records. Where the study withholds totals, ``share_margin`` stands in its place, that
    of a small segment's share of the records; then all are those of the class of ``size_class``, on the public grid.

    Args:
        study: the study.
        planned: the noise of a question, by its title.
    """
    withheld = study.of(CONTRACT).totals == "shares"
    margin = Z95 * planned(SEGMENTS, segments_probe(study)).released_deviation / CENTRED_AMPLITUDES[0]
    size = study.budget.size_class
    least = class_of(size) if withheld else size
    found, finer = list(_age(study)), ""
    if not isinstance(study.of(CONTRACT).cut_points, KnownCuts):
        error = Z95 * _cut_deviation(study, planned, least)
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
        finer = _with_less(study, error, margin)
    if withheld:
        _, share = coarsened(0.0, margin / least, finest=FINEST)
        return (*found, _share_expectation(share))
    found.append(
        Expectation(
            analysis=NAME,
            code="records_margin",
            value=margin,
            text=f"records in one segment    off by up to {margin:,.0f}{finer}",
            warning=f"Segment counts will be off by up to {margin:,.0f} of {size:,} records."
            if margin > size / 20
            else "",
        )
    )
    return tuple(found)


#: Cut points whose rank is known so well leave at most a thousandth more wrong scores than exact ones would (measured
#: from 5,881 customers at epsilon 2 on; ``docs/decisions/0044``). With this share they then are good enough.
_WELL, _LESS = 0.0025, Decimal("0.5")


def _with_less(study: Study, error: float, margin: float) -> str:
    """What a smaller share for the cut points makes of a segment's count, where size class and epsilon allow it."""
    share = study.of(CONTRACT).cut_points_share
    then = error * math.sqrt(share / _LESS)
    if share <= _LESS or then > _WELL:
        return ""
    less = margin * math.sqrt((1 - share) / (1 - _LESS))
    return f" ({less:,.0f} at cut_points_share = {_LESS}, cut points by {then:.2%})"


def _cut_deviation(study: Study, planned: Planned, customers: float) -> float:
    """Largest standard deviation of a quintile cut's rank of recency, as a share of so many customers."""
    first = cut_points_statistic(study)
    estimate, *_ = first.decode(np.zeros(first.dim, dtype=np.int64), planned(CUT_POINTS, first).released_deviation)
    flat = Cumulative(
        grid=estimate.grid, share=np.linspace(0.0, 1.0, estimate.grid.bins), estimate=estimate, customers=customers
    )
    alone = [math.sqrt(flat.rank_variance(rank)) for rank in QUINTILES]
    question = closer_question(_SOME_CUTS)
    noise = planned(again(CUT_POINTS), question).released_deviation
    if math.isinf(noise):
        return max(alone)
    days, *_ = question.decode(np.zeros(question.dim, dtype=np.int64), noise)
    closer = np.sqrt(np.diag(days.covariance)) / customers
    return max(combined_deviation(one, other) for one, other in zip(alone, closer, strict=True))


def _age(study: Study) -> Iterator[Expectation]:
    """How old kept cut points are, and what that costs: ``cut_age`` is in days."""
    known = study.of(CONTRACT).cut_points
    if not isinstance(known, KnownCuts) or known.found is None:
        return
    lifelong = "" if study.of(CONTRACT).window_days else " Spend of a whole life grows: state window_days."
    warning = (
        f"Cut points of {known.found} are not of the same month a year before, and recency moves with the season: kept "
        f"for months, they put a third to a half of a shop's customers into a wrong R score.{lifelong} New ones "
        f'(cut_points = "new") take {study.of(CONTRACT).cut_points_share:.0%} of this budget.'
    )
    yield Expectation(
        analysis=NAME,
        code="cut_age",
        value=float((study.as_of - known.found).days),
        text=f"cut points kept           of {known.found}",
        warning="" if is_of_season(known.found, study.as_of) else warning,
    )


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
    rules = SegmentRules(cuts=_SOME_CUTS, thresholds=study.of(CONTRACT).rules, money_unit=1)
    return segments_statistic(study, rules, orders_cap=1, money_cap=1)
