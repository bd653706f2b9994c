"""How exact private RFM is: agreement with exact quantile scores, and coverage of the margins, beside baselines.

Run ``python benchmarks/rfm_accuracy.py --runs 40`` (``--data FOLDER`` for another copy of the reference data). The
customers are those of a published RFM table (4,339 customers of one online shop), split over three holders by
customer number. Noise, calibration, encoding and analysis are the product's; only the messages between holders and
coordinator are left out (``tests/test_accuracy.py`` shows that with them the numbers are the same).

Baselines in the same run: the two-level 16 x 16 histogram of the literature at the same cost, each holder alone
with its own exact quantiles, and noise placement ``local``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rfm_coverage import coverage, covered_lines
from rfm_tables import Tables, default_data, generated_tables, load_cdnow, load_tables, pooled
from scipy.optimize import isotonic_regression

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.prefix_sums import FactGrid
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints
from privacy.kernel.customers import CustomerColumns
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.rfm import run as rfm
from server.analyses.rfm.analysis import ANALYSIS
from server.analyses.rfm.cut_points import QUINTILES
from server.analyses.rfm.figures import Tail, Tails, scheme_figures
from server.analyses.rfm.plan import CUT_POINTS, SEGMENTS, cut_points_statistic
from server.analysis import Noise
from server.releases import combined
from server.running.planning import planned_mechanism
from server.running.reserve import Reserve, planned_noise

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Sampler = Callable[[int, int], IntArray]


def reference_study(epsilon: str = "1", *, k: int = 1, placement: str = "distributed") -> Study:
    """The study that all figures here are about; ``floor = 0``, so that every segment's figures are shown."""
    return Study.model_validate(
        {
            "name": "accuracy",
            "as_of": "2011-12-11",
            "currency": "GBP",
            "placement": placement,
            "budget": {
                "epsilon": epsilon,
                "delta": "0.000001",
                "max_holders_per_customer": k,
                "size_class": 10_000,
            },
            "rfm": {"floor": 0},
        }
    )


def exact_scores(columns: CustomerColumns) -> tuple[IntArray, IntArray]:
    """R and M from exact quantiles (linear interpolation), the upper end of each fifth inclusive."""
    r = 5 - np.searchsorted(np.quantile(columns.recency_days, QUINTILES), columns.recency_days, side="left")
    m = 1 + np.searchsorted(np.quantile(columns.money, QUINTILES), columns.money, side="left")
    return r, m


def whole_price(study: Study, title: str) -> Fraction:
    """What a question and its second answer cost together in a study in which no attempt fails."""
    reserve = reserve_of(study)
    return reserve.prices["rfm", title] + reserve.undisturbed()["rfm", title]


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """An answer as the analysis sees it."""

    array: IntArray
    deviation: float
    closer: Noisy | None = None


def reserve_of(study: Study) -> Reserve:
    """The study's prices."""
    return Reserve.of(study)


def noise_of(study: Study, title: str, statistic: Statistic, holders: int) -> Noise:
    """The noise that the coordinator plans, of both answers where the reserve pays for two."""
    return planned_noise(reserve_of(study), ("rfm", title), statistic, holders=holders)


@dataclass
class Holders:
    """Answers as the product's holders and coordinator make them, in a study in which no attempt fails.

    Attributes:
        study, tables, sampler: what is asked, of whom, and with which noise.
        charged: mu^2 of all answers so far.
    """

    study: Study
    tables: Tables
    sampler: Sampler = discrete_gaussian
    charged: Fraction = Fraction(0)

    def ask(self, title: str, statistic: Statistic) -> Noisy:
        """The answer to a question, and a second one where the reserve pays for it."""
        reserve = reserve_of(self.study)
        first = self.answer(statistic, reserve.prices["rfm", title])
        free = reserve.free(("rfm", title), self.charged)
        if not free:
            return first
        if title in ANALYSIS.closer:
            closer = self.answer(ANALYSIS.closer[title](self.study, first), free)  # type: ignore[arg-type]
            return Noisy(array=first.array, deviation=first.deviation, closer=closer)
        second = self.answer(statistic, free)
        array, deviation = combined(first.array, first.deviation, second.array, second.deviation)
        return Noisy(array=array, deviation=deviation)

    def answer(self, statistic: Statistic, price: Fraction) -> Noisy:
        """One answer at a price, whatever the reserve pays for."""
        mechanism = planned_mechanism(self.study, price, statistic, holders=len(self.tables))
        records = self.study.budget.records_among(len(self.tables))
        self.charged += mechanism.event(statistic.bound, statistic.dim).squared_mu(records)
        total = np.zeros(statistic.dim, dtype=np.int64)
        for table in self.tables.values():
            total += statistic.encode_sum(table) + self.sampler(mechanism.holder_scale, statistic.dim)
        return Noisy(array=total, deviation=mechanism.released_deviation)


def run_directly(study: Study, tables: Tables, sampler: Sampler = discrete_gaussian) -> tuple[RfmResult, SegmentTotals]:
    """The RFM analysis over holders' tables, with the product's noise but without messages.

    Returns:
        The result, and the segments question (whose exact answer can then be computed).
    """
    asked: list[Statistic] = []
    holders = Holders(study, tables, sampler)

    def ask(title: str, statistic: Statistic) -> Noisy:
        asked.append(statistic)
        return holders.ask(title, statistic)

    def planned(title: str, statistic: Statistic) -> Noise:
        return noise_of(study, title, statistic, len(tables))

    result = rfm.run(study, ask, planned)  # type: ignore[arg-type]
    segments = asked[-1]
    if not isinstance(segments, SegmentTotals):
        raise TypeError("the last question is not the segments'")
    return result, segments


def segments_again(study: Study, tables: Tables, result: RfmResult, question: SegmentTotals) -> RfmResult:
    """The same result with its segments question answered once more, with fresh noise."""
    before = sum(paid["rfm", CUT_POINTS] for paid in (reserve_of(study).prices, reserve_of(study).undisturbed()))
    found = Holders(study, tables, charged=before).ask(SEGMENTS, question)
    if result.orders_tail is None or result.money_tail is None:
        raise ValueError("the result does not say what lies above the caps")
    tails = Tails(*(Tail(tail.likely, tail.most) for tail in (result.orders_tail, result.money_tail)))
    schemes = tuple(
        scheme_figures(estimate, question, tails, floor=study.of(CONTRACT).floor)
        for estimate in question.decode(found.array, found.deviation)
    )
    return result.model_copy(update={"schemes": schemes})


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Shares of customers with the exact score."""

    r: float
    m: float
    both: float


def agreement(cuts: CutPoints, columns: CustomerColumns) -> Agreement:
    """How many customers get their exact R and M scores with these cuts."""
    r, m = exact_scores(columns)
    found_r, _, found_m = cuts.scores(columns)
    return _agreement(found_r == r, found_m == m)


def _agreement(r: NDArray[np.bool_], m: NDArray[np.bool_]) -> Agreement:
    return Agreement(r=float(r.mean()), m=float(m.mean()), both=float((r & m).mean()))


# --- the two-level histogram -----------------------------------------------------------------------------------

LEVEL = 16


def two_level_cuts(
    values: IntArray, upper: IntArray, unit: float, rng: np.random.Generator, *, logarithmic: bool
) -> list[int]:
    """Quintile cuts from 16 coarse and 256 fine noisy bins.

    Args:
        values: one fact of all customers.
        upper: inclusive upper ends of all fine bins but the last.
        unit: standard deviation, in customers, of each bin's noise at either level.
        logarithmic: how to interpolate within a bin.
    """
    fine = np.bincount(np.searchsorted(upper, values, side="left"), minlength=LEVEL * LEVEL).astype(float)
    coarse = fine.reshape(LEVEL, LEVEL).sum(axis=1) + rng.normal(0, unit, LEVEL)
    fine += rng.normal(0, unit, LEVEL * LEVEL)
    # Weighted least squares: a coarse bin has two estimates, itself and the sum of its 16 bins (16 times the variance).
    sums = fine.reshape(LEVEL, LEVEL).sum(axis=1)
    best = (coarse * LEVEL + sums) / (LEVEL + 1)
    fine += np.repeat((best - sums) / LEVEL, LEVEL)
    prefix = isotonic_regression(np.cumsum(fine)).x
    share = np.clip(prefix / max(prefix[-1], 1.0), 0, 1)
    cuts = []
    for rank in QUINTILES:
        j = min(int(np.searchsorted(share, rank)), len(upper) - 1)
        low, high = (int(upper[j - 1]), int(upper[j])) if j else (0, int(upper[0]))
        before = share[j - 1] if j else 0.0
        part = (rank - before) / (share[j] - before) if share[j] > before else 1.0
        if high - low <= 1:
            cuts.append(high)
        elif logarithmic and low > 0:
            cuts.append(round(low * (high / low) ** min(part, 1.0)))
        else:
            cuts.append(round(low + min(part, 1.0) * (high - low)))
    return sorted(cuts)


def two_level_bins(grid: FactGrid, study: Study) -> IntArray:
    """256 bins between the same public bounds: days one by one for half a year, money evenly on the logarithm."""
    if grid.fact == "money":
        low, high = study.money_bounds
        return np.unique(np.rint(np.geomspace(low, high, LEVEL * LEVEL - 1)).astype(np.int64))
    days = LEVEL * LEVEL - 1
    single = 180
    rest = np.geomspace(single, study.bounds.recency_max_days, days - single)[1:]
    return np.unique(np.concatenate([np.arange(single + 1), np.rint(rest)]).astype(np.int64))[:days]


def two_level(study: Study, tables: Tables, rng: np.random.Generator) -> Agreement:
    """R and M by two-level histograms at the cost of the cut points question.

    Each fact keeps the part of the squared sensitivity that it has in the product; each of its two levels gets half.
    """
    columns = pooled(tables)
    statistic = cut_points_statistic(study)
    price = whole_price(study, CUT_POINTS)
    deviation = planned_mechanism(study, price, statistic, holders=len(tables)).released_deviation
    total = np.sqrt(statistic.bound.squared_norm)
    cuts = {}
    for grid in statistic.grids:
        if grid.fact == "orders":
            continue
        unit = deviation / total / np.sqrt(grid.permille / 1000 / 2)
        upper = two_level_bins(grid, study)
        cuts[grid.fact] = two_level_cuts(
            getattr(columns, grid.fact), upper, unit, rng, logarithmic=grid.fact == "money"
        )
    exact_r, exact_m = exact_scores(columns)
    r = 5 - np.searchsorted(cuts["recency_days"], columns.recency_days, side="left")
    m = 1 + np.searchsorted(cuts["money"], columns.money, side="left")
    return _agreement(r == exact_r, m == exact_m)


def each_alone(tables: Tables) -> Agreement:
    """Every holder scores its own customers by its own exact quantiles, without noise."""
    alone = [exact_scores(table) for table in tables.values()]
    r, m = exact_scores(pooled(tables))
    return _agreement(np.concatenate([a for a, _ in alone]) == r, np.concatenate([a for _, a in alone]) == m)


# --- the command -----------------------------------------------------------------------------------------------


def summary(found: Sequence[Agreement]) -> str:
    """Median and tenth percentile, in percent."""
    cells = []
    for name in ("r", "m", "both"):
        values = 100 * np.array([getattr(one, name) for one in found])
        cells.append(f"{np.median(values):6.2f} ({np.quantile(values, 0.1):6.2f})")
    return "  ".join(cells)


def lines(tables: Tables, runs: int) -> Iterator[str]:
    """The table, line by line."""
    columns = pooled(tables)
    rng = np.random.default_rng(0)
    yield f"{len(columns):,} customers, {len(tables)} holders, {runs} runs; median (10th percentile) in percent"
    yield f"{'':38}  {'R':15}  {'M':15}  {'R and M':15}  then which intervals hold, segment by segment"
    for epsilon in ("0.5", "1", "2"):
        for k, placement in ((1, "distributed"), (3, "distributed"), (1, "local")):
            study = reference_study(epsilon, k=k, placement=placement)
            found, covered = [], []
            for _ in range(runs):
                result, question = run_directly(study, tables)
                found.append(agreement(result.rules.cuts, columns))
                covered.append(coverage(result, question, columns))
            yield f"epsilon {epsilon:>3}, k = {k}, {placement:12}        {summary(found)}"
            yield from covered_lines(covered)
        study = reference_study(epsilon)
        plain = summary([two_level(study, tables, rng) for _ in range(runs)])
        yield f"epsilon {epsilon:>3}, k = 1, two-level histogram {plain}"
    yield f"no privacy, each holder alone          {summary([each_alone(tables)])}"


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--data", type=Path, default=default_data())
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--cdnow", action="store_true", help="the CDNOW sample in place of the published table")
    instead.add_argument("--generated", action="store_true", help="a lognormal population in its place")
    arguments = parser.parse_args()
    load = load_cdnow if arguments.cdnow else load_tables
    tables = generated_tables() if arguments.generated else load(arguments.data)
    for line in lines(tables, arguments.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
