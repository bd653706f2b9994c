"""One company with a web shop, tills and an app: three tables with ids of their own, and who is who; truth is known.

Its persons buy as those of :mod:`simulations.worlds.people` do; each table is written as such systems write theirs.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from simulations.worlds.people import lines_of, orders_of

ZONE = "Europe/Berlin"
_STORES = 3
#: Shares of web orders that come from the app, and of persons whose ids nobody has put together.
_APP, _UNKNOWN = 0.3, 0.1
_HOLDER = f"""\
# One company with a web shop, tills and an app (docs/sources.md#several-sources-of-one-holder)
holder = "company"

[[sources]]
name = "online"
url = "online.parquet"
time_zone = "UTC"
currency_code = "EUR"
columns = {{customer = "user_id", order = "order_no", time = "paid_at", amount = "amount", store = "shop"}}

[[sources]]
name = "tills"
url = "tills/*.csv"
time_zone = "{ZONE}"
currency_code = "EUR"
channel = "till"
columns = {{customer = "Karte", order = "Bon", time = "Datum", quantity = "Menge", price = "Preis", store = "Filiale"}}
csv = {{separator = ";", encoding = "cp1252"}}
[sources.read.time]
formats = ["%d.%m.%Y %H:%M"]
[sources.read.price]
decimal = ","

[[sources]]
name = "app"
url = "app.jsonl"
time_zone = "UTC"
currency_code = "EUR"
columns = {{customer = "$.user.mail", order = "id", time = "at", amount = "total", store = "shop"}}
[sources.read.time]
formats = ["epoch_ms"]
[sources.read.customer]
form = ["text", "email"]

[person]
url = "crm/members.csv"
columns = {{person = "member", online = "user_id", tills = "card", app = "mail"}}
"""


@dataclass(frozen=True, kw_only=True)
class ChannelWorld:
    """A company's folder, with ``holder.toml``.

    Attributes:
        folder: where it is.
        as_of: the day it is generated for.
        truth: by customer id (``person:M7``, or ``tills:700007`` where nobody knows the person) whole days from the
            last order's day to the as-of day, orders and cents; made of the rows before anything was written.
        channels, stores: by channel, and by shop, customers, orders and cents.
    """

    folder: Path
    as_of: dt.date
    truth: dict[str, tuple[int, int, int]]
    channels: dict[str, tuple[int, int, int]]
    stores: dict[str, tuple[int, int, int]]


def generate_channels(
    folder: Path, *, customers: int = 600, seed: int = 7, as_of: dt.date = dt.date(2025, 1, 1), overlap: float = 0.4
) -> ChannelWorld:
    """Write the company into ``folder``; the same arguments give the same rows.

    Args:
        folder: created if absent.
        customers: persons, 50 or more.
        seed: of the public random numbers.
        as_of: purchases lie in the two years before it.
        overlap: share of persons who buy in the web and in shops, 0 to 0.4.
    """
    rng = np.random.default_rng(seed)
    orders = orders_of(rng, customers=customers, stores=_STORES, as_of=as_of, overlap=overlap)
    web = np.where(rng.random(len(orders)) < _APP, "app", "online")
    orders["source"] = np.where(orders["holder"] > 0, "tills", web)
    lines = lines_of(rng, orders, customers=customers)
    lines["cents"] = lines["quantity"] * lines["price"]
    lines["store"] = np.where(lines["source"] == "tills", "store-" + lines["holder"].astype(str), lines["source"])
    known = rng.random(customers) >= _UNKNOWN
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "holder.toml").write_text(_HOLDER, encoding="utf-8")
    _write(folder, lines)
    _write_members(folder, np.flatnonzero(known))
    lines["key"] = [_key(*row, known=known) for row in zip(lines["person"], lines["source"], strict=True)]
    lines["channel"] = lines["source"].replace("tills", "till")
    world = ChannelWorld(
        folder=folder, as_of=as_of, truth=_customers(lines, as_of), channels=_sums(lines, "channel"),
        stores=_sums(lines, "store"),
    )  # fmt: skip
    facts = {"customers": world.truth, "channels": world.channels, "stores": world.stores}
    (folder / "truth.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return world


def _id(person: int, source: str) -> str:
    return {"online": f"u{person}", "tills": f"{700_000 + person}", "app": f"p{person}@example.org"}[source]


def _key(person: int, source: str, *, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    return f"person:M{person}" if known[person] else f"{source}:{_id(person, source)}"


def _write(folder: Path, lines: pd.DataFrame) -> None:
    """The three tables; times of the generator are wall times in ``ZONE``."""
    lines = lines.assign(own=[_id(*row) for row in zip(lines["person"], lines["source"], strict=True)])
    moment = lines["time"].dt.tz_localize(ZONE).dt.tz_convert("UTC").dt.tz_localize(None)
    online = lines["source"] == "online"
    web = {"user_id": "own", "order_no": "order", "paid_at": moment, "amount": lines["cents"] / 100, "shop": "store"}
    pd.DataFrame({name: lines[of] if isinstance(of, str) else of for name, of in web.items()})[online].to_parquet(
        folder / "online.parquet", index=False
    )
    (folder / "tills").mkdir(exist_ok=True)
    for store, rows in lines[lines["source"] == "tills"].groupby("store"):
        price = (rows["price"] / 100).map("{:.2f}".format).str.replace(".", ",", regex=False)
        till = {
            "Bon": rows["order"], "Karte": rows["own"], "Datum": rows["time"].dt.strftime("%d.%m.%Y %H:%M"),
            "Menge": rows["quantity"], "Preis": price, "Filiale": rows["store"], "Größe": rows["product"],
        }  # fmt: skip
        pd.DataFrame(till).to_csv(folder / "tills" / f"{store}.csv", sep=";", index=False, encoding="cp1252")
    app = lines[lines["source"] == "app"].assign(at=moment.astype("datetime64[ms]").astype("int64"))
    table = app[["order", "at", "own", "cents", "store"]].to_numpy().tolist()
    spelled = (
        {"id": order, "at": at, "user": {"mail": own.title()}, "total": cents / 100, "shop": store}
        for order, at, own, cents, store in table
    )
    (folder / "app.jsonl").write_text("".join(json.dumps(row) + "\n" for row in spelled), encoding="utf-8")


def _write_members(folder: Path, persons: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    (folder / "crm").mkdir(exist_ok=True)
    names = ("online", "tills", "app")
    rows = [[f"M{person}", *(_id(int(person), name) for name in names)] for person in persons]
    pd.DataFrame(rows, columns=["member", "user_id", "card", "mail"]).to_csv(
        folder / "crm" / "members.csv", index=False
    )


def _customers(lines: pd.DataFrame, as_of: dt.date) -> dict[str, tuple[int, int, int]]:
    days = lines.assign(days=(pd.Timestamp(as_of) - lines["time"].dt.normalize()).dt.days - 1)
    found = days.groupby("key").agg(last=("days", "min"), orders=("order", "nunique"), cents=("cents", "sum"))
    return _by_name(found)


def _sums(lines: pd.DataFrame, by: str) -> dict[str, tuple[int, int, int]]:
    return _by_name(
        lines.groupby(by).agg(customers=("key", "nunique"), orders=("order", "nunique"), cents=("cents", "sum"))
    )


def _by_name(found: pd.DataFrame) -> dict[str, tuple[int, int, int]]:
    figures: list[list[int]] = found.to_numpy().astype("int64").tolist()
    return {str(name): (row[0], row[1], row[2]) for name, row in zip(found.index, figures, strict=True)}
