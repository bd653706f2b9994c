"""How well look-alikes are found: private models beside one without privacy, and lists by spend.

Run ``python benchmarks/lookalikes.py`` (four minutes of a core; ``--data FOLDER`` for another copy of the data). Three
holders, k = 1, t = 1, delta 1e-6, the analysis alone in its study. Customers of a shop who were not of the kind in the
horizon before the cutoff, with a purchase in the year before it; models are trained a horizon earlier, as a study
trains them, and tested after the cutoff, as its test is. Ten seeds a row.

*AUC*, and of a list of one customer in ten how many of 100 became of the kind (*list*). *Level*: mean probability less
the share that did. *Refused*: seeds at which the noise hid what there was to learn.

``--fit`` prints in place of the table how the public formula's constants would be fitted to each day of each case by
itself: level, slope of the logarithm of spend, and slope of days since the last purchase by 90.
"""

from __future__ import annotations

import argparse
import atexit
import datetime as dt
import os
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from churn_baselines import fit_logistic
from churn_customers import HOLDERS, FloatArray, auc
from churn_ranking import Shop, shops
from rfm_accuracy import Noisy, default_data
from scipy.optimize import minimize

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import build_features
from privacy.errors import DataError
from privacy.kernel.features import UNIT, FeatureTable
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.models.scorers import logits_of
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.lookalikes.run import formula_of, train
from server.running.planning import plan, planned_mechanism

SEEDS, EPSILONS = 10, ("0.25", "0.5", "1", "4")
EARLIER, TEST = 0, 1
_LISTED = 0.1


@dataclass(frozen=True)
class Case:
    """A shop, its last day, and the kind of customers: whole units of spend, or a category."""

    shop: Shop
    as_of: dt.date
    kind: dict[str, Any]


def cases(folder: Path) -> Iterator[Case]:
    """What is measured, of the shops that are in the folder."""
    retail, music = shops(folder)
    yield Case(retail, dt.date(2011, 12, 9), {"spend": 500})
    yield Case(retail, dt.date(2011, 9, 9), {"spend": 1000})
    yield Case(music, dt.date(1997, 12, 31), {"spend": 50})
    stores = stores_of(folder)
    yield Case(stores, dt.date(2017, 12, 31), {"spend": 20})
    yield Case(stores, dt.date(2017, 12, 31), {"category": "COSMETICS"})


def stores_of(folder: Path) -> Shop:
    """Sales of grocery stores, with the department of each product."""
    own = folder / "complete_journey"
    joined = Path(tempfile.gettempdir()) / f"stores-{os.getpid()}.parquet"
    if not joined.exists() and (own / "transactions_sample.parquet").exists():
        sales = pd.read_parquet(own / "transactions_sample.parquet")
        products = pd.read_parquet(own / "products.parquet")[["product_id", "department"]]
        sales.merge(products, on="product_id").to_parquet(joined)
        atexit.register(joined.unlink)
    return Shop(
        name="complete_journey",
        as_of=dt.date(2017, 12, 31),
        source=Source(url=str(joined), currency_code="USD"),
        columns=Columns(customer="household_id", order="basket_id", time="transaction_timestamp", amount="sales_value",
                        category="department"),
    )  # fmt: skip


def study_of(case: Case, epsilon: str = "1") -> Study:
    """The study whose test is a horizon before the case's day."""
    return Study.model_validate(
        {
            "name": "lookalikes",
            "as_of": case.as_of,
            "analyses": ["lookalikes"],
            "currency": case.shop.source.currency_code,
            "cleaning": {"cancellation_prefix": "C", "returns": "net"},
            "budget": {"epsilon": epsilon, "delta": "0.000001", "size_class": 1000},
            "lookalikes": case.kind,
        }
    )


def customers_of(case: Case) -> FeatureTable:
    """All rows of the shop, on the study's days."""
    study = study_of(case)
    with tempfile.TemporaryDirectory() as scratch:
        config = HolderConfig(holder="shop", source=case.shop.source, columns=case.shop.columns)
        return build_features(Origin(config, study, Path(scratch)), study.row_requests["lookalikes"]).table


def private(study: Study, table: FeatureTable, noise: Any = discrete_gaussian) -> FloatArray:
    """Logits of all customers on the day of the test, by a private model of the day before."""
    parts = [table.take(np.arange(len(table)) % HOLDERS == number) for number in range(HOLDERS)]
    prices = plan(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        mechanism = planned_mechanism(study, prices["lookalikes", title], statistic, holders=HOLDERS)
        total = np.zeros(statistic.dim, dtype=np.int64)
        for part in parts:
            total += statistic.encode_sum(part) + noise(mechanism.holder_scale, statistic.dim)
        return Noisy(array=total, deviation=mechanism.released_deviation)

    return np.asarray(logits_of(train(study, ask).model, table, TEST) / LOGIT)


def figures(scores: FloatArray, outcome: FloatArray) -> tuple[float, float]:
    """AUC, and the share with the outcome among the tenth with the highest scores."""
    best = np.argsort(-scores, kind="stable")[: max(1, round(_LISTED * len(scores)))]
    return auc(scores, outcome), float(outcome[best].mean())


def rows(case: Case, seeds: int) -> Iterator[str]:
    """Lines of Markdown."""
    table, study = customers_of(case), study_of(case)
    who = {day: np.flatnonzero((table.eligible[:, day] == 1) & (table.outcome[:, day] >= 0)) for day in (EARLIER, TEST)}
    outcome = table.outcome[who[TEST], TEST]
    name = case.kind.get("category") or f"spend {case.kind['spend']}"
    head = f"| {case.shop.name}, {name} | {len(outcome):,} | {outcome.mean():.3f} "
    spend = table.values[who[TEST], TEST, table.names.index("money_365")].astype(np.float64)
    features = study.scaled(study.lookalikes.features)
    inputs = {day: table.scaled(features, day)[who[day]] / UNIT for day in who}
    pooled = fit_logistic(inputs[EARLIER], table.outcome[who[EARLIER], EARLIER])(inputs[TEST])
    formula = logits_of(formula_of(study), table, TEST)[who[TEST]] / LOGIT
    for by, scores in (("spend in a year", spend), ("public formula", formula), ("regression without privacy", pooled)):
        area, listed = figures(scores, outcome)
        yield head + f"| {by} | | {area:.4f} | {100 * listed:.1f} | | |"
    for epsilon in EPSILONS:
        found, refused = [], 0
        for _ in range(seeds):
            try:
                scores = private(study_of(case, epsilon), table)[who[TEST]]
            except DataError:
                refused += 1
                continue
            found.append((*figures(scores, outcome), float((1 / (1 + np.exp(-scores))).mean() - outcome.mean())))
        cells = ["-", "-", "-"]
        if found:
            area, listed, level = (statistics.median(column) for column in zip(*found, strict=True))
            cells = [f"{area:.4f}", f"{100 * listed:.1f}", f"{level:+.3f}"]
        yield head + f"| private | {epsilon} | {' | '.join(cells)} | {refused} |"


def fitted(case: Case) -> Iterator[str]:
    """A line for each day of a case by spend: the formula's constants fitted to it alone."""
    if "category" in case.kind:
        return
    table = customers_of(case)
    for day in (EARLIER, TEST):
        who = np.flatnonzero((table.eligible[:, day] == 1) & (table.outcome[:, day] >= 0))
        outcome = table.outcome[who, day]
        spend, recency = (table.values[who, day, table.names.index(name)] for name in ("money_365", "recency_days"))
        reached = (np.maximum(spend, 0) + 100) * 90 / 365 / (100 * case.kind["spend"])
        inputs = np.stack([np.ones(len(who)), np.log(reached), recency / 90], axis=1)

        def loss(weights: FloatArray, inputs: FloatArray = inputs, outcome: Any = outcome) -> float:
            logits = inputs @ weights
            return float(np.logaddexp(0, logits).sum() - (outcome * logits).sum())

        level, slope, late = minimize(loss, [0.0, 1.0, 0.0]).x
        yield f"{case.shop.name}, {case.kind['spend']}, day {day}: {level:+.2f} {slope:+.2f} {late:+.2f}"


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--fit", action="store_true", help="fit the public formula's constants, and nothing else")
    options = parser.parse_args()
    if options.fit:
        for case in cases(options.data):
            if Path(case.shop.source.url).exists():
                print(*fitted(case), sep="\n")
        return
    print("| shop, kind | customers | share | by | epsilon | AUC | list | level | refused |\n|" + "---|" * 9)
    for case in cases(options.data):
        if Path(case.shop.source.url).exists():
            for line in rows(case, options.seeds):
                print(line, flush=True)


if __name__ == "__main__":
    main()
