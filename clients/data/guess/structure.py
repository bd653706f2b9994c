"""What a file's columns are before anybody asks what they mean: renamed in later files, left empty on later lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import ibis
import pandas as pd
from ibis.expr import types as ir

from clients.data.guess import names as guess_names
from clients.data.guess.confidence import SURE

#: Roles whose columns are looked for under other names.
_ROLES = ("customer", "order", "time", "amount", "quantity", "price", "currency", "product")
#: A column is continued on later lines if so many are empty, and no more than so many.
_EMPTY, _MOST = 0.05, 0.95
#: Of such lines as many are as the one above in what else they say of an order; so few lines are empty otherwise.
_SAME, _STRAY = 0.999, 0.01
#: Of such lines no more lack a column that all goods have, or one: these are totals.
_LACKING = 0.02


def renamed(headers: Mapping[Path, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Columns that some files lack, with the name that the same role has in these, where only one can be it."""
    found: dict[str, tuple[str, ...]] = {}
    everywhere = set.intersection(*(set(names) for names in headers.values())) if headers else set()
    for role in _ROLES:
        named = {
            name: guess_names.score(role, name)
            for names in headers.values() for name in names if name not in everywhere
        }  # fmt: skip
        telling = [name for name, score in named.items() if score > SURE]
        if any(guess_names.score(role, name) >= max(named.values(), default=0) for name in everywhere):
            continue
        of_files = [[name for name in names if name in telling] for names in headers.values()]
        if len(telling) > 1 and all(len(names) == 1 for names in of_files):
            found[telling[0]] = tuple(telling[1:])
    return found


def lacking(headers: Mapping[Path, Sequence[str]], also: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Columns that some of the files lack, under all their names."""
    whole = {name for name, others in also.items() for name in (name, *others)}
    every = {name for names in headers.values() for name in names}
    return frozenset(
        name for name in every if name not in whole and any(name not in names for names in headers.values())
    )


def merged(table: ir.Table, also: Mapping[str, Sequence[str]]) -> ir.Table:
    """The table with each renamed column as one."""
    whole = {
        name: ibis.coalesce(table[name], *(table[other] for other in others if other in table.columns))
        for name, others in also.items()
        if name in table.columns
    }
    gone = [other for others in also.values() for other in others if other in table.columns]
    return table.mutate(**whole).drop(*gone) if whole else table


def merged_rows(frame: pd.DataFrame, also: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The same of a sample."""
    for name, others in also.items():
        for other in others:
            frame[name] = frame[name].where(frame[name].notna(), frame[other])
        frame = frame.drop(columns=list(others))
    return frame


def continued(frame: pd.DataFrame) -> tuple[tuple[str, ...], int]:
    """Columns that later lines of an order leave empty, all together, and how many lines do; none where that is not so.

    Guest sales have no customer, but an order and a time: lines without either continue the one above, if what else
    they say of order, customer and time is as there.
    """
    if frame.empty:
        return (), 0
    empty = frame.apply(lambda column: column.isna() | (column.astype(str).str.strip() == ""))
    gaps = [name for name in frame.columns if _EMPTY <= empty[name].mean() <= _MOST and not empty[name].iloc[0]]
    roles = {
        role: [name for name in frame.columns if guess_names.score(role, name) > SURE]
        for role in ("customer", "order", "time")
    }
    groups = [_alike(first, gaps, empty) for role in ("time", "order") for first in roles[role] if first in gaps]
    for group in sorted(groups, key=lambda names: -len(names)):
        lines = empty[group].all(axis=1)
        rest = [name for names in roles.values() for name in names if name not in group]
        same = (frame[rest].eq(frame[rest].ffill().shift()) | empty[rest]).all(axis=1) if rest else lines
        filled = {role for role, names in roles.items() if set(names) & set(group)}
        is_known = filled >= {"customer", "time"} or all(roles.values())
        if is_known and same[lines].mean() >= _SAME:
            return tuple(group), int(lines.sum())
    return (), 0


def _alike(first: str, gaps: Sequence[str], empty: pd.DataFrame) -> list[str]:
    """Columns that are empty where the first one is, but for single lines such as a last one with a total."""
    few = max(1, _STRAY * len(empty))
    return [str(name) for name in gaps if (empty[name] != empty[first]).sum() <= few]


def always_there(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    """Columns that nearly all lines have that leave these empty: a line without them is none of goods."""
    empty = frame.apply(lambda column: column.isna() | (column.astype(str).str.strip() == ""))
    lacks = empty[empty[list(columns)].all(axis=1)].drop(columns=list(columns))
    few = max(1, _LACKING * len(lacks))
    return tuple(str(name) for name, lines in lacks.sum().items() if lines <= few)


def filled_rows(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """A sample with these columns taken from the line above where all are empty."""
    for name in columns:
        text = frame[name].where(frame[name].astype(str).str.strip() != "")
        frame[name] = text.ffill()
    return frame
