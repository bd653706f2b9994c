"""Who buys what, when and where in a generated world, before any holder writes it down.

Persons buy as in the BG/NBD model (Fader, Hardie, Lee 2005, "Counting your customers the easy way", Marketing Science
24(2), section 3): with gamma-distributed purchase rates, and with a beta-distributed chance to stop after every
purchase. Spending is gamma between persons and lognormal between lines, and sales follow the seasons.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: How sales are spread over the months, January first; the mean is about 1.
SEASONS = (0.85, 0.75, 0.85, 0.9, 0.95, 0.95, 0.9, 0.85, 0.95, 1.05, 1.4, 1.6)

_DAYS = 730
_PRODUCTS = 400
_LINES_MAX = 5
_ORDERS_MAX = 80
#: BG/NBD: shape of the rates, mean rate a day, and the two shapes of the chance to stop.
_RATE_SHAPE, _RATE_MEAN = 0.9, 1 / 75
_STOP_SHAPES = (0.8, 3.2)
#: Of the persons who shop at more than one holder, this share shops at three.
_THREE = 0.25


def orders_of(rng: np.random.Generator, *, customers: int, stores: int, as_of: dt.date, overlap: float) -> pd.DataFrame:
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


def lines_of(rng: np.random.Generator, orders: pd.DataFrame, *, customers: int) -> pd.DataFrame:
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


def returns_of(rng: np.random.Generator, lines: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """About 3% of the lines come back within a month, before the as-of day, as lines of negative quantity."""
    back = lines[rng.random(len(lines)) < 0.03].copy()
    back["time"] += pd.to_timedelta(rng.integers(1, 30, len(back)), unit="D")
    back["quantity"] = -rng.integers(1, back["quantity"].to_numpy() + 1)
    return back[back["time"] < pd.Timestamp(as_of)].assign(returned=True)
