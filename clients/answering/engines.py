"""How a holder computes what it adds to a sum: by the statistic itself, or by an analysis' engine where there is one.

What a statistic is, its clipping and its bound are the contract's (``privacy/statistics``). An engine only computes
the same integers in another way; a test holds the two together, bit for bit.
"""

from __future__ import annotations

from typing import Any

from privacy.errors import PolicyError
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray


def check_engines(study: Study) -> None:
    """Refuse a study that asks for a training which this installation cannot do, before anything is charged.

    Raises:
        PolicyError: with what to install.
    """
    from clients.analyses.catalogue import ENGINES  # here, as below

    for analysis in study.chosen:
        missing = [one for one in analysis.statistics if one in ENGINES and not ENGINES[one].is_installed()]
        if analysis.trains(study.of(analysis)) and any(ENGINES[one].needed for one in missing):
            raise PolicyError(
                f"the study's analysis {analysis.name} asks this holder to train with Opacus, which is not installed",
                hint="pip install 'cohortium[train]', then start the node again",
            )


def encode_sum(statistic: Statistic[Any], rows: Any, *, holder: str) -> IntArray:
    """What a holder adds to a sum, shape ``(dim,)``."""
    from clients.analyses.catalogue import ENGINES  # here: a node starts without DuckDB

    engine = ENGINES.get(type(statistic))
    if engine is not None and engine.is_installed():
        return engine.encode_sum(statistic, rows, holder)
    return statistic.sum_of(holder, rows)
