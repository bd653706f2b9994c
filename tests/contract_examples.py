"""Examples of everything in the contract's catalogues, for the suites that run over all of them.

A new statistic needs an entry in ``STATISTICS`` and in ``READINGS``; the suites fail until it has them, and find it by
themselves once it has. A statistic over a new kind of rows needs an entry in ``KINDS`` as well.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from numpy.typing import NDArray

from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.churn.logistic_gradient import LogisticGradient
from privacy.analyses.churn.models import LOGIT, PROBABILITY, WEIGHT, FeatureRank, LogisticModel, NetworkModel
from privacy.analyses.churn.network_gradient import HIDDEN_SCALE, Network, NetworkGradient
from privacy.analyses.churn.score_histogram import ScoredModel, ScoreHistogram, logit_bins
from privacy.analyses.clusters.anchor_sums import AnchorEstimates, AnchorSums, CappedFact
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixEstimate, PrefixSums, root_coefficients
from privacy.analyses.rfm.segment_totals import AMPLITUDES, SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import MISSING, UNIT, FeatureName, FeatureTable, Scale, ScaledFeature
from privacy.kernel.linear_view import ENTRY, LinearView
from privacy.mechanisms import SumMechanism
from privacy.protocol.identity import Identity, Member, Roster
from privacy.statistics import GAMMA, FeatureMoments, FeatureSums, Rows, Statistic

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


# --- features ----------------------------------------------------------------------------------------------------

#: What feature tables of the suites hold, on how many days.
FEATURE_NAMES: tuple[FeatureName, ...] = ("recency_days", "orders_90", "money", "interval_days")
FEATURE_DAYS = 3

#: Eligible, outcome and the raw features of one day.
FeatureDay = tuple[int, int, tuple[int, ...]]
#: One customer: all its days.
FeatureRow = tuple[FeatureDay, ...]


def feature_table(rows: Iterable[FeatureRow]) -> FeatureTable:
    """A table of these customers."""
    listed = list(rows)
    days = (len(listed), FEATURE_DAYS)
    return FeatureTable(
        names=FEATURE_NAMES,
        values=np.array([[day[2] for day in row] for row in listed], dtype=np.int64).reshape(*days, len(FEATURE_NAMES)),
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


#: One day: mostly one that counts; what no holder's code makes (other flags than 0 and 1) must count as nothing.
_feature_days: st.SearchStrategy[FeatureDay] = st.tuples(
    st.sampled_from([1, 1, 1, 1, 0, 2, INT64_MIN]),
    st.sampled_from([0, 1, 0, 1, -1, 2, INT64_MAX]),
    st.tuples(*[st.one_of(_values, st.just(MISSING)) for _ in FEATURE_NAMES]),
)
feature_rows: st.SearchStrategy[FeatureRow] = st.tuples(*[_feature_days] * FEATURE_DAYS)


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


# --- kinds of rows -----------------------------------------------------------------------------------------------


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
}


def kind_of(statistic: Statistic) -> KindOfRows:
    """How to make what a statistic reads."""
    return KINDS[statistic.reads]


@st.composite
def tables_of(draw: st.DrawFn, kind: KindOfRows, min_size: int = 0, max_size: int = 12) -> Any:
    """Tables: empty, one customer, many alike, all kinds of values."""
    drawn = draw(st.lists(kind.rows, min_size=min_size, max_size=max_size))
    copies = draw(st.integers(1, 3))
    return kind.table(drawn * copies if len(drawn) * copies <= 3 * max_size else drawn)


def tables(min_size: int = 0, max_size: int = 12) -> st.SearchStrategy[CustomerColumns]:
    """Customer tables."""
    return tables_of(KINDS[CustomerColumns], min_size, max_size)


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

SCALED: tuple[ScaledFeature, ...] = (
    ScaledFeature(name="recency_days", scale=Scale(kind="log", high=3650)),
    ScaledFeature(name="orders_90", scale=Scale(kind="linear", high=5, steps=4)),
    ScaledFeature(name="money", scale=Scale(kind="log", low=-100, high=10_000_000, offset=101, steps=64)),
    ScaledFeature(name="interval_days", scale=Scale(kind="quantiles", upper=(-5, 0, 700, 30_000), missing=100)),
)
LOGISTIC = LogisticModel(features=SCALED, weights=(2 * WEIGHT, -WEIGHT // 3, -12_345, 7, WEIGHT // 2))
NETWORK = NetworkModel(
    features=SCALED[1:3],
    hidden=((WEIGHT, -WEIGHT, 100), (-3 * WEIGHT, WEIGHT // 7, -WEIGHT), (5, 0, 0)),
    output=(WEIGHT, -WEIGHT // 5, 3, 0, WEIGHT // 11, -777),
)
_LARGEST = 1 << 24
#: The largest network with the largest weights.
WIDEST_NETWORK = NetworkModel(
    features=tuple(SCALED[i % 4] for i in range(40)),
    hidden=((_LARGEST,) * 41, *((-_LARGEST,) * 41 for _ in range(23))),
    output=(*(_LARGEST if unit else -_LARGEST for unit in range(24)), *(-_LARGEST,) * 41),
)


def ranked(feature: ScaledFeature) -> FeatureRank:
    """A feature as a model."""
    return FeatureRank(features=(feature,))


PLAIN_VIEW = LinearView(features=SCALED, radius=2 * UNIT)
TURNED_VIEW = LinearView(
    features=SCALED[:3],
    centre=(1000, -4096, 4096),
    radius=UNIT,
    constant=UNIT // 2,
    matrix=((3 * ENTRY, 0, ENTRY // 3, -ENTRY), (0, -7, ENTRY, 12_345)),
    reach=2 * UNIT,
)
#: One coordinate, of five places: -1, -1/2, 0, 1/2, 1.
LINE_VIEW = LinearView(features=SCALED[3:], radius=UNIT, matrix=((0, ENTRY),))
#: Coordinates that go beyond [-1, 1]; nothing is cut and every number is a multiple of 1 / UNIT, so that customers
#: stand exactly on borders of cells and exactly between anchors.
WIDE_VIEW = LinearView(
    features=SCALED[1:], radius=2 * UNIT, matrix=((0, 0, 0, 2 * ENTRY), (0, 3 * ENTRY, 0, 0), (0, 0, ENTRY, -ENTRY))
)

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
    "score_histogram": (
        ScoreHistogram(day=0, models=(ScoredModel(model=LOGISTIC, upper=(0,), permille=1000),)),
        ScoreHistogram(
            day=1,
            models=(
                ScoredModel(model=LOGISTIC, upper=logit_bins(8, 0.25), permille=600),
                ScoredModel(model=NETWORK, upper=logit_bins(5, 0.5), permille=250),
                ScoredModel(model=ranked(SCALED[3]), upper=(-LOGIT // 2, 0, LOGIT // 2 - 1), permille=150),
            ),
        ),
        ScoreHistogram(
            day=FEATURE_DAYS - 1,
            models=(
                ScoredModel(model=WIDEST_NETWORK, upper=(-(1 << 56), 0, 1 << 56), permille=1),
                ScoredModel(model=ranked(SCALED[0]), upper=tuple(range(-300, 300)), permille=999),
            ),
        ),
    ),
    "feature_sums": (
        FeatureSums(view=PLAIN_VIEW, days=(1,), customers="eligible", norm=1),
        FeatureSums(view=PLAIN_VIEW, days=(0, 1, 2), customers="labelled", norm=2236),
        FeatureSums(view=TURNED_VIEW, days=(2, 0), customers="eligible", norm=2000),
    ),
    "feature_moments": (
        FeatureMoments(view=PLAIN_VIEW, days=(0,), outcome_weight=0, norm=1),
        FeatureMoments(view=PLAIN_VIEW, days=(0, 1, 2), outcome_weight=2000, norm=5477),
        FeatureMoments(view=TURNED_VIEW, days=(1, 2), outcome_weight=0, norm=4000),
    ),
    "grid_counts": (
        GridCounts(view=LINE_VIEW, day=0, cells=2),
        GridCounts(view=WIDE_VIEW, day=1, cells=8),
        GridCounts(view=PLAIN_VIEW, day=2, cells=4),
        GridCounts(view=LINE_VIEW.model_copy(update={"matrix": ((ENTRY, -ENTRY),)}), day=0, cells=256),
    ),
    "anchor_sums": (
        AnchorSums(view=LINE_VIEW, day=0, anchors=((0,),), radii=(1,), count_amplitude=1, offset_amplitude=1),
        AnchorSums(
            view=WIDE_VIEW,
            day=1,
            # The first and the second are equally near to all in the plane between them; the last is the first again.
            anchors=((UNIT, 0, 0), (-UNIT, 0, 0), (0, 2 * UNIT, 0), (0, 0, UNIT // 2), (UNIT, 0, 0)),
            radii=(UNIT, UNIT // 3, 5 * UNIT, 1, UNIT),
            count_amplitude=400,
            offset_amplitude=800,
            facts=(
                CappedFact(name="money", caps=(1_000, 50, 2_000_000, 1, 1_000), amplitude=300),
                CappedFact(name="interval_days", caps=(700, 30_000, 1, 5, 700), amplitude=150),
            ),
        ),
        AnchorSums(
            view=TURNED_VIEW, day=2, anchors=((1234, -777), (-4321, 99)), radii=(UNIT // 7, UNIT // 2),
            count_amplitude=1000, offset_amplitude=300,
        ),
        AnchorSums(
            view=LINE_VIEW.model_copy(update={"matrix": ((0, 3 * ENTRY),)}),
            day=2,
            anchors=((-64 * UNIT,), (64 * UNIT,), *((place,) for place in range(-127 * 32, 127 * 32, 32))),
            radii=(64 * UNIT, 1, *(range(1, 255))),
            count_amplitude=1,
            offset_amplitude=1000,
            facts=tuple(
                CappedFact(name=name, caps=(1 << 41, 1) * 128, amplitude=amplitude)
                for name, amplitude in zip(FEATURE_NAMES, (1, 1000, 999, 2), strict=True)
            ),
        ),
    ),
    "logistic_gradient": (
        LogisticGradient(view=PLAIN_VIEW, weights=(0,) * 5, days=(0,), norm=1),
        LogisticGradient(view=PLAIN_VIEW, weights=(WEIGHT, -WEIGHT, 0, 3, 99), days=(0, 1, 2), norm=900),
        LogisticGradient(view=TURNED_VIEW, weights=(1 << 40, -(1 << 40)), days=(2,), norm=1000),
    ),
    "network_gradient": (
        NetworkGradient(
            view=PLAIN_VIEW,
            network=Network(direct=(0,) * 5, hidden=((0,) * 5,), bias=(0,), output=(0,)),
            days=(1,),
            norm=1,
        ),
        NetworkGradient(
            view=TURNED_VIEW,
            network=Network(
                direct=(WEIGHT, -WEIGHT // 2),
                hidden=((WEIGHT, 3), (-WEIGHT, WEIGHT // 3), (0, -2 * WEIGHT)),
                bias=(0, WEIGHT // 4, -7),
                output=(WEIGHT, -WEIGHT, WEIGHT // 5),
            ),
            days=(0, 1, 2),
            norm=900,
        ),
        NetworkGradient(
            view=PLAIN_VIEW,
            network=Network(
                direct=(1 << 40, -(1 << 40), 1, 0, 1 << 40), hidden=((-(1 << 40),) * 5,) * 2, bias=(1 << 40, -1),
                output=(0, WEIGHT),
            ),
            days=(0, 2),
            norm=2000,
        ),
    ),
}  # fmt: skip
STATISTICS["by_holder"] = tuple(
    ByHolder(inner=inner, holders=holders)
    for inner, holders in zip(
        STATISTICS["score_histogram"], (("alpha",), ("alpha", "beta", "gamma"), ("b", "c")), strict=True
    )
)

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
        read: a statistic's sum, and the standard deviation of the noise in it, to figures.
        truth: exact figures of a table, with Python numbers, customer by customer.
        tolerance: largest error of each figure from rounding on integers, for a table of so many customers.
        reached: share of the bound's norm that the longest vector must have; exactly all of it, or, where vectors are
            cut to a length and rounded towards zero, nearly all.
    """

    read: Callable[[Any, NDArray[np.int64], float], Reading]
    truth: Callable[[Any, Sequence[Any]], Sequence[float]]
    tolerance: Callable[[Any, int], NDArray[np.float64]]
    reached: float = 1.0


def _read_prefixes(statistic: PrefixSums, values: NDArray[np.int64], deviation: float) -> Reading:
    estimates: tuple[PrefixEstimate, ...] = statistic.decode(values, deviation)
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


def _read_totals(statistic: SegmentTotals, total: NDArray[np.int64], noise: float) -> Reading:
    estimates: tuple[SegmentEstimate, ...] = statistic.decode(total, noise)
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


def slow_scaled(scale: Scale, raw: int) -> int:
    """One scaled value, by looking it up."""
    return scale.missing if raw == MISSING else scale.levels[bisect_left(scale.thresholds, raw)]


def slow_inputs(features: Sequence[ScaledFeature], day: FeatureDay) -> list[int]:
    """One customer's scaled features."""
    return [slow_scaled(item.scale, day[2][FEATURE_NAMES.index(item.name)]) for item in features]


def slow_probability(logit: int) -> int:
    """The logistic function of the nearest step of 1/256, between -16 and 16, in units of 1 / PROBABILITY."""
    step = (2 * 256 * logit + LOGIT) // (2 * LOGIT)
    return round(PROBABILITY / (1 + math.exp(-max(-4096, min(step, 4096)) / 256)))


def slow_tangent(value: int) -> int:
    """The hyperbolic tangent by way of the logistic function, in units of 1 / UNIT."""
    return UNIT * (2 * slow_probability(2 * value) - PROBABILITY) // PROBABILITY


def slow_logit(model: Any, inputs: list[int]) -> int:
    """A model's logit with Python's integers."""
    if isinstance(model, FeatureRank):
        return inputs[0] * WEIGHT
    if isinstance(model, LogisticModel):
        return sum(x * w for x, w in zip([*inputs, UNIT], model.weights, strict=True))
    units = [slow_tangent(sum(x * w for x, w in zip([*inputs, UNIT], row, strict=True))) for row in model.hidden]
    return sum(x * w for x, w in zip([*units, *inputs, UNIT], model.output, strict=True))


def _read_histograms(statistic: ScoreHistogram, values: NDArray[np.int64], noise: float) -> Reading:
    found = statistic.decode(values, noise)
    return Reading(
        values=np.concatenate([counts.ravel() for counts, _ in found]),
        deviations=np.concatenate([np.full(counts.size, deviation) for counts, deviation in found]),
    )


def _true_histograms(statistic: ScoreHistogram, customers: Sequence[FeatureRow]) -> list[int]:
    result: list[int] = []
    for item in statistic.models:
        cells = [0] * (2 * item.bins)
        for row in customers:
            eligible, outcome, _ = day = row[statistic.day]
            if eligible == 1 and outcome in (0, 1):
                logit = slow_logit(item.model, slow_inputs(item.model.features, day))
                cells[2 * sum(logit > upper for upper in item.upper) + outcome] += 1
        result += cells
    return result


def _cut(vector: list[float], norm: float) -> list[float]:
    length = math.hypot(*vector)
    return [value * norm / length for value in vector] if length > norm else vector


def slow_view(view: LinearView, day: FeatureDay) -> list[float]:
    """A view's coordinates of one customer."""
    scaled = slow_inputs(view.features, day)
    centred = [x - c for x, c in zip(scaled, view.centre or (0,) * len(scaled), strict=True)]
    base = [view.constant / UNIT, *(x / UNIT for x in _cut(centred, view.radius))]
    if view.matrix:
        base = [math.fsum(x * m / ENTRY for x, m in zip(base, row, strict=True)) for row in view.matrix]
    return _cut(base, view.reach / UNIT)


def _true_vectors(
    statistic: Any, customers: Sequence[FeatureRow], encode: Callable[[list[float], int], list[float]], outcome: bool
) -> list[float]:
    """Sum over customers of the mean over days, cut to the norm, of what is encoded from view and outcome."""
    total = np.zeros(statistic.dim)
    for row in customers:
        mean = np.zeros(statistic.dim)
        for number in statistic.days:
            eligible, result, _ = day = row[number]
            if eligible == 1 and (not outcome or result in (0, 1)):
                mean += np.array(encode(slow_view(statistic.view, day), result)) / len(statistic.days)
        total += _cut(mean.tolist(), statistic.norm / 1000)
    return total.tolist()


def _read_vector(statistic: FeatureSums | LogisticGradient, values: NDArray[np.int64], noise: float) -> Reading:
    found, deviation = statistic.decode(values, noise)
    return Reading(values=found, deviations=np.full(len(found), deviation))


def _vector_tolerance(statistic: Any, customers: int) -> NDArray[np.float64]:
    # Less than one unit each, and 2^-40 of the length.
    return np.full(statistic.dim, customers * statistic.norm / 1000 * (1 / GAMMA + 2.0**-38) + 1e-9)


def _true_sums(statistic: FeatureSums, customers: Sequence[FeatureRow]) -> list[float]:
    return _true_vectors(statistic, customers, lambda z, _: z, statistic.customers == "labelled")


def _products(z: list[float], outcome: int, weight: float) -> list[float]:
    triangle = [z[i] * z[j] * (1 if i == j else math.sqrt(2)) for i in range(len(z)) for j in range(i, len(z))]
    return triangle + ([x * (outcome - 0.5) * weight for x in z] if weight else [])


def _moment_units(statistic: FeatureMoments) -> NDArray[np.float64]:
    """What each coordinate of the vector has to be multiplied with to be a moment."""
    size = statistic.view.dim
    triangle = [1.0 if i == j else 1 / math.sqrt(2) for i in range(size) for j in range(i, size)]
    weight = statistic.outcome_weight
    return np.array(triangle + ([1000 / weight] * size if weight else []))


def _read_moments(statistic: FeatureMoments, total: NDArray[np.int64], noise: float) -> Reading:
    matrix, products, deviation = statistic.decode(total, noise)
    assert np.array_equal(matrix, matrix.T)
    values = matrix[np.triu_indices(len(matrix))]
    if statistic.outcome_weight:
        values = np.concatenate([values, products])
    return Reading(values=values, deviations=_moment_units(statistic) * deviation)


def _true_moments(statistic: FeatureMoments, customers: Sequence[FeatureRow]) -> Sequence[float]:
    weight = statistic.outcome_weight / 1000
    total = _true_vectors(statistic, customers, lambda z, y: _products(z, y, weight), weight > 0)
    return (np.array(total) * _moment_units(statistic)).tolist()


def _true_gradient(statistic: LogisticGradient, customers: Sequence[FeatureRow]) -> list[float]:
    def encode(z: list[float], outcome: int) -> list[float]:
        logit = math.fsum(x * w / WEIGHT for x, w in zip(z, statistic.weights, strict=True))
        return [x * ((1 + math.tanh(logit / 2)) / 2 - outcome) for x in z]

    return _true_vectors(statistic, customers, encode, outcome=True)


def _gradient_tolerance(statistic: LogisticGradient, customers: int) -> NDArray[np.float64]:
    # Tabulated probabilities: half a step of 1/256 at a slope of 1/4, and half a unit of rounding.
    table_error = 1 / 512 / 4 + 1 / 2 / 4096
    return _vector_tolerance(statistic, customers) + customers * table_error * statistic.view.reach / UNIT


def _read_layers(statistic: NetworkGradient, values: NDArray[np.int64], noise: float) -> Reading:
    layers, deviation = statistic.decode(values, noise)
    flat = np.concatenate([layer.ravel() for layer in layers])
    return Reading(values=flat, deviations=np.full(len(flat), deviation))


def _true_network_gradient(statistic: NetworkGradient, customers: Sequence[FeatureRow]) -> list[float]:
    """Back-propagation through exact functions, one weight at a time."""
    network = statistic.network

    def dot(z: list[float], weights: Sequence[int]) -> float:
        return math.fsum(x * w / WEIGHT for x, w in zip(z, weights, strict=True))

    def encode(z: list[float], outcome: int) -> list[float]:
        units = [math.tanh(dot(z, row) + bias / WEIGHT) for row, bias in zip(network.hidden, network.bias, strict=True)]
        logit = dot(z, network.direct) + HIDDEN_SCALE * dot(units, network.output)
        residual = (1 + math.tanh(logit / 2)) / 2 - outcome
        inner = [
            residual * HIDDEN_SCALE * output / WEIGHT * (1 - unit * unit)
            for unit, output in zip(units, network.output, strict=True)
        ]
        hidden = [x * value for value in inner for x in z]
        return [*(x * residual for x in z), *hidden, *inner, *(unit * residual * HIDDEN_SCALE for unit in units)]

    return _true_vectors(statistic, customers, encode, outcome=True)


def _network_tolerance(statistic: NetworkGradient, customers: int) -> NDArray[np.float64]:
    # To first order: a unit is off by twice the probability's error, and moves the logit, its slope and its product.
    table_error = 1 / 512 / 4 + 1 / 2 / 4096
    network = statistic.network
    outputs = sum(map(abs, network.output)) / WEIGHT * HIDDEN_SCALE
    reach = statistic.view.reach / UNIT
    residual = table_error * (1 + outputs)  # logits move by 2 table_error outputs, at a slope of 1/4, beside its own
    error = reach * residual + 2 * (1 + reach) * outputs * (residual + 4 * table_error) + 4 * table_error
    return _vector_tolerance(statistic, customers) + customers * error


def _read_blocks(statistic: ByHolder, values: NDArray[np.int64], noise: float) -> Reading:
    blocks = [_read_histograms(statistic.inner, statistic.part_of(h, values), noise) for h in statistic.holders]
    return Reading(
        values=np.concatenate([block.values for block in blocks]),
        deviations=np.concatenate([block.deviations for block in blocks]),
    )


def _true_blocks(statistic: ByHolder, customers: Sequence[FeatureRow]) -> list[int]:
    # By itself the statistic encodes as the first holder does.
    return _true_histograms(statistic.inner, customers) + [0] * (statistic.inner.dim * (len(statistic.holders) - 1))


def slow_cell(place: list[float], cells: int) -> int:
    """A place's cell: how many of the borders along each coordinate are not above it, in exact fractions."""
    cell = 0
    for z in place:
        cell = cell * cells + sum(z >= Fraction(2 * border - cells, cells) for border in range(1, cells))
    return cell


def slow_nearest(place: list[float], anchors: Sequence[Sequence[int]]) -> int:
    """Index of the first of the nearest anchors."""
    return min(
        range(len(anchors)),
        key=lambda index: math.fsum((z - a / UNIT) ** 2 for z, a in zip(place, anchors[index], strict=True)),
    )


def _read_grid(statistic: GridCounts, values: NDArray[np.int64], noise: float) -> Reading:
    counts, deviation = statistic.decode(values, noise)
    return Reading(values=counts, deviations=np.full(len(counts), deviation))


def _true_grid(statistic: GridCounts, customers: Sequence[FeatureRow]) -> list[int]:
    cells = [0] * statistic.cells**statistic.view.dim
    for row in customers:
        eligible, _, _ = day = row[statistic.day]
        if eligible == 1:
            cells[slow_cell(slow_view(statistic.view, day), statistic.cells)] += 1
    return cells


def _read_anchors(statistic: AnchorSums, values: NDArray[np.int64], noise: float) -> Reading:
    found: AnchorEstimates = statistic.decode(values, noise)
    k, size = len(statistic.anchors), statistic.view.dim
    assert found.counts.shape == (k,)
    assert found.offsets.shape == (k, size)
    return Reading(
        values=np.concatenate([found.counts, found.offsets.ravel(), *found.facts]),
        deviations=np.concatenate(
            [np.full(k, found.counts_deviation), np.full(k * size, found.offsets_deviation), *found.facts_deviation]
        ),
    )


def _true_anchors(statistic: AnchorSums, customers: Sequence[FeatureRow]) -> list[float]:
    size = statistic.view.dim
    counts: list[float] = [0] * len(statistic.anchors)
    offsets = [[0.0] * size for _ in statistic.anchors]
    facts: list[list[float]] = [[0] * len(statistic.anchors) for _ in statistic.facts]
    for row in customers:
        eligible, _, raw = day = row[statistic.day]
        if eligible != 1:
            continue
        place = slow_view(statistic.view, day)
        at = slow_nearest(place, statistic.anchors)
        counts[at] += 1
        away = [(z * UNIT - a) / statistic.radii[at] for z, a in zip(place, statistic.anchors[at], strict=True)]
        for column, part in enumerate(_cut(away, 1.0)):
            offsets[at][column] += part
        for sums, fact in zip(facts, statistic.facts, strict=True):
            value, cap = raw[FEATURE_NAMES.index(fact.name)], fact.caps[at]
            sums[at] += 0 if value == MISSING else max(-cap, min(value, cap))
    return [*counts, *itertools.chain.from_iterable([*offsets, *facts])]


def _anchor_tolerance(statistic: AnchorSums, customers: int) -> NDArray[np.float64]:
    # Less than one unit each, and 2^-40 of the length, in the figures' own units.
    k = len(statistic.anchors)
    unit = (customers * statistic.norm * (1 / GAMMA + 2.0**-38) + 1e-9) * 1000
    facts = [unit * np.array(fact.caps, dtype=np.float64) / fact.amplitude for fact in statistic.facts]
    counts = np.full(k, unit / statistic.count_amplitude)
    return np.concatenate([counts, np.full(k * statistic.view.dim, unit / statistic.offset_amplitude), *facts])


READINGS: dict[str, ReadingOf] = {
    "anchor_sums": ReadingOf(read=_read_anchors, truth=_true_anchors, tolerance=_anchor_tolerance, reached=0.999999),
    "by_holder": ReadingOf(
        read=_read_blocks, truth=_true_blocks, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6)
    ),
    "network_gradient": ReadingOf(
        read=_read_layers, truth=_true_network_gradient, tolerance=_network_tolerance, reached=0.999999
    ),
    "feature_moments": ReadingOf(
        read=_read_moments,
        truth=_true_moments,
        tolerance=lambda statistic, n: _vector_tolerance(statistic, n) * _moment_units(statistic),
        reached=0.999999,
    ),
    "feature_sums": ReadingOf(read=_read_vector, truth=_true_sums, tolerance=_vector_tolerance, reached=0.999999),
    "grid_counts": ReadingOf(
        read=_read_grid, truth=_true_grid, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6)
    ),
    "logistic_gradient": ReadingOf(
        read=_read_vector, truth=_true_gradient, tolerance=_gradient_tolerance, reached=0.999999
    ),
    "score_histogram": ReadingOf(
        read=_read_histograms, truth=_true_histograms, tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6)
    ),
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
