"""The kinds of rows that studies ask for, with a builder for each."""

from __future__ import annotations

from typing import Any

from clients.data.origin import Origin
from clients.data.rows.customers import CUSTOMER_ROWS
from clients.data.rows.entries.kind import CELL_ROWS
from clients.data.rows.features import FEATURE_ROWS
from clients.data.rows.kinds import OwnRows, RowKind
from privacy.kernel.cells import CellRequest
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.row_requests import RowRequest

#: As many as ``RowRequest`` has members.
KINDS: dict[type[RowRequest], RowKind[Any]] = {
    CellRequest: CELL_ROWS,
    CustomerRequest: CUSTOMER_ROWS,
    FeatureRequest: FEATURE_ROWS,
}


def own_rows(origin: Origin, request: RowRequest) -> OwnRows[Any]:
    """The holder's rows for a request, computed at the first call and read back afterwards.

    One study, as-of day and request are answered from one table, whatever the source says later.

    Raises:
        ConfigError: if ``holder.toml`` does not map what the request needs.
        DataError: if the source cannot be read as described, or what is kept is damaged.
    """
    kind = KINDS[type(request)]
    kind.check(origin, request)
    path = origin.state / "tables" / f"{kind.stored(origin, request)}.parquet"
    if path.exists():
        return kind.load(path, request)
    rows = kind.build(origin, request)
    rows.save(path)
    return rows
