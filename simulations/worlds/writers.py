"""The formats in which holders of a generated world keep their rows, each with the ``holder.toml`` that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from simulations.worlds.holders import GeneratedHolder


def _holder_toml(holder: GeneratedHolder, remark: str, source: str, **columns: str) -> str:
    """``holder.toml``: what kind of source it is, the lines of ``[source]``, and the column of each role."""
    named = "\n".join(f'{role} = "{column}"' for role, column in columns.items())
    return f'# {remark}\nholder = "{holder.name}"\n\n[source]\n{source}\n[columns]\n{named}\n'


def _write_parquet(holder: GeneratedHolder, home: Path, rows: pd.DataFrame) -> str:
    sales = home / "sales"
    sales.mkdir(exist_ok=True)
    table = pd.DataFrame(
        {
            "order_id": rows["order"],
            "customer_id": rows["customer"],
            "ordered_at": rows["time"],
            "sku": rows["product"],
            "quantity": rows["quantity"].astype("int64"),
            "unit_price": rows["price"],
        }
    )
    middle = len(table) // 2
    for number, part in enumerate((table.iloc[:middle], table.iloc[middle:]), start=1):
        part.to_parquet(sales / f"part-{number}.parquet", index=False)
    source = f"""\
url = "sales/*.parquet"     # relative to this file
time_zone = "UTC"
currency_code = "{holder.currency}"
"""
    return _holder_toml(
        holder,
        "The online store: Parquet files, one currency, times in UTC.",
        source,
        customer="customer_id",
        order="order_id",
        time="ordered_at",
        quantity="quantity",
        price="unit_price",
        product="sku",
    )


def _write_csv(holder: GeneratedHolder, home: Path, rows: pd.DataFrame) -> str:
    table = pd.DataFrame(
        {
            "receipt": rows["order"],
            "card_no": rows["customer"],
            "sold_at": rows["time"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            "article": rows["product"],
            "pieces": rows["quantity"].astype("int64"),
            "price": rows["price"].map("{:.2f}".format),
        }
    )
    table.to_csv(home / "receipts.csv", index=False)
    source = f"""\
url = "receipts.csv"
time_zone = "Europe/Berlin"
currency_code = "{holder.currency}"
"""
    return _holder_toml(
        holder,
        "A store with a till that exports CSV, in local time.",
        source,
        customer="card_no",
        order="receipt",
        time="sold_at",
        quantity="pieces",
        price="price",
        product="article",
    )


def _write_duckdb(holder: GeneratedHolder, home: Path, rows: pd.DataFrame) -> str:
    import duckdb

    path = home / "sales.duckdb"
    path.unlink(missing_ok=True)
    table = pd.DataFrame(
        {
            "sale_id": rows["order"],
            "member_id": rows["customer"],
            "sale_time": rows["time"],
            "product_code": rows["product"],
            "units": rows["quantity"].astype("int64"),
            "unit_price_gbp": rows["price"],
        }
    )
    connection = duckdb.connect(str(path))
    try:
        connection.register("incoming", table)
        connection.execute("CREATE TABLE sales AS SELECT * FROM incoming")
    finally:
        connection.close()
    source = f"""\
url = "sales.duckdb"
table = "sales"
time_zone = "Europe/London"
currency_code = "{holder.currency}"
"""
    return _holder_toml(
        holder,
        "A store in London with a database; it keeps its books in pounds.",
        source,
        customer="member_id",
        order="sale_id",
        time="sale_time",
        quantity="units",
        price="unit_price_gbp",
        product="product_code",
    )


def _write_local_csv(holder: GeneratedHolder, home: Path, rows: pd.DataFrame) -> str:
    amount = rows["price"] * rows["quantity"]
    table = pd.DataFrame(
        {
            "Bon": rows["order"],
            "Kundennummer": rows["customer"],
            "Datum": rows["time"].dt.strftime("%d.%m.%Y %H:%M"),
            "Artikel": rows["product"],
            "Betrag": amount.map("{:.2f}".format).astype("string").str.replace(".", ",", regex=False),
            "Waehrung": rows["currency"],
        }
    )
    table.to_csv(home / "umsatz.csv", index=False, sep=";", encoding="latin-1")
    source = """\
url = "umsatz.csv"
time_zone = "Europe/Berlin"
currencies = ["EUR", "GBP"]

[source.csv]
separator = ";"
encoding = "latin-1"
decimal = ","
date_format = "%d.%m.%Y %H:%M"
"""
    return _holder_toml(
        holder,
        "A shop at an airport: semicolons, decimal commas, local dates, euros and pounds in one file.",
        source,
        customer="Kundennummer",
        order="Bon",
        time="Datum",
        amount="Betrag",
        currency="Waehrung",
        product="Artikel",
    )


WRITERS: dict[str, Callable[[GeneratedHolder, Path, pd.DataFrame], str]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "duckdb": _write_duckdb,
    "local_csv": _write_local_csv,
}
