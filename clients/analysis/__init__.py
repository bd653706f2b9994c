"""What an analysis is on a holder's side: one object, ``ANALYSIS`` of its room ``clients/analyses/<name>/``.

Halls (the node, labels, the holder's page, erasure) find rooms through the catalogue and know none of them by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from privacy.kernel.customers import CustomerRequest
from privacy.kernel.row_requests import RowRequest
from privacy.protocol.messages import PlanCore
from privacy.protocol.study import Study
from privacy.results import StudyResult
from privacy.section import Section, View
from privacy.statistics import Rows, Statistic
from privacy.statistics.base import IntArray

if TYPE_CHECKING:
    from clients.analysis.actions import Actions
    from clients.analysis.facts import LabelFact
    from clients.data.origin import Origin
    from clients.data.recipes.facts import Recipe
    from clients.data.rows.customers import CustomerTable
    from clients.data.rows.kinds import OwnRows
    from clients.labels.contacts import Candidates
    from clients.labels.history import DayHistory

R = TypeVar("R")
W = TypeVar("W")
H = TypeVar("H", bound="DayHistory[Any, Any]")


def asked_by(analysis: str, answered: Sequence[PlanCore]) -> Sequence[Statistic[Any]]:
    """What questions of an analysis were about: several analyses may ask the same kind of question."""
    return tuple(core.statistic for core in answered if core.analysis == analysis)


@dataclass(frozen=True, kw_only=True)
class HolderContext:
    """What a room may ask of a holder's folder, about one study.

    Attributes:
        origin: where the holder's rows are, for this study.
        answered: the run's released questions, in their order.
        stated: the coordinator's result as it came; None where there is none.
    """

    origin: Origin
    answered: Sequence[PlanCore] = ()
    stated: str | None = None

    @property
    def of_all(self) -> bool:
        """Whether it has all of the holder's customers, not those alone of whom something is known today."""
        return True

    @property
    def study(self) -> Study:
        """The study."""
        return self.origin.study

    def asked(self, analysis: str) -> Sequence[Statistic[Any]]:
        """What the run's released questions of an analysis were about, in their order."""
        return asked_by(analysis, self.answered)

    @property
    def root(self) -> Path:
        """The holder's folder."""
        return self.origin.base

    @property
    def state(self) -> Path:
        """Where the holder's private state is."""
        return self.origin.state

    def rows(self, request: RowRequest) -> OwnRows[Any]:
        """What the holder makes of its customers for a request.

        Raises:
            ConfigError: if the study has no rate for a currency that the holder declares, or wants ids in other forms,
                or ``holder.toml`` does not map what the request needs.
            DataError: if the source cannot be read as described.
        """
        from clients.data.rows import own_rows  # here: a node starts without DuckDB

        self.origin.config.check_study(self.study)
        return own_rows(self.origin, request)

    def customers(self, request: CustomerRequest) -> CustomerTable:
        """The holder's customers as of the study's day, with all spellings of their ids.

        Args:
            request: everybody who ever bought (``CustomerRequest()``), or who did in a window of days.

        Raises:
            ConfigError, DataError: as :meth:`rows`.
        """
        return cast("CustomerTable", self.rows(request))

    def history(self, kind: type[H]) -> H:
        """What the holder keeps of all days of one kind of labels."""
        return kind(self.state / "labels")


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """The run of the same study with the latest earlier as-of day, and the holder's side of it."""

    result: StudyResult
    context: HolderContext


@dataclass(frozen=True, kw_only=True)
class HolderView(View[W]):
    """What a section of the holder's page is made of, in one language.

    Attributes:
        holder: whose page it is.
        actions: what the operator wants done, by code.
        actions_file: name of the file of actions.
        unknown: codes in that file that nothing of the run has.
        checked: whether what was released was found in the plans that this holder's node answered.
    """

    holder: str
    actions: Actions
    actions_file: str
    unknown: Sequence[str] = ()
    checked: bool = False


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Another way to compute a statistic: the same integers, faster; or the only one, where a holder trains.

    Attributes:
        is_installed: whether what it needs is.
        encode_sum: what a holder adds to the sum, shape ``(dim,)``, of the statistic, its rows, and the holder's id.
        needed: whether the statistic cannot be answered without it.
    """

    is_installed: Callable[[], bool]
    encode_sum: Callable[[Any, Any, str], IntArray]
    needed: bool = False


def _no_labels(context: HolderContext) -> Sequence[Path]:
    return ()


def _knows_none(code: str, result: StudyResult) -> bool:
    return False


def _never(own: Any) -> dt.date | None:
    return None


@dataclass(frozen=True, kw_only=True)
class HolderAnalysis(Generic[R, W]):
    """One analysis.

    Attributes:
        name: as studies name it, and as results hold its figures.
        fits: whether figures, as a coordinator states them, are those of the plans that were answered.
        own: the holder's own figures beside the stated ones, and an earlier run; None where there is nothing to show.
        section: its part of the holder's page.
        label: makes and writes its labels of the holder's customers; the files.
        history: its labels of all days; None where it has none.
        engines: other ways to compute some of its statistics.
        recipes: how the features that it alone has are worked out, by name.
        reads: the rows that its questions are asked about, where a holder asks for more with them than the contract
            does; None for those of the contract's request.
        knows: whether a section of ``actions.toml`` is about something that it may find in a result.
        contacts: the customers that a day's labels rank by what is at risk, for a list of whom to contact; None where
            labels rank nobody.
        since: day of the earlier run that its own figures are set beside, for the page's head.
        facts: what its labels say that rules of tags may name, by name.
    """

    name: str
    fits: Callable[[R, Sequence[Statistic[Any]]], bool]
    own: Callable[[HolderContext, R, StudyResult, Callable[[], Earlier | None]], W | None]
    section: Section[W]
    label: Callable[[HolderContext], Sequence[Path]] = _no_labels
    history: type[DayHistory[Any, Any]] | None = None
    knows: Callable[[str, StudyResult], bool] = _knows_none
    engines: Mapping[type[Statistic[Any]], Engine] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    reads: Callable[[HolderContext], Rows] | None = None
    contacts: Callable[[Any], Candidates] | None = None
    since: Callable[[W], dt.date | None] = _never
    facts: Mapping[str, LabelFact] = field(default_factory=dict)

    def rows(self, context: HolderContext) -> Rows:
        """The rows that its questions are asked about.

        Raises:
            ConfigError, DataError: as :meth:`HolderContext.rows`.
        """
        if self.reads is not None:
            return self.reads(context)
        rows: Rows = context.rows(context.study.row_requests[self.name]).table
        return rows

    def figures(self, result: StudyResult) -> R | None:
        """The analysis' figures in a result; None where it was not asked."""
        found: R | None = getattr(result, self.name)
        return found
