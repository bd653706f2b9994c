"""Checks of holders' own trainings and of the slots that they take, which mutants must fail too."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract_examples import STATISTICS, kind_of
from noun_examples import RESERVED, d

from privacy.accounting.sampled import MaskedAgain, SampledGaussian, Slot, epsilon_with
from privacy.analyses.churn.local_training import LocalTraining
from privacy.errors import BudgetError, ProtocolError
from privacy.kernel.features import FeatureTable
from privacy.ledger import Caps, LedgerState, Opened, Question, Reserved
from privacy.ledger.entries import Slots
from privacy.mechanisms.samples import PoissonSamples
from privacy.models.trained import WEIGHT
from privacy.statistics import GAMMA

ONE_STEP = Slot(rate=Decimal(1), noise_multiplier=Decimal(2), steps=1)


def one_step(statistic: LocalTraining) -> LocalTraining:
    """The same training of one step over all customers, from weights of about 1."""
    weights = tuple(WEIGHT * (-1) ** number for number in range(statistic.dim))
    gradient = statistic.gradient.model_copy(update={"weights": weights})
    return statistic.model_copy(update={"slot": ONE_STEP, "gradient": gradient})


def released_by(
    statistic: LocalTraining, table: FeatureTable, patch: pytest.MonkeyPatch
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The sum that one step really was made of, in integer units, with known noise; and what noise was asked for."""
    from clients.analyses.churn import local_training

    asked: list[tuple[int, int]] = []

    def known(scale: int, size: int) -> np.ndarray:
        asked.append((scale, size))
        return np.arange(size, dtype=np.int64)

    patch.setattr(local_training, "discrete_gaussian", known)
    moved = np.array(statistic.gradient.weights) / WEIGHT - local_training.train(statistic, table, holder="beta")
    unit = statistic.gradient.norm / 1000 / GAMMA
    return moved / (statistic.step / 1000) * float(statistic.expected_customers("beta")) / unit, asked


def check_a_training_step(_: Path, patch: pytest.MonkeyPatch) -> None:
    """Opacus' step is of the contract's integers, noise of the charge and the declared class; customers are bounded."""
    pytest.importorskip("opacus")
    for made in STATISTICS["local_training"]:
        assert isinstance(made, LocalTraining)
        statistic, of = one_step(made), kind_of(made)
        assert statistic.bound.squared_norm == GAMMA**2
        table = of.table([*of.rows_of(of.plausible(40, 3)), of.busy])
        found, asked = released_by(statistic, table, patch)
        assert asked == [(2 * GAMMA, statistic.dim)]
        truth = statistic.encode_rows(table).sum(axis=0) + np.arange(statistic.dim)
        assert np.abs(found - truth).max() < 0.1  # of a unit: weights are floats
        fewer, _ = released_by(statistic, table.take(np.arange(len(table) - 1)), patch)
        assert np.square(found - fewer).sum() <= GAMMA**2 * (1 + 1e-9)


def check_samples(_: Path, patch: pytest.MonkeyPatch) -> None:
    """Samples are new in each step, of no fixed size, and follow from no seed."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("opacus")
    from clients.analyses.churn.local_training import _Samples

    runs = []
    for _run in range(2):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002  what a mutant would draw from
        runs.append([tuple(rows) for rows in _Samples(PoissonSamples(Decimal("0.5"), 400), range(400), 30)])
    samples = [sample for run in runs for sample in run]
    assert len(samples) == len(set(samples)) == 60
    sizes = [len(sample) for sample in samples]
    assert len(set(sizes)) > 1
    assert abs(np.mean(sizes) - 200) < 7 * 10 / np.sqrt(60)


def _charge(number: int, event: Any) -> Reserved:
    question = Question(run=f"run-{number}", round=1, attempt=1)
    return RESERVED.model_copy(
        update={"question": question, "core": d(f"core {number}"), "event": event, "records": 1, "placement": "local"}
    )


def check_slots(_: Path, patch: pytest.MonkeyPatch) -> None:
    """A slot is for one training, no worse than it; a training counts in the study; only itself is masked again."""
    slot = Slot(rate=Decimal("0.1"), noise_multiplier=Decimal("3.93"), steps=60)
    cap = (Decimal(2), Decimal("0.000001"))
    state = LedgerState()
    state.take(
        Opened(
            owner="alpha", role="holder", epsilon=cap[0], delta=cap[1], records=1,
            slots=(Slots(**slot.model_dump(), count=1),),
        )
    )  # fmt: skip
    caps = Caps(study=(Decimal(1), cap[1]), lifetime=cap, records=1)
    for worse in ({"rate": Decimal("0.2")}, {"noise_multiplier": Decimal("3.92")}, {"steps": 61}):
        with pytest.raises(BudgetError, match="no slot is as large"):
            state.admit(_charge(0, SampledGaussian(**slot.model_dump() | worse, dim=17)), caps._replace(study=cap))
    charge = _charge(1, SampledGaussian(**slot.model_dump(), dim=17))
    state.admit(charge, caps)
    state.take(charge)
    spent = state.of_study(charge.study_digest).epsilon(1e-6)
    assert spent == epsilon_with(charge.event.squared_mu(), (slot,), 1e-6)
    assert 0.88 < spent < 0.9
    state.admit(_charge(2, MaskedAgain(core=charge.core)), caps)
    with pytest.raises(ProtocolError, match="has not charged"):
        state.admit(_charge(2, MaskedAgain(core=d("another"))), caps)
    with pytest.raises(BudgetError, match="never comes back"):
        state.admit(_charge(3, charge.event), caps._replace(study=(Decimal(20), cap[1])))
