"""A holder's rows as real exports are: its own currency and ids, and its own dirt."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from simulations.worlds.holders import GeneratedHolder

#: Units of the study's currency (EUR) for one of the currencies that holders use.
RATES = {"GBP": "1.17"}
NON_GOODS = ("POST", "FEE")
#: Spellings of "no customer id" in the data.
MISSING_IDS = ("", "NULL", "n/a", "guest", "0")


def in_currency(rng: np.random.Generator, holder: GeneratedHolder, lines: pd.DataFrame) -> pd.DataFrame:
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
    cancels = returned & holder.cancels_by_prefix
    rows["order"] = order.where(~cancels, "C" + order)
    return rows.astype({"customer": "string", "product": "string", "currency": "string"})


def _ids(rng: np.random.Generator, holder: GeneratedHolder, person: NDArray[np.int64]) -> NDArray[np.object_]:
    """Ids that mean nothing elsewhere: a permutation of the persons for every holder."""
    permutation = rng.permutation(int(person.max()) + 1 if len(person) else 1)
    return _printed_ids(holder, permutation[person])


def visitor_ids(holder: GeneratedHolder, rows: pd.DataFrame, count: int) -> NDArray[np.object_]:
    """Ids of so many persons who are in none of a holder's purchases."""
    first = int(rows["person"].max()) + 1 if len(rows) else 1
    return _printed_ids(holder, first + np.arange(count))


def _printed_ids(holder: GeneratedHolder, places: NDArray[np.int64]) -> NDArray[np.object_]:
    pattern = "K{:07d}" if holder.format == "duckdb" else "{}"
    return np.array([pattern.format(10_000 + 7 * place + holder.number) for place in places], dtype=object)


def with_dirt(rng: np.random.Generator, holder: GeneratedHolder, rows: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
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
