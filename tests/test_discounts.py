"""Discounts: what counts as a reduced line, in features, in the check and in a guessed ``holder.toml``.

Families: features against a direct computation over the same lines, from Parquet and CSV; real grocery data; refusals
before a row is read.
"""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.guess import guess_holder
from clients.data.origin import Origin
from clients.data.rows import own_rows
from clients.data.rows.features import build_features, check_features
from privacy.errors import ConfigError, DataError
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING
from privacy.protocol.study import Study

AS_OF = dt.date(2024, 6, 1)
REQUEST = FeatureRequest(names=("discount_share", "orders"), days=(dt.date(2024, 3, 1), AS_OF))
COLUMNS = {"customer": "c", "order": "o", "time": "t", "amount": "a", "product": "p", "discount": "d"}


def make_study(**changes: Any) -> Study:
    return Study.model_validate({"name": "test", "as_of": AS_OF, "budget": {"epsilon": "1"}} | changes)


def make_config(url: str, **changes: Any) -> HolderConfig:
    columns = COLUMNS | changes.pop("columns", {})
    source = {"url": url, "currency_code": "EUR"} | changes
    return HolderConfig.model_validate({"holder": "a", "source": source, "columns": columns})


#: Values of a column by kind, and which of them are discounts.
KINDS: dict[str, tuple[pa.DataType, list[tuple[Any, bool]]]] = {
    "float": (
        pa.float64(),
        [(0.0, False), (-0.0, False), (None, False), (math.nan, False), (-1.5, True), (0.01, True)],
    ),
    "integer": (pa.int32(), [(0, False), (None, False), (7, True), (-1, True)]),
    "decimal": (pa.decimal128(9, 2), [(Decimal(0), False), (None, False), (Decimal("0.01"), True)]),
    "truth": (pa.bool_(), [(False, False), (None, False), (True, True)]),
    "text": (
        pa.string(),
        [
            ("0", False), ("", False), ("  ", False), ("0,00", False), ("-0.000", False), ("0 %", False), (None, False),
            ("false", False), ("No", False), (" NaN ", False), ("无", False), ("-", False), ("０", False),
            ("1", True), ("-1,50", True), ("10 %", True), ("0.05 EUR", True), ("true", True), ("Summer sale", True),
            ("1e-3", True), ("SAVE20", True), ("５", True),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_a_discount(tmp_path: Path, kind: str) -> None:
    """One customer for every value: with that line alone, and with one that is not reduced beside it."""
    of, cases = KINDS[kind]
    plain = cases[0][0]
    rows = [(f"c{n:02d}", f"o{n}", dt.datetime(2024, 2, 1), value) for n, (value, _) in enumerate(cases)]
    rows += [(f"c{n:02d}", f"q{n}", dt.datetime(2024, 4, 1), plain) for n in range(len(cases))]
    customer, order, time, discount = map(list, zip(*rows, strict=True))
    table = pa.table(
        {
            "c": customer, "o": order, "t": pa.array(time, pa.timestamp("us")), "a": [1.0] * len(rows),
            "p": ["x"] * len(rows), "d": pa.array(discount, of),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "s.parquet")
    found = build_features(Origin(make_config("s.parquet"), make_study(), tmp_path), REQUEST)
    expected = [[1000 * reduced, 500 * reduced] for _, reduced in cases]
    assert found.table.values[:, :, 0].tolist() == expected
    report = preflight(make_config("s.parquet"), make_study(), base=tmp_path)
    assert report.discounted == pytest.approx(sum(reduced for _, reduced in cases) / len(rows))


def test_csv_text_in_the_local_spelling(tmp_path: Path) -> None:
    lines = ["c;o;t;a;p;d"]
    lines += [f"k;o{n};2024-01-0{n + 1};10,00;x;{text}" for n, text in enumerate(("0,00", "-1,50", "", "0,10"))]
    (tmp_path / "s.csv").write_text("\n".join(lines), encoding="utf-8")
    config = make_config("s.csv", csv={"separator": ";", "decimal": ","})
    assert build_features(Origin(config, make_study(), tmp_path), REQUEST).table.values[0, :, 0].tolist() == [500, 500]


def test_only_purchase_lines_count_and_only_those_before_the_day(tmp_path: Path) -> None:
    rows = [
        ("k", "1", dt.datetime(2024, 1, 1), 5.0, 1.0), ("k", "1", dt.datetime(2024, 1, 1), 6.0, 0.0),
        ("k", "2", dt.datetime(2024, 4, 1), -5.0, 1.0), ("k", "3", dt.datetime(2024, 5, 1), 7.0, 2.0),
        ("k", "4", dt.datetime(2024, 6, 1), 7.0, 2.0), ("n", "5", dt.datetime(2024, 4, 1), 7.0, 2.0),
    ]  # fmt: skip
    names = ("c", "o", "t", "a", "d")
    table = pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
    pq.write_table(table, tmp_path / "s.parquet")
    config = make_config("s.parquet", columns={"product": None})
    found = build_features(Origin(config, make_study(), tmp_path), REQUEST)
    assert found.ids.tolist() == ["k", "n"]
    assert found.table.values[:, :, 0].tolist() == [[500, 666], [MISSING, 1000]]


def test_a_column_that_says_nothing_of_discounts(tmp_path: Path) -> None:
    time = [dt.datetime(2024, 1, 1)] * 2
    table = pa.table({"c": ["a", "b"], "o": ["1", "2"], "t": time, "a": [1.0, 2.0], "p": ["x", "x"], "d": time})
    pq.write_table(table, tmp_path / "s.parquet")
    with pytest.raises(DataError, match=r"columns\.discount"):
        build_features(Origin(make_config("s.parquet"), make_study(), tmp_path), REQUEST)
    pq.write_table(table.set_column(5, "d", pa.array([3.0, 4.0])), tmp_path / "s.parquet")
    warnings = preflight(make_config("s.parquet"), make_study(), base=tmp_path).warnings
    assert [item.code for item in warnings if item.code == "discounts"] == ["discounts"]


def test_a_feature_that_nobody_here_knows_is_refused_before_a_row_is_read() -> None:
    request = FeatureRequest(names=("shoe_size",), days=(AS_OF,))
    with pytest.raises(ConfigError, match="cannot work out the feature shoe_size"):
        check_features(Origin(make_config("there is no such file.parquet"), make_study(), Path()), request)


def test_days_after_the_studys_own_are_refused_before_a_row_is_read(tmp_path: Path) -> None:
    late = FeatureRequest(names=("orders",), days=(AS_OF, AS_OF + dt.timedelta(days=1)))
    config = make_config("there is no such file.parquet")
    for ask in (
        lambda: check_features(Origin(config, make_study(), Path()), late),
        lambda: build_features(Origin(config, make_study(), tmp_path), late),
        lambda: own_rows(Origin(config, make_study(), tmp_path), late),
    ):
        with pytest.raises(ConfigError, match="before 2024-06-01"):
            ask()
    check_features(Origin(config, make_study(as_of=late.days[-1]), Path()), late)
    assert list(tmp_path.iterdir()) == []


def test_groceries_are_guessed_checked_and_computed(data_folder: Path, tmp_path: Path) -> None:
    """complete_journey: the share of reduced lines of every household against pandas."""
    source = data_folder / "complete_journey" / "transactions_sample.parquet"
    guess = guess_holder(str(source), base=tmp_path, holder="grocer")
    assert guess.columns["discount"].value == "retail_disc"
    assert guess.columns["discount"].alternatives == ("coupon_disc", "coupon_match_disc")
    config = HolderConfig.model_validate(
        {
            "holder": "grocer",
            "source": {"url": str(source), "currency_code": "USD"},
            "columns": {role: found.value for role, found in guess.columns.items()},
        }
    )
    study = make_study(as_of=dt.date(2018, 1, 1), currency="USD", cleaning={"duplicates": "keep"})
    request = FeatureRequest(names=("discount_share",), days=(study.as_of,))
    found = build_features(Origin(config, study, tmp_path), request)
    raw = pd.read_parquet(source)
    raw = raw[(raw["sales_value"] >= 0) & (raw["transaction_timestamp"] < pd.Timestamp(study.as_of))]
    raw["reduced"] = raw["retail_disc"].fillna(0) != 0
    by = raw.groupby(raw["household_id"].astype(str))["reduced"].agg(["sum", "size"]).sort_index()
    assert found.ids.tolist() == by.index.tolist()
    assert found.table.values[:, 0, 0].tolist() == (1000 * by["sum"] // by["size"]).tolist()
    report = preflight(config, study, base=tmp_path)
    assert report.discounted == pytest.approx(raw["reduced"].mean())
    assert 0.3 < report.discounted < 0.7
