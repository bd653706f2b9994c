"""Membership inference against what studies publish: the churn model and the cluster centres.

A population is generated once. Study after study takes a random half of every holder's customers, runs over the real
protocol in this process, and publishes a model and centres. The attacker knows everybody's data and all that was
published, and asks of each customer whether it was in: a customer that the model fits better than models trained
without it fit it ("difficulty calibration", Watson et al. 2022, "On the importance of difficulty calibration in
membership inference attacks"; with as many reference models as other runs that left the customer out).

It is evidence of the second rank. It attacks what people see, not the sums (``empirical_audit`` does),
and a cleverer attack might find more. The same attack on the same studies without noise shows what it would find.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import rankdata

from clients.answering.answers import Sampler
from clients.answering.folder import HolderFolder, SourceData
from clients.answering.policy import Allow, HolderPolicy, LifetimeBudget
from privacy.accounting.events import total_squared_mu
from privacy.accounting.gdp import root
from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.nouns import Clusters
from privacy.analyses.clusters.options import ClusterOptions
from privacy.audit.inference import Interval, MembershipResult
from privacy.kernel.features import UNIT, FeatureTable
from privacy.kernel.terms import Budget
from privacy.ledger import Reserved
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.models.scorers import Model, logits_of
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray
from server.analyses.catalogue import CATALOGUE
from server.releases import Release
from server.running.federation import Federation
from server.running.planning import plan, planned_mechanism
from simulations.attack.audit_cases import joined
from simulations.worlds.dirt import RATES
from simulations.worlds.generator import generate
from simulations.worlds.kit import MemoryFederation

FloatArray = NDArray[np.float64]
Tables = Mapping[str, Mapping[str, FeatureTable]]

#: What is published, by the analysis that publishes it.
PUBLISHED = {"churn": "churn model", "clusters": "cluster centres"}

#: Studies of a quick look.
QUICK_RUNS = 6


def _no_noise(scale: int, size: int) -> IntArray:
    return np.zeros(size, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A series of studies to attack.

    Attributes:
        customers: in the population; about half of them are in each study.
        runs: how many studies.
        epsilon: of each study, for both analyses together.
        seed: of the population and of who is in; not of the noise.
    """

    customers: int = 6_000
    runs: int = 16
    epsilon: str = "1"
    seed: int = 11

    def study(self, number: int) -> Study:
        """One study of the series."""
        return Study(
            name=f"membership-{number}",
            as_of="2025-01-01",
            analyses=("churn", "clusters"),
            **{"clusters": ClusterOptions(k=4)},
            rates=RATES,
            budget=Budget(
                epsilon=Decimal(self.epsilon),
                delta=Decimal("0.000001"),
                max_holders_per_customer=1,
                size_class=self.customers,
            ),
        )

    def run(self, *, noisy: bool = True, on_run: Callable[[], None] = lambda: None) -> tuple[MembershipResult, ...]:
        """Run and attack the studies; one result for each thing that is published.

        Args:
            noisy: False leaves all noise out, to see what the attack would find; it must be told apart in any report.
            on_run: called after every study.
        """
        rng = np.random.default_rng(self.seed)
        with tempfile.TemporaryDirectory() as folder:
            population = _population(Path(folder), self)
            who: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in PUBLISHED}
            seen: dict[str, list[FloatArray]] = {name: [] for name in PUBLISHED}
            mus: dict[str, float] = {}
            for number in range(self.runs):
                taken = {
                    holder: {name: rng.random(len(table)) < 0.5 for name, table in tables.items()}
                    for holder, tables in population.items()
                }
                part = {
                    holder: {name: table.take(taken[holder][name]) for name, table in tables.items()}
                    for holder, tables in population.items()
                }
                sampler = discrete_gaussian if noisy else _no_noise
                outcome = _publish(Path(folder) / f"run-{number}", self.study(number), part, sampler)
                for name, (published, mu) in outcome.items():
                    mus[name] = mu
                    everybody = joined(*(tables[name] for tables in population.values()))
                    member = np.concatenate([taken[holder][name] for holder in population])
                    fit, counted = _fit(published, everybody)
                    who[name].append(member[counted])
                    seen[name].append(fit[counted])
                on_run()
        return tuple(
            _attacked(name, np.array(who[name]), np.array(seen[name]), mus[name] if noisy else math.inf)
            for name in PUBLISHED
        )


def _population(folder: Path, exercise: Exercise) -> Tables:
    """Every holder's feature tables, as its node would compute them from generated purchases."""
    world = generate(folder / "data", customers=exercise.customers, seed=exercise.seed, overlap=0.0)
    study = exercise.study(0)
    found: dict[str, Mapping[str, FeatureTable]] = {}
    for holder in world.holders:
        tables = SourceData(HolderFolder(world.folder / holder)).tables(study)
        found[holder] = {name: table for name, table in tables.items() if isinstance(table, FeatureTable)}
    return found


def _publish(root_folder: Path, study: Study, tables: Tables, sampler: Sampler) -> dict[str, tuple[Any, float]]:
    """Run a study over the real coordinator and nodes: what each analysis publishes, and the mu that it was charged."""
    policy = HolderPolicy(
        lifetime=LifetimeBudget(epsilon=Decimal(8), delta=Decimal("0.000001")),
        allow=Allow(analyses=tuple(PUBLISHED)),
    )
    memory = MemoryFederation(root_folder, tables, policy=policy, declared=1, sampler=sampler)
    books = memory.folder.books()
    federation = Federation(
        study,
        books,
        memory.transport,
    )
    federation.join()
    prices = plan(study)
    published: dict[str, tuple[Any, float]] = {}
    for name in PUBLISHED:

        def ask(title: str, statistic: Statistic[Any], name: str = name) -> Release:
            return federation.ask(name, title, statistic, prices[name, title])

        def planned(title: str, statistic: Statistic[Any], name: str = name) -> Any:
            return planned_mechanism(study, prices[name, title], statistic, holders=len(tables))

        result = CATALOGUE[name].run(study, ask, planned)
        charged = [fact.event for fact in books.ledger.facts() if isinstance(fact, Reserved) and fact.analysis == name]
        published[name] = (result.model if name == "churn" else result.clusters, root(total_squared_mu(charged)))
    return published


def _fit(published: Model | Clusters, table: FeatureTable) -> tuple[FloatArray, NDArray[np.bool_]]:
    """How well what is published fits each customer, larger for better, and which customers counted at all."""
    if isinstance(published, Clusters):
        places = np.array([centre.place for centre in published.centres], dtype=np.float64) / UNIT
        scaled = table.scaled(published.features, 0) / UNIT
        away = scaled - places[nearest(scaled, places)]
        return -np.sqrt(np.square(away).sum(axis=1)), table.eligible[:, 0] == 1
    outcome = table.outcome[:, 0]
    sign = np.where(outcome == 1, 1.0, -1.0)
    return sign * logits_of(published, table, 0), (table.eligible[:, 0] == 1) & (outcome >= 0)


def _attacked(name: str, member: NDArray[np.bool_], fit: FloatArray, mu: float) -> MembershipResult:
    """Attack every run with the others as reference; both arrays of shape ``(runs, customers)``."""
    areas, advantages = [], []
    for inside, score in _calibrated(member, fit):
        ranks = rankdata(score)
        ins = int(inside.sum())
        outs = len(inside) - ins
        areas.append((float(ranks[inside].sum()) - ins * (ins + 1) / 2) / (ins * outs))
        advantages.append(float(np.mean(score[inside] > 0)) - float(np.mean(score[~inside] > 0)))
    return MembershipResult(
        published=PUBLISHED[name],
        mu=mu if math.isfinite(mu) else None,
        runs=len(member),
        customers=member.shape[1],
        auc=_interval(areas),
        advantage=_interval(advantages),
    )


def _calibrated(member: NDArray[np.bool_], fit: FloatArray) -> Iterator[tuple[NDArray[np.bool_], FloatArray]]:
    """Per run who was in, and how much better the run fits each customer than other runs that left it out."""
    for run in range(len(member)):
        reference = ~member
        reference[run] = False
        times = reference.sum(axis=0)
        known = times > 0
        mean = (fit * reference).sum(axis=0)[known] / times[known]
        yield member[run][known], fit[run][known] - mean


def _interval(values: Sequence[float]) -> Interval:
    """Mean over runs and its 95% interval (Student's t: runs are alike, customers of one run share its noise)."""
    array = np.array(values)
    half = float(stdtrit(len(array) - 1, 0.975)) * float(array.std(ddof=1)) / math.sqrt(len(array))
    mean = float(array.mean())
    return Interval(value=mean, low=mean - half, high=mean + half)
