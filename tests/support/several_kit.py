"""Holders with several sources: small files, and one table of rows split among sources of several kinds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clients.data.config import HolderConfig
from clients.data.rows.customers import CustomerTable

ONLINE = {"customer": "user", "order": "no", "time": "at", "amount": "paid"}
TILLS = {"customer": "card", "order": "receipt", "time": "sold", "quantity": "pieces", "price": "price"}
PERSON = {"url": "links.csv", "columns": {"person": "member", "online": "user", "tills": "card"}}


def several(*sources: Mapping[str, Any], **more: Any) -> HolderConfig:
    return HolderConfig.model_validate({"holder": "shop", "sources": [dict(item) for item in sources], **more})


def of(name: str, url: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"name": name, "url": url, "currency_code": "EUR", "columns": dict(columns)} | more


def omni(**more: Any) -> HolderConfig:
    """A web shop and tills, put together by a table of members."""
    return several(of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS), person=PERSON, **more)


def integers(table: CustomerTable) -> dict[str, tuple[int, ...]]:
    c = table.columns
    rows = zip(c.recency_days, c.orders, c.money, c.tenure_days, strict=True)
    return {name: tuple(map(int, row)) for name, row in zip(table.ids, rows, strict=True)}


def written(rows: pa.Table, path: Path) -> Path:
    """Rows as a file of the kind that its name says."""
    if path.suffix == ".parquet":
        pq.write_table(rows, path)
    elif path.suffix == ".csv":
        pa_csv.write_csv(rows, path)
    else:
        with sqlite3.connect(path) as database:
            names = ", ".join(f'"{name}"' for name in rows.column_names)
            marks = ", ".join("?" * rows.num_columns)
            database.execute(f"CREATE TABLE sales ({names})")
            cells = [
                [str(cell) if name == "time" and cell is not None else cell for name, cell in row.items()]
                for row in rows.to_pylist()
            ]
            database.executemany(f"INSERT INTO sales VALUES ({marks})", cells)
        database.close()
    return path
