"""RFM: one segmentation for all holders, in two questions.

1. *cut points*: cumulative distributions of recency_days, money and orders; where the reserve pays for a second
   answer, on which side of the cuts found customers are (:mod:`server.analyses.rfm.closer`).
2. *segments*: customers, orders and money by segment, with the cuts of question 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

import numpy as np

from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.cut_sides import CutSides
from privacy.analyses.rfm.options import FixedCuts, KnownCuts, KnownTail
from privacy.analyses.rfm.prefix_sums import PrefixEstimate, PrefixSums
from privacy.analyses.rfm.results import Distribution, RfmResult, TailFigures
from privacy.analyses.rfm.segment_totals import AMPLITUDES
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.public_grid import class_of
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from server.analyses.rfm.closer import closer_question, moved
from server.analyses.rfm.concentration import concentration_of
from server.analyses.rfm.cut_points import (
    QUINTILES,
    Cumulative,
    clipping_cap,
    count_cut,
    cumulate,
    lower_cut,
    smoothed_around_spikes,
    tail_above,
    total_customers,
)
from server.analyses.rfm.figures import Tail, Tails, distribution_of, scheme_figures, value_activity_figures
from server.analyses.rfm.plan import CUT_POINTS, SEGMENTS, cut_points_statistic, segments_probe, segments_statistic
from server.analyses.rfm.shares_only import shares_only
from server.analysis import Ask, Planned
from server.releases import Answer


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
    totals = segments_statistic(study, rules, orders_cap=found.orders_cap, money_cap=found.money_cap)
    release = ask(SEGMENTS, totals)
    estimates = totals.decode(release.array, release.deviation)
    tails = _tails(found)
    floor = study.of(CONTRACT).floor
    schemes = tuple(scheme_figures(estimate, totals, tails, floor=floor) for estimate in estimates)
    eight = next((one for one in estimates if one.scheme == "eight"), None)
    result = RfmResult(
        rules=rules,
        customers=customers or schemes[0].total_customers,
        distributions=distributions,
        schemes=schemes,
        money_cap=found.money_cap / unit,
        orders_cap=found.orders_cap,
        revenue_above_cap=float(found.above_cap),
        form=totals.form,
        returns=totals.returns,
        orders_tail=TailFigures(**tails.orders._asdict()),
        money_tail=TailFigures(**tails.money._asdict()),
        value_activity=None if eight is None else value_activity_figures(eight, totals, tails, floor=floor),
    )
    if study.of(CONTRACT).totals == "full":
        return result
    return shares_only(result, estimates, totals, tails, floor=floor)


def _tails(found: KnownCuts) -> Tails:
    """What lies above the caps; of an earlier release only the estimate for money is known."""
    above = float(found.above_cap)
    estimated = above / (1 - above) if above < 1 else 1.0
    return Tails(
        orders=_tail_of(found.orders_tail, 0.0),
        money=_tail_of(found.money_tail, estimated),
    )


def _tail_of(known: KnownTail | None, likely: float) -> Tail:
    return Tail(likely, likely) if known is None else Tail(float(known.likely), float(known.most))


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
    look = both_looks(study, ask(CUT_POINTS, cut_points_statistic(study)))
    recency, money, orders = look.recency, look.money, look.orders
    customers, deviation = look.customers, look.deviation
    unit = 10 ** minor_digits(study.currency)
    cuts = find_cuts(study, recency, money, orders)
    rules = SegmentRules(cuts=cuts, thresholds=study.of(CONTRACT).rules, money_unit=unit)
    cells = max(len(rules.segments(scheme)) for scheme in study.of(CONTRACT).report)
    noise = planned(SEGMENTS, segments_probe(study)).released_deviation
    if study.of(CONTRACT).totals == "shares":
        # The best cap for the number of customers would tell it, to every holder, in the plan. Its class shows anyway.
        money, orders = (_as_if(fact, class_of(customers)) for fact in (money, orders))
    # Caps are balanced as if sums were measured from zero, by the amplitudes of that form: segments that have ranges of
    # their own need no others (half and twice the cap each help some populations and hurt others).
    money_cap, above = clipping_cap(money, noise / AMPLITUDES[2], cells)
    orders_cap, _ = clipping_cap(orders, noise / AMPLITUDES[1], cells)
    money_tail = _known_tail(money, money_cap, float(study.of(CONTRACT).above_cap))
    found = KnownCuts(
        cuts=cuts,
        money_cap=money_cap,
        orders_cap=orders_cap,
        above_cap=Decimal(str(round(above, 6))),
        origin=f"{study.name} {study.as_of}",
        found=study.as_of,
        orders_tail=_known_tail(orders, orders_cap, _ORDERS_ABOVE),
        money_tail=money_tail,
    )
    distributions = (
        distribution_of("recency_days", recency, cuts, 1),
        distribution_of("orders", orders, cuts, 1),
        distribution_of("money", money, cuts, unit, concentration_of(money, money_cap, money_tail)),
    )
    return found, distributions, Estimate(value=customers, margin=Z95 * deviation)


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What the first answer says, or both do.

    Attributes:
        recency, money, orders: distributions.
        customers, deviation: number of customer records, and its standard deviation.
    """

    recency: Cumulative
    money: Cumulative
    orders: Cumulative
    customers: float
    deviation: float


def first_look(study: Study, answer: Answer) -> Look:
    """Distributions from the first answer to the first question."""
    return _first_look(cut_points_statistic(study), answer.array.tobytes(), answer.deviation)


@lru_cache(maxsize=1)  # the closer question and the analysis look at the same answer, one after the other
def _first_look(question: PrefixSums, values: bytes, deviation: float) -> Look:
    estimates = question.decode(np.frombuffer(values, dtype=np.int64), deviation)
    customers, deviation = total_customers(estimates)
    recency, money, orders = (cumulated(estimate, customers) for estimate in estimates)
    return Look(recency=recency, money=money, orders=orders, customers=customers, deviation=deviation)


def closer(study: Study, answer: Answer) -> CutSides:
    """The closer question to which the first answer leads."""
    look = first_look(study, answer)
    return closer_question(find_cuts(study, look.recency, look.money, look.orders))


def both_looks(study: Study, answer: Answer) -> Look:
    """Distributions from both answers to the first question, or from the first where it stands alone."""
    look = first_look(study, answer)
    if answer.closer is None:
        return look
    days, spend = closer(study, answer).decode(answer.closer.array, answer.closer.deviation)
    return replace(look, recency=moved(look.recency, days), money=moved(look.money, spend))


#: What ``above_cap`` is for money, of orders: 0.2 to 1.1 caps were seen.
_ORDERS_ABOVE = 1.2


def _known_tail(fact: Cumulative, cap: int, excess: float) -> KnownTail:
    return KnownTail.of(*tail_above(fact, cap, excess))


def cumulated(estimate: PrefixEstimate, customers: float) -> Cumulative:
    """A fact's distribution from its prefix sums, as cut points are found on it."""
    if estimate.grid.fact == "orders":  # they have ties, which smoothing would blur
        return cumulate(estimate, customers)
    smooth, found = smoothed_around_spikes(estimate)
    return cumulate(smooth, customers, found)


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
