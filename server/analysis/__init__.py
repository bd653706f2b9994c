"""What an analysis is on the coordinator's side: one object, ``ANALYSIS`` of its room ``server/analyses/<name>/``.

Halls (runs, checks, the report, the terminal) find rooms through the catalogue and know none of them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from privacy.figures.estimates import Estimate, Figures
from privacy.kernel.declarations import CellTable
from privacy.presentation.texts import Language
from privacy.protocol.identity import Identity
from privacy.protocol.study import Study
from privacy.results import EarlierRun, StudyResult
from privacy.statistics import Statistic
from server.analysis.expectation import Expectation
from server.analysis.forms import Form, texts_of
from server.analysis.section import ReportSection
from server.releases import Answer

if TYPE_CHECKING:
    from rich.console import RenderableType

R = TypeVar("R", bound=Figures)


class Noise(Protocol):
    """The noise of an answer."""

    @property
    def released_deviation(self) -> float:
        """Standard deviation, in integer units."""
        ...


#: Asks a question by its title.
Ask = Callable[[str, Statistic[Any]], Answer]
#: The noise that a question, by its title, is planned to have: of both answers together. Where the second is a closer
#: question, the title ``again`` has that one's; infinite where none is planned.
Planned = Callable[[str, Statistic[Any]], Noise]


@dataclass(frozen=True, kw_only=True)
class ResultFolder:
    """Where files of a result go, and who signs what needs it.

    Attributes:
        path: the result's folder.
        identity: the coordinator's.
        federation: its name.
    """

    path: Path
    identity: Identity
    federation: str


def _unchanged(study: Study, before: Sequence[StudyResult]) -> Study:
    return study


def _no_earlier(study: Study, figures: Any, before: Sequence[StudyResult]) -> Sequence[EarlierRun]:
    return ()


def _no_weights(study: Study) -> Mapping[str, Fraction]:
    return {}


def _refuses_nothing(study: Study, planned: Planned) -> None:
    pass


def _no_files(figures: Any, result: StudyResult, folder: ResultFolder) -> None:
    return None


def _no_totals(figures: Any) -> Mapping[str, Estimate]:
    return {}


def _no_rules(study: Study, language: Language) -> Sequence[tuple[str, str]]:
    return ()


@dataclass(frozen=True, kw_only=True)
class ServerAnalysis(Generic[R]):
    """One analysis.

    Attributes:
        name: as studies name it, and as results hold its figures.
        weights: title of each question to its share of the analysis' budget, in the order in which they are asked.
        second_weights: title of each question whose second answer is worth a share of its own, beside what the reserve
            may pay, to that share; none where a study asks nothing again.
        part: its part of a study's budget where the study states no split, in proportion to the others' parts.
        run: asks, and turns releases into figures. What it returns may be handed out.
        refuse: refuses a study of which this analysis would say nothing, before any analysis of it has asked.
        forecast: expected errors if the holders have ``size_class`` customers together.
        section: its part of the report.
        shown: figures as everything shows them: nothing that cannot be. Results keep what was released.
        forms: how each of its figures is written, by its name in results, for the texts in JSON.
        terminal: what ``study run`` prints: figures, the run, the folder of its files, and in which language.
        totals: of all holders' customers, by the key of their name among the texts that all pages share.
        resolve: a study with what it means by "previous" written out, from earlier results, oldest first.
        earlier: what earlier runs had, for comparison, in the order of the results.
        files: writes what it leaves beside the result.
        rules: what the report says of the rules that a study sets for it, as (name, value).
        closer: title of each question whose second answer is not to the same question, but to a closer one that the
            first answer leads to, by what makes it. It must follow from the study and that answer alone.
        exact: its figures of a study if cells of declared tables are these, without noise, for worlds whose truth is
            known; None where it has none of such cells.
        question: a question's title in a language's words; None where its texts have ``question_<title>`` for that.
    """

    name: str
    weights: Callable[[Study], Mapping[str, Fraction]]
    part: Fraction
    run: Callable[[Study, Ask, Planned], R]
    forecast: Callable[[Study, Planned], tuple[Expectation, ...]]
    section: ReportSection[R]
    shown: Callable[[R, StudyResult], R]
    forms: Callable[[Study], Mapping[str, Form]]
    terminal: Callable[[R, StudyResult, Path, Language], Iterable[RenderableType]]
    second_weights: Callable[[Study], Mapping[str, Fraction]] = _no_weights
    refuse: Callable[[Study, Planned], None] = _refuses_nothing
    totals: Callable[[R], Mapping[str, Estimate]] = _no_totals
    resolve: Callable[[Study, Sequence[StudyResult]], Study] = _unchanged
    earlier: Callable[[Study, R, Sequence[StudyResult]], Sequence[EarlierRun]] = _no_earlier
    files: Callable[[R, StudyResult, ResultFolder], None] = _no_files
    rules: Callable[[Study, Language], Sequence[tuple[str, str]]] = _no_rules
    closer: Mapping[str, Callable[[Study, Answer], Statistic[Any]]] = field(default_factory=dict)
    exact: Callable[[Study, Callable[[CellTable], Sequence[Sequence[int]]]], R] | None = None
    question: Callable[[str, Language], str | None] | None = None

    def figures(self, result: StudyResult) -> R | None:
        """The analysis' figures in a result; None where it was not asked."""
        found: R | None = getattr(result, self.name)
        return found

    def shown_figures(self, result: StudyResult) -> R | None:
        """The same as everything shows them."""
        found = self.figures(result)
        return None if found is None else self.shown(found, result)

    def texts(self, result: StudyResult, language: Language) -> dict[str, Any] | None:
        """Every figure as the pages write it; None where the analysis was not asked."""
        found = self.shown_figures(result)
        return None if found is None else texts_of(found, self.forms(result.study), language)

    def question_name(self, title: str, language: Language) -> str | None:
        """The name of a question of this analysis; None where it is none of its."""
        own = self.question(title, language) if self.question is not None else None
        key = f"question_{title.replace(' ', '_')}"
        return own or (self.section.text(key, language) if key in self.section.text.own else None)
