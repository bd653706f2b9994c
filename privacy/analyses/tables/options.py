"""What a study says of its tables. What it takes from the catalogue is written out before a holder sees it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self

from pydantic import Field, model_validator

from privacy.analyses.tables.cell_sums import MILLION, CellSums
from privacy.analyses.tables.changes import TableChange
from privacy.analyses.tables.declared import ReleasedNumber, Table
from privacy.kernel.canonical import Noun, since
from privacy.kernel.cells import MOST_TABLES, CellRequest
from privacy.kernel.declarations import Named
from privacy.kernel.features import ListedValue
from privacy.kernel.keys import MOST_KEYS
from privacy.kernel.public_tags import PublicTag
from privacy.kernel.terms import Terms

_List = Annotated[tuple[ListedValue, ...], Field(min_length=1, max_length=MOST_KEYS)]


class TablesOptions(Noun):
    """What the analysis counts.

    The coordinator writes the tables of ``use`` out into ``table``, with ``lists``, ``tag`` and ``change`` applied, and
    empties these four: what holders approve, and what an auditor reads, has every key and rule, and does not depend on
    a catalogue.

    Attributes:
        use: tables of the catalogue, by name.
        lists: keys that tables name by ``{from = "lists.NAME"}``.
        change: what of a catalogue's table is otherwise in this study, by the table's name.
        tag: tags that tables are counted by, ``tag.CODE``; rules that every holder answers on its own rows.
        table: declared tables: the study's own, and those that are written out.
        floor: no figure is shown of fewer customers than this, by the noisy count below it.
    """

    use: tuple[Named, ...] = Field(default=(), max_length=MOST_TABLES)
    lists: dict[Named, _List] = Field(default_factory=dict, max_length=20)
    change: dict[Named, TableChange] = Field(default_factory=dict, max_length=MOST_TABLES)
    tag: tuple[PublicTag, ...] = since("0.2.0", (), max_length=MOST_TABLES)
    table: tuple[Table, ...] = Field(default=(), max_length=MOST_TABLES)

    floor: int = Field(default=20, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        codes = [tag.code for tag in self.tag]
        if len(set(codes)) != len(codes):
            raise ValueError("two tags have one code")
        names = [table.name for table in self.table]
        if len(set(names)) != len(names):
            raise ValueError("two tables have one name")
        if len(set(self.use)) != len(self.use):
            raise ValueError("use names a table twice")
        if clash := sorted(set(self.use) & set(names)):
            raise ValueError(f"{clash[0]} is a table of the catalogue: give your own another name, or use change")
        for table in self.table:
            for figure in table.figure:
                for term in figure.parsed.terms:
                    self._check_other(f"{table.name}.{figure.name}", term.table, names)
        return self

    def _check_other(self, where: str, other: str, names: list[str]) -> None:
        if other and other not in names and not self.use:
            raise ValueError(f"{where}: there is no table {other!r}")

    @property
    def is_written_out(self) -> bool:
        """Whether nothing refers to a catalogue or a list: what a holder answers."""
        uses = [use for one in self.table for use in one.by]
        keys = all(not use.keys.source for use in uses)
        rules = all(use.says_its_rule for use in uses)
        caps = all(not isinstance(measure.cap, ReleasedNumber) for one in self.table for measure in one.measure)
        return not self.use and not self.change and not self.tag and keys and rules and caps

    def request(self, as_of: dt.date) -> CellRequest:
        """What a holder finds of its customers: the entries of every table that is written out."""
        return CellRequest(tables=tuple(table.written_out(as_of, self.lists) for table in self.table))

    def question(self, terms: Terms) -> CellSums:
        """The analysis' one question: the parts of its tables add up to the whole ball.

        Raises:
            ValueError: if no table is written out.
        """
        tables, whole = self.request(terms.as_of).tables, sum(table.weight for table in self.table)
        return CellSums(
            tables=tuple(
                declared.block(table, declared.weight * MILLION // whole, terms)
                for declared, table in zip(self.table, tables, strict=True)
            )
        )
