"""Customers and private clusters of them, without messages: what ``clusters.py`` measures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rfm_accuracy import Noisy

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import CustomerFeatures, build_features
from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.options import KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.kernel.features import UNIT, FeatureName, FeatureTable
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.clusters import run as clusters
from server.running.planning import plan, planned_mechanism

TABLE = Path("online_retail_ii") / "online_retail_ii.parquet"
AS_OF = dt.date(2011, 12, 10)
HOLDERS, COLLUDING, DELTA = 3, 1, 1e-6
RFM: tuple[FeatureName, ...] = ("recency_days", "orders", "money")
TEN: tuple[FeatureName, ...] = (
    *RFM, "order_value", "tenure_days", "interval_days", "interval_spread", "basket", "return_share", "evening_share",
)  # fmt: skip
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Sampler = Callable[[int, int], IntArray]


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


def reference_study(  # noqa: PLR0913  what studies differ in
    k: int,
    *,
    epsilon: str = "1",
    features: tuple[FeatureName, ...] = RFM,
    as_of: dt.date = AS_OF,
    spare_attempts: int = 1,
    centres: KnownClusters | str = "new",
    ranges: str = "public",
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
            "clusters": {"k": k, "features": features, "centres": centres, "ranges": ranges},
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
