"""What rows mean, looked at over all of them: states of orders, ids of customers, tables that are no sales."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ibis
from ibis.expr import types as ir

from clients.data.guess import names as guess_names
from clients.data.guess import states
from clients.data.guess.confidence import CONFIDENCE, SURE
from clients.data.guess.nouns import Guess, Guessed, States
from clients.data.guess.sample import Sample
from clients.data.place import Status
from clients.data.reading import ReadId
from clients.data.sources import fetch
from privacy.errors import DataError

#: A column of states has no more values than this.
_STATES = 30
#: So many of them are written down, and a time of the end is rare.
_COLUMNS, _ENDED = 5, 0.5
#: A table of customers has as many of them as rows, but for this share, and at least so many rows.
_ONE_ROW, _ROWS = 0.99, 50
#: With so many columns whose names speak of sums, so many rows are enough.
_VERY_TELLING, _FEW = 3, 10
_WITH_AT = 0.99
#: A value of states that orders of sales share to this part is one of rows of their own.
_SHARED = 0.5
#: A column that tells goods has so many values and more: a currency stands beside a total as well.
_SEVERAL = 5
_BREAK = "\x1f"
_AGGREGATED = re.compile(
    r"total|lifetime|ever|first|last|count|num|avg|average|sum|累计|总|首次|最近|末次|次数|gesamt|erste|letzte|anzahl"
    r"|recency|frequency|monetary|derni|premi|nb_|nb |nombre|cumul|ultim|últim|primer|aantal|laatste|eerste|totaal"
    r"|totale|liczba|ostatni|pierwsz|antal|senaste|första|累積|累計|回数|최근|누적|횟수"
)
#: What counts orders is no id of one.
_COUNTED = re.compile(
    r"(?<!ac)(?<!dis)count|anzahl|freq|total|次数|单数|nb_|nombre|aantal|num_"
    r"|orders|purchases|bestellungen|käufe|commandes|bestellingen|compras|pedidos|ordini"
)


def check_is_sales(guess: Guess, sample: Sample, source: ir.Table) -> None:
    """Whether the rows may be lines of sales.

    Raises:
        DataError: if every customer has one row, as in a table of customers.
    """
    names = [name for name in sample.keys if guess_names.score("customer", name) > SURE]
    others = [name for name, look in sample.looks.items() if name not in names]
    orders = (name for name in sample.keys if name not in names and not _COUNTED.search(name.lower()))
    if not names or any(guess_names.score("order", name) > SURE for name in orders):
        return
    times = [name for name in others if sample.looks[name].kind == "time"]
    telling = [name for name in others if _AGGREGATED.search(name.lower())]
    if len(times) < 2 and len(telling) < 2:
        return
    counts = {f"n{i}": source[name].nunique() for i, name in enumerate(names)}
    [found] = fetch(source.aggregate(rows=source.count(), **counts), what="counting customers").to_pylist()
    for i, name in enumerate(names):
        enough = _ROWS if len(telling) < _VERY_TELLING else _FEW
        if found["rows"] >= enough and found[f"n{i}"] > _ONE_ROW * found["rows"]:
            raise DataError(
                f"{guess.url}: {json.dumps(name, ensure_ascii=False)}: each of {found[f'n{i}']:,} customers has one "
                "row, so this is a table of customers, no list of sales",
                hint="give the lines of sales (or one row an order) that it was made from; or, which is enough for "
                f"studies of segments, write {_as_customers(name, others)}",
            )


#: What columns of a table of customers are called, by role.
_OF_CUSTOMERS = {
    "recency_days": r"recency",
    "last": r"last|recent|最近|末次|最后|letzte|derni|ultim|últim|laatste",
    "first": r"first(?!.?name)|首次|erste|premi|primer|eerste",
    "orders": r"order|count|num|freq|次数|单数|anzahl|nb|nombre|aantal",
    "amount": r"monetary|amount|spen|revenue|value|金额|消费|umsatz|omzet|import|ca_"
    r"|^(?!.*(?:order|count|num|freq)).*(?:total|sum)",
}


def _as_customers(customer: str, others: Sequence[str]) -> str:
    """The lines of ``holder.toml`` for a table of customers, its columns by their names."""
    columns, left = {"customer": customer}, list(others)
    for role, pattern in _OF_CUSTOMERS.items():
        found = next((name for name in left if re.search(pattern, name.lower())), None)
        if found is not None and not (role == "last" and "recency_days" in columns):
            columns[role] = found
            left.remove(found)
    missing = [role for role in ("last", "orders", "amount") if role not in columns]
    columns |= {role: "..." for role in missing if role != "last" or "recency_days" not in columns}
    written = ", ".join(f"{role} = {json.dumps(name, ensure_ascii=False)}" for role, name in columns.items())
    return f'[source] kind = "customers", snapshot = THE DAY OF THE EXPORT, and columns = {{{written}}}'


def with_meaning(guess: Guess, sample: Sample, source: ir.Table) -> Guess:
    """Add what states and ids say over all rows."""
    return _with_ids(_with_states(guess, sample, source), source)


def _with_ids(guess: Guess, source: ir.Table) -> Guess:
    found = guess.columns.get("customer")
    if found is None or not source[found.value].type().is_string():
        return guess
    ids = source[found.value]
    counted = source.filter(ids.strip() != "").aggregate(rows=ibis._.count(), at=ids.re_search("^[^@]+@[^@]+$").sum())
    [seen] = fetch(counted, what="looking at ids").to_pylist()
    if not seen["rows"] or (seen["at"] or 0) < _WITH_AT * seen["rows"]:
        return guess
    reason = f"{seen['at']:,} of {seen['rows']:,} ids are e-mail addresses, where upper and lower case are alike"
    return replace(guess, ids=ReadId(form=("text", "email")), ids_reason=reason)


def _with_states(guess: Guess, sample: Sample, source: ir.Table) -> Guess:
    """The columns of states that have values which are no sales, and those of which nobody knows."""
    used = {item.value for item in guess.columns.values()}
    candidates = [
        name
        for name, look in sample.looks.items()
        if name not in used and look.kind in ("text", "number", "none") and 0 < sample.frame[name].nunique() <= _STATES
        if states.of_rows(name) is not None or states.marks(name, _texts(sample, name)) is not None
    ]
    found, unsure = [_ended(guess, name, source) for name in _times_of_ends(guess, sample)], []
    for name, counted in _values(source, candidates).items():
        if len(counted) > _STATES:
            continue
        said = states.marks(name, list(counted)) or states.kinds(list(counted), name=name)
        if set(said.values()) & {"sale"} and set(said.values()) - {"sale"}:
            found.append(_said(guess, name, counted, said, source))
        elif rest := states.unknown(name, list(counted), [other for other in sample.looks if other != name]):
            quoted = json.dumps(name, ensure_ascii=False)
            reason = (
                f"{quoted} may say which rows are sales; of its {len(counted)} values {len(rest)} are not known here"
            )
            unsure.append(States(status=Status(column=name, sale=tuple(counted)), reason=reason))
    ranked = sorted((one for one in found if one is not None), key=lambda one: -one[0])
    return replace(guess, states=tuple(one for _, one in ranked[:_COLUMNS]), unsure_states=tuple(unsure[:_COLUMNS]))


def _said(
    guess: Guess, name: str, counted: Mapping[str, int], said: dict[str, states.Kind], source: ir.Table
) -> tuple[int, States]:
    """How many rows are no sales by a column, and what stands in the file."""
    said = _paid_back(guess, name, said, source)
    rows, total = sum(count for value, count in counted.items() if said[value] != "sale"), sum(counted.values())
    lists = {kind: tuple(value for value in counted if said[value] == kind) for kind in ("sale", "return", "none")}
    status = Status(column=name, sale=lists["sale"], returned=lists["return"], none=lists["none"])
    reason = f"{rows:,} of {total:,} rows ({rows / total:.1%}) are no sales by the words of {name!r}"
    return rows, States(status=status, reason=reason)


def _times_of_ends(guess: Guess, sample: Sample) -> list[str]:
    """Columns that say when an order was cancelled or paid back."""
    used = {item.value for item in guess.columns.values()}
    looks = ((name, look) for name, look in sample.looks.items() if name not in used and look.kind == "time")
    return [name for name, look in looks if look.filled <= _ENDED and states.marks_a_time(name)]


def _ended(guess: Guess, name: str, source: ir.Table) -> tuple[int, States] | None:
    """Rows with such a time are no sales."""
    is_empty = source[name].cast("string").strip().fill_null("") == ""
    [found] = fetch(source.aggregate(rows=source.count(), open=is_empty.sum()), what="looking at states").to_pylist()
    rows = found["rows"] - (found["open"] or 0)
    if not rows or not found["open"]:
        return None
    reason = (
        f"{rows:,} of {found['rows']:,} rows ({rows / found['rows']:.1%}) have a time in {name!r}, and so are no sales"
    )
    return rows, States(status=Status(column=name, sale=("",)), reason=reason)


def _texts(sample: Sample, name: str) -> list[str]:
    return [str(item) for item in sample.frame[name].dropna().unique()]


def _values(source: ir.Table, names: list[str]) -> dict[str, dict[str, int]]:
    """By column, its values (trimmed) and how many rows have each, the commonest first; one pass over all rows."""
    if not names:
        return {}
    parts = [
        ibis.literal(f"{place}{_BREAK}").concat(source[name].cast("string").strip().fill_null(""))
        for place, name in enumerate(names)
    ]
    rows = source.select(value=ibis.array(parts).unnest())
    counted = rows.group_by("value").agg(rows=rows.count()).order_by(ibis.desc("rows"), "value").limit(1000)
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in fetch(counted, what="looking at states").to_pylist():
        place, _, value = row["value"].partition(_BREAK)
        found[names[int(place)]][value] = row["rows"]
    return found


def _paid_back(guess: Guess, name: str, said: dict[str, states.Kind], source: ir.Table) -> dict[str, states.Kind]:
    """States of orders that were paid back are no returns: the sale is in the same row. Rows of their own are."""
    back = [value for value, kind in said.items() if kind == "return"]
    if not back or states.of_rows(name):
        return said
    if _are_rows_of_their_own(guess.columns, name, back, said, source):
        return said
    return {value: "none" if value in back else kind for value, kind in said.items()}


def _are_rows_of_their_own(
    columns: Mapping[str, Guessed], name: str, back: list[str], said: Mapping[str, states.Kind], source: ir.Table
) -> bool:
    if "order" not in columns:
        return False
    value = source[name].cast("string").strip().fill_null("")
    rows = source.select(
        order=source[columns["order"].value].cast("string"),
        back=value.isin(back),
        sold=value.isin([item for item, kind in said.items() if kind == "sale"]),
    )
    orders = rows.group_by("order").agg(back=rows.back.any(), sold=rows.sold.any())
    query = orders.aggregate(back=orders.back.sum(), both=(orders.back & orders.sold).sum())
    [found] = fetch(query, what="looking at states").to_pylist()
    return bool(found["back"]) and (found["both"] or 0) >= _SHARED * found["back"]


def with_goods(guess: Guess, named: Sequence[str], sample: Sample) -> Guess:
    """Add the column that tells goods from totals among lines that continue the one above.

    That of the product, else the one of text with most values; few values may stand beside a total as well.

    Args:
        guess: with its columns.
        named: columns that nearly all of these lines have.
        sample: their values.
    """
    named = [name for name in named if name not in guess.also and name not in sample.partial]
    product = guess.columns.get("product")
    used = {item.value for item in guess.columns.values()}
    distinct = {
        name: sample.frame[name].nunique()
        for name in named
        if name not in used and sample.looks[name].kind in ("text", "none")
    }
    best = max(distinct, key=lambda name: distinct[name], default="")
    found = product.value if product is not None and product.value in named else best
    if not found or (found == best and distinct.get(best, 0) < _SEVERAL):
        return guess
    quoted = json.dumps(found, ensure_ascii=False)
    reason = f"lines that continue the line above have a value in {quoted}; one that has none is a total"
    reasons = {**guess.csv_reasons, "goods": Guessed(value="", confidence=CONFIDENCE["goods"], reason=reason)}
    return replace(guess, goods=(found,), csv_reasons=reasons)


def continues(columns: Sequence[str], lines: int, of: int) -> Guessed:
    """Why later lines take columns from the line above."""
    names = ", ".join(json.dumps(name, ensure_ascii=False) for name in columns)
    reason = f"{lines:,} of the first {of:,} lines leave {names} empty, and so continue the line above"
    return Guessed(value="", confidence=CONFIDENCE["continued lines"], reason=reason)
