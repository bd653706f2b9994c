"""The commands by which a federation comes about and changes, as operators type them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import protocol_kit as kit
import pytest

import cohortium
from clients.answering.approvals import Approvals
from privacy.ledger import Ledger
from privacy.member_folder import MemberFolder
from privacy.protocol.membership import fingerprint


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Type a command line in an empty folder; gives exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(line: str, **said: str) -> tuple[int, str, str]:
        arguments = [part.format(**said) if "{" in part else part for part in line.split()]
        monkeypatch.setattr(sys, "argv", ["cohortium", *arguments])
        with pytest.raises(SystemExit) as ended:
            cohortium.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def founded(typed) -> str:
    """A federation of three holders and an auditor; gives the fingerprint of its roster."""
    assert typed("coordinator init hub --federation shops --address 127.0.0.1:9443")[0] == 0
    for name in ("north", "south", "west"):
        line = f"holder init {name} --federation shops --name {name} --lifetime-epsilon 8 --max-holders-per-customer 2"
        assert typed(line)[0] == 0
    assert typed("auditor init audit --federation shops")[0] == 0
    requests = " ".join(f"{name}/request.json" for name in ("north", "south", "west", "audit"))
    assert typed(f"coordinator enrol hub {requests}")[0] == 0
    code, out, _ = typed("coordinator publish hub --json")
    assert code == 0
    return json.loads(out)["fingerprint"]


def join_all(typed, told: str, version: int = 1) -> None:
    for name in ("north", "south", "west"):
        line = f"holder join {name} hub/rosters/roster-v{version}.json --fingerprint"
        assert typed(f"{line} {{told}}", told=told)[0] == 0


def test_from_nothing_to_a_federation_that_changes(typed) -> None:
    told = founded(typed)
    code, out, err = typed("holder join north hub/rosters/roster-v1.json --fingerprint 12345")
    assert code == 7
    assert "the fingerprint is not that of this file" in err
    assert MemberFolder(Path("north")).roster() is None
    join_all(typed, told)
    assert typed("auditor join audit hub/rosters/roster-v1.json --fingerprint {told}", told=told)[0] == 0
    code, out, _ = typed("roster show audit")
    assert code == 0
    assert told in out
    assert "k = 2" in out

    # Another key, other declarations, and one who leaves, in one version.
    assert typed("holder rotate-key north")[0] == 0
    assert typed("holder declare south --max-holders-per-customer 1 --size-class 5000")[0] == 0
    assert typed("holder leave west --yes")[0] == 0
    code, out, _ = typed("audit verify west/west.bundle --json")
    assert code == 0
    assert json.loads(out)["passed"]
    code, out, err = typed("coordinator enrol hub north/rotation.json south/request.json west/leave.json")
    assert (code, err) == (0, "")
    code, out, _ = typed("coordinator publish hub --json")
    found = json.loads(out)
    assert [(change["member"], change["what"]) for change in found["changes"]] == [
        ("north", "key"), ("south", "declarations"), ("west", "left"),
    ]  # fmt: skip
    for name in ("north", "south"):
        code, out, _ = typed(
            f"holder join {name} hub/rosters/roster-v2.json --fingerprint {{told}}", told=found["fingerprint"]
        )
        assert code == 0
        assert "new key" in out
        assert "left by" in out
    assert (MemberFolder(Path("north")).roster() or pytest.fail("none")).holders == ("north", "south")
    code, _, err = typed("holder node west")
    assert code == 3
    assert "west has left this federation, and its keys are gone" in err.replace("\n", " ")


def test_what_is_missing_or_wrong_is_said_with_what_to_do(typed) -> None:
    cases = {
        "holder init north --federation shops --name north": (
            3,
            "a lifetime budget is mandatory",
            "--lifetime-epsilon",
        ),
        "holder init north --federation shops --name North! --lifetime-epsilon 8": (3, "no short name", "lower case"),
        "holder init north --federation Shops! --name north --lifetime-epsilon 8": (3, "no federation's name", "lower"),
        "holder init north --federation shops --name north --lifetime-epsilon lots": (
            3,
            "'lots' is no lifetime budget",
            "0.01 to 50",
        ),
        "holder node north": (3, "there is no folder north", "holder new"),
        "holder join north nothing.json": (3, "cannot be read", "path"),
        "coordinator init hub --federation shops --address nowhere": (3, "address", ""),
        "coordinator publish hub": (3, "there is no folder hub", "coordinator init"),
        "holder rotate-key north": (3, "no member's folder", "init"),
    }
    for line, (code, wrong, hint) in cases.items():
        ended, out, err = typed(line)
        assert ended == code, (line, out, err)
        assert wrong in err.replace("\n", " "), (line, err)
        assert hint in err, (line, err)
    assert not Path("north", "keys").exists()


def test_approving_and_denying_by_hand(typed) -> None:
    join_all(typed, founded(typed))
    assert typed("holder studies north")[0] == 0  # makes the ledger
    approvals = Approvals(Path("north/state/studies"), Ledger(Path("north/state/ledger.sqlite")))
    study = kit.small_study(name="spring")
    approvals.propose(study)
    _, out, _ = typed("holder studies north --json")
    assert [(item["digest"], item["decision"], item["looks_at"]) for item in json.loads(out)] == [
        (study.digest, None, ["money", "orders", "recency"])
    ]
    assert typed("holder approve north spring")[0] == 0
    assert approvals.decision(study.digest) == "approved"
    assert typed("holder deny north {told}", told=study.digest[:10])[0] == 0
    assert approvals.decision(study.digest) == "denied"
    assert typed("holder approve north summer")[0] == 3
    assert "waits" not in typed("holder studies north")[1]


def test_a_fingerprint_is_asked_for_and_never_shown_by_join(typed, monkeypatch: pytest.MonkeyPatch) -> None:
    told = founded(typed)
    answers = iter([told])
    monkeypatch.setattr("typer.prompt", lambda text: next(answers))
    code, out, _ = typed("holder join north hub/rosters/roster-v1.json")
    assert code == 0
    assert told not in out
    assert "on a number that you did not get from the coordinator" in out.replace("\n", " ")
    assert fingerprint((MemberFolder(Path("north")).roster() or pytest.fail("none")).digest) == told
