"""A table as a study declares it: what is counted by what, how one customer is bounded, and what is made of it."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from privacy.analyses.tables.cell_sums import MILLION, CellBlock, CellMeasure
from privacy.analyses.tables.formulas import EACH, Formula, Linear, parse_formula
from privacy.kernel.canonical import Noun, since
from privacy.kernel.declarations import (
    MOST_CELLS,
    MOST_MEASURES,
    CellTable,
    Condition,
    DimensionUse,
    EventChoice,
    MeasureUse,
    Named,
)
from privacy.kernel.dimensions import WHOLE, DimensionName, MeasureText
from privacy.kernel.keys import Keys
from privacy.kernel.limits import Name
from privacy.kernel.row_arithmetic import FloatArray
from privacy.kernel.terms import Terms, minor_digits

#: How a figure is shown: as one number each, bars, a line over its keys, a heat map of two dimensions, the steps of a
#: funnel, or a plain table.
View = Literal["number", "bars", "curve", "heatmap", "funnel", "table"]

#: Highest cap, in whole units; in smallest units, a thousandth of a unit at most, it must fit the statistic's.
MOST_CAP = 30_000_000

_DAY = dt.timedelta(days=1)


def _formula(text: str) -> str:
    parse_formula(text)
    return text


FormulaText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(_formula)]


class Measure(MeasureUse):
    """A measure of a table.

    Attributes:
        name: by which figures name it.
        cap: the most that one customer adds to a cell, in whole units (of the study's currency for money); what is
            above is cut off. A share or a weight is at most 1 anyway.
        part: its part of the table's allowance, in proportion to the others'.
    """

    name: Named
    of: MeasureText = "customers"
    cap: int | None = since("0.2.0", None, ge=1, le=MOST_CAP)
    part: int = Field(default=100, ge=1, le=1000)

    @model_validator(mode="after")
    def _capped(self) -> Self:
        if self.cap is None and self.meaning.unit in ("count", "money", "number"):
            raise ValueError(f"{self.name}: state a cap, the most that one customer may add to a cell, such as cap = 5")
        if self.cap not in (None, 1) and self.meaning.unit in ("customers", "share"):
            raise ValueError(f"{self.name}: {self.of} is at most 1; leave cap out")
        return self

    def units(self, minor_digits: int) -> int:
        """Smallest units in the cap, in a currency of so many digits."""
        each: dict[str, int] = {"money": 10**minor_digits, "share": WHOLE}
        return (self.cap or 1) * each.get(self.meaning.unit, 1)

    @property
    def use(self) -> MeasureUse:
        """What a holder needs to know of it."""
        return MeasureUse(of=self.of, first_days=self.first_days, last_days=self.last_days)


class Figure(Noun):
    """Something made of released cells: post-processing, which costs nothing.

    Attributes:
        name: its own.
        formula: see :mod:`privacy.analyses.tables.formulas`; ``is`` in a study's file.
        over: dimensions that are added up on both sides.
        view: how it is shown.
        unit: how it is written; empty for what follows from its formula (see the coordinator's ``unit_of``).
        en, zh: its title; its name where there is none.
    """

    name: Named
    formula: FormulaText
    over: tuple[DimensionName, ...] = Field(default=(), max_length=4)
    view: View = "table"
    unit: Literal["", "share", "amount", "number"] = ""
    en: str = Field(default="", max_length=80)
    zh: str = Field(default="", max_length=80)

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = dict(value)
        if "is" in given:
            given["formula"] = given.pop("is")
        if isinstance(given.get("over"), str):
            given["over"] = (given["over"],)
        return given

    @property
    def parsed(self) -> Formula:
        """What the formula means."""
        return parse_formula(self.formula)


class KnownCells(Noun):
    """Cells that an earlier run has released, of the months that were over then: they are not asked about again.

    Attributes:
        origin: which run, for people.
        closed: its as-of day: what was over on it is known.
        cohorts: first days of the periods of first orders.
        values, deviations: of each cohort by each key of the table's second dimension, in thousandths; the deviation is
            that of the noise. Cells that were not over then count for nothing.
    """

    origin: Name
    closed: dt.date
    cohorts: tuple[dt.date, ...] = Field(min_length=1, max_length=400)
    values: tuple[Annotated[int, Field(ge=-(1 << 50), le=1 << 50)], ...] = Field(max_length=MOST_CELLS)
    deviations: tuple[Annotated[int, Field(ge=0, le=1 << 50)], ...] = Field(max_length=MOST_CELLS)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.values) != len(self.deviations) or len(self.values) % len(self.cohorts):
            raise ValueError("known cells: as many deviations as values, and as many for each cohort")
        return self


class Table(Noun):
    """One declared table.

    Attributes:
        name: its own, and that of its figures' measures elsewhere.
        en, zh: its title; its name where there is none.
        by, where, events: see :class:`privacy.kernel.declarations.CellTable`.
        usual_cells: how many cells a usual customer fills; one who fills more is scaled down. Accuracy, never privacy.
        most_cells: how many one customer can fill at most; for ``lost`` only.
        lost: thousandths of the table's allowance for the coordinate that says how much scaling took off the first
            measure; 0 for none.
        release: ``all`` cells anew, or ``new``: only those whose months have ended since the run before, of which a
            customer fills one or a few, so they are more exact; the others are taken from it.
        known: those others, written out by the coordinator; None where there was no run before.
        part: its part of the question's allowance, in proportion to the others'; 0 for the square root of
            ``usual_cells``, which makes the sum over tables of a cell's variance least.
        measure: what is added up.
        figure: what is made of it.
    """

    name: Named
    en: str = Field(default="", max_length=80)
    zh: str = Field(default="", max_length=80)
    by: tuple[DimensionUse, ...] = Field(min_length=1, max_length=4)
    where: tuple[Condition, ...] = Field(default=(), max_length=8)
    events: EventChoice | None = since("0.2.0", None)
    usual_cells: int = Field(default=1, ge=1, le=MOST_CELLS)
    most_cells: int = Field(default=0, ge=0, le=MOST_CELLS)
    lost: int = Field(default=0, ge=0, le=200)
    release: Literal["all", "new"] = "all"
    known: KnownCells | None = since("0.2.0", None)
    part: int = Field(default=0, ge=0, le=1000)
    measure: tuple[Measure, ...] = Field(min_length=1, max_length=MOST_MEASURES)
    figure: tuple[Figure, ...] = Field(default=(), max_length=16)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.cell_table()  # the rules that a holder needs, too
        for what, names in (("measures", [m.name for m in self.measure]), ("figures", [f.name for f in self.figure])):
            if len(set(names)) != len(names):
                raise ValueError(f"{self.name}: two {what} have one name")
        if self.lost and self.most_cells <= self.usual_cells:
            raise ValueError(f"{self.name}: nothing can be lost unless most_cells is above usual_cells")
        if self.usual_cells > 1 and not self.cell_table().feed:
            raise ValueError(f"{self.name}: its dimensions are of customers, who fill one cell each; usual_cells is 1")
        if self.cell_table().is_written_out and self.usual_cells > self.cell_table().cells:
            raise ValueError(f"{self.name}: usual_cells is above the number of cells")
        self._check_release()
        for figure in self.figure:
            self._check(figure)
        return self

    def _check_release(self) -> None:
        if self.known is not None and self.release != "new":
            raise ValueError(f'{self.name}: known cells go with release = "new"')
        if self.release != "new":
            return
        if self.dimensions != COHORTS or self.by[1].keys.first is None or len(self.measure) != 1 or self.lost:
            names = " and ".join(COHORTS)
            raise ValueError(f'{self.name}: release = "new" goes with a table by {names}, one measure and no lost')
        if self.known is not None and len(self.known.values) != len(self.known.cohorts) * self.by[1].keys.count:
            raise ValueError(f"{self.name}: the known cells are of other keys")

    def asked(self, table: CellTable, as_of: dt.date) -> tuple[int, ...]:
        """Cells that are asked about as of a day, of the same table written out; empty for all.

        With known cells these are the ones whose months have ended since, and those of cohorts that were not there.
        """
        if self.known is None:
            return ()
        last = last_months(table)
        is_known = np.repeat([day in self.known.cohorts for day in table.by[0].keys.days[:-1]], table.by[1].keys.count)
        fresh = (last < month_of(as_of)) & ~(is_known & (last < month_of(self.known.closed)))
        return tuple(np.flatnonzero(fresh).tolist())

    def _check(self, figure: Figure) -> None:
        where, dimensions = f"{self.name}.{figure.name}", self.dimensions
        for name in figure.over:
            if name not in dimensions and all(not term.table for term in figure.parsed.terms):
                raise ValueError(f"{where}: over names {name}, which is no dimension of the table")
        if figure.parsed.kind in ("survival", "median") and not {"second_order.outcome", "second_order.days"} <= set(
            dimensions
        ):
            raise ValueError(f"{where}: survival needs the dimensions second_order.outcome and second_order.days")
        if figure.parsed.kind == "survival":
            ends = self.by[dimensions.index("second_order.days")].keys.upper
            if figure.parsed.days not in ends:
                raise ValueError(f"{where}: survival({figure.parsed.days}): take an end of a bin, one of {list(ends)}")
        for term in figure.parsed.terms:
            if not term.table:
                self.check_term(where, term)

    def check_term(self, where: str, term: Linear) -> None:
        """Whether a sum of cells is one of this table.

        Raises:
            ValueError: naming what the table does not have.
        """
        measures = [measure.name for measure in self.measure]
        if term.measure and term.measure not in measures:
            raise ValueError(f"{where}: {self.name} has no measure {term.measure!r}; it has: {', '.join(measures)}")
        if term.reached:
            ordered = [use for use in self.by if use.meaning.grain == "ordered"]
            if not ordered or term.reached not in (*ordered[0].keys.values, EACH):
                raise ValueError(f"{where}: reached({term.reached}) names no step of the table")
        for name in (*term.added, *(name for name, _ in term.fixed)):
            if name not in self.dimensions:
                raise ValueError(f"{where}: {name} is no dimension of {self.name}")
        for name, key in term.fixed:
            use = self.by[self.dimensions.index(name)]
            if use.keys.is_written_out:
                use.keys.place(key, where)

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of its dimensions."""
        return tuple(use.dimension for use in self.by)

    @property
    def weight(self) -> int:
        """Its part of the question's allowance, in millionths of one, not yet in proportion."""
        return self.part * MILLION if self.part else math.isqrt(self.usual_cells * MILLION * MILLION)

    def block(self, table: CellTable, part: int, terms: Terms) -> CellBlock:
        """The table's part of the question.

        Args:
            table: the same, written out.
            part: millionths of the whole.
            terms: the study's.
        """
        whole, digits = sum(measure.part for measure in self.measure), minor_digits(terms.currency)
        asked = self.asked(table, terms.as_of)
        return CellBlock(
            name=self.name,
            cells=table.cells,
            asked=asked,
            usual_cells=min(self.usual_cells, most_of_a_cohort(asked, table) or table.cells),
            most_cells=self.most_cells,
            part=part,
            lost=self.lost * (MILLION // 1000),
            measures=tuple(
                CellMeasure(cap=one.units(digits), part=one.part * MILLION // whole) for one in self.measure
            ),
        )

    def cell_table(self) -> CellTable:
        """What a holder needs to know of it."""
        uses = tuple(measure.use for measure in self.measure)
        return CellTable(name=self.name, by=self.by, measures=uses, where=self.where, events=self.events)

    def written_out(self, as_of: dt.date, lists: Mapping[str, tuple[str, ...]]) -> CellTable:
        """The same with keys that stand for themselves, on an as-of day.

        Raises:
            ValueError: if a list that it names is not there.
        """
        table = self.cell_table()
        by = tuple(use.written_out(use.keys.written_out(as_of, lists)) for use in table.by)
        return CellTable.model_validate({**dict(table), "by": by})

    def with_lists(self, lists: Mapping[str, tuple[str, ...]]) -> Table:
        """The same with the keys written out that it takes from lists of the study; periods stay as they are."""
        by = tuple(
            use.written_out(Keys(values=_listed(use.keys, lists)) if use.keys.source else use.keys) for use in self.by
        )
        return Table.model_validate({**dict(self), "by": by})


#: The table whose cells close with their months.
COHORTS: tuple[DimensionName, DimensionName] = ("first_order.month", "order.months_since_first")


def month_of(day: dt.date) -> int:
    """Number of a day's calendar month, counted through all years."""
    return day.year * 12 + day.month


def last_months(table: CellTable) -> FloatArray:
    """By cell of a table of cohorts, the last month in which its orders may be; infinite for the open bin.

    A first order in month i and one m months later is one in month i + m: of a cohort of several months the last one
    counts, and of a bin of months its end.
    """
    ends = np.array([month_of(day - _DAY) for day in table.by[0].keys.days[1:]], dtype=np.float64)
    since = [math.inf if key == "above" else float(key) for key in table.by[1].keys.spelled]
    return np.asarray(np.add.outer(ends, since).ravel())


def most_of_a_cohort(asked: tuple[int, ...], table: CellTable) -> int:
    """Most cells of one cohort among those that are asked about: a customer is in no more; 0 where all are asked."""
    return max(Counter(cell // table.by[-1].keys.count for cell in asked).values(), default=0)


def _listed(keys: Keys, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return keys.written_out(dt.date.min, lists).values


class TableChange(Noun):
    """What a study sets otherwise in a table of the catalogue; what is not stated stays.

    Attributes:
        keys: other keys, by dimension: fewer keys are the lever that makes a cell more exact.
        cap: other caps, by measure.
        where, usual_cells, most_cells, lost, release, part: as in :class:`Table`.
    """

    keys: dict[DimensionName, Keys] = Field(default_factory=dict, max_length=4)
    cap: dict[Name, Annotated[int, Field(ge=1, le=MOST_CAP)]] = Field(default_factory=dict, max_length=MOST_MEASURES)
    where: tuple[Condition, ...] | None = since("0.2.0", None, max_length=8)
    usual_cells: int | None = since("0.2.0", None, ge=1, le=MOST_CELLS)
    most_cells: int | None = since("0.2.0", None, ge=0, le=MOST_CELLS)
    lost: int | None = since("0.2.0", None, ge=0, le=200)
    release: Literal["all", "new"] | None = since("0.2.0", None)
    part: int | None = since("0.2.0", None, ge=1, le=1000)

    def of(self, table: Table) -> Table:
        """A table with the change.

        Raises:
            ValueError: if the table has no such dimension or measure.
        """
        for name in self.keys:
            if name not in table.dimensions:
                raise ValueError(f"change.{table.name}.keys: the table has no dimension {name}")
        for measure in self.cap:
            if measure not in [one.name for one in table.measure]:
                raise ValueError(f"change.{table.name}.cap: the table has no measure {measure}")
        by = [
            DimensionUse(dimension=use.dimension, keys=self.keys.get(use.dimension, use.keys), roles=use.roles)
            for use in table.by
        ]
        measures = [{**dict(one), "cap": self.cap.get(one.name, one.cap)} for one in table.measure]
        rest = ("where", "usual_cells", "most_cells", "lost", "release", "part")
        stated = {name: getattr(self, name) for name in rest if getattr(self, name) is not None}
        if self.release == "new":  # what scaling takes off is not asked where a customer fills so few cells
            stated = {"lost": 0, **stated}
        return Table.model_validate({**dict(table), "by": tuple(by), "measure": tuple(measures), **stated})
