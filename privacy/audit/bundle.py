"""A bundle: everything that one member has to show an auditor, in one file of lines, sealed with its key.

Each line is the canonical JSON of an object with one field, which says what the line is:

* ``bundle``: the first: format, owner, role, federation;
* ``roster``: a version of the roster as the coordinator signed it, oldest first;
* ``policy``: the holder's policy, whose SHA-256 the charges name;
* ``entry``: number, body and hash of a ledger entry, oldest first;
* ``statement``: a signed statement that was kept beside the ledger;
* ``seal``: the last: a signed :class:`BundleSeal` over the SHA-256 of all bytes before it.

No rows, no counts of customers, no released values, no keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from pydantic import Field

from privacy.errors import LedgerError
from privacy.kernel.canonical import Noun, canonical_json
from privacy.kernel.limits import Name, Sequence, Time
from privacy.kernel.terms import Slug
from privacy.ledger import Head, Ledger, read_ledger_rows
from privacy.ledger.entries import ENTRY_LIMIT, Digest
from privacy.private_files import private_file
from privacy.protocol.identity import Identity, Signed

#: Format of bundles that this release writes; it reads all up to this one.
FORMAT = 2

#: Longest line, in bytes: of a statement, and of an entry. A signed plan with a large model in it stays well below;
#: only evidence that release 0.1 wrote is longer.
_LONGEST = 64 << 20
_LONGEST_ENTRY = ENTRY_LIMIT
_ENTRY = b'{"entry":'


class BundleHeader(Noun):
    """Whose bundle it is."""

    format: int = Field(ge=0, le=1_000_000)
    owner: Slug
    role: Literal["holder", "coordinator", "auditor"]
    federation: Slug
    software: Name


class BundleSeal(Noun):
    """The owner's word for a bundle.

    Attributes:
        content: SHA-256 of all bytes before the seal's line.
        sequence, head: length of the ledger in it, and hash of its last entry.
        time: seconds since 1970, UTC; a claim.
    """

    owner: Slug
    content: Digest
    sequence: Sequence
    head: Digest
    time: Time


class Line(NamedTuple):
    """One line of a bundle: what it is, and its value."""

    kind: str
    value: Any


def write_bundle(  # noqa: PLR0913  the parts of a bundle, in their order
    path: Path,
    *,
    ledger: Ledger,
    header: BundleHeader,
    rosters: Iterable[Signed],
    policies: Iterable[str],
    identity: Identity,
    now: int,
) -> Head:
    """Write a bundle, owner-only; the file appears whole or not at all.

    Args:
        rosters: every accepted version, oldest first.
        policies: canonical JSON of every policy that charges may name.

    Returns:
        The head of the ledger in it.

    Raises:
        LedgerError: if the ledger is damaged.
    """
    digest = hashlib.sha256()
    head = Head(0, "0" * 64)
    with private_file(path) as temporary, temporary.open("wb") as file:

        def put(kind: str, value: Any) -> None:
            line = canonical_json({kind: value}) + b"\n"
            digest.update(line)
            file.write(line)

        put("bundle", header.model_dump(mode="json"))
        for signed in rosters:
            put("roster", signed.model_dump(mode="json"))
        for policy in policies:
            put("policy", policy)
        for row in read_ledger_rows(ledger.path):
            put("entry", list(row))
            head = Head(row.sequence, row.hash)
        for statement in ledger.statements():
            put("statement", json.loads(statement.text))
        seal = BundleSeal(
            owner=header.owner, content=digest.hexdigest(), sequence=head.sequence, head=head.hash, time=now
        )
        file.write(canonical_json({"seal": identity.sign(seal).model_dump(mode="json")}) + b"\n")
    return head


def kind_of(path: Path) -> Literal["bundle", "heads", "ledger"]:
    """What a file looks like: a bundle, a file of heads, or a ledger (an SQLite database)."""
    with path.open("rb") as file:
        start = file.read(10)
    if start.startswith(b'{"bundle"'):
        return "bundle"
    return "heads" if start.startswith(b"{") else "ledger"


def read_bundle(path: Path) -> Iterator[Line]:
    """The lines of a bundle, one at a time; the last is ``seal`` with (signed seal, SHA-256 of what is before it).

    Raises:
        LedgerError: if it is cut off, or has something after its seal, or is no bundle, or a line is too long.
    """
    digest = hashlib.sha256()
    sealed = False
    with path.open("rb") as file:
        for number, raw in enumerate(_raw_lines(file, path.name), start=1):
            if sealed:
                raise LedgerError(f"{path.name} goes on after its seal")
            kind, value = _line(raw, path.name, number)
            if (kind == "bundle") != (number == 1):
                raise LedgerError(f"{path.name} is no bundle: line {number} is out of place")
            if kind == "seal":
                sealed = True
                yield Line(kind, (value, digest.hexdigest()))
            else:
                digest.update(raw)
                yield Line(kind, value)
    if not sealed:
        raise LedgerError(f"{path.name} has no seal: it is cut off", hint="ask its owner to export it again")


def _raw_lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Lines as they are, none longer than what a line of its kind may be."""
    number = 0
    while raw := file.readline(_LONGEST + 1):
        number += 1
        most = _LONGEST_ENTRY if raw.startswith(_ENTRY) else _LONGEST
        if len(raw) > _LONGEST and not raw.endswith(b"\n"):
            raw += file.readline(most + 1 - len(raw))
        if len(raw) > most:
            raise LedgerError(
                f"line {number} of {name} is longer than {most >> 20} MiB, the most that is read of its kind",
                hint="it was not damaged on its way: ask its owner what stands there",
            )
        yield raw


def _line(raw: bytes, name: str, number: int) -> tuple[str, Any]:
    try:
        value = json.loads(raw)
        if not raw.endswith(b"\n") or not isinstance(value, dict) or len(value) != 1:
            raise ValueError
    except (ValueError, RecursionError):
        raise LedgerError(f"line {number} of {name} cannot be read: it was damaged or cut off") from None
    return next(iter(value.items()))
