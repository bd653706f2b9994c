"""Digests that stay: what a later release adds to a noun changes no byte of a value that does not use it.

So an upgrade finds what was run before, and never spends for it twice; where a study was edited, its operator decides.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from contract_examples import identities, roster_of
from pydantic import TypeAdapter
from typer.testing import CliRunner

import cohortium
from privacy.errors import CohortiumError, ConfigError, ProtocolError
from privacy.kernel.canonical import Noun, canonical_json, since
from privacy.kernel.terms import Budget
from privacy.kernel.version import software_version
from privacy.protocol.study import Study
from server.running.folder import CoordinatorFolder
from server.running.resume import found_of
from server.running.run import run_study
from server.running.studies import Results

Patch = pytest.MonkeyPatch


class Wish(Noun):
    """A noun as release 0.1.0 wrote it."""

    what: str
    many: int = 1


class Options(Noun):
    """A section that a later release added."""

    grid: int = 5
    finer: bool = since("0.4.0", False)


class LaterWish(Noun):
    """The same noun in a later release."""

    what: str
    many: int = 1
    urgent: bool = since("0.2.0", False)
    options: Options = since("0.3.0", Options())
    names: tuple[str, ...] = since("0.2.0", (), max_length=2)


LaterWish.__name__ = "Wish"  # the kind of a signed statement is the name of its class


def test_a_field_added_later_keeps_the_bytes_of_values_that_do_not_use_it() -> None:
    old, new = Wish(what="a"), LaterWish(what="a")
    assert new.canonical() == old.canonical() == b'{"many":1,"what":"a"}'  # fields of 0.1.0 are written always
    assert new.digest == old.digest
    assert LaterWish.parse(old.canonical()) == new
    assert LaterWish(what="a", options=Options(finer=True)).canonical() != new.canonical()


def test_a_field_added_later_is_written_and_hashed_where_it_is_used() -> None:
    used = LaterWish(what="a", urgent=True, names=("x",), options=Options(grid=7))
    assert used.canonical() == b'{"many":1,"names":["x"],"options":{"grid":7},"urgent":true,"what":"a"}'
    assert LaterWish.parse(used.canonical()) == used
    assert used.digest != LaterWish(what="a").digest
    with pytest.raises(ProtocolError):
        Wish.parse(used.canonical())  # an older release declines what it does not know


def test_rules_of_a_field_added_later_hold() -> None:
    with pytest.raises(ProtocolError):
        LaterWish.parse(b'{"many":1,"names":["x","y","z"],"what":"a"}')


def test_a_statement_signed_before_the_field_was_there_opens_after() -> None:
    keys = identities(["coordinator", "alpha"])
    signed = keys["alpha"].sign(Wish(what="a"))
    assert signed.open(LaterWish, roster_of(keys)) == LaterWish(what="a")
    spelt_out = signed.model_copy(update={"body": '{"many":1,"urgent":false,"what":"a"}'})
    with pytest.raises(ProtocolError):
        spelt_out.open(LaterWish, roster_of(keys))


class TrialOptions(Noun):
    """Options of an analysis that the next release may have."""

    within_days: int = 30


class NextStudy(Study):
    """The study of a release that has one more section."""

    trial: TrialOptions = since("9.0.0", TrialOptions())


def test_a_study_keeps_its_digest_when_a_release_adds_a_section() -> None:
    study = Study(name="spring", as_of="2025-01-01", budget=Budget(epsilon=1))
    assert NextStudy.parse(study.canonical()).digest == study.digest
    assert NextStudy(**{**dict(study), "trial": TrialOptions(within_days=60)}).digest != study.digest


# --- an upgrade never spends twice -----------------------------------------------------------------------------------


class Unused:
    """A carrier that must not be used: whatever is recorded or stands in the way, nothing is sent."""

    name = "unused"

    def holders(self) -> tuple[str, ...]:
        return kit.HOLDERS

    def exchange(self, requests: Mapping[str, bytes], **_: object) -> dict[str, bytes]:
        pytest.fail("a holder was asked")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> CoordinatorFolder:
    """A coordinator's folder with one study's result, without its pages."""
    federation = kit.federation_at(tmp_path_factory.mktemp("recorded"), *kit.HOLDERS)
    run_study(kit.small_study(), folder=federation.folder, transport=federation.transport, pages=False)
    return federation.folder


@pytest.fixture
def folder(recorded: CoordinatorFolder, tmp_path: Path) -> CoordinatorFolder:
    """A copy to change."""
    return CoordinatorFolder(root=Path(shutil.copytree(recorded.root, tmp_path / "coordinator")))


def _entries(folder: CoordinatorFolder) -> int:
    return folder.ledger().head.sequence


def _refused(study: Study, folder: CoordinatorFolder) -> ConfigError:
    """Run a study that must be refused before anything is sent, charged or written."""
    before = {path: path.read_bytes() for path in folder.results.root.rglob("*") if path.is_file()}
    entries = _entries(folder)
    with pytest.raises(ConfigError) as caught:
        run_study(study, folder=folder, transport=Unused())
    assert _entries(folder) == entries
    assert before == {path: path.read_bytes() for path in folder.results.root.rglob("*") if path.is_file()}
    return caught.value


def _next_release_finds(folder: CoordinatorFolder) -> None:
    study = NextStudy.model_validate(kit.small_study().model_dump(mode="json"))
    found = folder.results.of(study)
    assert found is not None, "the next release asks again what was recorded"
    assert found.study_digest == study.digest
    assert folder.results.taken(study) is None
    assert kit.charges(folder.ledger())[0].study_digest == study.digest  # and its charges count for the same cap


def test_a_release_with_another_section_finds_what_was_recorded(folder: CoordinatorFolder) -> None:
    _next_release_finds(folder)


def test_an_edited_study_is_refused_before_anything_is_sent(folder: CoordinatorFolder) -> None:
    error = _refused(kit.small_study(budget={"epsilon": "0.5"}), folder)
    day = dt.datetime.now(dt.UTC).date().isoformat()
    assert error.message == (
        f"trial as of 2025-01-01 was run on {day} by {software_version()} with another budget.epsilon; "
        "nothing was asked"
    )
    assert "`cohortium study run --again` asks again, with a budget of its own" in error.hint
    several = _refused(
        kit.small_study(currency="USD", time_zone="Asia/Tokyo", waits={"joining": 5, "answering": 1}), folder
    )
    assert "with another currency, time_zone, waits.answering and 1 more;" in several.message


def test_a_field_that_only_the_other_release_has_is_named(folder: CoordinatorFolder) -> None:
    path = folder.results.folder(kit.small_study()) / "result.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw["study"]["trial"] = {"within_days": 60}
    raw |= {"version": "cohortium 9.0.0", "finished": "2031-05-04", "study_digest": "0" * 64}
    path.write_text(json.dumps(raw), encoding="utf-8")
    error = _refused(kit.small_study(), folder)
    assert "was run on 2031-05-04 by cohortium 9.0.0 with another trial; nothing was asked" in error.message


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"finished": 7, "version": "x", "study": 3}'])
def test_an_unreadable_result_is_neither_asked_again_nor_overwritten(folder: CoordinatorFolder, text: str) -> None:
    path = folder.results.folder(kit.small_study()) / "result.json"
    path.write_text(text, encoding="utf-8")
    error = _refused(kit.small_study(), folder)
    assert "this release cannot read what was recorded; nothing was asked" in error.message
    assert folder.results.again(kit.small_study()).repeat == 1


def test_again_counts_the_folders_of_other_studies_too(folder: CoordinatorFolder) -> None:
    edited = kit.small_study(budget={"epsilon": "0.5"})
    assert folder.results.again(edited).repeat == 1
    for repeat, text in ((1, "{}"), (11, "not json")):
        other = folder.results.folder(edited.model_copy(update={"repeat": repeat}))
        other.mkdir()
        (other / "result.json").write_text(text, encoding="utf-8")
    assert folder.results.again(edited).repeat == 12
    assert folder.results.taken(folder.results.again(edited)) is None
    assert folder.results.again(kit.small_study(as_of="2025-02-01")).repeat == 0


def test_a_study_that_was_cut_off_and_edited_is_refused_and_resume_says_so(folder: CoordinatorFolder) -> None:
    shutil.rmtree(folder.results.root)
    folder.results.root.mkdir()
    assert folder.results.taken(kit.small_study()) is None  # it goes on
    edited = kit.small_study(budget={"epsilon": "0.5"})
    error = _refused(edited, folder)
    assert "with another budget.epsilon; nothing was asked" in error.message
    assert "was begun on" in error.message
    assert "`cohortium study resume` goes on" in error.hint
    assert folder.results.again(edited).repeat == 1
    releases = folder.releases
    with pytest.raises(ConfigError, match=r"with another budget\.epsilon"):
        found_of(edited, results=folder.results, ledger=folder.ledger(), releases=releases)
    found = found_of(kit.small_study(), results=folder.results, ledger=folder.ledger(), releases=releases)
    assert (found.finished, found.released) == (None, ("cut points", "cut points again", "segments", "segments again"))


def test_resume_passes_over_another_study_in_a_repetitions_place(folder: CoordinatorFolder) -> None:
    other = folder.results.folder(kit.small_study(repeat=1))
    other.mkdir()
    (other / "result.json").write_text("{}", encoding="utf-8")
    releases = folder.releases
    found = found_of(kit.small_study(), results=folder.results, ledger=folder.ledger(), releases=releases)
    assert found.study == kit.small_study()
    assert found.finished


# --- the record before the page --------------------------------------------------------------------------------------


def test_no_result_is_written_over_another_study_s(folder: CoordinatorFolder) -> None:
    result = folder.results.of(kit.small_study())
    edited = result.study.model_copy(update={"currency": "USD"})
    path = folder.results.folder(result.study) / "result.json"
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another currency"):
        folder.results.keep(result.model_copy(update={"study": edited, "study_digest": edited.digest}))
    assert path.read_bytes() == before
    folder.results.keep(result.model_copy(update={"finished": "2031-01-01"}))  # its own, handed out again
    assert folder.results.of(result.study).finished == "2031-01-01"


def test_a_page_that_fails_stands_between_no_release_and_its_record(tmp_path: Path, monkeypatch: Patch) -> None:
    federation = kit.federation_at(tmp_path, *kit.HOLDERS)

    def broken(_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("server.report.render.render_report", broken)
    notes = kit.Notes()
    study = kit.small_study()
    result = run_study(study, folder=federation.folder, transport=federation.transport, progress=notes)
    target = federation.folder.results.folder(study)
    assert federation.folder.results.of(study) == result
    assert not (target / "report.html").exists()
    (warning,) = [note for note in notes.notes if "could not be written" in note]
    assert f"`cohortium study report {target}` writes it again" in warning
    assert [path.name for path in target.iterdir()] == ["result.json"]

    command = ["study", "report", str(target)]
    broken_again = CliRunner().invoke(cohortium.app, command)
    assert broken_again.exit_code == 1
    assert "could not be written" in broken_again.output
    monkeypatch.setattr("server.report.render.render_report", lambda _: "<html></html>")
    assert CliRunner().invoke(cohortium.app, command).exit_code == 0
    assert (target / "report.html").read_text(encoding="utf-8") == "<html></html>"


# --- tests of the tester ---------------------------------------------------------------------------------------------


def digest_covers_defaults(monkeypatch: Patch) -> None:
    """Fields of later releases are written where they equal their defaults, too."""
    right = Noun.canonical

    def canonical(self: Noun) -> bytes:
        written = json.loads(right(self))
        left_out = set(type(self).model_fields) - set(written)
        whole = {name: TypeAdapter(Any).dump_python(getattr(self, name), mode="json") for name in left_out}
        return canonical_json(written | whole)

    monkeypatch.setattr(Noun, "canonical", canonical)


def result_found_by_its_folder_alone(monkeypatch: Patch) -> None:
    """An edited study's place is free, as long as its digest is not recorded."""
    monkeypatch.setattr(Results, "taken", lambda *_: None)


MUTANTS = {
    digest_covers_defaults: _next_release_finds,
    result_found_by_its_folder_alone: test_an_edited_study_is_refused_before_anything_is_sent,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_mutant_is_caught(mutant: Callable[[Patch], None], folder: CoordinatorFolder, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)):
        MUTANTS[mutant](folder)
