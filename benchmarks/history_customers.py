"""Customers of two shops at a day, and what they bought afterwards: what ``history.py`` measures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from churn_customers import HOLDERS
from rfm_accuracy import Noisy
from scipy.optimize import minimize

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.analyses.catalogue import RECIPES
from clients.data.columns import Columns
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.place import Source
from clients.data.rows.features import build_features
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.buying import Bought, BuyingModel, FloatArray
from privacy.analyses.history.history_cells import purchases
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING, FeatureTable, IntArray
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.history.fit import USUAL, model_at
from server.running.planning import planned_mechanism
from server.running.reserve import Reserve

#: Days after the day for which it is said who buys.
DATES = (30, 90, 180)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """One shop, and what is asked of it.

    Attributes:
        ahead: days for which purchases are foretold.
        cap: of the mean spend on a day of purchase, whole units.
    """

    name: str
    config: HolderConfig
    cutoff: dt.date
    currency: str
    window_days: int
    ahead: int
    cap: int

    def study(self, epsilon: str = "1", *, cutoff: dt.date | None = None, cap: int | None = None) -> Study:
        """The study as of the cutoff."""
        return Study.model_validate(
            {
                "name": "history-accuracy",
                "as_of": cutoff or self.cutoff,
                "analyses": ["history"],
                "currency": self.currency,
                "cleaning": {"cancellation_prefix": "C"},
                "budget": {"epsilon": epsilon, "delta": "0.000001", "max_holders_per_customer": 1},
                "history": {
                    "window_days": self.window_days,
                    "horizons": sorted({*DATES, self.ahead}),
                    "value_cap": self.cap if cap is None else cap,
                },
            }
        )


def shops(data: Path) -> tuple[Shop, Shop]:
    """Online Retail II, and the CDNOW sample."""
    retail = HolderConfig(
        holder="shop",
        source=Source(
            url=str(data / "online_retail_ii" / "online_retail_ii.parquet"),
            where="not overlap_repeat",
            currency_code="GBP",
        ),
        columns=Columns(
            customer="customer_id", order="invoice", time="invoice_date", quantity="quantity", price="price",
            product="stock_code",
        ),
    )  # fmt: skip
    cdnow = HolderConfig(
        holder="shop",
        source=Source(url=str(data / "cdnow_sample" / "cdnow_sample.parquet"), currency_code="USD"),
        columns=Columns(customer="sample_id", time="date", amount="value"),
    )
    return (
        Shop(name="online_retail_ii", config=retail, cutoff=dt.date(2011, 6, 12), currency="GBP", window_days=560,
             ahead=182, cap=2_000),
        Shop(name="cdnow_sample", config=cdnow, cutoff=dt.date(1997, 9, 30), currency="USD", window_days=280,
             ahead=273, cap=200),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A shop's customers at a day, and what came after.

    Attributes:
        table: features of the day, as the study has them.
        bought: the same as the formulas have them; of all customers.
        came: days of purchase in so many days afterwards, by the number of days.
        spent: spend in the same time, whole units.
    """

    shop: Shop
    table: FeatureTable
    bought: Bought
    came: dict[int, FloatArray]
    spent: dict[int, FloatArray]

    def holders(self) -> list[FeatureTable]:
        """The customers, divided among three holders."""
        return [self.table.take(slice(number, None, HOLDERS)) for number in range(HOLDERS)]


def case(shop: Shop, data: Path, cutoff: dt.date | None = None) -> Case:
    """Everything by the product's own features: of the day, and of later ones for what came."""
    day = cutoff or shop.cutoff
    later = [day + dt.timedelta(days=days) for days in sorted({*DATES, shop.ahead})]
    own = shop.study(cutoff=day).of(CONTRACT).request(day)
    seen = shop.study(cutoff=later[-1])
    request = FeatureRequest(names=(*own.names, "money"), days=(day, *later))
    found = build_features(Origin(shop.config, seen, data, RECIPES), request).table
    known = found.values[:, 0, 0] != MISSING
    values = found.values[known]
    days_bought, money = values[:, :, 0], values[:, :, len(own.names)]
    table = FeatureTable(
        names=own.names,
        values=np.ascontiguousarray(values[:, :1, : len(own.names)]),
        eligible=np.ones((len(values), 1), dtype=np.int64),
        outcome=np.full((len(values), 1), -1, dtype=np.int64),
    )
    spans = [(after - day).days for after in later]
    return Case(
        shop=shop,
        table=table,
        bought=bought_of(table),
        came={span: (days_bought[:, i] - days_bought[:, 0]).astype(float) for i, span in enumerate(spans, start=1)},
        spent={span: (money[:, i] - money[:, 0]) / 100 for i, span in enumerate(spans, start=1)},
    )


def bought_of(table: FeatureTable) -> Bought:
    """All customers of a table of one day."""
    further, last, tenure, _ = purchases(table, 0)
    return Bought(*(part.astype(np.float64) for part in (further, last, tenure)))


def fit_pooled(bought: Bought, *, family: Any = "mbg") -> BuyingModel:
    """Maximum likelihood of all customers together, without privacy: the ceiling."""

    def loss(point: FloatArray) -> float:
        return float(-model_at(family, point).log_likelihood(bought).mean())

    return model_at(family, np.asarray(minimize(loss, USUAL, method="L-BFGS-B", bounds=[(-6, 8)] * 4).x))


def asking(study: Study, tables: Sequence[FeatureTable], *, again: bool = False) -> Any:
    """Answers as holders and coordinator make them, without messages; first answers only, or with the reserve's."""
    reserve = Reserve.of(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        price = reserve.prices["history", title]
        if again:
            price += reserve.undisturbed()["history", title]
        mechanism = planned_mechanism(study, price, statistic, holders=len(tables))
        total: IntArray = np.zeros(statistic.dim, dtype=np.int64)
        for table in tables:
            total += statistic.encode_sum(table) + discrete_gaussian(mechanism.holder_scale, statistic.dim)
        return Noisy(array=total, deviation=mechanism.released_deviation)

    return ask
