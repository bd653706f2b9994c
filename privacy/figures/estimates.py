"""A released number with its margin: what every result is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from privacy.kernel.canonical import since

#: Half-width of the 95% interval of a standard normal deviate.
Z95 = 1.959963984540054


class Value(BaseModel):
    """Base of everything in a result: frozen, and no field that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Value):
    """A released number and its 95% interval.

    Attributes:
        value: the number.
        margin: half-width of the interval; where it is not even, the larger side.
        low, high: its ends, where it is not even; None where they are ``value - margin`` and ``value + margin``.
    """

    value: float
    margin: float
    low: float | None = since("0.2.0", None)
    high: float | None = since("0.2.0", None)

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends."""
        low, high = self.low, self.high
        return (self.value - self.margin if low is None else low, self.value + self.margin if high is None else high)


class Figures(Value):
    """Base of an analysis' result: what of it goes with a study that withholds totals, and what with others."""

    def check_complete(self) -> None:
        """Raise ValueError if a total is missing; for studies that withhold none."""

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a figure finer than the public grid; for studies that withhold."""
        raise ValueError("the analysis has no form without totals, and the study withholds totals")
