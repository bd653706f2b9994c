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
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from cluster_baselines import diffprivlib, grid_and_lloyd, plain_lloyd
from cluster_customers import (
    HOLDERS,
    RFM,
    TEN,
    Customers,
    FloatArray,
    IntArray,
    cluster_directly,
    cost,
    known,
    load_customers,
    places,
    reference_study,
)
from cluster_encoding import EncodeRow, encoding
from rfm_accuracy import default_data
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.clusters.anchor_sums import nearest
from privacy.kernel.features import FeatureName

MONTHS = (dt.date(2011, 10, 31), dt.date(2011, 11, 30))
EPSILONS = ("0.25", "0.5", "1", "2", "4")
#: Largest median that is accepted, by number of features, k and epsilon.
BARS = {(3, 4, "1"): 1.01, (3, 8, "1"): 1.05, (3, 4, "0.5"): 1.03, (3, 8, "0.5"): 1.15, (10, 8, "1"): 1.25}
#: Least share of customers that keep their id.
KEPT = 0.9


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
