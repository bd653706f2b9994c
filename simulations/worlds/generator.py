"""A small retail world for demos and tests: an online store and several shops that share some customers.

Persons buy as in the BG/NBD model (Fader, Hardie, Lee 2005, "Counting your customers the easy way"): with
gamma-distributed purchase rates, and with a beta-distributed chance to stop after every purchase. Spending is
gamma between persons and lognormal between lines, and sales follow the seasons. Every holder keeps its data
in a format of its own, with its own ids and its own dirt, as real ones do. ``truth.json`` says what is true;
no holder has it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ONLINE = "online"

#: How sales are spread over the months, January first; the mean is about 1.
SEASONS = (0.85, 0.75, 0.85, 0.9, 0.95, 0.95, 0.9, 0.85, 0.95, 1.05, 1.4, 1.6)

#: Units of the study's currency (EUR) for one of the currencies that holders use.
RATES = {"GBP": "1.17"}

NON_GOODS = ("POST", "FEE")

#: Spellings of "no customer id" in the data.
MISSING_IDS = ("", "NULL", "n/a", "guest", "0")

_DAYS = 730
_PRODUCTS = 400
_LINES_MAX = 5
_ORDERS_MAX = 80
#: BG/NBD: shape of the rates, mean rate a day, and the two shapes of the chance to stop.
_RATE_SHAPE, _RATE_MEAN = 0.9, 1 / 75
_STOP_SHAPES = (0.8, 3.2)
#: Of the persons who shop at more than one holder, this share shops at three.
_THREE = 0.25
_OVERLAP_MAX = 0.4


@dataclass(frozen=True, kw_only=True)
class GeneratedWorld:
    """Where a generated world is, and what is public about it.

    Attributes:
        folder: holds ``<holder>/holder.toml`` with the data, and ``truth.json``.
        holders: names of the holders, the online store first.
        as_of: the day the data are generated for; a few rows lie after it.
        customers: persons asked for.
        most_holders: at how many holders one person is a customer, at most.
        truth: path of ``truth.json``.
    """

    folder: Path
    holders: tuple[str, ...]
    as_of: dt.date
    customers: int
    most_holders: int
    truth: Path


@dataclass(frozen=True, kw_only=True)
class _Holder:
    """A holder: its name and its number, 0 for the online store."""

    name: str
    number: int

    @property
    def currency(self) -> str | None:
        """The currency of all rows, or None where rows differ."""
        return {1: "EUR", 2: "GBP", 3: None}[1 + (self.number - 1) % 3] if self.number else "EUR"


def generate(
    folder: Path,
    *,
    customers: int = 6000,
    stores: int = 3,
    seed: int = 7,
    as_of: dt.date = dt.date(2025, 1, 1),
    overlap: float = 0.25,
) -> GeneratedWorld:
    """Write a world into ``folder``; the same arguments give the same rows.

    Args:
        folder: created if absent; files of an earlier world there are overwritten.
        customers: number of persons, 50 or more.
        stores: number of offline stores, 1 to 20.
        seed: seed of the (public, reproducible) random numbers; these are not privacy noise.
        as_of: purchases lie in the two years before this day.
        overlap: share of persons who shop at the online store and one or two stores, 0 to 0.4.

    Raises:
        ValueError: if an argument is out of its range.
    """
    if customers < 50 or not 1 <= stores <= 20 or not 0 <= overlap <= _OVERLAP_MAX:
        raise ValueError(
            f"customers must be 50 or more, stores 1 to 20, and overlap 0 to {_OVERLAP_MAX}; "
            f"got {customers}, {stores}, {overlap}"
        )
    rng = np.random.default_rng(seed)
    holders = tuple(
        _Holder(name=ONLINE if number == 0 else f"store-{number}", number=number) for number in range(stores + 1)
    )
    orders = _orders(rng, customers=customers, stores=stores, as_of=as_of, overlap=overlap)
    lines = _lines(rng, orders, customers=customers)
    clean = {holder.name: lines[lines["holder"] == holder.number] for holder in holders}
    returns = {name: _returns(rng, rows, as_of) for name, rows in clean.items()}
    for holder in holders:
        home = folder / holder.name
        home.mkdir(parents=True, exist_ok=True)
        rows = _in_currency(rng, holder, pd.concat([clean[holder.name], returns[holder.name]]))
        rows = _with_dirt(rng, holder, rows, as_of)
        text = _WRITERS[_format(holder)](holder, home, rows)
        (home / "holder.toml").write_text(text, encoding="utf-8")
    truth = folder / "truth.json"
    facts = _truth(holders, clean, returns, as_of=as_of, customers=customers)
    truth.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return GeneratedWorld(
        folder=folder,
        holders=tuple(holder.name for holder in holders),
        as_of=as_of,
        customers=customers,
        most_holders=min(3, stores + 1),
        truth=truth,
    )


def study_toml(world: GeneratedWorld) -> str:
    """A commented ``study.toml`` that fits a generated world."""
    # A public upper figure: persons times the most holders of each, up to the next 1, 2 or 5 times 10^n.
    bound = world.customers * world.most_holders
    power = 10 ** math.floor(math.log10(bound))
    size_class = next(step * power for step in (1, 2, 5, 10) if step * power >= bound)
    rates = "\n".join(f'{code} = "{rate}"' for code, rate in RATES.items())
    non_goods = ", ".join(f'"{code}"' for code in NON_GOODS)
    holders = ", ".join(f'"{name}"' for name in world.holders)
    return f"""\
# What the holders agree to compute. Everything here is public among them.
name = "demo-rfm"
as_of = {world.as_of.isoformat()}      # only rows before this day count; recency is counted from here
analyses = ["rfm"]
currency = "EUR"        # money is converted to this
time_zone = "UTC"       # where the as-of day starts
holders = [{holders}]

[budget]
epsilon = 1             # the promise, for one person with all their records
max_holders_per_customer = {world.most_holders}   # nobody shops at more of them (delete the line if unsure)
size_class = {size_class}      # public upper figure for all customer records; sets delta to 1/(10 x this)

[cleaning]
returns = "net"              # returned lines are set off against spending; "drop" ignores them
cancellation_prefix = "C"    # order ids that start with this cancel something
non_goods = [{non_goods}]    # product codes that are not goods

[rates]                 # one unit in EUR
{rates}

[rfm]
report = ["eight"]      # segmentations to measure: "eight", "ten", "eleven", "rules"; each one costs
floor = 20              # smaller segments are not shown
"""


def _orders(rng: np.random.Generator, *, customers: int, stores: int, as_of: dt.date, overlap: float) -> pd.DataFrame:
    """Orders of all persons: person, holder, time; in order of time."""
    season = np.array([SEASONS[(as_of - dt.timedelta(days=_DAYS - day)).month - 1] for day in range(_DAYS)])
    first = rng.choice(_DAYS, size=customers, p=season / season.sum())
    # Purchases arrive at the rate of the busiest season and are thinned to that of their day.
    rate = rng.gamma(_RATE_SHAPE, _RATE_MEAN / _RATE_SHAPE, customers) * season.max() + 1e-9
    gaps = rng.exponential(1.0, (customers, _ORDERS_MAX)) / rate[:, None]
    gaps[:, 0] = 0.0
    day = np.floor(first[:, None] + np.cumsum(gaps, axis=1))
    inside = day < _DAYS
    kept = inside & (rng.random(day.shape) * season.max() < season[np.minimum(day, _DAYS - 1).astype(np.int64)])
    kept[:, 0] = True
    alive = rng.geometric(np.maximum(rng.beta(*_STOP_SHAPES, customers), 1e-6))
    kept &= np.cumsum(kept, axis=1) <= alive[:, None]
    counts = kept.sum(axis=1)

    homes = _homes(rng, counts, customers=customers, stores=stores, overlap=overlap)
    person, position = np.nonzero(kept)
    rank = np.arange(len(person)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = (homes >= 0).sum(axis=1)[person]
    # The first orders visit each of a person's holders once, so that the overlap is what was asked for.
    visit = np.where(rank < places, rank, np.floor(rng.random(len(person)) * places)).astype(np.int64)
    holder = homes[person, visit]
    online = holder == 0
    hour = np.where(
        online, rng.integers(6, 23, len(person)), rng.integers(9, 20, len(person))
    )  # never near midnight, so that a holder's time zone does not move an order to another day
    seconds = hour * 3600 + rng.integers(0, 60, len(person)) * 60
    start = np.datetime64(as_of - dt.timedelta(days=_DAYS), "s")
    time = start + (day[person, position].astype(np.int64) * 86_400 + seconds).astype("timedelta64[s]")
    frame = pd.DataFrame({"person": person, "holder": holder, "time": time})
    return frame.sort_values(["time", "person"], kind="stable", ignore_index=True)


def _homes(
    rng: np.random.Generator, counts: NDArray[np.int64], *, customers: int, stores: int, overlap: float
) -> NDArray[np.int64]:
    """The holders of each person, shape ``(customers, 3)``, -1 where there is none."""
    homes = np.full((customers, 3), -1, dtype=np.int64)
    single = rng.random(customers) < 0.45
    homes[:, 0] = np.where(single, 0, rng.integers(1, stores + 1, customers))
    shared = round(overlap * customers)
    three = round(shared * _THREE) if stores >= 2 else 0
    # Who shops at several holders must have bought that often; frequent buyers are the likelier ones, too.
    shuffled = rng.permutation(customers)
    able3 = shuffled[counts[shuffled] >= 3][:three]
    able2 = shuffled[(counts[shuffled] >= 2) & ~np.isin(shuffled, able3)][: shared - len(able3)]
    for chosen, places in ((able2, 2), (able3, 3)):
        homes[chosen, 0] = 0
        store = rng.integers(1, stores + 1, len(chosen))
        homes[chosen, 1] = store
        if places == 3:
            homes[chosen, 2] = 1 + (store - 1 + rng.integers(1, max(stores, 2), len(chosen))) % stores
    return homes


def _lines(rng: np.random.Generator, orders: pd.DataFrame, *, customers: int) -> pd.DataFrame:
    """Order lines: order number, person, holder, time, product, quantity, price in euro cents (integers)."""
    catalogue = np.unique(np.round(rng.lognormal(2.9, 0.8, _PRODUCTS) * 100).astype(np.int64) + 50)
    level = rng.gamma(3.0, 1 / 3.0, customers)
    count = 1 + rng.binomial(_LINES_MAX - 1, 0.35, len(orders))
    row = np.repeat(np.arange(len(orders)), count)
    lines = orders.iloc[row].reset_index(drop=True)
    wanted = 1800 * level[lines["person"]] * rng.lognormal(0.0, 0.6, len(row))
    product = np.minimum(np.searchsorted(catalogue, wanted), len(catalogue) - 1)
    lines["order"] = 10_001 + row
    lines["product"] = [f"P{number:04d}" for number in product]
    lines["quantity"] = 1 + rng.poisson(0.3, len(row))
    lines["price"] = catalogue[product]
    # One line per product and order, so that equal rows are only the duplicates that are put in on purpose.
    return lines.drop_duplicates(["order", "product"], ignore_index=True)


def _returns(rng: np.random.Generator, lines: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """About 3% of the lines come back within a month, before the as-of day, as lines of negative quantity."""
    back = lines[rng.random(len(lines)) < 0.03].copy()
    back["time"] += pd.to_timedelta(rng.integers(1, 30, len(back)), unit="D")
    back["quantity"] = -rng.integers(1, back["quantity"].to_numpy() + 1)
    return back[back["time"] < pd.Timestamp(as_of)].assign(returned=True)


def _in_currency(rng: np.random.Generator, holder: _Holder, lines: pd.DataFrame) -> pd.DataFrame:
    """Prices in the holder's currency, with the currency; ids and order ids as the holder writes them."""
    rows = lines.sort_values(["time", "order", "product", "quantity"], kind="stable", ignore_index=True)
    returned = rows.pop("returned").eq(True) if "returned" in rows else pd.Series(False, index=rows.index)
    order_currency = np.where(rows["order"] % 4 == 0, "GBP", "EUR")
    rows["currency"] = holder.currency or order_currency
    pounds = rows["currency"] == "GBP"
    price = np.where(pounds, np.round(rows["price"] / float(RATES["GBP"])), rows["price"]) / 100
    rows["price"] = np.round(price, 2)
    rows["customer"] = _ids(rng, holder, rows["person"].to_numpy())
    order = rows["order"].astype("string")
    cancels = returned & _cancels_by_prefix(holder)
    rows["order"] = order.where(~cancels, "C" + order)
    return rows.astype({"customer": "string", "product": "string", "currency": "string"})


def _cancels_by_prefix(holder: _Holder) -> bool:
    """Online and every second store cancel under a new order id; the others book on the old one."""
    return holder.number % 2 == 0


def _ids(rng: np.random.Generator, holder: _Holder, person: NDArray[np.int64]) -> NDArray[np.object_]:
    """Ids that mean nothing elsewhere: a permutation of the persons for every holder."""
    permutation = rng.permutation(int(person.max()) + 1 if len(person) else 1)
    numbers = 10_000 + 7 * permutation[person] + holder.number
    pattern = "K{:07d}" if _format(holder) == "duckdb" else "{}"
    return np.array([pattern.format(number) for number in numbers], dtype=object)


def _with_dirt(rng: np.random.Generator, holder: _Holder, rows: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Add what real exports contain: anonymous sales, postage, duplicates, future rows, ids with ``.0``."""
    anonymous = rows.sample(frac=0.04, random_state=rng).assign(
        customer=lambda part: rng.choice(np.array(MISSING_IDS, dtype=object), len(part)),
        order=lambda part: "9" + part["order"].str.removeprefix("C"),
        quantity=lambda part: part["quantity"].abs(),
    )
    postage = rows.sample(frac=0.03, random_state=rng).assign(
        product=lambda part: rng.choice(np.array(NON_GOODS, dtype=object), len(part)), quantity=1, price=4.95
    )
    future = rows[rows["quantity"] > 0].sample(n=min(12, len(rows)), random_state=rng, replace=True)
    future = future.assign(
        time=pd.Timestamp(as_of) + pd.to_timedelta(rng.integers(10, 480, len(future)), unit="h"),
        order=[f"8{number:06d}" for number in range(len(future))],
    )
    dirty = pd.concat([rows, anonymous, postage, future])
    decimals = rng.random(len(dirty)) < 0.1
    digits = dirty["customer"].str.isdigit() & (dirty["customer"] != "0")
    dirty["customer"] = dirty["customer"].where(~(digits & decimals), dirty["customer"] + ".0")
    repeated = dirty.sample(frac=0.02, random_state=rng)
    keys = ["time", "order", "product", "quantity", "customer"]
    return pd.concat([dirty, repeated]).sort_values(keys, kind="stable", ignore_index=True)


def _format(holder: _Holder) -> str:
    """Online Parquet; stores in turn CSV, DuckDB, and CSV as spreadsheets of continental Europe write it."""
    return "parquet" if holder.number == 0 else ("csv", "duckdb", "local_csv")[(holder.number - 1) % 3]


def _write_parquet(holder: _Holder, home: Path, rows: pd.DataFrame) -> str:
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
    return f"""\
# The online store: Parquet files, one currency, times in UTC.
holder = "{holder.name}"

[source]
url = "sales/*.parquet"     # relative to this file
time_zone = "UTC"
currency_code = "{holder.currency}"

[columns]
customer = "customer_id"
order = "order_id"
time = "ordered_at"
quantity = "quantity"
price = "unit_price"
product = "sku"
"""


def _write_csv(holder: _Holder, home: Path, rows: pd.DataFrame) -> str:
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
    return f"""\
# A store with a till that exports CSV, in local time.
holder = "{holder.name}"

[source]
url = "receipts.csv"
time_zone = "Europe/Berlin"
currency_code = "{holder.currency}"

[columns]
customer = "card_no"
order = "receipt"
time = "sold_at"
quantity = "pieces"
price = "price"
product = "article"
"""


def _write_duckdb(holder: _Holder, home: Path, rows: pd.DataFrame) -> str:
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
    return f"""\
# A store in London with a database; it keeps its books in pounds.
holder = "{holder.name}"

[source]
url = "sales.duckdb"
table = "sales"
time_zone = "Europe/London"
currency_code = "{holder.currency}"

[columns]
customer = "member_id"
order = "sale_id"
time = "sale_time"
quantity = "units"
price = "unit_price_gbp"
product = "product_code"
"""


def _write_local_csv(holder: _Holder, home: Path, rows: pd.DataFrame) -> str:
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
    return f"""\
# A shop at an airport: semicolons, decimal commas, local dates, euros and pounds in one file.
holder = "{holder.name}"

[source]
url = "umsatz.csv"
time_zone = "Europe/Berlin"
currencies = ["EUR", "GBP"]

[source.csv]
separator = ";"
encoding = "latin-1"
decimal = ","
date_format = "%d.%m.%Y %H:%M"

[columns]
customer = "Kundennummer"
order = "Bon"
time = "Datum"
amount = "Betrag"
currency = "Waehrung"
product = "Artikel"
"""


_WRITERS: dict[str, Callable[[_Holder, Path, pd.DataFrame], str]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "duckdb": _write_duckdb,
    "local_csv": _write_local_csv,
}


def _truth(
    holders: tuple[_Holder, ...],
    clean: dict[str, pd.DataFrame],
    returns: dict[str, pd.DataFrame],
    *,
    as_of: dt.date,
    customers: int,
) -> dict[str, Any]:
    """The exact facts. Money in euros, returns set off, before prices are rounded to pence.

    Where a shop sells in pounds, its rows can therefore differ from this by about a cent a line.
    """
    records = []
    for holder in holders:
        bought, back = clean[holder.name], returns[holder.name]
        facts = bought.groupby("person").agg(last=("time", "max"), orders=("order", "nunique"))
        spent = (bought["quantity"] * bought["price"]).groupby(bought["person"]).sum()
        returned = (back["quantity"] * back["price"]).groupby(back["person"]).sum()
        facts["money"] = spent.add(returned, fill_value=0).reindex(facts.index) / 100
        facts["recency_days"] = (pd.Timestamp(as_of) - facts["last"]).dt.days
        records.append(facts.assign(holder=holder.name).reset_index())
    pooled = pd.concat(records)
    at = pooled.groupby("person")["holder"].nunique()
    return {
        "as_of": as_of.isoformat(),
        "currency": "EUR",
        "persons": customers,
        "persons_by_number_of_holders": {str(n): int(count) for n, count in at.value_counts().items()},
        "share_of_persons_at_several_holders": round(float((at > 1).mean()), 6),
        "holders": {
            holder.name: {
                "customers": len(part),
                "orders": int(part["orders"].sum()),
                "revenue": round(float(part["money"].sum()), 2),
            }
            for holder in holders
            for part in [pooled[pooled["holder"] == holder.name]]
        },
        "pooled": {
            "customer_records": len(pooled),
            "orders": int(pooled["orders"].sum()),
            "revenue": round(float(pooled["money"].sum()), 2),
            "quintiles": {
                fact: [round(float(pooled[fact].quantile(q)), 2) for q in (0.2, 0.4, 0.6, 0.8)]
                for fact in ("recency_days", "orders", "money")
            },
            "medians": {fact: round(float(pooled[fact].median()), 2) for fact in ("recency_days", "orders", "money")},
        },
    }
