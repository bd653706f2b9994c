"""Customers, and models trained on them without messages: what ``churn.py`` measures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rfm_accuracy import Noisy
from scipy.stats import rankdata

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import CustomerFeatures, build_features
from privacy.kernel.features import FeatureName, FeatureTable
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.models.scorers import ChurnModel
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.aggregation.noise import central_noise
from server.analyses.churn.run import train
from server.analysis import Ask
from server.running.planning import plan, planned_mechanism
from server.training.foundation import Trained

TABLE = Path("online_retail_ii") / "online_retail_ii.parquet"
CUTOFF = dt.date(2011, 6, 12)
HORIZONS = (90, 180)
#: (placement, mechanism) of the study.
PLACES = (("distributed", "integer"), ("central", "integer"), ("central", "opacus"), ("local", "integer"))
HOLDERS, FOLDS, SEEDS = 3, 5, 10

#: Days of a feature table: the one to train on for the out-of-time test, and the cutoff itself.
EARLIER, AT = 0, 1
RFM: tuple[FeatureName, ...] = ("recency_days", "orders", "money")
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Sampler = Callable[[int, int], IntArray]


@dataclass(frozen=True, kw_only=True)
class Customers:
    """All customers of the shop, and the holders that they are divided among.

    Attributes:
        table: their features one horizon before the cutoff (``EARLIER``) and at the cutoff (``AT``).
        split: name to the number of each customer's holder, shape ``(customers,)``.
    """

    table: FeatureTable
    split: Mapping[str, IntArray]

    def counting(self, day: int) -> IntArray:
        """Positions of the customers that count on a day."""
        return np.flatnonzero(self.table.eligible[:, day] == 1)


def reference_study(
    horizon: int,
    *,
    family: str = "logistic",
    epsilon: str = "1",
    place: tuple[str, str] = PLACES[0],
    active_days: int = 36_600,
) -> Study:
    """A study of the shop: one horizon before the as-of day is the cutoff, and training one horizon before that."""
    return Study.model_validate(
        {
            "name": "churn-accuracy",
            "as_of": CUTOFF + dt.timedelta(days=horizon),
            "analyses": ["churn"],
            "currency": "GBP",
            "placement": place[0],
            "mechanism": place[1],
            "cleaning": {"cancellation_prefix": "C"},
            "budget": {"epsilon": epsilon, "delta": "0.000001", "max_holders_per_customer": 1},
            "churn": {"model": family, "horizon_days": horizon, "active_days": active_days},
        }
    )


def load_customers(folder: Path, horizon: int, *, active_days: int = 36_600) -> Customers:
    """Compute the features as a holder does, and divide the customers among three holders in three ways.

    ``number``: by customer number; ``country``: the United Kingdom, Germany and France, all others; ``tenure``: by
    thirds of the time since the first purchase.
    """
    study = reference_study(horizon, active_days=active_days)
    config = HolderConfig(
        holder="shop",
        source=Source(url=str(folder / TABLE), where="not overlap_repeat", currency_code="GBP"),
        columns=Columns(
            customer="customer_id", order="invoice", time="invoice_date", quantity="quantity", price="price",
            product="stock_code",
        ),
    )  # fmt: skip
    found = build_features(Origin(config, study, folder), study.row_requests["churn"])
    tenure = found.table.values[:, AT, found.table.names.index("tenure_days")]
    thirds = np.quantile(tenure[found.table.eligible[:, AT] == 1], [1 / 3, 2 / 3])
    return Customers(
        table=found.table,
        split={
            "number": np.array([int(item) % HOLDERS for item in found.ids], dtype=np.int64),
            "country": _regions(folder, found),
            "tenure": np.searchsorted(thirds, tenure).astype(np.int64),
        },
    )


def _regions(folder: Path, found: CustomerFeatures) -> IntArray:
    sales = pd.read_parquet(folder / TABLE, columns=["customer_id", "country"]).dropna()
    country = sales.drop_duplicates("customer_id").set_index("customer_id")["country"]
    country.index = country.index.astype("int64").astype(str)
    region = country.map({"United Kingdom": 0, "Germany": 1, "France": 1}).fillna(2).astype("int64")
    return np.asarray(region.reindex(pd.Index(found.ids)).to_numpy(), dtype=np.int64)


def train_directly(
    study: Study, tables: Sequence[FeatureTable], *, day: int, sampler: Sampler = discrete_gaussian
) -> ChurnModel:
    """The model of :func:`trained_directly`."""
    return trained_directly(study, tables, day=day, sampler=sampler).model


def trained_directly(
    study: Study, tables: Sequence[FeatureTable], *, day: int, sampler: Sampler = discrete_gaussian
) -> Trained[ChurnModel]:
    """The study's training over holders' tables, with the product's noise but without messages."""
    return train(study, (day,), asking(study, tables, sampler))


def asking(study: Study, tables: Sequence[FeatureTable], sampler: Sampler = discrete_gaussian) -> Ask:
    """How a training asks holders' tables: at the study's prices, with the product's noise but without messages."""
    prices = plan(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        mechanism = planned_mechanism(study, prices["churn", title], statistic, holders=len(tables))
        total = np.zeros(statistic.dim, dtype=np.int64)
        for table in tables:
            total += statistic.encode_sum(table)
            if mechanism.holder_scale:
                total += sampler(mechanism.holder_scale, statistic.dim)
        if mechanism.placement == "central":
            total += central_noise(mechanism, statistic.dim)
        return Noisy(array=total, deviation=mechanism.released_deviation)

    return ask


def divided(customers: Customers, index: IntArray, split: str) -> list[FeatureTable]:
    """Some of the customers, by holder."""
    holder = customers.split[split][index]
    return [customers.table.take(index[holder == number]) for number in range(HOLDERS)]


def auc(scores: NDArray[Any], outcome: IntArray) -> float:
    """Area under the curve from ranks; ties count half."""
    churned = int(outcome.sum())
    other = len(outcome) - churned
    return float((rankdata(scores)[outcome == 1].sum() - churned * (churned + 1) / 2) / (churned * other))
