"""What halls need of this room: one object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clients.analyses.rfm.labels import FACTS, LabelHistory, Snapshot
from clients.analyses.rfm.own import OwnSegments, own_customers, own_segments
from clients.analyses.rfm.section import SECTION
from clients.analysis import HolderAnalysis, HolderContext
from clients.labels.export import publish
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import SCHEMES, SegmentRules
from privacy.kernel.customers import CustomerRequest
from privacy.results import StudyResult
from privacy.statistics import Rows, Statistic

NAME = "rfm"


def _segments(answered: Sequence[Statistic[Any]]) -> SegmentTotals | None:
    """A run's last question on segments."""
    totals = [statistic for statistic in answered if isinstance(statistic, SegmentTotals)]
    return totals[-1] if totals else None


def released_rules(answered: Sequence[Statistic[Any]]) -> SegmentRules | None:
    """The segment rules of a run's last question on segments."""
    asked = _segments(answered)
    return None if asked is None else asked.rules


def _fits(figures: RfmResult, answered: Sequence[Statistic[Any]]) -> bool:
    asked = _segments(answered)
    if asked is None:
        return False
    return (
        figures.rules == asked.rules
        and figures.orders_cap == asked.orders_cap
        and round(figures.money_cap * asked.rules.money_unit) == asked.money_cap
        and figures.form == asked.form
        and figures.returns == asked.returns
    )


def _reads(context: HolderContext) -> Rows:
    """The rows of the questions; and, for the labels of those outside the window, all customers.

    Both are made while the coordinator waits for tables, of one state of the source: nobody should wait for another one
    when results are handed out.
    """
    if context.study.of(CONTRACT).window_days is not None:
        context.customers(CustomerRequest())
    return own_customers(context).table


def _label(context: HolderContext) -> Sequence[Path]:
    rules = released_rules(context.asked(NAME))
    if rules is None:
        return ()
    table, window_days = own_customers(context), context.study.of(CONTRACT).window_days
    everybody = None if window_days is None else context.customers(CustomerRequest())

    def make() -> Snapshot:
        snapshot = Snapshot.of(table, rules, context.study)
        return snapshot if everybody is None else snapshot.with_outsiders(everybody, context.study)

    return publish(make, context.history(LabelHistory), context.root)


def _knows(code: str, result: StudyResult) -> bool:
    rfm = result.of(RfmResult)
    rules = None if rfm is None else rfm.rules
    return rules is not None and any(code == segment.code for name in SCHEMES for segment in rules.segments(name))


ANALYSIS: HolderAnalysis[RfmResult, OwnSegments] = HolderAnalysis(
    name=NAME,
    fits=_fits,
    own=own_segments,
    section=SECTION,
    label=_label,
    reads=_reads,
    history=LabelHistory,
    knows=_knows,
    since=lambda own: own.since,
    facts=FACTS,
)
