"""A federation as operators run it: `coordinator serve`, a node process a holder, studies from another process; faults.

After every fault no release is missing from a participant's ledger; in the end all ledgers tell one story.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from analyses.tables.exact import exact_sum, margins_off, without_noise

pytest.importorskip("flwr")

from clients.answering.state import state_of as holder_state_of
from privacy.analyses.tables.results import TablesResult
from privacy.errors import CohortiumError
from privacy.ledger import Failed, Reserved
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.flower.processes import ChildProcesses
from server.flower.runs import RunStarter
from server.running.deployed import ENTRY, run_served, run_with
from server.running.federation import Patience
from server.running.resume import found_of
from server.running.state import state_of, studies_of
from simulations.failing.served import ServedFederation, child_of
from simulations.worlds.feeds import LISTS

pytestmark = [pytest.mark.slow, pytest.mark.flower]

#: A node with a holder's registered key that answers nonsense.
NONSENSE = """
import sys, threading
from pathlib import Path
from clients.flower.node import run_node

address, root_certificate, node_key, holder = sys.argv[1:]
run_node(address=address, root_certificate=Path(root_certificate), node_key=Path(node_key), holder=holder,
         handler=lambda request: b"{nonsense" + bytes(100), stop=threading.Event())
"""


def check(served: ServedFederation, study: Study, *, up: tuple[str, ...] | None = None) -> None:
    """Every release is charged, answered and recorded at each of its holders that is up."""
    assert served.lost(study, up=up) == []


def charges(served: ServedFederation, owner: str, study: str) -> list[Reserved]:
    return [f for f in served.ledger(owner).facts() if isinstance(f, Reserved) and f.study == study]


class At:
    """Progress that does something at the first of each of these moments: a step, or ``step < holder`` for a reply."""

    def __init__(self, moments: dict[str, Callable[[], object]]) -> None:
        self.left = dict(moments)
        self.notes: list[str] = []
        self._step = ""

    def _see(self, moment: str) -> None:
        if moment in self.left:
            self.left.pop(moment)()

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        self._step = name
        self._see(name)

    def reply(self, holder: str) -> None:
        self._see(f"{self._step} < {holder}")

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFederation]:
    with ChildProcesses() as processes:
        yield ServedFederation(tmp_path_factory.mktemp("served"), processes)


@contextmanager
def going_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a process that was halted in here go on afterwards."""
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_network_away_for_a_moment_only_delays_and_after_a_superlink_died_studies_go_on(
    served: ServedFederation,
) -> None:
    gateway = child_of(served.server.pid, "server.flower.gateway")
    superlink = child_of(served.server.pid, "flower_superlink")

    def cut() -> None:
        os.kill(gateway, signal.SIGSTOP)
        time.sleep(2)
        os.kill(gateway, signal.SIGCONT)

    study = served.study("plain", "online", "store-1", "store-2", answering=60)
    at = At({"cut points: asking": cut})
    result = run_served(study, served.folder, progress=at)
    assert isinstance(result, StudyResult)
    assert at.left == {}
    state = state_of(served.folder)
    assert (state.serving, state.run_under_way) == (True, False)
    assert {member.member for member in state.members if member.online and member.since} == set(served.holders)
    assert [(item.study, item.state) for item in state.studies] == [("plain", "done")]
    online = holder_state_of(served.workspace.holder("online"))
    assert (online.node.running, online.node.event, online.node.address) == (True, "connected", served.address)
    assert online.last_run is not None
    assert online.last_run.ended
    assert (result.missing, result.differences, result.uncompared) == ((), (), ())
    check(served, study)
    # Between studies: what was on its way when it dies is gone, so that in the middle holders may be left out.
    os.kill(superlink, signal.SIGKILL)
    assert served.server.wait(20) != 0, "serve ends with an error, for systemd to start it again"
    assert "SuperLink has ended" in (served.root / "serve.log").read_text()
    served.serve()
    later = served.study("later", "online", "store-1", "store-2", answering=60)
    served.wait_for(lambda: served.online() >= {"online", "store-1", "store-2"}, "nodes are back by themselves")
    again = run_served(later, served.folder)
    assert isinstance(again, StudyResult)
    assert again.missing == ()
    check(served, later)
    # A second process that serves the same folder is told so, and ends.
    command = [sys.executable, "-m", "cohortium", "coordinator", "serve", str(served.folder.root)]
    second = subprocess.run(command, env=served.environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert "another process serves this folder" in second.stderr


def test_a_coordinator_killed_at_every_step_goes_on_and_asks_nothing_twice(served: ServedFederation) -> None:
    study = served.study("killed", "online", "store-1", "store-2", spare=3)
    steps = ("joining", "cut points: showing the plan", "cut points: asking", "segments: asking < online",
             "handing out the results")  # fmt: skip
    charged = []
    for step in steps:
        with ChildProcesses() as processes, RunStarter(served.files, processes, preload=ENTRY) as starter:
            at = At({step: lambda starter=starter: os.kill(starter.process.pid, signal.SIGKILL)})
            with pytest.raises(CohortiumError, match=r"ended with status|attempt"):
                run_with(starter, study, served.folder, events=served.files.folder / "killed.jsonl", progress=at)
        assert at.left == {}, step
        charged.append(len(charges(served, "coordinator", "killed")))
    # Nothing before the first plan is confirmed; then each attempt once, and after the last release no more.
    assert charged[:2] == [0, 0]
    assert charged[2] == 1
    found = found_of(
        study, results=served.folder.results, ledger=served.folder.ledger(),
        releases=served.folder.releases,
    )  # fmt: skip
    # What is left for attempts that failed is then used for second answers.
    assert found.released == ("cut points", "cut points again", "segments", "segments again")
    (cut_off,) = (item for item in studies_of(served.folder) if item.study == "killed")
    assert cut_off.state == "cut off"
    assert set(cut_off.released) == set(found.released)
    assert cut_off.next.endswith("killed.toml")
    assert found.cut_off + found.failed == charged[-1] - len(found.released)
    command = [sys.executable, "-m", "cohortium", "study", "resume", str(served.root / "killed.toml")]
    command += ["--coordinator", str(served.folder.root)]
    done = subprocess.run(command, env=served.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Released already: cut points, cut points again, segments, segments again." in done.stdout
    assert len(charges(served, "coordinator", "killed")) == charged[-1]
    result = served.folder.results.of(study)
    assert result is not None
    assert [difference for difference in result.differences if not difference.expected] == []
    check(served, study)


def test_a_holder_that_answers_nonsense_costs_nobody_anything(served: ServedFederation) -> None:
    node = served.nodes["store-3"]
    served.stop(node)  # signs off
    member = served.workspace.holder("store-3").member
    where = [served.address, str(member.root / "ca.pem"), str(member.node_key), "store-3"]
    liar = served.start([sys.executable, "-c", NONSENSE, *where], log="nonsense.log")
    served.wait_for(lambda: "store-3" in served.online(), "store-3")
    study = served.study("nonsense", "online", "store-1", "store-3")
    with pytest.raises(CohortiumError, match="not ready: store-3"):
        run_served(study, served.folder)
    assert not charges(served, "coordinator", "nonsense")
    served.stop(liar)
    served.start_node("store-3")
    served.wait_for(lambda: "store-3" in served.online(), "store-3")


def test_a_holder_killed_before_it_was_asked_is_charged_nothing_and_the_rest_go_on(served: ServedFederation) -> None:
    victim = served.nodes["store-3"]
    study = served.study("before", "online", "store-1", "store-3", answering=4)
    at = At({"cut points: showing the plan < store-3": victim.kill})
    result = run_served(study, served.folder, patience=Patience(hello=30, answer=4), progress=at)
    assert result.missing == ("store-3",)
    assert result.uncompared == ("store-3",)
    assert not charges(served, "store-3", "before")
    check(served, study)


def test_a_slow_holder_is_left_out_and_one_killed_after_it_sent_has_its_answer_counted(
    served: ServedFederation,
) -> None:
    slow, victim = served.nodes["store-1"], served.nodes["store-2"]
    study = served.study("slow", "online", "store-1", "store-2", answering=4)
    moments = {
        "cut points: asking": lambda: slow.send_signal(signal.SIGSTOP),
        "segments: asking < store-2": victim.kill,
    }
    at = At(moments)
    with going_on(slow):
        result = run_served(study, served.folder, progress=at)
    assert at.left == {}
    assert (result.participants, result.missing) == (("online", "store-2"), ("store-1",))
    assert any("store-1 did not answer: no answer" in note for note in at.notes)
    facts = served.ledger("coordinator").facts()
    (failed,) = [f for f in facts if isinstance(f, Failed) and f.question.run.startswith("slow-")]
    assert failed.reason == "missing_answer"
    assert result.uncompared == ("store-2", "store-1")
    assert len(charges(served, "store-2", "slow")) == 3, "the failed attempt, and both answers that were counted"
    check(served, study, up=("online",))


def test_five_tables_over_the_deployment_say_what_the_holders_have(served: ServedFederation) -> None:
    """Four feeds, one question: every cell is what the same rows say in process, within its noise."""
    for holder in served.holders:
        if served.nodes[holder].poll() is not None:  # killed above
            served.start_node(holder)
    served.wait_for(lambda: served.online() >= set(served.holders), "every node")
    plain = served.study("five", answering=60)
    tables = {
        "use": ("second_purchase", "funnel", "attribution", "returns", "profile_level"),
        "lists": {name: LISTS[name] for name in ("channels", "categories", "reasons", "levels")},
    }
    asked = plain.model_dump(mode="json") | {"analyses": ["tables"], "tables": tables}
    asked["budget"] |= {"epsilon": "4"}
    asked["waits"] |= {"joining": 120}  # four feeds are read before a node is ready, beside all that else runs
    result = run_served(Study.model_validate(asked), served.folder)
    assert isinstance(result, StudyResult)
    released = result.of(TablesResult)
    assert released is not None
    assert result.missing == ()
    exact = without_noise(result.study, exact_sum(served.workspace, served.holders, result.study))
    names = [table.name for table in released.tables]
    assert names == [*tables["use"][:4], "ordered", "profile_level"]
    assert [(table.holders, table.of_holders) for table in released.tables] == [
        (3 if name in ("funnel", "attribution") else 4, 4) for name in names
    ]
    away = np.abs(margins_off(released, exact))
    assert away.max() < 3
    assert float(np.mean(away < 1)) > 0.85
    assert all(any(table.measures[0].values) for table in exact.tables)
    check(served, result.study)


def test_after_all_that_the_ledgers_tell_one_story(served: ServedFederation) -> None:
    verdict = served.verify()
    assert verdict.passed, [claim for claim in verdict.claims if claim.verdict == "FAIL"]
