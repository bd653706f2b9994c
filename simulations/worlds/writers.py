"""The formats in which holders of a generated world keep their rows, each with the ``holder.toml`` that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from simulations.worlds.holders import GeneratedHolder

#: The order in which tables have the columns of the roles.
_IN_TABLES = ("order", "customer", "time", "product", "quantity", "price", "amount", "currency")
#: What only worlds with feeds have, after these.
_GOODS = ("category", "brand", "channel", "discount", "cost")


@dataclass(frozen=True, kw_only=True)
class _Format:
    """How one kind of holder keeps its rows.

    Attributes:
        remark: first line of ``holder.toml``.
        source: the lines of ``[source]``; ``{currency}`` is the holder's.
        columns: the column of each role; roles that are left out are not kept.
        spelled: rows as they are stored, in columns by role.
        store: writes a table into the holder's folder.
    """

    remark: str
    source: str
    columns: Mapping[str, str]
    spelled: Callable[[pd.DataFrame], pd.DataFrame]
    store: Callable[[Path, pd.DataFrame], object]


def write_rows(holder: GeneratedHolder, home: Path, rows: pd.DataFrame) -> None:
    """Write a holder's rows, which have a column for each role but ``amount``, and its ``holder.toml``."""
    kept = _FORMATS[holder.format]
    if "category" in rows:
        cost = (0.6 * rows["price"] * rows["quantity"].abs()).round(2)
        decimal = "," if holder.format == "local_csv" else "."
        rows = rows.assign(
            cost=cost.map("{:.2f}".format).str.replace(".", decimal, regex=False) if decimal == "," else cost
        )
    columns = {**kept.columns, **{role: f"{role}_of_goods" for role in _GOODS if role in rows}}
    roles = [role for role in (*_IN_TABLES, *_GOODS) if role in columns]
    kept.store(home, kept.spelled(rows)[roles].rename(columns=columns))
    named = "\n".join(f'{role} = "{column}"' for role, column in columns.items())
    source = kept.source.format(currency=holder.currency)
    (home / "holder.toml").write_text(
        f'# {kept.remark}\nholder = "{holder.name}"\n\n[source]\n{source}\n[columns]\n{named}\n', encoding="utf-8"
    )


def _whole(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(quantity=rows["quantity"].astype("int64"))


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    return _whole(rows).assign(
        time=rows["time"].dt.strftime("%Y-%m-%d %H:%M:%S"), price=rows["price"].map("{:.2f}".format)
    )


def _printed_locally(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(
        time=rows["time"].dt.strftime("%d.%m.%Y %H:%M"), amount=_with_comma(rows["price"] * rows["quantity"])
    )


def _with_comma(money: pd.Series) -> pd.Series:
    return money.map("{:.2f}".format).astype("string").str.replace(".", ",", regex=False)


def _store_parquet(home: Path, table: pd.DataFrame) -> None:
    sales = home / "sales"
    sales.mkdir(exist_ok=True)
    middle = len(table) // 2
    for number, part in enumerate((table.iloc[:middle], table.iloc[middle:]), start=1):
        part.to_parquet(sales / f"part-{number}.parquet", index=False)


def _store_duckdb(home: Path, table: pd.DataFrame) -> None:
    import duckdb

    path = home / "sales.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.register("incoming", table)
        connection.execute("CREATE TABLE sales AS SELECT * FROM incoming")


_FORMATS = {
    "parquet": _Format(
        remark="The online store: Parquet files, one currency, times in UTC.",
        source="""\
url = "sales/*.parquet"     # relative to this file
time_zone = "UTC"
currency_code = "{currency}"
""",
        columns={
            "customer": "customer_id",
            "order": "order_id",
            "time": "ordered_at",
            "quantity": "quantity",
            "price": "unit_price",
            "product": "sku",
        },
        spelled=_whole,
        store=_store_parquet,
    ),
    "csv": _Format(
        remark="A store with a till that exports CSV, in local time.",
        source="""\
url = "receipts.csv"
time_zone = "Europe/Berlin"
currency_code = "{currency}"
""",
        columns={
            "customer": "card_no",
            "order": "receipt",
            "time": "sold_at",
            "quantity": "pieces",
            "price": "price",
            "product": "article",
        },
        spelled=_printed,
        store=lambda home, table: table.to_csv(home / "receipts.csv", index=False),
    ),
    "duckdb": _Format(
        remark="A store in London with a database; it keeps its books in pounds.",
        source="""\
url = "sales.duckdb"
table = "sales"
time_zone = "Europe/London"
currency_code = "{currency}"
""",
        columns={
            "customer": "member_id",
            "order": "sale_id",
            "time": "sale_time",
            "quantity": "units",
            "price": "unit_price_gbp",
            "product": "product_code",
        },
        spelled=_whole,
        store=_store_duckdb,
    ),
    "local_csv": _Format(
        remark="A shop at an airport: semicolons, decimal commas, local dates, euros and pounds in one file.",
        source="""\
url = "umsatz.csv"
time_zone = "Europe/Berlin"
currencies = ["EUR", "GBP"]

[source.csv]
separator = ";"
encoding = "latin-1"
decimal = ","
date_format = "%d.%m.%Y %H:%M"
""",
        columns={
            "customer": "Kundennummer",
            "order": "Bon",
            "time": "Datum",
            "amount": "Betrag",
            "currency": "Waehrung",
            "product": "Artikel",
        },
        spelled=_printed_locally,
        store=lambda home, table: table.to_csv(home / "umsatz.csv", index=False, sep=";", encoding="latin-1"),
    ),
}
