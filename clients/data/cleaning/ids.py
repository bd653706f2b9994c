"""Ids of customers and orders: one form for all spellings of one, and who never takes part."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from clients.data.cleaning.columns import finite
from clients.data.cleaning.id_forms import brought_to
from clients.data.place import Reading
from clients.data.reading import ReadId
from clients.data.sources.locations import resolve
from privacy.errors import DataError

#: Spellings of "no customer", lower case, that mean so everywhere, beside those that a study names, but for what a
#: holder says is a customer of its own (``real``). ``holder check`` says how many rows each of them took.
NO_CUSTOMER = (
    "", "\\n", "-", "--", "---", "—", "–", ".", "..", "?", "??", "???", "(null)", "<null>", "#n/a", "#null!", "#ref!",
    "#name?", "#value!", "#div/0!", "<na>", "nil", "undefined", "(none)", "n.a.", "n. a.", "k.a.", "k. a.", "n/d",
    "s/n", "-1", "[]", "{}", "''", "no-customer", "no_customer", "not registered", "nicht registriert", "kasse", "cash",
    "passant", "client de passage", "client divers", "diverse", "diverse kunden", "diverser kunde", "cpd",
    "consumidor final", "cliente final", "público en general", "publico en general", "venta mostrador", "contado",
    "cliente generico", "cliente genérico", "brak", "розничный покупатель", "гость", "неизвестно",
    *("0" * digits for digits in range(2, 21)),
    "(blank)", "walk-in", "walk in", "walkin", "walk-in customer", "cash customer", "cash sale", "guest customer",
    "no customer", "gast", "gastkunde", "laufkunde", "barverkauf", "barverkäufe", "ohne kunde", "kein kunde",
    "unbekannt", "anonym", "client comptoir", "inconnu", "sans client", "invité", "cliente ocasional",
    "sin cliente", "desconocido", "invitado", "cliente occasionale", "sconosciuto", "onbekend", "nieznany", "游客",
    "散客", "匿名", "未知", "无", "非会员", "匿名用户", "无会员", "零售客户", "ゲスト", "非会員", "不明", "비회원",
)  # fmt: skip
#: Of text ids that are not in the one form that ids have.
UNTIDY = r"^[ \t\n\r\v\f]|[ \t\n\r\v\f]$|\.0+$"


class Id(NamedTuple):
    """An id column.

    Attributes:
        key: what to group by.
        text: the key as text.
        missing: whether there is none.
        exact: the id as the source prints it; None where that is ``text``.
    """

    key: ir.Value
    text: ir.StringValue
    missing: ir.BooleanValue
    exact: ir.StringValue | None = None


def _normal_text(text: ir.StringValue) -> ir.StringValue:
    text = text.strip()
    return ibis.ifelse(text.contains("."), text.re_replace(r"^([0-9]+)\.0+$", r"\1"), text)


def text_ids(table: ir.Table, config: Reading) -> frozenset[str]:
    """Which of ``customer`` and ``order`` are mapped to text columns whose ids need be in no other form."""
    roles, read = config.columns.mapped(), config.source.read.get("customer")
    formed = isinstance(read, ReadId) and read.form
    known = ("order",) if formed else ("customer", "order")
    return frozenset(role for role in known if role in roles and table[roles[role]].type().is_string())


def normal_id(spelling: str, config: Reading) -> str:
    """The one form of a customer's id, of any of its spellings, as every table has it."""
    return normal_ids([spelling], config)[0]


def normal_ids(spellings: Sequence[str], config: Reading) -> list[str]:
    """The same of several, in their order; computed here, not by the source's database."""
    table = ibis.memtable({"spelling": list(spellings)}, schema={"spelling": "string"})
    found = table.select(text=customer_of(table.spelling, config, ()).text).to_pyarrow()
    return [str(text) for text in found["text"].to_pylist()]


def is_untidy(text: ir.StringValue) -> ir.BooleanValue:
    """Whether an id has white space around it or ``.0`` behind it."""
    return text.re_search(UNTIDY).fill_null(False)


def are_normal(ids: pa.Array) -> bool:
    """Whether ids of text are all in the one form that ids have."""
    return not pc.any(pc.match_substring_regex(ids, UNTIDY)).as_py()


def customer_of(column: ir.Value, config: Reading, study_nulls: tuple[str, ...], *, tidy: bool = False) -> Id:
    """Ids of customers, brought to the forms of the holder; without those that mean nobody.

    Args:
        column: the ids.
        config: which forms, and more spellings of nobody.
        study_nulls: those of the study.
        tidy: as of :func:`id_of`.
    """
    read = config.source.read.get("customer")
    own = read if isinstance(read, ReadId) else ReadId()
    real = {item.strip().lower() for item in own.real}
    known = (item for item in NO_CUSTOMER if item not in real)
    nulls = tuple(dict.fromkeys((*study_nulls, *known, *(item.strip().lower() for item in own.null))))
    return id_of(column, "customer", nulls, tidy=tidy, forms=own.form)


def id_of(
    column: ir.Value, role: str, null_ids: tuple[str, ...], *, tidy: bool = False, forms: tuple[str, ...] = ()
) -> Id:
    """Normalise ids: trimmed text; ``12345.0`` is ``12345``; leading zeros of text stay.

    Integers keep their type as the key, which groups several times faster than text. ``tidy`` promises that all text
    is in that form already. ``forms`` are those of :mod:`clients.data.cleaning.id_forms`, applied after that.
    """
    kind = column.type()
    exact = None
    if kind.is_integer() and not forms:
        nulls = sorted({int(item) for item in null_ids if re.fullmatch("-?[0-9]{1,9}", item)})
        missing = column.isnull()
        return Id(column, column.cast("string"), missing | column.isin(nulls) if nulls else missing)
    if kind.is_string():
        text, exact = (column, None) if tidy else (_normal_text(column), column)
    elif kind.is_floating():
        number = ibis.ifelse(finite(column), column, ibis.null(kind))
        whole = (number.abs() < 2**53) & (number == number.floor())
        # The inner null keeps the cast away from numbers that have no integer.
        integer = ibis.ifelse(whole, number, ibis.null(kind)).cast("int64").cast("string")
        text, exact = ibis.ifelse(whole, integer, number.cast("string")), column.cast("string")
    elif kind.is_decimal():
        exact = column.cast("string")
        text = _normal_text(exact)
    elif kind.is_uuid():
        text = column.cast("string")
    elif kind.is_integer():
        text = exact = column.cast("string")
    else:
        raise DataError(
            f"columns.{role}: a {kind} column cannot hold ids", hint="map a column of text or numbers under [columns]"
        )
    text = brought_to(text, forms)
    spelled = text.lower() if any(item.upper() != item for item in null_ids) else text
    missing = text.isnull()
    return Id(text, text, missing | spelled.isin(null_ids) if null_ids else missing, exact)


def read_exclusion_list(config: Reading, *, base: Path) -> tuple[str, ...]:
    """The ids on the exclusion list as written, in order, each once; empty where there is no list.

    Each line is read by itself: a stray quote in one person's line must not take others off the list.

    Raises:
        DataError: if the file is missing, not text, or has a line with a quote left open.
    """
    if config.source.exclude is None:
        return ()
    path = resolve(base, config.source.exclude)
    ids: dict[str, None] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # all kinds of line ends
        for number, line in enumerate(lines, start=1):  # noqa: B007  # named where it fails
            ids |= dict.fromkeys(row[0].strip() for row in csv.reader([line], strict=True) if row)
    except OSError:
        hint = 'write where it is under [source]: exclude = "opt-out.csv", or make it; it may be empty'
        raise DataError(f"the exclusion list {path} cannot be read", hint=hint) from None
    except UnicodeDecodeError:
        raise DataError(f"the exclusion list {path} is not CSV in UTF-8", hint="save it as UTF-8 text") from None
    except csv.Error:
        raise DataError(
            f"line {number} of the exclusion list {path} has a quote that is not closed, or text after it",
            hint="write one id a line",
        ) from None
    ids.pop("", None)
    return tuple(ids)
