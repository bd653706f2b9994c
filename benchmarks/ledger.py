"""How long a ledger may grow: `audit verify`, opening and charging at 10,000 and 100,000 entries, time and memory.

    python benchmarks/ledger.py [ENTRIES...]

Each measurement is a process of its own on one core, so that its peak memory is its own. The ledger is a holder's:
charges of a year of monthly studies over and over, each followed by its answer and its release.
"""

from __future__ import annotations

import json
import os
import resource
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.accounting.events import GaussianSum
from privacy.audit.verify import verify
from privacy.kernel.canonical import canonical_json, sha256_hex
from privacy.ledger import Answered, Caps, Ledger, Opened, Question, Released, Reserved
from privacy.ledger.chain import chain_hash

CAPS = Caps(study=(Decimal(50), Decimal("0.001")), lifetime=(Decimal(50), Decimal("0.001")), records=1)


def charge(number: int) -> Reserved:
    """One charge among many."""
    study = number // 3
    return Reserved(
        question=Question(run=f"monthly-{study}", round=number % 3 + 1, attempt=1),
        study="monthly",
        study_digest=sha256_hex(f"study {study % 500}".encode()),
        core=sha256_hex(f"core {number}".encode()),
        analysis="rfm",
        title="cut points",
        statistic="prefix_sums",
        statistic_digest=sha256_hex(b"statistic"),
        event=GaussianSum(
            squared_norm=1 << 52, gamma=1 << 26, dim=96, share_scale=(1 << 46) + number % 40, protecting_shares=3
        ),
        records=1,
        placement="distributed",
        holders=("north", "online", "south", "west"),
        colluding=1,
        sampler="opendp",
        roster=sha256_hex(b"roster"),
        policy=sha256_hex(b"policy"),
        software="cohortium",
        time=1_700_000_000 + number * 3600,
    )


def build(path: Path, entries: int) -> None:
    """A ledger of so many entries, written in one transaction (charging them one by one would take hours of fsync)."""
    opened = Opened(owner="north", role="holder", epsilon=Decimal(50), delta=Decimal("0.001"), records=1)
    ledger = Ledger.create(path, opened)
    sequence, previous = ledger.head
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    for number in range(entries - 1):
        reserved = charge(number // 3)
        fact: Reserved | Answered | Released = reserved
        if number % 3 == 1:
            fact = Answered(question=reserved.question, core=reserved.core, payload=sha256_hex(b"payload"))
        elif number % 3 == 2:
            fact = Released(question=reserved.question, core=reserved.core, release=sha256_hex(b"release"))
        sequence += 1
        body = canonical_json(
            {"fact": fact.model_dump(mode="json"), "salt": secrets.token_hex(16), "sequence": sequence}
        )
        previous = chain_hash(previous, body)
        connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (sequence, body.decode(), previous))
    connection.execute("COMMIT")
    connection.close()


def measure(what: str, path: Path) -> None:
    """Do one thing once; print peak memory and processor seconds, which other work on the machine does not change."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    if what == "nothing":
        started = time.process_time()
    elif what == "verify":
        started = time.process_time()
        if not verify([path], third=False).passed:
            raise SystemExit("the benchmark's ledger does not pass")
    elif what == "open":
        started = time.process_time()
        Ledger(path)
    else:
        ledger = Ledger(path)
        started = time.process_time()
        ledger.reserve(charge(10**7), CAPS)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
        return
    sizes = [int(text) for text in sys.argv[1:]] or [10_000, 100_000]
    print("| entries | what | seconds of one core | peak memory, MiB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.sqlite"
            build(path, size)
            for what in ("nothing", "verify", "open", "charge"):
                done = subprocess.run(
                    [sys.executable, __file__, "--measure", what, str(path)],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                told = json.loads(done.stdout)
                print(f"| {size:,} | {what} | {told['seconds']:.3f} | {told['peak_mib']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
