"""Reading a sample of rows: which column is what, how they are written, and how sure that is.

A guess rests on names (``names``) and on what the sample shows: types, how often values repeat, whether the lines of
one order share customer and time, whether an amount is quantity times price. What speaks for what is in ``evidence``.
"""

from __future__ import annotations

import json
from dataclasses import replace

from clients.data.guess import names as guess_names
from clients.data.guess.confidence import CONFIDENCE, SURE
from clients.data.guess.money import currency_from_rows, currency_from_signs, money_of
from clients.data.guess.nouns import ROLES, Guess, Guessed
from clients.data.guess.roles import by_name, currency_column, customer_of, discount_of, order_of, time_of
from clients.data.guess.sample import Sample
from clients.data.guess.zone import zone_of

#: Long numbers as spreadsheets leave them, and the share of a column's values from which on that is said.
ROUNDED = r"[0-9]([.,][0-9]+)?[eE]\+?[0-9]{1,3}|[0-9]{15}[0-9]*0{2,}"
_ROUNDED = 0.1
_OPTIONAL = ("product", "channel", "store")


def read_sheet(sample: Sample, *, holder: str, url: str, table: str | None, password: dict[str, str]) -> Guess:
    """Guess role after role; a column is used once."""
    found: dict[str, Guessed] = {}

    def keep(role: str, guessed: Guessed | None) -> None:
        if guessed is not None:
            found[role] = guessed

    keep("time", time_of(sample))
    time = found["time"].value if "time" in found else None
    keep("order", order_of(sample, time))
    order = found["order"].value if "order" in found else None
    keep("customer", customer_of(sample, time, order))
    taken = {item.value for item in found.values()}
    notes: list[str] = []
    money, code = money_of(sample, order, taken, notes)
    found |= money
    taken |= {item.value for item in money.values()}
    taken |= sample.partial - taken
    currency = currency_column(sample, taken)
    if currency is not None and code is not None:
        quoted = json.dumps(currency.value, ensure_ascii=False)
        notes.append(f"{quoted} holds currency codes, but {code.reason} says {code.value}: which is right?")
    elif currency is not None:
        found["currency"], code = currency, None
        taken.add(currency.value)
    elif code is None:
        of_signs = currency_from_signs(sample, [item.value for item in money.values()])
        code = of_signs or currency_from_rows(sample)
    for role in _OPTIONAL:
        keep(role, by_name(sample, role, taken))
        taken |= {found[role].value} if role in found else set()
    keep("discount", discount_of(sample, taken))
    notes += _destroyed(sample)
    if unused := [
        name for name in sample.looks if name in sample.partial and name not in {item.value for item in found.values()}
    ]:
        quoted = ", ".join(json.dumps(name, ensure_ascii=False) for name in unused[:5])
        notes.append(f"some files lack {quoted}, so it is not used")
    found = {role: _of_several(item, sample) for role, item in found.items()}
    return Guess(
        holder=holder,
        url=url,
        table=table,
        password=password,
        names=tuple(sample.looks),
        columns={role: found[role] for role in ROLES if role in found},
        currency_code=code,
        currencies=(),
        time_zone=zone_of(sample, time),
        spellings=sample.spellings,
        money_choices=tuple(
            name for name, look in sample.looks.items() if look.kind == "number" and name not in taken | {order, time}
        ),
        notes=tuple(notes),
    )


def _destroyed(sample: Sample) -> list[str]:
    """Columns that are called like ids and hold what a spreadsheet makes of long ones."""
    named = (
        name for name in sample.looks if any(guess_names.score(role, name) > SURE for role in ("order", "customer"))
    )
    return [
        f"PLEASE CHECK: {json.dumps(name, ensure_ascii=False)} has values like 9.99E+11, or of 16 digits and more that "
        "end in zeros: a spreadsheet has rounded these ids, and nothing here can mend it"
        for name in named
        if sample.frame[name].dropna().astype(str).str.fullmatch(ROUNDED).mean() > _ROUNDED
    ]


def _of_several(item: Guessed, sample: Sample) -> Guessed:
    """A guess that says that its column is one of several of one name."""
    alike = sample.of_one_name(item.value)
    if not alike:
        return item
    base = json.dumps(alike[0], ensure_ascii=False)
    numbered = f"{len(alike)} columns have the same name, {base}, and are numbered here from 0 on, from the left"
    reason = f"{item.reason}; {numbered}"
    others = tuple(name for name in alike if name != item.value)
    confidence = CONFIDENCE["one of two columns of one name"]
    return replace(item, confidence=min(item.confidence, confidence), reason=reason, alternatives=others)
