"""``audit verify``: are records whole, consistent with each other, and what epsilon do their facts imply?

PASS means: the records are consistent, and the noise that they state implies the epsilon shown. It does not mean that
the noise was added, that rows were clipped, or that a declaration (such as disjoint customers) is true.

A record is a bundle (``audit export``) or a ledger's file alone, of which less can be said. Records are read one line
at a time; what is compared lies in a temporary file, so memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from privacy.audit.bundle import FORMAT, BundleHeader, BundleSeal, kind_of, read_bundle
from privacy.audit.crosscheck import (
    all_charged,
    heads_kept,
    plans_fit,
    recoveries_witnessed,
    roots_fit,
    same_story,
    studies_within,
)
from privacy.audit.entry_claims import Walk
from privacy.audit.findings import Claim, Spent, Verdict, judged
from privacy.audit.heads import read_heads
from privacy.audit.persons import counted_as_declared, within_the_cap
from privacy.audit.results import results_kept, same_results
from privacy.audit.roster_claims import History, rosters_fit, same_rosters
from privacy.audit.scratch import Scratch
from privacy.audit.statement_claims import Statements
from privacy.errors import ConfigError, LedgerError, ProtocolError
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import read_ledger_rows
from privacy.ledger.chain import EMPTY, Row, linked
from privacy.protocol.identity import Signed

__all__ = ["Claim", "Spent", "Verdict", "verify"]


def _silent(_: str) -> None:
    """No progress."""


def verify(paths: Iterable[Path], *, third: bool = True, progress: Callable[[str], None] = _silent) -> Verdict:
    """Check records one by one, and against each other.

    Args:
        paths: bundles, ledger files, or both.
        third: whether Opacus' accountant is asked as well, where it is installed (torch is slow to import).
        progress: is told what is being read.
    """
    with closing(Scratch()) as scratch:
        return _Audit(scratch, third, progress).run(list(paths))


class _Audit:
    def __init__(self, scratch: Scratch, third: bool, progress: Callable[[str], None]) -> None:
        self._scratch = scratch
        self._third = third
        self._progress = progress
        self._claims: list[Claim] = []
        self._walks: list[Walk] = []
        self._histories: list[tuple[str, History]] = []
        self._prices: list[Spent] = []

    def run(self, paths: list[Path]) -> Verdict:
        heads: list[Path] = []
        for number, path in enumerate(paths, start=1):
            self._progress(f"reading {path.name}")
            walk = Walk(self._scratch)
            try:
                match kind_of(path):
                    case "bundle":
                        self._bundle(path, walk, number)
                    case "heads":
                        heads.append(path)
                    case _:
                        self._ledger(path, walk, number)
            except LedgerError as error:
                self._claims.append(judged(walk.party or str(path), "the chain is intact", [error.message], ""))
        self._progress("comparing")
        for path in heads:
            self._remembered(path)
        scratch, walks = self._scratch, self._walks
        for claims in (
            heads_kept(walks, scratch),
            roots_fit(walks, scratch),
            recoveries_witnessed(walks, scratch),
            same_rosters(self._histories),
            same_story(walks, scratch),
            all_charged(walks, scratch),
            same_results(scratch),
        ):
            self._claims.extend(claims)
        known = {holder for _, history in self._histories for holder in history.holders}
        person, claims_of_persons = within_the_cap(walks, scratch, known)
        self._claims.extend(claims_of_persons)
        notes = [note for walk in walks for note in walk.notes]
        if person is not None and person.missing:
            notes.append(
                f"no ledger of {', '.join(person.missing)} is here: what a person there lost is not in the figure for "
                "one person over all records"
            )
        return Verdict(claims=tuple(self._claims), spent=tuple(self._prices), person=person, notes=tuple(notes))

    def _mark(self, number: int) -> Callable[[str], str]:
        """Tells two records of one party apart."""
        known = {walk.owner[0] for walk in self._walks if walk.owner}
        return lambda owner: f" (record {number})" if owner in known else ""

    def _ledger(self, path: Path, walk: Walk, number: int) -> None:
        mark = self._mark(number)
        for row in read_ledger_rows(path):
            walk.take(row, path.name, mark)
        self._judge(walk, path)

    def _judge(self, walk: Walk, path: Path) -> None:
        if walk.owner is None:
            raise LedgerError(f"{path.name} was never opened for an owner")
        text = f"{walk.head.sequence} entries, head {walk.head.hash}"
        self._claims.append(judged(walk.party, "the chain is intact", [], text))
        price = walk.price(third=self._third)
        self._claims.extend(walk.claims(price))
        self._prices.append(price)
        self._walks.append(walk)

    def _remembered(self, path: Path) -> None:
        """Heads that somebody was sent earlier; their signatures are judged by the rosters of all bundles."""
        rosters = [roster for _, history in self._histories for roster in history.rosters.values()]
        wrong = []
        try:
            heads, found = read_heads(path, rosters)
            for member, head in found.items():
                self._scratch.put("head", member, head.sequence, head.hash, heads.member)
        except (ConfigError, ProtocolError) as error:
            wrong.append(error.message)
        self._claims.append(judged(path.name, "heads are signed by whose they are", wrong, "all of them"))

    def _bundle(self, path: Path, walk: Walk, number: int) -> None:
        lines, mark = read_bundle(path), self._mark(number)
        header = _header(next(lines).value, path.name)
        history = History()
        policies: set[str] = set()
        statements: Statements | None = None
        sealed: list[str] = []
        previous = EMPTY
        for kind, value in lines:
            if kind == "roster":
                history.take(value)
            elif kind == "policy":
                policies.add(sha256_hex(str(value).encode()))
            elif kind == "entry":
                row = next(linked([_row(value, path.name)], path.name, after=previous))
                walk.take(row, path.name, mark)
                previous = walk.head
            elif kind == "statement":
                statements = statements or Statements(walk.party, history, self._scratch, walk.evidence)
                statements.take(value)
            elif kind == "seal":
                sealed = _seal(value, header, history, walk)
            else:
                raise LedgerError(f"{path.name} has a line of an unknown kind", hint="a newer release may have made it")
        self._claims.append(
            judged(walk.party or str(path), "the bundle is as its owner sealed it", sealed, f"signed by {header.owner}")
        )
        walk.named |= history.holders
        self._judge(walk, path)
        statements = statements or Statements(walk.party, history, self._scratch, walk.evidence)
        self._histories.append((walk.party, history))
        self._claims.extend(rosters_fit(walk, history, (header.owner, header.role)))
        self._claims.extend(statements.claims())
        self._claims.extend(plans_fit(walk, self._scratch))
        self._claims.append(results_kept(walk, self._scratch))
        self._claims.append(studies_within(walk, statements.studies))
        if header.role == "holder":
            self._claims.append(counted_as_declared(walk, history))
            unknown = sorted(walk.policies - policies)
            for digest in unknown:
                walk.notes.append(f"{walk.party} charged under the policy {digest[:12]}, which it did not hand over")


def _header(value: Any, name: str) -> BundleHeader:
    try:
        header = BundleHeader.model_validate(value)
    except ValueError:
        raise LedgerError(f"{name} is no bundle of this kind") from None
    if not 1 <= header.format <= FORMAT:
        raise LedgerError(f"{name} has the format {header.format}", hint="a newer release may have made it: upgrade")
    return header


def _row(value: Any, name: str) -> Row:
    if not isinstance(value, list) or [type(item) for item in value] != [int, str, str]:
        raise LedgerError(f"an entry of {name} is malformed")
    return Row(*value)


def _seal(value: tuple[Any, str], header: BundleHeader, history: History, walk: Walk) -> list[str]:
    """What is wrong with a seal."""
    signed, content = value
    try:
        seal = history.open(Signed.model_validate(signed), BundleSeal, by=header.owner)
    except (ProtocolError, ValueError) as error:
        return [error.message if isinstance(error, ProtocolError) else "its seal is malformed"]
    wrong = []
    if seal.owner != header.owner:
        wrong.append("the seal is for somebody else's bundle")
    if seal.content != content:
        wrong.append("it was changed after it was sealed")
    if (seal.sequence, seal.head) != walk.head:
        wrong.append(f"the seal is for a ledger of {seal.sequence} entries, and {walk.head.sequence} are here")
    return wrong
