"""What a line is worth, in integers: neither the order of addition nor the source can change a digit."""

from __future__ import annotations

from typing import NamedTuple

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import finite
from clients.data.cleaning.times import FIRST_DAY, moment_literal, wall_time, zone_at
from clients.data.origin import Origin
from clients.data.place import Reading
from privacy.protocol.study import Study

#: Money is added up as integers of this fraction of the study's currency unit, so that the order of addition, and with
#: it the source, cannot change a digit.
QUANTA_PER_UNIT = 10_000
#: Lines beyond ten billion currency units count as ten billion (and are counted): sums of integers stay integers.
LINE_LIMIT = 10**14
#: Up to so many units nothing is to be cut off or taken out, which is quickly seen of nearly every line.
_USUAL = LINE_LIMIT // QUANTA_PER_UNIT


class Money(NamedTuple):
    """What a line is worth.

    Attributes:
        own: in the line's own currency, float; null or not finite where it cannot be read.
        currency: code of that currency, upper case.
        quanta: integers of 1/10000 of the study's currency unit, rounded half up; null where there is no rate.
        capped: whether ``quanta`` stands at the limit for one line.
        unknown_currency, no_rate: the two ways of having no rate; None where that cannot be.
    """

    own: ir.Value
    currency: ir.Value
    quanta: ir.Value
    capped: ir.BooleanValue
    unknown_currency: ir.BooleanValue | None
    no_rate: ir.BooleanValue | None


def money_of(lines: ir.Table, origin: Origin) -> Money:
    """The money expressions over lines that have ``time`` and the ``raw_`` columns of ``cleaned_lines``."""
    config, study = origin.config, origin.study
    if config.columns.amount is not None or config.columns.order_amount is not None:
        own = lines.raw_amount.cast("float64")
    else:
        own = lines.raw_quantity.cast("float64") * lines.raw_price.cast("float64")
    code = config.source.currency_code
    currency: ir.Value = lines.raw_currency.cast("string").strip().upper() if code is None else ibis.literal(code)
    unknown = no_rate = None
    scaled = own
    if code != study.currency:
        known = [name for name in (study.currency, *study.rates) if code in (None, name)]
        rate = _rate(currency, known, lines.time, config, study)
        unknown = ~currency.isin(known).fill_null(False) if known else ibis.literal(True)
        no_rate = rate.isnull()
        scaled = own * rate
    capped = finite(own) & (scaled.abs() * QUANTA_PER_UNIT > LINE_LIMIT)
    return Money(own, currency, _quanta(scaled, finite(own)), capped, unknown, no_rate)


def quanta_beside(own: ir.Value, time: ir.Value, config: Reading, study: Study) -> ir.Value:
    """Other money than what was paid, such as a cost, of a source in one currency; null where there is none.

    Args:
        own: in the source's currency.
        time: of the row.
        config: where the row comes from.
        study: whose rates and currency count.
    """
    code = config.source.currency_code
    own = own.cast("float64")
    if code != study.currency:
        known = [code] if code in study.rates else []
        own = own * _rate(ibis.literal(code), known, time, config, study)
    return _quanta(own, finite(own))


def cost_of(lines: ir.Table, origin: Origin) -> ir.Value:
    """What the holder paid for the goods of purchase lines, as ``Money.quanta``; lines have ``raw_cost``."""
    own = lines.raw_cost.cast("float64")
    if origin.config.source.currency_code is not None:
        return quanta_beside(own, lines.time, origin.config, origin.study)
    known = [origin.study.currency, *origin.study.rates]
    currency = lines.raw_currency.cast("string").strip().upper()
    scaled = own * _rate(currency, known, lines.time, origin.config, origin.study)
    return _quanta(scaled, finite(scaled))


def with_order_amounts(rows: ir.Table) -> ir.Table:
    """Add ``raw_amount``: on every line of a customer's order the amount of the whole order, the largest on its lines.

    Without regard to signs; an order's later lines may have none. One customer's lines say nothing of another's.
    """
    amount = rows.raw_order_amount.cast("float64")
    of_order = ibis.window(group_by=[rows.customer, rows.order])
    most = ibis.ifelse(finite(amount), amount, ibis.null("float64"))
    high, low = most.max().over(of_order), most.min().over(of_order)
    whole = ibis.ifelse(high.abs() >= low.abs(), high, low)
    return rows.mutate(raw_amount=ibis.ifelse(finite(amount) | amount.isnull(), whole, amount))


def once_an_order(lines: ir.Table) -> ir.Table:
    """Amounts of orders on one line of each order only, the first of those that one rule applies to; others have 0."""
    rest = [lines[name] for name in lines.columns if name not in ("customer", "order", "rule", "source_id")]
    window = ibis.window(group_by=[lines.customer, lines.order, lines.rule], order_by=rest)
    first = (ibis.row_number().over(window) == 0) | ~finite(lines.raw_amount)
    return lines.mutate(raw_amount=ibis.ifelse(first, lines.raw_amount, 0.0))


def own_quanta(money: Money) -> ir.IntegerValue:
    """The line's money in its own currency, as integers of 1/10000 of that currency's unit."""
    return _quanta(money.own, finite(money.own))


def _quanta(units: ir.Value, finite: ir.BooleanValue) -> ir.IntegerValue:
    scaled = units * QUANTA_PER_UNIT
    limited = ibis.greatest(ibis.least(scaled, float(LINE_LIMIT)), -float(LINE_LIMIT))
    # NaN and infinity have no integer: the inner null keeps the cast away from them.
    rest = ibis.ifelse(finite, limited, ibis.null("float64"))
    return (ibis.ifelse(units.abs() <= float(_USUAL), scaled, rest) + 0.5).floor().cast("int64")


def _rate(currency: ir.Value, known: list[str], time: ir.Value, config: Reading, study: Study) -> ir.Value:
    """Units of the study's currency for one of the line's on its day; null where the study has no rate."""
    branches = []
    for code in known:
        for step in reversed(study.rate_of(code) or ()):
            applies = currency == code
            if step.since > FIRST_DAY.date():
                since = wall_time(step.since, study.time_zone, zone_at(config, time))
                applies &= time >= moment_literal(since, time)
            branches.append((applies, float(step.rate)))
    return ibis.cases(*branches, else_=ibis.null("float64")) if branches else ibis.null("float64")
