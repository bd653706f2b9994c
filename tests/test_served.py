"""A federation as operators run it: `coordinator serve`, a node process a holder, studies from another process; faults.

After every fault the ledgers are checked: they tell one story, and no release is missing from a participant's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("flwr")

from privacy.audit.verify import verify
from privacy.contract.results import StudyResult
from privacy.contract.study import Budget, Study, Waits
from privacy.errors import CohortiumError
from privacy.ledger import Answered, Failed, Ledger, Released, Reserved
from server.deployed import ENTRY, run_served, run_with
from server.federation import Patience
from server.flower.processes import ChildProcesses
from server.flower.runs import RunStarter
from server.flower.superlink import SuperLinkFiles, child_environment, free_port
from server.releases import ReleaseStore
from server.resume import found_of
from simulations.generator import RATES, generate
from simulations.kit import demo_policy
from simulations.local import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.flower]

ALL = ("online", "store-1", "store-2", "store-3")

#: A node with a holder's registered key that answers nonsense.
NONSENSE = """
import sys, threading
from pathlib import Path
from clients.flower.node import run_node

address, root_certificate, node_key, holder = sys.argv[1:]
run_node(address=address, root_certificate=Path(root_certificate), node_key=Path(node_key), holder=holder,
         handler=lambda request: b"{nonsense" + bytes(100), stop=threading.Event())
"""


class Served:
    """A served federation of four holders with small tables."""

    def __init__(self, root: Path, processes: ChildProcesses) -> None:
        world = generate(root / "data", customers=400, stores=3)
        sources = {path.name: path for path in (root / "data").iterdir() if (path / "holder.toml").exists()}
        assert tuple(sorted(sources)) == ALL
        for source in sources.values():
            (source / "policy.toml").write_text(demo_policy(2, epsilon="50"), encoding="utf-8")
        self.as_of = world.as_of
        self.workspace = Workspace.create(root / "federation", sources)
        self.folder = self.workspace.coordinator
        self.address = f"127.0.0.1:{free_port()}"
        config = self.folder.root / "coordinator.toml"
        config.write_text(f'{config.read_text()}\nlisten = "{self.address}"\n', encoding="utf-8")
        self.root = root
        self.files = SuperLinkFiles(self.folder.root / "flower")
        self._processes = processes
        self.environment = child_environment(root / "home")
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.serve()
        for holder in ALL:
            self.start_node(holder)
        self.wait_for(lambda: set(ALL) <= self.online())

    def serve(self) -> None:
        command = [sys.executable, "-m", "cohortium", "coordinator", "serve", str(self.folder.root)]
        self.server = self._processes.start(command, log=self.root / "serve.log", env=self.environment)

    def start_node(self, holder: str) -> None:
        folder = self.workspace.holder(holder).root
        command = [sys.executable, "-m", "cohortium", "holder", "node", str(folder), "--address", self.address]
        self.nodes[holder] = self._processes.start(command, log=self.root / f"{holder}.log", env=self.environment)

    def start_nonsense(self, holder: str) -> subprocess.Popen[bytes]:
        member = self.workspace.holder(holder).member
        where = [self.address, str(member.root / "ca.pem"), str(member.node_key), holder]
        command = [sys.executable, "-c", NONSENSE, *where]
        return self._processes.start(command, log=self.root / "nonsense.log", env=self.environment)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        self._processes.stop(process)

    def online(self) -> set[str]:
        try:
            with self.files.client() as client:
                return set(client.online())
        except Exception:  # not up yet
            return set()

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.root / "serve.log").read_text()
            time.sleep(0.05)

    def study(self, name: str, *holders: str, answering: int = 20, spare: int = 1) -> Study:
        return Study(
            name=name,
            as_of=self.as_of,
            holders=tuple(sorted(holders)),
            budget=Budget(epsilon="1", size_class=1000, spare_attempts=spare),
            rates=dict(RATES),
            waits=Waits(joining=30, answering=answering),
        )

    def facts(self, owner: str) -> list:
        root = self.folder.root if owner == "coordinator" else self.workspace.holder(owner).state
        return list(Ledger(root / "ledger.sqlite").facts())

    def check(self, study: Study, *, up: tuple[str, ...] = ALL) -> None:
        """Ledgers agree; every release is in the ledger of each of its holders that is up; spent is at least that."""
        ledgers = [self.folder.root / "ledger.sqlite"]
        ledgers += [path for path in (self.workspace.holder(h).state / "ledger.sqlite" for h in ALL) if path.exists()]
        verdict = verify(ledgers)
        assert verdict.passed, [claim for claim in verdict.claims if claim.verdict == "FAIL"]
        for release in ReleaseStore(self.folder.root / "releases").all():
            if release.study != study.digest:
                continue
            for holder in set(release.holders) & set(up):
                facts = self.facts(holder)
                assert any(isinstance(f, Reserved) and f.core == release.core for f in facts)
                assert any(isinstance(f, Answered) and f.core == release.core for f in facts)
                assert any(isinstance(f, Released) and f.core == release.core for f in facts), holder


class At:
    """Progress that does something at the first of a kind of moment."""

    def __init__(self, moment: str, do: Callable[[], object]) -> None:
        self._moment, self._do, self._step, self.done = moment, do, "", False
        self.notes: list[str] = []

    def _see(self, moment: str) -> None:
        if not self.done and moment == self._moment:
            self.done = True
            self._do()

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        self._step = name
        self._see(name)

    def reply(self, holder: str) -> None:
        self._see(f"{self._step} < {holder}")

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ChildProcesses() as processes:
        yield Served(tmp_path_factory.mktemp("served"), processes)


@contextmanager
def stopped_for(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_study_over_a_served_coordinator(served: Served) -> None:
    study = served.study("plain", "online", "store-1", "store-2")
    result = run_served(study, served.folder)
    assert isinstance(result, StudyResult)
    assert (result.missing, result.differences, result.uncompared) == ((), (), ())
    served.check(study)
    # A second process that serves the same folder is told so, and ends.
    command = [sys.executable, "-m", "cohortium", "coordinator", "serve", str(served.folder.root)]
    second = subprocess.run(command, env=served.environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode != 0
    assert "another process serves this folder" in second.stderr


def test_a_coordinator_killed_at_every_step_goes_on_and_asks_nothing_twice(served: Served) -> None:
    study = served.study("killed", "online", "store-1", "store-2", spare=3)
    steps = ("joining", "cut points: showing the plan", "cut points: asking", "segments: asking < online",
             "handing out the results")  # fmt: skip
    charged = []
    for step in steps:
        with ChildProcesses() as processes, RunStarter(served.files, processes, preload=ENTRY) as starter:
            at = At(step, lambda starter=starter: os.kill(starter.process.pid, signal.SIGKILL))
            with pytest.raises(CohortiumError, match=r"ended with status|attempt"):
                run_with(starter, study, served.folder, events=served.files.folder / "killed.jsonl", progress=at)
        assert at.done, step
        charged.append(sum(isinstance(f, Reserved) and f.study == "killed" for f in served.facts("coordinator")))
    # Nothing before the first plan is confirmed; then each attempt once, and after the last release no more.
    assert charged[:2] == [0, 0]
    assert charged[2] == 1
    found = found_of(
        study, results=served.folder.results, ledger=served.folder.ledger(),
        releases=ReleaseStore(served.folder.root / "releases"),
    )  # fmt: skip
    assert found.released == ("cut points", "segments")
    assert found.cut_off + found.failed == charged[-1] - 2
    result = run_served(study, served.folder)
    assert sum(isinstance(f, Reserved) and f.study == "killed" for f in served.facts("coordinator")) == charged[-1]
    assert [d for d in result.differences if not d.expected] == []
    served.check(study)


def test_a_slow_holder_is_left_out_after_the_studys_wait(served: Served) -> None:
    study = served.study("slow", "online", "store-1", "store-2", answering=3)
    node = served.nodes["store-2"]
    at = At("cut points: asking", lambda: node.send_signal(signal.SIGSTOP))
    with stopped_for(node):
        started = time.monotonic()
        result = run_served(study, served.folder, patience=Patience(hello=30, answer=4), progress=at)
        assert time.monotonic() - started < 40
    assert result.missing == ("store-2",)
    assert any("no answer" in note for note in at.notes)
    (failed,) = [f for f in served.facts("coordinator") if isinstance(f, Failed) and f.question.run.startswith("slow-")]
    assert failed.reason == "missing_answer"
    served.wait_for(lambda: "store-2" in served.online())
    served.check(study)


def test_a_holder_that_answers_nonsense_costs_nobody_anything(served: Served) -> None:
    node = served.nodes["store-3"]
    served.stop(node)  # signs off
    liar = served.start_nonsense("store-3")
    served.wait_for(lambda: "store-3" in served.online())
    study = served.study("nonsense", "online", "store-1", "store-3")
    with pytest.raises(CohortiumError, match="not ready: store-3"):
        run_served(study, served.folder)
    assert not [f for f in served.facts("coordinator") if isinstance(f, Reserved) and f.study == "nonsense"]
    served.stop(liar)
    served.start_node("store-3")
    served.wait_for(lambda: "store-3" in served.online())


def test_a_network_that_is_away_for_a_while_only_delays(served: Served) -> None:
    gateway = _child(served.server.pid, "server.flower.gateway")

    def cut() -> None:
        os.kill(gateway, signal.SIGSTOP)
        time.sleep(2)
        os.kill(gateway, signal.SIGCONT)

    study = served.study("network", "online", "store-1", "store-2")
    result = run_served(study, served.folder, progress=At("cut points: asking", cut))
    assert result.missing == ()
    served.check(study)


def test_a_superlink_that_dies_and_comes_back_is_the_same_to_nodes_and_to_the_run(served: Served) -> None:
    superlink = _child(served.server.pid, "flower_superlink")

    def kill() -> None:
        os.kill(superlink, signal.SIGKILL)
        assert served.server.wait(20) != 0, "serve ends with an error, for systemd to start it again"
        served.serve()

    study = served.study("superlink", "online", "store-1", "store-2", answering=30)
    result = run_served(study, served.folder, progress=At("cut points: asking", kill))
    assert "SuperLink has ended" in (served.root / "serve.log").read_text()
    assert result.missing == ()
    served.check(study)


def test_a_holder_killed_before_it_was_asked_is_charged_nothing_and_the_rest_go_on(served: Served) -> None:
    victim = served.nodes["store-3"]
    study = served.study("before", "online", "store-1", "store-3", answering=4)
    at = At("cut points: showing the plan < store-3", victim.kill)
    result = run_served(study, served.folder, patience=Patience(hello=30, answer=4), progress=at)
    assert result.missing == ("store-3",)
    assert result.uncompared == ("store-3",)
    assert not [f for f in served.facts("store-3") if isinstance(f, Reserved) and f.study == "before"]
    served.check(study)


def test_a_holder_killed_after_it_sent_has_its_answer_counted_and_catches_up(served: Served) -> None:
    victim = served.nodes["store-2"]
    study = served.study("after", "online", "store-1", "store-2", answering=4)
    at = At("segments: asking < store-2", victim.kill)
    result = run_served(study, served.folder, patience=Patience(hello=30, answer=4), progress=at)
    assert result.participants == ("online", "store-1", "store-2")
    assert result.uncompared == ("store-2",)
    mine = [f for f in served.facts("store-2") if isinstance(f, Reserved) and f.study == "after"]
    assert len(mine) == 2, "both answers stay charged"
    served.check(study, up=("online", "store-1"))


def _child(parent: int, words: str) -> int:
    """The process below ``parent`` whose command line contains these words."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if above == parent and words in command:
                return int(entry.name)
    raise AssertionError(f"no {words} below {parent}")
