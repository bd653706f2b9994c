"""A table as a study declares it: what is counted by what, how one customer is bounded, and what is made of it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from privacy.analyses.tables.cell_sums import MILLION, CellBlock, CellMeasure
from privacy.analyses.tables.cohorts import COHORTS, KnownCells, last_months, month_of, most_of_a_cohort
from privacy.analyses.tables.formulas import EACH, Formula, Linear, parse_formula
from privacy.kernel.canonical import Noun, since
from privacy.kernel.declarations import (
    MOST_CELLS,
    MOST_MEASURES,
    AnyDimension,
    CellTable,
    Condition,
    DimensionUse,
    EventChoice,
    MeasureUse,
    Named,
)
from privacy.kernel.dimensions import WHOLE, MeasureText
from privacy.kernel.keys import Keys
from privacy.kernel.public_tags import PublicTag
from privacy.kernel.terms import Terms, minor_digits

#: How a figure is shown: as one number each, bars, a line over its keys, a heat map of two dimensions, the steps of a
#: funnel, or a plain table.
View = Literal["number", "bars", "curve", "heatmap", "funnel", "table"]

#: Highest cap, in whole units; in smallest units, a thousandth of a unit at most, it must fit the statistic's.
MOST_CAP = 30_000_000

Cap = Annotated[int, Field(ge=1, le=MOST_CAP)]


def _formula(text: str) -> str:
    parse_formula(text)
    return text


FormulaText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300), AfterValidator(_formula)]


class ReleasedNumber(Noun):
    """A number that an earlier run has released, ``{from = "ANALYSIS.NAME"}`` in a study's file.

    Attributes:
        source: the analysis, and what its results call it.
    """

    source: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$")]

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        return {"source": value["from"]} if isinstance(value, Mapping) and set(value) == {"from"} else value


class Measure(MeasureUse):
    """A measure of a table.

    Attributes:
        name: by which figures name it.
        cap: the most that one customer adds to a cell, in whole units (of the study's currency for money); what is
            above is cut off. A share or a weight is at most 1 anyway. One that an earlier run has released is written
            out by the coordinator.
        part: its part of the table's allowance, in proportion to the others'.
    """

    name: Named
    of: MeasureText = "customers"
    cap: Cap | ReleasedNumber | None = since("0.2.0", None)
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
        return self.most * each.get(self.meaning.unit, 1)

    @property
    def most(self) -> int:
        """The cap in whole units; 1 where there is none.

        Raises:
            ValueError: if it is of an earlier run, and not written out.
        """
        if isinstance(self.cap, ReleasedNumber):
            raise ValueError(f"{self.name}: {self.cap.source} is of an earlier run, and none is at hand")
        return self.cap or 1

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
    over: tuple[AnyDimension, ...] = Field(default=(), max_length=4)
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
            use.written_out(Keys(values=_listed(use.keys, lists)) if use.keys.is_listed else use.keys)
            for use in self.by
        )
        return Table.model_validate({**dict(self), "by": by})

    def with_tags(self, tags: Mapping[str, PublicTag]) -> Table:
        """The same with the study's tags written out where it counts by them.

        Raises:
            ValueError: if the study has no such tag, or its keys are others.
        """
        by = tuple(_tagged(use, tags) for use in self.by)
        return Table.model_validate({**dict(self), "by": by})

    def with_released(self, cuts: Callable[[str], tuple[int, ...]], minor_digits: int) -> Table:
        """The same with what it takes from an earlier run written out: bins of keys, numbers in rules, and caps.

        Args:
            cuts: numbers by ``ANALYSIS.NAME``, money in minor units of the currency; raises where none are known.
            minor_digits: of that currency. Money is in whole units here, and rounded to them: caps up.
        """

        def bins(use: DimensionUse) -> DimensionUse:
            if use.tag is not None:
                use = use.changed(tag=use.tag.with_released(cuts, minor_digits))
            if not use.keys.is_released:
                return use
            unit = 10**minor_digits if use.dimension == "money_band" else 1
            upper = sorted({round(Fraction(cut, unit)) for cut in cuts(use.keys.source or "")})
            return use.model_copy(update={"keys": Keys(upper=tuple(upper))})

        def capped(one: Measure) -> Measure:
            if not isinstance(one.cap, ReleasedNumber):
                return one
            unit = 10**minor_digits if one.meaning.unit == "money" else 1
            most = math.ceil(Fraction(max(cuts(one.cap.source)), unit))
            return one.model_copy(update={"cap": min(max(most, 1), MOST_CAP)})

        by, measures = tuple(map(bins, self.by)), tuple(map(capped, self.measure))
        return Table.model_validate({**dict(self), "by": by, "measure": measures})


def _tagged(use: DimensionUse, tags: Mapping[str, PublicTag]) -> DimensionUse:
    if not use.is_tag or use.tag is not None:
        return use
    code = use.dimension.partition(".")[2]
    if code not in tags:
        raise ValueError(f"{use.dimension}: the study has no tag {code!r}; state it under [[tables.tag]]")
    return use.changed(tag=tags[code])


def _listed(keys: Keys, lists: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return keys.written_out(dt.date.min, lists).values
