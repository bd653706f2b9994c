"""A holder's segments and measures against the consortium's, from released figures and its own exact rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clients.analysis.comparison import Compared, compare, own_share
from privacy.analyses.rfm.ranges import ranges_of
from privacy.analyses.rfm.results import Distribution, RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segments import CutPoints
from privacy.figures.consistent import possible
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import quotient, within
from privacy.kernel.customers import CustomerColumns

FloatArray = NDArray[np.float64]

#: What is compared; more is better in each.
MEASURES = ("repurchase", "orders_per_customer", "revenue_per_order", "revenue_per_customer", "top_spenders",
            "recent_five", "recent_four")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SegmentLine:
    """A segment of the holder beside the consortium's.

    Attributes:
        figures: the consortium's.
        customers: the holder's customers in it, exact.
        revenue: their money in major units, exact, without the cap.
        share_of_customers, share_of_revenue: compared; revenue is counted alike on both sides, up to the cap, or where
            totals are withheld complete. Revenue is None where the holder's total is not positive.
    """

    figures: SegmentFigures
    customers: int
    revenue: float
    share_of_customers: Compared
    share_of_revenue: Compared | None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The holder as a whole.

    Attributes:
        customers: own, exact.
        revenue: own money in major units, exact, without the cap.
        share_of_customers: own share of the consortium's records; None where the noise hides the total, or the study
            withholds it.
        share_of_revenue: the same of revenue, counted alike on both sides.
        weight: share of records as a number from 0 to 1, for arithmetic; 0 where it is not known, which gives the
            widest margins.
    """

    customers: int
    revenue: float
    share_of_customers: Estimate | None
    share_of_revenue: Estimate | None
    weight: float


def records(rfm: RfmResult, scheme: SchemeFigures, *, complete: bool) -> Estimate | None:
    """Number of the consortium's records: the sharper estimate, unless a holder left between the questions.

    None where the study withholds totals.
    """
    return rfm.customers if complete else scheme.total_customers


def standing(columns: CustomerColumns, rfm: RfmResult, scheme: SchemeFigures, *, complete: bool) -> Standing:
    """The holder's share of the consortium's records and revenue."""
    unit = rfm.rules.money_unit
    everyone = records(rfm, scheme, complete=complete)
    share = _part(float(len(columns)), everyone)
    counted_revenue = scheme.counted_revenue or scheme.total_revenue  # results of before have one of the two
    return Standing(
        customers=len(columns),
        revenue=float(columns.money.sum()) / unit,
        share_of_customers=share,
        share_of_revenue=_part(float(_counted(columns, rfm, scheme)[1].sum()), counted_revenue),
        weight=min(max(share.value if share else 0.0, 0.0), 1.0),
    )


def measures(
    columns: CustomerColumns, rfm: RfmResult, scheme: SchemeFigures, *, complete: bool, weight: float
) -> dict[str, Compared]:
    """The measures of ``MEASURES``, compared. Orders and money are counted on both sides as in the release."""
    cuts: CutPoints = rfm.rules.cuts
    orders, money = _counted(columns, rfm, scheme)
    all_orders = scheme.counted_orders or scheme.total_orders
    all_revenue = scheme.counted_revenue or scheme.total_revenue
    people = records(rfm, scheme, complete=complete)
    # Totals of one question have the noise of their count in common where they are measured from the middles of ranges;
    # the scheme's own averages know of it.
    independent = people if rfm.form == "capped" or people != scheme.total_customers else None
    facts = {facts.feature: facts for facts in rfm.distributions}  # none where earlier cut points were used
    recency, spend, ordered = (facts.get(feature) for feature in ("recency_days", "money", "orders"))
    own = {
        "repurchase": own_share(columns.orders >= 2),
        "orders_per_customer": _own_mean(orders),
        "revenue_per_order": _own_ratio(money, orders),
        "revenue_per_customer": _own_mean(money),
        "top_spenders": own_share(columns.money > cuts.money[3]),
        "recent_five": own_share(columns.recency_days <= cuts.recency_days[0]),
        "recent_four": own_share(columns.recency_days <= cuts.recency_days[1]),
    }
    everyone = {
        "repurchase": _more_than_one(ordered) if ordered else None,
        "orders_per_customer": _quotient(all_orders, independent, least=1.0, most=max(rfm.orders_cap, 1.0))
        or scheme.orders_per_customer,
        "revenue_per_order": scheme.revenue_per_order
        if rfm.form == "centred"
        else _quotient(all_revenue, all_orders, most=rfm.money_cap) or scheme.revenue_per_order,
        "revenue_per_customer": _quotient(all_revenue, independent, most=rfm.money_cap) or scheme.revenue_per_customer,
        "top_spenders": _above(_at_cut(spend, 3)) if spend else None,
        "recent_five": _at_cut(recency, 0) if recency else None,
        "recent_four": _at_cut(recency, 1) if recency else None,
    }
    return {name: compare(own[name], everyone[name], weight=weight, comparisons=len(MEASURES)) for name in MEASURES}


def segment_lines(
    columns: CustomerColumns, rfm: RfmResult, scheme: SchemeFigures, *, weight: float
) -> tuple[SegmentLine, ...]:
    """Every segment of a scheme, compared."""
    index = rfm.rules.assign(scheme.scheme, columns)
    whole = rfm.form == "centred" and scheme.counted_revenue is None  # withheld: only shares of everything are there
    money = columns.money / rfm.rules.money_unit if whole else _counted(columns, rfm, scheme)[1]
    total = float(money.sum())
    comparisons = 2 * len(scheme.segments)
    lines = []
    for position, figures in enumerate(scheme.segments):
        mine = index == position
        revenue = None
        if total > 0:
            share = float(money[mine].sum()) / total
            chance = Z95 * float(np.sqrt((((mine - share) * money) ** 2).sum())) / total
            own = Estimate(value=share, margin=chance)
            everyone = figures.share_of_counted or figures.share_of_revenue
            revenue = compare(own, everyone, weight=weight, comparisons=comparisons)
        lines.append(
            SegmentLine(
                figures=figures,
                customers=int(mine.sum()),
                revenue=float(columns.money[mine].sum()) / rfm.rules.money_unit,
                share_of_customers=compare(
                    own_share(mine), figures.share_of_customers, weight=weight, comparisons=comparisons
                ),
                share_of_revenue=revenue,
            )
        )
    return tuple(lines)


def measures_as_shown(compared: Mapping[str, Compared], scheme: SchemeFigures) -> dict[str, Compared]:
    """The same with the consortium's figures as the report writes them: averages of a segmentation that is shown."""
    return {name: _written(one, _as_shown(name, one.everyone, scheme)) for name, one in compared.items()}


def lines_as_shown(lines: Sequence[SegmentLine], scheme: SchemeFigures) -> tuple[SegmentLine, ...]:
    """The same of segments."""
    return tuple(
        replace(
            line,
            share_of_customers=_written(line.share_of_customers, row.share_of_customers),
            share_of_revenue=line.share_of_revenue and _written(line.share_of_revenue, row.share_of_revenue),
        )
        for line, row in zip(lines, scheme.segments, strict=True)
    )


def _as_shown(name: str, everyone: Estimate | None, scheme: SchemeFigures) -> Estimate | None:
    if name in ("orders_per_customer", "revenue_per_order", "revenue_per_customer"):
        found: Estimate | None = getattr(scheme, name)
        return found
    return None if everyone is None else possible(everyone, 0.0, 1.0)


def _written(compared: Compared, figure: Estimate | None) -> Compared:
    return compared if compared.everyone is None or figure is None else replace(compared, shown=figure)


def _counted(columns: CustomerColumns, rfm: RfmResult, scheme: SchemeFigures) -> tuple[FloatArray, FloatArray]:
    """Orders, and money in major units, of each customer as the release counts them."""
    if rfm.form == "capped":
        money = np.clip(columns.money / rfm.rules.money_unit, -rfm.money_cap, rfm.money_cap)
        return np.clip(columns.orders, -rfm.orders_cap, rfm.orders_cap).astype(np.float64), money
    cap = round(rfm.money_cap * rfm.rules.money_unit)
    # Value by activity is put together from the eight segments as they were asked.
    asked = "eight" if scheme.scheme == "value_activity" else scheme.scheme
    ranges = ranges_of(rfm.rules, asked, orders_cap=rfm.orders_cap, money_cap=cap, net=rfm.returns == "net")
    facts = ranges.counted(columns, rfm.rules.assign(asked, columns)).astype(np.float64)
    return facts[:, 0], facts[:, 1] / rfm.rules.money_unit


def _own_mean(values: FloatArray) -> Estimate:
    value = float(values.mean())
    if len(values) < 2:
        return Estimate(value=value, margin=abs(value))
    return Estimate(value=value, margin=Z95 * float(values.std(ddof=1)) / math.sqrt(len(values)))


def _own_ratio(top: FloatArray, bottom: FloatArray) -> Estimate:
    """Ratio of two sums over customers, its chance margin linearised; every customer has at least one order."""
    total = float(bottom.sum())
    value = float(top.sum()) / total
    if len(top) < 2:
        return Estimate(value=value, margin=abs(value))
    return Estimate(value=value, margin=Z95 * float(np.sqrt(((top - value * bottom) ** 2).sum())) / total)


def _part(own: float, total: Estimate | None) -> Estimate | None:
    """An exact part of a noisy total; None where the total is withheld or not clear of its noise."""
    found = None if total is None else quotient(own, total.value, (0.0, total.deviation**2))
    return None if found is None else within(found, -math.inf if own < 0 else 0.0, 1.0)


def _quotient(
    top: Estimate | None, bottom: Estimate | None, *, least: float = -math.inf, most: float
) -> Estimate | None:
    """Quotient of two released totals of independent noise; None where one is withheld or the lower not clear of its.

    Args:
        top, bottom: the totals.
        least, most: what the quotient can be.
    """
    if top is None or bottom is None:
        return None
    found = quotient(top.value, bottom.value, (top.deviation**2, bottom.deviation**2))
    return None if found is None else within(found, least, most)


def _more_than_one(orders: Distribution) -> Estimate:
    """Share of records with two or more orders.

    The distribution states margins at its quintile cuts only. The largest of them is taken: one order is the lowest
    bin, whose prefix sum carries the least noise of all.
    """
    return Estimate(value=1 - orders.share[0], margin=max(orders.rank_margin))


def _at_cut(facts: Distribution, position: int) -> Estimate:
    """Share of the consortium's records at or below a quintile cut: meant to be a whole fifth.

    A cut is a whole day, or a point in a bin of money. The margin adds what one day (one bin of 2.7%) may hold to the
    margin of the cut's rank.
    """
    rank = (position + 1) / 5
    return Estimate(value=rank, margin=facts.rank_margin[position] + _step_mass(facts, facts.cuts[position]))


def _above(share: Estimate) -> Estimate:
    return Estimate(value=1 - share.value, margin=share.margin)


#: Width of the bins in which money is counted, as a factor on the amount.
_MONEY_STEP = 1.028


def _step_mass(facts: Distribution, cut: float) -> float:
    """Share of the records in one day, or one bin of money, around a cut, from the bars of the distribution."""
    upper = np.array(facts.upper)
    bar = min(int(np.searchsorted(upper, cut)), len(upper) - 1)
    if bar == 0 and facts.feature == "money":
        return facts.share[0]  # everything up to a small amount: its width on a scale of ratios is not known
    if bar == 0:  # the first bar begins at 0 days, or at 1 order
        width = float(upper[0]) + (1 if facts.feature == "recency_days" else 0)
    elif facts.feature == "money":
        width = math.log(upper[bar] / upper[bar - 1]) / math.log(_MONEY_STEP)
    else:
        width = float(upper[bar] - upper[bar - 1])
    return facts.share[bar] / max(width, 1.0)
