"""Whether clusters are the groups that were planted, on which scales, and whether their number is found.

Run ``python benchmarks/cluster_groups.py`` (four minutes of a core; ``--runs N``, ``--epsilon E``, ``--first SEED`` for
other customers; ``--data FOLDER``). Every run has customers of its own, 5,000 of them at three holders, one of whom may
collude, and noise of its own; delta is 1e-6. Worlds:

- *often*: two groups, 30% in the second, apart in orders and order value, recency alike;
- *recent*: the reverse, apart in recency alone;
- *three*, *four*: so many groups, apart in all three features;
- *none*: one cloud; *even*: one cloud of even density between ends.

The first table has k given. *Standardised* is k-means without privacy on features with mean 0 and deviation 1, as they
are and as logarithms; *public* and *released* are the product on either scales. Figures are adjusted Rand indices with
the planted groups: median [least]. The second has ``k = 0``: which numbers were found on released scales, and *between*
of two clusters (see ``server/analyses/clusters/groups.py``). The third is of the customers of ``clusters.py`` (Online
Retail II): cost over that of k-means without privacy on the same scales.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from cluster_customers import (
    RFM,
    FloatArray,
    IntArray,
    Sampler,
    cluster_directly,
    cost,
    load_customers,
    places,
    reference_study,
)
from rfm_accuracy import default_data
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.results import ClusterResult
from privacy.kernel.features import UNIT, FeatureTable
from privacy.mechanisms.sampler import discrete_gaussian

CUSTOMERS, HOLDERS = 5000, 3
#: Days, orders and spend per order of the groups, and how they vary around that, as logarithms.
_GROUPS = ((4, 30, 170), (40, 8, 75), (200, 2, 50), (400, 6, 500))
_VARIES = 0.35

World = Callable[[np.random.Generator], tuple[IntArray, FloatArray]]


def two(rng: np.random.Generator, *, apart: str) -> tuple[IntArray, FloatArray]:
    """Groups apart in what they buy (``often``), in when (``recent``), or in nothing."""
    group = (rng.random(CUSTOMERS) < 0.3).astype(np.int64)
    buying = group if apart == "often" else np.zeros_like(group)
    orders = 1 + rng.poisson(np.array([10, 22])[buying])
    value = np.exp(rng.normal(np.log(np.array([40, 70])[buying]), 0.15))
    recency = rng.exponential(60, CUSTOMERS)
    if apart == "recent":
        recency = np.where(group, rng.uniform(60, 120, CUSTOMERS), rng.uniform(5, 25, CUSTOMERS))
    return group, np.stack([recency, orders, 100 * orders * value], axis=1)


def several(rng: np.random.Generator, *, groups: int) -> tuple[IntArray, FloatArray]:
    """So many groups of equal size, apart in all features."""
    group = rng.integers(0, groups, CUSTOMERS)
    rows = np.array(_GROUPS)[group] * np.exp(rng.normal(0, _VARIES, (CUSTOMERS, 3)))
    rows[:, 2] *= 100
    return group, np.maximum(rows, 1)


def even(rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """No groups: even between ends in each logarithm."""
    ends = np.log(np.array([(3, 400), (1.6, 20), (2_000, 110_000)]))
    return np.zeros(CUSTOMERS, dtype=np.int64), np.exp(rng.uniform(ends[:, 0], ends[:, 1], (CUSTOMERS, 3)))


WORLDS: dict[str, tuple[int, World]] = {
    "often": (2, partial(two, apart="often")),
    "recent": (2, partial(two, apart="recent")),
    "three": (3, partial(several, groups=3)),
    "four": (4, partial(several, groups=4)),
    "none": (0, partial(two, apart="nothing")),
    "even": (0, even),
}


def customers(world: str, seed: int) -> tuple[IntArray, FeatureTable]:
    """Planted group and features of each customer."""
    group, rows = WORLDS[world][1](np.random.default_rng(seed))
    ones = np.ones((len(rows), 1), dtype=np.int64)
    values = np.rint(rows).astype(np.int64)[:, None, :]
    return group, FeatureTable(names=RFM, values=values, eligible=ones, outcome=-ones)


def found(
    table: FeatureTable, k: int, epsilon: str, ranges: str, sampler: Sampler = discrete_gaussian
) -> ClusterResult:
    """One run of the product."""
    parts = [table.take(np.arange(len(table)) % HOLDERS == number) for number in range(HOLDERS)]
    return cluster_directly(reference_study(k, epsilon=epsilon, ranges=ranges), parts, sampler=sampler)


def labels(result: ClusterResult, table: FeatureTable) -> IntArray:
    """Each customer's cluster."""
    return nearest(table.scaled(result.clusters.features, 0) / UNIT, places(result))


def standardised(table: FeatureTable, k: int, *, logarithms: bool) -> IntArray:
    """k-means without privacy on features with mean 0 and deviation 1."""
    z = table.values[:, 0].astype(np.float64)
    z = np.log1p(z) if logarithms else z
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    return np.asarray(KMeans(k, n_init=10, random_state=0).fit(z).labels_)


def agreement(world: str, epsilon: str, seeds: range, sampler: Sampler = discrete_gaussian) -> dict[str, list[float]]:
    """Adjusted Rand indices with the planted groups, by what found the clusters."""
    k = WORLDS[world][0]
    indices: dict[str, list[float]] = {"standardised": [], "logarithms": [], "public": [], "released": []}
    for seed in seeds:
        group, table = customers(world, seed)
        for name in ("standardised", "logarithms"):
            label = standardised(table, k, logarithms=name == "logarithms")
            indices[name].append(adjusted_rand_score(group, label))
        for ranges in ("public", "released"):
            label = labels(found(table, k, epsilon, ranges, sampler), table)
            indices[ranges].append(adjusted_rand_score(group, label))
    return indices


def numbers(
    world: str, epsilon: str, seeds: range, sampler: Sampler = discrete_gaussian
) -> tuple[Counter[int], Counter[bool], list[float]]:
    """How often which number of clusters was found, whether they were called groups, and *between* of two clusters."""
    results = [found(customers(world, seed)[1], 0, epsilon, "released", sampler) for seed in seeds]
    between = [result.proposals[0].between for result in results]
    return Counter(len(result.figures) for result in results), Counter(result.groups for result in results), between


def costs(folder: Path, k: int, epsilon: str, runs: int) -> dict[str, list[float]]:
    """Cost over that without privacy on the same scales, of real customers."""
    everyone = load_customers(folder).table
    columns = [everyone.names.index(name) for name in RFM]
    table = replace(everyone, names=RFM, values=np.ascontiguousarray(everyone.values[:, :, columns]))
    ratios: dict[str, list[float]] = {"public": [], "released": []}
    for ranges, row in ratios.items():
        for _ in range(runs):
            result = found(table, k, epsilon, ranges)
            z = table.scaled(result.clusters.features, 0) / UNIT
            exact = float(KMeans(k, n_init=10, random_state=0).fit(z).inertia_)
            row.append(cost(z, places(result)) / exact)
    return ratios


def _lines(runs: int, epsilon: str, first: int, folder: Path) -> Iterator[str]:
    seeds = range(first, first + runs)
    yield "| world | k | standardised | as logarithms | public scales | released scales |\n|---|---|---|---|---|---|"
    for world, (k, _) in WORLDS.items():
        if k:
            cells = [f"{np.median(each):.2f} [{min(each):.2f}]" for each in agreement(world, epsilon, seeds).values()]
            yield f"| {world} | {k} | {' | '.join(cells)} |"
    yield "\n| world | planted | found: runs | called groups | between two |\n|---|---|---|---|---|"
    for world, (k, _) in WORLDS.items():
        counts, called, between = numbers(world, epsilon, seeds)
        listed = ", ".join(f"{number}: {count}" for number, count in sorted(counts.items()))
        yield (
            f"| {world} | {k or 'no groups'} | {listed} | {called[True]} of {runs} "
            f"| {np.median(between):.2f} [{min(between):.2f}, {max(between):.2f}] |"
        )
    yield "\n| Online Retail II, k | public scales | released scales |\n|---|---|---|"
    for k in (4, 8):
        cells = [
            f"{np.median(row):.4f} [{min(row):.4f}, {max(row):.4f}]" for row in costs(folder, k, epsilon, runs).values()
        ]
        yield f"| {k} | {' | '.join(cells)} |"


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--epsilon", default="1")
    parser.add_argument("--first", type=int, default=1, help="first seed of the generated customers")
    parser.add_argument("--data", type=Path, default=default_data())
    options = parser.parse_args()
    for line in _lines(options.runs, options.epsilon, options.first, options.data):
        print(line, flush=True)


if __name__ == "__main__":
    main()
