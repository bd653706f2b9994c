"""Features of every customer as of several days, by one query over the cleaned lines.

Lines become orders, and orders become one row per customer with a few sums for each day; features are worked out from
those sums on integers. Everything that a day's features say comes from lines before the start of that day, whatever is
added to an order later, so that no feature sees the future. An order is when its first purchase line is: the outcome
comes from orders that begin on the day or later, and shares none with the features.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.expr import types as ir
from numpy.typing import NDArray

from clients.data.cleaning import (
    KEPT,
    NETTED,
    QUANTA_PER_UNIT,
    is_discounted,
    moment_literal,
    money_of,
    says,
    wall_time,
    zone_of,
)
from clients.data.config import HolderConfig
from clients.data.customer_table import counted_lines, table_key
from clients.data.sources import fetch, open_source
from privacy.analyses.catalogue import ALL_FEATURES
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.features import MISSING, FeatureRequest, FeatureTable, ListName, listed_place
from privacy.kernel.terms import minor_digits
from privacy.private_files import private_file
from privacy.protocol.study import Study

IntArray = NDArray[np.int64]

#: Gaps between orders are added up, and squared, in hundredths of a day: sums of squares then fit 64 bits.
_GAP_SECONDS = 864
_GAP = _GAP_SECONDS * 1_000_000  # microseconds
_DAY = 100 * _GAP
#: Sums are kept inside this, as in the customer table.
_SUM_LIMIT = 9 * 10**17
_EVENING = 18
#: Raise when the same rows would give other features.
_VERSION = 1
_SATURDAY = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class CustomerFeatures:
    """One holder's customers with their features, sorted by id (as text), each id once.

    Attributes:
        ids: normalised customer ids, shape ``(customers,)``, Python strings.
        table: what encoders see, same order.
    """

    ids: NDArray[np.object_]
    table: FeatureTable

    def __post_init__(self) -> None:
        if self.ids.shape != (len(self.table),):
            raise ValueError("ids and features differ in length")

    def __repr__(self) -> str:
        return "CustomerFeatures(<private>)"

    def save(self, path: Path) -> None:
        """Write features as Parquet, readable by the owner only, whole or not at all."""
        arrays = {"customer_id": pa.array(self.ids, pa.string())}
        for day in range(self.table.eligible.shape[1]):
            arrays[f"eligible@{day}"] = pa.array(self.table.eligible[:, day])
            arrays[f"outcome@{day}"] = pa.array(self.table.outcome[:, day])
            for j, name in enumerate(self.table.names):
                arrays[f"{name}@{day}"] = pa.array(self.table.values[:, day, j])
        with private_file(path) as target:
            pq.write_table(pa.table(arrays), target, compression="zstd")

    @classmethod
    def load(cls, path: Path, request: FeatureRequest) -> Self:
        """Read features that ``save`` wrote for the same request.

        Raises:
            DataError: if the file is missing, damaged, or something else.
        """
        try:
            stored = pq.read_table(path)

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
            table = FeatureTable(names=request.names, values=values, eligible=eligible, outcome=outcome)
            return cls(ids=np.asarray(stored["customer_id"].to_numpy(), dtype=object), table=table)
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            raise DataError(f"{path} does not hold features", hint="delete it; it is computed again") from None


def cached_features(
    config: HolderConfig, study: Study, request: FeatureRequest, *, base: Path, state: Path
) -> CustomerFeatures:
    """Features, computed at the first call for a study and request and read back afterwards.

    Raises:
        ConfigError, DataError: as ``build_features``, or if the stored file is damaged.
    """
    check_features(config, study, request)
    key = sha256_hex(f"{_VERSION} {table_key(config, study, base=base)} {request.digest}".encode())
    path = state / "tables" / f"features-{key}.parquet"
    if path.exists():
        return CustomerFeatures.load(path, request)
    features = build_features(config, study, request, base=base)
    features.save(path)
    return features


def check_features(config: HolderConfig, study: Study, request: FeatureRequest) -> None:
    """Whether ``holder.toml`` maps what the features need, and the study sees all of their days. Looks at no row.

    Raises:
        ConfigError: naming the column that is missing, the feature that nobody here knows, or the day that comes after
            the study's own.
    """
    if request.days[-1] > study.as_of:
        raise ConfigError(
            f"features as of {request.days[-1]} were asked for, and the study sees only rows before {study.as_of}",
            hint="ask for days up to the study's as-of day",
        )
    mapped = config.columns.mapped()
    for name in request.names:
        if name not in _COMPUTED and listed_place(name) is None:
            raise ConfigError(f"this release cannot work out the feature {name}", hint="install the study's release")
        needed = ALL_FEATURES[name].needs
        if needed is not None and needed not in mapped:
            raise ConfigError(
                f"the study uses {name}, which needs columns.{needed}",
                hint=f"map it under [columns] in holder.toml, or ask for a study without {name}",
            )


def build_features(config: HolderConfig, study: Study, request: FeatureRequest, *, base: Path) -> CustomerFeatures:
    """Compute features from the holder's source; ``base`` is the folder of ``holder.toml``.

    Customers are all with a purchase before the last day. Rows that cannot be used are dropped, as they are for the
    customer table; an empty source gives an empty table.

    Raises:
        ConfigError: if a column that a feature needs is not mapped, or a day is after the study's.
        DataError: if the source cannot be opened or its columns cannot be what they are mapped as.
    """
    check_features(config, study, request)
    with open_source(config, base=base) as opened:
        lines, _ = counted_lines(opened, config, study, base)
        sums = fetch(_sums(_parts(lines, config, study, request), config, study, request), what="computing features")
    table = sums.filter(pc.greater(sums[f"orders_{len(request.days) - 1}"], 0))
    table = table.take(pc.sort_indices(table["customer_id"]))
    return CustomerFeatures(
        ids=np.asarray(table["customer_id"].to_numpy(), dtype=object), table=_assemble(table, config, study, request)
    )


def _parts(lines: ir.Table, config: HolderConfig, study: Study, request: FeatureRequest) -> ir.Table:
    """Orders, cut at the request's days: one row per order and stretch of time in which it has lines.

    Columns: the sums of these lines, and ``at``, their latest time; ``last``, that of the purchases among them;
    ``opened``, the time of the whole order's first line. The row with the order's first purchase also has ``begun``,
    its time, and what goes with it. What they say of before a day depends on no later line, and on no other day.
    """
    kept = lines.filter(lines.rule.isin((KEPT, *NETTED)))
    if study.cleaning.duplicates == "drop":
        kept = kept.distinct()
    cuts = [(kept.time < _moment(day, config, study, kept.time), i) for i, day in enumerate(request.days)]
    kept = kept.mutate(
        quanta=money_of(kept, config, study).quanta,
        bought=kept.rule == KEPT,
        stretch=ibis.cases(*cuts, else_=len(cuts)),
    )
    counted = kept.bought if study.cleaning.returns == "drop" else ibis.literal(True)
    parts = kept.group_by("customer", "order", "stretch").agg(
        quanta=kept.quanta.sum(where=counted).fill_null(0),
        at=kept.time.max(),
        opened=kept.time.min(),
        first=kept.time.min(where=kept.bought),
        last=kept.time.max(where=kept.bought),
        lines=kept.bought.cast("int64").sum(),
        returned=(~kept.bought).cast("int64").sum(),
        discounted=(kept.bought & is_discounted(kept)).cast("int64").sum(),
        **{
            name: (kept.bought & says(kept, "category", value)).cast("int64").sum()
            for name, value in _listed(request, "categories").items()
        },
        **{
            name: kept.time.min(where=kept.bought & says(kept, "channel", value))
            for name, value in _listed(request, "channels").items()
        },
    )
    whole = ibis.window(group_by=[parts.customer, parts.order])
    begins = (parts["first"] == parts["first"].min().over(whole)).fill_null(False)
    parts = parts.mutate(
        opened=parts.opened.min().over(whole),
        begun=ibis.ifelse(begins, parts["first"], ibis.null(parts["first"].type())),
    )
    # Differences of hundredths since 1970 add up to the one between the last and the first, without a rest.
    hundredths = parts.begun.epoch_seconds() // _GAP_SECONDS
    # Rows that begin no order get a partition of their own, which keeps them out of the others' gaps.
    groups = [parts.customer, parts.begun.isnull()]
    window = ibis.window(group_by=groups, order_by=[parts.begun, parts.order])
    wall = _wall_clock(parts.begun, config, study.as_of)
    # An order is of the channel of its first purchase lines; where lines of one moment name two, of both.
    through = {name: (parts[name] == parts.begun).fill_null(False) for name in _listed(request, "channels")}
    return parts.mutate(
        **through,
        gap=hundredths - hundredths.lag().over(window),
        weekend=wall.day_of_week.index() >= _SATURDAY,
        evening=wall.hour() >= _EVENING,
    )


def _listed(request: FeatureRequest, of: ListName) -> dict[str, str]:
    """The request's shares of one list, each with the value that it is of."""
    listed = {name: listed_place(name) for name in request.names}
    return {name: request.lists.value_of(name) for name, entry in listed.items() if entry and entry[0] == of}


def _wall_clock(time: ir.TimestampValue, config: HolderConfig, as_of: dt.date) -> ir.TimestampValue:
    """A time as the clock on the holder's wall showed it; exact for the ten years before the as-of day."""
    if zone_of(time) is None:
        return time
    zone = zoneinfo.ZoneInfo(config.source.time_zone)
    offsets: list[tuple[dt.datetime, int]] = []
    moment = dt.datetime.combine(as_of, dt.time(), tzinfo=dt.UTC) - dt.timedelta(days=3660)
    for _ in range(3660 * 24):
        seconds = int((moment.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds())
        if not offsets or offsets[-1][1] != seconds:
            offsets.append((moment, seconds))
        moment += dt.timedelta(hours=1)
    plain = time.cast("timestamp('UTC')").cast("timestamp(6)")
    branches = [(time >= ibis.literal(start), ibis.literal(seconds)) for start, seconds in reversed(offsets)]
    shift = ibis.cases(*branches, else_=ibis.literal(offsets[0][1]))
    return plain + shift.as_interval("s")


def _moment(day: dt.date, config: HolderConfig, study: Study, time: ir.Value) -> ir.Value:
    """The start of a day, to be compared with times of the source."""
    zone = "UTC" if zone_of(time) is not None else config.source.time_zone
    return moment_literal(wall_time(day, study.time_zone, zone), time)


def _sums(parts: ir.Table, config: HolderConfig, study: Study, request: FeatureRequest) -> ir.Table:
    """One row per customer: for the i-th day the sums that the features need, their names ending in ``_i``."""

    def moment(day: dt.date) -> ir.Value:
        return _moment(day, config, study, parts["at"])

    def total(value: ir.Value, where: ir.BooleanValue) -> ir.Value:
        added = value.sum(where=where).fill_null(0)
        return ibis.greatest(ibis.least(added, _SUM_LIMIT), -_SUM_LIMIT).cast("int64")

    def windows(prefix: str) -> list[int]:
        found = {int(name.removeprefix(prefix)) for name in request.names if name.startswith(prefix)
                 and name.removeprefix(prefix).isdigit()}  # fmt: skip
        halves = {180, 360} if prefix == "orders_" and {"trend", "momentum"} & set(request.names) else set()
        return sorted(found | halves)

    sums: dict[str, ir.Value] = {}
    for i, day in enumerate(request.days):
        before = parts["at"] < moment(day)
        begun = (parts.begun < moment(day)).fill_null(False)
        sums[f"orders_{i}"] = parts.begun.count(where=begun)
        sums[f"first_{i}"] = parts.begun.min(where=begun)
        sums[f"latest_{i}"] = parts.begun.max(where=begun)
        sums[f"last_{i}"] = parts["last"].max(where=before)
        sums[f"gaps_{i}"] = total(parts.gap * parts.gap, begun)
        sums[f"weekend_{i}"] = total(parts.weekend.cast("int64"), begun)
        sums[f"evening_{i}"] = total(parts.evening.cast("int64"), begun)
        for name in ("quanta", "lines", "returned", "discounted", *_listed(request, "categories")):
            sums[f"{name}_{i}"] = total(parts[name], before)
        for name in _listed(request, "channels"):
            sums[f"{name}_{i}"] = total(parts[name].cast("int64"), begun)
        for days in windows("orders_"):
            since = parts.begun >= moment(day - dt.timedelta(days=days))
            sums[f"orders_{days}_{i}"] = parts.begun.count(where=begun & since)
        for days in windows("money_"):
            since = parts.opened >= moment(day - dt.timedelta(days=days))
            sums[f"quanta_{days}_{i}"] = total(parts.quanta, before & since)
        if request.horizon_days:
            end = moment(day + dt.timedelta(days=request.horizon_days))
            after = (parts.begun >= moment(day)).fill_null(False) & (parts.begun < end)
            sums[f"after_{i}"] = parts.begun.count(where=after)
    rows = parts.group_by("customer").agg(**sums)
    return rows.select(*sums, customer_id=rows.customer.cast("string"))


def _assemble(sums: pa.Table, config: HolderConfig, study: Study, request: FeatureRequest) -> FeatureTable:
    shape = (sums.num_rows, len(request.days))
    values = np.empty((*shape, len(request.names)), dtype=np.int64)
    eligible, outcome = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    zoned = sums["first_0"].type.tz is not None
    zone = "UTC" if zoned else config.source.time_zone
    for i, day in enumerate(request.days):
        start = int(np.datetime64(wall_time(day, study.time_zone, zone), "us").astype(np.int64))
        facts = _Facts(sums, i, start, 10 ** minor_digits(study.currency))
        for j, name in enumerate(request.names):
            values[:, i, j] = np.where(facts.orders > 0, _computed(name)(facts), MISSING)
        active = (facts.orders > 0) & (facts.recency // _DAY <= request.active_days)
        eligible[:, i] = active
        if request.horizon_days and day + dt.timedelta(days=request.horizon_days) <= study.as_of:
            outcome[:, i] = facts.column("after") == 0
    return FeatureTable(names=request.names, values=values, eligible=eligible, outcome=outcome)


class _Facts:
    """The sums of one day, as int64 arrays of shape ``(customers,)``."""

    def __init__(self, sums: pa.Table, day: int, start: int, unit: int) -> None:
        self._sums = sums
        self._day = day
        self._per_minor = QUANTA_PER_UNIT // unit
        self.orders = self.column("orders")
        #: Microseconds from the last (first) purchase line to the day's start; 0 where there is none.
        self.recency = self._since("last", start)
        self.tenure = self._since("first", start)
        #: When the first (latest) order began, in microseconds since 1970.
        self.first, self.latest = start - self.tenure, start - self._since("latest", start)

    def column(self, name: str) -> IntArray:
        array: IntArray = self._sums[f"{name}_{self._day}"].cast(pa.int64()).to_numpy()
        return array

    def _since(self, name: str, start: int) -> IntArray:
        column = self._sums[f"{name}_{self._day}"]
        moments = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).fill_null(start).to_numpy()
        return start - moments

    def money(self, name: str = "quanta") -> IntArray:
        """In minor units, rounded half up."""
        return (self.column(name) + self._per_minor // 2) // self._per_minor

    def share(self, name: str, *of: str) -> IntArray:
        """Thousandths of ``name`` in the sum of ``of``; 0 where that is 0."""
        whole = np.sum([self.column(item) for item in of], axis=0)
        return 1000 * self.column(name) // np.maximum(whole, 1)

    @property
    def interval(self) -> IntArray:
        """Mean microseconds between the beginnings of orders, MISSING where there is one order only."""
        return np.where(self.orders > 1, (self.latest - self.first) // np.maximum(self.orders - 1, 1), MISSING)

    @property
    def spread(self) -> IntArray:
        """Standard deviation of the days between orders, in hundredths; MISSING with fewer than three orders."""
        gaps = np.maximum(self.orders - 1, 1).astype(np.float64)
        total = (self.latest // _GAP - self.first // _GAP).astype(np.float64)
        variance = (gaps * self.column("gaps") - total * total) / (gaps * gaps)
        return np.where(self.orders > 2, np.sqrt(np.maximum(variance, 0.0)).astype(np.int64), MISSING)

    @property
    def variation(self) -> IntArray:
        """Thousandths of the mean interval that the spread is; MISSING as the spread."""
        mean = np.maximum(_known(self.interval, _DAY // 100), 1)
        return np.where(self.spread == MISSING, MISSING, 1000 * np.maximum(self.spread, 0) // mean)

    @property
    def ratio(self) -> IntArray:
        """Thousandths of the own interval since the last purchase; MISSING where there is one order only."""
        return np.where(self.orders > 1, 1000 * (self.recency // 1000) // np.maximum(self.interval // 1000, 1), MISSING)


def _known(array: IntArray, divisor: int) -> IntArray:
    return np.where(array == MISSING, MISSING, array // divisor)


_COMPUTED: dict[str, Callable[[_Facts], IntArray]] = {
    "recency_days": lambda facts: facts.recency // _DAY,
    "tenure_days": lambda facts: facts.tenure // _DAY,
    "orders": lambda facts: facts.orders,
    "money": lambda facts: facts.money(),
    "order_value": lambda facts: facts.money() // np.maximum(facts.orders, 1),
    "basket": lambda facts: 100 * facts.column("lines") // np.maximum(facts.orders, 1),
    "orders_30": lambda facts: facts.column("orders_30"),
    "orders_90": lambda facts: facts.column("orders_90"),
    "orders_180": lambda facts: facts.column("orders_180"),
    "orders_365": lambda facts: facts.column("orders_365"),
    "money_30": lambda facts: facts.money("quanta_30"),
    "money_90": lambda facts: facts.money("quanta_90"),
    "money_180": lambda facts: facts.money("quanta_180"),
    "money_365": lambda facts: facts.money("quanta_365"),
    "interval_days": lambda facts: _known(facts.interval, _GAP),
    "interval_spread": lambda facts: facts.spread,
    "recency_ratio": lambda facts: facts.ratio,
    "interval_variation": lambda facts: facts.variation,
    "overdue": lambda facts: facts.ratio,
    "on_time": lambda facts: facts.ratio,
    "idle_share": lambda facts: 1000 * (facts.recency // 1000) // np.maximum(facts.tenure // 1000, 1),
    "tenure_180": lambda facts: facts.tenure // _DAY,
    "trend": lambda facts: 2 * facts.column("orders_180") - facts.column("orders_360"),
    "momentum": lambda facts: (
        1000 * (1 + facts.column("orders_180")) // (1 + facts.column("orders_360") - facts.column("orders_180"))
    ),
    "discount_share": lambda facts: facts.share("discounted", "lines"),
    "return_share": lambda facts: facts.share("returned", "lines", "returned"),
    "weekend_share": lambda facts: facts.share("weekend", "orders"),
    "evening_share": lambda facts: facts.share("evening", "orders"),
}


def _computed(name: str) -> Callable[[_Facts], IntArray]:
    listed = listed_place(name)
    if listed is None:
        return _COMPUTED[name]
    whole = "lines" if listed[0] == "categories" else "orders"
    return lambda facts: facts.share(name, whole)
