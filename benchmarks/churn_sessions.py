"""Where trees find what a regression cannot: effects that are not linear, and inputs on bad scales.

Run ``python benchmarks/churn_sessions.py`` (six minutes of a core; ``--seeds N`` for fewer divisions of the
sessions, ``--data FOLDER`` for another copy of the data). *Sessions*: 12,330 web sessions, and which of them end with a
purchase. It is no churn: it is the public table here on which boosting is better than a regression, and so what trees
are tried on. A session counts as a customer, the purchase as the outcome. Fourteen inputs on public scales, stated
without looking at the outcomes: counts, durations and page values logarithmic, rates linear. *Bad scales*: the
customers and features of ``churn_shops.py`` (Online Retail II, 90 days), each scaled linearly up to the largest value
that anybody has.

Three holders by turns, one colluding, each customer at one holder; delta 1e-6, default studies: what the evaluation
takes and the reserve keeps is not used here. Cross-validated in five folds; noise is never seeded, and each seed has
public trees of its own. *AUC*: median over seeds of the mean over folds, and the deviation of a seed. *Trees*: how many
a model had; those that could not be told from the noise are left out. *Refused*: trainings that ended with the error
that the noise hides what is to be learnt; they count for nothing else.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from churn_baselines import fit_logistic
from churn_customers import AT, FOLDS, HOLDERS, SEEDS, FloatArray, IntArray, Sampler, asking, auc, reference_study
from churn_ranking import shops
from churn_shops import customers_of
from rfm_accuracy import default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.churn.options import CHURN_FEATURES
from privacy.errors import DataError
from privacy.kernel.features import FEATURES, MISSING, UNIT, FeatureTable, Scale, ScaledFeature
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.models.scorers import ChurnModel, logits_of
from privacy.models.trained import LOGIT
from privacy.models.trees import TreesModel
from server.analyses.churn.learning import train_logistic
from server.analyses.churn.run import rounds_of
from server.analyses.churn.trees import train_trees

TABLE = Path("online_shoppers") / "online_shoppers_intention.parquet"
EPSILONS = ("0.1", "0.25", "0.5", "1", "2", "4")
FAMILIES = ("logistic", "trees")

#: Columns with the value at which their logarithmic scale ends.
_LOGARITHMIC = {
    "Administrative": 30, "Administrative_Duration": 3000, "Informational": 20, "Informational_Duration": 2000,
    "ProductRelated": 500, "ProductRelated_Duration": 20_000, "PageValues": 300,
}  # fmt: skip
#: Columns with the largest value of their linear scale.
_LINEAR = {"BounceRates": 0.2, "ExitRates": 0.2, "SpecialDay": 1}

Predict = Callable[[IntArray], FloatArray]
Fit = Callable[[IntArray], Predict]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to rank; see the module."""

    table: str
    by: str
    epsilon: str
    area: float
    spread: float
    trees: float
    refused: float

    @classmethod
    def head(cls) -> str:
        """The table's head, Markdown."""
        return "| table | by | epsilon | AUC | +- | trees | refused |\n|---|---|---|---|---|---|---|"

    def line(self) -> str:
        """One line of Markdown."""
        trees = "" if math.isnan(self.trees) else f"{self.trees:.0f}"
        refused = f"{self.refused:.0%}" if self.epsilon else ""
        cells = (self.table, self.by, self.epsilon, f"{self.area:.4f}", f"{self.spread:.4f}", trees, refused)
        return "| " + " | ".join(cells) + " |"


def load_sessions(data: Path) -> tuple[FeatureTable, tuple[ScaledFeature, ...]]:
    """Sessions as customers of one day, as :func:`passed_through`."""
    sessions = pd.read_parquet(data / TABLE)
    columns = [2 * np.log1p(sessions[name].clip(0, end)) / math.log1p(end) - 1 for name, end in _LOGARITHMIC.items()]
    columns += [2 * sessions[name].clip(0, end) / end - 1 for name, end in _LINEAR.items()]
    flags = (
        sessions["Month"] == "Nov", sessions["Month"] == "May", sessions["VisitorType"] == "New_Visitor",
        sessions["Weekend"],
    )  # fmt: skip
    columns += [2 * flag.astype(float) - 1 for flag in flags]
    inputs = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    return passed_through(inputs, np.asarray(sessions["Revenue"], dtype=np.int64))


def badly_scaled(data: Path) -> tuple[FeatureTable, tuple[ScaledFeature, ...]]:
    """Customers of the shop with linear scales up to the largest value, as :func:`passed_through`."""
    shop = next(shop for shop in shops(data) if shop.name == "online_retail_ii")
    table = customers_of(shop, 90)
    raw = table.values[:, AT, [table.names.index(name) for name in CHURN_FEATURES]]
    known = np.where(raw == MISSING, 0, raw).astype(np.float64)
    return passed_through(np.clip(2 * known / known.max(axis=0) - 1, -1, 1), table.outcome[:, AT])


def passed_through(inputs: FloatArray, outcome: IntArray) -> tuple[FeatureTable, tuple[ScaledFeature, ...]]:
    """Customers of one day, and their inputs: numbers from -1 to 1, under names of the catalogue."""
    names = tuple(FEATURES)[: inputs.shape[1]]
    scale = Scale(kind="linear", low=-UNIT, high=UNIT, steps=4096)
    table = FeatureTable(
        names=names,
        values=np.round(UNIT * inputs).astype(np.int64)[:, None, :],
        eligible=np.ones((len(inputs), 1), dtype=np.int64),
        outcome=outcome[:, None].copy(),
    )
    return table, tuple(ScaledFeature(name=name, scale=scale) for name in names)


@dataclass(frozen=True)
class Trial:
    """One table, and how often it is divided.

    Attributes:
        table, features: as :func:`passed_through` has them.
        seeds: divisions into folds.
        name: of the table.
        sampler: of the noise.
    """

    table: FeatureTable
    features: tuple[ScaledFeature, ...]
    seeds: int
    name: str = "sessions"
    sampler: Sampler = discrete_gaussian

    @property
    def outcome(self) -> IntArray:
        """What is foretold."""
        return self.table.outcome[:, 0]

    def folds(self, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
        """(train, test), five times."""
        from sklearn.model_selection import StratifiedKFold

        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(self.outcome, self.outcome)

    def measured(self, by: str, fit: Callable[[IntArray, int], tuple[Predict, float]], epsilon: str = "") -> Row:
        """A row."""
        areas, trees, refused = [], [], 0
        for seed in range(self.seeds):
            found = []
            for fold, test in self.folds(seed):
                try:
                    predict, grown = fit(fold, seed)
                except DataError:
                    refused += 1
                    continue
                found.append(auc(predict(test), self.outcome[test]))
                trees.append(grown)
            areas += [float(np.mean(found))] if found else []
        return Row(
            table=self.name,
            by=by,
            epsilon=epsilon,
            area=statistics.median(areas) if areas else math.nan,
            spread=statistics.stdev(areas) if len(areas) > 1 else math.nan,
            trees=float(np.mean(trees)) if trees else math.nan,
            refused=refused / (FOLDS * self.seeds),
        )

    def pooled(self, fit: Callable[[FloatArray, IntArray], Callable[[FloatArray], FloatArray]]) -> Any:
        """A model without privacy."""
        inputs = self.table.scaled(self.features, 0) / UNIT

        def train(fold: IntArray, seed: int) -> tuple[Predict, float]:
            predict = fit(inputs[fold], self.outcome[fold])
            return lambda test: predict(inputs[test]), math.nan

        return train

    def private(self, family: str, epsilon: str) -> Any:
        """A study's training."""

        def train(fold: IntArray, seed: int) -> tuple[Predict, float]:
            study = reference_study(90, family=family, epsilon=epsilon).model_copy(update={"name": f"sessions-{seed}"})
            holders = [self.table.take(fold[number::HOLDERS]) for number in range(HOLDERS)]
            ask = asking(study, holders, self.sampler)
            model: ChurnModel
            if family == "trees":
                model = train_trees(self.features, (0,), study.digest, ask=ask).model
            else:
                model = train_logistic(self.features, (0,), rounds=rounds_of(study), ask=ask).model
            grown = float(len(model.trees)) if isinstance(model, TreesModel) else math.nan
            return lambda test: logits_of(model, self.table.take(test), 0) / LOGIT, grown

        return train

    def rows(self) -> Iterator[Row]:
        """Without privacy, then families by budget."""
        yield self.measured("regression without privacy", self.pooled(fit_logistic))
        yield self.measured("boosting without privacy", self.pooled(fit_boosting))
        for family in FAMILIES:
            for epsilon in EPSILONS:
                yield self.measured(family, self.private(family, epsilon), epsilon)


def fit_boosting(inputs: FloatArray, outcome: IntArray) -> Callable[[FloatArray], FloatArray]:
    """scikit-learn's gradient boosting by histograms."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.06, max_leaf_nodes=6, min_samples_leaf=40)
    model.fit(inputs, outcome)
    return lambda new: np.asarray(model.decision_function(new))


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    print(Row.head(), flush=True)
    for name, load in {"sessions": load_sessions, "bad scales": badly_scaled}.items():
        for row in Trial(*load(options.data), options.seeds, name).rows():
            print(row.line(), flush=True)


if __name__ == "__main__":
    main()
