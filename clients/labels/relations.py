"""The relations that labels have in a database, and what one day's labels put into them.

For a target ``labels``: ``labels_history`` has a row per customer, study and as-of day; ``labels_spellings`` a row for
every further spelling of an id; ``labels_as_of`` a row per study and day. Two views show each study's latest day:
``labels`` with a row per customer, ``labels_by_source_id`` with a row per spelling. Churn scores have the same
relations under ``labels_churn``, clusters under ``labels_clusters``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from clients.labels.config import DatabaseTarget
from clients.labels.day_rows import BLOCK, DayRows
from privacy.errors import DataError

Name = tuple[str, ...]

DAYS = pa.schema({"study": pa.string(), "as_of": pa.date32(), "customers": pa.int64()}.items())
DAYS_KEY = ("study", "as_of")
_SPELLINGS = pa.schema(
    {"study": pa.string(), "as_of": pa.date32(), "source_id": pa.string(), "customer_id": pa.string()}.items()
)
_TYPES = {
    pa.string(): "TEXT", pa.date32(): "DATE", pa.int64(): "BIGINT", pa.int8(): "SMALLINT", pa.bool_(): "BOOLEAN",
    pa.decimal128(18, 3): "DECIMAL(18, 3)", pa.decimal128(5, 4): "DECIMAL(5, 4)",
    pa.decimal128(7, 4): "DECIMAL(7, 4)",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Relations:
    """Names, each as ``(schema, table)`` or ``(table,)``."""

    current: Name
    by_source_id: Name
    history: Name
    spellings: Name
    days: Name

    @classmethod
    def of(cls, target: DatabaseTarget, kind: str) -> Relations:
        """Those of a target, for rows of a kind."""
        *schema, table = target.table.split(".")
        table += f"_{kind}" if kind else ""

        def named(end: str) -> Name:
            return (*schema, f"{table}{end}")

        return cls(
            current=named(""),
            by_source_id=named("_by_source_id"),
            history=named("_history"),
            spellings=named("_spellings"),
            days=named("_as_of"),
        )

    def views(self, quoted: Callable[[Name], str], columns: Iterable[str]) -> dict[Name, str]:
        """The queries behind the views, in the order in which they can be made."""
        history, days, current, spellings = map(quoted, (self.history, self.days, self.current, self.spellings))
        own = ", ".join(f"labels.{name}" for name in columns)
        other = ", ".join(f"also.{name}" if name == "source_id" else f"labels.{name}" for name in columns)
        return {
            self.current: f"SELECT {own} FROM {history} AS labels JOIN "
            f"(SELECT study, max(as_of) AS as_of FROM {days} GROUP BY study) AS latest USING (study, as_of)",
            self.by_source_id: f"SELECT {own} FROM {current} AS labels UNION ALL "
            f"SELECT {other} FROM {current} AS labels JOIN {spellings} AS also USING (study, as_of, customer_id)",
        }


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one day's labels put into one table.

    Attributes:
        name: of the table.
        schema: its columns.
        key: what tells its rows apart; ``study`` and ``as_of`` first.
        size: number of rows.
        blocks: the rows; may be called again.
        added: columns that tables of earlier releases do not have; they are added to them.
    """

    name: Name
    schema: pa.Schema
    key: tuple[str, str, str]
    size: int
    blocks: Callable[[], Iterator[pa.RecordBatch]]
    added: frozenset[str] = frozenset()

    def lacking(self, found: Collection[str]) -> dict[str, str]:
        """Columns that a table with these lacks, with their types; none where it is not one of an earlier release."""
        missing = {item.name: _TYPES[item.type] for item in self.schema if item.name not in found}
        return missing if {*found} <= {*self.schema.names} and missing.keys() <= self.added else {}

    @property
    def definition(self) -> str:
        """The columns in SQL."""
        return definition(self.schema, self.key)


def parts(rows: DayRows[Any], relations: Relations) -> tuple[Part, Part]:
    """The rows for the history, and for the spellings."""
    others, source_ids = rows.other_spellings()

    def spellings() -> Iterator[pa.RecordBatch]:
        ids = rows.snapshot.table["customer_id"].take(pa.array(others)).combine_chunks()
        study, as_of = pa.scalar(rows.snapshot.study), pa.scalar(rows.snapshot.as_of, pa.date32())
        for start in range(0, len(others), BLOCK):
            found = source_ids.slice(start, BLOCK)
            same = [pa.repeat(study, len(found)), pa.repeat(as_of, len(found))]
            yield pa.record_batch([*same, found, ids.slice(start, BLOCK)], schema=_SPELLINGS)

    return (
        Part(
            name=relations.history,
            schema=rows.schema(wide=True),
            key=("study", "as_of", "customer_id"),
            size=len(rows.snapshot),
            blocks=lambda: rows.blocks(wide=True),
            added=rows.added,
        ),
        Part(
            name=relations.spellings,
            schema=_SPELLINGS,
            key=("study", "as_of", "source_id"),
            size=len(others),
            blocks=spellings,
        ),
    )


def definition(schema: pa.Schema, key: tuple[str, ...]) -> str:
    """Columns in SQL, those of the key not null."""
    return ", ".join(f"{item.name} {_TYPES[item.type]}{' NOT NULL' if item.name in key else ''}" for item in schema)


def check_columns(found: Iterable[str], expected: Iterable[str], target: DatabaseTarget) -> None:
    """Whether a table has the columns that it should have, in any order.

    Raises:
        DataError: if it has not.
    """
    if sorted(found) != sorted(expected):
        raise DataError(
            f"the tables {target.table}... are there with other columns", hint="give the target another table's name"
        )
