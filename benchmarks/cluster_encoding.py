"""What holders compute for every question of a study of clusters: ``clusters.py --encode``."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from cluster_customers import RFM, TEN, cluster_directly, reference_study

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.kernel.features import MISSING, FeatureTable
from privacy.statistics import Statistic

#: Most seconds that a question's encoding may take, of all holders together.
SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class EncodeRow:
    """What one question takes.

    Attributes:
        features: of the study.
        numbers: coordinates of the question.
        median, best: seconds by the clock for all holders, one after the other on one core.
        processor: median seconds of processor time for the same.
        slowest: median seconds of the slowest holder: what is waited for where each has a machine.
        memory: most bytes that one holder's encoding takes beside its table.
    """

    features: int
    question: str
    numbers: int
    median: float
    best: float
    processor: float
    slowest: float
    memory: int

    @classmethod
    def head(cls) -> str:
        """The table's head, Markdown."""
        names = (
            "features",
            "question",
            "numbers",
            "all holders, s: median",
            "best",
            "processor",
            "slowest holder, s",
            "memory, MiB",
        )
        return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)

    def line(self) -> str:
        """One line of Markdown."""
        texts = (self.features, self.question, f"{self.numbers:,}", f"{self.median:.2f}", f"{self.best:.2f}",
                 f"{self.processor:.2f}", f"{self.slowest:.2f}", f"{self.memory / 2**20:.0f}")  # fmt: skip
        return "| " + " | ".join(map(str, texts)) + " |"

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        """What the row must fulfil."""
        what = f"{self.features} features, {self.question}: at most {SECONDS:g} s for all holders"
        yield f"{what} ({self.processor:.2f} of a core)", self.processor <= SECONDS


def generated(customers: int, seed: int = 7) -> FeatureTable:
    """Customers of a made-up world with the features of ``TEN``: four kinds of shoppers, heavy tails, gaps."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, customers, p=(0.4, 0.3, 0.2, 0.1))
    orders = 1 + rng.poisson(np.array([0.2, 2.0, 6.0, 20.0])[kind] * rng.gamma(2.0, 0.5, customers))
    recency = rng.exponential(np.array([500.0, 200.0, 60.0, 15.0])[kind])
    value = np.exp(rng.normal(np.array([7.5, 8.2, 8.6, 9.0])[kind], 0.7))
    gap = rng.exponential(np.array([200.0, 90.0, 40.0, 15.0])[kind])
    several, many = orders > 1, orders > 2
    columns = {
        "recency_days": recency,
        "orders": orders,
        "money": orders * value,
        "order_value": value,
        "tenure_days": recency + gap * orders,
        "interval_days": np.where(several, 100 * gap, MISSING),
        "interval_spread": np.where(many, 100 * gap * rng.gamma(2.0, 0.3, customers), MISSING),
        "basket": 100 * (1 + rng.poisson(4.0, customers)),
        "return_share": 1000 * rng.beta(0.3, 6.0, customers),
        "evening_share": 1000 * rng.beta(1.0, 2.0, customers),
    }
    values = np.stack([columns[name] for name in TEN], axis=1)[:, None, :]
    one = np.ones((customers, 1), dtype=np.int64)
    return FeatureTable(names=TEN, values=np.rint(values).astype(np.int64), eligible=one, outcome=-one)


def encoding(customers: int, holders: int, runs: int) -> Iterator[EncodeRow]:
    """All questions of a study of three features and of one of ten."""
    everyone = generated(customers)
    for features in (RFM, TEN):
        asked: dict[str, Statistic[Any]] = {}
        columns = [TEN.index(name) for name in features]
        table = replace(everyone, names=features, values=np.ascontiguousarray(everyone.values[:, :, columns]))
        parts = [table.take(np.arange(number, customers, holders)) for number in range(holders)]
        study = reference_study(8, features=features)
        cluster_directly(study, parts, watch=asked.__setitem__)
        for title, statistic in asked.items():
            measured = np.array([[_seconds(statistic, part) for part in parts] for _ in range(runs)])
            seconds, worked = measured[:, :, 0], measured[:, :, 1]
            yield EncodeRow(
                features=len(features),
                question=title,
                numbers=statistic.dim,
                median=float(np.median(seconds.sum(axis=1))),
                best=float(seconds.sum(axis=1).min()),
                processor=float(np.median(worked.sum(axis=1))),
                slowest=float(np.median(seconds.max(axis=1))),
                memory=_memory(statistic, parts[0]),
            )


def _seconds(statistic: Statistic[Any], table: FeatureTable) -> tuple[float, float]:
    """By the clock, and of the processor."""
    started, worked = time.perf_counter(), time.process_time()
    statistic.encode_sum(table)
    return time.perf_counter() - started, time.process_time() - worked


def _memory(statistic: Statistic[Any], table: FeatureTable) -> int:
    tracemalloc.start()
    try:
        statistic.encode_sum(table)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
