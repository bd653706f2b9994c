"""What speaks for a column, and how much: one table, and one scorer for all roles.

A score is the sum over what was seen of its weight times how strongly it was seen (0 to 1). From 0.9 on it is as good
as certain; below 0.2 a column is no candidate. The weights were set by hand on exports of many systems
(``tests/test_holder_new.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from clients.data.guess.confidence import SURE
from clients.data.guess.nouns import Guessed
from clients.data.guess.sample import Sample

#: Role to what can be seen of a column to its weight.
WEIGHTS: dict[str, dict[str, float]] = {
    "time": {
        "holds times": 0.55,
        "holds times of another matter, by its name": 0.15,
        "name": 0.4,
        "gaps": -0.3,
    },
    "order": {
        "lines with one value share their time": 0.35,
        "nearly all of them": 0.05,
        "name": 0.6,
        "name, of values that never repeat": 0.75,
        "name, of values that hardly repeat": 0.3,
    },
    "customer": {
        "name": 0.6,
        "name, against what orders say": 0.25,
        "name, without the behaviour": 0.1,
        "comes back at other times, one an order": 0.35,
        "many values, and no name": 0.2,
    },
    "currency": {"holds codes": 0.6, "name": 0.39},
    "discount": {"name": 0.9},
}

#: A column that scores no more is no candidate.
_LEAST = 0.2
#: Columns whose scores differ by less than this are alternatives.
_CLOSE = 0.08


def score(role: str, seen: Mapping[str, float]) -> float:
    """Sum over what was seen of its weight for the role times its strength."""
    return float(sum(WEIGHTS[role][what] * strength for what, strength in seen.items()))


class Candidates:
    """Columns that may have a role, each with what was seen of it.

    Attributes:
        scores: column to score; to be changed where columns are compared with each other.
    """

    def __init__(self, role: str, sample: Sample, *, above: float = _LEAST) -> None:
        """None yet.

        Args:
            above: columns that score no more are no candidates.
        """
        self.scores: dict[str, float] = {}
        self._reasons: dict[str, str] = {}
        self._role, self._sample, self._above = role, sample, above

    def add(self, column: str, seen: Mapping[str, float], reason: str) -> None:
        """Add a column with what was seen of it, and how that is said to people."""
        self.scores[column] = score(self._role, seen)
        self._reasons[column] = reason

    def best(self) -> Guessed | None:
        """The column with the highest score; less sure where another one is near."""
        least = max(self._above, _LEAST)
        ranked = sorted(((value, name) for name, value in self.scores.items() if value > least), key=lambda p: -p[0])
        if not ranked:
            return None
        top, name = ranked[0]
        close = [other for value, other in ranked[1:] if top - value < _CLOSE and not self._sample.same(name, other)]
        return Guessed(
            value=name,
            confidence=round(min(top, SURE - 0.01) if close and top < 0.9 else min(top, 0.99), 2),
            reason=self._reasons[name],
            alternatives=tuple(other for _, other in ranked[1:4]),
        )
