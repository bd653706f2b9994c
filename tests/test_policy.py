"""What the holder decides: policy.toml in force on the node, hours, approval by hand, and changes while it runs."""

from __future__ import annotations

import datetime as dt
import time
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import get_args

import protocol_kit as kit
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clients.answering.approvals import MOST, Approvals
from clients.answering.folder import LiveNode
from clients.answering.policy import HolderPolicy, Hours, policy_toml
from privacy.errors import ConfigError, PolicyError
from privacy.kernel.columns import Column
from privacy.kernel.features import FEATURES
from privacy.kernel.feeds import FEEDS, PRESENCE
from privacy.ledger import Decided, Declined, Ledger, Reserved
from privacy.protocol.code import analysis_codes, kernel_code
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Declarations
from privacy.protocol.messages import PROTOCOL, HelloRequest, Refusal
from privacy.protocol.study import Study
from server.running.run import run_study
from simulations.worlds.inprocess import InProcessTransport
from simulations.worlds.kit import MemoryFederation, NoWaiting
from simulations.worlds.local import Workspace


def greeted(liar: kit.LyingCoordinator) -> dict[str, str]:
    """What each holder says to an invitation."""
    return {holder: liar.send(holder, liar.hello_request()).code for holder in liar.roster.holders}


def policy_with(**allow: object) -> HolderPolicy:
    return kit.lenient_policy(**allow)


# --- the file ----------------------------------------------------------------------------------------------------


def test_the_template_is_the_defaults() -> None:
    written = HolderPolicy.model_validate(tomllib.loads(policy_toml(epsilon="8"), parse_float=Decimal))
    assert written == kit.lenient_policy(epsilon="8")
    uncommented = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line
                   for line in policy_toml(epsilon="8").splitlines()]  # fmt: skip
    both = tomllib.loads("\n".join(uncommented), parse_float=Decimal)
    with pytest.raises(ValidationError, match="slots go without"):
        HolderPolicy.model_validate(both)
    slots = both.pop("slots")
    full = HolderPolicy.model_validate(both)
    with_slots = HolderPolicy.model_validate({**both, "period": None, "slots": slots})
    assert [one.count for one in with_slots.slots] == [4]
    assert full.period is not None
    assert full.hours is not None
    assert full.allow == written.allow


def test_every_feature_is_made_from_something_that_can_be_forbidden() -> None:
    of_feeds = {role.column for roles in FEEDS.values() for role in roles.values()} | set(PRESENCE.values())
    assert {feature.column for feature in FEATURES.values()} | of_feeds == set(get_args(Column))
    assert {name for name, feature in FEATURES.items() if feature.column == "daypart"} == {
        "weekend_share", "evening_share"}  # fmt: skip


# --- studies and plans ---------------------------------------------------------------------------------------------

STUDIES: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "a study of another name": ({"studies": ["monthly"]}, {}, "of this name"),
    "a forbidden column": ({"columns": ["recency", "orders"]}, {}, "look at: money"),
    "a forbidden column of churn": (
        {"columns": ["recency", "orders", "money"], "analyses": ["churn"]},
        {"analyses": ["churn"]},
        "look at: basket",
    ),
    "without a holder that must be there": (
        {"required": ["gamma"]},
        {"holders": ["alpha", "beta"]},
        "whom the policy asks for is not invited",
    ),
}


@pytest.mark.parametrize("case", STUDIES)
def test_a_study_that_the_policy_does_not_allow(case: str) -> None:
    allow, changes, word = STUDIES[case]
    study = kit.small_study(**changes)
    with pytest.raises(PolicyError, match=word):
        policy_with(**allow).admit_study(study)
    policy_with(analyses=study.analyses).admit_study(study)


def test_what_a_study_looks_at() -> None:
    assert kit.small_study().columns == {"recency", "orders", "money"}
    features = {"features": ["discount_share", "evening_share", "tenure_days"]}
    assert kit.small_study(analyses=["clusters"], clusters=features).columns == {"discount", "daypart", "recency"}


PLANS: dict[str, tuple[dict[str, object], str]] = {
    "too little of the noise is its own": ({"min_own_share": "0.6"}, "own share of the noise"),
    "a holder that must be there is not": ({"required": ["delta"]}, "does not take part"),
}


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_that_the_policy_does_not_allow_is_refused_and_recorded(tmp_path: Path, case: str) -> None:
    allow, word = PLANS[case]
    federation = kit.federation_at(tmp_path, policy=policy_with(**allow))
    liar = kit.LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    assert {answer.code for answer in liar.show(core).values()} == {"policy"}
    with pytest.raises(PolicyError, match=word):
        policy_with(**allow).admit_core(core)
    ledger = kit.holder_ledger(federation, "alpha")
    assert [(fact.study, fact.code) for fact in ledger.facts() if isinstance(fact, Declined)] == [("trial", "policy")]
    assert not any(isinstance(fact, Reserved) for fact in ledger.facts())


def test_half_the_protecting_noise_may_be_asked_for_with_three_holders_and_one_colluding(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, policy=policy_with(min_own_share="0.5"))
    liar = kit.LyingCoordinator(federation)
    liar.greet()
    assert {answer.code for answer in liar.show(liar.core()).values()} == {"Ready"}


def test_a_study_may_not_count_on_fewer_holders_per_person_than_are_declared(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    members = tuple(
        member.model_copy(update={"declarations": Declarations(max_holders_per_customer=2)})
        if member.id == "beta"
        else member
        for member in federation.roster.members
    )
    federation.roster = federation.roster.model_copy(update={"members": members})
    federation.nodes = {holder: federation.start(holder) for holder in federation.roster.holders}
    liar = kit.LyingCoordinator(federation)
    assert set(greeted(liar).values()) == {"policy"}
    liar = kit.LyingCoordinator(federation, kit.small_study(budget={"max_holders_per_customer": 2}))
    assert set(greeted(liar).values()) == {"Hello"}


# --- hours -------------------------------------------------------------------------------------------------------

OFFICE = Hours(days=("mon", "tue"), start=dt.time(8), end=dt.time(18), time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "open_then"),
    [
        ("2026-06-01T06:00:00+00:00", True),  # Monday, 08:00 summer time
        ("2026-06-01T05:59:59+00:00", False),
        ("2026-06-01T16:00:00+00:00", False),
        ("2026-06-03T10:00:00+00:00", False),  # Wednesday
        ("2026-01-05T07:00:00+00:00", True),  # Monday, 08:00 winter time
    ],
)
def test_office_hours(moment: str, open_then: bool) -> None:
    assert OFFICE.open_at(int(dt.datetime.fromisoformat(moment).timestamp())) is open_then


def test_hours_over_midnight_count_to_the_day_on_which_they_began() -> None:
    nights = Hours(days=("fri",), start=dt.time(22), end=dt.time(4))
    at = dict.fromkeys(["2026-06-05T23:00:00", "2026-06-06T03:59:59"], True)
    at |= dict.fromkeys(["2026-06-05T03:00:00", "2026-06-06T04:00:00", "2026-06-06T23:00:00"], False)
    for moment, open_then in at.items():
        assert nights.open_at(int(dt.datetime.fromisoformat(moment + "+00:00").timestamp())) is open_then, moment


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "../etc/passwd", ""])
def test_hours_of_no_time_zone_are_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="unknown time zone"):
        Hours(time_zone=zone)


@given(st.integers(0, 4 * 10**9))
def test_no_hours_are_all_hours(moment: int) -> None:
    assert Hours().open_at(moment)


def test_out_of_hours_nothing_is_answered_and_a_run_that_lasts_longer_ends(tmp_path: Path) -> None:
    clock = kit.FakeClock(int(dt.datetime(2026, 6, 1, 14, tzinfo=dt.UTC).timestamp()))
    policy = kit.lenient_policy().model_copy(update={"hours": OFFICE})
    federation = kit.federation_at(tmp_path, policy=policy, clock=clock)
    liar = kit.LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    shown = liar.show(core)
    clock.elapsed += 2 * 3600 + 1  # beyond the end of the hours, within the life of the plan
    assert liar.ask("alpha", core, [answer.statement for answer in shown.values()]).code == "hours"
    later = kit.LyingCoordinator(federation, kit.small_study(name="later"))
    assert set(greeted(later).values()) == {"hours"}


# --- approval by hand ----------------------------------------------------------------------------------------------


def approvals_of(federation: MemoryFederation, holder: str) -> Approvals:
    home = federation.root / "holders" / holder / "state"
    return Approvals(home / "studies", Ledger(home / "ledger.sqlite"))


def test_a_new_study_waits_for_the_operator_and_only_that_one_is_approved(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path, policy=policy_with(approval="by_hand"))
    liar = kit.LyingCoordinator(federation)
    assert set(greeted(liar).values()) == {"approval"}
    waiting = approvals_of(federation, "alpha")
    assert [(item.study.name, item.decision) for item in waiting.proposed()] == [("trial", None)]
    waiting.decide(waiting.find("trial"), "approved", now=1)
    assert greeted(liar) == {"alpha": "Hello", "beta": "approval", "gamma": "approval"}
    other = kit.LyingCoordinator(federation, kit.small_study(budget={"epsilon": "2"}))
    assert greeted(other)["alpha"] == "approval", "the same name, another budget"
    assert [fact.decision for fact in Ledger(waiting._ledger.path).facts() if isinstance(fact, Decided)] == ["approved"]


def test_a_study_denied_in_the_middle_is_answered_no_further(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    liar = kit.LyingCoordinator(federation)
    liar.greet()
    core = liar.core()
    readies = [answer.statement for answer in liar.show(core).values()]
    approvals = approvals_of(federation, "alpha")
    approvals.decide(liar.study, "denied", now=1)
    assert liar.ask("alpha", core, readies).code == "policy"
    assert liar.ask("beta", core, readies).code == "Contribution"
    assert kit.charged_by(federation)["alpha"] == 0


def test_names_that_fit_several_studies_are_asked_back(tmp_path: Path) -> None:
    federation = kit.federation_at(tmp_path)
    approvals = approvals_of(federation, "alpha")
    for epsilon in ("1", "2"):
        approvals.propose(kit.small_study(budget={"epsilon": epsilon}))
    with pytest.raises(ConfigError, match="several studies"):
        approvals.find("trial")
    with pytest.raises(ConfigError, match="no study is called other"):
        approvals.find("other")
    study = kit.small_study(budget={"epsilon": "2"})
    assert approvals.find(study.digest[:12]) == study


def test_a_coordinator_cannot_fill_the_disk_with_studies(tmp_path: Path) -> None:
    approvals = approvals_of(kit.federation_at(tmp_path), "alpha")
    for number in range(MOST + 3):
        approvals.propose(kit.small_study(repeat=number))
    assert len(approvals.proposed()) == MOST


# --- while the node runs -------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    rows = "customer,order,time,amount\n" + "\n".join(f"c{n},o{n},2024-05-0{n % 9 + 1},{n + 1}.50" for n in range(40))
    for name in ("north", "south", "west"):
        home = tmp_path / "data" / name
        home.mkdir(parents=True)
        (home / "sales.csv").write_text(rows)
        (home / "holder.toml").write_text(
            f'holder = "{name}"\n[source]\nurl = "sales.csv"\ncurrency_code = "EUR"\n[columns]\ncustomer = "customer"\n'
            'order = "order"\ntime = "time"\namount = "amount"\n'
        )
    return Workspace.create(tmp_path, {name: tmp_path / "data" / name for name in ("north", "south", "west")})


def study_for(day: str) -> Study:
    return kit.small_study(as_of=day, budget={"max_holders_per_customer": 3})


def test_a_changed_policy_counts_at_once_and_a_broken_one_stops_everything(workspace: Workspace) -> None:
    nodes = {name: LiveNode(workspace.holder(name), NoWaiting()) for name in ("north", "south", "west")}
    carrier = InProcessTransport({name: node.handle for name, node in nodes.items()})
    run_study(study_for("2024-06-01"), folder=workspace.coordinator, transport=carrier, pages=False)
    policy = workspace.holder("north").root / "policy.toml"
    text = policy.read_text()

    def hello(day: str) -> str:
        request = HelloRequest(
            protocol=PROTOCOL, federation="demo", roster=workspace.coordinator.roster().digest, run=f"run-{day}",
            study=study_for(day), code=kernel_code(), expires=int(time.time()) + 60,
            analyses=analysis_codes(study_for(day).analyses),
        )  # fmt: skip
        reply = nodes["north"].handle(Request(statement=workspace.coordinator.identity().sign(request)).canonical())
        statement = Reply.parse(reply).statement
        return Refusal.parse(statement.body).code if statement.kind == "Refusal" else statement.kind

    policy.write_text(text.replace("max_study_epsilon = 4", "max_study_epsilon = 0.5"))
    assert hello("2024-06-02") == "policy"
    policy.write_text("[allow]\n")  # no lifetime budget
    assert hello("2024-06-03") == "declined"
    assert hello("2024-06-03") == "declined"
    policy.write_text(text)
    assert hello("2024-06-03") == "Hello"
    workspace.holder("north").member.leave(None)
    assert hello("2024-06-04") == "declined"
