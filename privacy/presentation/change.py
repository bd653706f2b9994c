"""Whether two noisy figures differ by more than their noise explains."""

from __future__ import annotations

from typing import NamedTuple

from privacy.figures.estimates import Estimate
from privacy.presentation.cells import Cell, cell
from privacy.presentation.texts import Language


class Change(NamedTuple):
    """How a share differs from an earlier one; ``difference`` is now minus then, as a share from -1 to 1."""

    difference: Estimate

    @property
    def beyond_noise(self) -> bool:
        """Whether the noise does not explain the difference (95%)."""
        return abs(self.difference.value) > self.difference.towards(0.0)

    @property
    def verdict(self) -> str:
        """Key of the text that says what the difference means."""
        if not self.beyond_noise:
            return "trend_same"
        return "trend_up" if self.difference.value > 0 else "trend_down"


def change(now: Estimate, then: Estimate) -> Change:
    """The difference of two independent estimates, with its margin."""
    return Change(now.minus(then))


def signed(difference: Estimate, language: Language) -> Cell:
    """A difference of shares in percentage points, with its sign."""
    found = cell("", difference, language, decimals=1, scale=100, signed=True)
    is_zero = not found.value.strip("-0.,")
    return found if is_zero or found.value.startswith("-") else found._replace(value=f"+{found.value}")
