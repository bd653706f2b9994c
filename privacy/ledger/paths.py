"""How a later head of a ledger shows that an earlier one is still in it.

A head is a length n and the hash of entry n, which commits to all entries before it. Whoever remembers (n, h) takes a
later head (N, H) with a root only with the path of item n - 1 = h in the hash tree of the N entries that the root
stands for. A ledger that was put back to before n, and made longer again, has another item there and no path.

Entries that a recovery says are lost have no path either: in their place comes the path of the entry that says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field

from privacy.errors import ProtocolError
from privacy.kernel.canonical import Noun
from privacy.ledger.chain import Head, chain_hash
from privacy.ledger.entries import Digest, Entry, EntryNumber, Recovered
from privacy.ledger.merkle import LONGEST_PATH, fits


class Passage(Noun):
    """The entry of a recovery: what stands after the entries that it says are lost.

    Attributes:
        previous: hash of the entry before it.
        body: canonical text of the entry.
    """

    previous: Digest
    body: str = Field(max_length=1 << 17)


class HeadPath(Noun):
    """Shows that one entry is among those that a root stands for.

    Attributes:
        sequence: number of the entry.
        hashes: its audit path (RFC 9162, section 2.1.3), the nearest hash first; the passage's, where there is one.
        passage: where the entry is lost, the recovery that says so.
    """

    sequence: EntryNumber
    hashes: tuple[Digest, ...] = Field(max_length=LONGEST_PATH)
    passage: Passage | None = None


class _Item(NamedTuple):
    place: int
    hash: str


def goes_on(before: Head, head: Head, root: str, path: HeadPath) -> bool:
    """Whether a ledger of ``head.sequence`` entries with this root goes on from ``before``.

    That ``root`` is the one of the entries up to ``head`` is its owner's signed word, and an audit compares the two.
    """
    item = _Item(before.sequence - 1, before.hash) if path.passage is None else _passed(before, path.passage)
    if item is None or not root or path.sequence != before.sequence:
        return False
    hashes = [bytes.fromhex(value) for value in path.hashes]
    return fits(bytes.fromhex(item.hash), item.place, head.sequence, bytes.fromhex(root), hashes)


def _passed(before: Head, passage: Passage) -> _Item | None:
    """The entry of a recovery, if it says that ``before`` is lost; of the newest lost entry it must name the hash."""
    try:
        entry = Entry.parse(passage.body)
    except ProtocolError:
        return None
    fact = entry.fact
    if not isinstance(fact, Recovered) or entry.sequence != fact.lost_to + 1:
        return None
    newest = before.sequence == fact.lost_to and before.hash == fact.head
    if not newest and not fact.lost_from <= before.sequence < fact.lost_to:
        return None
    return _Item(entry.sequence - 1, chain_hash(passage.previous, passage.body.encode()))


def recovery_over(sequence: int, recoveries: Iterable[Recovered]) -> Recovered | None:
    """The recovery that says that an entry is lost, if one does."""
    return next((fact for fact in recoveries if fact.lost_from <= sequence <= fact.lost_to), None)
