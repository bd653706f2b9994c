"""Examples of this analysis for the suites that run over all."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statistic_kit import Reading, ReadingOf

from privacy.analyses.tables.cell_sums import MILLION, MOST_UNITS, CellBlock, CellMeasure, CellSums, CellTotals
from privacy.analyses.tables.changes import TableChange
from privacy.analyses.tables.cohorts import KnownCells
from privacy.analyses.tables.declared import ReleasedNumber, Table
from privacy.analyses.tables.figures import cells_of, result_of
from privacy.analyses.tables.grid import Cells
from privacy.analyses.tables.options import TablesOptions
from privacy.analyses.tables.results import TablesResult
from privacy.analyses.tables.statuses import StatusCuts
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from privacy.statistics import Statistic

#: Declarations as a study's file has them.
RETENTION: dict[str, Any] = {
    "name": "retention",
    "by": [
        {"dimension": "first_order.month", "keys": {"months": 12, "before": "as_of"}},
        {"dimension": "order.months_since_first", "keys": "0..11"},
    ],
    "usual_cells": 6,
    "most_cells": 12,
    "lost": 20,
    "measure": [{"name": "customers"}],
    "figure": [
        {"name": "rate", "is": "customers / customers[order.months_since_first = 0]", "view": "heatmap"},
        {
            "name": "curve",
            "is": "customers / customers[order.months_since_first = 0]",
            "over": "first_order.month",
            "view": "curve",
        },
    ],
}
ATTRIBUTION: dict[str, Any] = {
    "name": "attribution",
    "by": [
        {"dimension": "touch.model", "keys": ["first", "last", "linear"]},
        {"dimension": "touch.channel", "keys": {"from": "lists.channels"}},
    ],
    "events": {"of": "conversion", "which": "latest"},
    "usual_cells": 3,
    "measure": [
        {"name": "conversions", "of": "weight", "part": 50},
        {"name": "value", "of": "weight * order.amount", "cap": 200, "part": 50},
    ],
    "figure": [{"name": "share", "is": "conversions / conversions[all touch.channel]", "view": "bars"}],
}
LTV: dict[str, Any] = {
    "name": "ltv",
    "by": [{"dimension": "first_order.month", "keys": {"quarters": 4}}],
    "where": ["tenure_days >= 180"],
    "measure": [
        {"name": "customers", "part": 35},
        {"name": "money", "of": "sum(order.amount)", "cap": 3000, "first_days": 180, "part": 65},
    ],
    "figure": [{"name": "ltv", "is": "money / customers", "view": "bars"}],
}
OPTIONS = TablesOptions.model_validate(
    {
        "use": ["profile"],
        "lists": {"channels": ["search", "live"]},
        "change": {"profile": {"keys": {"customer.age_band": {"upper": [30, 50]}}, "cap": {"money": 500}}},
        "table": [RETENTION, ATTRIBUTION, LTV],
    }
)

NOUNS = (
    ReleasedNumber(source="rfm.money_high"), StatusCuts(active=30, sleeping=90, lapsing=200),
    OPTIONS,
    Table.model_validate(RETENTION | {"lost": 0}),  # of one that asks for what is lost, not all is asked anew
    OPTIONS.table[2].measure[1],
    OPTIONS.table[0].figure[1],
    OPTIONS.change["profile"],
    KnownCells(origin="figures 2024-12-01", closed=dt.date(2024, 12, 1), cohorts=(dt.date(2024, 1, 1),),
               values=(5, 7), deviations=(3, 3)),
    CellMeasure(cap=3, part=7),
    CellBlock(name="b", cells=3, asked=(0, 2), usual_cells=2, most_cells=3, part=7, lost=3,
              measures=(CellMeasure(cap=3, part=MILLION),)),
)  # fmt: skip


# --- the statistic -------------------------------------------------------------------------------------------------


def _block(**fields: Any) -> CellBlock:
    least = {"name": "t", "cells": 3, "part": MILLION, "measures": ({"cap": 1, "part": MILLION},)}
    return CellBlock.model_validate({**least, **fields})


#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "cell_sums": (
        CellSums(tables=(_block(cells=1),)),
        CellSums(
            tables=(
                _block(part=300_000, measures=({"cap": 1, "part": 350_000}, {"cap": 300_000, "part": 650_000})),
                _block(
                    name="several", cells=20, usual_cells=6, most_cells=12, part=400_000, lost=20_000,
                    measures=({"cap": 1, "part": 500_000}, {"cap": 40, "part": 500_000}),
                ),
                _block(name="new", cells=20, asked=(3, 7, 19), part=300_000),
            )
        ),
        CellSums(
            tables=(
                _block(cells=2000, usual_cells=1, most_cells=20, part=MILLION - 1, lost=200_000,
                       measures=({"cap": MOST_UNITS, "part": MILLION},)),
                _block(name="u", cells=20, usual_cells=20, part=1),
            )
        ),
    )
}  # fmt: skip


def _read(statistic: CellSums, values: NDArray[np.int64], noise: float) -> Reading:
    figures, deviations = [], []
    for found in statistic.decode(values, noise):
        figures.append(found.totals.ravel())
        deviations.append(np.broadcast_to(found.deviations, found.totals.shape).ravel())
        if found.block.lost:
            figures.append(np.array([found.lost]))
            deviations.append(np.array([found.lost_deviation]))
    return Reading(values=np.concatenate(figures), deviations=np.concatenate(deviations))


def slow_sums(statistic: CellSums, customers: Sequence[Sequence[Sequence[int]]]) -> list[float]:
    """Customer by customer and entry by entry, in exact fractions of a full cap."""
    total = [0.0] * statistic.dim
    for row in customers:
        places = [tuple(entry[:2]) for entry in row]
        if places != sorted(set(places)):
            continue  # a cell twice, or out of order: nothing
        for number, (start, block) in enumerate(zip(statistic.offsets, statistic.tables, strict=False)):
            mine = [(block.wanted.index(c), v) for t, c, *v in row if t == number and c in block.wanted]
            _add(total, start, block, mine)
    return total


def _add(total: list[float], start: int, block: CellBlock, entries: list[tuple[int, list[int]]]) -> None:
    width = len(block.measures)
    given = min([width, *(len(values) for _, values in entries)])
    cut = [[min(max(v[q], -m.cap), m.cap) / m.cap for q, m in enumerate(block.measures[:given])] for _, v in entries]
    length = sum((x * block.amplitudes[q]) ** 2 for row in cut for q, x in enumerate(row))
    factor = min(1.0, math.sqrt(block.cells_ball / length)) if length else 1.0
    for (place, _), row in zip(entries, cut, strict=True):
        for q, x in enumerate(row):
            total[start + place * width + q] += factor * x * block.measures[q].cap
    if block.lost:
        unit = block.measures[0].cap
        loss = sum((1 - factor) * abs(row[0]) for row in cut)
        total[start + block.dim - 1] += min(loss, block.lost_limit / block.amplitudes[0]) * unit


def _tolerance(statistic: CellSums, customers: int) -> NDArray[np.float64]:
    """A unit of rounding and one of truncation a customer and coordinate, and 2^-40 of the length."""
    found: list[float] = []
    for block in statistic.tables:
        units = [m.cap / a for m, a in zip(block.measures, block.amplitudes, strict=True)]
        found += [unit * 4 for unit in units] * len(block.wanted)
        if block.lost:
            found.append(4 * len(block.wanted) * units[0] + 4 * block.lost_limit * units[0] / block.lost_amplitude)
    return customers * np.array(found) + 1e-6


READINGS: dict[str, ReadingOf] = {
    "cell_sums": ReadingOf(read=_read, truth=slow_sums, tolerance=_tolerance, reached=1 - 1e-7)
}


def table(**fields: Any) -> Table:
    """A small table with some fields otherwise."""
    least = {"name": "t", "by": [{"dimension": "tenure_band", "keys": {"upper": [90, 365]}}],
             "measure": [{"name": "customers"}]}  # fmt: skip
    return Table.model_validate({**least, **fields})


def changed(**fields: Any) -> TableChange:
    """A change of a table."""
    return TableChange.model_validate(fields)


# --- a result for pages --------------------------------------------------------------------------------------------

#: Of one number, of bars, of a heat map, and of a funnel.
SHOWN: tuple[dict[str, Any], ...] = (
    RETENTION | {"by": [{"dimension": "first_order.month", "keys": {"quarters": 3}}, RETENTION["by"][1]]},
    LTV,
    {
        "name": "second_purchase", "en": "The second order", "zh": "第二单",
        "by": [
            {"dimension": "second_order.outcome", "keys": ["again", "not_yet"]},
            {"dimension": "second_order.days", "keys": {"upper": [30, 90, 365]}},
        ],
        "measure": [{"name": "customers"}],
        "figure": [
            {"name": "within_90", "is": "survival(90)", "view": "number", "en": "Again in 90 days", "zh": "90 天内"},
            {"name": "median_days", "is": "survival_median()", "view": "number"},
        ],
    },
    {
        "name": "funnel",
        "by": [
            {"dimension": "session.source", "keys": ["search", "ads"]},
            {"dimension": "session.furthest", "keys": ["reached", "viewed", "in_cart", "checkout", "ordered"]},
        ],
        "events": {"of": "session", "which": "furthest"},
        "measure": [{"name": "customers"}],
        "figure": [
            {"name": "steps", "is": "reached(each) / reached(reached)", "over": "session.source", "view": "funnel"},
            {"name": "conversion", "is": "reached(ordered) / reached(reached)", "view": "bars"},
            {"name": "abandonment", "is": "1 - reached(ordered) / reached(in_cart)"},
            {"name": "visitors", "is": "reached(reached)"},
        ],
    },
)  # fmt: skip


def study_of(*tables: dict[str, Any], **budget: Any) -> Study:
    """A study of declared tables, as they are once they are written out."""
    return Study.model_validate(
        {
            "name": "figures", "as_of": dt.date(2025, 1, 1), "analyses": ("tables",),
            "budget": {"epsilon": "1"} | budget,
            "tables": {
                "table": [Table.model_validate(raw).with_lists({"channels": ("search", "ads")}) for raw in tables]
            },
        }
    )  # fmt: skip


def cells_from(study: Study, totals: Sequence[NDArray[np.float64]], deviation: float = 0.0) -> list[Cells]:
    """Cells as a release has them: totals in whole units, shape ``(cells, measures)``, by table; and the noise.

    Args:
        deviation: of the noise, in integer units of the release.
    """
    options = study.tables  # type: ignore[attr-defined]
    written, question = options.request(study.as_of).tables, options.question(study)
    found = []
    for declared, table, block, whole in zip(options.table, written, question.tables, totals, strict=True):
        digits = minor_digits(study.currency)
        unit = np.array([one.units(digits) / (one.cap or 1) for one in declared.measure])
        per = np.array([m.cap / a for m, a in zip(block.measures, block.amplitudes, strict=True)])
        release = CellTotals(
            block=block, totals=whole * unit, deviations=deviation * per, lost=0.0,
            lost_deviation=deviation * block.lost_limit * per[0] / max(block.lost_amplitude, 1),
        )  # fmt: skip
        found.append(cells_of(study, declared, table, release))
    return found


def tables_result(customers: float = 4000.0, deviation: float = 3e6) -> tuple[Study, TablesResult]:
    """A study of :data:`SHOWN` with figures that could be."""
    study = study_of(*SHOWN)
    options = study.tables  # type: ignore[attr-defined]
    totals = []
    for table in options.request(study.as_of).tables:
        shape = (table.cells, len(table.measures))
        falling = customers / (1 + np.arange(table.cells))[:, np.newaxis]
        totals.append(np.broadcast_to(falling, shape) * np.array([1.0, 80.0][: shape[1]]))
    return study, result_of(options, study, cells_from(study, totals, deviation))
