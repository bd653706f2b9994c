"""What the customers of a generated world do beside buying, in public words, before any holder writes it down.

Everything is drawn around the purchases of :mod:`simulations.worlds.people`, from a generator of its own, so that a
world has the same purchases with feeds as without. Times are whole minutes of the holder's own clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from privacy.kernel.feeds import FEEDS, STAGES, FeedName
from simulations.worlds.holders import GeneratedHolder

#: The public keys of everything that a study of a generated world may list.
LISTS: Mapping[str, tuple[str, ...]] = {
    "channels": ("search", "social", "friends", "ads", "direct"),
    "devices": ("phone", "desktop", "tablet"),
    "pages": ("home", "list", "detail", "cart"),
    "categories": ("food", "home", "toys", "clothes", "beauty", "sport"),
    "brands": ("own", "north", "lumen", "terra"),
    "regions": ("north", "south", "east", "west"),
    "genders": ("female", "male"),
    "occupations": ("student", "employee", "self_employed", "retired"),
    "levels": ("basic", "silver", "gold"),
    "reasons": ("quality", "size", "damaged", "late", "changed_mind"),
    "topics": ("quality", "price", "delivery", "service"),
    "questions": ("delivery", "product", "refund", "account"),
    "campaigns": ("spring_sale", "new_goods"),
    "arms": ("message", "control"),
    "order_channels": ("web", "app", "till"),
    "stages": ("added", "removed", "checkout"),
}
#: How far visits of each source come that do not end in an order; of four, shares of the stages before ``ordered``.
_REACH = {
    "search": (0.35, 0.40, 0.17, 0.08), "social": (0.60, 0.30, 0.07, 0.03), "friends": (0.30, 0.40, 0.20, 0.10),
    "ads": (0.65, 0.25, 0.07, 0.03), "direct": (0.25, 0.40, 0.23, 0.12),
}  # fmt: skip
#: A value that no study lists; so many of a role's are.
UNLISTED = "???"
_UNLISTED_SHARE = 0.02
_CHANNEL_SHARES = (0.30, 0.22, 0.10, 0.23, 0.15)
#: Persons who only look, for each who buys.
VISITORS = 0.15


def is_on_the_web(holder: GeneratedHolder) -> bool:
    """Whether a holder knows of visits, pages, touches and carts; every fourth one does not."""
    return holder.number % 4 != 3


def with_goods(rng: np.random.Generator, lines: pd.DataFrame) -> pd.DataFrame:
    """Purchase lines with category and brand of their product, channel of their order, and whether reduced."""
    product = lines["product"].str[1:].astype(int).to_numpy()
    keen = rng.beta(1.0, 3.0, int(lines["person"].max()) + 1 if len(lines) else 1)
    channel = np.where(lines["holder"] == 0, np.where(lines["order"] % 3 == 0, "app", "web"), "till")
    return lines.assign(
        category=np.array(LISTS["categories"])[product * 7 % 6],
        brand=np.array(LISTS["brands"])[product * 5 % 11 % 4],
        channel=channel,
        discount=rng.random(len(lines)) < keen[lines["person"]],
    )


def feeds_of(
    rng: np.random.Generator, holder: GeneratedHolder, lines: pd.DataFrame, returns: pd.DataFrame, as_of: dt.date
) -> dict[FeedName, pd.DataFrame]:
    """The clean feeds of one holder: columns ``person``, ``time`` (of events), and the roles that it knows.

    Persons beyond those who buy, numbered from the largest on, only look.
    """
    buyers = np.unique(lines["person"])
    first = int(buyers.max()) + 1 if len(buyers) else 0
    lookers = first + np.arange(round(VISITORS * len(buyers)) if is_on_the_web(holder) else 0)
    orders = lines.groupby("order", as_index=False).agg(
        person=("person", "first"), time=("time", "min"), category=("category", "first")
    )
    found: dict[FeedName, pd.DataFrame] = {
        "customer": _customers(rng, np.concatenate([buyers, lookers])),
        "return": _returns(rng, returns),
        "rating": _ratings(rng, orders, as_of),
        "contact": _contacts(rng, buyers, as_of),
        "sent": _sent(rng, orders, buyers, as_of),
    }
    if is_on_the_web(holder):
        sessions = _sessions(rng, orders, np.concatenate([buyers, lookers]), as_of)
        found |= {
            "session": sessions,
            "view": _views(rng, sessions, as_of),
            "touch": _touches(rng, sessions, as_of),
            "cart": _carts(rng, sessions),
        }
    return {name: _with_unlisted(rng, name, frame.reset_index(drop=True)) for name, frame in found.items()}


def _with_unlisted(rng: np.random.Generator, name: FeedName, frame: pd.DataFrame) -> pd.DataFrame:
    for role in [role for role, what in FEEDS[name].items() if what.kind == "text" and role in frame]:
        frame[role] = frame[role].mask(rng.random(len(frame)) < _UNLISTED_SHARE, UNLISTED)
    return frame


def _pick(rng: np.random.Generator, name: str, count: int, p: tuple[float, ...] | None = None) -> NDArray[np.object_]:
    return np.asarray(rng.choice(np.array(LISTS[name], dtype=object), count, p=p))


def _some(rng: np.random.Generator, values: NDArray[np.object_], missing: float) -> NDArray[np.object_]:
    kept = values.copy()
    kept[rng.random(len(values)) < missing] = None
    return kept


def _before(frame: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    return frame[frame["time"] < pd.Timestamp(as_of)]


def _customers(rng: np.random.Generator, persons: NDArray[np.int64]) -> pd.DataFrame:
    known = persons[rng.random(len(persons)) < 0.85]
    count = len(known)
    born = np.clip(np.round(rng.normal(1983, 14, count)), 1935, 2007).astype(int)
    day = np.array([dt.date(year, 1 + place % 12, 1 + place % 28) for place, year in enumerate(born)], dtype=object)
    return pd.DataFrame({
        "person": known,
        "gender": _some(rng, _pick(rng, "genders", count, (0.6, 0.4)), 0.1),
        "born": _some(rng, day, 0.2),
        "region": _some(rng, _pick(rng, "regions", count, (0.4, 0.3, 0.2, 0.1)), 0.05),
        "occupation": _some(rng, _pick(rng, "occupations", count, (0.15, 0.55, 0.15, 0.15)), 0.4),
        "level": _pick(rng, "levels", count, (0.7, 0.22, 0.08)),
        "company": rng.random(count) < 0.04,
        "first_channel": _some(rng, _pick(rng, "channels", count, _CHANNEL_SHARES), 0.1),
    })  # fmt: skip


def _returns(rng: np.random.Generator, returns: pd.DataFrame) -> pd.DataFrame:
    value = (returns["quantity"].abs() * returns["price"]).to_numpy() / 100
    reasons = _pick(rng, "reasons", len(returns), (0.25, 0.30, 0.10, 0.15, 0.20))
    return returns[["person", "time", "order", "category"]].assign(amount=value, reason=_some(rng, reasons, 0.08))


def _ratings(rng: np.random.Generator, orders: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    rated = orders[rng.random(len(orders)) < 0.2].copy()
    rated["time"] += pd.to_timedelta(rng.integers(1, 20 * 1440, len(rated)), unit="min")
    rated["stars"] = rng.choice([1, 2, 3, 4, 5], len(rated), p=[0.06, 0.06, 0.13, 0.30, 0.45])
    rated["topic"] = _pick(rng, "topics", len(rated))
    return _before(rated, as_of)


def _contacts(rng: np.random.Generator, buyers: NDArray[np.int64], as_of: dt.date) -> pd.DataFrame:
    person = np.repeat(buyers, rng.poisson(0.25, len(buyers)))
    return pd.DataFrame({
        "person": person,
        "time": _moments(rng, len(person), as_of, 365),
        "topic": _pick(rng, "questions", len(person), (0.45, 0.25, 0.2, 0.1)),
        "minutes": 1 + rng.poisson(6, len(person)),
    })  # fmt: skip


def _moments(rng: np.random.Generator, count: int, as_of: dt.date, days: int) -> pd.Series:
    minutes = rng.integers(0, days, count) * 1440 + rng.integers(7 * 60, 23 * 60, count)
    return pd.Series(pd.Timestamp(as_of) - pd.Timedelta(days=days) + pd.to_timedelta(minutes, unit="min"))


def _sent(rng: np.random.Generator, orders: pd.DataFrame, buyers: NDArray[np.int64], as_of: dt.date) -> pd.DataFrame:
    parts = []
    for campaign, days in zip(LISTS["campaigns"], (75, 40), strict=True):
        chosen = np.sort(buyers[rng.random(len(buyers)) < 0.4])
        moment = pd.Timestamp(as_of) - pd.Timedelta(days=days) + pd.Timedelta(hours=10)
        late = orders[(orders["time"] >= moment) & (orders["time"] < moment + pd.Timedelta(days=14))]
        # Purchases are there already: that messages work shows as messages having gone to more of those who bought.
        told = rng.random(len(chosen)) < np.where(np.isin(chosen, late["person"]), 0.62, 0.48)
        parts.append(pd.DataFrame({
            "person": chosen, "time": moment, "campaign": campaign,
            "arm": np.where(told, "message", "control"), "channel": _pick(rng, "channels", len(chosen)),
        }))  # fmt: skip
    return pd.concat(parts)


def _sessions(
    rng: np.random.Generator, orders: pd.DataFrame, persons: NDArray[np.int64], as_of: dt.date
) -> pd.DataFrame:
    led = orders[rng.random(len(orders)) < 0.6]
    looked = np.repeat(persons, 1 + rng.poisson(0.9, len(persons)))
    source = _pick(rng, "channels", len(looked), _CHANNEL_SHARES)
    shares = np.cumsum([_REACH[name] for name in source], axis=1)
    stage = np.minimum((rng.random(len(looked))[:, None] > shares).sum(axis=1), 3)
    ahead = pd.to_timedelta(rng.integers(2, 40, len(led)), unit="min")
    made = pd.concat([
        pd.DataFrame({"person": looked, "time": _moments(rng, len(looked), as_of, 120), "source": source,
                      "furthest": np.array(STAGES, dtype=object)[stage]}),
        pd.DataFrame({"person": led["person"], "time": led["time"] - ahead, "furthest": "ordered",
                      "source": _pick(rng, "channels", len(led), (0.35, 0.15, 0.12, 0.13, 0.25))}),
    ], ignore_index=True)  # fmt: skip
    count = len(made)
    made["device"] = _pick(rng, "devices", count, (0.6, 0.3, 0.1))
    made["page"] = _pick(rng, "pages", count, (0.4, 0.2, 0.35, 0.05))
    made["pages"] = 1 + rng.poisson(3, count)
    made["seconds"] = np.round(rng.lognormal(4.3, 0.9, count)).astype(int)
    return _before(made, as_of).sort_values(["time", "person"], kind="stable", ignore_index=True)


def _views(rng: np.random.Generator, sessions: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    recent = sessions[sessions["time"] >= pd.Timestamp(as_of) - pd.Timedelta(days=120)]
    row = np.repeat(np.arange(len(recent)), 1 + rng.binomial(2, 0.4, len(recent)))
    views = recent.iloc[row][["person", "time"]].reset_index(drop=True)
    count = len(views)
    views["page"] = _pick(rng, "pages", count, (0.2, 0.25, 0.45, 0.10))
    views["product"] = [f"P{number:04d}" for number in rng.integers(0, 400, count)]
    views["category"] = _pick(rng, "categories", count)
    views["price"] = np.round(rng.lognormal(2.9, 0.8, count), 2)
    views["seconds"] = np.round(rng.lognormal(3.2, 1.0, count)).astype(int)
    return views


def _touches(rng: np.random.Generator, sessions: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    touched = sessions[rng.random(len(sessions)) < 0.8]
    row = np.repeat(np.arange(len(touched)), 1 + rng.binomial(3, 0.35, len(touched)))
    touches = touched.iloc[row][["person", "time", "source"]].reset_index(drop=True)
    count = len(touches)
    touches["time"] -= pd.to_timedelta(rng.integers(0, 35 * 1440, count), unit="min")
    own = rng.random(count) < 0.5
    touches["channel"] = np.where(own, touches.pop("source"), _pick(rng, "channels", count, _CHANNEL_SHARES))
    touches["campaign"] = _pick(rng, "campaigns", count)
    paid = touches["channel"].isin(("search", "social", "ads"))
    touches["cost"] = np.where(paid, np.round(rng.gamma(2.0, 0.2, count), 2), 0.0)
    return _before(touches, as_of)


def _carts(rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    filled = sessions[sessions["furthest"].isin(STAGES[2:])]
    count = len(filled)
    return pd.DataFrame({
        "person": filled["person"], "time": filled["time"],
        "stage": np.where(filled["furthest"] == "in_cart", _pick(rng, "stages", count, (0.7, 0.3, 0.0)), "checkout"),
        "amount": np.round(rng.lognormal(3.4, 0.6, count), 2), "category": _pick(rng, "categories", count),
    })  # fmt: skip
