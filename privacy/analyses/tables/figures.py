"""From cells to figures, released ones or a holder's own: post-processing, which costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from privacy.analyses.tables.cell_sums import CellTotals
from privacy.analyses.tables.declared import Figure, Table
from privacy.analyses.tables.formulas import Formula, Linear
from privacy.analyses.tables.grid import Cells, Grid, Total, closed_cells
from privacy.analyses.tables.options import TablesOptions
from privacy.analyses.tables.results import FigureValues, MeasureCells, Point, TableFigures, TablesResult, Unit, Why
from privacy.analyses.tables.survival import Curve, life_table
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import CLEAR, quotient
from privacy.kernel.declarations import CellTable
from privacy.kernel.dimensions import WHOLE
from privacy.kernel.row_arithmetic import FloatArray
from privacy.kernel.terms import Terms, minor_digits

#: What a figure is that is not there.
Found = Estimate | Why


def cells_of(terms: Terms, declared: Table, written: CellTable, found: CellTotals) -> Cells:
    """A table's released cells in whole units."""
    digits = minor_digits(terms.currency)
    whole = np.array([{"money": 10**digits, "share": WHOLE}.get(m.meaning.unit, 1) for m in declared.measure])
    fresh = found.totals / whole
    totals, deviations = _with_known(declared, written, found, fresh, found.deviations / whole)
    lost = None
    if found.block.lost:
        everything = max(float(fresh[:, 0].sum()) + found.lost / whole[0], 1.0)
        lost = (found.lost / whole[0] / everything, found.lost_deviation / whole[0] / everything)
    return Cells(
        declared=declared,
        written=written,
        totals=totals,
        deviations=deviations,
        closed=closed_cells(written, terms.as_of),
        smallest=tuple(whole.tolist()),
        fresh=found.deviations / whole,
        lost=lost,
    )


def _with_known(
    declared: Table, written: CellTable, found: CellTotals, fresh: FloatArray, deviations: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """All cells with their deviations: those that were asked about, and the others from the run that knows them."""
    spread = np.broadcast_to(deviations, (written.cells, fresh.shape[1])).copy()
    if declared.known is None:
        return fresh, spread
    totals, known = np.zeros((written.cells, fresh.shape[1])), declared.known
    width = written.by[1].keys.count
    spread[:] = 0.0
    for place, first in enumerate(written.by[0].keys.days[:-1]):
        if first in known.cohorts:
            start = known.cohorts.index(first) * width
            totals[place * width : (place + 1) * width, 0] = np.array(known.values[start : start + width]) / 1000
            spread[place * width : (place + 1) * width, 0] = np.array(known.deviations[start : start + width]) / 1000
    asked = list(found.block.asked)
    totals[asked], spread[asked] = fresh, deviations
    return totals, spread


def result_of(options: TablesOptions, terms: Terms, tables: Sequence[Cells]) -> TablesResult:
    """Every figure of every table."""
    by_name = {cells.declared.name: cells for cells in tables}
    return TablesResult(
        tables=tuple(
            TableFigures(
                name=cells.declared.name,
                dimensions=cells.declared.dimensions,
                keys=cells.keys,
                measures=tuple(
                    _measure(one.name, values, spread)
                    for one, values, spread in zip(
                        cells.declared.measure, cells.totals.T, cells.deviations.T, strict=True
                    )
                ),
                lost=None if cells.lost is None else Estimate(value=cells.lost[0], margin=Z95 * cells.lost[1]),
                figures=tuple(_figure(figure, cells, by_name, options.floor) for figure in cells.declared.figure),
            )
            for cells in tables
        )
    )


def _measure(name: str, values: FloatArray, deviations: FloatArray) -> MeasureCells:
    margins = () if len(set(deviations.tolist())) == 1 else tuple((Z95 * deviations).tolist())
    return MeasureCells(name=name, margin=Z95 * float(deviations.max()), values=tuple(values.tolist()), margins=margins)


def _figure(figure: Figure, own: Cells, tables: Mapping[str, Cells], floor: int) -> FigureValues:
    formula = figure.parsed
    if formula.kind in ("survival", "median"):
        return _of_survival(figure, own, floor)
    grid = Grid(figure, own, tables)
    unit = unit_of(figure, own, tables)
    dimensions = tuple(own.declared.dimensions[place] for place in grid.free)
    points = []
    for point in grid.points:
        totals = grid.totals(point)
        found: Found = "not_over" if totals is None else _value(formula, totals, own, tables, floor)
        keys = tuple(own.keys[place][key] for place, key in zip(grid.free, point, strict=True))
        points.append(_point(keys, unit, found))
    return FigureValues(name=figure.name, view=figure.view, unit=unit, dimensions=dimensions, points=tuple(points))


def _point(keys: tuple[str, ...], unit: Unit, found: Found) -> Point:
    if isinstance(found, str):
        return Point(keys=keys, why=found)
    return Point.model_validate({"keys": keys, unit: found})


def _value(formula: Formula, totals: list[Total], own: Cells, tables: Mapping[str, Cells], floor: int) -> Found:
    """A figure from its sums at one point."""
    if formula.kind == "linear":
        return Estimate(value=totals[0].value, margin=Z95 * float(np.sqrt(totals[0].variance)))
    first = _quotient(formula.terms[:2], totals[:2], own, tables, floor)
    if isinstance(first, str) or formula.kind == "quotient":
        return first
    if formula.kind == "complement":
        low, high = first.interval
        return Estimate.between(1 - high, 1 - first.value, 1 - low)
    second = _quotient(formula.terms[2:], totals[2:], own, tables, floor)
    if isinstance(second, str) or not _same(totals):
        return second if isinstance(second, str) else first.minus(second)
    return Estimate(value=0.0, margin=0.0)  # taken off itself


def _same(totals: Sequence[Total]) -> bool:
    """Whether the two quotients of a difference are of the same cells."""
    pairs = zip(totals[:2], totals[2:], strict=True)
    return all(one.table == other.table and np.array_equal(one.places, other.places) for one, other in pairs)


def _quotient(
    terms: Sequence[Linear], totals: Sequence[Total], own: Cells, tables: Mapping[str, Cells], floor: int
) -> Found:
    above, below = totals
    if _measure_unit(terms[1], own, tables) == "customers" and below.value < floor:
        return "floor"
    found = quotient(above.value, below.value, (above.variance, below.variance), above.covariance(below))
    return "noise" if found is None else _widened(found, _lost(totals, tables))


def _lost(totals: Sequence[Total], tables: Mapping[str, Cells]) -> float:
    """The largest share that scaling took off one of the sums, where it was measured: of a table's first measure."""
    shares = [tables[one.table].lost for one in totals if one.measure == 0]
    return min(max((share[0] for share in shares if share is not None), default=0.0), 0.5)


def _widened(found: Estimate, lost: float) -> Estimate:
    """A quotient's interval, wider by what scaling may have taken off above and not below, or the other way round.

    Customers in many cells are scaled down, and are more in some sums than in others: late months of cohorts, say. How
    much of what was taken off was in which sum was not asked; so either end allows for half of it in one of the two and
    not in the other. On real sales that is enough, and all of it is too much (docs/decisions/0043).
    """
    if lost <= 0 or found.margin <= 0:
        return found
    low, high = (
        end * (1 - lost / 2) if (end > 0) == lower else end / (1 - lost / 2)
        for end, lower in zip(found.interval, (True, False), strict=True)
    )
    return Estimate.between(low, found.value, high)


def _measure_unit(term: Linear, own: Cells, tables: Mapping[str, Cells]) -> str:
    cells = tables[term.table] if term.table else own
    return cells.declared.measure[cells.measure(term.measure)].meaning.unit


def unit_of(figure: Figure, own: Cells, tables: Mapping[str, Cells]) -> Unit:
    """How a figure is written: as it says itself, else by what it is made of.

    A part of the same measure of the same table is a share, and so is a share for each customer.
    """
    formula = figure.parsed
    if figure.unit:
        return figure.unit
    if formula.kind in ("survival", "complement", "difference"):
        return "points" if formula.kind == "difference" else "share"
    if formula.kind == "median":
        return "number"
    units = [_measure_unit(term, own, tables) for term in formula.terms]
    if formula.kind == "linear":
        return {"money": "amount", "share": "number"}.get(units[0], "count")  # type: ignore[return-value]
    if units[:2] == ["share", "customers"] or _is_part(formula, own):
        return "share"
    return "amount" if units[0] == "money" != units[1] else "number"


def _is_part(formula: Formula, own: Cells) -> bool:
    """Whether both sums of a quotient are of one measure of the figure's own table."""
    return all(not term.table for term in formula.terms) and len({own.measure(t.measure) for t in formula.terms}) == 1


def _of_survival(figure: Figure, own: Cells, floor: int) -> FigureValues:
    """Shares and days of the second order, for each key of the table's other dimensions."""
    names = own.declared.dimensions
    outcome, days = names.index("second_order.outcome"), names.index("second_order.days")
    rest = [place for place in range(len(names)) if place not in (outcome, days) and names[place] not in figure.over]
    over = tuple(place for place, name in enumerate(names) if name in figure.over)
    shape = own.written.shape
    counts = own.totals[:, 0].reshape(shape)
    ordered = np.moveaxis(counts, [*rest, outcome, days], [*range(len(rest) + 2)])
    ordered = ordered.sum(axis=tuple(range(len(rest) + 2, ordered.ndim))) if over else ordered
    added = int(np.prod([shape[place] for place in over])) if over else 1
    variance = float(own.deviations[0, 0]) ** 2 * added
    points = []
    for index in np.ndindex(ordered.shape[: len(rest)]):
        again, not_yet = ordered[index]
        curve = life_table(again, not_yet, variance, own.written.by[days].keys.upper)
        keys = tuple(own.keys[place][key] for place, key in zip(rest, index, strict=True))
        points.append(_point(keys, unit_of(figure, own, {}), _of_curve(figure.parsed, curve, floor)))
    return FigureValues(
        name=figure.name,
        view=figure.view,
        unit=unit_of(figure, own, {}),
        dimensions=tuple(names[place] for place in rest),
        points=tuple(points),
    )


def _of_curve(formula: Formula, curve: Curve, floor: int) -> Found:
    count, deviation = curve.at_risk
    if count < floor:
        return "floor"
    if count < CLEAR * deviation:
        return "noise"
    found = curve.within(formula.days) if formula.kind == "survival" else curve.median()
    return "noise" if found is None else found
