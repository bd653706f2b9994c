"""The empirical audit: its statistics against slow obvious code, and the real release path under attack.

The short version of ``cohortium audit test``: every kind of statistic in every placement is attacked a little, one of
each placement enough to be refuted were half the noise missing, and every kind of planted fault is caught.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

import clients.answering.answers
import clients.answering.run_state
import server.aggregation.adding
import server.running.asking
from clients.answering.engines import encode_sum
from cohortium import app
from privacy.analyses.catalogue import CATALOGUE
from privacy.audit.empirical import (
    FALSE_ALARM,
    Audited,
    Checked,
    Guesses,
    Power,
    attack_result,
    epsilon_lower_bound,
    mu_lower_bound,
    probability_to_notice,
    upper_limit,
)
from privacy.errors import AuditError, ConfigError
from simulations.attack.audit_bytes import LINES, checked_bytes, faulty_bytes
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS, SUMS, case_of
from simulations.attack.audit_generators import FAULTS as GENERATOR_FAULTS
from simulations.attack.audit_generators import narrow, resumed
from simulations.attack.audit_series import FAULTS as SERIES_FAULTS
from simulations.attack.audit_series import SERIES, Series, SeriesFault
from simulations.attack.audit_trainings import Training, trainings_of
from simulations.attack.empirical_audit import CLAIMED_MU, Plan, Setting, audited, faulty, settings_of
from simulations.attack.planted_faults import FAULTS, Fault
from simulations.attack.release_path import ReleasePath

MU = float(CLAIMED_MU)

# --- the statistics ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "trials", "alpha"), [(0, 50, 0.05), (3, 50, 1e-8), (49, 50, 0.01), (400, 4000, 1e-9)]
)
def test_the_upper_limit_is_where_so_few_errors_have_probability_alpha(errors: int, trials: int, alpha: float) -> None:
    limit = upper_limit(errors, trials, alpha)
    assert stats.binom.cdf(errors, trials, limit) == pytest.approx(alpha, rel=1e-6)


def test_limits_at_the_ends() -> None:
    assert upper_limit(10, 10, 0.01) == 1.0
    for errors, trials, alpha in [(-1, 10, 0.1), (11, 10, 0.1), (0, 0, 0.1), (1, 10, 0.0), (1, 10, 1.0)]:
        with pytest.raises(ValueError):
            upper_limit(errors, trials, alpha)
    with pytest.raises(ValueError, match="more errors"):
        Guesses(false_positives=11, absent=10, false_negatives=0, present=10)


def test_bounds_that_show_nothing_are_zero_and_never_infinite() -> None:
    blind = Guesses(false_positives=500, absent=1000, false_negatives=500, present=1000)
    always = Guesses(false_positives=1000, absent=1000, false_negatives=0, present=1000)
    for guesses in (blind, always):
        assert mu_lower_bound(guesses, 1e-6) == 0.0
        assert epsilon_lower_bound(guesses, 1e-6, 1e-6) == 0.0
    perfect = Guesses(false_positives=0, absent=1000, false_negatives=0, present=1000)
    assert 4 < mu_lower_bound(perfect, 1e-6) < 6
    assert 4 < epsilon_lower_bound(perfect, 1e-6, 1e-6) < 5  # log of about 1000 / 14


def test_the_bound_on_mu_covers() -> None:
    """Simulated attackers against a true mu of 2.5, at alpha 0.05: too large in at most 5% of 4,000, seeded."""
    rng = np.random.default_rng(4)
    rate = stats.norm.sf(MU / 2)
    wrong = sum(
        mu_lower_bound(Guesses(false_positives=int(a), absent=300, false_negatives=int(b), present=300), 0.05) > MU
        for a, b in rng.binomial(300, rate, (4000, 2))
    )
    assert wrong / 4000 <= 0.05


def test_the_probability_to_notice_is_that_of_simulated_attackers() -> None:
    rng = np.random.default_rng(5)
    true, trials, alpha = MU * 1.3, 300, 1e-3
    guesses = [
        Guesses(false_positives=int(a), absent=trials, false_negatives=int(b), present=trials)
        for a, b in rng.binomial(trials, stats.norm.sf(true / 2), (3000, 2))
    ]
    noticed = np.mean([mu_lower_bound(made, alpha) > MU for made in guesses])
    exact = probability_to_notice(true, MU, trials, alpha)
    assert 0.1 < exact < 0.9
    assert noticed == pytest.approx(exact, abs=4 * math.sqrt(0.25 / 3000))


def test_the_power_of_a_run_and_its_false_alarms() -> None:
    power = Power.of(MU, 4000, attacks=110)
    assert power.half_variance > 1 - 1e-9
    assert 0 <= power.nine_tenths < power.three_quarters < power.half_variance
    assert probability_to_notice(MU, MU, 4000, power.alpha) < power.alpha
    assert power.alpha * 110 == pytest.approx(FALSE_ALARM) == power.false_alarm


# --- what is attacked is what answers in production ----------------------------------------------------------------


def test_the_path_is_made_of_the_functions_that_node_and_coordinator_call() -> None:
    path = ReleasePath()
    assert path.encode is encode_sum is clients.answering.run_state.encode_sum
    assert path.share is clients.answering.answers.noise_share is clients.answering.node.noise_share
    assert path.answer is clients.answering.answers.masked_answer is clients.answering.node.masked_answer
    assert path.add_up is server.aggregation.adding.released_sum is server.running.asking.released_sum
    default = clients.answering.node.HolderNode.__init__.__kwdefaults__["sampler"]
    assert all(path.sampler(holder) is default for holder in HOLDERS)


@pytest.mark.parametrize("kind", SUMS)
def test_every_kind_has_a_target_that_reaches_its_bound(kind: str) -> None:
    case = case_of(kind, lambda statistic, rows: encode_sum(statistic, rows, holder=HOLDERS[-1]))
    assert 0.99999 < case.reached <= 1


def test_every_kind_is_audited_in_every_placement() -> None:
    assert set(EXAMPLE_OF) == set(CATALOGUE)
    found = {(setting.kind, setting.placement) for setting in settings_of()}
    assert found == {(kind, placement) for kind in SUMS for placement in ("distributed", "local", "central")}
    with pytest.raises(ConfigError, match="no statistic means"):
        settings_of(("means",))


def test_every_fault_is_planted_wherever_it_can_happen() -> None:
    planted = faulty(settings_of())
    assert {setting.fault for setting in planted} == set(FAULTS)
    clipped = {setting.kind for setting in planted if setting.fault and setting.fault.name == "no clipping"}
    assert clipped == {
        "anchor_sums", "cell_sums", "day_values", "feature_moments", "feature_sums", "logistic_gradient",
        "leaf_sums", "network_gradient", "prior_gradient", "prior_moments", "segment_totals",
    }  # fmt: skip


# --- the short version ---------------------------------------------------------------------------------------------


def attacked(kind: str, placement: str, trials: int, fault: Fault | None = None) -> Audited:
    setting = Setting(kind=kind, placement=placement, fault=fault)
    return audited(setting, trials=trials, alpha=FALSE_ALARM / 40, on_release=lambda: None)


@pytest.mark.parametrize("setting", settings_of(), ids=str)
def test_correct_code_is_not_refuted(setting: Setting) -> None:
    """Too few releases to see much; that every kind goes through, and that the attack does find the customer."""
    result = audited(setting, trials=25, alpha=1e-8, on_release=lambda: None)
    assert result.verdict == "PASS"
    (coalition,) = (attack for attack in result.attacks if attack.attack == "coalition")
    # Each error rate is 0.106: 15 or more errors of 25 have probability 4e-9.
    assert coalition.guesses.false_positives < 15
    assert coalition.guesses.false_negatives < 15


#: Half of the variance is missed with probability 1e-7 with so many trials; see ``test_the_short_version_has_power``.
ENOUGH = 1200
FAULT_OF = {fault.name: fault for fault in FAULTS}


def test_the_short_version_has_power() -> None:
    assert probability_to_notice(MU * math.sqrt(2), MU, ENOUGH, FALSE_ALARM / 40) > 1 - 1e-6
    # What a doubled customer, a customer 1.7 times as long, or noise that is known do to mu.
    assert probability_to_notice(MU * 1.7, MU, 600, FALSE_ALARM / 40) > 1 - 1e-7


@pytest.mark.slow
def test_an_attacker_measures_nearly_what_is_claimed() -> None:
    result = attacked("prefix_sums", "distributed", ENOUGH)
    # Expected bound: 2.03 with a standard deviation of 0.06.
    assert 1.6 < result.attacks[0].mu < result.claimed_mu == pytest.approx(MU, rel=1e-6)
    assert result.verdict == "PASS"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "placement", "trials"),
    [
        ("half the variance", "prefix_sums", "central", ENOUGH),
        ("divided by m, not m - t", "prefix_sums", "distributed", ENOUGH),
        ("a share is missing", "prefix_sums", "distributed", ENOUGH),
        ("a share is missing", "prefix_sums", "local", 250),
        ("a customer counts twice", "grid_counts", "central", 600),
        ("no clipping", "logistic_gradient", "central", 600),
        ("no clipping", "segment_totals", "central", 600),
        ("a fixed seed", "prefix_sums", "distributed", 250),
        ("a fixed seed", "prefix_sums", "central", 250),
        ("one seed for all holders", "prefix_sums", "local", 250),
    ],
)
def test_a_planted_fault_is_caught(name: str, kind: str, placement: str, trials: int) -> None:
    result = attacked(kind, placement, trials, FAULT_OF[name])
    assert result.refuted
    assert result.attacks[0].mu > result.claimed_mu
    assert result.verdict == "PASS"


# --- several releases about one person -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERIES)
def test_a_person_at_all_holders_loses_no_more_than_the_cap_over_all_studies(kind: str) -> None:
    """Real nodes were asked for as much as they take. The score is the best there is: its deviation is 1 / mu."""
    rehearsed = Series(kind=kind).rehearsal()
    assert rehearsed.lost <= rehearsed.mu * (1 + 1e-6)
    none = np.zeros(0, dtype=np.int64)
    for present in (False, True):
        errors = [rehearsed.scores(present, none)[0]["coalition"] - present for _ in range(60)]
        low, high = stats.chi2.ppf([1e-9, 1 - 1e-9], len(errors))
        assert low < sum(error**2 for error in errors) * rehearsed.lost**2 < high


@pytest.mark.parametrize("fault", SERIES_FAULTS, ids=lambda fault: fault.name)
def test_a_cap_that_is_added_up_wrongly_costs_half_of_the_noise(fault: SeriesFault) -> None:
    """An attacker notices that for certain: ``test_the_short_version_has_power``."""
    rehearsed = Series(kind=fault.series, fault=fault).rehearsal()
    assert rehearsed.lost > 0.999 * math.sqrt(2) * rehearsed.mu


# --- a holder's own training -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("setting", trainings_of(faults=True), ids=str)
def test_a_training_is_not_refuted_and_its_faults_are(setting: Training) -> None:
    """Half of the variance is missed with 2e-10 in so many trials, a doubled mu with 1e-11."""
    half = setting.fault is not None and setting.fault.name == "half the variance"
    result = audited(setting, trials=1600 if half else 400, alpha=FALSE_ALARM / 40, on_release=lambda: None)
    assert result.reached > 0.99999
    assert result.verdict == "PASS"


# --- what needs no guessing ------------------------------------------------------------------------------------------

# Real nodes' noise against charges: trust/test_charged_is_what_ran.py. Two attempts: trust/test_noise_of_attempts.py.


def test_noise_is_not_narrow_and_not_kept() -> None:
    assert narrow() == ""
    assert resumed() == ""


def test_a_narrow_seed_and_a_stream_that_is_kept_are_caught() -> None:
    for fault in ("a seed of 32 bits", "a stream that is kept"):
        _, check, planting = GENERATOR_FAULTS[fault]
        with planting():
            assert check(), fault


def test_one_customers_lines_move_a_sum_within_the_bound() -> None:
    found = list(checked_bytes())
    assert [f"{item.where}: {item.wrong}" for item in found if item.wrong] == []
    assert {item.where for item in found} == set(LINES)


def test_readers_that_let_lines_reach_others_are_caught() -> None:
    found = list(faulty_bytes())
    assert [item.fault for item in found if item.verdict == "PASS"] == ["quotes over lines", "errors ignored"]


@pytest.mark.parametrize(
    ("wrong", "fault", "verdict"),
    [("", "", "PASS"), ("it does", "", "FAIL"), ("", "planted", "FAIL"), ("it does", "planted", "PASS")],
)
def test_a_verdict_without_guessing(wrong: str, fault: str, verdict: str) -> None:
    assert Checked(what="noise", where="here", fault=fault, wrong=wrong).verdict == verdict


# --- the report and the command --------------------------------------------------------------------------------------


def _result(mu: float, fault: str = "") -> Audited:
    right = Guesses(false_positives=0, absent=5, false_negatives=0, present=5)
    attack = attack_result("coalition", right, 0.1).model_copy(update={"mu": mu})
    return Audited(
        statistic="prefix_sums", placement="local", fault=fault, reached=1.0,
        claimed_mu=2.5, claimed_epsilon=15.0, attacks=(attack,), seconds=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("result", "verdict"),
    [(_result(2.4), "PASS"), (_result(2.6), "FAIL"), (_result(2.4, "x"), "FAIL"), (_result(2.6, "x"), "PASS")],
)
def test_a_verdict(result: Audited, verdict: str) -> None:
    assert result.verdict == verdict


def test_the_command_says_what_it_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulations.attack.empirical_audit.QUICK_TRIALS", 30)
    ask = ["audit", "test", "--quick", "--statistic", "grid_counts", "--placement", "distributed"]
    shown = CliRunner().invoke(app, [*ask, "--quiet"])
    assert shown.exit_code == 0, shown.output
    assert "Would notice half of the variance with probability" in shown.output
    assert "accuses correct code" in shown.output
    assert "PASS" in shown.output
    assert "noise as charged" in shown.output


def test_the_command_ends_with_a_code_when_a_claim_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "run", lambda self, on_release: iter([_result(2.6)]))
    ask = ["audit", "test", "--statistic", "prefix_sums", "--placement", "local"]
    shown = CliRunner().invoke(app, [*ask, "--quiet"])
    assert shown.exit_code == AuditError.exit_code == 12
    assert "FAIL" in shown.output
    assert '"passed": false' in CliRunner().invoke(app, [*ask, "--json"]).output
