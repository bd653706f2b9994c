"""Whether a line has the names of columns: it is unlike the lines below it where these hold numbers, days or codes."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
#: A column holds numbers, days or codes where this share of its values does.
_MOSTLY = 0.8
#: Lines below that are looked at.
_LOOKED_AT = 200


def are_names(fields: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> bool:
    """Whether fields may be names of columns.

    Args:
        fields: of a line.
        rows: of lines below it, those of other widths are passed over. Without any no number may be among the names.
    """
    if sum(bool(name.strip()) for name in fields) < 2:
        return False
    below = [row for row in rows[:_LOOKED_AT] if len(row) == len(fields)]
    columns = [[row[place] for row in below if row[place].strip()] for place in range(len(fields))]
    telling = [
        place
        for place, values in enumerate(columns)
        if values and sum(_holds_digits(value) for value in values) >= _MOSTLY * len(values)
    ]
    if not telling:
        return not any(_NUMBER.fullmatch(name.strip()) for name in fields)
    return 2 * sum(_holds_digits(fields[place]) for place in telling) < len(telling)


def _holds_digits(text: str) -> bool:
    """Whether digits are more than letters, as in numbers, days and codes, and hardly in names."""
    return sum(sign.isdecimal() for sign in text) > sum(sign.isalpha() for sign in text)
