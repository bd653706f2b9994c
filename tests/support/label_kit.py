"""Labels of one holder in June and July, and what was written of them."""

from __future__ import annotations

import csv
import datetime as dt
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from holder_kit import write_labels
from sources import ROOT

from clients.data.rows.cleaning_report import CleaningReport
from clients.data.rows.customers import CustomerTable
from clients.data.spellings import Spellings
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.kernel.customers import CustomerColumns
from privacy.protocol.study import Study


def make_table(rows: list[tuple[str, int, int, int]]) -> CustomerTable:
    ids, *numbers = zip(*rows, strict=True) if rows else ((), (), (), ())
    recency, orders, money = (np.array(column, dtype=np.int64) for column in numbers)
    columns = CustomerColumns(recency_days=recency, orders=orders, money=money, tenure_days=recency)
    report = CleaningReport(
        rows_seen=0,
        dropped={},
        netted=0,
        duplicates=0,
        capped=0,
        free=0,
        lines=0,
        customers=0,
        orders=0,
        only_returns=0,
    )
    return CustomerTable(ids=np.array(ids, dtype=object), columns=columns, report=report)


TABLE = make_table([("007", 3, 9, 123_456), ("=1+1", 400, 1, -5), ('Zoë, "Z"', 20, 2, 30_000)])


def make_rules(**changes: Any) -> SegmentRules:
    cuts = CutPoints(
        recency_days=(7, 30, 90, 180),
        orders=(2, 3, 5, 8),
        money=(1000, 5000, 20_000, 100_000),
        recency_high=30,
        orders_high=3,
        money_high=20_000,
    )
    return SegmentRules.model_validate({"cuts": cuts, "money_unit": 100} | changes)


#: Of a month later: 007 sleeps, =1+1 is gone, new is new.
LATER = make_table([("007", 200, 9, 123_456), ("new", 1, 1, 500), ('Zoë, "Z"', 2, 3, 40_000)])


def make_study(**changes: Any) -> Study:
    return Study.model_validate({"name": "spring", "as_of": dt.date(2024, 6, 1), "budget": {"epsilon": "1"}} | changes)


def june(folder: Path, **changes: Any) -> tuple[Path, ...]:
    return write_labels(TABLE, make_rules(), make_study(**changes), folder=folder / "labels")


def july(folder: Path, **changes: Any) -> tuple[Path, ...]:
    study = make_study(as_of=dt.date(2024, 7, 1), **changes)
    return write_labels(LATER, make_rules(), study, folder=folder / "labels")


def configure(folder: Path, text: str) -> None:
    (folder / "labels.toml").write_text(text, encoding="utf-8")


def read(path: Path, separator: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=separator))


def files_in(folder: Path) -> dict[str, bytes]:
    paths = (path for path in (folder / "labels").rglob("*") if path.is_file())
    return {path.relative_to(folder / "labels").as_posix(): path.read_bytes() for path in paths}


HOSTILE = [
    "=1+1",
    "+x",
    "-x",
    "@SUM(A1)",
    "\tx",
    "＝cmd",
    "-5",
    "+49,5",
    "00042",
    'a"=1',
    "12345678901234567890",
    "x=1",
]


def respelled(table: CustomerTable, spelled: dict[int, str], also: list[tuple[int, str]]) -> CustomerTable:
    def as_spellings(pairs: list[tuple[int, str]]) -> Spellings:
        numbers, texts = zip(*pairs, strict=True) if pairs else ((), ())
        return Spellings(rows=np.array(numbers, np.int64), source_ids=np.array(texts, dtype=object))

    return replace(table, spelled=as_spellings(sorted(spelled.items())), also_spelled=as_spellings(also))


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
import cohortium
from clients.analyses.rfm import labels as rows
from clients.labels import day_rows
from label_kit import LATER, TABLE, make_rules, make_study, july
day_rows.BLOCK = 2
blocks, written = rows.LabelRows.blocks, []
def dying(*arguments, **options):
    for block in blocks(*arguments, **options):
        if len(written) == {after}:
            os.kill(os.getpid(), signal.SIGKILL)
        written.append(block)
        yield block
rows.LabelRows.blocks = dying
july(Path({folder!r}))
"""


def killed_in_july(folder: Path, *, after: int) -> None:
    """Write July's labels in a process that is killed after some blocks of two rows."""
    paths = [str(ROOT), str(Path(__file__).parent)]
    script = KILLED.format(paths=paths, after=after, folder=str(folder))
    result = subprocess.run([sys.executable, "-c", script], check=False, timeout=120, capture_output=True, text=True)
    assert result.returncode == -signal.SIGKILL, result.stderr


#: The answer to a query on the database that a holder's labels stand in.
Query = Callable[[str], list[tuple[Any, ...]]]
