"""Tables over public data: the funnel of 12,330 real visits, and portraits of real households, against pandas."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.tables.exact import exact_of
from numpy.typing import NDArray

from clients.data.config import HolderConfig
from privacy.analyses.tables.results import TableFigures
from privacy.protocol.study import Study
from server.analyses.tables.catalogue import written_out


def study_of(as_of: dt.date, *use: str, lists: dict[str, list[str]], change: dict[str, Any] | None = None) -> Study:
    tables = {"use": use, "lists": lists, "change": change or {}, "floor": 0}
    return written_out(
        Study.model_validate({
            "name": "public", "as_of": as_of, "analyses": ("tables",), "currency": "USD",
            "budget": {"epsilon": "1", "size_class": 20_000}, "tables": tables,
        })
    )  # fmt: skip


def figure(table: TableFigures, name: str) -> NDArray[np.float64]:
    points = next(one for one in table.figures if one.name == name).points
    return np.array([np.nan if point.estimate is None else point.estimate.value for point in points])


# --- the funnel ----------------------------------------------------------------------------------------------------

AS_OF = dt.date(2017, 1, 1)
#: Kinds of traffic with 100 visits or more; the rest is "other".
SOURCES = ("1", "2", "3", "4", "5", "6", "8", "10", "11", "13", "20")


@pytest.fixture(scope="module")
def visits(data_folder: Path) -> pd.DataFrame:
    """Each visit is a customer, for the data names none; a page that has been in a paid visit stands for a cart."""
    rows = pd.read_parquet(data_folder / "online_shoppers" / "online_shoppers_intention.parquet")
    stage = np.select(
        [rows["Revenue"], rows["PageValues"] > 0, rows["ProductRelated"] > 0],
        ["ordered", "in_cart", "viewed"],
        "reached",
    )
    time = pd.Timestamp(AS_OF) - pd.to_timedelta(1 + np.arange(len(rows)) % 40_000, unit="min")
    return pd.DataFrame(
        {
            "customer": np.arange(1, len(rows) + 1),
            "time": time,
            "source": rows["TrafficType"].astype(str),
            "stage": stage,
        }
    )


def test_the_funnel_of_real_visits_is_that_of_pandas(visits: pd.DataFrame, tmp_path: Path) -> None:
    visits.to_parquet(tmp_path / "visits.parquet", index=False)
    visits.head(0).assign(order=0, amount=0.0).to_parquet(tmp_path / "sales.parquet", index=False)
    config = HolderConfig.model_validate({
        "holder": "shop", "source": {"url": "sales.parquet", "currency_code": "USD"},
        "columns": {"customer": "customer", "order": "order", "time": "time", "amount": "amount"},
        "events": {"session": {"url": "visits.parquet", "columns": {
            "customer": "customer", "time": "time", "source": "source", "furthest": "stage"}}},
    })  # fmt: skip
    study = study_of(AS_OF, "funnel", lists={"channels": list(SOURCES)})
    (found,) = exact_of(study, config, tmp_path).tables
    stages = ["reached", "viewed", "in_cart", "checkout", "ordered"]
    keys = [*SOURCES, "other"]
    source = visits["source"].where(visits["source"].isin(SOURCES), "other")
    counts = pd.crosstab(source, visits["stage"]).reindex(index=keys, columns=stages, fill_value=0).to_numpy()
    assert np.allclose(found.measures[0].values, counts.ravel(), atol=0.01)
    assert counts.sum() == 12_330
    reached = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    assert np.allclose(figure(found, "conversion"), reached[:, 4] / reached[:, 0], atol=1e-4)
    assert np.allclose(figure(found, "abandonment"), 1 - reached[:, 4] / reached[:, 2], atol=1e-4)
    assert np.allclose(figure(found, "bounce"), 1 - reached[:, 1] / reached[:, 0], atol=1e-4)
    whole = reached.sum(axis=0)
    assert np.allclose(figure(found, "steps"), whole / whole[0], atol=1e-4)
    assert whole[4] == 1908, "the orders that the data is known for"


# --- portraits -----------------------------------------------------------------------------------------------------

YEAR_END = dt.date(2018, 1, 1)
INCOMES = ("Under 15K", "15-24K", "25-34K", "35-49K", "50-74K", "75-99K")
DEPARTMENTS = ("GROCERY", "DRUG GM", "PRODUCE", "MEAT", "DELI", "PASTRY")
AGES = {"19-24": 21, "25-34": 30, "35-44": 40, "45-54": 50, "55-64": 60, "65+": 70}


@pytest.fixture(scope="module")
def households(data_folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Purchase lines with their department, and people with a year of birth inside their age group."""
    folder = data_folder / "complete_journey"
    lines = pd.read_parquet(folder / "transactions_sample.parquet")
    goods = pd.read_parquet(folder / "products.parquet")[["product_id", "department"]]
    lines = lines.merge(goods, on="product_id", how="left")
    lines = lines.rename(columns={"household_id": "customer", "basket_id": "order", "transaction_timestamp": "time"})
    lines = lines[["customer", "order", "time", "sales_value", "department"]]
    people = pd.read_parquet(folder / "demographics.parquet")
    born = people["age"].map(AGES).map(lambda age: None if pd.isna(age) else f"{YEAR_END.year - int(age)}-01-01")
    return lines, pd.DataFrame({"customer": people["household_id"], "born": born, "income": people["income"]})


def test_portraits_of_real_households_are_those_of_pandas(
    households: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    lines, people = households
    lines.to_parquet(tmp_path / "lines.parquet", index=False)
    people.to_parquet(tmp_path / "people.parquet", index=False)
    config = HolderConfig.model_validate({
        "holder": "grocer", "source": {"url": "lines.parquet", "currency_code": "USD"},
        "columns": {"customer": "customer", "order": "order", "time": "time", "amount": "sales_value",
                    "category": "department"},
        "customers": {"url": "people.parquet", "columns": {"customer": "customer", "born": "born", "level": "income"}},
    })  # fmt: skip
    high = {"money": 100_000}
    study = study_of(
        YEAR_END, "profile", "profile_level", "taste_by_age",
        lists={"levels": list(INCOMES), "categories": list(DEPARTMENTS)},
        change={"profile": {"cap": high | {"orders": 1000}}, "profile_level": {"cap": high},
                "taste_by_age": {"cap": high, "usual_cells": 7}},
    )  # fmt: skip
    profile, level, taste = exact_of(study, config, tmp_path).tables
    bought = lines[(lines["sales_value"] >= 0) & (lines["time"] < pd.Timestamp(YEAR_END))].drop_duplicates()
    bought = bought[bought["time"] >= pd.Timestamp(YEAR_END) - pd.Timedelta(days=365)]
    age = pd.to_datetime(people["born"]).map(lambda day: None if pd.isna(day) else YEAR_END.year - day.year)
    known = people.assign(band=np.searchsorted([17, 24, 34, 44, 54, 64], age.fillna(200)), has=age.notna())
    known = known[known["customer"].isin(bought["customer"])].set_index("customer")
    spend, orders = bought.groupby("customer")["sales_value"].sum(), bought.groupby("customer")["order"].nunique()
    with_age = known[known["has"]]
    for measure, of in ((0, None), (1, spend), (2, orders)):
        per = with_age["band"].map(lambda band: 1.0) if of is None else of.reindex(with_age.index)
        expected = per.groupby(with_age["band"]).sum().reindex(range(7), fill_value=0)
        assert np.allclose(profile.measures[measure].values, expected, rtol=1e-3, atol=0.5), measure
    income = people.set_index("customer")["income"].reindex(bought["customer"].unique())  # who is not known is "other"
    income = income.where(income.isin(INCOMES), "other")
    counted = income.value_counts().reindex([*INCOMES, "other"], fill_value=0)
    assert np.allclose(level.measures[0].values, counted, atol=0.01)
    rows = bought.merge(with_age[["band"]], left_on="customer", right_index=True)
    rows = rows.assign(
        age=np.searchsorted([24, 34, 44, 54], np.array([17, 24, 34, 44, 54, 64, 99])[rows["band"]]),
        goods=rows["department"].where(rows["department"].isin(DEPARTMENTS), "other"),
    )
    pairs = rows.groupby(["age", "goods"])["customer"].nunique().unstack(fill_value=0)
    pairs = pairs.reindex(index=range(5), columns=[*DEPARTMENTS, "other"], fill_value=0)
    assert np.allclose(np.array(taste.measures[0].values).reshape(5, -1), pairs, atol=0.01)
    assert pairs.to_numpy().sum() > 2000
