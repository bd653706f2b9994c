"""The holder's figures of look-alikes: whom the model finds now, and what became of those it would have found before.

Everything is exact, from the holder's own rows; what the consortium released stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clients.analyses.lookalikes.bands import BANDS, CERTAIN, Band
from clients.analyses.lookalikes.scoring import Scores, score
from clients.analysis.comparison import Compared, compare
from clients.data.rows.kinds import OwnRows
from privacy.analyses.lookalikes import CONTRACT
from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.analyses.lookalikes.shown import shown
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.features import FeatureTable, IntArray
from privacy.models.scorers import PriorModel
from privacy.protocol.study import Study

#: Customers shown one by one.
LISTED = 20


@dataclass(frozen=True, kw_only=True)
class BandLine:
    """A band: its customers, and how many of them to expect to become of the kind."""

    band: Band
    customers: int
    expected: float


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A customer on the list: probability in units of 1 / CERTAIN, spend of 365 days in minor units."""

    customer_id: str
    probability: int
    money: int


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What the model would have said on the day of the test, and what came; exact.

    Attributes:
        customers: who counted.
        became: of them.
        listed: with the highest scores, as many as the study's list has.
        of_listed: of those, became of the kind.
    """

    customers: int
    became: int
    listed: int
    of_listed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnLookalikes:
    """Everything that is the same in both languages.

    Attributes:
        figures: as they are shown.
        scored: customers.
        bands: from the highest scores.
        listed: those with the highest, descending.
        tried: None where nobody counted then, or it is not tried.
        rate: share of the holder's customers that became of the kind from the day of the test on, beside the
            consortium's; None without :attr:`tried`.
    """

    figures: LookalikesResult
    scored: int
    bands: tuple[BandLine, ...]
    listed: tuple[Listed, ...]
    tried: Tried | None
    rate: Compared | None

    def __repr__(self) -> str:
        return "OwnLookalikes(<private>)"


def own_lookalikes(
    rows: OwnRows[FeatureTable], model: PriorModel, study: Study, released: LookalikesResult, *, trying: bool = True
) -> OwnLookalikes:
    """Work out a holder's own figures.

    Args:
        rows: its customers, by the study's request.
        model: as it was in the plan.
        study: the study.
        released: the analysis' result.
        trying: whether the model is tried on what these customers did: not where that is what they were chosen by.
    """
    options = study.of(CONTRACT)
    length, test = float(options.list_share), options.training_days
    now = score(model, rows.table, test + 1, list_share=length)
    order = np.argsort(-now.logits, kind="stable")[:LISTED]
    tried = _tried(score(model, rows.table, test, list_share=length), rows.table.outcome[:, test]) if trying else None
    return OwnLookalikes(
        figures=shown(released),
        scored=len(now),
        bands=tuple(_band(now, now.band == place, band) for place, band in enumerate(BANDS)),
        listed=tuple(
            Listed(
                customer_id=str(rows.ids[now.rows[place]]),
                probability=int(now.probability[place]),
                money=int(now.money[place]),
            )
            for place in order
        ),
        tried=tried,
        rate=None if tried is None else _compared(tried, released),
    )


def _band(scores: Scores, inside: IntArray, band: Band) -> BandLine:
    return BandLine(band=band, customers=int(inside.sum()), expected=float(scores.probability[inside].sum()) / CERTAIN)


def _tried(scores: Scores, outcome: IntArray) -> Tried | None:
    if not len(scores):
        return None
    came = outcome[scores.rows] == 1
    return Tried(
        customers=len(scores),
        became=int(came.sum()),
        listed=int((scores.band == 0).sum()),
        of_listed=int(came[scores.band == 0].sum()),
    )


def _compared(tried: Tried, released: LookalikesResult) -> Compared:
    own = tried.became / tried.customers
    chance = Z95 * math.sqrt(own * (1 - own) / tried.customers)
    stated, as_shown = released.quality, shown(released).quality
    everyone = released.customers.value
    weight = min(max(tried.customers / everyone, 0.0), 1.0) if everyone > 0 else 1.0
    return compare(
        Estimate(value=own, margin=chance),
        None if stated is None else stated.churn_rate,
        weight=weight,
        comparisons=1,
        shown=None if as_shown is None else as_shown.churn_rate,
    )
