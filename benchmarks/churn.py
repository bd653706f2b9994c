"""How good private churn models are: area under the curve against models trained without privacy on pooled data.

Run ``python benchmarks/churn.py`` (half an hour of a core; ``--quick`` takes a minute, ``--json FILE`` keeps rows,
``--data FOLDER`` for another copy of the data). Customers are those of one online shop with a purchase before
2011-06-12 (4,978). Features, scales, questions, clipping, calibration and noise are the product's, and every holder's
table is encoded, and given its noise, by itself; only the messages between holders and coordinator are left out
(``tests/test_churn_accuracy.py`` shows that with them the model is the same).

Every private row is one study with its defaults: of its budget 20% goes to the evaluation and an attempt is kept in
reserve, and neither is used here. Cross-validated by customer in five folds; medians over seeds, each of which divides
the customers anew; noise is never seeded. The out-of-time column is another training: on all customers, one horizon
earlier. Models without privacy are fitted on the same scaled features: scikit-learn's logistic regression, and small
perceptrons trained to the end, the best of which on the very test folds is the ceiling. A holder alone is a logistic
regression of its own customers without privacy, tested on its own customers; its gap is to the pooled one on these.

``python benchmarks/churn.py --customers 100000 --holders 5`` measures time instead: generated sales, features computed
by each holder from its own files, and a study through the real protocol in one process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from churn_baselines import CEILINGS, Fit, fit_logistic, inputs_of
from churn_customers import (
    AT,
    EARLIER,
    FOLDS,
    HOLDERS,
    HORIZONS,
    PLACES,
    RFM,
    SEEDS,
    Customers,
    IntArray,
    auc,
    divided,
    load_customers,
    reference_study,
    train_directly,
)
from churn_time import time_study
from numpy.typing import NDArray
from rfm_accuracy import default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.errors import DataError
from privacy.kernel.features import FeatureName
from privacy.models.scorers import logits_of
from privacy.protocol.study import Study

FAMILIES = ("logistic", "network")
EPSILONS = ("0.25", "0.5", "1", "2", "4", "8")
SPLITS = ("country", "tenure")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table.

    Attributes:
        auc: median over seeds of the mean over folds.
        gap: median over seeds of the ceiling minus this; ``worst`` the largest. None for ceilings.
        out_of_time: median over seeds, trained one horizon earlier; None where that says nothing.
        refused: seeds of which a training ended with the error that the noise hides the customers.
    """

    horizon: int
    model: str
    noise: str
    split: str
    epsilon: str
    auc: float
    gap: float | None = None
    worst: float | None = None
    out_of_time: float | None = None
    refused: int | None = None

    @classmethod
    def head(cls) -> str:
        """The table's head, Markdown."""
        names = ("days", "model", "noise", "split by", "epsilon", "AUC", "gap", "worst", "out of time", "refused")
        return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)

    def line(self) -> str:
        """One line of Markdown."""

        def number(value: float | None) -> str:
            return "" if value is None else f"{value:.4f}"

        texts = (str(self.horizon), self.model, self.noise, self.split, self.epsilon)
        numbers = map(number, (self.auc, self.gap, self.worst, self.out_of_time))
        return "| " + " | ".join((*texts, *numbers, "" if self.refused is None else str(self.refused))) + " |"


#: Positions of customers to their scores, and positions of those to train on to such scores.
Scorer = Callable[[IntArray], NDArray[Any]]
Train = Callable[[IntArray], Scorer]


class Trial:
    """One horizon's customers, folds and ceilings."""

    def __init__(self, customers: Customers, horizon: int, *, seeds: int) -> None:
        self.customers, self.horizon, self.seeds = customers, horizon, seeds
        self.index = customers.counting(AT)
        self.outcome = customers.table.outcome[:, AT]
        self.ceiling = cache(self._ceiling)

    def folds(self, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
        """(train, test): positions of customers, in five folds with like shares of churned ones."""
        from sklearn.model_selection import StratifiedKFold

        cut = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        for train, test in cut.split(self.index, self.outcome[self.index]):
            yield self.index[train], self.index[test]

    def crossed(self, seed: int, train: Train, among: NDArray[np.bool_] | None = None) -> float:
        """Mean AUC over the folds of what ``train`` makes of the other folds' customers.

        Args:
            among: which customers are tested, shape ``(customers,)``; all if not given.

        Raises:
            DataError: if a training says that the noise hides what is to be learnt.
        """
        found = []
        for fold, test in self.folds(seed):
            tested = test if among is None else test[among[test]]
            found.append(auc(train(fold)(tested), self.outcome[tested]))
        return statistics.fmean(found)

    def pooled(self, fit: Fit, names: tuple[FeatureName, ...], day: int = AT) -> Train:
        """Training without privacy on all customers together; scores are those at the cutoff."""
        x, new = inputs_of(self.customers, names, day), inputs_of(self.customers, names, AT)
        y = self.customers.table.outcome[:, day]

        def train(fold: IntArray) -> Scorer:
            score = fit(x[fold], y[fold])
            return lambda test: score(new[test])

        return train

    def private(self, study: Study, split: str, day: int = AT) -> Train:
        """Private training over the holders; scores are those at the cutoff."""

        def train(fold: IntArray) -> Scorer:
            model = train_directly(study, divided(self.customers, fold, split), day=day)
            return lambda test: logits_of(model, self.customers.table.take(test), AT)

        return train

    def out_of_time(self, train: Train) -> float:
        """AUC at the cutoff of one training on everybody who counted a horizon earlier."""
        return auc(train(self.customers.counting(EARLIER))(self.index), self.outcome[self.index])

    @property
    def names(self) -> tuple[FeatureName, ...]:
        """The product's features."""
        return reference_study(self.horizon).churn.features

    def _ceiling(self, family: str) -> list[float]:
        """By seed, the AUC of the family without privacy."""
        trained = [self.pooled(fit, self.names) for fit in CEILINGS[family]]
        return [max(self.crossed(seed, train) for train in trained) for seed in range(self.seeds)]

    # --- rows ------------------------------------------------------------------------------------------------

    def baseline(self, model: str, found: list[float], *, late: float | None = None) -> Row:
        """A row without privacy over all customers."""
        value = statistics.median(found)
        return Row(horizon=self.horizon, model=model, noise="", split="", epsilon="", auc=value, out_of_time=late)

    def baselines(self) -> Iterator[Row]:
        """What is compared with."""
        for family in FAMILIES:
            late = max(self.out_of_time(self.pooled(fit, self.names, EARLIER)) for fit in CEILINGS[family])
            yield self.baseline(f"{family}, pooled", self.ceiling(family), late=late)
        late = self.out_of_time(self.pooled(fit_logistic, RFM, EARLIER))
        found = [self.crossed(seed, self.pooled(fit_logistic, RFM)) for seed in range(self.seeds)]
        yield self.baseline("R, F, M only, pooled", found, late=late)
        recency = inputs_of(self.customers, RFM[:1], AT)[:, 0]
        found = [self.crossed(seed, lambda _: recency.__getitem__) for seed in range(self.seeds)]
        yield self.baseline("recency alone", found, late=auc(recency[self.index], self.outcome[self.index]))

    def without_each(self) -> Iterator[Row]:
        """What each feature adds: the pooled regression without it; the gap is to the one with all."""
        for name in self.names:
            rest = self.pooled(fit_logistic, tuple(other for other in self.names if other != name))
            found = [self.crossed(seed, rest) for seed in range(self.seeds)]
            gaps = [most - value for most, value in zip(self.ceiling("logistic"), found, strict=True)]
            row = self.baseline(f"logistic, pooled, without {name}", found)
            yield replace(row, gap=statistics.median(gaps), worst=max(gaps))

    def alone(self, split: str, holder: int) -> Row:
        """One holder's own model of its own customers."""
        own = self.customers.split[split] == holder
        everybody = self.pooled(fit_logistic, self.names)

        def train(fold: IntArray) -> Scorer:
            return everybody(fold[own[fold]])

        found = [self.crossed(seed, train, own) for seed in range(self.seeds)]
        best = [self.crossed(seed, everybody, own) for seed in range(self.seeds)]
        gaps = [most - value for most, value in zip(best, found, strict=True)]
        return Row(
            horizon=self.horizon,
            model=f"holder {holder + 1} alone, {int(own[self.index].sum()):,} customers",
            noise="",
            split=split,
            epsilon="",
            auc=statistics.median(found),
            gap=statistics.median(gaps),
            worst=max(gaps),
        )

    def measured(self, family: str, place: tuple[str, str], split: str, epsilon: str) -> Row:
        """Private training. What ends with the error that the noise hides the customers is counted by itself."""
        study = reference_study(self.horizon, family=family, epsilon=epsilon, place=place)
        found, gaps, late, refused = [], [], [], 0
        for seed, most in enumerate(self.ceiling(family)):
            try:
                found.append(self.crossed(seed, self.private(study, split)))
                gaps.append(most - found[-1])
                late.append(self.out_of_time(self.private(study, split, EARLIER)))
            except DataError:
                refused += 1
        return Row(
            horizon=self.horizon,
            model=family,
            noise=place[0] if place[1] == "integer" else f"{place[0]}, {place[1]}",
            split=split,
            epsilon=epsilon,
            auc=statistics.median(found),
            gap=statistics.median(gaps),
            worst=max(gaps),
            out_of_time=statistics.median(late),
            refused=refused,
        )


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is measured."""

    horizons: tuple[int, ...] = HORIZONS
    families: tuple[str, ...] = FAMILIES
    places: tuple[tuple[str, str], ...] = PLACES
    epsilons: tuple[str, ...] = EPSILONS
    split_epsilons: tuple[str, ...] = ("1", "4")
    seeds: int = SEEDS


#: Three seeds, one horizon, where the noise is what matters.
QUICK = Extent(horizons=(90,), places=PLACES[:1], epsilons=("0.5", "1", "4"), split_epsilons=("1",), seeds=3)


def rows(folder: Path, extent: Extent, *, active_days: int = 36_600, features: bool = False) -> Iterator[Row]:
    """The whole table, row by row; with ``features`` the one about features."""
    for horizon in extent.horizons:
        customers = load_customers(folder, horizon, active_days=active_days)
        trial = Trial(customers, horizon, seeds=extent.seeds)
        if features:
            yield from trial.without_each()
            continue
        yield from trial.baselines()
        yield from (trial.alone(split, holder) for split, holder in product(("number", *SPLITS), range(HOLDERS)))
        for family, place, epsilon in product(extent.families, extent.places, extent.epsilons):
            yield trial.measured(family, place, "number", epsilon)
        for family, split, epsilon in product(extent.families, SPLITS, extent.split_epsilons):
            yield trial.measured(family, PLACES[0], split, epsilon)


def summary(found: Sequence[Row]) -> Iterator[str]:
    """Two short tables of all rows, as in ``docs/churn.md``: what is compared with, and private models."""

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.4f}"

    def table(*head: str) -> Iterator[str]:
        yield ""
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)

    yield from table("days", "without privacy", "AUC", "gap", "out of time")
    for row in found:
        if not row.noise:
            model = f"{row.model} (split by {row.split})" if row.split else row.model
            yield f"| {row.horizon} | {model} | {number(row.auc)} | {number(row.gap)} | {number(row.out_of_time)} |"
    gaps = {(row.horizon, row.model, row.epsilon, row.noise, row.split): number(row.gap) for row in found}
    others = [("central", "number"), ("central, opacus", "number"), ("local", "number"),
              *(("distributed", split) for split in SPLITS)]  # fmt: skip
    yield from table(
        "days", "model", "epsilon", "AUC", "gap", "worst", "out of time",
        "gap: central", "central, opacus", "local", *(f"by {split}" for split in SPLITS),
    )  # fmt: skip
    for row in found:
        if (row.noise, row.split) == ("distributed", "number"):
            cells = [number(value) for value in (row.auc, row.gap, row.worst, row.out_of_time)]
            cells += [gaps.get((row.horizon, row.model, row.epsilon, *other), "") for other in others]
            yield f"| {row.horizon} | {row.model} | {row.epsilon} | " + " | ".join(cells) + " |"


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--quick", action="store_true", help="three seeds, one horizon, three budgets")
    parser.add_argument("--seeds", type=int, help=f"divisions of the customers into folds (default {SEEDS})")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--summary", type=Path, help="only print short tables of the rows in such a file")
    parser.add_argument("--features", action="store_true", help="what each feature adds instead, without privacy")
    parser.add_argument("--active-days", type=int, default=36_600, help="who counts: last purchase within so many days")
    parser.add_argument("--customers", type=int, help="measure time instead, with so many generated persons")
    parser.add_argument("--holders", type=int, default=5, help="with --customers")
    parser.add_argument("--model", choices=FAMILIES, default="logistic", help="with --customers")
    options = parser.parse_args()
    if options.customers:
        for line in time_study(options.customers, options.holders, family=options.model):
            print(line, flush=True)
        return
    if options.summary:
        given = json.loads(options.summary.read_text(encoding="utf-8"))
        print(*summary([Row(**row) for row in given]), sep="\n")
        return
    extent = QUICK if options.quick else Extent()
    if options.seeds:
        extent = Extent(**asdict(extent) | {"seeds": options.seeds})
    print(Row.head(), flush=True)
    started, found = time.perf_counter(), []
    for row in rows(options.data, extent, active_days=options.active_days, features=options.features):
        found.append(row)
        print(row.line(), flush=True)
        if not sys.stdout.isatty():  # the table is its own progress
            print(f"{len(found)} rows, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if options.json:
            options.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
