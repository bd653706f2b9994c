"""From released sums to figures with margins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from privacy.analyses.history.buying import BuyingModel, FloatArray
from privacy.analyses.history.day_values import DayValueSums
from privacy.analyses.history.history_cells import CLASSES
from privacy.analyses.history.options import HistoryOptions
from privacy.analyses.history.results import USUAL_WEIGHT, Ahead, ByPurchases, HistoryResult, SpendLevel
from privacy.figures.estimates import Z95, Estimate
from privacy.figures.quotient import CLEAR, quotient
from server.analyses.history.cell_model import CellModel, Cells, by_class
from server.analyses.history.fit import Fit, model_at

#: Between customers of usual shops: how far the part of differences that is no chance lies from the usual one.
_PART_WIDTH = 0.15
#: No shop's customers differ by chance alone, or by nothing else.
_PARTS = (0.1, 0.97)
#: Mean of 1/k over customers with several days of purchase, where the noise hides it.
_USUAL_INVERSE = 0.3
#: A mean that is less than so many deviations of its noise above 0 is none.
_SEEN = 2.0
_STEP, _TINY = 1e-4, 1e-12

#: Figures by name: an array each.
_Figures = dict[str, FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Released:
    """Released cells, and what they and a fit together say of how many customers each has.

    A cell's customers lie around what the fit has with the variance of chance, or more where customers are otherwise
    than the model has them; its released count lies around them with that of the noise. So both together are weighted
    by their precision: without noise the counts alone are left, and under much of it the fit.

    Attributes:
        counts: customers by cell, shape ``(QUARTERS, PER_QUARTER)``, with noise.
        deviation: of the noise in each.
    """

    counts: FloatArray
    deviation: float

    def spread(self, mean: FloatArray) -> float:
        """How many times the variance of chance customers lie from the fit; 1 where the noise hides whether."""
        noise = self.deviation**2 * self.counts.size
        beyond = float(((self.counts - mean) ** 2).sum()) - noise - self.deviation**2 * math.sqrt(2 * self.counts.size)
        return max(1.0, beyond / float(mean.sum()))

    def people(self, mean: FloatArray, spread: float) -> FloatArray:
        """Customers of each cell, same shape; ``mean`` is what the fit has."""
        apart = spread * mean
        return mean + apart / (apart + self.deviation**2 + _TINY) * (self.counts - mean)

    def uncertain(self, mean: FloatArray, spread: float) -> FloatArray:
        """Variance of what is then left open of each cell."""
        apart = spread * mean
        return apart * self.deviation**2 / (apart + self.deviation**2 + _TINY)


def history_result(
    options: HistoryOptions, cells: CellModel, found: Fit, released: Released, spend: DayValueSums | None
) -> HistoryResult:
    """The analysis' result.

    Args:
        options: the study's.
        cells: of its window.
        found: the fitted model.
        released: what it was fitted to.
        spend: sums of spend; None where they were not asked.
    """
    values, margins = _with_margins(options, cells, found, released)

    def estimate(name: str, place: int = 0) -> Estimate:
        return Estimate(value=float(values[name][place]), margin=float(margins[name][place]))

    ahead = tuple(
        Ahead(upto=days, buyers=estimate("buyers", place), purchases=estimate("purchases", place))
        for place, days in enumerate(options.horizons)
    )
    ends = [*pairwise([size + 1 for size in CLASSES]), (CLASSES[-1] + 1, None)]
    groups = tuple(
        ByPurchases(
            first=first,
            last=None if end is None else end - 1,
            customers=estimate("class_customers", place),
            share=estimate("class_share", place),
            buyers=estimate("class_buyers", place),
            purchases=estimate("class_purchases", place),
        )
        for place, (first, end) in enumerate(ends)
    )
    model = found.model
    return HistoryResult(
        window_days=options.window_days,
        family=model.family,
        r=model.r,
        alpha=model.alpha,
        a=model.a,
        b=model.b,
        customers=estimate("customers"),
        share=estimate("share"),
        misfit=found.misfit,
        ahead=ahead,
        ahead_days=options.ahead_days,
        by_purchases=groups,
        spend=None if spend is None else spend_level(spend, options.value_cap),
    )


def _rates(options: HistoryOptions, cells: CellModel, under: Cells, model: BuyingModel) -> _Figures:
    """What customers of each cell are and do on average: arrays by cell, by name; ``N buyers`` within N days."""
    staying = model.alive(under.bought)
    found = {"here": cells.means(under, np.ones_like(staying))}
    for days in options.horizons:
        found[f"{days} buyers"] = cells.means(under, model.buys_within(under.bought, days) / staying)
        found[f"{days} purchases"] = cells.means(under, model.expected(under.bought, days) / staying)
    return found


def _figures(options: HistoryOptions, rates: _Figures, people: FloatArray) -> _Figures:
    """All figures for so many customers in each cell."""
    everybody, customers = people.sum(), by_class(people)
    totals = {name: by_class(rate * people) for name, rate in rates.items()}
    soon = options.ahead_days
    return {
        "customers": np.array([everybody]),
        "share": np.array([totals["here"].sum() / everybody]),
        "buyers": np.array([totals[f"{days} buyers"].sum() / everybody for days in options.horizons]),
        "purchases": np.array([totals[f"{days} purchases"].sum() for days in options.horizons]),
        "class_customers": customers,
        "class_share": _part(totals["here"], customers),
        "class_buyers": _part(totals[f"{soon} buyers"], customers),
        "class_purchases": totals[f"{soon} purchases"],
    }


def _part(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Quotients; of a class that the noise made empty, or less, there is nothing to say but 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), 0.0)


def _with_margins(
    options: HistoryOptions, cells: CellModel, found: Fit, released: Released
) -> tuple[_Figures, _Figures]:
    """Figures, and their margins to first order.

    Two things are uncertain, and taken as independent: the fit, and how many customers each cell has once it is known.
    """
    spread = released.spread(found.mean)

    def at(point: FloatArray) -> tuple[_Figures, FloatArray]:
        model = model_at(found.model.family, point)
        under = cells.cells(model)
        mean = np.exp(point[4:])[:, None] * under.probability
        return _rates(options, cells, under, model), released.people(mean, spread)

    rates, people = at(found.point)
    values = _figures(options, rates, people)
    steps = np.eye(len(found.point)) * _STEP
    of_fit = [[_figures(options, *at(found.point + sign * step)) for sign in (1, -1)] for step in steps]
    nudges = np.eye(people.size).reshape(-1, *people.shape) * 0.5
    of_cells = [[_figures(options, rates, people + sign * nudge) for sign in (1, -1)] for nudge in nudges]
    open_cells = np.diag(released.uncertain(found.mean, spread).reshape(-1))
    margins = {}
    for name in values:
        variance = _variance(name, of_fit, 2 * _STEP, found.covariance) + _variance(name, of_cells, 1.0, open_cells)
        margins[name] = Z95 * np.sqrt(np.maximum(variance, 0.0))
    return values, margins


def _variance(name: str, moved: list[list[_Figures]], width: float, covariance: FloatArray) -> FloatArray:
    """Of a figure, from its values a step up and down along each coordinate."""
    slopes = np.stack([(up[name] - down[name]) / width for up, down in moved], axis=1)
    return np.asarray(np.einsum("ij,jk,ik->i", slopes, covariance, slopes))


def spend_level(sums: DayValueSums, cap: int) -> SpendLevel | None:
    """Level and spread of spend; None where the noise hides how many customers there are.

    Of a customer with k > 1 days the squared mean u^2 is that of its own level, and in addition 1/k of the variance w
    from day to day; the product of the means over its odd and its even days is that of its own level alone. So
    ``w = 2 sum(u^2 - u_odd u_even) / sum(2/k)``, and the variance b between customers is the mean product less the
    squared mean. A customer's next days are expected at ``(weight m + k u) / (weight + k)`` with weight = w / b
    (H. Buehlmann, "Experience Rating and Credibility", ASTIN Bulletin 4(3), 1967, section 5; Gamma-Gamma has the same
    form: P. S. Fader, B. G. S. Hardie, "The Gamma-Gamma Model of Monetary Value", 2013, equation 5).

    Args:
        sums: as they were released.
        cap: of spend, whole units.
    """
    noise = sums.deviation**2
    mean = quotient(sums.value, sums.people, (noise, noise))
    if mean is None or sums.value < _SEEN * sums.deviation:
        return None
    low, high = mean.interval
    scaled = Estimate.between(cap * low, cap * mean.value, cap * high)
    return SpendLevel(mean=scaled, weight=_weight(sums), cap=cap)


def _weight(sums: DayValueSums) -> float:
    """The weight that the sums have, drawn to that of usual shops the more, the less the noise leaves of it.

    What is drawn is the part of customers' differences that is no chance, b / (b + w mean(1/k)): it lies between 0 and
    1, where a quotient of two small differences lies anywhere.
    """
    if sums.several < CLEAR * sums.deviation:
        return USUAL_WEIGHT
    clear = sums.inverse >= CLEAR * sums.deviation
    inverse = sums.inverse / sums.several / 2 if clear else _USUAL_INVERSE
    usual = 1 / (1 + USUAL_WEIGHT * inverse)
    level = sums.value_of_several / sums.several
    whole = sums.square_of_several / sums.several - level**2
    off = sums.deviation / sums.several  # of each mean
    part = usual
    if whole > off:
        seen = (sums.halves / sums.several - level**2) / whole
        deviation = math.sqrt(2) * off / whole
        trust = _PART_WIDTH**2 / (_PART_WIDTH**2 + deviation**2)
        part = trust * seen + (1 - trust) * usual
    part = min(max(part, _PARTS[0]), _PARTS[1])
    return (1 - part) / part / inverse
