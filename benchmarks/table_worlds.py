"""Worlds whose declared tables are measured: a generated one and a real one, their entries found once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows import own_rows
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.cell_sums import CellSums
from privacy.analyses.tables.declared import TableChange
from privacy.analyses.tables.figures import cells_of
from privacy.analyses.tables.grid import Cells
from privacy.analyses.tables.options import TablesOptions
from privacy.kernel.canonical import read_toml
from privacy.kernel.cells import CellRequest, CellRows
from privacy.kernel.keys import Keys
from privacy.protocol.study import Study
from server.analyses.tables.catalogue import lists_of, written_out
from simulations.worlds.feeds import LISTS
from simulations.worlds.generator import generate, study_toml

PERSONS = 4_000
#: Of Online Retail II, cohorts that have all of their twelve months.
_COHORTS = Keys(days=(*(dt.date(2010, month, 1) for month in range(1, 13)), dt.date(2011, 1, 1)))

Holders = dict[str, tuple[HolderConfig, Path]]


@dataclass(frozen=True)
class World:
    """The entries of a world's holders in many tables at once.

    Attributes:
        base: its study, without tables.
        request: all of the tables.
        rows: of each holder.
        customers: who have an order.
    """

    base: Study
    request: CellRequest
    rows: tuple[CellRows, ...]
    customers: int

    def of(self, tables: CellRequest) -> list[CellRows]:
        """Entries in some of the tables, as a request of these alone would have them."""
        places = [self.request.tables.index(table) for table in tables.tables]
        return [_only(rows, places) for rows in self.rows]


def study_of(use: Sequence[str], base: Study, size: int) -> Study:
    """A study of some tables of the catalogue, written out."""
    of_retail = base.name == "retail" and "retention" in use
    change = {"retention": TableChange(keys={"first_order.month": _COHORTS})} if of_retail else {}
    lists = {each: LISTS[each] for name in use for each in lists_of(name)}
    options = TablesOptions(use=tuple(use), lists=lists, change=change)
    budget = base.budget.model_copy(update={"size_class": size})
    return written_out(base.model_copy(update={"analyses": (CONTRACT.name,), CONTRACT.name: options, "budget": budget}))


def world_of(use: Sequence[str], base: Study, holders: Holders) -> World:
    """All entries, found once."""
    study = study_of(use, base, 50_000)
    request = study.of(CONTRACT).request(study.as_of)
    rows = tuple(own_rows(Origin(config, study, place), request).table for config, place in holders.values())
    second = [table.name for table in request.tables].index("second_purchase")
    customers = sum(len(np.unique(each.customer[each.table == second])) for each in rows)
    return World(base, request, rows, customers)


def _only(rows: CellRows, places: Sequence[int]) -> CellRows:
    number = np.full(int(rows.table.max(initial=0)) + 1, -1, dtype=np.int64)
    number[[place for place in places if place < len(number)]] = [
        new for new, place in enumerate(places) if place < len(number)
    ]
    mine = np.flatnonzero(number[rows.table] >= 0)
    order = mine[np.lexsort((rows.cell[mine], number[rows.table[mine]], rows.customer[mine]))]
    count = np.bincount(rows.customer[mine], minlength=len(rows))
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return CellRows(start=start, table=number[rows.table[order]], cell=rows.cell[order], values=rows.values[order])


def cells_from(study: Study, question: CellSums, vector: NDArray[np.int64], deviation: float = 0.0) -> list[Cells]:
    """Tables of a vector of sums."""
    options = study.of(CONTRACT)
    parts = zip(options.table, options.request(study.as_of).tables, question.decode(vector, deviation), strict=True)
    return [cells_of(study, *each) for each in parts]


def released_cells(study: Study, rows: Sequence[CellRows]) -> list[Cells]:
    """Cells of all holders together as the production statistic adds them up, without noise."""
    question = study.of(CONTRACT).question(study)
    return cells_from(study, question, np.sum([question.encode_sum(each) for each in rows], axis=0))


def true_cells(study: Study, rows: Sequence[CellRows], *, capped: bool) -> list[Cells]:
    """Cells of all holders together with nothing scaled down, and values cut off at the caps or not at all."""
    empty = released_cells(study, [rows[0].take(slice(0, 0))])
    question = study.of(CONTRACT).question(study)
    found = []
    for number, (cells, block) in enumerate(zip(empty, question.tables, strict=True)):
        totals = np.zeros(cells.totals.shape)
        for each in rows:
            mine = each.table == number
            for q, one in enumerate(block.measures):
                values = each.values[mine, q]
                values = np.clip(values, -one.cap, one.cap) if capped else values
                totals[:, q] += np.bincount(each.cell[mine], weights=values, minlength=block.cells) / cells.smallest[q]
        found.append(replace(cells, totals=totals))
    return found


def world(folder: Path) -> tuple[Study, dict[str, tuple[HolderConfig, Path]]]:
    """A generated world's study and holders."""
    made = generate(folder, customers=PERSONS, stores=3, feeds=True)
    (folder / "study.toml").write_text(study_toml(made), encoding="utf-8")
    study = read_toml(folder / "study.toml", Study)
    return study, {
        name: (read_toml(folder / name / "holder.toml", HolderConfig), folder / name) for name in made.holders
    }


def retail(folder: Path, data: Path) -> tuple[Study, dict[str, tuple[HolderConfig, Path]]]:
    """Online Retail II as one holder."""
    study = Study.model_validate(
        {
            "name": "retail", "as_of": dt.date(2011, 12, 1), "currency": "GBP", "budget": {"epsilon": "1"},
            "cleaning": {"cancellation_prefix": "C", "returns": "drop"},
        }
    )  # fmt: skip
    columns = {"customer": "customer_id", "order": "invoice", "time": "invoice_date"}
    columns |= {name: name for name in ("quantity", "price")}
    source = {"url": "lines.parquet", "currency_code": "GBP", "where": "not overlap_repeat"}
    config = HolderConfig.model_validate({"holder": "gifts", "source": source, "columns": columns})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lines.parquet").symlink_to(data.resolve() / "online_retail_ii" / "online_retail_ii.parquet")
    return study, {"gifts": (config, folder)}
