"""What each of a holder's own sources is of the whole: exact, of its own customers, for its own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from clients.data.cleaning.lines import KEPT, NETTED
from clients.data.cleaning.money import money_of
from clients.data.origin import Origin
from clients.data.rows.customers import table_key
from clients.data.rows.lines import counted_lines
from clients.data.several.rows import open_lines
from clients.data.sources import fetch
from privacy.errors import DataError
from privacy.private_files import write_private


class SourceFigures(BaseModel):
    """One source.

    Attributes:
        source: its name; empty for all customers who buy at several.
        customers: who buy there.
        only_here: of them, who buy nowhere else.
        orders: orders there; of several sources, of customers who buy at several.
        quanta: their money, in 1/10000 of the study's currency unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    customers: int
    only_here: int
    orders: int
    quanta: int


_Stored = TypeAdapter(tuple[SourceFigures, ...])


def source_figures(origin: Origin) -> tuple[SourceFigures, ...]:
    """Every source in the order of ``holder.toml``, and last those who buy at several; none where there is one source.

    Worked out once for a study and as-of day, as customer tables are.

    Raises:
        DataError: if a source cannot be read, or what is kept is damaged.
    """
    if not origin.config.sources:
        return ()
    path = origin.state / "tables" / f"sources-{table_key(origin)}.json"
    if path.exists():
        try:
            return _Stored.validate_json(path.read_bytes())
        except ValidationError:
            raise DataError(f"{path} holds no figures of sources", hint="delete it; it is made again") from None
    found = _figures(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, _Stored.dump_json(found))
    return found


def _figures(origin: Origin) -> tuple[SourceFigures, ...]:
    with open_lines(origin) as opened:
        lines, _ = counted_lines(opened, origin)
        rows = fetch(_by_source(lines, origin), what="adding up sources").to_pylist()
    return (*(_added(rows, source.name) for source in origin.config.sources), _added(rows, ""))


def _added(rows: Sequence[Mapping[str, Any]], source: str) -> SourceFigures:
    """Of one source; with no name, of customers who buy at several: each has a row at each, and is counted in one."""
    own = [row for row in rows if (row["source"] == source if source else row["several"])]
    return SourceFigures(
        source=source,
        customers=sum(row["customers" if source else "firsts"] for row in own),
        only_here=sum(row["customers"] for row in own if not row["several"]),
        orders=sum(row["orders"] for row in own),
        quanta=sum(row["quanta"] for row in own),
    )


def _by_source(lines: ir.Table, origin: Origin) -> ir.Table:
    """By source, and whether customers buy at several: customers, orders and money of those who have an order."""
    study = origin.study
    used = (KEPT, *NETTED) if study.cleaning.returns == "net" else (KEPT,)
    kept = lines.filter(lines.rule.isin(used))
    if study.cleaning.duplicates == "drop":
        kept = kept.distinct()
    kept = kept.mutate(quanta=money_of(kept, origin).quanta, bought=kept.rule == KEPT)
    each = kept.group_by("customer", "raw_source").agg(
        orders=kept.order.nunique(where=kept.bought), quanta=kept.quanta.sum()
    )
    whole = ibis.window(group_by=each.customer)
    each = each.mutate(sources=(each.orders > 0).cast("int64").sum().over(whole))
    first = ibis.row_number().over(ibis.window(group_by=each.customer, order_by=[each.orders == 0, each.raw_source]))
    each = each.mutate(first=(first == 0) & (each.sources > 1)).filter(each.sources > 0)
    return each.group_by(source=each.raw_source, several=each.sources > 1).agg(
        customers=(each.orders > 0).cast("int64").sum(),
        firsts=each.first.cast("int64").sum(),
        orders=each.orders.sum(),
        quanta=each.quanta.sum(),
    )
