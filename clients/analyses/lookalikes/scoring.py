"""Scores: the released model, applied to the holder's own customers as of a day. The model comes from a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clients.analyses.lookalikes.bands import CERTAIN, band_of
from privacy.kernel.features import FeatureTable, IntArray
from privacy.models.scorers import PriorModel, logits_of
from privacy.models.trained import LOGIT
from privacy.statistics import Statistic
from privacy.statistics.score_histogram import ScoreHistogram


def released_model(asked: Sequence[Statistic[Any]]) -> PriorModel | None:
    """The model that a run measured last, by the questions of this analysis; None without one."""
    for statistic in reversed(asked):
        if isinstance(statistic, ScoreHistogram) and isinstance(statistic.models[0].model, PriorModel):
            return statistic.models[0].model
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scores of the customers who count on a day and are not yet of the kind; arrays of shape ``(customers,)``.

    Attributes:
        rows: their rows in the feature table, ascending, int64.
        logits: in units of 1 / LOGIT, int64.
        band: place in ``BANDS``, int64.
        money: spend of the last 365 days, minor units, int64.
    """

    rows: IntArray
    logits: IntArray
    band: IntArray
    money: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return "Scores(<private>)"

    @property
    def probability(self) -> IntArray:
        """Of becoming one within the study's horizon, in units of 1 / CERTAIN."""
        limited = np.clip(self.logits / LOGIT, -40.0, 40.0)
        return np.rint(CERTAIN / (1 + np.exp(-limited))).astype(np.int64)


def score(model: PriorModel, table: FeatureTable, day: int, *, list_share: float) -> Scores:
    """Score every customer who counts on a day of the table.

    Args:
        model: the released model.
        table: the holder's customers, with the study's features.
        day: index of the day.
        list_share: length of the study's list.
    """
    rows = np.flatnonzero(table.eligible[:, day] == 1)
    own = table.take(rows)
    logits = logits_of(model, own, day)
    return Scores(
        rows=rows,
        logits=logits,
        band=band_of(logits, list_share),
        money=own.values[:, day, own.names.index("money_365")],
    )
