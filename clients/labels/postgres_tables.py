"""Labels as tables of PostgreSQL. One transaction writes a day: readers see the labels before or after it, a crash
leaves those before, and rows that are right already are not touched.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
from psycopg import sql

from clients.data.place import Source
from clients.data.secrets import read_password
from clients.data.sources.postgres_address import connect, parse_address
from clients.labels.config import DatabaseTarget
from clients.labels.day_rows import DayRows
from clients.labels.relations import (
    DAYS,
    DAYS_KEY,
    Name,
    Part,
    Relations,
    check_columns,
    definition,
    parts,
)
from privacy.errors import DataError

#: How long a writer waits for another one.
LOCK_TIMEOUT = "60s"

Connection = psycopg.Connection[Any]


def write_postgres(rows: DayRows[Any], target: DatabaseTarget, base: Path) -> None:
    """Write one day's labels.

    Raises:
        DataError: if the server cannot be reached or does not take them. The text holds no password and no row.
    """
    open_postgres(target, base, lambda connection: _fill(connection, rows, target))


def open_postgres(target: DatabaseTarget, base: Path, fill: Callable[[Connection], None]) -> None:
    """Fill a target's tables in one transaction.

    Args:
        target: where.
        base: the holder's folder.
        fill: writes through a connection.

    Raises:
        DataError: if the server cannot be reached or does not take it. The text holds no password and no row.
    """
    where = Source(url=target.url, password_env=target.password_env, password_file=target.password_file)
    address = parse_address(target.url.partition("://")[2])
    try:
        opened = connect(address, password=read_password(where, base=base))
    except DataError as error:  # it speaks of a source; the same fields stand in labels.toml
        hint = error.hint.replace("source.", "database.")
        raise DataError(error.message.replace("source.", "database."), hint=hint) from None
    try:
        with opened as connection:  # commits, or rolls back; and closes
            connection.execute("SET LOCAL datestyle = 'ISO, YMD'")
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
            fill(connection)
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


def _fill(connection: Connection, rows: DayRows[Any], target: DatabaseTarget) -> None:
    relations = Relations.of(target, rows.kind)
    both = parts(rows, relations)
    _create(connection, relations, both, target)
    days = sql.Identifier(*relations.days)
    # A second writer waits here, before it reads; readers do not.
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(days))
    day = (rows.snapshot.study, rows.snapshot.as_of)
    for part in both:
        _replace(connection, part, day)
    noted = sql.SQL(
        "INSERT INTO {} AS kept (study, as_of, customers) VALUES (%s, %s, %s) ON CONFLICT (study, as_of) DO UPDATE "
        "SET customers = excluded.customers WHERE kept.customers <> excluded.customers"
    )
    connection.execute(noted.format(days), (*day, len(rows.snapshot)))


def _create(connection: Connection, relations: Relations, both: tuple[Part, ...], target: DatabaseTarget) -> None:
    """Make what is not there, and bring tables of an earlier release up to date.

    A user who may only write finds everything made.
    """

    def quoted(name: Name) -> str:
        return sql.Identifier(*name).as_string(connection)

    def missing(name: Name) -> bool:
        return connection.execute("SELECT to_regclass(%s)", (quoted(name),)).fetchone() == (None,)

    def columns(name: Name) -> list[str]:
        described = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(*name))).description
        return [item.name for item in described or ()]

    def run(text: str) -> None:
        connection.execute(text.encode())

    tables = {part.name: (part.schema, part.key) for part in both} | {relations.days: (DAYS, DAYS_KEY)}
    for name, (schema, key) in tables.items():
        if missing(name):
            fields = definition(schema, key).replace("DECIMAL(18, 3)", "NUMERIC")
            run(f"CREATE TABLE {quoted(name)} ({fields}, PRIMARY KEY ({', '.join(key)}))")
    history = both[0]
    found = columns(history.name)
    older = history.lacking(found)
    for column, kind in older.items():
        run(f"ALTER TABLE {quoted(history.name)} ADD COLUMN {column} {kind.replace('DECIMAL(18, 3)', 'NUMERIC')}")
        found.append(column)
    check_columns(found, history.schema.names, target)
    for view, query in relations.views(quoted, found).items():
        if older or missing(view):
            run(f"CREATE OR REPLACE VIEW {quoted(view)} AS {query}")
        check_columns(columns(view), history.schema.names, target)
    for name, (schema, _) in tables.items():
        check_columns(columns(name), schema.names, target)


def _replace(connection: Connection, part: Part, day: tuple[object, ...]) -> None:
    """Make a table's rows of a day those of ``part``."""
    table = sql.Identifier(*part.name)
    exists = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE study = %s AND as_of = %s)").format(table)
    if connection.execute(exists, day).fetchone() == (False,):
        _copy(connection, part, table)
        return
    staging = sql.Identifier("staging")
    connection.execute("DROP TABLE IF EXISTS pg_temp.staging")
    connection.execute(sql.SQL("CREATE TEMP TABLE staging (LIKE {}) ON COMMIT DROP").format(table))
    _copy(connection, part, staging)
    key = sql.SQL(", ").join(sql.Identifier(name) for name in part.key)
    connection.execute(sql.SQL("ANALYZE staging ({})").format(key))
    names = [sql.Identifier(name) for name in part.schema.names]
    values = {
        "table": table,
        "key": key,
        "last": sql.Identifier(part.key[2]),
        "names": sql.SQL(", ").join(names),
        "sets": sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
        "old": sql.SQL(", ").join(sql.SQL("kept.{}").format(name) for name in names),
        "new": sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names),
    }
    gone = sql.SQL(
        "DELETE FROM {table} AS kept WHERE study = %s AND as_of = %s AND NOT EXISTS "
        "(SELECT FROM staging WHERE staging.{last} = kept.{last})"
    )
    connection.execute(gone.format(**values), day)
    upsert = sql.SQL(
        "INSERT INTO {table} AS kept ({names}) SELECT {names} FROM staging ON CONFLICT ({key}) DO UPDATE SET {sets} "
        "WHERE ({old}) IS DISTINCT FROM ({new})"
    )
    connection.execute(upsert.format(**values))


def _copy(connection: Connection, part: Part, table: sql.Identifier) -> None:
    copy_rows(connection, table, part.schema.names, part.blocks())


def copy_rows(
    connection: Connection, table: sql.Identifier, columns: Iterable[str], blocks: Iterable[pa.RecordBatch]
) -> None:
    """Put rows into a table through ``COPY``, as CSV text that Arrow makes: no Python object for any value."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')").format(table, names)
    options = pa_csv.WriteOptions(include_header=False)
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for block in blocks:
            text = io.BytesIO()
            pa_csv.write_csv(block, text, options)
            copy.write(text.getbuffer())
