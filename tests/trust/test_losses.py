"""What a study may lose when it releases nothing: limited by each holder's own policy, whoever is the cause."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from protocol_kit import LyingCoordinator
from pydantic import ValidationError

import cohortium
from clients.answering.policy import HolderPolicy
from privacy.accounting.events import GaussianSum, epsilon_spent, squared_cap
from privacy.errors import BudgetError, LossesError, NotEnoughHolders, PolicyError
from privacy.ledger import (
    Evidence,
    Failed,
    LossesAccepted,
    Question,
    Readmitted,
    Recovered,
    Released,
    Reserved,
)
from privacy.ledger.entries import Fact
from privacy.ledger.losses import Losses
from privacy.protocol.transport import Handler
from server.running.federation import Federation
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

FOUR = ("alpha", "beta", "delta", "gamma")
CAP = (Decimal(2), Decimal("0.000001"))
PART = Decimal("0.1")
#: Noise for which a charge takes a little more than a tenth of the cap.
EVENT = GaussianSum(squared_norm=1 << 40, gamma=1 << 20, dim=8, share_scale=5_000_000, protecting_shares=2)


def charge(number: int, *, study: str = "a", title: str = "cut points", time: int = 100, cheap: int = 1) -> Reserved:
    """A charge; its price is divided by the square of ``cheap``."""
    return Reserved(
        question=Question(run=f"run-{study}", round=number, attempt=1),
        study=study,
        study_digest=study * 64,
        core=f"{number:064x}",
        analysis="rfm",
        title=title,
        statistic="prefix_sums",
        statistic_digest="1" * 64,
        event=EVENT.model_copy(update={"share_scale": EVENT.share_scale * cheap}),
        records=1,
        placement="distributed",
        holders=FOUR,
        colluding=1,
        sampler="",
        roster="2" * 64,
        policy="3" * 64,
        software="0",
        time=time,
    )


def released(fact: Reserved) -> Released:
    return Released(question=fact.question, core=fact.core, release="4" * 64)


def failed(fact: Reserved, **why: Any) -> Failed:
    return Failed(question=fact.question, core=fact.core, **({"reason": "missing_answer"} | why))


def after(*facts: Fact) -> Losses:
    losses = Losses()
    for fact in facts:
        losses.take(fact)
    return losses


def admitted(losses: Losses, fact: Reserved) -> bool:
    try:
        losses.admit(fact, part=PART, lifetime=CAP)
    except LossesError:
        return False
    return True


# --- the rule ----------------------------------------------------------------------------------------------------


def test_the_charges_here_take_more_than_a_tenth_each() -> None:
    part = EVENT.squared_mu() / squared_cap(2.0, 1e-6)
    assert 0.1 < part < 0.12


def test_one_lost_charge_passes_and_the_second_waits() -> None:
    """The first failed attempt stops no federation, however small its cap; not even the study that it was in."""
    first, second = charge(1), charge(2, study="b")
    assert admitted(after(), first)
    assert admitted(after(first), charge(3, study="c"))
    assert not admitted(after(first, second), charge(3, study="c"))
    assert admitted(after(first, second, released(first)), charge(3, study="c"))


def test_small_losses_add_up_to_the_tenth() -> None:
    """Charges of a hundredth each: the dearest is not counted, so the eleventh after it is too much."""
    several = [charge(number, study="b", cheap=3) for number in range(1, 12)]
    price = several[0].event.squared_mu() / squared_cap(2.0, 1e-6)
    fit = int(Fraction(PART) / price)
    asked = charge(99, study="c")
    assert admitted(after(*several[: fit + 1]), asked)
    assert not admitted(after(*several[: fit + 2]), asked)


def test_what_a_study_has_answered_is_no_loss_while_it_goes_on() -> None:
    """Releases are shown at the end of a run; until then each question's last charge may still lead to one."""
    questions = [charge(number, title=f"question {number}") for number in range(1, 6)]
    assert admitted(after(*questions), charge(6, title="question 6"))
    assert not admitted(after(*questions), charge(6, study="b", title="question 6")), "for another study they are lost"
    assert admitted(after(*questions, *map(released, questions)), charge(6, study="b"))


def test_what_is_asked_again_was_lost_before() -> None:
    first, second = charge(1), charge(2)
    assert len(after(first).before(charge(3, title="segments"))) == 0
    assert len(after(first).before(second)) == 1
    assert len(after(first, second).before(charge(3, title="segments"))) == 1
    assert admitted(after(first), second), "a spare attempt"
    assert not admitted(after(first, second), charge(3))


def test_the_operators_word_counts_for_what_was_lost_until_then() -> None:
    lost = [charge(1), charge(2, study="b")]
    accepted = after(*lost, LossesAccepted(charges=2, time=200))
    assert admitted(accepted, charge(3, study="c"))
    for fact in (charge(3, study="c"), charge(4, study="d")):
        accepted.take(fact)
    assert not admitted(accepted, charge(5, study="e"))


def test_charges_that_a_recovery_found_again_are_not_called_lost() -> None:
    recovered = Recovered(
        lost_from=2, lost_to=3, head="5" * 64, witnesses=("beta",), bundles=(), spent="found", time=300
    )
    found = [charge(1), charge(2, study="b")]
    assert after(recovered, *found).unreleased == {}
    assert len(after(recovered, *found, charge(3, study="c", time=301)).unreleased) == 1
    later = after(recovered, Released(question=found[0].question, core=found[0].core, release="4" * 64), *found)
    assert len(later.unreleased) == 2, "a clock that was put back hides no charge"


@pytest.mark.parametrize("wrong", ["-0.1", "1.1"])
def test_the_part_is_a_part(wrong: str) -> None:
    with pytest.raises(ValidationError):
        HolderPolicy.model_validate({"lifetime": {"epsilon": "2", "delta": "1e-6", "max_unreleased": wrong}})


def test_silent_is_who_alone_was_and_false_who_was_proved_so() -> None:
    first, second, other = charge(1), charge(2), charge(3, study="b")
    once = after(first, failed(first, silent=("gamma",)))
    assert once.suspended("a" * 64) == {}
    for fact in (other, failed(other, silent=("gamma",))):
        once.take(fact)
    assert once.suspended("a" * 64) == {}, "twice, but in two studies"
    for fact in (second, failed(second, silent=("gamma",))):
        once.take(fact)
    assert once.suspended("a" * 64) == {"gamma": "silent"}
    assert once.suspended("b" * 64) == {}
    once.take(Evidence(what="check", first="1" * 64, second="2" * 64, blamed="beta"))
    once.take(Evidence(what="equivocation", first="1" * 64, second="3" * 64))
    assert once.suspended("b" * 64) == {"beta": "false"}
    assert once.readmissible == {"beta", "gamma"}
    for member in ("beta", "gamma"):
        once.take(Readmitted(member=member, time=1))
    assert once.suspended("a" * 64) == {}
    assert once.readmissible == frozenset()


# --- through nodes and the coordinator ---------------------------------------------------------------------------


def silent(*members: str, times: int | None = None) -> kit.Hook:
    """Ready, and then no answer."""

    def hook(holder: str, kind: str, count: int, request: bytes, forward: Handler) -> bytes | None:
        reply = forward(request)
        gone = kind == "answer" and holder in members and (times is None or count <= times)
        return None if gone else reply

    return hook


def ask(coordinator: Federation) -> object:
    return coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(coordinator.study, Fraction(1, 5)))


def test_ready_and_then_silent_is_named_limited_and_asked_no_more(tmp_path: Path) -> None:
    """Studies of epsilon 1 under a lifetime cap of 1.8, released nothing: two attempts are spent, and it waits."""
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="1.8"))
    transport = kit.HookedTransport(federation, silent("gamma"))
    notes = kit.Notes()
    for repeat in range(3):
        study = kit.small_study(repeat=repeat)
        with pytest.raises(NotEnoughHolders):
            run_study(study, folder=federation.folder, transport=transport, progress=notes)
    assert [note for note in notes.notes if note.startswith("gamma did not answer")]
    ledger = kit.holder_ledger(federation, "alpha")
    assert len(kit.charges(ledger)) == 2
    assert epsilon_spent(ledger.spent(), 1e-6) < 1
    assert [fact.code for fact in ledger.facts() if fact.kind == "declined"] == ["approval"] * 2
    greeted = transport.sent["gamma", "hello"]
    with pytest.raises((NotEnoughHolders, BudgetError)):
        run_study(kit.small_study(), folder=federation.folder, transport=transport, progress=notes)
    assert transport.sent["gamma", "hello"] == greeted
    assert notes.notes.count(
        "gamma is not asked: it was ready and then silent 2 times in this study (`cohortium coordinator readmit`)"
    ), "the coordinator's memory is on its disk"


def test_the_first_failed_attempt_stops_no_small_federation(tmp_path: Path) -> None:
    """A node that crashes once after READY: the study goes on to its end, and so does the next one."""
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="2"))
    for repeat, hook in enumerate((silent("gamma", times=1), kit.honest)):
        study = kit.small_study(repeat=repeat)
        coordinator = kit.coordinator_of(federation, study, hook=hook)
        coordinator.join()
        release = coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(study, Fraction(2, 5)))
        assert release.holders == kit.HOLDERS
        assert coordinator.finish("{}") == ()
        losses = kit.holder_ledger(federation, "alpha").state.losses
        (lost,) = losses.unreleased.values()
        assert lost.squared_mu / squared_cap(2.0, 1e-6) > PART, "more than the policy's part, in one attempt"


def test_a_coordinator_that_hands_nothing_out_gets_one_study_and_no_more(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="2"))
    codes: list[str] = []
    for repeat in range(3):
        liar = LyingCoordinator(federation, kit.small_study(repeat=repeat), run=f"run-{repeat}")
        liar.greet()
        for round in (1, 2, 3):
            core = liar.core(round=round, share=Fraction(1, 4), title=f"question {round}")
            shown = liar.show(core)
            codes.append(shown["alpha"].code)
            if codes[-1] == "Ready":
                readies = [shown[holder].statement for holder in core.holders]
                assert liar.ask("alpha", core, readies).code == "Contribution"
    assert codes == ["Ready"] * 3 + ["approval"] * 6


def test_the_limit_is_looked_at_again_before_the_charge(tmp_path: Path) -> None:
    """Two runs that were both ready: the second answer waits, and is not charged."""
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="2", delta="0.000001"))
    ready = []
    for number in range(3):
        liar = LyingCoordinator(federation, kit.small_study(repeat=number), run=f"run-{number}")
        liar.greet()
        core = liar.core(share=Fraction(1, 2))
        ready.append((liar, core, liar.readies(core)))
    assert [liar.ask("alpha", core, readies).code for liar, core, readies in ready] == [
        "Contribution",
        "Contribution",
        "approval",
    ]
    assert kit.charged_by(federation)["alpha"] == 2


def test_an_attempt_in_which_nobody_answers_is_nobodys_silence(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    coordinator = kit.coordinator_of(federation, hook=silent(*FOUR, times=1))
    coordinator.join()
    assert ask(coordinator).holders == FOUR
    (fact,) = [fact for fact in federation.folder.ledger().facts() if fact.kind == "failed"]
    assert (fact.reason, fact.silent) == ("missing_answer", ())


# --- not together with these -------------------------------------------------------------------------------------


def test_a_holder_goes_together_with_whom_it_wants(tmp_path: Path) -> None:
    policy = kit.lenient_policy(without=["gamma"])
    with pytest.raises(PolicyError, match="does not go together is invited"):
        policy.admit_study(kit.small_study(holders=["alpha", "beta", "gamma"]))
    federation = kit.federation_at(tmp_path, *FOUR)
    federation.nodes["alpha"] = kit.node_with(federation, "alpha", policy=policy)
    liar = LyingCoordinator(federation)
    liar.greet()
    replies = liar.show(liar.core())
    assert {holder: answer.code for holder, answer in replies.items()} == {
        **dict.fromkeys(FOUR, "Ready"),
        "alpha": "policy",
    }
    assert liar.show(liar.core("alpha", "beta", "delta", attempt=2))["alpha"].code == "Ready"
    with pytest.raises(ValidationError, match="both name gamma"):
        kit.lenient_policy(without=["gamma"], required=["gamma"])


# --- what operators type -----------------------------------------------------------------------------------------


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Type a command line; gives exit code, standard output and standard error."""

    def run(*line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cohortium", *line])
        with pytest.raises(SystemExit) as ended:
            cohortium.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def _charged_and_forgotten(federation: MemoryFederation, number: int) -> str:
    """A study whose only answer leads to nothing; what alpha said."""
    federation.nodes.update({holder: federation.start(holder) for holder in kit.HOLDERS})
    liar = LyingCoordinator(federation, kit.small_study(repeat=number), run=f"run-{number}")
    liar.greet()
    core = liar.core(share=Fraction(1, 2))
    shown = liar.show(core)
    if shown["alpha"].code != "Ready":
        return shown["alpha"].code
    return liar.ask("alpha", core, [shown[holder].statement for holder in core.holders]).code


def test_a_holders_operator_sees_what_was_lost_and_lets_studies_go_on(
    tmp_path: Path, typed: Callable[..., tuple[int, str, str]]
) -> None:
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(epsilon="2"))
    folder = tmp_path / "holders" / "alpha"
    (folder / "policy.toml").write_text("[lifetime]\nepsilon = 2\ndelta = 1e-6\n", encoding="utf-8")
    (folder / "holder.toml").write_text(
        'holder = "alpha"\n[source]\nurl = "sales.csv"\ncurrency_code = "EUR"\n'
        '[columns]\ncustomer = "c"\ntime = "t"\namount = "a"\n',
        encoding="utf-8",
    )
    assert "Every charge led to a release" in typed("holder", "losses", str(folder))[1]
    assert [_charged_and_forgotten(federation, number) for number in range(3)] == ["Contribution"] * 2 + ["approval"]
    code, out, _ = typed("holder", "losses", str(folder), "--json")
    listed = json.loads(out)
    assert (code, len(listed["charges"]), listed["max_unreleased"], listed["accepted"]) == (0, 2, 0.1, False)
    assert listed["part"] == pytest.approx(
        float(kit.holder_ledger(federation, "alpha").spent() / squared_cap(2.0, 1e-6))
    )
    assert "--accept" in typed("holder", "losses", str(folder))[1]
    assert _charged_and_forgotten(federation, 3) == "approval", "to look is not to accept"
    assert "written into the ledger" in typed("holder", "losses", str(folder), "--accept")[1]
    assert _charged_and_forgotten(federation, 4) == "Contribution"


def test_a_coordinators_operator_readmits_whom_it_has_spoken_to(
    tmp_path: Path, typed: Callable[..., tuple[int, str, str]]
) -> None:
    federation = kit.federation_at(tmp_path, *FOUR)
    study = kit.small_study(budget={"spare_attempts": 2})
    coordinator = kit.coordinator_of(federation, study, hook=silent("gamma"))
    coordinator.join()
    assert ask(coordinator).holders == ("alpha", "beta", "delta")
    hub = str(federation.folder.root)
    code, _, err = typed("coordinator", "readmit", hub, "beta")
    assert code == 3
    assert "not asked are: gamma" in err
    losses = federation.folder.ledger().state.losses
    assert losses.suspended(study.digest) == {"gamma": "silent"}
    assert typed("coordinator", "readmit", hub, "gamma")[0] == 0
    assert federation.folder.ledger().state.losses.readmissible == frozenset()
    assert "readmitted" in kit.kinds(federation.folder.ledger())
