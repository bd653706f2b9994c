"""Clean feeds of a generated world, kept beside the holders' folders: what any declared table truly says of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import FEEDS, FeedName
from simulations.worlds.dirt import RATES
from simulations.worlds.feed_writers import ids_of
from simulations.worlds.holders import GeneratedHolder
from simulations.worlds.table_truth import Clean, true_entries

_FOLDER = "clean"
_QUANTA = 10_000


def keep_clean(
    folder: Path, holder: GeneratedHolder, frames: Mapping[FeedName, pd.DataFrame], rows: pd.DataFrame, as_of: dt.date
) -> None:
    """Keep what a holder's rows mean, in ``clean/<holder>/<feed>.parquet``; no holder has it.

    Args:
        frames: its clean feeds, with persons.
        rows: its purchases, in its currency, with persons and customers, before they get dirty.
    """
    home = folder / _FOLDER / holder.name
    home.mkdir(parents=True, exist_ok=True)
    ids = ids_of(holder, frames, rows)
    _purchases(holder, rows, as_of).to_parquet(home / "order.parquet", index=False)
    for name, frame in frames.items():
        clean = frame.assign(customer=ids[frame["person"]].to_numpy()).drop(columns="person")
        for role in [role for role, what in FEEDS[name].items() if what.kind == "money" and role in clean]:
            clean[role] = _quanta(clean[role].to_numpy())
        if "born" in clean and holder.format == "csv":  # it knows years only
            clean["born"] = clean["born"].map(lambda day: day and day.replace(month=1, day=1))
        if "time" in clean:
            clean = clean[clean["time"] < pd.Timestamp(as_of)]
        clean.to_parquet(home / f"{name}.parquet", index=False)


def _quanta(units: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(units * _QUANTA + 0.5).astype(np.int64)


def _purchases(holder: GeneratedHolder, rows: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    rate = np.where(rows["currency"] == "GBP", float(RATES["GBP"]), 1.0)
    own = (rows["quantity"] * rows["price"]).to_numpy(np.float64)
    if holder.format == "local_csv":  # it keeps amounts, with two decimals
        own = np.array([float(f"{value:.2f}") for value in own])
    cost = (0.6 * rows["price"] * rows["quantity"].abs()).round(2).to_numpy(np.float64)
    named = rows[["customer", "order", "time", "category", "brand", "channel", "discount"]]
    bought = rows["quantity"].to_numpy() > 0
    clean = named.assign(quanta=_quanta(own * rate), cost=_quanta(cost * rate), bought=bought)
    return clean[clean["time"] < pd.Timestamp(as_of)]


def clean_of(folder: Path, name: str, as_of: dt.date) -> Clean:
    """What a holder of a generated world has, clean.

    Args:
        folder: the world's.
        name: the holder's.
        as_of: the day the world was generated for.
    """
    zone = {"online": "UTC"}.get(name) or ("Europe/Berlin", "Europe/London", "Europe/Berlin")[(int(name[6:]) - 1) % 3]
    until = pd.Timestamp(as_of, tz="UTC").tz_convert(zone).tz_localize(None)
    feeds = {
        cast(FeedName, path.stem): pd.read_parquet(path) for path in sorted((folder / _FOLDER / name).glob("*.parquet"))
    }
    return Clean(feeds=feeds, as_of=as_of, until=until, zone=zone)


def true_totals(folder: Path, holders: Iterable[str], as_of: dt.date, table: CellTable) -> list[list[int]]:
    """What a table truly adds up to over some holders, nobody clipped or scaled: measures of each cell in its units."""
    totals = np.zeros((table.cells, len(table.measures)), dtype=np.int64)
    for name in holders:
        for entries in true_entries(clean_of(folder, name, as_of), table).values():
            for cell, values in entries.items():
                totals[cell] += values
    found: list[list[int]] = totals.tolist()
    return found
