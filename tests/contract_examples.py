"""Examples of everything in the contract's catalogues, for the suites that run over all of them.

A new statistic needs an entry in ``STATISTICS`` and in ``READINGS``; the suites fail until it has them, and find it by
themselves once it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from numpy.typing import NDArray

from privacy.contract.customers import CustomerColumns
from privacy.contract.identity import Identity, Member, Roster
from privacy.contract.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.mechanisms import SumMechanism
from privacy.statistics import PrefixSums, SegmentTotals, Statistic
from privacy.statistics.prefix_sums import FactGrid, PrefixEstimate, root_coefficients
from privacy.statistics.segment_totals import AMPLITUDES, SegmentEstimate

#: (recency_days, orders, money, tenure_days) of one customer.
Row = tuple[int, int, int, int]

COLUMNS = tuple(item.name for item in fields(CustomerColumns))
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def table(rows: Iterable[Row]) -> CustomerColumns:
    """A customer table of these rows."""
    array = np.array(list(rows), dtype=np.int64).reshape(-1, len(COLUMNS))
    return CustomerColumns(**{name: array[:, i].copy() for i, name in enumerate(COLUMNS)})


def rows_of(columns: CustomerColumns) -> list[Row]:
    """The rows of a table, as Python integers."""
    return list(zip(*(getattr(columns, name).tolist() for name in COLUMNS), strict=True))


_values = st.one_of(
    st.integers(0, 40),
    st.integers(-50_000, 2_000_000),
    st.integers(INT64_MIN, INT64_MAX),
    st.sampled_from([INT64_MIN, INT64_MIN + 1, -1, 0, 1, 30, 60, INT64_MAX - 1, INT64_MAX]),
)

#: One customer: usual, huge, negative, and the ends of int64.
rows: st.SearchStrategy[Row] = st.tuples(_values, _values, _values, _values)


@st.composite
def tables(draw: st.DrawFn, min_size: int = 0, max_size: int = 12) -> CustomerColumns:
    """Tables: empty, one customer, many alike, all kinds of values."""
    drawn = draw(st.lists(rows, min_size=min_size, max_size=max_size))
    copies = draw(st.integers(1, 3))
    return table(drawn * copies if len(drawn) * copies <= 3 * max_size else drawn)


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


# --- statistics --------------------------------------------------------------------------------------------------

CUTS = CutPoints(
    recency_days=(10, 30, 90, 365),
    orders=(2, 3, 5, 9),
    money=(1_000, 5_000, 20_000, 100_000),
    recency_high=60,
    orders_high=2,
    money_high=10_000,
)
THRESHOLDS = (
    ThresholdRule(code="vip", when="R<30, F>=5, M>=500", en="Very important", zh="贵宾"),
    ThresholdRule(code="mild_churn", when="R in 30..60 and F>=2"),
    ThresholdRule(code="middle", when="M in 12.50..99.99"),
)
RULES = SegmentRules(cuts=CUTS, thresholds=THRESHOLDS, money_unit=100)

#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic, ...]] = {
    "prefix_sums": (
        PrefixSums(grids=(FactGrid(fact="orders", upper=(1,), permille=1000),)),
        PrefixSums(
            grids=(
                FactGrid(fact="recency_days", upper=tuple(range(0, 60, 3)), permille=440),
                FactGrid(fact="money", upper=(-500, 0, 1, 10_000, 1_000_000), permille=380),
                FactGrid(fact="orders", upper=(1, 2, 3, 5, 8), permille=180),
            )
        ),
        PrefixSums(
            grids=(
                FactGrid(fact="tenure_days", upper=(-(1 << 62), -1, (1 << 62) - 1, 1 << 62), permille=1),
                FactGrid(fact="money", upper=tuple(range(-300, 300)), permille=999),
            )
        ),
    ),
    "segment_totals": (
        SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=1, money_cap=1),
        SegmentTotals(rules=RULES, schemes=("rules",), orders_cap=24, money_cap=150_000),
        SegmentTotals(
            rules=RULES, schemes=("ten", "eleven", "eight", "rules"), orders_cap=1_000_000, money_cap=1 << 40
        ),
    ),
}

ALL_STATISTICS = [
    (f"{kind}-{number}", statistic)
    for kind, examples in STATISTICS.items()
    for number, statistic in enumerate(examples)
]
STATISTIC_IDS = [name for name, _ in ALL_STATISTICS]
STATISTIC_VALUES = [statistic for _, statistic in ALL_STATISTICS]


# --- what a decoded release says, in one form for all statistics ---------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a statistic's estimates say.

    Attributes:
        values, deviations: figures and their stated standard deviations, flat and in one order.
        covariances: (index, index, stated covariance).
    """

    values: NDArray[np.float64]
    deviations: NDArray[np.float64]
    covariances: tuple[tuple[int, int, float], ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class ReadingOf:
    """How to read a kind of statistic, and what it should say, from slow obvious code.

    Attributes:
        read: estimates to figures.
        truth: exact figures of a table, with Python integers, customer by customer.
        tolerance: largest error of each figure from rounding on integers, for a table of so many customers.
    """

    read: Callable[[Any], Reading]
    truth: Callable[[Any, Sequence[Row]], list[int]]
    tolerance: Callable[[Any, int], NDArray[np.float64]]


def _read_prefixes(estimates: tuple[PrefixEstimate, ...]) -> Reading:
    covariances = []
    start = 0
    for estimate in estimates:
        last = start + estimate.grid.bins - 1
        covariances += [(start + j, last, float(c)) for j, c in enumerate(estimate.total_covariance)]
        start = last + 1
    return Reading(
        values=np.concatenate([e.prefix for e in estimates]),
        deviations=np.concatenate([e.deviation for e in estimates]),
        covariances=tuple(covariances),
    )


def _true_prefixes(statistic: PrefixSums, customers: Sequence[Row]) -> list[int]:
    result = []
    for grid in statistic.grids:
        values = [row[COLUMNS.index(grid.fact)] for row in customers]
        result += [sum(value <= upper for value in values) for upper in grid.upper] + [len(values)]
    return result


def _prefix_tolerance(statistic: PrefixSums, customers: int) -> NDArray[np.float64]:
    # Each integer coefficient is at most half a unit off the exact one.
    parts = [np.cumsum(root_coefficients(grid.bins)) * customers / grid.amplitude / 2 for grid in statistic.grids]
    return np.concatenate(parts) + 1e-6


def _read_totals(estimates: tuple[SegmentEstimate, ...]) -> Reading:
    values, deviations = [], []
    for e in estimates:
        values += [e.customers, e.orders, e.money]
        deviations += [
            np.full(len(e.customers), deviation)
            for deviation in (e.customers_deviation, e.orders_deviation, e.money_deviation)
        ]
    return Reading(values=np.concatenate(values), deviations=np.concatenate(deviations))


def _true_totals(statistic: SegmentTotals, customers: Sequence[Row]) -> list[int]:
    result: list[int] = []
    for scheme in statistic.schemes:
        cells = len(statistic.rules.segments(scheme))
        totals = [[0] * cells for _ in range(3)]
        for row in customers:
            cell = int(statistic.rules.assign(scheme, table([row]))[0])
            _, orders, money, _ = row
            totals[0][cell] += 1
            totals[1][cell] += max(-statistic.orders_cap, min(orders, statistic.orders_cap))
            totals[2][cell] += max(-statistic.money_cap, min(money, statistic.money_cap))
        result += [value for column in totals for value in column]
    return result


def _totals_tolerance(statistic: SegmentTotals, customers: int) -> NDArray[np.float64]:
    # Half a unit of rounding each; customers are exact.
    orders = customers * statistic.orders_cap / AMPLITUDES[1] / 2
    money = customers * statistic.money_cap / AMPLITUDES[2] / 2
    parts = []
    for scheme in statistic.schemes:
        cells = len(statistic.rules.segments(scheme))
        parts += [np.full(cells, 1e-9), np.full(cells, orders), np.full(cells, money)]
    return np.concatenate(parts) * (1 + 1e-9) + 1e-6


READINGS: dict[str, ReadingOf] = {
    "prefix_sums": ReadingOf(read=_read_prefixes, truth=_true_prefixes, tolerance=_prefix_tolerance),
    "segment_totals": ReadingOf(read=_read_totals, truth=_true_totals, tolerance=_totals_tolerance),
}


# --- mechanisms ----------------------------------------------------------------------------------------------------

#: Placement to examples: the fewest holders, an ordinary federation, nearly all colluding, the largest.
MECHANISMS: dict[str, tuple[SumMechanism, ...]] = {
    placement: tuple(
        SumMechanism(placement=placement, holders=m, colluding=t, share_scale=scale)
        for m, t, scale in [(2, 1, 1000), (3, 1, 4_000_000), (8, 7, 123_457), (1000, 2, 1 << 48)]
    )
    for placement in ("distributed", "local", "central")
}
MECHANISM_VALUES = [mechanism for examples in MECHANISMS.values() for mechanism in examples]
MECHANISM_IDS = [f"{m.placement}-{m.holders}-{m.colluding}" for m in MECHANISM_VALUES]

# --- people --------------------------------------------------------------------------------------------------------

LIFETIME = (Decimal("2"), Decimal("0.000001"))


def identities(names: Iterable[str]) -> dict[str, Identity]:
    """Signing keys in memory, always the same for the same name."""
    result = {}
    for name in names:
        seed = name.encode().ljust(32, b"\x00")[:32]
        result[name] = Identity(name, Ed25519PrivateKey.from_private_bytes(seed))
    return result


def roster_of(people: dict[str, Identity], *, coordinator: str = "coordinator") -> Roster:
    """A roster of these people, one of whom is the coordinator."""
    return Roster(
        federation="test",
        version=1,
        members=tuple(
            Member(
                id=name,
                role="coordinator" if name == coordinator else "holder",
                public_key=people[name].public_key,
            )
            for name in sorted(people)
        ),
    )
