"""What tags would be, before anything is written: counts, shares, spend, what overlaps, who would enter and leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clients.tags.changes import Change, counted_changes
from clients.tags.config import Tag
from clients.tags.evaluation import Evaluated
from clients.tags.rules import Rule
from clients.tags.store import History, RunNote
from privacy.tags.truth import BoolArray

#: Ids that are shown of a tag, and other tags that overlap most.
_SHOWN, _OVERLAPS = 10, 3


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How many customers of a tag have another one, too."""

    code: str
    customers: int


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One tag or group. For the holder's own screen.

    Attributes:
        rule: what it is.
        customers: how many have it.
        levels: of a fact in bands, how many have each level, from the first on.
        spent: what they spent in all, in minor units.
        change: who would enter and leave since the last run; None for groups, and for what is not written.
        overlaps: the other tags that most of them have; facts in bands, which nearly everybody has, are left out.
        ids: some of them, as the source spells them: the first.
    """

    rule: Rule
    customers: int
    levels: tuple[int, ...]
    spent: int
    change: Change | None
    overlaps: tuple[Overlap, ...]
    ids: tuple[str, ...]


def previews(evaluated: Evaluated, history: History, codes: Sequence[str] = ()) -> tuple[Preview, ...]:
    """What each tag and group would be.

    Args:
        evaluated: worked out, not written.
        history: what was written before.
        codes: those that are asked for; all if none is given.
    """
    has = {code: values > 0 for code, values in evaluated.values.items()}
    note = RunNote(day=evaluated.day, customers=len(evaluated.customers), counts={})
    changes = counted_changes(history.after(evaluated, note), evaluated.day, has)
    written = {tag.code for tag in evaluated.written()}
    return tuple(
        _preview(rule, evaluated, has, changes[rule.code] if rule.code in written else None)
        for rule in evaluated.rules
        if not codes or rule.code in codes
    )


def _preview(rule: Rule, evaluated: Evaluated, has: dict[str, BoolArray], change: Change | None) -> Preview:
    own, customers = has[rule.code], evaluated.customers
    bands = rule.of.bands if isinstance(rule.of, Tag) else ()
    levels = np.bincount(evaluated.values[rule.code], minlength=len(bands) + 1)[1:] if bands else np.zeros(0, np.int64)
    shared = [
        Overlap(code=other.code, customers=int((own & has[other.code]).sum()))
        for other in evaluated.rules
        if other.code != rule.code and not other.is_group and not getattr(other.of, "bands", ())
    ]
    first = np.flatnonzero(own)[:_SHOWN]
    return Preview(
        rule=rule,
        customers=int(own.sum()),
        levels=tuple(levels.tolist()),
        spent=int(customers.spent[own].sum()),
        change=change,
        overlaps=tuple(sorted((one for one in shared if one.customers), key=lambda one: -one.customers)[:_OVERLAPS]),
        ids=tuple(customers.source_ids.take(first).to_pylist()),
    )
