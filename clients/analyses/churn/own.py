"""The holder's churn figures: the released model's quality on its own customers, who is at risk, and for how much.

Everything is exact, from the holder's own rows; what the consortium released stands beside it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.analyses.churn.bands import BANDS, CERTAIN, Band, band_of
from clients.analyses.churn.facts import Facts, IntArray
from clients.analyses.churn.intervals import days_after, fit_intervals
from clients.analyses.churn.labels import ScoreSnapshot
from clients.analyses.churn.own_formula import fitted
from clients.analyses.churn.quality import Ranked, ranked
from clients.analyses.churn.reasons import Said, parts_of, said
from clients.analyses.churn.scoring import Scores, probabilities, score
from clients.data.rows.kinds import OwnRows
from clients.labels.config import ContactSettings
from clients.labels.contacts import PLACES, places, share_of
from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.ageing import Ageing
from privacy.analyses.churn.results import ChurnResult
from privacy.kernel.features import FeatureTable
from privacy.models.scorers import ChurnModel, logits_of
from privacy.protocol.study import Study

#: Customers on the list to act on.
LISTED = 20
#: A change of the probability that is worth a word, in units of 1 / CERTAIN.
MOVED = CERTAIN // 10


@dataclass(frozen=True, kw_only=True)
class BandLine:
    """A band of risk; money in minor units, of the last 365 days (negative spend counts as such)."""

    band: Band
    customers: int
    money: int
    at_risk: int


@dataclass(frozen=True, kw_only=True)
class AtRisk:
    """A customer on the list.

    Attributes:
        probability: in units of 1 / CERTAIN.
        money, at_risk: minor units.
        recency_days: days since the last purchase.
        act_by, expected: days; the second is None where no purchase is expected.
        reason: the strongest reason that raises the score among the main ones; None without one.
        change: of the probability since the scores before, None where there are none.
    """

    customer_id: str
    band: Band
    probability: int
    money: int
    at_risk: int
    recency_days: int
    act_by: dt.date
    expected: dt.date | None
    reason: Said | None
    change: int | None


@dataclass(frozen=True, kw_only=True)
class PlaceLine:
    """Customers to call, to write to, or to leave alone; money as of a band, ``stay`` their mean probability to buy."""

    place: str
    customers: int
    money: int
    at_risk: int
    stay: float


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnChurn:
    """Everything that is the same in both languages.

    Attributes:
        result: what the coordinator stated.
        scored: customers who count as of the study's day.
        away: customers who do not, because they have not bought for too long.
        tested: customers who counted on the day of the test.
        rankings: the model, recency alone, the public formula, the same with the holder's own parameters, and the
            interval model on the day of the test, by code; those are left out that nothing can be said of.
        typical_days: the interval to which the interval model shrinks.
        bands: from the highest risk.
        places: customers to call, to write to, and to leave alone.
        names, share: how many there are to contact, and the thousandths of them that a control group has.
        listed: the list to act on, by value at risk; nobody of the lowest band.
        since: the day of the scores before; None where there are none, or of another horizon.
        risen, fallen: customers whose probability has changed by at least ``MOVED`` since then.
        aged: the model on the holder's own customers now, against the first day that it was tested on; None for a model
            of this run, and where one of the days says nothing.
    """

    result: ChurnResult
    scored: int
    away: int
    tested: int
    rankings: dict[str, Ranked]
    typical_days: float
    bands: tuple[BandLine, ...]
    places: tuple[PlaceLine, ...]
    names: int
    share: int
    listed: tuple[AtRisk, ...]
    since: dt.date | None = None
    risen: int = 0
    fallen: int = 0
    aged: Ageing | None = None

    def __repr__(self) -> str:
        return "OwnChurn(<private>)"


def own_churn(
    features: OwnRows[FeatureTable],
    model: ChurnModel,
    study: Study,
    result: ChurnResult,
    *,
    earlier: ScoreSnapshot | None = None,
    contacts: ContactSettings = ContactSettings(),
) -> OwnChurn:
    """Work out a holder's churn figures.

    Args:
        features: its customers, with facts (:mod:`clients.analyses.churn.facts`), at the days of the study's analysis.
        model: the one that the study released.
        study: the study.
        result: the analysis' result, as the coordinator stated it.
        earlier: the scores of an earlier day of the same study.
        contacts: how many customers the operator has hands for.
    """
    options, table = study.of(CONTRACT), features.table
    last = len(options.days(study.as_of)) - 1
    correction = result.recalibration
    scores = score(model, table, last, horizon_days=options.horizon_days, correction=correction)
    facts = Facts.of(table, last)
    bands = band_of(scores.probability)
    place = places(scores.at_risk, contacts)
    names = int((place < len(PLACES)).sum())
    change = None
    if earlier is not None and earlier.horizon_days == options.horizon_days:
        change = _change(scores, features.ids, earlier)
    rankings, tested = rankings_on_test_day(features, model, study)
    return OwnChurn(
        result=result,
        scored=len(scores),
        away=len(table) - len(scores),
        tested=tested,
        rankings=rankings,
        typical_days=fit_intervals(facts).typical_days,
        bands=tuple(
            BandLine(
                band=band,
                customers=int((bands == index).sum()),
                money=int(scores.money[bands == index].sum()),
                at_risk=int(scores.at_risk[bands == index].sum()),
            )
            for index, band in enumerate(BANDS)
        ),
        places=_places(scores, place),
        names=names,
        share=share_of(names, contacts),
        listed=_listed(features.ids, scores, facts, bands, model, study.as_of, change),
        since=earlier.as_of if earlier is not None and change is not None else None,
        risen=int((change[1] & (change[0] >= MOVED)).sum()) if change else 0,
        fallen=int((change[1] & (change[0] <= -MOVED)).sum()) if change else 0,
    )


def _places(scores: Scores, place: IntArray) -> tuple[PlaceLine, ...]:
    """What is in each place; the last one is of those who are left alone."""
    lines = []
    for index, name in enumerate((*PLACES, "leave")):
        there = place == index
        lines.append(
            PlaceLine(
                place=name,
                customers=int(there.sum()),
                money=int(scores.money[there].sum()),
                at_risk=int(scores.at_risk[there].sum()),
                stay=float(1 - scores.probability[there].mean() / CERTAIN) if there.any() else 0.0,
            )
        )
    return tuple(lines)


def rankings_on_test_day(
    features: OwnRows[FeatureTable], model: ChurnModel, study: Study
) -> tuple[dict[str, Ranked], int]:
    """How each way to rank did on the day of the test, and for how many customers."""
    options, table = study.of(CONTRACT), features.table
    day = options.test
    facts = Facts.of(table, day)
    outcome = table.outcome[facts.rows, day]
    if not np.isin(outcome, (0, 1)).all():
        return {}, len(facts)
    logits, formula = logits_of(model, table, day)[facts.rows], options.formula
    history = table.values[facts.rows, day][:, [table.names.index(name) for name in formula.FACTS]]
    judge = partial(ranked, outcome=outcome, length=float(options.list_share))
    found = {
        "model": judge("model", logits, predicted=probabilities(logits) / CERTAIN),
        "recency_days": judge("recency_days", facts.recency_days),
        "prior": judge("prior", formula.logits(history)),
        "own_prior": judge("own_prior", fitted(history, formula).logits(history)),
        "intervals": judge("intervals", fit_intervals(facts).silence(facts, options.horizon_days)),
    }
    return {code: item for code, item in found.items() if item is not None}, len(facts)


def _change(scores: Scores, ids: NDArray[np.object_], earlier: ScoreSnapshot) -> tuple[IntArray, NDArray[np.bool_]]:
    """By how much each probability has changed, and whether there was one before."""
    place = pc.index_in(pa.array(ids[scores.rows], pa.string()), value_set=earlier.table["customer_id"])
    then = earlier.table["probability"].cast(pa.int64()).take(place).fill_null(-1).to_numpy()
    return scores.probability - then, then >= 0


def _listed(  # noqa: PLR0913  each column of the list has another source
    ids: NDArray[np.object_],
    scores: Scores,
    facts: Facts,
    bands: IntArray,
    model: ChurnModel,
    as_of: dt.date,
    change: tuple[IntArray, NDArray[np.bool_]] | None,
) -> tuple[AtRisk, ...]:
    chosen = np.flatnonzero((bands < len(BANDS) - 1) & (scores.at_risk > 0))
    chosen = chosen[np.argsort(-scores.at_risk[chosen], kind="stable")][:LISTED]
    act_by = days_after(as_of, scores.timing.act_by[chosen]).tolist()
    expected = days_after(as_of, scores.timing.expected[chosen]).tolist()
    return tuple(
        AtRisk(
            customer_id=str(ids[scores.rows[row]]),
            band=BANDS[int(bands[row])],
            probability=int(scores.probability[row]),
            money=int(scores.money[row]),
            at_risk=int(scores.at_risk[row]),
            recency_days=int(facts.recency_days[row]),
            act_by=act_by[place],
            expected=expected[place],
            reason=_reason(scores, int(row), model),
            change=int(change[0][row]) if change is not None and change[1][row] else None,
        )
        for place, row in enumerate(chosen.tolist())
    )


def _reason(scores: Scores, row: int, model: ChurnModel) -> Said | None:
    reasons, names = scores.reasons, parts_of(model)
    for feature, level, raises in zip(reasons.feature[row], reasons.level[row], reasons.raises[row], strict=True):
        if feature >= 0 and raises:
            return said(names[feature], int(level), raises=True)
    return None
