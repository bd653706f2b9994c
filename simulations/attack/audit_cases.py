"""For every kind of statistic: a small question, a few customers at each holder, and the customer that moves it most.

They come from the rooms of the analyses (``privacy/analyses/<name>/example.py``), each for its own statistics.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from privacy.analyses.catalogue import CATALOGUE, NAMES
from privacy.kernel.cells import CellRows
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import MISSING, FeatureTable
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray
from privacy.statistics.examples import EXAMPLES, FAR, HOLDERS, Example, cells_of, columns_of, features_of

__all__ = ["EXAMPLE_OF", "HOLDERS", "OPTIONS_OF", "SUMS", "Case", "candidates_of", "case_of", "joined", "table_of"]


def _room(name: str) -> Any:
    return import_module(f"privacy.analyses.{name}.example")


def _examples() -> Iterator[Example]:
    yield from EXAMPLES
    for name in NAMES:
        yield from _room(name).EXAMPLES


#: The example of each kind.
EXAMPLE_OF: dict[str, Example] = {example.statistic.kind: example for example in _examples()}

#: The kinds that are sums over customers, with noise that is added to the sum. A holder's own training is none: what it
#: releases is no sum of the rows that its contract bounds, and what an attack on one of its steps would show is little.
SUMS: tuple[str, ...] = tuple(kind for kind in CATALOGUE if EXAMPLE_OF[kind].statistic.training is None)

#: The table of each analysis in a small study that may ask every kind of question.
OPTIONS_OF: dict[str, dict[str, Any]] = {name: dict(_room(name).OPTIONS) for name in NAMES}


def table_of(name: str) -> Any:
    """What a holder with a few customers has for an analysis; its statistics, and the shared ones, can read it."""
    return _room(name).EXAMPLES[0].crowd


def candidates_of(kind: str) -> Any:
    """Customers at the ends of what a table of that kind's example can hold, and its witness."""
    example = EXAMPLE_OF[kind]
    ends = (-FAR, 0, FAR)
    if isinstance(example.witness, FeatureTable):
        names = example.witness.names
        values = itertools.product((*ends, MISSING), repeat=len(names))
        found: Any = features_of(names, [(outcome, raw) for raw in values for outcome in (0, 1)])
    elif isinstance(example.witness, CellRows):
        found = cells_of([[(0, 0, first, second)] for first, second in itertools.product(ends, repeat=2)])
    else:
        found = columns_of((r, f, m, t) for r, f, m, t in itertools.product(ends, repeat=4))
    return joined(example.witness, found)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of statistic, ready to be attacked.

    Attributes:
        statistic: the question.
        crowd: every holder's other customers; the attacker knows them.
        target: the customer that is in or not, as a table of one row.
        reached: the target's norm as a part of the bound's.
    """

    statistic: Statistic[Any]
    crowd: Any
    target: Any
    reached: float


def case_of(kind: str, encode: Callable[[Statistic[Any], Any], IntArray]) -> Case:
    """The case of one kind.

    Args:
        kind: of the statistic.
        encode: what a holder adds to a sum for a table.
    """
    example = EXAMPLE_OF[kind]
    squared_norm = sum(int(value) ** 2 for value in encode(example.statistic, example.witness))
    return Case(
        statistic=example.statistic,
        crowd=example.crowd,
        target=example.witness,
        reached=math.sqrt(squared_norm / example.statistic.bound.squared_norm),
    )


def joined(*tables: Any) -> Any:
    """One table of the rows of several of the same kind."""
    first = tables[0]
    if isinstance(first, FeatureTable):
        return FeatureTable(
            names=first.names,
            values=np.concatenate([table.values for table in tables]),
            eligible=np.concatenate([table.eligible for table in tables]),
            outcome=np.concatenate([table.outcome for table in tables]),
        )
    if isinstance(first, CellRows):
        starts = itertools.accumulate((len(table.table) for table in tables[:-1]), initial=0)
        begins = [table.start[:-1] + start for table, start in zip(tables, starts, strict=True)]
        entries = sum(len(table.table) for table in tables)
        return CellRows(
            start=np.concatenate([*begins, np.array([entries], dtype=np.int64)]),
            **{
                name: np.concatenate([getattr(table, name) for table in tables]) for name in ("table", "cell", "values")
            },
        )
    names = ("recency_days", "orders", "money", "tenure_days")
    return CustomerColumns(**{name: np.concatenate([getattr(table, name) for table in tables]) for name in names})
