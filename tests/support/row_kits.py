"""Tables of customers for the suites that run over all statistics: one kit per kind of rows."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from privacy.kernel.cells import CellRows
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import MISSING, FeatureTable
from privacy.statistics import Rows

#: (recency_days, orders, money, tenure_days) of one customer.
Row = tuple[int, int, int, int]

COLUMNS = tuple(item.name for item in fields(CustomerColumns))

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

R = TypeVar("R")


def table(rows: Iterable[Row]) -> CustomerColumns:
    """A customer table of these rows."""
    array = np.array(list(rows), dtype=np.int64).reshape(-1, len(COLUMNS))
    return CustomerColumns(**{name: array[:, i].copy() for i, name in enumerate(COLUMNS)})


def rows_of(columns: CustomerColumns) -> list[Row]:
    """The rows of a table, as Python integers."""
    return list(zip(*(getattr(columns, name).tolist() for name in COLUMNS), strict=True))


_SPECIAL = (INT64_MIN, INT64_MIN + 1, -1, 0, 1, 30, 60, INT64_MAX - 1, INT64_MAX)


def _value(draw: random.Random) -> int:
    """A number of a row: usual, large, any, or one where something may go wrong."""
    match draw.randrange(4):
        case 0:
            return draw.randint(0, 40)
        case 1:
            return draw.randint(-50_000, 2_000_000)
        case 2:
            return draw.randint(INT64_MIN, INT64_MAX)
        case _:
            return draw.choice(_SPECIAL)


def drawn_rows(make: Callable[[random.Random], R]) -> st.SearchStrategy[R]:
    """Customers, each from one number: drawing every value of every customer took most of the suites' time.

    A case that fails has as few customers as can be; their values are not made smaller.
    """
    return st.integers(0, 2**32 - 1).map(lambda seed: make(random.Random(seed)))


def _row(draw: random.Random) -> Row:
    return (_value(draw), _value(draw), _value(draw), _value(draw))


#: One customer: usual, huge, negative, and the ends of int64.
rows: st.SearchStrategy[Row] = drawn_rows(_row)


def customer_table(customers: int, seed: int) -> CustomerColumns:
    """A plausible table: many customers with one order, spend over several powers of ten, some in debt."""
    rng = np.random.default_rng(seed)
    recency = rng.integers(0, 900, customers)
    return CustomerColumns(
        recency_days=recency,
        orders=rng.geometric(0.5, customers),
        money=np.round(np.exp(rng.normal(8.5, 1.5, customers))).astype(np.int64) - 500,
        tenure_days=recency + rng.integers(0, 900, customers),
    )


#: What feature tables of the suites hold, on how many days.
FEATURE_NAMES = ("recency_days", "orders_90", "money", "interval_days")

FEATURE_DAYS = 3

#: Eligible, outcome and the raw features of one day.
FeatureDay = tuple[int, int, tuple[int, ...]]

#: One customer: all its days.
FeatureRow = tuple[FeatureDay, ...]


def feature_table(rows: Iterable[FeatureRow], names: tuple[Any, ...] = FEATURE_NAMES) -> FeatureTable:
    """A table of these customers."""
    listed = list(rows)
    days = (len(listed), FEATURE_DAYS)
    return FeatureTable(
        names=names,
        values=np.array([[day[2] for day in row] for row in listed], dtype=np.int64).reshape(*days, len(names)),
        eligible=np.array([[day[0] for day in row] for row in listed], dtype=np.int64).reshape(days),
        outcome=np.array([[day[1] for day in row] for row in listed], dtype=np.int64).reshape(days),
    )


def feature_rows_of(features: FeatureTable) -> list[FeatureRow]:
    """The customers of a table, as Python integers."""
    return [
        tuple((e, o, tuple(v)) for e, o, v in zip(eligible, outcome, values, strict=True))
        for eligible, outcome, values in zip(
            features.eligible.tolist(), features.outcome.tolist(), features.values.tolist(), strict=True
        )
    ]


def feature_rows_with(features: int) -> st.SearchStrategy[FeatureRow]:
    """One customer with so many features; what no holder's code makes (other flags than 0, 1) must count as nothing."""

    def day(draw: random.Random) -> FeatureDay:
        values = tuple(MISSING if draw.random() < 0.2 else _value(draw) for _ in range(features))
        flags = draw.choice((1, 1, 1, 1, 0, 2, INT64_MIN)), draw.choice((0, 1, 0, 1, -1, 2, INT64_MAX))
        return (*flags, values)

    return drawn_rows(lambda draw: tuple(day(draw) for _ in range(FEATURE_DAYS)))


feature_rows = feature_rows_with(len(FEATURE_NAMES))


def plausible_features(customers: int, seed: int) -> FeatureTable:
    """A plausible table: features that go together, some missing, some days that do not count or are not over."""
    rng = np.random.default_rng(seed)
    days = (customers, FEATURE_DAYS)
    recency = rng.integers(0, 700, days)
    orders = rng.poisson(3 * np.exp(-recency / 200))
    money = np.round(np.exp(rng.normal(8.5, 1.5, days))).astype(np.int64) - 500
    interval = np.where(rng.random(days) < 0.4, MISSING, rng.integers(0, 40_000, days))
    return FeatureTable(
        names=FEATURE_NAMES,
        values=np.stack([recency, orders, money, interval], axis=2),
        eligible=(rng.random(days) < 0.85).astype(np.int64),
        outcome=np.where(rng.random(days) < 0.1, -1, rng.random(days) < 0.3 + recency / 1400).astype(np.int64),
    )


@dataclass(frozen=True, kw_only=True)
class KindOfRows:
    """How the suites make tables of one kind of rows, and take them apart.

    Attributes:
        rows: one customer: usual, huge, negative, and the ends of int64.
        table, rows_of: rows to a table, and back.
        plausible: a table of so many customers, from a seed.
        extremes: customers at the ends of what a table can hold; whatever is read, one of them has the longest vector.
        busy: one customer with very much of everything, on all days.
        idle: a customer who counts on no day, where there is such a thing.
    """

    rows: st.SearchStrategy[Any]
    table: Callable[[Iterable[Any]], Any]
    rows_of: Callable[[Any], list[Any]]
    plausible: Callable[[int, int], Any]
    extremes: tuple[Any, ...]
    busy: Any
    idle: Any = None


#: Entries of one customer: (table, cell, two values), in the order that they have in the rows.
CellRow = tuple[tuple[int, int, int, int], ...]


def cell_table(rows: Iterable[CellRow]) -> CellRows:
    """Entries of these customers."""
    listed = list(rows)
    flat = np.array([entry for row in listed for entry in row], dtype=np.int64).reshape(-1, 4)
    start = np.cumsum([0, *map(len, listed)], dtype=np.int64)
    return CellRows(start=start, table=flat[:, 0].copy(), cell=flat[:, 1].copy(), values=flat[:, 2:].copy())


def cell_rows_of(rows: CellRows) -> list[CellRow]:
    """The customers of rows, as Python integers."""
    flat = [
        (t, c, first, second)
        for t, c, (first, second) in zip(rows.table.tolist(), rows.cell.tolist(), rows.values.tolist(), strict=True)
    ]
    return [tuple(flat[a:b]) for a, b in itertools.pairwise(rows.start.tolist())]


def _cell_row(draw: random.Random) -> CellRow:
    """A customer with no, few or many entries; now and then with cells twice, out of order, or of no table."""
    places = {(draw.randrange(3), draw.randrange(20)) for _ in range(draw.choice((0, 1, 3, 12)))}
    ordered = sorted(places)
    if draw.random() < 0.3:
        wild = (INT64_MIN, -5, -1, 0, 0, 3, 19, 1999, 2000, 2**62, INT64_MAX)
        ordered = [(draw.choice((-1, 0, 1, 2, 2**62)), draw.choice(wild)) for _ in range(draw.randrange(6))]
        ordered = sorted(ordered) if draw.random() < 0.7 else ordered
    return tuple((*place, _value(draw), _value(draw)) for place in ordered)


def plausible_cells(customers: int, seed: int) -> CellRows:
    """Usual customers: in one cell of one table, in several of another, with counts and amounts."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(customers):
        cells = sorted(rng.choice(20, int(rng.geometric(0.4)) % 8, replace=False).tolist())
        one = (0, int(rng.integers(0, 3)), 1, int(np.exp(rng.normal(8, 1))))
        found.append((one, *((1, cell, 1, int(rng.integers(-20, 500))) for cell in cells)))
    return cell_table(found)


def _full(first: int, second: int, cells: int) -> CellRow:
    return tuple((table, cell, first, second) for table in range(3) for cell in range(cells))


_ENDS = (INT64_MIN, INT64_MAX)

#: Kind of rows to how tables of it are made.
KINDS: dict[type[Rows], KindOfRows] = {
    CustomerColumns: KindOfRows(
        rows=rows,
        table=table,
        rows_of=rows_of,
        plausible=customer_table,
        extremes=tuple(itertools.product((INT64_MIN, 0, INT64_MAX), _ENDS, _ENDS, _ENDS)),
        busy=(0, 1_000_000, 10**15, 5_000),
    ),
    FeatureTable: KindOfRows(
        rows=feature_rows,
        table=feature_table,
        rows_of=feature_rows_of,
        plausible=plausible_features,
        extremes=tuple(
            ((1, outcome, values),) * FEATURE_DAYS
            for outcome in (0, 1)
            for values in itertools.product((*_ENDS, MISSING), repeat=len(FEATURE_NAMES))
        ),
        busy=((1, 0, (0, 1_000_000, 10**15, 1)), (1, 1, (1, 10**9, 10**17, 1)), (1, 0, (2, 7, 10**12, MISSING))),
        idle=((0, 1, (1, 2, 3, 4)), (0, 0, (5, 6, 7, 8)), (0, -1, (9, 10, 11, 12))),
    ),
    CellRows: KindOfRows(
        rows=drawn_rows(_cell_row),
        table=cell_table,
        rows_of=cell_rows_of,
        plausible=plausible_cells,
        extremes=tuple(_full(*ends, cells) for ends in itertools.product(_ENDS, _ENDS) for cells in (1, 20)),
        busy=_full(10**15, 10**15, 20),
        idle=((0, 1, 1, 1), (0, 1, 1, 1)),  # a cell twice
    ),
}


def kind_with(names: tuple[Any, ...]) -> KindOfRows:
    """Tables of other features than :data:`FEATURE_NAMES`: counts and days, some missing."""

    def plausible(customers: int, seed: int) -> FeatureTable:
        rng = np.random.default_rng(seed)
        shape = (customers, FEATURE_DAYS, len(names))
        return FeatureTable(
            names=names,
            values=np.where(rng.random(shape) < 0.3, MISSING, rng.geometric(0.01, shape) - 1),
            eligible=(rng.random(shape[:2]) < 0.85).astype(np.int64),
            outcome=rng.integers(-1, 2, shape[:2]),
        )

    days = range(FEATURE_DAYS)
    return KindOfRows(
        rows=feature_rows_with(len(names)),
        table=partial(feature_table, names=names),
        rows_of=feature_rows_of,
        plausible=plausible,
        extremes=tuple(
            ((1, 0, values),) * FEATURE_DAYS for values in itertools.product((*_ENDS, MISSING), repeat=len(names))
        ),
        busy=tuple((1, 0, (day,) * len(names)) for day in days),
        idle=tuple((0, 0, (day,) * len(names)) for day in days),
    )


@st.composite
def tables_of(draw: st.DrawFn, kind: KindOfRows, min_size: int = 0, max_size: int = 12) -> Any:
    """Tables: empty, one customer, many alike, all kinds of values."""
    drawn = draw(st.lists(kind.rows, min_size=min_size, max_size=max_size))
    copies = draw(st.integers(1, 3))
    return kind.table(drawn * copies if len(drawn) * copies <= 3 * max_size else drawn)


def tables(min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[CustomerColumns]:
    """Customer tables."""
    return tables_of(KINDS[CustomerColumns], min_size, max_size)
