"""No noise is used twice, and what was charged is on the disk: a retry is a new question to the sampler."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import privacy.ledger.chain
import privacy.ledger.file
import privacy.ledger.ledger
from privacy.errors import CohortiumError
from privacy.ledger import Ledger, Opened
from simulations.attack.audit_generators import attempts, noise_of_the_last_attempt
from simulations.attack.replacing import Planting, replaced

# --- checks ------------------------------------------------------------------------------------------------------


def check_each_attempt_has_noise_of_its_own(root: Path) -> None:
    """Four holders answer a question, one answer is lost, and the other three answer its next attempt.

    Were the noise of the first attempt used again, the difference of both would show the total of the fourth behind its
    own share alone, and they would correlate by sqrt(3/4) (empty tables, 2,048 coordinates).
    """
    wrong = attempts()
    assert not wrong, wrong


def check_commits_reach_the_disk(root: Path) -> None:
    """Every commit is on the disk, and its journal's directory entry too, before it returns: EXTRA, and no WAL."""
    ledger = Ledger.create(root / "ledger.sqlite", Opened(owner="alpha", role="coordinator"))
    for connect in (lambda: privacy.ledger.chain.connected(ledger.path), ledger._connect):
        with connect() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (3,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


# --- mutants -----------------------------------------------------------------------------------------------------


@contextmanager
def not_synchronous() -> Iterator[None]:
    """What was committed may be lost when the power fails; an answer may then have left without its charge."""
    real = privacy.ledger.chain.connected

    @contextmanager
    def connected(path: Path) -> Iterator[sqlite3.Connection]:
        with real(path) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    with (
        replaced(privacy.ledger.chain, "connected", connected),
        replaced(privacy.ledger.file, "connected", connected),
        replaced(privacy.ledger.ledger, "connected", connected),
    ):
        yield


MUTANTS: list[tuple[Planting, Callable[[Path], None]]] = [
    (noise_of_the_last_attempt, check_each_attempt_has_noise_of_its_own),
    (not_synchronous, check_commits_reach_the_disk),
]


@pytest.mark.parametrize("check", [check for _, check in MUTANTS], ids=lambda check: check.__name__)
def test_the_check_passes_on_the_code_as_it_is(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path)


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(mutant: Planting, check: Callable[[Path], None], tmp_path: Path) -> None:
    with mutant(), pytest.raises((AssertionError, CohortiumError)):
        check(tmp_path)
