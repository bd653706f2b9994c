"""What an attacker's errors prove about a release: lower bounds on mu and epsilon, and how sure they are.

An attacker guesses many times, from a release, whether one customer was in the data. Under mu-GDP no test does better
than ``FNR = Phi(Phi^-1(1 - FPR) - mu)`` (Dong, Roth, Su 2022, "Gaussian differential privacy", theorem 2.7), so
``mu >= Phi^-1(1 - FPR) - Phi^-1(FNR)`` whatever the test was. With both error rates replaced by upper confidence limits
(Clopper and Pearson 1934) that is a lower bound on mu, wrong with a stated probability. A bound above the claim refutes
the claim. A bound below it proves nothing more than that this attacker, with so many guesses, did not refute it.

Without the shape of a Gaussian, ``epsilon >= log((1 - delta - FPR) / FNR)`` and the same with the rates exchanged
(Kairouz, Oh, Viswanath 2015, "The composition theorem for differential privacy", theorem 2.1). That needs no
assumption and, from thousands of guesses, says little about large epsilon.
"""

from __future__ import annotations

import math
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import bdtr, betainccinv, gammaln, ndtr, ndtri

from privacy.accounting.gdp import epsilon_of

#: Largest probability that a whole run of the audit accuses correct code.
FALSE_ALARM = 1e-6

#: Delta at which the audit states epsilons.
DELTA = 1e-6


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Guesses(_Value):
    """How often an attacker was wrong.

    Attributes:
        false_positives: guesses "in" although the customer was not, out of ``absent``.
        false_negatives: guesses "out" although the customer was in, out of ``present``.
    """

    false_positives: int = Field(ge=0)
    absent: int = Field(ge=1)
    false_negatives: int = Field(ge=0)
    present: int = Field(ge=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.false_positives > self.absent or self.false_negatives > self.present:
            raise ValueError("more errors than guesses")
        return self


def upper_limit(errors: int, trials: int, alpha: float) -> float:
    """Clopper-Pearson upper limit of an error rate, too small with probability ``alpha`` at most.

    >>> round(upper_limit(0, 100, 0.05), 4)
    0.0295
    """
    if not 0 <= errors <= trials or trials < 1 or not 0 < alpha < 1:
        raise ValueError("errors must lie between 0 and trials, and alpha between 0 and 1")
    return 1.0 if errors == trials else float(betainccinv(errors + 1, trials - errors, alpha))


def mu_lower_bound(guesses: Guesses, alpha: float) -> float:
    """Lower bound on mu; larger than the true one with probability ``alpha`` at most. 0 where nothing is shown.

    >>> round(mu_lower_bound(Guesses(false_positives=300, absent=1000, false_negatives=300, present=1000), 1e-6), 3)
    0.693
    """
    positive = upper_limit(guesses.false_positives, guesses.absent, alpha / 2)
    negative = upper_limit(guesses.false_negatives, guesses.present, alpha / 2)
    return max(0.0, -float(ndtri(positive)) - float(ndtri(negative)))


def epsilon_lower_bound(guesses: Guesses, alpha: float, delta: float) -> float:
    """Lower bound on epsilon at ``delta`` that assumes nothing about the noise; 0 where nothing is shown."""
    positive = upper_limit(guesses.false_positives, guesses.absent, alpha / 2)
    negative = upper_limit(guesses.false_negatives, guesses.present, alpha / 2)
    ratios = ((1 - delta - positive) / negative, (1 - delta - negative) / positive)
    return max(0.0, math.log(max(1.0, *ratios)))


def probability_to_notice(true_mu: float, claimed_mu: float, trials: int, alpha: float) -> float:
    """Probability that ``trials`` guesses each way show more than the claim, when mu is really ``true_mu``.

    For an attacker whose threshold lies half-way, so that both error rates are ``Phi(-true_mu / 2)``; exact, by adding
    up the two binomial distributions. With ``true_mu = claimed_mu`` it is the probability of a false alarm.
    """
    rate = float(ndtr(-true_mu / 2))
    errors = np.arange(trials + 1)
    limits = np.ones(trials + 1)
    limits[:-1] = betainccinv(errors[:-1] + 1, trials - errors[:-1], alpha / 2)
    shown = -ndtri(limits)  # descending
    chance = np.exp(
        gammaln(trials + 1) - gammaln(errors + 1) - gammaln(trials - errors + 1)
        + errors * math.log(rate) + (trials - errors) * math.log1p(-rate)
    )  # fmt: skip
    # For each number of false positives, how many false negatives there may be at most.
    most = np.searchsorted(-shown, shown - claimed_mu, side="left") - 1
    enough = most >= 0
    return float(min(1.0, chance[enough] @ bdtr(most[enough], trials, rate)))


Attack = Literal["coalition", "memory", "twin"]


class AttackResult(_Value):
    """What one attacker achieved against one kind of release.

    Attributes:
        attack: ``coalition`` takes its own noise shares out; ``memory`` also what the noise was last time; ``twin``
            also what the others' noise would be if it were a copy of its own.
        guesses: its errors.
        mu: lower bound on mu.
        epsilon: what that mu means at the audit's delta.
        epsilon_free: lower bound on epsilon without assuming a Gaussian.
    """

    attack: Attack
    guesses: Guesses
    mu: float
    epsilon: float
    epsilon_free: float


class Audited(_Value):
    """One kind of statistic in one placement.

    Attributes:
        statistic: its kind.
        placement: who added the noise.
        fault: what was planted; empty for the code as it is.
        reached: part of the bound that the customer's vector reached; the attack is the strongest at 1.
        claimed_mu, claimed_epsilon: what the ledger would be charged, and what it means at the audit's delta.
        attacks: what was tried, the most successful first.
        seconds: how long it took.
    """

    statistic: str
    placement: str
    fault: str = ""
    reached: float
    claimed_mu: float
    claimed_epsilon: float
    attacks: tuple[AttackResult, ...]
    seconds: float

    @property
    def refuted(self) -> bool:
        """Whether some attacker did better than the claim allows."""
        return self.attacks[0].mu > self.claimed_mu

    @property
    def verdict(self) -> Literal["PASS", "FAIL"]:
        """PASS: the code as it is was not refuted, or a planted fault was caught."""
        return "PASS" if self.refuted == bool(self.fault) else "FAIL"


class Checked(_Value):
    """Something that needs no guessing: it holds or not.

    Attributes:
        what: was checked, in a few words.
        where: in which case of it.
        fault: what was planted; empty for the code as it is.
        wrong: what was found; empty where it holds.
    """

    what: str
    where: str
    fault: str = ""
    wrong: str = ""

    @property
    def verdict(self) -> Literal["PASS", "FAIL"]:
        """PASS: it holds in the code as it is, or a planted fault was caught."""
        return "PASS" if bool(self.wrong) == bool(self.fault) else "FAIL"


class Power(_Value):
    """What the audit would notice, and how often it errs.

    Attributes:
        trials: releases with the customer, and as many without, a statistic.
        alpha: probability of a false alarm of one attack, at most.
        false_alarm: of the whole run, at most.
        half_variance, three_quarters, nine_tenths: probability to notice that only this part of the variance is
            there, for one statistic whose customer reaches the bound.
    """

    trials: int
    alpha: float
    false_alarm: float
    half_variance: float
    three_quarters: float
    nine_tenths: float

    @classmethod
    def of(cls, claimed_mu: float, trials: int, attacks: int) -> Power:
        """For a run of so many attacks in all."""
        alpha = FALSE_ALARM / attacks
        half, more, most = (
            probability_to_notice(claimed_mu / math.sqrt(part), claimed_mu, trials, alpha) for part in (0.5, 0.75, 0.9)
        )
        return cls(
            trials=trials, alpha=alpha, false_alarm=FALSE_ALARM,
            half_variance=half, three_quarters=more, nine_tenths=most,
        )  # fmt: skip


class EmpiricalReport(_Value):
    """Everything that ``audit test`` measured.

    Attributes:
        version: release of cohortium.
        sampler: whose draws the integer noise is.
        holders, colluding: m and t.
        delta: at which epsilons are stated.
        power: see there.
        audited: the code as it is.
        planted: the same with faults, where they were asked for.
        checked: what needs no guessing, without and with faults.
    """

    version: str
    sampler: str
    holders: int
    colluding: int
    delta: float
    power: Power
    audited: tuple[Audited, ...]
    planted: tuple[Audited, ...] = ()
    checked: tuple[Checked, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no claim was refuted, everything checked holds and every planted fault was caught."""
        verdicts = [item.verdict for item in (*self.audited, *self.planted)] + [item.verdict for item in self.checked]
        return set(verdicts) <= {"PASS"}


def attack_result(attack: Attack, guesses: Guesses, alpha: float) -> AttackResult:
    """Bounds from an attacker's errors, each wrong with probability ``alpha`` at most."""
    mu = mu_lower_bound(guesses, alpha)
    return AttackResult(
        attack=attack,
        guesses=guesses,
        mu=mu,
        epsilon=epsilon_of(mu, DELTA),
        epsilon_free=epsilon_lower_bound(guesses, alpha, DELTA),
    )
