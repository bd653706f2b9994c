"""Labels as tables of a database, through a connection of their own.

Three relations: ``<table>_history`` has a row per customer, study and as-of day; ``<table>_as_of`` a row per study and
day; ``<table>`` is a view of each study's latest day. One transaction writes a day: others see the labels before or
after it, and a crash leaves those before. Rows that are right already are not touched.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from clients.labels.config import DatabaseTarget
from clients.labels.rows import LabelRows
from privacy.errors import DataError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

_KEY = ("study", "as_of", "customer_id")
_DAYS = {"study": pa.string(), "as_of": pa.date32(), "customers": pa.int64()}
_TYPES = {
    pa.string(): "TEXT", pa.date32(): "DATE", pa.int64(): "BIGINT", pa.int8(): "SMALLINT", pa.bool_(): "BOOLEAN",
    pa.decimal128(18, 3): "DECIMAL(18, 3)",
}  # fmt: skip
_VIEW = """CREATE VIEW {view} AS SELECT labels.* FROM {history} AS labels
JOIN (SELECT study, max(as_of) AS as_of FROM {days} GROUP BY study) AS latest USING (study, as_of)"""
#: A holder's machine fetches no code while it runs; what does not fit in memory goes beside the database.
_SETTINGS = {"autoinstall_known_extensions": "false", "memory_limit": "1GB"}
#: How long a writer waits for another one.
LOCK_TIMEOUT = "60s"
_UMASK = threading.Lock()


def write_database(rows: LabelRows, target: DatabaseTarget, *, base: Path) -> int:
    """Write one day's labels into a database; the number of rows of that day.

    Raises:
        DataError: if the database cannot be reached or does not take them. The text holds no password and no row.
    """
    DATABASES[target.scheme](rows, target, base)
    return len(rows.snapshot)


def _names(target: DatabaseTarget) -> tuple[tuple[str, ...], ...]:
    """View, history and days, each as ``(schema, table)`` or ``(table,)``."""
    *schema, table = target.table.split(".")
    return tuple((*schema, name) for name in (table, f"{table}_history", f"{table}_as_of"))


def _definition(schema: pa.Schema, key: tuple[str, ...]) -> str:
    lines = [f"{item.name} {_TYPES[item.type]}{' NOT NULL' if item.name in key else ''}" for item in schema]
    return ", ".join(lines)


def _other_columns(target: DatabaseTarget) -> DataError:
    return DataError(
        f"the tables {target.table}... are there with other columns", hint="give the target another table's name"
    )


# --- DuckDB ------------------------------------------------------------------------------------------------------


@contextmanager
def _owner_only() -> Iterator[None]:
    """New files (the database and its log) are the owner's alone; the mask belongs to the whole process."""
    with _UMASK:
        before = os.umask(0o077)
        try:
            yield
        finally:
            os.umask(before)


def _write_duckdb(rows: LabelRows, target: DatabaseTarget, base: Path) -> None:
    import duckdb

    path = base / Path(target.url.removeprefix("duckdb://")).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with _owner_only(), duckdb.connect(str(path), config=dict(_SETTINGS)) as connection:
            connection.execute("BEGIN")
            if _fill_duckdb(connection, rows, target):
                connection.execute("COMMIT")
            else:
                connection.execute("ROLLBACK")
    except duckdb.Error as problem:
        raise DataError(
            f"{path} does not take the labels ({type(problem).__name__})",
            hint="close programs that have it open, check that it is a DuckDB file and that the schema is there",
        ) from None


def _fill_duckdb(connection: Any, rows: LabelRows, target: DatabaseTarget) -> bool:
    """Whether anything had to be written."""
    view, history, days = (".".join(f'"{part}"' for part in name) for name in _names(target))
    schema = rows.schema(wide=True)
    connection.execute(f"CREATE TABLE IF NOT EXISTS {history} ({_definition(schema, _KEY)})")
    connection.execute(f"CREATE TABLE IF NOT EXISTS {days} ({_definition(pa.schema(_DAYS), tuple(_DAYS))})")
    connection.execute(_VIEW.replace("VIEW", "VIEW IF NOT EXISTS", 1).format(view=view, history=history, days=days))
    for table, names in ((history, schema.names), (view, schema.names), (days, list(_DAYS))):
        described = connection.execute(f"SELECT * FROM {table} LIMIT 0").description
        if [item[0] for item in described] != names:
            raise _other_columns(target)
    reader = pa.RecordBatchReader.from_batches(schema, rows.blocks(wide=True))
    connection.register("incoming", reader)
    day = [rows.snapshot.study, rows.snapshot.as_of]
    here = "study = ? AND as_of = ?"
    source = "incoming"
    known = connection.execute(f"SELECT customers FROM {days} WHERE {here}", day).fetchall()
    if known:
        source = "staging"
        connection.execute(f"CREATE TEMP TABLE staging AS SELECT * FROM {history} LIMIT 0")
        connection.execute("INSERT INTO staging SELECT * FROM incoming")
        count = connection.execute(f"SELECT count(*) FROM {history} WHERE {here}", day).fetchone()
        other = f"SELECT EXISTS (SELECT * FROM staging EXCEPT SELECT * FROM {history} WHERE {here})"
        same = known == [count] == [(len(rows.snapshot),)]
        if same and connection.execute(other, day).fetchone() == (False,):
            return False
    connection.execute(f"DELETE FROM {history} WHERE {here}", day)
    connection.execute(f"INSERT INTO {history} SELECT * FROM {source}")
    connection.execute(f"DELETE FROM {days} WHERE {here}", day)
    connection.execute(f"INSERT INTO {days} VALUES (?, ?, ?)", [*day, len(rows.snapshot)])
    connection.execute("DROP TABLE IF EXISTS staging")
    return True


# --- PostgreSQL --------------------------------------------------------------------------------------------------


def _write_postgres(rows: LabelRows, target: DatabaseTarget, base: Path) -> None:
    try:
        import psycopg

        from clients.data.postgres import connect, parse_address, read_password
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] != "psycopg":
            raise
        raise DataError(
            "PostgreSQL needs a package that is not installed", hint='pip install "cohortium[postgres]"'
        ) from None
    from clients.data.config import Source

    where = Source(url=target.url, password_env=target.password_env, password_file=target.password_file)
    address = parse_address(target.url.partition("://")[2])
    try:
        opened = connect(address, password=read_password(where, base=base))
    except DataError as error:  # it speaks of a source; the same fields stand in labels.toml
        hint = error.hint.replace("source.", "database.")
        raise DataError(error.message.replace("source.", "database."), hint=hint) from None
    try:
        with opened as connection:  # commits, or rolls back; and closes
            _fill_postgres(connection, rows, target)
    except psycopg.errors.InsufficientPrivilege:
        raise DataError(
            f"{address.place}: the user may not write {target.table} and its tables",
            hint="grant CREATE on the schema, or let an administrator make the tables (docs/labels.md)",
        ) from None
    except psycopg.errors.InvalidSchemaName:
        raise DataError(f"{address.place} has no schema for {target.table}", hint="create the schema first") from None
    except psycopg.Error as problem:
        raise DataError(
            f"{address.place} did not take the labels ({type(problem).__name__})",
            hint="the labels there are as before; mend the cause and write them again",
        ) from None


def _fill_postgres(connection: psycopg.Connection[Any], rows: LabelRows, target: DatabaseTarget) -> None:
    from psycopg import sql

    view, history, days = (sql.Identifier(*name) for name in _names(target))
    schema = rows.schema(wide=True)
    connection.execute("SET LOCAL datestyle = 'ISO, YMD'")
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
    _create_postgres(connection, target, schema)
    # A second writer waits here, before it reads; readers do not.
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(days))
    for table, names in ((history, schema.names), (view, schema.names), (days, list(_DAYS))):
        described = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(table)).description or ()
        if [item.name for item in described] != names:
            raise _other_columns(target)
    day = (rows.snapshot.study, rows.snapshot.as_of)
    exists = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE study = %s AND as_of = %s)").format(history)
    if connection.execute(exists, day).fetchone() == (True,):
        connection.execute(sql.SQL("CREATE TEMP TABLE staging (LIKE {}) ON COMMIT DROP").format(history))
        _copy(connection, rows, sql.Identifier("staging"))
        connection.execute("ANALYZE staging (study, as_of, customer_id)")
        names = [sql.Identifier(name) for name in schema.names]
        values = {
            "history": history,
            "key": sql.SQL(", ").join(sql.Identifier(name) for name in _KEY),
            "sets": sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
            "old": sql.SQL(", ").join(sql.SQL("kept.{}").format(name) for name in names),
            "new": sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names),
        }
        gone = sql.SQL(
            "DELETE FROM {history} AS kept WHERE study = %s AND as_of = %s AND NOT EXISTS "
            "(SELECT FROM staging WHERE staging.customer_id = kept.customer_id)"
        )
        connection.execute(gone.format(**values), day)
        upsert = sql.SQL(
            "INSERT INTO {history} AS kept SELECT * FROM staging ON CONFLICT ({key}) DO UPDATE SET {sets} "
            "WHERE ({old}) IS DISTINCT FROM ({new})"
        )
        connection.execute(upsert.format(**values))
    else:
        _copy(connection, rows, history)
    noted = sql.SQL(
        "INSERT INTO {} AS kept VALUES (%s, %s, %s) ON CONFLICT (study, as_of) DO UPDATE "
        "SET customers = excluded.customers WHERE kept.customers <> excluded.customers"
    )
    connection.execute(noted.format(days), (*day, len(rows.snapshot)))


def _create_postgres(connection: psycopg.Connection[Any], target: DatabaseTarget, schema: pa.Schema) -> None:
    """Make what is not there; a user who may only write finds the tables made."""
    from psycopg import sql

    view, history, days = (sql.Identifier(*name) for name in _names(target))

    def missing(table: sql.Identifier) -> bool:
        return connection.execute("SELECT to_regclass(%s)", (table.as_string(connection),)).fetchone() == (None,)

    if missing(history):
        columns = _definition(schema, _KEY).replace("DECIMAL(18, 3)", "NUMERIC")
        definition = sql.SQL(columns + ", PRIMARY KEY (study, as_of, customer_id)")
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(history, definition))
    if missing(days):
        definition = sql.SQL("study TEXT, as_of DATE, customers BIGINT NOT NULL, PRIMARY KEY (study, as_of)")
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(days, definition))
    if missing(view):
        connection.execute(sql.SQL(_VIEW).format(view=view, history=history, days=days))


def _copy(connection: psycopg.Connection[Any], rows: LabelRows, table: sql.Identifier) -> None:
    """Through ``COPY``, as CSV text that Arrow makes: no Python object for any value."""
    from psycopg import sql

    schema = rows.schema(wide=True)
    names = sql.SQL(", ").join(sql.Identifier(name) for name in schema.names)
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')").format(table, names)
    options = pa_csv.WriteOptions(include_header=False)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for block in rows.blocks(wide=True):
            text = io.BytesIO()
            pa_csv.write_csv(block, text, options)
            copy.write(text.getbuffer())


#: The catalogue of databases.
DATABASES: dict[str, Callable[[LabelRows, DatabaseTarget, Path], None]] = {
    "duckdb": _write_duckdb,
    "postgresql": _write_postgres,
}
