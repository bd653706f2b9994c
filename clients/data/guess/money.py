"""Which columns are money, and in which currency."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from clients.data.guess import names as guess_names
from clients.data.guess.confidence import CONFIDENCE
from clients.data.guess.names import common_codes
from clients.data.guess.nouns import Guessed
from clients.data.guess.numbers import NumberForm, OpenNumber
from clients.data.guess.sample import Sample

#: A column of numbers may have a role of money where its name scores more.
_NAMED = 0.4


def money_of(
    sample: Sample, order: str | None, taken: set[str], notes: list[str]
) -> tuple[dict[str, Guessed], Guessed | None]:
    """An amount a line, or quantity and price; and the currency that their names say.

    Args:
        notes: what people should be told is added here.
    """
    ranked = {role: _ranked(sample, role, taken | sample.partial) for role in ("amount", "quantity", "price")}
    if not (ranked["amount"] or ranked["price"]):  # then files lack the money, and are refused by name
        ranked = {role: _ranked(sample, role, taken) for role in ranked}
    quantity = _best(ranked["quantity"])
    price = _best(ranked["price"], quantity)
    amount = _best(ranked["amount"], quantity, price)
    if amount is None and quantity is None and price is not None:
        amount, price = price, None
    code = _code_in_name(amount, price)
    repeated = amount is not None and sample.repeats_in_orders(amount, order)
    if quantity is not None and price is not None:
        equal = amount is not None and sample.product_share(amount, quantity, price) >= 0.9
        if amount is not None and (equal or not repeated):
            return {"amount": _beside_product(amount, f"{quantity} x {price}", equal=equal)}, code
        if amount is not None:
            notes.append(_total(amount))
        return {
            role: Guessed(
                value=name,
                confidence=CONFIDENCE["named money"],
                reason="its name",
                alternatives=_others(ranked[role], name),
            )
            for role, name in (("quantity", quantity), ("price", price))
        }, code
    if amount is None:
        return _only_decimals(sample, taken, code)
    guessed = Guessed(
        value=amount,
        confidence=CONFIDENCE["named money that repeats in orders" if repeated else "named money"],
        reason="it repeats on every line of an order, so it is an order's total, counted once"
        if repeated
        else "its name",
        alternatives=_others(ranked["amount"], amount),
    )
    return {"order_amount" if repeated else "amount": guessed}, code


def _ranked(sample: Sample, role: str, taken: set[str]) -> list[str]:
    """Columns of numbers whose names speak for a role, best first."""
    named = [
        (guess_names.score(role, (sample.of_one_name(name) or (name,))[0]), name)
        for name, look in sample.looks.items()
        if look.kind == "number" and name not in taken
    ]
    telling = [pair for pair in named if pair[0] > _NAMED]
    return [
        name
        for score, name in sorted(
            telling,
            key=lambda pair: (-pair[0], sample.looks[pair[1]].whole and bool(sample.of_one_name(pair[1]))),
        )
    ]


def _best(ranked: list[str], *unlike: str | None) -> str | None:
    return next((name for name in ranked if name not in unlike), None)


def _others(ranked: list[str], value: str) -> tuple[str, ...]:
    return tuple(name for name in ranked if name != value)[:3]


def _beside_product(amount: str, product: str, *, equal: bool) -> Guessed:
    what = "equals" if equal else "differs from"
    reason = f"equals {product}" if equal else f"its name; it differs from {product}, as after discounts"
    return Guessed(
        value=amount, confidence=CONFIDENCE[f"amount {what} quantity x price"], reason=reason, alternatives=(product,)
    )


def _total(amount: str) -> str:
    return f"{json.dumps(amount, ensure_ascii=False)} repeats on every line of an order: an order's total?"


def _only_decimals(sample: Sample, taken: set[str], code: Guessed | None) -> tuple[dict[str, Guessed], Guessed | None]:
    """Where no name speaks of money."""
    unnamed = [
        name
        for name, look in sample.looks.items()
        if look.kind == "number" and not look.whole and look.distinct > 0.01 and name not in taken
    ]
    if len(unnamed) != 1:
        return {}, code
    reason = "taken for money, as the only column of numbers with decimals"
    guessed = Guessed(value=unnamed[0], confidence=CONFIDENCE["the only decimals"], reason=reason)
    return {"amount": guessed}, _code_in_name(*unnamed)


def _code_in_name(*names: str | None) -> Guessed | None:
    for name in names:
        if name is None:
            continue
        written = [word.upper() for word in guess_names.words(name) if word.upper() in guess_names.CURRENCIES]
        signs = [code for sign, code in guess_names.SIGNS.items() if sign in name.lower()]
        if written or signs:
            return Guessed(
                value=(written + signs)[0].replace("RMB", "CNY"),
                confidence=CONFIDENCE["a currency in a column's name"],
                reason=f"the name of the column {json.dumps(name, ensure_ascii=False)}",
            )
    return None


def currency_from_signs(sample: Sample, columns: Iterable[str]) -> Guessed | None:
    """The currency whose sign stands beside amounts, where only one has it."""
    for name in columns:
        form = sample.looks[name].form
        signs = form.read.signs if isinstance(form, NumberForm) else ()
        signs = form.as_decimal.read.signs if isinstance(form, OpenNumber) else signs
        codes = common_codes(signs)
        if codes is not None and len(codes) == 1:
            reason = f"the sign beside amounts in {json.dumps(name, ensure_ascii=False)}"
            confidence = CONFIDENCE["a currency's sign beside amounts"]
            return Guessed(value=next(iter(codes)), confidence=confidence, reason=reason)
    return None


def currency_from_rows(sample: Sample) -> Guessed | None:
    """The currency that the rows' countries, or the language of the names, speak for."""
    for name, look in sample.looks.items():
        if look.kind == "text" and any(item in guess_names.words(name) for item in guess_names.COUNTRY_NAMES):
            codes = look.values.dropna().astype(str).str.lower().map(guess_names.COUNTRIES).dropna()
            if len(codes) > 0.5 * look.values.notna().sum():
                reason = f"most rows' {json.dumps(name, ensure_ascii=False)} uses it"
                return Guessed(
                    value=str(codes.mode().iloc[0]), confidence=CONFIDENCE["most rows' country"], reason=reason
                )
    language = CONFIDENCE["the language of the names"]
    joined = "".join(sample.looks)
    if len(re.findall("[\u4e00-\u9fff]", joined)) > 4:
        return Guessed(value="CNY", confidence=language, reason="the columns' names are Chinese")
    german = sum(bool(set(guess_names.words(name)) & guess_names.GERMAN) for name in sample.looks)
    if german >= 2:
        reason = "the columns' names are German (CHF in Switzerland)"
        return Guessed(value="EUR", confidence=language, reason=reason)
    return None
