"""Where each of the holder's customers stands on the as-of day: loyalty, status, and its second order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import ValidationError

from clients.analysis import HolderContext
from clients.data.rows.kinds import OwnRows
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.features import AGE, GAP, WAIT
from privacy.analyses.tables.options import TablesOptions
from privacy.analyses.tables.results import TablesResult
from privacy.analyses.tables.statuses import StatusCuts, status_cuts, status_table
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING, FeatureTable, IntArray
from privacy.protocol.study import Study
from privacy.results import StudyResult

#: A second order: there is one; there is none yet, and the days for it are not over; they are over.
SECOND: tuple[Literal["again", "due", "late"], ...] = ("again", "due", "late")

_LOYALTY = ("loyalty", "loyalty_band")


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """The cuts of status, and the day of the run that released them."""

    cuts: StatusCuts
    as_of: dt.date


def is_labelled(options: TablesOptions) -> bool:
    """Whether a study's tables are about second orders or loyalty: only then customers are labelled with theirs."""
    used = {use.dimension for table in options.table for use in table.by}
    facts = {condition.fact for table in options.table for condition in table.where}
    return status_table(options.table) is not None or bool({*used, *facts} & {*_LOYALTY})


def days_in_time(options: TablesOptions) -> int:
    """Days within which a second order is in time: the fewest that a figure of the table is about; 0 for none."""
    place = status_table(options.table)
    figures = () if place is None else options.table[place].figure
    return min((one.parsed.days for one in figures if one.parsed.kind == "survival"), default=0)


def own_standing(context: HolderContext) -> OwnRows[FeatureTable]:
    """What labels are made from, of every customer as of the study's day."""
    names = ("recency_days", "orders", "loyalty", AGE, WAIT, GAP)
    return context.rows(FeatureRequest(names=names, days=(context.study.as_of,)))


def released_cuts(study: Study, stated: str | None) -> Cuts | None:
    """The cuts that a run's result gives; None where it has no such table, or the noise hides them.

    Args:
        study: the run's.
        stated: the coordinator's result as it came; what it says was compared with what other holders were handed.
    """
    place = status_table(study.of(CONTRACT).table)
    if place is None:
        return None
    try:
        found = StudyResult.model_validate_json(stated or "").of(TablesResult)
    except ValidationError:
        return None
    cuts = None if found is None or len(found.tables) <= place else status_cuts(found.tables[place])
    return None if cuts is None else Cuts(cuts=cuts, as_of=study.as_of)


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """All arrays have the shape ``(customers,)``; MISSING where there is nothing to say.

    Attributes:
        loyalty: thousandths.
        status: place in the statuses; MISSING without cuts.
        age: calendar days since the first order.
        gap: calendar days between the last two orders.
        second: place in :data:`SECOND`; MISSING where the study has no days for it.
        wait: calendar days from the first to the second order.
        days_left: for those who are due, days on which a second order is still in time, the as-of day among them.
    """

    loyalty: IntArray
    status: IntArray
    age: IntArray
    gap: IntArray
    second: IntArray
    wait: IntArray
    days_left: IntArray


def standing(table: FeatureTable, cuts: StatusCuts | None, in_time: int) -> Standing:
    """Every customer's standing.

    Args:
        table: of one day, with the features of :func:`own_standing`.
        cuts: of status; None where none were released.
        in_time: days within which a second order is in time; 0 where the study does not say.
    """
    recency, orders, loyalty, age, wait, gap = (table.values[:, 0, place] for place in range(6))
    none = np.full(len(table), MISSING, dtype=np.int64)
    left = np.maximum(in_time + 1 - age, 0)
    is_due = (wait == MISSING) & (left > 0)
    second = np.where(wait != MISSING, 0, np.where(is_due, 1, 2)).astype(np.int64)
    return Standing(
        loyalty=loyalty,
        status=none if cuts is None else cuts.assign(recency, orders, gap),
        age=age,
        gap=gap,
        second=second if in_time else none,
        wait=wait,
        days_left=np.where(is_due, left, MISSING) if in_time else none,
    )
