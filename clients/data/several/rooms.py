"""Where sources are put together: in the Spark that has all of them, else as copies in one embedded database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr import types as ir

from clients.data.named_sources import NamedSource
from clients.data.origin import Origin
from clients.data.place import Reading, in_table
from clients.data.scratch import check_room, new_copy
from clients.data.sources import needs_spark, open_source, told
from clients.data.sources.embedded import embedded
from clients.data.sources.opened import ColumnsMissing, Opened
from privacy.errors import DataError

_SPARK = "spark://"


class Room(Protocol):
    """One database that sees the rows of all sources."""

    def open(self, reading: Reading) -> AbstractContextManager[Opened]:
        """A source, while its rows are brought here.

        Raises:
            DataError: as of :func:`clients.data.sources.open_source`.
        """
        ...

    def bring(self, rows: ir.Table, *, what: str) -> tuple[ir.Table, int]:
        """Rows of an open source as a table of this database, and how many were copied.

        Raises:
            DataError: if the source fails, there is no scratch folder, or the disk is nearly full.
        """
        ...


class _Copies:
    """Rows as Parquet files in the scratch folder.

    Args:
        base: the folder of ``holder.toml``.
        connection: the embedded database that reads them again.
        scratch: the folder; None where nothing can be written.
    """

    def __init__(self, base: Path, connection: Any, scratch: Path | None) -> None:
        self._base, self._connection, self._scratch, self._count = base, connection, scratch, 0

    def open(self, reading: Reading) -> AbstractContextManager[Opened]:
        return open_source(reading, base=self._base)

    def bring(self, rows: ir.Table, *, what: str) -> tuple[ir.Table, int]:
        path = None if self._scratch is None else self._scratch / f"copy-{self._count}.parquet"
        self._count += 1
        count = 0
        with told(f"copying {what}"), new_copy(path) as copy:
            schema = rows.schema().to_pyarrow()
            with pq.ParquetWriter(copy, schema, compression="zstd") as writer:
                for batch in rows.to_pyarrow_batches():
                    check_room(copy)
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
                    count += batch.num_rows
        table: ir.Table = self._connection.read_parquet(path)
        return table, count


class _InSpark:
    """Tables of one Spark, whose rows stay there."""

    def __init__(self, opened: Callable[[Reading], Opened]) -> None:
        self._opened = opened

    def open(self, reading: Reading) -> AbstractContextManager[Opened]:
        return contextlib.nullcontext(self._opened(reading))

    def bring(self, rows: ir.Table, *, what: str) -> tuple[ir.Table, int]:
        return rows, 0


@contextlib.contextmanager
def open_room(origin: Origin, *more: Reading) -> Iterator[Room]:
    """The place for all sources of a holder, the table of persons, and what else is to be seen beside them.

    Raises:
        DataError: if Spark cannot be reached.
    """
    config = origin.config
    readings: list[Reading] = [*map(config.of_source, config.sources), *more]
    readings += [] if config.person is None else [config.person.reading]
    urls = {reading.source.url for reading in readings}
    if len(urls) == 1 and (url := urls.pop()).startswith(_SPARK):
        with needs_spark():
            from clients.data.sources.spark import spark_tables
        with spark_tables(url.removeprefix(_SPARK)) as opened:
            yield _InSpark(opened)
        return
    with embedded(config, origin.base) as (connection, scratch):
        yield _Copies(origin.base, connection, scratch)


@contextlib.contextmanager
def naming(source: NamedSource) -> Iterator[None]:
    """Around what reads one of several sources: errors name it."""
    try:
        yield
    except ColumnsMissing as error:
        own, seen = ([f"{source.name}: {one}" for one in said] for said in (error.sentences, error.for_screen))
        raise ColumnsMissing(own, seen) from None
    except DataError as error:
        hint = in_table(error.hint, "[sources]")
        raise DataError(f"[[sources]] {source.name}: {error.message}", hint=hint) from None
