"""Labels as tables of one database, through a connection of their own: an explicit catalogue from scheme to writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clients.labels.config import DatabaseTarget
from clients.labels.day_rows import DayRows


def write_database(rows: DayRows[Any], target: DatabaseTarget, *, base: Path) -> int:
    """Write one day's rows into a database; the number of rows of that day.

    Raises:
        DataError: if the database cannot be reached or does not take them. The text holds no password and no row.
    """
    DATABASES[target.scheme](rows, target, base)
    return len(rows.snapshot)


def _duckdb(rows: DayRows[Any], target: DatabaseTarget, base: Path) -> None:
    from clients.labels.duckdb_tables import write_duckdb

    write_duckdb(rows, target, base)


def _postgresql(rows: DayRows[Any], target: DatabaseTarget, base: Path) -> None:
    from clients.data.sources import needs_psycopg

    with needs_psycopg():
        from clients.labels.postgres_tables import write_postgres
    write_postgres(rows, target, base)


#: The catalogue of databases.
DATABASES: dict[str, Callable[[DayRows[Any], DatabaseTarget, Path], None]] = {
    "duckdb": _duckdb,
    "postgresql": _postgresql,
}
