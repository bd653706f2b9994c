"""Segments as they are shown: nothing that cannot be, parts that add up, and intervals that still cover.

Made from a result alone, by what its rules and caps say of one customer: a customer of a segment has one record, at
least and at most so many orders and so much money (:class:`privacy.analyses.rfm.ranges.Ranges`). So a segment's sums
are sums of the four corners (1, orders, money) with weights of 0 or more. Values are the possible ones nearest to the
release; intervals come from the unprojected release, cut at what is possible (``docs/decisions/0032``).

Results, trends, verdicts and comparisons keep the unbiased release: never test a figure that is made here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.results import RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segments import VALUE_ACTIVITY
from privacy.analyses.rfm.shown_sums import SIZE, Release, Sums, beyond, equations
from privacy.figures.consistent import agreed, inside, nearest, possible
from privacy.figures.estimates import Z95, Estimate
from privacy.presentation.numbers import raised

FloatArray = NDArray[np.float64]

#: What is possible is taken over so many deviations of a segment's count: 0.3% of all cases lie beyond.
_SURE = 3.0


def shown(rfm: RfmResult, *, net: bool, complete: bool) -> RfmResult:
    """The same with figures that can be.

    Args:
        rfm: what was released; with totals, or without.
        net: money is net of returns, so that a customer may have less than none.
        complete: the same holders answered both questions, so that their counts are of the same customers.
    """
    if rfm.customers is None or any(not _measured(scheme) for scheme in rfm.segmentations):
        return inside(rfm, _bounds(net=net))
    released = [Release.of(rfm, scheme, net=net) for scheme in rfm.schemes]
    counted = rfm.customers if complete and rfm.distributions and rfm.customers.margin > 0 else None
    together = [item for item in released if not item.hidden]
    made = {id(item): figures for item, figures in _made(together, counted)}
    records = made[id(together[0])].total_customers if together else None
    for item in released:
        if item.hidden:
            records = records or _both(counted, item.figures.total_customers)
            made |= {id(item): figures for item, figures in _made([item], None, records if counted else None)}
    # Of both questions, of the second alone, or, where a holder left between them, of the first.
    one = counted is not None or not rfm.distributions
    customers = (made[id(released[0])].total_customers if one and released else None) or rfm.customers
    return rfm.model_copy(
        update={
            "customers": possible(customers, 0.0, math.inf),
            "schemes": tuple(made[id(item)] for item in released),
            "value_activity": _put_together(rfm, [made[id(item)] for item in released], _bounds(net=net)),
        }
    )


def _put_together(
    rfm: RfmResult, schemes: Sequence[SchemeFigures], bounds: Mapping[str, tuple[float, float]]
) -> SchemeFigures | None:
    """Value by activity beside the eight as they are shown: the same totals, and sums of the same rows.

    Intervals are those of the release, stretched to the value. Where the eight have rows that are hidden, the release's
    own values are cut at what is possible.
    """
    if rfm.value_activity is None:
        return None
    eight = next(scheme for scheme in schemes if scheme.scheme == "eight")
    found = inside(rfm.value_activity, bounds)
    complete = not any(row.suppressed for row in eight.segments)  # else its own rows add up to its own totals
    names = ("total_customers", "total_orders", "total_revenue") if complete else ()
    totals = {name: getattr(eight, name) for name in names}
    rows = zip(found.segments, VALUE_ACTIVITY, strict=True)
    segments = tuple(row if row.suppressed else _sum_of(row, eight, members) for row, (_, members) in rows)
    return found.model_copy(update={"segments": segments, **totals})


def _sum_of(row: SegmentFigures, eight: SchemeFigures, members: Sequence[int]) -> SegmentFigures:
    figures: dict[str, Estimate | None] = {}
    hidden = any(eight.segments[place].suppressed for place in members)
    for name in ("customers", "orders", "revenue", "share_of_customers", "share_of_revenue"):
        figure: Estimate | None = getattr(row, name)
        parts = [part.value for place in members if (part := getattr(eight.segments[place], name)) is not None]
        whole = figure is not None and not hidden and len(parts) == len(members)
        figures[name] = figure.moved(sum(parts)) if figure is not None and whole else figure
    customers, orders = figures["customers"], figures["orders"]
    if customers is not None and orders is not None:  # an order each, at least; and as they are written, too
        figures["orders"] = raised(orders.moved(max(orders.value, customers.value)), customers, decimals=0)
    return row.model_copy(update=figures)


def _both(first: Estimate | None, second: Estimate | None) -> Estimate | None:
    """Two independent counts of the same records in one, each by the inverse of its variance."""
    if first is None or second is None:
        return None
    weights = np.array([1 / figure.margin**2 for figure in (first, second)])
    value = float(weights @ [first.value, second.value] / weights.sum())
    return Estimate(value=value, margin=1 / math.sqrt(weights.sum()))


def _bounds(*, net: bool) -> dict[str, tuple[float, float]]:
    """What each figure can be, whatever the others are: where totals are withheld there is nothing to project."""
    whole, share = (0.0, math.inf), (0.0, 1.0)
    money = (-math.inf, math.inf) if net else whole
    return {
        **dict.fromkeys(("customers", "orders", "total_customers", "total_orders"), whole),
        **dict.fromkeys(("revenue", "total_revenue", "revenue_per_customer", "revenue_per_order"), money),
        "share_of_customers": share,
        "share_of_revenue": money if net else share,
        "orders_per_customer": (1.0, math.inf),
    }


def _measured(scheme: SchemeFigures) -> bool:
    """Whether the noise of its totals is known: withheld totals have none, and without noise all is possible."""
    rows = [row for row in scheme.segments if not row.suppressed]
    return scheme.total_customers is not None and all(row.customers and row.customers.margin > 0 for row in rows)


def _made(
    released: Sequence[Release], counted: Estimate | None, records: Estimate | None = None
) -> list[tuple[Release, SchemeFigures]]:
    """Each with its figures as they are shown; those together that are of the same customers.

    Args:
        released: segmentations of which all have all their segments, or one that has not.
        counted: the records by question 1, where these are all.
        records: of all segments, where not all of them are shown; None for what was released.
    """
    shown_ones = [item for item in released if len(item.places)]
    if not shown_ones:
        return [(item, _without_segments(item, records)) for item in released]
    known = equations(shown_ones, counted)
    values, deviations = (np.vstack([getattr(item, name) for item in shown_ones]) for name in ("values", "deviations"))
    corners = np.vstack([item.corners for item in shown_ones])
    unbiased, covariance = agreed(values.reshape(-1), deviations.reshape(-1), known)
    projected = nearest(values, deviations, corners, known)
    made, offset = [], 0
    for item in shown_ones:
        here = slice(offset * SIZE, (offset + len(item.places)) * SIZE)
        sums = Sums.of(item, projected[offset : offset + len(item.places)], unbiased[here], covariance[here, here])
        made.append((item, _figures(item, sums, records)))
        offset += len(item.places)
    return [*made, *((item, _without_segments(item, records)) for item in released if not len(item.places))]


def _without_segments(item: Release, records: Estimate | None) -> SchemeFigures:
    names = ("total_customers", "total_orders", "total_revenue")
    totals = {name: getattr(item.figures, name) for name in names}
    totals["total_customers"] = records or totals["total_customers"]
    return item.figures.model_copy(
        update={name: None if total is None else possible(total, 0.0, math.inf) for name, total in totals.items()}
    )


def _figures(item: Release, sums: Sums, records: Estimate | None) -> SchemeFigures:
    """The segmentation from its sums."""
    least, most = _feasible(item, sums)
    totals = _totals(item, sums, float(least[:, 2].sum()), records)
    rows = list(item.figures.segments)
    none = np.zeros((len(item.places), 1))
    added, above = np.hstack([none, item.added]), np.hstack([none, item.most])
    for number, place in enumerate(item.places):
        figures = [
            _interval(
                float(sums.values[number, fact] + added[number, fact]),
                (float(sums.centres[number, fact]), float(sums.margins[number, fact])),
                float(above[number, fact]),
                (float(least[number, fact]), float(most[number, fact])),
            )
            for fact in range(SIZE)
        ]
        figures[1] = raised(figures[1], figures[0], decimals=0)
        rows[place] = rows[place].model_copy(
            update={
                **dict(zip(("customers", "orders", "revenue"), figures, strict=True)),
                **_averages(rows[place], sums.versions[:, number], (item.low[number], item.high[number])),
                **_shares(item, sums, number, totals),
            }
        )
    whole = item.figures
    if not item.hidden:
        ends = (item.low.min(axis=0), item.high.max(axis=0))
        totals |= _averages(whole, sums.versions.sum(axis=1), ends)
    return whole.model_copy(update={"segments": tuple(rows), **totals})


def _averages(
    released: SegmentFigures | SchemeFigures, versions: FloatArray, ends: tuple[FloatArray, FloatArray]
) -> dict[str, Estimate | None]:
    """Averages over customers and orders; ``ends``: least and most orders and money of one customer."""
    (few, poor), (often, rich) = ((float(end[0]), float(end[1])) for end in ends)
    count, orders, money = versions.T
    return {
        "orders_per_customer": _around(released.orders_per_customer, orders, count, (few, often)),
        "revenue_per_customer": _around(released.revenue_per_customer, money, count, (poor, rich)),
        "revenue_per_order": _around(released.revenue_per_order, money, orders, (min(poor, 0.0), rich)),
    }


def _shares(item: Release, sums: Sums, number: int, totals: dict[str, Estimate | None]) -> dict[str, Estimate | None]:
    """A segment's parts of all customers and of all revenue, what lies above the caps included."""
    added = np.array([0.0, *item.added.sum(axis=0)])
    wholes = sums.versions.sum(axis=1) + added
    parts = sums.versions[:, number] + np.array([0.0, *item.added[number]])
    found: dict[str, Estimate | None] = {}
    row = item.segments[number]
    for fact, name, total in ((0, "share_of_customers", "total_customers"), (2, "share_of_revenue", "total_revenue")):
        released, shown_total = getattr(item.figures, total), totals[total]
        whole = wholes[:, fact]
        if item.hidden and released is not None and shown_total is not None:
            # The total that is shown is the unbiased one, but where parts of it that are shown are more.
            whole = np.array([released.value, shown_total.value, shown_total.value])
        between = (0.0, 1.0) if fact == 0 or (item.low[:, 1] >= 0).all() else (-math.inf, math.inf)
        found[name] = _around(getattr(row, name), parts[:, fact], whole, between)
    return found


def _feasible(item: Release, sums: Sums) -> tuple[FloatArray, FloatArray]:
    """Least and most of each segment's customers, orders and money, over three deviations of its count."""
    count, sure = np.maximum(sums.centres[:, :1], 0.0), _SURE / Z95 * sums.margins[:, :1]
    few, many = np.maximum(count - sure, 0.0), count + sure
    least = np.where(item.low >= 0, item.low * few, item.low * many)
    most = np.where(item.open, np.inf, np.where(item.high >= 0, item.high * many, item.high * few))
    none, all_ = np.zeros((len(few), 1)), np.full((len(few), 1), np.inf)
    return np.hstack([none, least]), np.hstack([all_, most])


def _interval(value: float, centre: tuple[float, float], above: float, between: tuple[float, float]) -> Estimate:
    """A value that is shown, with the interval of the unbiased figure, cut at what is possible.

    Args:
        value: possible; the interval is stretched to it where it lies outside.
        centre: the unbiased figure as it was counted, and its margin.
        above: what is allowed for above the cap.
        between: least and most that it can be.
    """
    counted, margin = centre
    upper = counted + math.hypot(margin, above)
    around = Estimate(value=counted, margin=max(margin, upper - counted), low=counted - margin, high=upper)
    return possible(around, *between).moved(value)


def _totals(item: Release, sums: Sums, least_revenue: float, records: Estimate | None) -> dict[str, Estimate | None]:
    """Of all segments: sums of what is shown where all are, else what was released, not below what is shown.

    ``records``: all records, where that is known better than from this release.
    """
    found: dict[str, Estimate | None] = {}
    scheme = item.figures
    counted = (None, scheme.counted_orders or scheme.total_orders, scheme.counted_revenue or scheme.total_revenue)
    for fact, name in enumerate(("total_customers", "total_orders", "total_revenue")):
        total, part = getattr(scheme, name), float(sums.values[:, fact].sum())
        added = 0.0 if fact == 0 else float(item.added[:, fact - 1].sum())
        least = min(least_revenue, 0.0) if fact == 2 else 0.0
        if item.hidden:
            # What is shown may be more than all by the noise, which says nothing of where the interval ends.
            total = records or total if fact == 0 else total
            found[name] = None if total is None else _at_least(total, part + added if least == 0 else -math.inf)
            continue
        whole = counted[fact]
        above = 0.0 if whole is None or total is None else beyond(total, whole.value, whole.margin)
        centre = (float(sums.total_centres[fact]), float(sums.total_margins[fact]))
        found[name] = _interval(part + added, centre, above, (least if fact == 2 else 0.0, math.inf))
    orders, customers = found["total_orders"], found["total_customers"]
    if orders is not None and customers is not None:
        found["total_orders"] = raised(orders, customers, decimals=0)
    return found


def _at_least(total: Estimate, parts: float) -> Estimate:
    """A released total that is written as no less than parts of it; its interval is stretched, and not cut."""
    found = possible(total, 0.0, math.inf) if parts >= 0 else total
    return found.moved(max(found.value, parts))


def _around(
    released: Estimate | None, above: FloatArray, below: FloatArray, between: tuple[float, float]
) -> Estimate | None:
    """A quotient of figures that are shown, in the interval that was released, moved to where they agree.

    What agrees errs less than what was released, so that an interval as long covers at least as often.

    Args:
        released: the quotient with its interval.
        above, below: both sums, as released, unbiased, and possible.
        between: least and most that it can be; an interval of all this says nothing, and there is no figure then.
    """
    if released is None or below.min() <= 0:
        return None
    raw, centre, value = (above / below).tolist()
    least, most = between
    value = min(max(value, least), most)
    low, high = (
        end if (end <= least or end >= most) else min(max(end + centre - raw, least), most) for end in released.interval
    )
    low, high = min(max(low, least), value), max(min(high, most), value)
    if low <= least < most <= high:
        return None
    return Estimate.between(low, value, high)
