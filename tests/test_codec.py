"""The codec: one canonical spelling of every noun, and one error type for everything else.

Whatever is signed, hashed or stored goes through it: equal values have equal bytes, any change of any field changes the
digest, floats have no form, and bytes that are not exactly such a value give a ProtocolError that does not quote them.
A signed statement opens only as what, and by whom, it was signed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from analyses.churn.examples import LOGISTIC, NETWORK, ranked
from analyses.rfm.examples import RULES
from contract_examples import NOUNS, STATISTICS, identities, roster_of
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_nouns import own_nouns
from pydantic import ValidationError
from statistic_kit import TURNED_VIEW

from clients.answering.policy import Allow, HolderPolicy, Hours, LifetimeBudget
from privacy.accounting.events import GaussianSum
from privacy.analyses.catalogue import NAMES
from privacy.analyses.clusters.nouns import Centre, Clusters
from privacy.analyses.clusters.options import ClusterName, ClusterOptions, KnownClusters
from privacy.analyses.rfm.options import FixedCuts, KnownCuts, RfmOptions
from privacy.analyses.rfm.prefix_sums import FactGrid
from privacy.analyses.rfm.segments import CutPoints, ThresholdRule
from privacy.audit.bundle import BundleHeader, BundleSeal
from privacy.audit.heads import Heads
from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import Noun, canonical_json, plain_decimal, sha256_hex
from privacy.kernel.features import FeatureLists, FeatureName, FeatureRequest, Scale, ScaledFeature
from privacy.kernel.terms import Bounds, Budget, Cleaning
from privacy.ledger import (
    Answered,
    Decided,
    Declined,
    Departed,
    Entry,
    Evidence,
    Failed,
    HeadPath,
    LossesAccepted,
    Lost,
    Opened,
    PeriodCap,
    Question,
    Readmitted,
    Recovered,
    Released,
    Reserved,
    ResultAccepted,
    RosterAccepted,
)
from privacy.ledger.paths import Passage
from privacy.mechanisms import SumMechanism
from privacy.protocol import code
from privacy.protocol import messages as m
from privacy.protocol.identity import Declarations, Identity, Member, Roster, Signed
from privacy.protocol.membership import Change, JoinRequest, KeyChange, Leave, RosterUpdate, Rotation
from privacy.protocol.study import Study, Waits
from privacy.statistics import ContributionBound
from server.analyses.churn.model_file import (
    Evaluation,
    Measured,
    ModelRecord,
    PrivacySpent,
    Quality,
    Reliability,
    Words,
)
from server.releases import Release

PEOPLE = identities(["alpha", "beta", "coordinator", "gamma"])
ROSTER = roster_of(PEOPLE)


def d(text: str) -> str:
    return sha256_hex(text.encode())


QUESTION = Question(run="run-1", round=2, attempt=1)
CHECKPOINT = m.Checkpoint(member="alpha", sequence=4, head=d("head"), root=d("root"))


def checkpoint(name: str) -> Signed:
    return PEOPLE[name].sign(CHECKPOINT.model_copy(update={"member": name}))


STUDY = Study(
    name="example",
    as_of=dt.date(2025, 1, 1),
    currency="EUR",
    holders=("alpha", "beta", "gamma"),
    budget=Budget(epsilon=Decimal("1.5"), delta=Decimal("0.000001"), max_holders_per_customer=2),
    placement="central",
    cleaning=Cleaning(cancellation_prefix="C", returns="net", non_goods=("post", "D")),
    bounds=Bounds(money_min=Decimal("0.5"), money_max=Decimal(20_000)),
    rates={"GBP": "1.17", "USD": {"2024-01-01": "0.9", "2024-07-01": "0.95"}},
    rfm=RfmOptions(
        report=("eight", "rules"),
        high_low=FixedCuts(recency_days=30, orders=2, money=Decimal("99.95")),
        rules=(ThresholdRule(code="vip", when="R<30, M>=500", en="VIP", zh="贵宾"),),
    ),
)
EVENT = GaussianSum(squared_norm=1 << 40, gamma=1 << 20, dim=24, share_scale=4_000_000, protecting_shares=2)
HANDED = m.HandedOut(run="run-1", made_by="run-2", finish=d("finish"), result=d("result"))
HELLO = m.Hello(
    protocol=1,
    federation="test",
    roster=ROSTER.digest,
    study=STUDY.digest,
    run="run-1",
    holder="alpha",
    mask_key="1" * 64,
    nonce="2" * 64,
    checkpoint=checkpoint("alpha"),
    expires=1_800_000_000,
    unwitnessed=(HANDED,),
)
CORE = m.PlanCore(
    protocol=1,
    federation="test",
    roster=ROSTER.digest,
    study=STUDY.digest,
    question=QUESTION,
    analysis="rfm",
    title="cut points",
    statistic=STATISTICS["prefix_sums"][1],
    bound=STATISTICS["prefix_sums"][1].bound,
    mechanism=SumMechanism(placement="central", holders=3, colluding=1, share_scale=4_000_000),
    records=2,
    participants=tuple(
        m.Participant(holder=name, hello=d(name), checkpoint=checkpoint(name)) for name in ("alpha", "beta", "gamma")
    ),
    coordinator=checkpoint("coordinator"),
    code=d("code"),
    analysis_code=d("rfm"),
    expires=1_800_000_000,
)
RESERVED = Reserved(
    question=QUESTION,
    study="example",
    study_digest=STUDY.digest,
    core=CORE.digest,
    analysis="rfm",
    title="cut points",
    statistic="prefix_sums",
    statistic_digest=d("statistic"),
    event=EVENT,
    records=2,
    placement="distributed",
    holders=("alpha", "beta", "gamma"),
    colluding=1,
    sampler="opendp",
    roster=ROSTER.digest,
    policy=d("policy"),
    software="cohortium 0.1.0",
    time=1_700_000_000,
)
KNOWN_CUTS = KnownCuts(
    cuts=RULES.cuts, money_cap=150_000, orders_cap=24, above_cap=Decimal("0.0125"), origin="example 2024-01-01"
)
BUDGET = Budget(epsilon=Decimal("1.5"), delta=Decimal("0.000001"), split={"rfm": Decimal(1)})
MEASURED = Measured(value=Decimal("0.8125"), margin=Decimal("0.0125"))
QUALITY = Quality(
    code="model", auc=MEASURED, average_precision=MEASURED, churn_rate=MEASURED, top_lift=MEASURED, top_share=MEASURED
)
RELIABILITY = Reliability(predicted=Decimal("0.25"), observed=MEASURED, share=Decimal("0.125"))
EVALUATION = Evaluation(customers=MEASURED, quality=QUALITY, baselines=(QUALITY,), reliability=(RELIABILITY,))
SPENT = PrivacySpent(
    epsilon_promised=Decimal(1), epsilon_person=Decimal("0.9"), epsilon_all_holders=Decimal("2.5"),
    delta=Decimal("0.000001"), records=2, placement="central", mechanism="opacus", colluding=1,
)  # fmt: skip
WORDS = Words(en="Reaching out in time.", zh="及时联系客户。")
SCALED = ScaledFeature(name="orders_90", scale=Scale(kind="quantiles", low=0, high=9, upper=(1, 2, 5), missing=-7))
CLUSTERS = Clusters(features=(SCALED,), centres=(Centre(id=2, place=(-7,)), Centre(id=5, place=(4096,))), next_id=9)
FEATURE_LISTS = FeatureLists(categories=("toys",), channels=("online", "store"))
LISTED: tuple[FeatureName, ...] = ("orders", "category_share_1", "channel_share_1", "channel_share_2")
KNOWN_CLUSTERS = KnownClusters(
    clusters=CLUSTERS,
    shares={2: (Decimal("0.25"), Decimal("0.0125")), 10: (Decimal("0.5"), Decimal("0.01"))},
    origin="example 2024-01-01",
)
CLUSTER_NAME = ClusterName(en="Regulars", zh="常客")
CLUSTER_OPTIONS = ClusterOptions(
    k=4, features=LISTED, categories=("toys",), channels=("online", "store"), centres=KNOWN_CLUSTERS,
    names={2: CLUSTER_NAME},
)  # fmt: skip
MODEL_RECORD = ModelRecord(
    federation="test", study="example", study_digest=STUDY.digest, run="run-1", finished=dt.date(2025, 1, 2),
    software="cohortium 0.1.0", family="logistic", model_digest=LOGISTIC.digest, features=(SCALED,), currency="EUR",
    time_zone="UTC", horizon_days=90, active_days=365, training_days=(dt.date(2024, 7, 5),),
    test_day=dt.date(2024, 10, 3), score_day=dt.date(2025, 1, 1), holders=3, evaluation=EVALUATION, privacy=SPENT,
    intended_use=(WORDS,), not_for=(WORDS,),
)  # fmt: skip
NOTICE = m.ReleaseDigest(question=QUESTION, core=CORE.digest, release=d("release"))
HELLOS = (PEOPLE["alpha"].sign(HELLO),)

#: One example of every noun; ``test_every_noun_has_an_example`` keeps it complete.
HOURS = Hours(days=("mon", "tue"), start=dt.time(8), end=dt.time(18), time_zone="UTC")
NODE_KEY = "ecdsa-sha2-nistp384 " + "A" * 120
DECLARED = Member(
    id="alpha", role="holder", public_key="a" * 64, node_key=NODE_KEY,
    declarations=Declarations(max_holders_per_customer=2, size_class=10_000), number=3,
)  # fmt: skip
NEXT_ROSTER = ROSTER.model_copy(update={"version": 2, "previous": ROSTER.digest, "releases": (d("code"), d("older"))})
PERIOD = PeriodCap(epsilon=Decimal(1), delta=Decimal("0.000001"), days=90, start=dt.date(2026, 1, 1))
HEAD_PATH = HeadPath(sequence=7, hashes=(d("one"), d("two")), passage=Passage(previous=d("before"), body="{}"))
EXAMPLES: tuple[Noun, ...] = (
    Allow(without=("gamma",)), Answered(question=QUESTION, core=d("core"), payload=d("payload")), STUDY.bounds,
    BUDGET, CHECKPOINT,
    STUDY.cleaning, CORE.bound, RULES.cuts, CORE, EVENT, HELLO, QUESTION, RESERVED, NOTICE, STUDY,
    m.Contribution(
        holder="alpha", core=d("core"), payload=d("payload"), checkpoint=checkpoint("alpha"), check=d("words")
    ),
    m.OpenRequest(core=d("core")), m.Opening(holder="alpha", core=d("core"), keys={"beta": d("key")}),
    Entry(sequence=2, salt="0" * 32, fact=RESERVED),
    Evidence(what="check", first=d("ready"), second=d("opening"), blamed="beta"), STATISTICS["prefix_sums"][1].grids[0],
    Failed(question=QUESTION, core=d("core"), reason="check_words", blamed=("beta",), silent=("gamma",)), Lost(),
    Readmitted(member="beta", time=9), LossesAccepted(charges=3, time=9),
    Recovered(lost_from=3, lost_to=4, head=d("head"), witnesses=("beta",), bundles=(), spent="all", time=9),
    BundleHeader(format=1, owner="alpha", role="holder", federation="test", software="cohortium"),
    Heads(federation="test", member="alpha", own=checkpoint("alpha"), seen=(checkpoint("beta"),), time=9),
    BundleSeal(owner="alpha", content=d("content"), sequence=3, head=d("head"), time=9),
    m.Finished(
        holder="alpha", run="run-1", checkpoint=checkpoint("alpha"), heads=(CHECKPOINT,), charged=(d("core"),),
        handed=HANDED,
    ),
    HANDED, m.Witnessed(holder="alpha", handed=(HANDED,), agreed=("alpha", "beta")),
    m.ReleaseText(core=CORE.digest, values="1 -2 3"), m.WitnessRequest(made_by="run-2", finished=HELLOS),
    m.FinishRequest(
        run="run-1", made_by="run-2", study=STUDY.digest, releases=(NOTICE,), result=d("result"), heads=HELLOS
    ),
    STUDY.rfm.high_low,
    m.AnswerRequest(question=QUESTION, core=d("core"), readies=HELLOS),
    m.HelloRequest(
        protocol=1, federation="test", roster=ROSTER.digest, run="run-1", study=STUDY, code=d("code"), expires=9,
        analyses={"rfm": d("rfm")},
    ),
    HolderPolicy(lifetime=LifetimeBudget(epsilon=Decimal(4), delta=Decimal("0.000001")), period=PERIOD, hours=HOURS),
    HOURS,
    DECLARED, DECLARED.declarations, JoinRequest(federation="test", member=DECLARED, answers=d("before")),
    Rotation(federation="test", member="alpha", old_key=d("old"), new_key=d("new"), node_key=NODE_KEY),
    KeyChange(rotation=HELLOS[0], possession=HELLOS[0]),
    Leave(federation="test", member="alpha", roster=ROSTER.digest, checkpoint=checkpoint("alpha")),
    RosterUpdate(
        roster=NEXT_ROSTER, requests=HELLOS, rotations=HELLOS, leaves=HELLOS, address="hub.example:9443",
        certificate="x", possessions=HELLOS, rules=2,
    ),
    Change(what="added", member="alpha", role="holder"),
    LifetimeBudget(epsilon=Decimal(4), delta=Decimal("0.000001"), max_unreleased=Decimal("0.25")),
    Opened(owner="alpha", role="holder", epsilon=Decimal("4.5"), delta=Decimal("0.0000001"), period=PERIOD, records=4),
    PERIOD,
    ResultAccepted(
        run="run-1", made_by="run-2", study_digest=d("study"), result=d("result"), finish=d("finish"), time=9
    ),
    RosterAccepted(version=2, roster=d("roster"), previous=d("before"), key=d("key")),
    Decided(study="trial", study_digest=d("study"), decision="denied", time=9),
    Declined(study="trial", study_digest=d("study"), code="policy", time=9),
    Departed(roster=d("roster"), statement=d("leave"), time=9), CORE.participants[0],
    CORE.statistic, STATISTICS["segment_totals"][1], STUDY.rates["USD"][0],
    m.Ready(holder="alpha", core=d("core"), checkpoint=checkpoint("alpha"), check=d("words")),
    m.ReadyRequest(core=CORE, hellos=HELLOS), m.Refusal(holder="alpha", code="stale"),
    Release(title="cut points", study=STUDY.digest, statistic=d("s"), question=QUESTION, core=CORE.digest,
            mechanism=CORE.mechanism, holders=("alpha", "beta", "gamma"), values=(5, -7, 2**62)),
    Released(question=QUESTION, core=d("core"), release=d("release")),
    m.Reply(
        statement=PEOPLE["alpha"].sign(m.Ready(holder="alpha", core=d("core"))), vector="AAAA", since={"beta": 7},
        paths=(HEAD_PATH,),
    ),
    m.Request(
        statement=PEOPLE["alpha"].sign(CHECKPOINT), since=(3, 7), paths={"beta": HEAD_PATH},
        attachments={d("text"): "text"},
    ),
    HEAD_PATH, HEAD_PATH.passage, STUDY.rfm,
    NEXT_ROSTER, RULES, KNOWN_CUTS, CORE.mechanism, checkpoint("alpha"), RULES.thresholds[0],
    SCALED, Scale(kind="log", high=3650), STUDY.churn, FEATURE_LISTS,
    FeatureRequest(names=LISTED, days=(STUDY.as_of,), horizon_days=90, lists=FEATURE_LISTS),
    MEASURED, QUALITY, RELIABILITY, EVALUATION, SPENT, WORDS, MODEL_RECORD, LOGISTIC, NETWORK,
    ranked(SCALED), TURNED_VIEW, STATISTICS["anchor_sums"][1].facts[0],
    CLUSTERS, CLUSTERS.centres[0], KNOWN_CLUSTERS, CLUSTER_NAME, CLUSTER_OPTIONS, Waits(answering=5),
    STATISTICS["network_gradient"][0].network, STATISTICS["score_histogram"][0].models[0],
    *(examples[1] for kind, examples in STATISTICS.items() if kind not in ("prefix_sums", "segment_totals")),
    *NOUNS,
)  # fmt: skip

each_example = pytest.mark.parametrize("value", EXAMPLES, ids=lambda value: type(value).__name__)


def test_every_noun_has_an_example() -> None:
    assert {type(value) for value in EXAMPLES} == own_nouns()


# --- round trips and digests ---------------------------------------------------------------------------------------


@each_example
def test_round_trip(value: Noun) -> None:
    data = value.canonical()
    again = type(value).parse(data)
    assert again == value
    assert again.canonical() == data
    assert again.digest == value.digest == hashlib.sha256(data).hexdigest()
    assert type(value).parse(data.decode()) == value
    # Nothing but a JSON reader and SHA-256 is needed to check it.
    text = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.encode() == data
    fields = type(value).model_fields
    assert {name for name in fields if "since" not in (fields[name].json_schema_extra or {})} <= set(json.loads(data))
    assert set(json.loads(data)) <= set(fields)


@each_example
def test_nouns_are_frozen_and_closed(value: Noun) -> None:
    name = next(iter(type(value).model_fields))
    with pytest.raises(ValidationError):
        setattr(value, name, getattr(value, name))
    with pytest.raises(ProtocolError):
        type(value).parse(canonical_json({**json.loads(value.canonical()), "surplus": 1}))


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _with(copied[path[0]], path[1:], new)
    return copied


_WORDS = (
    "2024-02-29", "2024-11-11", "2026-03-01", "churn", "CHF", "Europe/Berlin", "R>5", "0.5", "1.25", "0.0000002",
    "segment_totals", "prefix_sums",
)  # fmt: skip


def _choices() -> set[str]:
    """All words that a field of some noun may be, such as ``local`` or ``stopped``."""
    words, open_ends = (
        set(),
        [field.annotation for kind in own_nouns() for field in kind.model_fields.values()],
    )
    while open_ends:
        annotation = open_ends.pop()
        words |= {word for word in get_args(annotation) if get_origin(annotation) is Literal}
        open_ends += [inner for inner in get_args(annotation) if get_origin(annotation) is not Literal]
    return words


def _changes(leaf: Any) -> list[Any]:
    if leaf is None:
        return ["1", "0.0000002", 1]
    if isinstance(leaf, int):
        return [leaf + 1, leaf - 1, leaf * 2]
    text, choices = str(leaf), sorted(map(str, _choices()))
    return [text[:-1] + ("0" if text[-1:] != "0" else "1"), text + "x", text[:-1], *_WORDS, *choices]


@each_example
def test_any_change_of_one_field_changes_the_digest(value: Noun) -> None:
    raw = json.loads(value.canonical())
    changed_fields = set()
    for path, leaf in _leaves(raw):
        for new in _changes(leaf):
            if new == leaf:
                continue
            try:
                other = type(value).parse(canonical_json(_with(raw, path, new)))
            except ProtocolError:
                continue
            assert (other.digest == value.digest) == (other == value)
            if other != value:
                changed_fields.add(path[0])
    only_one_value = {
        name
        for name, field in type(value).model_fields.items()
        if (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1)
        or raw.get(name, []) == []  # nothing in the example to change
    }
    assert changed_fields >= set(raw) - only_one_value


def test_equal_decimals_have_one_spelling() -> None:
    spellings = ("1", "1.0", "1.000", "1e0", "10e-1", "0.1E1")
    budgets = [Budget.parse(json.dumps({"epsilon": text})) for text in spellings]
    assert len({budget.digest for budget in budgets}) == 1
    assert plain_decimal(Decimal("1E+3")) == "1000"
    assert plain_decimal(Decimal("1E-7")) == "0.0000001"
    assert plain_decimal(Decimal("0.10")) == "0.1"
    assert plain_decimal(Decimal("100")) == "100"


def test_zero_has_one_spelling() -> None:
    zeros = [FixedCuts(recency_days=1, orders=1, money=Decimal(text)) for text in ("0", "-0")]
    assert zeros[0] == zeros[1]
    assert zeros[0].digest == zeros[1].digest


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12))
def test_decimals_keep_their_value(value: Decimal) -> None:
    assert Decimal(plain_decimal(value)) == value
    assert "E" not in plain_decimal(value)


# --- floats ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1.0, {"a": 0.5}, [1, [2, 3.0]], {"a": {"b": (1, 2.5)}}, float("nan"), float("inf")])
def test_floats_have_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError, match="float"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object()])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


def test_canonical_json_is_sorted_compact_utf8() -> None:
    assert canonical_json({"b": 1, "a": ["é", True, None], "B": 2**70}) == (
        b'{"B":1180591620717411303424,"a":["\xc3\xa9",true,null],"b":1}'
    )


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(_json)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_canonical_json_is_read_back(value: object) -> None:
    try:
        data = canonical_json(value)
    except UnicodeEncodeError:
        return  # half a surrogate pair is not text
    assert json.loads(data) == value
    assert canonical_json(json.loads(data)) == data


# --- random nouns ------------------------------------------------------------------------------------------------

_hex64 = st.text("0123456789abcdef", min_size=64, max_size=64)
_slug = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
_cut = st.integers(-(2**62), 2**62)
_four = st.lists(_cut, min_size=4, max_size=4).map(sorted).map(tuple)
_question = st.builds(
    Question,
    run=st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True),
    round=st.integers(1, 1_000_000),
    attempt=st.integers(1, 1_000_000),
)
_signed = st.builds(
    Signed,
    kind=st.text(max_size=40),
    signer=st.text(max_size=63),
    body=st.text(),
    signature=_hex64.map(lambda text: text * 2),
)
RANDOM: dict[str, st.SearchStrategy[Noun]] = {
    "Question": _question,
    "Signed": _signed,
    "Checkpoint": st.builds(m.Checkpoint, member=_slug, sequence=st.integers(1, 1 << 53), head=_hex64),
    "Contribution": st.builds(m.Contribution, holder=_slug, core=_hex64, payload=_hex64, checkpoint=_signed),
    "Answered": st.builds(Answered, question=_question, core=_hex64, payload=_hex64),
    "ReleaseDigest": st.builds(m.ReleaseDigest, question=_question, core=_hex64, release=_hex64),
    "ReleaseText": st.builds(m.ReleaseText, core=_hex64, values=st.text()),
    "Refusal": st.builds(m.Refusal, holder=_slug, code=st.sampled_from(["busy", "policy", "declined"])),
    "GaussianSum": st.builds(
        GaussianSum,
        squared_norm=st.integers(1, 1 << 128),
        gamma=st.integers(1, 1 << 64),
        dim=st.integers(1, 1 << 40),
        share_scale=st.integers(1, 1 << 64),
        protecting_shares=st.integers(1, 1_000_000),
    ),
    "ContributionBound": st.builds(
        ContributionBound,
        gamma=st.integers(1, 1 << 40),
        squared_norm=st.integers(1, 1 << 128),
        max_abs=st.integers(1, 1 << 64),
    ),
    "SumMechanism": st.integers(2, 1000).flatmap(
        lambda holders: st.builds(
            SumMechanism,
            placement=st.sampled_from(["distributed", "local", "central"]),
            holders=st.just(holders),
            colluding=st.integers(1, holders - 1),
            share_scale=st.integers(1000, 1 << 48),
        )
    ),
    "CutPoints": st.builds(
        CutPoints,
        recency_days=_four,
        orders=_four,
        money=_four,
        recency_high=_cut,
        orders_high=_cut,
        money_high=_cut,
    ),
    "FactGrid": st.builds(
        FactGrid,
        fact=st.sampled_from(["recency_days", "orders", "money", "tenure_days"]),
        upper=st.sets(st.integers(-(2**62), 2**62), min_size=1, max_size=30).map(sorted).map(tuple),
        permille=st.integers(1, 1000),
    ),
    "Budget": st.builds(
        Budget,
        epsilon=st.decimals("0.01", 20, places=4),
        delta=st.none() | st.decimals("0.000000001", "0.00001", places=9),
        max_holders_per_customer=st.none() | st.integers(1, 1000),
        size_class=st.integers(100, 100_000),
        colluding_holders=st.integers(1, 1000),
        spare_attempts=st.integers(0, 5),
    ),
    "Opened": st.builds(
        Opened,
        owner=st.text(max_size=120),
        role=st.sampled_from(["holder", "coordinator"]),
        epsilon=st.none() | st.decimals("0.01", 50, places=6),
        delta=st.none() | st.decimals("0.000001", 1, places=6),
    ),
}


@pytest.mark.parametrize("name", RANDOM)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_random_nouns_round_trip(name: str, data: st.DataObject) -> None:
    one, other = data.draw(RANDOM[name]), data.draw(RANDOM[name])
    again = type(one).parse(one.canonical())
    assert again == one
    assert again.canonical() == one.canonical()
    assert (one.digest == other.digest) == (one == other)


# --- bytes that are no such value ------------------------------------------------------------------------------------

_STRANGE = (None, True, -1, 0, 2**80, 1.5, "", "x", "\u0000", "-0", "NaN", "1e99", [], {}, [[]], {"a": 1}, "9" * 5000)


def _parses_or_refuses(kind: type[Noun], data: bytes | str) -> None:
    refusal = None
    try:
        value = kind.parse(data)
    except ProtocolError as error:
        refusal = error.message
    if refusal is None:
        assert kind.parse(value.canonical()) == value
    else:
        assert refusal == f"not a valid {kind.__name__}"  # the text never quotes what arrived


@each_example
@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_damaged_bytes_give_a_protocol_error(value: Noun, data: st.DataObject) -> None:
    whole = bytearray(value.canonical())
    what = data.draw(st.sampled_from(["cut", "flip", "insert", "remove", "strange"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    if what == "cut":
        damaged = bytes(whole[:place])
    elif what == "flip":
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
        damaged = bytes(whole)
    elif what == "insert":
        damaged = bytes(whole[:place]) + data.draw(st.binary(min_size=1, max_size=5)) + bytes(whole[place:])
    elif what == "remove":
        damaged = bytes(whole[:place] + whole[place + data.draw(st.integers(1, 9)) :])
    else:
        raw = json.loads(bytes(whole))
        path = data.draw(st.sampled_from([path for path, _ in _leaves(raw)]))
        strange = data.draw(st.sampled_from(_STRANGE))
        damaged = json.dumps(_with(raw, path, strange)).encode()
    _parses_or_refuses(type(value), damaged)


@pytest.mark.parametrize(
    "kind", [m.Reply, Signed, Study, m.ReadyRequest, Reserved, m.PlanCore], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00", b"null", b"[]", b"{}", b'"text"', b"{", b"\xff\xfe\xff", b"1" * 5000, b"[" * 100_000,
        b'{"a":' * 50_000, b'{"kind":"\\ud800"}', "\ud800", b"NaN", b"Infinity",
    ],
    ids=range(15),
)  # fmt: skip
def test_junk_gives_a_protocol_error(kind: type[Noun], data: bytes | str) -> None:
    with pytest.raises(ProtocolError):
        kind.parse(data)


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_random_bytes_give_a_protocol_error(data: bytes) -> None:
    for kind in (m.Reply, Signed, m.ReleaseText):
        with pytest.raises(ProtocolError):
            kind.parse(data)


def _study_with(**fields: object) -> bytes:
    return json.dumps({"name": "x", "as_of": "2025-01-01", "budget": {"epsilon": "1"}, **fields}).encode()


@pytest.mark.parametrize("zone", ["Europe", "America", "a" * 300])
def test_a_time_zone_that_is_a_folder_gives_a_protocol_error(zone: str) -> None:
    with pytest.raises(ProtocolError):
        Study.parse(_study_with(time_zone=zone))


def test_an_enormous_bound_gives_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        Study.parse(_study_with(bounds={"money_max": "1E999999"}))


# --- signed statements -------------------------------------------------------------------------------------------

READY = m.Ready(holder="alpha", core=d("core"))


def signed_text(body: str, *, kind: str = "Ready", signer: str = "alpha") -> Signed:
    """A correct signature over any text at all."""
    text = b"\x00".join([b"cohortium/statement/v1", kind.encode(), signer.encode(), body.encode()])
    return Signed(kind=kind, signer=signer, body=body, signature=PEOPLE[signer]._key.sign(text).hex())


def test_a_signed_statement_opens() -> None:
    signed = PEOPLE["alpha"].sign(READY)
    assert signed == signed_text(READY.canonical().decode())
    assert signed.open(m.Ready, ROSTER) == signed.open(m.Ready, ROSTER, signer="alpha") == READY
    assert Signed.parse(signed.canonical()).open(m.Ready, ROSTER) == READY


def _forgeries() -> dict[str, tuple[Signed, str]]:
    good = PEOPLE["alpha"].sign(READY)
    other = m.Ready(holder="alpha", core=d("another core")).canonical().decode()
    body = READY.canonical().decode()
    flipped = good.signature[:-1] + ("0" if good.signature[-1] != "0" else "1")
    stranger = identities(["stranger"])["stranger"]
    impostor = Identity("alpha", stranger._key)
    return {
        "signature changed": (good.model_copy(update={"signature": flipped}), "signature"),
        "signature empty": (good.model_copy(update={"signature": "0" * 128}), "signature"),
        "body changed": (good.model_copy(update={"body": other}), "signature"),
        "signer renamed": (good.model_copy(update={"signer": "beta"}), "somebody else"),
        "kind renamed": (good.model_copy(update={"kind": "Refusal"}), "expected a signed Ready"),
        "kind of another": (PEOPLE["alpha"].sign(m.Refusal(holder="alpha", code="busy")), "expected a signed Ready"),
        "signed by another": (PEOPLE["beta"].sign(READY), "somebody else"),
        "signed by a stranger": (stranger.sign(READY), "somebody else"),
        "a stranger in the name of alpha": (impostor.sign(READY), "signature"),
        "spaces in the body": (signed_text(body.replace(",", ", ")), "canonical"),
        "fields in another order": (signed_text(json.dumps(dict(reversed(json.loads(body).items()))).replace(" ", "")),
                                    "canonical"),
        "a field twice": (signed_text(body.replace('{"core"', '{"core":"","core"')), "canonical"),
        "escaped text": (signed_text(body.replace("alpha", "\\u0061lpha")), "canonical"),
        "surplus field": (signed_text(body[:-1] + ',"x":1}'), "not a valid"),
        "no JSON": (signed_text("ready!"), "not a valid"),
    }  # fmt: skip


@pytest.mark.parametrize("name", _forgeries())
def test_a_forged_statement_does_not_open(name: str) -> None:
    forged, complaint = _forgeries()[name]
    with pytest.raises(ProtocolError, match=complaint):
        forged.open(m.Ready, ROSTER, signer="alpha")


def test_somebody_outside_the_roster_counts_for_nothing() -> None:
    with pytest.raises(ProtocolError, match="roster"):
        identities(["stranger"])["stranger"].sign(READY).open(m.Ready, ROSTER)


def test_a_signature_is_for_one_kind_of_statement() -> None:
    """Finished and Ready could have the same body; the kind is under the signature."""
    signed = signed_text(READY.canonical().decode(), kind="Finished").model_copy(update={"kind": "Ready"})
    with pytest.raises(ProtocolError, match="signature"):
        signed.open(m.Ready, ROSTER)


# --- roster and keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda x: x[::-1], "sorted"),
        (lambda x: [*x, x[-1]], "sorted"),
        (lambda x: [{**x[0], "public_key": x[1]["public_key"]}, *x[1:]], "same key"),
        (lambda x: [{**item, "role": "holder"} for item in x], "exactly one coordinator"),
        (lambda x: [{**item, "role": "coordinator"} for item in x], "exactly one coordinator"),
        (lambda x: [{**x[0], "id": "Alpha"}, *x[1:]], "pattern"),
    ],
    ids=["order", "twice", "one key", "no coordinator", "many coordinators", "name"],
)
def test_a_wrong_roster_cannot_be_built(change: Any, complaint: str) -> None:
    members = [member.model_dump() for member in ROSTER.members]
    with pytest.raises(ValidationError, match=complaint):
        Roster(federation="test", version=1, members=change(members))


def test_a_roster_knows_its_members() -> None:
    assert ROSTER.coordinator == "coordinator"
    assert ROSTER.holders == ("alpha", "beta", "gamma")
    with pytest.raises(ProtocolError):
        ROSTER.key_of("delta")


def test_signing_keys_are_files_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    made = Identity.create("alpha", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Identity.load("alpha", path).public_key == made.public_key
    assert made.public_key not in repr(made)
    with pytest.raises(ConfigError, match="never overwritten"):
        Identity.create("alpha", path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read"):
        Identity.load("alpha", path)
    path.chmod(0o600)
    path.write_bytes(b"no key")
    with pytest.raises(ConfigError, match="not a signing key"):
        Identity.load("alpha", path)
    other = X25519PrivateKey.generate()
    path.write_bytes(other.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                         serialization.NoEncryption()))  # fmt: skip
    with pytest.raises(ConfigError, match="Ed25519"):
        Identity.load("alpha", path)
    with pytest.raises(ConfigError, match="no signing key"):
        Identity.load("alpha", tmp_path / "none.pem")


def test_digests_of_the_code_cover_every_file_that_decides_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change in the kernel changes the kernel's digest alone, one in a room the room's alone, others none."""

    def now() -> dict[str, str]:
        rooms = {name: code.analysis_code.__wrapped__(name) for name in NAMES}
        return {"": code.kernel_code.__wrapped__(), **rooms}

    original = now()
    copied = tmp_path / "privacy"
    shutil.copytree(Path(code.__file__).parents[1], copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "__file__", str(copied / "protocol" / "code.py"))
    assert now() == original
    seen = set()
    for path in sorted(copied.rglob("*.py")):
        text = path.read_bytes()
        path.write_bytes(text + b"\n")
        parts = path.relative_to(copied).parts
        if path.relative_to(copied).as_posix().startswith((*code.FREE, "analyses/__init__.py")):
            expected = set()
        elif parts[0] == "analyses" and parts[1] in NAMES:
            expected = {parts[1]} - ({parts[1]} if parts[2] in code.FREE_IN_ROOMS else set())
        else:
            expected = {""}
        assert {name for name, digest in now().items() if digest != original[name]} == expected, path
        seen |= expected
        path.write_bytes(text)
    assert seen == {"", *NAMES}
    (copied / "new.py").write_bytes(b"")
    assert now()[""] != original[""]


def test_an_analysis_more_changes_no_digest_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = code.kernel_code()
    copied = tmp_path / "privacy"
    shutil.copytree(Path(code.__file__).parents[1], copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "__file__", str(copied / "protocol" / "code.py"))
    shutil.copytree(copied / "analyses" / NAMES[0], copied / "analyses" / "another")
    tuple_of_all = copied / "analyses" / "__init__.py"
    tuple_of_all.write_text(tuple_of_all.read_text() + "# one more\n")
    assert code.kernel_code.__wrapped__() == original
