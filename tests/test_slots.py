"""Slots for trainings on samples: what they cost together, by accountants of others, and that none comes back.

Epsilon with trainings is that of dp_accounting; Opacus' PRV accountant and a numerical integral say the same.
Whatever order trainings, sums, policies and recoveries come in, what a ledger lets through costs a person no more than
all slots with the cap used to its end, which was known before.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noun_examples import RESERVED, d

from privacy.accounting.events import GaussianSum, squared_cap
from privacy.accounting.gdp import best_guess
from privacy.accounting.sampled import (
    MaskedAgain,
    SampledGaussian,
    Slot,
    epsilon_with,
    guess_with,
    least_noise,
    squared_rest,
)
from privacy.audit.accountants import pld_epsilon
from privacy.audit.budget import slots_left
from privacy.errors import BudgetError, CohortiumError, ProtocolError
from privacy.ledger import Caps, LedgerState, Opened, Question, Recovered, Reserved
from privacy.ledger.entries import Slots
from privacy.mechanisms.samples import PoissonSamples

DELTA = 1e-6
CAP = (Decimal(2), Decimal("0.000001"))


def slot(rate: str = "0.1", noise: str = "3.93", steps: int = 60) -> Slot:
    return Slot(rate=Decimal(rate), noise_multiplier=Decimal(noise), steps=steps)


def stated(one: Slot, count: int) -> Slots:
    return Slots(**one.model_dump(), count=count)


def opened(*slots: Slots) -> Opened:
    return Opened(owner="alpha", role="holder", epsilon=CAP[0], delta=CAP[1], records=1, slots=slots)


def charge(number: int, event: object, *, study: str = "study", records: int = 1) -> Reserved:
    return RESERVED.model_copy(
        update={
            "question": Question(run=f"run-{number}", round=1, attempt=1),
            "core": d(f"core {number}"),
            "study_digest": d(study),
            "event": event,
            "records": records,
            "placement": "local" if not isinstance(event, GaussianSum) else "distributed",
        }
    )


def fit(one: Slot) -> SampledGaussian:
    return SampledGaussian(**one.model_dump(), dim=17)


def summed(part: Fraction) -> GaussianSum:
    """A sum that costs so much of the cap."""
    wanted = squared_cap(2.0, DELTA) * part
    return GaussianSum(
        squared_norm=1 << 52, gamma=1 << 26, dim=1, share_scale=math.ceil(math.sqrt((1 << 52) / wanted)),
        protecting_shares=1,
    )  # fmt: skip


# --- what they cost ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epsilon", "noise", "alone"), [(0.5, "7.22", 0.445), (1.0, "3.93", 0.893), (2.0, "2.24", 1.79), (4.0, "1.39", 3.6)]
)
def test_epsilon_is_that_of_independent_accountants(epsilon: float, noise: str, alone: float) -> None:
    opacus = pytest.importorskip("opacus.accountants")
    one, mu = slot(noise=noise), squared_cap(epsilon, DELTA) / 5
    assert epsilon_with(Fraction(0), (one,), DELTA) == pytest.approx(alone, rel=0.01)
    together = epsilon_with(mu, (one,), DELTA)
    assert together == pytest.approx(epsilon, rel=0.003)
    assert together == pytest.approx(pld_epsilon({mu: 1}, DELTA, (one,)), rel=0.01)
    accountant = opacus.PRVAccountant()
    accountant.history = [(float(noise), 0.1, 60), (1 / math.sqrt(mu), 1.0, 1)]
    with np.errstate(divide="ignore"):
        assert together == pytest.approx(accountant.get_epsilon(DELTA), rel=0.02)


def test_delta_of_one_step_is_what_draws_say() -> None:
    """Hockey-stick divergence of the mixture from the plain noise at one step, by numerical integration."""
    one = slot("0.2", "1", 1)
    epsilon = epsilon_with(Fraction(0), (one,), 1e-3)
    x = np.linspace(-12, 13, 2_000_001)
    plain = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    mixed = 0.8 * plain + 0.2 * np.exp(-((x - 1) ** 2) / 2) / math.sqrt(2 * math.pi)
    step = x[1] - x[0]
    delta = max(
        float(np.maximum(mixed - math.exp(epsilon) * plain, 0).sum() * step),
        float(np.maximum(plain - math.exp(epsilon) * mixed, 0).sum() * step),
    )
    assert delta == pytest.approx(1e-3, rel=0.05)


def test_nothing_changes_without_trainings() -> None:
    assert epsilon_with(squared_cap(1.0, DELTA), (), DELTA) <= 1
    assert guess_with(Fraction(1, 4), ()) == best_guess(math.nextafter(0.5, 1))
    assert guess_with(Fraction(1, 4), (slot(),)) > best_guess(0.5)
    assert squared_rest(0.5, (slot(),), DELTA) == 0, "the slot alone costs more"
    assert least_noise(1.0, slot(), DELTA, squared_mu=squared_cap(1.0, DELTA) / 5) == Decimal("3.93")
    assert epsilon_with(Fraction(101), (slot(),), DELTA) == math.inf


@given(st.integers(1, 100), st.integers(50, 500), st.integers(1, 80), st.integers(0, 40), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_a_fit_no_worse_than_a_slot_costs_no_more(rate: int, noise: int, steps: int, more: int, less: int) -> None:
    one = slot(str(Decimal(rate) / 100), str(Decimal(noise) / 100), steps)
    other = slot(
        str(max(Decimal(rate - less) / 100, Decimal("0.01"))), str(Decimal(noise + more) / 100), max(1, steps - more)
    )
    assert one.covers(other)
    assert epsilon_with(Fraction(1, 20), (other,), DELTA) <= epsilon_with(Fraction(1, 20), (one,), DELTA) + 1e-9


# --- the ledger --------------------------------------------------------------------------------------------------

SLOTS = (slot("0.1", "4", 60), slot("0.1", "8", 60), slot("0.02", "4", 30))
Step = tuple[str, int]


@given(st.lists(st.tuples(st.sampled_from(["train", "sum", "policy", "lost"]), st.integers(0, 5)), max_size=14))
@settings(max_examples=60, deadline=None)
def test_no_order_of_studies_passes_the_lifetime(steps: list[Step]) -> None:
    """What was let through fits into different slots of what was stated at any time, and sums keep their own cap."""
    state, taken = LedgerState(), []
    state.take(opened(stated(SLOTS[0], 2), stated(SLOTS[1], 1)))
    promise = (Decimal(20), Decimal("0.000001"))
    for number, (what, value) in enumerate(steps):
        if what == "policy":
            state.take(opened(*(stated(one, 1 + value % 3) for one in SLOTS[: value % 4])))
        elif what == "lost":
            state.take(
                Recovered(lost_from=9, lost_to=8, head=d("head"), witnesses=("beta",), bundles=(), spent="all", time=9)
            )
        else:
            wanted = SLOTS[value % 3]
            if value > 2:  # no worse than a slot, and not equal to it
                wanted = wanted.model_copy(update={"steps": wanted.steps - value})
            event = fit(wanted) if what == "train" else summed(Fraction(1, 3))
            one = charge(number, event, study=f"study {number}")
            free = state.slots.free
            try:
                state.admit(one, Caps(study=promise, lifetime=CAP, records=1))
            except BudgetError:
                continue
            state.take(one)
            if what == "train":
                taken.append(event)
                assert state.slots.free == free - 1, "a slot is used up"
    slots = state.slots.all
    assert len(taken) <= len(slots)
    few = [one.key for one in slots]
    for used in sorted(taken, key=lambda one: (one.noise_multiplier, -one.rate, -one.steps)):
        covering = [key for key in few if slot(str(key[0]), str(key[1]), key[2]).covers(used)]
        assert covering, "each training has a slot of its own"
        few.remove(max(covering, key=lambda key: (key[1], -key[0], -key[2])))
    assert state.total.squared_mu <= squared_cap(2.0, DELTA)


def test_all_slots_and_the_cap_bound_what_was_spent() -> None:
    state = LedgerState()
    state.take(opened(stated(slot(), 2)))
    life = slots_left(state, counted=1)
    assert life is not None
    assert (life.free, life.of) == (2, 2)
    for order in permutations(["train", "sum", "train"]):
        trial = LedgerState()
        trial.take(opened(stated(slot(), 2)))
        for number, what in enumerate(order):
            one = charge(number, fit(slot()) if what == "train" else summed(Fraction(1)), study=f"study {number}")
            trial.admit(one, Caps(study=(Decimal(20), CAP[1]), lifetime=CAP, records=1))
            trial.take(one)
        spent = epsilon_with(trial.total.squared_mu, (slot(), slot()), DELTA)
        assert spent <= life.life
        assert slots_left(trial, counted=1) == life.model_copy(update={"free": 0})
        with pytest.raises(BudgetError, match="used one never comes back"):
            trial.admit(charge(9, fit(slot()), study="further"), Caps(study=(Decimal(20), CAP[1]), lifetime=CAP))


def test_a_policy_with_fewer_slots_takes_nothing_back() -> None:
    state = LedgerState()
    state.take(opened(stated(slot(), 1)))
    state.take(charge(1, fit(slot())))
    state.take(opened())
    assert state.slots.all == (slot(),)
    state.take(opened(stated(slot(), 1)))
    assert state.slots.free == 0, "the same slot, stated again, stays used"
    state.take(opened(stated(slot(), 2)))
    assert state.slots.free == 1


def test_a_study_keeps_its_promise_with_its_training() -> None:
    state = LedgerState()
    state.take(opened(stated(slot(), 3)))
    caps = Caps(study=(Decimal(1), CAP[1]), lifetime=CAP, records=1)
    state.admit(charge(1, fit(slot())), caps)
    state.take(charge(1, fit(slot())))
    with pytest.raises(BudgetError, match="the study's budget"):
        state.admit(charge(2, fit(slot())), caps)
    rest = squared_rest(1.0, (slot(),), DELTA) / squared_cap(2.0, DELTA)
    state.admit(charge(3, summed(rest * Fraction(99, 100))), caps)
    with pytest.raises(BudgetError, match="the study's budget"):
        state.admit(charge(4, summed(rest * Fraction(11, 10))), caps)


def test_a_training_is_masked_again_for_nothing_and_only_itself() -> None:
    state = LedgerState()
    state.take(opened(stated(slot(), 1)))
    caps = Caps(study=(Decimal(1), CAP[1]), lifetime=CAP, records=1)
    state.take(first := charge(1, fit(slot())))
    once_more = charge(2, MaskedAgain(core=first.core))
    state.admit(once_more, caps)
    before = state.total
    state.take(once_more)
    assert (state.total, state.slots.all) == (before, (slot(),))
    for wrong in (
        charge(3, MaskedAgain(core=d("another"))),
        charge(3, MaskedAgain(core=first.core), study="another"),
        charge(3, MaskedAgain(core=first.core)).model_copy(update={"statistic_digest": d("another")}),
    ):
        with pytest.raises(ProtocolError, match="has not charged"):
            state.admit(wrong, caps)


def test_without_slots_no_training_is_charged() -> None:
    state = LedgerState()
    state.take(opened())
    with pytest.raises(CohortiumError) as error:
        state.admit(charge(1, fit(slot())), Caps(study=(Decimal(20), CAP[1]), lifetime=CAP, records=1))
    assert 'rate = "0.1", noise_multiplier = "3.93", steps = 60' in error.value.hint


# --- samples -----------------------------------------------------------------------------------------------------


def test_samples_take_each_customer_by_itself() -> None:
    samples = PoissonSamples(Decimal("0.1"), 20_000)
    first, second = samples.draw(), samples.draw()
    assert abs(len(first) - 2000) < 6 * math.sqrt(1800)
    assert abs(len(np.intersect1d(first, second)) - 200) < 6 * math.sqrt(200)
    assert len(PoissonSamples(Decimal(1), 7).draw()) == 7
    assert len(PoissonSamples(Decimal("0.1"), 0).draw()) == 0
