"""How long a study of churn takes: ``churn.py --customers``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.answering.policy import HolderPolicy
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.features import build_features
from privacy.kernel.canonical import read_toml
from privacy.kernel.features import FeatureTable
from privacy.protocol.study import Study


def time_study(customers: int, holders: int, *, family: str) -> Iterator[str]:
    """Seconds of generated sales to a recorded result: through keys, ledgers, masks and signatures, in one process."""
    from server.running.run import run_study
    from simulations.worlds.generator import generate, study_toml
    from simulations.worlds.kit import MemoryFederation

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        started = time.perf_counter()
        world = generate(root / "sales", customers=customers, stores=holders - 1)
        yield f"generating sales of {customers:,} persons       {time.perf_counter() - started:6.1f} s"
        (root / "study.toml").write_text(study_toml(world), encoding="utf-8")
        sample = read_toml(root / "study.toml", Study)
        study = Study.model_validate(sample.model_dump() | {"analyses": ("churn",), "churn": {"model": family}})
        started = time.perf_counter()
        tables: dict[str, dict[str, FeatureTable]] = {}
        for holder in world.holders:
            home = world.folder / holder
            config = read_toml(home / "holder.toml", HolderConfig)
            features = build_features(Origin(config, study, home), study.row_requests["churn"])
            tables[holder] = {"churn": features.table}
        records = sum(len(table["churn"]) for table in tables.values())
        yield f"features of {records:,} records at {holders} holders  {time.perf_counter() - started:6.1f} s"
        policy = HolderPolicy.model_validate(
            {"lifetime": {"epsilon": 8, "delta": "0.000001"}, "allow": {"analyses": ["churn"]}}
        )
        federation = MemoryFederation(root / "federation", tables, policy=policy, declared=1)
        started = time.perf_counter()
        result = run_study(study, folder=federation.folder, transport=federation.transport)
        total = time.perf_counter() - started
        for timing in result.timings:
            yield f"  {timing.step:42} {timing.seconds:6.1f} s"
        yield f"study, from joining to the report            {total:6.1f} s   (bar: 60 s on two cores)"
        quality = result.churn.quality.auc if result.churn else None
        if quality is not None:
            yield f"AUC out of time, as released                 {quality.value:.3f} +- {quality.margin:.3f}"
