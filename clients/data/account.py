"""One table from a source's rows down to the lines used: rows and money, and both columns must add up."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict

from clients.data.cleaning.lines import KEPT, NETTED, RULES, WITHOUT_RATE
from clients.data.cleaning.money import QUANTA_PER_UNIT, money_of, own_quanta
from clients.data.origin import Origin
from clients.data.sources import fetch

#: Exact duplicates, and what is left, beside the names of rules.
DUPLICATES, USED, RETURNS = "duplicates", "used", "returns"
_NO_RATE = ("unknown_currency", "no_rate")


class Step(BaseModel):
    """Rows that one rule took away, or that are used.

    Attributes:
        code: the rule's name, ``duplicates``, ``used``, or ``returns`` (of the used, set off).
        currency: of the money; rows of several currencies are several steps.
        rows: how many.
        revenue: their money, in units of the currency; 0 where it cannot be read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    currency: str
    rows: int
    revenue: Decimal


class CurrencyFigures(BaseModel):
    """Lines used in one currency, and those without a rate: ``revenue`` in its own units, returns set off where they
    are, exact duplicates once; ``known`` where the study has all rates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str
    lines: int
    revenue: Decimal
    known: bool


def account(lines: ir.Table, origin: Origin, *, used_once: tuple[int, int | None] | None = None) -> tuple[Step, ...]:
    """The steps, in the order of the rules, of ``cleaned_lines``: each row of the source is in one of them.

    ``returns`` are rows of ``used`` once more.

    Args:
        lines: the lines, in the window that is asked for.
        origin: where they come from, and for which study.
        used_once: rows used and their money in the study's quanta, exact duplicates once, if that is known already;
            it spares finding duplicates again where all money is in the study's currency and returns are left out.
    """
    study = origin.study
    used = (KEPT, *NETTED) if study.cleaning.returns == "net" else (KEPT,)
    all_rows = _sums(lines, origin)
    own = origin.config.source.currency_code
    if study.cleaning.duplicates != "drop":
        once = {key: value for key, value in all_rows.items() if key[0] in used}
    elif used_once is not None and used_once[1] is not None and used == (KEPT,) and own == study.currency:
        once = {(KEPT, own): (used_once[0], used_once[1])}
    else:
        once = _sums(lines.filter(lines.rule.isin(used)).distinct(), origin)
    steps = []
    for code, rule in enumerate(RULES, start=1):
        if code not in used:
            steps += [_step(rule.name, currency, *all_rows[code, currency]) for currency in _of(all_rows, code)]
    for currency in dict.fromkeys(name for code, name in all_rows if code in used):
        before = [all_rows.get((code, currency), (0, 0)) for code in used]
        after = [once.get((code, currency), (0, 0)) for code in used]
        rows, quanta = (sum(item[place] for item in before) for place in (0, 1))
        rows_once, quanta_once = (sum(item[place] for item in after) for place in (0, 1))
        if rows > rows_once:
            steps.append(_step(DUPLICATES, currency, rows - rows_once, quanta - quanta_once))
        steps.append(_step(USED, currency, rows_once, quanta_once))
        back = [once[code, currency] for code in NETTED if (code, currency) in once]
        if back:
            steps.append(_step(RETURNS, currency, sum(item[0] for item in back), sum(item[1] for item in back)))
    return tuple(steps)


def _of(sums: dict[tuple[int, str], tuple[int, int]], code: int) -> list[str]:
    return [currency for rule, currency in sums if rule == code]


def _step(code: str, currency: str, rows: int, quanta: int) -> Step:
    return Step(code=code, currency=currency, rows=rows, revenue=Decimal(quanta) / QUANTA_PER_UNIT)


def _sums(lines: ir.Table, origin: Origin) -> dict[tuple[int, str], tuple[int, int]]:
    """By rule and currency: rows, and money in its own currency's quanta."""
    money = money_of(lines, origin)
    query = lines.group_by(rule=lines.rule, currency=money.currency.fill_null("")).agg(
        rows=lines.count(), quanta=own_quanta(money).sum()
    )
    kinds = pa.schema([("rule", pa.int64()), ("currency", pa.string()), ("rows", pa.int64()), ("quanta", pa.int64())])
    found = fetch(query, what="adding up currencies").cast(kinds).to_pylist()
    found.sort(key=lambda row: (row["rule"], -row["rows"], row["currency"]))
    return {(row["rule"], row["currency"] or "(blank)"): (row["rows"], row["quanta"] or 0) for row in found}


def without_rate(steps: tuple[Step, ...]) -> frozenset[str]:
    """Currencies of rows that would count if the study had their rate."""
    names = {RULES[code - 1].name for code in WITHOUT_RATE}
    return frozenset(step.currency for step in steps if step.code in names)


def currencies_of(steps: tuple[Step, ...]) -> tuple[CurrencyFigures, ...]:
    """Lines used by currency, and those that would be if the study had their rate."""
    unknown = without_rate(steps)
    counted: dict[str, tuple[int, Decimal]] = {}
    for step in steps:
        if step.code == USED or step.code in _NO_RATE:
            rows, revenue = counted.get(step.currency, (0, Decimal(0)))
            counted[step.currency] = (rows + step.rows, revenue + step.revenue)
    return tuple(
        CurrencyFigures(currency=currency, lines=rows, revenue=revenue, known=currency not in unknown)
        for currency, (rows, revenue) in sorted(counted.items(), key=lambda item: (-item[1][0], item[0]))
    )
