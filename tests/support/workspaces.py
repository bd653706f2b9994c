"""A workspace of three holders with files of sales, and runs over it."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.running.run import run_study
from simulations.worlds.inprocess import InProcessTransport
from simulations.worlds.kit import NoWaiting
from simulations.worlds.local import Workspace

HOLDERS = ("north", "online", "south")


CUSTOMERS = 120


STUDY = """
name = "spring"
as_of = 2024-06-01
currency = "EUR"

[budget]
epsilon = 1
delta = 1e-6
max_holders_per_customer = 1
size_class = 1000
"""


HOLDER = """
holder = "{name}"

[source]
url = "sales.{suffix}"
currency_code = "EUR"

[columns]
customer = "customer"
order = "order"
time = "time"
amount = "amount"
"""


def sales(seed: int) -> list[dict[str, Any]]:
    """Lines of one holder's customers, each with one to five orders in the year before the as-of day."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(CUSTOMERS):
        for order in range(int(rng.integers(1, 6))):
            day = dt.datetime(2024, 5, 31, 12) - dt.timedelta(days=int(rng.integers(0, 365)))
            rows.append(
                {
                    "customer": f"c{seed}-{customer}",
                    "order": f"o{customer}-{order}",
                    "time": day,
                    "amount": round(float(rng.lognormal(4, 1)), 2),
                }
            )
    return rows


def make_holder(folder: Path, name: str, seed: int, *, suffix: str = "parquet") -> Path:
    """A holder's folder with ``holder.toml`` and its sales."""
    source = folder / name
    source.mkdir(parents=True)
    text = HOLDER.format(name=name, suffix=suffix)
    (source / "holder.toml").write_text(text)
    rows = sales(seed)
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), source / "sales.parquet")
    else:
        with (source / "sales.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return source


def make_workspace(root: Path, change: Callable[[Path], None] | None = None) -> Workspace:
    """A workspace of three holders, two with Parquet and one with CSV; ``change`` edits the sources before."""
    sources = {
        name: make_holder(root / "sources", name, seed, suffix="csv" if name == "online" else "parquet")
        for seed, name in enumerate(HOLDERS)
    }
    if change is not None:
        change(root / "sources")
    return Workspace.create(root / "work", sources, declared=1)


def read_study(root: Path, text: str = STUDY) -> Study:
    path = root / "study.toml"
    path.write_text(text)
    return read_toml(path, Study)


def run(workspace: Workspace, study: Study, *, pages: bool = False, **options: Any) -> StudyResult:
    """Run over the workspace's folders, without waiting for the time grid."""
    names = study.holders or workspace.coordinator.roster().holders
    nodes = {name: workspace.holder(name).node(NoWaiting()) for name in names}
    carrier = InProcessTransport({name: node.handle for name, node in nodes.items()})
    return run_study(study, folder=workspace.coordinator, transport=carrier, pages=pages, **options)
