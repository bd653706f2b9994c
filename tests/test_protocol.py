"""Protocol scenarios between real nodes, ledgers and keys, and a coordinator or carrier that misbehaves.

Asserted throughout: a refusal carries a code from the closed list and nothing else; whoever refuses has charged
nothing; whatever was answered stays charged; nobody's rows change a code, a length or a number of replies; and no
input from the network ends a process.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import typing
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import protocol_kit as kit
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protocol_checks import (
    PARTS,
    READY_CASES,
    SECRET,
    Case,
    Killed,
    RaisingData,
    SlowData,
    _key,
    _shown,
    _signed_checkpoint,
    _with_k,
    check_a_holder_notices_its_own_rollback,
    check_a_second_request_does_not_time_the_first,
    check_an_answer_shows_its_time_to_a_power_of_two,
    check_different_plans_are_refused,
    check_masks_of_different_plans_do_not_cancel,
    check_older_or_forked_ledgers_of_peers_are_refused,
    check_redelivery_gives_the_same_bytes,
    check_the_charge_comes_before_the_answer,
    check_the_coordinator_notices_a_rolled_back_ledger,
    total,
)
from protocol_kit import HOLDERS, Answer, LyingCoordinator, ReleaseNotice

import clients.answering.answers
import clients.answering.node
import clients.answering.run_state
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.errors import BudgetError, DataError, NotEnoughHolders
from privacy.kernel.customers import CustomerColumns
from privacy.ledger import Evidence, Ledger, Question, Released
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Identity, Signed
from privacy.protocol.messages import (
    Checkpoint,
    Contribution,
    Finished,
    Hello,
    HelloRequest,
    Opening,
    OpenRequest,
    Ready,
    ReadyRequest,
    Refusal,
    RefusalCode,
    release_digest,
)
from privacy.protocol.transport import Handler
from privacy.secure_sum.masks import MaskKey, unmask
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

CODES = frozenset(typing.get_args(RefusalCode))


@pytest.fixture
def federation(tmp_path: Path) -> MemoryFederation:
    return kit.federation_at(tmp_path)


@pytest.fixture
def liar(federation: MemoryFederation) -> LyingCoordinator:
    return LyingCoordinator(federation)


@pytest.fixture
def greeted(liar: LyingCoordinator) -> LyingCoordinator:
    liar.greet()
    return liar


# --- an honest round, against which the rest is measured --------------------------------------------------------


def test_an_honest_round_gives_the_exact_sum_when_noise_is_taken_out(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, sampler=kit.no_noise)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0), "READY costs nothing"
    answers = [coordinator.ask(holder, core, readies) for holder in HOLDERS]
    assert {answer.code for answer in answers} == {"Contribution"}
    np.testing.assert_array_equal(unmask([answer.vector for answer in answers]), total(federation))
    for holder in HOLDERS:
        assert kit.kinds(kit.holder_ledger(federation, holder)) == ["opened", "reserved", "answered"]


def test_one_masked_vector_alone_or_two_say_nothing_of_the_totals(tmp_path: Path) -> None:
    """Uniform words: each of 64 bit positions is set in half of 2,050 words; 9 deviations are 1e-18 each."""
    tables = {holder: kit.table(0) for holder in HOLDERS}
    federation = kit.federation_at(tmp_path, tables=tables, sampler=kit.no_noise)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    core = coordinator.core(statistic=kit.wide_statistic(2049))
    readies = coordinator.readies(core)
    vectors = [coordinator.ask(holder, core, readies).vector for holder in HOLDERS]
    for view in (vectors[0], vectors[1], vectors[2], vectors[0] + vectors[1], vectors[1] + vectors[2]):
        bits = np.unpackbits(view.view(np.uint8)).reshape(len(view), 64).sum(axis=0)
        assert np.all(np.abs(bits - len(view) / 2) < 9 * np.sqrt(len(view)) / 2)
    assert not np.any(vectors[0] + vectors[1] + vectors[2]), "all three together: the sum of empty tables"


# --- one question, two plans -------------------------------------------------------------------------------------


def test_different_plans_under_one_question_are_refused_before_any_charge(tmp_path: Path) -> None:
    check_different_plans_are_refused(tmp_path)


def test_masks_of_different_plans_do_not_cancel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_masks_of_different_plans_do_not_cancel(tmp_path, monkeypatch)


def test_masks_differ_with_every_attempt_of_the_same_question(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, sampler=kit.no_noise)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    vectors = []
    for attempt in (1, 2):
        core = coordinator.core(attempt=attempt)
        vectors.append(coordinator.ask("alpha", core, coordinator.readies(core)).vector)
    assert not np.any(vectors[0] == vectors[1])
    assert len(kit.charges(kit.holder_ledger(federation, "alpha"))) == 2


# --- asked twice -------------------------------------------------------------------------------------------------


def test_redelivery_gives_the_same_bytes(tmp_path: Path) -> None:
    check_redelivery_gives_the_same_bytes(tmp_path)


def test_a_plan_that_was_answered_is_not_confirmed_again(greeted: LyingCoordinator) -> None:
    core = greeted.core()
    readies = greeted.readies(core)
    greeted.ask("alpha", core, readies)
    assert greeted.show(core, "alpha")["alpha"].code == "already_answered"
    assert greeted.show(core, "beta")["beta"].code == "Ready", "not answered yet: confirming again is harmless"


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_second_core_under_one_question_is_kept_as_evidence(
    federation: MemoryFederation, greeted: LyingCoordinator, answered: bool, restarted: bool
) -> None:
    first = greeted.core()
    readies = greeted.readies(first)
    if answered:
        assert greeted.ask("alpha", first, readies).code == "Contribution"
    if restarted:
        federation.nodes["alpha"] = federation.start("alpha")
        greeted.greet("alpha")
    ledger = kit.holder_ledger(federation, "alpha")
    before = ledger.spent()
    second = greeted.core(title="another title")
    code = greeted.show(second, "alpha")["alpha"].code
    if restarted and not answered:
        assert code == "Ready", "a new process has confirmed nothing, and nothing was charged"
        return
    assert code == "equivocation"
    assert ledger.spent() == before
    evidence = [fact for fact in ledger.facts() if isinstance(fact, Evidence)]
    assert len(evidence) == 1
    texts = {statement.digest: statement.text for statement in ledger.statements()}
    shown = [
        Signed.parse(texts[digest]).open(ReadyRequest, greeted.roster)
        for digest in (evidence[0].first, evidence[0].second)
    ]
    assert [request.core.digest for request in shown] == [first.digest, second.digest], "anybody can check both"


def test_an_answer_to_another_core_under_an_answered_question_is_evidence(
    federation: MemoryFederation, greeted: LyingCoordinator
) -> None:
    first = greeted.core()
    greeted.ask("alpha", first, greeted.readies(first))
    other = greeted.core(title="another title")
    assert greeted.ask("alpha", other, ()).code == "equivocation"
    assert kit.kinds(kit.holder_ledger(federation, "alpha")) == ["opened", "reserved", "answered", "evidence"]


def test_a_core_is_not_answered_under_another_question(federation: MemoryFederation, greeted: LyingCoordinator) -> None:
    core = greeted.core()
    readies = greeted.readies(core)
    elsewhere = Question(run=greeted.run, round=1, attempt=2)
    assert greeted.ask("alpha", core, readies, question=elsewhere).code == "stale"
    assert kit.charged_by(federation)["alpha"] == 0


# --- killed in the middle ----------------------------------------------------------------------------------------

#: A holder in a process of its own: requests and replies as lines of hexadecimal digits.
HOLDER_PROCESS = """
import os, signal, sys
from pathlib import Path
import protocol_kit as kit
import privacy.ledger.ledger
from clients.answering.node import HolderNode
from privacy.protocol.identity import Identity, Roster
from privacy.ledger import Ledger, Opened
from clients.answering.runs import RunFolder
from simulations.worlds.kit import MemoryData, NoWaiting

home, moment = Path(sys.argv[1]), sys.argv[2]
policy = kit.lenient_policy()

class Killed(Ledger):
    def record_answer(self, answered, payload, statements=()):
        if moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        head = super().record_answer(answered, payload, statements)
        if moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return head

opened = Opened(owner="alpha", role="holder", epsilon=policy.lifetime.epsilon, delta=policy.lifetime.delta)
node = HolderNode(
    identity=Identity.load("alpha", home / "keys" / "signing.pem"),
    roster=Roster.parse((home / "roster.json").read_bytes()),
    policy=policy,
    ledger=Killed.open_or_create(home / "state" / "ledger.sqlite", opened),
    data=MemoryData(kit.tables("alpha")["alpha"]),
    runs=RunFolder(home / "state" / "runs"),
    clock=NoWaiting(),
)
for line in sys.stdin:
    print(node.handle(bytes.fromhex(line)).hex(), flush=True)
"""


class ProcessNode:
    """A holder's node in a process of its own."""

    def __init__(self, home: Path, moment: str) -> None:
        here = Path(__file__).resolve().parent
        path = os.pathsep.join([str(here / "support"), str(here.parent), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER_PROCESS, str(home), moment],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )

    def handle(self, request: bytes) -> bytes:
        try:
            self.process.stdin.write(request.hex() + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ConnectionError("the holder's process has ended")
        return bytes.fromhex(line)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_holder_killed_around_its_answer_never_computes_it_again(tmp_path: Path, moment: str) -> None:
    """SIGKILL between RESERVED and ANSWERED: spent, and no answer ever. After ANSWERED: the stored bytes."""
    federation = kit.federation_at(tmp_path)
    home = tmp_path / "holders" / "alpha"
    coordinator = LyingCoordinator(federation)
    killed, restarted = ProcessNode(home, moment), ProcessNode(home, "never")
    try:
        federation.nodes["alpha"] = killed
        coordinator.greet()
        core = coordinator.core()
        readies = coordinator.readies(core)
        with pytest.raises(ConnectionError):
            coordinator.ask("alpha", core, readies)
        assert killed.process.wait(10) == -signal.SIGKILL
        ledger = kit.holder_ledger(federation, "alpha")
        price = core.mechanism.event(core.bound, core.statistic.dim).squared_mu(core.records)
        assert ledger.spent() == price, "whatever became of the answer, it counts as spent"
        federation.nodes["alpha"] = restarted
        again = coordinator.ask("alpha", core, readies)
        if moment == "before":
            assert again.code == "already_answered"
            assert kit.kinds(ledger) == ["opened", "reserved"]
        else:
            assert again.raw == ledger.stored_answer(core.digest)
            assert again.code == "Contribution"
            others = [coordinator.ask(holder, core, readies).vector for holder in ("beta", "gamma")]
            unmask([again.vector, *others])
        assert coordinator.ask("alpha", core, readies).raw[:20] == again.raw[:20]
        assert coordinator.show(core, "alpha")["alpha"].code in ("unknown_run", "already_answered")
        assert ledger.spent() == price
    finally:
        killed.close()
        restarted.close()


# --- refusals ----------------------------------------------------------------------------------------------------


HELLO_CASES: dict[str, tuple[str, Case]] = {
    "another protocol": ("version", lambda c: c.send("alpha", c.hello_request(protocol=1))),
    "another code": ("version", lambda c: c.send("alpha", c.hello_request(code="0" * 64))),
    "an analysis of another release": (
        "version",
        lambda c: c.send("alpha", c.hello_request(analyses={"rfm": "0" * 64})),
    ),
    "an analysis whose code is not said": ("version", lambda c: c.send("alpha", c.hello_request(analyses={}))),
    "another federation": ("stale", lambda c: c.send("alpha", c.hello_request(federation="other"))),
    "another roster": ("stale", lambda c: c.send("alpha", c.hello_request(roster="0" * 64))),
    "expired": ("stale", lambda c: c.send("alpha", c.hello_request(expires=c.now - 1))),
    "expires now": ("stale", lambda c: c.send("alpha", c.hello_request(expires=c.now))),
    "not for this holder": (
        "policy",
        lambda c: c.send("alpha", c.hello_request(study=kit.small_study(holders=("beta", "gamma")))),
    ),
    "a holder that is not in the roster": (
        "policy",
        lambda c: c.send("alpha", c.hello_request(study=kit.small_study(holders=("alpha", "beta", "zeta")))),
    ),
    "placement not allowed": (
        "policy",
        lambda c: c.send("alpha", c.hello_request(study=kit.small_study(placement="central"))),
    ),
    "epsilon above the policy's": (
        "policy",
        lambda c: c.send("alpha", c.hello_request(study=kit.small_study(budget={"epsilon": "4.01"}))),
    ),
    "a run id that is a path": ("declined", lambda c: c.send("alpha", c.hello_request(run="../../x"))),
    "signed by another holder": (
        "declined",
        lambda c: c.send("alpha", c.hello_request(), signer=Identity.load("beta", _key(c, "beta"))),
    ),
    "signed by a stranger as the coordinator": (
        "declined",
        lambda c: c.send(
            "alpha",
            c.hello_request(),
            signer=Identity.create("coordinator", c.federation.root / "stranger.pem"),
        ),
    ),
}


@pytest.mark.parametrize("case", HELLO_CASES)
def test_hello_is_refused(federation: MemoryFederation, liar: LyingCoordinator, case: str) -> None:
    code, attempt = HELLO_CASES[case]
    assert attempt(liar).code == code
    assert set(kit.kinds(kit.holder_ledger(federation, "alpha"))) <= {"opened", "declined"}


def test_a_second_study_under_one_run_is_refused(liar: LyingCoordinator) -> None:
    assert liar.send("alpha", liar.hello_request()).code == "Hello"
    assert liar.send("alpha", liar.hello_request(study=kit.small_study(name="other"))).code == "equivocation"
    assert liar.send("alpha", liar.hello_request()).code == "Hello"


@pytest.mark.parametrize("case", READY_CASES)
def test_a_plan_is_refused_and_nothing_is_charged(
    federation: MemoryFederation, greeted: LyingCoordinator, case: str
) -> None:
    code, attempt = READY_CASES[case]
    answer = attempt(greeted)
    assert answer.code == code
    assert set(json.loads(answer.statement.body)) == {"holder", "code", "request"}, "a code, for what"
    for holder in HOLDERS:
        assert set(kit.kinds(kit.holder_ledger(federation, holder))) <= {"opened", "declined"}


def test_the_proper_plan_of_these_cases_is_accepted(greeted: LyingCoordinator) -> None:
    assert _shown(greeted).code == "Ready"
    assert _shown(_with_k(greeted, 2)).code == "Ready"
    assert _shown(greeted, attempt=2, mechanism={"share_scale": 1 << 30}).code == "Ready"


def test_a_larger_noise_claim_is_a_larger_noise(tmp_path: Path) -> None:
    """A plan that states more noise costs less, and the holder adds what it states: 1,024 draws of it.

    The sum of squares of 1,024 standard normals lies in 830 to 1,250 but for 1e-6 on either side.
    """
    tables = {holder: kit.table(0) for holder in HOLDERS}
    federation = kit.federation_at(tmp_path, tables=tables)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    for attempt, scale in enumerate((1 << 30, 1 << 34), start=1):
        core = coordinator.core(statistic=kit.wide_statistic(1024), attempt=attempt, mechanism={"share_scale": scale})
        readies = coordinator.readies(core)
        noise = unmask([coordinator.ask(holder, core, readies).vector for holder in HOLDERS])
        assert 810 < float(((noise / scale) ** 2).sum()) / 3 < 1270
        charge = kit.charges(kit.holder_ledger(federation, "alpha"))[-1]
        assert charge.event.share_scale == scale


POLICIES = {
    "minimum of participants": lambda: kit.lenient_policy(min_participants=4),
    "minimum hidden": lambda: kit.lenient_policy(min_hidden=3),
}


@pytest.mark.parametrize("rule", POLICIES)
def test_the_holders_own_policy_refuses_a_plan(federation: MemoryFederation, liar: LyingCoordinator, rule: str) -> None:
    federation.nodes["alpha"] = kit.node_with(federation, "alpha", policy=POLICIES[rule]())
    liar.greet()
    replies = liar.show(liar.core())
    assert {holder: answer.code for holder, answer in replies.items()} == {
        "alpha": "policy",
        "beta": "Ready",
        "gamma": "Ready",
    }
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)


STUDY_POLICIES = {
    "analyses": lambda: kit.lenient_policy(analyses=("churn",)),
    "placements": lambda: kit.lenient_policy(placements=("local",)),
    "epsilon of a study": lambda: kit.lenient_policy(max_study_epsilon="0.99"),
    "delta of a study": lambda: kit.lenient_policy(max_study_delta="0.00000099"),
    "colluding": lambda: kit.lenient_policy(min_colluding=2),
}


@pytest.mark.parametrize("rule", STUDY_POLICIES)
def test_the_holders_own_policy_refuses_a_study(
    federation: MemoryFederation, liar: LyingCoordinator, rule: str
) -> None:
    federation.nodes["alpha"] = kit.node_with(federation, "alpha", policy=STUDY_POLICIES[rule]())
    assert liar.send("alpha", liar.hello_request()).code == "policy"


# --- ledgers of others -------------------------------------------------------------------------------------------


def test_older_or_forked_ledgers_of_peers_are_refused(tmp_path: Path) -> None:
    check_older_or_forked_ledgers_of_peers_are_refused(tmp_path)


def test_a_checkpoint_signed_by_another_is_refused(greeted: LyingCoordinator) -> None:
    greeted.checkpoints["beta"] = greeted.checkpoints["gamma"]
    assert greeted.show(greeted.core(), "alpha")["alpha"].code == "declined"


def test_an_older_or_forked_ledger_of_the_coordinator_is_refused(greeted: LyingCoordinator) -> None:
    """Its head stands in every plan, so that it cannot tell a second story either."""
    early = greeted.own_checkpoint()
    greeted.federation.folder.ledger().append(Evidence(what="equivocation", first="", second=""))
    newest = greeted.own_checkpoint()
    core = greeted.core()
    assert greeted.ask("alpha", core, greeted.readies(core)).code == "Contribution"
    forked = Checkpoint(member="coordinator", sequence=newest.open(Checkpoint, greeted.roster).sequence, head="f" * 64)
    for attempt, code, shown in (
        (2, "stale", early),
        (3, "equivocation", greeted.identity.sign(forked)),
        (4, "declined", greeted.checkpoints["beta"]),
        (5, "declined", greeted.identity.sign(forked.model_copy(update={"member": "beta"}))),
        (6, "Ready", newest),
    ):
        core = greeted.core(round=2, attempt=attempt, coordinator=shown)
        assert greeted.show(core, "alpha")["alpha"].code == code, attempt


def test_heads_are_countersigned_at_the_end_and_what_was_signed_is_kept(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    run_study(kit.small_study(), folder=federation.folder, transport=federation.transport, pages=False)
    at_coordinator = list(federation.folder.ledger().statements())
    finished = [Signed.parse(s.text).open(Finished, federation.roster) for s in at_coordinator if s.kind == "Finished"]
    assert sorted(one.holder for one in finished) == sorted(HOLDERS)
    for one in finished:
        assert {head.member for head in one.heads} == {"coordinator", *HOLDERS} - {one.holder}
        known = kit.holder_ledger(federation, one.holder).peers()
        ends = {other.holder: Checkpoint.parse(other.checkpoint.body) for other in finished if other != one}
        assert {name: tuple(head) for name, head in known.items() if name != "coordinator"} == {
            name: (end.sequence, end.head) for name, end in ends.items()
        }, "shown to all at the end, with paths"
    kinds = Counter(statement.kind for statement in at_coordinator)
    said = {"HelloRequest": 1, "ReadyRequest": 4, "AnswerRequest": 4, "Contribution": 12, "FinishRequest": 1}
    assert kinds == said | {"Finished": 3, "Witnessed": 3}
    at_alpha = Counter(statement.kind for statement in kit.holder_ledger(federation, "alpha").statements())
    said |= {"Contribution": 4, "Checkpoint": 6, "Witnessed": 1}
    assert at_alpha == said


def test_an_older_head_at_the_end_is_refused(greeted: LyingCoordinator) -> None:
    early = greeted.own_checkpoint()
    greeted.federation.folder.ledger().append(Evidence(what="equivocation", first="", second=""))
    core = greeted.core()
    assert greeted.ask("alpha", core, greeted.readies(core)).code == "Contribution"
    assert greeted.finish("alpha", heads=(early,)).code == "stale"
    assert greeted.finish("alpha", heads=(greeted.own_checkpoint(),)).code == "Finished"
    own = _signed_checkpoint(greeted, "alpha", 9, "f" * 64)
    assert greeted.finish("alpha", heads=(own,), made_by="run-2").code == "stale"


def test_the_coordinator_notices_a_rolled_back_ledger(tmp_path: Path) -> None:
    check_the_coordinator_notices_a_rolled_back_ledger(tmp_path)


def test_a_holder_notices_that_its_own_ledger_was_rolled_back(tmp_path: Path) -> None:
    check_a_holder_notices_its_own_rollback(tmp_path)


def test_participants_may_shrink_and_never_grow(tmp_path: Path) -> None:
    holders = ("alpha", "beta", "delta", "gamma")
    federation = kit.federation_at(tmp_path, *holders)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    fewer = coordinator.core("alpha", "beta", "gamma")
    coordinator.ask("alpha", fewer, coordinator.readies(fewer))
    everyone = coordinator.core(round=2)
    codes = {holder: answer.code for holder, answer in coordinator.show(everyone).items()}
    assert codes["alpha"] == "policy", "it answered among three"
    assert codes["beta"] == codes["delta"] == "Ready", "they have answered nothing yet"
    assert coordinator.show(coordinator.core("alpha", "beta", "gamma", round=3))["alpha"].code == "Ready"
    # Another run of the same study, also after a restart, is the same set.
    federation.nodes["alpha"] = federation.start("alpha")
    again = LyingCoordinator(federation, coordinator.study, run="run-2")
    again.greet()
    assert again.show(again.core(), "alpha")["alpha"].code == "policy"


# --- budgets -----------------------------------------------------------------------------------------------------


def test_the_study_budget_is_kept_by_every_holder(federation: MemoryFederation, greeted: LyingCoordinator) -> None:
    """Three thirds fit exactly; a fourth question is refused at READY, by code, by every holder."""
    for number in (1, 2, 3):
        core = greeted.core(round=number)
        readies = greeted.readies(core)
        for holder in HOLDERS:
            assert greeted.ask(holder, core, readies).code == "Contribution"
    codes = {answer.code for answer in greeted.show(greeted.core(round=4, share=Fraction(1, 1000))).values()}
    assert codes == {"budget"}
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 3)


def test_two_plans_confirmed_together_cannot_both_be_charged_past_the_budget(
    federation: MemoryFederation, greeted: LyingCoordinator
) -> None:
    """READY only looks; the charge itself decides, also when both plans were affordable when they were shown."""
    first, second = (greeted.core(round=number, share=Fraction(2, 3)) for number in (1, 2))
    readies = [greeted.readies(first), greeted.readies(second)]
    assert greeted.ask("alpha", first, readies[0]).code == "Contribution"
    assert greeted.ask("alpha", second, readies[1]).code == "budget"
    assert kit.charged_by(federation)["alpha"] == 1


def test_the_lifetime_cap_holds_over_studies(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="1.2"))
    for name, code in (("first", "Ready"), ("second", "budget")):
        coordinator = LyingCoordinator(federation, kit.lean_study(name=name), run=f"run-{name}")
        coordinator.greet()
        core = coordinator.core(share=Fraction(1))
        shown = coordinator.show(core)
        assert {answer.code for answer in shown.values()} == {code}
        if code == "Ready":
            coordinator.ask("alpha", core, tuple(shown[holder].statement for holder in HOLDERS))
            for holder in ("beta", "gamma"):
                coordinator.ask(holder, core, tuple(shown[h].statement for h in HOLDERS))
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 1)


def test_a_new_name_for_the_same_study_does_not_refill_the_lifetime_budget(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="2", max_unreleased="1"))
    codes = []
    for number in range(6):
        coordinator = LyingCoordinator(federation, kit.lean_study(name=f"n{number}"), run=f"run-{number}")
        coordinator.greet()
        core = coordinator.core(share=Fraction(1))
        shown = coordinator.show(core)
        codes.append(shown["alpha"].code)
        if codes[-1] == "Ready":
            for holder in HOLDERS:
                coordinator.ask(holder, core, tuple(shown[h].statement for h in HOLDERS))
        for holder in HOLDERS:
            assert coordinator.finish(holder).code == "Finished"
    assert codes == ["Ready"] * 3 + ["budget"] * 3, "three studies of epsilon 1 fit below epsilon 2 (1.92)"


# --- the READY set -----------------------------------------------------------------------------------------------

READY_SETS: dict[str, tuple[str, Callable[[LyingCoordinator, tuple[Signed, ...]], tuple[Signed, ...]]]] = {
    "none": ("declined", lambda c, given: ()),
    "one missing": ("declined", lambda c, given: given[1:]),
    "one twice": ("declined", lambda c, given: (*given, given[0])),
    "one in place of another": ("declined", lambda c, given: (given[0], given[1], given[1])),
    "signed for somebody else": (
        "declined",
        lambda c, given: (given[0], given[1], given[1].model_copy(update={"signer": "gamma"})),
    ),
    "says it is somebody else": (
        "equivocation",
        lambda c, given: (
            given[0],
            given[1],
            Identity.load("gamma", _key(c, "gamma")).sign(Ready(holder="beta", core=c.core().digest)),
        ),
    ),
    "for another plan": (
        "equivocation",
        lambda c, given: (given[0], given[1], c.show(c.core(attempt=2), "gamma")["gamma"].statement),
    ),
    "a HELLO in place of a READY": ("declined", lambda c, given: (given[0], given[1], c.hellos["gamma"])),
    "signed by the coordinator": (
        "declined",
        lambda c, given: (given[0], given[1], c.identity.sign(Ready(holder="gamma", core=c.core().digest))),
    ),
}


@pytest.mark.parametrize("case", READY_SETS)
def test_a_wrong_ready_set_is_refused(federation: MemoryFederation, greeted: LyingCoordinator, case: str) -> None:
    core = greeted.core()
    code, change = READY_SETS[case]
    given = greeted.readies(core)
    assert greeted.ask("alpha", core, change(greeted, given)).code == code
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)
    assert greeted.ask("alpha", core, tuple(reversed(given))).code == "Contribution", "the order does not matter"


def test_a_confirmed_plan_expires(tmp_path: Path) -> None:
    clock = kit.FakeClock()
    federation = kit.federation_at(tmp_path, clock=clock)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    clock.elapsed += core.expires - clock.now()
    assert coordinator.ask("alpha", core, readies).code == "stale"
    assert kit.charged_by(federation)["alpha"] == 0


def test_a_plan_that_was_never_shown_is_not_answered(federation: MemoryFederation, greeted: LyingCoordinator) -> None:
    core = greeted.core()
    readies = tuple(
        Identity.load(holder, _key(greeted, holder)).sign(Ready(holder=holder, core=core.digest)) for holder in HOLDERS
    )
    assert greeted.ask("alpha", core, readies).code == "stale"
    assert kit.charged_by(federation)["alpha"] == 0


# --- the end of a run --------------------------------------------------------------------------------------------


def _released(coordinator: LyingCoordinator) -> ReleaseNotice:
    core = coordinator.core()
    readies = coordinator.readies(core)
    values = unmask([coordinator.ask(holder, core, readies).vector for holder in HOLDERS])
    text = " ".join(map(str, values))
    return ReleaseNotice(
        question=core.question, core=core.digest, release=release_digest(core.digest, text), values=text
    )


def test_a_finished_run_is_recorded_once(federation: MemoryFederation, greeted: LyingCoordinator) -> None:
    notice = _released(greeted)
    for _ in range(2):
        assert greeted.finish("alpha", notice).code == "Finished"
    ledger = kit.holder_ledger(federation, "alpha")
    released = [fact for fact in ledger.facts() if isinstance(fact, Released)]
    assert [(fact.core, fact.release) for fact in released] == [(notice.core, notice.release)]
    assert len(kit.charges(ledger)) == 1


FINISH_CASES: dict[str, Callable[[ReleaseNotice], ReleaseNotice]] = {
    "values do not fit the digest": lambda n: n.model_copy(update={"values": n.values + " 1"}),
    "a core that was not answered": lambda n: n.model_copy(update={"core": "0" * 64}),
    "another question": lambda n: n.model_copy(update={"question": Question(run="run-1", round=2, attempt=1)}),
}


@pytest.mark.parametrize("case", FINISH_CASES)
def test_a_release_that_does_not_fit_is_not_recorded(
    federation: MemoryFederation, greeted: LyingCoordinator, case: str
) -> None:
    notice = FINISH_CASES[case](_released(greeted))
    assert greeted.finish("alpha", notice).code == "declined"
    assert "released" not in kit.kinds(kit.holder_ledger(federation, "alpha"))


def test_a_second_release_of_one_core_is_refused(federation: MemoryFederation, greeted: LyingCoordinator) -> None:
    notice = _released(greeted)
    assert greeted.finish("alpha", notice).code == "Finished"
    forged = notice.values.replace(" ", " 0 ", 1)
    other = notice.model_copy(update={"values": forged, "release": release_digest(notice.core, forged)})
    ledger = kit.holder_ledger(federation, "alpha")
    before = kit.kinds(ledger)
    # Another run of the study may make another result of the same releases, and not of another release.
    for made_by in ("run-1", "run-2"):
        assert greeted.finish("alpha", other, made_by=made_by).code == "equivocation"
    assert kit.kinds(ledger) == [*before, "evidence"], "once for each first statement"
    assert greeted.finish("alpha", notice, made_by="run-3").code == "Finished"


def test_two_releases_of_one_core_in_one_message_are_refused(
    federation: MemoryFederation, greeted: LyingCoordinator
) -> None:
    notice = _released(greeted)
    forged = notice.values.replace(" ", " 0 ", 1)
    other = notice.model_copy(update={"values": forged, "release": release_digest(notice.core, forged)})
    ledger = kit.holder_ledger(federation, "alpha")
    before = ledger.head
    assert greeted.finish("alpha", notice, other).code == "equivocation"
    assert ledger.head == before
    assert greeted.finish("alpha", notice).code == "Finished"
    assert [fact.kind for fact in ledger.facts()].count("released") == 1


def test_a_new_run_of_a_study_replaces_the_one_before(greeted: LyingCoordinator) -> None:
    core = greeted.core()
    readies = greeted.readies(core)
    LyingCoordinator(greeted.federation, greeted.study, run="run-2").greet("alpha")
    assert greeted.ask("alpha", core, readies).code == "unknown_run"
    assert greeted.show(core, "alpha")["alpha"].code == "unknown_run"


def test_a_holder_that_is_busy_with_runs_says_so(federation: MemoryFederation) -> None:
    codes = []
    for number in range(clients.answering.run_state.MAX_RUNS + 1):
        coordinator = LyingCoordinator(federation, kit.small_study(name=f"n{number}"), run=f"run-{number}")
        codes.append(coordinator.send("alpha", coordinator.hello_request()).code)
    assert codes == ["Hello"] * clients.answering.run_state.MAX_RUNS + ["busy"]


def test_a_new_run_of_a_study_takes_no_place_of_another(federation: MemoryFederation) -> None:
    """Many runs of one study, cut off one after another, do not make a holder busy."""
    for number in range(clients.answering.run_state.MAX_RUNS + 3):
        again = LyingCoordinator(federation, run=f"run-{number}")
        assert again.send("alpha", again.hello_request()).code == "Hello"


def test_runs_that_have_expired_take_no_place(tmp_path: Path) -> None:
    clock = kit.FakeClock()
    federation = kit.federation_at(tmp_path, clock=clock)
    for number in range(clients.answering.run_state.MAX_RUNS):
        coordinator = LyingCoordinator(federation, kit.small_study(name=f"n{number}"), run=f"run-{number}")
        coordinator.greet("alpha")
    clock.elapsed += clients.answering.node.HELLO_LIFETIME
    late = LyingCoordinator(federation, kit.small_study(name="late"), run="run-late")
    assert late.send("alpha", late.hello_request()).code == "Hello"


def test_one_run_is_of_one_study(greeted: LyingCoordinator) -> None:
    other = greeted.hello_request(study=kit.small_study(name="other"))
    assert greeted.send("alpha", other).code == "equivocation"


def test_only_a_run_that_was_joined_can_be_finished_and_only_for_its_study(greeted: LyingCoordinator) -> None:
    assert greeted.finish("alpha", run="run-never").code == "schema"
    assert greeted.finish("alpha", run="../../etc").code == "declined"
    assert greeted.finish("alpha", study="1" * 64).code == "stale"
    assert greeted.finish("alpha").code == "Finished"


# --- nothing but codes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), DataError(SECRET, hint=SECRET), KeyError(SECRET), MemoryError(SECRET), RecursionError(SECRET)],
    ids=lambda error: type(error).__name__,
)
def test_texts_of_exceptions_never_leave(
    federation: MemoryFederation, liar: LyingCoordinator, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    federation.nodes["alpha"] = kit.node_with(federation, "alpha", data=RaisingData(error))
    answer = liar.send("alpha", liar.hello_request())
    assert answer.code == "declined"
    assert not [part for part in PARTS if part in answer.raw]
    assert b"Example" not in base64.b64decode(json.loads(answer.raw)["vector"])
    assert SECRET in caplog.text, "the holder's own log says what happened"
    greeting = kit.coordinator_of(federation)
    with pytest.raises(NotEnoughHolders) as caught:
        greeting.join()
    assert str(caught.value) == "not ready: alpha: declined. Nothing was asked and nothing was charged"
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)


def test_an_error_while_labelling_says_nothing_either(federation: MemoryFederation, liar: LyingCoordinator) -> None:
    class LabelsFail(RaisingData):
        def tables(self, study: object) -> dict[str, CustomerColumns]:
            return {"rfm": kit.table(5)}

    federation.nodes["alpha"] = kit.node_with(federation, "alpha", data=LabelsFail(ValueError(SECRET)))
    liar.greet()
    question = _segment_question()
    core = liar.core(statistic=question)
    readies = liar.readies(core)
    values = unmask([liar.ask(holder, core, readies).vector for holder in HOLDERS])
    text = " ".join(map(str, values))
    notice = ReleaseNotice(
        question=core.question, core=core.digest, release=release_digest(core.digest, text), values=text
    )
    answer = liar.finish("alpha", notice)
    assert answer.code == "declined"
    assert not [part for part in PARTS if part in answer.raw]


def _segment_question() -> SegmentTotals:
    return SegmentTotals.model_validate(
        {
            "rules": {
                "cuts": {
                    "recency_days": [10, 20, 30, 40], "orders": [1, 2, 3, 4], "money": [100, 200, 300, 400],
                    "recency_high": 20, "orders_high": 2, "money_high": 200,
                },
                "money_unit": 100,
            },
            "schemes": ["eight"],
            "orders_cap": 10,
            "money_cap": 10_000,
        }
    )  # fmt: skip


_rows = st.lists(
    st.tuples(st.integers(0, 2**40), st.integers(1, 2**40), st.integers(-(2**62), 2**62), st.integers(0, 2**40)),
    max_size=8,
)


def _columns(rows: list[tuple[int, int, int, int]]) -> CustomerColumns:
    array = np.array(rows, dtype=np.int64).reshape(-1, 4)
    names = ("recency_days", "orders", "money", "tenure_days")
    return CustomerColumns(**{name: array[:, number].copy() for number, name in enumerate(names)})


def _transcript(federation: MemoryFederation, coordinator: LyingCoordinator) -> list[tuple[str, int, str]]:
    """Codes, lengths and outward form of everything that alpha sends in a run of two questions."""
    found = []

    def note(answer: Answer) -> Answer:
        found.append((answer.code, len(answer.raw), ",".join(sorted(json.loads(answer.statement.body)))))
        return answer

    coordinator.greet("beta", "gamma")
    answer = note(coordinator.send("alpha", coordinator.hello_request()))
    coordinator.hellos["alpha"], coordinator.checkpoints["alpha"] = answer.statement, answer.value.checkpoint
    for number, statistic in enumerate((kit.STATISTIC, _segment_question()), start=1):
        core = coordinator.core(statistic=statistic, round=number)
        shown = coordinator.show(core)
        note(shown["alpha"])
        readies = tuple(shown[holder].statement for holder in HOLDERS)
        note(coordinator.ask("alpha", core, readies))
        note(coordinator.ask("alpha", core, readies))
        note(coordinator.show(core, "alpha")["alpha"])
    note(coordinator.finish("alpha"))
    return found


@pytest.mark.slow
def test_rows_change_neither_codes_nor_lengths_nor_the_number_of_replies(tmp_path: Path) -> None:
    """Any rows: empty, huge, negative, extreme. Compared with an empty table's run, message by message."""
    clock = kit.FakeClock()  # one time stamp has one length
    federation = kit.federation_at(tmp_path, clock=clock)
    originals = [tmp_path / "holders" / holder / "state" / "ledger.sqlite" for holder in HOLDERS]
    fresh = {path: path.read_bytes() for path in originals}

    def run_with(columns: CustomerColumns) -> list[tuple[str, int, str]]:
        for path, data in fresh.items():
            path.write_bytes(data)
        federation._tables = federation._tables | {"alpha": columns}
        federation.nodes = {holder: federation.start(holder) for holder in HOLDERS}
        return _transcript(federation, LyingCoordinator(federation))

    expected = run_with(_columns([]))
    assert [code for code, _, _ in expected] == [
        "Hello", "Ready", "Contribution", "Contribution", "already_answered",
        "Ready", "Contribution", "Contribution", "already_answered", "Finished",
    ]  # fmt: skip

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_rows)
    def same(rows: list[tuple[int, int, int, int]]) -> None:
        assert run_with(_columns(rows)) == expected

    same()
    assert run_with(kit.table(20_000)) == expected


# --- garbage -----------------------------------------------------------------------------------------------------

GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "not text": b"\xff\xfe\x00",
    "not an object": b"[]",
    "null": b"null",
    "nested": b"[" * 100_000,
    "empty object": b"{}",
    "wrong types": b'{"statement":1,"vector":[]}',
    "unknown kind": b'{"body":"{}","kind":"Nonsense","signature":"' + b"0" * 128 + b'","signer":"coordinator"}',
    "stranger": b'{"body":"{}","kind":"HelloRequest","signature":"' + b"0" * 128 + b'","signer":"nobody"}',
    "lone surrogate": b'{"body":"\\ud800","kind":"HelloRequest","signature":"'
    + b"0" * 128
    + b'","signer":"coordinator"}',
    "large": b"x" * 1_000_000,
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_gets_a_code(federation: MemoryFederation, liar: LyingCoordinator, case: str) -> None:
    answer = liar.send_bytes("alpha", GARBAGE[case])
    assert answer.code == "declined"
    assert set(kit.kinds(kit.holder_ledger(federation, "alpha"))) <= {"opened", "declined"}


def test_damaged_requests_get_a_code_and_charge_nothing(tmp_path: Path) -> None:
    """Any prefix, and any changed byte, of a proper request of each kind."""
    federation = kit.federation_at(tmp_path)
    coordinator = LyingCoordinator(federation)
    proper = {}
    real = coordinator.send_bytes
    coordinator.send_bytes = lambda holder, request: (proper.setdefault(len(proper), request), real(holder, request))[1]
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    coordinator.ask("beta", core, readies)
    coordinator.send_bytes = real
    requests = {Request.parse(request).statement.kind: request for request in proper.values()}
    assert set(requests) == {"HelloRequest", "ReadyRequest", "AnswerRequest"}

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(sorted(requests)), st.floats(0, 0.999999), st.integers(0, 255), st.booleans())
    def damaged(kind: str, place: float, value: int, cut: bool) -> None:
        request = requests[kind]
        at = int(place * len(request))
        changed = request[:at] if cut else request[:at] + bytes([value]) + request[at + 1 :]
        if changed != request and _signed_or_none(changed) != _signed_or_none(request):
            assert real("alpha", changed).code == "declined"

    damaged()
    assert kit.charged_by(federation)["alpha"] == 0


def _signed_or_none(data: bytes) -> Signed | None:
    """The statement in some bytes, if they are one (white space in JSON is no damage)."""
    try:
        return Request.parse(data).statement
    except Exception:
        return None


def _statement_by(federation: MemoryFederation, holder: str, statement: object, vector: str = "") -> bytes:
    identity = Identity.load(holder, federation.root / "holders" / holder / "keys" / "signing.pem")
    return Reply(statement=identity.sign(statement), vector=vector).canonical()


def _reply_with_a_surrogate(federation: MemoryFederation, reply: bytes) -> bytes:
    return reply.replace(b'"body":"', b'"body":"\\ud800', 1)


def _another_vector(federation: MemoryFederation, reply: bytes) -> bytes:
    parsed = json.loads(reply)
    data = bytearray(base64.b64decode(parsed["vector"]))
    data[3] ^= 1
    parsed["vector"] = base64.b64encode(bytes(data)).decode()
    return json.dumps(parsed).encode()


def _shorter_vector(federation: MemoryFederation, reply: bytes) -> bytes:
    """Signed properly, but one word short."""
    from privacy.kernel.canonical import sha256_hex

    parsed = Reply.parse(reply)
    data = base64.b64decode(parsed.vector)[:-8]
    answer = parsed.statement.open(Contribution, federation.roster)
    changed = answer.model_copy(update={"payload": sha256_hex(data)})
    return _statement_by(federation, "beta", changed, base64.b64encode(data).decode())


def _for_another_core(federation: MemoryFederation, reply: bytes) -> bytes:
    parsed = Reply.parse(reply)
    answer = parsed.statement.open(Contribution, federation.roster)
    return _statement_by(federation, "beta", answer.model_copy(update={"core": "0" * 64}), parsed.vector)


#: What beta's answer is replaced by.
BAD_ANSWERS: dict[str, Callable[[MemoryFederation, bytes], bytes]] = {
    "empty": lambda f, reply: b"",
    "garbage": lambda f, reply: b"\x00garbage",
    "nested": lambda f, reply: b"[" * 100_000,
    "cut off": lambda f, reply: reply[: len(reply) // 2],
    "a lone surrogate": _reply_with_a_surrogate,
    "vector changed on the way": _another_vector,
    "vector too short": _shorter_vector,
    "vector not base64": lambda f, reply: json.dumps(json.loads(reply) | {"vector": "***"}).encode(),
    "vector not ASCII": lambda f, reply: json.dumps(json.loads(reply) | {"vector": "é"}).encode(),
    "for another core": _for_another_core,
    "another kind of statement": lambda f, reply: _statement_by(f, "beta", Ready(holder="beta", core="0" * 64)),
    "signed by another holder": lambda f, reply: _statement_by(f, "gamma", Refusal(holder="beta", code="busy")),
    "a refusal by code": lambda f, reply: _statement_by(f, "beta", Refusal(holder="beta", code="declined")),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_a_bad_answer_spends_the_attempt_and_the_study_goes_on(tmp_path: Path, case: str) -> None:
    federation = kit.federation_at(tmp_path, "alpha", "beta", "delta", "gamma", sampler=kit.no_noise)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        return BAD_ANSWERS[case](federation, reply) if (holder, kind, count) == ("beta", "answer", 1) else reply

    notes = kit.Notes()
    coordinator = kit.coordinator_of(federation, hook=hook, progress=notes)
    coordinator.join()
    release = coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    assert release.question.attempt == 2
    assert [note for note in notes.notes if note.startswith("beta did not answer")]
    np.testing.assert_array_equal(release.array, total(federation, holders=release.holders))
    facts = list(federation.folder.ledger().facts())
    assert [fact.kind for fact in facts] == ["opened", "roster", "reserved", "failed", "reserved", "released"]
    assert facts[3].reason == "missing_answer"
    assert kit.charged_by(federation) == {"alpha": 2, "beta": 2, "delta": 2, "gamma": 2}, "beta came back"


@pytest.mark.parametrize("kind", ["hello", "ready", "finish"])
@pytest.mark.parametrize(
    "data", [b"", b"[" * 100_000, b'{"statement":{},"vector":""}'], ids=["empty", "nested", "shape"]
)
def test_garbage_at_other_steps_never_ends_the_coordinator(tmp_path: Path, kind: str, data: bytes) -> None:
    federation = kit.federation_at(tmp_path, "alpha", "beta", "delta", "gamma")

    def hook(holder: str, step: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        return data if (holder, step) == ("beta", kind) else forward(request)

    coordinator = kit.coordinator_of(federation, hook=hook)
    if kind == "hello":
        with pytest.raises(NotEnoughHolders, match="beta: not a valid Reply"):
            coordinator.join()
        assert kit.charged_by(federation) == dict.fromkeys(federation.roster.holders, 0)
        return
    coordinator.join()
    release = coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study))
    assert ("beta" in release.holders) == (kind == "finish")
    assert coordinator.finish("{}") == (("beta",) if kind == "finish" else ())


@pytest.mark.parametrize("sequence", [(1 << 53) + 1, 1 << 63, 1 << 64, 0, -1])
def test_a_checkpoint_that_no_ledger_can_have_is_refused(federation: MemoryFederation, sequence: int) -> None:
    """Signed by the holder itself, so it passes all signature checks."""

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        if (holder, kind) != ("beta", "hello"):
            return reply
        hello = Reply.parse(reply).statement.open(Hello, federation.roster)
        identity = Identity.load("beta", federation.root / "holders" / "beta" / "keys" / "signing.pem")
        huge = identity.sign(Checkpoint.model_construct(member="beta", sequence=sequence, head="0" * 64))
        return _statement_by(federation, "beta", hello.model_copy(update={"checkpoint": huge}))

    with pytest.raises(NotEnoughHolders, match="beta: not a valid Checkpoint"):
        kit.coordinator_of(federation, hook=hook).join()


# --- dropouts ----------------------------------------------------------------------------------------------------


class Drops:
    """A hook that loses what one holder is sent (or what it replies) at one step."""

    def __init__(self, holder: str, kind: str, counts: tuple[int, ...] = (1,), *, lost: str = "request") -> None:
        self.where = {(holder, kind, count) for count in counts}
        self.lost = lost

    def __call__(self, holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        if (holder, kind, count) not in self.where:
            return forward(request)
        if self.lost == "reply":
            forward(request)
        return None


FOUR = ("alpha", "beta", "delta", "gamma")


def _ask(coordinator: object, title: str = "cut points", statistic: object = kit.STATISTIC) -> object:
    return coordinator.ask("rfm", title, statistic, kit.price(coordinator.study))


def _coordinator_charges(federation: MemoryFederation) -> int:
    return len(kit.charges(federation.folder.ledger()))


def test_a_holder_absent_at_hello_is_named_and_nothing_is_charged(federation: MemoryFederation) -> None:
    coordinator = kit.coordinator_of(federation, hook=Drops("beta", "hello"))
    with pytest.raises(NotEnoughHolders, match="not ready: beta: no answer") as caught:
        coordinator.join()
    assert caught.value.exit_code == 8
    assert _coordinator_charges(federation) == 0
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)


def test_a_holder_absent_at_ready_is_left_out_at_no_cost(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *FOUR, sampler=kit.no_noise)
    coordinator = kit.coordinator_of(federation, hook=Drops("beta", "ready"))
    coordinator.join()
    release = _ask(coordinator)
    assert release.holders == ("alpha", "delta", "gamma")
    assert coordinator.missing == ["beta"]
    np.testing.assert_array_equal(release.array, total(federation, holders=release.holders))
    assert _coordinator_charges(federation) == 1
    assert kit.charged_by(federation) == {"alpha": 1, "beta": 0, "delta": 1, "gamma": 1}
    assert coordinator._spare == 1, "nothing was answered, so no spare attempt is used"


@pytest.mark.parametrize("lost", ["request", "reply"])
def test_a_holder_absent_at_the_answer_costs_an_attempt(tmp_path: Path, lost: str) -> None:
    """It comes back with the second attempt. What each holder answered is charged there, lost or not."""
    federation = kit.federation_at(tmp_path, *FOUR, sampler=kit.no_noise)
    coordinator = kit.coordinator_of(federation, hook=Drops("beta", "answer", lost=lost))
    coordinator.join()
    release = _ask(coordinator)
    assert release.holders == FOUR
    np.testing.assert_array_equal(release.array, total(federation, holders=FOUR))
    assert _coordinator_charges(federation) == 2
    beta = 2 if lost == "reply" else 1
    assert kit.charged_by(federation) == {"alpha": 2, "beta": beta, "delta": 2, "gamma": 2}


def _without_beta(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
    """It joins, and is never heard of again."""
    gone = holder == "beta" and (kind == "answer" or (kind == "hello" and count > 1))
    return None if gone else forward(request)


def test_a_holder_that_stays_away_is_left_out_and_named(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *FOUR, sampler=kit.no_noise)

    coordinator = kit.coordinator_of(federation, hook=_without_beta)
    coordinator.join()
    first, second = _ask(coordinator), _ask(coordinator, "segments", kit.OTHER_STATISTIC)
    assert first.holders == second.holders == ("alpha", "delta", "gamma")
    assert coordinator.missing == ["beta"]
    assert coordinator.finish("{}") == ()
    assert kit.charged_by(federation) == {"alpha": 3, "beta": 0, "delta": 3, "gamma": 3}


def test_without_a_spare_attempt_the_study_ends_and_says_so(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    study = kit.small_study(budget={"spare_attempts": 0})
    coordinator = kit.coordinator_of(federation, study, hook=Drops("beta", "answer"))
    coordinator.join()
    with pytest.raises(NotEnoughHolders, match="no spare attempt"):
        _ask(coordinator)
    assert _coordinator_charges(federation) == 1
    assert kit.charged_by(federation) == {"alpha": 1, "beta": 0, "delta": 1, "gamma": 1}
    assert [fact.kind for fact in federation.folder.ledger().facts()] == ["opened", "roster", "reserved", "failed"]


def test_spare_attempts_are_counted_over_the_whole_study(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    coordinator = kit.coordinator_of(federation, hook=Drops("beta", "answer", (1, 3)))
    coordinator.join()
    _ask(coordinator)
    with pytest.raises(NotEnoughHolders, match="no spare attempt"):
        _ask(coordinator, "segments", kit.OTHER_STATISTIC)
    assert _coordinator_charges(federation) == 3


def test_below_the_least_number_of_holders_the_study_ends(federation: MemoryFederation) -> None:
    """Three holders, all of whose policies ask for three: losing one leaves nobody who may answer."""

    coordinator = kit.coordinator_of(federation, hook=_without_beta)
    coordinator.join()
    with pytest.raises(NotEnoughHolders, match="nobody to hide behind"):
        _ask(coordinator)
    assert kit.charged_by(federation) == {"alpha": 1, "beta": 0, "gamma": 1}


def test_a_holder_that_misses_the_end_is_named_and_the_others_are_served(federation: MemoryFederation) -> None:
    coordinator = kit.coordinator_of(federation, hook=Drops("beta", "finish"))
    coordinator.join()
    _ask(coordinator)
    assert coordinator.finish("{}") == ("beta",)
    released = {holder: "released" in kit.kinds(kit.holder_ledger(federation, holder)) for holder in HOLDERS}
    assert released == {"alpha": True, "beta": False, "gamma": True}
    again = kit.coordinator_of(federation)
    again.join()
    _ask(again)
    assert again.finish("{}") == ()
    assert "released" in kit.kinds(kit.holder_ledger(federation, "beta"))
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 1), "catching up costs nothing"


@pytest.mark.parametrize("moment", ["ready", "answer"])
def test_a_holder_restarted_in_the_middle_says_hello_again(tmp_path: Path, moment: str) -> None:
    federation = kit.federation_at(tmp_path, sampler=kit.no_noise)

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        if (holder, kind, count) == ("beta", moment, 1):
            federation.nodes["beta"] = federation.start("beta")
        return forward(request)

    coordinator = kit.coordinator_of(federation, hook=hook)
    coordinator.join()
    release = _ask(coordinator)
    assert release.holders == HOLDERS
    assert coordinator.missing == []
    np.testing.assert_array_equal(release.array, total(federation))
    spent = 1 if moment == "ready" else 2
    assert _coordinator_charges(federation) == spent
    assert kit.charged_by(federation) == {"alpha": spent, "beta": 1, "gamma": spent}


def test_a_holder_that_restarts_for_ever_does_not_keep_the_run_for_ever(federation: MemoryFederation) -> None:
    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        if (holder, kind) == ("beta", "ready"):
            federation.nodes["beta"] = federation.start("beta")
        return forward(request)

    coordinator = kit.coordinator_of(federation, hook=hook)
    coordinator.join()
    with pytest.raises(NotEnoughHolders, match="kept dropping out"):
        _ask(coordinator)
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 0)


def test_masks_that_do_not_cancel_spend_the_attempt_and_name_who_changed_them(tmp_path: Path) -> None:
    """A holder that masks with another key (a cheat, or a fault) answers otherwise than it announced."""
    federation = kit.federation_at(tmp_path, *FOUR)
    notes = kit.Notes()

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        if (holder, kind, count) == ("beta", "answer", 1):
            run = next(iter(federation.nodes["beta"]._runs.values()))
            own, run.mask_key = run.mask_key, MaskKey()
            try:
                return forward(request)
            finally:
                run.mask_key = own
        return forward(request)

    coordinator = kit.coordinator_of(federation, hook=hook, progress=notes)
    coordinator.join()
    release = _ask(coordinator)
    assert (release.question.attempt, release.holders) == (2, ("alpha", "delta", "gamma"))
    facts = list(federation.folder.ledger().facts())
    assert [(fact.reason, fact.blamed) for fact in facts if fact.kind == "failed"] == [("check_words", ("beta",))]
    assert kit.charged_by(federation) == {"alpha": 2, "beta": 1, "delta": 2, "gamma": 2}


def test_a_repeated_request_is_answered_with_the_same_bytes(federation: MemoryFederation) -> None:
    """A carrier that delivers everything twice changes nothing but the READY of an answered plan."""

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        first, second = forward(request), forward(request)
        assert first == second or kind == "finish"
        return second

    coordinator = kit.coordinator_of(federation, hook=hook)
    coordinator.join()
    assert _ask(coordinator).question.attempt == 1
    assert coordinator.finish("{}") == ()
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 1)


def test_replies_mixed_up_between_holders_are_not_taken(federation: MemoryFederation) -> None:
    """Beta's place gets alpha's answer: its signature is another holder's, so the attempt fails."""
    kept: dict[str, bytes] = {}

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        if (kind, count) == ("answer", 1):
            kept[holder] = reply
            return kept["alpha"] if holder == "beta" else reply
        return reply

    coordinator = kit.coordinator_of(federation, hook=hook)
    coordinator.join()
    assert _ask(coordinator).question.attempt == 2


# --- a coordinator that is killed ---------------------------------------------------------------------------------


def test_a_coordinator_resumed_uses_its_releases_again(federation: MemoryFederation) -> None:
    study = kit.small_study()
    first = kit.coordinator_of(federation, study)
    first.join()
    release = _ask(first)
    resumed = kit.coordinator_of(federation, study)
    resumed.join()
    assert _ask(resumed) == release
    _ask(resumed, "segments", kit.OTHER_STATISTIC)
    assert _coordinator_charges(federation) == 2
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 2)
    assert resumed.finish("{}") == ()


def test_a_coordinator_killed_while_asking_has_spent_and_can_go_on(federation: MemoryFederation) -> None:
    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        if (holder, kind) == ("gamma", "answer"):
            raise Killed
        return reply

    study = kit.small_study()
    first = kit.coordinator_of(federation, study, hook=hook)
    first.join()
    with pytest.raises(Killed):
        _ask(first)
    facts = list(federation.folder.ledger().facts())
    assert [fact.kind for fact in facts] == ["opened", "roster", "reserved", "failed"]
    assert facts[-1].reason == "stopped"
    resumed = kit.coordinator_of(federation, study)
    resumed.join()
    assert _ask(resumed).question.attempt == 1
    assert kit.charged_by(federation) == dict.fromkeys(HOLDERS, 2)


def test_after_a_dropout_a_resumed_study_invites_the_smaller_set_only(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    study = kit.small_study()
    first = kit.coordinator_of(federation, study, hook=Drops("beta", "ready"))
    first.join()
    assert _ask(first).holders == ("alpha", "delta", "gamma")
    resumed = kit.coordinator_of(federation, study)
    assert resumed.invited == ("alpha", "delta", "gamma")
    assert resumed.missing == ["beta"]
    resumed.join()
    assert _ask(resumed, "segments", kit.OTHER_STATISTIC).holders == ("alpha", "delta", "gamma")
    assert kit.charged_by(federation) == {"alpha": 2, "beta": 0, "delta": 2, "gamma": 2}


def test_a_study_without_budget_left_says_so(federation: MemoryFederation) -> None:
    coordinator = kit.coordinator_of(federation)
    coordinator.join()
    _ask(coordinator)
    charged = kit.charged_by(federation)
    shown = dict(coordinator.line.transport.sent)
    with pytest.raises(BudgetError) as caught:
        coordinator.ask("rfm", "more", kit.OTHER_STATISTIC, kit.price(coordinator.study, Fraction(9, 10)))
    assert caught.value.exit_code == 5
    assert dict(coordinator.line.transport.sent) == shown, "no holder is shown what the study cannot pay"
    assert kit.charged_by(federation) == charged


# --- the order of charge and answer ------------------------------------------------------------------------------


def test_the_charge_comes_before_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_the_charge_comes_before_the_answer(tmp_path, monkeypatch)


def test_a_ledger_that_cannot_be_written_answers_nothing(
    federation: MemoryFederation, greeted: LyingCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = greeted.core()
    readies = greeted.readies(core)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "_add", full)
    answer = greeted.ask("alpha", core, readies)
    assert answer.code == "declined"
    assert json.loads(answer.raw)["vector"] == ""


# --- when replies leave ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "leaves"),
    [(0.0, 0.25), (0.1, 0.25), (0.25, 0.25), (0.26, 0.5), (0.6, 1.0), (1.1, 2.0), (2.0, 2.0), (100.0, 128.0)],
)
def test_hello_and_finish_leave_at_doubling_times(tmp_path: Path, seconds: float, leaves: float) -> None:
    clock = kit.FakeClock()
    federation = kit.federation_at(tmp_path, clock=clock)
    federation.nodes["alpha"] = kit.node_with(federation, "alpha", data=SlowData(clock, seconds))
    coordinator = LyingCoordinator(federation)
    started = clock.elapsed
    assert coordinator.send("alpha", coordinator.hello_request()).code == "Hello"
    assert clock.elapsed - started == pytest.approx(leaves)
    started = clock.elapsed
    assert coordinator.send("alpha", coordinator.hello_request()).code == "Hello"
    assert clock.elapsed - started == pytest.approx(0.25), "the table is there already"
    coordinator.greet()
    core = coordinator.core(statistic=_segment_question())
    readies = coordinator.readies(core)
    values = unmask([coordinator.ask(holder, core, readies).vector for holder in HOLDERS])
    text = " ".join(map(str, values))
    digest = release_digest(core.digest, text)
    started = clock.elapsed
    notice = ReleaseNotice(question=core.question, core=core.digest, release=digest, values=text)
    assert coordinator.finish("alpha", notice).code == "Finished"
    assert clock.elapsed - started == pytest.approx(leaves)


def test_answers_and_refusals_leave_at_doubling_times_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_an_answer_shows_its_time_to_a_power_of_two(tmp_path, monkeypatch)


class Untouchable:
    """Tables of a holder whose rows are not to be touched."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"rows were touched: {name}")


def test_what_leaves_at_once_touches_no_row(tmp_path: Path) -> None:
    clock = kit.FakeClock()
    federation = kit.federation_at(tmp_path, clock=clock)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    for node in federation.nodes.values():
        for run in node._runs.values():
            run.tables = Untouchable()
    started = clock.elapsed
    core = coordinator.core()
    coordinator.readies(core)
    assert coordinator.send("alpha", OpenRequest(core=core.digest)).code == "Opening"
    assert clock.elapsed == started


def test_the_noise_is_drawn_before_the_answer_is_asked_for(tmp_path: Path) -> None:
    """So that the time an answer takes says nothing about the noise in it."""
    drawn: list[int] = []

    def counting(scale: int, size: int) -> np.ndarray:
        drawn.append(size)
        return np.zeros(size, dtype=np.int64)

    federation = kit.federation_at(tmp_path, sampler=counting)
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    core = coordinator.core()
    readies = coordinator.readies(core)
    assert len(drawn) == 3
    for holder in HOLDERS:
        coordinator.ask(holder, core, readies)
    assert len(drawn) == 3


def test_a_second_request_does_not_time_the_first_more_finely(tmp_path: Path) -> None:
    check_a_second_request_does_not_time_the_first(tmp_path)


# --- the closed list ---------------------------------------------------------------------------------------------


def test_statements_have_no_free_form_field() -> None:
    """Everything a holder can send: digests, keys, ids, numbers of the ledger, codes; no text, no metrics."""
    fields = {
        model.__name__: set(model.model_fields) for model in (Hello, Ready, Opening, Contribution, Refusal, Reply)
    }
    assert fields == {
        "Hello": {
            "protocol", "federation", "roster", "study", "run", "holder", "mask_key", "nonce", "checkpoint", "expires",
            "time", "unwitnessed",
            "feeds",  # names of a closed list, see test_feed_policy
        },
        "Ready": {"holder", "core", "checkpoint", "check"},
        "Opening": {"holder", "core", "keys"},
        "Contribution": {"holder", "core", "payload", "checkpoint", "check"},
        "Refusal": {"holder", "code", "request"},
        "Reply": {"statement", "vector", "paths", "since"},
    }  # fmt: skip
    assert {
        "schema", "policy", "budget", "version", "busy", "stale", "unknown_run", "equivocation", "already_answered",
        "approval", "hours", "mismatch", "declined",
    } == CODES  # fmt: skip


def test_hello_says_nothing_of_the_table(federation: MemoryFederation, liar: LyingCoordinator) -> None:
    """Two holders' HELLOs differ in ids, keys, nonces and heads alone."""
    first, second = (liar.send(holder, liar.hello_request()).value for holder in ("alpha", "beta"))
    same = {"protocol", "federation", "roster", "study", "run"}
    assert {name: getattr(first, name) for name in same} == {name: getattr(second, name) for name in same}
    assert isinstance(liar.hello_request(), HelloRequest)
    assert Decimal(first.expires) > liar.now
