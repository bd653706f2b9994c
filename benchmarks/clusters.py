"""How good private clusters are: cost against k-means without privacy on pooled data, and ids from month to month.

Run ``python benchmarks/clusters.py`` (half an hour of a core; ``--quick`` takes two minutes, ``--json FILE`` is for
programs, ``--data FOLDER`` for another copy of the data, ``--diffprivlib PYTHON`` adds that library's k-means, from an
environment of its own). Customers are those of one online shop (5,881), at three holders by customer number, one of
whom may collude; delta is 1e-6. Features, scales, questions, clipping, calibration and noise are the product's; only
the messages between holders and coordinator are left out (``tests/test_cluster_accuracy.py`` shows that with them the
clusters are the same).

Figures are the sum of squared distances to the nearest centre, divided by that of scikit-learn's
``KMeans(n_init=10)`` on all customers: median over runs [10%, 90%]. Noise of the product is never seeded. *planned* is
the default study, which keeps an attempt in reserve and spends about 0.9 of its mu; *full* has no reserve and spends
all of it. Both pay for sizes, revenue and typical values of the clusters out of it; baselines publish nothing but
centres, and have all of the budget for them:

- *grid + 2 Lloyd*: noisy grid with half of the budget, k-means on the cells that stand out, two Lloyd rounds with
  clipped offsets; the best recipe we know of otherwise, for up to four features;
- *plain Lloyd*: five rounds from places drawn at random;
- *alone*: one holder with its third of the customers and the product's questions, but noise for itself only;
- *diffprivlib*: its DP-Lloyd on the pooled customers with bounds -1 and 1, Laplace noise for epsilon, no holders.

The last table follows ids from 2011-10-31 to 2011-11-30: of the customers whose nearest one among October's centres is
the same in both months, how many keep their cluster id.

``--encode CUSTOMERS`` measures something else and needs no data: what holders compute for every question of a study,
with so many generated customers over ``--holders`` of them. Each question is encoded for one holder after the other,
on one core, ``--runs`` times; *all holders* is the sum of that, *processor* the time that the core worked for it, which
other programs on the machine do not change much. *Memory* is the most that one holder's encoding takes beside its
table.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfm_accuracy import Noisy, default_data
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from clients.data.config import Columns, HolderConfig, Source
from clients.data.origin import Origin
from clients.data.rows.features import CustomerFeatures, build_features
from privacy.accounting.gdp import mu_of
from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.kernel.features import MISSING, UNIT, FeatureName, FeatureTable
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.clusters import run as clusters
from server.running.planning import plan, planned_mechanism

TABLE = Path("online_retail_ii") / "online_retail_ii.parquet"
AS_OF = dt.date(2011, 12, 10)
MONTHS = (dt.date(2011, 10, 31), dt.date(2011, 11, 30))
HOLDERS, COLLUDING, DELTA = 3, 1, 1e-6
EPSILONS = ("0.25", "0.5", "1", "2", "4")
RFM: tuple[FeatureName, ...] = ("recency_days", "orders", "money")
TEN: tuple[FeatureName, ...] = (
    *RFM, "order_value", "tenure_days", "interval_days", "interval_spread", "basket", "return_share", "evening_share",
)  # fmt: skip
#: Largest median that is accepted, by number of features, k and epsilon.
BARS = {(3, 4, "1"): 1.01, (3, 8, "1"): 1.05, (3, 4, "0.5"): 1.03, (3, 8, "0.5"): 1.15, (10, 8, "1"): 1.25}
#: Least share of customers that keep their id.
KEPT = 0.9
#: Most seconds that a question's encoding may take, of all holders together.
SECONDS = 5.0

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Sampler = Callable[[int, int], IntArray]


# --- the customers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Customers:
    """All customers of the shop as of a day.

    Attributes:
        ids: customer numbers, shape ``(customers,)``, ascending.
        table: their features, in the order of ``TEN``.
    """

    ids: IntArray
    table: FeatureTable

    def scaled(self, study: Study) -> FloatArray:
        """The study's features on their scales, shape ``(customers, features)``, from -1 to 1."""
        return self.table.scaled(study.scaled(study.clusters.features), 0) / UNIT

    def divided(self) -> list[FeatureTable]:
        """By holder."""
        return [self.table.take(np.flatnonzero(self.ids % HOLDERS == number)) for number in range(HOLDERS)]


def reference_study(
    k: int,
    *,
    epsilon: str = "1",
    features: tuple[FeatureName, ...] = RFM,
    as_of: dt.date = AS_OF,
    spare_attempts: int = 1,
    centres: KnownClusters | str = "new",
) -> Study:
    """A study of the shop."""
    return Study.model_validate(
        {
            "name": "cluster-accuracy",
            "as_of": as_of,
            "analyses": ["clusters"],
            "currency": "GBP",
            "cleaning": {"cancellation_prefix": "C"},
            "budget": {
                "epsilon": epsilon,
                "delta": format(Decimal(str(DELTA)), "f"),
                "max_holders_per_customer": 1,
                "colluding_holders": COLLUDING,
                "spare_attempts": spare_attempts,
            },
            "clusters": {"k": k, "features": features, "centres": centres},
        }
    )


def load_customers(folder: Path, as_of: dt.date = AS_OF) -> Customers:
    """Compute the features as a holder does."""
    study = reference_study(8, features=TEN, as_of=as_of)
    config = HolderConfig(
        holder="shop",
        source=Source(url=str(folder / TABLE), where="not overlap_repeat", currency_code="GBP"),
        columns=Columns(
            customer="customer_id", order="invoice", time="invoice_date", quantity="quantity", price="price",
            product="stock_code",
        ),
    )  # fmt: skip
    found: CustomerFeatures = build_features(Origin(config, study, folder), study.row_requests["clusters"])
    ids = np.array([int(item) for item in found.ids], dtype=np.int64)
    order = np.argsort(ids)
    return Customers(ids=ids[order], table=found.table.take(order))


# --- private clusters ----------------------------------------------------------------------------------------------


def cluster_directly(
    study: Study,
    tables: Sequence[FeatureTable],
    *,
    sampler: Sampler = discrete_gaussian,
    watch: Callable[[str, Statistic[Any]], None] | None = None,
) -> ClusterResult:
    """The study's analysis over holders' tables, with the product's noise shares but without messages.

    One table alone gets the noise of a holder that works by itself: none for anybody who might collude. ``watch`` sees
    every question by its title.
    """
    prices = plan(study)

    def planned(title: str, statistic: Statistic[Any]) -> SumMechanism:
        price = prices["clusters", title]
        if len(tables) == 1:  # the noise of placement "central" does not depend on how many take part
            return planned_mechanism(study, price, statistic, holders=2, placement="central")
        return planned_mechanism(study, price, statistic, holders=len(tables))

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        if watch is not None:
            watch(title, statistic)
        mechanism = planned(title, statistic)
        total = np.zeros(statistic.dim, dtype=np.int64)
        for table in tables:
            total += statistic.encode_sum(table) + sampler(mechanism.holder_scale or mechanism.share_scale, len(total))
        return Noisy(array=total, deviation=mechanism.released_deviation)

    return clusters.run(study, ask, planned)


def places(result: ClusterResult) -> FloatArray:
    """Centres on their scales, shape ``(k, features)``, ascending by id."""
    return np.array([centre.place for centre in result.clusters.centres], dtype=np.float64) / UNIT


def known(result: ClusterResult) -> KnownClusters:
    """What the next month's study keeps."""
    return KnownClusters(clusters=result.clusters, origin="the month before")


def cost(z: FloatArray, centres: FloatArray) -> float:
    """Sum of squared distances to the nearest centre."""
    return float(((z - centres[nearest(z, centres)]) ** 2).sum())


# --- baselines -----------------------------------------------------------------------------------------------------


def noise_of(epsilon: str) -> float:
    """Deviation of a released number at sensitivity one with all of the budget, three holders, one colluding."""
    return math.sqrt(HOLDERS / (HOLDERS - COLLUDING)) / mu_of(float(epsilon), DELTA)


def noisy_lloyd(
    z: FloatArray,
    centres: FloatArray,
    noise: float,
    rng: np.random.Generator,
    *,
    rounds: int,
    radius: float,
    weight: float,
) -> FloatArray:
    """Lloyd's rounds on noisy counts and offsets; customers beyond the radius of their centre are left out.

    Args:
        noise: deviation at sensitivity one with all that the rounds may spend together.
        weight: of the count beside the offset over the radius; sensitivity ``sqrt(1 + weight^2)``.
    """
    k, d = centres.shape
    deviation = math.sqrt((1 + weight**2) * rounds) * noise
    for _ in range(rounds):
        cell = nearest(z, centres)
        offset = (z - centres[cell]) / radius
        inside = (offset**2).sum(axis=1) <= 1
        total = rng.normal(0, deviation, (k, d + 1))
        np.add.at(total, cell[inside], np.column_stack([offset, np.full(len(z), weight)])[inside])
        counts = total[:, -1] / weight
        step = total[:, :d] / np.maximum(counts, 1)[:, None]
        step /= np.maximum(1, np.linalg.norm(step, axis=1, keepdims=True))
        sure = (counts > 2 * deviation / weight)[:, None]
        centres = np.clip(np.where(sure, centres + radius * step, centres), -1, 1)
    return centres


def grid_and_lloyd(z: FloatArray, k: int, epsilon: str, rng: np.random.Generator) -> FloatArray:
    """Half of the squared mu for a grid, k-means on the cells above three deviations, two rounds."""
    d = z.shape[1]
    noise = noise_of(epsilon) * math.sqrt(2)
    mu = mu_of(float(epsilon), DELTA) / math.sqrt(2)
    cells = int(np.clip(round((5000 * mu) ** (1 / d)), 3, 40))
    counts, _ = np.histogramdd(z, bins=cells, range=[(-1, 1)] * d)
    released = (counts + rng.normal(0, noise, counts.shape)).ravel()
    keep = released > 3 * noise
    if keep.sum() < k:
        keep = released >= np.sort(released)[-k]
    middle = (np.arange(cells) + 0.5) / cells * 2 - 1
    centres = np.stack(np.meshgrid(*[middle] * d, indexing="ij"), -1).reshape(-1, d)[keep]
    start = KMeans(k, n_init=10, random_state=0).fit(centres, sample_weight=np.maximum(released[keep], 1e-9))
    radius, weight = 0.8 * math.sqrt(d) / k ** (1 / d), (4 * d) ** -0.25
    return noisy_lloyd(z, start.cluster_centers_, noise, rng, rounds=2, radius=radius, weight=weight)


def plain_lloyd(z: FloatArray, k: int, epsilon: str, rng: np.random.Generator) -> FloatArray:
    """Five rounds from anywhere; no offset is longer than the radius."""
    d = z.shape[1]
    start = rng.uniform(-1, 1, (k, d))
    return noisy_lloyd(z, start, noise_of(epsilon), rng, rounds=5, radius=2 * math.sqrt(d), weight=1.0)


_DIFFPRIVLIB = """
import sys, warnings
import numpy as np
from diffprivlib.models import KMeans
warnings.simplefilter("ignore")
z = np.load(sys.argv[1])
k, epsilon, runs = int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
ends = (-np.ones(z.shape[1]), np.ones(z.shape[1]))
found = [KMeans(k, epsilon=epsilon, bounds=ends).fit(z).cluster_centers_ for _ in range(runs)]
np.save(sys.argv[5], np.array(found))
"""


def diffprivlib(python: Path, z: FloatArray, k: int, epsilon: str, runs: int) -> list[FloatArray]:
    """Centres by diffprivlib, which needs older libraries than this project's."""
    with tempfile.TemporaryDirectory() as name:
        given, found = Path(name) / "z.npy", Path(name) / "centres.npy"
        np.save(given, z)
        subprocess.run([python, "-c", _DIFFPRIVLIB, given, str(k), epsilon, str(runs), found], check=True)
        return list(np.load(found))


# --- measuring -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median, 10% and 90% of some runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of these."""
        low, median, high = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
        return cls(median=median, low=low, high=high)

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table; costs are over that without privacy.

    Attributes:
        planned, full: the product, with an attempt in reserve and without.
        agreement: adjusted Rand index of the planned runs' clusters and those without privacy.
        baselines: name to median; those that were not run are left out.
    """

    features: int
    k: int
    epsilon: str
    planned: Spread
    full: Spread
    agreement: Spread
    baselines: dict[str, float]

    NAMES = ("grid + 2 Lloyd", "plain Lloyd", "alone", "diffprivlib")

    @classmethod
    def head(cls) -> str:
        """The table's head, Markdown."""
        names = ("features", "k", "epsilon", "planned", "full", "adjusted Rand", *cls.NAMES)
        return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)

    def line(self) -> str:
        """One line of Markdown."""
        others = (f"{self.baselines[name]:.3f}" if name in self.baselines else "" for name in self.NAMES)
        texts = (self.features, self.k, self.epsilon, self.planned, self.full, f"{self.agreement.median:.2f}", *others)
        return "| " + " | ".join(map(str, texts)) + " |"

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        """What the row must fulfil, in words, and whether it does, with the planned budget."""
        what = f"{self.features} features, k={self.k}, epsilon {self.epsilon}"
        bar = BARS.get((self.features, self.k, self.epsilon))
        if bar is not None:
            yield f"{what}: at most {bar} ({self.planned.median:.3f})", self.planned.median <= bar
        for name, median in self.baselines.items():
            yield f"{what}: as good as {name}", self.planned.median <= median


@dataclass(frozen=True, kw_only=True)
class MonthRow:
    """Ids over two months.

    Attributes:
        kept: share of the customers who stayed at their place that keep their id; ``worst`` the least.
        without: the same where the second month does not know the first, and ids go to the nearest centres.
        cost: of the second month's centres.
        stayed: median share of customers whose nearest centre of October is the same in both months.
    """

    k: int
    epsilon: str
    kept: Spread
    worst: float
    without: Spread
    cost: Spread
    stayed: float

    @classmethod
    def head(cls) -> str:
        """The table's head, Markdown."""
        names = ("k", "epsilon", "keep their id", "worst run", "October's centres unknown", "cost", "stayed")
        return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)

    def line(self) -> str:
        """One line of Markdown."""
        texts = (self.k, self.epsilon, self.kept, f"{self.worst:.3f}", self.without, self.cost, f"{self.stayed:.2f}")
        return "| " + " | ".join(map(str, texts)) + " |"

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        """What the row must fulfil."""
        what = f"months, k={self.k}, epsilon {self.epsilon}: at least {KEPT:.0%} keep their id"
        yield f"{what} ({self.kept.median:.3f})", self.kept.median >= KEPT


class Trial:
    """One day's customers, with what k-means without privacy finds among them."""

    def __init__(self, customers: Customers, features: tuple[FeatureName, ...]) -> None:
        self.customers, self.features = customers, features
        self.tables = customers.divided()
        self.z = customers.scaled(reference_study(2, features=features))
        self.pooled = cache(self._pooled)

    def _pooled(self, k: int) -> tuple[float, IntArray]:
        """Cost and labels."""
        model = KMeans(k, n_init=10, random_state=0).fit(self.z)
        return float(model.inertia_), model.labels_.astype(np.int64)

    def ratio(self, centres: FloatArray) -> float:
        """Cost over that without privacy."""
        return cost(self.z, centres) / self.pooled(len(centres))[0]

    def private(self, k: int, epsilon: str, *, spare_attempts: int = 1, holder: int | None = None) -> FloatArray:
        """Centres of one run; of one holder alone, if given."""
        study = reference_study(k, epsilon=epsilon, features=self.features, spare_attempts=spare_attempts)
        return places(cluster_directly(study, self.tables if holder is None else [self.tables[holder]]))

    def agreement(self, centres: FloatArray) -> float:
        """Adjusted Rand index with the clusters without privacy."""
        return float(adjusted_rand_score(self.pooled(len(centres))[1], nearest(self.z, centres)))

    def row(self, k: int, epsilon: str, runs: int, python: Path | None) -> Row:
        """One row."""
        planned = [self.private(k, epsilon) for _ in range(runs)]
        full = [self.private(k, epsilon, spare_attempts=0) for _ in range(runs)]
        return Row(
            features=len(self.features),
            k=k,
            epsilon=epsilon,
            planned=Spread.of([self.ratio(centres) for centres in planned]),
            full=Spread.of([self.ratio(centres) for centres in full]),
            agreement=Spread.of([self.agreement(centres) for centres in planned]),
            baselines=self.baselines(k, epsilon, runs, python),
        )

    def baselines(self, k: int, epsilon: str, runs: int, python: Path | None) -> dict[str, float]:
        """Median cost of every baseline that can be run, by its name."""
        others: dict[str, list[FloatArray]] = {}
        if len(self.features) <= 4:  # a grid over more has more cells than customers
            others["grid + 2 Lloyd"] = [
                grid_and_lloyd(self.z, k, epsilon, np.random.default_rng(seed)) for seed in range(runs)
            ]
        others["plain Lloyd"] = [plain_lloyd(self.z, k, epsilon, np.random.default_rng(seed)) for seed in range(runs)]
        others["alone"] = [
            self.private(k, epsilon, spare_attempts=0, holder=number % HOLDERS) for number in range(runs)
        ]
        if python is not None:
            others["diffprivlib"] = diffprivlib(python, self.z, k, epsilon, runs)
        return {name: statistics.median(map(self.ratio, found)) for name, found in others.items()}


class Months:
    """The same customers in two months."""

    def __init__(self, folder: Path) -> None:
        self.trials = tuple(Trial(load_customers(folder, day), RFM) for day in MONTHS)
        ids = [trial.customers.ids for trial in self.trials]
        _, *self.both = np.intersect1d(*ids, return_indices=True)

    def once(self, k: int, epsilon: str) -> tuple[float, float, float, float]:
        """Share kept, share kept without knowing October, cost in November, share that stayed; of one run."""
        before, after = self.trials
        old_study = reference_study(k, epsilon=epsilon, as_of=MONTHS[0])
        old = cluster_directly(old_study, before.tables)
        study = reference_study(k, epsilon=epsilon, as_of=MONTHS[1], centres=known(old))
        new = cluster_directly(study, after.tables)
        cold = cluster_directly(reference_study(k, epsilon=epsilon, as_of=MONTHS[1]), after.tables)
        apart = ((places(cold)[:, None] - places(old)[None]) ** 2).sum(axis=2)
        matched = np.array([centre.id for centre in old.clusters.centres])[linear_sum_assignment(apart)[1]]
        stayed = self._labels(0, places(old)) == self._labels(1, places(old))
        names = np.array([centre.id for centre in old.clusters.centres])[self._labels(1, places(old))]

        def kept(ids: Sequence[int], centres: FloatArray) -> float:
            return float((np.array(ids)[self._labels(1, centres)] == names)[stayed].mean())

        return (
            kept([centre.id for centre in new.clusters.centres], places(new)),
            kept(matched.tolist(), places(cold)),
            after.ratio(places(new)),
            float(stayed.mean()),
        )

    def _labels(self, month: int, centres: FloatArray) -> IntArray:
        return nearest(self.trials[month].z[self.both[month]], centres)

    def row(self, k: int, epsilon: str, runs: int) -> MonthRow:
        """One row."""
        kept, without, costs, stayed = zip(*(self.once(k, epsilon) for _ in range(runs)), strict=True)
        return MonthRow(
            k=k,
            epsilon=epsilon,
            kept=Spread.of(kept),
            worst=min(kept),
            without=Spread.of(without),
            cost=Spread.of(costs),
            stayed=statistics.median(stayed),
        )


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured."""

    runs: int = 20
    numbers: tuple[int, ...] = (4, 8, 11)
    epsilons: tuple[str, ...] = EPSILONS
    wide: tuple[str, ...] = ("0.5", "1", "2")
    months: tuple[str, ...] = ("0.5", "1")


QUICK = Extent(runs=5, numbers=(4, 8), epsilons=("0.5", "1"), wide=("1",), months=("1",))


def rows(folder: Path, extent: Extent, python: Path | None) -> Iterator[Row | MonthRow]:
    """All rows."""
    customers = load_customers(folder)
    small = Trial(customers, RFM)
    for k in extent.numbers:
        for epsilon in extent.epsilons:
            yield small.row(k, epsilon, extent.runs, python)
    wide = Trial(customers, TEN)
    for epsilon in extent.wide:
        yield wide.row(8, epsilon, extent.runs, python)
    months = Months(folder)
    for k in extent.numbers:
        for epsilon in extent.months:
            yield months.row(k, epsilon, extent.runs)


# --- what encoding takes -------------------------------------------------------------------------------------------


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


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--quick", action="store_true", help="five runs, k 4 and 8, two budgets")
    parser.add_argument("--runs", type=int, help=f"runs of each kind (default {Extent.runs})")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--diffprivlib", type=Path, metavar="PYTHON", help="an interpreter that has diffprivlib")
    parser.add_argument("--encode", type=int, metavar="CUSTOMERS", help="measure encoding of so many, and nothing else")
    parser.add_argument("--holders", type=int, default=5, help="with --encode: how many have them (default 5)")
    options = parser.parse_args()
    extent = QUICK if options.quick else Extent()
    if options.runs:
        extent = replace(extent, runs=options.runs)
    started = time.perf_counter()
    found: list[Row | MonthRow | EncodeRow] = []
    measured: Iterator[Row | MonthRow | EncodeRow] = (
        encoding(options.encode, options.holders, options.runs or 5)
        if options.encode
        else rows(options.data, extent, options.diffprivlib)
    )
    for row in measured:
        if not found or type(row) is not type(found[-1]):
            print(row.head(), flush=True)
        found.append(row)
        print(row.line(), flush=True)
        if not sys.stdout.isatty():  # the table is its own progress
            print(f"{len(found)} rows, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if options.json:
            options.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    missed = [text for row in found for text, met in row.verdicts() if not met]
    print("\n".join(["missed:", *missed]) if missed else "all bars are met")


if __name__ == "__main__":
    main()
