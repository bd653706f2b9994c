"""The analyses of this release on a holder's side, found by their names in the contract's tuple."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clients.analysis import Engine, HolderAnalysis
from clients.data.recipes.common import COMMON
from clients.data.recipes.facts import Recipe
from privacy.analyses.catalogue import NAMES
from privacy.statistics import Statistic

#: In the order of the page's sections.
ANALYSES: tuple[HolderAnalysis[Any, Any], ...] = tuple(
    import_module(f"clients.analyses.{name}.analysis").ANALYSIS for name in NAMES
)

#: How features are worked out: the common ones, and each analysis' own.
RECIPES: dict[str, Recipe] = COMMON | {name: found for each in ANALYSES for name, found in each.recipes.items()}

#: Other ways to compute statistics, by kind.
ENGINES: dict[type[Statistic[Any]], Engine] = {
    kind: engine for each in ANALYSES for kind, engine in each.engines.items()
}
