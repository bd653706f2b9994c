"""How exact the private segmentation is on real customers: 4,339 of one shop, split over three holders.

Asserted: with the noise taken out inside the test, scores are those of exact quantiles and totals are exact; with the
real noise, agreement and the coverage of the margins stay where they were measured. Thresholds name their
false-alarm rates. Measuring is done by ``benchmarks/rfm_accuracy.py``, which operators can run too.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import protocol_kit as kit
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import rfm_accuracy as bench
import rfm_tables
from cut_points import compare
from rfm_accuracy import Tables
from rfm_coverage import COVERED, coverage

from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints
from privacy.kernel.customers import CustomerColumns
from privacy.mechanisms import SumMechanism
from server.running.federation import Federation
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

#: Cut points of F on these customers, from the tie-respecting rule below (``python tests/test_accuracy.py`` prints
#: them again).
GOLDEN = Path(__file__).resolve().parent / "golden" / "orders_cuts.json"


@pytest.fixture(scope="session")
def tables(data_folder: Path) -> Tables:
    if not (data_folder / rfm_tables.TABLE).exists():
        pytest.skip(f"{rfm_tables.TABLE} is not in the folder of public data sets")
    return bench.load_tables(data_folder)


@pytest.fixture(scope="session")
def columns(tables: Tables) -> CustomerColumns:
    return bench.pooled(tables)


@pytest.fixture(scope="module")
def exact(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> tuple[RfmResult, SegmentTotals]:
    """The whole product, protocol included, without noise: zeros are drawn, and the analysis knows it."""
    federation = MemoryFederation(
        tmp_path_factory.mktemp("exact"), tables, policy=kit.lenient_policy(), declared=1, sampler=kit.no_noise
    )
    asked: list[SegmentTotals] = []
    real = Federation.ask

    def watching(self: Federation, analysis: str, title: str, statistic: object, squared_mu: object) -> object:
        asked.append(statistic)
        return real(self, analysis, title, statistic, squared_mu)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Federation, "ask", watching)
        patch.setattr(SumMechanism, "released_deviation", property(lambda self: 0.0))
        result = run_study(
            bench.reference_study(), folder=federation.folder, transport=federation.transport, pages=False
        )
    return result.rfm, asked[-1]


def test_without_noise_scores_are_those_of_exact_quantiles(
    exact: tuple[RfmResult, SegmentTotals], columns: CustomerColumns
) -> None:
    """What remains is the width of the bins."""
    found = bench.agreement(exact[0].rules.cuts, columns)
    assert found.r >= 0.995
    assert found.m >= 0.995


def test_smoothing_costs_little_where_there_is_nothing_to_smooth(tables: Tables, columns: CustomerColumns) -> None:
    """Zeros are drawn, but the analysis takes them for noise: its smoothing moves a cut by a day, no further."""
    result, _ = bench.run_directly(bench.reference_study(), tables, kit.no_noise)
    found = bench.agreement(result.rules.cuts, columns)
    assert found.r >= 0.985
    assert found.m >= 0.985
    cuts = np.quantile(columns.recency_days, bench.QUINTILES)
    assert np.all(np.abs(np.array(result.rules.cuts.recency_days) - cuts) <= 1)


def orders_scores(orders: np.ndarray) -> np.ndarray:
    """F by the rule: 1 plus the number of q in .2, .4, .6, .8 with at least a share q having strictly fewer orders."""
    score = {}
    for value in np.unique(orders):
        fewer = int((orders < value).sum())
        score[value] = 1 + sum(10 * fewer >= q * len(orders) for q in (2, 4, 6, 8))
    return np.array([score[value] for value in orders])


def orders_cuts(orders: np.ndarray) -> list[int]:
    """Smallest order count with each score of 2 to 5 or more."""
    scores = orders_scores(orders)
    return [int(orders[scores >= score].min()) for score in (2, 3, 4, 5)]


def test_without_noise_orders_follow_the_tie_respecting_rule(
    exact: tuple[RfmResult, SegmentTotals], columns: CustomerColumns
) -> None:
    _, f, _ = exact[0].rules.cuts.scores(columns)
    np.testing.assert_array_equal(f, orders_scores(columns.orders))
    golden = json.loads(GOLDEN.read_text())
    assert golden["orders"] == orders_cuts(columns.orders)
    assert golden["orders"] == list(exact[0].rules.cuts.orders)
    assert golden["table"] == hashlib.sha256(np.sort(columns.orders).tobytes()).hexdigest()


def test_without_noise_segment_totals_are_exact(
    exact: tuple[RfmResult, SegmentTotals], columns: CustomerColumns
) -> None:
    """Customers to the last one; orders and revenue to half an integer unit a customer, which is how they are sent."""
    result, question = exact
    cuts = result.rules.cuts
    high = (
        columns.recency_days <= cuts.recency_high,
        columns.orders >= cuts.orders_high,
        columns.money > cuts.money_high,
    )
    scheme = result.schemes[0]
    codes = ("important_value", "important_growth", "important_retention", "important_win_back")
    names = dict(
        zip(
            [(m, r, f) for m in (True, False) for r in (True, False) for f in (True, False)],
            [*codes, *(code.replace("important", "general") for code in codes)],
            strict=True,
        )
    )
    shown = {segment.code: segment for segment in scheme.segments}
    ranges = question.ranges("eight")
    index = question.rules.assign("eight", columns)
    facts = ranges.counted(columns, index)
    counted, shares = 0, []
    for (m, r, f), code in names.items():
        inside = (high[0] == r) & (high[1] == f) & (high[2] == m)
        counted += int(inside.sum())
        if inside.sum() == 0:
            assert shown[code].suppressed
            continue
        segment = shown[code]
        assert segment.customers.value == pytest.approx(inside.sum(), abs=0.01)
        place = int(index[inside][0])
        _, money = facts[inside].sum(axis=0) / (1, 100)
        everything = columns.money[inside].sum() / 100
        if ranges.open[place, 1]:  # what lies above the cap is added, and the interval allows for all of it
            assert segment.revenue.value >= money - 1
            assert segment.revenue.interval[0] - 1 <= everything <= segment.revenue.interval[1] + 1
        else:
            assert segment.revenue.value == pytest.approx(money, abs=1)
            assert money == pytest.approx(everything)
        shares.append(segment.share_of_counted.value)
        assert segment.share_of_counted.value == pytest.approx(money / (facts[:, 1].sum() / 100), abs=1e-4)
        if not ranges.open[place, 0]:
            assert segment.orders.value == pytest.approx(columns.orders[inside].sum(), abs=0.5)
    assert counted == len(columns) == 4339
    assert scheme.total_customers.value == pytest.approx(4339, abs=0.01)
    assert scheme.counted_revenue.value == pytest.approx(facts[:, 1].sum() / 100, abs=1)
    assert sum(shares) == pytest.approx(1)


# --- with the real noise -----------------------------------------------------------------------------------------


def test_the_short_way_measures_what_the_protocol_does(tables: Tables, tmp_path: Path) -> None:
    """The benchmark leaves messages out: with the same draws, the protocol gives the very same result."""

    study = bench.reference_study()
    federation = MemoryFederation(tmp_path, tables, policy=kit.lenient_policy(), declared=1, sampler=kit.seeded_noise())
    # One holder after another, so that the draws come in the same order.
    patched = kit.HookedTransport(federation, kit.honest)
    through_protocol = run_study(study, folder=federation.folder, transport=patched, pages=False).rfm
    directly, _ = bench.run_directly(study, tables, kit.seeded_noise())
    assert through_protocol == directly


#: Runs, and the agreement that more than half of them must reach. Of 400 runs 18% (R) and none (M) were below 0.975, of
#: the smaller set 23% and 25% (medians 0.984, 0.993; 0.983 and 0.983); were it 25%, 40 or more of 80 have probability
#: 1e-6.
RUNS, AGREEMENT = 80, 0.975


@pytest.mark.slow
def test_scores_agree_with_exact_quantiles(
    tables: Tables, columns: CustomerColumns, record_property: Callable[[str, object], None]
) -> None:
    """At epsilon 1 for one person at one holder, delta 1e-6; k = 3 is reported, not asserted."""
    for k, runs in ((1, RUNS), (3, 20)):
        study = bench.reference_study(k=k)
        found = [bench.agreement(bench.run_directly(study, tables)[0].rules.cuts, columns) for _ in range(runs)]
        medians = {name: float(np.median([getattr(one, name) for one in found])) for name in ("r", "m", "both")}
        print(f"k = {k}: median agreement of {runs} runs: {medians}")
        for name, value in medians.items():
            record_property(f"agreement_{name}_k{k}", float(value))
        if k == 1:
            assert medians["r"] >= AGREEMENT
            assert medians["m"] >= AGREEMENT


@pytest.mark.slow
def test_scores_of_few_customers_agree_with_exact_quantiles(data_folder: Path) -> None:
    """2,357 customers whose purchases are small and at few prices: there the smoothing's prior counts."""
    if not (data_folder / "cdnow_sample").exists():
        pytest.skip("cdnow_sample is not in the folder of public data sets")
    tables, study = bench.load_cdnow(data_folder), bench.reference_study()
    columns = bench.pooled(tables)
    found = [bench.agreement(bench.run_directly(study, tables)[0].rules.cuts, columns) for _ in range(RUNS)]
    assert np.median([one.r for one in found]) >= AGREEMENT
    assert np.median([one.m for one in found]) >= AGREEMENT


#: Intervals of 95%: the share that holds, of 40 x 10 x 8 = 3,200 that are independent, has a deviation of 0.385 points;
#: two points are 5.2 of these: false alarm 2e-7. One segment's, of 400, has 1.09 points; five points are 4.6 of these.
COVERAGE_RUNS, COVERAGE_REPEATS, COVERAGE_SLACK, SEGMENT_SLACK = 40, 10, 0.02, 0.05


@pytest.mark.slow
def test_intervals_hold_the_exact_figures_as_often_as_they_say(
    tables: Tables, columns: CustomerColumns, record_property: Callable[[str, object], None]
) -> None:
    """Every segment by itself, and against what customers have, nothing clipped, at the same cut points."""
    study = bench.reference_study()
    found = []
    for _ in range(COVERAGE_RUNS):
        result, question = bench.run_directly(study, tables)
        for _ in range(COVERAGE_REPEATS):
            found.append(coverage(result, question, columns))
            result = bench.segments_again(study, tables, result, question)
    held = np.stack([one.held for one in found])
    # A cell is missing where its noisy count is below 1; the smallest has 114 customers or more, 9 deviations.
    assert not np.isnan(held[:, 0]).any()
    for place, name in enumerate(COVERED):
        by_segment = np.nanmean(held[:, place], axis=0)
        print(f"{name}: {np.round(100 * by_segment, 1)}% hold the exact figure")
        record_property(f"coverage_{name}", float(by_segment.mean()))
        assert by_segment.min() >= 0.95 - SEGMENT_SLACK, name
        if name == "customers":
            assert abs(by_segment.mean() - 0.95) <= COVERAGE_SLACK


@pytest.mark.slow
def test_intervals_hold_where_the_noise_is_largest(tables: Tables, columns: CustomerColumns) -> None:
    """Epsilon 0.5 at k = 3: caps would be so low that a third of the customers are above, and held in 42% of the runs.

    Of 120 runs a figure that holds in 95% holds in fewer than 83% with a chance of 5e-7, one of 93.5% with 3e-5.
    """
    study = bench.reference_study("0.5", k=3)
    held = np.stack([coverage(*bench.run_directly(study, tables), columns).held for _ in range(120)])
    for name, by_segment in zip(COVERED, np.nanmean(held[:, : len(COVERED)], axis=0), strict=True):
        print(f"{name}: {np.round(100 * by_segment, 1)}% hold the exact figure")
        assert by_segment.min() >= 0.83, name


@pytest.mark.slow
def test_a_closer_look_beats_smoothed_prefix_sums_and_those_a_two_level_histogram(tables: Tables) -> None:
    """At the same cost, R and M together: fewer wrong scores in the median of 60 runs each.

    Measured in 300 runs: 3.9 against 6.2 points wrong, deviations 1.4 and 2.3 (before the closer look had a share of
    its own). The difference of the medians of 60 runs is 5.3 of its deviations: false alarm 6e-8.
    """
    found = compare(tables, 60)

    def wrong(strategy: str) -> float:
        return float(np.median([2 - one.r - one.m for one in found[strategy]]))

    print({strategy: wrong(strategy) for strategy in found})
    assert wrong("closer second look") < wrong("square root + smoothing") < wrong("two-level histogram")


def test_one_holder_alone_does_not_reach_it(tables: Tables) -> None:
    """The comparison that makes the federation worth it here: own quantiles are other people's quantiles."""
    alone = bench.each_alone(tables)
    assert alone.both < 0.94


def test_cut_points_ascend_and_lie_within_the_public_bounds(tables: Tables) -> None:
    study = bench.reference_study("0.01")
    for _ in range(3):
        cuts: CutPoints = bench.run_directly(study, tables)[0].rules.cuts
        low, high = study.money_bounds
        assert 0 <= cuts.recency_days[0] <= cuts.recency_days[-1] <= study.bounds.recency_max_days
        assert low <= cuts.money[0] <= cuts.money[-1] <= high
        assert 1 <= cuts.orders[0] <= cuts.orders[-1] <= study.bounds.orders_max + 1


if __name__ == "__main__":
    orders = bench.pooled(bench.load_tables(bench.default_data())).orders
    table_digest = hashlib.sha256(np.sort(orders).tobytes()).hexdigest()
    print(json.dumps({"orders": orders_cuts(orders), "table": table_digest}, indent=1))
