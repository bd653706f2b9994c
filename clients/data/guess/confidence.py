"""How sure guesses are that no scores compare, 0 to 1; one table."""

from __future__ import annotations

#: Below this confidence a guess is put to the user as a question.
SURE = 0.5

#: How sure a guess is that no scores compare.
CONFIDENCE = {
    "amount equals quantity x price": 0.97,
    "amount differs from quantity x price": 0.7,
    "named money": 0.9,
    "named money that repeats in orders": 0.4,
    "the only decimals": 0.4,
    "a currency in a column's name": 0.9,
    "a currency's sign beside amounts": 0.9,
    "a currency against signs": 0.45,
    "an unknown word beside numbers": 0.45,
    "most rows' country": 0.6,
    "the language of the names": 0.55,
    "separator": 0.95,
    "encoding": 0.9,
    "encoding, few lines": 0.45,
    "line of names": 0.6,
    "no line of names": 0.4,
    "widths": 0.45,
    "line breaks": 0.6,
    "continued lines": 0.45,
    "goods": 0.6,
    "one of two columns of one name": 0.45,
    "decimal sign": 0.95,
    "decimal sign, by another column": 0.92,
    "decimal sign, by the currency": 0.9,
    "decimal sign, against another column": 0.4,
    "decimal sign, by three zeros": 0.4,
    "date form": 0.95,
    "date form, by another separator": 0.4,
    "times carry their zone": 0.99,
    "this machine's zone": 0.4,
    "no zone": 0.3,
}
