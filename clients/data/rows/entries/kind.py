"""Entries of declared tables as one of the kinds of rows that studies ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clients.data.customer_totals import check_totals
from clients.data.origin import Origin
from clients.data.rows.customers import table_key
from clients.data.rows.entries.build import build_entries
from clients.data.rows.kinds import IdentifiedRows, RowKind
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.cells import CellRequest, CellRows

#: Raise when the same rows would give other entries.
_VERSION = 1


class CustomerCells(IdentifiedRows[CellRows]):
    """One holder's customers who have an entry."""

    def _columns(self) -> Mapping[str, pa.Array]:
        rows = self.table
        columns = {"table": rows.table, "cell": rows.cell}
        columns |= {f"value_{place}": rows.values[:, place] for place in range(rows.values.shape[1])}
        start = pa.array(rows.start)
        return {name: pa.LargeListArray.from_arrays(start, pa.array(column)) for name, column in columns.items()}

    @classmethod
    def load(cls, path: Path, request: CellRequest) -> Self:
        """Read entries that ``save`` wrote.

        Raises:
            DataError: if the file is missing, damaged, or something else.
        """
        return cls._read(path, "entries of tables", _entries_of)


def _entries_of(stored: pa.Table) -> CellRows:
    lists = {name: stored[name].combine_chunks() for name in stored.column_names if name != "customer_id"}
    flat = {name: _flat(column) for name, column in lists.items()}
    lengths = lists["table"].value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    values = [name for name in flat if name.startswith("value_")]
    return CellRows(
        start=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]).astype(np.int64),
        table=flat["table"],
        cell=flat["cell"],
        values=np.stack([flat[name] for name in values], axis=1) if values else np.zeros((0, 1), np.int64),
    )


def _flat(column: pa.LargeListArray) -> NDArray[np.int64]:
    found: NDArray[np.int64] = column.flatten().to_numpy(zero_copy_only=False)
    if found.dtype != np.int64:
        raise TypeError("entries are not integers")
    return found


def build_cells(origin: Origin, request: CellRequest) -> CustomerCells:
    """Compute entries from the holder's feeds. Of a table whose feeds or roles it does not have, there are none.

    Raises:
        DataError: if a feed cannot be opened or its columns cannot be what they are mapped as.
    """
    ids, table = build_entries(origin, request)
    return CustomerCells(ids=ids, table=table)


CELL_ROWS: RowKind[CellRequest] = RowKind(
    build=build_cells,
    load=CustomerCells.load,
    stored=lambda origin, request: f"cells-{sha256_hex(f'{_VERSION} {table_key(origin)} {request.digest}'.encode())}",
    check=lambda origin, request: check_totals(origin.config, origin.study, request),
)
