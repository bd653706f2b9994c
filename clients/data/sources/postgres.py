"""PostgreSQL as a source: one read-only transaction, in which Ibis computes; only results come over.

What PostgreSQL does otherwise than DuckDB is brought into line here, so that the same rows give the same customer
table: text is turned into times and numbers by patterns (PostgreSQL has no cast that yields null), and numbers that
would make its arithmetic fail are limited. The password is read when a connection is made and kept nowhere.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

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
from clients.data.sources.spelling import Reader, spelled
from privacy.errors import DataError

OLDEST = 15
#: Options of a URL that may be given; they go to libpq as they are.
OPTIONS = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout")
_TIMEOUT = "15"
_LAST_TIME = dt.datetime(9999, 12, 30, 23, 59, 59)  # leaves room for a day after it
#: Amounts are limited to this, so that quantity x price x rate cannot overflow, which fails in PostgreSQL.
_LARGEST, _SMALLEST = 1e140, 1e-140

_PADDED = psycopg.adapters.types["bpchar"].oid
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_NUMBER_LENGTH = 1000  # PostgreSQL's decimals hold every number of this pattern and length
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?)?"
_UTC = r"([ ]?([Zz]|[+-]00(:?00)?))?"
_MICROSECONDS = 26  # characters of 2024-05-01 12:00:00.000000

#: What libpq says, and what is said instead; its own texts may quote more than a screen or a log should keep.
_REFUSALS = (
    ("password authentication failed", "the user or the password is wrong", "check the user and the password"),
    ("no password supplied", "it asks for a password", "set source.password_env or password_file, or PGPASSFILE"),
    ("fe_sendauth", "it asks for a password", "set source.password_env or password_file, or PGPASSFILE"),
    ("translate host name|resolve host|Name or service", "the host is unknown", "check the host in source.url"),
    ("refused", "nothing listens there", "check host and port, and that the server is running"),
    ("No such file", "there is no such socket", "check the host in source.url, and that the server is running"),
    ("timeout|timed out", "it does not answer", "check host and port, and firewalls on the way"),
    ("role .* does not exist", "the user does not exist", "check the user in source.url"),
    ("database .* does not exist", "the database does not exist", "check the database in source.url"),
    ("pg_hba", "it does not let this user in from this machine", "ask its administrator (pg_hba.conf)"),
    ("SSL|certificate", "no encrypted connection", "add ?sslmode=... to source.url as its administrator says"),
    ("too many", "it has no connection left", "try again later"),
)


@dataclass(frozen=True)
class Address:
    """Where a database is: what a ``postgresql://`` URL says. It has no password.

    Attributes:
        host, port, user, database: None where the URL does not say; then libpq's own rules hold (PGHOST, ...).
        options: more of ``OPTIONS``.
    """

    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The server in words, for messages."""
        port = f":{self.port}" if self.port else ""
        return f"the PostgreSQL server {self.host or '(default host)'}{port}"

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return (
            self.host is None or self.host.startswith(("/", "127.", "@")) or self.host in ("localhost", "::1", "[::1]")
        )


def parse_address(location: str) -> Address:
    """Read what follows ``postgresql://``: ``user@host:port/database?sslmode=verify-full``.

    Raises:
        DataError: if it is not of that form, holds a password, or an unknown option. The text repeats none of it.
    """
    main, _, query = location.partition("?")
    where, _, database = main.partition("/")
    user, _, server = where.rpartition("@")
    if ":" in user or "@" in database:
        raise DataError(
            "a password does not belong in source.url",
            hint="take it out, and set source.password_env, source.password_file or PGPASSFILE",
        )
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::([0-9]{1,5}))?", server)
    options = dict(parse_qsl(query))
    unknown = sorted(set(options) - set(OPTIONS))
    if match is None or (match[2] and not 0 < int(match[2]) < 65_536) or "/" in database:
        raise DataError("source.url is not a PostgreSQL URL", hint="write postgresql://user@host:port/database")
    if unknown:
        raise DataError(
            "source.url has an option that is not known here", hint=f"these may be given: {', '.join(OPTIONS)}"
        )
    host = options.pop("host", None) or unquote(match[1]).strip("[]") or None
    return Address(
        host=host,
        port=int(match[2]) if match[2] else None,
        user=unquote(user) or None,
        database=unquote(database) or None,
        options=options,
    )


def connect(address: Address, *, password: str | None) -> psycopg.Connection[Any]:
    """Connect. To another machine the connection is encrypted unless the URL (or PGSSLMODE) says otherwise.

    Raises:
        DataError: if that does not work; the text never holds the password.
    """
    options = {"connect_timeout": _TIMEOUT} | address.options
    if not address.is_local and _default("sslmode") == "prefer":
        options.setdefault("sslmode", "require")
    try:
        return psycopg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=password,
            dbname=address.database,
            application_name="cohortium",
            **options,  # type: ignore[arg-type]
        )
    except (psycopg.Error, UnicodeError) as problem:
        says = str(problem)
        for pattern, reason, hint in _REFUSALS:
            if re.search(pattern, says):
                raise DataError(f"{address.place}: {reason}", hint=hint) from None
        raise DataError(f"{address.place} cannot be reached", hint="check source.url") from None


def _default(option: str) -> str:
    """What libpq takes where nothing is said: PGSSLMODE, for example, or what it was built with."""
    found = (item.val for item in psycopg.pq.Conninfo.get_defaults() if item.keyword == option.encode())
    return (next(found, None) or b"").decode()


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
            described = [(item.name, item.type_display) for item in cursor.description or ()]
        return ibis.schema({name: self.compiler.type_mapper.from_string(text) for name, text in described})

    def to_pyarrow(self, expr: ir.Expr, /, **options: Any) -> Any:
        """Run a query and read its result, as Arrow."""
        return expr.__pyarrow_result__(self._read(expr.as_table(), **options))

    def _read(self, table: ir.Table, **options: Any) -> pa.Table:
        schema = table.schema().to_pyarrow()
        query = self.compile(table, **options)
        with tempfile.TemporaryFile() as rows:
            with self.con.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)".encode()) as copy:
                for block in copy:
                    rows.write(block)
            if not rows.tell():
                return schema.empty_table()
            rows.seek(0)
            return pa_csv.read_csv(
                rows,
                read_options=pa_csv.ReadOptions(column_names=schema.names),
                parse_options=pa_csv.ParseOptions(newlines_in_values=True),
                convert_options=pa_csv.ConvertOptions(
                    column_types={item.name: item.type for item in schema},
                    null_values=[""],
                    true_values=["t"],
                    false_values=["f"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,  # the server quotes empty text, and not null
                ),
            )


@contextlib.contextmanager
def open_postgres(config: Reading, location: str, base: Path) -> Iterator[ir.Table]:
    """Open a table or view in one read-only transaction, so that all queries see the same rows.

    Raises:
        DataError: if the server, the table or the right to read it is missing.
    """
    name = config.source.table
    if name is None:
        raise DataError("a database needs a table", hint='add table = "schema.table" under [source]')
    with _reading(config.source, location, base) as connection:
        table, padded = _table(connection, name)
        yield _in_line(table, config, padded)


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
        return tuple(f"{schema}.{table}" for schema, table in connection.execute(query).fetchall())


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
            "default_transaction_read_only = on",
        ):
            connection.execute(f"SET SESSION {setting}".encode())
        yield connection
    finally:
        connection.close()


def _table(connection: psycopg.Connection[Any], name: str) -> tuple[ir.Table, frozenset[str]]:
    """The table, and its columns of type ``char(n)``."""
    schema, _, table = name.rpartition(".")
    where = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    try:
        described = connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(where)).description or ()
        padded = frozenset(item.name for item in described if item.type_code == _PADDED)
        if not schema:
            found = connection.execute(
                "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = %s::regclass",
                (where.as_string(connection),),
            ).fetchone()
            schema = found[0].strip('"') if found else ""
        return _ReadOnly.from_connection(connection).table(table, database=schema or None), padded
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, TableNotFound):
        hint = 'check source.table; write it as "schema.table", in the case the database shows'
        raise DataError(f"the database has no table {name!r}", hint=hint) from None
    except psycopg.errors.InsufficientPrivilege:
        raise DataError(
            f"the user may not read {name!r}", hint=f"its administrator can: GRANT SELECT ON {name} TO the user"
        ) from None
    except psycopg.Error as problem:
        raise DataError(f"{name!r} cannot be opened ({type(problem).__name__})", hint="check source.table") from None


@ibis.udf.scalar.builtin(name="make_date", signature=((dtypes.int32, dtypes.int32, dtypes.int32), dtypes.date))
def _make_date(year, month, day):  # type: ignore[no-untyped-def]  # Ibis reads the signature above
    """PostgreSQL's ``make_date``."""


def _in_line(table: ir.Table, config: Reading, padded: frozenset[str]) -> ir.Table:
    """Ids, times and amounts as the cleaning rules expect them from every source."""
    columns = config.columns
    reader = Reader(number=_number_of, time=lambda text: _time_of(text, utc=False))
    table = spelled(config, table, reader=reader)
    # The server itself takes the blanks behind a char(n) for no part of it: as text it has none, so ids have none.
    ids = padded & set(columns.of_form("id").values())
    changes: dict[str, ir.Value] = {name: ibis.literal("").concat(table[name]) for name in sorted(ids)}
    for name in columns.of_form("time").values():
        if name not in table.columns:
            continue
        time = table[name]
        kind = time.type()
        if kind.is_string():
            changes[name] = _time_of(time, utc=config.source.time_zone == "UTC")
        elif kind.is_timestamp() or kind.is_date():
            zone = kind.timezone if kind.is_timestamp() else None
            last = ibis.literal(_LAST_TIME if zone is None else _LAST_TIME.replace(tzinfo=dt.UTC))
            exact = time.cast(dtypes.Timestamp(timezone=zone, scale=6))
            changes[name] = ibis.ifelse(exact > last, last, exact)  # such as infinity
    for name in columns.of_form("number").values():
        if name not in table.columns:
            continue
        kind = table[name].type()
        if kind.is_string():
            changes[name] = _number_of(table[name])
        elif kind.is_floating():
            changes[name] = _limited(table[name])
        elif kind.is_decimal() and (kind.precision is None or kind.precision > 100):
            changes[name] = _limited_decimal(table[name])
    return table.mutate(**changes) if changes else table


def _number_of(column: ir.Value) -> ir.Value:
    """Text as a number; null where it is none."""
    text = column.strip()
    safe = text.re_search(_NUMBER) & (text.length() <= _NUMBER_LENGTH)
    number = ibis.ifelse(safe, text, ibis.null("string")).cast("decimal")
    return _limited_decimal(ibis.ifelse(number.abs() < _exact("1.7e308"), number, ibis.null("decimal")))


def _limited(number: ir.Value) -> ir.Value:
    number = number.cast("float64")
    limits = ((number > _LARGEST, _LARGEST), (number < -_LARGEST, -_LARGEST), (number.abs() < _SMALLEST, 0.0))
    return ibis.cases((number.isnan() | number.isinf(), number), *limits, else_=number).cast("float64")


def _exact(text: str) -> ir.Value:
    return ibis.literal(text).cast("decimal")


def _limited_decimal(number: ir.Value) -> ir.Value:
    """A decimal of any size as a float; PostgreSQL's decimals know NaN and infinity, too."""
    special = number.isin([_exact("NaN"), _exact("Infinity"), _exact("-Infinity")])
    limits = ((number > _exact("1e140"), _exact("1e140")), (number < _exact("-1e140"), _exact("-1e140")))
    tiny = (number.abs() < _exact("1e-140"), _exact("0"))
    return ibis.cases((special, number), *limits, tiny, else_=number).cast("float64")


def _time_of(column: ir.Value, *, utc: bool) -> ir.Value:
    """ISO text as a time; null where it is none, or has an offset whose meaning would be a guess."""
    text = column.strip()
    spelled = text.re_search(f"^{_DAY}{_CLOCK}{_UTC if utc else ''}$") & ~text.startswith("0000")
    text = ibis.ifelse(spelled, text, ibis.null("string"))
    year, month, day = (text.substr(start, length).cast("int32") for start, length in ((0, 4), (5, 2), (8, 2)))
    exists = (_make_date(year, month, ibis.literal(1, "int32")) + ibis.interval(days=1) * (day - 1)).month() == month
    plain = text.re_replace(_UTC + "$", "") if utc else text
    return ibis.ifelse(exists, plain.substr(0, _MICROSECONDS), ibis.null("string")).cast("timestamp(6)")
