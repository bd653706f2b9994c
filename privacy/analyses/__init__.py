"""The analyses of this release, in the order of pages: this tuple, and nothing else."""

from __future__ import annotations

from typing import Any

from privacy.analyses import churn, clusters, history, lookalikes, rfm, tables
from privacy.analyses.contract import AnalysisContract

ANALYSES: tuple[AnalysisContract[Any], ...] = (
    rfm.CONTRACT,
    clusters.CONTRACT,
    churn.CONTRACT,
    history.CONTRACT,
    lookalikes.CONTRACT,
    tables.CONTRACT,
)
