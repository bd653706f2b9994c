"""Training on Poisson samples, as facts: what noised steps on random parts of a table cost.

A step takes each customer with probability ``rate`` and adds Gaussian noise of ``noise_multiplier`` times the clipping
norm. Such steps have no mu that adds up as those of whole sums do: their privacy loss has another form. So they are
counted as *fits*, and their loss distribution is composed with that of the sums by dp_accounting (Doroshenko et al.
2022, "Connect the dots: tighter discrete approximations of privacy loss distributions"; add/remove relation).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from pydantic import Field

from privacy.accounting.events import DELTA_RESERVE, KAPPA_CAP, TAIL, GaussianSum, epsilon_spent, squared_cap
from privacy.accounting.gdp import best_guess, root
from privacy.kernel.canonical import ExactDecimal, Noun

#: Integer units of a clipping norm where samples are added up; as ``privacy.statistics.base.GAMMA``.
_UNITS = 1 << 26

#: Steps of loss distributions, which are rounded up to them: a finer grid makes epsilon smaller by 1e-4 of it.
_GRID = 1e-3

#: Largest mu^2 that the tables of loss distributions are made for.
_LARGEST = 100


class Slot(Noun):
    """What one training on samples may cost at most.

    Attributes:
        rate: with which probability a step takes each customer.
        noise_multiplier: standard deviation of a step's noise, in clipping norms.
        steps: how many.
    """

    rate: ExactDecimal = Field(ge=Decimal("0.001"), le=1)
    noise_multiplier: ExactDecimal = Field(ge=Decimal("0.5"), le=1000)
    steps: int = Field(ge=1, le=10_000)

    def covers(self, other: Slot) -> bool:
        """Whether another training is no worse than this one in every parameter."""
        return other.rate <= self.rate and other.noise_multiplier >= self.noise_multiplier and other.steps <= self.steps

    @property
    def noise_scale(self) -> int:
        """Standard deviation of a step's noise where a clipping norm has 2^26 integer units, rounded up."""
        return math.ceil(self.noise_multiplier * _UNITS)

    @property
    def key(self) -> tuple[Decimal, Decimal, int]:
        """The parameters: equal numbers are equal keys, however they are written."""
        return self.rate, self.noise_multiplier, self.steps


class SampledGaussian(Slot):
    """One training on samples. It has no mu^2; see :attr:`fits`.

    Attributes:
        dim: coordinates of a step.
    """

    kind: Literal["sampled_gaussian"] = "sampled_gaussian"
    dim: int = Field(ge=1, le=1 << 20)

    @property
    def slot(self) -> Slot:
        """Its parameters alone."""
        return Slot(rate=self.rate, noise_multiplier=self.noise_multiplier, steps=self.steps)

    def squared_mu(self, records: int = 1) -> Fraction:
        """Nothing: it is never among what adds up as mu^2."""
        return Fraction(0)

    @property
    def kappa(self) -> Fraction:
        """How far the discrete noise of all steps is from a rounded Gaussian; see :attr:`GaussianSum.kappa`.

        A bound on the log ratio of two noises bounds that of the mixtures over samples as well.
        """
        return self.steps * (TAIL + Fraction(35, 100) * self.dim) / (6 * self.noise_scale**2)

    @property
    def fits(self) -> tuple[Slot, ...]:
        """What is composed as a loss distribution."""
        return (self.slot,)


class MaskedAgain(Noun):
    """The outcome of an earlier training, masked once more for fewer holders: the same numbers, so it costs nothing.

    Attributes:
        core: digest of the plan core that was charged for the training.
    """

    kind: Literal["masked_again"] = "masked_again"
    core: str = Field(pattern=r"^[0-9a-f]{64}$")

    def squared_mu(self, records: int = 1) -> Fraction:
        """Nothing."""
        return Fraction(0)

    @property
    def kappa(self) -> Fraction:
        """Nothing."""
        return Fraction(0)

    @property
    def fits(self) -> tuple[Slot, ...]:
        """None."""
        return ()


#: Whatever is charged.
Event = GaussianSum | SampledGaussian | MaskedAgain


def epsilon_with(squared_mu: Fraction, fits: Iterable[Slot], delta: float) -> float:
    """Epsilon at ``delta`` of sums whose mu^2 add up to this, together with trainings on samples.

    Infinite where mu is above 10, which is no protection at all and too large for the tables.
    """
    counted = tuple(sorted(Counter(slot.key for slot in fits).items()))
    if not counted:
        return epsilon_spent(squared_mu, delta)
    if squared_mu > _LARGEST:
        return math.inf
    return _epsilon(root(squared_mu), counted, delta * float(1 - DELTA_RESERVE)) + 2 * float(KAPPA_CAP)


def guess_with(squared_mu: Fraction, fits: Iterable[Slot]) -> float:
    """Highest probability to guess right whether one fair coin's person took part; see ``gdp.best_guess``.

    (1 + TV) / 2, and the total variation TV is delta at epsilon 0.
    """
    counted = tuple(sorted(Counter(slot.key for slot in fits).items()))
    if not counted:
        return best_guess(root(squared_mu))
    return 1.0 if squared_mu > _LARGEST else (1 + float(_composed(root(squared_mu), counted).get_delta(0.0))) / 2


_Counted = tuple[tuple[tuple[Decimal, Decimal, int], int], ...]


@lru_cache(maxsize=512)
def _epsilon(mu: float, counted: _Counted, delta: float) -> float:
    return float(_composed(mu, counted).get_epsilon(delta))


def _composed(mu: float, counted: _Counted):  # type: ignore[no-untyped-def]  # dp_accounting has no types
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent  # here: slow to import
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=_GRID)
    for (rate, noise, steps), count in counted:
        accountant.compose(PoissonSampledDpEvent(float(rate), GaussianDpEvent(float(noise))), steps * count)
    if mu:
        accountant.compose(GaussianDpEvent(1 / mu))
    return accountant


def squared_rest(epsilon: float, fits: tuple[Slot, ...], delta: float) -> Fraction:
    """The largest mu^2 (from below, to half a percent) that goes with trainings within an epsilon; 0 for none.

    Only for planning: what is charged is checked by :func:`epsilon_with`.
    """
    if epsilon_with(Fraction(0), fits, delta) > epsilon:
        return Fraction(0)
    low, high = Fraction(0), squared_cap(epsilon, delta)
    while high - low > Fraction(1, 500) * high and high > Fraction(1, 10**9):
        middle = Fraction(round((low + high) / 2 * 10**12), 10**12)
        low, high = (middle, high) if epsilon_with(middle, fits, delta) <= epsilon else (low, middle)
    return low


def least_noise(epsilon: float, slot: Slot, delta: float, *, squared_mu: Fraction, records: int = 1) -> Decimal:
    """The least noise multiplier, in steps of a hundredth, at which a training goes with sums within epsilon.

    Args:
        slot: its rate and steps.
        squared_mu: of the sums.
        records: at how many holders one person trains.
    """
    low, high = 50, 100_000  # hundredths
    while low < high:
        middle = (low + high) // 2
        tried = slot.model_copy(update={"noise_multiplier": Decimal(middle) / 100})
        if epsilon_with(squared_mu, (tried,) * records, delta) <= epsilon:
            high = middle
        else:
            low = middle + 1
    return Decimal(low) / 100
