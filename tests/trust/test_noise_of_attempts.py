"""No noise is used twice, and what was charged is on the disk: a retry is a new question to the sampler."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit
import pytest

import privacy.ledger.chain
import privacy.ledger.ledger
from clients.node import HolderNode
from privacy.errors import CohortiumError
from privacy.ledger import Ledger, Opened
from privacy.secure_sum.masks import unmask

Patch = pytest.MonkeyPatch

HOLDERS = ("alpha", "beta", "delta", "gamma")
SIZE = 2048

# --- checks ------------------------------------------------------------------------------------------------------


def _attempt(coordinator: kit.LyingCoordinator, attempt: int, *holders: str) -> np.ndarray:
    """The released noise of one attempt of the same question over empty tables, shape ``(SIZE,)``."""
    core = coordinator.core(*holders, statistic=kit.wide_statistic(SIZE), share=Fraction(1, 5), attempt=attempt)
    readies = coordinator.readies(core)
    return unmask([coordinator.ask(holder, core, readies).vector for holder in holders])


def check_each_attempt_has_noise_of_its_own(root: Path) -> None:
    """Four holders answer a question, then three of them its next attempt, as after a dropout.

    Were the noise of the first attempt used again, the difference of both would show the total of the fourth behind its
    own share alone, and they would correlate by sqrt(3/4). Correlation of independent noise has deviation 1/sqrt(n); 7
    of it, 0.155, happen by chance with 3e-12.
    """
    federation = kit.federation_at(root, tables={holder: kit.table(0) for holder in HOLDERS})
    coordinator = kit.LyingCoordinator(federation)
    coordinator.greet()
    first = _attempt(coordinator, 1, *HOLDERS)
    second = _attempt(coordinator, 2, *HOLDERS[:3])
    assert abs(float(np.corrcoef(first, second)[0, 1])) < 7 / math.sqrt(SIZE)


def check_commits_reach_the_disk(root: Path) -> None:
    """Every commit is on the disk, and its journal's directory entry too, before it returns: EXTRA, and no WAL."""
    ledger = Ledger.create(root / "ledger.sqlite", Opened(owner="alpha", role="coordinator"))
    for connect in (lambda: privacy.ledger.chain.connected(ledger.path), ledger._connect):
        with connect() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (3,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


# --- mutants -----------------------------------------------------------------------------------------------------


def noise_of_the_last_attempt(patch: Patch) -> None:
    """A holder keeps the noise of a round for the round's next attempt."""
    real = HolderNode._ready
    drawn: dict[tuple[Any, ...], np.ndarray] = {}

    def ready(self: HolderNode, request: Any, signed: Any) -> bytes:
        question, sampler = request.core.question, self._sampler

        def once(scale: int, size: int) -> np.ndarray:
            return drawn.setdefault((self.holder, question.run, question.round), sampler(scale, size)).copy()

        self._sampler = once
        try:
            return real(self, request, signed)
        finally:
            self._sampler = sampler

    patch.setattr(HolderNode, "_ready", ready)


def not_synchronous(patch: Patch) -> None:
    """What was committed may be lost when the power fails; an answer may then have left without its charge."""
    real = privacy.ledger.chain.connected

    @contextmanager
    def connected(path: Path) -> Iterator[sqlite3.Connection]:
        with real(path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    for module in (privacy.ledger.chain, privacy.ledger.ledger):
        patch.setattr(module, "connected", connected)


MUTANTS: list[tuple[Callable[[Patch], None], Callable[[Path], None]]] = [
    (noise_of_the_last_attempt, check_each_attempt_has_noise_of_its_own),
    (not_synchronous, check_commits_reach_the_disk),
]


@pytest.mark.parametrize("check", [check for _, check in MUTANTS], ids=lambda check: check.__name__)
def test_the_check_passes_on_the_code_as_it_is(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(
    mutant: Callable[[Patch], None], check: Callable[[Path], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError)):
        check(tmp_path)
