"""The analyses of this release on the coordinator's side, found by their names in the contract's tuple."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from privacy.analyses.catalogue import NAMES
from server.analysis import ServerAnalysis

#: In the order of the report's sections.
ANALYSES: tuple[ServerAnalysis[Any], ...] = tuple(
    import_module(f"server.analyses.{name}.analysis").ANALYSIS for name in NAMES
)

#: By name.
CATALOGUE: dict[str, ServerAnalysis[Any]] = {analysis.name: analysis for analysis in ANALYSES}
