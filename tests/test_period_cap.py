"""The cap of a period: full again when a period begins, and never by a clock that is put back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_charges import CAPS, CHARGE, ONE, OPENED, PER_STUDY, charge

from privacy.accounting.events import squared_cap
from privacy.errors import BudgetError
from privacy.ledger import Caps, Ledger, PeriodCap, Reserved

PERIOD = PeriodCap(epsilon=ONE[0], delta=ONE[1], days=90, start=dt.date(2026, 1, 1))
#: Room for many studies in a life, so that the period is what ends it.
CAPPED = Caps(study=ONE, lifetime=(Decimal(8), Decimal("0.000001")), period=PERIOD)
DAY = 86_400


def at(day: dt.date, number: int, study: str) -> Reserved:
    seconds = int(dt.datetime.combine(day, dt.time(12), dt.UTC).timestamp())
    return charge(number, study=study).model_copy(update={"time": seconds})


def fill(ledger: Ledger, day: dt.date, name: str) -> None:
    for number in range(1, PER_STUDY + 1):
        ledger.reserve(at(day, number, name), CAPPED)


def test_a_period_that_is_used_up_refuses_further_studies_until_the_next_one(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger.sqlite", OPENED)
    fill(ledger, dt.date(2026, 2, 1), "first")
    with pytest.raises(BudgetError, match="the budget of this period does not suffice"):
        ledger.reserve(at(dt.date(2026, 3, 31), 1, "second"), CAPPED)
    fill(ledger, dt.date(2026, 4, 1), "second")  # the 91st day


def test_a_clock_put_back_does_not_fill_the_cap_again(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger.sqlite", OPENED)
    fill(ledger, dt.date(2026, 4, 1), "first")
    with pytest.raises(BudgetError, match="period"):
        ledger.reserve(at(dt.date(2025, 12, 1), 1, "second"), CAPPED)


def test_periods_used_to_the_end_add_up_to_the_root_of_their_number(tmp_path: Path) -> None:
    """Four quarters at epsilon 1 are at most twice a quarter's mu; the lifetime cap holds over all of them."""
    ledger = Ledger.create(tmp_path / "ledger.sqlite", OPENED)
    for quarter in range(4):
        fill(ledger, PERIOD.start + dt.timedelta(days=90 * quarter), f"quarter-{quarter}")
    assert ledger.spent() <= 4 * squared_cap(float(ONE[0]), float(ONE[1]))
    narrow = CAPPED._replace(lifetime=CAPS.lifetime)
    with pytest.raises(BudgetError, match="the lifetime cap"):
        ledger.reserve(at(PERIOD.start + dt.timedelta(days=360), 1, "later"), narrow)


@given(st.integers(-(10**10), 10**10), st.integers(1, 3660))
def test_every_time_lies_in_exactly_one_period(time: int, days: int) -> None:
    period = PERIOD.model_copy(update={"days": days})
    begin = int(dt.datetime.combine(period.start, dt.time(), dt.UTC).timestamp())
    index = period.index(time)
    assert begin + index * days * DAY <= time < begin + (index + 1) * days * DAY


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=12))
def test_whatever_the_clock_says_no_period_is_passed(tmp_path_factory: pytest.TempPathFactory, days: list[int]) -> None:
    ledger = Ledger.create(tmp_path_factory.mktemp("ledger") / "ledger.sqlite", OPENED)
    kept: list[Reserved] = []
    for number, offset in enumerate(days):
        wanted = at(PERIOD.start + dt.timedelta(days=offset), 1, f"study-{number}")
        try:
            ledger.reserve(wanted, CAPPED)
        except BudgetError:
            continue
        kept.append(wanted)
    cap = squared_cap(float(ONE[0]), float(ONE[1]))
    fallen = list(accumulate((PERIOD.index(item.time) for item in kept), max))
    for index in set(fallen):
        assert fallen.count(index) * CHARGE.squared_mu(1) <= cap
