"""How models' scores separate churned customers from the others: score bins by outcome, for one day."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import FeatureTable
from privacy.models.scorers import Model, logits_of, reads
from privacy.statistics.base import GAMMA, ContributionBound, IntArray, Statistic
from privacy.statistics.bins import ASCENDING, amplitude_of, bin_of, check_parts

_LIMIT = 1 << 56
_Threshold = Annotated[int, Field(ge=-_LIMIT, le=_LIMIT)]


class ScoredModel(Noun):
    """A model, the bins of its logits, and its part of the sensitivity.

    Attributes:
        upper: ascending inclusive upper ends of all bins but the last, in units of 1 / LOGIT.
        permille: share of the squared sensitivity, in thousandths.
    """

    model: Model
    upper: Annotated[tuple[_Threshold, ...], ASCENDING] = Field(min_length=1, max_length=1023)
    permille: int = Field(ge=1, le=1000)

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.upper) + 1

    @property
    def amplitude(self) -> int:
        """What one customer counts, in integer units."""
        return amplitude_of(self.permille)


class ScoreHistogram(Statistic[FeatureTable]):
    """Customers by score bin and outcome, for several models at once. Customers who are not eligible add nothing.

    Sensitivity: per model a customer touches one cell with the model's amplitude, so the squared norm is at most the
    sum of the squared amplitudes.
    """

    reads = FeatureTable
    kind: Literal["score_histogram"] = "score_histogram"
    day: int = Field(ge=0, le=23)
    models: tuple[ScoredModel, ...] = Field(min_length=1, max_length=8)

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        check_parts([(str(place), item.permille) for place, item in enumerate(self.models)], what="model")
        return self

    @property
    def dim(self) -> int:
        """Two cells (bought again, churned) a bin."""
        return 2 * sum(item.bins for item in self.models)

    @property
    def bound(self) -> ContributionBound:
        """See the class."""
        amplitudes = [item.amplitude for item in self.models]
        return ContributionBound(gamma=GAMMA, squared_norm=sum(a * a for a in amplitudes), max_abs=max(amplitudes))

    @property
    def looks_at(self) -> tuple[frozenset[str], int]:
        """All models' features, and the day."""
        return frozenset[str]().union(*(reads(item.model) for item in self.models)), self.day + 1

    def encode_rows(self, table: FeatureTable) -> IntArray:
        """One amplitude per model and eligible customer with a known outcome, zeros elsewhere."""
        rows = np.zeros((len(table), self.dim), dtype=np.int64)
        outcome = table.outcome[:, self.day]
        index = np.flatnonzero((table.eligible[:, self.day] == 1) & (outcome >= 0) & (outcome <= 1))
        offset = 0
        for item in self.models:
            logits = logits_of(item.model, table, self.day)[index]
            cells = bin_of(item.upper, logits)
            rows[index, offset + 2 * cells + outcome[index]] = item.amplitude
            offset += 2 * item.bins
        return rows

    def decode(self, values: IntArray, noise_deviation: float) -> tuple[tuple[np.ndarray, float], ...]:
        """Per model the estimated customers, shape ``(bins, 2)`` (bought again, churned), and their deviation."""
        found = []
        offset = 0
        for item in self.models:
            part = values[offset : offset + 2 * item.bins].astype(np.float64).reshape(item.bins, 2) / item.amplitude
            found.append((part, noise_deviation / item.amplitude))
            offset += 2 * item.bins
        return tuple(found)
