"""Labels: what a holder gets about its own customers."""

from __future__ import annotations

import csv
import datetime as dt
import os
import stat
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clients.data.customer_table import CleaningReport, CustomerTable
from clients.labels import write_labels
from privacy.contract.customers import CustomerColumns
from privacy.contract.segments import SCHEMES, CutPoints, SegmentRules, ThresholdRule
from privacy.contract.study import Study
from privacy.errors import ConfigError


def make_table(rows: list[tuple[str, int, int, int]]) -> CustomerTable:
    ids, *numbers = zip(*rows, strict=True) if rows else ((), (), (), ())
    recency, orders, money = (np.array(column, dtype=np.int64) for column in numbers)
    columns = CustomerColumns(recency_days=recency, orders=orders, money=money, tenure_days=recency)
    report = CleaningReport(
        rows_seen=0,
        dropped={},
        netted=0,
        duplicates=0,
        capped=0,
        free=0,
        lines=0,
        customers=0,
        orders=0,
        only_returns=0,
    )
    return CustomerTable(ids=np.array(ids, dtype=object), columns=columns, report=report)


TABLE = make_table([("007", 3, 9, 123_456), ("=1+1", 400, 1, -5), ('Zoë, "Z"', 20, 2, 30_000)])


def make_rules(**changes: Any) -> SegmentRules:
    cuts = CutPoints(
        recency_days=(7, 30, 90, 180),
        orders=(2, 3, 5, 8),
        money=(1000, 5000, 20_000, 100_000),
        recency_high=30,
        orders_high=3,
        money_high=20_000,
    )
    return SegmentRules.model_validate({"cuts": cuts, "money_unit": 100} | changes)


def make_study(**changes: Any) -> Study:
    return Study.model_validate({"name": "spring", "as_of": dt.date(2024, 6, 1), "budget": {"epsilon": "1"}} | changes)


def read(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_one_row_a_customer_with_scores_and_all_segmentations(tmp_path):
    own = ThresholdRule(code="vip", when="R<30, M>=500", en="VIP", zh="贵宾")
    (path,) = write_labels(TABLE, make_rules(thresholds=(own,)), make_study(), folder=tmp_path / "labels")
    assert path.name == "spring-2024-06-01.csv"
    assert path.read_bytes().startswith(b"\xef\xbb\xbfcustomer_id,")
    rows = read(path)
    first = rows[0]
    assert [row["customer_id"] for row in rows] == ["007", "=1+1", 'Zoë, "Z"']
    assert [row["money"] for row in rows] == ["1234.56", "-0.05", "300.00"]
    assert (first["study"], first["as_of"], first["recency_days"], first["orders"]) == (
        "spring",
        "2024-06-01",
        "3",
        "9",
    )
    assert [first[score] for score in "rfm"] == ["5", "5", "5"]
    assert [rows[2][score] for score in "rfm"] == ["4", "2", "4"]
    assert (first["eight"], first["eight_en"], first["eight_zh"]) == (
        "important_value",
        "Important value",
        "重要价值客户",
    )
    assert [row["ten"] for row in rows] == ["champions", "hibernating", "potential_loyalists"]
    assert rows[1]["eleven"] == "lost"
    assert [row["rules"] for row in rows] == ["vip", "other", "other"]
    assert first["rules_zh"] == "贵宾"
    for scheme in SCHEMES:
        assert {scheme, f"{scheme}_en", f"{scheme}_zh"} <= set(first)


def test_without_rules_of_their_own_there_is_no_such_column(tmp_path):
    (path,) = write_labels(TABLE, make_rules(), make_study(), folder=tmp_path)
    assert not any(name.startswith("rules") for name in read(path)[0])


def test_money_follows_the_currency(tmp_path):
    (path,) = write_labels(TABLE, make_rules(money_unit=1), make_study(currency="JPY"), folder=tmp_path)
    assert read(path)[0]["money"] == "123456"
    (path,) = write_labels(TABLE, make_rules(money_unit=1000), make_study(currency="KWD"), folder=tmp_path)
    assert read(path)[0]["money"] == "123.456"


def test_parquet_keeps_ids_exactly(tmp_path):
    paths = write_labels(TABLE, make_rules(), make_study(), folder=tmp_path, formats=("csv", "parquet"))
    assert [path.suffix for path in paths] == [".csv", ".parquet"]
    frame = pd.read_parquet(paths[1])
    assert frame["customer_id"].tolist() == TABLE.ids.tolist()
    assert frame["recency_days"].dtype == np.int64
    assert frame["eight"].tolist() == [row["eight"] for row in read(paths[0])]


def test_files_are_owner_only_whole_and_the_same_each_time(tmp_path):
    old = os.umask(0)
    try:
        paths = write_labels(TABLE, make_rules(), make_study(), folder=tmp_path, formats=("csv", "parquet"))
    finally:
        os.umask(old)
    before = [path.read_bytes() for path in paths]
    write_labels(TABLE, make_rules(), make_study(), folder=tmp_path, formats=("csv", "parquet"))
    assert [path.read_bytes() for path in paths] == before
    assert sorted(item.name for item in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_no_customers_give_a_header(tmp_path):
    paths = write_labels(make_table([]), make_rules(), make_study(), folder=tmp_path, formats=("csv", "parquet"))
    assert paths[0].read_text(encoding="utf-8-sig").count("\n") == 1
    assert len(pd.read_parquet(paths[1])) == 0


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="unknown label format 'xlsx'"):
        write_labels(TABLE, make_rules(), make_study(), folder=tmp_path, formats=("xlsx",))
