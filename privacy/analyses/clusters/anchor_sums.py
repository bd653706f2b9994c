"""Customers by nearest anchor: how many, where they are around it, and what else is known of them.

The building block of k-means (Lloyd 1982): with the centres as anchors, counts and mean offsets are what one round
needs. Offsets are clipped around each anchor, so that the noise is as large as a cluster, not as the whole space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import MISSING, UNIT, FeatureName, FeatureTable
from privacy.kernel.linear_view import LinearView
from privacy.kernel.row_arithmetic import FloatArray, clipped
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bounding import UNIT_BALL, bounded
from privacy.statistics.vector import counted_days

_Place = Annotated[int, Field(ge=-64 * UNIT, le=64 * UNIT)]
_Row = Annotated[tuple[_Place, ...], Field(min_length=1, max_length=65)]


def nearest(z: FloatArray, anchors: FloatArray) -> IntArray:
    """Index of every row's nearest anchor, the first of equally near ones; shapes ``(customers, n)``, ``(k, n)``."""
    best = np.full(len(z), np.inf)
    found = np.zeros(len(z), dtype=np.int64)
    for index, anchor in enumerate(anchors):
        distance = np.zeros(len(z))
        for column, place in enumerate(anchor):
            distance += np.square(z[:, column] - place)
        nearer = distance < best
        best = np.where(nearer, distance, best)
        found = np.where(nearer, index, found)
    return found


class CappedFact(Noun):
    """A raw feature that is added up beside the counts, each customer with at most a cap of its anchor.

    A customer of whom it is not known adds 0, so a mean is over all of an anchor's customers; for a feature that can
    be missing it is not the mean of those who have it.

    Attributes:
        name: the feature.
        caps: per anchor, in the feature's raw unit; values are clipped to between minus and plus the cap.
        amplitude: its part of a customer's vector, in thousandths.
    """

    name: FeatureName
    caps: tuple[Annotated[int, Field(ge=1, le=1 << 41)], ...] = Field(min_length=1, max_length=256)
    amplitude: int = Field(ge=1, le=1000)


class AnchorSums(Statistic[FeatureTable]):
    """For every anchor the sums over its customers of (count, facts / cap, clipped offset / radius), each weighted.

    Sensitivity: a customer is at one anchor; its block has a squared norm of at most ``count_amplitude^2 + sum of the
    facts' amplitude^2 + offset_amplitude^2``, and is clipped to that (:mod:`privacy.statistics.bounding`).

    Attributes:
        view: the coordinates in which anchors are near.
        day: which day; customers who are not eligible then add nothing.
        anchors: places, in units of 1 / UNIT.
        radii: per anchor; offsets beyond it are scaled down to it.
        count_amplitude, offset_amplitude: parts of a customer's vector, in thousandths.
        facts: what else is added up.
    """

    reads = FeatureTable
    kind: Literal["anchor_sums"] = "anchor_sums"
    view: LinearView
    day: int = Field(ge=0, le=23)
    anchors: tuple[_Row, ...] = Field(min_length=1, max_length=256)
    radii: tuple[Annotated[int, Field(ge=1, le=64 * UNIT)], ...] = Field(max_length=256)
    count_amplitude: int = Field(ge=1, le=1000)
    offset_amplitude: int = Field(ge=1, le=1000)
    facts: tuple[CappedFact, ...] = Field(default=(), max_length=8)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(len(anchor) != self.view.dim for anchor in self.anchors):
            raise ValueError("an anchor has one place per coordinate of the view")
        if len(self.radii) != len(self.anchors):
            raise ValueError("an anchor has one radius")
        if any(len(fact.caps) != len(self.anchors) for fact in self.facts):
            raise ValueError("a fact has one cap per anchor")
        if len({fact.name for fact in self.facts}) != len(self.facts):
            raise ValueError("a fact is named twice")
        return self

    @property
    def block(self) -> int:
        """Coordinates of one anchor: its count, its facts, its offset."""
        return 1 + len(self.facts) + self.view.dim

    @property
    def dim(self) -> int:
        """One block an anchor."""
        return len(self.anchors) * self.block

    @property
    def norm(self) -> float:
        """Largest norm of a customer's vector, in natural units."""
        parts = (self.count_amplitude, self.offset_amplitude, *(fact.amplitude for fact in self.facts))
        return math.sqrt(sum(part * part for part in parts)) / 1000

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        return UNIT_BALL

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """The view's features and the facts, and the day."""
        names = {feature.name for feature in self.view.features} | {fact.name for fact in self.facts}
        return frozenset(names), self.day + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """A customer's block at its anchor, zeros elsewhere."""
        anchor, block = self._blocks(table)
        rows = np.zeros((len(table), len(self.anchors), self.block), dtype=np.int64)
        rows[np.arange(len(table)), anchor] = block
        return rows.reshape(len(table), self.dim)

    def encode_sum(self, table: FeatureTable) -> IntArray:
        """The same, added up anchor by anchor on integers."""
        total = np.zeros((len(self.anchors), self.block), dtype=np.int64)
        for start in range(0, len(table), self.CHUNK):
            anchor, block = self._blocks(table.take(slice(start, start + self.CHUNK)))
            np.add.at(total, anchor, block)
        return total.reshape(self.dim)

    def _blocks(self, table: FeatureTable) -> tuple[IntArray, IntArray]:
        z = self.view.apply(table, self.day)
        places = np.array(self.anchors, dtype=np.float64) / UNIT
        anchor = nearest(z, places)
        block = np.empty((len(table), self.block), order="F")
        block[:, 0] = self.count_amplitude / 1000
        for position, fact in enumerate(self.facts, start=1):
            raw = table.values[:, self.day, table.names.index(fact.name)]
            cap = np.array(fact.caps, dtype=np.int64)[anchor]
            known = np.where(raw == MISSING, 0, np.clip(raw, -cap, cap))
            block[:, position] = known / cap * (fact.amplitude / 1000)
        away = (z - places[anchor]) / (np.array(self.radii, dtype=np.float64)[anchor] / UNIT)[:, None]
        block[:, 1 + len(self.facts) :] = clipped(away, 1.0) * (self.offset_amplitude / 1000)
        block *= counted_days(table, self.day, outcome=False)[:, None]
        return anchor, bounded(block, self.norm)

    def decode(self, values: IntArray, noise_deviation: float) -> AnchorEstimates:
        """The sums in natural units."""
        unit = self.norm / GAMMA
        part = values.astype(np.float64).reshape(len(self.anchors), self.block) * unit
        noise = noise_deviation * unit
        facts, deviations = [], []
        for position, fact in enumerate(self.facts, start=1):
            scale = np.array(fact.caps, dtype=np.float64) / (fact.amplitude / 1000)
            facts.append(part[:, position] * scale)
            deviations.append(noise * scale)
        return AnchorEstimates(
            counts=part[:, 0] / (self.count_amplitude / 1000),
            counts_deviation=noise / (self.count_amplitude / 1000),
            offsets=part[:, 1 + len(self.facts) :] / (self.offset_amplitude / 1000),
            offsets_deviation=noise / (self.offset_amplitude / 1000),
            facts=tuple(facts),
            facts_deviation=tuple(deviations),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class AnchorEstimates:
    """Released sums by anchor.

    Attributes:
        counts: estimated customers, shape ``(k,)``.
        offsets: sums of clipped offsets, in radii, shape ``(k, coordinates)``.
        facts: per fact the sum in its raw unit, shape ``(k,)``.
        counts_deviation, offsets_deviation: standard deviation of each.
        facts_deviation: per fact that of each, shape ``(k,)``.
    """

    counts: FloatArray
    counts_deviation: float
    offsets: FloatArray
    offsets_deviation: float
    facts: tuple[FloatArray, ...]
    facts_deviation: tuple[FloatArray, ...]
