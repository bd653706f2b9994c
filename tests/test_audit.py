"""``audit verify``: honest ledgers pass, and each way to tell a second story fails and is named."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_kit import export_all
from protocol_kit import federation_at, small_study

from privacy.accounting.events import epsilon_spent
from privacy.audit.verify import verify
from privacy.kernel.canonical import canonical_json
from privacy.ledger.chain import GENESIS, chain_hash
from server.running.run import run_study


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ledgers of a finished study of three holders: coordinator, north, south, west."""
    root = tmp_path_factory.mktemp("honest")
    federation = federation_at(root / "federation", "north", "south", "west")
    run_study(small_study(), folder=federation.folder, transport=federation.transport, pages=False)
    export_all(federation, root / "bundles")
    out = root / "ledgers"
    out.mkdir()
    shutil.copyfile(root / "federation" / "coordinator" / "ledger.sqlite", out / "coordinator.sqlite")
    for name in federation.roster.holders:
        shutil.copyfile(root / "federation" / "holders" / name / "state" / "ledger.sqlite", out / f"{name}.sqlite")
    return out


@pytest.fixture
def ledgers(honest: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(honest, tmp_path / "copy"))


def _rewrite(path: Path, change) -> None:
    """Rewrite all facts with a proper chain: what a party can do that holds its own file."""
    connection = sqlite3.connect(path)
    rows = [json.loads(body) for (body,) in connection.execute("SELECT body FROM entries ORDER BY sequence")]
    facts = change([row["fact"] for row in rows])
    for name in ("u", "d", "i"):
        connection.execute(f"DROP TRIGGER entries_append_only_{name}")
    connection.execute("DELETE FROM entries")
    previous = GENESIS
    for sequence, fact in enumerate(facts, start=1):
        body = canonical_json({"fact": fact, "salt": "0" * 32, "sequence": sequence})
        previous = chain_hash(previous, body)
        connection.execute("INSERT INTO entries VALUES (?, ?, ?)", (sequence, body.decode(), previous))
    connection.commit()
    connection.close()


def _failed(folder: Path) -> dict[str, str]:
    verdict = verify(sorted(folder.iterdir()), third=False)
    return {claim.claim: claim.why for claim in verdict.claims if claim.verdict == "FAIL"}


def test_honest_ledgers_pass_and_state_the_study_s_epsilon(honest: Path) -> None:
    verdict = verify(sorted(honest.iterdir()))
    assert verdict.passed
    assert {spent.owner for spent in verdict.spent} == {"coordinator", "north", "south", "west"}
    for spent in verdict.spent:
        assert spent.charges == 4
        assert 0 < spent.epsilon_pld <= spent.epsilon <= 1.0
        assert abs(spent.epsilon - spent.epsilon_pld) < 0.002


def test_an_edited_entry_is_found(ledgers: Path) -> None:
    connection = sqlite3.connect(ledgers / "north.sqlite")
    connection.execute("DROP TRIGGER entries_append_only_u")
    connection.execute("UPDATE entries SET body = replace(body, '\"records\":', '\"records\": ') WHERE sequence = 2")
    connection.commit()
    connection.close()
    assert "entry 2" in _failed(ledgers)["the chain is intact"]


def test_a_rewritten_ledger_that_claims_more_noise_contradicts_the_others(ledgers: Path) -> None:
    def louder(facts):
        for fact in facts:
            if fact["kind"] == "reserved":
                fact["event"]["share_scale"] *= 2
        return facts

    _rewrite(ledgers / "south.sqlite", louder)
    assert "event" in _failed(ledgers)["they tell the same story"]


def test_a_charge_left_out_is_found(ledgers: Path) -> None:
    def forgetful(facts):
        core = next(fact["core"] for fact in facts if fact["kind"] == "reserved")
        return [fact for fact in facts if fact.get("core") != core]

    _rewrite(ledgers / "west.sqlite", forgetful)
    assert "west" in _failed(ledgers)["every release was charged by each of its holders here"]


def test_an_answer_without_a_charge_and_a_second_charge_are_found(ledgers: Path) -> None:
    _rewrite(
        ledgers / "west.sqlite",
        lambda facts: [f for f in facts if f["kind"] != "reserved"] + [f for f in facts if f["kind"] == "reserved"] * 2,
    )
    why = _failed(ledgers)["every answer was charged before, once"]
    assert "no charge before it" in why


def test_a_passed_cap_is_found(ledgers: Path) -> None:
    def small_cap(facts):
        facts[0]["epsilon"] = "0.1"
        return facts

    _rewrite(ledgers / "north.sqlite", small_cap)
    assert "passes the lifetime cap" in _failed(ledgers)["the lifetime cap was kept"]


def test_two_releases_of_one_plan_are_found(ledgers: Path) -> None:
    def other_release(facts):
        for fact in facts:
            if fact["kind"] == "released":
                fact["release"] = "0" * 64
        return facts

    _rewrite(ledgers / "north.sqlite", other_release)
    assert "two different releases" in _failed(ledgers)["they tell the same story"]


def test_something_else_is_not_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("hello")
    assert "the chain is intact" in _failed(tmp_path)


@pytest.mark.parametrize("what", ["ledgers", "bundles"])
def test_it_runs_with_the_base_install(honest: Path, what: str) -> None:
    """Modules of the extras are made impossible to import; the verdict must come all the same."""
    blocked = ["opendp", "pandas", "ibis", "duckdb", "flwr", "torch", "opacus", "jinja2", "matplotlib", "pyarrow"]
    program = f"""
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Blocked())
import cohortium
cohortium.main()
"""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "audit",
            "verify",
            "--json",
            *map(str, sorted((honest.parent / what).iterdir())),
        ],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert len(told["spent"]) == 4


def test_the_exit_status_tells(ledgers: Path) -> None:
    (ledgers / "north.sqlite").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "cohortium", "audit", "verify", str(ledgers / "north.sqlite")],
        capture_output=True,
        cwd=Path(__file__).resolve().parents[1],
        check=False,
    )
    assert done.returncode == 9


def test_twelve_monthly_runs_at_epsilon_one_are_four() -> None:
    """Less than twelve: mu^2 adds up, not epsilon."""
    from privacy.accounting.events import squared_cap

    assert epsilon_spent(12 * squared_cap(1.0, 1e-6), 1e-6) == pytest.approx(3.9, abs=0.05)
