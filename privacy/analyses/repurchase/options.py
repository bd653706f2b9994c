"""What a study says of its repurchase analysis, and which question follows from it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy.analyses.repurchase.cohort_counts import CohortCounts
from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.kernel.canonical import Noun
from privacy.kernel.features import FeatureRequest

#: Upper ends of the bins of days to the second order, in days; public, and the same for every study.
BINS = (0, 7, 14, 30, 60, 90, 120, 180, 365)

_Limit = Annotated[int, Field(ge=1, le=365)]


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Customers whose first order was on one of these days, both included."""

    first: dt.date
    last: dt.date

    def is_over(self, days: int, as_of: dt.date) -> bool:
        """Whether so many days after its last first order have passed before the as-of day."""
        return (as_of - self.last).days > days


class RepurchaseOptions(Noun):
    """What the analysis counts.

    Attributes:
        within_days: a second order counts as in time within so many days of the first; ascending.
        cohort: customers are grouped by the calendar ``quarter`` or ``month`` of their first order.
        cohorts: the last so many that ended by the as-of day minus the first of ``within_days``.
    """

    within_days: tuple[_Limit, ...] = Field(default=(30, 60, 90), min_length=1, max_length=6)
    cohort: Literal["quarter", "month"] = "quarter"
    cohorts: int = Field(default=8, ge=1, le=60)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(first >= second for first, second in pairwise(self.within_days)):
            raise ValueError("within_days must ascend")
        return self

    @property
    def in_time(self) -> int:
        """The longest of ``within_days``: who has no second order after it is late."""
        return self.within_days[-1]

    def periods(self, as_of: dt.date) -> tuple[Cohort, ...]:
        """The cohorts, the oldest first."""
        months = 3 if self.cohort == "quarter" else 1
        end = as_of - dt.timedelta(days=self.within_days[0])
        start = _start(end, months)
        found: list[Cohort] = []
        while len(found) < self.cohorts:
            before = _start(start - dt.timedelta(days=1), months)
            found.append(Cohort(first=before, last=start - dt.timedelta(days=1)))
            start = before
        return tuple(reversed(found))

    def question(self, as_of: dt.date) -> CohortCounts:
        """The analysis' one question: cohorts by their customers' ages on the as-of day, the youngest first."""
        youngest_first = self.periods(as_of)[::-1]
        edges = [(as_of - cohort.last).days for cohort in youngest_first]
        edges.append((as_of - youngest_first[-1].first).days + 1)
        return CohortCounts(day=0, upper=BINS, within=self.within_days, edges=tuple(edges))

    def request(self, as_of: dt.date) -> FeatureRequest:
        """What a holder computes for this analysis."""
        return FeatureRequest(names=(AGE, WAIT), days=(as_of,))


def _start(day: dt.date, months: int) -> dt.date:
    """The first day of the calendar period of so many months that a day is in."""
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)
