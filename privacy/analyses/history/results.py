"""What the history analysis leaves: a model of buying that every holder applies to its own customers, and totals of it.

Margins are 95%, of the noise and of chance together: other customers of the same kind would have given other figures.
They do not cover that customers may do otherwise than any model has it.
"""

from __future__ import annotations

from pydantic import Field

from privacy.analyses.history.buying import BuyingModel, Family
from privacy.figures.estimates import Estimate, Figures, Value

#: How many days of its own count as much as the mean of all in usual shops; ranks hardly depend on it.
USUAL_WEIGHT = 2.0


class Ahead(Value):
    """What all customers of the window do in the next days.

    Attributes:
        upto: how many days.
        buyers: share of them that buy on one day or more.
        purchases: their days of purchase, all together.
    """

    upto: int = Field(ge=1, le=1830)
    buyers: Estimate
    purchases: Estimate


class ByPurchases(Value):
    """The customers with so many days of purchase so far.

    Attributes:
        first, last: least and most of them; None for the last: any more.
        customers: how many there are.
        share: of them that have not been lost.
        buyers: share of them that buy within :attr:`HistoryResult.ahead_days`.
        purchases: days of purchase to expect of them all in that time.
    """

    first: int = Field(ge=1, le=3_651)
    last: int | None = Field(default=None, ge=1, le=3_651)
    customers: Estimate
    share: Estimate
    buyers: Estimate
    purchases: Estimate


class SpendLevel(Value):
    """What customers spend on a day of purchase.

    Attributes:
        mean: of all customers' own means, each up to the cap; whole units of the study's currency.
        weight: how many days of its own a customer needs until they count as much as the mean of all.
        cap: whole units.
    """

    mean: Estimate
    weight: float = Field(gt=0, le=1_000)
    cap: int = Field(ge=1, le=1 << 40)


class HistoryResult(Figures):
    """The analysis' result.

    Attributes:
        window_days: of the study.
        family: which of the two models fits better.
        r, alpha, a, b: its parameters; alpha in days.
        customers: whose first purchase is in the window.
        share: of them that have not been lost.
        misfit: distance of the counts from the model, in deviations of noise and chance: about 1 where customers are as
            the model has them.
        ahead: by days ahead, ascending.
        ahead_days: what :attr:`by_purchases` is about: the middle one of them.
        by_purchases: ascending.
        spend: None where money was not asked about, or the noise hides it.
    """

    window_days: int = Field(ge=28, le=3_650)
    family: Family
    r: float = Field(gt=0)
    alpha: float = Field(gt=0)
    a: float = Field(gt=0)
    b: float = Field(gt=0)
    customers: Estimate
    share: Estimate
    misfit: float = Field(ge=0)
    ahead: tuple[Ahead, ...] = Field(min_length=1, max_length=6)
    ahead_days: int = Field(ge=1, le=1830)
    by_purchases: tuple[ByPurchases, ...] = Field(max_length=16)
    spend: SpendLevel | None = None

    @property
    def model(self) -> BuyingModel:
        """The fitted model."""
        return BuyingModel(family=self.family, r=self.r, alpha=self.alpha, a=self.a, b=self.b)


#: What a study's result has under this analysis' name.
RESULT = HistoryResult
