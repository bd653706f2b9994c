"""What a churn model adds to public formulas: two shops, several budgets, at both ends of the list.

Run ``python benchmarks/churn_shops.py`` (ten minutes of a core; ``--seeds N`` for fewer divisions of the customers,
``--data FOLDER`` for another copy of the data). All customers of a shop before a cutoff, at three holders by turns, one
colluding, each customer at one; delta 1e-6, default studies: what the evaluation takes and the reserve keeps is not
used here. Cross-validated by customer in five folds; noise is never seeded.

*AUC*: median over seeds of the mean over folds. *Later*: at the cutoff, learnt from everybody one horizon earlier.
*Churned*: share of churned customers among the tenth with the highest scores, over that of all; *buyers*: of those who
bought, among the tenth with the lowest. *Level*: mean predicted less observed churn rate, later. *Refused*: trainings
that ended with the error that the noise hides what is to be learnt. Rows without privacy are the same at any budget.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from churn_baselines import fit_logistic
from churn_customers import (
    AT,
    EARLIER,
    FOLDS,
    HOLDERS,
    SEEDS,
    FloatArray,
    IntArray,
    auc,
    reference_study,
    train_directly,
)
from churn_ranking import Shop, shops
from rfm_accuracy import default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.features import build_features
from privacy.errors import DataError
from privacy.figures.ranking_areas import TOP, list_rate
from privacy.kernel.features import UNIT, FeatureTable
from privacy.models.scorers import logits_of
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study

EPSILONS = ("0.1", "0.25", "0.5", "1", "4")
FAMILIES = ("logistic", "prior", "trees")
CUTOFFS = {"online_retail_ii": dt.date(2011, 6, 12), "cdnow_sample": dt.date(1997, 9, 30)}
CASES = (("online_retail_ii", 90), ("cdnow_sample", 90), ("online_retail_ii", 180))

#: Positions of customers to their scores, in logits where they stand for probabilities.
Scorer = Callable[[IntArray], FloatArray]
#: Positions of those to learn from, and their day, to scores at the cutoff.
Train = Callable[[IntArray, int], Scorer]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to rank; see the module."""

    shop: str
    days: int
    by: str
    epsilon: str
    area: float
    later: float
    churned: float
    buyers: float
    level: float
    refused: float

    @classmethod
    def head(cls) -> str:
        """The table's head, Markdown."""
        names = ("shop", "days", "by", "epsilon", "AUC", "later", "churned", "buyers", "level", "refused")
        return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)

    def line(self) -> str:
        """One line of Markdown."""

        def number(value: float, form: str) -> str:
            return "-" if math.isnan(value) else format(value, form)

        cells = [self.shop, str(self.days), self.by, self.epsilon, number(self.area, ".4f"), number(self.later, ".4f")]
        cells += [number(self.churned, ".3f"), number(self.buyers, ".2f"), number(self.level, "+.3f")]
        return "| " + " | ".join([*cells, f"{self.refused:.0%}" if self.epsilon else ""]) + " |"


def study_of(shop: Shop, days: int, *, family: str = "logistic", epsilon: str = "1") -> Study:
    """A study whose test day is the cutoff."""
    study = reference_study(days, family=family, epsilon=epsilon)
    return Study.model_validate(study.model_dump() | {"as_of": CUTOFFS[shop.name] + dt.timedelta(days=days)})


def customers_of(shop: Shop, days: int) -> FeatureTable:
    """Everybody with a purchase before the cutoff."""
    study = study_of(shop, days)
    with tempfile.TemporaryDirectory() as scratch:
        config = HolderConfig(holder="shop", source=shop.source, columns=shop.columns)
        table = build_features(Origin(config, study, Path(scratch)), study.row_requests["churn"]).table
    return table.take(table.eligible[:, AT] == 1)


def lift(scores: FloatArray, outcome: IntArray) -> float:
    """Of the tenth with the highest scores; customers of equal scores count at their mean."""
    distinct, place = np.unique(scores, return_inverse=True)
    counts = np.bincount(2 * place + outcome, minlength=2 * len(distinct)).reshape(-1, 2).astype(np.float64)
    return float(list_rate(counts, TOP)) / float(outcome.mean())


@dataclass(frozen=True)
class Trial:
    """One shop at one horizon.

    Attributes:
        shop, days: which.
        table: its customers.
        seeds: divisions into folds.
    """

    shop: Shop
    days: int
    table: FeatureTable
    seeds: int

    @property
    def outcome(self) -> IntArray:
        """Who churned after the cutoff."""
        return self.table.outcome[:, AT]

    def folds(self, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
        """(train, test), five times."""
        from sklearn.model_selection import StratifiedKFold

        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(self.outcome, self.outcome)

    def measured(
        self, by: str, train: Train, *, epsilon: str = "", seeds: int | None = None, level: bool = True
    ) -> Row:
        """A row; what is refused counts for nothing else."""
        found: list[list[tuple[float, float, float]]] = []
        late, levels, refused, tried = [], [], 0, 0
        everybody, earlier = np.arange(len(self.table)), np.flatnonzero(self.table.eligible[:, EARLIER] == 1)
        for seed in range(self.seeds):
            found.append([])
            for fold, test in self.folds(seed):
                tried += 1
                try:
                    scores = train(fold, AT)(test)
                except DataError:
                    refused += 1
                    continue
                y = self.outcome[test]
                found[-1].append((auc(scores, y), lift(scores, y), lift(-scores, 1 - y)))
            try:
                scores = train(earlier, EARLIER)(everybody)
            except DataError:
                continue
            late.append(auc(scores, self.outcome))
            levels.append(float((1 / (1 + np.exp(-np.clip(scores, -30, 30)))).mean() - self.outcome.mean()))
        means = [np.mean(folds, axis=0) for folds in found if folds]
        area, churned, buyers = np.median(means, axis=0).tolist() if means else (math.nan,) * 3
        return Row(
            shop=self.shop.name, days=self.days, by=by, epsilon=epsilon, area=area, churned=churned, buyers=buyers,
            later=statistics.median(late) if late else math.nan,
            level=statistics.median(levels) if levels and level else math.nan,
            refused=refused / tried,
        )  # fmt: skip

    def rows(self) -> Iterator[Row]:
        """Without privacy, then families by budget."""
        study = study_of(self.shop, self.days)
        recency = self.table.values[:, AT, self.table.names.index("recency_days")].astype(np.float64)
        yield self.measured("days since the last purchase", lambda *_: recency.__getitem__, level=False)
        formula = logits_of(study.churn.formula, self.table, AT) / LOGIT
        yield self.measured("public formula", lambda *_: formula.__getitem__)
        features = study.scaled(study.churn.features)
        inputs = {day: self.table.scaled(features, day) / UNIT for day in (EARLIER, AT)}

        def pooled(fold: IntArray, day: int) -> Scorer:
            predict = fit_logistic(inputs[day][fold], self.table.outcome[fold, day])
            return lambda test: predict(inputs[AT][test])

        yield self.measured("regression without privacy", pooled)
        for family in FAMILIES:
            for epsilon in EPSILONS:
                yield self.measured(family, self.private(family, epsilon), epsilon=epsilon)

    def private(self, family: str, epsilon: str) -> Train:
        """A study's training."""
        study = study_of(self.shop, self.days, family=family, epsilon=epsilon)

        def train(fold: IntArray, day: int) -> Scorer:
            holders = [self.table.take(fold[number::HOLDERS]) for number in range(HOLDERS)]
            model = train_directly(study, holders, day=day)
            return lambda test: logits_of(model, self.table.take(test), AT) / LOGIT

        return train


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    by_name = {shop.name: shop for shop in shops(options.data)}
    print(Row.head(), flush=True)
    for name, days in CASES:
        trial = Trial(by_name[name], days, customers_of(by_name[name], days), options.seeds)
        for row in trial.rows():
            print(row.line(), flush=True)


if __name__ == "__main__":
    main()
