"""What a study says of its history analysis."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from privacy.analyses.history.day_values import DayValues
from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.analyses.history.history_cells import FACTS, HistoryCells
from privacy.kernel.canonical import Noun
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.terms import MINOR_LIMIT, Terms, minor_digits
from privacy.statistics import Statistic

_Days = Annotated[int, Field(ge=1, le=1830)]


class HistoryOptions(Noun):
    """Of whom purchases are counted, and how far ahead they are foretold.

    Attributes:
        window_days: customers count whose first purchase is at most so many days before the as-of day. All are scored.
        horizons: days ahead, ascending, for which the probability to buy and the purchases to expect are said.
        value_cap: no more of the mean spend on a day of purchase counts, in whole units of the study's currency; 0:
            money is not asked about. A public number, about what nineteen in twenty customers stay below.
    """

    window_days: int = Field(default=730, ge=28, le=3_650)
    horizons: tuple[_Days, ...] = Field(default=(30, 90, 180), min_length=1, max_length=6)
    value_cap: int = Field(default=0, ge=0, le=MINOR_LIMIT // 1000)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(first >= second for first, second in pairwise(self.horizons)):
            raise ValueError("horizons must ascend")
        return self

    @property
    def ahead_days(self) -> int:
        """The horizon that tables and lists are about: the middle one, or the shorter of two in the middle."""
        return self.horizons[(len(self.horizons) - 1) // 2]

    def request(self, as_of: dt.date) -> FeatureRequest:
        """What a holder computes for this analysis."""
        money = (DAY_VALUE, ODD, EVEN) if self.value_cap else ()
        return FeatureRequest(names=(*FACTS, *money), days=(as_of,))

    @property
    def cells(self) -> HistoryCells:
        """The question about purchases."""
        return HistoryCells(day=0, window_days=self.window_days)

    def values(self, terms: Terms) -> DayValues | None:
        """The question about money; None where there is no cap."""
        cap = self.value_cap * 10 ** minor_digits(terms.currency)
        return DayValues(day=0, cap=cap) if cap else None

    def questions(self, terms: Terms) -> tuple[Statistic[Any], ...]:
        """All that is asked."""
        values = self.values(terms)
        return (self.cells,) if values is None else (self.cells, values)
