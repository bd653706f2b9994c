"""Where a holder's rows are: an explicit catalogue from URL scheme to opener.

An opener yields the rows as an Ibis table, read-only; everything after it is Ibis expressions, so the next database is
one function and one line in ``OPENERS``. Error texts name files and columns, never what stands in a row.
"""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import ibis
import pyarrow as pa
from ibis.expr import datatypes as dtypes
from ibis.expr import types as ir

from clients.data.config import HolderConfig
from privacy.errors import CohortiumError, DataError

#: Opens a location (what follows ``scheme://``; paths are relative to ``base``).
Opener = Callable[[HolderConfig, str, Path], AbstractContextManager[ir.Table]]

#: DuckDB by itself takes 80% of the machine's (or the container's) memory; half of the machine's is 5/8 of that.
_SHARE_OF_DEFAULT = 0.625

_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".csv.gz": "csv",
    ".duckdb": "duckdb", ".ddb": "duckdb", ".db": "duckdb",
}  # fmt: skip
_URL = re.compile(r"^([a-z][a-z0-9+.]*)://(.*)$", re.DOTALL)
_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")


def resolve(base: Path, location: str) -> Path:
    """A path of ``holder.toml``: as it is when absolute, else from the folder of that file."""
    return base / Path(location).expanduser()


@contextlib.contextmanager
def open_source(config: HolderConfig, *, base: Path) -> Iterator[ir.Table]:
    """Open a holder's rows, read-only; closed, and spilled data removed, on leaving the ``with`` block.

    Raises:
        DataError: if there is nothing at the URL, or it cannot be read as what it claims to be.
    """
    scheme, location = _split(config.source.url)
    opener = OPENERS.get(scheme)
    if opener is None:
        raise DataError(f"no source for {scheme}:// URLs", hint=f"there is: {', '.join(sorted(OPENERS))}")
    with opener(config, location, base) as table:
        yield table


def fetch(expression: ir.Table, *, what: str) -> pa.Table:
    """Run a query and return its (small) result.

    Raises:
        DataError: if the source fails in the middle; the text says what was being done and, for a CSV file, the
            line, but not what the line says.
    """
    try:
        return expression.to_pyarrow()
    except CohortiumError:
        raise
    except Exception as problem:  # every database has exception types of its own, and their texts quote rows
        line = _CSV_LINE.search(str(problem))
        where = f", at line {line[1]} of a CSV file" if line else ""
        raise DataError(
            f"the source failed while {what}{where} ({type(problem).__name__})",
            hint="look at that line" if line else "check that the source is complete and not being written",
        ) from None


def _split(url: str) -> tuple[str, str]:
    match = _URL.match(url)
    scheme, location = (match[1], match[2]) if match else ("", url)
    if scheme == "file":
        scheme, location = "", unquote(location)
    if scheme:
        return scheme, location
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if location.lower().endswith(suffix):
            return _SUFFIXES[suffix], location
    raise DataError(
        f"cannot tell what {location} is from its name",
        hint="write parquet://, csv:// or duckdb:// before the path",
    )


def csv_files(url: str, *, base: Path) -> list[Path] | None:
    """The files behind a URL of CSV files; None where it is something else.

    Raises:
        DataError: if there are none.
    """
    scheme, location = _split(url)
    return [Path(name) for name in _files(base, location)] if scheme == "csv" else None


def _files(base: Path, location: str) -> list[str]:
    path = resolve(base, location)
    found = [name for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]
    if not found:
        hint = "add a pattern such as /*.parquet" if path.is_dir() else "check source.url in holder.toml"
        raise DataError(f"there is no file at {path}", hint=hint)
    return found


@contextlib.contextmanager
def _duckdb(config: HolderConfig) -> Iterator[tuple[Any, Path]]:
    """An in-memory DuckDB and a private scratch folder; rows that do not fit in memory go to that folder."""
    with tempfile.TemporaryDirectory(prefix="cohortium-", ignore_cleanup_errors=True) as folder:  # owner-only
        scratch = Path(folder)
        connection = ibis.duckdb.connect(
            temp_directory=str(scratch / "spill"),
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,  # a holder's machine fetches no code while it runs
        )
        try:
            limit = config.source.memory or _half_of_memory(connection)
            connection.raw_sql(f"SET memory_limit = '{limit}'")
            connection.raw_sql("SET TimeZone = 'UTC'")
            yield connection, scratch
        finally:
            connection.disconnect()


def _half_of_memory(connection: Any) -> str:
    default = connection.raw_sql("SELECT current_setting('memory_limit')").fetchone()[0]
    number, unit = default.split()
    return f"{float(number) * _SHARE_OF_DEFAULT:.1f}{unit}"


@contextlib.contextmanager
def _open_parquet(config: HolderConfig, location: str, base: Path) -> Iterator[ir.Table]:
    paths = _files(base, location)
    with _duckdb(config) as (connection, _):
        try:
            table = connection.read_parquet(paths, table_name="sales", union_by_name=True)
        except Exception:
            raise DataError(
                f"{resolve(base, location)} cannot be read as Parquet",
                hint="check that the files are complete and have the same columns",
            ) from None
        yield table


@contextlib.contextmanager
def _open_csv(config: HolderConfig, location: str, base: Path) -> Iterator[ir.Table]:
    """All columns come as text: what a column holds must not depend on which rows a guess looked at."""
    paths = _files(base, location)
    form = config.source.csv
    with _duckdb(config) as (connection, scratch):
        if form.encoding != "utf-8":
            paths = [_as_utf8(name, form.encoding, scratch / f"{i}.csv") for i, name in enumerate(paths)]
        try:
            table = connection.read_csv(
                paths, table_name="sales", header=True, all_varchar=True, delim=form.separator, quote='"',
                union_by_name=True,
            )  # fmt: skip
        except Exception:
            raise DataError(
                f"{resolve(base, location)} cannot be read as CSV",
                hint="check [source.csv] separator and encoding, and that the first line names the columns",
            ) from None
        yield _read_local_spelling(table, config)


def _as_utf8(name: str, encoding: str, target: Path) -> str:
    try:
        with (
            open(name, encoding=encoding, newline="") as source,
            open(target, "w", encoding="utf-8", newline="") as copy,
        ):
            shutil.copyfileobj(source, copy, 1 << 20)
    except UnicodeError:
        raise DataError(f"{name} is not {encoding} text", hint="set encoding in [source.csv]") from None
    return str(target)


@ibis.udf.scalar.builtin(name="try_strptime", signature=((dtypes.string, dtypes.string), dtypes.timestamp))
def _try_strptime(text, form):  # type: ignore[no-untyped-def]  # a DuckDB function; Ibis reads the signature above
    """DuckDB's ``try_strptime``: the time, or null."""


def _read_local_spelling(table: ir.Table, config: HolderConfig) -> ir.Table:
    """Bring decimal commas and local dates to plain numbers and timestamps; what cannot be read becomes null."""
    form, columns = config.source.csv, config.columns
    changes: dict[str, ir.Value] = {}
    for name in (columns.amount, columns.quantity, columns.price):
        if name is not None and name in table.columns and (form.decimal != "." or form.thousands):
            text = table[name].replace(form.thousands, "") if form.thousands else table[name]
            changes[name] = text.replace(form.decimal, ".")
    if form.date_format and columns.time in table.columns:
        changes[columns.time] = _try_strptime(table[columns.time].strip(), form.date_format)
    return table.mutate(**changes) if changes else table


def _attach(connection: Any, path: Path) -> None:
    if not path.is_file():
        raise DataError(f"there is no file at {path}", hint="check source.url in holder.toml")
    try:
        connection.attach(path, name="holder", read_only=True)
    except Exception:
        raise DataError(
            f"{path} cannot be opened as a DuckDB database",
            hint="close programs that write to it, and check that this DuckDB is not older than the file",
        ) from None


@contextlib.contextmanager
def _open_duckdb(config: HolderConfig, location: str, base: Path) -> Iterator[ir.Table]:
    path = resolve(base, location)
    name = config.source.table
    if name is None:
        raise DataError("a database needs a table", hint='add table = "..." under [source]')
    with _duckdb(config) as (connection, _):
        _attach(connection, path)
        schema, _, table = name.rpartition(".")
        try:
            opened = connection.table(table, database=("holder", schema or "main"))
        except Exception:
            raise DataError(f"{path} has no table {name!r}", hint="check source.table in holder.toml") from None
        yield opened


@contextlib.contextmanager
def _open_postgres(config: HolderConfig, location: str, base: Path) -> Iterator[ir.Table]:
    with needs_psycopg():
        from clients.data.postgres import open_postgres
    with open_postgres(config, location, base) as table:
        yield table


@contextlib.contextmanager
def needs_psycopg() -> Iterator[None]:
    """Around imports of modules for PostgreSQL, whose driver is an extra.

    Raises:
        DataError: if it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] != "psycopg":
            raise
        raise DataError(
            "PostgreSQL needs a package that is not installed", hint='pip install "cohortium[postgres]"'
        ) from None


def list_tables(config: HolderConfig, *, base: Path) -> tuple[str, ...] | None:
    """Tables and views of a database as ``schema.table``; None where the source is files.

    Raises:
        DataError: if the database cannot be opened.
    """
    scheme, location = _split(config.source.url)
    if scheme in ("postgres", "postgresql"):
        with needs_psycopg():
            from clients.data.postgres import list_postgres_tables
        return list_postgres_tables(config, location, base)
    if scheme != "duckdb":
        return None
    with _duckdb(config) as (connection, _):
        _attach(connection, resolve(base, location))
        query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'holder'"
        found = sorted(connection.raw_sql(query).fetchall())
    return tuple(table if schema == "main" else f"{schema}.{table}" for schema, table in found)


#: The catalogue of sources. One function and one line here add a database.
OPENERS: dict[str, Opener] = {
    "csv": _open_csv,
    "duckdb": _open_duckdb,
    "parquet": _open_parquet,
    "postgres": _open_postgres,
    "postgresql": _open_postgres,
}
