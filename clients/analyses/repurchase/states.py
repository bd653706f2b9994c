"""Where each of the holder's customers stands on the as-of day: bought again, due, or late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.kernel.features import MISSING, FeatureTable

State = Literal["again", "due", "late"]
#: In the order of their codes.
STATES: tuple[State, ...] = ("again", "due", "late")

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """All arrays have the shape ``(customers,)``.

    Attributes:
        state: index in :data:`STATES`: a second order; none yet and the days not over; none and they are over.
        age: calendar days since the first order.
        wait: calendar days from the first to the second order; MISSING without one.
        days_left: for those who are due, days on which a second order is still in time, the as-of day among them; 0
            for all others.
    """

    state: IntArray
    age: IntArray
    wait: IntArray
    days_left: IntArray

    def of(self, state: State) -> NDArray[np.bool_]:
        """Who is in a state."""
        chosen: NDArray[np.bool_] = self.state == STATES.index(state)
        return chosen


def standing(table: FeatureTable, in_time: int) -> Standing:
    """Every customer's standing.

    Args:
        table: of one day, with both features.
        in_time: days within which a second order is in time.
    """
    age, wait = (table.values[:, 0, table.names.index(name)] for name in (AGE, WAIT))
    left = np.where(wait == MISSING, np.maximum(in_time + 1 - age, 0), 0)
    state = np.where(wait != MISSING, 0, np.where(left > 0, 1, 2))
    return Standing(state=state.astype(np.int64), age=age, wait=wait, days_left=left)
