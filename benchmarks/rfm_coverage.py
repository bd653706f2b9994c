"""Which intervals of RFM's figures hold what they should: each segment by itself, totals, averages, and the top fifth.

``python benchmarks/rfm_accuracy.py`` prints it; ``tests/test_accuracy.py`` keeps it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.shown import shown
from privacy.figures.estimates import Estimate
from privacy.kernel.customers import CustomerColumns

FloatArray = NDArray[np.float64]

#: Figures of a segment whose intervals are held against the truth: of everything, and averages of what is counted.
COVERED = ("customers", "orders", "revenue", "share_of_customers", "share_of_revenue")
AVERAGES = ("orders_per_customer", "revenue_per_customer", "revenue_per_order")
#: Figures of all segments, in the order of a run's ``whole``.
WHOLE = ("total_customers", "total_orders", "total_revenue", "records by both questions", "top 20%")


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """Which 95% intervals of one run hold the exact figure at the same cut points.

    Attributes:
        held: for each of ``COVERED``, against what all have, nothing clipped, and of ``AVERAGES``, against what is
            counted, and for each segment, 1 or 0; NaN where the figure is not shown; shape ``(8, segments)``.
        whole: the same for each of ``WHOLE``, shape ``(5,)``.
        width: half the length of each segment's interval of revenue, as a part of its exact revenue, ``(segments,)``.
    """

    held: FloatArray
    whole: FloatArray
    width: FloatArray


def coverage(result: RfmResult, question: SegmentTotals, columns: CustomerColumns) -> Coverage:
    """Compare a result with exact figures at its own cut points, segment by segment: a mean would hide the worst."""
    scheme = result.schemes[0]
    index = question.rules.assign(scheme.scheme, columns)
    facts = (np.ones(len(columns)), columns.orders, columns.money / question.rules.money_unit)
    exact = np.stack([np.bincount(index, fact, minlength=len(scheme.segments)) for fact in facts])
    (counted,) = question.decode(question.encode_sum(columns), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        averages = np.stack(
            [counted.orders / counted.customers, counted.money / counted.customers, counted.money / counted.orders]
        )
    averages[1:] /= question.rules.money_unit
    truth = np.concatenate([exact, exact[[0, 2]] / exact[[0, 2]].sum(axis=1, keepdims=True), averages])
    held = np.array(
        [
            [_holds(getattr(segment, name), value) for segment, value in zip(scheme.segments, row, strict=True)]
            for name, row in zip((*COVERED, *AVERAGES), truth, strict=True)
        ]
    )
    width = np.full(len(scheme.segments), np.nan)
    for number, segment in enumerate(scheme.segments):
        if segment.revenue is not None:
            low, high = segment.revenue.interval
            width[number] = (high - low) / 2 / max(truth[2, number], 1.0)
    return Coverage(held=held, whole=_whole(result, exact.sum(axis=1), columns), width=width)


def _whole(result: RfmResult, exact: FloatArray, columns: CustomerColumns) -> FloatArray:
    scheme = result.schemes[0]
    best = shown(result, net=False, complete=True).customers
    curve = next((one.concentration for one in result.distributions if one.concentration is not None), None)
    figures = (scheme.total_customers, scheme.total_orders, scheme.total_revenue, best, curve and curve.of_top(0.2))
    spent = np.sort(np.maximum(columns.money, 0))[::-1]
    top = float(np.interp(0.2 * len(spent), np.arange(len(spent) + 1), np.concatenate([[0], np.cumsum(spent)])))
    truth = (*exact, exact[0], top / spent.sum())
    return np.array([_holds(figure, value) for figure, value in zip(figures, truth, strict=True)])


def _holds(figure: Estimate | None, truth: float) -> float:
    """1 or 0; NaN where the figure is not shown. Exact figures may differ from themselves in a float's last digit."""
    if figure is None:
        return np.nan
    low, high = figure.interval
    slack = 1e-9 * max(abs(truth), 1.0)
    return float(low - slack <= truth <= high + slack)


def covered_lines(covered: Sequence[Coverage]) -> Iterator[str]:
    """How many of so many runs' intervals hold: a row a figure, a column a segment; and of quotients wherever shown."""
    held = np.array([one.held for one in covered])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a figure that no run shows
        for name, shares in zip((*COVERED, *AVERAGES), np.nanmean(held, axis=0), strict=True):
            yield f"    {name:20} {' '.join('     -' if np.isnan(share) else f'{share:6.1%}' for share in shares)}"
        quotients = held[:, len(COVERED) :]
        many = int(np.isfinite(quotients).sum())
        yield f"    averages wherever they are shown {np.nanmean(quotients):.1%} of {many:,}"
        whole = np.nanmean([one.whole for one in covered], axis=0)
        yield "    " + ", ".join(f"{name} {share:.1%}" for name, share in zip(WHOLE, whole, strict=True))
        width = np.nanmedian([one.width for one in covered], axis=0)
    yield f"    {'half width (revenue)':20} {' '.join(f'{part:6.1%}' for part in width)}"
