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
