"""A released number with its margin: what every result is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

#: Half-width of the 95% interval of a standard normal deviate.
Z95 = 1.959963984540054


class Value(BaseModel):
    """Base of everything in a result: frozen, and no field that is not named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Value):
    """A released number and the half-width of its 95% interval."""

    value: float
    margin: float


class Figures(Value):
    """Base of an analysis' result: what of it goes with a study that withholds totals, and what with others."""

    def check_complete(self) -> None:
        """Raise ValueError if a total is missing; for studies that withhold none."""

    def check_shares_only(self) -> None:
        """Raise ValueError if a total is there, or a figure finer than the public grid; for studies that withhold."""
        raise ValueError("the analysis has no form without totals, and the study withholds totals")
