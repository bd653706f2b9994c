"""Gaussian noise on a securely summed integer vector: planning, price and error from one object.

The noise that protects is what remains when the t colluding holders take their own shares out: m - t shares in
placement ``distributed``, one in ``local`` (each holder's own suffices alone), the coordinator's in ``central``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from privacy.accounting.events import GaussianSum
from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun
from privacy.statistics.base import MAX_RECORDS, ContributionBound

#: Smallest standard deviation of one noise share, in integer units: with it the sum of shares is a discrete
#: Gaussian to within exp(-10^6), and that is a Gaussian to within 2e-8 per coordinate. The first by Kairouz, Liu,
#: Steinke 2021, "The distributed discrete Gaussian mechanism for federated learning with secure aggregation", ICML,
#: theorem 1: ``tau = 10 sum_{k<m} exp(-2 pi^2 s^2 k / (k+1))``, whose largest term is ``exp(-pi^2 s^2)``.
MIN_SHARE_SCALE = 1000

#: Largest; it keeps the noise of a thousand shares within 64 bits.
MAX_SHARE_SCALE = 1 << 48

Placement = Literal["distributed", "local", "central"]
PLACEMENTS: tuple[Placement, ...] = ("distributed", "local", "central")

#: What a study is held against. The noise is the exact discrete Gaussian with both; with ``opacus``, in placement
#: ``central`` only, Opacus' accountant states its figure beside ours.
#: With ``own`` each holder answers with what it has noised itself, step by step, and nothing is added to that.
Noise = Literal["integer", "opacus", "own"]


class SumMechanism(Noun):
    """Who adds how much noise to one sum.

    Attributes:
        placement: see the module's text.
        holders: m, how many holders add up.
        colluding: t, how many of them may pool what they know, 1 or more; m - t is at least 1.
        share_scale: standard deviation of one share, in integer units; with ``own`` noise, of a step's.
        noise: the study's ``mechanism``, or ``own``; how noise is drawn does not depend on it.
    """

    placement: Placement
    holders: int = Field(ge=2, le=1000)
    colluding: int = Field(ge=1, le=1000)
    share_scale: int = Field(ge=MIN_SHARE_SCALE, le=MAX_SHARE_SCALE)
    noise: Noise = "integer"

    @model_validator(mode="after")
    def _some_honest(self) -> Self:
        if self.noise == "own" and self.placement != "local":
            raise ValueError("a holder's own noise suffices alone: placement local")
        if self.noise == "opacus" and self.placement != "central":
            raise ValueError("opacus goes with the coordinator's noise, in placement central")
        if self.colluding >= self.holders:
            raise ValueError("at least one holder must be honest: colluding holders must be fewer than holders")
        return self

    @property
    def protecting_shares(self) -> int:
        """Shares that remain unknown to the worst coalition."""
        return self.holders - self.colluding if self.placement == "distributed" else 1

    @property
    def released_shares(self) -> int:
        """Shares in the released sum."""
        return 1 if self.placement == "central" else self.holders

    @property
    def released_deviation(self) -> float:
        """Standard deviation of the released noise, in integer units."""
        return self.share_scale * math.sqrt(self.released_shares)

    @property
    def holder_scale(self) -> int:
        """Standard deviation of what each holder adds (0 in ``central``, and where its answer has noise already)."""
        return 0 if self.placement == "central" or self.noise == "own" else self.share_scale

    @classmethod
    def own(cls, scale: int, *, holders: int, colluding: int) -> Self:
        """Of answers that holders have noised themselves, with steps of this standard deviation."""
        return cls(placement="local", holders=holders, colluding=colluding, share_scale=scale, noise="own")

    def event(self, bound: ContributionBound, dim: int) -> GaussianSum:
        """The fact to be charged for one release through this mechanism."""
        return GaussianSum(
            squared_norm=bound.squared_norm,
            gamma=bound.gamma,
            dim=dim,
            share_scale=self.share_scale,
            protecting_shares=self.protecting_shares,
        )

    def check_range(self, bound: ContributionBound) -> None:
        """Refuse a plan whose sums could wrap around 64 bits.

        Raises:
            ConfigError: if ``max_abs x records + 40 deviations`` reaches 2^63.
        """
        if bound.max_abs * MAX_RECORDS + 40 * math.ceil(self.released_deviation) >= 1 << 63:
            raise ConfigError(
                "the sums of this question could overflow 64 bits",
                hint="use fewer holders or a larger budget for the question",
            )


def calibrate(
    squared_mu: Fraction,
    bound: ContributionBound,
    *,
    placement: Placement,
    holders: int,
    colluding: int,
    noise: Noise = "integer",
) -> SumMechanism:
    """The least noise whose price for one customer record is at most ``squared_mu``.

    The least integer s with ``squared_norm / (shares s^2) <= squared_mu``, where ``shares`` is how many protect; see
    :meth:`privacy.accounting.events.GaussianSum.squared_mu`.

    Args:
        squared_mu: what the question may cost, above 0.
        bound: of its statistic.
        holders, colluding: m and t.

    Raises:
        ConfigError: if fewer than two holders, or no honest one, would remain.
    """
    if squared_mu <= 0:
        raise ConfigError("a question needs a positive budget")
    if holders < 2 or colluding >= holders:
        raise ConfigError(
            f"{holders} holders with {colluding} colluding leave nobody to hide behind",
            hint="invite more holders, or lower budget.colluding_holders",
        )
    shares = holders - colluding if placement == "distributed" else 1
    target = Fraction(bound.squared_norm) / (squared_mu * shares)
    scale = math.isqrt(math.ceil(target))
    while scale * scale < target:
        scale += 1
    if scale > MAX_SHARE_SCALE:
        raise ConfigError("a question's budget is too small to be spent", hint="raise the study's epsilon")
    return SumMechanism(
        placement=placement,
        holders=holders,
        colluding=colluding,
        share_scale=max(scale, MIN_SHARE_SCALE),
        noise=noise,
    )
