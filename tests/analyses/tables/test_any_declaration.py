"""Whatever a study declares and whatever rows say, one customer is inside the unit ball; and somebody reaches it."""

from __future__ import annotations

from typing import Any

import numpy as np
from analyses.tables.examples import study_of
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.analyses.tables.cell_sums import CellSums
from privacy.kernel.cells import CellRows
from privacy.statistics.base import GAMMA

ENDS = (-(1 << 63), -(1 << 62), -1, 0, 1, 2, 7, 1 << 20, 1 << 40, (1 << 63) - 1)
#: Values of an entry: as many as a table has measures at most.
WIDTH = 4
#: Entries of one customer: table, cell, values.
Row = list[tuple[int, ...]]
BANDS = ("tenure_band", "recency_band", "loyalty_band")


@st.composite
def declared(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """A table of customers or of events, with one to four measures, caps and parts as anybody may write them."""
    of_events = draw(st.booleans())
    bins = draw(st.integers(1, 6))
    by: list[dict[str, Any]] = [{"dimension": draw(st.sampled_from(BANDS)), "keys": {"upper": list(range(bins))}}]
    cells = bins + 1
    if of_events:
        months = draw(st.integers(1, 8))
        by.append({"dimension": "order.months_since_first", "keys": f"0..{months - 1}"})
        cells *= months
    measures: list[dict[str, Any]] = [{"name": "customers", "part": draw(st.integers(1, 1000))}]
    for place in range(draw(st.integers(0, 3))):
        of = draw(st.sampled_from(["count(order)", "sum(order.amount)"]))
        cap = draw(st.sampled_from([1, 2, 40, 30_000_000]))
        measures.append({"name": f"m{place}", "of": of, "cap": cap, "part": draw(st.integers(1, 1000))})
    usual = draw(st.integers(1, cells)) if of_events else 1
    most = draw(st.integers(usual + 1, cells + 1)) if of_events else 0
    lost = draw(st.sampled_from([0, 0, 20, 200])) if of_events else 0
    return {
        "name": f"t{number}", "by": by, "measure": measures, "usual_cells": usual, "most_cells": most, "lost": lost,
        "part": draw(st.integers(0, 1000)),
    }  # fmt: skip


@st.composite
def questions(draw: st.DrawFn) -> CellSums:
    """The one question of a study with one to three tables."""
    study = study_of(*(draw(declared(number)) for number in range(draw(st.integers(1, 3)))))
    question: CellSums = study.tables.question(study)  # type: ignore[attr-defined]
    return question


def entry(tables: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Any table, also one that is not there; any cell; values at the ends of 64 bits."""
    value = st.sampled_from(ENDS)
    return st.tuples(st.integers(-1, tables), st.integers(-1, 60), *[value] * WIDTH)


def cell_rows(customers: list[Row]) -> CellRows:
    """Entries of these customers."""
    flat = np.array([one for row in customers for one in row], dtype=np.int64).reshape(-1, 2 + WIDTH)
    start = np.cumsum([0, *map(len, customers)], dtype=np.int64)
    return CellRows(start=start, table=flat[:, 0].copy(), cell=flat[:, 1].copy(), values=flat[:, 2:].copy())


def rows(tables: int) -> st.SearchStrategy[list[Row]]:
    """Customers with entries in any order, some of them twice."""
    alike = st.lists(entry(tables), max_size=12)
    ascending = alike.map(lambda found: sorted({one[:2]: one for one in found}.values()))
    return st.lists(st.one_of(ascending, alike), min_size=1, max_size=6)


@given(question=questions(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_one_customer_is_in_the_ball_and_sums_add_up(question: CellSums, data: st.DataObject) -> None:
    customers = data.draw(rows(len(question.tables)))
    table = cell_rows(customers)
    encoded = question.encode_rows(table)
    assert encoded.shape == (len(customers), question.dim)
    for row in encoded.tolist():
        assert sum(value * value for value in row) <= GAMMA * GAMMA  # Python integers: exact
    alone = [question.encode_rows(cell_rows([one]))[0].tolist() for one in customers]
    assert encoded.tolist() == alone, "what others have changes nothing"
    assert question.encode_sum(table).tolist() == encoded.sum(axis=0).tolist()


@given(question=questions())
@settings(max_examples=30, deadline=None)
def test_who_fills_the_usual_cells_at_the_cap_reaches_it(question: CellSums) -> None:
    """All but what rounding takes, and the part that goes to what is lost."""
    full: Row = []
    for number, block in enumerate(question.tables):
        caps = [measure.cap for measure in block.measures]
        full += [(number, cell, *caps, *[0] * (WIDTH - len(caps))) for cell in range(block.usual_cells)]
    (row,) = question.encode_rows(cell_rows([full])).tolist()
    of_cells = sum(block.cells_ball for block in question.tables)
    length = sum(value * value for value in row)
    assert length <= GAMMA * GAMMA
    assert length >= of_cells * (1 - 1e-3)
    if all(min(block.amplitudes) > 1 << 14 for block in question.tables):
        assert length >= of_cells * (1 - 1e-4)
    assert np.isclose(of_cells / GAMMA**2, sum(block.part / 1e6 * (1 - block.lost / 1e6) for block in question.tables))
