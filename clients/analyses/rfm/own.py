"""The holder's customers by segment: exact, from its own rows, beside what the consortium released."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from clients.analyses.rfm.comparison import (
    SegmentLine,
    Standing,
    lines_as_shown,
    measures,
    measures_as_shown,
    segment_lines,
    standing,
)
from clients.analyses.rfm.movement import Movement, movement
from clients.analysis import Earlier, HolderContext
from clients.analysis.comparison import Compared
from clients.data.rows.customers import CustomerTable
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.ageing import ageing_findings
from privacy.analyses.rfm.results import RfmResult, SchemeFigures
from privacy.analyses.rfm.shown import shown
from privacy.errors import ConfigError, DataError
from privacy.kernel.customers import CustomerRequest
from privacy.presentation.texts import Language
from privacy.results import StudyResult


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnSegments:
    """The holder's customers by segment, beside the consortium's: everything that is the same in both languages.

    Attributes:
        table: the holder's customers at the run's as-of day.
        rfm: what was released.
        standing, measures, segments: compared, and written as the report writes them.
        movement, since: against the earlier run, and its day; None where there is none.
        complete: whether no holder dropped out.
    """

    table: CustomerTable
    result: StudyResult
    rfm: RfmResult
    standing: Standing
    measures: dict[str, Compared]
    segments: tuple[tuple[SchemeFigures, tuple[SegmentLine, ...]], ...]
    movement: Movement | None
    since: dt.date | None
    complete: bool

    def aged(self, language: Language) -> list[str]:
        """That kept cut points have aged, where releases show it."""
        return ageing_findings(self.result.study.of(CONTRACT), self.rfm, self.result.earlier, language)

    def __repr__(self) -> str:
        return "OwnSegments(<private>)"


def own_customers(context: HolderContext) -> CustomerTable:
    """The customers that the study's questions on segments are about: those of its window of days, if it has one.

    Raises:
        ConfigError, DataError: as :meth:`HolderContext.rows`.
    """
    return context.customers(CustomerRequest(window_days=context.study.of(CONTRACT).window_days))


def own_segments(
    context: HolderContext, rfm: RfmResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnSegments | None:
    """What the page shows of segments; None where the run measured none.

    Raises:
        ConfigError: if the earlier run is not earlier, or in another currency.
        DataError: if the holder has no customer at the as-of day.
    """
    if not rfm.schemes:
        return None
    earlier, table = before(), own_customers(context)
    if earlier is None or earlier.result.of(RfmResult) is None or _window(earlier.result) != _window(result):
        return compared_segments(table, rfm, result)
    return compared_segments(table, rfm, result, earlier=earlier.result, then=own_customers(earlier.context))


def _window(result: StudyResult) -> int | None:
    """A move between facts of other windows would be the window's, not the customer's."""
    return result.study.of(CONTRACT).window_days


def compared_segments(
    table: CustomerTable,
    rfm: RfmResult,
    result: StudyResult,
    *,
    earlier: StudyResult | None = None,
    then: CustomerTable | None = None,
) -> OwnSegments:
    """The same from tables.

    Args:
        table: the holder's customers at the run's as-of day.
        rfm: what was released.
        result: the run.
        earlier, then: an earlier run of the study with segments, and the holder's customers at its day, for movement.

    Raises:
        ConfigError, DataError: as :func:`own_segments`.
    """
    if len(table) == 0:
        raise DataError(
            f"there is no customer before {result.study.as_of}",
            hint="`cohortium holder check` shows what became of the rows",
        )
    moves = None
    first, complete, columns = rfm.schemes[0], not result.missing, table.columns
    if earlier is not None and then is not None:
        before = earlier.of(RfmResult)
        if before is None or earlier.study.as_of >= result.study.as_of:
            raise ConfigError(f"run {earlier.run} is no earlier run of this study")
        if earlier.study.currency != result.study.currency:
            raise ConfigError("the earlier run is in another currency", hint="choose one in the same currency")
        moves = movement(first.scheme, now=table, then=then, rules=rfm.rules, rules_then=before.rules)
    written = shown(rfm, net=result.study.cleaning.returns == "net", complete=complete)
    stand = standing(columns, rfm, first, complete=complete)
    return OwnSegments(
        table=table,
        result=result,
        rfm=rfm,
        standing=stand,
        measures=measures_as_shown(
            measures(columns, rfm, first, complete=complete, weight=stand.weight), written.schemes[0]
        ),
        segments=tuple(
            (scheme, lines_as_shown(segment_lines(columns, rfm, scheme, weight=stand.weight), as_shown))
            for scheme, as_shown in zip(rfm.segmentations, written.segmentations, strict=True)
        ),
        movement=moves,
        since=earlier.study.as_of if earlier is not None else None,
        complete=complete,
    )
