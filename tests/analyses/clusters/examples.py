"""Examples of this analysis for the suites that run over all: statistics, and slow code that says what they mean."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import FEATURE_NAMES, FeatureRow
from statistic_kit import (
    LINE_VIEW,
    PLAIN_VIEW,
    SCALED,
    TURNED_VIEW,
    WIDE_VIEW,
    Reading,
    ReadingOf,
    cut,
    slow_scaled,
    slow_view,
)

from privacy.analyses.clusters.anchor_sums import AnchorEstimates, AnchorSums, CappedFact
from privacy.analyses.clusters.feature_prefixes import FeatureDistributions, FeaturePrefixes
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.kernel.features import MISSING, UNIT
from privacy.kernel.linear_view import ENTRY
from privacy.statistics import GAMMA, Statistic
from privacy.statistics.square_root import root_amplitude, root_coefficients


def slow_cell(place: list[float], cells: int) -> int:
    """A place's cell: how many of the borders along each coordinate are not above it, in exact fractions."""
    cell = 0
    for z in place:
        cell = cell * cells + sum(z >= Fraction(2 * border - cells, cells) for border in range(1, cells))
    return cell


def slow_nearest(place: list[float], anchors: Sequence[Sequence[int]]) -> int:
    """Index of the first of the nearest anchors."""
    return min(
        range(len(anchors)),
        key=lambda index: math.fsum((z - a / UNIT) ** 2 for z, a in zip(place, anchors[index], strict=True)),
    )


def _read_grid(statistic: GridCounts, values: NDArray[np.int64], noise: float) -> Reading:
    counts, deviation = statistic.decode(values, noise)
    return Reading(values=counts, deviations=np.full(len(counts), deviation))


def _true_grid(statistic: GridCounts, customers: Sequence[FeatureRow]) -> list[int]:
    cells = [0] * statistic.cells**statistic.view.dim
    for row in customers:
        eligible, _, _ = day = row[statistic.day]
        if eligible == 1:
            cells[slow_cell(slow_view(statistic.view, day), statistic.cells)] += 1
    return cells


def _read_anchors(statistic: AnchorSums, values: NDArray[np.int64], noise: float) -> Reading:
    found: AnchorEstimates = statistic.decode(values, noise)
    k, size = len(statistic.anchors), statistic.view.dim
    assert found.counts.shape == (k,)
    assert found.offsets.shape == (k, size)
    return Reading(
        values=np.concatenate([found.counts, found.offsets.ravel(), *found.facts]),
        deviations=np.concatenate(
            [np.full(k, found.counts_deviation), np.full(k * size, found.offsets_deviation), *found.facts_deviation]
        ),
    )


def _true_anchors(statistic: AnchorSums, customers: Sequence[FeatureRow]) -> list[float]:
    size = statistic.view.dim
    counts: list[float] = [0] * len(statistic.anchors)
    offsets = [[0.0] * size for _ in statistic.anchors]
    facts: list[list[float]] = [[0] * len(statistic.anchors) for _ in statistic.facts]
    for row in customers:
        eligible, _, raw = day = row[statistic.day]
        if eligible != 1:
            continue
        place = slow_view(statistic.view, day)
        at = slow_nearest(place, statistic.anchors)
        counts[at] += 1
        away = [(z * UNIT - a) / statistic.radii[at] for z, a in zip(place, statistic.anchors[at], strict=True)]
        for column, part in enumerate(cut(away, 1.0)):
            offsets[at][column] += part
        for sums, fact in zip(facts, statistic.facts, strict=True):
            value, cap = raw[FEATURE_NAMES.index(fact.name)], fact.caps[at]
            sums[at] += 0 if value == MISSING else max(-cap, min(value, cap))
    return [*counts, *itertools.chain.from_iterable([*offsets, *facts])]


def _anchor_tolerance(statistic: AnchorSums, customers: int) -> NDArray[np.float64]:
    # Less than one unit each, and 2^-40 of the length, in the figures' own units.
    k = len(statistic.anchors)
    unit = (customers * statistic.norm * (1 / GAMMA + 2.0**-38) + 1e-9) * 1000
    facts = [unit * np.array(fact.caps, dtype=np.float64) / fact.amplitude for fact in statistic.facts]
    counts = np.full(k, unit / statistic.count_amplitude)
    return np.concatenate([counts, np.full(k * statistic.view.dim, unit / statistic.offset_amplitude), *facts])


def _read_prefixes(statistic: FeaturePrefixes, values: NDArray[np.int64], noise: float) -> Reading:
    found: FeatureDistributions = statistic.decode(values, noise)
    features, bins = len(statistic.features), statistic.bins + 1
    assert found.prefix.shape == (features, bins)
    shared = found.total_covariance.tolist()
    covariances = [
        (number * bins + j, (number + 1) * bins - 1, shared[j]) for number in range(features) for j in range(bins)
    ]
    return Reading(
        values=found.prefix.ravel(), deviations=np.tile(found.deviation, features), covariances=tuple(covariances)
    )


def _true_prefixes(statistic: FeaturePrefixes, customers: Sequence[FeatureRow]) -> list[int]:
    found = []
    for feature in statistic.features:
        raw = [
            day[2][FEATURE_NAMES.index(feature.name)]
            for day in (row[statistic.day] for row in customers)
            if day[0] == 1
        ]
        places = [Fraction(slow_scaled(feature.scale, value), UNIT) for value in raw if value != MISSING]
        borders = [Fraction(2 * number - statistic.bins, statistic.bins) for number in range(1, statistic.bins)]
        found += [sum(place < border for place in places) for border in borders] + [len(places), len(raw)]
    return found


def _prefix_tolerance(statistic: FeaturePrefixes, customers: int) -> NDArray[np.float64]:
    # Each integer coefficient is at most half a unit off the exact one.
    bins, features = statistic.bins + 1, len(statistic.features)
    one = np.cumsum(root_coefficients(bins)) * customers / root_amplitude(bins, 999 // features) / 2
    return np.tile(one, features) + 1e-6


#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "feature_prefixes": (
        FeaturePrefixes(features=SCALED[3:], day=0, bins=2),
        FeaturePrefixes(features=SCALED, day=1, bins=7),
        FeaturePrefixes(features=SCALED[:3], day=2, bins=64),
        FeaturePrefixes(features=SCALED[1:3], day=0, bins=256),
    ),
    "grid_counts": (
        GridCounts(view=LINE_VIEW, day=0, cells=2),
        GridCounts(view=WIDE_VIEW, day=1, cells=8),
        GridCounts(view=PLAIN_VIEW, day=2, cells=4),
        GridCounts(view=LINE_VIEW.model_copy(update={"matrix": ((ENTRY, -ENTRY),)}), day=0, cells=256),
    ),
    "anchor_sums": (
        AnchorSums(view=LINE_VIEW, day=0, anchors=((0,),), radii=(1,), count_amplitude=1, offset_amplitude=1),
        AnchorSums(
            view=WIDE_VIEW,
            day=1,
            # The first and the second are equally near to all in the plane between them; the last is the first again.
            anchors=((UNIT, 0, 0), (-UNIT, 0, 0), (0, 2 * UNIT, 0), (0, 0, UNIT // 2), (UNIT, 0, 0)),
            radii=(UNIT, UNIT // 3, 5 * UNIT, 1, UNIT),
            count_amplitude=400,
            offset_amplitude=800,
            facts=(
                CappedFact(name="money", caps=(1_000, 50, 2_000_000, 1, 1_000), amplitude=300),
                CappedFact(name="interval_days", caps=(700, 30_000, 1, 5, 700), amplitude=150),
            ),
        ),
        AnchorSums(
            view=TURNED_VIEW, day=2, anchors=((1234, -777), (-4321, 99)), radii=(UNIT // 7, UNIT // 2),
            count_amplitude=1000, offset_amplitude=300,
        ),
        AnchorSums(
            view=LINE_VIEW.model_copy(update={"matrix": ((0, 3 * ENTRY),)}),
            day=2,
            anchors=((-64 * UNIT,), (64 * UNIT,), *((place,) for place in range(-127 * 32, 127 * 32, 32))),
            radii=(64 * UNIT, 1, *(range(1, 255))),
            count_amplitude=1,
            offset_amplitude=1000,
            facts=tuple(
                CappedFact(name=name, caps=(1 << 41, 1) * 128, amplitude=amplitude)
                for name, amplitude in zip(FEATURE_NAMES, (1, 1000, 999, 2), strict=True)
            ),
        ),
    ),
}  # fmt: skip

READINGS: dict[str, ReadingOf] = {
    "feature_prefixes": ReadingOf(read=_read_prefixes, truth=_true_prefixes, tolerance=_prefix_tolerance),
    "grid_counts": ReadingOf(
        read=_read_grid, truth=_true_grid, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6)
    ),
    "anchor_sums": ReadingOf(read=_read_anchors, truth=_true_anchors, tolerance=_anchor_tolerance, reached=0.999999),
}
