"""Features of every customer as of several days, by one query over the cleaned lines.

Lines become orders, and orders become one row per customer with a few sums for each day; features are worked out from
those sums on integers, by recipes. Everything that a day's features say comes from lines before the start of that day,
whatever is added to an order later, so that no feature sees the future. An order is when its first purchase line is:
the outcome comes from orders that begin on the day or later, and shares none with the features.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.data.cleaning.money import QUANTA_PER_UNIT
from clients.data.cleaning.times import wall_time
from clients.data.customer_totals import check_sums, check_totals, sums_of_totals
from clients.data.origin import Origin
from clients.data.recipes.facts import DAY, Facts, SumName
from clients.data.rows.customers import customer_query, table_key
from clients.data.rows.kinds import IdentifiedRows, RowKind
from clients.data.rows.lines import counted_lines
from clients.data.rows.sums import customer_sums
from clients.data.several.rows import open_lines
from clients.data.sources import fetch
from privacy.analyses.catalogue import ALL_FEATURES
from privacy.errors import ConfigError
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.feature_request import CategoryKind, FeatureRequest, SpendKind
from privacy.kernel.features import MISSING, FeatureTable, IntArray
from privacy.kernel.terms import minor_digits

#: Raise when the same rows would give other features.
_VERSION = 1


class CustomerFeatures(IdentifiedRows[FeatureTable]):
    """One holder's customers with their features."""

    def _columns(self) -> Mapping[str, pa.Array]:
        arrays: dict[str, pa.Array] = {}
        for day in range(self.table.eligible.shape[1]):
            arrays[f"eligible@{day}"] = pa.array(self.table.eligible[:, day])
            arrays[f"outcome@{day}"] = pa.array(self.table.outcome[:, day])
            for j, name in enumerate(self.table.names):
                arrays[f"{name}@{day}"] = pa.array(self.table.values[:, day, j])
        return arrays

    @classmethod
    def load(cls, path: Path, request: FeatureRequest) -> Self:
        """Read features that ``save`` wrote for the same request.

        Raises:
            DataError: if the file is missing, damaged, or something else.
        """
        return cls._read(path, "features", lambda stored: _table_of(stored, request))


def _table_of(stored: pa.Table, request: FeatureRequest) -> FeatureTable:
    def read(name: str, into: IntArray) -> None:
        for day in range(len(request.days)):
            column = stored[f"{name}@{day}"]
            if column.type != pa.int64():
                raise TypeError(name)
            into[:, day] = column.to_numpy()

    shape = (stored.num_rows, len(request.days))
    values = np.empty((*shape, len(request.names)), dtype=np.int64)
    eligible, outcome = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
    for j, name in enumerate(request.names):
        read(name, values[:, :, j])
    read("eligible", eligible)
    read("outcome", outcome)
    return FeatureTable(names=request.names, values=values, eligible=eligible, outcome=outcome)


def check_features(origin: Origin, request: FeatureRequest) -> None:
    """Whether ``holder.toml`` maps what the features need, and the study sees all of their days. Looks at no row.

    Raises:
        ConfigError: naming the column that is missing, the feature that nobody here knows, or the day that comes after
            the study's own.
    """
    study = origin.study
    if request.days[-1] > study.as_of:
        raise ConfigError(
            f"features as of {request.days[-1]} were asked for, and the study sees only rows before {study.as_of}",
            hint="ask for days up to the study's as-of day",
        )
    mapped = origin.config.columns.mapped()
    check_totals(origin.config, study, request)
    for name in request.names:
        if name not in origin.recipes:
            raise ConfigError(f"this release cannot work out the feature {name}", hint="install the study's release")
        check_sums(origin.config, name, origin.recipes[name].sums)
        needed = ALL_FEATURES[name].needs
        if needed is not None and needed not in mapped:
            raise ConfigError(
                f"the study uses {name}, which needs columns.{needed}",
                hint=f"map it under [columns] in holder.toml, or ask for a study without {name}",
            )
    if isinstance(request.becoming, CategoryKind) and "category" not in mapped:
        raise ConfigError(
            f"the study asks who will buy in {request.becoming.category!r}, which needs columns.category",
            hint="map it under [columns] in holder.toml, or ask for a study that does not ask it",
        )


def build_features(origin: Origin, request: FeatureRequest) -> CustomerFeatures:
    """Compute features from the holder's source.

    Customers are all with a purchase before the last day. Rows that cannot be used are dropped, as they are for the
    customer table; an empty source gives an empty table.

    Raises:
        ConfigError: if a column that a feature needs is not mapped, or a day is after the study's.
        DataError: if the source cannot be opened or its columns cannot be what they are mapped as.
    """
    check_features(origin, request)
    with open_lines(origin) as opened:
        lines, _ = counted_lines(opened, origin)
        if origin.config.source.kind == "customers":
            query = sums_of_totals(customer_query(lines, origin))
        else:
            query = customer_sums(lines, origin, request)
        sums = fetch(query, what="computing features")
    table = sums.filter(pc.greater(sums[f"orders_{len(request.days) - 1}"], 0))
    table = table.take(pc.sort_indices(table["customer_id"]))
    return CustomerFeatures(
        ids=np.asarray(table["customer_id"].to_numpy(), dtype=object), table=_assemble(table, origin, request)
    )


def _assemble(sums: pa.Table, origin: Origin, request: FeatureRequest) -> FeatureTable:
    study = origin.study
    shape = (sums.num_rows, len(request.days))
    values = np.empty((*shape, len(request.names)), dtype=np.int64)
    eligible, outcome = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    zone = "UTC" if sums["last_0"].type.tz is not None else origin.config.source.time_zone
    for i, day in enumerate(request.days):
        facts = Facts(
            sums,
            i,
            start=int(np.datetime64(wall_time(day, study.time_zone, zone), "us").astype(np.int64)),
            day=int(np.datetime64(day, "D").astype(np.int64)),
            per_minor=QUANTA_PER_UNIT // 10 ** minor_digits(study.currency),
        )
        for j, name in enumerate(request.names):
            values[:, i, j] = np.where(facts.orders > 0, origin.recipes[name].compute(facts), MISSING)
        active = (facts.orders > 0) & (facts.recency // DAY <= request.active_days)
        eligible[:, i] = active
        known = request.horizon_days and day + dt.timedelta(days=request.horizon_days) <= study.as_of
        if request.becoming is not None:
            eligible[:, i] &= ~_of_kind(facts, "kind_before", request.becoming)
            if known:
                outcome[:, i] = _of_kind(facts, "kind_after", request.becoming)
        elif known:
            outcome[:, i] = facts.column("after") == 0
    return FeatureTable(names=request.names, values=values, eligible=eligible, outcome=outcome)


def _of_kind(facts: Facts, name: SumName, kind: SpendKind | CategoryKind) -> NDArray[np.bool_]:
    """Whether customers were of a kind in a time."""
    if isinstance(kind, SpendKind):
        return np.asarray(facts.money(name) >= kind.at_least)
    return np.asarray(facts.column(name) > 0)


FEATURE_ROWS: RowKind[FeatureRequest] = RowKind(
    build=build_features,
    load=CustomerFeatures.load,
    stored=lambda origin, request: (
        f"features-{sha256_hex(f'{_VERSION} {table_key(origin)} {request.digest}'.encode())}"
    ),
    check=check_features,
)
