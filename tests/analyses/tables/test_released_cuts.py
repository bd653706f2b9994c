"""Bands and caps that a study's tables take from an earlier run: written out by the coordinator, seen by holders."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from analyses.tables.earlier_kit import AS_OF, earlier, study
from analyses.tables.examples import table
from report_pages import PLAIN

from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows import own_rows
from privacy.errors import ConfigError
from privacy.kernel.cells import CellRequest
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.tables.run import resolve
from server.running.check import check_study


def test_bands_and_caps_are_written_out_before_holders_see_the_study() -> None:
    found = resolve(study(), (earlier(),))
    (written,) = found.tables.table  # type: ignore[attr-defined]
    # High recency is up to 120 days, many orders are three or more, much is more than 62.49.
    assert [use.keys.upper for use in written.by] == [(120,), (2,), (62,)]
    assert written.measure[1].cap == 1235, "rounded up, to whole units"
    assert found.tables.is_written_out  # type: ignore[attr-defined]
    assert resolve(found, ()) == found
    assert Study.parse(found.canonical()).digest == found.digest
    assert not check_study(found, holders=4).expectations[0].warning


def test_a_table_of_the_catalogue_takes_a_released_cap_too() -> None:
    change = {"repurchase_rate": {"cap": {"orders": {"from": "rfm.orders_cap"}}}}
    found = resolve(study(table=[], use=["repurchase_rate"], change=change), (earlier(),))
    assert found.tables.table[0].measure[1].cap == 40  # type: ignore[attr-defined]


def test_all_quintiles_make_five_bins() -> None:
    by = [{"dimension": "money_band", "keys": {"from": "rfm.money"}}]
    found = resolve(study(table=[{"name": "t", "by": by, "measure": [{"name": "customers"}]}]), (earlier(),))
    assert found.tables.table[0].by[0].keys.upper == (20, 50, 120, 400)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "before", [(), (earlier(AS_OF),), (earlier(currency="GBP"),), (PLAIN.model_copy(update={"rfm": None}),)]
)
def test_without_such_a_run_the_study_is_refused_by_name(before: tuple[StudyResult, ...]) -> None:
    """No earlier run, one of the same day, one in another currency, and one without that analysis."""
    with pytest.raises(ConfigError, match=r"no earlier run of worth has released rfm\.recency_days_high") as refused:
        resolve(study(), before)
    assert "run it once with rfm, or state numbers" in (refused.value.hint or "")
    by = [{"dimension": "money_band", "keys": {"from": "rfm.moon"}}]
    asked = study(table=[{"name": "t", "by": by, "measure": [{"name": "customers"}]}])
    with pytest.raises(ConfigError, match=r"no earlier run of worth has released rfm\.moon"):
        resolve(asked, (earlier(),))


def test_texts_are_no_cuts() -> None:
    with pytest.raises(ValueError, match="its keys are listed texts"):
        table(by=[{"dimension": "order.category", "keys": {"from": "rfm.money"}}])
    with pytest.raises(ValueError, match="its keys are a range"):
        table(by=[{"dimension": "recency_band", "keys": {"from": "lists.days"}}])


def test_stores_of_a_holder_and_bands_of_money(tmp_path: Path) -> None:
    """Real rows: an order is of the store of its first line, and up to 62.00 is in the band of up to 62."""
    times = [dt.datetime(2024, 10, day, 12) for day in (1, 2, 3, 4, 5)]
    lines = {
        "customer": ["anna", "anna", "bert", "bert", "carl"], "order": ["1", "2", "3", "3", "4"], "time": times,
        "amount": [40.0, 22.0, 62.0, 0.01, 5.0], "shop": ["Old Town", "mall", "Mall", "old town", None],
    }  # fmt: skip
    pq.write_table(pa.table(lines), tmp_path / "sales.parquet")
    columns = {"customer": "customer", "order": "order", "time": "time", "amount": "amount", "store": "shop"}
    source = {"url": "sales.parquet", "currency_code": "EUR"}
    config = HolderConfig.model_validate({"holder": "shop", "source": source, "columns": columns})
    declared = [
        {"name": "stores", "by": [{"dimension": "order.store", "keys": ["old town", "mall"]}], "usual_cells": 2,
         "measure": [{"name": "orders", "of": "count(order)", "cap": 5}]},
        {"name": "worth", "by": [{"dimension": "money_band", "keys": {"upper": [5, 62]}}],
         "measure": [{"name": "customers"}]},
    ]  # fmt: skip
    found = study(table=declared)
    request = found.tables.request(AS_OF)  # type: ignore[attr-defined]
    assert isinstance(request, CellRequest)
    rows = own_rows(Origin(config, found, tmp_path), request).table
    totals = np.zeros((2, 3), dtype=np.int64)
    np.add.at(totals, (rows.table, rows.cell), rows.values[:, 0])
    assert totals.tolist() == [[1, 2, 1], [1, 1, 1]], "a store by store, with other; up to 5, to 62, and 62.01"
