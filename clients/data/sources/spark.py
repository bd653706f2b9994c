"""Spark as a source, for rows past one machine: Ibis computes there, and only results come over.

What Spark does otherwise than DuckDB is brought into line here, so that the same rows give the same customer table.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import sqlglot.expressions as sge
from ibis.backends.pyspark import Backend
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.expr import datatypes as dtypes
from ibis.expr import operations as ops
from ibis.expr import types as ir
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession, functions
from pyspark.sql.types import StructType, TimestampNTZType, TimestampType

from clients.data.place import Reading
from clients.data.sources.finite import finite_times
from clients.data.sources.opened import Opened, read_as
from clients.data.sources.plain_text import CLOCK, DAY, MICROSECONDS, NUMBER, NUMBER_LENGTH, UTC
from clients.data.sources.spelling import Reader, spelled
from privacy.errors import DataError

_LOCAL = re.compile(r"local(\[[0-9*]{1,4}\])?")
_MASTER = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}(,[A-Za-z0-9.-]+:[0-9]{1,5})*")
_FILES = re.compile(r"(parquet|orc|delta|iceberg)\.`[^`]+`")
#: Settings of a session: no page about queries is served, nothing is drawn on the screen, and what cannot be read is
#: null as it is elsewhere.
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
}
_TIMES = (TimestampType, TimestampNTZType)
#: Rows that come over at a time.
_ROWS = 20_000
_BLANKS = " \t\n\r\v\f"


class _Compiler(PySparkCompiler):  # type: ignore[misc]  # Ibis states no types
    """Ibis' Spark, in line with the embedded database."""

    __slots__ = ()

    def visit_RegexReplace(self, op: ops.RegexReplace, *, arg: Any, pattern: Any, replacement: Any) -> Any:
        """Java names a group ``$1``."""
        if isinstance(replacement, sge.Literal):
            text = replacement.this.replace("$", r"\$")
            replacement = sge.convert(re.sub(r"\\([0-9])", r"$\1", text))
        return self.f.regexp_replace(arg, pattern, replacement)

    def visit_Strip(self, op: ops.Strip, *, arg: Any) -> Any:
        """Spark takes off blanks alone."""
        return self.f.btrim(arg, sge.convert(_BLANKS))

    def visit_ScalarUDF(self, op: ops.ScalarUDF, **given: Any) -> Any:
        """``timezone`` of DuckDB and PostgreSQL: wall time in a zone, and the instant of a wall time."""
        if op.__func_name__ != "timezone":
            return super().visit_ScalarUDF(op, **given)
        zone, time = given.values()
        if op.dtype.timezone is None:
            return self.cast(self.f.from_utc_timestamp(time, zone), dtypes.timestamp)
        return self.f.to_utc_timestamp(self.cast(time, dtypes.Timestamp(timezone="UTC")), zone)


class _Spark(Backend):  # type: ignore[misc]  # Ibis states no types
    """Ibis' Spark with rows through Arrow: through pandas, whole numbers with nulls would lose digits."""

    compiler = _Compiler()

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        frame = self._session.createDataFrame(op.data.to_pyarrow(op.schema))
        frame.createOrReplaceTempView(op.name)

    def to_pyarrow(self, expr: ir.Expr, /, **options: Any) -> Any:
        """Run a query and read its result, as Arrow."""
        table = expr.as_table()
        self._run_pre_execute_hooks(table)
        found = self._session.sql(self.compile(table, **options)).toArrow()
        return expr.__pyarrow_result__(found.cast(table.schema().to_pyarrow()))

    def to_pyarrow_batches(self, expr: ir.Expr, /, *, chunk_size: int = _ROWS, **options: Any) -> pa.RecordBatchReader:
        """The same in batches: of a large result one partition at a time is in memory, and no more."""
        table = expr.as_table()
        self._run_pre_execute_hooks(table)
        schema = table.schema().to_pyarrow()
        frame = self._session.sql(self.compile(table, **options))
        # Python's times have no zone or that of the machine; whole numbers have neither.
        kinds = {item.name: item.dataType for item in frame.schema}
        columns = [_as_number(name) if isinstance(kinds[name], _TIMES) else frame[name] for name in schema.names]
        rows = frame.select(*columns).toLocalIterator()
        return pa.RecordBatchReader.from_batches(schema, _batches(rows, schema, chunk_size))


def _as_number(name: str) -> Any:
    return functions.unix_micros(functions.col(f"`{name}`").cast("timestamp")).alias(name)


def _batches(rows: Iterator[Any], schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
    while chunk := list(itertools.islice(rows, size)):
        columns = []
        for item, cells in zip(schema, zip(*chunk, strict=True), strict=True):
            is_time = pa.types.is_timestamp(item.type)
            found = pa.array(cells, pa.timestamp("us", item.type.tz) if is_time else item.type)
            columns.append(found.cast(item.type))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def open_spark(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open a table or view of Spark's catalogue, or files that its workers reach (``table = "parquet.`/path`"``).

    Raises:
        DataError: if Spark or the table cannot be reached.
    """
    with spark_tables(location) as opened:
        yield opened(config)


@contextlib.contextmanager
def spark_tables(location: str) -> Iterator[Callable[[Reading], Opened]]:
    """What opens tables in one session, where they can be joined.

    Raises:
        DataError: if Spark cannot be reached; what it yields raises one if a table cannot be.
    """
    with _session(location) as session:
        backend = _Spark()  # Ibis' own ways to connect make a backend of its own class
        backend.register_options()
        backend.do_connect(session)
        yield partial(_table_of, backend, session)


def _table_of(backend: _Spark, session: SparkSession, config: Reading) -> Opened:
    name = config.source.table
    if name is None:
        raise DataError("Spark needs a table", hint='write table = "catalogue.schema.table" under [source]')
    try:
        quoted = name if _FILES.fullmatch(name) else ".".join(f"`{part}`" for part in name.split("."))
        query = f"SELECT * FROM {quoted}"
        table = _zoned(backend.sql(query), session.sql(query).schema)
    except Exception:  # Spark's own text is pages long, and may quote rows
        hint = 'write it as table = "catalogue.schema.table" under [source]'
        raise DataError(f"Spark has no table {name!r} that can be read", hint=hint) from None
    return read_as(table, partial(_in_line, config))


@contextlib.contextmanager
def _session(location: str) -> Iterator[SparkSession]:
    """A session of its own; Spark is stopped if it was started for it.

    Raises:
        DataError: if it cannot be had.
    """
    if _LOCAL.fullmatch(location):
        master = {"spark.master": location, "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    elif location == "yarn" or _MASTER.fullmatch(location):
        master = {"spark.master": location if location == "yarn" else f"spark://{location}"}
    else:
        raise DataError(
            "source.url is no Spark URL", hint='write under [source]: url = "spark://host:7077", or yarn, or local[4]'
        )
    is_ours = SparkSession.getActiveSession() is None
    try:
        started = SparkSession.builder.appName("cohortium").config(map={**_SETTINGS, **master}).getOrCreate()
        session = started.newSession()
        for setting in ("spark.sql.ansi.enabled", "spark.sql.session.timeZone"):
            session.conf.set(setting, _SETTINGS[setting])
    except (PySparkException, RuntimeError, OSError) as problem:
        raise DataError(
            f"Spark cannot be reached ({type(problem).__name__})",
            hint='is url under [source] right, such as "spark://host:7077", and Java 17 or newer installed here?',
        ) from None
    try:
        if is_ours:
            session.sparkContext.setLogLevel("OFF")  # its errors quote rows
        yield session
    finally:
        if is_ours:
            started.stop()


def _zoned(table: ir.Table, schema: StructType) -> ir.Table:
    """Spark's ``timestamp`` is an instant, and its ``timestamp_ntz`` is none; for Ibis both have no zone."""
    instants = [item.name for item in schema if isinstance(item.dataType, TimestampType)]
    kind = dtypes.Timestamp(timezone="UTC")
    return table.mutate(**{name: table[name].cast(kind) for name in instants}) if instants else table


def _in_line(config: Reading, table: ir.Table) -> ir.Table:
    """Times and numbers that stand in text, as the cleaning rules expect them from every source."""
    reader = Reader(number=_number_of, time=partial(_time_of, utc=False))
    table = spelled(config, finite_times(table), reader=reader)
    utc = config.source.time_zone == "UTC"
    times = [name for name in config.columns.of_form("time").values() if name in table.columns]
    numbers = [name for name in config.columns.of_form("number").values() if name in table.columns]
    changes = {name: _time_of(table[name], utc=utc) for name in times if table[name].type().is_string()}
    changes |= {name: _number_of(table[name]) for name in numbers if table[name].type().is_string()}
    return table.mutate(**changes) if changes else table


def _number_of(column: ir.Value) -> ir.Value:
    """Text as a number; null where it is none (Java takes ``1d`` for one)."""
    text = column.strip()
    safe = text.re_search(NUMBER) & (text.length() <= NUMBER_LENGTH)
    return ibis.ifelse(safe, text, ibis.null("string")).try_cast("float64")


def _time_of(column: ir.Value, *, utc: bool) -> ir.Value:
    """ISO text as a time; null where it is none (Spark takes ``12:30`` for today)."""
    text = column.strip()
    spelled = text.re_search(f"^{DAY}{CLOCK}{UTC if utc else ''}$") & ~text.startswith("0000")
    plain = text.re_replace(UTC + "$", "") if utc else text
    return ibis.ifelse(spelled, plain.substr(0, MICROSECONDS), ibis.null("string")).try_cast("timestamp")
