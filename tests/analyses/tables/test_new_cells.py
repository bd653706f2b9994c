"""Tables that ask only about cells whose months have ended since the run before, and take the rest from it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from analyses.tables.examples import cells_from, study_of
from numpy.typing import NDArray
from report_pages import PLAIN

from privacy.analyses.tables.cell_sums import CellBlock, CellTotals
from privacy.analyses.tables.declared import Table
from privacy.analyses.tables.figures import cells_of, result_of
from privacy.analyses.tables.grid import Cells
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.tables.run import resolve

#: Of a release, in integer units: 1.5 customers in a cell of the whole triangle.
NOISE = 3e7
DECEMBER, JANUARY, MARCH = dt.date(2024, 12, 1), dt.date(2025, 1, 1), dt.date(2025, 3, 1)
RETENTION: dict[str, Any] = {
    "name": "retention",
    "by": [
        {"dimension": "first_order.month", "keys": {"months": 12}},
        {"dimension": "order.months_since_first", "keys": "0..11"},
    ],
    "usual_cells": 12,
    "release": "new",
    "measure": [{"name": "customers"}],
    "figure": [
        {"name": "rate", "is": "customers / customers[order.months_since_first = 0]"},
        {"name": "curve", "is": "customers / customers[order.months_since_first = 0]", "over": "first_order.month"},
    ],
}


def study(as_of: dt.date, **changes: Any) -> Study:
    return study_of(RETENTION).model_copy(update={"as_of": as_of, **changes})


def truth(as_of: dt.date) -> NDArray[np.float64]:
    """Customers by cohort and month; the same cell has the same number whenever it is asked about."""
    first = as_of.year * 12 + as_of.month - 12
    counts = [[(first + i) % 7 * 20 + 500.0 / (1 + m) if i + m < 12 else 0.0 for m in range(12)] for i in range(12)]
    return np.array(counts).reshape(144, 1)


def released(found: Study, values: NDArray[np.float64], deviation: float) -> tuple[Cells, CellBlock]:
    """Cells of a run: what was asked about, and what was known."""
    options = found.tables  # type: ignore[attr-defined]
    (block,), (written,) = options.question(found).tables, options.request(found.as_of).tables
    asked = values[list(block.wanted)]
    per = np.array([1 / block.amplitudes[0]])
    totals = CellTotals(block=block, totals=asked, deviations=deviation * per, lost=0.0, lost_deviation=0.0)
    return cells_of(found, options.table[0], written, totals), block


def run_of(found: Study, deviation: float = NOISE, **changes: Any) -> StudyResult:
    cells, _ = released(found, truth(found.as_of), deviation)
    figures = result_of(found.tables, found, [cells])  # type: ignore[attr-defined]
    return PLAIN.model_copy(update={"study": found, "rfm": None, "tables": figures, "missing": (), **changes})


@pytest.fixture(scope="module")
def december() -> StudyResult:
    return run_of(resolve(study(DECEMBER), ()))


def test_a_first_run_asks_about_all_cells(december: StudyResult) -> None:
    (table,) = december.study.tables.table  # type: ignore[attr-defined]
    assert table.known is None
    assert not december.study.tables.question(december.study).tables[0].asked  # type: ignore[attr-defined]


def test_the_next_month_asks_about_the_diagonal(december: StudyResult) -> None:
    """One cell a cohort, so a customer is in one: the noise of a cell is that of a table without a second dimension."""
    found = resolve(study(JANUARY), (december,))
    cells, block = released(found, truth(JANUARY), NOISE)
    assert block.asked == tuple(12 * i + 11 - i for i in range(12))
    assert block.usual_cells == 1
    assert np.allclose(cells.totals[cells.closed], truth(JANUARY)[cells.closed], atol=0.001)
    before = NOISE / december.study.tables.question(december.study).tables[0].amplitudes[0]  # type: ignore[attr-defined]
    assert cells.fresh[0] == pytest.approx(before / np.sqrt(12), rel=1e-6)
    spread = cells.deviations[:, 0]
    assert np.allclose(spread[list(block.asked)], cells.fresh[0])
    old = cells.closed & ~np.isin(np.arange(144), block.asked)
    assert np.allclose(spread[old], before, rtol=1e-3)


def test_every_figure_of_the_month_is_there_with_the_noise_of_its_cells(december: StudyResult) -> None:
    found = resolve(study(JANUARY), (december,))
    cells, _ = released(found, truth(JANUARY), NOISE)
    result = result_of(found.tables, found, [cells])  # type: ignore[attr-defined]
    whole = study_of({**RETENTION, "release": "all"})
    anew = result_of(whole.tables, whole, cells_from(whole, [truth(JANUARY)], NOISE))  # type: ignore[attr-defined]
    for one, other in zip(result.tables[0].figures, anew.tables[0].figures, strict=True):
        for point, at in zip(one.points, other.points, strict=True):
            assert point.why == at.why
            if point.estimate is not None and at.estimate is not None:
                assert point.estimate.value == pytest.approx(at.estimate.value, abs=1e-4)
                assert point.estimate.margin <= at.estimate.margin * 1.001 + 1e-9
    assert len(set(result.tables[0].measures[0].margins)) > 1


def test_cells_go_from_run_to_run(december: StudyResult) -> None:
    """The run after next takes some from the last, which took them from the first; a month left out is asked about."""
    january = run_of(resolve(study(JANUARY), (december,)), 2 * NOISE)
    third = resolve(study(MARCH), (december, january))
    (table,) = third.tables.table  # type: ignore[attr-defined]
    assert table.known.origin == "figures 2025-01-01"
    cells, block = released(third, truth(MARCH), NOISE)
    assert block.usual_cells == 2
    assert len(block.asked) == 23
    assert np.allclose(cells.totals[cells.closed], truth(MARCH)[cells.closed], atol=0.01)


@pytest.mark.parametrize(
    "changes", [{"holders": ("north", "south")}, {"missing": ("south",)}, {"as_of": MARCH}, {"caps": True}]
)  # fmt: skip
def test_cells_of_others_are_asked_about_again(december: StudyResult, changes: dict[str, Any]) -> None:
    """Other holders, a holder that was missing, a later run, another table: their cells are other sums."""
    if "missing" in changes:
        earlier = december.model_copy(update=changes)
    elif "caps" in changes:
        options = december.study.tables  # type: ignore[attr-defined]
        other = options.table[0].model_copy(update={"where": (), "measure": (options.table[0].measure[0].model_copy(
            update={"of": "count(order)", "cap": 3}),)})  # fmt: skip
        tables = options.model_copy(update={"table": (other,)})
        earlier = december.model_copy(update={"study": december.study.model_copy(update={"tables": tables})})
    else:
        earlier = december.model_copy(update={"study": december.study.model_copy(update=changes)})
    (table,) = resolve(study(JANUARY), (earlier,)).tables.table  # type: ignore[attr-defined]
    assert table.known is None


def test_a_run_of_the_same_day_asks_about_all(december: StudyResult) -> None:
    (table,) = resolve(study(DECEMBER), (december,)).tables.table  # type: ignore[attr-defined]
    assert table.known is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"lost": 20, "most_cells": 13}, "goes with a table by"),
        ({"by": RETENTION["by"][:1], "usual_cells": 1, "figure": []}, "goes with a table by"),
        ({"measure": [{"name": "customers"}, {"name": "two"}]}, "goes with a table by"),
        ({"release": "all", "known": {"origin": "x", "closed": "2024-12-01", "cohorts": ["2024-01-01"],
                                      "values": [1], "deviations": [1]}}, "known cells go with"),
        ({"known": {"origin": "x", "closed": "2024-12-01", "cohorts": ["2024-01-01"],
                    "values": [1], "deviations": [1]}}, "of other keys"),
        ({"known": {"origin": "x", "closed": "2024-12-01", "cohorts": ["2024-01-01"],
                    "values": [1, 2], "deviations": [1]}}, "as many deviations"),
    ],
)  # fmt: skip
def test_what_cannot_be_new(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Table.model_validate({**RETENTION, **fields})
