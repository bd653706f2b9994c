"""How the features of this analysis' labels are worked out: whole days of the calendar on the holder's wall."""

from __future__ import annotations

import numpy as np

from clients.data.recipes.facts import Facts, Recipe, SumName
from privacy.analyses.tables.features import AGE, GAP, WAIT
from privacy.kernel.features import MISSING, IntArray


def _age(facts: Facts) -> IntArray:
    return np.maximum(facts.day - facts.calendar_day("first_wall"), 0)


def _between(facts: Facts, earlier: SumName, later: SumName) -> IntArray:
    """Days from one order to another, MISSING where one of them is not there."""
    first, second = facts.calendar_day(earlier), facts.calendar_day(later)
    return np.where((first == MISSING) | (second == MISSING), MISSING, np.maximum(second - first, 0))


RECIPES = {
    AGE: Recipe(sums=("first_wall",), compute=_age),
    WAIT: Recipe(
        sums=("first_wall", "second_wall"), compute=lambda facts: _between(facts, "first_wall", "second_wall")
    ),
    GAP: Recipe(
        sums=("previous_wall", "latest_wall"), compute=lambda facts: _between(facts, "previous_wall", "latest_wall")
    ),
}
