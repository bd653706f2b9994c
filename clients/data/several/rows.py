"""The purchase lines of a holder, of one source or of several: what every kind of rows is made from.

Each of several sources is cleaned where it is, by its own columns, time zone, currency and conditions. The mapped
columns of its lines, and nothing else, are copied into the holder's scratch folder, and put together there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.expr import types as ir

from clients.data.cleaning.columns import is_discounted, missing_columns
from clients.data.cleaning.ids import customer_of
from clients.data.cleaning.lines import EXCLUDED, KEPT, cleaned_lines, with_condition
from clients.data.cleaning.money import money_of
from clients.data.cleaning.times import zone_of
from clients.data.named_sources import PERSON, NamedSource, PersonReading
from clients.data.origin import Origin
from clients.data.scratch import check_room, new_copy
from clients.data.several.persons import whole_persons
from clients.data.sources import open_source, told
from clients.data.sources.embedded import embedded
from clients.data.sources.opened import ColumnsMissing, FileLines, Opened
from clients.data.sources.spelling import instant_in
from privacy.errors import DataError

_NAMES = ("product", "category", "store", "brand")
_LINES, _LINKS = "lines", "links"


@contextlib.contextmanager
def open_lines(origin: Origin) -> Iterator[Opened]:
    """Open a holder's purchases, read-only; closed, and copies removed, on leaving the ``with`` block.

    Raises:
        DataError: as of :func:`clients.data.sources.open_source`; of several sources the text names the one.
    """
    config = origin.config
    if not config.sources:
        with open_source(config, base=origin.base) as opened:
            yield opened
        return
    with embedded(config, origin.base) as (connection, scratch):
        copies = _Copies(origin, connection, scratch)
        files: list[FileLines] = []
        for source in config.sources:
            files += copies.copy(source)
        lines = _in_one_time(copies.lines(), origin)
        lines = whole_persons(lines, copies.links(), origin)
        yield Opened(table=lines, files=tuple(files), cleaned=lines)


class _Copies:
    """Lines of sources, and who is who, as Parquet files in the scratch folder."""

    def __init__(self, origin: Origin, connection: Any, scratch: Path | None) -> None:
        self._origin, self._connection, self._scratch = origin, connection, scratch
        self._written: dict[str, list[tuple[str, Path]]] = {_LINES: [], _LINKS: []}

    def copy(self, source: NamedSource) -> tuple[FileLines, ...]:
        """Copy one source's lines; what the lines of its files are.

        Raises:
            DataError: naming the source.
        """
        config = self._origin.config.of_source(source)
        own = Origin(config, self._origin.study, self._origin.base)
        try:
            with open_source(config, base=own.base) as opened:
                lines = cleaned_lines(opened.table, own, exact_ids=True)
                opened.check_rows(self._write(_LINES, source.name, _alike(lines, source, own, self._origin)))
                return opened.files
        except ColumnsMissing as error:
            raise ColumnsMissing(f"{source.name}: {sentence}" for sentence in error.sentences) from None
        except DataError as error:
            raise DataError(f"[[sources]] {source.name}: {error.message}", hint=error.hint) from None

    def lines(self) -> dict[str, ir.Table]:
        """Every source's lines, by its name."""
        return {name: self._read(path) for name, path in self._written[_LINES]}

    def links(self) -> ir.Table | None:
        """Who is who: ``source``, ``customer`` (an id there) and ``person``; None where nothing says it."""
        config = self._origin.config
        if not config.has_persons:
            return None
        if config.person is not None:
            self._copy_persons(config.person.reading)
        found = [self._read(path) for _, path in self._written[_LINKS]]
        for name, lines in self.lines().items():
            if "raw_person" in lines.columns:
                has_customer = (lines.rule == KEPT) | (lines.rule >= EXCLUDED)  # no rule of before applies
                known = lines.filter(lines.raw_person.notnull() & has_customer)
                found.append(known.select(source=ibis.literal(name), customer="customer", person="raw_person"))
        return ibis.union(*found, distinct=True) if len(found) > 1 else found[0].distinct()

    def _copy_persons(self, reading: PersonReading) -> None:
        origin = self._origin
        nulls = origin.study.cleaning.null_ids
        by_name = {source.name: origin.config.of_source(source) for source in origin.config.sources}
        try:
            with open_source(reading, base=origin.base) as opened:
                table = opened.table
                if missing := missing_columns(table, reading):
                    raise ColumnsMissing(missing)
                for name, column in reading.columns.roles.items():
                    if name == PERSON:
                        continue
                    rows = _taking_part(table, reading)
                    person = customer_of(rows[reading.columns.customer], reading, nulls)
                    own = customer_of(rows[column], by_name[name], nulls)
                    known = rows.select(customer=own.text, person=person.text, _none=person.missing | own.missing)
                    known = known.filter(~known["_none"]).drop("_none").distinct()
                    self._write(_LINKS, name, known.mutate(source=ibis.literal(name)))
        except DataError as error:
            hint = error.hint.replace("[columns]", "person.columns").replace("source.", "person.")
            raise DataError(f"[person]: {error.message}", hint=hint) from None

    def _write(self, kind: str, name: str, rows: ir.Table) -> int:
        """Copy rows; returns how many."""
        path = None if self._scratch is None else self._scratch / f"{kind}-{len(self._written[kind])}.parquet"
        count = 0
        with told(f"copying {name}"), new_copy(path) as copy:
            schema = rows.schema().to_pyarrow()
            with pq.ParquetWriter(copy, schema, compression="zstd") as writer:
                for batch in _batches(rows):
                    check_room(copy)
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
                    count += batch.num_rows
        if path is not None:
            self._written[kind].append((name, path))
        return count

    def _read(self, path: Path) -> ir.Table:
        table: ir.Table = self._connection.read_parquet(path)
        return table


def _batches(rows: ir.Table) -> Iterator[pa.RecordBatch]:
    if rows.get_backend().name in ("duckdb", "postgres"):  # Spark gives its result as a whole
        yield from rows.to_pyarrow_batches()
    else:
        yield from rows.to_pyarrow().to_batches()


def _taking_part(table: ir.Table, reading: PersonReading) -> ir.Table:
    if reading.source.where is None:
        return table
    rows = with_condition(table, reading.source.where)
    return rows.filter(rows["_takes_part"])


def _alike(lines: ir.Table, source: NamedSource, own: Origin, whole: Origin) -> ir.Table:
    """One source's cleaned lines in the form that the lines of all have."""
    columns = whole.config.columns
    exact = lines.source_id if "source_id" in lines.columns else lines.customer.cast("string")
    has_channel = "raw_channel" in lines.columns
    kept: dict[str, ir.Value] = {
        "raw_channel": lines.raw_channel.cast("string") if has_channel else ibis.literal(source.spoken_channel)
    }
    money = money_of(lines, own)
    if columns.amount is None:
        kept |= {f"raw_{role}": lines[f"raw_{role}"].cast("float64") for role in ("quantity", "price")}
    else:
        kept["raw_amount"] = money.own
    if columns.currency is not None:
        kept["raw_currency"] = money.currency
    if columns.cost is not None:
        kept["raw_cost"] = lines.raw_cost.cast("float64")
    if columns.discount is not None:
        kept["raw_discount"] = is_discounted(lines)
    kept |= {f"raw_{role}": lines[f"raw_{role}"].cast("string") for role in _NAMES if getattr(columns, role)}
    if "raw_person" in lines.columns:
        config = whole.config
        # Ids of persons in lines have the form that [person] gives them, if it does.
        form = own.config if config.person is None else config.person.reading
        person = customer_of(lines.raw_person, form, own.study.cleaning.null_ids)
        kept["raw_person"] = ibis.ifelse(person.missing, ibis.null("string"), person.text)
    return lines.select(
        customer=lines.customer.cast("string"),
        source_id=exact,
        order=lines.order.cast("string"),
        time=lines.time,
        **kept,
        rule=lines.rule.cast("int16"),
    )


def _in_one_time(lines: dict[str, ir.Table], origin: Origin) -> ir.Table:
    """All lines with their source; times stay as they are written where that means the same in all sources."""
    zones = {source.name: source.time_zone for source in origin.config.sources}
    are_plain = all(zone_of(table.time) is None for table in lines.values())
    tables = []
    for name, table in lines.items():
        time = table.time
        if not (are_plain and len(set(zones.values())) == 1):
            time = time if zone_of(time) is not None else instant_in(zones[name], time)
            time = time.cast("timestamp('UTC', 6)")
        table = table.drop("raw_person") if "raw_person" in table.columns else table
        tables.append(table.mutate(time=time, source=ibis.literal(name)))
    return ibis.union(*tables) if len(tables) > 1 else tables[0]
