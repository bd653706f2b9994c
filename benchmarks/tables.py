"""How exact each table of the catalogue is at three sizes, and how often the intervals of its figures hold.

::

    python benchmarks/tables.py [--runs 200] [--data FOLDER] [--figures]

Every table is asked alone, with the whole of epsilon 1 at delta 1e-6, among four holders of which one may collude, no
person at two. Entries are those of a generated world (4,000 persons with feeds), found once; the production statistic
cuts them off and scales them down as a study of the size would, and the sums are multiplied up to 5,000, 50,000 and
1,000,000 customers. A release is linear, so noise of the production scale is drawn on the cells directly (a normal
distribution: at these scales the discrete Gaussian is one to 12 digits). With ``--data``, retention, second orders and
LTV are those of Online Retail II as well, beside the margins that the design measured there.

``off by`` is the half-width of a cell's 95% interval in units of its first measure, ``design`` what the formula that
the tables were designed by says that it is; ``margin`` the same by the median cell that is not empty; ``points`` and
``relative`` are the median half-widths of figures that are shares, and of the others relative to themselves.
``held`` is the share of intervals that hold the truth, of the figures that are shown, over so many draws, and more
for figures of which fewer than 2,000 intervals were seen. The truth is what holders have before anything is scaled
down, each value cut off at the table's cap, as pages say; ``whole`` is the same with nothing cut off. ``--figures``
says both of every figure. The last lines name what is worse than the design by more than a tenth, and what holds in
less than 93% or more than 97%. Customers are all who have an order, also where a table has few of them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from table_worlds import World, cells_from, released_cells, retail, study_of, true_cells, world, world_of

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.accounting.events import squared_cap
from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.figures import result_of
from privacy.analyses.tables.grid import Cells
from privacy.analyses.tables.results import Point, TableFigures
from privacy.kernel.cells import CellRows
from privacy.mechanisms import calibrate
from privacy.protocol.study import Study
from server.analyses.tables.catalogue import names

SIZES = (5_000, 50_000, 1_000_000)
#: Intervals that coverage is measured on: 93% and 97% are then four deviations from 95%.
_LEAST = 2_000
#: Draws at most, in those that are asked for: figures that are hardly ever shown have fewer intervals.
_MOST = 20
#: Deviation of a sum over the ball in the design's formula: epsilon 1 at delta 1e-6, four holders, one colluding.
_DESIGN_DEVIATION = 4.88
#: Tables that Online Retail II can say, and what the design measured there: half-width at the median cell, as a part of
#: the cell, by size. Retention is of its cohorts, which all have twelve months: of the newest twelve cohorts half of
#: the cells are not over, the median cell is half as large, and the margin twice as wide.
RETAIL: dict[str, dict[int, float]] = {
    "retention": {5_000: 0.60, 50_000: 0.084, 1_000_000: 0.004},
    "ltv_by_cohort": {5_000: 0.068, 50_000: 0.007, 1_000_000: 0.0003},
    "second_purchase": {},
}
#: None may be worse than the design by more than this.
_WORSE = 1.1


@dataclass
class Held:
    """One figure at one size: what its intervals did.

    Attributes:
        table, name: whose.
        drawn, shown: values, and those of them that had an interval.
        hits, whole: intervals that held the truth, with values cut off at caps and with none.
        widths: half-widths; in points of shares, else relative to the value.
        of_share: whether they are points.
        cut: how far off the middle value is because of caps and scaling, in half-widths of its interval.
    """

    table: str
    name: str
    drawn: int = 0
    shown: int = 0
    hits: int = 0
    whole: int = 0
    widths: list[float] = field(default_factory=list)
    of_share: bool = False

    @property
    def held(self) -> float | None:
        """Share of its intervals that held the truth."""
        return self.hits / self.shown if self.shown else None

    @property
    def outside(self) -> bool:
        """Whether that is beyond what is asked, by more than chance explains in so few intervals (two deviations)."""
        room = 0.0 if self.shown >= _LEAST else 2 * float(np.sqrt(0.05 * 0.95 / max(self.shown, 1)))
        return self.held is not None and not 0.93 - room <= self.held <= 0.97 + room


@dataclass(frozen=True)
class Measured:
    """One table at one size."""

    off_by: float
    margin: float
    figures: tuple[Held, ...]

    def width(self, *, of_share: bool) -> float | None:
        """Median half-width of the figures that are shares, or of the others."""
        found = [width for one in self.figures if one.of_share == of_share for width in one.widths]
        return float(np.median(found)) if found else None

    def part(self, above: str, below: str) -> float | None:
        """A quotient of two counts over all figures."""
        whole = sum(getattr(one, below) for one in self.figures)
        return sum(getattr(one, above) for one in self.figures) / whole if whole else None


def deviations_of(study: Study) -> list[NDArray[np.float64]]:
    """Noise of a cell by table and measure, in whole units, with the whole budget."""
    question = study.of(CONTRACT).question(study)
    noise = calibrate(squared_cap(1.0, 1e-6), question.bound, placement="distributed", holders=4, colluding=1)
    empty = cells_from(study, question, np.zeros(question.dim, dtype=np.int64), noise.released_deviation)
    return [cells.deviations for cells in empty]


def measure(study: Study, rows: Sequence[CellRows], factor: float, runs: int, rng: np.random.Generator) -> Measured:
    """Errors and coverage of a study's tables, their cells multiplied by a factor."""
    options = study.of(CONTRACT)
    exact = options.model_copy(update={"floor": 1})
    released = [_times(one, factor) for one in released_cells(study, rows)]
    capped, whole = (
        result_of(exact, study, [_times(one, factor) for one in true_cells(study, rows, capped=way)]).tables
        for way in (True, False)
    )
    spread = deviations_of(study)
    found: dict[tuple[str, str], Held] = {
        (table.name, figure.name): Held(table.name, figure.name) for table in capped for figure in table.figures
    }
    truths = {key: points for key, *points in _points(capped, whole)}
    wanted = set(found)
    for run in range(_MOST * runs):
        if run >= runs:
            wanted = {key for key, one in found.items() if 0 < one.shown < _LEAST}
        if not wanted:
            break
        noisy = [
            replace(
                _with_figures(one, wanted), totals=one.totals + rng.normal(0, 1, one.totals.shape) * by, deviations=by
            )
            for one, by in zip(released, spread, strict=True)
        ]
        for table in result_of(options, study, noisy).tables:
            for figure in table.figures:
                _count(found[table.name, figure.name], figure.points, *truths[table.name, figure.name])
    first, by = released[0].totals[:, 0], spread[0][0, 0]
    return Measured(
        off_by=1.96 * float(by),
        margin=1.96 * float(by) / float(np.median(first[first > 0])),
        figures=tuple(found.values()),
    )


def _times(cells: Cells, factor: float) -> Cells:
    return replace(cells, totals=cells.totals * factor)


def _with_figures(cells: Cells, wanted: set[tuple[str, str]]) -> Cells:
    """The same with some of its figures alone: those of which more intervals are wanted."""
    declared = cells.declared
    kept = tuple(one for one in declared.figure if (declared.name, one.name) in wanted)
    return replace(cells, declared=declared.model_copy(update={"figure": kept}))


def _points(
    capped: tuple[TableFigures, ...], whole: tuple[TableFigures, ...]
) -> Iterator[tuple[tuple[str, str], tuple[Point, ...], tuple[Point, ...]]]:
    for one, other in zip(capped, whole, strict=True):
        for figure, exact in zip(one.figures, other.figures, strict=True):
            yield (one.name, figure.name), figure.points, exact.points


def _count(held: Held, points: Sequence[Point], capped: Sequence[Point], whole: Sequence[Point]) -> None:
    """What one draw's intervals did."""
    for point, at, uncut in zip(points, capped, whole, strict=True):
        held.drawn += 1
        if point.estimate is None or at.estimate is None or uncut.estimate is None or point.estimate.margin <= 0:
            continue
        held.shown += 1
        low, high = point.estimate.interval
        held.hits += low <= at.estimate.value <= high
        held.whole += low <= uncut.estimate.value <= high
        held.of_share = point.share is not None or point.points is not None
        half = (high - low) / 2
        held.widths.append(100 * half if held.of_share else half / max(abs(at.estimate.value), 1e-9))


def design_of(study: Study) -> float:
    """How far off a cell of a study's first table is by the design: ``1.96 s cap sqrt(L / part)``, of its measure."""
    table = study.of(CONTRACT).table
    whole, first = sum(one.weight for one in table), table[0]
    part = first.weight / whole * (1 - first.lost / 1000)
    share = first.measure[0].part / sum(measure.part for measure in first.measure)
    return float(1.96 * _DESIGN_DEVIATION * (first.measure[0].cap or 1) * np.sqrt(first.usual_cells / (part * share)))


def said(value: float | None, form: str, scale: float = 1.0) -> str:
    """A number, or that there is none."""
    return "-" if value is None else form.format(scale * value)


def row(name: str, size: int, found: Measured, design: float) -> str:
    """One line of the table."""
    points, relative = found.width(of_share=True), found.width(of_share=False)
    held, whole, shown = (found.part(*each) for each in (("hits", "shown"), ("whole", "shown"), ("shown", "drawn")))
    return (
        f"{name:26} {size:>9,} {found.off_by:7.1f} {design:7.1f} {said(found.margin, '{:8.2f}%', 100)} "
        f"{said(points, '{:8.2f}')} {said(relative, '{:8.2f}%', 100)} "
        f"{said(held, '{:6.1f}%', 100)} {said(whole, '{:6.1f}%', 100)} {said(shown, '{:6.0f}%', 100)}"
    )


def figure_row(one: Held, size: int) -> str:
    """One line of a figure."""
    width = float(np.median(one.widths)) if one.widths else None
    form, scale = ("{:8.2f} points", 1.0) if one.of_share else ("{:8.2f}%", 100.0)
    return (
        f"  {one.table + '.' + one.name:40} {size:>9,} {said(one.held, '{:6.1f}%', 100):>7} "
        f"{said(one.whole / one.shown if one.shown else None, '{:6.1f}%', 100):>7} of {one.shown:>7,}  "
        f"{said(width, form, scale)}"
    )


def _settings(folder: Path, data: Path | None, wanted: Sequence[str]) -> Iterator[tuple[World, Sequence[str]]]:
    """The generated world and the real one, each with the tables that it can say."""
    base, holders = world(folder / "world")
    yield world_of(tuple(dict.fromkeys((*wanted, "second_purchase"))), base, holders), wanted
    if data:
        base, holders = retail(folder / "retail", data)
        yield world_of(tuple(RETAIL), base, holders), [name for name in wanted if name in RETAIL]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--data", type=Path, help="the folder of public data sets")
    parser.add_argument("--only", default="", help="names of tables, with commas")
    parser.add_argument("--figures", action="store_true", help="say how often the intervals of every figure hold")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    wanted = options.only.split(",") if options.only else names()
    print(
        f"{'table':26} {'customers':>9} {'off by':>7} {'design':>7} {'margin':>9} "
        f"{'points':>8} {'relative':>9} {'held':>7} {'whole':>7} {'shown':>7}"
    )
    worse: list[tuple[str, int, float]] = []
    outside: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        for made, tables in _settings(Path(place), options.data, wanted):
            retail_here = made.base.name == "retail"
            for name in tables:
                for size in SIZES:
                    study = study_of((name,), made.base, size)
                    rows = made.of(study.of(CONTRACT).request(study.as_of))
                    found, design = measure(study, rows, size / made.customers, options.runs, rng), design_of(study)
                    print(row(name, size, found, design), flush=True)
                    if options.figures:
                        print("\n".join(figure_row(one, size) for one in found.figures), flush=True)
                    ratios = [found.off_by / design]
                    if retail_here and size in RETAIL[name]:
                        print(f"  the design measured a margin of {100 * RETAIL[name][size]:.2f}%")
                        ratios.append(found.margin / RETAIL[name][size])
                    worse += [(name, size, round(ratio, 2)) for ratio in ratios if ratio > _WORSE]
                    outside += [
                        f"{one.table}.{one.name} at {size:,}: {said(one.held, '{:.1f}%', 100)} of {one.shown:,}"
                        for one in found.figures
                        if one.outside
                    ]
    print(f"worse than the design by more than a tenth: {worse or 'none'}")
    print(f"held by less than 93% or more than 97%: {'; '.join(outside) or 'none'}")


if __name__ == "__main__":
    main()
