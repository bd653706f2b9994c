"""The analyses of this release on a holder's side, found by their names in the contract's tuple."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clients.analysis import HolderAnalysis
from privacy.analyses.catalogue import NAMES

#: In the order of the page's sections.
ANALYSES: tuple[HolderAnalysis[Any, Any], ...] = tuple(
    import_module(f"clients.analyses.{name}.analysis").ANALYSIS for name in NAMES
)
