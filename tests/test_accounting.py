"""Accounting: what releases cost, against golden vectors, two independent accountants and numerical integration.

The closed form of Gaussian differential privacy must agree with dp_accounting's privacy loss distributions to five
digits and with Opacus's PRV accountant to its stated error, and lie below Renyi accounting; its three functions are
each other's inverses; budgets are never rounded up; the distance between the sampler's noise and a rounded Gaussian is
what the events state; and the holders' caps protect a person at several holders whatever is asked of whom.
"""

from __future__ import annotations

import importlib.util
import json
import math
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import dp_accounting
import numpy as np
import pytest
from contract_examples import MECHANISM_IDS, MECHANISM_VALUES, STATISTIC_IDS, STATISTIC_VALUES
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from privacy.accounting.events import ETA_SHARE, GaussianSum, eta_cap, squared_cap, total_squared_mu
from privacy.accounting.gdp import best_guess, delta_of, epsilon_of, mu_of, root, squared_budget
from privacy.mechanisms import SumMechanism
from privacy.statistics import Statistic

GOLDEN = Path(__file__).parent / "golden"

#: Epsilon to mu at delta 1e-6.
PUBLISHED = {0.5: 0.1241, 1.0: 0.2367, 2.0: 0.4483, 4.0: 0.8379, 8.0: 1.5315}

epsilons = st.floats(0.01, 20)
deltas = st.floats(1e-12, 1e-3)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_accounting", GOLDEN / "make_accounting.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads((GOLDEN / "accounting.json").read_text(encoding="utf-8"))


def same(old: object, new: object, where: str = "") -> None:
    """Equal text and integers; numbers to nine digits; exact fractions to the budgets' grid."""
    if isinstance(old, dict):
        assert set(old) == set(new), where
        for key in old:
            same(old[key], new[key], f"{where}.{key}")
    elif isinstance(old, list):
        assert len(old) == len(new), where
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            same(a, b, f"{where}[{index}]")
    elif where.endswith(("squared_budget", "squared_cap")):
        assert abs(Fraction(old) - Fraction(new)) <= Fraction(2, 10**12), where
    elif isinstance(old, float):
        assert new == pytest.approx(old, rel=1e-6 if "pld" in where else 1e-9), where
    else:
        assert old == new, where


# --- golden vectors --------------------------------------------------------------------------------------------------


def test_the_golden_vectors_are_what_the_generator_makes(generator: ModuleType, golden: dict) -> None:
    made = json.loads(json.dumps(generator.make()))
    made.pop("made_with")
    recorded = {key: value for key, value in golden.items() if key != "made_with"}
    same(recorded, made)
    assert set(golden["made_with"]) == {"python", "dp_accounting", "scipy"}


def test_the_golden_vectors_agree_between_both_accountants(golden: dict) -> None:
    for pair in [*golden["pairs"], *golden["study"]["by_records"]]:
        assert pair["pld_epsilon"] == pytest.approx(pair["epsilon"], rel=golden["tolerance"])


@pytest.mark.parametrize(("epsilon", "mu"), PUBLISHED.items())
def test_published_pairs(epsilon: float, mu: float) -> None:
    assert mu_of(epsilon, 1e-6) == pytest.approx(mu, abs=5e-5)
    assert epsilon_of(mu, 1e-6) == pytest.approx(epsilon, abs=1e-3)


def test_a_year_of_monthly_studies_at_epsilon_1() -> None:
    assert epsilon_of(root(12 * squared_budget(1.0, 1e-6)), 1e-6) == pytest.approx(3.9, abs=0.05)


def test_one_person_at_several_holders_would_pay() -> None:
    mu = mu_of(1.0, 1e-6)
    assert [round(epsilon_of(k * mu, 1e-6), 2) for k in (2, 3, 4)] == [2.12, 3.32, 4.59]


# --- independent accountants -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [0.05, 0.2367, 0.8379, 1.5315, 3.0])
def test_exact_lies_below_loss_distributions_and_these_below_renyi(mu: float) -> None:
    delta = 1e-6
    exact = epsilon_of(mu, delta)
    numerical = pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=1e-4).get_epsilon_for_delta(delta)
    accountant = RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(1 / mu))
    renyi = accountant.get_epsilon(delta)
    assert exact * (1 - 1e-4) <= numerical <= exact * (1 + 1e-3) + 1e-4
    assert numerical < renyi < 1.25 * exact


def test_composition_agrees_with_loss_distributions() -> None:
    mus = [0.1, 0.3, 0.2, 0.25]
    composed = pld.from_gaussian_mechanism(1 / mus[0], value_discretization_interval=2e-5)
    for mu in mus[1:]:
        composed = composed.compose(pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=2e-5))
    ours = epsilon_of(math.sqrt(sum(mu * mu for mu in mus)), 1e-6)
    assert composed.get_epsilon_for_delta(1e-6) == pytest.approx(ours, rel=1e-3)


@pytest.mark.filterwarnings("ignore:Optimal order:UserWarning")
def test_opacus_agrees_to_its_error() -> None:
    accountants = pytest.importorskip("opacus.accountants", reason="the second accountant comes with [train]")
    for mu, steps in [(0.2367, 1), (0.4483, 1), (0.1, 12)]:
        accountant = accountants.PRVAccountant()
        accountant.history = [(1 / mu, 1.0, steps)]
        with np.errstate(divide="ignore"):
            upper = accountant.get_epsilon(1e-6, eps_error=0.01)
        exact = epsilon_of(mu * math.sqrt(steps), 1e-6)
        assert exact - 0.001 <= upper <= exact + 0.0205  # it reports its upper end: once the error above its estimate


@pytest.mark.parametrize(("mu", "epsilon"), [(0.2, 0.0), (0.2, 0.5), (1.0, 1.0), (3.0, 2.0)])
def test_delta_is_the_hockey_stick_integral(mu: float, epsilon: float) -> None:
    def excess(x: float) -> float:
        return max(stats.norm.pdf(x - mu) - math.exp(epsilon) * stats.norm.pdf(x), 0.0)

    start = epsilon / mu + mu / 2  # where the two densities cross
    value, _ = integrate.quad(excess, start, start + 40, epsabs=1e-14, limit=200)
    assert delta_of(mu, epsilon) == pytest.approx(value, rel=1e-8)


# --- the three functions ---------------------------------------------------------------------------------------


@given(epsilon=epsilons, delta=deltas)
@settings(max_examples=200, deadline=None)
def test_mu_epsilon_and_delta_are_inverse(epsilon: float, delta: float) -> None:
    mu = mu_of(epsilon, delta)
    assert mu > 0
    assert delta_of(mu, epsilon) <= delta
    assert delta_of(mu, epsilon) == pytest.approx(delta, rel=1e-6)
    assert epsilon_of(mu, delta) == pytest.approx(epsilon, rel=1e-5)
    assert delta_of(mu * (1 + 1e-6), epsilon) > delta


@given(mu=st.floats(1e-3, 6), more=st.floats(1.001, 2), epsilon=epsilons, delta=deltas)
@settings(max_examples=200, deadline=None)
def test_everything_is_monotone(mu: float, more: float, epsilon: float, delta: float) -> None:
    assert delta_of(mu, epsilon) <= delta_of(mu * more, epsilon)
    assert delta_of(mu, epsilon * more) <= delta_of(mu, epsilon)
    assert epsilon_of(mu, delta) <= epsilon_of(mu * more, delta)
    assert epsilon_of(mu, delta * more) <= epsilon_of(mu, delta)
    assert mu_of(epsilon, delta) <= mu_of(epsilon * more, delta)
    assert mu_of(epsilon, delta) <= mu_of(epsilon, delta * more)
    assert best_guess(mu) <= best_guess(mu * more)


@given(epsilon=epsilons, delta=deltas)
@settings(max_examples=200, deadline=None)
def test_budgets_are_never_rounded_up(epsilon: float, delta: float) -> None:
    budget = squared_budget(epsilon, delta)
    mu = mu_of(epsilon, delta)
    assert budget <= Fraction(mu) ** 2 * (1 + Fraction(1, 10**15))  # the square is rounded to a float once
    assert Fraction(mu) ** 2 - budget <= Fraction(2, 10**12)
    assert delta_of(math.sqrt(budget), epsilon) <= delta * (1 + 1e-9)
    assert epsilon_of(root(budget), delta) <= epsilon * (1 + 1e-9)
    assert squared_cap(epsilon, delta) <= budget


@given(squared=st.fractions(Fraction(1, 10**15), Fraction(100)).filter(bool))
@settings(max_examples=300, deadline=None)
def test_the_root_is_never_rounded_down(squared: Fraction) -> None:
    value = root(squared)
    assert Fraction(value) ** 2 >= squared
    assert Fraction(math.nextafter(math.nextafter(value, 0), 0)) ** 2 <= squared


def test_the_ends() -> None:
    assert delta_of(0.0, 1.0) == 0.0
    assert epsilon_of(0.0, 1e-6) == 0.0
    assert epsilon_of(1e-7, 1e-6) == 0.0  # delta alone covers it
    assert root(Fraction(0)) == 0.0
    assert best_guess(0.0) == 0.5
    assert 0 <= delta_of(0.001, 20.0) < 1e-300
    assert delta_of(50.0, 0.0) == pytest.approx(1.0)
    assert epsilon_of(40.0, 1e-6) == pytest.approx(800 + 40 * 4.75, rel=0.01)
    for call in (
        lambda: delta_of(-1.0, 1.0),
        lambda: delta_of(1.0, -1.0),
        lambda: epsilon_of(1.0, 0.0),
        lambda: epsilon_of(1.0, 1.0),
        lambda: mu_of(0.0, 1e-6),
        lambda: mu_of(1.0, 0.0),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("mu", [0.1, 0.5, 1.0, 2.0])
def test_best_guess_is_that_of_the_likelihood_ratio(mu: float) -> None:
    draws = np.random.default_rng(1).normal(0, 1, 400_000)
    right = np.mean(draws <= mu / 2) / 2 + np.mean(draws + mu > mu / 2) / 2
    assert best_guess(mu) == pytest.approx(right, abs=0.005)


# --- events --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", STATISTIC_VALUES, ids=STATISTIC_IDS)
@pytest.mark.parametrize("mechanism", MECHANISM_VALUES, ids=MECHANISM_IDS)
def test_every_event_is_priced_exactly(statistic: Statistic, mechanism: SumMechanism) -> None:
    event = mechanism.event(statistic.bound, statistic.dim)
    again = GaussianSum.parse(event.canonical())
    assert again == event
    for records in (1, 2, 7):
        price = again.squared_mu(records)
        assert isinstance(price, Fraction)
        assert price * event.variance == records**2 * statistic.bound.squared_norm
    assert event.eta * event.variance == Fraction(202, 10_000) * statistic.dim
    assert total_squared_mu([event] * 5, 3) == 5 * event.squared_mu(3)
    assert total_squared_mu([]) == 0


def _distance_to_rounded(pmf: np.ndarray, deviation: float) -> float:
    """Total variation between a symmetric law on the integers (from 0 up) and a rounded Gaussian."""
    x = np.arange(len(pmf))
    # On the far side of zero, where the distribution function is small, differences lose nothing.
    cells = special.ndtr((-x + 0.5) / deviation) - special.ndtr((-x - 0.5) / deviation)
    difference = np.abs(pmf - cells)
    return float(difference[0] / 2 + difference[1:].sum())


def _discrete_gaussian(scale: float, reach: int) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(reach) / scale) ** 2)
    return weights / (2 * weights.sum() - weights[0])


@pytest.mark.parametrize("scale", [1000, 1500, 4000, 10_000])
def test_eta_bounds_the_distance_between_discrete_and_rounded_noise(scale: int) -> None:
    distance = _distance_to_rounded(_discrete_gaussian(scale, 12 * scale), scale)
    stated = GaussianSum(squared_norm=1, gamma=1, dim=1, share_scale=scale, protecting_shares=1).eta
    assert 0.99 * float(stated) < distance <= float(stated)


def test_a_sum_of_shares_is_one_discrete_gaussian() -> None:
    scale, shares = 1000, 3
    reach = 16 * scale  # more than nine deviations of the sum
    half = _discrete_gaussian(scale, reach)
    whole = np.concatenate([half[:0:-1], half])
    size = 1 << 17
    spectrum = np.fft.rfft(whole, size) ** shares
    total = np.fft.irfft(spectrum, size)
    centre = shares * (len(half) - 1)
    direct = _discrete_gaussian(scale * math.sqrt(shares), reach)
    assert float(np.abs(total[centre : centre + len(direct)] - direct).sum()) < 1e-10
    stated = GaussianSum(squared_norm=1, gamma=1, dim=1, share_scale=scale, protecting_shares=shares).eta
    assert _distance_to_rounded(direct, scale * math.sqrt(shares)) <= float(stated)


@given(epsilon=st.floats(0.01, 8), delta=st.floats(1e-10, 1e-3))
@settings(max_examples=100, deadline=None)
def test_both_parts_of_delta_stay_within_delta(epsilon: float, delta: float) -> None:
    """delta = delta of the Gaussian at the cap + (1 + e^epsilon) times the discretisation's cap."""
    gaussian = delta_of(math.sqrt(squared_cap(epsilon, delta)), epsilon)
    discrete = (1 + math.exp(epsilon)) * eta_cap(epsilon, delta)
    assert discrete == pytest.approx(float(ETA_SHARE) * delta)
    assert gaussian + discrete <= delta * (1 + 1e-9)


@pytest.mark.xfail(
    strict=True,
    reason="eta_cap shrinks with e^-epsilon: a lifetime cap of 8 ends after 7 such questions, though mu^2 allows 101, "
    "and lets no study of epsilon 3 or more (k = 1) begin; under a cap of 12 nothing is answered at all",
)
def test_a_larger_epsilon_leaves_room_for_more_releases() -> None:
    """The question for cut points at epsilon 1 and k = 1, asked as often as each cap allows."""
    question = GaussianSum(squared_norm=1 << 40, gamma=1 << 20, dim=1088, share_scale=4_883_839, protecting_shares=2)

    def times(epsilon: float) -> int:
        by_mu = squared_cap(epsilon, 1e-6) // question.squared_mu()
        return min(int(by_mu), int(Fraction(eta_cap(epsilon, 1e-6)) // question.eta))

    counts = [times(epsilon) for epsilon in (1.0, 2.0, 4.0, 8.0, 12.0, 20.0)]
    assert counts == sorted(counts)


# --- one person at several holders -----------------------------------------------------------------------------------


def test_holder_caps_protect_a_person_at_up_to_k_holders() -> None:
    """20,000 random histories: whoever asked whom, a person at k holders never loses more than the holders' cap.

    Every holder charges ``(k mu)^2`` for each question it answered and stops at ``C^2``. A person with a record at each
    of the holders in S is moved by ``|S and participants| mu`` in each question; all together stay within ``C^2``
    (Minkowski). Random in holders, questions, prices, who takes part, and in which questions come too late.
    """
    rng = np.random.default_rng(12)
    cap = 1.0
    tightest = 0.0
    for _ in range(20_000):
        holders, questions = int(rng.integers(2, 6)), int(rng.integers(1, 9))
        k = int(rng.integers(1, holders + 1))
        mu = rng.exponential(0.4, questions) / k
        takes_part = rng.random((questions, holders)) < rng.uniform(0.3, 1.0)
        spent = np.zeros(holders)
        moved = np.zeros(questions)
        person = rng.permutation(holders)[:k]
        for q in range(questions):
            charge = (k * mu[q]) ** 2
            answers = takes_part[q] & (spent + charge <= cap)
            spent[answers] += charge
            moved[q] = answers[person].sum() * mu[q]
        lost = float(np.sum(moved**2))
        assert lost <= cap * (1 + 1e-12)
        tightest = max(tightest, lost)
    assert tightest > 0.95  # the bound is reached, nearly: a smaller charge would not do


def test_charging_less_than_k_squared_would_not_protect() -> None:
    """The check can fail: a person at three holders, each of which charges as if there were two records."""
    question = GaussianSum(squared_norm=1 << 40, gamma=1 << 20, dim=1, share_scale=1 << 22, protecting_shares=2)
    times = int(1 / question.squared_mu(2))  # as often as a cap of mu^2 = 1 allows with the wrong charge
    assert total_squared_mu([question] * times, records=2) <= 1
    assert total_squared_mu([question] * times, records=3) > 1
