"""A reserve that no attempt needed buys second answers: within the promise, decided by failures alone, combined well.

A second answer is a question of its own, by the same holders or not at all; where it fails, the first one stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import noise_harness
import numpy as np
import protocol_kit as kit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.accounting.events import epsilon_spent, squared_cap
from privacy.analyses.catalogue import NAMES
from privacy.errors import NotEnoughHolders
from privacy.ledger import Reserved
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.catalogue import CATALOGUE
from server.analyses.rfm.cut_points import QUINTILES
from server.analyses.rfm.plan import cut_points_statistic
from server.analyses.rfm.run import closer, first_look
from server.releases import Combined, Release, combined
from server.running.check import check_study
from server.running.reserve import LEAST, Reserve
from server.running.run import run_study
from simulations.attack.audit_cases import OPTIONS_OF
from simulations.worlds.kit import MemoryFederation

FIRST = ["cut points", "segments"]
BOTH = ["cut points", "cut points again", "segments", "segments again"]


def reserve_of(study: Study) -> Reserve:
    return Reserve.of(study)


def cap_of(study: Study) -> Fraction:
    return squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta))


# --- what they may cost ------------------------------------------------------------------------------------------


@st.composite
def studies(draw: st.DrawFn) -> Study:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    budget: dict[str, Any] = {"epsilon": draw(st.sampled_from(["0.1", "1", "8"]))}
    budget["spare_attempts"] = draw(st.integers(0, 3))
    if draw(st.booleans()):
        budget["split"] = {name: str(draw(st.integers(1, 9))) for name in names}
    return kit.small_study(
        analyses=names, budget=budget, **{name: OPTIONS_OF[name] for name in names if name in OPTIONS_OF}
    )


@given(studies(), st.data())
def test_whatever_fails_the_promise_holds_and_no_later_question_goes_short(study: Study, data: st.DataObject) -> None:
    """Failures within the spare attempts, and second answers that come, fail after the charge, or are not asked."""
    reserve, cap, spare = reserve_of(study), cap_of(study), study.budget.spare_attempts
    charged = Fraction(0)
    for key, price in reserve.prices.items():
        failed = data.draw(st.integers(0, spare))
        spare -= failed
        charged += price * (1 + failed)
        free = reserve.free(key, charged)
        assert free == 0 or free >= LEAST * price
        charged += free if data.draw(st.booleans()) else 0
        later = [reserve.prices[one] for one in reserve.later(key)]
        assert charged + sum(later, Fraction(0)) + spare * max(later, default=Fraction(0)) <= cap


@settings(max_examples=25, deadline=None)
@given(studies())
def test_a_study_in_which_nothing_fails_spends_what_it_promised(study: Study) -> None:
    reserve, cap = reserve_of(study), cap_of(study)
    spent = sum(reserve.prices.values(), Fraction(0)) + sum(reserve.undisturbed().values(), Fraction(0))
    assert spent == cap
    delta = float(study.budget.effective_delta)
    check = check_study(study, holders=3)
    assert check.questions[-1].total == epsilon_spent(cap, delta)
    assert all(
        one.total_with_retry is None or one.total_with_retry <= check.questions[-1].total for one in check.questions
    )
    assert bool(check.at_worst) == (study.budget.spare_attempts > 0)
    kept = study.model_copy(update={"budget": study.budget.model_copy(update={"reserve": "kept"})})
    assert not any(reserve_of(kept).undisturbed().values())
    assert check_study(kept, holders=3).at_worst == ()


def test_the_check_says_where_less_for_the_cut_points_would_do() -> None:
    """From size class, epsilon and k; and what it says is what a study with that share is told."""

    def segments(size: int, **options: str) -> tuple[float, str]:
        study = kit.small_study(budget={"size_class": size, "delta": "0.000001"}, rfm=options)
        (found,) = [one for one in check_study(study, holders=3).expectations if one.code == "records_margin"]
        return found.value, found.text

    text = segments(100_000)[1]
    less, halved = segments(100_000, cut_points_share="0.5")
    assert f"({less:,.0f} at cut_points_share = 0.5" in text
    assert "share" not in halved
    assert "share" not in segments(1_000)[1]


def test_a_study_of_before_has_the_digest_it_had() -> None:
    """How a reserve is used is no part of what 0.1 signed."""
    study = kit.small_study()
    assert "reserve" not in study.model_dump(mode="json")["budget"]
    assert kit.small_study(budget={"reserve": "again"}).digest == study.digest
    assert kit.small_study(budget={"reserve": "kept"}).digest != study.digest


# --- what they say -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_combined_answer_is_unbiased_and_as_exact_as_it_says(ratio: float) -> None:
    """Right scale accepted; those of the first answer alone, of a plain mean's claim and of half rejected."""
    rng, size, unit = np.random.default_rng(7), 25_000, 1e6
    exact = rng.integers(-(1 << 50), 1 << 50, size)
    answers = [exact + np.rint(rng.normal(0, unit * scale, size)).astype(np.int64) for scale in (1.0, ratio)]
    values, deviation = combined(answers[0], unit, answers[1], unit * ratio)
    assert deviation == pytest.approx((unit**-2 + (unit * ratio) ** -2) ** -0.5)
    noise = (values - exact).astype(np.float64)
    assert noise_harness.wrong_scale(noise, deviation) is None
    assert noise_harness.wrong_mean(noise, deviation) is None
    for wrong in (0.9, 1.1):
        assert noise_harness.wrong_scale(noise, wrong * deviation) is not None
    assert noise_harness.wrong_scale(noise, unit) is not None


def test_two_equal_answers_are_themselves_to_the_last_digit() -> None:
    """Sums are near 2^62, where a mean of floats would lose units."""
    values = np.array([(1 << 62) - 1, -(1 << 62) + 3, 0, 7], dtype=np.int64)
    np.testing.assert_array_equal(combined(values, 3.0, values, 5.0)[0], values)
    np.testing.assert_array_equal(combined(values, 0.0, values, 0.0)[0], values)


# --- through the protocol ----------------------------------------------------------------------------------------


class Cut(BaseException):
    """Ends a run as a kill would."""


class CutAt:
    """Progress that ends the run when a step begins."""

    def __init__(self, step: str) -> None:
        self._step = step

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        if name == self._step:
            raise Cut

    def reply(self, holder: str) -> None: ...

    def note(self, text: str) -> None: ...


def federation_at(root: Path, **changes: Any) -> MemoryFederation:
    options = {"policy": kit.lenient_policy(), "declared": 1, **changes}
    return MemoryFederation(root, {name: kit.table(200, seed) for seed, name in enumerate(kit.HOLDERS)}, **options)


def run(federation: MemoryFederation, hook: kit.Hook = kit.honest, **options: Any) -> StudyResult:
    carrier = kit.HookedTransport(federation, hook)
    return run_study(
        options.pop("study", kit.small_study()), folder=federation.folder, transport=carrier, pages=False, **options
    )


def charges(federation: MemoryFederation) -> list[Reserved]:
    return [fact for fact in federation.folder.ledger().facts() if isinstance(fact, Reserved)]


def titles(federation: MemoryFederation) -> list[str]:
    return [charge.title for charge in charges(federation)]


def within_the_promise(federation: MemoryFederation) -> bool:
    cap = cap_of(kit.small_study())
    ledgers = [federation.folder.ledger(), *(kit.holder_ledger(federation, name) for name in kit.HOLDERS)]
    return all(ledger.spent() <= cap for ledger in ledgers)


def silent_at(kind: str, number: int) -> kit.Hook:
    """Beta does not answer its n-th request of a kind."""

    def hook(holder: str, asked: str, count: int, request: bytes, forward: Callable[[bytes], bytes]) -> bytes | None:
        return None if (holder, asked, count) == ("beta", kind, number) else forward(request)

    return hook


def test_whether_and_at_what_price_depends_on_no_answer(tmp_path: Path) -> None:
    """Other customers, other noise: the same charges, to the last fraction."""
    found = []
    for number in range(2):
        tables = {name: kit.table(150 + 200 * number, 9 * number + seed) for seed, name in enumerate(kit.HOLDERS)}
        federation = MemoryFederation(tmp_path / str(number), tables, policy=kit.lenient_policy(), declared=1)
        result = run(federation)
        assert 0.999 < result.spending.epsilon_person <= 1
        found.append([(charge.title, charge.event, charge.holders) for charge in charges(federation)])
    assert found[0] == found[1]
    assert [title for title, _, _ in found[0]] == BOTH


def test_a_study_that_keeps_its_reserve_asks_everything_once(tmp_path: Path) -> None:
    federation = federation_at(tmp_path)
    result = run(federation, study=kit.small_study(budget={"reserve": "kept"}))
    assert titles(federation) == FIRST
    assert result.spending.epsilon_person < 0.8


def test_a_closer_question_takes_the_second_answers_place(tmp_path: Path) -> None:
    """It follows from the study and the first answer, costs what a second answer would, and narrows the cut points."""
    federation = federation_at(tmp_path)
    study = kit.small_study()
    result = run(federation)
    releases: dict[str, Release] = {release.title: release for release in federation.folder.books().releases.all()}
    question = closer(study, releases["cut points"])
    assert releases["cut points again"].statistic == question.digest
    charged = next(one for one in charges(federation) if one.title == "cut points again")
    planned = reserve_of(study).undisturbed()["rfm", "cut points"]
    assert float(charged.event.squared_mu(charged.records)) == pytest.approx(float(planned), rel=1e-4)
    first = first_look(study, releases["cut points"])
    assert result.rfm is not None
    days, _, money = result.rfm.distributions
    for narrowed, alone in ((days, first.recency), (money, first.money)):
        before = [alone.rank_margin(rank) for rank in QUINTILES]
        assert all(after < margin for after, margin in zip(narrowed.rank_margin, before, strict=True))


def test_two_answers_have_independent_noise_of_the_stated_scales(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an analysis that looks at nothing more closely, so that both answers are to one question."""
    monkeypatch.delitem(CATALOGUE["rfm"].closer, "cut points")  # type: ignore[arg-type]
    federation = federation_at(tmp_path)
    run(federation)
    statistic = cut_points_statistic(kit.small_study())
    releases: dict[str, Release] = {release.title: release for release in federation.folder.books().releases.all()}
    exact = sum(statistic.encode_sum(kit.table(200, seed)) for seed in range(3))
    first, second = releases["cut points"], releases["cut points again"]
    noises = [(release.array - exact) / release.deviation for release in (first, second)]
    both = Combined.of(first, second)
    for noise in (*noises, (both.array - exact) / both.deviation):
        assert noise_harness.wrong_scale(noise, 1.0) is None
    # 1,373 values: a correlation of independent ones passes six deviations with a chance of 2e-9.
    assert abs(float(np.corrcoef(*noises)[0, 1])) < 6 / math.sqrt(len(exact))
    with pytest.raises(ValueError, match="one question"):
        Combined.of(first, releases["segments"])
    with pytest.raises(ValueError, match="same holders"):
        Combined.of(first, second.model_copy(update={"holders": ("alpha", "gamma")}))


@pytest.mark.parametrize("number", [2, 4], ids=["cut points", "segments"])
def test_who_does_not_confirm_it_ends_the_second_answer_and_nothing_else(tmp_path: Path, number: int) -> None:
    """Nothing is charged, nobody is let go, and what was not spent is there for a later question."""
    federation = federation_at(tmp_path)
    result = run(federation, silent_at("ready", number))
    assert titles(federation) == [title for place, title in enumerate(BOTH, start=1) if place != number]
    assert (result.participants, result.missing) == (kit.HOLDERS, ())
    assert result.rfm is not None
    spent, cap = charges(federation), cap_of(kit.small_study())
    assert sum(charge.event.squared_mu(1) for charge in spent) > (0.999 if number == 2 else 0.8) * cap
    assert within_the_promise(federation)


@pytest.mark.parametrize("number", [2, 4], ids=["cut points", "segments"])
def test_a_second_answer_that_fails_stays_charged_and_the_first_stands(tmp_path: Path, number: int) -> None:
    federation = federation_at(tmp_path)
    result = run(federation, silent_at("answer", number))
    assert titles(federation) == BOTH
    assert [one.outcome for one in result.spending.questions].count("failed") == 1
    assert result.spending.questions[number - 1].outcome == "failed"
    assert (result.participants, result.missing) == (kit.HOLDERS, ())
    assert within_the_promise(federation)
    assert run(federation).rfm == result.rfm  # run again: from what is recorded, and nothing is asked
    assert titles(federation) == BOTH


def test_a_failed_first_answer_leaves_less_for_second_ones(tmp_path: Path) -> None:
    """Beta is lost in the cut points and comes back: their repetition is what the reserve was for."""
    federation = federation_at(tmp_path)
    run(federation, silent_at("answer", 1))
    assert titles(federation) == ["cut points", "cut points", "segments", "segments again"]
    price = {charge.title: charge.event.squared_mu(charge.records) for charge in charges(federation)}
    assert price["segments again"] <= 1.001 * reserve_of(kit.small_study()).undisturbed()["rfm", "segments"]
    assert within_the_promise(federation)


def test_what_is_kept_for_a_closer_look_is_taken_by_no_question_before_it() -> None:
    """Whichever analysis asks first; and the cut points' share is what they get where nothing else is asked."""
    alone = reserve_of(kit.small_study())
    cap = cap_of(kit.small_study())
    both = alone.prices["rfm", "cut points"] + alone.undisturbed()["rfm", "cut points"]
    assert float(both / cap) == pytest.approx(0.7)
    for names in (("rfm", "churn"), ("churn", "rfm")):
        reserve = reserve_of(kit.small_study(analyses=names, churn=OPTIONS_OF.get("churn", {})))
        assert reserve.undisturbed()["rfm", "cut points"] >= reserve.kept["rfm", "cut points"] > 0


@pytest.mark.parametrize(
    ("step", "charged"),
    [
        ("segments again: showing the plan", BOTH),
        ("segments again: asking", BOTH),
        ("cut points again: asking", ["cut points", "cut points again", "segments", "segments again"]),
    ],
)
def test_a_run_cut_off_in_a_second_answer_goes_on(tmp_path: Path, step: str, charged: list[str]) -> None:
    """Before the charge it is asked when the study goes on; after it, it is spent, and the first answer stands."""
    federation = federation_at(tmp_path)
    with pytest.raises(Cut):
        run(federation, progress=CutAt(step))
    result = run(federation)
    assert result.rfm is not None
    assert titles(federation) == charged
    assert within_the_promise(federation)
    failed = [one.question for one in result.spending.questions if one.outcome == "failed"]
    assert failed == ([] if step.endswith("plan") else [step.partition(":")[0]])


def test_a_question_that_others_rest_on_is_not_asked_again_later(tmp_path: Path) -> None:
    """Segments were measured at cut points of one answer. A second one would move these: paid twice."""
    federation = federation_at(tmp_path)
    with pytest.raises(Cut):
        run(federation, silent_at("ready", 2), progress=CutAt("segments again: showing the plan"))
    assert titles(federation) == FIRST
    run(federation)
    assert titles(federation) == [*FIRST, "segments again"]
    assert within_the_promise(federation)


def test_a_result_that_was_handed_out_is_not_improved_afterwards(tmp_path: Path) -> None:
    """What is there for the asking when it is run again stays unasked: two results of one study would differ."""
    federation = federation_at(tmp_path)
    first = run(federation, silent_at("ready", 4))
    assert titles(federation) == BOTH[:3]
    assert run(federation).rfm == first.rfm
    assert titles(federation) == BOTH[:3]


def test_run_again_without_a_holder_a_result_still_says_whose_records_are_in_it(tmp_path: Path) -> None:
    """Beta is silent in both second answers, so nobody asks it again; its records are in both first ones."""

    def hook(holder: str, asked: str, count: int, request: bytes, forward: Callable[[bytes], bytes]) -> bytes | None:
        return None if (holder, asked) == ("beta", "answer") and count in (2, 4) else forward(request)

    federation = federation_at(tmp_path)
    first = run(federation, hook)
    assert federation.folder.ledger().state.losses.suspended(kit.small_study().digest) == {"beta": "silent"}
    again = run(federation)
    assert again.rfm == first.rfm
    assert (again.participants, again.missing) == (first.participants, first.missing) == (kit.HOLDERS, ())


def test_a_study_that_a_cap_cannot_pay_to_the_end_is_not_begun(tmp_path: Path) -> None:
    """Epsilon 0.9 for life covers what is asked first, of which 0.75 is spent, and no second answers.

    A second answer to the cut points would take what the segments need; so such a study has to keep its reserve.
    """
    federation = federation_at(tmp_path, policy=kit.lenient_policy(epsilon="0.9"))
    with pytest.raises(NotEnoughHolders, match="alpha: budget; beta: budget; gamma: budget"):
        run(federation)
    assert titles(federation) == []
    result = run(federation, study=kit.small_study(budget={"reserve": "kept"}))
    assert titles(federation) == FIRST
    assert result.spending.epsilon_person <= 0.9
