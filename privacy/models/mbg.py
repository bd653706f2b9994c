"""What a public formula says of a customer without any question: the prior of a model, and what every model must beat.

The formula is MBG/NBD (Batislam, Denizel, Filiztekin 2007, "Empirical validation and comparison of models for customer
base analysis", International Journal of Research in Marketing 24(3)): a customer buys at a rate of its own, gamma
distributed with shape r and exposure alpha, and after each purchase, the first included, is lost with a probability of
its own, beta distributed with parameters a and b. With x further days of purchase, the last t days after the first, the
first T days before the day in question::

    A = a / (b + x) ((alpha + T) / (alpha + t))^(r + x)      odds of being lost
    s = ((alpha + T) / (alpha + T + h))^(r + x)              no purchase in h days, if not lost
    logit(no purchase in h days) = ln(A + s) - ln(1 - s)

Customers leave at purchases only, so "none in h days" is "lost, or there and silent", exactly. It knows no season. All
of it is on integers, from public tables of logarithms, so that equal histories get equal scores on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from privacy.kernel.canonical import Noun
from privacy.kernel.features import MISSING, FeatureName, FeatureTable
from privacy.models.trained import LOGIT, IntArray

#: Parameters r, a and b are in parts of this.
PART = 1 << 10
#: Longer histories and more days of purchase count as these.
MOST_DAYS, MOST_PURCHASES = 7_300, 200
#: Logits are kept between minus and plus this.
LIMIT = 8

#: Logarithms are in units of 1 / _ONE.
_ONE = 1 << 30
#: ln(1 + e^-v) and ln(1 - e^-v) are tabulated up to v = 16 in steps of 2^-12, the second one up to v = 2^-3 in steps of
#: 2^-20: it falls as ln v. With less than 3e-4 the logit is beyond its limit.
_COARSE, _LAST = 12, 16
_CLOSE, _NEAR = 20, 3
_Part = Field(ge=1, le=1 << 16)


def _rounded(values: Iterable[float]) -> IntArray:
    return np.array([round(_ONE * value) for value in values], dtype=np.int64)


@lru_cache(maxsize=16)  # bounded: the parameters come from plans
def odds_tables(days: int, dropout: int, staying: int) -> tuple[IntArray, IntArray]:
    """ln of 0 (never used), 1, 2, ... so many days; ln of a / (b + x), by x."""
    lost = (math.log(dropout / (staying + PART * x)) for x in range(MOST_PURCHASES + 1))
    return _rounded([0.0, *map(math.log, range(1, days + 1))]), _rounded(lost)


class _Soft(NamedTuple):
    """ln(1 + e^-v), ln(1 - e^-v) and the latter near 0, each in the middle of its steps."""

    joined: IntArray
    apart: IntArray
    near: IntArray


def _middles(bits: int, count: int) -> list[float]:
    return [(step + 0.5) / (1 << bits) for step in range(count)]


@lru_cache(maxsize=1)
def soft_tables() -> _Soft:
    """The tables of the public functions."""
    coarse, close = _middles(_COARSE, _LAST << _COARSE), _middles(_CLOSE, 1 << _CLOSE - _NEAR)
    return _Soft(
        joined=_rounded(math.log1p(math.exp(-v)) for v in coarse),
        apart=_rounded(math.log(-math.expm1(-v)) for v in coarse),
        near=_rounded(math.log(-math.expm1(-v)) for v in close),
    )


def _at(table: IntArray, value: IntArray, bits: int) -> IntArray:
    """A table's entries at values of 0 or more, in steps of 2^-bits; beyond its end the last one."""
    found: IntArray = table[np.minimum(value // (_ONE >> bits), len(table) - 1)]
    return found


def _ln_joined(value: IntArray) -> IntArray:
    return _at(soft_tables().joined, value, _COARSE)


def _ln_apart(value: IntArray) -> IntArray:
    near = _at(soft_tables().near, value, _CLOSE)
    return np.where(value < _ONE >> _NEAR, near, _at(soft_tables().apart, value, _COARSE))


class MbgPrior(Noun):
    """See the module's text. A model of no customer: a public constant, named in plans by its parameters.

    Attributes:
        shape, dropout, staying: r, a and b, in units of 1 / PART.
        exposure_days: alpha.
        horizon_days: h.
    """

    #: What it reads, raw.
    FACTS: ClassVar[tuple[FeatureName, ...]] = ("purchase_days", "recency_days", "tenure_days")

    kind: Literal["mbg"] = "mbg"
    shape: int = _Part
    exposure_days: int = Field(ge=1, le=3_650)
    dropout: int = _Part
    staying: int = _Part
    horizon_days: int = Field(ge=7, le=1_830)

    def logits(self, facts: IntArray) -> IntArray:
        """Logits in units of 1 / LOGIT, shape ``(customers,)``, from -LIMIT to LIMIT.

        At most .002 of a logit from the formula in real numbers.

        Args:
            facts: raw, shape ``(customers, 3)``, in the order of ``FACTS``; what is missing counts as 0.
        """
        known = np.where(facts == MISSING, 0, facts)
        x = np.clip(known[:, 0], 1, MOST_PURCHASES + 1) - 1
        first = np.clip(known[:, 2], 0, MOST_DAYS)
        last = np.where(x > 0, first - np.minimum(np.clip(known[:, 1], 0, MOST_DAYS), first), 0)
        days, odds = odds_tables(MOST_DAYS + self.exposure_days + self.horizon_days, self.dropout, self.staying)
        # Below 2^19 for a rate and 2^34 for a difference of logarithms: products stay inside 64 bits.
        rate = self.shape + PART * x
        now = days[self.exposure_days + first]
        lost = odds[x] + rate * (now - days[self.exposure_days + last]) // PART
        quiet = rate * (days[self.exposure_days + first + self.horizon_days] - now) // PART  # -ln s
        joined = np.maximum(lost, -quiet) + _ln_joined(np.abs(lost + quiet))
        found: IntArray = np.clip((joined - _ln_apart(quiet)) // (_ONE // LOGIT), -LIMIT * LOGIT, LIMIT * LOGIT)
        return found

    def of(self, table: FeatureTable, day: int) -> IntArray:
        """Logits of every customer on a day, eligible or not; shape ``(customers,)``."""
        return self.logits(table.values[:, day, [table.names.index(name) for name in self.FACTS]])


#: r, a and b that did well on public data, and alpha as a share of the horizon (70 days for 90): of 35, 70, 140 and 280
#: days on two shops and two horizons none was better everywhere.
_SHAPE, _DROPOUT, _STAYING = PART // 2, round(0.8 * PART), round(2.5 * PART)


def public_prior(horizon_days: int, exposure_days: int = 0) -> MbgPrior:
    """The formula with its public parameters.

    Args:
        horizon_days: h.
        exposure_days: alpha; 0 for 7/9 of the horizon.
    """
    return MbgPrior(
        shape=_SHAPE,
        exposure_days=exposure_days or max(1, (7 * horizon_days + 4) // 9),
        dropout=_DROPOUT,
        staying=_STAYING,
        horizon_days=horizon_days,
    )
