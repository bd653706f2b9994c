"""The customer table: one row of integers per customer, computed once, owner-only, never leaving the holder.

Two queries make it, whatever the database: one counts the rows under every cleaning rule, one adds up the
customers. Where ids may be spelled in several ways, a third one asks how. Only their results, never rows, come into
memory.

Days are whole days of 86,400 seconds from the last (first) purchase to the start of the study's as-of day. That start
is one instant, computed once; where the source's times carry no zone it is turned into the source's wall time, and
wall times are compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Self

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis.expr import types as ir
from numpy.typing import NDArray

from clients.data.cleaning.ids import read_exclusion_list
from clients.data.cleaning.lines import KEPT, RULES
from clients.data.cleaning.money import QUANTA_PER_UNIT, money_of
from clients.data.cleaning.times import as_of_moment
from clients.data.customer_totals import check_totals, totals
from clients.data.origin import Origin
from clients.data.rows.cleaning_report import CleaningReport, HeavyId
from clients.data.rows.kinds import RowKind
from clients.data.rows.lines import WHOLE_LIFE, counted_lines, in_window, tidy_of, used_rules, with_exact_ids
from clients.data.several.rows import open_lines
from clients.data.sources import fetch
from clients.data.sources.opened import Opened
from clients.data.spellings import Spellings, choose
from privacy.errors import DataError
from privacy.kernel.canonical import canonical_json, sha256_hex
from privacy.kernel.customers import CustomerColumns, CustomerRequest
from privacy.kernel.terms import minor_digits
from privacy.private_files import private_file
from privacy.protocol.study import Study

#: An id with more than this share of all orders is probably not one person (a till, a marketplace, a wholesaler) ...
HEAVY_SHARE = 0.005
#: ... unless it has few orders, as in small tables, where everybody's share is large.
HEAVY_ORDERS = 20
_HEAVY_SHOWN = 20
_SUM_LIMIT = 9 * 10**17
_DAY = 86_400_000_000  # microseconds
#: Raise when the same rows would give another table: cached tables of the old kind are then left alone.
_TABLE_VERSION = 4
_INTEGERS = ("recency_days", "orders", "money", "tenure_days")
_SPELLINGS = ("spelled", "also_spelled")


@dataclass(frozen=True, kw_only=True, eq=False)
class CustomerTable:
    """One holder's customers as of the study's day, sorted by id (as text), each id once.

    Attributes:
        ids: normalised customer ids, shape ``(customers,)``, Python strings.
        columns: the integers that encoders see, same order.
        report: what cleaning did.
        spelled: the id as the source spells it, of the customers whose normalised id does not occur there.
        also_spelled: all other spellings that customers have.
    """

    ids: NDArray[np.object_]
    columns: CustomerColumns
    report: CleaningReport
    spelled: Spellings = field(default_factory=Spellings)
    also_spelled: Spellings = field(default_factory=Spellings)

    def __post_init__(self) -> None:
        if self.ids.shape != (len(self.columns),):
            raise ValueError("ids and columns differ in length")
        if any(len(item) and item.rows[-1] >= len(self) for item in (self.spelled, self.also_spelled)):
            raise ValueError("a spelling is of a customer that is not there")

    @property
    def table(self) -> CustomerColumns:
        """What encoders see."""
        return self.columns

    def of(self, keep: NDArray[np.bool_]) -> Self:
        """Some of the customers; the report of the cleaning stays that of all rows."""
        return replace(
            self, ids=self.ids[keep], columns=self.columns.take(keep), spelled=self.spelled.of(keep),
            also_spelled=self.also_spelled.of(keep),
        )  # fmt: skip

    @property
    def source_ids(self) -> NDArray[np.object_]:
        """One spelling of every customer, exactly as it stands in the source, same order."""
        if not len(self.spelled):
            return self.ids
        exact = self.ids.copy()
        exact[self.spelled.rows] = self.spelled.source_ids
        return exact

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return "CustomerTable(<private>)"

    def save(self, path: Path) -> None:
        """Write the table as Parquet, readable by its owner only, whole or not at all."""
        arrays = {"customer_id": pa.array(self.ids, pa.string())}
        arrays |= {name: getattr(self, name).as_lists(len(self)) for name in _SPELLINGS}
        arrays |= {name: pa.array(getattr(self.columns, name)) for name in _INTEGERS}
        table = pa.table(arrays).replace_schema_metadata({"cleaning_report": self.report.model_dump_json()})
        with private_file(path) as target:
            pq.write_table(table, target, compression="zstd")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a table that ``save`` wrote.

        Raises:
            DataError: if the file is missing, damaged, or something else.
        """
        try:
            table = pq.read_table(path)
            columns = CustomerColumns(**{name: table[name].to_numpy() for name in _INTEGERS})
            report = CleaningReport(**json.loads((table.schema.metadata or {})[b"cleaning_report"]))
            spellings = {name: Spellings.from_lists(table[name].combine_chunks()) for name in _SPELLINGS}
            return cls(ids=_strings(table["customer_id"]), columns=columns, report=report, **spellings)
        except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
            raise DataError(f"{path} is not a customer table", hint="delete it; it is computed again") from None


def build_customer_table(origin: Origin, request: CustomerRequest = WHOLE_LIFE) -> CustomerTable:
    """Compute the customer table from the holder's source, of all lines or of those in the request's window.

    Rows that cannot be used are dropped and counted, rows in unknown currencies among them: what a row says never
    makes this fail. An empty source gives an empty table.

    Raises:
        DataError: if the source cannot be opened or its columns cannot be what they are mapped as.
    """
    with open_lines(origin) as opened:
        return table_of(opened, origin, request).table


class Built(NamedTuple):
    """A customer table, and from what it was made.

    Attributes:
        table: the table.
        lines: the cleaned lines, in the request's window.
        quanta: all customers' money as ``Money.quanta``; None where a customer's stands at its limit.
    """

    table: CustomerTable
    lines: ir.Table
    quanta: int | None


def table_of(opened: Opened, origin: Origin, request: CustomerRequest = WHOLE_LIFE) -> Built:
    """The customer table of lines that are open."""
    lines, counts = counted_lines(opened, origin, request)
    sums = fetch(customer_query(lines, origin), what="adding up customers")
    exact = in_window(with_exact_ids(opened, origin, tidy_of(opened, origin, counts)), origin, request)
    query = spellings_of(exact, origin.study)
    spellings = fetch(query, what="looking at ids") if query is not None else None
    table = _assemble(counts, sums, spellings, origin)
    table = replace(table, report=table.report.model_copy(update={"left_out": opened.left_out}))
    quanta = [int(item) for item in sums["quanta"].to_pylist() if item is not None]
    return Built(table, lines, sum(quanta) if all(abs(item) < _SUM_LIMIT for item in quanta) else None)


def customer_query(lines: ir.Table, origin: Origin) -> ir.Table:
    """One row per customer: orders, money in quanta, first and last purchase, lines.

    Lines are added up to orders and orders to customers, which needs less memory than counting distinct orders.
    """
    study = origin.study
    net = study.cleaning.returns == "net"
    kept = lines.filter(lines.rule.isin(used_rules(study))) if net else lines.filter(lines.rule == KEPT).drop("rule")
    if study.cleaning.duplicates == "drop":
        kept = kept.distinct()
    kept = kept.mutate(quanta=money_of(kept, origin).quanta)
    bought = kept.rule == KEPT if net else None
    customers = totals(kept) if origin.config.source.kind == "customers" else _added_up(kept, bought)
    return customers.select(
        "orders",
        "first",
        "last",
        "lines",
        customer_id=customers.customer.cast("string"),
        quanta=ibis.greatest(ibis.least(customers.quanta, _SUM_LIMIT), -_SUM_LIMIT),
    )


def _added_up(kept: ir.Table, bought: ir.BooleanValue | None) -> ir.Table:
    """Lines to orders, and orders to customers; an order's times are those of what was bought, where some was not."""
    orders = kept.group_by("customer", "order").agg(
        quanta=kept.quanta.sum(),
        first=kept.time.min(where=bought),
        last=kept.time.max(where=bought),
        lines=kept.count(),
    )
    return orders.group_by("customer").agg(
        # An order of returned lines only has no purchase time, and count() passes over nulls.
        orders=orders.last.count(),
        quanta=orders.quanta.sum(),
        first=orders.first.min(),
        last=orders.last.max(),
        lines=orders.lines.sum(),
    )


def spellings_of(lines: ir.Table, study: Study) -> ir.Table | None:
    """All spellings of all customers; None where there can be none but their ids."""
    if "source_id" not in lines.columns:
        return None
    used = lines.filter(lines.rule.isin(used_rules(study)))
    return used.select(customer_id=used.customer.cast("string"), source_id=used.source_id).distinct()


def _strings(column: pa.ChunkedArray) -> NDArray[np.object_]:
    return np.asarray(column.to_numpy(), dtype=object)


def _microseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Times as microseconds since 1970, of wall time or of UTC as the column is."""
    zone = column.type.tz
    array: NDArray[np.int64] = column.cast(pa.timestamp("us", zone)).cast(pa.int64()).to_numpy()
    return array


def _assemble(counts: pa.Table, sums: pa.Table, spellings: pa.Table | None, origin: Origin) -> CustomerTable:
    study = origin.study
    with_orders = sums.filter(pc.greater(sums["orders"], 0))
    table = with_orders.take(pc.sort_indices(with_orders["customer_id"]))
    zone = origin.config.source.time_zone if table["last"].type.tz is None else "UTC"
    as_of = int(np.datetime64(as_of_moment(study, zone), "us").astype(np.int64))
    quanta = table["quanta"].cast(pa.int64()).to_numpy()
    per_minor = QUANTA_PER_UNIT // 10 ** minor_digits(study.currency)
    columns = CustomerColumns(
        recency_days=(as_of - _microseconds(table["last"])) // _DAY,
        orders=table["orders"].cast(pa.int64()).to_numpy(),
        money=(quanta + per_minor // 2) // per_minor,
        tenure_days=(as_of - _microseconds(table["first"])) // _DAY,
    )
    ids = _strings(table["customer_id"])
    spelled = also = Spellings()
    if spellings is not None:
        spelled, also = choose(table["customer_id"], spellings)
    report = _report(counts, sums, ids, columns, study)
    report = report.model_copy(update={"several_spellings": len(np.unique(also.rows))})
    return CustomerTable(ids=ids, columns=columns, report=report, spelled=spelled, also_spelled=also)


def _report(
    counts: pa.Table, sums: pa.Table, ids: NDArray[np.object_], columns: CustomerColumns, study: Study
) -> CleaningReport:
    by_rule = {row["rule"]: row for row in counts.to_pylist()}
    used = used_rules(study)
    usable = [by_rule[code] for code in used if code in by_rule]
    dropped = {
        rule.name: by_rule[code]["rows"]
        for code, rule in enumerate(RULES, start=1)
        if code in by_rule and code not in used
    }
    lines = int(pc.sum(sums["lines"]).as_py() or 0)
    total = int(columns.orders.sum())
    heavy = np.flatnonzero((columns.orders > HEAVY_SHARE * total) & (columns.orders >= HEAVY_ORDERS))
    heaviest = heavy[np.argsort(-columns.orders[heavy], kind="stable")][:_HEAVY_SHOWN]
    return CleaningReport(
        rows_seen=sum(row["rows"] for row in by_rule.values()),
        dropped=dropped,
        netted=sum(by_rule[code]["rows"] for code in used if code != KEPT and code in by_rule),
        duplicates=sum(row["rows"] for row in usable) - lines,
        capped=sum(row["capped"] for row in usable),
        free=by_rule.get(KEPT, {}).get("free", 0),
        lines=lines,
        customers=len(columns),
        orders=total,
        only_returns=sums.num_rows - len(columns),
        heavy_ids=tuple(
            HeavyId(customer_id=ids[i], orders=int(columns.orders[i]), share=int(columns.orders[i]) / total)
            for i in heaviest
        ),
    )


def _stored(origin: Origin, request: CustomerRequest) -> str:
    key = table_key(origin)
    return key if request == WHOLE_LIFE else sha256_hex(f"{key} {request.digest}".encode())


def table_key(origin: Origin) -> str:
    """Name of the kept table: digests of study (with its as-of day), ``holder.toml`` and exclusion list.

    The list's content is in it, so that an opt-out takes effect at once; the source's rows are not: one study and
    as-of day is answered from one table.
    """
    config, study, base = origin.config, origin.study, origin.base
    lists = [read_exclusion_list(config.of_source(source), base=base) for source in config.sources]
    excluded = canonical_json(lists or list(read_exclusion_list(config, base=base)))
    parts = [str(_TABLE_VERSION), study.digest, config.digest, str(base.resolve()), sha256_hex(excluded)]
    return sha256_hex("\n".join(parts).encode())


CUSTOMER_ROWS: RowKind[CustomerRequest] = RowKind(
    build=build_customer_table,
    load=lambda path, request: CustomerTable.load(path),
    stored=_stored,
    check=lambda origin, request: check_totals(origin.config, origin.study, request),
)
