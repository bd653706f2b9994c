"""Where a holder's rows are: an explicit catalogue from URL scheme to opener, one module for each kind of source.

An opener yields the rows as an Ibis table, read-only; everything after it is Ibis expressions, so the next database is
one module and one line in ``OPENERS``. Error texts name files and columns, never what stands in a row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import ibis
import pyarrow as pa
from ibis.expr import types as ir

from clients.data.place import Reading, beside
from clients.data.sources.advice import ADVICE
from clients.data.sources.campaigns import open_campaigns
from clients.data.sources.csv import open_csv
from clients.data.sources.duckdb import list_duckdb_tables, open_duckdb
from clients.data.sources.excel import list_sheets, open_excel
from clients.data.sources.json_lines import open_json_lines
from clients.data.sources.last_orders import with_last_orders
from clients.data.sources.locations import split
from clients.data.sources.opened import Opened
from clients.data.sources.parquet import open_parquet
from clients.data.sources.sqlite import list_sqlite_tables, open_sqlite
from privacy.errors import CohortiumError, DataError

#: Selects are not merged into one before they are sent: databases do that themselves, and here it takes
#: time, which a small holder's preparation is made of.
ibis.options.sql.fuse_selects = False

#: Opens a location (what follows ``scheme://``; paths are relative to ``base``) in which every file has the mapped
#: columns: names by what they are mapped as.
Opener = Callable[[Reading, str, Path, Mapping[str, str]], AbstractContextManager[Opened]]


@contextlib.contextmanager
def open_source(config: Reading, *, base: Path, is_mapped: bool = True) -> Iterator[Opened]:
    """Open a holder's rows, read-only; closed, and copied or spilled data removed, on leaving the ``with`` block.

    Args:
        config: where the rows are, and how they are written.
        base: the folder of ``holder.toml``.
        is_mapped: False while nobody has said which column is what; then files may have any columns.

    Raises:
        ColumnsMissing: if some of the files lack a mapped column, or name it twice.
        DataError: if there is nothing at the URL, or it cannot be read as what it claims to be.
    """
    scheme, location = split(config.source.url, base)
    opener = OPENERS.get(scheme)
    if opener is None:
        raise DataError(f"no source for {scheme}:// URLs", hint=f"there is: {', '.join(sorted(OPENERS))}")
    wanted = config.columns.mapped() | beside(config.source) if is_mapped else {}
    with opener(config, location, base, wanted) as opened:
        try:
            yield opened if config.source.snapshot is None else with_last_orders(opened, config)
        except SourceFailed as failed:
            raise failed.at(config.source.url) from None


class SourceFailed(DataError):
    """A source failed in the middle of a question."""

    place = "the source"

    def at(self, place: str) -> SourceFailed:
        """The same, with where it was; the first who says so counts."""
        if self.place != SourceFailed.place:
            return self
        found = SourceFailed(self.message.replace(self.place, place, 1), hint=self.hint)
        found.place = place
        return found


def fetch(expression: ir.Table, *, what: str) -> pa.Table:
    """Run a query and return its (small) result.

    Raises:
        DataError: if the source fails in the middle; the text says what was being done, and never what a row says.
    """
    with told(what):
        return expression.to_pyarrow()


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Around what reads a source: whatever goes wrong is a ``SourceFailed`` that quotes no row."""
    try:
        yield
    except CohortiumError:
        raise
    except Exception as problem:  # every database has exception types of its own, and their texts quote rows
        kind = type(problem).__name__
        why, hint = ADVICE.get(kind, (kind, "check that the source is complete and not being written"))
        raise SourceFailed(f"{SourceFailed.place} failed while {what} ({why})", hint=hint) from None


@contextlib.contextmanager
def _open_postgres(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    with needs_psycopg():
        from clients.data.sources.postgres import open_postgres
    with open_postgres(config, location, base, mapped) as opened:
        yield opened


@contextlib.contextmanager
def _open_mysql(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    with _needs("pymysql", what="MySQL", extra="mysql"):
        from clients.data.sources.mysql import open_mysql
    with open_mysql(config, location, base, mapped) as opened:
        yield opened


@contextlib.contextmanager
def _open_spark(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    with needs_spark():
        from clients.data.sources.spark import open_spark
    with open_spark(config, location, base, mapped) as opened:
        yield opened


def needs_psycopg() -> AbstractContextManager[None]:
    """Around imports of modules for PostgreSQL, whose driver is an extra.

    Raises:
        DataError: if it is not installed.
    """
    return _needs("psycopg", what="PostgreSQL", extra="postgres")


def needs_spark() -> AbstractContextManager[None]:
    """The same for Spark."""
    return _needs("pyspark", what="Spark", extra="spark")


@contextlib.contextmanager
def _needs(package: str, *, what: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] != package:
            raise
        raise DataError(
            f"{what} needs a package that is not installed", hint=f'pip install "cohortium[{extra}]"'
        ) from None


def list_tables(config: Reading, *, base: Path) -> tuple[str, ...] | None:
    """Tables and views of a database as ``schema.table``, or sheets; None where no name is needed.

    Raises:
        DataError: if the database cannot be opened.
    """
    scheme, location = split(config.source.url, base)
    if scheme == "excel":
        return list_sheets(location, base)
    if scheme == "sqlite":
        return list_sqlite_tables(config, location, base)
    if scheme in ("postgres", "postgresql"):
        with needs_psycopg():
            from clients.data.sources.postgres import list_postgres_tables
        return list_postgres_tables(config, location, base)
    if scheme in ("mysql", "mariadb"):
        with _needs("pymysql", what="MySQL", extra="mysql"):
            from clients.data.sources.mysql import list_mysql_tables
        return list_mysql_tables(config, location, base)
    return list_duckdb_tables(config, location, base) if scheme == "duckdb" else None


#: The catalogue of sources. One module and one line here add a database.
OPENERS: dict[str, Opener] = {
    "campaigns": open_campaigns,
    "csv": open_csv,
    "duckdb": open_duckdb,
    "excel": open_excel,
    "jsonl": open_json_lines,
    "mariadb": _open_mysql,
    "mysql": _open_mysql,
    "parquet": open_parquet,
    "postgres": _open_postgres,
    "postgresql": _open_postgres,
    "spark": _open_spark,
    "sqlite": open_sqlite,
}
