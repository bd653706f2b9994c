"""How the features of this analysis are worked out: spend by days of purchase."""

from __future__ import annotations

import numpy as np

from clients.data.recipes.facts import Facts, Recipe, SumName
from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.kernel.features import MISSING, IntArray


def _half(facts: Facts, name: SumName, days: IntArray) -> IntArray:
    return np.where(days > 0, facts.money(name) // np.maximum(days, 1), MISSING)


def _days(facts: Facts) -> IntArray:
    return facts.column("bought_days")


RECIPES = {
    DAY_VALUE: Recipe(
        sums=("quanta", "bought_days"), compute=lambda facts: facts.money() // np.maximum(_days(facts), 1)
    ),
    ODD: Recipe(
        sums=("odd_quanta", "bought_days"), compute=lambda facts: _half(facts, "odd_quanta", (_days(facts) + 1) // 2)
    ),
    EVEN: Recipe(
        sums=("even_quanta", "bought_days"), compute=lambda facts: _half(facts, "even_quanta", _days(facts) // 2)
    ),
}
