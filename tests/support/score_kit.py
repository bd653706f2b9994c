"""Scores of one holder's customers, and databases that take them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from holder_kit import write_scores
from label_kit import TABLE, make_study

from clients.analyses.churn.facts import with_facts
from clients.analyses.churn.labels import ScoreSnapshot
from clients.analyses.churn.scoring import score
from clients.data.rows.customers import CustomerTable
from clients.data.spellings import Spellings
from privacy.kernel.features import MISSING, FeatureTable
from privacy.models.scorers import ChurnModel
from privacy.models.trained import WEIGHT, LogisticModel
from privacy.protocol.study import Study

STUDY = make_study(analyses=("churn",))


NAMES = with_facts(STUDY.row_requests["churn"]).names


FEATURE_NAMES = STUDY.churn.features


SCALED = STUDY.scaled(FEATURE_NAMES)


LAST = 2


def logistic(seed: int = 1, **weights: float) -> LogisticModel:
    """Random weights, or those given by feature (and ``intercept``), all others 0."""
    rng = np.random.default_rng(seed)
    values = [weights.get(name, 0.0) for name in (*FEATURE_NAMES, "intercept")]
    chosen = values if weights else rng.normal(0, 0.7, len(values)).tolist()
    return LogisticModel(features=SCALED, weights=tuple(round(value * WEIGHT) for value in chosen))


def make_features(count: int, seed: int = 3) -> FeatureTable:
    """Plausible customers: not all count, and some have too few orders for an interval."""
    rng = np.random.default_rng(seed)
    values = np.zeros((count, 3, len(NAMES)), dtype=np.int64)
    for day in range(3):
        column = {name: rng.integers(0, 1500, count) for name in NAMES}
        column["recency_days"] = rng.integers(0, 500, count)
        column["tenure_days"] = column["recency_days"] + rng.integers(0, 700, count)
        column["orders"] = rng.geometric(0.4, count)
        column["money_365"] = rng.integers(-500, 90_000, count)
        for name in ("overdue", "on_time"):
            column[name] = np.where(column["orders"] > 1, column[name], MISSING)
        values[:, day] = np.stack([column[name] for name in NAMES], axis=1)
    eligible = (values[:, :, NAMES.index("recency_days")] <= 365).astype(np.int64)
    outcome = rng.integers(0, 2, (count, 3))
    outcome[:, LAST] = -1
    return FeatureTable(names=NAMES, values=values, eligible=eligible, outcome=outcome)


IDS = np.array(["007", "=1+1", 'Zoë, "Z"', "gone", "new"], dtype=object)


def small_table(*, counted: tuple[int, ...], seed: int = 6) -> FeatureTable:
    table = make_features(len(IDS), seed)
    eligible = np.zeros_like(table.eligible)
    eligible[list(counted), LAST] = 1
    return dataclasses.replace(table, eligible=eligible)


def snapshot(
    study: Study, *, counted: tuple[int, ...], seed: int = 6, model: ChurnModel | None = None
) -> ScoreSnapshot:
    chosen = model or logistic()
    scores = score(chosen, small_table(counted=counted, seed=seed), LAST, horizon_days=study.churn.horizon_days)
    spelled = Spellings(rows=np.array([0, 0]), source_ids=np.array([" 007", "7.0"], dtype=object))
    customers = CustomerTable(
        ids=TABLE.ids, columns=TABLE.columns, report=TABLE.report, spelled=Spellings(), also_spelled=spelled
    )
    return ScoreSnapshot.of(scores, IDS, customers, chosen, study)


def june(folder: Path, **changes: Any) -> tuple[Path, ...]:
    study = make_study(**{"analyses": ("churn",), **changes})
    return write_scores(lambda: snapshot(study, counted=(0, 1, 3)), folder=folder / "labels")
