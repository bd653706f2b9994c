"""The codec: one canonical spelling of every noun, and one error type for everything else.

Whatever is signed, hashed or stored goes through it: equal values have equal bytes, any change of any field changes the
digest, floats have no form, and bytes that are not exactly such a value give a ProtocolError that does not quote them.
A signed statement opens only as what, and by whom, it was signed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from contract_examples import (
    identities,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noun_examples import EXAMPLES, PEOPLE, ROSTER, d
from own_nouns import own_nouns
from pydantic import ValidationError

from privacy.accounting.events import GaussianSum
from privacy.analyses.catalogue import NAMES
from privacy.analyses.rfm.cut_sides import FactCuts
from privacy.analyses.rfm.options import FixedCuts
from privacy.analyses.rfm.prefix_sums import FactGrid
from privacy.analyses.rfm.segments import CutPoints
from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import Noun, canonical_json, plain_decimal
from privacy.kernel.terms import Budget
from privacy.ledger import (
    Answered,
    Opened,
    Question,
    Reserved,
)
from privacy.mechanisms import SumMechanism
from privacy.protocol import code
from privacy.protocol import messages as m
from privacy.protocol.envelopes import Reply
from privacy.protocol.identity import Identity, Roster, Signed
from privacy.protocol.study import Study
from privacy.statistics import ContributionBound
from server.analyses.churn.model_file import ModelRecord

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
    for name in type(value).model_fields:
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
    "segment_totals", "prefix_sums", "count(order)",
)  # fmt: skip


@cache
def _choices() -> tuple[str, ...]:
    """All words that a field of some noun may be, such as ``local`` or ``stopped``."""
    words, open_ends = (
        set(),
        [field.annotation for kind in own_nouns() for field in kind.model_fields.values()],
    )
    while open_ends:
        annotation = open_ends.pop()
        words |= {word for word in get_args(annotation) if get_origin(annotation) is Literal}
        open_ends += [inner for inner in get_args(annotation) if get_origin(annotation) is not Literal]
    return tuple(sorted(map(str, words)))


def _changes(leaf: Any) -> list[Any]:
    if leaf is None:
        return ["1", "0.0000002", 1]
    if isinstance(leaf, int):
        return [leaf + 1, leaf - 1, leaf * 2]
    text = str(leaf)
    return [text[:-1] + ("0" if text[-1:] != "0" else "1"), text + "x", text[:-1], *_WORDS]


def _more_changes(leaf: Any) -> list[str]:
    """Choices, of which hundreds are there: the first that a field takes, which took no text, says as much as all."""
    return [word for word in _choices() if word != leaf] if str(leaf) in _choices() else []


def _changed(value: Noun, raw: dict[str, Any], path: tuple[Any, ...], new: Any) -> Noun | None:
    """The noun with one leaf changed, whose digest changes if it does; None where it may not be so."""
    try:
        other = type(value).parse(canonical_json(_with(raw, path, new)))
    except ProtocolError:
        return None
    assert (other.digest == value.digest) == (other == value)
    return other


@each_example
def test_any_change_of_one_field_changes_the_digest(value: Noun) -> None:
    raw = json.loads(value.canonical())
    changed_fields = set()
    for path, leaf in _leaves(raw):
        others = [_changed(value, raw, path, new) for new in _changes(leaf) if new != leaf]
        if not any(others):
            others += [next(filter(None, (_changed(value, raw, path, new) for new in _more_changes(leaf))), None)]
        if any(other is not None and other != value for other in others):
            changed_fields.add(path[0])
    only_one_value = {
        name
        for name, field in type(value).model_fields.items()
        if (get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1)
        or raw.get(name, []) == []  # nothing in the example to change
    }
    follows = {"format"} if isinstance(value, ModelRecord) else set()  # from the family: alone it cannot be another
    assert changed_fields >= set(raw) - only_one_value - follows


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
    "FactCuts": st.builds(
        FactCuts,
        fact=st.sampled_from(["recency_days", "orders", "money", "tenure_days"]),
        at=st.lists(st.integers(-(2**62), 2**62), min_size=4, max_size=4).map(sorted).map(tuple),
        permille=st.integers(1, 1000),
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
    leaves = [path for path, _ in _leaves(json.loads(bytes(whole)))]
    what = data.draw(st.sampled_from(["cut", "flip", "insert", "remove", *(["strange"] if leaves else [])]))
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
        path = data.draw(st.sampled_from(leaves))
        strange = data.draw(st.sampled_from(_STRANGE))
        damaged = json.dumps(_with(raw, path, strange)).encode()
    _parses_or_refuses(type(value), damaged)


@pytest.mark.parametrize(
    "kind", [Reply, Signed, Study, m.ReadyRequest, Reserved, m.PlanCore], ids=lambda kind: kind.__name__
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
    for kind in (Reply, Signed, m.ReleaseText):
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
