"""PostgreSQL as a source: one read-only transaction, in which Ibis computes; only results come over.

What PostgreSQL does otherwise than DuckDB is brought into line (``postgres_values``), so that the same rows give the
same customer table.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import ibis
import psycopg
import pyarrow as pa
import pyarrow.csv as pa_csv
import sqlglot
from ibis.backends.postgres import Backend
from ibis.backends.sql.compilers.postgres import PostgresCompiler
from ibis.common.exceptions import TableNotFound
from ibis.expr import datatypes as dtypes
from ibis.expr import operations as ops
from ibis.expr import types as ir
from psycopg import sql

from clients.data.place import Reading, Source
from clients.data.secrets import read_password
from clients.data.sources.advice import ADVICE
from clients.data.sources.opened import Notice, Opened, read_as
from clients.data.sources.postgres_address import connect, parse_address
from clients.data.sources.postgres_values import in_line
from clients.data.sources.table_names import no_table, parse_table, shown_table
from privacy.errors import DataError

OLDEST = 15
#: How long a query waits for somebody who changes the table.
LOCK_MILLISECONDS = 30_000
#: Bytes of a result that are read at once.
_BLOCK = 16 << 20
_PADDED = psycopg.adapters.types["bpchar"].oid


class _Compiler(PostgresCompiler):  # type: ignore[misc]  # Ibis states no types
    """Ibis' PostgreSQL, with lists of values inside the query: a read-only transaction makes no temporary tables."""

    __slots__ = ()

    def visit_Cast(self, op: ops.Cast, *, arg: Any, to: Any) -> Any:
        """PostgreSQL casts a boolean to ``int`` and to no other number."""
        if op.arg.dtype.is_boolean() and to.is_integer():
            arg = self.cast(arg, dtypes.int32)
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_InMemoryTable(self, op: ops.InMemoryTable, *, name: str, schema: Any, data: Any) -> Any:
        """A table of text columns as ``UNNEST`` of array literals."""
        columns = data.to_pyarrow(schema).to_pydict()
        arrays = ", ".join(_text_array(values) for values in columns.values())
        names = ", ".join(sqlglot.to_identifier(item, quoted=True).sql("postgres") for item in columns)
        query = f"SELECT * FROM UNNEST({arrays}) AS _values({names})"
        return sqlglot.parse_one(query, read="postgres", into=sqlglot.exp.Select).subquery(name)


def _text_array(values: list[str | None]) -> str:
    items = ("NULL" if item is None else '"' + re.sub(r'(["\\])', r"\\\1", item) + '"' for item in values)
    return "CAST('{" + ",".join(items).replace("'", "''") + "}' AS TEXT[])"


class _ReadOnly(Backend):  # type: ignore[misc]  # Ibis states no types
    """Ibis' PostgreSQL backend without its temporary tables and views, and with results through ``COPY``.

    ``COPY`` lets the server use all its workers and writes to a private file, from which columns are read without a
    Python object for every value.
    """

    compiler = _Compiler()

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        """Nothing to do: values stand in the query."""

    def _get_schema_using_query(self, query: str) -> Any:
        """Types of a query's columns, as the server states them without running it."""
        with self.con.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({query}) AS _described LIMIT 0".encode())
            shown = ((item.name, item.type_display) for item in cursor.description or ())
        described = [(name, text.replace("bpchar", "character")) for name, text in shown]  # the name that Ibis knows
        return ibis.schema({name: self.compiler.type_mapper.from_string(text) for name, text in described})

    def to_pyarrow(self, expr: ir.Expr, /, **options: Any) -> Any:
        """Run a query and read its result, as Arrow."""
        return expr.__pyarrow_result__(self._read(expr.as_table(), **options))

    def to_pyarrow_batches(self, expr: ir.Expr, /, *, chunk_size: int = 0, **options: Any) -> pa.RecordBatchReader:
        """The same block by block, for results that are larger than memory; blocks are of bytes, not of rows."""
        table = expr.as_table()
        schema = table.schema().to_pyarrow()
        return pa.RecordBatchReader.from_batches(schema, self._blocks(self.compile(table, **options), schema))

    def _blocks(self, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._copied(query) as rows:
            if rows.tell():
                rows.seek(0)
                yield from pa_csv.open_csv(rows, **_csv_of(schema))

    def _read(self, table: ir.Table, **options: Any) -> pa.Table:
        schema = table.schema().to_pyarrow()
        with self._copied(self.compile(table, **options)) as rows:
            if not rows.tell():
                return schema.empty_table()
            rows.seek(0)
            return pa_csv.read_csv(rows, **_csv_of(schema))

    @contextlib.contextmanager
    def _copied(self, query: str) -> Iterator[BinaryIO]:
        """A query's result in a file without a name, which nobody else can open."""
        with tempfile.TemporaryFile() as rows:
            with self.con.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)".encode()) as copy:
                for block in copy:
                    rows.write(block)
            yield rows


def _csv_of(schema: pa.Schema) -> dict[str, Any]:
    """How the server writes a result, and what its columns are."""
    return {
        "read_options": pa_csv.ReadOptions(column_names=schema.names, block_size=_BLOCK),
        "parse_options": pa_csv.ParseOptions(newlines_in_values=True),
        "convert_options": pa_csv.ConvertOptions(
            column_types={item.name: item.type for item in schema},
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,  # the server quotes empty text, and not null
        ),
    }


@contextlib.contextmanager
def open_postgres(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open a table or view in one read-only transaction, so that all queries see the same rows.

    Raises:
        DataError: if the server, the table or the right to read it is missing.
    """
    name = config.source.table
    if name is None:
        raise no_table(config.source.url, None)
    with _reading(config.source, location, base) as connection:
        table, padded, sees_all = _table(connection, name)
        notices = () if sees_all else (_row_security(name),)
        yield read_as(table, partial(in_line, config, padded), notices=notices)


def _row_security(name: str) -> Notice:
    return Notice(
        code="row_security",
        text=f"row security is on: this user may see only part of {name!r}",
        hint="ask its administrator for a policy or a user that sees all rows, or BYPASSRLS",
    )


def list_postgres_tables(config: Reading, location: str, base: Path) -> tuple[str, ...]:
    """Tables and views that the user may read, as ``schema.table``.

    Raises:
        DataError: if the server cannot be reached.
    """
    query = """
        SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND n.nspname NOT LIKE 'pg\\_%' AND NOT c.relispartition
          AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        ORDER BY 1, 2"""
    with _reading(config.source, location, base) as connection:
        return tuple(shown_table(schema, table) for schema, table in connection.execute(query).fetchall())


@contextlib.contextmanager
def _reading(source: Source, location: str, base: Path) -> Iterator[psycopg.Connection[Any]]:
    """A connection whose every transaction is read-only and sees one state of the database."""
    address = parse_address(location)
    connection = connect(address, password=read_password(source, base=base))
    try:
        version = connection.info.server_version // 10_000
        if version < OLDEST:
            raise DataError(f"{address.place} is release {version}", hint=f"PostgreSQL {OLDEST} or newer is needed")
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for setting in (
            "datestyle = 'ISO, YMD'",
            "extra_float_digits = 1",
            "idle_in_transaction_session_timeout = 0",
            f"lock_timeout = {LOCK_MILLISECONDS}",
            "default_transaction_read_only = on",
        ):
            connection.execute(f"SET SESSION {setting}".encode())
        yield connection
    finally:
        connection.close()


def _table(connection: psycopg.Connection[Any], name: str) -> tuple[ir.Table, frozenset[str], bool]:
    """The table, its columns of type ``char(n)``, and whether the user sees all of its rows."""
    schema, table = parse_table(name)
    where = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    try:
        described = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(where)).description or ()
        padded = frozenset(item.name for item in described if item.type_code == _PADDED)
        found = connection.execute(_FACTS, {"table": where.as_string(connection)}).fetchone() or ("", False)
        columns = connection.execute(_TYPES, {"table": where.as_string(connection)}).fetchall()
        backend = _ReadOnly.from_connection(connection)
        if any(is_odd for *_, is_odd in columns) or set('."') & set(schema + table):
            chosen = sql.SQL(", ").join(
                sql.SQL("CAST({0} AS {1}) AS {0}").format(sql.Identifier(column), sql.SQL(kind))
                if is_odd
                else sql.Identifier(column)
                for column, kind, is_odd in columns
            )
            query = sql.SQL("SELECT {} FROM {}").format(chosen, where).as_string(connection)
            return backend.sql(query), padded, not found[1]
        return backend.table(table, database=found[0]), padded, not found[1]
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, TableNotFound):
        hint = 'write table = "schema.table" under [source], in the case the database shows'
        raise DataError(f"{connection.info.dbname} has no table {name!r}", hint=hint) from None
    except psycopg.errors.InsufficientPrivilege:
        raise DataError(
            f"the user may not read {name!r}", hint=f"its administrator can: GRANT SELECT ON {name} TO the user"
        ) from None
    except psycopg.Error as problem:
        kind = type(problem).__name__
        why, hint = ADVICE.get(
            kind, (f"it failed with {kind}", "is it a table or a view? write its name under [source]: table")
        )
        raise DataError(f"{name!r} cannot be opened: {why}", hint=hint) from None


#: The table's schema, and whether rows are hidden from the user.
_FACTS = """
    SELECT n.nspname, row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = %(table)s::regclass"""
#: Its columns, each with the type that it is read as, and whether that is another one: domains as what they are made
#: of, money as an exact number, enumerations and text of other kinds as text.
_TYPES = """
    WITH RECURSIVE found AS (
        SELECT attname, attnum, atttypid AS kind, atttypmod AS modifier, false AS is_domain
        FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT attname, attnum, typbasetype, CASE WHEN typtypmod = -1 THEN modifier ELSE typtypmod END, true
        FROM found JOIN pg_type ON pg_type.oid = kind WHERE typtype = 'd'
    )
    SELECT attname,
           CASE WHEN typname = 'money' THEN 'numeric' WHEN typtype = 'e' OR typname IN ('citext', 'name') THEN 'text'
                ELSE format_type(kind, modifier) END,
           is_domain OR typname IN ('money', 'citext', 'name') OR typtype = 'e'
    FROM found JOIN pg_type ON pg_type.oid = kind WHERE typtype <> 'd' ORDER BY attnum"""
