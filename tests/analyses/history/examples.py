"""Examples of this analysis for the suites that run over all: statistics, and slow code that says what they mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from row_kits import FEATURE_DAYS, FeatureRow
from statistic_kit import Reading, ReadingOf

from privacy.analyses.history.buying import Bought, BuyingModel
from privacy.analyses.history.day_values import DayValues, DayValueSums
from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.analyses.history.history_cells import FACTS, HistoryCells
from privacy.analyses.history.options import HistoryOptions
from privacy.analyses.history.results import HistoryResult
from privacy.kernel.features import FeatureTable
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.history.cell_model import CellModel
from server.analyses.history.figures import Released, history_result
from server.analyses.history.fit import fit

NOUNS = (HistoryOptions(window_days=365, horizons=(14, 60), value_cap=500),)

#: Kind to examples: the smallest, an ordinary one, and one at the edges of what its fields allow.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = {
    "history_cells": (
        HistoryCells(day=0, window_days=28),
        HistoryCells(day=1, window_days=730),
        HistoryCells(day=FEATURE_DAYS - 1, window_days=3_650),
    ),
    "day_values": (
        DayValues(day=0, cap=1),
        DayValues(day=1, cap=200_000),
        DayValues(day=FEATURE_DAYS - 1, cap=1 << 41),
    ),
}

#: Features of the suites' rows come in the order of their names.
_CELLS, _VALUES = sorted(FACTS), sorted(("purchase_days", DAY_VALUE, ODD, EVEN))


def _slow_cells(statistic: HistoryCells, customers: Sequence[FeatureRow]) -> list[int]:
    """A customer at a time, by comparisons in words of the definition."""
    counts = [0] * 124
    for row in customers:
        eligible, _, raw = row[statistic.day]
        known = dict(zip(_CELLS, raw, strict=True))
        days, silent, tenure = (known[name] for name in FACTS)
        if eligible != 1 or days < 1 or not 0 <= tenure <= statistic.window_days:
            continue
        quarter = next(n for n in range(4) if n == 3 or 4 * tenure < (n + 1) * statistic.window_days)
        size = next(n for n, most in enumerate((0, 1, 2, 4, 7, 12, 1 << 64)) if days - 1 <= most)
        last = tenure - min(max(silent, 0), tenure)
        fifth = next(n for n in range(5) if n == 4 or 5 * last < (n + 1) * max(tenure, 1))
        counts[31 * quarter + (0 if size == 0 else 1 + 5 * (size - 1) + fifth)] += 1
    return counts


def _read_cells(statistic: HistoryCells, values: NDArray[np.int64], noise: float) -> Reading:
    counts, deviation = statistic.decode(values, noise)
    return Reading(values=counts.ravel(), deviations=np.full(counts.size, deviation))


def _slow_values(statistic: DayValues, customers: Sequence[FeatureRow]) -> list[float]:
    total = [0.0] * 7
    for row in customers:
        eligible, _, raw = row[statistic.day]
        known = dict(zip(_VALUES, raw, strict=True))
        if eligible != 1 or (days := known["purchase_days"]) < 1:
            continue
        u, odd, even = (min(max(known[name], 0), statistic.cap) / statistic.cap for name in (DAY_VALUE, ODD, EVEN))
        several = float(days > 1)
        for place, value in enumerate((1.0, u, several, several * u, several * u * u, several * odd * even,
                                       several * 2 / days)):  # fmt: skip
            total[place] += value
    return total


def _read_values(statistic: DayValues, values: NDArray[np.int64], noise: float) -> Reading:
    found: DayValueSums = statistic.decode(values, noise)
    figures = [found.people, found.value, found.several, found.value_of_several, found.square_of_several,
               found.halves, found.inverse]  # fmt: skip
    return Reading(values=np.array(figures), deviations=np.full(7, found.deviation))


def _two_days_of_the_cap(statistic: DayValues) -> FeatureRow:
    raw = tuple(2 if name == "purchase_days" else statistic.cap for name in _VALUES)
    return ((1, 0, raw),) * FEATURE_DAYS


READINGS: dict[str, ReadingOf] = {
    "history_cells": ReadingOf(
        read=_read_cells,
        truth=_slow_cells,
        tolerance=lambda statistic, _: np.full(statistic.dim, 1e-6),
        witness=lambda statistic: ((1, 0, (3, 5, 20)),) * FEATURE_DAYS,
    ),
    "day_values": ReadingOf(
        read=_read_values,
        truth=_slow_values,
        # Rounded down: spend in 2^-20 of the cap, a product of two, and the amplitude's integers.
        tolerance=lambda statistic, customers: np.full(7, 5 * customers * 2.0**-20 + 1e-9),
        witness=_two_days_of_the_cap,
    ),
}


# --- a result for pages, and customers who buy as a model has it ----------------------------------------------------

MODEL = BuyingModel(family="mbg", r=0.7, alpha=60.0, a=0.5, b=2.5)


def customers_of(model: BuyingModel, count: int, seed: int, *, window: float = 730.0, ahead: float = 0.0) -> Any:
    """x, t, T of simulated customers, who come evenly over a window, and their purchases in the time ahead of it."""
    rng = np.random.default_rng(seed)
    tenure = rng.uniform(0, window, count)
    rate, leaves = rng.gamma(model.r, 1 / model.alpha, count), rng.beta(model.a, model.b, count)
    here = rng.random(count) >= leaves if model.family == "mbg" else np.ones(count, dtype=bool)
    at, x, last, later = np.zeros(count), np.zeros(count), np.zeros(count), np.zeros(count)
    while here.any():
        at = np.where(here, at + rng.exponential(1, count) / np.maximum(rate, 1e-300), np.inf)
        inside = here & (at < tenure)
        x, last = x + inside, np.where(inside, at, last)
        later += here & (at >= tenure) & (at < tenure + ahead)
        here &= (at < tenure + ahead) & (rng.random(count) >= leaves)
    return Bought(x, last, tenure), later


def table_of(bought: Bought) -> FeatureTable:
    """Customers as a holder has them, in whole days."""
    values = np.stack([bought.further + 1, bought.tenure - bought.last, bought.tenure], axis=1).astype(np.int64)
    ones = np.ones((len(values), 1), dtype=np.int64)
    return FeatureTable(names=FACTS, values=values[:, None, :], eligible=ones, outcome=-ones)


def study_of(**options: Any) -> Study:
    return Study.model_validate(
        {"name": "next", "as_of": dt.date(2025, 1, 1), "analyses": ("history",), "budget": {"epsilon": "1"},
         "history": options}
    )  # fmt: skip


def result_of(deviation: float = 8.0) -> tuple[Study, HistoryResult]:
    """What the analysis leaves, from simulated customers through the real figures."""
    study = study_of(value_cap=500)
    options: HistoryOptions = study.history  # type: ignore[attr-defined]
    question, cells = options.cells, CellModel(options.window_days)
    counts, _ = question.decode(question.encode_sum(table_of(customers_of(MODEL, 4_000, 3)[0])), 0.0)
    sums = DayValueSums(people=4_000.0, value=700.0, several=1_900.0, value_of_several=400.0, square_of_several=140.0,
                        halves=110.0, inverse=1_000.0, deviation=2 * deviation)  # fmt: skip
    released = Released(counts=counts, deviation=deviation)
    return study, history_result(options, cells, fit(cells, counts, deviation), released, sums)
