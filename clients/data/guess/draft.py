"""The text of a ``holder.toml``: every setting with its reason, and what could be meant instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace

from clients.data.guess.confidence import CONFIDENCE, SURE
from clients.data.guess.nouns import Guess, Guessed, States
from clients.data.guess.spelled import Spelled, odd_signs
from clients.data.place import Source
from clients.data.reading import ReadNumber
from clients.data.sources.opened import Notice


def holder_toml(guess: Guess) -> str:
    """A commented ``holder.toml`` with reasons and alternatives; reading it gives ``guess.config()``.

    Raises:
        DataError: if something is missing that cannot be guessed.
    """
    config = guess.config()
    source = config.source
    lines = [
        "# Written by `cohortium holder new`: guesses with their reasons. Mend what is wrong, then run",
        "#   cohortium holder check holder.toml",
        f"holder = {_quoted(config.holder)}",
        "",
        "[source]",
        f"url = {_quoted(source.url)}",
    ]
    if source.table is not None:
        lines.append(f"table = {_quoted(source.table)}")
    for name, value in guess.password.items():
        lines.append(f"{name} = {_quoted(value)}")
    lines += _setting("time_zone", guess.time_zone, "what times without a zone mean")
    if guess.currency_code is not None:
        lines += _setting("currency_code", _doubted(guess.currency_code, config.source), "the currency of all rows")
    else:
        codes = ", ".join(_quoted(code) for code in source.currencies)
        lines += [
            "# sure: found in the currency column; a study needs a rate for each of them",
            f"currencies = [{codes}]",
        ]
    lines += [
        '# where = "consent = true"      # only rows for which this SQL is true take part',
        '# exclude = "opt-out.csv"       # customers who never take part, one id a line',
    ]
    if (csv := guess.csv_form) is not None:
        lines += ["", "[source.csv]"]
        for name, value in csv.model_dump().items():
            if name in guess.csv_reasons and (value or isinstance(value, str) or name == "header"):
                lines += _setting(name, guess.csv_reasons[name], "", value=value)
    for role, item in guess.spelled()[0].items():
        lines += _reading(role, item)
    if guess.ids is not None:
        lines += _reading("customer", Spelled(read=guess.ids, reason=guess.ids_reason))
    lines += _states(guess)
    lines += ["", "[columns]"]
    for role in guess.columns:
        lines += _column(guess, role)
    if "order" not in guess.columns:
        lines += [
            "# PLEASE CHECK: no column was found that the lines of one order share; so an order is all that a customer",
            "# buys on one day",
            '# order = "..."',
        ]
    rest = [name for name in guess.names if name not in config.columns.mapped().values()]
    if rest:
        lines += ["", _comment(f"Not used: {', '.join(_quoted(name) for name in rest[:40])}")]
    lines += [_comment(f"Note: {note}") for note in guess.notes]
    return "\n".join(lines) + "\n"


def noted(notices: Iterable[Notice]) -> str:
    """What is known of the source that makes figures wrong, as comments below a draft."""
    return "".join(_comment(f"PLEASE CHECK: {item.text}; {item.hint}") + "\n" for item in notices)


def _doubted(code: Guessed, source: Source) -> Guessed:
    """A currency, less sure where amounts have signs that it does not write."""
    wrong = odd_signs(source, code.value)
    if not wrong:
        return code
    reason = f"{code.reason}; but amounts have the sign {', '.join(wrong)}"
    return replace(code, confidence=CONFIDENCE["a currency against signs"], reason=reason)


def _column(guess: Guess, role: str) -> list[str]:
    found, names = guess.columns[role], guess.names_of(role)
    if isinstance(names, list):
        reason = f"{found.reason}; some files call it {', '.join(map(_quoted, names[1:]))}"
        found = replace(found, confidence=min(found.confidence, 0.45), reason=reason)
    return _setting(role, found, "", value=names)


def _states(guess: Guess) -> list[str]:
    """The tables of which rows are sales; commented out where nobody knows."""
    lines: list[str] = []
    table = "[[source.status]]" if len(guess.states) + len(guess.unsure_states) > 1 else "[source.status]"
    for found in guess.states:
        says = f"PLEASE CHECK: {found.reason}; values that are named nowhere are no sales"
        lines += ["", table, _comment(says), *_of_status(found)]
    for found in guess.unsure_states:
        says = f"PLEASE CHECK: {found.reason}. If some are no sales, take these lines in, those under return or none"
        lines += ["", _comment(says), *(_comment(line) for line in ("[[source.status]]", *_of_status(found)))]
    return lines


def _of_status(found: States) -> list[str]:
    status = found.status
    lines = [f"column = {_quoted(status.column)}"]
    for name, values in (("sale", status.sale), ("return", status.returned), ("none", status.none)):
        lines.append(f"{name} = [{', '.join(_quoted(value) for value in values)}]")
    return lines


def _reading(role: str, item: Spelled) -> list[str]:
    """The table of how one column is spelled."""
    lines = ["", f"[source.read.{role}]", _comment(f"{_sure(item.confidence)}: {item.reason}")]
    for name, value in item.read.model_dump().items():
        if value or (isinstance(item.read, ReadNumber) and name == "decimal"):
            text = _quoted(value) if isinstance(value, str) else f"[{', '.join(_quoted(one) for one in value)}]"
            lines.append(f"{name} = {text}")
    return lines


def _sure(confidence: float) -> str:
    return "sure" if confidence >= 0.9 else "likely" if confidence >= SURE else "PLEASE CHECK"


def _setting(name: str, guessed: Guessed, meaning: str, *, value: object = None) -> list[str]:
    """A setting with its comment; ``value`` where it is no text."""
    sure = _sure(guessed.confidence)
    comment = f"{meaning}: {guessed.reason}" if meaning else guessed.reason
    others = f"; or {', '.join(_quoted(item) for item in guessed.alternatives)}" if guessed.alternatives else ""
    return [_comment(f"{sure}: {comment}{others}"), f"{name} = {_written(guessed.value if value is None else value)}"]


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _comment(text: str) -> str:
    """A line of comment; TOML allows no control signs there."""
    return "# " + re.sub(r"[\x00-\x1f\x7f]+", " ", text)


def _quoted(text: str) -> str:
    """A TOML string. JSON's escapes are TOML's, but for the delete sign."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
