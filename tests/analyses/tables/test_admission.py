"""A holder answers the question that follows from a study's tables, and no other about the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from analyses.tables.examples import LTV, table
from protocol_kit import LyingCoordinator

from privacy.analyses.tables.cell_sums import CellSums

TABLES = {
    "table": [
        table(name="plain"),
        {**LTV, "where": [], "by": [{"dimension": "tenure_band", "keys": {"upper": [90, 365]}}]},
    ]
}


def altered(question: CellSums, place: int, **fields: Any) -> CellSums:
    blocks = list(question.tables)
    blocks[place] = blocks[place].model_copy(update=fields)
    return question.model_copy(update={"tables": tuple(blocks)})


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> LyingCoordinator:
    root: Path = tmp_path_factory.mktemp("admission")
    study = kit.small_study(analyses=("tables",), tables=TABLES)
    found = LyingCoordinator(kit.federation_at(root, policy=kit.lenient_policy(analyses=("tables",))), study)
    found.greet()
    return found


def test_only_the_declared_question_is_answered(coordinator: LyingCoordinator) -> None:
    """Other cells, caps, parts or fewer tables: of the same rows, inside the same ball, not what was approved."""
    question = coordinator.study.tables.question(coordinator.study)  # type: ignore[attr-defined]
    measures = question.tables[1].measures
    others = {
        "one cell alone": altered(question, 0, asked=(1,)),
        "less for one table": altered(question, 0, part=1000),
        "a higher cap": altered(question, 1, measures=(measures[0], measures[1].model_copy(update={"cap": 10**9}))),
        "another name": altered(question, 0, name="other"),
        "one table": question.model_copy(update={"tables": question.tables[:1]}),
    }
    for number, (what, statistic) in enumerate(others.items()):
        core = coordinator.core(statistic=statistic, round=number + 1, analysis="tables")
        assert coordinator.show(core, "alpha")["alpha"].code == "policy", what
    core = coordinator.core(statistic=question, round=len(others) + 1, analysis="tables")
    assert coordinator.show(core, "alpha")["alpha"].code == "Ready"
