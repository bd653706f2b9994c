"""Whether noise could be tried through or come twice: in the next attempt, in a process's twin, under narrow seeds."""

from __future__ import annotations

import base64
import math
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

import server.aggregation.noise
from clients.answering.answers import noise_share
from clients.answering.node import HolderNode
from privacy.accounting.events import squared_cap
from privacy.analyses.catalogue import CATALOGUE, analysis_of
from privacy.audit.empirical import Checked
from privacy.mechanisms import SumMechanism
from privacy.protocol.envelopes import Reply
from privacy.secure_sum.masks import UintArray, from_bytes, unmask
from privacy.statistics.base import IntArray
from privacy.statistics.examples import HOLDERS, columns_of
from simulations.attack.audit_charges import coordinator_of, policy_for, study_for
from simulations.attack.noise_generators import narrow_entropy, twins
from simulations.attack.replacing import Planting, replaced
from simulations.worlds.inprocess import InProcessTransport
from simulations.worlds.kit import MemoryFederation

WHAT = "noise is new each time"

#: Coordinates of the question that is asked twice. Noise of both attempts is independent: their correlation has
#: deviation 1/sqrt(n), and 7 of it happen by chance with 3e-12. The same noise again correlates by sqrt(3/4).
_WIDE = 2048
_KIND = "prefix_sums"
_CORRELATED = 7 / math.sqrt(_WIDE)


class Dropping(InProcessTransport):
    """Loses one holder's first answer and all that it says later; keeps all answers, as whoever carries them could."""

    def __init__(self, federation: MemoryFederation, holder: str) -> None:
        super().__init__({name: node.handle for name, node in federation.nodes.items()})
        self.answers: list[UintArray] = []
        self._holder = holder
        self._lost = False

    def exchange(
        self, requests: Mapping[str, bytes], *, timeout: float, on_reply: Callable[[str], None] | None = None
    ) -> dict[str, bytes]:
        """Carry requests to all, and replies but for that holder's from its first answer on."""
        replies = super().exchange(requests, timeout=timeout, on_reply=on_reply)
        vectors = {holder: base64.b64decode(Reply.parse(reply).vector) for holder, reply in replies.items()}
        answered = [from_bytes(data, len(data) // 8) for data in vectors.values() if data]
        self.answers += answered
        self._lost = self._lost or bool(answered)
        if self._lost:
            replies.pop(self._holder, None)
        return replies


def attempts() -> str:
    """A holder's answer is lost, and the rest ask each other again: is the noise of both attempts alike?"""
    wide = {"fact": "recency_days", "upper": range(_WIDE - 1), "permille": 1000}
    statistic = CATALOGUE[_KIND].model_validate({"grids": [wide]})
    study = study_for("distributed")
    with tempfile.TemporaryDirectory() as folder:
        tables = {holder: {analysis_of(_KIND): columns_of([])} for holder in HOLDERS}
        federation = MemoryFederation(Path(folder), tables, policy=policy_for(), declared=1)
        transport = Dropping(federation, HOLDERS[-1])
        price = squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta)) / 4
        release = coordinator_of(federation, study, transport).ask(analysis_of(_KIND), "again", statistic, price)
    first = unmask(transport.answers[: len(HOLDERS)])
    alike = abs(float(np.corrcoef(first, np.array(release.values))[0, 1]))
    return f"noise of two attempts correlates by {alike:.2f}" if alike > _CORRELATED else ""


def narrow() -> str:
    """Under system randomness that agrees in 32 bits from draw to draw: does anybody draw the same noise again?"""
    sampler = (HolderNode.__init__.__kwdefaults__ or {})["sampler"]

    def of_a_holder() -> IntArray:
        return noise_share(_mechanism("distributed"), 16, sampler)

    def of_the_coordinator() -> IntArray:
        return server.aggregation.noise.central_noise(_mechanism("central"), 16)

    for whose, draw in (("a holder", of_a_holder), ("the coordinator", of_the_coordinator)):
        with narrow_entropy():
            if np.array_equal(draw(), draw()):
                return f"noise of {whose} follows from 32 bits"
    return ""


def _mechanism(placement: Any) -> SumMechanism:
    return SumMechanism(placement=placement, holders=4, colluding=2, share_scale=1 << 30)


def resumed(make: str = "simulations.attack.noise_generators:noise") -> str:
    """A process and its twin go on from the same memory: do both draw the same noise?"""
    first, second = twins(make)
    return "a process and its twin drew the same noise" if first == second else ""


# --- faults ------------------------------------------------------------------------------------------------------


@contextmanager
def noise_of_the_last_attempt() -> Iterator[None]:
    """A holder keeps the noise of a round for the round's next attempt."""
    real: Callable[[HolderNode, Any, Any], bytes] = HolderNode._ready
    drawn: dict[tuple[str, str, int], IntArray] = {}

    def ready(self: HolderNode, request: Any, signed: Any) -> bytes:
        question, sampler = request.core.question, self._sampler

        def once(scale: int, size: int) -> IntArray:
            return drawn.setdefault((self.holder, question.run, question.round), sampler(scale, size)).copy()

        self._sampler = once
        try:
            return real(self, request, signed)
        finally:
            self._sampler = sampler

    with replaced(HolderNode, "_ready", ready):
        yield


@contextmanager
def a_seed_of_32_bits() -> Iterator[None]:
    """The coordinator's noise comes from a generator that is seeded; as wide as its seed, whatever its state is."""

    def seeded(scale: int, size: int) -> IntArray:
        generator = np.random.RandomState(secrets.randbits(63) % (1 << 32))
        return np.rint(generator.normal(0, scale, size)).astype(np.int64)

    with replaced(server.aggregation.noise, "discrete_gaussian", seeded):
        yield


CHECKS: dict[str, Callable[[], str]] = {"two attempts": attempts, "narrow seeds": narrow, "a resumed machine": resumed}

#: Fault to what must see it, and how it is planted.
FAULTS: dict[str, tuple[str, Callable[[], str], Planting]] = {
    "noise of the last attempt": ("two attempts", attempts, noise_of_the_last_attempt),
    "a seed of 32 bits": ("narrow seeds", narrow, a_seed_of_32_bits),
    "a stream that is kept": (
        "a resumed machine",
        lambda: resumed("simulations.attack.noise_generators:noise_of_a_kept_stream"),
        nullcontext,
    ),
}


def checked_generators() -> Iterator[Checked]:
    """One finding for each way in which noise could come again; without the twin where no process can be doubled."""
    for where, check in CHECKS.items():
        if check is resumed and not hasattr(os, "fork"):
            continue
        yield Checked(what=WHAT, where=where, wrong=check())


def faulty_generators() -> Iterator[Checked]:
    """The same with a fault planted for each."""
    for fault, (where, check, planting) in FAULTS.items():
        with planting():
            yield Checked(what=WHAT, where=where, fault=fault, wrong=check())
