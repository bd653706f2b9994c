"""A segmentation's sums taken out of its figures again: as they were measured, as they agree, and as they can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.rfm.ranges import Ranges, ranges_of
from privacy.analyses.rfm.results import RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.figures.consistent import Equations
from privacy.figures.estimates import Z95, Estimate

FloatArray = NDArray[np.float64]

#: Coordinates of a segment: customers, orders, money.
SIZE = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Release:
    """One segmentation as it was released, of the segments that are shown; arrays have one row for each of them.

    Attributes:
        figures: the segmentation.
        places: of the segments in it.
        middle, half: orders and money (major units) from which, and in whose units, sums were measured.
        low, high, open: between what one customer lies; ``open``: the cap is the most, and customers may have more.
        values, deviations: customers, and what is beside the middle in half widths; their noise is independent.
        added, most: what the release added to orders and money for what lies above the caps, and allowed for at most.
    """

    figures: SchemeFigures
    places: tuple[int, ...]
    middle: FloatArray
    half: FloatArray
    low: FloatArray
    high: FloatArray
    open: NDArray[np.bool_]
    values: FloatArray
    deviations: FloatArray
    added: FloatArray
    most: FloatArray

    @property
    def hidden(self) -> bool:
        """Whether a segment is suppressed, so that the others are not all."""
        return len(self.places) < len(self.figures.segments)

    @property
    def segments(self) -> list[SegmentFigures]:
        """Those that are shown."""
        return [self.figures.segments[place] for place in self.places]

    @classmethod
    def of(cls, rfm: RfmResult, scheme: SchemeFigures, *, net: bool) -> Release:
        """Taken apart again, by what the question measured."""
        unit = rfm.rules.money_unit
        caps = {"orders_cap": max(rfm.orders_cap, 1), "money_cap": max(round(rfm.money_cap * unit), 1)}
        question = SegmentTotals(rules=rfm.rules, schemes=(scheme.scheme,), form=rfm.form, returns=rfm.returns, **caps)
        measured, one = question.ranges(scheme.scheme), _one_customer(rfm, scheme.scheme, caps, net=net)
        places = tuple(place for place, row in enumerate(scheme.segments) if not row.suppressed)
        here, major = list(places), np.array([1.0, unit])
        middle, half = measured.middle[here] / major, measured.half[here] / major
        rows = [scheme.segments[place] for place in places]
        amplitudes = np.array(question.amplitudes, dtype=np.float64)
        counts = np.array([row.customers.value if row.customers else 0.0 for row in rows])
        units = np.array([row.customers.deviation if row.customers else 0.0 for row in rows])
        deviations = (units[:, None] * (amplitudes[0] / amplitudes)).reshape(-1, SIZE)
        if rfm.form == "capped":  # results of release 0.1, whose margins are those of the sums alone
            own = [[(row.orders or _NONE).deviation, (row.revenue or _NONE).deviation] for row in rows]
            deviations[:, 1:] = np.reshape(own, (-1, 2)) / half
        natural = np.hypot(half * deviations[:, 1:], middle * deviations[:, :1])
        sums, most = _sums(rows, natural)
        beside = np.where(half > 0, (sums - middle * counts[:, None]) / np.where(half > 0, half, 1.0), 0.0)
        whole = [[(row.orders or _NONE).value, (row.revenue or _NONE).value] for row in rows]
        return cls(
            figures=scheme,
            places=places,
            middle=middle,
            half=half,
            low=one.low[here] / major,
            high=one.high[here] / major,
            open=one.open[here],
            values=np.column_stack([counts, beside]) if rows else np.zeros((0, SIZE)),
            deviations=deviations,
            added=np.reshape(whole, (-1, 2)) - sums,
            most=most,
        )

    @property
    def natural(self) -> FloatArray:
        """From coordinates to customers, orders and money, shape ``(segments, 3, 3)``."""
        found = np.zeros((len(self.places), SIZE, SIZE))
        found[:, 0, 0] = 1.0
        found[:, 1:, 0] = self.middle
        found[:, 1, 1], found[:, 2, 2] = self.half.T
        return found

    @property
    def corners(self) -> FloatArray:
        """What one customer adds at the ends of the ranges, in coordinates, shape ``(segments, 4, 3)``."""
        ends = np.stack([self.low, self.high])
        beside = np.where(self.half > 0, (ends - self.middle) / np.where(self.half > 0, self.half, 1.0), 0.0)
        found = np.ones((len(self.places), 4, SIZE))
        for corner in range(4):
            found[:, corner, 1] = beside[corner // 2, :, 0]
            found[:, corner, 2] = beside[corner % 2, :, 1]
        return found


_NONE = Estimate(value=0.0, margin=0.0)


def _one_customer(rfm: RfmResult, scheme: str, caps: dict[str, int], *, net: bool) -> Ranges:
    """Between what a customer lies as it was counted. With one cap for all segments rules hold as well, up to it."""
    if rfm.form == "centred":
        return ranges_of(rfm.rules, scheme, **caps, net=rfm.returns == "net")
    found = ranges_of(rfm.rules, scheme, **caps, net=False)
    most = np.array([caps["orders_cap"], caps["money_cap"]])
    low = np.minimum(found.low, most)
    if net:
        low[:, 1] = np.where(low[:, 1] > 0, low[:, 1], -most[1])
    return Ranges(low=low, high=np.minimum(found.high, most), open=found.open)


def _sums(rows: Sequence[SegmentFigures], deviations: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Orders and money as they were counted, and the most that was allowed for above the caps.

    The lower end of an interval is the counted sum without its margin, whatever was added above; the upper end has the
    most and the margin in quadrature (``server.analyses.rfm.figures``).
    """
    sums, most = np.zeros((len(rows), 2)), np.zeros((len(rows), 2))
    for number, row in enumerate(rows):
        for column, figure in enumerate((row.orders, row.revenue)):
            if figure is None:
                continue
            margin = Z95 * float(deviations[number, column])
            sums[number, column] = figure.value if figure.low is None else figure.low + margin
            most[number, column] = beyond(figure, float(sums[number, column]), margin)
    return sums, most


def beyond(figure: Estimate, counted: float, margin: float) -> float:
    """What an interval allows for above a counted sum's own margin."""
    if figure.high is None:
        return 0.0
    return math.sqrt(max((figure.high - counted) ** 2 - margin**2, 0.0))


def equations(released: Sequence[Release], counted: Estimate | None) -> Equations:
    """All records are those of question 1, and segmentations of the same customers have the same sums."""
    width = sum(item.values.size for item in released)
    sums, offset = [], 0
    for item in released:
        rows = np.zeros((SIZE, width))
        rows[:, offset : offset + item.values.size] = np.hstack(list(item.natural))
        sums.append(rows)
        offset += item.values.size
    differences = [later - first for first, later in pairwise(sums)]
    rows = np.vstack([*differences, np.zeros((0, width))])
    values, deviations = np.zeros(len(rows)), np.zeros(len(rows))
    if counted is not None:
        rows = np.vstack([rows, sums[0][:1]])
        values, deviations = np.append(values, counted.value), np.append(deviations, counted.deviation)
    return Equations(rows=rows, values=values, deviations=deviations)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Customers, orders and money (major units) of a segmentation's segments, shape ``(segments, 3)``, as counted.

    Attributes:
        values: possible ones, which add up.
        released: as they were released.
        centres, margins: unbiased, with 95% half widths.
        total_centres, total_margins: of all segments together, shape ``(3,)``.
    """

    values: FloatArray
    released: FloatArray
    centres: FloatArray
    margins: FloatArray
    total_centres: FloatArray
    total_margins: FloatArray

    @property
    def versions(self) -> FloatArray:
        """As released, unbiased, and possible, shape ``(3, segments, 3)``."""
        return np.stack([self.released, self.centres, self.values])

    @classmethod
    def of(cls, item: Release, projected: FloatArray, unbiased: FloatArray, covariance: FloatArray) -> Sums:
        """From the coordinates of one segmentation: projected, and unbiased with their covariance."""
        natural, count = item.natural, len(item.places)
        block = np.zeros((count * SIZE, count * SIZE))
        for number in range(count):
            here = slice(number * SIZE, (number + 1) * SIZE)
            block[here, here] = natural[number]
        spread = block @ covariance @ block.T
        centres = (block @ unbiased).reshape(count, SIZE)
        summed = np.tile(np.eye(SIZE), count)
        return cls(
            values=np.einsum("sij,sj->si", natural, projected),
            released=np.einsum("sij,sj->si", natural, item.values),
            centres=centres,
            margins=Z95 * np.sqrt(np.maximum(np.diag(spread), 0.0)).reshape(count, SIZE),
            total_centres=centres.sum(axis=0),
            total_margins=Z95 * np.sqrt(np.maximum(np.diag(summed @ spread @ summed.T), 0.0)),
        )
