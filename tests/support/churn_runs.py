"""Churn studies over holders in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit

from privacy.analyses.churn.options import CHURN_FEATURES
from privacy.analyses.churn.results import ChurnResult
from privacy.kernel.features import FEATURES, FeatureTable
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.churn import run as churn
from server.running.federation import Federation
from server.running.planning import plan
from simulations.worlds.kit import MemoryFederation

HOLDERS = ("alpha", "beta", "gamma")


Tables = Mapping[str, FeatureTable]


def population(customers: int, seed: int, *, days: int = 3) -> FeatureTable:
    """Customers who are more or less about to leave; every feature shows some of it, within its public range."""
    rng = np.random.default_rng(seed)
    leaving = rng.normal(0, 1, (customers, 1)) + 0.5 * rng.normal(0, 1, (customers, days))
    columns = []
    for number, name in enumerate(CHURN_FEATURES):
        sign = 1 if name in ("recency_days", "idle_share", "overdue") else (-1) ** number
        place = 1 / (1 + np.exp(-(sign * leaving + rng.normal(0, 1, leaving.shape))))
        steps = np.array(FEATURES[name].scale.thresholds)
        columns.append(steps[(place * len(steps)).astype(np.int64).clip(0, len(steps) - 1)])
    columns.append(columns[CHURN_FEATURES.index("orders")])  # one order a day
    odds = 1 / (1 + np.exp(-1.5 * leaving))
    outcome = (rng.random(leaving.shape) < odds).astype(np.int64)
    outcome[:, -1] = -1  # the as-of day's horizon is not over
    return FeatureTable(
        names=(*CHURN_FEATURES, "purchase_days"),
        values=np.stack(columns, axis=2).astype(np.int64),
        eligible=np.ones(leaving.shape, dtype=np.int64),
        outcome=outcome,
    )


def holders(customers: int = 1200, *names: str) -> dict[str, FeatureTable]:
    """A population for each holder."""
    return {name: population(customers, seed) for seed, name in enumerate(names or HOLDERS)}


def study_of(epsilon: str = "8", *, budget: Mapping[str, Any] | None = None, **fields: Any) -> Study:
    options = fields.pop("churn", {})
    return kit.small_study(
        budget={"epsilon": epsilon} | dict(budget or {}), analyses=("churn",), churn=options, **fields
    )


def federation_of(root: Path, tables: Tables, sampler: Any = None, **allow: Any) -> MemoryFederation:
    policy = kit.lenient_policy(epsilon="50", analyses=("churn",), max_study_epsilon="20", **allow)
    options = {"sampler": sampler} if sampler else {}
    return MemoryFederation(
        root, {name: {"churn": table} for name, table in tables.items()}, policy=policy, declared=1, **options
    )


def analyse(
    federation: MemoryFederation, study: Study, hook: kit.Hook = kit.honest, progress: kit.Notes | None = None
) -> tuple[ChurnResult, Federation]:
    """The analysis over the real coordinator and nodes: all of a run but its report."""
    coordinator = kit.coordinator_of(federation, study, hook, progress)
    coordinator.join()
    prices = plan(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        return coordinator.ask("churn", title, statistic, prices["churn", title])

    return churn.run(study, ask, lambda title, statistic: None), coordinator
