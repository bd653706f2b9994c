"""Releases: what became of a sum after noise; kept, so that no question is paid twice; and two of one sum combined."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.canonical import Noun, since
from privacy.kernel.feeds import Declared
from privacy.ledger import Question
from privacy.ledger.entries import Digest
from privacy.mechanisms import SumMechanism
from privacy.protocol.messages import release_digest

_AGAIN = " again"


def again(title: str) -> str:
    """The title of a question's second answer: a question of its own in ledgers."""
    return title + _AGAIN


def without_again(title: str) -> str | None:
    """The question that a title says is asked again; None for a first answer's."""
    return title.removesuffix(_AGAIN) if title.endswith(_AGAIN) else None


class Answer(Protocol):
    """What an analysis gets to its question."""

    @property
    def holders(self) -> tuple[str, ...]:
        """Whose records are in it."""
        ...

    @property
    def feeds(self) -> Mapping[str, Declared]:
        """Which of the feeds that declared tables read each holder has, by its HELLO; nobody where none is declared."""
        ...

    @property
    def array(self) -> NDArray[np.int64]:
        """The noisy sum, shape ``(dim,)``."""
        ...

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise in each value, in integer units."""
        ...

    @property
    def closer(self) -> Answer | None:
        """The answer to the closer question that this one led to; None where there is none."""
        ...


class Release(Noun):
    """A noisy sum. Everything derived from it is free.

    Attributes:
        title: the question's name.
        study, statistic, core: digests.
        mechanism: the noise in it.
        holders: whose records are in it.
        values: integers, in the statistic's order.
        feeds: which of the feeds that declared tables read each holder has, as its HELLO said; nobody where no table is
            declared.
    """

    title: str
    study: Digest
    statistic: Digest
    question: Question
    core: Digest
    mechanism: SumMechanism
    holders: tuple[str, ...]
    values: tuple[int, ...]
    feeds: dict[str, Declared] = since("0.2.0", {})

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

    @property
    def closer(self) -> None:
        """None: alone, no answer leads to another."""
        return None


def combined_deviation(first: float, second: float) -> float:
    """Standard deviation of the mean, weighted by precision, of two values whose noises are independent.

    ``(1 / v1 + 1 / v2)^(-1/2)``, the least of all weighted means (Cochran 1937, "Problems arising in the analysis of a
    series of similar experiments", JRSS Supplement 4). 0 where one has no noise.
    """
    return first * second / math.hypot(first, second) if first and second else 0.0


def combined(
    first: NDArray[np.int64], deviation: float, second: NDArray[np.int64], other: float
) -> tuple[NDArray[np.int64], float]:
    """Two noisy answers to one question, weighted by precision, and the standard deviation of the result.

    Args:
        first, second: the answers, shape ``(dim,)``, whose noises are independent.
        deviation, other: standard deviations of their noises, in integer units, which are public.

    Returns:
        The combined values, rounded to whole units, of which the noise has millions; unbiased where both answers are.
    """
    weight = deviation**2 / (deviation**2 + other**2) if deviation else 0.0  # of the second
    moved = np.rint(weight * (second - first)).astype(np.int64)
    return first + moved, combined_deviation(deviation, other)


@dataclass(frozen=True, kw_only=True, eq=False)
class Combined:
    """Two answers to one question by the same holders, each value weighted by the precision of its noise.

    Attributes:
        holders: whose records are in both.
        array: the combined values, shape ``(dim,)``.
        deviation: standard deviation of the noise in each value, in integer units.
        feeds: as of the first one.
    """

    holders: tuple[str, ...]
    array: NDArray[np.int64]
    deviation: float
    feeds: Mapping[str, Declared] = field(default_factory=dict)

    @property
    def closer(self) -> None:
        """None: both answers are to one question."""
        return None

    @classmethod
    def of(cls, first: Release, second: Release) -> Self:
        """Combine.

        Raises:
            ValueError: if they are answers to two questions, or of different holders.
        """
        if (first.study, first.statistic, first.holders) != (second.study, second.statistic, second.holders):
            raise ValueError("two answers can be combined only to one question, of the same holders")
        array, deviation = combined(first.array, first.deviation, second.array, second.deviation)
        return cls(holders=first.holders, array=array, deviation=deviation, feeds=first.feeds)


@dataclass(frozen=True, kw_only=True, eq=False)
class Closer:
    """An answer, and that to the closer question to which it led.

    Attributes:
        first: the answer.
        closer: that of the closer question, by the same holders.
    """

    first: Release
    closer: Release

    @property
    def holders(self) -> tuple[str, ...]:
        """Whose records are in both."""
        return self.first.holders

    @property
    def feeds(self) -> Mapping[str, Declared]:
        """As of the first one."""
        return self.first.feeds

    @property
    def array(self) -> NDArray[np.int64]:
        """The first answer's values, shape ``(dim,)``."""
        return self.first.array

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise in each of the first answer's values, in integer units."""
        return self.first.deviation


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
