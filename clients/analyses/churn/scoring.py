"""Scores: the released model, applied to the holder's own customers as of a day. The model comes from a plan.

The plan is what all holders saw and answered; the coordinator's result is a text that one of them was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.analyses.churn.bands import CERTAIN
from clients.analyses.churn.facts import Facts, IntArray, lacking
from clients.analyses.churn.intervals import Timing, fit_intervals, timing
from clients.analyses.churn.reasons import REASONS, Reasons, contributions, main_reasons
from privacy.analyses.churn.results import ChurnResult, Recalibration
from privacy.errors import DataError
from privacy.kernel.features import FeatureTable
from privacy.models.scorers import ChurnModel, PriorModel, reads
from privacy.models.trained import LOGIT, WEIGHT
from privacy.results import StudyResult
from privacy.statistics import Statistic
from privacy.statistics.score_histogram import ScoreHistogram

DECILES = 10
#: Customers whose features are in memory as 64-bit integers at one time.
_BLOCK = 65_536


def released_model(answered: Sequence[Statistic[Any]]) -> ChurnModel | None:
    """The model that a run measured last: in the plan of its last question of scores by outcome; None without one."""
    for statistic in reversed(answered):
        if isinstance(statistic, ScoreHistogram):
            models = [item.model for item in statistic.models if isinstance(item.model, ChurnModel)]
            if models:
                return models[0]
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scores of the customers who count on a day; arrays of shape ``(customers,)``.

    Attributes:
        rows: their rows in the feature table, ascending, int64.
        probability: of churn within the study's horizon, in units of 1 / CERTAIN, int64.
        decile: 1 for the tenth with the highest scores, to 10; of equal scores the earlier row comes first. int8.
        money: spend of the last 365 days in minor units, int64.
        reasons: what the scores are made of.
        timing: when to act, and when the next purchase is due.
    """

    rows: IntArray
    probability: IntArray
    decile: NDArray[np.int8]
    money: IntArray
    reasons: Reasons
    timing: Timing

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return "Scores(<private>)"

    @property
    def at_risk(self) -> IntArray:
        """Value at risk: probability times last year's spend (0 where that is negative), minor units, half up."""
        whole, rest = np.divmod(np.maximum(self.money, 0), CERTAIN)  # a product of the whole could pass 64 bits
        return whole * self.probability + (rest * self.probability + CERTAIN // 2) // CERTAIN


def stated_correction(stated: str | None, model: ChurnModel) -> Recalibration | None:
    """How a run's test says that the probabilities of this model have to be corrected; None where it says nothing.

    It is of the coordinator's result, which is a text that the holder was sent: it can move all log odds within bounds
    (:class:`privacy.analyses.churn.results.Recalibration`), and no customer past another.

    Args:
        stated: the result's text.
        model: the one that was released; of another one nothing is taken.
    """
    try:
        churn = StudyResult.model_validate_json(stated or "").of(ChurnResult)
    except ValueError:
        return None
    return churn.recalibration if churn is not None and churn.model == model else None


def score(
    model: ChurnModel,
    table: FeatureTable,
    day: int,
    *,
    horizon_days: int,
    correction: Recalibration | None = None,
) -> Scores:
    """Score every customer who counts on a day of the table.

    Args:
        model: the released model.
        table: features and facts (``facts.with_facts``).
        day: index of the day.
        horizon_days: of the study.
        correction: of the probabilities; deciles and reasons are those of the model.

    Raises:
        DataError: if the table lacks a feature of the model.
    """
    missing = lacking(table, sorted(reads(model)))
    if missing:
        raise DataError(
            f"the model needs {missing[0]}, which the study did not ask for",
            hint="keep the folder of the run as it is, and show it to an auditor",
        )
    facts = Facts.of(table, day)
    logits, reasons = _apply(model, table, day, facts.rows)
    return Scores(
        rows=facts.rows,
        probability=probabilities(logits, correction),
        decile=_deciles(logits),
        money=facts.money,
        reasons=reasons,
        timing=timing(fit_intervals(facts), facts, horizon_days=horizon_days),
    )


def probabilities(logits: IntArray, correction: Recalibration | None = None) -> IntArray:
    """The logistic function of logits in units of 1 / LOGIT, corrected, in units of 1 / CERTAIN."""
    shift = 0.0 if correction is None else correction.shift
    limited = np.clip(logits / LOGIT + shift, -40.0, 40.0)
    return np.rint(CERTAIN / (1 + np.exp(-limited))).astype(np.int64)


def _deciles(logits: IntArray) -> NDArray[np.int8]:
    decile = np.empty(len(logits), dtype=np.int8)
    order = np.argsort(-logits, kind="stable")
    decile[order] = 1 + np.arange(len(logits)) * DECILES // max(len(logits), 1)
    return decile


def _apply(model: ChurnModel, table: FeatureTable, day: int, rows: IntArray) -> tuple[IntArray, Reasons]:
    """Logits and reasons of the customers at ``rows``, a block at a time."""
    columns = [table.names.index(feature.name) for feature in model.features]
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    scaled = np.empty((len(rows), len(columns)), dtype=np.int16)  # between -UNIT and UNIT
    history = np.zeros(len(rows), dtype=np.int64)  # logits of the formula
    logits = np.empty(len(rows), dtype=np.int64)
    parts = {name: np.empty((len(rows), REASONS), dtype=np.int8) for name in ("feature", "level", "raises")}
    done = 0
    for block in blocks:
        now = slice(done, done := done + len(block))
        own = table.take(block)
        part = own.scaled(model.features, day)
        scaled[now] = part
        if isinstance(model, PriorModel):
            history[now] = model.prior.of(own, day)
            logits[now] = history[now] + model.correction(part)
        else:
            logits[now] = model.logits(part)
    average = np.rint(_mean(scaled)).astype(np.int64)
    usual = np.rint(_mean(history[:, None])).astype(np.int64)
    done = 0
    for block in blocks:
        now = slice(done, done := done + len(block))
        part, raw = scaled[now].astype(np.int64), table.values[block, day][:, columns]
        moved, levels = contributions(model, part, average), average
        if isinstance(model, PriorModel):  # one more part, as if it were a feature
            told = history[now][:, None]
            moved = np.concatenate([moved, told - usual], axis=1)
            part = np.concatenate([part, told // WEIGHT], axis=1)
            raw = np.concatenate([raw, told], axis=1)
            levels = np.concatenate([average, usual // WEIGHT])
        found = main_reasons(moved, part, levels, raw)
        for name, array in parts.items():
            array[now] = getattr(found, name)
    return logits, Reasons(**parts)


def _mean(columns: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Of each column; 0 where there is nobody."""
    if not len(columns):
        return np.zeros(columns.shape[1])
    return np.asarray(columns.mean(axis=0, dtype=np.float64))
