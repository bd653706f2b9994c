"""What shows how things stand: studies, ledgers by day, budgets in words, a holder, a coordinator, a machine.

Over one federation as two months left it; nothing here asks or spends anything. With real processes, who is online:
``test_served.py``.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from pathlib import Path

import pytest
from workspaces import HOLDERS, make_workspace, read_study, run

from clients.answering.state import note_node
from clients.report.files import write_holder_report
from privacy.audit.budget import BudgetLeft, PeriodLeft, budget_left, plan_budget
from privacy.audit.budget_words import budget_in_words
from privacy.ledger import Ledger
from privacy.locks import is_held, one_at_a_time
from simulations.worlds.local import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("state")
    made = make_workspace(root)
    study = read_study(root)
    for as_of in (dt.date(2024, 6, 1), dt.date(2024, 7, 1)):
        run(made, study.model_copy(update={"as_of": as_of}))
    return made


def test_a_ledger_tells_two_months_apart(command, workspace: Workspace) -> None:
    north = workspace.holder("north").root
    told = json.loads(command("ledger", "show", north, "--json").out)
    days = [charge["as_of"] for charge in told["charges"]]
    assert days == sorted(days)
    assert {(charge["as_of"], charge["question"]) for charge in told["charges"]} >= {
        (as_of, question) for as_of in ("2024-06-01", "2024-07-01") for question in ("cut points", "segments")
    }
    assert {charge["day"] for charge in told["charges"]} == {dt.datetime.now(dt.UTC).date().isoformat()}
    shown = command("ledger", "show", north).out
    assert shown.index("2024-06-01") < shown.index("2024-07-01")
    alone = command("ledger", "show", north / "state" / "ledger.sqlite").out
    assert "2024-07-01" in alone


def test_what_is_left_is_said_in_studies_and_in_what_adds_up(command, workspace: Workspace) -> None:
    """The share is of mu^2, and the numbers are those of ``budget plan``."""
    north = workspace.holder("north")
    ledger = Ledger(north.state / "ledger.sqlite")
    left = budget_left(ledger, int(time.time()), holders=3)
    words = budget_in_words(left)
    plan = plan_budget(ledger.state, epsilon=1, delta=1e-6, now=int(time.time()), counted=1)
    assert f"{plan.caps[0].used:.0%} of the lifetime budget is used." in words
    assert f"enough for {plan.fit_life:,} more studies of epsilon 1" in words
    at_price = int(re.search(r"or for ([\d,]+) at the price", words)[1].replace(",", ""))
    assert plan.fit_life <= at_price < 4 * plan.fit_life
    assert words in command("ledger", "show", north.root).out
    assert words in command("holder", "status", north.root).out
    assert words in command("budget", "plan", north.root).out
    page = write_holder_report(workspace.holder("north")).read_text(encoding="utf-8")
    assert words in page
    assert budget_in_words(left, "zh") in page
    assert budget_left(workspace.coordinator.ledger(), 0) is None, "a coordinator has no cap"


def test_one_study_is_not_called_studies() -> None:
    left = BudgetLeft(used=0.9, fit_life=1, like_last=1, period=PeriodLeft(used=0, fit=1, until=dt.date(2025, 7, 1)))
    assert budget_in_words(left) == (
        "90% of the lifetime budget is used. It is enough for one more study of epsilon 1, or for one at the price of "
        "the last run. 0% of this period's is used: one of them fits until 1 July 2025."
    )
    assert budget_in_words(left, "zh") == (
        "终身预算已用去 90%。剩余预算还够 1 次 ε = 1 的分析；按最近一次运行的花费，还够 1 次。"
        "本期预算已用去 0%：2025年7月1日之前还够 1 次。"
    )
    none = left.model_copy(update={"fit_life": 0, "like_last": None, "period": None})
    assert "enough for 0 more studies of epsilon 1." in budget_in_words(none)


def test_studies_are_listed_and_shown_again(command, workspace: Workspace) -> None:
    root = workspace.root
    listed = json.loads(command("study", "list", "--workspace", root, "--json").out)
    assert [(item["study"], item["as_of"], item["state"]) for item in listed] == [
        ("spring", "2024-06-01", "done"),
        ("spring", "2024-07-01", "done"),
    ]
    assert all(item["holders"] == list(HOLDERS) and Path(item["report"]).name == "report.html" for item in listed)
    shown = command("study", "list", "--workspace", root)
    assert shown.out.count("done") == 2
    again = command("study", "show", "spring", "--workspace", root, "--as-of", "2024-06-01")
    assert "Segments (eight), 2024-06-01, EUR" in again.out
    assert json.loads(command("study", "show", "spring", "--workspace", root, "--json").out)["rfm"]
    missing = command("study", "show", "autumn", "--workspace", root)
    assert missing.code == 3
    assert "recorded are: spring (2024-06-01), spring (2024-07-01)" in missing.err


def test_results_are_in_the_language_of_who_reads(command, workspace: Workspace, monkeypatch) -> None:
    show = ("study", "show", "spring", "--workspace", workspace.root)
    assert "Segments (eight), 2024-07-01, EUR" in command(*show).out
    asked = command("--lang", "zh", *show)
    assert "分群（eight），2024-07-01，EUR" in asked.out
    assert "重要价值客户" in asked.out
    assert "Important value" not in asked.out
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert command(*show).out == asked.out
    assert "Segments (eight)" in command("--lang", "en", *show).out
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert "Segments (eight)" in command(*show).out
    wrong = command("--lang", "fr", *show)
    assert (wrong.code, "languages: en, zh" in wrong.err) == (3, True)


def test_a_coordinator_that_does_not_serve_says_so(command, workspace: Workspace) -> None:
    root = workspace.coordinator.root
    state = json.loads(command("coordinator", "status", root, "--json").out)
    assert (state["serving"], state["run_under_way"], len(state["studies"])) == (False, False, 2)
    assert {member["member"] for member in state["members"]} == {"coordinator", *HOLDERS}
    assert all(member["online"] is None for member in state["members"])
    with one_at_a_time(workspace.coordinator.run_lock):
        assert json.loads(command("coordinator", "status", root, "--json").out)["run_under_way"]
    assert "not serving (`cohortium coordinator serve`)" in command("coordinator", "status", root).out


def test_a_holder_says_how_it_stands(command, workspace: Workspace) -> None:
    holder = workspace.holder("south")
    told = json.loads(command("holder", "status", holder.root, "--json").out)
    assert told["node"] == {"running": False, "event": "", "since": "", "address": ""}
    assert told["last_run"] == {"study": "spring", "as_of": "2024-07-01", "ended": True}
    assert told["labels"] == {"spring": "2024-07-01"}
    assert (told["waiting"], told["problems"]) == ([], [])
    note_node(holder.state, "lost", "hub:9443")
    with one_at_a_time(holder.node_lock):
        assert "lost its connection, and goes on trying" in command("holder", "status", holder.root).out
    assert "not running" in command("holder", "status", holder.root).out


def test_a_second_node_of_a_holder_is_refused(command, workspace: Workspace) -> None:
    holder = workspace.holder("north")
    with one_at_a_time(holder.node_lock):
        said = command("holder", "node", holder.root, "--address", "127.0.0.1:9")
    assert said.code == 10
    assert "another node" in said.err
    assert not is_held(holder.node_lock)


def test_a_machine_and_a_folder_are_looked_over(command, workspace: Workspace, tmp_path: Path) -> None:
    sound = command("doctor", workspace.holder("north").root, "--json")
    found = {item["what"]: item["level"] for item in json.loads(sound.out)}
    assert sound.code == 0
    assert {found[what] for what in ("release", "Python", "Flower", "policy.toml", "holder.toml", "source")} == {"ok"}
    assert found["node"] == "note"
    assert command("doctor", workspace.coordinator.root).code == 0
    empty = command("doctor", tmp_path)
    assert empty.code == 3
    assert "problem policy.toml" in empty.out
    assert "extra [node]: installed" in empty.out
    assert command("doctor", tmp_path / "nowhere").code == 3


def test_keys_that_others_may_read_are_a_problem(command, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    root = workspace.holder("online").root
    key = root / "keys" / "signing.pem"
    key.chmod(0o644)
    said = command("doctor", root)
    assert said.code == 3
    assert f"others may read {key} - chmod 600" in said.out
    key.chmod(0o600)
    (root / "sales.csv").rename(root / "gone.csv")
    assert "problem source" in command("doctor", root).out
