"""The holder's figures of next purchases: who is due, what to expect of whom, and how the model did on what has been.

Everything is exact, from the holder's own rows; what the consortium released stands beside it.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np

from clients.analyses.history.bands import BANDS, Band, band_of
from clients.analyses.history.labels import deciles
from clients.analyses.history.scoring import PURCHASE, Scores, known, score
from clients.analysis.comparison import Compared, compare
from clients.data.rows.kinds import OwnRows
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.results import HistoryResult
from privacy.analyses.history.shown import shown
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FeatureTable, IntArray
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study

#: Customers on the list of the most valuable ones.
LISTED = 20
#: Days of the own request: the one that the model is tried from, and the study's.
EARLIER, NOW = 0, 1


@dataclass(frozen=True, kw_only=True)
class BandLine:
    """A band: its customers, days of purchase to expect of them, and its share of spend to expect (None without)."""

    band: Band
    customers: int
    purchases: float
    spend: float | None


@dataclass(frozen=True, kw_only=True)
class Valuable:
    """A customer on the list.

    Attributes:
        buys: probability to buy within :attr:`OwnHistory.ahead_days`, in units of 1 / CERTAIN.
        purchases: days of purchase to expect in the study's longest horizon.
        spend: in that time, minor units; None without.
        next_by: None where no purchase is expected.
    """

    customer_id: str
    band: Band
    buys: int
    purchases: float
    spend: int | None
    next_by: dt.date | None


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What the model would have said some time ago, and what came.

    Attributes:
        day: from which on.
        customers: with a purchase before it.
        predicted, observed: share of them to buy, and that bought, within the time.
        margin: what chance may explain of the difference (95%).
        expected, came: days of purchase.
    """

    day: dt.date
    customers: int
    predicted: float
    observed: float
    margin: float
    expected: float
    came: int


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnHistory:
    """Everything that is the same in both languages.

    Attributes:
        figures: as they are shown.
        scored: customers.
        ahead_days: what probabilities here are of.
        longest_days: what purchases and spend to expect are of.
        active, buyers: shares of the customers whose first purchase was in the study's window, beside the consortium's.
        bands: from who buys soonest.
        top_share: of all spend (or purchases) to expect, that of the tenth with the most.
        listed: those with the most, descending.
        tried: None where the holder had no customers so long ago, or it is not tried.
    """

    figures: HistoryResult
    scored: int
    ahead_days: int
    longest_days: int
    active: Compared | None
    buyers: Compared | None
    bands: tuple[BandLine, ...]
    top_share: float
    listed: tuple[Valuable, ...]
    tried: Tried | None

    def __repr__(self) -> str:
        return "OwnHistory(<private>)"


def own_request(study: Study) -> FeatureRequest:
    """The study's features, as of its day and of an earlier one: from there the model is tried on what has been."""
    options = study.of(CONTRACT)
    earlier = study.as_of - dt.timedelta(days=options.ahead_days)
    return options.request(study.as_of).model_copy(update={"days": (earlier, study.as_of)})


def own_history(
    rows: OwnRows[FeatureTable], study: Study, released: HistoryResult, *, trying: bool = True
) -> OwnHistory:
    """Work out a holder's own figures.

    Args:
        rows: its customers, by :func:`own_request`.
        study: the study.
        released: the analysis' result.
        trying: whether the model is tried on what these customers did: not where that is what they were chosen by.
    """
    options, unit = study.of(CONTRACT), 10 ** minor_digits(study.currency)
    scores = score(released, rows.table, NOW, options, unit=unit)
    value = scores.purchases if scores.spend is None else scores.spend
    bands = band_of(scores.buys)
    total = int(value.sum())
    active, buyers = _compared(rows.table, released)
    order = np.argsort(-value, kind="stable")[:LISTED]
    return OwnHistory(
        figures=shown(released),
        scored=len(scores),
        ahead_days=options.ahead_days,
        longest_days=options.horizons[-1],
        active=active,
        buyers=buyers,
        bands=tuple(_band(scores, bands == place, band) for place, band in enumerate(BANDS)),
        top_share=int(value[deciles(value) == 1].sum()) / total if total else 0.0,
        listed=tuple(_valuable(scores, rows, study, int(place), BANDS[int(bands[place])]) for place in order),
        tried=_tried(rows.table, study, released) if trying else None,
    )


def _band(scores: Scores, inside: IntArray, band: Band) -> BandLine:
    return BandLine(
        band=band,
        customers=int(inside.sum()),
        purchases=float(scores.purchases[inside].sum()) / PURCHASE,
        spend=None if scores.spend is None else int(scores.spend[inside].sum()) / max(int(scores.spend.sum()), 1),
    )


def _valuable(scores: Scores, rows: OwnRows[FeatureTable], study: Study, place: int, band: Band) -> Valuable:
    wait = int(scores.next_days[place])
    return Valuable(
        customer_id=str(rows.ids[scores.rows[place]]),
        band=band,
        buys=int(scores.buys[band.days][place]),
        purchases=float(scores.purchases[place]) / PURCHASE,
        spend=None if scores.spend is None else int(scores.spend[place]),
        next_by=None if wait < 0 else study.as_of + dt.timedelta(days=wait),
    )


def _compared(table: FeatureTable, released: HistoryResult) -> tuple[Compared | None, Compared | None]:
    """Who is still a customer and who buys, of the customers of the window: the holder's beside the consortium's."""
    _, bought = known(table, NOW)
    inside = bought.tenure <= released.window_days
    count = int(inside.sum())
    if not count:
        return None, None
    everyone = released.customers.value
    weight = min(max(count / everyone, 0.0), 1.0) if everyone > 0 else 1.0
    as_shown = shown(released)
    soon, soon_shown = (
        next(one.buyers for one in item.ahead if one.upto == item.ahead_days) for item in (released, as_shown)
    )
    found = []
    for values, stated, seen in (
        (released.model.alive(bought), released.share, as_shown.share),
        (released.model.buys_within(bought, released.ahead_days), soon, soon_shown),
    ):
        own = values[inside]
        exact = Estimate(value=float(own.mean()), margin=Z95 * float(own.std()) / math.sqrt(count))
        found.append(compare(exact, stated, weight=weight, comparisons=2, shown=seen))
    return found[0], found[1]


def _tried(table: FeatureTable, study: Study, released: HistoryResult) -> Tried | None:
    rows, bought = known(table, EARLIER)
    if not len(rows):
        return None
    days = study.of(CONTRACT).ahead_days
    place = table.names.index("purchase_days")
    came = table.values[rows, NOW, place] - table.values[rows, EARLIER, place]
    predicted = released.model.buys_within(bought, days)
    chance = math.sqrt(float((predicted * (1 - predicted)).sum())) / len(rows)
    return Tried(
        day=study.as_of - dt.timedelta(days=days),
        customers=len(rows),
        predicted=float(predicted.mean()),
        observed=float((came > 0).mean()),
        margin=Z95 * chance,
        expected=float(released.model.expected(bought, days).sum()),
        came=int(came.sum()),
    )
