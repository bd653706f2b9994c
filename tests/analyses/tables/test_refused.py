"""What cannot be declared is refused by name before anything is charged, whoever would notice it first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from workspaces import HOLDERS, make_workspace, read_study
from workspaces import run as run_over

from privacy.errors import ConfigError
from privacy.ledger import Ledger, Reserved
from privacy.protocol.study import Study
from simulations.worlds.local import Workspace

TABLE: dict[str, Any] = {
    "name": "t",
    "by": [{"dimension": "tenure_band", "keys": {"upper": [90, 365]}}],
    "measure": [{"name": "customers"}],
    "figure": [{"name": "share", "is": "customers / customers[all tenure_band]"}],
}
DAYPART = {"by": [{"dimension": "order.daypart", "keys": ["night"]}], "figure": []}
MANY = {"upper": list(range(1, 50))}

#: By what is wrong: fields of the table that are otherwise, and what the refusal names.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key of a figure": (
        {"figure": [{"name": "f", "is": "customers[tenure_band = 91] / customers[all tenure_band]"}]},
        "t.f: there is no key '91'; there is: 90, 365, above",
    ),
    "an unknown key of a closed list": (
        {"by": [{"dimension": "order.daypart", "keys": ["noon"]}]},
        "order.daypart: its keys are some of night, morning",
    ),
    "keys of a list that the study does not have": (
        {"by": [{"dimension": "order.category", "keys": {"from": "lists.goods"}}], "figure": []},
        "the study names no list 'goods'",
    ),
    "an unknown dimension": ({"by": [{"dimension": "order.mood", "keys": ["good"]}]}, "by.0.dimension"),
    "a role of another feed": (
        {"measure": [{"name": "n", "of": "sum(order.seconds)", "cap": 5}]},
        "order has no role 'seconds'",
    ),
    "a measure of another feed": (
        DAYPART | {"measure": [{"name": "n", "of": "sum(return.amount)", "cap": 5}]},
        "sum(return.amount) is of return, and its events are of order",
    ),
    "a cap of zero": ({"measure": [{"name": "n", "of": "count(order)", "cap": 0}]}, "measure.0.cap"),
    "no cap": ({"measure": [{"name": "n", "of": "count(order)"}]}, "n: state a cap"),
    "cells beyond the limit": (
        {"by": [{"dimension": "tenure_band", "keys": MANY}, {"dimension": "recency_band", "keys": MANY}]},
        "t: 2,500 cells, and at most 2,000 are possible",
    ),
    "cells beyond the limit once lists are written out": (
        {
            "by": [
                {"dimension": "order.category", "keys": {"from": "lists.categories"}},
                {"dimension": "order.months_since_first", "keys": "0..99"},
            ],
            "figure": [],
        },
        "t: 2,100 cells, and at most 2,000 are possible",
    ),
    "a filter on another holder's facts": ({"where": ["south.orders >= 2"]}, "'south.orders >= 2' is no condition"),
    "a filter on a fact that customers do not have": ({"where": ["visits >= 2"]}, "where.0.fact"),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three holders who have not been asked anything yet."""
    return make_workspace(tmp_path_factory.mktemp("refused"))


def asked_of(workspace: Workspace, folder: Path, fields: dict[str, Any]) -> None:
    """Have the holders asked a table with some fields otherwise."""
    tables = {"table": [TABLE | fields], "lists": {"categories": [f"c{number}" for number in range(20)]}}
    raw = read_study(folder).model_dump(mode="json") | {"analyses": ["tables"], "tables": tables}
    run_over(workspace, Study.model_validate(raw))


def charged(workspace: Workspace) -> list[str]:
    """Whose ledgers have a charge, of the coordinator's and every holder's."""
    folders = [workspace.coordinator.root, *(workspace.holder(name).root for name in HOLDERS)]
    ledgers = {folder.name: Ledger(path) for folder in folders for path in folder.rglob("ledger.sqlite")}
    return [name for name, ledger in ledgers.items() if any(isinstance(fact, Reserved) for fact in ledger.facts())]


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_by_name_and_nothing_is_charged(what: str, workspace: Workspace, tmp_path: Path) -> None:
    fields, says = REFUSED[what]
    with pytest.raises((ConfigError, ValueError)) as refused:
        asked_of(workspace, tmp_path, fields)
    assert says in str(refused.value)
    assert charged(workspace) == []


def test_the_same_without_fault_is_charged_at_everybody(workspace: Workspace, tmp_path: Path) -> None:
    """So that nothing else kept the others from being asked."""
    asked_of(workspace, tmp_path, {})
    assert charged(workspace) == [workspace.coordinator.root.name, *HOLDERS]
