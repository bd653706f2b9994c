"""Bundles to tamper with: what somebody can do who holds a bundle's file, and perhaps its owner's key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from privacy.audit.bundle import BundleSeal
from privacy.audit.export import export
from privacy.kernel.canonical import canonical_json
from privacy.ledger.chain import GENESIS, chain_hash
from privacy.protocol.identity import Identity, Signed
from simulations.worlds.kit import MemoryFederation


def export_all(federation: MemoryFederation, out: Path) -> Path:
    """A bundle of every member, ``out/<member>.bundle``."""
    return export_all_of(federation.root, federation.roster.holders, out)


def export_all_of(root: Path, holders: Iterable[str], out: Path) -> Path:
    """The same of a workspace's folder."""
    out.mkdir(parents=True, exist_ok=True)
    export(root / "coordinator", out / "coordinator.bundle")
    for holder in holders:
        export(root / "holders" / holder, out / f"{holder}.bundle")
    return out


def key_of(root: Path, member: str) -> Identity:
    """A member's signing key."""
    home = root / "coordinator" if member == "coordinator" else root / "holders" / member
    return Identity.load(member, home / "keys" / "signing.pem")


class Forger:
    """A bundle's lines, to be changed and sealed again.

    Attributes:
        lines: (kind, value), without the seal.
    """

    def __init__(self, bundles: Path, root: Path, owner: str) -> None:
        self.path = bundles / f"{owner}.bundle"
        self.root = root
        self.owner = owner
        read = [next(iter(json.loads(line).items())) for line in self.path.read_bytes().splitlines()]
        self.lines: list[tuple[str, Any]] = read[:-1]
        self.seal = read[-1]

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> list[dict[str, Any]]:
        """The ledger's facts."""
        return [json.loads(value[1])["fact"] for kind, value in self.lines if kind == "entry"]

    def statements(self, kind: str) -> list[Signed]:
        """The statements of one kind."""
        found = [Signed.model_validate(value) for what, value in self.lines if what == "statement"]
        return [signed for signed in found if signed.kind == kind]

    # --- changing --------------------------------------------------------------------------------------------------

    def rechain(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Forger:
        """Change the facts; numbers and hashes are made to fit, and salts kept where entries stay."""
        old = [json.loads(value[1]) for kind, value in self.lines if kind == "entry"]
        facts = change([json.loads(json.dumps(entry["fact"])) for entry in old])
        salts = {canonical_json(entry["fact"]): entry["salt"] for entry in old}
        entries, previous = [], GENESIS
        for sequence, fact in enumerate(facts, start=1):
            salt = salts.get(canonical_json(fact), "0" * 32)
            body = canonical_json({"fact": fact, "salt": salt, "sequence": sequence})
            previous = chain_hash(previous, body)
            entries.append(("entry", [sequence, body.decode(), previous]))
        return self.replace_entries(entries)

    def replace_entries(self, entries: list[tuple[str, Any]]) -> Forger:
        """Put other entries in the place of those that are there."""
        first = next(number for number, (kind, _) in enumerate(self.lines) if kind == "entry")
        others = [line for line in self.lines if line[0] != "entry"]
        self.lines = others[:first] + entries + others[first:]
        return self

    def entries(self) -> list[tuple[str, Any]]:
        """The lines of entries."""
        return [line for line in self.lines if line[0] == "entry"]

    def restate(self, kind: str, change: Callable[[Signed], Signed | None]) -> Forger:
        """Change the statements of one kind; None leaves one out."""
        lines: list[tuple[str, Any]] = []
        for what, value in self.lines:
            if what == "statement" and value["kind"] == kind:
                changed = change(Signed.model_validate(value))
                if changed is not None:
                    lines.append((what, changed.model_dump(mode="json")))
            else:
                lines.append((what, value))
        self.lines = lines
        return self

    def write(self, *, sealed: bool = True, by: Identity | None = None) -> None:
        """Write the bundle; with the owner's seal over what it now is, or with the old one."""
        content = b"".join(canonical_json({kind: value}) + b"\n" for kind, value in self.lines)
        seal = self.seal
        if sealed:
            last = self.entries()[-1][1]
            statement = BundleSeal(
                owner=self.owner,
                content=hashlib.sha256(content).hexdigest(),
                sequence=last[0],
                head=last[2],
                time=1_800_000_000,
            )
            signer = by or key_of(self.root, self.owner)
            seal = ("seal", signer.sign(statement).model_dump(mode="json"))
        self.path.write_bytes(content + canonical_json(dict([seal])) + b"\n")


def resign(root: Path, signed: Signed, change: Callable[[dict[str, Any]], None]) -> Signed:
    """The same statement with changes, signed anew by its signer, who has the key."""
    body = json.loads(signed.body)
    change(body)
    text = canonical_json(body).decode()
    identity = key_of(root, signed.signer)
    from protocol_kit import sign_raw

    return sign_raw(identity, signed.kind, text)
