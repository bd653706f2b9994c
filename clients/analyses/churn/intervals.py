"""When a customer's next purchase is due: a small empirical-Bayes model of the days between purchases.

Customer i buys at a rate l_i of its own: the days between its purchases are exponential with mean 1 / l_i. Rates differ
between customers as a gamma distribution with shape a and exposure b (days), fitted to this holder's customers alone.
So a customer with n further orders after its first, in T days since the first, has a rate that is gamma with shape
a + n and exposure b + T: its own intervals, shrunk to the holder's, the more the fewer it has (the NBD model of
Ehrenberg 1959; Schmittlein, Morrison and Colombo 1987 without the dropout). It follows that

- the next purchase comes within t days with probability ``1 - ((b + T) / (b + T + t)) ** (a + n)``; the silence until
  the as-of day is part of T, so who is silent is expected later;
- the usual interval, (b + S) / (a + n) with S the days from the first to the latest order, leaves the silence out: it
  is what the customer kept to while it bought.

On online_retail_ii (horizons of 90 and 180 days) it ranks churners better (AUC .754 and .769) than the days since the
last purchase (.708 and .732) or their ratio to an interval shrunk to the median one (.677 and .705). There is no
randomness and no outcome in it: only what was bought before the day.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clients.analyses.churn.facts import Facts, IntArray

FloatArray = NDArray[np.float64]

#: A next purchase that is due later than this is not expected.
HORIZON_DAYS = 730
#: Acting comes too late within so many days before a customer counts as lost (or one usual interval, if shorter).
NOTICE_DAYS = 30
#: Silence of so many usual intervals is taken for a loss.
LOST_AFTER = 2

#: Where the holder has few customers: log-normal priors around one purchase in 90 days and a shape of 1. With a
#: hundred customers they do not matter any more.
_TYPICAL_DAYS, _TYPICAL_WIDTH = math.log(90), 2.0
_SHAPE_WIDTH = 1.5
_TENURE_BITS = 20
_SEARCH = {"maxiter": 400, "xatol": 1e-4, "fatol": 1e-6}


@dataclass(frozen=True, kw_only=True)
class IntervalModel:
    """How often this holder's customers buy.

    Attributes:
        shape: a; the smaller, the more customers differ.
        exposure: b, in days.
    """

    shape: float
    exposure: float

    def __repr__(self) -> str:
        return "IntervalModel(<private>)"

    @property
    def typical_days(self) -> float:
        """The interval to which those of customers with few orders are shrunk."""
        return self.exposure / self.shape

    def usual_days(self, facts: Facts) -> FloatArray:
        """Each customer's usual interval in days."""
        bought = np.maximum(facts.tenure_days - facts.recency_days, 0)
        days: FloatArray = (self.exposure + bought) / (self.shape + facts.orders - 1)
        return days

    def waiting_days(self, facts: Facts) -> FloatArray:
        """Days after the facts' day by which the next purchase has come as likely as not."""
        power = np.minimum(math.log(2) / (self.shape + facts.orders - 1), 100.0)  # beyond that it is "never" anyhow
        days: FloatArray = (self.exposure + facts.tenure_days) * np.expm1(power)
        return days

    def silence(self, facts: Facts, days: int) -> FloatArray:
        """Probability of no purchase within so many days."""
        known = self.exposure + facts.tenure_days
        return np.asarray(np.exp((self.shape + facts.orders - 1) * np.log(known / (known + days))))


def fit_intervals(facts: Facts) -> IntervalModel:
    """Fit the model to a holder's customers: highest posterior density; the order of the customers is of no matter."""
    from scipy.optimize import minimize
    from scipy.special import gammaln

    # Customers with as many orders in as many days count together: one key for both.
    keys = np.maximum(facts.orders - 1, 0) << _TENURE_BITS | np.clip(facts.tenure_days, 0, (1 << _TENURE_BITS) - 1)
    alike, counts = np.unique(keys, return_counts=True)
    n, tenure = (alike >> _TENURE_BITS).astype(np.float64), (alike & (1 << _TENURE_BITS) - 1).astype(np.float64)

    def loss(point: FloatArray) -> float:
        log_shape, log_typical = (float(value) for value in np.clip(point, -12, 12))
        a, b = math.exp(log_shape), math.exp(log_shape + log_typical)
        each = gammaln(a + n) - gammaln(a) + a * math.log(b) - (a + n) * np.log(b + tenure)
        prior = (log_shape / _SHAPE_WIDTH) ** 2 + ((log_typical - _TYPICAL_DAYS) / _TYPICAL_WIDTH) ** 2
        return prior / 2 - float((counts * each).sum())

    found = minimize(loss, np.array([0.0, _TYPICAL_DAYS]), method="Nelder-Mead", options=_SEARCH)
    log_shape, log_typical = np.clip(found.x, -12, 12)
    return IntervalModel(shape=math.exp(log_shape), exposure=math.exp(log_shape + log_typical))


@dataclass(frozen=True, kw_only=True, eq=False)
class Timing:
    """When, for each customer; days as int64 days after the as-of day, shape ``(customers,)``.

    Attributes:
        act_by: the day by which acting is early enough, 0 or more.
        expected: the day by which the next purchase has come as likely as not; -1 where that is later than
            ``HORIZON_DAYS``.
    """

    act_by: IntArray
    expected: IntArray


def timing(model: IntervalModel, facts: Facts, *, horizon_days: int) -> Timing:
    """When to act, and when the next purchase is due.

    A customer counts as lost at the end of the horizon, or earlier: ``LOST_AFTER`` usual intervals after its last
    purchase. It is early enough to act ``NOTICE_DAYS`` before that day, or one usual interval before it where that is
    shorter (then it is the day on which the customer is due). Where that day has passed, it is the as-of day: at once.
    """
    usual = model.usual_days(facts)
    lost = np.minimum(horizon_days, LOST_AFTER * usual - facts.recency_days)
    act_by = np.floor(np.maximum(lost - np.minimum(NOTICE_DAYS, usual), 0)).astype(np.int64)
    waiting = model.waiting_days(facts)
    expected = np.where(waiting < HORIZON_DAYS + 1, np.minimum(waiting, HORIZON_DAYS), -1).astype(np.int64)
    return Timing(act_by=act_by, expected=expected)


def days_after(day: dt.date, offsets: IntArray) -> NDArray[np.datetime64]:
    """Days so many days after a day, ``NaT`` for negative offsets; same shape."""
    found = np.datetime64(day, "D") + offsets.astype("timedelta64[D]")
    return np.where(offsets < 0, np.datetime64("NaT", "D"), found)
