"""A small study, a holder's settings, and rows in every kind of source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
from ibis.config import Config
from postgres_server import Server

from clients.data.config import HolderConfig
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
    text = parquet.with_name(f"{table}.load.csv")
    with duckdb.connect() as database:
        database.execute(f"COPY (SELECT {select} FROM '{parquet}') TO '{text}' (HEADER false, NULLSTR '\\N')")
    with server.admin() as admin:
        admin.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
        admin.execute(f"CREATE TABLE {table} ({definition})")
        with admin.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv, NULL '\\N')") as copy:
            copy.write(text.read_bytes())


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
