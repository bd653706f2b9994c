"""Scripts can read what commands say: every command has ``--json``, or stands below with a reason.

A federation is begun, changed and left with ``--json`` at each step: standard output is JSON and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from typer.main import get_command

from cohortium.command import app

#: Commands without it.
WITHOUT = {
    "holder node": "serves until it is stopped, and logs",
    "coordinator serve": "serves until it is stopped, and logs",
    "coordinator gateway": "serves until it is stopped, and logs",
}


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield " ".join(path), command


def test_every_command_has_json_or_a_reason() -> None:
    found = {name: [option for one in leaf.params for option in one.opts] for name, leaf in leaves(get_command(app))}
    assert len(found) > 40
    assert {name for name, options in found.items() if "--json" not in options} == set(WITHOUT)


def test_a_federation_by_a_script(command, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)

    def told(*words: object) -> Any:
        said = command(*words, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    place = ("coordinator",)
    made = told("coordinator", "init", *place, "--federation", "shops", "--address", "localhost:9443")
    assert made == {"file": "coordinator/coordinator.toml"}
    fingerprints = {}
    for name in ("a", "b"):
        asked = told(
            "holder", "init", name, "--federation", "shops", "--name", f"shop-{name}", "--lifetime-epsilon", "8"
        )
        fingerprints[f"shop-{name}"] = asked["fingerprint"]
    told("auditor", "init", "auditor", "--federation", "shops")
    taken = told("coordinator", "enrol", *place, "a/request.json", "b/request.json", "auditor/request.json")
    assert {one["member"]: one["key"] for one in taken}.items() >= fingerprints.items()
    published = told("coordinator", "publish", *place)
    shown = told("roster", "show", published["file"])
    for member in ("a", "b"):
        told("holder", "join", member, published["file"], "--fingerprint", shown["fingerprint"])
    told("auditor", "join", "auditor", published["file"], "--fingerprint", shown["fingerprint"])

    assert told("holder", "declare", "a", "--max-holders-per-customer", 1) == {"file": "a/request.json"}
    assert told("holder", "rotate-key", "b") == {"file": "b/rotation.json"}
    assert told("auditor", "rotate-key", "auditor") == {"file": "auditor/rotation.json"}
    taken = told("coordinator", "enrol", *place, "a/request.json", "b/rotation.json", "auditor/rotation.json")
    assert [one["statement"] for one in taken] == ["JoinRequest", "Rotation", "Rotation"]
    assert told("coordinator", "rotate-key", *place)["key"]
    assert told("coordinator", "revoke", *place, "auditor") == {"revoked": "auditor"}
    assert told("coordinator", "renew-certificate", *place) == {"step": "begun", "waiting_for": []}

    told("holder", "persons", "a")  # the ledger is begun
    copied = told("ledger", "backup", "a", "--output", "a.sqlite")
    assert copied["entries"] > 0
    assert told("audit", "heads", "a", "-o", "heads.json") == {"file": "heads.json"}
    told("auditor", "remember", "auditor", "heads.json")
    assert told("auditor", "heads", "auditor", "-o", "newest.json") == {"file": "newest.json"}
    told("audit", "export", "a", "-o", "a.bundle")
    assert told("audit", "report", "a.bundle", "-o", "audit.html") == {"file": "audit.html", "passed": True}
    for file in Path("a/state").glob("ledger.sqlite*"):
        file.unlink()
    restored = told("ledger", "restore", "a", "a.sqlite")
    assert restored["head"]
    left = told("holder", "leave", "b", "--yes")
    assert (Path(left["bundle"]).exists(), Path(left["statement"]).exists()) == (True, True)
    assert told("study", "new", "spring", "--as-of", "2025-01-01", "--epsilon", 1) == {"file": "spring.toml"}
