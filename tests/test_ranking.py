"""Figures of ranking quality from score histograms: exact without noise, unbiased and honestly bounded with it.

Asserted: without noise the figures are scikit-learn's, and those of slow obvious code, on the customers that the
histogram stands for; customers of a bin are put in order as the bins' rates say, which makes figures those of single
scores, and leaves scores without signal where they are; with noise the area under the curve is unbiased and the 95%
margins cover the truth about as often as they say; where there is nothing to say there is None, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from privacy.figures.ranking import RankingFigures
from privacy.figures.ranking_areas import (
    TOP,
    area_under_curve,
    average_precision,
    churn_rate,
    list_rate,
    top_share,
)
from privacy.models.trained import LOGIT
from server.training.ranking import estimate, log_odds_growth, parted, pooled_top, ranking
from server.training.score_bins import upper_ends

FloatArray = NDArray[np.float64]
Figure = Callable[[FloatArray], FloatArray]


def customers_of(counts: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """The customers that an exact histogram stands for: score (number of the bin) and outcome of each."""
    bins = np.repeat(np.arange(len(counts)), 2)
    outcomes = np.tile([0, 1], len(counts))
    times = counts.ravel().astype(int)
    return np.repeat(bins, times), np.repeat(outcomes, times)


def truth(bins: int = 24, scale: float = 1.0) -> FloatArray:
    """Expected counts of a plausible study: overlapping scores, fewer churned at the low end; AUC about 0.8."""
    place = np.linspace(-3, 3, bins)
    stayed, churned = np.exp(-((place + 0.7) ** 2) / 1.6), 0.6 * np.exp(-((place - 0.6) ** 2) / 1.8)
    counts = np.stack([stayed, churned], axis=1)
    return counts * (10_000 * scale / counts.sum())


#: Deviation of the noise in a count: epsilon about 1 for one question of ten thousand customers, and a quarter of it.
DEVIATIONS = (4.2, 17.0)
#: Histograms of up to 12 bins with both outcomes.
histograms = (
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12)
    .map(lambda rows: np.array(rows, dtype=np.float64))
    .filter(lambda counts: bool(counts.sum(axis=0).min() > 0))
)

# --- without noise -----------------------------------------------------------------------------------------------


@given(counts=histograms)
@settings(max_examples=100, deadline=None)
def test_the_area_is_that_of_scikit_learn(counts: FloatArray) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, outcomes = customers_of(counts)
    assert area_under_curve(counts) == pytest.approx(metrics.roc_auc_score(outcomes, scores), abs=1e-12)


@given(counts=histograms)
@settings(max_examples=100, deadline=None)
def test_rate_and_top_share_are_those_of_the_customers(counts: FloatArray) -> None:
    scores, outcomes = customers_of(counts)
    assert churn_rate(counts) == pytest.approx(outcomes.mean(), abs=1e-12)
    wanted = TOP * len(scores)
    above, found = 0, 0.0
    for score in sorted(set(scores.tolist()), reverse=True):  # ties share what is left of the tenth
        people = int((scores == score).sum())
        part = min(1.0, max(0.0, (wanted - above) / people))
        found += part * float(outcomes[scores == score].sum())
        above += people
    assert top_share(counts) == pytest.approx(found / outcomes.sum(), abs=1e-12)


def precision_in_random_order(counts: FloatArray) -> tuple[float, float]:
    """Mean precision of many customers, those of a bin in random order; and how far the middle of each bin is from it.

    Where a share t of a bin with c churned of n customers has come, after H churned of S above it, the precision is
    (H + c t) / (S + n t) = c/n + (H - c S/n) / (S + n t): its mean over t is known, and the midpoint rule is off by at
    most max |f''| / 24, with |f''| <= 2 n^2 |H - c S/n| / S^3.
    """
    mean = off = above = hits = 0.0
    for stayed, churned in counts[::-1]:
        people = stayed + churned
        if people and above:
            lead = hits - churned * above / people
            mean += churned * (churned / people + lead / people * np.log1p(people / above))
            off += churned * 2 * people**2 * abs(lead) / above**3 / 24
        elif people:
            mean += churned * churned / people
        above, hits = above + people, hits + churned
    return mean / hits, off / hits


@given(counts=histograms, seed=st.integers(0, 1000))
@example(counts=np.array([[2.0, 1.0], [0.0, 1.0]]), seed=1)
@settings(max_examples=50, deadline=None)
def test_mean_precision_is_that_of_scikit_learn_with_ties_in_random_order(counts: FloatArray, seed: int) -> None:
    """Ties are broken at random, twenty times each customer, so that one customer's own place weighs little.

    What is left is the curvature of precision inside a bin, whose bound is known where the first bin with customers
    has one outcome, as here.
    """
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    last = int(np.flatnonzero(counts.sum(axis=1))[-1])
    counts[last] = [0, counts[last].sum()]
    assume(counts[:, 0].sum() > 0)
    scores, outcomes = customers_of(20 * counts)
    rng = np.random.default_rng(seed)
    found = [metrics.average_precision_score(outcomes, scores + rng.random(len(scores)) * 0.999) for _ in range(5)]
    expected, off = precision_in_random_order(20 * counts)
    assert expected == pytest.approx(np.mean(found), abs=0.04)
    assert average_precision(20 * counts) == pytest.approx(expected, abs=off + 1e-9)


def test_mean_precision_of_a_large_study_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    counts = np.round(truth(bins=200, scale=10))
    scores, outcomes = customers_of(counts)
    rng = np.random.default_rng(5)
    expected = metrics.average_precision_score(outcomes, scores + rng.random(len(scores)) * 0.999)
    assert average_precision(counts) == pytest.approx(expected, abs=0.001)


def test_known_answers() -> None:
    perfect = np.array([[50.0, 0], [50, 0], [0, 100]])
    assert area_under_curve(perfect) == 1.0
    assert average_precision(perfect) == 1.0
    assert area_under_curve(perfect[::-1]) == 0.0
    even = np.array([[30.0, 70]] * 10)
    assert area_under_curve(even) == pytest.approx(0.5)
    assert average_precision(even) == pytest.approx(0.7)
    assert top_share(even) == pytest.approx(0.1)
    assert churn_rate(even) == pytest.approx(0.7)
    assert top_share(perfect) == pytest.approx(0.2)  # 20 of the 100 churned are the tenth of 200 customers


@given(counts=histograms)
@settings(max_examples=60, deadline=None)
def test_bins_without_customers_and_exchanged_outcomes(counts: FloatArray) -> None:
    """Empty bins change nothing; outcomes exchanged turn the area round."""
    spaced = np.zeros((2 * len(counts) + 1, 2))
    spaced[1::2] = counts
    for figure in (area_under_curve, average_precision, top_share, churn_rate):
        assert figure(spaced) == pytest.approx(figure(counts), abs=1e-12)
    assert area_under_curve(counts[:, ::-1]) == pytest.approx(1 - area_under_curve(counts), abs=1e-12)


# --- inside bins -------------------------------------------------------------------------------------------------


def scored(count: int, seed: int, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and outcomes whose log odds are the scores times a slope."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.3, 1.4, count)
    return scores, (rng.random(count) < 1 / (1 + np.exp(-slope * scores))).astype(np.int64)


#: 20 bins: half a unit wide, twice as wide, and as an evaluation has them where the scores are expected right.
ENDS = 0.5 * np.arange(-9, 10)
WIDE = 2 * ENDS
EXPECTED = np.array(upper_ends(NormalDist(0.3, 1.4))) / LOGIT


def binned(scores: np.ndarray, outcomes: np.ndarray, ends: FloatArray = ENDS) -> FloatArray:
    """An evaluation's counts."""
    return np.bincount(2 * np.searchsorted(ends, scores) + outcomes, minlength=40).reshape(-1, 2).astype(np.float64)


def even(counts: FloatArray) -> FloatArray:
    """Ends of as many bins, one unit apart."""
    return np.arange(len(counts) - 1, dtype=np.float64)


@pytest.mark.parametrize("ends", [ENDS, EXPECTED], ids=["even", "expected"])
@pytest.mark.parametrize("slope", [0.6, 1.0, 1.6])
def test_figures_of_bins_are_those_of_single_scores(slope: float, ends: FloatArray) -> None:
    """400,000 customers, whose own chance is below a thousandth; as ties they are off by several."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, outcomes = scored(400_000, 1, slope)
    counts = binned(scores, outcomes, ends)
    finer = parted(counts, log_odds_growth(counts, 0.0, ends)(counts))
    exact = metrics.roc_auc_score(outcomes, scores)
    assert area_under_curve(finer) == pytest.approx(exact, abs=0.0007)
    assert area_under_curve(counts) < exact - (0.002 if ends is ENDS else 0.0006)
    assert average_precision(finer) == pytest.approx(metrics.average_precision_score(outcomes, scores), abs=0.001)
    first = np.argsort(-scores)[: len(scores) // 10]
    assert top_share(finer) == pytest.approx(outcomes[first].sum() / outcomes.sum(), abs=0.001)


@given(counts=histograms, growth=st.floats(-2, 2))
@settings(max_examples=60, deadline=None)
def test_parts_of_a_bin_add_up_to_it(counts: FloatArray, growth: float) -> None:
    """Nobody comes or goes, all parts have as many customers, and the area rises by growth / 12 of the inner pairs."""
    inside = np.full(len(counts), growth)
    inside[[0, -1]] = 0
    finer = parted(counts, inside)
    assert finer.min() >= -1e-12
    whole = finer.reshape(len(counts), -1, 2)
    assert whole.sum(axis=1) == pytest.approx(counts)
    assert whole.sum(axis=2) == pytest.approx(np.broadcast_to(counts.sum(axis=1)[:, None] / 8, whole.shape[:2]))
    inner = (counts[1:-1, 0] * counts[1:-1, 1]).sum() / counts.sum(axis=0).prod()
    expected = area_under_curve(counts) + growth / 12 * (1 - 1 / 64) * inner
    assert area_under_curve(finer) == pytest.approx(expected, abs=1e-9)


def test_the_growth_is_the_slope_of_the_log_odds() -> None:
    ends = np.concatenate([np.arange(10), 11.0 + 2 * np.arange(9)])
    place = np.concatenate([[-0.5], (ends[1:] + ends[:-1]) / 2, [28.0]])
    width = np.concatenate([[0], np.diff(ends), [0]])
    people = np.full(20, 5000.0)
    rate = 1 / (1 + np.exp(-0.3 * (place - 10)))
    counts = np.stack([people * (1 - rate), people * rate], axis=1)
    assert log_odds_growth(counts, 0.0, ends)(counts) == pytest.approx(0.3 * width)
    assert log_odds_growth(counts[::-1], 0.0, -ends[::-1])(counts[::-1]) == pytest.approx(-0.3 * width[::-1])
    both = np.stack([counts, 2 * counts])
    assert log_odds_growth(counts, 4.2, ends)(both).shape == (2, 20)
    bent = 1 / (1 + np.exp(-0.01 * place**2))
    counts = np.stack([people * (1 - bent), people * bent], axis=1)
    assert log_odds_growth(counts, 0.0, ends)(counts) == pytest.approx(0.02 * place * width)
    steep = np.array([[9000.0, 6], [900, 90], [90, 900], [6, 9000]])
    assert log_odds_growth(steep, 0.0, even(steep))(steep).tolist() == [0, 2, 2, 0], "no density below zero"
    few = counts[9:12]
    assert not log_odds_growth(few, 0.0, even(few))(few).any(), "three bins do not tell"
    assert not log_odds_growth(counts, 3000.0, ends)(counts).any(), "the noise hides all bins"


@pytest.mark.parametrize("deviation", [0.0, 4.2, 17.0])
def test_scores_without_signal_stay_a_coin(deviation: float) -> None:
    """The mean of 400 is within four standard errors of one half."""
    rng = np.random.default_rng(4)
    found = []
    for seed in range(400):
        scores, _ = scored(4000, seed)
        counts = binned(scores, (rng.random(4000) < 0.4).astype(np.int64))
        counts += rng.normal(0, deviation, counts.shape)
        found.append(area_under_curve(parted(counts, log_odds_growth(counts, deviation, ENDS)(counts))))
    assert abs(np.mean(found) - 0.5) <= 4 * np.std(found) / math.sqrt(len(found))


@pytest.mark.parametrize("deviation", [4.2, 8.0])
def test_noise_hardly_shifts_mean_precision(deviation: float) -> None:
    """Mean of 300 pairs of releases whose noise is the same but for its sign: within .003 of that without noise."""
    rng = np.random.default_rng(9)
    counts = binned(*scored(4500, 10))
    exact = average_precision(parted(counts, log_odds_growth(counts, 0.0, ENDS)(counts)))
    noise = rng.normal(0, deviation, (300, *counts.shape))
    found, apart = [], []
    for cells in counts + np.concatenate([noise, -noise]):
        growth = log_odds_growth(cells, deviation, ENDS)(cells)
        found.append(average_precision(parted(pooled_top(cells, deviation)(cells), growth)))
        apart.append(average_precision(parted(cells, growth)))
    assert abs(np.mean(found) - exact) <= 0.003
    assert np.std(found) < np.std(apart)


@given(counts=histograms, deviation=st.floats(0, 20))
@settings(max_examples=60, deadline=None)
def test_bins_put_together_lose_nobody(counts: FloatArray, deviation: float) -> None:
    fewer = pooled_top(counts, deviation)(counts)
    assert fewer.sum(axis=0) == pytest.approx(counts.sum(axis=0))
    top = int(np.flatnonzero(fewer.sum(axis=1))[-1])
    assert fewer[:top].tolist() == counts[:top].tolist()
    if deviation == 0:
        assert fewer.tolist() == counts.tolist()


@given(counts=histograms, part=st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_a_list_of_any_length_is_that_of_the_customers(counts: FloatArray, part: float) -> None:
    """Ties share what is left; a list that ends where a bin ends has the bins above it, however rates grow inside."""
    scores, outcomes = customers_of(counts)
    wanted = part * len(scores)
    above, found = 0, 0.0
    for score in sorted(set(scores.tolist()), reverse=True):
        people = int((scores == score).sum())
        found += min(1.0, max(0.0, (wanted - above) / people)) * float(outcomes[scores == score].sum())
        above += people
    assert top_share(counts, part) == pytest.approx(found / outcomes.sum(), abs=1e-9)
    assert list_rate(counts, part) == pytest.approx(found / wanted, abs=1e-9)
    people = counts.sum(axis=1)
    for end in np.flatnonzero(people):
        whole = float(people[end:].sum() / people.sum())
        assert top_share(parted(counts, np.full(len(counts), 1.5)), whole) == pytest.approx(
            counts[end:, 1].sum() / counts[:, 1].sum()
        )


@pytest.mark.parametrize("part", [0.02, 0.05, 0.1, 0.2])
def test_lists_are_those_of_single_scores(part: float) -> None:
    """Within .002 of the share on the list; where customers of a bin are tied it is up to .03 less."""
    scores, outcomes = scored(400_000, 2)
    counts = binned(scores, outcomes, WIDE)
    figures = ranking("model", counts, 0.0, WIDE, list_share=part)
    assert figures is not None
    first = np.argsort(-scores)[: int(part * len(scores))]
    listed = figures.on_list(part)
    assert listed.part == part
    assert listed.rate.value == pytest.approx(outcomes[first].mean(), abs=0.004)
    assert listed.share.value == pytest.approx(outcomes[first].sum() / outcomes.sum(), abs=0.002)
    assert listed.lift.value == pytest.approx(listed.rate.value / outcomes.mean())
    assert figures.on_list(0.1).rate.value == pytest.approx(figures.top_lift.value * figures.churn_rate.value)


def test_lists_that_the_noise_hides_are_left_out_but_for_the_studys() -> None:
    rng = np.random.default_rng(7)
    counts = binned(*scored(1500, 8))
    figures = ranking("model", counts + rng.normal(0, 17, counts.shape), 17.0, ENDS, list_share=0.03)
    assert figures is not None
    assert 0.02 not in {item.part for item in figures.lists}
    assert figures.on_list(0.03).part == 0.03
    assert all(item.part == 0.03 or item.rate.margin <= 0.25 for item in figures.lists)


@pytest.mark.slow
@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_margins_cover_figures_of_single_scores(deviation: float) -> None:
    """Of 300 releases of 6,000 customers each 95% cover what millions of such customers have (as below)."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, outcomes = scored(2_000_000, 5)
    first = np.argsort(-scores)[: len(scores) // 10]
    exact = {
        "auc": metrics.roc_auc_score(outcomes, scores),
        "average_precision": metrics.average_precision_score(outcomes, scores),
        "top_share": outcomes[first].sum() / outcomes.sum(),
        "list": outcomes[np.argsort(-scores)[: len(scores) // 20]].mean(),
    }
    rng = np.random.default_rng(6)
    found: dict[str, list[tuple[bool, float, float]]] = {name: [] for name in exact}
    for start in range(0, 300 * 6000, 6000):
        counts = binned(scores[start : start + 6000], outcomes[start : start + 6000])
        figures = ranking("model", counts + rng.normal(0, deviation, counts.shape), deviation, ENDS, list_share=0.05)
        assert figures is not None
        for name, truth in exact.items():
            item = figures.on_list(0.05).rate if name == "list" else getattr(figures, name)
            found[name].append((abs(item.value - truth) <= item.margin, item.value - truth, item.margin))
    for name, rows in found.items():
        covered, off, margins = np.array(rows).T
        assert 0.91 <= covered.mean() <= 0.99, name
        assert 0.85 <= np.median(margins) / (1.96 * off.std()) <= 1.25, name
    assert abs(np.mean([off for _, off, _ in found["auc"]])) <= 0.002


# --- with noise --------------------------------------------------------------------------------------------------

RUNS = 1000


def drawn(rng: np.random.Generator, expected: FloatArray, deviation: float) -> FloatArray:
    """Other customers of the same kind (Poisson), and the noise of a release."""
    return rng.poisson(expected) + rng.normal(0, deviation, expected.shape)


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_noise_does_not_shift_the_area(deviation: float) -> None:
    """4,000 releases of one histogram: their mean is within four standard errors of the area without noise.

    The remaining bias, from the product of the sums below the line, is of second order: (deviation sqrt(bins) /
    customers)^2, which is added.
    """
    rng = np.random.default_rng(1)
    exact = np.round(truth())
    found = area_under_curve(exact + rng.normal(0, deviation, (4000, *exact.shape)))
    second_order = 2 * deviation**2 * len(exact) / exact[:, 1].sum() ** 2
    assert abs(found.mean() - area_under_curve(exact)) <= 4 * found.std() / math.sqrt(len(found)) + second_order
    # Counts cut off at zero, the tempting mistake, would be shifted far beyond that.
    cut = area_under_curve(np.maximum(exact + rng.normal(0, 17.0, (1000, *exact.shape)), 0))
    assert abs(np.mean(cut) - area_under_curve(exact)) > 4 * np.std(cut) / math.sqrt(1000)


@pytest.mark.parametrize("deviation", DEVIATIONS)
@pytest.mark.parametrize("figure", [area_under_curve, average_precision, top_share, churn_rate])
def test_margins_cover_the_truth_as_often_as_they_say(figure: Figure, deviation: float) -> None:
    """Covered: the figure of the expected counts, which other customers would have as well.

    Of 1,000 runs at 95% between 925 and 975 are covered, but for a chance of 4e-4 (3.6 deviations of the binomial);
    the margins are first order, for which 1.5% more is allowed on either side.
    """
    rng = np.random.default_rng(2)
    expected = truth()
    exact = figure(expected)
    found = [estimate(figure, drawn(rng, expected, deviation), deviation) for _ in range(RUNS)]
    covered = np.mean([abs(item.value - exact) <= item.margin for item in found])
    assert 0.91 <= covered <= 0.99
    # Not by being wide: the margin is near 1.96 times the deviation that the figures have.
    spread = 1.96 * np.std([item.value for item in found])
    assert 0.85 <= np.median([item.margin for item in found]) / spread <= 1.25


def test_all_figures_and_the_calibration_of_a_release() -> None:
    """Shares add up; most observed rates are within their margins of the predicted ones, which are right here."""
    rng = np.random.default_rng(3)
    expected = truth()
    predicted = expected[:, 1] / expected.sum(axis=1)
    covered, points = 0, 0
    for _ in range(50):
        figures = ranking("model", drawn(rng, expected, 4.2), 4.2, even(expected), predicted=predicted)
        assert figures is not None
        assert figures.code == "model"
        assert figures.top_lift.value == pytest.approx(10 * figures.top_share.value)
        assert figures.top_lift.margin == pytest.approx(10 * figures.top_share.margin)
        assert 4 <= len(figures.calibration) <= 10
        assert sum(point.share for point in figures.calibration) == pytest.approx(1, abs=0.05)
        ascending = [point.predicted for point in figures.calibration]
        assert ascending == sorted(ascending)
        points += len(figures.calibration)
        covered += sum(abs(p.observed.value - p.predicted) <= p.observed.margin for p in figures.calibration)
    assert covered / points >= 0.9


# --- nothing to say ----------------------------------------------------------------------------------------------


def finite(figures: RankingFigures) -> bool:
    """Whether every number in the figures is one."""
    estimates = [figures.auc, figures.average_precision, figures.churn_rate, figures.top_lift, figures.top_share]
    estimates += [point.observed for point in figures.calibration]
    numbers = [number for item in estimates for number in (item.value, item.margin)]
    numbers += [number for point in figures.calibration for number in (point.predicted, point.share)]
    return all(math.isfinite(number) for number in numbers)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("deviation", [0.0, 0.01, 4.2, 1e6])
@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((0, 2)),
        np.zeros((5, 2)),
        np.array([[100.0, 0]] * 5),
        np.array([[0.0, 100]] * 5),
        np.array([[100.0, -3]] * 5),
        np.array([[-1.0, -1]] * 5),
        np.array([[100.0, 1], [50, 0]]),
        np.array([[1.0, 1], [1, 1]]),
    ],
    ids=["no bins", "empty", "nobody churned", "all churned", "hidden", "negative", "one churned", "two of each"],
)
def test_where_an_outcome_is_not_seen_there_is_nothing(counts: FloatArray, deviation: float) -> None:
    assert ranking("model", counts, deviation, even(counts), predicted=np.linspace(0, 1, len(counts))) is None


@pytest.mark.filterwarnings("error")
def test_all_in_one_bin_is_a_coin() -> None:
    counts = np.zeros((8, 2))
    counts[3] = [400, 200]
    figures = ranking("model", counts, 0.0, even(counts), predicted=np.linspace(0, 1, 8))
    assert figures is not None
    assert figures.auc.value == 0.5
    assert figures.top_lift.value == pytest.approx(1.0)
    assert figures.churn_rate.value == pytest.approx(1 / 3)
    assert len(figures.calibration) == 1
    assert finite(figures)


@given(
    counts=st.lists(st.tuples(st.integers(-20, 300), st.integers(-20, 300)), min_size=1, max_size=20).map(
        lambda rows: np.array(rows, dtype=np.float64)
    ),
    deviation=st.one_of(st.just(0.0), st.floats(0.001, 100)),
)
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("error")
def test_whatever_the_noise_did_there_is_no_nan(counts: FloatArray, deviation: float) -> None:
    figures = ranking("model", counts, deviation, even(counts), predicted=np.linspace(0.01, 0.99, len(counts)))
    assert figures is None or finite(figures)
    if figures is not None:
        assert figures.auc.margin >= 0
        assert 0 <= sum(point.share for point in figures.calibration) <= 2


def test_baselines_have_no_calibration() -> None:
    figures = ranking("recency_days", np.round(truth()), 4.2, even(truth()))
    assert figures is not None
    assert figures.calibration == ()
    assert RankingFigures.model_validate_json(figures.model_dump_json()) == figures
