"""What the tables of a study leave: every cell that was released, and the figures that are made of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from privacy.analyses.tables.declared import View
from privacy.figures.estimates import Estimate, Figures, Value
from privacy.kernel.declarations import MOST_CELLS, Named
from privacy.kernel.keys import MOST_KEYS

_Text = Annotated[str, Field(max_length=80)]

#: Why a figure is not there: the noise or the study's floor leave none, or its time is not over.
Why = Literal["", "noise", "floor", "not_over"]

#: How a figure is written: a share of 1, a difference of two shares, an amount of the study's currency, a number with
#: decimals, or a count.
Unit = Literal["share", "points", "amount", "number", "count"]


class MeasureCells(Value):
    """One measure of a table: every cell that was released.

    Attributes:
        name: the measure's.
        margin: half-width of the 95% interval of any of them; the largest where they differ.
        margins: of each of them where they differ; empty where not.
        values: in whole units, cell by cell, the last dimension's keys fastest.
    """

    name: Named
    margin: float
    values: tuple[float, ...] = Field(max_length=MOST_CELLS)
    margins: tuple[float, ...] = Field(default=(), max_length=MOST_CELLS)


class Point(Value):
    """One value of a figure; the one of five that its unit has, or none and why.

    Attributes:
        keys: of the figure's dimensions.
        share, points, amount, number, count: see :data:`Unit`.
        why: why there is none.
    """

    keys: tuple[_Text, ...] = Field(max_length=4)
    share: Estimate | None = None
    points: Estimate | None = None
    amount: Estimate | None = None
    number: Estimate | None = None
    count: Estimate | None = None
    why: Why = ""

    @property
    def estimate(self) -> Estimate | None:
        """The value."""
        return next(
            (one for one in (self.share, self.points, self.amount, self.number, self.count) if one is not None), None
        )


class FigureValues(Value):
    """One figure of a table.

    Attributes:
        name: the figure's.
        view: how it is shown.
        unit: how it is written.
        dimensions: those that it has a value for each key of.
        points: the values, the last dimension's keys fastest.
    """

    name: Named
    view: View
    unit: Unit
    dimensions: tuple[_Text, ...] = Field(max_length=4)
    points: tuple[Point, ...] = Field(max_length=MOST_CELLS)


class TableFigures(Value):
    """One table.

    Attributes:
        name: the table's.
        dimensions: its dimensions.
        keys: of each of them, in order.
        measures: its cells.
        lost: share of the first measure that is not counted, because some customers fill more cells than usual; None
            where that was not asked.
        figures: what is made of them.
        holders, of_holders: how many of the participants have what the table reads; the others are in it with zeros.
            0 of 0 where nobody said.
    """

    name: Named
    dimensions: tuple[_Text, ...] = Field(max_length=4)
    keys: tuple[Annotated[tuple[_Text, ...], Field(max_length=MOST_KEYS)], ...] = Field(max_length=4)
    measures: tuple[MeasureCells, ...] = Field(max_length=8)
    lost: Estimate | None = None
    figures: tuple[FigureValues, ...] = Field(max_length=16)
    holders: int = Field(default=0, ge=0, le=1000)
    of_holders: int = Field(default=0, ge=0, le=1000)


class TablesResult(Figures):
    """The analysis' result: the study's tables in their order."""

    tables: tuple[TableFigures, ...] = Field(max_length=40)


#: What a study's result has under this analysis' name.
RESULT = TablesResult
