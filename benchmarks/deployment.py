"""How long a whole study takes over the Flower deployment, from starting the nodes to the report, step by step.

usage: python benchmarks/deployment.py [--analysis rfm] [--holders 3] [--customers 20000] [--repeats 3]

Every repeat is a new federation on new folders: SuperLink with TLS, one node process per holder, customer tables
built from files, the analysis' questions (two for rfm; `--analysis churn` shows what each round of training adds),
labels, report, everything stopped. Prints the median of each step and of the total.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.catalogue import NAMES
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace, run_local


def measure(analysis: str, holders: int, customers: int) -> dict[str, float]:
    """Seconds by step of one run, with ``total`` from the first process started to the last one stopped."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        world = generate(root / "data", customers=customers, stores=holders - 1)
        (root / "study.toml").write_text(study_toml(world), encoding="utf-8")
        study = read_toml(root / "study.toml", Study).model_copy(update={"analyses": (analysis,)})
        sources = {path.name: path for path in (root / "data").iterdir() if (path / "holder.toml").exists()}
        workspace = Workspace.create(root / "federation", sources, declared=world.most_holders)
        started = time.monotonic()
        result = run_local(study, workspace)
        total = time.monotonic() - started
    steps = {timing.step: timing.seconds for timing in result.timings}
    return {**steps, "report, stopping, rest": total - sum(steps.values()), "total": total}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--analysis", choices=NAMES, default="rfm")
    parser.add_argument("--holders", type=int, default=3)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    runs = [measure(options.analysis, options.holders, options.customers) for _ in range(options.repeats)]
    size = f"{options.holders} holders, {options.customers:,} customers"
    print(f"{options.analysis}, {size}, median of {options.repeats} (range)")
    for step in runs[0]:
        values = [run[step] for run in runs]
        print(f"  {step:34} {statistics.median(values):6.1f} s  ({min(values):.1f} to {max(values):.1f})")


if __name__ == "__main__":
    main()
