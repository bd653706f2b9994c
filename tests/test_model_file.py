"""Model files: what is read is what the coordinator signed, to the last bit, or one error.

Asserted: a round trip gives the identical model and logits; a changed byte, a header or tensors from another file, a
pickle under this name, sizes beyond the limits, another signer or federation and any other bytes end in ProtocolError
and run no code; the record says what the result says, with margins and spending rounded up; a real run leaves a file
that every member can check.
"""

from __future__ import annotations

import datetime as dt
import json
import pickle
import struct
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from churn_pages import churn_result, encoded, linear, made, members, study_result
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load, save

from clients.answering.policy import Allow, HolderPolicy, LifetimeBudget
from privacy.analyses.churn.options import ChurnOptions
from privacy.errors import ConfigError, ProtocolError
from privacy.figures.estimates import Estimate
from privacy.kernel.canonical import sha256_hex
from privacy.kernel.features import FeatureTable
from privacy.kernel.terms import Budget
from privacy.models.mbg import public_prior
from privacy.models.trained import LogisticModel
from privacy.protocol.identity import Roster
from privacy.protocol.study import Study
from server.analyses.churn.model_file import (
    METADATA,
    SIZE_LIMIT,
    Measured,
    ModelRecord,
    decode_model,
    encode_model,
    read_model,
)
from server.analyses.churn.model_record import CARD, MODEL, SUMMARY, describe_model, write_model
from server.analysis import ResultFolder
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation


def refused(data: bytes, roster: Roster | None = None) -> str:
    with pytest.raises(ProtocolError) as caught:
        decode_model(data, roster or members()[0])
    return caught.value.message


# --- what is right is read


@pytest.mark.parametrize("family", ["logistic", "network", "prior", "plain", "trees", "bare"])
def test_a_round_trip_gives_the_identical_model(family: str) -> None:
    model = churn_result(family=family).model
    back = made(family).model
    assert back == model
    assert back.digest == model.digest
    assert made(family).record.format == (1 if family in ("logistic", "network") else 2)
    assert back.kind == made(family).record.family


def test_a_formula_goes_with_its_family_and_the_second_format() -> None:
    """Files of before have neither, and stay what they were."""
    record, other = made().record, made("prior").record
    assert '"prior":' not in record.canonical().decode()
    assert ModelRecord.parse(record.canonical()) == record
    formula = other.prior
    assert formula == public_prior(90)
    for wrong in ({"prior": formula}, {"family": "prior"}, {"format": 2, "prior": formula}):
        with pytest.raises(ValueError, match="a formula goes with"):
            ModelRecord.model_validate({**dict(record), **wrong})
    for wrong in ({"format": 2}, {"family": "trees"}):
        with pytest.raises(ValueError, match="format 2 goes with"):
            ModelRecord.model_validate({**dict(record), **wrong})
    with pytest.raises(ValueError, match="format 2 goes with"):
        ModelRecord.model_validate({**dict(other), "format": 1})


def test_another_formula_is_not_the_model_that_was_signed() -> None:
    """Whoever signs names the formula, and the model's digest covers it."""
    churn = churn_result(family="prior")
    record = describe_model(study_result(churn), churn, federation="demo")
    other = record.model_copy(update={"prior": public_prior(90, 35)})
    assert "not those that were signed" in refused(encode_model(churn.model, members()[1]["coordinator"].sign(other)))


@pytest.mark.parametrize("place", range(3))
def test_other_trees_are_not_the_model_that_was_signed(place: int) -> None:
    """An input, a threshold or a leaf is changed: the model's digest covers all of them."""
    churn = churn_result(family="trees")
    record = describe_model(study_result(churn), churn, federation="demo")
    name = ("inputs", "thresholds", "leaves")[place]
    first, *others = churn.model.trees
    values = getattr(first, name)
    first = first.model_copy(update={name: (*values[:-1], (values[-1] + 1) % 16)})
    other = churn.model.model_copy(update={"trees": (first, *others)})
    assert "not those that were signed" in refused(encode_model(other, members()[1]["coordinator"].sign(record)))


def test_the_largest_weights_survive() -> None:
    limit = 1 << 24
    assert made(bias=limit).model.weights[-1] == limit
    assert made(bias=-limit).model.weights[-1] == -limit


@pytest.mark.parametrize("family", ["logistic", "network", "prior", "plain", "trees", "bare"])
def test_any_safetensors_reader_reads_it(tmp_path: Path, family: str) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(encoded(family))
    with safe_open(str(path), framework="numpy") as file:
        statement = json.loads(json.loads(file.metadata()[METADATA])["body"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    assert statement["model_digest"] == churn_result(family=family).model.digest
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("int32")}


def test_the_same_model_gives_the_same_file() -> None:
    churn = churn_result()
    record = describe_model(study_result(churn), churn, federation="demo")
    assert encode_model(churn.model, members()[1]["coordinator"].sign(record)) == encoded()
    assert made().sha256 == sha256_hex(encoded())


# --- everything else is refused


@pytest.mark.parametrize("family", ["logistic", "network", "prior", "plain", "trees", "bare"])
def test_any_changed_byte_is_found(family: str) -> None:
    data = encoded(family)
    start = 8 + struct.unpack("<Q", data[:8])[0]
    places = {*range(64), *range(64, start - 40, 17), *range(start - 40, start + 40), *range(start, len(data), 3)}
    for place in sorted(places):
        for flip in (0x01, 0x80) if place % 2 else (0x20,):
            refused(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])


def test_a_header_with_the_tensors_of_another_model_is_refused() -> None:
    one, other = encoded(), encoded(bias=12_345)
    start = 8 + struct.unpack("<Q", one[:8])[0]
    assert len(one) == len(other)
    assert "not those that were signed" in refused(one[:start] + other[start:])
    refused(other[:start] + one[start:])


def test_another_models_statement_does_not_cover_this_one() -> None:
    signed = json.loads(load_header(encoded())["__metadata__"][METADATA])
    tensors = load(encoded(bias=12_345))
    refused(save(tensors, {METADATA: json.dumps(signed)}))


def load_header(data: bytes) -> dict:
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, meta: (tensors | {"more": np.zeros(1, np.int32)}, meta),
        lambda tensors, meta: ({}, meta),
        lambda tensors, meta: ({"weights": tensors["weights"].astype(np.float64)}, meta),
        lambda tensors, meta: ({"weights": tensors["weights"].astype(np.int64)}, meta),
        lambda tensors, meta: ({"weights": tensors["weights"].reshape(1, -1)}, meta),
        lambda tensors, meta: ({"features": tensors["weights"]}, meta),
        lambda tensors, meta: (tensors, meta | {"note": "unsigned"}),
        lambda tensors, meta: (tensors, {"other": meta[METADATA]}),
        lambda tensors, meta: (tensors, {METADATA: "{}"}),
        lambda tensors, meta: (tensors, {METADATA: " " + meta[METADATA]}),
        lambda tensors, meta: (tensors, None),
    ],
    ids=["more", "none", "float64", "int64", "shape", "name", "note", "key", "empty", "space", "bare"],
)
def test_tensors_and_header_must_be_exactly_those_of_the_model(change) -> None:
    data = encoded()
    tensors, metadata = change(load(data), {METADATA: load_header(data)["__metadata__"][METADATA]})
    refused(save(tensors, metadata))


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_this_name_runs_nothing(tmp_path: Path, protocol: int) -> None:
    trap = tmp_path / "sprung"
    path = tmp_path / MODEL
    path.write_bytes(pickle.dumps(_Trap(str(trap)), protocol))
    with pytest.raises(ProtocolError):
        read_model(path, members()[0])
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists()  # the trap itself works


def test_sizes_beyond_the_limits_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    data = encoded()
    assert "safetensors" in refused(struct.pack("<Q", (1 << 64) - 1) + data[8:])
    assert "safetensors" in refused(struct.pack("<Q", len(data) - 7) + data[8:])
    assert "larger than" in refused(data + bytes(SIZE_LIMIT))
    huge = tmp_path / MODEL
    with huge.open("wb") as file:
        file.truncate(1 << 36)  # sparse: reading it whole would not fit
    with pytest.raises(ProtocolError, match="larger than"):
        read_model(huge, members()[0])
    for nothing in (b"", data[:7], data[:8], data[:-1], data + b"\0"):
        refused(nothing)


def test_deep_nesting_is_refused() -> None:
    header = b'{"__metadata__":' + b"[" * 200_000
    refused(struct.pack("<Q", len(header)) + header)


def test_only_the_coordinator_of_this_federation_can_sign() -> None:
    assert "somebody else" in refused(encoded(signer="online"))
    other = members("elsewhere")[0]
    assert "signature" in refused(encoded(), other)
    same_keys = other.model_copy(update={"members": members()[0].members})
    assert "another federation" in refused(encoded(), same_keys)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_this_one_error(noise: bytes, framed: bool) -> None:
    refused(struct.pack("<Q", len(noise)) + noise if framed else noise)


def test_errors_do_not_quote_the_file() -> None:
    evil = json.dumps({"__metadata__": {METADATA: "4711 Example"}}).encode()
    assert "4711" not in refused(struct.pack("<Q", len(evil)) + evil)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError):
            read_model(path, members()[0])


# --- the record


def test_the_record_says_what_the_result_says_and_never_less_was_spent() -> None:
    churn = churn_result()
    result = study_result(churn)
    result = result.model_copy(
        update={
            "spending": result.spending.model_copy(update={"epsilon_person": 0.70000011, "epsilon_all_holders": 2.0})
        }
    )
    record = describe_model(result, churn, federation="demo")
    assert record.privacy.epsilon_person == Decimal("0.700001")
    assert record.privacy.epsilon_all_holders == 2
    assert record.evaluation.quality.figures().auc.value == pytest.approx(churn.quality.auc.value, abs=1e-6)
    assert record.evaluation.baselines[0].code == "recency_days"
    assert len(record.evaluation.reliability) == len(churn.quality.calibration) > 3
    assert record.study_digest == result.study.digest
    assert not record.model_dump_json().count("store-1")  # no names of holders


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_margins_are_rounded_up(value: float, margin: float) -> None:
    measured = Measured.of(Estimate(value=value, margin=margin))
    assert measured.margin >= Decimal(repr(margin))
    assert abs(measured.value - Decimal(repr(value))) <= Decimal("0.0000005")


def test_a_test_that_is_not_later_than_the_training_is_refused() -> None:
    record = made().record
    with pytest.raises(ValueError, match="ascend"):
        type(record).model_validate({**dict(record), "test_day": record.training_days[-1]})


# --- files and commands


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A coordinator's results folder with the three files, beside its roster."""
    roster, keys = members()
    target = tmp_path / "coordinator" / "results" / "spring-2025-01-01"
    target.mkdir(parents=True)
    (tmp_path / "coordinator" / "roster.json").write_bytes(roster.canonical())
    churn = churn_result()
    folder = ResultFolder(path=target, identity=keys["coordinator"], federation=roster.federation)
    write_model(churn, study_result(churn), folder)
    return target


def test_the_files_agree_with_each_other(results: Path) -> None:
    file = read_model(results / MODEL, members()[0])
    summary = json.loads((results / SUMMARY).read_text(encoding="utf-8"))
    assert summary == {"file": MODEL, **file.summary()}
    assert file.sha256 in (results / CARD).read_text(encoding="utf-8")


def test_the_command_shows_a_checked_model(command, results: Path, tmp_path: Path) -> None:
    shown = command("model", "show", results / MODEL)
    assert shown.code == 0
    assert "Signature good" in shown.out
    assert members()[1]["coordinator"].public_key in shown.out.replace(" ", "")
    told = json.loads(command("model", "show", results / MODEL, "--json").out)
    assert told["record"]["model_digest"] == linear().digest
    card = tmp_path / "card.html"
    assert command("model", "card", results / MODEL, "-o", card).code == 0
    assert card.read_bytes() == (results / CARD).read_bytes()


def test_the_command_never_takes_a_roster_from_beside_the_file(command, results: Path, tmp_path: Path) -> None:
    """A sender who forges the file could forge that roster as well."""
    apart = tmp_path / "mail" / MODEL
    apart.parent.mkdir()
    apart.write_bytes((results / MODEL).read_bytes())
    (apart.parent / "roster.json").write_bytes(members()[0].canonical())
    said = command("model", "show", apart)
    assert said.code == 3
    assert "--roster" in said.err
    assert command("model", "show", apart, "--roster", tmp_path / "coordinator").code == 0
    wrong = tmp_path / "wrong.json"
    wrong.write_bytes(members("elsewhere")[0].canonical())
    said = command("model", "show", apart, "--roster", wrong)
    assert said.code == ProtocolError.exit_code
    assert "Traceback" not in said.err


def customers(count: int, seed: int, options: ChurnOptions) -> FeatureTable:
    """Customers whose churn depends on their features."""
    rng = np.random.default_rng(seed)
    names = options.request(dt.date(2025, 1, 1)).names
    values = rng.integers(0, 700, (count, 3, len(names)))
    leave = rng.random((count, 3)) < 1 / (1 + np.exp(2 - values[:, :, 0] / 150))
    outcome = leave.astype(np.int64)
    outcome[:, 2] = -1
    return FeatureTable(names=names, values=values, eligible=np.ones((count, 3), dtype=np.int64), outcome=outcome)


def test_a_run_leaves_a_model_that_every_holder_can_check(tmp_path: Path) -> None:
    options = ChurnOptions(features=("recency_days", "tenure_days", "orders"))
    study = Study(
        name="winter",
        as_of=dt.date(2025, 1, 1),
        analyses=("churn",),
        churn=options,
        budget=Budget(epsilon=Decimal(8), delta=Decimal("1e-6"), size_class=10_000, max_holders_per_customer=1),
    )
    federation = MemoryFederation(
        tmp_path,
        {f"store-{n}": {"churn": customers(700, n, options)} for n in range(3)},
        declared=1,
        policy=HolderPolicy(
            lifetime=LifetimeBudget(epsilon=Decimal(10), delta=Decimal("1e-6")),
            allow=Allow(analyses=("churn",), max_study_epsilon=Decimal(10)),
        ),
    )
    result = run_study(study, folder=federation.folder, transport=federation.transport)
    target = federation.folder.results.folder(result.study)
    roster = Roster.parse((tmp_path / "holders" / "store-1" / "roster.json").read_bytes())
    file = read_model(target / MODEL, roster)
    assert result.churn is not None
    assert file.model == result.churn.model
    assert isinstance(file.model, LogisticModel)
    assert file.record.holders == 3
    assert file.record.privacy.epsilon_person >= Decimal(repr(result.spending.epsilon_person))
    assert (target / CARD).stat().st_size > 50_000
    assert "Customer churn report" in (target / "report.html").read_text(encoding="utf-8")
