"""A small study, a holder's settings, and rows in every kind of source."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from ibis.config import Config
from postgres_server import Server

from clients.data.config import HolderConfig
from clients.data.rows.customers import CustomerTable
from privacy.protocol.study import Study

COLUMNS = {"customer": "customer", "order": "order", "time": "time", "quantity": "quantity", "price": "price"}


def make_study(**changes: Any) -> Study:
    return Study.model_validate({"name": "test", "as_of": dt.date(2024, 6, 1), "budget": {"epsilon": "1"}} | changes)


def make_config(url: object, *, columns: dict[str, str] | None = None, **source: Any) -> HolderConfig:
    columns = columns or COLUMNS
    if "currency" not in columns:
        source.setdefault("currency_code", "EUR")
    return HolderConfig.model_validate({"holder": "shop", "source": {"url": str(url)} | source, "columns": columns})


def load(server: Server, table: str, definition: str, select: str, parquet: Path) -> None:
    """Bring a Parquet file into the server by way of DuckDB's CSV."""
    with tempfile.TemporaryDirectory() as folder, server.admin() as admin:
        text = Path(folder) / "rows.csv"
        with duckdb.connect() as database:
            database.execute(f"COPY (SELECT {select} FROM '{parquet}') TO '{text}' (HEADER false, NULLSTR '\\N')")
        admin.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
        admin.execute(f"CREATE TABLE {table} ({definition})")
        with admin.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv, NULL '\\N')") as copy:
            copy.write(text.read_bytes())


def on(server: Server, table: str, **source: Any) -> HolderConfig:
    return make_config(server.url, table=table, password_env="SHOP_PASSWORD", **source)


def as_rows(table: CustomerTable) -> list[tuple[Any, ...]]:
    c = table.columns
    spelled = (table.source_ids.tolist(), table.also_spelled.as_lists(len(table)).to_pylist())
    return list(zip(table.ids.tolist(), *spelled, *(getattr(c, n).tolist() for n in ("recency_days", "orders", "money", "tenure_days")), strict=True))  # fmt: skip  # noqa: E501


def messy_rows(count: int = 4000) -> pa.Table:
    rng = np.random.default_rng(11)
    ids = np.array([" 17", "17.0", "0", "guest", "", None, "NaN", "Zoë", "zoë", "客户 7", 'o"x', "a'b\\", "%s", "x,y"],
                   dtype=object)  # fmt: skip
    customer = np.where(rng.random(count) < 0.2, rng.choice(ids, count), rng.integers(1, 200, count).astype(str))
    price = np.round(rng.gamma(1.5, 20, count), 2)
    odd = np.array([0.005, 1.005, 2.675, 0.0, -4.0, 1e130, np.nan, np.inf, -np.inf, 1e-12])
    price = np.where(rng.random(count) < 0.1, rng.choice(odd, count), price)
    time = np.datetime64("2023-12-30T00:00:00", "us") + rng.integers(0, 160 * 86_400_000_000, count)
    time = np.where(rng.random(count) < 0.5, time.astype("M8[D]").astype("M8[us]"), time)
    order = rng.integers(1, 900, count).astype(str).astype(object)
    table = pa.table(
        {
            "customer": pa.array(customer, pa.string()),
            "order": pa.array(np.where(rng.random(count) < 0.05, "C" + order, order), pa.string()),
            "time": pa.array(time, mask=rng.random(count) < 0.01),
            "quantity": pa.array(rng.integers(-2, 12, count), mask=rng.random(count) < 0.01),
            "price": pa.array(price, mask=rng.random(count) < 0.01),
            "product": pa.array(rng.choice(["cup", " post ", "POST", "Tee ", None], count), pa.string()),
            "currency": pa.array(rng.choice(["EUR", "gbp ", "GBP", "USD", "CHF"], count)),
        }
    )
    return pa.concat_tables([table, table.slice(0, 100)])


class SparkSettings(Config):
    treat_nan_as_null: bool = False


_NAMES = ("customer", "order", "time", "quantity", "price", "cur")


UNBOUND = {
    kind: dict(zip(_NAMES, types, strict=True))
    for kind, types in {
        "native": ("int64", "string", "timestamp(6)", "int64", "decimal(12, 2)", "string"),
        "text": ("string",) * 6,
        "zoned": ("string", "int64", "timestamp('UTC', 6)", "float64", "float64", "string"),
    }.items()
}
