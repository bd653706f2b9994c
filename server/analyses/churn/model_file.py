"""A trained model as a file: integer tensors in the safetensors format, described and signed in the file's own header.

The coordinator signs a :class:`ModelRecord`: what the model is for, what it learnt from, how good it is, what it cost,
and the digest of the very model. A reader checks that signature against a roster, and that the tensors are that model,
before it hands anything out. Nothing in such a file is ever executed.
"""

from __future__ import annotations

import datetime as dt
import json
import struct
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from privacy.analyses.churn.known import KnownTest
from privacy.analyses.churn.results import Recalibration
from privacy.errors import ConfigError, ProtocolError
from privacy.figures.estimates import Estimate
from privacy.figures.ranking import CalibrationPoint, RankingFigures
from privacy.kernel.canonical import ExactDecimal, Noun, sha256_hex, since
from privacy.kernel.features import ScaledFeature
from privacy.kernel.limits import RunId
from privacy.kernel.terms import CurrencyCode, Slug
from privacy.models.priors import Prior
from privacy.models.scorers import ChurnModel, PriorModel
from privacy.models.trained import LogisticModel, NetworkModel
from privacy.models.trees import TreesModel
from privacy.protocol.identity import Roster, Signed

#: Largest file that is looked at, in bytes. The largest model has 1,000 weights; its features' thresholds are the rest.
SIZE_LIMIT = 8 << 20
#: The one entry of the header's metadata: the signed record, as JSON.
METADATA = "cohortium"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Line = Annotated[str, Field(min_length=1, max_length=600)]
_DECIMALS = Decimal("0.000001")
#: No figure of a record is beyond this, whatever noise is in it.
_LARGEST = Decimal(10) ** 15


class Words(Noun):
    """A sentence in both languages."""

    en: _Line
    zh: _Line


class Measured(Noun):
    """An estimate and the half-width of its 95% interval, as exact decimals."""

    value: ExactDecimal = Field(ge=-_LARGEST, le=_LARGEST)
    margin: ExactDecimal = Field(ge=0, le=_LARGEST)

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """An estimate to six decimals; the margin is rounded up."""
        value = Decimal(repr(float(estimate.value))).quantize(_DECIMALS, ROUND_HALF_EVEN)
        return cls(value=value, margin=Decimal(repr(float(estimate.margin))).quantize(_DECIMALS, ROUND_CEILING))

    @property
    def estimate(self) -> Estimate:
        """The same as floats."""
        return Estimate(value=float(self.value), margin=float(self.margin))


class Quality(Noun):
    """How well scores rank customers; see :class:`privacy.analyses.churn.results.RankingFigures` for each figure."""

    code: Slug
    auc: Measured
    average_precision: Measured
    churn_rate: Measured
    top_lift: Measured
    top_share: Measured

    @classmethod
    def of(cls, figures: RankingFigures) -> Self:
        """The figures as exact decimals, without the calibration."""
        parts = {name: Measured.of(getattr(figures, name)) for name in cls.model_fields if name != "code"}
        return cls(code=figures.code, **parts)

    def figures(self, reliability: tuple[Reliability, ...] = ()) -> RankingFigures:
        """The figures as floats, as a study's result has them."""
        parts = {name: getattr(self, name).estimate for name in type(self).model_fields if name != "code"}
        return RankingFigures(code=self.code, **parts, calibration=tuple(point.point for point in reliability))


class Reliability(Noun):
    """A range of predicted probabilities, and which share of its customers churned."""

    predicted: ExactDecimal = Field(ge=-_LARGEST, le=_LARGEST)
    observed: Measured
    share: ExactDecimal = Field(ge=-_LARGEST, le=_LARGEST)

    @classmethod
    def of(cls, point: CalibrationPoint) -> Self:
        """A point as exact decimals."""
        predicted, share = (
            Decimal(repr(float(value))).quantize(_DECIMALS, ROUND_HALF_EVEN) for value in (point.predicted, point.share)
        )
        return cls(predicted=predicted, observed=Measured.of(point.observed), share=share)

    @property
    def point(self) -> CalibrationPoint:
        """The same as floats."""
        return CalibrationPoint(
            predicted=float(self.predicted), observed=self.observed.estimate, share=float(self.share)
        )


class Evaluation(Noun):
    """The test, out of time: on a later day than all training, over the customers of all holders.

    Attributes:
        customers: estimated number of customers on the day of the test.
        quality: of the model.
        baselines: of single features, on the same customers.
        reliability: predicted against observed, ascending.
    """

    customers: Measured
    quality: Quality
    baselines: tuple[Quality, ...] = Field(max_length=64)
    reliability: tuple[Reliability, ...] = Field(max_length=256)


class Corrected(Noun):
    """How log odds have to be corrected; see :class:`privacy.analyses.churn.results.Recalibration`."""

    level: Measured
    intercept: Measured
    slope: Measured
    shift: ExactDecimal = Field(ge=-_LARGEST, le=_LARGEST)

    @classmethod
    def of(cls, found: Recalibration) -> Self:
        """The figures as exact decimals."""
        parts = {name: Measured.of(getattr(found, name)) for name in ("level", "intercept", "slope")}
        shift = Decimal(repr(float(found.shift))).quantize(_DECIMALS, ROUND_HALF_EVEN)
        return cls(shift=shift, **parts)

    @property
    def recalibration(self) -> Recalibration:
        """The same as floats, as a study's result has it."""
        parts = {name: getattr(self, name).estimate for name in ("level", "intercept", "slope")}
        return Recalibration(shift=float(self.shift), **parts)


class PrivacySpent(Noun):
    """What the study that trained the model spent; see :class:`privacy.results.Spending`.

    Attributes:
        epsilon_promised, epsilon_person, epsilon_all_holders, delta: spent figures are rounded up.
        records: at how many holders one person is counted on to be a customer.
        placement: who added the noise.
        mechanism: the study's; up to protocol 2 ``opacus`` meant floating-point noise.
        colluding: against how many colluding holders the promise holds.
    """

    epsilon_promised: ExactDecimal = Field(ge=0, le=_LARGEST)
    epsilon_person: ExactDecimal = Field(ge=0, le=_LARGEST)
    epsilon_all_holders: ExactDecimal = Field(ge=0, le=_LARGEST)
    delta: ExactDecimal = Field(gt=0, lt=1)
    records: int = Field(ge=1, le=1_000_000)
    placement: Literal["distributed", "local", "central"]
    mechanism: Literal["integer", "opacus"]
    colluding: int = Field(ge=0, le=1_000_000)


class ModelRecord(Noun):
    """What the coordinator states and signs about a model.

    It names what it says of the study field by field, so that a later release of the study's format can still read it.

    Attributes:
        format: of this record; 2 where its family or its training is none that readers of release 0.1 know.
        federation: whose coordinator signs.
        study, study_digest, run, finished, software: where the model comes from.
        family: which kind of model.
        model_digest: of the model itself, features and weights.
        prior: the public formula that the weights correct; None where there is none.
        origin: the run that trained the model, where it was an earlier one.
        tests: where it was an earlier one, all its tests, ascending; the last is this one.
        recalibration: what holders correct the probabilities by that they show.
        training: by sums over all customers, or each holder by itself, and averaged.
        features: its inputs with their public scales, in the order of the weights.
        currency, time_zone: which money and days the features mean.
        horizon_days, active_days: churned means no purchase in so many days; customers count with a purchase in so
            many days before a cutoff.
        training_days, test_day, score_day: cutoffs, ascending.
        holders: number of holders whose customers it learnt from.
        evaluation, privacy: how good it is, and what it cost.
        intended_use, not_for: for people.
    """

    format: Literal[1, 2] = 1
    federation: Slug
    study: Slug
    study_digest: Digest
    run: RunId
    finished: dt.date
    software: str = Field(max_length=80)
    family: Literal["logistic", "network", "prior", "trees"]
    model_digest: Digest
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=64)
    currency: CurrencyCode
    time_zone: str = Field(max_length=64)
    horizon_days: int = Field(ge=1, le=36_600)
    active_days: int = Field(ge=1, le=36_600)
    training_days: tuple[dt.date, ...] = Field(min_length=1, max_length=24)
    test_day: dt.date
    score_day: dt.date
    holders: int = Field(ge=1, le=1_000_000)
    evaluation: Evaluation
    privacy: PrivacySpent
    intended_use: tuple[Words, ...] = Field(min_length=1, max_length=16)
    not_for: tuple[Words, ...] = Field(min_length=1, max_length=16)
    prior: Prior | None = since("0.2.0", None)
    origin: str = since("0.2.0", "", max_length=120)
    tests: tuple[KnownTest, ...] = since("0.2.0", (), max_length=60)
    recalibration: Corrected | None = since("0.2.0", None)
    training: Literal["sums", "local"] = since("0.2.0", "sums")

    @model_validator(mode="after")
    def _has_its_format(self) -> Self:
        if (self.family == "prior") != (self.prior is not None):
            raise ValueError("a formula goes with the family 'prior', and that needs it")
        if (self.family in ("prior", "trees") or self.training == "local") != (self.format == 2):
            raise ValueError(
                "format 2 goes with the families 'prior' and 'trees' and with local training, and they need it"
            )
        return self

    @model_validator(mode="after")
    def _out_of_time(self) -> Self:
        days = (*self.training_days, self.test_day, self.score_day)
        if list(days) != sorted(set(days)):
            raise ValueError("days must ascend: training, test, scoring")
        return self


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file whose signature and content agree with each other.

    Attributes:
        record: what the coordinator stated.
        model: what to score customers with.
        signer: member of the roster that signed.
        sha256: of the file's bytes.
    """

    record: ModelRecord
    model: ChurnModel
    signer: str
    sha256: str

    def summary(self) -> dict[str, Any]:
        """For scripts: who signed, the file's digest, and the record, as JSON values."""
        return {"signer": self.signer, "sha256": self.sha256, "record": self.record.model_dump(mode="json")}


def encode_model(model: ChurnModel, signed: Signed) -> bytes:
    """The file's bytes.

    Args:
        model: the weights.
        signed: the coordinator's signed :class:`ModelRecord` of this very model.
    """
    from safetensors.numpy import save

    return save(_tensors(model), {METADATA: signed.canonical().decode()})


def read_model(path: Path, roster: Roster) -> ModelFile:
    """Read and check a model file.

    Raises:
        ConfigError: if there is no such file.
        ProtocolError: see :func:`decode_model`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"there is no model file at {path}", hint="check the path") from None
    return decode_model(data, roster)


def decode_model(data: bytes, roster: Roster) -> ModelFile:
    """Check a model file's bytes and give out what is in them.

    Args:
        data: the whole file.
        roster: of the federation whose coordinator must have signed.

    Raises:
        ProtocolError: if the bytes are not a model file, were changed, or are not signed by that coordinator. The
            text never quotes what is in the file.
    """
    header, signed = _header(data)
    record = signed.open(ModelRecord, roster, signer=roster.coordinator)
    if record.federation != roster.federation:
        raise ProtocolError("the model file is of another federation")
    model = _model(record, data)
    if model.digest != record.model_digest:
        raise ProtocolError("the weights in the model file are not those that were signed")
    if header != _expected_header(model, signed):
        raise ProtocolError("the header of the model file does not fit its content")
    return ModelFile(record=record, model=model, signer=signed.signer, sha256=sha256_hex(data))


def _tensors(model: ChurnModel) -> dict[str, NDArray[np.int32]]:
    """Weights by name, int32, in units of 1 / WEIGHT; rows as in the model's fields."""
    if isinstance(model, NetworkModel):
        return {"hidden": np.array(model.hidden, dtype=np.int32), "output": np.array(model.output, dtype=np.int32)}
    found = {"weights": np.array(model.weights, dtype=np.int32)}
    if isinstance(model, TreesModel):  # one row a tree; no tensors where there are none
        for name in _OF_TREES if model.trees else ():
            found[name] = np.array([getattr(tree, name) for tree in model.trees], dtype=np.int32)
    return found


_KINDS: dict[str, type[ChurnModel]] = {
    "logistic": LogisticModel, "network": NetworkModel, "prior": PriorModel, "trees": TreesModel
}  # fmt: skip
#: Tensors of trees: fields of each, in units as there.
_OF_TREES = ("inputs", "thresholds", "leaves")


def _model(record: ModelRecord, data: bytes) -> ChurnModel:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    formula = {} if record.prior is None else {"prior": record.prior}
    try:
        tensors = {name: tensor.tolist() for name, tensor in load(data).items()}
        if record.family == "trees":
            rows = zip(*(tensors.pop(name, []) for name in _OF_TREES), strict=True)
            tensors["trees"] = [dict(zip(_OF_TREES, row, strict=True)) for row in rows]
        return _KINDS[record.family](features=record.features, **formula, **tensors)
    except (SafetensorError, ValidationError, KeyError, TypeError, ValueError):
        raise ProtocolError("the tensors in the model file are not such a model's") from None


def _header(data: bytes) -> tuple[bytes, Signed]:
    """The header's bytes without padding, and the signed record in it (its signature is not checked yet)."""
    if len(data) > SIZE_LIMIT:
        raise ProtocolError(f"the file is larger than {SIZE_LIMIT:,} bytes: not a model file")
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else len(data)
    if length > len(data) - 8:
        raise ProtocolError("the file is not in the safetensors format")
    header = data[8 : 8 + length].rstrip(b" ")
    try:
        statement = json.loads(header)["__metadata__"][METADATA]
        if not isinstance(statement, str):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProtocolError("the file is not a signed model file") from None
    return header, Signed.parse(statement)


def _expected_header(model: ChurnModel, signed: Signed) -> bytes:
    """The one header that a model with its statement has: tensors by name, one after the other."""
    header: dict[str, Any] = {"__metadata__": {METADATA: signed.canonical().decode()}}
    start = 0
    for name, tensor in sorted(_tensors(model).items()):
        end = start + tensor.nbytes
        header[name] = {"dtype": "I32", "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    return json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
