"""Accounting: what releases cost, against golden vectors, two independent accountants and numerical integration.

The closed form of Gaussian differential privacy must agree with dp_accounting's privacy loss distributions to five
digits and with Opacus's PRV accountant to its stated error, and lie below Renyi accounting; its three functions are
each other's inverses; budgets are never rounded up; the ratio between the sampler's noise and a rounded Gaussian is
within what the events state, step by step and as a whole; the holders' caps protect a person at several holders
whatever is asked of whom; and a whole training, read from its ledgers, costs what all three accountants say.
"""

from __future__ import annotations

import importlib.util
import json
import math
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import churn_runs
import dp_accounting
import numpy as np
import protocol_kit as kit
import pytest
from contract_examples import MECHANISM_IDS, MECHANISM_VALUES, STATISTIC_IDS, STATISTIC_VALUES
from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from privacy.accounting.events import KAPPA_CAP, GaussianSum, epsilon_spent, squared_cap, total_squared_mu
from privacy.accounting.gdp import best_guess, delta_of, epsilon_of, mu_of, root, squared_budget
from privacy.ledger import Reserved
from privacy.mechanisms import SumMechanism
from privacy.statistics import GAMMA, Statistic
from server.running.spending import spending_of

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
    loss = pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=mu / 2000)
    numerical = loss.get_epsilon_for_delta(delta)
    accountant = RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(1 / mu))
    renyi = accountant.get_epsilon(delta)
    assert numerical == pytest.approx(exact, rel=1e-6)
    assert numerical < renyi < 1.25 * exact


def test_composition_agrees_with_loss_distributions() -> None:
    mus = [0.1, 0.3, 0.2, 0.25]
    composed = pld.from_gaussian_mechanism(1 / mus[0], value_discretization_interval=1e-4)
    for mu in mus[1:]:
        composed = composed.compose(pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=1e-4))
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
    assert delta_of(math.sqrt(budget), epsilon) <= delta
    assert epsilon_of(root(budget), delta) <= epsilon
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
    assert 6 * event.kappa * event.variance == 120 + Fraction(35, 100) * statistic.dim
    assert total_squared_mu([event] * 5, 3) == 5 * event.squared_mu(3)
    assert total_squared_mu([]) == 0


# --- from the rounded Gaussian to the discrete one ---------------------------------------------------------------
#
# mu describes p's neighbour q: p is the discrete Gaussian that the sampler draws, q a Gaussian rounded to integers.
# ``GaussianSum.kappa`` rests on four facts about one coordinate, each checked here by itself: the ratio is bounded from
# below (Jensen) and from above (sinh(a)/a <= exp(a^2/6)), large values are rare under both, and shares add up to p.

SCALES = [3, 5, 10, 31, 100, 1000]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)


def event_of(scale: int, dim: int = 1, *, norm: int = 1, shares: int = 1) -> GaussianSum:
    return GaussianSum(squared_norm=norm, gamma=1, dim=dim, share_scale=scale, protecting_shares=shares)


def log_ratio(x: np.ndarray, scale: float) -> np.ndarray:
    """log(q(x)/p(x)): the mean of exp(-xv/s^2 - v^2/2s^2) over one cell, times what p is normalised by.

    Summed through expm1, so that ratios that differ from 1 by 1e-8 are right to 1e-15.
    """
    v = _NODES / 2
    exponent = -np.outer(x, v) / scale**2 - v**2 / (2 * scale**2)
    tail = 2 * math.exp(-2 * math.pi**2 * scale**2)  # Poisson summation: sum exp(-k^2/2s^2) / (s sqrt(2 pi)) - 1
    return np.log1p(np.expm1(exponent) @ (_WEIGHTS / 2)) + tail


def reach(scale: float, dim: int = 1) -> float:
    """The norm within which the upper bound is used."""
    return 2 * scale * math.sqrt(120 + 0.35 * dim)


@pytest.mark.parametrize("scale", SCALES)
def test_the_ratio_of_rounded_to_discrete_noise_is_bounded_on_both_sides(scale: int) -> None:
    x = np.arange(math.ceil(reach(scale, dim=4096)) + 1, dtype=np.float64)  # the law is symmetric
    found = log_ratio(x, scale)
    lower = -1 / (24 * scale**2)
    upper = x**2 / (24 * scale**4)
    assert np.all(found >= lower - 1e-15)
    assert np.all(found <= upper + 1e-15)
    assert found[0] < 0.99 * lower, "the lower bound is met at zero"
    if scale >= 100:
        assert np.all(found >= 0.99 * upper + 1.01 * lower), "and the upper one is the leading term"


@pytest.mark.parametrize("scale", SCALES)
def test_the_ratio_agrees_with_the_definition(scale: int) -> None:
    """The same from distribution functions and direct normalisation, where these are exact enough to tell."""
    x = np.arange(6 * scale)
    rounded = special.ndtr((-x + 0.5) / scale) - special.ndtr((-x - 0.5) / scale)  # small on that side: exact
    assert np.allclose(np.log(rounded / _discrete_gaussian(scale, 40 * scale)[: 6 * scale]), log_ratio(x, scale),
                       rtol=0, atol=1e-11)  # fmt: skip


@pytest.mark.parametrize("scale", SCALES)
def test_kappa_covers_both_sides_of_the_ratio(scale: int) -> None:
    for dim in (1, 24, 1088, 65_536):
        kappa = float(event_of(scale, dim).kappa)
        largest = reach(scale, dim) ** 2 / (24 * scale**4)
        assert dim / (24 * scale**2) <= kappa
        assert largest == pytest.approx(kappa)


@pytest.mark.parametrize("scale", [5, 10, 31, 100, 1000])
def test_large_noise_is_rare_under_both_laws(scale: int) -> None:
    """Chernoff at 1/4: E exp(x^2/4s^2) <= e^0.35 a coordinate, so |x|^2 > 4 s^2 (120 + 0.35 dim) has e^-120."""
    x = np.arange(60 * scale, dtype=np.float64)
    log_p = -(x**2) / (2 * scale**2) - math.log(scale * math.sqrt(2 * math.pi))
    weight = np.where(x > 0, 2.0, 1.0)
    for law in (log_p, log_p + log_ratio(x, scale)):
        assert float(weight @ np.exp(law)) == pytest.approx(1, abs=1e-12)
        moment = math.log(float(weight @ np.exp(law + x**2 / (4 * scale**2))))
        assert 0.3465 < moment <= 0.35
    for dim in (1, 24, 1088):  # the continuous law, to see that the bound is no slip of the pen
        assert stats.chi2.logsf(4 * (120 + 0.35 * dim), dim) < -120


def _discrete_gaussian(scale: float, reach: int) -> np.ndarray:
    """Probabilities of 0, 1, 2, ... under the discrete Gaussian."""
    weights = np.exp(-0.5 * (np.arange(reach) / scale) ** 2)
    return weights / (2 * weights.sum() - weights[0])


@pytest.mark.parametrize("shares", [2, 3])
def test_a_sum_of_shares_is_one_discrete_gaussian(shares: int) -> None:
    """Every probability to 12 digits out to 12 deviations, at a scale of 3; the least allowed is 1,000."""
    scale, size = 3, 150
    half = _discrete_gaussian(scale, size + 1)
    one = np.concatenate([half[:0:-1], half])
    total = one
    for _ in range(shares - 1):
        total = np.convolve(total, one)  # all terms are positive: nothing cancels
    centre = len(total) // 2
    deviation = scale * math.sqrt(shares)
    direct = _discrete_gaussian(deviation, 400)
    near = math.ceil(12 * deviation)
    assert np.allclose(total[centre : centre + near], direct[:near], rtol=1e-12, atol=0)


def _hockey_stick(scale: int, shift: int, epsilon: float) -> float:
    """Delta of discrete Gaussian noise for neighbours that differ by ``shift``, summed over the integers."""
    k = np.arange(-60 * scale, 60 * scale + 1, dtype=np.float64)
    norm = math.log(scale * math.sqrt(2 * math.pi))
    one = -((k - shift) ** 2) / (2 * scale**2) - norm
    other = -(k**2) / (2 * scale**2) - norm + epsilon
    more = one > other
    return float((np.exp(one[more]) - np.exp(other[more])).sum())


@pytest.mark.parametrize(("scale", "shift"), [(5, 1), (10, 3), (31, 10), (100, 70)])
def test_discrete_noise_keeps_the_shifted_promise(scale: int, shift: int) -> None:
    """The statement itself: delta_discrete(epsilon + 2 kappa) <= e^kappa delta_Gauss(epsilon) + e^(epsilon - 120)."""
    kappa = float(event_of(scale).kappa)
    for epsilon in np.linspace(0, 6 * shift / scale, 40):
        allowed = math.exp(kappa) * delta_of(shift / scale, epsilon) + math.exp(epsilon + kappa - 120)
        assert _hockey_stick(scale, shift, epsilon + 2 * kappa) <= allowed * (1 + 1e-9)


def test_discrete_noise_is_not_exactly_gaussian() -> None:
    """Why there is a shift at all: without it coarse noise breaks the promise, here by a sixth."""
    worst = max(_hockey_stick(3, 3, e) / delta_of(1.0, e) for e in np.linspace(0.5, 6, 400))
    assert worst > 1.1
    fine = max(_hockey_stick(300, 300, e) / delta_of(1.0, e) for e in np.linspace(0.5, 6, 400))
    assert 1 < fine < 1.001


@given(epsilon=st.floats(0.01, 50), delta=st.floats(-18, -3).map(lambda power: 10**power))
@settings(max_examples=200, deadline=None)
def test_both_parts_stay_within_epsilon_and_delta(epsilon: float, delta: float) -> None:
    """At the cap, with the largest sum of kappa and a billion events (each has its own tail of e^-120)."""
    kappa = float(KAPPA_CAP)
    gaussian = delta_of(math.sqrt(squared_cap(epsilon, delta)), epsilon - 2 * kappa)
    assert math.exp(kappa) * gaussian + 1e9 * math.exp(epsilon - 120) <= delta


@given(epsilon=st.floats(0.01, 20), delta=deltas)
@settings(max_examples=100, deadline=None)
def test_epsilon_spent_is_the_inverse_of_the_cap(epsilon: float, delta: float) -> None:
    cap = squared_cap(epsilon, delta)
    assert epsilon_spent(cap, delta) == pytest.approx(epsilon, rel=1e-5)
    assert epsilon_spent(cap, delta) <= epsilon
    assert epsilon_spent(2 * cap, delta) > epsilon
    assert epsilon_spent(Fraction(0), delta) == 0


def test_a_larger_epsilon_leaves_room_for_more_releases() -> None:
    """The question for cut points at epsilon 1 and k = 1, as often as each cap allows: mu^2 decides, not kappa."""
    question = GaussianSum(squared_norm=GAMMA**2, gamma=GAMMA, dim=1088, share_scale=312_565_696, protecting_shares=2)
    assert epsilon_spent(question.squared_mu(), 1e-6) == pytest.approx(0.62, abs=0.01)

    def times(epsilon: float) -> int:
        by_mu = squared_cap(epsilon, 1e-6) // question.squared_mu()
        assert KAPPA_CAP // question.kappa > 1000 * by_mu
        return int(by_mu)

    counts = [times(epsilon) for epsilon in (1.0, 2.0, 4.0, 8.0, 12.0, 20.0, 50.0)]
    assert counts == sorted(counts)
    assert counts[3] > 90


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


# --- a whole training ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Optimal order:UserWarning")
@pytest.mark.parametrize("fields", [{}, {"placement": "central", "mechanism": "opacus"}], ids=["distributed", "opacus"])
@pytest.mark.parametrize(("epsilon", "family"), [("1", "logistic"), ("4", "network")])
def test_a_training_costs_what_all_accountants_say(
    tmp_path: Path, epsilon: str, family: str, fields: dict[str, str]
) -> None:
    """A real run through the protocol; the charges are read back from the coordinator's and from a holder's ledger.

    Closed form to dp_accounting's loss distributions: 0.1%. To Opacus' PRV accountant: 2%, or 0.01 where that is more,
    beyond the 0.01 that it adds to its estimate by its own account.
    """
    accountants = pytest.importorskip("opacus.accountants", reason="the second accountant comes with [train]")
    study = churn_runs.study_of(epsilon, churn={"model": family}, **fields)
    federation = churn_runs.federation_of(
        tmp_path, churn_runs.holders(1500), placements=("distributed", "central"), mechanisms=("integer", "opacus")
    )
    _, coordinator = churn_runs.analyse(federation, study)
    delta = float(study.budget.effective_delta)
    ledgers = (federation.folder.ledger(), kit.holder_ledger(federation, "beta"))
    charged = [[fact for fact in ledger.facts() if isinstance(fact, Reserved)] for ledger in ledgers]
    events = [[charge.event for charge in charges] for charges in charged]
    assert events[0] == events[1]
    assert len(events[0]) == (7 if family == "network" else 6)
    price = total_squared_mu(events[0])
    assert price == ledgers[0].spent() == ledgers[1].spent()

    exact = epsilon_of(root(price), delta)
    assert epsilon_spent(price, delta) == pytest.approx(exact, rel=2e-3)  # a hundredth of delta is set aside
    assert exact <= float(epsilon)

    mus = [root(event.squared_mu()) for event in events[0]]
    composed = pld.from_gaussian_mechanism(1 / mus[0], value_discretization_interval=1e-4)
    for mu in mus[1:]:
        composed = composed.compose(pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=1e-4))
    assert composed.get_epsilon_for_delta(delta) == pytest.approx(exact, rel=1e-3)

    accountant = accountants.PRVAccountant()
    accountant.history = [(1 / mu, 1.0, 1) for mu in mus]
    with np.errstate(divide="ignore"):
        upper = accountant.get_epsilon(delta, eps_error=0.01)
    assert abs(upper - 0.01 - exact) <= max(0.02 * exact, 0.01)
    spending = spending_of(study, ledgers[0], records=coordinator.records, holders=3)
    assert spending.epsilon_person == epsilon_spent(price, delta)
    if fields:
        assert spending.epsilon_opacus == pytest.approx(upper, abs=0.01)
