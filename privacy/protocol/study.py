"""The study: what all holders agree to compute, from which kind of rows, under which budget.

A study is a TOML file. Only ``name``, ``as_of`` and ``budget.epsilon`` are needed; every other field has a public
default that does not depend on anybody's data. Its digest is in every message of a run, so that all holders use
the same cleaning rules, bounds and rates.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import Field, create_model, field_validator, model_validator

from privacy.accounting.sampled import Slot
from privacy.analyses import ANALYSES
from privacy.analyses.catalogue import BY_NAME, NAMES, columns_of
from privacy.analyses.contract import AnalysisContract
from privacy.kernel.canonical import Noun, since
from privacy.kernel.cells import CellRequest
from privacy.kernel.columns import Column
from privacy.kernel.declarations import CellTable
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FEATURES, FeatureName, ScaledFeature
from privacy.kernel.row_requests import RowRequest
from privacy.kernel.terms import Terms

T = TypeVar("T", bound=Noun)


class Waits(Noun):
    """How long the coordinator waits for holders, in seconds; after that a holder counts as absent.

    Attributes:
        joining: for everybody's HELLO, in which time a holder builds its customer table, and for the record of results.
        answering: for everything else.
    """

    joining: int = Field(default=600, ge=1, le=24 * 3600)
    answering: int = Field(default=120, ge=1, le=24 * 3600)


def _section(analysis: AnalysisContract[Any]) -> tuple[Any, Any]:
    """Type and default of an analysis' table; one that came after 0.1.0 is not written where it is at its defaults."""
    default = analysis.options()
    return analysis.options, default if analysis.since == "0.1.0" else since(analysis.since, default)


if TYPE_CHECKING:

    class _Sections(Terms):
        """Type checkers cannot know what stands in a tuple; :meth:`Study.of` gives options with their type."""

else:
    _Sections = create_model(
        "_Sections", __base__=Terms, __module__=__name__, **{each.name: _section(each) for each in ANALYSES}
    )


class Study(_Sections):
    """One study: its terms, a table of options for each analysis, under its name, and how long to wait.

    Attributes:
        waits: how long the coordinator waits for holders.
    """

    waits: Waits = Waits()

    @field_validator("analyses")
    @classmethod
    def _known_analyses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in NAMES:
                raise ValueError(f"unknown analysis {name!r}; there is: {', '.join(NAMES)}")
        if len(set(value)) != len(value):
            raise ValueError("an analysis is named twice")
        return value

    @model_validator(mode="after")
    def _totals_withheld_by_all(self) -> Self:
        for analysis in ANALYSES:
            setting = analysis.withholds(self.of(analysis))
            without = [name for name in self.analyses if not BY_NAME[name].has_withheld_form]
            if setting and (without or analysis.name not in self.analyses):
                able = " and ".join(each.name for each in ANALYSES if each.has_withheld_form)
                raise ValueError(f"{setting} goes with the analysis {able} alone: the others release counts")
        return self

    @model_validator(mode="after")
    def _options_go_with_the_terms(self) -> Self:
        for analysis in self.chosen:
            if why := analysis.suits(self.of(analysis), self):
                raise ValueError(why)
        return self

    def of(self, analysis: AnalysisContract[T]) -> T:
        """The study's options of an analysis."""
        options: T = getattr(self, analysis.name)
        return options

    @property
    def chosen(self) -> tuple[AnalysisContract[Any], ...]:
        """Contracts of the study's analyses, in the study's order."""
        return tuple(BY_NAME[name] for name in self.analyses)

    @property
    def totals_withheld(self) -> bool:
        """Whether what is handed out has proportions only, and no total."""
        return any(analysis.withholds(self.of(analysis)) for analysis in ANALYSES)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The trainings on samples for which each holder needs a slot."""
        found = (analysis.trains(self.of(analysis)) for analysis in self.chosen)
        return tuple(slot for slot in found if slot is not None)

    @property
    def fits(self) -> tuple[Slot, ...]:
        """The trainings on samples that one person is in: at each holder that it may be a customer of, by itself."""
        return self.slots * (self.budget.max_holders_per_customer or 1)

    @property
    def row_requests(self) -> dict[str, RowRequest]:
        """What the study's analyses ask holders to make of their customers, by the analysis' name."""
        return {analysis.name: analysis.reads(self.of(analysis), self) for analysis in self.chosen}

    @property
    def columns(self) -> frozenset[Column]:
        """What the study looks at of a customer, in the words of policies."""
        return frozenset[Column]().union(*(columns_of(request) for request in self.row_requests.values()))

    @property
    def declared_tables(self) -> tuple[CellTable, ...]:
        """The tables whose entries the study asks holders to find."""
        requests = self.row_requests.values()
        return tuple(table for one in requests if isinstance(one, CellRequest) for table in one.tables)

    def scaled(self, names: Iterable[FeatureName]) -> tuple[ScaledFeature, ...]:
        """Features with their public scales, those of money adapted to the study's currency."""
        factor = self.money_factor
        return tuple(
            ScaledFeature(name=name, scale=FEATURES[name].scale_in(factor), of=self._listed(name)) for name in names
        )

    def _listed(self, name: FeatureName) -> str:
        """The value that a feature is the share of, by the lists of whichever analysis has them; empty for others."""
        if FEATURES[name].listed is None:
            return ""
        requests = (analysis.reads(self.of(analysis), self) for analysis in ANALYSES)
        values = (request.lists.value_of(name) for request in requests if isinstance(request, FeatureRequest))
        return next((value for value in values if value), "")


_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def parse_day(text: str) -> dt.date:
    """Read a day written as ``2025-01-31``.

    Raises:
        ValueError: if it is not such a day.
    """
    if not _DAY.match(text):
        raise ValueError("write the day as YYYY-MM-DD")
    return dt.date.fromisoformat(text)
