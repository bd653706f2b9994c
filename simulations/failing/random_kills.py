"""Rounds over Flower with processes killed at random: nothing that was released may be lost.

usage: python -m simulations.failing.random_kills [--rounds 30] [--folder FOLDER]

A served federation of four holders on this machine runs one small RFM study after another, two rounds each. In every
study something happens at a random moment: a node, the SuperLink or the coordinator's run is killed with SIGKILL, or
the network is away for some seconds. Operators start again what died, and resume the study until it has a result. At
the end, with all nodes up, results are handed out again to who missed them, and then: every release is charged,
answered and recorded in the ledger of each of its participants; `audit verify` passes over all ledgers; no process is
left. Ends with status 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from privacy.errors import CohortiumError
from privacy.ledger import Reserved
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.flower.processes import ChildProcesses
from server.flower.runs import RunStarter
from server.running.deployed import ENTRY, run_with
from simulations.failing.served import ServedFederation, child_of

#: Tries to bring one study to its end.
_TRIES = 8
_choice = random.SystemRandom()


def faults(
    federation: ServedFederation, starter: RunStarter, holders: tuple[str, ...]
) -> dict[str, Callable[[], None]]:
    """What can happen, by name."""

    def node() -> None:
        holder = _choice.choice(holders)
        federation.nodes[holder].kill()
        federation.nodes[holder].wait()
        federation.start_node(holder)

    def run() -> None:
        if starter.process is not None:
            starter.process.kill()

    def superlink() -> None:
        os.kill(child_of(federation.server.pid, "flower_superlink"), signal.SIGKILL)
        federation.server.wait()
        federation.serve()

    def network() -> None:
        gateway = child_of(federation.server.pid, "server.flower.gateway")
        os.kill(gateway, signal.SIGSTOP)
        time.sleep(_choice.uniform(0.5, 4.0))
        os.kill(gateway, signal.SIGCONT)

    return {"node killed": node, "run killed": run, "SuperLink killed": superlink, "network away": network}


def finish(federation: ServedFederation, study: Study, happened: Counter[str]) -> StudyResult | None:
    """Run and resume a study until it has a result; in the first try something happens. None if it is used up."""
    for attempt in range(_TRIES):
        with ChildProcesses() as processes, RunStarter(federation.files, processes, preload=ENTRY) as starter:
            moment = _Moment(faults(federation, starter, study.holders) if attempt == 0 else {}, happened)
            try:
                events = federation.root / "events.jsonl"
                return run_with(starter, study, federation.folder, events=events, progress=moment)
            except CohortiumError as error:
                happened[f"run ended: {error.message[:60]}"] += 1
                if error.exit_code == 5:  # the study's budget is used up by what failed
                    return None
            finally:
                moment.over()
        federation.wait_for(lambda: set(study.holders) <= federation.online(), "nodes to come back")
    return None


class _Moment:
    """Lets one thing happen: within a second or so of the beginning of a step that is drawn."""

    def __init__(self, what: Mapping[str, Callable[[], None]], happened: Counter[str]) -> None:
        self._what = what
        self._happened = happened
        self._skip = _choice.randrange(6)  # joining, two steps for each question, handing out
        self._timer: threading.Timer | None = None

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        """A step begins."""
        self._skip -= 1
        if self._what and self._skip == -1:
            what, fault = _choice.choice(list(self._what.items()))
            self._happened[f"{what} ({name.split(': ')[-1]})"] += 1
            self._timer = threading.Timer(_choice.uniform(0.0, 1.2), _quietly(fault))
            self._timer.start()

    def reply(self, holder: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def over(self) -> None:
        """Wait until it has happened."""
        if self._timer is not None:
            self._timer.join()


def _quietly(fault: Callable[[], None]) -> Callable[[], None]:
    def do() -> None:
        with contextlib.suppress(CohortiumError, ProcessLookupError):  # it was just gone
            fault()

    return do


def try_out(root: Path, rounds: int, *, say: Callable[[str], None] = print) -> list[str]:
    """Run so many charged rounds; returns what was lost, in words."""
    happened: Counter[str] = Counter()
    studies: list[Study] = []
    problems: list[str] = []
    with ChildProcesses() as processes:
        federation = ServedFederation(root, processes)
        while (charged := _charged(federation)) < rounds:
            holders = tuple(sorted(_choice.sample(federation.holders, 3)))
            study = federation.study(f"kill-{len(studies)}", *holders, answering=5, spare=3)
            studies.append(study)
            result = finish(federation, study, happened)
            say(f"{study.name}: {'released' if result else 'gave up'}; {charged} rounds charged before it")
            federation.wait_for(lambda: set(federation.holders) <= federation.online(), "nodes to come back")
        for study in studies:
            if federation.lost(study):  # who missed the end catches up; it costs nothing
                before = _charged(federation)
                with ChildProcesses() as others, RunStarter(federation.files, others, preload=ENTRY) as starter:
                    try:
                        run_with(starter, study, federation.folder, events=root / "events.jsonl")
                    except CohortiumError as error:
                        problems.append(f"{study.name} cannot hand out its results again: {error.message}")
                if _charged(federation) != before:
                    problems.append(f"{study.name} asked something twice")
            problems += federation.lost(study)
        verdict = federation.verify()
        problems += [claim.why for claim in verdict.claims if claim.verdict == "FAIL"]
        say(f"{_charged(federation)} rounds charged in {len(studies)} studies; what happened: {dict(happened)}")
        started = [federation.server.pid, *(node.pid for node in federation.nodes.values())]
    problems += [f"process {pid} is left" for pid in started if Path(f"/proc/{pid}").exists()]
    return problems


def _charged(federation: ServedFederation) -> int:
    path = federation.folder.root / "ledger.sqlite"
    if not path.exists():
        return 0
    return sum(isinstance(fact, Reserved) for fact in federation.ledger("coordinator").facts())


def main() -> None:
    """Run and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="keep everything here; a temporary folder if not given")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        problems = try_out(options.folder or Path(name), options.rounds, say=lambda text: print(text, flush=True))
    for problem in problems:
        print(f"LOST: {problem}")
    print(f"{'nothing was lost' if not problems else 'FAILED'}, {time.monotonic() - started:.0f} s")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
