"""A small retail world for demos and tests: an online store and several shops that share some customers.

Who buys what is in :mod:`simulations.worlds.people`. Every holder keeps its data in a format of its own, with its own
ids and its own dirt, as real ones do. ``truth.json`` says what is true; no holder has it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from privacy.analyses.catalogue import NAMES
from simulations.worlds.clean_feeds import keep_clean
from simulations.worlds.dirt import NON_GOODS, RATES, in_currency, with_dirt
from simulations.worlds.feed_writers import write_feeds
from simulations.worlds.feeds import LISTS, feeds_of, with_goods
from simulations.worlds.holders import ONLINE, GeneratedHolder
from simulations.worlds.people import lines_of, orders_of, returns_of
from simulations.worlds.several import in_several_sources, source_of
from simulations.worlds.writers import write_rows

_OVERLAP_MAX = 0.4
#: The number of the holder with several sources, where one is asked for.
_OF_SEVERAL = 2
#: Of studies that are run every month: purchases of so many days count.
WINDOW_DAYS = 365
#: What customers do in this time after a month's day is among what is true of it, where it is over.
LATER = dt.timedelta(days=30)


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


def generate(  # noqa: PLR0913  what a world is made of
    folder: Path,
    *,
    customers: int = 6000,
    stores: int = 3,
    seed: int = 7,
    as_of: dt.date = dt.date(2025, 1, 1),
    overlap: float = 0.25,
    feeds: bool = False,
    several: bool = False,
) -> GeneratedWorld:
    """Write a world into ``folder``; the same arguments give the same rows.

    Args:
        folder: created if absent; files of an earlier world there are overwritten.
        customers: number of persons, 50 or more.
        stores: number of offline stores, 1 to 20.
        seed: seed of the (public, reproducible) random numbers; these are not privacy noise.
        as_of: purchases lie in the two years before this day.
        overlap: share of persons who shop at the online store and one or two stores, 0 to 0.4.
        feeds: whether holders also have feeds beside purchases (:mod:`simulations.worlds.feeds`), and purchase lines
            category, brand, channel, discount and cost. What is sold is the same.
        several: whether ``store-2``, where there is one, has tills, a web shop and an app, put together by a table of
            members (:mod:`simulations.worlds.several`). What is sold is the same.

    Raises:
        ValueError: if an argument is out of its range.
    """
    _check_range(customers, stores, overlap)
    rng = np.random.default_rng(seed)
    beside = np.random.default_rng([seed, 15])  # of its own: purchases are the same with feeds and without
    holders = _holders(stores)
    orders = orders_of(rng, customers=customers, stores=stores, as_of=as_of, overlap=overlap)
    lines = lines_of(rng, orders, customers=customers)
    if feeds:
        lines = with_goods(beside, lines)
    clean = {holder.name: lines[lines["holder"] == holder.number] for holder in holders}
    returns = {name: returns_of(rng, rows, as_of) for name, rows in clean.items()}
    for holder in holders:
        home = folder / holder.name
        home.mkdir(parents=True, exist_ok=True)
        rows = in_currency(rng, holder, pd.concat([clean[holder.name], returns[holder.name]]))
        write_rows(holder, home, with_dirt(rng, holder, rows, as_of))
        if feeds:
            made = feeds_of(beside, holder, clean[holder.name], returns[holder.name], as_of)
            write_feeds(beside, holder, home, made, rows, as_of)
            keep_clean(folder, holder, made, rows, as_of)
    truth = folder / "truth.json"
    facts = _truth(holders, clean, returns, as_of=as_of, customers=customers) | _monthly_truth(clean, returns, as_of)
    if several:
        facts |= _in_several(folder, holders[_OF_SEVERAL:][:1], clean)
    truth.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return GeneratedWorld(
        folder=folder,
        holders=tuple(holder.name for holder in holders),
        as_of=as_of,
        customers=customers,
        most_holders=min(3, stores + 1),
        truth=truth,
    )


def _check_range(customers: int, stores: int, overlap: float) -> None:
    if customers < 50 or not 1 <= stores <= 20 or not 0 <= overlap <= _OVERLAP_MAX:
        raise ValueError(
            f"customers must be 50 or more, stores 1 to 20, and overlap 0 to {_OVERLAP_MAX}; "
            f"got {customers}, {stores}, {overlap}"
        )


def _in_several(
    folder: Path, holders: Sequence[GeneratedHolder], clean: dict[str, pd.DataFrame]
) -> dict[str, dict[str, dict[str, int]]]:
    """Give these holders several sources; how many of their customers buy at one of them, at two, and so on."""
    found = {}
    for holder in holders:
        in_several_sources(folder / holder.name)
        bought = clean[holder.name]
        sources = bought.assign(source=source_of(bought["order"])).groupby("person")["source"].nunique()
        found[holder.name] = {str(at): int(count) for at, count in sources.value_counts().sort_index().items()}
    return {"customers_by_number_of_sources": found}


def _holders(stores: int) -> tuple[GeneratedHolder, ...]:
    return tuple(
        GeneratedHolder(name=ONLINE if number == 0 else f"store-{number}", number=number)
        for number in range(stores + 1)
    )


def study_toml(
    world: GeneratedWorld,
    *,
    name: str = "demo-rfm",
    analyses: Sequence[str] = NAMES[:1],
    epsilon: int = 1,
    later: bool = False,
) -> str:
    """A commented ``study.toml`` that fits a generated world.

    Args:
        world: as :func:`generate` made it.
        name: the study's.
        analyses: what it computes; with more than the first one it is a study for every month.
        epsilon: its budget.
        later: whether it was run before, so that ids can be kept.
    """
    # A public upper figure: persons times the most holders of each, up to the next 1, 2 or 5 times 10^n.
    bound = world.customers * world.most_holders
    power = 10 ** math.floor(math.log10(bound))
    size_class = next(step * power for step in (1, 2, 5, 10) if step * power >= bound)
    rates = "\n".join(f'{code} = "{rate}"' for code, rate in RATES.items())
    non_goods = ", ".join(f'"{code}"' for code in NON_GOODS)
    holders = ", ".join(f'"{holder}"' for holder in world.holders)
    asked = ", ".join(f'"{analysis}"' for analysis in analyses)
    return f"""\
# What the holders agree to compute. Everything here is public among them.
name = "{name}"
as_of = {world.as_of.isoformat()}      # only rows before this day count; recency is counted from here
analyses = [{asked}]
currency = "EUR"        # money is converted to this
time_zone = "UTC"       # where the as-of day starts
holders = [{holders}]

[budget]
epsilon = {epsilon}             # the promise, for one person with all their records
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
{_monthly(later=later) if len(analyses) > 1 else ""}"""


def _monthly(*, later: bool) -> str:
    """What a study says that is run every month."""
    channels = ", ".join(f'"{channel}"' for channel in LISTS["channels"])
    centres = 'centres = "previous"    # ids stay from month to month\n' if later else ""
    return f"""\
window_days = {WINDOW_DAYS}       # purchases of the year before the as-of day, so that months can be compared

[churn]
model = "prior"         # a public formula, corrected by what the customers of all add to it

[clusters]
ranges = "released"     # features count by how much they vary, as a question of the study finds
{centres}
[history]
value_cap = 500         # a customer's mean spend on a day of purchase counts up to this, in the study's currency

[tables]
use = ["second_purchase", "funnel"]    # of the catalogue, which `cohortium study tables` lists
lists = {{ channels = [{channels}] }}

[[tables.tag]]          # a rule of the study's own, which every holder answers on its own rows
code = "paused"
en = "paused for a quarter"
zh = "停购一个季度"
when = "count(order, -360, -180) >= 1 and count(order, -180, -90) = 0"

[[tables.tag]]
code = "back"
en = "bought again since"
zh = "此后再次购买"
when = "count(order, -90) >= 1"

[[tables.table]]
name = "pause"
en = "After a pause of a quarter"
zh = "停购一个季度之后"
by = [{{ dimension = "tag.paused", keys = ["yes", "no"] }}, {{ dimension = "tag.back", keys = ["yes", "no"] }}]
measure = [{{ name = "customers" }}]
[[tables.table.figure]]
name = "back"
en = "Bought again in 90 days"
zh = "90 天内再次购买"
view = "bars"
is = "customers[tag.back = yes] / customers[all tag.back]"
"""


def like_their_person(records: pd.DataFrame) -> pd.Series:
    """Which records are on the same side of all three medians as all records of their person together.

    Args:
        records: one row a record: person, recency_days, orders, money.

    Returns:
        Shape ``(records,)``: whether recency, frequency and money of the record say of the person what is so.
    """
    together = records.groupby("person").agg(
        recency_days=("recency_days", "min"), orders=("orders", "sum"), money=("money", "sum")
    )
    whole = together.loc[records["person"]].set_index(records.index)
    middle = records[["recency_days", "orders", "money"]].median()
    alike = (records[middle.index] > middle) == (whole[middle.index] > middle)
    return alike.all(axis=1)


def firsts_before(as_of: dt.date, count: int) -> list[dt.date]:
    """The last so many firsts of a month up to a day, oldest first."""
    days = [as_of.replace(day=1)]
    while len(days) < count:
        days.append((days[-1] - dt.timedelta(days=1)).replace(day=1))
    return days[::-1]


def _monthly_truth(
    clean: dict[str, pd.DataFrame], returns: dict[str, pd.DataFrame], as_of: dt.date
) -> dict[str, dict[str, Any]]:
    """What is true as of the last months' days, and of the time after them where that is over."""
    days = firsts_before(as_of, 3)
    return {
        "months": {day.isoformat(): totals_at(clean, returns, day) for day in days},
        "later": {day.isoformat(): later_than(clean, day) for day in days if day + LATER <= as_of},
    }


def totals_at(clean: dict[str, pd.DataFrame], returns: dict[str, pd.DataFrame], day: dt.date) -> dict[str, float]:
    """Records, orders and revenue of all holders in the year before a day, exact; money in euros, returns set off."""
    until = pd.Timestamp(day)
    since = until - pd.Timedelta(days=WINDOW_DAYS)
    records = orders = revenue = 0.0
    for name, rows in clean.items():
        bought = rows[(rows["time"] >= since) & (rows["time"] < until)]
        back = returns[name]
        back = back[(back["time"] >= since) & (back["time"] < until) & back["person"].isin(bought["person"])]
        records += bought["person"].nunique()
        orders += bought["order"].nunique()
        revenue += float((bought["quantity"] * bought["price"]).sum() + (back["quantity"] * back["price"]).sum()) / 100
    return {"customer_records": int(records), "orders": int(orders), "revenue": round(revenue, 2)}


def later_than(clean: dict[str, pd.DataFrame], day: dt.date) -> dict[str, int]:
    """Records with a purchase before a day, those of them that buy in the time after it, and their days of purchase."""
    start, end = pd.Timestamp(day), pd.Timestamp(day + LATER)
    records = buyers = days = 0
    for rows in clean.values():
        known = set(rows.loc[rows["time"] < start, "person"])
        came = rows[(rows["time"] >= start) & (rows["time"] < end) & rows["person"].isin(known)]
        records += len(known)
        buyers += came["person"].nunique()
        days += len(came.assign(day=came["time"].dt.date)[["person", "day"]].drop_duplicates())
    return {"days_ahead": LATER.days, "customer_records": records, "buyers": buyers, "purchase_days": days}


def _truth(
    holders: tuple[GeneratedHolder, ...],
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
        "share_of_records_like_their_person": round(float(like_their_person(pooled).mean()), 6),
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
