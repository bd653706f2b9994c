"""Parquet files as a source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ibis.expr import types as ir

from clients.data.config import HolderConfig
from clients.data.sources.embedded import embedded
from clients.data.sources.locations import files, literal, resolve
from privacy.errors import DataError


@contextlib.contextmanager
def open_parquet(config: HolderConfig, location: str, base: Path) -> Iterator[ir.Table]:
    """Open Parquet files as one table, columns by name.

    Raises:
        DataError: if there is no file, or one is damaged.
    """
    paths = files(base, location)
    with embedded(config, base) as (connection, _):
        try:
            table = connection.read_parquet([literal(path) for path in paths], table_name="sales", union_by_name=True)
        except Exception:
            raise DataError(
                f"{resolve(base, location)} cannot be read as Parquet",
                hint="check that the files are complete and have the same columns",
            ) from None
        yield table
