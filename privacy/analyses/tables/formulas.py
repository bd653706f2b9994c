"""The small language of figures: sums of released cells, quotients of two of them, and a few named functions.

::

    figure   = linear | linear "/" linear | "1 -" linear "/" linear | linear "/" linear "-" linear "/" linear
             | "survival(" days ")" | "survival_median()"
    linear   = [table "."] measure [ "[" choice { "," choice } "]" ] | "reached(" key ")"
    choice   = dimension "=" key | "all" dimension

``measure`` is that of the cell which a figure is about; ``[dimension = key]`` takes the cell of another key, ``[all
dimension]`` the sum over its keys. ``reached(key)`` adds up the first measure over the stages from ``key`` on, and
``reached(each)`` over those from each stage on. A figure has a value for each key of every dimension that is neither in
``over`` nor fixed, added up or reached in all of its sums.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: What a figure is.
Kind = Literal["linear", "quotient", "complement", "difference", "survival", "median"]

HINT = (
    'write "customers", "money / customers", "1 - reached(ordered) / reached(in_cart)", "survival(30)" or '
    '"survival_median()"'
)

#: In ``reached``: from the stage of the figure's own cell on.
EACH = "each"

_LINEAR = re.compile(r"^(?:([a-z][a-z0-9_]*)\.)?([a-z][a-z0-9_]*)(?:\[([^\[\]]*)\])?$")
_REACHED = re.compile(r"^reached\(([a-z_]+)\)$")
_SURVIVAL = re.compile(r"^survival\((\d{1,5})\)$")
_SIGN = re.compile(r"\s-\s(?![^\[]*\])")


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A sum of cells.

    Attributes:
        measure: what of them; empty for the table's first one.
        table: of which table; empty for that of the figure.
        fixed: keys that are taken instead of the figure's own, by dimension.
        added: dimensions over all keys of which it is added up.
        reached: the first stage that counts, where it adds up stages.
    """

    measure: str = ""
    table: str = ""
    fixed: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()
    reached: str = ""


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A figure's formula.

    Attributes:
        kind: which of the forms.
        above, below: the totals of the first quotient; ``below`` is None for ``linear``.
        second: those of the quotient that is taken off, for ``difference``.
        days: of ``survival``.
    """

    kind: Kind
    above: Linear | None = None
    below: Linear | None = None
    second: tuple[Linear, Linear] | None = None
    days: int = 0

    @property
    def terms(self) -> tuple[Linear, ...]:
        """All sums in it."""
        return tuple(term for term in (self.above, self.below, *(self.second or ())) if term is not None)


def parse_formula(text: str) -> Formula:
    """What a figure's text means.

    Raises:
        ValueError: if it has none of the forms, naming the part that has not.
    """
    text = text.strip()
    if found := _SURVIVAL.match(text):
        return Formula(kind="survival", days=int(found[1]))
    if text == "survival_median()":
        return Formula(kind="median")
    parts = _SIGN.split(text)
    if len(parts) == 2 and parts[0].strip() == "1":
        above, below = _quotient(parts[1])
        return Formula(kind="complement", above=above, below=below)
    if len(parts) == 2:
        above, below = _quotient(parts[0])
        return Formula(kind="difference", above=above, below=below, second=_quotient(parts[1]))
    if len(parts) == 1 and "/" not in re.sub(r"\[[^\]]*\]", "", text):
        return Formula(kind="linear", above=_linear(text))
    if len(parts) == 1:
        above, below = _quotient(text)
        return Formula(kind="quotient", above=above, below=below)
    raise ValueError(f"figure {text!r}: {HINT}")


def _quotient(text: str) -> tuple[Linear, Linear]:
    sides = re.split(r"/(?![^\[]*\])", text)
    if len(sides) != 2:
        raise ValueError(f"figure: {text.strip()!r} is no quotient of two sums; {HINT}")
    return _linear(sides[0]), _linear(sides[1])


def _linear(text: str) -> Linear:
    text = text.strip()
    if found := _REACHED.match(text):
        return Linear(reached=found[1])
    found = _LINEAR.match(text)
    if found is None:
        raise ValueError(f"figure: {text!r} is no measure; {HINT}")
    fixed, added = [], []
    for choice in (found[3] or "").split(","):
        left, equal, key = (part.strip() for part in choice.partition("="))
        if equal and left and key:
            fixed.append((left, key))
        elif left.startswith("all ") and not equal:
            added.append(left.removeprefix("all ").strip())
        elif left or equal:
            raise ValueError(f"figure: write [dimension = key] or [all dimension], not [{choice.strip()}]")
    return Linear(table=found[1] or "", measure=found[2], fixed=tuple(fixed), added=tuple(added))
