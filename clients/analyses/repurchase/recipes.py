"""How the two features of this analysis are worked out: whole days of the calendar on the holder's wall."""

from __future__ import annotations

import numpy as np

from clients.data.recipes.facts import Facts, Recipe
from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.kernel.features import MISSING, IntArray


def _age(facts: Facts) -> IntArray:
    return np.maximum(facts.day - facts.calendar_day("first_wall"), 0)


def _wait(facts: Facts) -> IntArray:
    first, second = facts.calendar_day("first_wall"), facts.calendar_day("second_wall")
    return np.where(second == MISSING, MISSING, np.maximum(second - first, 0))


RECIPES = {
    AGE: Recipe(sums=("first_wall",), compute=_age),
    WAIT: Recipe(sums=("first_wall", "second_wall"), compute=_wait),
}
