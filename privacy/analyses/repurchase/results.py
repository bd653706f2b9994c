"""What the repurchase analysis leaves: who bought again, how soon, and the rates of cohorts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field

from privacy.figures.estimates import Estimate, Figures, Value

_Days = Annotated[int, Field(ge=0, le=100_000)]


class WaitFigures(Value):
    """Customers by days from their first to their second order.

    Attributes:
        above, upto: more than the one and at most the other number of days; None: any, or no end.
        customers: how many.
        share: of those with a second order; None where the noise leaves none.
    """

    above: _Days | None
    upto: _Days | None
    customers: Estimate
    share: Estimate | None


class CohortFigures(Value):
    """Customers whose first order was in one period.

    Attributes:
        first, last: its days.
        customers: how many.
        rates: for each limit of the study the share with a second order within it; None where the noise leaves none.
        over: for each limit whether it was over for all of them; a rate that was not is None.
    """

    first: dt.date
    last: dt.date
    customers: Estimate
    rates: tuple[Estimate | None, ...] = Field(max_length=6)
    over: tuple[bool, ...] = Field(max_length=6)


class RepurchaseResult(Figures):
    """The analysis' result.

    Attributes:
        customers: records of all holders.
        again: share with a second order.
        waits: by days to the second order, the shortest first.
        cohorts: the oldest first.
    """

    customers: Estimate
    again: Estimate | None
    waits: tuple[WaitFigures, ...] = Field(max_length=128)
    cohorts: tuple[CohortFigures, ...] = Field(max_length=128)


#: What a study's result has under this analysis' name.
RESULT = RepurchaseResult
