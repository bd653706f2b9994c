"""The hash tree against the definition of RFC 9162, for all sizes up to 70, and against forks."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence

import pytest

from privacy.ledger.merkle import LONGEST_PATH, Peaks, Tree, fits

SIZES = range(1, 71)
ITEMS = [hashlib.sha256(bytes([number])).digest() for number in range(70)]


def tree_of(items: Sequence[bytes]) -> Tree:
    tree = Tree()
    for item in items:
        tree.append(item)
    return tree


def slow_root(items: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word."""
    if len(items) == 1:
        return hashlib.sha256(b"\x00" + items[0]).digest()
    split = max(2**power for power in range(10) if 2**power < len(items))
    return hashlib.sha256(b"\x01" + slow_root(items[:split]) + slow_root(items[split:])).digest()


def slow_path(index: int, items: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1, word for word."""
    if len(items) == 1:
        return []
    split = max(2**power for power in range(10) if 2**power < len(items))
    if index < split:
        return [*slow_path(index, items[:split]), slow_root(items[split:])]
    return [*slow_path(index - split, items[split:]), slow_root(items[:split])]


@pytest.mark.parametrize("size", SIZES)
def test_roots_and_paths_are_those_of_the_definition(size: int) -> None:
    tree, peaks = tree_of(ITEMS), Peaks()  # the tree has grown further: earlier lengths are still in it
    for item in ITEMS[:size]:
        peaks.append(item)
    root = slow_root(ITEMS[:size])
    assert tree.root(size) == tree_of(ITEMS[:size]).root(size) == peaks.root == root
    for index in range(size):
        path = tree.path(index, size)
        assert list(path) == slow_path(index, ITEMS[:size])
        assert len(path) <= LONGEST_PATH
        assert fits(ITEMS[index], index, size, root, path)


@pytest.mark.parametrize("size", SIZES)
def test_a_path_is_good_for_one_item_at_one_place_of_one_list(size: int) -> None:
    tree, other = tree_of(ITEMS), secrets.token_bytes(32)
    root = tree.root(size)
    for index in range(size):
        path = tree.path(index, size)
        assert not fits(other, index, size, root, path)
        assert not any(
            fits(ITEMS[index], place, size, root, path) for place in {-1, index - 1, index + 1, size} - {index}
        )
        assert not fits(ITEMS[index], index, size, other, path)
        assert not fits(ITEMS[index], index, size, root, (*path, other))
        assert not path or not fits(ITEMS[index], index, size, root, path[:-1])
        assert not path or not fits(ITEMS[index], index, size, root, (*path[:-1], other))


@pytest.mark.parametrize("at", [0, 1, 7, 31, 32, 40, 68])
def test_a_fork_has_no_path_of_what_it_left(at: int) -> None:
    """Whatever the fork shows from its own tree, the item that was there before does not fit."""
    fork = tree_of([*ITEMS[:at], *(secrets.token_bytes(32) for _ in range(70 - at))])
    for index in range(70):
        fitting = fits(ITEMS[index], index, 70, fork.root(70), fork.path(index, 70))
        assert fitting is (index < at)


def test_a_node_is_no_item() -> None:
    """The two items of a small tree, hashed together, cannot be shown as the one item of a list."""
    tree = tree_of(ITEMS[:2])
    pair = b"".join(hashlib.sha256(b"\x00" + item).digest() for item in ITEMS[:2])
    assert not fits(pair, 0, 1, tree.root(2), ())
    assert not fits(b"\x01" + pair, 0, 1, tree.root(2), ())


def test_nothing_is_shown_of_what_is_not_there() -> None:
    tree = tree_of(ITEMS[:3])
    for size in (0, 4, -1):
        with pytest.raises(ValueError, match="no such length"):
            tree.root(size)
    for index, size in ((-1, 3), (3, 3), (0, 4), (2, 2)):
        with pytest.raises(ValueError, match="no such item"):
            tree.path(index, size)


def test_a_long_ledger_costs_little() -> None:
    """100,000 entries: 0.3 s to build and 17 hashes a path on a quiet core; the bounds here are for a busy machine."""
    items = [number.to_bytes(32, "big") for number in range(100_000)]
    started = time.process_time()
    tree = tree_of(items)
    assert time.process_time() - started < 5
    started = time.process_time()
    for index in range(0, 100_000, 1000):
        path = tree.path(index, 100_000)
        assert len(path) <= 17
        assert fits(items[index], index, 100_000, tree.root(100_000), path)
    assert time.process_time() - started < 1
