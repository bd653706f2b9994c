"""``[on_end]``: a program is told how a run ended, whichever way, never a figure; its own failure is a warning.

The programs are real scripts, started by real runs where a run is needed.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from workspaces import STUDY, make_workspace

import server.running.enrolment as enrolment
from privacy.errors import NotEnoughHolders, Stopped
from privacy.protocol.study import Study
from server.running.on_end import OnEnd, told_at_end

SPRING = Study.model_validate({"name": "spring", "as_of": "2025-01-01", "budget": {"epsilon": "1"}})


def script(folder: Path, body: str) -> Path:
    path = folder / "told.sh"
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def told(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "told.jsonl").read_text(encoding="utf-8").splitlines()]


KEEP = 'cat >> "$1/told.jsonl"; echo >> "$1/told.jsonl"'


def test_a_run_is_told_when_it_is_done_shown_again_and_failed(command, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    root = workspace.coordinator.root
    program = script(tmp_path, f"{KEEP}; echo heard")
    with (root / enrolment.NAME).open("a", encoding="utf-8") as file:
        file.write(f'[on_end]\ncommand = ["{program}", "{tmp_path}"]\n')
    study = tmp_path / "study.toml"
    study.write_text(STUDY, encoding="utf-8")
    words = ("study", "run", study, "--workspace", workspace.root, "--transport", "in-process", "--quiet")
    done = command(*words, "--json")
    assert done.code == 0, done.err
    json.loads(done.out)  # what the program prints is not in it
    assert command(*words).code == 0
    study.write_text(STUDY.replace("epsilon = 1", "epsilon = 2"), encoding="utf-8")
    assert command(*words).code == 3
    report = str(root.resolve() / "results" / "spring-2024-06-01" / "report.html")
    common = {"study": "spring", "as_of": "2024-06-01"}
    assert told(tmp_path) == [
        common | {"outcome": "done", "exit_code": 0, "report": report},
        common | {"outcome": "recorded", "exit_code": 0, "report": report},
        common | {"outcome": "failed", "exit_code": 3, "report": None},
    ]
    assert Path(report).exists()
    (root / enrolment.NAME).write_text((root / enrolment.NAME).read_text().replace(str(program), "told.sh"))
    wrong = command(*words)
    assert (wrong.code, "whole path" in wrong.err) == (3, True)


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)  # the handler runs before this ends


def _raise(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "outcome", "code"),
    [
        (_raise(NotEnoughHolders("two are away")), "failed", 8),
        (_raise(ValueError("41,537 customers")), "failed", 1),
        (_raise(KeyboardInterrupt()), "stopped", 130),
        (_raise(Stopped("by somebody")), "stopped", 130),
        (_terminate, "stopped", 143),
    ],
)
def test_every_way_out_is_told_and_stays_the_way_out(tmp_path: Path, act, outcome: str, code: int) -> None:
    hook = OnEnd(command=(str(script(tmp_path, KEEP)), str(tmp_path)))
    before, warnings = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(BaseException) as raised, told_at_end(hook, tmp_path, SPRING, warnings.append):
        act()
    assert not isinstance(raised.value, AssertionError)
    assert told(tmp_path) == [
        {"study": "spring", "as_of": "2025-01-01", "outcome": outcome, "exit_code": code, "report": None}
    ]
    assert "41,537" not in (tmp_path / "told.jsonl").read_text()
    assert (warnings, signal.getsignal(signal.SIGTERM)) == ([], before)


@pytest.mark.parametrize(
    ("body", "says"),
    [("exit 3", "ended with 3"), ("sleep 60 & sleep 60", "had not ended after 1 s and was stopped")],
)
def test_a_program_that_fails_is_a_warning(tmp_path: Path, body: str, says: str) -> None:
    warnings: list[str] = []
    hook = OnEnd(command=(str(script(tmp_path, body)),), seconds=1)
    with told_at_end(hook, tmp_path, SPRING, warnings.append) as ending:
        ending.outcome = "done"
    assert warnings == [f"[on_end] {hook.command[0]} {says}; the run is not affected"]


def test_a_program_that_is_not_there_is_a_warning_too(tmp_path: Path) -> None:
    warnings: list[str] = []
    with told_at_end(OnEnd(command=("/nowhere/told.sh",)), tmp_path, SPRING, warnings.append):
        pass
    assert "could not be started (No such file or directory)" in warnings[0]


def test_words_reach_the_program_as_they_are_and_no_passphrase_does(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("COHORTIUM_PASSPHRASE", "of the keys")
    body = 'printf "%s|%s|%s|%s" "$1" "$2" "$COHORTIUM_PASSPHRASE" "$(pwd)" > said.txt'
    hook = OnEnd(command=(str(script(tmp_path, body)), "; rm -r x", "$(id)"))
    with told_at_end(hook, tmp_path, SPRING, pytest.fail):
        pass
    assert (tmp_path / "said.txt").read_text() == f"; rm -r x|$(id)||{tmp_path}"


@pytest.mark.parametrize("command", [(), ("told.sh",), ("/bin/echo", "a\0b")])
def test_a_command_is_a_whole_path_and_words(command: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        OnEnd(command=command)
