"""The embedded database that computes over files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis

from clients.data.place import Reading
from clients.data.scratch import scratch_folder

#: DuckDB by itself takes 80% of the machine's (or the container's) memory; half of the machine's is 5/8 of that.
_SHARE_OF_DEFAULT = 0.625


@contextlib.contextmanager
def embedded(config: Reading, base: Path) -> Iterator[tuple[Any, Path | None]]:
    """An in-memory DuckDB and its scratch folder; rows that do not fit in memory go to that folder.

    The folder is None where nothing can be written beside ``holder.toml``; then all has to fit in memory.
    """
    with scratch_folder(base / "state") as scratch:
        connection = ibis.duckdb.connect(
            temp_directory=str(scratch / "spill") if scratch else "",
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
