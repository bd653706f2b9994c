"""Scores: the released model of buying, applied to the holder's own customers as of a day.

The model is what the coordinator fitted to a release, and stated in its result; holders compare that text with what the
others were handed. Anything worked out from a release is free, and these scores stay here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from clients.analyses.history.bands import CERTAIN, DATES
from privacy.analyses.history.buying import Bought, FloatArray
from privacy.analyses.history.features import DAY_VALUE
from privacy.analyses.history.history_cells import purchases
from privacy.analyses.history.options import HistoryOptions
from privacy.analyses.history.results import USUAL_WEIGHT, HistoryResult, SpendLevel
from privacy.kernel.features import FeatureTable, IntArray
from privacy.results import StudyResult

#: A purchase of 1.0 in the integers that expected ones are kept in.
PURCHASE = 1_000
#: A next purchase that is due later than this is not expected.
NEVER_DAYS = 730


def released(stated: str | None) -> HistoryResult | None:
    """The figures of a run's result as it came; None where it has none."""
    try:
        return StudyResult.model_validate_json(stated or "").of(HistoryResult)
    except ValidationError:
        return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Scores of all customers with a purchase before the day; int64 arrays of shape ``(customers,)``.

    Attributes:
        rows: their rows in the table, ascending.
        active: probability not to be lost, in units of 1 / CERTAIN.
        buys: probability to buy, by days ahead, the same.
        purchases: days of purchase to expect in the study's longest horizon, in units of 1 / PURCHASE.
        spend: to expect in that time, minor units; None where the study did not ask about money.
        next_days: days until the next purchase has come as likely as not; -1 where it is not expected.
    """

    rows: IntArray
    active: IntArray
    buys: dict[int, IntArray]
    purchases: IntArray
    spend: IntArray | None
    next_days: IntArray

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return "Scores(<private>)"


def score(figures: HistoryResult, table: FeatureTable, day: int, options: HistoryOptions, *, unit: int) -> Scores:
    """Score every customer with a purchase before a day of the table.

    Args:
        figures: what was released.
        table: the holder's customers, with the study's features.
        day: index of the day.
        options: the study's.
        unit: minor units in a whole one of the study's currency.
    """
    rows, bought = known(table, day)
    model, ahead = figures.model, options.horizons[-1]
    expected = model.expected(bought, ahead)
    spend = None
    if options.value_cap:
        own = np.maximum(table.values[rows, day, table.names.index(DAY_VALUE)], 0)
        level = own_level(figures.spend, bought.further + 1, own.astype(np.float64), unit)
        spend = np.rint(expected * level).astype(np.int64)
    waiting = model.waiting_days(bought)
    return Scores(
        rows=rows,
        active=_parts(model.alive(bought)),
        buys={days: _parts(model.buys_within(bought, days)) for days in DATES},
        purchases=np.rint(PURCHASE * expected).astype(np.int64),
        spend=spend,
        next_days=np.where(waiting <= NEVER_DAYS, np.minimum(waiting, NEVER_DAYS), -1).astype(np.int64),
    )


def own_level(released: SpendLevel | None, days: FloatArray, own: FloatArray, unit: int) -> FloatArray:
    """What each customer is expected to spend on a day of purchase, minor units, shape ``(customers,)``.

    The more days of its own a customer has, the more its own mean counts, and the less that of all: where the noise hid
    that, that of the holder's own customers.

    Args:
        released: level and weight.
        days: of purchase.
        own: mean spend on one of them, minor units.
        unit: minor units in a whole one.
    """
    weight = USUAL_WEIGHT if released is None else released.weight
    mean = (float(own.mean()) if len(own) else 0.0) if released is None else max(released.mean.value, 0.0) * unit
    return (weight * mean + days * own) / (weight + days)


def known(table: FeatureTable, day: int) -> tuple[IntArray, Bought]:
    """Rows of the customers with a purchase before a day, and what is known of these."""
    further, last, tenure, there = purchases(table, day)
    rows = np.flatnonzero(there)
    return rows, Bought(*(part[rows].astype(np.float64) for part in (further, last, tenure)))


def _parts(probability: FloatArray) -> IntArray:
    return np.rint(CERTAIN * np.clip(probability, 0.0, 1.0)).astype(np.int64)
