"""Ending a run from another terminal: before the next question, with nothing lost, and it goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from workspaces import make_workspace, read_study, run

from privacy.errors import Stopped
from privacy.ledger import Failed, Ledger, Released, Reserved
from server.running.state import studies_of
from simulations.worlds.local import Workspace


class _StopsWhile:
    """Progress that asks for the end as an operator would, when a step of this name begins."""

    def __init__(self, command, workspace: Workspace, name: str) -> None:
        self._act = lambda: command("study", "stop", "--workspace", workspace.root)
        self._name = name
        self.said: list[str] = []

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        if name == self._name:
            self.said.append(self._act().out)

    def reply(self, holder: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


def _facts(ledger: Ledger, kind: type) -> list[str]:
    return [getattr(fact, "title", fact.core) for fact in ledger.facts() if isinstance(fact, kind)]


def test_nothing_to_stop_is_said(command, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    ended = command("study", "stop", "--workspace", workspace.root)
    assert ended.code == 3
    assert "no study is being run here" in ended.err
    assert not workspace.coordinator.stop_file.exists()


@pytest.mark.parametrize(("during", "charged"), [("joining", 0), ("cut points: asking", 1), ("segments: asking", 3)])
def test_a_run_ends_before_its_next_question_and_goes_on(command, tmp_path: Path, during: str, charged: int) -> None:
    workspace, study = make_workspace(tmp_path), read_study(tmp_path)
    watch = _StopsWhile(command, workspace, during)
    with pytest.raises(Stopped) as stopped:
        run(workspace, study, progress=watch)
    assert "study resume" in stopped.value.hint
    assert "ends before its next question" in watch.said[0]
    ledger = workspace.coordinator.ledger()
    so_far = _facts(ledger, Reserved)
    assert so_far == ["cut points", "cut points again", "segments"][:charged]
    assert len(_facts(ledger, Released)) == len(so_far), "what was asked was answered"
    assert not _facts(ledger, Failed)
    if so_far:
        assert [item.state for item in studies_of(workspace.coordinator)] == ["cut off"]
    result = run(workspace, study)  # the wish was that run's
    assert result.rfm is not None
    again = _facts(ledger, Reserved)
    assert len(again) == len(set(again)), "nothing was asked twice"
    assert not _facts(ledger, Failed)
