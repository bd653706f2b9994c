"""A shop whose customers behave alike for years, or otherwise from a day on: the truth for alarms about aged models.

Persons arrive evenly and buy as in :mod:`simulations.worlds.people`, without seasons, so that nothing changes by
itself: what a model finds on one day it finds on any other, but for chance.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: ``none``: nothing changes. ``level``: everybody buys less often. ``ranks``: many customers become others, so that
#: what they bought before says nothing of them.
Drift = Literal["none", "level", "ranks"]

#: Days of the shop before and after the day from which on things may be otherwise.
BEFORE, AFTER = 1_100, 200
_ORDERS_MAX = 60
_RATE_SHAPE, _RATE_MEAN = 0.9, 1 / 60
_STOP_SHAPES = (0.8, 3.2)
#: Of the purchases, where everybody buys less often.
_LESS = 0.5
#: Of the customers, who become others.
_OTHERS = 0.5


def drifting_orders(rng: np.random.Generator, *, customers: int, day: dt.date, drift: Drift = "none") -> pd.DataFrame:
    """Orders from ``BEFORE`` days before a day until ``AFTER`` days after it: customer, order, time, amount.

    Args:
        rng: of the world; this is no privacy noise.
        customers: how many arrive in that time.
        day: from which on behaviour is another, or is not.
        drift: what changes.
    """
    first = np.floor(rng.uniform(-BEFORE, AFTER, customers))
    days = _purchases(rng, first, 0.0)
    if drift == "level":
        days[(days >= 0) & (rng.random(days.shape) >= _LESS)] = np.inf
    elif drift == "ranks":
        others = np.flatnonzero((first < 0) & (rng.random(customers) < _OTHERS))
        anew = np.full_like(days, np.inf)
        anew[others] = _purchases(rng, np.zeros(len(others)), 1.0)
        days[others] = np.where(days[others] < 0, days[others], np.inf)
        days = np.concatenate([days, anew], axis=1)
    person, place = np.nonzero(days < AFTER)
    seconds = days[person, place].astype(np.int64) * 86_400 + 43_200
    level = rng.gamma(3.0, 20.0, customers)
    frame = pd.DataFrame(
        {
            "customer": [f"c{number:07d}" for number in person],
            "time": np.datetime64(day, "s") + seconds.astype("timedelta64[s]"),
            "amount": np.round(level[person] * rng.lognormal(0.0, 0.5, len(person)) + 1, 2),
        }
    ).sort_values(["time", "customer"], kind="stable", ignore_index=True)
    return frame.assign(order=np.arange(len(frame)))


def _purchases(rng: np.random.Generator, start: NDArray[np.float64], waits: float) -> NDArray[np.float64]:
    """Days of each customer's purchases, ascending, shape ``(customers, orders)``; infinite beyond its last.

    The first is at the start (``waits`` 0), or one interval later (1).
    """
    rate = rng.gamma(_RATE_SHAPE, _RATE_MEAN / _RATE_SHAPE, len(start)) + 1e-9
    gaps = rng.exponential(1.0, (len(start), _ORDERS_MAX)) / rate[:, None]
    gaps[:, 0] *= waits
    alive = rng.geometric(np.maximum(rng.beta(*_STOP_SHAPES, len(start)), 1e-6))
    days = np.floor(start[:, None] + np.cumsum(gaps, axis=1))
    return np.where(np.arange(_ORDERS_MAX) < alive[:, None], days, np.inf)
