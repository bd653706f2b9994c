"""What earlier releases signed, hashed and stored is read for ever, byte for byte (``tests/golden/make.py`` made it).

Digests do not move, statements open, bundles pass the audit, and a holder's and a coordinator's disks are read. A
default never changes: ``defaults.json`` may only grow.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from clients.analyses.churn.labels import ScoreHistory
from clients.analyses.clusters.labels import ClusterHistory
from clients.analyses.rfm.labels import LabelHistory
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from privacy.analyses.catalogue import AnyStatistic
from privacy.audit.ledger_view import view_ledger
from privacy.audit.verify import verify
from privacy.kernel.canonical import Noun
from privacy.ledger import Ledger
from privacy.protocol.identity import Roster, Signed
from privacy.protocol.membership import RosterUpdate
from privacy.protocol.study import Study
from server.analyses.churn.model_file import read_model
from server.running.studies import Results

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
VERSIONS = sorted(path for path in GOLDEN.iterdir() if (path / "studies.json").exists())

#: What release 0.1.0 signed and carried, and nobody could keep, because released values stood in it: its form changed.
NEVER_KEPT = frozenset({"FinishRequest", "ReleaseNotice"})

each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_golden", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kinds(make: ModuleType) -> dict[str, type[BaseModel]]:
    return make.stored_kinds()


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# --- texts and digests ---------------------------------------------------------------------------------------------


@each_version
def test_studies_keep_text_and_digest(version: Path) -> None:
    studies = _read(version / "studies.json")
    assert len(studies) == 10
    for name, golden in studies.items():
        study = Study.parse(golden["text"])
        assert study.canonical().decode() == golden["text"], name
        assert study.digest == golden["digest"], name


@each_version
def test_every_noun_keeps_text_and_digest(version: Path, kinds: dict[str, type[Noun]]) -> None:
    for name, examples in _read(version / "nouns.json").items():
        for golden in examples if name not in NEVER_KEPT else ():
            value = kinds[name].parse(golden["text"])
            assert value.canonical().decode() == golden["text"], name
            assert value.digest == golden["digest"], name


@each_version
def test_a_signed_statement_of_each_kind_opens(version: Path, kinds: dict[str, type[Noun]]) -> None:
    golden = _read(version / "statements.json")
    assert len(golden["statements"]) >= 17
    for name, statement in golden["statements"].items():
        if name not in NEVER_KEPT:
            Signed.model_validate(statement).open_with(kinds[name], golden["public_key"])


@each_version
def test_statistics_keep_text_digest_and_bound(version: Path) -> None:
    reader: TypeAdapter[Any] = TypeAdapter(AnyStatistic)
    for name, examples in _read(version / "statistics.json").items():
        for golden in examples:
            statistic = reader.validate_json(golden["text"])
            assert statistic.canonical().decode() == golden["text"], name
            assert statistic.digest == golden["digest"], name
            assert statistic.bound.model_dump(mode="json") == golden["bound"], name


# --- what is on disks ----------------------------------------------------------------------------------------------


@each_version
def test_bundles_pass_the_audit_for_ever(version: Path) -> None:
    bundles = sorted((version / "bundles").glob("*.bundle"))
    assert len(bundles) == 5
    verdict = verify(bundles, third=False)
    assert verdict.passed, [(claim.claim, claim.why) for claim in verdict.claims if claim.verdict == "FAIL"]
    assert {spent.owner for spent in verdict.spent} == {path.stem for path in bundles}
    assert all(spent.charges == 2 for spent in verdict.spent)


@pytest.fixture
def holder(version: Path, tmp_path: Path) -> HolderFolder:
    """A holder's folder as that release left it, in a copy that may be written to."""
    return HolderFolder(Path(shutil.copytree(version / "holder", tmp_path / "holder")))


@each_version
def test_a_holders_folder_is_read(holder: HolderFolder) -> None:
    (signed,) = holder.member.updates()
    roster = holder.roster()
    assert signed.open(RosterUpdate, roster, signer=roster.coordinator).roster == roster
    path = holder.state / "ledger.sqlite"
    before = view_ledger(path)
    assert before.charges
    ledger = Ledger(path)
    assert ledger.head.sequence == before.entries
    assert roster.digest in ledger.state.rosters
    assert len(list(ledger.statements())) > len(before.charges)

    runs = RunFolder(holder.state / "runs")
    (run,) = runs.runs()
    study = runs.study(run)
    assert study.analyses == ("rfm", "churn", "clusters")
    assert len(runs.released_plans(run)) == len(before.charges)
    assert runs.result(run)
    kept = holder.state / "labels"
    for history in (LabelHistory(kept), ScoreHistory(kept), ClusterHistory(kept)):
        assert history.days(study.name) == (study.as_of,)
        assert history.load(study.name, study.as_of).as_of == study.as_of


@each_version
def test_a_coordinators_results_are_found_and_a_model_file_opens(version: Path, holder: HolderFolder) -> None:
    results = Results(version / "results")
    (result,) = results.named("demo-rfm")
    assert result.study.digest == result.study_digest
    assert results.of(result.study) == result
    roster: Roster = holder.roster()
    model = read_model(results.folder(result.study) / "model.safetensors", roster)
    assert model.record.study_digest == result.study_digest
    assert result.churn is not None
    assert model.model == result.churn.model


# --- defaults ------------------------------------------------------------------------------------------------------


def test_defaults_never_change(make: ModuleType) -> None:
    today, golden = make.defaults(), _read(make.DEFAULTS)
    changed = [
        f"{kind}.{name}"
        for kind, fields in golden.items()
        for name, default in fields["defaults"].items()
        if kind not in today or today[kind]["defaults"].get(name, "no such field") != default
    ]
    assert not changed, f"one digest would mean two things: {', '.join(changed)}"


def test_fields_added_to_an_old_noun_are_left_out_where_they_equal_their_default(
    make: ModuleType, kinds: dict[str, type[BaseModel]]
) -> None:
    unmarked = [
        f"{name}.{field}"
        for name, golden in _read(make.DEFAULTS).items()
        if name not in NEVER_KEPT and issubclass(kinds[name], Noun)
        for field in set(kinds[name].model_fields) - {*golden["required"], *golden["defaults"]}
        if not make.since_of(kinds[name], field)
    ]
    assert not unmarked, f"write them with since(release, default): {', '.join(unmarked)}"


def test_a_release_goes_out_with_its_fields_in_the_list(make: ModuleType, kinds: dict[str, type[BaseModel]]) -> None:
    """What stands in no release yet may still change; ``tests/golden/make.py --defaults`` adds it when it goes out."""
    golden, released = _read(make.DEFAULTS), _numbers(metadata.version("cohortium"))
    missing = [
        f"{name}.{field}"
        for name, kind in kinds.items()
        for field in kind.model_fields
        if (since := make.since_of(kind, field)) and _numbers(since) <= released
        if field not in golden.get(name, {}).get("defaults", {})
    ]
    assert not missing, f"run `python tests/golden/make.py --defaults`: {', '.join(missing)}"


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))
