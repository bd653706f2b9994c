"""What a holder's node and the coordinator need: memory, processor time and disk, by the size of the data.

usage: python benchmarks/node_needs.py [--customers 20000 200000]

One study (rfm) over Flower with an online store and two shops for each size. Prints, for the node of the online store
(the largest): rows of its source, most memory ever used, processor time from start to end, and the size of its
`state/`; and the same for SuperLink, gateway and ServerApp together. Read from /proc every 50 ms (Linux).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace, run_local

TICKS = os.sysconf("SC_CLK_TCK")
#: Words of a command line, and what the process is.
KINDS = (
    ("holder node", "node"),
    ("flower_superlink", "coordinator"),
    ("server.flower.gateway", "coordinator"),
    ("server.flower.serverapp", "coordinator"),
)


class Sampler(threading.Thread):
    """Peak memory (bytes) and processor time (seconds) of our processes, until told to stop."""

    def __init__(self, holder: str) -> None:
        super().__init__(daemon=True)
        self.peak: dict[tuple[str, int], int] = defaultdict(int)
        self.cpu: dict[tuple[str, int], float] = defaultdict(float)
        self._holder = holder
        self._over = threading.Event()

    def run(self) -> None:
        """Sample."""
        while not self._over.wait(0.05):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    self._look(entry)

    def _look(self, entry: Path) -> None:
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            kind = next((name for words, name in KINDS if words in command), None)
            if kind is None or (kind == "node" and f"holders/{self._holder} " not in command):
                return
            status = (entry / "status").read_text()
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return
        key = (kind, int(entry.name))
        if "VmHWM:" in status:
            self.peak[key] = int(status.split("VmHWM:")[1].split()[0]) * 1024
        self.cpu[key] = (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        """End."""
        self._over.set()
        self.join()

    def total(self, kind: str) -> tuple[float, float]:
        """Peak memory in MiB (processes added up) and processor time."""
        memory = sum(value for (name, _), value in self.peak.items() if name == kind)
        return memory / 2**20, sum(value for (name, _), value in self.cpu.items() if name == kind)


def size(folder: Path) -> float:
    """MiB under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def measure(customers: int) -> None:
    """Run one study and print."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        world = generate(root / "data", customers=customers, stores=2)
        (root / "study.toml").write_text(study_toml(world), encoding="utf-8")
        sources = {path.name: path for path in (root / "data").iterdir() if (path / "holder.toml").exists()}
        workspace = Workspace.create(root / "federation", sources, declared=world.most_holders)
        sampler = Sampler("online")
        sampler.start()
        started = time.monotonic()
        run_local(read_toml(root / "study.toml", Study), workspace)
        seconds = time.monotonic() - started
        sampler.stop()
        source = size(sources["online"])
        print(f"{customers:,} customers, source of the online store {source:.0f} MiB, study {seconds:.0f} s")
        for kind, disk in (("node", workspace.holder("online").state), ("coordinator", workspace.root / "flower")):
            memory, cpu = sampler.total(kind)
            print(
                f"  {kind:12} {memory:6.0f} MiB at most, {cpu:5.1f} s of processor time, {size(disk):6.1f} MiB on disk"
            )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000, 200_000])
    for customers in parser.parse_args().customers:
        measure(customers)


if __name__ == "__main__":
    main()
