"""What the report's frame asks of a section beside its body: large figures, findings and notes at the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from privacy.presentation.cells import Cell
from privacy.section import Section, View

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class ReportView(View[R]):
    """What a section of the report is made of, in one language.

    Attributes:
        counted: whether a section before it says how many customer records there are.
    """

    counted: bool = False


def _nothing(view: ReportView[Any]) -> Sequence[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class ReportSection(Section[R]):
    """An analysis' section of the report.

    Its texts say ``missing_note``, of ``count`` holders that dropped out, by name, and ``withheld_limits`` where the
    analysis has a form without totals: what that does not hide.

    Attributes:
        title: key of the report's title where this is the only section.
        cards: the large figures at the top.
        findings: the main findings, one to three sentences.
        notes: small print under the cards; a note that an earlier section gave already is not said again.
        counts: whether it says how many customer records there are.
    """

    title: str
    cards: Callable[[ReportView[R]], Sequence[Cell]]
    findings: Callable[[ReportView[R]], Sequence[str]]
    notes: Callable[[ReportView[R]], Sequence[str]] = _nothing
    counts: bool = False
