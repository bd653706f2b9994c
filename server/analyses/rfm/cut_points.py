"""From noisy prefix sums to cut points: post-processing only, so it costs nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular, toeplitz
from scipy.optimize import isotonic_regression, lsq_linear

from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixEstimate
from privacy.figures.estimates import Z95
from privacy.statistics.square_root import root_coefficients

FloatArray = NDArray[np.float64]

#: Ranks of the quintile cuts.
QUINTILES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cumulative:
    """A fact's estimated cumulative distribution.

    Attributes:
        grid: the bins.
        share: share of customers in bins 0 to j, ascending from 0 or more to 1; shape ``(bins,)``.
        estimate: what it was made from.
        customers: the number of customers it was scaled by.
        spikes: bins that many customers share, by their indices: no cut falls inside one.
        variance_left: what a closer look (``server.analyses.rfm.closer``) left of each bin's variance, 1 without one;
            shape ``(bins,)`` or ``()``.
    """

    grid: FactGrid
    share: FloatArray
    estimate: PrefixEstimate
    customers: float
    spikes: frozenset[int] = frozenset()
    variance_left: FloatArray = field(default_factory=lambda: np.ones(()))

    def rank_margin(self, rank: float) -> float:
        """Half-width of the 95% interval of the true rank of the cut meant for ``rank``, as a share."""
        return Z95 * math.sqrt(self.rank_variance(rank))

    def rank_variance(self, rank: float) -> float:
        """Variance of the true rank of the cut meant for ``rank``, as a share squared.

        The first-order error of the quotient of a prefix S_j and the total S_n (delta method): its variance is
        ``(var S_j - 2 rank cov(S_j, S_n) + rank^2 var S_n) / n^2``.
        """
        j = self.first_reaching(rank)
        estimate = self.estimate
        variance = (
            estimate.deviation[j] ** 2 - 2 * rank * estimate.total_covariance[j] + rank**2 * estimate.deviation[-1] ** 2
        )
        left = float(np.broadcast_to(self.variance_left, self.share.shape)[j])
        return left * float(max(variance, 0.0)) / max(self.customers, 1.0) ** 2

    def tail_deviation(self) -> FloatArray:
        """Standard deviation of the number of customers above each bin, shape ``(bins,)``."""
        e = self.estimate
        variance = e.deviation**2 - 2 * e.total_covariance + e.deviation[-1] ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    def first_reaching(self, rank: float) -> int:
        """First bin whose cumulative share reaches ``rank``."""
        return min(int(np.searchsorted(self.share, rank - 1e-12)), self.grid.bins - 1)


def total_customers(estimates: Sequence[PrefixEstimate]) -> tuple[float, float]:
    """Number of customers and its standard deviation, from all facts' totals weighted by their precision.

    The unbiased mean of independent measurements with the least variance, which is one over the sum of the precisions
    (Gauss-Markov theorem).
    """
    totals = np.array([estimate.prefix[-1] for estimate in estimates])
    variances = np.array([estimate.deviation[-1] ** 2 for estimate in estimates])
    if np.all(variances == 0):
        return float(totals.mean()), 0.0
    precision = 1 / variances
    return max(float(totals @ precision / precision.sum()), 1.0), float(1 / math.sqrt(precision.sum()))


def cumulate(estimate: PrefixEstimate, customers: float, spikes: frozenset[int] = frozenset()) -> Cumulative:
    """Fit an ascending distribution: bring the total to ``customers``, then make it ascend.

    Each prefix moves with the total as far as it is correlated with it, ``cov(S_j, S_n) / var S_n`` (best linear
    prediction). Then isotonic regression, weighted by precision (pool adjacent violators; Barlow, Bartholomew, Bremner,
    Brunk 1972, "Statistical inference under order restrictions", chapter 1), which makes noisy releases more exact at
    no cost (Hay, Rastogi, Miklau, Suciu 2010, "Boosting the accuracy of differentially private histograms through
    consistency", VLDB, section 3).
    """
    prefix = estimate.prefix.copy()
    total_variance = estimate.deviation[-1] ** 2
    if total_variance > 0:
        prefix += estimate.total_covariance / total_variance * (customers - prefix[-1])
    weights = 1 / np.maximum(estimate.deviation, 1e-9) ** 2
    fitted = isotonic_regression(prefix, weights=weights).x
    share = np.clip(fitted / customers, 0.0, 1.0)
    share[-1] = 1.0
    return Cumulative(grid=estimate.grid, share=share, estimate=estimate, customers=customers, spikes=spikes)


#: Priors among which the data's own likelihood chooses: a length scale in bins, and how much a bin has of its own, as a
#: part of what varies smoothly. Where purchases are small and prices few, bins have (CDNOW: 60, 44, 14 and 23 customers
#: in four bins of money that follow each other); shorter scales with it, or more of it, were no better.
_PRIORS = ((8.0, 0.0), (24.0, 0.0), (64.0, 0.0), (64.0, 0.5))
#: Sizes of the prior, in customers squared, among which it chooses as well.
_SIZES = np.geomspace(1e-2, 1e10, 49)


@cache
def _smooth_basis(bins: int, length: float, own: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Eigenvalues, eigenvectors of ``T K T'`` and ``K T'`` for a Matern-3/2 kernel K over bins, T the root.

    ``K = (1 + r) exp(-r)`` with r the distance over ``length`` (Rasmussen, Williams 2006, "Gaussian processes for
    machine learning", equation 4.17, whose length scale is sqrt(3) times ours), and ``own`` more for a bin itself.
    """
    distance = np.abs(np.arange(bins)[:, None] - np.arange(bins)[None, :]) / length
    kernel = (1 + distance) * np.exp(-distance) + own * np.eye(bins)
    root = toeplitz(root_coefficients(bins), np.zeros(bins))
    values, vectors = np.linalg.eigh(root @ kernel @ root.T)
    return np.maximum(values, 0.0), vectors, kernel @ root.T


def smoothed(estimate: PrefixEstimate) -> PrefixEstimate:
    """Empirical Bayes: the same prefix sums under a prior of bins that vary smoothly, and each a little by itself.

    For facts that vary over many narrow bins (days, log money): most of what jumps from bin to bin is noise. The
    prior's size, its length scale and how much is a bin's own are those under which the release is likeliest;
    everything is computed from the release, so it is free (figures: ``benchmarks/cut_points.py``). Margins stay those
    of the unsmoothed estimate.

    A Gaussian process: mean and likelihood as in Rasmussen and Williams 2006, equations 2.25 and 2.30, for observations
    ``T h`` of bins h, in the basis in which their covariance is diagonal.
    """
    if estimate.deviation[-1] == 0:
        return estimate
    bins = estimate.grid.bins
    root = np.array(root_coefficients(bins))
    noise = estimate.deviation[0]  # the first prefix carries one coordinate's noise, since c_0 is 1
    # The release itself, in customers: the inverse of what decode did.
    observed = solve_triangular(toeplitz(root, np.zeros(bins)), estimate.prefix, lower=True)
    likeliest = -math.inf
    prior, size = _PRIORS[0], 0.0
    for tried in _PRIORS:
        values, vectors, _ = _smooth_basis(bins, *tried)
        squares = (vectors.T @ observed) ** 2
        for amount in _SIZES:
            variance = amount * values + noise**2
            likelihood = -0.5 * float((squares / variance + np.log(variance)).sum())
            if likelihood > likeliest:
                likeliest, prior, size = likelihood, tried, amount
    values, vectors, gain = _smooth_basis(bins, *prior)
    weights = vectors.T @ observed / (size * values + noise**2)
    return replace(estimate, prefix=np.cumsum(size * gain @ (vectors @ weights)))


#: A spike stands so many deviations of a bin's noise over the bins around it, and over so many times their level. Among
#: 1,300 bins without any the first alone marks one in 24 studies (a bin at the one-sided 3e-5), which does no harm.
_STANDS, _TIMES = 4.0, 2.0
#: On each side of a bin, so many bins say what is usual there.
_AROUND = 6


def spikes(estimate: PrefixEstimate) -> FloatArray:
    """Customers of each bin beyond what is usual around it, where that stands out of the noise, else 0.

    Prices at which many buy once, or days on which many did, fill single bins. A bin is the difference of two prefixes;
    its deviation is that of the first prefix times the norm of the coefficients of ``(1 - x)^(1/2)``, by which the
    release is multiplied: ``2 / sqrt(pi)``, since their squared norm is ``4 / pi``.

    Returns:
        Shape ``(bins,)``, in customers.
    """
    bins = np.diff(estimate.prefix, prepend=0.0)
    noise = estimate.deviation[0] * 2 / math.sqrt(math.pi)
    padded = np.pad(bins, _AROUND, constant_values=np.nan)
    level = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1)
    usual = _TIMES * np.maximum(level, 0.0)
    stands = (bins - level > _STANDS * noise) & (bins > usual + _STANDS * noise)
    return np.where(stands, bins - level, 0.0)


def smoothed_around_spikes(estimate: PrefixEstimate) -> tuple[PrefixEstimate, frozenset[int]]:
    """:func:`smoothed`, but for spikes: they are taken out before, and put back as the steps that they are.

    Smoothing would smear a spike over its neighbours, and a cut whose rank lies in it would fall below the amount that
    all its customers share: they would all get the score above the cut.

    Returns:
        The smoothed prefix sums, and the bins of the spikes.
    """
    if estimate.deviation[-1] == 0:
        return estimate, frozenset()
    excess = spikes(estimate)
    steps = np.cumsum(excess)
    rest = smoothed(replace(estimate, prefix=estimate.prefix - steps))
    return replace(rest, prefix=rest.prefix + steps), frozenset(np.flatnonzero(excess).tolist())


def lower_cut(distribution: Cumulative, rank: float, *, logarithmic: bool) -> int:
    """The value at or below which a share ``rank`` of customers lies; an integer in the fact's unit.

    A whole bin is taken where bins are single values, and where its customers share one value (a spike); in wider bins
    the cut is interpolated, on the logarithm, or linearly and then upwards to a whole unit, as in bins of one. The
    lowest and highest (open) bins give their closed end.
    """
    upper = distribution.grid.upper
    j = distribution.first_reaching(rank)
    if j == 0:
        return upper[0]
    if j >= len(upper):
        return upper[-1]
    low, high = upper[j - 1], upper[j]
    if high - low <= 1 or j in distribution.spikes:
        return high
    before, after = distribution.share[j - 1], distribution.share[j]
    part = float((rank - before) / (after - before)) if after > before else 1.0
    if logarithmic and low > 0:
        return round(low * math.pow(high / low, part))
    return math.ceil(low + part * (high - low) - 1e-4)  # what integers of the release round away


def count_cut(distribution: Cumulative, rank: float) -> int:
    """The smallest count such that at least a share ``rank`` of customers has a smaller one.

    Customers with equal counts always fall on the same side: no cut splits a tie. Above the resolved counts the
    cut is one more than the largest.
    """
    upper = distribution.grid.upper
    j = distribution.first_reaching(rank)
    return upper[j] + 1 if j < len(upper) else upper[-1] + 1


#: At most this part of the customers has more than a cap, as far as the release shows. What is assumed of how much more
#: they have (:func:`tail_above`) was found of the largest tenth; with a third above a cap it is up to twice as much.
_MOST_ABOVE = 0.1


def clipping_cap(distribution: Cumulative, unit_deviation: float, cells: int) -> tuple[int, float]:
    """A cap that balances what clipping loses against the noise it saves, and the share of the sum above it.

    It minimises the expected sum of absolute errors over all cells: squares would let the one cell with the largest
    customers decide, and drown the others in noise. Bias against noise as in Amin, Kulesza, Munoz Medina, Vassilvitskii
    2019, "Bounding user contributions: a bias-variance trade-off in differential privacy", ICML; a normal
    deviate with deviation s is off by ``s sqrt(2 / pi)`` in expectation.

    Chosen on the released distribution, so it is free and needs nobody's guess. Where the estimated number of
    customers no longer stands out from its noise, the tail is extrapolated (spend is heavy-tailed; taking the
    invisible tail as empty would claim that clipping loses almost nothing). Where the noise would have a lower one, the
    cap is the amount that a tenth of the customers exceeds.

    Args:
        distribution: of the amounts.
        unit_deviation: standard deviation, in customers, of the noise of one coordinate of the later question.
        cells: how many cells that question has.

    Returns:
        The cap, in the fact's unit, and the estimated share of the total above it.
    """
    upper = np.array(distribution.grid.upper, dtype=np.float64)
    above = _with_tail(distribution, upper)
    counts = -np.diff(np.concatenate([[distribution.customers], above]))
    lower = np.concatenate([[0.0], upper[:-1]])
    value = np.sqrt(np.maximum(lower, 1.0) * upper)
    excess = np.array([(counts * np.maximum(value - cap, 0)).sum() for cap in upper])
    noise = upper * unit_deviation * math.sqrt(2 / math.pi) * cells  # expected absolute error of all cells
    least = min(distribution.first_reaching(1 - _MOST_ABOVE), len(upper) - 1)
    best = least + int(np.argmin((excess + noise)[least:]))
    total = float((counts * value).sum())
    return int(upper[best]), float(excess[best] / total) if total > 0 else 0.0


#: The number of customers above a cap is taken at the upper end of its one-sided 95% interval.
_SURELY = 1.645


def tail_above(distribution: Cumulative, cap: int, excess: float) -> tuple[float, float]:
    """What lies above a cap, as a part of the sum below: the estimate, and the most that is allowed for.

    The estimate is that of :func:`clipping_cap`, at most as much as what is counted. The most is ``excess`` caps for
    each customer above the cap, of whom there are no more than noise allows; their mean excess is an assumption, since
    a few customers of any size would drown in the noise that hides one.

    Args:
        distribution: of the amounts.
        cap: one of its bins' ends.
        excess: most that customers above the cap have over it on average, in caps.
    """
    upper = np.array(distribution.grid.upper, dtype=np.float64)
    above = _with_tail(distribution, upper)
    counts = -np.diff(np.concatenate([[distribution.customers], above]))
    value = np.sqrt(np.maximum(np.concatenate([[0.0], upper[:-1]]), 1.0) * upper)
    total = float((counts * value).sum())
    likely = min(float((counts * np.maximum(value - cap, 0)).sum()), total / 2)
    counted = total - likely
    if counted <= 0:
        return 0.0, 0.0
    return likely / counted, max(excess * cap * surely_above(distribution, cap), likely) / counted


def surely_above(distribution: Cumulative, cap: int) -> float:
    """The most customers that may be above a cap, one of the bins' ends, as far as the noise tells."""
    place = min(int(np.searchsorted(distribution.grid.upper, cap)), len(distribution.grid.upper) - 1)
    beyond = float(1 - distribution.share[place]) * distribution.customers
    return max(beyond, 0.0) + _SURELY * float(distribution.tail_deviation()[place])


def _with_tail(distribution: Cumulative, upper: FloatArray) -> FloatArray:
    """Estimated number of customers above each closed bin, its invisible end extrapolated; shape ``(bins - 1,)``.

    Extrapolated is a parabola of log(number above) over log(amount), fitted from the median on with weights by
    precision, bent downwards or straight (log-normal and Pareto tails are the two ends of that), and falling at
    least as 1/amount at the end of what is visible.
    """
    above = (1 - distribution.share[:-1]) * distribution.customers
    deviation = distribution.tail_deviation()[:-1]
    visible = np.flatnonzero(above > 2 * deviation)
    start = min(distribution.first_reaching(0.5), len(upper) - 1)
    end = int(visible.max()) if visible.size else start
    if end - start < 4 or above[end] <= 0:
        return np.asarray(above)
    position = np.log(upper / upper[end])
    fitted = np.arange(start, end + 1)
    level = np.log(above[fitted] / above[end])
    weight = above[fitted] / np.maximum(deviation[fitted], 1e-9)
    # level = slope * position + bend * position^2, through the last visible point, with bend <= 0.
    design = np.column_stack([position[fitted], position[fitted] ** 2]) * weight[:, None]
    bounds = ([-np.inf, -np.inf], [-1.0, 0.0])
    slope, bend = lsq_linear(design, level * weight, bounds=bounds).x
    tail = position[end:]
    above[end:] = above[end] * np.exp(slope * tail + bend * tail**2)
    return np.asarray(above)
