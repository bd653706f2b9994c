"""An example of every noun that is signed, hashed, sent or kept."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from analyses.churn.examples import CORRECTED, FORMULA, LOGISTIC, NETWORK, ranked
from analyses.churn.tree_examples import GROWN
from analyses.rfm.examples import RULES
from contract_examples import NOUNS, STATISTICS, identities, roster_of
from statistic_kit import TURNED_VIEW

from clients.answering.policy import Allow, HolderPolicy, Hours, LifetimeBudget
from privacy.accounting.events import GaussianSum
from privacy.accounting.sampled import MaskedAgain, SampledGaussian
from privacy.analyses.churn.known import KnownModel, KnownTest
from privacy.analyses.clusters.nouns import Centre, Clusters
from privacy.analyses.clusters.options import ClusterName, ClusterOptions, KnownClusters
from privacy.analyses.rfm.options import FixedCuts, KnownCuts, KnownTail, RfmOptions
from privacy.analyses.rfm.segments import ThresholdRule
from privacy.audit.bundle import BundleHeader, BundleSeal
from privacy.audit.heads import Heads
from privacy.kernel.canonical import Noun, sha256_hex
from privacy.kernel.cells import CellRequest
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.declarations import CellTable, EventChoice
from privacy.kernel.feature_request import FeatureLists, FeatureRequest
from privacy.kernel.features import FeatureName, Scale, ScaledFeature
from privacy.kernel.public_tags import Case, PublicTag
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
from privacy.ledger.entries import Slots
from privacy.ledger.paths import Passage
from privacy.mechanisms import SumMechanism
from privacy.protocol import messages as m
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Declarations, Member, Signed
from privacy.protocol.membership import Change, JoinRequest, KeyChange, Leave, RosterUpdate, Rotation
from privacy.protocol.study import Study, Waits
from server.analyses.churn.model_file import (
    Corrected,
    Evaluation,
    Measured,
    ModelRecord,
    PrivacySpent,
    Quality,
    Reliability,
    Words,
)
from server.releases import Release


def d(text: str) -> str:
    return sha256_hex(text.encode())


PEOPLE = identities(["alpha", "beta", "coordinator", "gamma"])


ROSTER = roster_of(PEOPLE)


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


SLOTS = Slots(rate=Decimal("0.05"), noise_multiplier=Decimal("2"), steps=80, count=3)
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
    cuts=RULES.cuts,
    money_cap=150_000,
    orders_cap=24,
    above_cap=Decimal("0.0125"),
    origin="example 2024-01-01",
    found=dt.date(2024, 1, 1),
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


CELLS = CellRequest.model_validate(
    {
        "tables": [
            {
                "name": "cohorts",
                "by": [{"dimension": "order.months_since_first", "keys": "0..11"}],
                "where": ["tenure_days >= 180"],
                "measures": [{"of": "customers"}, {"of": "sum(order.amount)", "first_days": 180}],
            }
        ]
    }
)


EVENTS = EventChoice(of="view", window_days=90, which="longest", per="view.page")


TAG = PublicTag(
    code="kind", en="Kind", zh="类型",
    case=(Case(key="dear", when="money > 99.5"), Case(key="late", when="count(order, -90) = 0")),
)  # fmt: skip


VIEWS = CellTable.model_validate(
    {"name": "views", "events": EVENTS,
     "by": [{"dimension": "view.page", "keys": ["home"]}, {"dimension": "tag.kind", "keys": ["dear"], "tag": TAG}],
     "where": ["tenure_days >= 30"], "measures": [{"of": "count(view)", "last_days": 30}]}
)  # fmt: skip


MODEL_RECORD = ModelRecord(
    federation="test", study="example", study_digest=STUDY.digest, run="run-1", finished=dt.date(2025, 1, 2),
    software="cohortium 0.1.0", family="logistic", model_digest=LOGISTIC.digest, features=(SCALED,), currency="EUR",
    time_zone="UTC", horizon_days=90, active_days=365, training_days=(dt.date(2024, 7, 5),),
    test_day=dt.date(2024, 10, 3), score_day=dt.date(2025, 1, 1), holders=3, evaluation=EVALUATION, privacy=SPENT,
    intended_use=(WORDS,), not_for=(WORDS,),
)  # fmt: skip


PINNED = (Decimal("0.75"), Decimal("0.0125"))


KNOWN_TEST = KnownTest(
    test_day=dt.date(2024, 7, 5), auc=PINNED, listed=PINNED, churn_rate=PINNED,
    level=(Decimal("-0.25"), Decimal("0.125")),
)  # fmt: skip


KNOWN_MODEL = KnownModel(
    model=LOGISTIC, origin="example 2024-10-03", training_days=(dt.date(2024, 4, 6),),
    spread=(Decimal("0.5"), Decimal("1.25")), tests=(KNOWN_TEST,),
)  # fmt: skip


CORRECTION = Corrected(level=MEASURED, intercept=MEASURED, slope=MEASURED, shift=Decimal("-0.125"))


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
    SLOTS,
    SLOTS.one,
    SampledGaussian(rate=Decimal("0.1"), noise_multiplier=Decimal("3.93"), steps=60, dim=17),
    MaskedAgain(core=d("core")),
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
    Reply(
        statement=PEOPLE["alpha"].sign(m.Ready(holder="alpha", core=d("core"))), vector="AAAA", since={"beta": 7},
        paths=(HEAD_PATH,),
    ),
    Request(
        statement=PEOPLE["alpha"].sign(CHECKPOINT), since=(3, 7), paths={"beta": HEAD_PATH},
        attachments={d("text"): "text"},
    ),
    HEAD_PATH, HEAD_PATH.passage, STUDY.rfm,
    NEXT_ROSTER, RULES, KNOWN_CUTS, CORE.mechanism, checkpoint("alpha"), RULES.thresholds[0],
    SCALED, Scale(kind="log", high=3650), STUDY.churn, FEATURE_LISTS,
    FeatureRequest(names=LISTED, days=(STUDY.as_of,), horizon_days=90, lists=FEATURE_LISTS),
    MEASURED, QUALITY, RELIABILITY, EVALUATION, SPENT, WORDS, MODEL_RECORD, LOGISTIC, NETWORK, FORMULA, CORRECTED,
    GROWN, GROWN.trees[0],
    KNOWN_TEST, KNOWN_MODEL, CORRECTION,
    ranked(SCALED), TURNED_VIEW, STATISTICS["anchor_sums"][1].facts[0],
    CLUSTERS, CLUSTERS.centres[0], KNOWN_CLUSTERS, CLUSTER_NAME, CLUSTER_OPTIONS, Waits(answering=5),
    STATISTICS["network_gradient"][0].network, STATISTICS["score_histogram"][0].models[0],
    CustomerRequest(), CustomerRequest(window_days=365), KnownTail(likely=Decimal("0.04"), most=Decimal("0.2")), *NOUNS,
    CELLS, VIEWS, CELLS.tables[0].by[0], CELLS.tables[0].by[0].keys, CELLS.tables[0].measures[1],
    CELLS.tables[0].where[0], EVENTS, TAG, TAG.case[0],
    *(examples[1] for kind, examples in STATISTICS.items() if kind not in ("prefix_sums", "segment_totals")),
)  # fmt: skip
