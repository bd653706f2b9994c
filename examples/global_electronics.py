"""Turn the public Global Electronics sales (Contoso, fictional) into a federation's data: six holders, five currencies.

usage: python examples/global_electronics.py FOLDER_WITH_PARQUET OUT [--four]
then:  cohortium demo --data OUT

With --four the smaller groups of stores are merged, for four holders of more even size.

The online shop (StoreKey 0) sells in all currencies; the physical stores are grouped by the currency they sell in.
Amounts become local currency at the day's exchange rate, as each holder's books would have them, and the study
converts them back by a rate table with one rate a month. Customers overlap: the same person shops online and in
stores, so the study counts on a person being at up to six holders unless the holders declare less.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

AS_OF = "2021-02-21"

HOLDER_TOML = """\
holder = "{holder}"

[source]
url = "sales.parquet"
currencies = [{currencies}]

[columns]
customer = "CustomerKey"
order = "Order Number"
time = "Order Date"
amount = "amount"
currency = "Currency Code"
product = "ProductKey"
"""

STUDY_TOML = """\
name = "global-electronics"
as_of = {as_of}
currency = "USD"
holders = [{holders}]

[budget]
epsilon = 1
size_class = 50000
max_holders_per_customer = {k}

[cleaning]
duplicates = "keep"            # two lines of one order may be alike

[rfm]
report = ["eight"]

{rates}"""


#: Groups of stores that are one holder with ``--four``.
FOUR = {
    "stores-eur": "stores-europe",
    "stores-gbp": "stores-europe",
    "stores-cad": "stores-overseas",
    "stores-aud": "stores-overseas",
}


def prepare(source: Path, out: Path, *, k: int = 2, merged: Mapping[str, str] = {}) -> dict[str, Path]:
    """Write one folder per holder and ``study.toml`` under ``out``.

    Args:
        source: folder with ``sales.parquet`` and ``exchange_rates.parquet``.
        out: folder to fill.
        k: the study's ``max_holders_per_customer``.
        merged: other names for groups of stores; those that get the same one are one holder.

    Returns:
        Holder to its folder.
    """
    sales = pd.read_parquet(source / "sales.parquet")
    rates = pd.read_parquet(source / "exchange_rates.parquet").rename(
        columns={"Date": "Order Date", "Currency": "Currency Code"}
    )
    sales = sales.merge(rates, on=["Order Date", "Currency Code"], how="left", validate="many_to_one")
    sales["amount"] = (sales["amount_usd"] * sales["Exchange"]).round(2)
    store = "stores-" + sales["Currency Code"].str.lower()
    sales["member"] = store.where(sales["StoreKey"] != 0, "online").replace(dict(merged))
    columns = ["CustomerKey", "Order Number", "Order Date", "amount", "Currency Code", "ProductKey"]
    holders: dict[str, Path] = {}
    for name, rows in sales.groupby("member"):
        holder = str(name)
        folder = out / holder
        folder.mkdir(parents=True)
        rows[columns].to_parquet(folder / "sales.parquet", index=False)
        codes = ", ".join(f'"{code}"' for code in sorted(rows["Currency Code"].unique()))
        (folder / "holder.toml").write_text(HOLDER_TOML.format(holder=holder, currencies=codes), encoding="utf-8")
        holders[holder] = folder
    (out / "study.toml").write_text(
        STUDY_TOML.format(
            as_of=AS_OF, k=k, holders=", ".join(f'"{name}"' for name in sorted(holders)), rates=_monthly(rates)
        ),
        encoding="utf-8",
    )
    return holders


def _monthly(rates: pd.DataFrame) -> str:
    """The rate of each month's first day, as dollars for one unit of the currency."""
    first = rates[rates["Order Date"].dt.day == 1]
    lines = []
    for code, table in first[first["Currency Code"] != "USD"].groupby("Currency Code"):
        lines.append(f"[rates.{code}]")
        for day, rate in zip(table["Order Date"].dt.date, table["Exchange"], strict=True):
            lines.append(f'{day} = "{1 / rate:.6f}"')
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--four"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    made = prepare(Path(arguments[0]), Path(arguments[1]), merged=FOUR if "--four" in sys.argv else {})
    print(f"{len(made)} holders in {arguments[1]}: {', '.join(sorted(made))}")
