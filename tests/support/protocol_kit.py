"""Doubles for protocol tests: they stand on the production ports, use real keys and ledgers, and can misbehave.

``LyingCoordinator`` builds and signs its own requests with the coordinator's real key. ``HookedTransport`` is a
transport between the real coordinator and real nodes whose hook may drop, change, repeat or raise.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clients.answering.clock import Clock
from clients.answering.ledgers import open_ledger
from clients.answering.node import HolderNode
from clients.answering.policy import HolderPolicy
from clients.answering.runs import RunFolder
from privacy.accounting.events import squared_cap
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.kernel.canonical import Noun, sha256_hex
from privacy.kernel.customers import CustomerColumns
from privacy.ledger import Head, HeadPath, Ledger, Question, Reserved
from privacy.mechanisms import calibrate
from privacy.protocol.charging import records_per_person
from privacy.protocol.checkpoints import signed_checkpoint
from privacy.protocol.code import analysis_code, analysis_codes, kernel_code
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Identity, Signed, _to_sign
from privacy.protocol.messages import (
    PROTOCOL,
    AnswerRequest,
    Contribution,
    Finished,
    FinishRequest,
    Hello,
    HelloRequest,
    Opening,
    Participant,
    PlanCore,
    Ready,
    ReadyRequest,
    Refusal,
    ReleaseDigest,
    ReleaseText,
    Witnessed,
    WitnessRequest,
)
from privacy.protocol.study import Study
from privacy.protocol.transport import Handler
from privacy.secure_sum.masks import from_bytes
from privacy.statistics import Statistic
from server.running.federation import Federation, Patience
from simulations.worlds.kit import MemoryFederation

HOLDERS = ("alpha", "beta", "gamma")

#: A small question: eight coordinates.
STATISTIC = PrefixSums(grids=(FactGrid(fact="orders", upper=tuple(range(1, 8)), permille=1000),))
#: The same with other parameters.
OTHER_STATISTIC = PrefixSums(grids=(FactGrid(fact="orders", upper=tuple(range(2, 9)), permille=1000),))


def wide_statistic(bins: int) -> PrefixSums:
    """A question with many coordinates, for tests of the noise."""
    return PrefixSums(grids=(FactGrid(fact="recency_days", upper=tuple(range(bins - 1)), permille=1000),))


def table(
    customers: int, seed: int = 1, *, orders: Sequence[int] | None = None, money: Sequence[int] | None = None
) -> CustomerColumns:
    """A customer table of random rows, some columns given."""
    rng = np.random.default_rng(seed)
    return CustomerColumns(
        recency_days=rng.integers(0, 400, customers),
        orders=np.array(orders, dtype=np.int64) if orders is not None else rng.geometric(0.4, customers),
        money=np.array(money, dtype=np.int64) if money is not None else rng.integers(100, 10**6, customers),
        tenure_days=rng.integers(400, 800, customers),
    )


def tables(*holders: str, customers: int = 30) -> dict[str, CustomerColumns]:
    """A table for each holder."""
    return {holder: table(customers, seed) for seed, holder in enumerate(holders or HOLDERS)}


def small_study(*, budget: Mapping[str, Any] | None = None, **changes: Any) -> Study:
    """A valid study, with changes."""
    fields = {"epsilon": "1", "delta": "0.000001", "max_holders_per_customer": 1, "size_class": 10_000}
    return Study.model_validate(
        {"name": "trial", "as_of": "2025-01-01", "budget": fields | dict(budget or {}), **changes}
    )


def lean_study(**changes: Any) -> Study:
    """:func:`small_study` with its reserve kept: holders let it in though their caps cover less than it promises."""
    return small_study(budget={"reserve": "kept", **changes.pop("budget", {})}, **changes)


def lenient_policy(
    *, epsilon: str = "8", delta: str = "0.000001", max_unreleased: str = "0.1", **allow: Any
) -> HolderPolicy:
    """A holder's policy, with changes to what it allows."""
    lifetime = {"epsilon": epsilon, "delta": delta, "max_unreleased": max_unreleased}
    return HolderPolicy.model_validate({"lifetime": lifetime, "allow": allow})


class FakeClock(Clock):
    """Moves only when told; waiting moves it. Shows when each reply left, by thread.

    Attributes:
        wall: what the wall clock would show without the time that has passed; who changes it sets the clock.
        elapsed: seconds that have passed, on both clocks.
    """

    def __init__(self, start: int = 1_800_000_000) -> None:
        self.wall = start
        self.elapsed = 0.0
        self.left: list[tuple[int, float]] = []

    def now(self) -> int:
        return self.wall + int(self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.left.append((threading.get_ident(), self.elapsed + seconds))
        self.elapsed += seconds


def no_noise(scale: int, size: int) -> NDArray[np.int64]:
    """In place of the sampler, to compare with exact sums. Tests only; nothing a user can set reaches this."""
    return np.zeros(size, dtype=np.int64)


def seeded_noise() -> Callable[[int, int], NDArray[np.int64]]:
    """In its place, too, to compare two ways to the same release: each call begins the same draws."""
    rng = np.random.default_rng(5)
    return lambda scale, size: np.rint(rng.normal(0, scale, size)).astype(np.int64)


class Answer(NamedTuple):
    """A holder's reply, read."""

    raw: bytes
    statement: Signed
    value: Any

    @property
    def code(self) -> str:
        """A refusal's code; the kind of statement otherwise."""
        return self.value.code if isinstance(self.value, Refusal) else type(self.value).__name__

    @property
    def vector(self) -> NDArray[np.uint64]:
        """The masked vector."""
        data = base64.b64decode(json.loads(self.raw)["vector"])
        return from_bytes(data, len(data) // 8)


_STATEMENTS: dict[str, type[Noun]] = {
    model.__name__: model for model in (Hello, Ready, Opening, Contribution, Finished, Witnessed, Refusal)
}


class ReleaseNotice(Noun):
    """A release as a test hands it out: its digest in the FINISH, its values attached unless they are None."""

    question: Question
    core: str
    release: str
    values: str | None


def sign_raw(identity: Identity, kind: str, body: str) -> Signed:
    """Sign a text that need not be a valid statement."""
    signature = identity._key.sign(_to_sign(kind, identity.member, body)).hex()
    return Signed(kind=kind, signer=identity.member, body=body, signature=signature)


def readies_as_they_are(core: object, readies: Sequence[Signed], roster: object) -> dict[str, Ready]:
    """In place of the holder's check of READYs: they are read, and nothing is asked of them."""
    return {signed.signer: Ready.parse(signed.body) for signed in readies}


def carried(statement: Signed, **beside: Any) -> bytes:
    """A signed statement as the coordinator sends it."""
    return Request(statement=statement, **beside).canonical()


class LyingCoordinator:
    """Speaks to real nodes with the coordinator's real key, and says what the test wants."""

    def __init__(self, federation: MemoryFederation, study: Study | None = None, *, run: str = "run-1") -> None:
        self.federation = federation
        self.study = study or small_study()
        self.roster = federation.roster
        self.identity = federation.folder.identity()
        self.run = run
        self.now = federation._clock.now()
        self.hellos: dict[str, Signed] = {}
        self.checkpoints: dict[str, Signed] = {}
        self.paths: dict[str, tuple[HeadPath, ...]] = {}

    # --- carrying ----------------------------------------------------------------------------------------------

    def send_bytes(self, holder: str, request: bytes) -> Answer:
        """Hand bytes to a holder's node and read its signed reply."""
        raw = self.federation.nodes[holder].handle(request)
        reply = Reply.parse(raw)
        statement = reply.statement
        value = statement.open(_STATEMENTS[statement.kind], self.roster, signer=holder)
        if isinstance(value, Ready | Finished):
            self.paths[holder] = reply.paths
        if isinstance(value, Ready | Contribution) and holder in self.checkpoints:
            self.checkpoints[holder] = value.checkpoint
        return Answer(raw, statement, value)

    def send(self, holder: str, request: Noun, *, signer: Identity | None = None) -> Answer:
        """Sign and hand over a request."""
        signed = (signer or self.identity).sign(request)
        return self.send_bytes(holder, carried(signed, **self.beside(holder, request)))

    def beside(self, holder: str, request: Noun) -> dict[str, Any]:
        """The hints and the paths that an honest coordinator carries beside a request."""
        if isinstance(request, ReadyRequest | FinishRequest):
            return {"since": self.remembered_of(holder)}
        if not isinstance(request, AnswerRequest | WitnessRequest):
            return {}
        seen = self.ledger_of(holder).peers()
        fitting = {
            owner: next((path for path in paths if owner in seen and path.sequence == seen[owner].sequence), None)
            for owner, paths in self.paths.items()
        }
        return {"paths": {owner: path for owner, path in fitting.items() if path is not None} | self.own_path(seen)}

    def ledger_of(self, holder: str) -> Ledger:
        """A holder's ledger: its node's, where the node is in this process."""
        node = self.federation.nodes[holder]
        return node._ledger if isinstance(node, HolderNode) else holder_ledger(self.federation, holder)

    def remembered_of(self, holder: str) -> tuple[int, ...]:
        """Entries of a holder's ledger that others remember."""
        others = [self.ledger_of(name) for name in self.federation.nodes if name != holder]
        heads = [ledger.peers().get(holder) for ledger in (*others, self.federation.folder.ledger())]
        return tuple(sorted({head.sequence for head in heads if head is not None}))

    def own_path(self, seen: Mapping[str, Head]) -> dict[str, HeadPath]:
        """How the coordinator's ledger goes on from what somebody has seen of it."""
        own, ledger = self.roster.coordinator, self.federation.folder.ledger()
        paths = ledger.paths([seen[own].sequence], ledger.head.sequence) if own in seen else ()
        return dict(zip([own], paths, strict=False))

    # --- making ------------------------------------------------------------------------------------------------

    def hello_request(self, **changes: Any) -> HelloRequest:
        """A proper invitation, with changes."""
        return HelloRequest(
            protocol=PROTOCOL,
            federation=self.roster.federation,
            roster=self.roster.digest,
            run=self.run,
            study=self.study,
            code=kernel_code(),
            expires=self.now + 3600,
            analyses=analysis_codes(changes.get("study", self.study).analyses),
        ).model_copy(update=changes)

    def greet(self, *holders: str) -> None:
        """Collect HELLOs."""
        for holder in holders or self.roster.holders:
            answer = self.send(holder, self.hello_request())
            assert isinstance(answer.value, Hello), answer.code
            self.hellos[holder] = answer.statement
            self.checkpoints[holder] = answer.value.checkpoint

    def core(
        self,
        *holders: str,
        statistic: Statistic = STATISTIC,
        share: Fraction = Fraction(1, 3),
        round: int = 1,
        attempt: int = 1,
        mechanism: Mapping[str, Any] | None = None,
        analysis: str = "rfm",
        **changes: Any,
    ) -> PlanCore:
        """A proper plan core, with changes (which need not leave it proper)."""
        names = tuple(sorted(holders or self.hellos))
        budget = self.study.budget
        records = records_per_person(self.study, self.roster)
        cap = squared_cap(float(budget.epsilon), float(budget.effective_delta))
        noise = calibrate(
            cap * share / records**2,
            statistic.bound,
            placement=self.study.placement,
            holders=len(names),
            colluding=budget.colluding_holders,
        )
        core = PlanCore(
            protocol=PROTOCOL,
            federation=self.roster.federation,
            roster=self.roster.digest,
            study=self.study.digest,
            question=Question(run=self.run, round=round, attempt=attempt),
            analysis=analysis,
            title="cut points",
            statistic=statistic,
            bound=statistic.bound,
            mechanism=noise,
            records=records,
            participants=tuple(
                Participant(holder=name, hello=self.hellos[name].digest, checkpoint=self.checkpoints[name])
                for name in names
            ),
            coordinator=self.own_checkpoint(),
            code=kernel_code(),
            analysis_code=analysis_code(analysis),
            expires=self.now + 3600,
        )
        if mechanism is not None:
            changes["mechanism"] = noise.model_copy(update=dict(mechanism))
        return core.model_copy(update=changes)

    def own_checkpoint(self) -> Signed:
        """The coordinator's word on its ledger."""
        return signed_checkpoint(self.identity, self.federation.folder.ledger())

    def ready_request(self, core: PlanCore) -> ReadyRequest:
        """The request that shows a core."""
        return ReadyRequest.model_construct(
            core=core, hellos=tuple(self.hellos[participant.holder] for participant in core.participants)
        )

    def show(self, core: PlanCore, *holders: str) -> dict[str, Answer]:
        """Show a core; the replies."""
        request = self.ready_request(core)
        return {holder: self.send(holder, request) for holder in holders or core.holders}

    def readies(self, core: PlanCore) -> tuple[Signed, ...]:
        """Show a core to all its participants, who must be ready."""
        replies = self.show(core)
        assert {answer.code for answer in replies.values()} == {"Ready"}
        return tuple(replies[holder].statement for holder in core.holders)

    def ask(
        self, holder: str, core: PlanCore, readies: Sequence[Signed], *, question: Question | None = None
    ) -> Answer:
        """Ask for the answer."""
        return self.send(holder, self.answer_request(core, readies, question=question))

    def answer_request(
        self, core: PlanCore, readies: Sequence[Signed], *, question: Question | None = None
    ) -> AnswerRequest:
        """The request for the answer."""
        return AnswerRequest(question=question or core.question, core=core.digest, readies=tuple(readies))

    def finish_request(self, *notices: ReleaseNotice, result: str | None = "{}", **changes: Any) -> FinishRequest:
        """What is signed at the end of the run, with changes."""
        request = FinishRequest(
            run=self.run,
            made_by=self.run,
            study=self.study.digest,
            releases=tuple(
                ReleaseDigest(question=notice.question, core=notice.core, release=notice.release) for notice in notices
            ),
            result=None if result is None else sha256_hex(result.encode()),
            heads=(),
        )
        return request.model_copy(update=changes)

    def finish(self, holder: str, *notices: ReleaseNotice, result: str | None = "{}", **changes: Any) -> Answer:
        """End the run at a holder."""
        request = self.finish_request(*notices, result=result, **changes)
        texts = {} if result is None else {sha256_hex(result.encode()): result}
        texts |= {
            notice.release: ReleaseText(core=notice.core, values=notice.values).canonical().decode()
            for notice in notices
            if notice.values is not None
        }
        beside = self.beside(holder, request)
        return self.send_bytes(holder, carried(self.identity.sign(request), attachments=texts, **beside))

    def witness(self, holder: str, *finished: Signed, **changes: Any) -> Answer:
        """Show a holder what all confirmed."""
        return self.send(holder, WitnessRequest(made_by=self.run, finished=finished).model_copy(update=changes))


# --- ledgers -----------------------------------------------------------------------------------------------------


def holder_ledger(federation: MemoryFederation, holder: str) -> Ledger:
    """A holder's ledger, read from its disk."""
    return Ledger(federation.root / "holders" / holder / "state" / "ledger.sqlite")


def charges(ledger: Ledger) -> list[Reserved]:
    """All charges in a ledger."""
    return [fact for fact in ledger.facts() if isinstance(fact, Reserved)]


def kinds(ledger: Ledger) -> list[str]:
    """Kinds of all entries."""
    return [fact.kind for fact in ledger.facts()]


def charged_by(federation: MemoryFederation) -> dict[str, int]:
    """How many charges each holder's ledger has."""
    return {holder: len(charges(holder_ledger(federation, holder))) for holder in federation.roster.holders}


# --- the real coordinator over a transport that misbehaves -------------------------------------------------------


#: Gets holder, kind of request, how often this holder was sent this kind (from 1), the request, and what forwards
#: it to the holder. What it returns is the reply; None or an exception means that none comes.
Hook = Callable[[str, str, int, bytes, Handler], bytes | None]


class HookedTransport:
    """A transport that asks a hook what to do with every request."""

    name = "hooked"

    def __init__(self, federation: MemoryFederation, hook: Hook) -> None:
        self._federation = federation
        self._hook = hook
        self.sent: Counter[tuple[str, str]] = Counter()

    def holders(self) -> tuple[str, ...]:
        return tuple(sorted(self._federation.nodes))

    def exchange(
        self, requests: Mapping[str, bytes], *, timeout: float, on_reply: Callable[[str], None] | None = None
    ) -> dict[str, bytes]:
        replies = {}
        for holder, request in requests.items():
            kind = Request.parse(request).statement.kind.removesuffix("Request").lower()
            self.sent[holder, kind] += 1
            try:
                reply = self._hook(
                    holder,
                    kind,
                    self.sent[holder, kind],
                    request,
                    lambda data, holder=holder: self._federation.nodes[holder].handle(data),
                )
            except ConnectionError:
                continue
            if reply is not None:
                replies[holder] = reply
                if on_reply is not None:
                    on_reply(holder)
        return replies


def honest(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
    """A hook that just carries."""
    return forward(request)


class Notes:
    """Collects a run's progress."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[str] = []

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        self.steps.append(name)

    def reply(self, holder: str) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def coordinator_of(
    federation: MemoryFederation, study: Study | None = None, hook: Hook = honest, progress: Notes | None = None
) -> Federation:
    """A new process of the real coordinator over a hooked transport."""
    return Federation(
        study or small_study(),
        replace(federation.folder.books(), roster=federation.roster),  # which tests change
        HookedTransport(federation, hook),
        patience=Patience(hello=5, answer=5),
        progress=progress or Notes(),
    )


def price(study: Study, share: Fraction = Fraction(1, 3)) -> Fraction:
    """A part of a study's budget."""
    return squared_cap(float(study.budget.epsilon), float(study.budget.effective_delta)) * share


def node_with(
    federation: MemoryFederation, holder: str, *, data: Any = None, policy: HolderPolicy | None = None
) -> HolderNode:
    """A new process's node for a holder, with other data or another policy."""
    home = federation.root / "holders" / holder
    own = policy or federation._policy
    return HolderNode(
        identity=Identity.load(holder, home / "keys" / "signing.pem"),
        roster=federation.roster,
        policy=own,
        ledger=open_ledger(home / "state" / "ledger.sqlite", holder=holder, policy=own, roster=federation.roster),
        data=data or federation.nodes[holder]._data,
        runs=RunFolder(home / "state" / "runs"),
        clock=federation._clock,
        sampler=federation._sampler,
    )


def federation_at(
    root: Path, *holders: str, policy: HolderPolicy | None = None, declared: int | None = 1, **options: Any
) -> MemoryFederation:
    """A federation in memory with small random tables, whose holders declare disjoint customers if nothing is said."""
    given = options.pop("tables", None) or tables(*holders)
    return MemoryFederation(root, given, policy=policy or lenient_policy(), declared=declared, **options)
