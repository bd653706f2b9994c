"""Nothing that arrives is unbounded: each text, number, tuple and message has an end, checked before it costs much."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import pkgutil
import re
import tomllib
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import protocol_kit as kit
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_kit import LyingCoordinator, sign_raw
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

import clients.answering.asked
import clients.answering.run_state
import privacy
from clients.answering.policy import Allow
from clients.answering.runs import RunFolder
from privacy.analyses.churn.by_holder import ByHolder
from privacy.errors import CohortiumError, NotEnoughHolders, ProtocolError
from privacy.figures.estimates import Value
from privacy.kernel import canonical, limits
from privacy.kernel.canonical import ExactDecimal, Noun, plain_decimal
from privacy.kernel.features import FEATURES, ScaledFeature
from privacy.kernel.limits import is_run_id
from privacy.ledger.entries import PeriodCap, Question
from privacy.models.trained import FeatureRank
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Identity
from privacy.protocol.messages import AnswerRequest, Checkpoint, Participant, ReadyRequest
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram
from server.analyses.churn.model_file import Measured

Patch = pytest.MonkeyPatch

#: Modules that need packages beside the base install.
OPTIONAL = {"privacy.audit.accountants", "privacy.audit.prv"}


class Number(Noun):
    """A noun with one decimal."""

    value: ExactDecimal


# --- decimals ----------------------------------------------------------------------------------------------------


def check_decimals(root: Path, patch: Patch) -> None:
    """Thirty bytes that stand for megabytes are refused, and cost next to nothing."""
    for text in ("1e3000000", "-1e3000000", "1e-3000000", "0e3000000", "1." + "1" * 100_000, "1" * 41, "1e40", "1e-41"):
        tracemalloc.start()
        try:  # mutants fail in here, and whatever runs while memory is traced takes three times as long
            with pytest.raises(ProtocolError):
                Number.parse(json.dumps({"value": text})).canonical()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1 << 20, text[:12]


def test_a_decimal_of_many_digits_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: Patch) -> None:
    check_decimals(tmp_path, monkeypatch)


@pytest.mark.parametrize("text", ["1e400", "1" + "0" * 4000, "1" * 5000, "NaN", '"Infinity"', "true", "[1]"])
def test_what_is_no_short_decimal_is_refused_in_other_spellings_too(text: str) -> None:
    with pytest.raises(ProtocolError):
        Number.parse(f'{{"value":{text}}}')


def test_a_decimal_in_a_file_of_ones_own_has_the_same_bounds() -> None:
    value = tomllib.loads("value = 1e3000000", parse_float=Decimal)
    with pytest.raises(ValidationError, match=r"below 10\^40"):
        Number.model_validate(value)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-9e39"), max_value=Decimal("9e39"), places=20)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=1e-18, max_value=1e18).map(lambda x: Decimal(repr(x)))
)
@settings(max_examples=200)
def test_a_decimal_that_is_let_through_can_be_written_and_read_again(value: Decimal) -> None:
    try:
        number = Number(value=value)
    except ValidationError:
        assert len(value.as_tuple().digits) > 40
        return
    text = plain_decimal(number.value)
    assert len(text) <= canonical.DECIMAL_TEXT
    assert Number.parse(number.canonical()) == number
    assert number.canonical() == f'{{"value":"{text}"}}'.encode()  # the same bytes as without bounds


def test_every_decimal_that_the_product_itself_writes_is_within_the_bounds() -> None:
    """The longest: a float's shortest text near the smallest delta, and the ends."""
    for text in ("1.2345678901234567e-18", "0.000001", "1e39", "-1e39", "1e-40", "9" * 40, "0." + "9" * 40, "0"):
        assert Number.parse(Number(value=Decimal(text)).canonical()).value == Decimal(text)


def test_a_period_cap_and_the_policys_and_records_figures_have_ends() -> None:
    cap = {"epsilon": "1." + "1" * 100_000, "delta": "0.000001", "days": 30, "start": "2025-01-01"}
    with pytest.raises(ProtocolError):
        PeriodCap.parse(json.dumps(cap))
    Allow(max_study_epsilon=Decimal(50))
    with pytest.raises(ValidationError):
        Allow(max_study_epsilon=Decimal("50.1"))
    Measured(value=Decimal("-1e15"), margin=Decimal("1e15"))
    for value, margin in ((Decimal("1.1e15"), 0), (Decimal("-1.1e15"), 0), (0, Decimal("1.1e15"))):
        with pytest.raises(ValidationError):
            Measured(value=Decimal(value), margin=Decimal(margin))


# --- every noun --------------------------------------------------------------------------------------------------


def _contract() -> Iterator[type[BaseModel]]:
    """Every noun and every value of a result that the contract has: whatever members send or hand each other."""
    for module in pkgutil.walk_packages(privacy.__path__, "privacy."):
        if module.name not in OPTIONAL:
            importlib.import_module(module.name)
    for base in (Noun, Value):
        yield from (kind for kind in _subclasses(base) if kind.__module__.startswith("privacy."))


def _subclasses(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)


def _rules(metadata: Iterable[Any]) -> Iterator[Any]:
    for rule in metadata:
        if isinstance(rule, FieldInfo):
            yield from _rules(rule.metadata)
        else:
            yield rule


def unbounded(where: str, annotation: Any, metadata: Iterable[Any]) -> Iterator[str]:
    """Parts of an annotation whose values have no end."""
    rules = list(_rules(metadata))

    def has(*names: str) -> bool:
        return any(getattr(rule, name, None) is not None for rule in rules for name in names)

    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from unbounded(where, parts[0], [*rules, *parts[1:]])
    elif origin in (Union, UnionType):
        for part in parts:
            yield from unbounded(where, part, rules)
    elif annotation is str:
        patterns = [rule.pattern for rule in rules if getattr(rule, "pattern", None) is not None]
        if not has("max_length") and not any(_longest(pattern) < 1000 for pattern in patterns):
            yield f"{where}: a text without an end"
    elif annotation is int:
        if not (has("ge", "gt") and has("le", "lt")):
            yield f"{where}: an integer without ends"
    elif annotation is Decimal:
        if not any(isinstance(rule, AfterValidator) and rule.func is canonical._bounded for rule in rules):
            yield f"{where}: a decimal without ends"
    elif origin is tuple:
        if parts[-1] is Ellipsis and not has("max_length"):
            yield f"{where}: a tuple without an end"
        for part in parts:
            if part is not Ellipsis:
                yield from unbounded(f"{where}[]", part, ())
    elif origin is dict:
        if not has("max_length"):
            yield f"{where}: a table without an end"
        for part in parts:
            yield from unbounded(f"{where}{{}}", part, ())
    elif not _bounded_by_itself(annotation):
        yield f"{where}: {annotation} is not known to have ends"


def _longest(pattern: str) -> int:
    """Characters of the longest text that a pattern matches from end to end."""
    assert pattern.startswith("^"), pattern
    assert pattern.endswith("$"), pattern
    return int(re._parser.parse(pattern).getwidth()[1])  # type: ignore[attr-defined]


def _bounded_by_itself(annotation: Any) -> bool:
    if get_origin(annotation) is Literal or annotation in (bool, float, type(None), dt.date):
        return True
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)  # is looked at by itself


def test_nothing_in_any_noun_is_without_an_end() -> None:
    nouns = list(_contract())
    names = {noun.__name__ for noun in nouns}
    assert {"HelloRequest", "PlanCore", "Study", "Roster", "RosterUpdate", "StudyResult", "Entry", "ByHolder"} <= names
    assert len(nouns) > 90
    found = [
        text
        for noun in nouns
        for name, field in noun.model_fields.items()
        for text in unbounded(f"{noun.__name__}.{name}", field.annotation, field.metadata)
    ]
    assert not found


def test_the_walk_sees_what_has_no_end() -> None:
    class Open(Noun):
        text: str
        texts: tuple[Annotated[str, Field(max_length=3)], ...]
        inner: tuple[tuple[int, ...], ...] = Field(max_length=3)
        table: dict[str, Number] = Field(max_length=3)
        maybe: int | None = Field(ge=0)
        exact: Decimal = Field(ge=0, le=1)
        word: str = Field(pattern="^[a-z]+$")

    found = [
        text for name, field in Open.model_fields.items() for text in unbounded(name, field.annotation, field.metadata)
    ]
    assert [text.partition(":")[0] for text in found] == [
        "text", "texts", "inner[]", "inner[][]", "table{}", "maybe", "exact", "word",
    ]  # fmt: skip


# --- ids of runs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["", "-a", "A", "a_b", "a/b", "../x", "a\n", "\na", "a" * 65, "a\u0000", "\u0661"])
def test_every_noun_with_a_run_has_the_same_ids(run: str, tmp_path: Path) -> None:
    assert not is_run_id(run)
    with pytest.raises(ValidationError):
        Question(run=run, round=1, attempt=1)
    with pytest.raises(ProtocolError):
        RunFolder(tmp_path).keep_study(run, kit.small_study())
    assert is_run_id("a" * 64)


def test_every_field_of_that_name_is_that_type() -> None:
    fields = [(n, field) for n in _contract() for name, field in n.model_fields.items() if name in ("run", "made_by")]
    assert len(fields) > 5
    for noun, field in fields:
        assert [rule.pattern for rule in field.metadata if hasattr(rule, "pattern")] == [f"^{limits._RUN}$"], noun


# --- sizes -------------------------------------------------------------------------------------------------------

KINDS = {
    "HelloRequest": 1 << 20,
    "ReadyRequest": (4 << 20) + 3 * 4096,
    "AnswerRequest": (64 << 10) + 3 * 8192,
    "OpenRequest": (64 << 10) + 3 * 4096,
    "WitnessRequest": (4 << 20) + 3 * 32768,
    "FinishRequest": (4 << 20) + (64 << 20),
    "Whatever": 64 << 10,
}


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> LyingCoordinator:
    return LyingCoordinator(kit.federation_at(tmp_path_factory.mktemp("bounds"), clock=kit.FakeClock()))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "FinishRequest"])
def test_a_request_larger_than_its_kind_is_refused_before_it_is_parsed(
    kind: str, coordinator: LyingCoordinator, monkeypatch: Patch
) -> None:
    most = KINDS[kind]
    assert limits.request_bytes(kind, 3) == most
    empty = len(_padded(coordinator, kind, 0))
    parsed: list[int] = []
    monkeypatch.setattr(clients.answering.asked.Request, "parse", lambda data: parsed.append(len(data)))
    for extra in (1, 20 << 20):
        with pytest.raises(ProtocolError, match="bytes are no request"):
            clients.answering.asked.read_request(_padded(coordinator, kind, most - empty + extra), 3)
    assert not parsed
    with pytest.raises(AttributeError):  # what the parser above gives back is no request
        clients.answering.asked.read_request(_padded(coordinator, kind, most - empty), 3)
    assert parsed == [most]


def _padded(coordinator: LyingCoordinator, kind: str, size: int) -> bytes:
    request = Request(statement=sign_raw(coordinator.identity, kind, "?")).canonical()
    return request.replace(b'"?"', b'"' + b"x" * size + b'"')


def test_a_node_refuses_what_is_too_large(coordinator: LyingCoordinator) -> None:
    for kind in ("HelloRequest", "AnswerRequest", "Whatever"):
        assert coordinator.send_bytes("alpha", _padded(coordinator, kind, 2 << 20)).code == "declined"


def test_what_travels_beside_a_statement_does_not_make_room_for_a_larger_one(coordinator: LyingCoordinator) -> None:
    assert limits.request_bytes("FinishRequest", 3) == KINDS["FinishRequest"]
    with pytest.raises(ProtocolError, match="larger than one of its kind"):
        clients.answering.asked.read_request(_padded(coordinator, "FinishRequest", (4 << 20) + 1), 3)
    texts = {digit * 64: "x" * 100 for digit in "ab"}
    small = Request(statement=sign_raw(coordinator.identity, "FinishRequest", "{}"), attachments=texts)
    assert clients.answering.asked.read_request(small.canonical(), 3) == small
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients.answering.asked, "ATTACHMENTS", 199)
        with pytest.raises(ProtocolError, match="beside"):
            clients.answering.asked.read_request(small.canonical(), 3)


def test_the_kind_is_read_from_the_end_alone(coordinator: LyingCoordinator) -> None:
    request = Request(statement=coordinator.identity.sign(coordinator.hello_request())).canonical()
    assert limits.kind_of_request(request) == "HelloRequest"
    for data in (b"", b"{}", request[:-1], request + b" ", request[:-2] + b',"x":1}}', b"[" * 100_000, request + b"\n"):
        assert limits.kind_of_request(data) is None
    # A request that says one kind at its end and is of another does not get further.
    inner = json.loads(request)["statement"]
    other = {**inner, "kind": "FinishRequest"}
    text = json.dumps({"attachments": {}, "since": [], "statement": other, "z": other}, separators=(",", ":"))
    lying = text.encode()
    assert limits.kind_of_request(lying) in ("FinishRequest", None)
    with pytest.raises(ProtocolError):
        clients.answering.asked.read_request(lying, 3)


def test_a_thousand_holders_fit_into_a_plan_and_an_answers_request(coordinator: LyingCoordinator) -> None:
    """One identity signs for all: what counts here is how long it gets."""
    coordinator.greet()
    core = coordinator.core()
    ready = coordinator.show(core, "alpha")["alpha"].value.model_copy(update={"holder": "h" * 63})
    hello = coordinator.send("alpha", coordinator.hello_request()).value
    identity = Identity("h" * 63, Ed25519PrivateKey.generate())
    names = [f"{'h' * 59}{number:04d}" for number in range(1000)]
    checkpoint = identity.sign(Checkpoint(member=names[0], sequence=1 << 53, head="f" * 64))
    signed = identity.sign(hello.model_copy(update={"run": "r" * 64, "holder": names[0], "checkpoint": checkpoint}))
    participants = tuple(Participant(holder=name, hello="f" * 64, checkpoint=checkpoint) for name in names)
    plan = ReadyRequest(core=core.model_copy(update={"participants": participants}), hellos=(signed,) * 1000)
    asked = AnswerRequest(question=core.question, core="f" * 64, readies=(identity.sign(ready),) * 1000)
    for statement in (plan, asked):
        data = Request(statement=identity.sign(statement)).canonical()
        assert len(data) < 0.8 * limits.request_bytes(type(statement).__name__, 1000)
        assert clients.answering.asked.read_request(data, 1000).statement.kind == type(statement).__name__


def test_the_coordinator_takes_no_reply_larger_than_its_kind(tmp_path: Path) -> None:
    def hook(holder: str, kind: str, count: int, request: bytes, forward: Callable[[bytes], bytes]) -> bytes:
        reply = forward(request)
        if holder == "beta" and kind == large:
            body = Reply.parse(reply)
            return body.model_copy(update={"vector": body.vector + "A" * ((1 << 20) + 100_000)}).canonical()
        return reply

    for number, large in enumerate(("hello", "answer")):
        notes = kit.Notes()
        federation = kit.federation_at(tmp_path / str(number))
        asker = kit.coordinator_of(federation, hook=hook, progress=notes)
        if large == "hello":
            with pytest.raises(NotEnoughHolders, match="beta: an answer that is too large"):
                asker.join()
        else:
            asker.join()
            with pytest.raises(NotEnoughHolders):
                asker.ask("rfm", "cut points", kit.STATISTIC, kit.price(asker.study))
            assert any("beta did not answer: an answer that is too large" in note for note in notes.notes)


# --- noise and plans ---------------------------------------------------------------------------------------------


def test_the_noise_and_the_plans_of_a_run_are_bounded(tmp_path: Path, monkeypatch: Patch) -> None:
    """Room for three plans that nobody asks for; an answered one makes room again."""
    drawn: list[int] = []

    def sampler(scale: int, size: int) -> Any:
        drawn.append(size)
        return kit.no_noise(scale, size)

    coordinator = LyingCoordinator(kit.federation_at(tmp_path, sampler=sampler))
    coordinator.greet()
    wide = kit.wide_statistic(1000)
    one = len(coordinator.identity.sign(coordinator.ready_request(coordinator.core(statistic=wide))).body) // 8 + 1000
    monkeypatch.setattr(clients.answering.run_state, "MOST_WORDS", 3 * one + 200)
    cores = [coordinator.core(statistic=wide, round=number, share=Fraction(1, 100)) for number in range(1, 6)]
    readies = coordinator.readies(cores[0])
    assert [coordinator.show(core, "alpha")["alpha"].code for core in cores[1:4]] == ["Ready", "Ready", "busy"]
    assert coordinator.show(cores[1], "alpha")["alpha"].code == "Ready", "what is there already takes no more room"
    assert drawn.count(1000) == 3 + 2, "alpha's three, and one each of the others"
    assert coordinator.ask("alpha", cores[0], readies).code == "Contribution"
    assert coordinator.show(cores[3], "alpha")["alpha"].code == "Ready"
    assert limits.MOST_WORDS == 4 << 20


def test_figures_by_holder_are_of_holders_that_the_study_names(tmp_path: Path) -> None:
    study = kit.small_study(analyses=("churn",), churn={"figures": "by_holder"})
    policy = kit.lenient_policy(analyses=("churn",), figures=("overall", "by_holder"))
    coordinator = LyingCoordinator(kit.federation_at(tmp_path, policy=policy), study)
    coordinator.greet()
    for number, (holders, code) in enumerate({("alpha", "beta"): "Ready", ("alpha", "nobody"): "policy"}.items()):
        statistic = ByHolder(inner=_histogram(1), holders=holders)
        core = coordinator.core(statistic=statistic, round=number + 1, analysis="churn")
        assert coordinator.show(core, "alpha")["alpha"].code == code


# --- sums --------------------------------------------------------------------------------------------------------


def test_a_histogram_by_holder_has_so_many_cells_and_no_more() -> None:
    names = tuple(f"h{number:04d}" for number in range(1000))
    assert ByHolder(inner=_histogram(511), holders=names).dim == 1_024_000
    with pytest.raises(ValidationError, match="cells"):
        ByHolder(inner=_histogram(1023), holders=names)


def _histogram(thresholds: int) -> ScoreHistogram:
    feature = ScaledFeature(name="orders", scale=FEATURES["orders"].scale)
    model = ScoredModel(model=FeatureRank(features=(feature,)), upper=tuple(range(thresholds)), permille=1000)
    return ScoreHistogram(day=0, models=(model,))


# --- named mistakes ----------------------------------------------------------------------------------------------


def decimal_unbounded(patch: Patch) -> None:
    """A decimal need only be finite, as it was once."""
    for name in ("DECIMAL_TEXT", "DECIMAL_DIGITS", "DECIMAL_EXPONENT"):
        patch.setattr(canonical, name, 1 << 40)


#: Mutant to the check that must catch it.
MUTANTS: list[tuple[Callable[[Patch], None], Callable[[Path, Patch], None]]] = [
    (decimal_unbounded, check_decimals),
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(
    mutant: Callable[[Patch], None], check: Callable[[Path, Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)):
        check(tmp_path, monkeypatch)
