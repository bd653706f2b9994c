"""Tables against answers that others have: attribution of 19,785 conversions, and Online Retail II in pandas."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.tables.exact import exact_of
from analyses.tables.examples import study_of
from numpy.typing import NDArray

from clients.data.config import HolderConfig
from privacy.analyses.tables.results import TablesResult
from privacy.analyses.tables.statuses import status_cuts
from privacy.protocol.study import Study
from server.analyses.tables.catalogue import tables_of


def matrix(result: TablesResult, table: int, measure: int, columns: int) -> NDArray[np.float64]:
    return np.array(result.tables[table].measures[measure].values).reshape(-1, columns)


# --- attribution ---------------------------------------------------------------------------------------------------

#: Money is kept in thousandths of what the paths have, so that rounding to cents does not show.
FINE = 1000


@pytest.fixture(scope="module")
def attributed(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Conversions and value by channel and model, each conversion a customer with the touches of its path."""
    base = tmp_path_factory.mktemp("paths")
    paths = pd.read_parquet(data_folder / "channel_paths" / "path_data.parquet")
    paths = paths[paths["total_conversions"] > 0].reset_index(drop=True)
    each = paths.loc[paths.index.repeat(paths["total_conversions"])]
    each = each.assign(value=each["total_conversion_value"] / each["total_conversions"]).reset_index(drop=True)
    each.index += 1  # an id of 0 is none
    bought = pd.Timestamp("2024-12-20 12:00")
    orders = pd.DataFrame(
        {"customer": each.index, "order": each.index, "time": bought, "amount": (each["value"] * FINE).round(4)}
    )
    steps = each["path"].str.split(" > ").explode()
    before = steps.groupby(level=0).cumcount(ascending=False) + 1
    touches = pd.DataFrame(
        {"customer": steps.index, "time": bought - pd.to_timedelta(before, unit="min"), "channel": steps.to_numpy()}
    )
    orders.to_parquet(base / "sales.parquet", index=False)
    touches.to_parquet(base / "touches.parquet", index=False)
    config = HolderConfig.model_validate(
        {
            "holder": "shop",
            "source": {"url": "sales.parquet", "currency_code": "EUR"},
            "columns": {"customer": "customer", "order": "order", "time": "time", "amount": "amount"},
            "events": {
                "touch": {
                    "url": "touches.parquet",
                    "columns": {"customer": "customer", "time": "time", "channel": "channel"},
                }
            },
        }
    )
    reference = pd.read_csv(data_folder / "reference" / "channel_attribution_heuristics.csv", index_col=0)
    table: dict[str, Any] = {
        "name": "attribution",
        "by": [
            {"dimension": "touch.model", "keys": ["first", "last", "linear"]},
            {"dimension": "touch.channel", "keys": list(reference.index)},
        ],
        "events": {"of": "conversion", "which": "latest", "most_touches": 1000},
        "usual_cells": 3,
        "measure": [
            {"name": "conversions", "of": "weight"},
            {"name": "value", "of": "weight * order.amount", "cap": 200 * FINE},
        ],
    }
    found = exact_of(study_of(table), config, base)
    columns = {}
    for measure, name, unit in ((0, "conv", 1), (1, "value", FINE)):
        for model, row in zip(("first", "last", "linear"), matrix(found, 0, measure, 13), strict=True):
            assert row[12] == pytest.approx(0, abs=0.01), "no other channel"
            columns[f"{model}_{name}"] = row[:12] / unit
    return pd.DataFrame(columns, index=reference.index)


def test_attribution_equals_the_reference(attributed: pd.DataFrame, data_folder: Path) -> None:
    reference = pd.read_csv(data_folder / "reference" / "channel_attribution_heuristics.csv", index_col=0)
    for column in reference.columns:
        tolerance = 0.05 if column.endswith("conv") else 0.2
        assert np.allclose(attributed[column], reference[column], atol=tolerance), column
    assert attributed["linear_conv"].sum() == pytest.approx(19_785, abs=0.1)


# --- Online Retail II ----------------------------------------------------------------------------------------------

AS_OF = dt.date(2011, 12, 1)


@pytest.fixture(scope="module")
def lines(data_folder: Path) -> pd.DataFrame:
    """Purchase lines as the study's rules take them."""
    rows = pd.read_parquet(data_folder / "online_retail_ii" / "online_retail_ii.parquet")
    rows = rows[~rows["overlap_repeat"] & rows["customer_id"].notna()]
    rows = rows[(rows["quantity"] > 0) & (rows["price"] >= 0) & ~rows["invoice"].astype(str).str.startswith("C")]
    rows = rows[pd.to_datetime(rows["invoice_date"]) < pd.Timestamp(AS_OF)]
    return rows.assign(amount=rows["quantity"] * rows["price"], time=pd.to_datetime(rows["invoice_date"]))


@pytest.fixture(scope="module")
def retail(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> TablesResult:
    study = Study.model_validate(
        {
            "name": "retail", "as_of": AS_OF, "currency": "GBP", "analyses": ("tables",), "budget": {"epsilon": "1"},
            "cleaning": {"cancellation_prefix": "C", "duplicates": "keep", "returns": "drop"},
        }
    )  # fmt: skip
    tables = [tables_of(name, study)[0] for name in ("retention", "second_purchase", "ltv_by_cohort")]
    ltv = tables[2].model_copy(
        update={"measure": tuple(m.model_copy(update={"cap": m.cap and 2_000_000}) for m in tables[2].measure)}
    )
    study = study.model_copy(update={"tables": study.tables.model_copy(update={"table": (*tables[:2], ltv)})})  # type: ignore[attr-defined]
    config = HolderConfig.model_validate(
        {
            "holder": "gifts",
            "source": {"url": "lines.parquet", "currency_code": "GBP", "where": "not overlap_repeat"},
            "columns": {
                "customer": "customer_id",
                "order": "invoice",
                "time": "invoice_date",
                "quantity": "quantity",
                "price": "price",
            },
        }
    )
    base = tmp_path_factory.mktemp("retail")
    (base / "lines.parquet").symlink_to(data_folder / "online_retail_ii" / "online_retail_ii.parquet")
    return exact_of(study, config, base)


def firsts_of(lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    orders = lines.groupby(["customer_id", "invoice"])["time"].min().reset_index()
    return orders, orders.groupby("customer_id")["time"].min()


def months(times: pd.Series) -> pd.Series:
    return times.dt.year * 12 + times.dt.month


def test_retention_is_that_of_pandas(retail: TablesResult, lines: pd.DataFrame) -> None:
    orders, first = firsts_of(lines)
    cohort = months(orders["customer_id"].map(first))
    since = months(orders["time"]) - cohort
    seen = pd.DataFrame({"customer": orders["customer_id"], "cohort": cohort, "since": since}).drop_duplicates()
    end = AS_OF.year * 12 + AS_OF.month
    expected = [[int(((seen["cohort"] == end - 12 + i) & (seen["since"] == m)).sum()) for m in range(12)]
                for i in range(12)]  # fmt: skip
    assert np.allclose(matrix(retail, 0, 0, 12), expected, atol=0.01)
    assert np.sum(expected) > 3000


def test_second_orders_are_those_of_pandas(retail: TablesResult, lines: pd.DataFrame) -> None:
    orders, _ = firsts_of(lines)
    ordered = orders.sort_values(["customer_id", "time", "invoice"])
    day = ordered["time"].dt.normalize()
    place = ordered.groupby("customer_id").cumcount()
    days = pd.DataFrame({"customer": ordered["customer_id"], "place": place, "day": day})
    one = days[days["place"] == 0].set_index("customer")["day"]
    two = days[days["place"] == 1].set_index("customer")["day"].reindex(one.index)
    wait = (two.fillna(pd.Timestamp(AS_OF)) - one).dt.days
    bins = np.searchsorted([7, 14, 30, 60, 90, 180, 365], wait)
    expected = [np.bincount(bins[mask], minlength=8) for mask in (two.notna(), two.isna())]
    assert np.allclose(matrix(retail, 1, 0, 8), expected, atol=0.01)


def test_spend_of_the_first_half_year_is_that_of_pandas(retail: TablesResult, lines: pd.DataFrame) -> None:
    _, first = firsts_of(lines)
    lines = lines.assign(first=lines["customer_id"].map(first).dt.normalize())
    begun = lines.groupby(["customer_id", "invoice"])["time"].transform("min")
    early = lines[(begun.dt.normalize() - lines["first"]).dt.days < 180]
    tenure = (pd.Timestamp(AS_OF) - first).dt.days
    spend = early.groupby("customer_id")["amount"].sum()[tenure >= 180]
    quarter = (months(first[tenure >= 180]) - 1) // 3
    last = (AS_OF.year * 12 + AS_OF.month - 1) // 3 - 1
    expected = [spend[(quarter == last - 7 + i).reindex(spend.index)].sum() for i in range(8)]
    assert np.allclose(matrix(retail, 2, 2, 1)[:, 0], expected, rtol=1e-4, atol=1.0)


def test_status_is_cut_where_the_real_customers_come_back(retail: TablesResult, lines: pd.DataFrame) -> None:
    """Beside the same quantiles of a life table by single days (Kaplan and Meier), which bins of months are near to."""
    orders, _ = firsts_of(lines)
    ordered = orders.sort_values(["customer_id", "time", "invoice"])
    day, place = ordered["time"].dt.normalize(), ordered.groupby("customer_id").cumcount()
    one = day[place == 0].to_numpy()
    two = pd.Series(day[place == 1].to_numpy(), ordered.loc[place == 1, "customer_id"])
    two = two.reindex(ordered.loc[place == 0, "customer_id"]).to_numpy()
    again = ~np.isnat(two)
    wait = np.where(again, two - one, np.datetime64(AS_OF) - one).astype("timedelta64[D]").astype(int)
    stay = np.cumprod([1 - np.sum(again & (wait == d)) / max(np.sum(wait >= d), 1) for d in range(366)])
    expected = [int(np.argmax(1 - stay >= part * (1 - stay[365]))) for part in (0.5, 0.75, 0.9)]
    found = status_cuts(retail.tables[1])
    assert found is not None
    assert [found.active, found.sleeping, found.lapsing] == pytest.approx(expected, abs=4)
