"""The ``cohortium`` command as people and scripts meet it, in this process: screens, errors, exit codes.

Asserted: foreseen errors are readable text with a hint and the documented code, on standard error; unforeseen ones show
no values; epsilons are never shown smaller than they are; what is missing from a base install is named.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import protocol_kit as kit
import pytest

import cohortium
from privacy.accounting.events import epsilon_spent, squared_cap
from privacy.errors import Busy, CarrierError, CohortiumError
from privacy.presentation.terminal import up
from server.running.run import run_study

STUDY = 'name = "spring"\nas_of = 2025-01-01\n[budget]\nepsilon = 1\ndelta = 1e-6\nsize_class = 10000\n'


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    return path


def test_arguments_have_their_help(command) -> None:
    """They had none with click 8.5 under typer 0.20."""
    shown = command("holder", "join", "--help").out
    assert "The holder's folder" in shown
    assert "The roster that the coordinator published" in shown


def test_study_check_without_a_number_of_holders_is_for_three(command, study: Path) -> None:
    assumed, given = command("study", "check", study), command("study", "check", study, "--holders", 3)
    assert assumed.code == given.code == 0
    assert assumed.out == given.out
    assert "this is for three" in assumed.err
    assert "this is for three" not in given.err
    assert command("study", "check", study, "--holders", 4).out != given.out


def test_study_check_says_in_json_what_it_says_on_screen(command, study: Path) -> None:
    told = json.loads(command("study", "check", study, "--holders", 3, "--json").out)
    screen = command("study", "check", study, "--holders", 3).out
    assert [question["title"] for question in told["questions"]] == ["cut points", "segments"]
    for question in told["questions"]:
        assert up(question["total"]) in screen


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (STUDY.replace("epsilon = 1", "epsilon = 0"), 3, "budget.epsilon"),
        (STUDY.replace("delta = 1e-6", "delta = 1e-19"), 3, "budget.delta"),
        ("name = ", 3, "not valid TOML"),
    ],
)
def test_a_wrong_file_ends_with_its_code_and_a_hint(command, tmp_path: Path, text: str, code: int, says: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text)
    said = command("study", "check", path)
    assert said.code == code
    assert says in said.err
    assert "What to do:" in said.err
    assert said.out == ""


def test_wrong_use_is_code_2(command, study: Path) -> None:
    assert command("study", "check", study, "--holder", 3).code == 2
    assert command("study", "check", study, "--holders", "three").code == 2
    assert command("ledger", "show", study.with_name("none")).code == 2


def _raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def check(*_: object, **__: object) -> None:
        secret = "row 4711 of Mrs Example"  # noqa: F841 - a local variable that a traceback must not show
        raise error

    monkeypatch.setattr("server.running.check.check_study", check)


@pytest.mark.parametrize("error", [Busy, CarrierError])
def test_errors_end_with_their_own_code(command, study: Path, monkeypatch, error: type[CohortiumError]) -> None:
    _raising(monkeypatch, error("it is so", hint="wait for it"))
    said = command("study", "check", study)
    assert said.code == error.exit_code == {"Busy": 10, "CarrierError": 11}[error.__name__]
    assert "it is so" in said.err
    assert "wait for it" in said.err


def test_an_extra_that_is_not_installed_is_named(command, study: Path, monkeypatch) -> None:
    _raising(monkeypatch, ModuleNotFoundError("No module named 'flwr'", name="flwr"))
    said = command("study", "check", study)
    assert said.code == 3
    assert "flwr" in said.err
    assert "[node]" in said.err


def test_an_unforeseen_error_shows_no_values(command, study: Path, monkeypatch) -> None:
    _raising(monkeypatch, RuntimeError("boom"))
    monkeypatch.setattr(sys, "argv", ["cohortium", "study", "check", str(study)])
    with pytest.raises(RuntimeError):  # ends in Python's own traceback, which shows lines of code and no values
        cohortium.main()
    assert cohortium.app.pretty_exceptions_enable is False


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 1, 2, 4, 8, 20])
@pytest.mark.parametrize("delta", [1e-5, 1e-6, 1e-9])
def test_a_budget_used_to_the_end_is_not_shown_as_more(epsilon: float, delta: float) -> None:
    for part in (1.0, 1.25, 1.5, 1.75):
        promised = epsilon * part
        spent = epsilon_spent(squared_cap(promised, delta), delta)
        assert promised * (1 - 1e-5) <= spent <= promised
        assert float(up(spent)) <= math.ceil(round(promised * 1000, 6)) / 1000


def test_epsilon_is_rounded_up() -> None:
    assert [up(value) for value in (0.0, 0.7511, 0.7510001, 1.0)] == ["0.000", "0.752", "0.752", "1.000"]


def test_ledger_show_and_audit_verify_agree(command, tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path / "federation")
    run_study(kit.small_study(), folder=federation.folder, transport=federation.transport, pages=False)
    holder = tmp_path / "federation" / "holders" / "alpha"
    shown = command("ledger", "show", holder)
    assert shown.code == 0
    assert "chain intact" in shown.out
    told = json.loads(command("ledger", "show", holder, "--json").out)
    assert up(told["spent_epsilon"]) in shown.out
    verified = json.loads(command("audit", "verify", holder, federation.folder.root, "--json").out)
    assert verified["passed"]
    assert {round(spent["epsilon"], 9) for spent in verified["spent"]} == {round(told["spent_epsilon"], 9)}


def test_a_ledger_that_was_never_opened_is_told(command, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    for words in (("ledger", "show", path), ("audit", "verify", path)):
        said = command(*words)
        assert said.code == 9
        assert "Traceback" not in said.err
