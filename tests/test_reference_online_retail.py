"""The customer table and the segment map against a published RFM table of Online Retail II, second sheet."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.customers import CustomerTable, build_customer_table
from privacy.analyses.rfm.segments import SCHEMES, segments_of_scores
from privacy.protocol.study import Study

#: The recipe: second sheet, rows complete in every column, positive quantity, no cancellations, nothing deduplicated.
SHEET = "sheet = '2010-2011' and description is not null and country is not null"
STUDY = Study.model_validate(
    {
        "name": "reference",
        "as_of": dt.date(2011, 12, 11),
        "currency": "GBP",
        "budget": {"epsilon": "1"},
        "cleaning": {"cancellation_prefix": "C", "duplicates": "keep", "returns": "drop"},
    }
)
#: The published table's names for two segments.
RENAMED = {"at_Risk": "at_risk", "cant_loose": "cant_lose"}


def table_of(data_folder: Path, where: str = SHEET) -> CustomerTable:
    config = HolderConfig.model_validate(
        {
            "holder": "gifts",
            "source": {"url": "online_retail_ii/online_retail_ii.parquet", "currency_code": "GBP", "where": where},
            "columns": {
                "customer": "customer_id",
                "order": "invoice",
                "time": "invoice_date",
                "quantity": "quantity",
                "price": "price",
                "product": "stock_code",
            },
        }
    )
    return build_customer_table(Origin(config, STUDY, data_folder))


@pytest.fixture(scope="module")
def ours(data_folder) -> CustomerTable:
    return table_of(data_folder)


@pytest.fixture(scope="module")
def published(data_folder) -> pd.DataFrame:
    return pd.read_parquet(data_folder / "reference" / "online_retail_ii_2010_2011_rfm.parquet")


@pytest.fixture(scope="module")
def answer(data_folder) -> dict:
    return json.loads((data_folder / "reference" / "answer_online_retail_ii_2010_2011.json").read_text())


def test_customers_and_invoices(ours, answer):
    assert len(ours) == answer["customers"] == 4339
    assert int(ours.columns.orders.sum()) == answer["invoices"] == 18_536


def test_every_customer_to_the_cent(ours, published):
    reference = published.assign(customer_id=published["customer_id"].astype(str)).sort_values("customer_id")
    assert ours.ids.tolist() == reference["customer_id"].tolist()
    np.testing.assert_array_equal(ours.columns.recency_days, reference["recency"])
    np.testing.assert_array_equal(ours.columns.orders, reference["frequency"])
    difference = ours.columns.money / 100 - reference["monetary"].to_numpy()
    assert np.abs(difference).max() <= 0.005 + 1e-9


def test_three_holders_hold_together_what_one_held(data_folder, ours):
    parts = [table_of(data_folder, f"{SHEET} and hash(customer_id) % 3 = {part}") for part in range(3)]
    assert all(len(part) > 1000 for part in parts)
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids)
    assert ids[order].tolist() == ours.ids.tolist()
    for name in ("recency_days", "orders", "money", "tenure_days"):
        together = np.concatenate([getattr(part.columns, name) for part in parts])[order]
        np.testing.assert_array_equal(together, getattr(ours.columns, name))


def test_the_ten_segments_are_the_published_ones(ours, published, answer):
    by_id = published.assign(customer_id=published["customer_id"].astype(str)).set_index("customer_id").loc[ours.ids]
    index = segments_of_scores("ten", by_id["R"].to_numpy().astype(np.int64), by_id["F"].to_numpy().astype(np.int64))
    codes = [segment.code for segment in SCHEMES["ten"].segments(None)]
    assert sorted(codes) == sorted(RENAMED.get(item["seg"], item["seg"]) for item in answer["segments"])
    for item in answer["segments"]:
        members = index == codes.index(RENAMED.get(item["seg"], item["seg"]))
        assert members.sum() == item["n"], item["seg"]
        columns = ours.columns.take(members)
        means = (columns.recency_days.mean(), columns.orders.mean(), (columns.money / 100).mean())
        # The published means have six decimals; money agrees to half a cent a customer.
        assert means[0] == pytest.approx(item["recency"], abs=1e-6), item["seg"]
        assert means[1] == pytest.approx(item["frequency"], abs=1e-6), item["seg"]
        assert means[2] == pytest.approx(item["monetary"], abs=0.005), item["seg"]
