"""Backups, heads and recoveries; and that nothing honest that happens to a federation makes an audit fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import protocol_kit as kit
import pytest
from bundle_kit import export_all, key_of
from protocol_kit import LyingCoordinator, federation_at, lean_study, small_study

from privacy.audit.export import export, write_heads
from privacy.audit.heads import RememberedHeads, read_heads
from privacy.audit.recovery import recover, restore
from privacy.audit.verify import verify
from privacy.errors import ConfigError, LedgerError, NotEnoughHolders
from privacy.ledger import Ledger, Recovered
from privacy.member_folder import MemberFolder
from privacy.protocol.membership import fingerprint
from privacy.protocol.messages import Checkpoint
from privacy.protocol.study import Study
from server.running.enrolment import Enrolment
from simulations.worlds.kit import MemoryFederation

NAMES = ("east", "north", "south", "west")


def home(federation: MemoryFederation, holder: str) -> Path:
    return federation.root / "holders" / holder


def ask(federation: MemoryFederation, name: str, hook: kit.Hook = kit.honest, *, rounds: int = 1) -> None:
    """Ask a question or two of a study of that name, and end the run."""
    coordinator = kit.coordinator_of(federation, small_study(name=name), hook)
    coordinator.join()
    price = kit.price(coordinator.study) / 4
    for number in range(rounds):
        coordinator.ask("rfm", f"question {number}", kit.STATISTIC, price)
    coordinator.finish("{}")


def failures(paths: list[Path]) -> list[str]:
    return [f"{c.about}: {c.claim}: {c.why}" for c in verify(paths, third=False).claims if c.verdict == "FAIL"]


@pytest.fixture(scope="module")
def eventful(tmp_path_factory: pytest.TempPathFactory) -> tuple[MemoryFederation, Path]:
    """A federation to which everything happens that may happen to honest people, and its bundles and heads."""
    federation = federation_at(tmp_path_factory.mktemp("eventful") / "federation", *NAMES)
    out = federation.root.parent / "bundles"
    out.mkdir()

    def drops_once(holder, kind, count, request, forward):
        if (holder, kind, count) == ("east", "answer", 1):
            forward(request)  # charged and answered, and the answer is lost on its way
            return None
        return forward(request)

    ask(federation, "dropout", drops_once, rounds=2)

    def restarts(holder, kind, count, request, forward):
        if (holder, kind, count) == ("north", "answer", 1):
            federation.nodes["north"] = federation.start("north")
        return forward(request)

    ask(federation, "restart", restarts)
    with pytest.raises(NotEnoughHolders, match="policy"):
        ask_dear(federation)

    hub = Enrolment(federation.folder.root)
    west = MemberFolder(home(federation, "west"))
    hub.take(west.rotate())
    auditor = MemberFolder(federation.root / "auditor")
    hub.take(auditor.create("demo", "auditor", "auditor"))
    signed, update = hub.publish()
    told = fingerprint(update.roster.digest)
    for member in (auditor, *(MemberFolder(home(federation, name)) for name in NAMES)):
        member.accept(signed, told)
        member.identity()
    federation.roster = update.roster
    federation.nodes = {name: federation.start(name) for name in NAMES}
    ask(federation, "rotated")
    write_heads(federation.folder.root, out / "early-heads.json", now=1_000_000_000)

    backup = federation.root / "south.backup"
    kit.holder_ledger(federation, "south").back_up(backup)
    ask(federation, "lost", rounds=2)
    for name in ("east", "north"):
        write_heads(home(federation, name), federation.root / f"{name}-heads.json")
    write_heads(federation.folder.root, federation.root / "coordinator-heads.json")  # it has seen the last entries
    for name in ("east", "north"):
        export(home(federation, name), federation.root / f"{name}.bundle")
    export(federation.folder.root, federation.root / "coordinator.bundle")
    (home(federation, "south") / "state" / "ledger.sqlite").write_bytes(b"the disk is full of this")
    restore(home(federation, "south"), backup)
    federation.nodes["south"] = federation.start("south")
    with pytest.raises(NotEnoughHolders, match="south: stale"):
        ask(federation, "recovered")
    done = recover(
        home(federation, "south"),
        [federation.root / f"{name}-heads.json" for name in ("east", "north", "coordinator")],
        [federation.root / f"{name}.bundle" for name in ("east", "north", "coordinator")],
    )
    assert (done.lost, done.charges, done.witnesses) == (7, 2, ("coordinator", "east", "north"))
    federation.nodes["south"] = federation.start("south")
    ask(federation, "recovered")
    write_heads(home(federation, "south"), out / "south-heads.json")
    return federation, export_all(federation, out)


def ask_dear(federation: MemoryFederation) -> None:
    """A study above the policy."""
    study: Study = small_study(name="dear", budget={"epsilon": "6"})
    kit.coordinator_of(federation, study).join()


def test_honest_runs_with_everything_that_happens_raise_no_alarm(eventful: tuple[MemoryFederation, Path]) -> None:
    """A dropout with a retry, a restarted node, a refusal, a new key, a new member, a restored and recovered ledger."""
    _, out = eventful
    verdict = verify(sorted(out.iterdir()), third=False)
    assert [claim for claim in verdict.claims if claim.verdict == "FAIL"] == []
    assert any("south restored a backup" in note for note in verdict.notes)
    for path in out.glob("*.bundle"):
        assert failures([path]) == []


def test_what_was_charged_and_lost_counts_again(eventful: tuple[MemoryFederation, Path]) -> None:
    federation, _ = eventful
    charged = {charge.core for charge in kit.charges(kit.holder_ledger(federation, "south"))}
    assert charged == {c.core for c in kit.charges(federation.folder.ledger()) if "south" in c.holders}
    recovered = [f for f in kit.holder_ledger(federation, "south").facts() if isinstance(f, Recovered)]
    assert len(recovered) == 1
    assert len(recovered[0].bundles) == 3


def test_an_auditor_remembers_heads_and_finds_a_shorter_or_another_ledger(
    eventful: tuple[MemoryFederation, Path], tmp_path: Path
) -> None:
    federation, out = eventful
    kept = RememberedHeads(Path(shutil.copytree(federation.root / "auditor", tmp_path / "auditor")))
    assert kept.take(out / "south-heads.json")[1] == ()
    assert kept.take(out / "early-heads.json")[1] == ()  # older, of others: no contradiction
    write_heads(tmp_path / "auditor", tmp_path / "auditor-heads.json", now=2_000_000_000)
    heads, found = read_heads(tmp_path / "auditor-heads.json", [federation.roster])
    assert (heads.member, set(found)) == ("auditor", {"coordinator", *NAMES})
    assert failures([*out.glob("*.bundle"), tmp_path / "auditor-heads.json"]) == []

    south = key_of(federation.root, "south")
    for number, (sequence, value, words) in enumerate(
        [(3, "1" * 64, "has 3 entries, and had"), (found["south"].sequence, "f" * 64, "signed two heads at entry")]
    ):
        other = south.sign(Checkpoint(member="south", sequence=sequence, head=value))
        told = heads.model_copy(update={"member": "south", "own": other, "seen": ()})
        path = tmp_path / f"other-{number}.json"
        path.write_bytes(south.sign(told).canonical())
        assert any(words in problem for problem in kept.take(path)[1])
        assert any("south" in line for line in failures([*out.glob("*.bundle"), path]))


# --- backups -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> tuple[MemoryFederation, Path]:
    """A federation of three after two studies, and a backup of alpha's ledger from between them."""
    federation = federation_at(tmp_path / "federation")
    ask(federation, "first")
    kit.holder_ledger(federation, "alpha").back_up(tmp_path / "backup")
    ask(federation, "second")
    return federation, tmp_path / "backup"


def _restored(small: tuple[MemoryFederation, Path]) -> Path:
    federation, backup = small
    folder = home(federation, "alpha")
    (folder / "state" / "ledger.sqlite").write_bytes(b"gone")
    (folder / "state" / "ledger.sqlite-journal").write_bytes(b"half a page")
    restore(folder, backup)
    return folder


def test_a_backup_is_whole_and_the_owners_alone(small: tuple[MemoryFederation, Path]) -> None:
    _, backup = small
    assert backup.stat().st_mode & 0o777 == 0o600
    assert Ledger(backup).state.owner == ("alpha", "holder")


def test_nothing_is_charged_to_a_restored_ledger(small: tuple[MemoryFederation, Path]) -> None:
    folder = _restored(small)
    ledger = Ledger(folder / "state" / "ledger.sqlite")
    assert ledger.restored
    charge = next(fact for fact in kit.charges(ledger)).model_copy(update={"core": "a" * 64})
    question = charge.question.model_copy(update={"attempt": 9})
    from ledger_charges import CAPS

    for use in (ledger.check, ledger.reserve):
        with pytest.raises(LedgerError, match="counts as spent"):
            use(charge.model_copy(update={"question": question}), CAPS)
    aside = next((folder / "state").glob("ledger.sqlite.before-*"))
    assert aside.read_bytes() == b"gone", "what was there is moved away, not deleted"
    assert not (folder / "state" / "ledger.sqlite-journal").exists(), "it would be played into the backup"


def test_a_whole_longer_ledger_is_not_replaced_by_a_backup(
    small: tuple[MemoryFederation, Path], tmp_path: Path
) -> None:
    federation, backup = small
    with pytest.raises(LedgerError, match="is whole and has"):
        restore(home(federation, "alpha"), backup)
    with pytest.raises(LedgerError, match="not a ledger of holder beta"):
        restore(home(federation, "beta"), backup)


def test_recovery_needs_heads_of_another_holder_and_what_was_charged(
    small: tuple[MemoryFederation, Path], tmp_path: Path
) -> None:
    federation, _ = small
    folder = _restored(small)
    write_heads(federation.folder.root, tmp_path / "coordinator.json")
    write_heads(home(federation, "beta"), tmp_path / "beta.json")
    export(home(federation, "beta"), tmp_path / "beta.bundle")
    export(federation.folder.root, tmp_path / "coordinator.bundle")
    with pytest.raises(LedgerError, match="nobody else shows a head"):
        recover(folder, [])
    with pytest.raises(ConfigError, match="only the coordinator"):
        recover(folder, [tmp_path / "coordinator.json"])
    with pytest.raises(ConfigError, match="no bundle of another holder"):
        recover(folder, [tmp_path / "beta.json"], [tmp_path / "coordinator.bundle"])
    changed = (tmp_path / "beta.bundle").read_bytes().replace(rb"\"records\":1", rb"\"records\":2")
    (tmp_path / "changed.bundle").write_bytes(changed)
    with pytest.raises(LedgerError, match="do not pass"):
        recover(folder, [tmp_path / "beta.json"], [tmp_path / "changed.bundle"])
    with pytest.raises(ConfigError, match="no file of heads"):
        recover(folder, [tmp_path / "beta.bundle"])
    assert Ledger(folder / "state" / "ledger.sqlite").restored
    done = recover(folder, [tmp_path / "beta.json"], [tmp_path / "beta.bundle"])
    assert done.charges == 1
    assert not Ledger(folder / "state" / "ledger.sqlite").restored
    with pytest.raises(LedgerError, match="needs no recovery"):
        recover(folder, [tmp_path / "beta.json"], [tmp_path / "beta.bundle"])


def test_without_bundles_the_whole_lifetime_budget_counts_as_spent(
    small: tuple[MemoryFederation, Path], tmp_path: Path
) -> None:
    federation, _ = small
    folder = _restored(small)
    write_heads(home(federation, "beta"), tmp_path / "beta.json")
    write_heads(federation.folder.root, tmp_path / "coordinator.json")  # it has seen the last entry
    assert recover(folder, [tmp_path / "beta.json", tmp_path / "coordinator.json"], all_spent=True).all_spent
    federation.nodes["alpha"] = federation.start("alpha")
    coordinator = LyingCoordinator(federation, lean_study(name="third"), run="run-3")
    coordinator.greet()
    assert coordinator.show(coordinator.core())["alpha"].code == "budget"
    assert coordinator.show(coordinator.core(attempt=2))["beta"].code == "Ready"
