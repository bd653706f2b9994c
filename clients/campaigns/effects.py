"""What a list brought: those who were contacted against those who were left alone by lot.

Whoever was on the list counts, reached or not (intention to treat). Without a control group nothing is said: customers
who are chosen because they are about to leave come back by themselves, some of them, and that is not the list's doing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clients.labels.control import PARTS
from privacy.figures.estimates import Estimate, Value, strictness

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

#: Spending above this quantile of what both arms spent *before* counts as this much.
CAP = 0.995
#: So many of each arm must be there for any figure, and so many of the control group's standard deviations may their
#: number be from what was drawn.
FEWEST, _ODD = 20, 4.0

Verdict = Literal["more", "fewer", "unclear"]
#: Why nothing is said: too few in an arm; arms are not as drawn; who was to be left alone was contacted; the source
#: ends before the days do.
Doubt = Literal["few", "not_as_drawn", "control_contacted", "stale"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Outcomes:
    """What became of the customers of a list; all of shape ``(customers,)``.

    Attributes:
        control: who was left alone.
        orders: of each, within the days that count.
        spent: in minor units, within these days; returns are set off, so that it may be negative.
        earlier: the same of the year before.
        contacted: whether a mapped feed says that the campaign's message was sent; None where there is no such feed.
    """

    control: BoolArray
    orders: IntArray
    spent: IntArray
    earlier: IntArray
    contacted: BoolArray | None = None


class Effect(Value):
    """The comparison of a campaign's two arms; differences are contacted less left alone.

    Attributes:
        contacted, control: customers of each arm.
        contacted_bought, control_bought: how many of each bought at least once.
        bought: difference of the shares that bought.
        orders: difference of orders a customer.
        spent: difference of what a customer spent, in minor units, each with ``cap`` at most.
        spent_uncapped: the same with nothing cut off; no verdict is from it.
        cap: in minor units.
        doubt: why no verdict is given; None where it is.
        verdict: whether more of the contacted bought; None with a doubt.
    """

    contacted: int
    control: int
    contacted_bought: int
    control_bought: int
    bought: Estimate | None = None
    orders: Estimate | None = None
    spent: Estimate | None = None
    spent_uncapped: Estimate | None = None
    cap: int | None = None
    doubt: Doubt | None = None
    verdict: Verdict | None = None

    @property
    def more_buyers(self) -> Estimate | None:
        """How many bought who would not have."""
        return None if self.bought is None else times(self.bought, self.contacted)

    @property
    def more_spent(self) -> Estimate | None:
        """What was spent that would not have been, in minor units, each customer with ``cap`` at most."""
        return None if self.spent is None else times(self.spent, self.contacted)


def cap_of(earlier: IntArray) -> int:
    """What one customer's spending counts up to, in minor units, from what the list spent before."""
    return max(int(np.quantile(earlier, CAP, method="higher")), 0)


def effect(outcomes: Outcomes, share: int, *, stale: bool = False, comparisons: int = 1) -> Effect:
    """Compare the arms.

    Args:
        outcomes: of everybody on the list.
        share: that was to be left alone, in thousandths.
        stale: whether the source ends long before the days that count do.
        comparisons: how many campaigns are looked at side by side; verdicts hold for all of them together at 95%.
    """
    control = outcomes.control
    bought = outcomes.orders > 0
    counts = Effect(
        contacted=int((~control).sum()),
        control=int(control.sum()),
        contacted_bought=int(bought[~control].sum()),
        control_bought=int(bought[control].sum()),
    )
    doubt: Doubt | None = "stale" if stale else _doubt(outcomes, share)
    if min(counts.contacted, counts.control) < FEWEST:
        return counts.model_copy(update={"doubt": doubt})
    cap = cap_of(outcomes.earlier)
    difference = _share(counts.contacted_bought, counts.contacted).minus(_share(counts.control_bought, counts.control))
    found = {
        "bought": difference,
        "orders": _of_means(outcomes.orders, control),
        "spent": _of_means(np.clip(outcomes.spent, -cap, cap), control),
        "spent_uncapped": _of_means(outcomes.spent, control),
        "cap": cap,
        "doubt": doubt,
        "verdict": None if doubt else _verdict(difference, strictness(comparisons)),
    }
    return counts.model_copy(update=found)


def _doubt(outcomes: Outcomes, share: int) -> Doubt | None:
    control, part = outcomes.control, share / PARTS
    alone = int(control.sum())
    if min(alone, len(control) - alone) < FEWEST:
        return "few"
    if abs(alone - part * len(control)) > _ODD * math.sqrt(part * (1 - part) * len(control)):
        return "not_as_drawn"
    if outcomes.contacted is not None and bool((outcomes.contacted & control).any()):
        return "control_contacted"
    return None


def _share(count: int, of: int) -> Estimate:
    """A share with Wilson's interval.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927); the
    difference of two of them by :meth:`Estimate.minus` is method 10 of R. G. Newcombe, "Interval estimation for the
    difference between independent proportions", Statistics in Medicine 17 (1998).
    """
    from scipy.stats import binomtest  # here: slow to import, and few commands compare arms

    interval = binomtest(count, of).proportion_ci(0.95, method="wilson")
    value = count / of
    return Estimate.between(min(float(interval.low), value), value, max(float(interval.high), value))


def _of_means(values: IntArray, control: BoolArray) -> Estimate:
    """Difference of the arms' means, with Welch's interval for unequal variances."""
    from scipy.stats import ttest_ind

    one, other = values[~control].astype(np.float64), values[control].astype(np.float64)
    value = float(one.mean() - other.mean())
    if np.ptp(one) == 0 and np.ptp(other) == 0:  # nothing varies; the test divides by it
        return Estimate(value=value, margin=0.0)
    interval = ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    return Estimate.between(float(interval.low), value, float(interval.high))


def _verdict(difference: Estimate, strict: float) -> Verdict:
    below, above = difference.sides
    if difference.value - strict * below > 0:
        return "more"
    return "fewer" if difference.value + strict * above < 0 else "unclear"


def times(estimate: Estimate, factor: int) -> Estimate:
    """A multiple of an estimate; the factor is not negative."""
    low, high = estimate.interval
    return Estimate.between(low * factor, estimate.value * factor, high * factor)
