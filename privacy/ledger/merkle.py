"""A hash tree over a list that only grows: one hash stands for all of it, and a short path shows that an item is in it.

The tree is that of RFC 9162, section 2.1: a leaf is ``SHA-256(0x00 || item)``, a node is ``SHA-256(0x01 || left ||
right)``, and a list of n items is split at the largest power of two below n. Leaves and nodes begin with different
bytes, so nobody can show a node as an item. Here the items are the hashes of a ledger's chain, 32 bytes each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

#: Most hashes in a path: ledgers have up to 2^53 entries.
LONGEST_PATH = 53


def _leaf(item: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + item).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class _Turn(NamedTuple):
    """Where a path goes at one node: the part without the item, and whether that part is the left one."""

    start: int
    stop: int
    left: bool


def _turns(index: int, size: int) -> list[_Turn]:
    """The parts that are left out on the way from the root down to an item; the root's first."""
    start, stop, turns = 0, size, []
    while stop - start > 1:
        split = start + _half(stop - start)
        if index < split:
            turns.append(_Turn(split, stop, left=False))
            stop = split
        else:
            turns.append(_Turn(start, split, left=True))
            start = split
    return turns


def _half(size: int) -> int:
    """The largest power of two below ``size``, which is above 1."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """Keeps all hashes, so that roots and paths of any length of the list are a few look-ups: 2 x 32 bytes an item.

    ``_levels[k][i]`` is the root of the items from i 2^k to (i + 1) 2^k; only whole parts are there.
    """

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, item: bytes) -> None:
        """Go on by one item; two hashes on average."""
        node = _leaf(item)
        for level in self._levels:
            level.append(node)
            if len(level) % 2:
                return
            node = _node(level[-2], node)
        self._levels.append([node])

    def root(self, size: int) -> bytes:
        """Root of the first ``size`` items.

        Raises:
            ValueError: if there are not so many, or none.
        """
        if not 1 <= size <= len(self):
            raise ValueError("the tree has no such length")
        return self._part(0, size)

    def path(self, index: int, size: int) -> tuple[bytes, ...]:
        """Path of the item at ``index`` in the tree of the first ``size`` items, the nearest hash first.

        Raises:
            ValueError: if the item is not among them.
        """
        if not 0 <= index < size <= len(self):
            raise ValueError("the tree has no such item")
        return tuple(self._part(turn.start, turn.stop) for turn in reversed(_turns(index, size)))

    def _part(self, start: int, stop: int) -> bytes:
        """Root of the items from ``start``, a multiple of the power of two at or above the part's size, to ``stop``."""
        size = stop - start
        level = (size - 1).bit_length()
        if size == 1 << level:
            return self._levels[level][start >> level]
        split = start + _half(size)
        return _node(self._part(start, split), self._part(split, stop))


class Peaks:
    """The root alone of a list that is read once: one hash for each bit of its length."""

    def __init__(self) -> None:
        self._size = 0
        self._peaks: list[bytes] = []  # roots of whole parts, the largest first

    def append(self, item: bytes) -> None:
        """Go on by one item."""
        node = _leaf(item)
        size = self._size
        while size & 1:
            node = _node(self._peaks.pop(), node)
            size >>= 1
        self._peaks.append(node)
        self._size += 1

    @property
    def root(self) -> bytes:
        """Root of the items so far; there must be one."""
        *before, root = self._peaks
        for peak in reversed(before):
            root = _node(peak, root)
        return root


def fits(item: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` shows that ``item`` stands at ``index`` in the list of ``size`` items with this root."""
    if not 0 <= index < size:
        return False
    turns = _turns(index, size)
    if len(turns) != len(path):
        return False
    node = _leaf(item)
    for turn, other in zip(reversed(turns), path, strict=True):
        node = _node(other, node) if turn.left else _node(node, other)
    return node == root
