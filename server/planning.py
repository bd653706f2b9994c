"""Before any data is touched: what each question costs, and what error to expect."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from privacy.accounting.events import squared_cap
from privacy.accounting.gdp import epsilon_of, root
from privacy.contract.study import Study
from privacy.errors import BudgetError


@dataclass(frozen=True, kw_only=True)
class Price:
    """One planned question.

    Attributes:
        analysis: which analysis asks.
        title: the question's name.
        squared_mu: price of one answered attempt, for one person with all their records.
    """

    analysis: str
    title: str
    squared_mu: Fraction


def share_out(study: Study, weights: dict[tuple[str, str], Fraction]) -> tuple[Price, ...]:
    """Divide a study's budget among its questions, with the reserve for repeating the dearest one.

    Args:
        weights: (analysis, title) to its share; shares need not add up to one.

    Raises:
        BudgetError: if the budget is too small to be divided.
    """
    cap = squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta))
    total = sum(weights.values(), Fraction(0)) + study.budget.spare_attempts * max(weights.values())
    if cap <= 0:
        raise BudgetError("the study's epsilon and delta leave no budget")
    return tuple(
        Price(analysis=analysis, title=title, squared_mu=cap * weight / total)
        for (analysis, title), weight in weights.items()
    )


def epsilon_at(squared_mu: Fraction, delta: float) -> float:
    """Epsilon of an exact mu^2 at a delta."""
    return epsilon_of(root(squared_mu), delta)
