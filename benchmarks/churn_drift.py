"""Whether the alarm comes where behaviour has changed and stays away where nothing has, and what a correction is worth.

Run ``python benchmarks/churn_drift.py`` (four minutes of a core; ``--data FOLDER`` for another copy of the data).

*Alarms*: from a generated shop without seasons (``simulations/worlds/drifting.py``) shops of so many customers who
count are drawn. Each trains ``model = "prior"`` and tests it before the day of the change, and one study later tests
the same model again on outcomes after it; questions, prices and noise are the product's. ``alarms`` are shares of the
runs, of all kinds, and by kind; without a change at most 5% may be there, whatever the budget.

*Probabilities*: of real shops, a horizon after the test, when the holders' scores have come true: mean distance of
what was predicted and what came of all customers together, and the Brier score, of the model's own probabilities and of
those that holders show.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
from churn_customers import HOLDERS
from churn_ranking import shops
from rfm_accuracy import Noisy, default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.analyses.churn.bands import CERTAIN
from clients.analyses.churn.scoring import probabilities
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import build_features
from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.ageing import Ageing, ageing
from privacy.analyses.churn.results import ChurnResult
from privacy.errors import DataError
from privacy.kernel.features import FeatureTable
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.models.scorers import logits_of
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.churn.earlier import known_model
from server.analyses.churn.run import run
from server.running.planning import plan, planned_mechanism
from simulations.worlds.drifting import Drift, drifting_orders

HORIZON = 90
CHANGE = dt.date(2024, 7, 1)
PEOPLE, SHOPS, EPSILONS, RUNS = 300_000, (2_000, 5_000), ("0.5", "1", "4"), 200
HORIZONS = (30, 60, 90)
#: First days of scores, by shop.
EARLIEST = {"online_retail_ii": dt.date(2010, 12, 1), "cdnow_sample": dt.date(1997, 8, 1)}


def study_of(as_of: dt.date, epsilon: str, currency: str = "EUR", **churn: Any) -> Study:
    """A churn study of three holders, of which one may collude."""
    return Study.model_validate(
        {
            "name": "drift", "as_of": as_of, "analyses": ["churn"], "currency": currency,
            "cleaning": {"cancellation_prefix": "C"} if currency == "GBP" else {},
            "budget": {"epsilon": epsilon, "delta": "0.000001", "max_holders_per_customer": 1},
            "churn": {"model": "prior", "horizon_days": HORIZON} | churn,
        }
    )  # fmt: skip


def result_of(study: Study, table: FeatureTable) -> ChurnResult:
    """A study over three holders' tables, with the product's noise but without messages.

    Raises:
        DataError: as the study's run.
    """
    prices = plan(study)
    parts = [table.take(np.flatnonzero(np.arange(len(table)) % HOLDERS == number)) for number in range(HOLDERS)]

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        mechanism = planned_mechanism(study, prices["churn", title], statistic, holders=HOLDERS)
        total = sum(part_of(statistic, part, mechanism.holder_scale) for part in parts)
        return Noisy(array=total, deviation=mechanism.released_deviation)

    return run(study, ask, lambda title, statistic: None)  # type: ignore[arg-type,return-value]


def part_of(statistic: Statistic[Any], table: FeatureTable, scale: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What one holder adds."""
    found = statistic.encode_sum(table)
    return found + discrete_gaussian(scale, statistic.dim)


def at_days(table: FeatureTable, first: int, count: int) -> FeatureTable:
    """The table at some of its days, which follow each other."""
    days = slice(first, first + count)
    return dataclasses.replace(
        table, values=table.values[:, days], eligible=table.eligible[:, days], outcome=table.outcome[:, days]
    )


def world(drift: Drift, people: int, seed: int) -> FeatureTable:
    """Customers of a generated shop at four days: training, first test, second test, and a horizon after that."""
    days = tuple(CHANGE + dt.timedelta(days=HORIZON * step) for step in (-2, -1, 0, 1))
    study = study_of(days[-1], "1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.parquet"
        orders = drifting_orders(np.random.default_rng(seed), customers=people, day=CHANGE, drift=drift)
        orders.to_parquet(path)
        config = HolderConfig(
            holder="shop",
            source=Source(url=str(path), currency_code="EUR"),
            columns=Columns(customer="customer", order="order", time="time", amount="amount"),
        )
        request = study.of(CONTRACT).request(study.as_of).model_copy(update={"days": days})
        return build_features(Origin(config, study, Path(folder)), request).table


def pairs(table: FeatureTable, epsilon: str, shop: int, runs: int) -> Iterator[Ageing | None]:
    """Second tests against first ones, each of a new shop drawn from the world; None where nothing can be said."""
    rng = np.random.default_rng(1)
    people = round(shop * len(table) / (table.eligible[:, 2] == 1).sum())
    for _ in range(runs):
        own = table.take(np.sort(rng.choice(len(table), people, replace=False)))
        try:
            first = result_of(study_of(CHANGE, epsilon), at_days(own, 0, 3))
            known = known_model(first, "drift")
            names = tuple(feature.name for feature in known.model.features)
            again = study_of(CHANGE + dt.timedelta(days=HORIZON), epsilon, model=known, features=names)
            second = result_of(again, at_days(own, 2, 2))
        except DataError:
            yield None
            continue
        yield ageing(second.test, second.tests)


def alarms(runs: int, people: int) -> None:
    """Print how often the alarm comes."""
    print("| world | customers | epsilon | alarms | list or AUC fell | level moved | AUC, mean change | refused |")
    print("|---|---|---|---|---|---|---|---|")
    for drift in get_args(Drift):
        table = world(drift, people, 11)
        for shop in SHOPS:
            for epsilon in EPSILONS:
                tried = list(pairs(table, epsilon, shop, runs))
                found = [item for item in tried if item is not None]
                kinds = ("alarm", "ranks_worse", "has_moved")
                said = [np.mean([getattr(item, name) for item in found]) for name in kinds]
                change = np.mean([item.auc.value for item in found])
                cells = [drift, f"{shop:,}", epsilon, *(f"{share:.3f}" for share in said), f"{change:+.3f}"]
                print("| " + " | ".join([*cells, str(len(tried) - len(found))]) + " |", flush=True)


def cases(folder: Path) -> Iterator[tuple[str, Study, FeatureTable]]:
    """Two real shops every 30 days, as long as the scores have come true."""
    for shop in shops(folder):
        for horizon in HORIZONS:
            day = shop.as_of - dt.timedelta(days=horizon)
            while day > EARLIEST[shop.name] + dt.timedelta(days=max(0, 2 * horizon - 60)):
                study = study_of(day, "1", "GBP", horizon_days=horizon)
                late = study_of(day + dt.timedelta(days=horizon), "1", "GBP", horizon_days=horizon)
                config = HolderConfig(holder="shop", source=shop.source, columns=shop.columns)
                table = build_features(Origin(config, late, folder), study.of(CONTRACT).request(day)).table
                yield f"{shop.name} {horizon}", study, table
                day -= dt.timedelta(days=30)


def corrections(folder: Path, runs: int) -> None:
    """Print what corrected probabilities are worth a horizon later."""
    found: dict[tuple[str, str], list[list[float]]] = {}
    for name, study, table in cases(folder):
        counts = np.flatnonzero((table.eligible[:, 2] == 1) & (table.outcome[:, 2] >= 0))
        came = table.outcome[counts, 2]
        for epsilon, _ in product(EPSILONS, range(runs)):
            budget = study.budget.model_copy(update={"epsilon": Decimal(epsilon)})
            try:
                churn = result_of(study.model_copy(update={"budget": budget}), table)
            except DataError:
                continue
            logits = logits_of(churn.model, table, 2)[counts]
            both = [probabilities(logits, item) / CERTAIN for item in (None, churn.recalibration)]
            off = [abs(float(item.mean() - came.mean())) for item in both]
            brier = [1000 * float(((item - came) ** 2).mean()) for item in both]
            used = float(churn.recalibration is not None and churn.recalibration.shift != 0)
            found.setdefault((name, epsilon), []).append([used, *off, *brier])
    print("\n| shop, horizon | epsilon | tests | corrected | off by, model / shown | Brier x 1000, model / shown |")
    print("|---|---|---|---|---|---|")
    for (name, epsilon), rows in sorted(found.items()):
        used, model, shown, before, after = np.mean(rows, axis=0)
        cells = [name, epsilon, str(len(rows)), f"{used:.0%}", f"{model:.3f} / {shown:.3f}"]
        cells.append(f"{before:.1f} / {after:.1f}")
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--people", type=int, default=PEOPLE)
    options = parser.parse_args()
    alarms(options.runs, options.people)
    corrections(options.data, max(1, options.runs // 100))


if __name__ == "__main__":
    main()
