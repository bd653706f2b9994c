"""What follows from the tuple of analyses: their names, and everything that may leave a holder."""

from __future__ import annotations

from functools import reduce
from importlib import resources
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from privacy.analyses import ANALYSES
from privacy.analyses.contract import AnalysisContract
from privacy.kernel.columns import Column
from privacy.kernel.features import FEATURES, Feature
from privacy.kernel.row_requests import RowRequest
from privacy.statistics import Statistic

#: The analyses that a study may name, in the order of pages.
NAMES: tuple[str, ...] = tuple(analysis.name for analysis in ANALYSES)

#: Contracts by name.
BY_NAME: dict[str, AnalysisContract[Any]] = {analysis.name: analysis for analysis in ANALYSES}


def kind_of(statistic: type[Statistic[Any]]) -> str:
    """The name under which a statistic travels."""
    return str(statistic.model_fields["kind"].default)


#: Which statistics an analysis may ask for; a holder refuses any other.
STATISTICS_OF: dict[str, tuple[str, ...]] = {
    analysis.name: tuple(kind_of(statistic) for statistic in analysis.statistics) for analysis in ANALYSES
}

#: Kind to class: everything that may leave a holder is one of these.
CATALOGUE: dict[str, type[Statistic[Any]]] = dict(
    sorted((kind_of(statistic), statistic) for analysis in ANALYSES for statistic in analysis.statistics)
)


def _all_features() -> dict[str, Feature]:
    own = [feature for analysis in ANALYSES for feature in analysis.features]
    found = FEATURES | {feature.name: feature for feature in own}
    if len(found) != len(FEATURES) + len(own):  # two holders' recipes would stand under one name
        raise TypeError("a feature of one analysis has the name of another's, or of a common one")
    return found


#: Every feature by its name: those that all analyses may read, and those of single ones.
ALL_FEATURES: dict[str, Feature] = _all_features()


def columns_of(request: RowRequest) -> frozenset[Column]:
    """What rows of a request say of a customer, in the words of policies."""
    return request.columns | {ALL_FEATURES[name].column for name in request.offers[0]}


def analysis_of(kind: str) -> str:
    """The first analysis that may ask such a statistic."""
    return next(name for name, kinds in STATISTICS_OF.items() if kind in kinds)


def option_tables() -> str:
    """Every analysis' table of a study with a comment on each option, as ``study new`` writes it.

    Options are commented out, at their defaults, except what a new study had better say: defaults never change.
    """
    files = (resources.files(f"privacy.analyses.{name}").joinpath("options.toml") for name in NAMES)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


if TYPE_CHECKING:
    AnyStatistic = Statistic[Any]
else:
    AnyStatistic = Annotated[reduce(or_, CATALOGUE.values()), Field(discriminator="kind")]
