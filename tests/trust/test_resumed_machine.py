"""A machine that is resumed twice from one snapshot, with its memory, repeats no noise and no key.

A process and its fork stand for the two machines: both go on from the same memory. The functions here are run in
processes of their own (``simulations.attack.noise_generators``).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import protocol_kit as kit
import pytest

import privacy.fresh_keys
from privacy.fresh_keys import fresh_key
from privacy.mechanisms.sampler import discrete_gaussian, drawn_from, stream_of
from privacy.protocol.messages import Hello
from privacy.secure_sum.masks import MaskKey
from simulations.attack.noise_generators import twins

HERE = Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process can be doubled on this system")


def draw() -> list[int]:
    return discrete_gaussian(1 << 30, 8).tolist()


# --- what runs in a process and in its twin ------------------------------------------------------------------------

_STREAM = stream_of(hashlib.sha256(b"kept in memory").digest())
_COORDINATORS: list[kit.LyingCoordinator] = []


def keys() -> dict[str, Any]:
    return {"noise": draw(), "mask key": MaskKey().public, "key": fresh_key("test").hex()}


def hellos_of_nodes() -> dict[str, Any]:
    """Mask keys and nonces of nodes that were started before the snapshot, in a run that begins after it."""
    if not _COORDINATORS:
        _COORDINATORS.append(kit.LyingCoordinator(kit.federation_at(Path(tempfile.mkdtemp()))))
    coordinator = _COORDINATORS[0]
    coordinator.run = f"run-{int(coordinator.run[-1]) + 1}"
    coordinator.greet()
    hellos = [coordinator.hellos[name].open(Hello, coordinator.roster) for name in kit.HOLDERS]
    return {f"{part} of {hello.holder}": getattr(hello, part) for hello in hellos for part in ("mask_key", "nonce")}


def made() -> dict[str, dict[str, Any]]:
    """What a node makes at random; and a stream that is kept, however good its key."""
    found = {
        "now": keys(),
        "nodes": hellos_of_nodes(),
        "kept": {"noise": drawn_from(1 << 30, 8, _STREAM, _STREAM).tolist()},
    }
    with pytest.MonkeyPatch.context() as patch:  # the twins wake at the same moment, with the same process id
        patch.setattr(privacy.fresh_keys, "time", SimpleNamespace(time_ns=lambda: 1, perf_counter_ns=lambda: 1))
        patch.setattr(os, "getpid", lambda: 1)
        found["without clocks"] = keys()
    with pytest.MonkeyPatch.context() as patch:  # the kernel was not told, and gives both the same bytes
        patch.setattr(os, "urandom", bytes)
        found["without a system"] = keys()
    return found


# --- tests -------------------------------------------------------------------------------------------------------


def test_twins_make_nothing_twice_unless_a_stream_is_kept() -> None:
    first, second = twins("test_resumed_machine:made", folders=(HERE, HERE.parent, HERE.parent / "support"))
    for way, things in first.items():
        for what, value in things.items():
            assert (value == second[way][what]) == (way == "kept"), f"{what}, {way}"


def test_a_fresh_key_is_new_and_needs_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({fresh_key("test") for _ in range(100)}) == 100
    asked: list[int] = []
    real = os.urandom
    monkeypatch.setattr(os, "urandom", lambda size: asked.append(size) or real(size))
    draw()
    draw()
    MaskKey()
    assert asked == 5 * [32]
