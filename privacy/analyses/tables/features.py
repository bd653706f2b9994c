"""The features that labels of this analysis are made from alone: calendar days by the holder's wall clock.

Whole elapsed days (``tenure_days``) will not do: they put an order of the first of a month that has a date but no time
of day into the month before, and shift where clocks change.
"""

from __future__ import annotations

from privacy.kernel.features import UNIT, Feature, Scale

#: Calendar days from the day of a customer's first order to the as-of day; 1 for an order of the day before.
AGE = "first_order_age"
#: Calendar days from the first to the second order; 0 on the same day, MISSING where there is no second one.
WAIT = "second_order_wait"
#: Calendar days from the last order but one to the last one; MISSING where there is one order only.
GAP = "last_gap_days"

_WAITING = Scale(kind="log", high=365, missing=UNIT)

FEATURES = (
    Feature(
        name=AGE,
        column="recency",
        unit="days",
        en="days since first order",
        zh="距首单天数",
        scale=Scale(kind="linear", high=730),
    ),
    Feature(name=WAIT, column="orders", unit="days", en="days from first to second order", zh="首单至第二单天数",
            scale=_WAITING),
    Feature(name=GAP, column="orders", unit="days", en="days between the last two orders", zh="最近两单间隔天数",
            scale=_WAITING),
)  # fmt: skip
