"""What an analysis is on a holder's side: one object, ``ANALYSIS`` of its room ``clients/analyses/<name>/``.

Halls (the node, labels, the holder's page, erasure) find rooms through the catalogue and know none of them by name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from clients.data.config import HolderConfig
from privacy.kernel.features import FeatureRequest
from privacy.protocol.study import Study
from privacy.results import StudyResult
from privacy.section import Section, View
from privacy.statistics import Rows, Statistic

if TYPE_CHECKING:
    from clients.analysis.actions import Actions
    from clients.data.customer_table import CustomerTable
    from clients.data.features import CustomerFeatures
    from clients.labels.history import DayHistory

R = TypeVar("R")
W = TypeVar("W")


@dataclass(frozen=True, kw_only=True)
class HolderContext:
    """What a room may ask of a holder's folder, about one study.

    Attributes:
        config: ``holder.toml``.
        root: the holder's folder.
        study: the study.
        answered: what the run's released questions were about, in their order.
        stated: the coordinator's result as it came; None where there is none.
    """

    config: HolderConfig
    root: Path
    study: Study
    answered: Sequence[Statistic[Any]] = ()
    stated: str | None = None

    @property
    def state(self) -> Path:
        """Where the holder's private state is."""
        return self.root / "state"

    def customers(self) -> CustomerTable:
        """The holder's customers as of the study's day.

        Raises:
            ConfigError: if the study has no rate for a currency that the holder declares.
            DataError: if the source cannot be read as described.
        """
        from clients.data.customer_table import cached_customer_table  # here: a node starts without DuckDB

        self.config.check_currencies(self.study)
        return cached_customer_table(self.config, self.study, base=self.root, state=self.state)

    def features(self, request: FeatureRequest) -> CustomerFeatures:
        """Features of the holder's customers at the days of a request.

        Raises:
            ConfigError, DataError: as :meth:`customers`.
        """
        from clients.data.features import cached_features

        self.config.check_currencies(self.study)
        return cached_features(self.config, self.study, request, base=self.root, state=self.state)


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


def _never(own: Any) -> dt.date | None:
    return None


@dataclass(frozen=True, kw_only=True)
class HolderAnalysis(Generic[R, W]):
    """One analysis.

    Attributes:
        name: as studies name it, and as results hold its figures.
        reads: the rows that its questions are asked about.
        fits: whether figures, as a coordinator states them, are those of the plans that were answered.
        own: the holder's own figures beside the stated ones, and an earlier run; None where there is nothing to show.
        section: its part of the holder's page.
        label: makes and writes its labels of the holder's customers; the files.
        history: its labels of all days.
        knows: whether a section of ``actions.toml`` is about something that it may find in a result.
        since: day of the earlier run that its own figures are set beside, for the page's head.
    """

    name: str
    reads: Callable[[HolderContext], Rows]
    fits: Callable[[R, Sequence[Statistic[Any]]], bool]
    own: Callable[[HolderContext, R, StudyResult, Callable[[], Earlier | None]], W | None]
    section: Section[W]
    label: Callable[[HolderContext], Sequence[Path]]
    history: type[DayHistory[Any, Any]]
    knows: Callable[[str, StudyResult], bool]
    since: Callable[[W], dt.date | None] = _never

    def figures(self, result: StudyResult) -> R | None:
        """The analysis' figures in a result; None where it was not asked."""
        found: R | None = getattr(result, self.name)
        return found
