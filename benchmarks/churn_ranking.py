"""How far reported figures of ranking are from those of the scores themselves: counts by bins of scores, and noise.

Run ``python benchmarks/churn_ranking.py`` (ten minutes of a core; ``--data FOLDER`` for another copy of the data).
Customers of two shops, with a purchase in the year before the day of the test; models are trained one horizon earlier,
as ``churn.py`` trains them, once with the study's noise (a new model each run) and once without. Every run has the
counts of the evaluation without noise, and two releases of them whose noise is the same but for its sign: what noise
does to the mean is then seen apart from the noise, whose spread is a column of its own.

*Ties*: customers of a bin count as tied. *Now*: as reports have it. Both less the exact figure, mean over the runs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from churn_customers import HOLDERS, TABLE, FloatArray, IntArray, auc, reference_study, trained_directly
from rfm_accuracy import default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import build_features
from privacy.figures.ranking_areas import area_under_curve, average_precision
from privacy.kernel.features import FeatureTable
from privacy.models.scorers import logits_of
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study
from privacy.statistics.score_histogram import ScoreHistogram
from server.analyses.churn.run import EVALUATION, evaluation_of
from server.running.planning import plan, planned_mechanism
from server.training.ranking import ranking

RUNS, EPSILONS, HORIZONS, ACTIVE_DAYS = 40, ("1", "4"), (90, 180), 365
#: Days of the table: training, and the test.
EARLIER, TEST = 0, 1
Figure = Callable[[FloatArray], float]


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A public data set, and the last day whose outcomes it has."""

    name: str
    as_of: dt.date
    source: Source
    columns: Columns


def shops(folder: Path) -> tuple[Shop, ...]:
    """The two shops."""
    return (
        Shop(
            name="online_retail_ii",
            as_of=dt.date(2011, 12, 9),
            source=Source(url=str(folder / TABLE), where="not overlap_repeat", currency_code="GBP"),
            columns=Columns(
                customer="customer_id", order="invoice", time="invoice_date", quantity="quantity", price="price",
                product="stock_code",
            ),
        ),
        Shop(
            name="cdnow_sample",
            as_of=dt.date(1998, 6, 30),
            source=Source(url=str(folder / "cdnow_sample" / "cdnow_sample.parquet"), currency_code="GBP"),
            columns=Columns(customer="sample_id", time="date", amount="value"),
        ),
    )  # fmt: skip


def study_of(shop: Shop, horizon: int, epsilon: str) -> Study:
    """The default study of a shop."""
    study = reference_study(horizon, epsilon=epsilon, active_days=ACTIVE_DAYS)
    return Study.model_validate(study.model_dump() | {"as_of": shop.as_of})


def customers_of(shop: Shop, study: Study) -> FeatureTable:
    """The shop's customers, in the order of their ids."""
    with tempfile.TemporaryDirectory() as scratch:
        config = HolderConfig(holder="shop", source=shop.source, columns=shop.columns)
        return build_features(Origin(config, study, Path(scratch)), study.row_requests["churn"]).table


def mean_precision(scores: IntArray, outcome: IntArray) -> float:
    """Average precision of single customers (``sklearn.metrics.average_precision_score`` where no scores are equal)."""
    ranked = outcome[np.argsort(-scores, kind="stable")]
    return float((ranked * ranked.cumsum() / (1 + np.arange(len(ranked)))).sum() / ranked.sum())


#: Figure to what it is of single customers, of tied ones, and in reports.
FIGURES: dict[str, tuple[Callable[[IntArray, IntArray], float], Figure]] = {
    "auc": (auc, area_under_curve),
    "average_precision": (mean_precision, average_precision),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """Mean errors of one figure over the runs; ``spread`` is the deviation of a release's."""

    shop: str
    horizon: int
    customers: int
    ranked_by: str
    epsilon: str
    noisy_model: bool
    figure: str
    exact: float
    ties: float
    now: float
    ties_released: float
    now_released: float
    spread: float

    def line(self) -> str:
        """One line of Markdown."""
        model = "with" if self.noisy_model else "without"
        errors = (self.ties, self.now, self.ties_released, self.now_released)
        cells = [self.shop, str(self.horizon), f"{self.customers:,}", self.ranked_by, self.epsilon, model, self.figure]
        cells += [f"{self.exact:.4f}", *(f"{error:+.4f}" for error in errors), f"{self.spread:.4f}"]
        return "| " + " | ".join(cells) + " |"


def head() -> str:
    """The table's head, Markdown."""
    names = ("shop", "days", "customers", "ranked by", "epsilon", "model's noise", "figure", "exact", "ties", "now",
             "ties, released", "now, released", "spread")  # fmt: skip
    return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)


def measured(shop: Shop, study: Study, table: FeatureTable, *, noisy_model: bool, runs: int) -> Iterator[Row]:
    """Rows of one study: the model, and recency by itself where there is nothing else to see."""
    parts = [table.take(np.arange(len(table)) % HOLDERS == number) for number in range(HOLDERS)]
    counting = table.take(np.flatnonzero((table.eligible[:, TEST] == 1) & (table.outcome[:, TEST] >= 0)))
    outcome = counting.outcome[:, TEST]
    rng = np.random.default_rng(1)
    silent = {} if noisy_model else {"sampler": lambda _, dim: np.zeros(dim, dtype=np.int64)}
    codes = ("model", "recency_days") if not noisy_model else ("model",)
    found: dict[tuple[str, str], list[list[float]]] = {(code, name): [] for code in codes for name in FIGURES}
    question = None
    for _ in range(runs):
        if question is None or noisy_model:
            question = evaluation_of(study, trained_directly(study, parts, day=EARLIER, **silent))
        for place, code in enumerate(codes):
            scores = logits_of(question.models[place].model, counting, TEST)
            counts, deviation = counted(study, question, table)[place]
            noise = rng.normal(0, deviation, counts.shape)
            for name, (exact, tied) in FIGURES.items():
                truth = exact(scores, outcome)
                releases = [counts + noise, counts - noise]
                ends = np.array(question.models[place].upper) / LOGIT
                now = [reported(name, counts, 0.0, ends)]
                now += [reported(name, cells, deviation, ends) for cells in releases]
                ties = [
                    tied(counts),
                    *(tied(cells) + 0 * value for cells, value in zip(releases, now[1:], strict=True)),
                ]
                found[code, name].append([truth, *(value - truth for value in (*ties, *now))])
    for (code, name), errors in found.items():
        mean = np.nanmean(errors, axis=0)
        yield Row(
            shop=shop.name, horizon=study.churn.horizon_days, customers=len(counting), ranked_by=code,
            epsilon=str(study.budget.epsilon), noisy_model=noisy_model, figure=name, exact=mean[0], ties=mean[1],
            now=mean[4],            ties_released=mean[2:4].mean(), now_released=mean[5:].mean(),
            spread=float(np.nanstd([row[5:] for row in errors])),
        )  # fmt: skip


def counted(study: Study, question: ScoreHistogram, table: FeatureTable) -> tuple[tuple[FloatArray, float], ...]:
    """Exact counts of the evaluation, and the deviation that a release's noise has."""
    mechanism = planned_mechanism(study, plan(study)["churn", EVALUATION], question, holders=HOLDERS)
    return question.decode(question.encode_sum(table), mechanism.released_deviation)


def reported(name: str, counts: FloatArray, deviation: float, ends: FloatArray) -> float:
    """A figure as reports have it; not a number where they say nothing."""
    figures = ranking("model", counts, deviation, ends)
    return float("nan") if figures is None else getattr(figures, name).value


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    print(head(), flush=True)
    for shop in shops(options.data):
        for horizon in HORIZONS:
            table = customers_of(shop, study_of(shop, horizon, EPSILONS[0]))
            for epsilon, noisy in product(EPSILONS, (False, True)):
                study = study_of(shop, horizon, epsilon)
                for row in measured(shop, study, table, noisy_model=noisy, runs=options.runs):
                    print(row.line(), flush=True)


if __name__ == "__main__":
    main()
