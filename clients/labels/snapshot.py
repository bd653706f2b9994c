"""A snapshot as it is stored: a table of customers, and everything else in the table's metadata."""

from __future__ import annotations

import datetime as dt
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import pyarrow as pa


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StoredSnapshot(ABC):
    """One study's customers of one as-of day, as they were labelled; nothing is worked out again later.

    Attributes:
        FACTS: the table's columns, in order.
        METADATA: under which key of the table's metadata the rest stands, as JSON.
        study: the study's name.
        as_of: the study's day.
        table: one row per customer, ascending by id.
    """

    FACTS: ClassVar[Mapping[str, pa.DataType]]
    METADATA: ClassVar[bytes]

    study: str
    as_of: dt.date
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<private>)"

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Everything but study, day and table, for JSON."""

    @classmethod
    @abstractmethod
    def read_about(cls, about: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that ``about`` gave.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """

    @classmethod
    def read_table(cls, table: pa.Table, fields: Mapping[str, Any]) -> pa.Table:
        """A stored table as this release has it.

        Raises:
            ValueError: if it has other columns.
        """
        if not table.schema.equals(pa.schema(cls.FACTS)):
            raise ValueError("other columns")
        return table

    def with_metadata(self) -> pa.Table:
        """The table with everything else in its metadata, to be stored."""
        about = {"study": self.study, "as_of": self.as_of.isoformat(), **self.about()}
        return self.table.replace_schema_metadata({self.METADATA: json.dumps(about, ensure_ascii=False).encode()})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """What ``with_metadata`` made.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        about = json.loads((table.schema.metadata or {})[cls.METADATA])
        fields = cls.read_about(about)
        return cls(
            study=about["study"],
            as_of=dt.date.fromisoformat(about["as_of"]),
            table=cls.read_table(table, fields).replace_schema_metadata(None).combine_chunks(),
            **fields,
        )
