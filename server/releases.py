"""Releases: what became of a sum after noise; kept, so that no question is paid twice."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.canonical import Noun
from privacy.ledger import Question
from privacy.ledger.entries import Digest
from privacy.mechanisms import SumMechanism
from privacy.protocol.messages import release_digest


class Release(Noun):
    """A noisy sum. Everything derived from it is free.

    Attributes:
        title: the question's name.
        study, statistic, core: digests.
        mechanism: the noise in it.
        holders: whose records are in it.
        values: integers, in the statistic's order.
    """

    title: str
    study: Digest
    statistic: Digest
    question: Question
    core: Digest
    mechanism: SumMechanism
    holders: tuple[str, ...]
    values: tuple[int, ...]

    @property
    def text(self) -> str:
        """The values as decimal numbers separated by spaces, as holders get them."""
        return " ".join(map(str, self.values))

    @property
    def content_digest(self) -> str:
        """What ledgers record: digest of the core and the values."""
        return release_digest(self.core, self.text)

    @property
    def array(self) -> NDArray[np.int64]:
        """The values as an array, shape ``(dim,)``."""
        return np.array(self.values, dtype=np.int64)

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise in each value, in integer units."""
        return self.mechanism.released_deviation


class ReleaseStore:
    """Releases on the coordinator's disk, one file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def all(self) -> Iterator[Release]:
        """All releases, in the order of their cores."""
        for path in sorted(self.folder.glob("*.json")):
            yield Release.parse(path.read_bytes())

    def find(self, study: str, title: str, statistic: str) -> Release | None:
        """The recorded release of a question, or None."""
        for release in self.all():
            if (release.study, release.title, release.statistic) == (study, title, statistic):
                return release
        return None

    def keep(self, release: Release) -> None:
        """Record a release durably; the file appears whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{release.core}.json"
        temporary = path.with_suffix(f".{secrets.token_hex(4)}")
        with temporary.open("wb") as file:
            file.write(release.canonical())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
