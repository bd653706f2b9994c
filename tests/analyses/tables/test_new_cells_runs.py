"""Two months of real runs: the second asks about the diagonal alone, is charged less wide a question, and adds up."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from workspaces import run as run_over

from clients.analyses.tables.analysis import ANALYSIS as OWN
from privacy.analyses.tables.figures import cells_of
from privacy.audit.export import export
from privacy.audit.verify import verify
from privacy.protocol.study import Study
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace


def test_a_month_asks_about_what_has_ended(tmp_path: Path) -> None:
    world = generate(tmp_path / "data", customers=300, stores=2)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal)
    raw |= {"analyses": ("tables",), "tables": {"use": ["retention"], "change": {"retention": {"release": "new"}}}}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1}
    sources = {name: tmp_path / "data" / name for name in world.holders}
    workspace = Workspace.create(tmp_path, sources, lifetime_epsilon="40", declared=1)
    first, second = (
        run_over(workspace, Study.model_validate({**raw, "as_of": day})) for day in ("2024-12-01", "2025-01-01")
    )
    options = second.study.tables  # type: ignore[attr-defined]
    question, request = options.question(second.study), options.request(second.study.as_of)
    assert (question.dim, question.tables[0].usual_cells) == (12, 1)
    exact = sum(workspace_rows(workspace, name, second.study, request, question) for name in world.holders)
    truth = np.asarray(exact)
    released = OWN.figures(second)
    assert released is not None
    (table,) = released.tables
    cells, margins = np.array(table.measures[0].values), np.array(table.measures[0].margins)
    asked = list(question.tables[0].asked)
    assert np.all(np.abs(cells[asked] - truth[asked]) <= 3 * margins[asked])
    before = OWN.figures(first)
    assert before is not None
    old = np.array(before.tables[0].measures[0].values).reshape(12, 12)
    assert cells.reshape(12, 12)[0, :11] == pytest.approx(old[1, :11], abs=0.001), "taken from the month before"
    assert max(margins[asked]) < 0.6 * before.tables[0].measures[0].margin
    for member in (workspace.coordinator, *map(workspace.holder, world.holders)):
        export(member.root, tmp_path / f"{member.root.name}.bundle")
    assert verify(sorted(tmp_path.glob("*.bundle"))).passed
    own = OWN.own(workspace.holder(world.holders[0]).context(second.study), released, second, lambda: None)
    assert own is not None
    lines = [line for figure in own.tables[0].figures for line in figure.lines]
    assert any(line.compared is not None for line in lines)


def workspace_rows(workspace: Workspace, name: str, study: Study, request, question) -> np.ndarray:
    """A holder's cells in whole units, all of them."""
    options = study.tables  # type: ignore[attr-defined]
    whole = options.model_copy(
        update={"table": tuple(table.model_copy(update={"known": None}) for table in options.table)}
    )
    asked = whole.question(study)
    rows = workspace.holder(name).context(study).rows(request).table
    (found,) = asked.decode(asked.encode_sum(rows), 0.0)
    return np.asarray(cells_of(study, whole.table[0], request.tables[0], found).totals[:, 0])
