"""What the holders of a workspace have, without noise: the truth that a run's figures are looked at beside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows import own_rows
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.figures import cells_of, result_of
from privacy.analyses.tables.results import TablesResult
from privacy.protocol.study import Study
from simulations.worlds.local import Workspace


def exact_sum(workspace: Workspace, holders: Iterable[str], study: Study) -> NDArray[np.int64]:
    """The integers that a written-out study's holders add up to."""
    options = study.of(CONTRACT)
    question, request = options.question(study), options.request(study.as_of)
    sums = [question.encode_sum(workspace.holder(name).context(study).rows(request).table) for name in holders]
    return np.asarray(np.sum(sums, axis=0))


def without_noise(study: Study, values: NDArray[np.int64]) -> TablesResult:
    """The result of a release that has no noise."""
    options = study.of(CONTRACT)
    found = options.question(study).decode(values, 0.0)
    parts = zip(options.table, options.request(study.as_of).tables, found, strict=True)
    return result_of(options, study, [cells_of(study, *each) for each in parts])


def exact_of(study: Study, config: HolderConfig, base: Path) -> TablesResult:
    """What one holder's rows say, without noise."""
    options = study.of(CONTRACT)
    rows = own_rows(Origin(config, study, base), options.request(study.as_of)).table
    return without_noise(study, options.question(study).encode_sum(rows))


def margins_off(released: TablesResult, exact: TablesResult) -> NDArray[np.float64]:
    """How far off every released cell is, in half-widths of its 95% interval."""
    return np.array([
        (value - truth) / one.margin
        for seen, true in zip(released.tables, exact.tables, strict=True)
        for one, other in zip(seen.measures, true.measures, strict=True)
        for value, truth in zip(one.values, other.values, strict=True)
    ])  # fmt: skip
