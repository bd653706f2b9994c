"""How long one question takes over the Flower deployment, before and after a change, measured in one run.

usage: python benchmarks/round_latency.py [--before REVISION] [--holders 3] [--repeats 3]

A question is two exchanges with every holder: the plan is shown (READY), then asked (ANSWER). Each repeat runs the
churn study on generated customers, whose training asks many small questions one after the other, on a new
federation of real processes (TLS, registered node keys, replies at their public moments), in turn with the code of
REVISION, taken from git into a temporary folder, and with the code of this checkout. Prints, for both, the median
and the range over all questions; how much of it passes at the holders (from the request in hand to the reply sent,
the slower of them, waits included) and how much on the way; the floor, which is the first moment at which an answer
leaves; and seconds of processor of a study: of the SuperLink, of the gateway, and of all processes together (Linux).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOOR = 0.05

#: Runs one study in the folder and with the code that it is started with, that of before or this.
PROGRAM = """
import json, os, sys, threading, time
from inspect import signature
from pathlib import Path
try:
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study
    from simulations.worlds.generator import generate, study_toml
    from simulations.worlds.local import Workspace, run_local
except ModuleNotFoundError:  # 0.1
    from privacy.contract.canonical import read_toml
    from privacy.contract.study import Study
    from simulations.generator import generate, study_toml
    from simulations.local import Workspace, run_local

root, holders = Path(sys.argv[1]), int(sys.argv[2])
world = generate(root / "data", customers=20_000, stores=holders - 1)
(root / "study.toml").write_text(study_toml(world), encoding="utf-8")
study = read_toml(root / "study.toml", Study).model_copy(update={"analyses": ("churn",)})
sources = {path.name: path for path in (root / "data").iterdir() if (path / "holder.toml").exists()}
declared = {"declared": world.most_holders} if "declared" in signature(Workspace.create).parameters else {}  # 0.1: not


def processor(pid):
    # utime and stime of a process, in ticks (proc(5)); the name, which may hold anything, stands in brackets
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(seen, over):
    while not over.wait(0.5):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_text().split("\\0")
                own = str(root) in " ".join(words) or str(root) in (folder / "environ").read_text()
                if own:
                    line = " ".join(words)
                    names = {"flower_superlink": "SuperLink", "flower.gateway": "gateway"}
                    kind = next((kind for name, kind in names.items() if name in line), "rest")
                    seen[folder.name] = kind, processor(folder.name)
            except OSError:
                pass


seen, over = {}, threading.Event()
watching = threading.Thread(target=watch, args=(seen, over))
watching.start()
result = run_local(study, Workspace.create(root / "federation", sources, **declared))
over.set()
watching.join()
kinds = {kind: sum(used for of, used in seen.values() if of == kind) for kind in ("SuperLink", "gateway")}
times = os.times()
kinds["all processes"] = sum(times[:4])
print(json.dumps([[timing.step, timing.seconds] for timing in result.timings]))
print(json.dumps(kinds))
"""


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One exchange with every holder.

    Attributes:
        seconds: from the request signed to the last reply in the coordinator's hands.
        holder: the slowest holder's part of it.
    """

    seconds: float
    holder: float


@dataclass(frozen=True, kw_only=True)
class Question:
    """The two exchanges of one question."""

    ready: Leg
    answer: Leg

    @property
    def seconds(self) -> float:
        """From the plan to the sum."""
        return self.ready.seconds + self.answer.seconds


def run(code: Path, holders: int) -> tuple[list[Question], dict[str, float]]:
    """The questions of one study, run with the code in ``code``, and seconds of processor by what took them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = dict(os.environ, PYTHONPATH=str(code))
        command = [sys.executable, "-c", PROGRAM, str(folder), str(holders)]
        done = subprocess.run(command, cwd=code, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the study failed with the code in {code}:\n{done.stderr[-2000:]}")
        timings, used = map(json.loads, done.stdout.splitlines()[-2:])
        logs = (folder / "federation" / "flower").glob("*.log")
        # A holder's exchanges in their order: HELLO, then two for each question, then those of the result.
        served = [times for times in map(_served, logs) if times]
        by_exchange = [max(times) for times in zip(*served, strict=True)]
    legs = [float(seconds) for step, seconds in timings if step.endswith((": showing the plan", ": asking"))]
    pairs = [Leg(seconds=seconds, holder=holder) for seconds, holder in zip(legs, by_exchange[1:], strict=False)]
    return [Question(ready=pairs[at], answer=pairs[at + 1]) for at in range(0, len(pairs), 2)], used


def _served(log: Path) -> list[float]:
    """Seconds between a request and its reply, in a node's log."""
    seconds, since = [], None
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if words[-1:] not in (["request"], ["replied"]):
            continue
        at = dt.datetime.strptime(" ".join(words[:2]), "%Y-%m-%d %H:%M:%S,%f")
        if words[-1] == "request":
            since = at
        elif since is not None:
            seconds.append((at - since).total_seconds())
    return seconds


def show(name: str, questions: list[Question], used: list[dict[str, float]]) -> None:
    """Print one line a part."""
    legs = [leg for question in questions for leg in (question.ready, question.answer)]
    rows = (
        ("one question", [question.seconds for question in questions]),
        ("  showing the plan", [question.ready.seconds for question in questions]),
        ("  asking", [question.answer.seconds for question in questions]),
        ("one exchange", [leg.seconds for leg in legs]),
        ("  at the holder, waits included", [leg.holder for leg in legs]),
        ("  on the way, there and back", [leg.seconds - leg.holder for leg in legs]),
    )
    print(f"{name}: {len(questions)} questions")
    for label, values in rows:
        print(f"  {label:34} {statistics.median(values):6.2f} s  ({min(values):.2f} to {max(values):.2f})")
    for part in used[0]:
        print(f"  processor, {part:23} {statistics.median(one[part] for one in used):6.1f} s a study")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", help="a git revision to compare with")
    parser.add_argument("--holders", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sides = {"this checkout": ROOT}
        if options.before:
            archive = subprocess.run(["git", "archive", options.before], cwd=ROOT, capture_output=True, check=True)
            with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
                tar.extractall(name, filter="data")
            sides = {options.before: Path(name), **sides}
        found: dict[str, list[Question]] = {side: [] for side in sides}
        used: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(options.repeats):
            for side, code in sides.items():
                questions, processor = run(code, options.holders)
                found[side] += questions
                used[side].append(processor)
    print(f"{options.holders} holders, {os.cpu_count()} cores, {options.repeats} runs each in turn; median (range)")
    for side, questions in found.items():
        show(side, questions, used[side])
    print(f"floor: {FLOOR:.2f} s, the first moment at which an answer leaves")


if __name__ == "__main__":
    main()
