"""What is left of a budget, and what can still be asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from privacy.accounting.events import epsilon_spent, squared_cap
from privacy.accounting.sampled import epsilon_with
from privacy.ledger import Ledger, LedgerState, Reserved
from privacy.ledger.state import DAY

#: Share of a cap, in mu^2, from which people are warned.
WARN_AT = Fraction(8, 10)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CapUse(_Value):
    """One cap and what of it is used, for one person.

    Attributes:
        name: ``life`` or ``period``.
        k: K, at how many holders the person is counted.
        epsilon, delta: the cap.
        spent: epsilon at that delta of what is charged.
        used: share of the cap that is used, in mu^2 (what adds up), 0 to 1 and above.
        remaining: epsilon of one study that would just fit, by itself.
        warn: whether 80% or more is used.
        until: the day on which the period ends and its cap is full again; None for ``life``.
    """

    name: str
    k: int
    epsilon: float
    delta: float
    spent: float
    used: float
    remaining: float
    warn: bool
    until: dt.date | None = None


class SlotsLeft(_Value):
    """Trainings on samples beside the lifetime cap.

    Attributes:
        free, of: how many are free, of how many that were ever stated or used.
        life: epsilon for one person, at the cap's delta, of all of them and a cap that is used to its end.
    """

    free: int
    of: int
    life: float


class BudgetPlan(_Value):
    """What can still be asked of a holder.

    Attributes:
        owner: whose ledger it is.
        k: K, at how many holders of the federation one of its customers is counted.
        caps: lifetime first.
        study_epsilon, study_delta, study_k: the study that was asked about, and at how many of its holders it counts
            one person; below K, a study takes (K / k)^2 times what it promises.
        fit_now: how many such studies fit into what is left now.
        fit_later: how many fit each later period, as long as the lifetime cap lasts; None without periods.
        fit_life: how many fit into what is left for life.
        after: epsilon for life, at the lifetime cap's delta, once ``fit_now`` of them were asked.
        periods: P, how many full periods the remaining lifetime budget lasts; None without periods.
        slots: trainings on samples beside the caps; None where none was ever stated.
    """

    owner: str
    k: int
    caps: tuple[CapUse, ...]
    study_epsilon: float
    study_delta: float
    study_k: int
    fit_now: int
    fit_later: int | None
    fit_life: int
    after: float
    periods: int | None
    slots: SlotsLeft | None = None


class PeriodLeft(_Value):
    """A period's cap: the share used, how many studies of epsilon 1 still fit, and the day when it is full again."""

    used: float
    fit: int
    until: dt.date


class BudgetLeft(_Value):
    """What people want to know of a holder's budget.

    Attributes:
        used: share of the lifetime cap that is used, in mu^2, 0 to 1 and above.
        fit_life: how many more studies of epsilon 1 fit for life, at the cap's delta.
        like_last: how many more fit at the price of the last run; None where there was none.
        period: of the period under way; None without periods.
        slots: trainings on samples; None where none was ever stated.
    """

    used: float
    fit_life: int
    like_last: int | None
    period: PeriodLeft | None
    slots: SlotsLeft | None = None


def use_of_caps(state: LedgerState, now: int, *, counted: int) -> tuple[CapUse, ...]:
    """What of each cap is used; empty for a coordinator, which has none.

    Args:
        state: of the ledger.
        now: seconds since 1970, UTC.
        counted: K.
    """
    opened = state.opened
    if opened is None or opened.epsilon is None or opened.delta is None:
        return ()
    caps = [_use("life", counted, float(opened.epsilon), float(opened.delta), state.total.at(counted).squared_mu)]
    if opened.period is not None:
        period = opened.period
        end = period.start + dt.timedelta(days=(period.index(now) + 1) * period.days)
        spent = state.of_period(period, now).at(counted).squared_mu
        caps.append(_use("period", counted, float(period.epsilon), float(period.delta), spent, until=end))
    return tuple(caps)


def _use(name: str, k: int, epsilon: float, delta: float, spent: Fraction, *, until: dt.date | None = None) -> CapUse:
    cap = squared_cap(epsilon, delta)
    return CapUse(
        name=name,
        k=k,
        epsilon=epsilon,
        delta=delta,
        spent=epsilon_spent(spent, delta),
        used=float(spent / cap),
        remaining=epsilon_spent(max(Fraction(0), cap - spent), delta),
        warn=spent >= WARN_AT * cap,
        until=until,
    )


def plan_budget(
    state: LedgerState, *, epsilon: float, delta: float, now: int, counted: int, study_k: int | None = None
) -> BudgetPlan:
    """How many studies of an epsilon can still be asked, now and later.

    A study costs what its own cap allows: (epsilon, delta) as mu^2, for a person at k of its holders; for one at K
    of the federation it is (K / k)^2 times that. That is what it may spend at most, retries included.

    Args:
        epsilon, delta: the study's.
        counted: K.
        study_k: the study's k; K if not given.
        now: seconds since 1970, UTC.

    Raises:
        ValueError: if the ledger states no cap.
    """
    opened = state.opened
    if opened is None or opened.epsilon is None or opened.delta is None:
        raise ValueError("this ledger states no lifetime cap")
    k = study_k or counted
    price = squared_cap(epsilon, delta) * Fraction(counted, k) ** 2
    spent = state.total.at(counted).squared_mu
    life = max(Fraction(0), squared_cap(float(opened.epsilon), float(opened.delta)) - spent)
    fit_life = int(life / price)
    fit_now, fit_later, periods = fit_life, None, None
    if opened.period is not None:
        full = squared_cap(float(opened.period.epsilon), float(opened.period.delta))
        left = max(Fraction(0), full - state.of_period(opened.period, now).at(counted).squared_mu)
        fit_now, fit_later = min(fit_life, int(left / price)), int(full / price)
        periods = int(life / full)
    return BudgetPlan(
        owner=opened.owner,
        k=counted,
        caps=use_of_caps(state, now, counted=counted),
        study_epsilon=epsilon,
        study_delta=delta,
        study_k=k,
        fit_now=fit_now,
        fit_later=fit_later,
        fit_life=fit_life,
        after=epsilon_spent(spent + fit_now * price, float(opened.delta)),
        periods=periods,
        slots=slots_left(state, counted=counted),
    )


def day_of(time: int) -> dt.date:
    """The day of a time in seconds since 1970, UTC."""
    return dt.date(1970, 1, 1) + dt.timedelta(days=time // DAY)


def budget_left(ledger: Ledger, now: int, *, holders: int = 0) -> BudgetLeft | None:
    """What is used of a ledger's caps, and how many more studies what is left is enough for.

    Args:
        ledger: a holder's; a coordinator's has no cap, and gives None.
        now: seconds since 1970, UTC.
        holders: of the federation, for a ledger that does not state K.
    """
    charges = [fact for fact in ledger.facts() if isinstance(fact, Reserved)]
    last = [one for one in charges if one.question.run == charges[-1].question.run]
    return left_of(ledger.state, last, now, counted=ledger.state.counted_on(holders))


def left_of(state: LedgerState, last: Sequence[Reserved], now: int, *, counted: int) -> BudgetLeft | None:
    """The same of a ledger's state.

    Used is in mu^2, which adds up; spent epsilons do not, and are no fraction of a cap.

    Args:
        last: the charges of its last run.
        counted: K.
    """
    if state.opened is None or state.opened.epsilon is None:
        return None
    plan = plan_budget(state, epsilon=1.0, delta=float(state.opened.delta or 0), now=now, counted=counted)
    life, *period = plan.caps
    price = sum((one.event.squared_mu(counted) for one in last), Fraction(0))
    left = squared_cap(life.epsilon, life.delta) - state.total.at(counted).squared_mu
    like_last = max(0, int(left / price)) if price else None
    slots = slots_left(state, counted=counted)
    if like_last is not None and slots is not None and any(one.event.fits for one in last):
        like_last = min(like_last, slots.free)
    of_period = None
    if period and period[0].until is not None:
        of_period = PeriodLeft(used=period[0].used, fit=plan.fit_now, until=period[0].until)
    return BudgetLeft(used=life.used, fit_life=plan.fit_life, like_last=like_last, period=of_period, slots=slots)


def slots_left(state: LedgerState, *, counted: int) -> SlotsLeft | None:
    """The trainings on samples that are left, for one person at ``counted`` holders, each with slots like these."""
    opened, slots = state.opened, state.slots.all
    if not slots or opened is None or opened.epsilon is None or opened.delta is None:
        return None
    delta = float(opened.delta)
    life = epsilon_with(squared_cap(float(opened.epsilon), delta), slots * counted, delta)
    return SlotsLeft(free=state.slots.free, of=len(slots), life=life)
