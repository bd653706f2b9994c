"""What a holder makes of a window of days: tables while it joins, and none when results are handed out."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_kit import make_config, make_study

from clients.analyses.rfm.analysis import ANALYSIS
from clients.analysis import HolderContext
from clients.data.origin import Origin
from privacy.kernel.customers import CustomerRequest


@pytest.mark.parametrize(("window_days", "rows", "tables"), [(None, 2, 1), (30, 1, 2)])
def test_all_tables_are_made_before_any_question(
    tmp_path: Path, window_days: int | None, rows: int, tables: int
) -> None:
    days = {"old": dt.datetime(2024, 1, 1), "new": dt.datetime(2024, 5, 20)}
    lines = [{"customer": name, "order": name, "time": day, "quantity": 1, "price": 1.0} for name, day in days.items()]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "s.parquet")
    study = make_study(rfm={"window_days": window_days})
    context = HolderContext(origin=Origin(make_config("s.parquet"), study, tmp_path))
    assert len(ANALYSIS.rows(context)) == rows
    (tmp_path / "s.parquet").unlink()
    assert len(list((tmp_path / "state" / "tables").iterdir())) == tables
    assert context.customers(CustomerRequest()).ids.tolist() == ["new", "old"]
