"""The ``cohortium`` command as people and scripts meet it, in this process: screens, errors, exit codes.

Asserted: foreseen errors are readable text with a hint and the documented code, on standard error; unforeseen ones show
no values; epsilons are never shown smaller than they are; what is missing from a base install is named.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import protocol_kit as kit
import pytest

import cohortium
from privacy.accounting.events import epsilon_spent, squared_cap
from privacy.errors import Busy, CarrierError, CohortiumError
from privacy.presentation.numbers import many
from privacy.presentation.terminal import up
from server.running.run import run_study

ROOT = Path(__file__).resolve().parents[1]
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


def test_one_is_not_called_many() -> None:
    assert [many(count, "day") for count in (0, 1, 2, 1200)] == ["0 days", "1 day", "2 days", "1,200 days"]


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


# --- what people type --------------------------------------------------------------------------------------------

SPRING = ("study", "new", "spring", "--as-of", "2025-01-01", "--epsilon", "1")


def test_help_and_version_have_short_names_everywhere(command) -> None:
    from privacy.kernel.version import software_version

    assert command("-V").out.strip() == command("--version").out.strip() == software_version()
    assert json.loads(command("version", "--json").out) == {"version": software_version()}
    for words in (("-h",), ("holder", "-h"), ("study", "run", "-h")):
        shown = command(*words)
        assert shown.code == 0
        assert "Usage:" in shown.out


def test_completion_can_be_had_for_each_shell(command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--install-completion" in command("-h").out
    for shell in ("bash", "zsh", "fish"):
        monkeypatch.setattr("shellingham.detect_shell", lambda *_, shell=shell: (shell, shell))
        assert "cohortium" in command("--show-completion").out.lower()


@pytest.mark.parametrize(
    ("words", "says", "then"),
    [
        (("study", "check", "."), "is a folder", "give the file: spring.toml"),
        (("study", "check", "nosuch.toml"), "does not exist", "check the path"),
        (("study", "new", "Foo", "--as-of", "2025-01-01", "--epsilon", "1"), "lower case letters", "mend the options"),
        (("study", "new", "foo", "--as-of", "yesterday", "--epsilon", "1"), "cannot be read", "--as-of 2025-01-31"),
        ((*SPRING, "--currency", "euro"), "three capital letters", "mend the options"),
        (SPRING, "spring.toml exists", "--output"),
        ((*SPRING, "-o", "nosuch/spring.toml"), "nosuch/spring.toml: no such file", "check the path"),
        ((*SPRING, "-o", "spring.toml/spring.toml"), "not a directory", "check the path"),
        (("study", "run", "spring.toml"), "say where to run it", "--coordinator FOLDER"),
        (("study", "run", "spring.toml", "--coordinator", "."), "is no coordinator's folder", "coordinator init"),
        (("study", "run", "spring.toml", "--coordinator", "nosuch"), "there is no folder nosuch", "coordinator init"),
        (("study", "report", "."), "no result", "results/"),
        (("holder", "check", "."), "is no holder's folder", "in it are shop"),
        (("holder", "check", "nosuch"), "there is no folder nosuch", "holder new"),
        (("holder", "check", "empty"), "is no holder's folder", "holder new"),
        (("holder", "report", "nosuch"), "there is no folder nosuch", "check the path"),
        (("holder", "labels", "empty"), "is no holder's folder", "holder new"),
        (("holder", "approve", "empty", "spring"), "is no holder's folder", "holder new"),
        (("holder", "node", "spring.toml"), "is no holder's folder", "in it are shop"),
        (("holder", "new", "nosuch.csv"), "there is no file", "write where it is"),
        (("holder", "new", "spring.toml", "--yes"), "cannot tell what", "csv://"),
        (("coordinator", "serve", "empty"), "is no coordinator's folder", "coordinator init"),
        (("coordinator", "publish", "parent"), "is no coordinator's folder", "coordinator"),
        (("roster", "show", "spring.toml"), "is not a file that `cohortium` signed", "ask its sender"),
        (("auditor", "join", "empty", "spring.toml"), "is not a file that `cohortium` signed", "ask its sender"),
        (("audit", "export", "empty"), "is no member's folder", "init"),
        (("audit", "verify", "empty"), "there is no ledger", "folder of a holder"),
        (("budget", "plan", "empty"), "there is no ledger", "folder of a holder"),
        (("ledger", "show", "spring.toml"), "cannot be used", ""),
        (("model", "show", "spring.toml"), "there is no roster", "--roster"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_likely_mistake_gives_one_clear_line_and_what_to_do(
    command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str, then: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spring.toml").write_text(STUDY)
    (tmp_path / "empty").mkdir()
    (tmp_path / "parent" / "coordinator").mkdir(parents=True)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "holder.toml").write_text("")
    said = command(*words)
    assert said.code != 0
    assert says in said.err
    assert then in said.err
    assert "Traceback" not in said.err


def test_a_file_may_stand_for_its_folder_and_a_folder_for_its_file(command, tmp_path: Path) -> None:
    (tmp_path / "holder.toml").write_text("")
    by_folder, by_file = command("holder", "check", tmp_path), command("holder", "check", tmp_path / "holder.toml")
    assert by_folder == by_file
    assert "not a valid holderconfig file" in by_file.err
    assert command("holder", "report", tmp_path / "holder.toml") == command("holder", "report", tmp_path)


def test_the_environment_says_where_unless_it_is_typed(
    command, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coordinator.toml").write_text("")
    monkeypatch.setenv("COHORTIUM_HOLDER", str(tmp_path))
    assert "is no holder's folder" in command("holder", "report").err
    monkeypatch.setenv("COHORTIUM_WORKSPACE", str(tmp_path / "world-1"))
    assert str(tmp_path / "world-1") in command("study", "run", study).err
    typed = command("study", "run", study, "--coordinator", tmp_path)
    assert "world-1" not in typed.err
    monkeypatch.setenv("COHORTIUM_COORDINATOR", str(tmp_path))
    assert "say where to run it" in command("study", "run", study).err
    assert str(tmp_path / "world-2") in command("study", "run", study, "--workspace", tmp_path / "world-2").err


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path) -> None:
    line = (
        f"{sys.executable} -m cohortium study check --holders 3 {tmp_path / 'study.toml'} | :; exit ${{PIPESTATUS[0]}}"
    )
    (tmp_path / "study.toml").write_text(STUDY)
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""


def test_a_terminal_without_the_letters_gets_escapes(tmp_path: Path) -> None:
    """No table ends in the middle because of a bar or a Chinese name."""
    (tmp_path / "study.toml").write_text(STUDY)
    done = subprocess.run(
        [sys.executable, "-m", "cohortium", "study", "check", "--holders", "3", str(tmp_path / "study.toml")],
        cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "segments" in done.stdout


def test_help_waits_for_nothing_that_it_does_not_need() -> None:
    """``cohortium -h`` and completion took a second, most of it for numpy, pydantic and the protocol."""
    slow = ["numpy", "pydantic", "cryptography", "sqlite3"]
    code = f"import sys, cohortium; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_audit_that_fails_does_not_end_with_pass(command, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a ledger")
    said = command("audit", "verify", tmp_path)
    assert said.code == 9
    assert "PASS" not in said.out
    assert "FAIL: 1 of 1 claims do not hold" in said.out
