"""A churn model that each holder trains by itself: through the real protocol, and what may go wrong on the way.

Three holders in memory. Asserted: the run charges one slot a holder and the evaluation, within the study's epsilon, and
the bundles pass the audit; Opacus' engine takes the steps that plain arithmetic takes, with the product's noise and
samples and never torch's; without Opacus, without a slot, and where slots are used up nothing is charged and the
message says what to do; a training whose attempt failed is masked again, the same numbers, and costs nothing; a holder
that crashed in between does not train again under the same study.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit
import pytest
from churn_runs import HOLDERS, analyse, holders, population, study_of
from pydantic import ValidationError

from clients.analyses.catalogue import ENGINES
from clients.answering.engines import encode_sum
from privacy.accounting.sampled import MaskedAgain, SampledGaussian, epsilon_with
from privacy.analyses.churn.local_training import LocalTraining
from privacy.errors import BudgetError, CohortiumError, ConfigError, NotEnoughHolders
from privacy.ledger import Reserved
from privacy.ledger.entries import Slots
from privacy.models.scorers import PriorModel
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT, probability
from privacy.protocol.charging import study_cap
from privacy.protocol.study import Study
from server.analyses.churn.local import local_question
from server.running.check import check_study
from server.running.planning import plan
from server.running.spending import spending_of
from simulations.worlds.kit import MemoryFederation

torch = pytest.importorskip("torch")
pytest.importorskip("opacus")

CLASSES = dict.fromkeys(HOLDERS, 2000)


def study(epsilon: str = "1", *, holders: tuple[str, ...] = HOLDERS, **fields: Any) -> Study:
    budget = {"delta": "0.000001", "max_holders_per_customer": 1} | fields.pop("budget", {})
    options = {"model": "prior", "training": "local", "size_classes": dict.fromkeys(holders, 2000)}
    return study_of(epsilon, budget=budget, holders=holders, churn=options | fields.pop("churn", {}), **fields)


def federation(root: Path, *, count: int = 1, customers: int = 700, **allow: Any) -> MemoryFederation:
    slots = (Slots(rate=Decimal("0.1"), noise_multiplier=Decimal("3.93"), steps=60, count=count),) if count else ()
    policy = kit.lenient_policy(epsilon="50", analyses=("churn",), max_study_epsilon="20", **allow).model_copy(
        update={"slots": slots}
    )
    tables = {name: {"churn": table} for name, table in holders(customers).items()}
    return MemoryFederation(root, tables, policy=policy, declared=1)


def charges(made: MemoryFederation, holder: str) -> list[Reserved]:
    return [fact for fact in kit.holder_ledger(made, holder).facts() if isinstance(fact, Reserved)]


# --- a run -------------------------------------------------------------------------------------------------------


def test_a_run_takes_one_slot_of_each_and_keeps_its_promise(tmp_path: Path) -> None:
    made, asked = federation(tmp_path), study()
    found, coordinator = analyse(made, asked)
    assert isinstance(found.model, PriorModel)
    assert found.model.corrected
    assert found.quality.auc.value > 0.6
    spent = spending_of(asked, coordinator.books.ledger, records=1, holders=3)
    assert 0.9 < spent.epsilon_person <= 1
    assert [question.slot is not None for question in spent.questions] == [True, False]
    for holder in HOLDERS:
        training, evaluation = charges(made, holder)
        assert isinstance(training.event, SampledGaussian)
        assert (training.event.squared_mu(), training.assurance, training.placement) == (0, "integer", "local")
        assert evaluation.event.squared_mu() > 0
        state = kit.holder_ledger(made, holder).state
        assert (state.slots.free, state.slots.taken) == (0, 1)
        assert state.of_study(asked.digest).epsilon(1e-6) == pytest.approx(spent.epsilon_person)


def test_the_check_shows_the_slot_before_anything_is_asked() -> None:
    found = check_study(study(), holders=3)
    local, evaluation = found.questions
    assert (local.title, local.slot, evaluation.slot) == ("local training", study().slots[0], None)
    assert local.epsilon == pytest.approx(0.891, abs=0.002)
    assert evaluation.total < 1
    assert any("needs a free slot" in warning for warning in found.warnings)
    with pytest.raises(BudgetError) as error:
        plan(study("0.5"))
    assert 'noise_multiplier = "7.22"' in error.value.hint
    assert epsilon_with(study_cap(study()), study().fits, 1e-6) <= 1


# --- the training ------------------------------------------------------------------------------------------------


def question(**update: Any) -> LocalTraining:
    made = study()
    return local_question(made.churn, made.scaled(made.churn.features)).model_copy(update=update)


def _by_hand(statistic: LocalTraining, table: Any, rows: Callable[[int], np.ndarray], noise: np.ndarray) -> np.ndarray:
    weights, kept = np.zeros(statistic.dim), []
    for step in range(statistic.slot.steps):
        gradient = statistic.gradient
        z = gradient.view.apply(table.take(rows(step)), 0)
        units = np.trunc((z * weights).sum(axis=1) * LOGIT).astype(np.int64)
        sample = table.take(rows(step))
        residual = probability(gradient.start(sample, 0) + units) / PROBABILITY - sample.outcome[:, 0]
        vectors = z * residual[:, None]
        vectors *= np.minimum(1, 1 / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12))[:, None]
        total = np.trunc(vectors * 2**26).sum(axis=0) + noise[step]
        weights = weights - 2 * total / 2**26 / (0.1 * 2000)
        kept.append(weights)
    return np.mean(kept[len(kept) // 2 :], axis=0)


def test_opacus_takes_the_steps_of_plain_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    from clients.analyses.churn import local_training

    table, statistic, rng = population(400, 3), question(), np.random.default_rng(5)
    samples = [np.flatnonzero(rng.random(400) < 0.1) for _ in range(60)]
    samples[7] = np.zeros(0, dtype=np.int64)  # nobody is in it
    noise = rng.integers(-(2**28), 2**28, (60, statistic.dim))
    drawn, asked = iter(samples), []

    def stand_in(scale: int, size: int) -> np.ndarray:
        asked.append((scale, size))
        return noise[len(asked) - 1]

    monkeypatch.setattr(local_training, "discrete_gaussian", stand_in)
    monkeypatch.setattr(local_training.PoissonSamples, "draw", lambda self: next(drawn))
    before = torch.random.get_rng_state()
    found = local_training.train(statistic, table, holder="alpha")
    assert torch.equal(before, torch.random.get_rng_state()), "torch's generator is not used"
    assert set(asked) == {(statistic.slot.noise_scale, statistic.dim)}
    assert len(asked) == 60
    assert np.allclose(found, _by_hand(statistic, table, samples.__getitem__, noise), atol=2e-3)


def test_torchs_seed_decides_nothing_and_the_number_of_customers_divides_nothing() -> None:
    table, statistic = population(300, 4), question()
    answers = []
    for _ in range(2):
        torch.manual_seed(1)
        answers.append(encode_sum(statistic, table, holder="alpha"))
    assert not np.array_equal(*answers)
    assert statistic.expected_customers("alpha") == 200
    nobody = encode_sum(statistic, table.take(np.zeros(0, dtype=np.int64)), holder="alpha")
    assert np.abs(nobody).max() > 0, "an empty table answers with noise"


def test_shares_follow_declared_classes_and_who_took_part() -> None:
    statistic = question(size_classes={"alpha": 6000, "beta": 3000, "gamma": 1000})
    ones = {name: np.full(statistic.dim, value) for name, value in (("alpha", 1.0), ("beta", -1.0), ("gamma", 3.0))}
    total = sum(statistic.update(name, weights) for name, weights in ones.items())
    assert statistic.decode(total, tuple(ones)) == pytest.approx(0.6 - 0.3 + 0.3)
    two = statistic.update("alpha", ones["alpha"]) + statistic.update("gamma", ones["gamma"])
    assert statistic.decode(two, ("alpha", "gamma")) == pytest.approx((0.6 + 0.3) / 0.7)
    wild = statistic.update("alpha", np.array([np.inf, np.nan, -1e300] + [0.0] * (statistic.dim - 3)))
    assert np.abs(wild).max() <= 256 * WEIGHT * 1000


# --- what is refused ---------------------------------------------------------------------------------------------


def test_without_opacus_a_holder_refuses_before_anything_is_charged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = federation(tmp_path)
    missing = dataclasses.replace(ENGINES[LocalTraining], is_installed=lambda: False)
    monkeypatch.setitem(ENGINES, LocalTraining, missing)
    with caplog.at_level(logging.WARNING), pytest.raises(NotEnoughHolders, match="policy"):
        analyse(made, study())
    assert "train with Opacus, which is not installed" in caplog.text
    assert not any(charges(made, holder) for holder in HOLDERS)
    with pytest.raises(ConfigError, match="answered by a training"):
        encode_sum(question(), population(10, 1), holder="alpha")  # never the sum without noise


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_free_slot_nothing_is_charged(tmp_path: Path, count: int, caplog: pytest.LogCaptureFixture) -> None:
    made = federation(tmp_path, count=count)
    if count:
        analyse(made, study())
    before = {holder: len(charges(made, holder)) for holder in HOLDERS}
    with caplog.at_level(logging.WARNING), pytest.raises(NotEnoughHolders, match="budget" if count else "policy"):
        analyse(made, study(repeat=1))
    assert ("used one never comes back" if count else "has no slot") in caplog.text
    assert before == {holder: len(charges(made, holder)) for holder in HOLDERS}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"churn": {"size_classes": {}}}, "size_classes"),
        ({"churn": {"size_classes": {"alpha": 5}}}, "the same ones"),
        ({"churn": {"model": "network"}}, "goes with model"),
        ({"churn": {"training_days": 2}}, "training_days"),
        ({"budget": {"max_holders_per_customer": 2}}, "with a person at 2 holders"),
        ({"holders": ("a", "b", "c", "d", "e")}, "with 5 holders"),
        ({"analyses": ("rfm", "churn")}, "beside other analyses"),
    ],
)
def test_where_it_was_measured_to_be_worse_it_is_refused(options: dict[str, Any], words: str) -> None:
    fields = {"analyses": ("churn",)} | study().model_dump() | {"holders": options.get("holders", HOLDERS)}
    fields["churn"] |= {"size_classes": dict.fromkeys(fields["holders"], 2000)} | options.get("churn", {})
    fields["budget"] |= options.get("budget", {})
    fields |= {"analyses": options.get("analyses", ("churn",))}
    with pytest.raises(ValidationError, match=words):
        Study.model_validate(fields)
    if "measured" in words or words.startswith(("with", "beside")):
        fields["churn"] |= {"local_where": "anywhere"}
        Study.model_validate(fields)


# --- attempts that fail, and crashes -----------------------------------------------------------------------------


def test_a_training_is_masked_again_where_an_attempt_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, asked = federation(tmp_path, min_participants=2, min_hidden=1), study()
    trainings: list[str] = []
    engine = ENGINES[LocalTraining]

    def counted(statistic: Any, table: Any, holder: str) -> Any:
        trainings.append(holder)
        return engine.encode_sum(statistic, table, holder)

    monkeypatch.setitem(ENGINES, LocalTraining, dataclasses.replace(engine, encode_sum=counted))
    lost: list[str] = []

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Callable[[bytes], bytes]) -> bytes | None:
        if lost and holder == "gamma":
            return None
        reply = forward(request)
        if kind == "answer" and holder == "gamma":
            lost.append(holder)
            return None  # answered, and lost on the way
        return reply

    found, coordinator = analyse(made, asked, hook)
    assert trainings == list(HOLDERS), "nobody trains twice"
    for holder in ("alpha", "beta"):
        first, again, evaluation = charges(made, holder)
        assert isinstance(first.event, SampledGaussian)
        assert again.event == MaskedAgain(core=first.core)
        assert evaluation.event.squared_mu() > 0
        assert kit.holder_ledger(made, holder).state.slots.taken == 1
    assert len(charges(made, "gamma")) == 1
    assert spending_of(asked, coordinator.books.ledger, records=1, holders=3).epsilon_person <= 1
    assert found.quality.auc.value > 0.55


def test_a_holder_that_crashed_after_its_charge_does_not_train_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = federation(tmp_path, count=3), study()

    def crash(statistic: Any, table: Any, holder: str) -> Any:
        raise MemoryError

    with monkeypatch.context() as context:
        context.setitem(ENGINES, LocalTraining, dataclasses.replace(ENGINES[LocalTraining], encode_sum=crash))
        with pytest.raises(CohortiumError):
            analyse(made, asked)
    for holder in HOLDERS:
        made.nodes[holder] = made.start(holder)
        assert kit.holder_ledger(made, holder).state.slots.taken == 1, "charged before it trained"
    with pytest.raises(CohortiumError):
        analyse(made, asked)
    assert [len(charges(made, holder)) for holder in HOLDERS] == [1, 1, 1], "the study's budget has no second training"
    found, _ = analyse(made, study(repeat=1))
    assert found.quality.auc.value > 0.6
