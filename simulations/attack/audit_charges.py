"""What is charged against what runs: real nodes answer real questions, and the sampler writes down what it is asked.

For every kind of statistic and every placement the standard deviation and the number of draws that were asked for must
be those of the charge in every ledger, as often as the charge says, and what was released must be the exact sum and
these very draws, to the last unit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

import clients.answering.node
import server.aggregation.adding
import server.aggregation.noise
from clients.answering.answers import Sampler, masked_answer, noise_share
from clients.answering.engines import encode_sum
from clients.answering.policy import HolderPolicy
from privacy.accounting.events import GaussianSum, squared_cap
from privacy.analyses.catalogue import BY_NAME, NAMES, analysis_of
from privacy.audit.empirical import Checked
from privacy.ledger import Ledger, Reserved
from privacy.mechanisms import PLACEMENTS, Placement, SumMechanism
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.study import Study
from privacy.protocol.transport import Transport
from privacy.statistics import Statistic
from privacy.statistics.base import IntArray
from server.releases import Release
from server.running.federation import Federation
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS, OPTIONS_OF, SUMS, table_of
from simulations.attack.replacing import Planting, replaced
from simulations.worlds.kit import MemoryFederation

WHAT = "noise as charged"


class Recorder:
    """A sampler that keeps what it was asked for and what it gave."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.drawn: list[IntArray] = []

    def __call__(self, scale: int, size: int) -> IntArray:
        """Draw, and write it down."""
        self.asked.append((scale, size))
        self.drawn.append(discrete_gaussian(scale, size))
        return self.drawn[-1]

    def forget(self) -> None:
        """Begin anew."""
        self.asked, self.drawn = [], []


def study_for(placement: Placement, name: str = "audit", holders: Sequence[str] = (), **budget: Any) -> Study:
    """A study that may ask every kind of question; holders look at the price of each, not at what it promises."""
    fixed = {"epsilon": "4", "delta": "0.000001", "max_holders_per_customer": 1, "size_class": 10_000}
    return Study.model_validate(
        {
            "name": name,
            "holders": tuple(holders),
            "as_of": "2025-01-01",
            "analyses": NAMES,
            "placement": placement,
            **OPTIONS_OF,
            "budget": fixed | {"reserve": "kept"} | budget,
        }
    )


def policy_for(lifetime: str = "50", **allow: Any) -> HolderPolicy:
    """A policy that allows it."""
    return HolderPolicy.model_validate(
        {
            "lifetime": {"epsilon": lifetime, "delta": "0.000001"},
            "allow": {
                "analyses": NAMES,
                "placements": PLACEMENTS,
                "figures": ("overall", "by_holder"),
                **allow,
            },
        }
    )


def coordinator_of(federation: MemoryFederation, study: Study, transport: Transport | None = None) -> Federation:
    """The coordinator of a study, whose holders have joined, over the federation's transport or another one."""
    found = Federation(
        study,
        federation.folder.books(),
        transport or federation.transport,
    )
    found.join()
    return found


def tables_of() -> dict[str, Any]:
    """A holder's tables of a few customers, by analysis."""
    return {name: table_of(name) for name in NAMES}


class Rehearsed:
    """Holders and a coordinator of one placement, over the real protocol, with noise that is written down."""

    def __init__(self, root: Path, placement: Placement) -> None:
        self.recorder = Recorder()
        self._federation = MemoryFederation(
            root,
            {holder: tables_of() for holder in HOLDERS},
            policy=policy_for(),
            declared=1,
            sampler=self.recorder,
        )
        study = study_for(placement)
        self._price = squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta)) / len(SUMS)
        self._study = study
        self._coordinator = coordinator_of(self._federation, study)

    def wrong(self, kind: str) -> str:
        """What is wrong with the noise of one question; empty for nothing."""
        contract = BY_NAME[analysis_of(kind)]
        # Holders answer no other question of an analysis whose questions follow from the study.
        declared = contract.questions(self._study.of(contract), self._study)
        statistic = next((one for one in declared if one.kind == kind), EXAMPLE_OF[kind].statistic)
        self.recorder.forget()
        with replaced(server.aggregation.noise, "discrete_gaussian", self.recorder):
            release = self._coordinator.ask(analysis_of(kind), kind, statistic, self._price)
        return _compared(release, statistic, self.recorder, list(self._charges(release)))

    def _charges(self, release: Release) -> Iterator[tuple[str, Reserved]]:
        """The charge of a release in every ledger, as it is on the disk."""
        yield "the coordinator", _charge(self._federation.folder.ledger(), release.core)
        for holder in HOLDERS:
            home = self._federation.root / "holders" / holder
            yield holder, _charge(Ledger(home / "state" / "ledger.sqlite"), release.core)


def _charge(ledger: Ledger, core: str) -> Reserved:
    return next(fact for fact in ledger.facts() if isinstance(fact, Reserved) and fact.core == core)


def _compared(
    release: Release, statistic: Statistic[Any], recorder: Recorder, charges: Sequence[tuple[str, Reserved]]
) -> str:
    for owner, charge in charges:
        event = charge.event
        if not isinstance(event, GaussianSum):
            return f"{owner} was charged for a training"
        shares = 1 if charge.placement == "central" else len(charge.holders)
        if recorder.asked != shares * [(event.share_scale, event.dim)]:
            return (
                f"{owner} was charged for {shares} x {event.dim} draws of scale {event.share_scale}, "
                f"and {recorder.asked} were asked for"
            )
    rows = EXAMPLE_OF[statistic.kind].crowd
    exact = sum(encode_sum(statistic, rows, holder=holder) for holder in release.holders)
    if not np.array_equal(np.array(release.values) - exact, sum(recorder.drawn)):
        return "what was released is not the exact sum and the noise that was drawn"
    return ""


# --- faults ------------------------------------------------------------------------------------------------------


@contextmanager
def another_scale_than_charged() -> Iterator[None]:
    """Whoever adds noise takes three quarters of the scale that is charged."""
    real: Callable[[SumMechanism, int], IntArray] = vars(server.aggregation.noise)["central_noise"]

    def less(mechanism: SumMechanism, size: int) -> IntArray:
        return real(mechanism.model_copy(update={"share_scale": mechanism.share_scale * 3 // 4}), size)

    scale = property(lambda self: 0 if self.placement == "central" else self.share_scale * 3 // 4)
    with (
        replaced(SumMechanism, "holder_scale", scale),
        replaced(server.aggregation.adding, "central_noise", less),
    ):
        yield


@contextmanager
def one_coordinate_without_noise() -> Iterator[None]:
    """Noise is drawn for all coordinates but the last."""

    def fewer(mechanism: SumMechanism, size: int, sampler: Sampler) -> IntArray:
        return np.append(noise_share(mechanism, size - 1, sampler), 0)

    with replaced(clients.answering.node, "noise_share", fewer):
        yield


@contextmanager
def noise_left_out() -> Iterator[None]:
    """Noise is drawn, and not added."""

    def bare(exact: IntArray, share: IntArray, **others: Any) -> bytes:
        return masked_answer(exact, np.zeros_like(share), **others)

    with replaced(clients.answering.node, "masked_answer", bare):
        yield


#: Fault to the placements where it can happen.
FAULTS: dict[str, tuple[Planting, tuple[Placement, ...]]] = {
    "another scale than charged": (another_scale_than_charged, PLACEMENTS),
    "one coordinate without noise": (one_coordinate_without_noise, ("distributed", "local")),
    "noise left out": (noise_left_out, ("distributed", "local")),
}


def checked_charges(
    kinds: Sequence[str] = SUMS, placements: Sequence[Placement] = PLACEMENTS, fault: str = ""
) -> Iterator[Checked]:
    """One finding for each kind of statistic and placement.

    Args:
        fault: what to plant; placements where it cannot happen are left out.
    """
    planting, possible = FAULTS[fault] if fault else (nullcontext, PLACEMENTS)
    for placement in placements:
        if placement in possible:
            with tempfile.TemporaryDirectory() as folder, planting():
                rehearsed = Rehearsed(Path(folder), placement)
                for kind in kinds:
                    yield Checked(what=WHAT, where=f"{kind}, {placement}", fault=fault, wrong=rehearsed.wrong(kind))
