"""Which of the trainings on samples that a holder allows are taken: a slot that was taken never comes back.

All slots count towards a person's loss, used or not, so it was known before the first training: what a later one costs
never rests on what an earlier one showed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from privacy.accounting.sampled import Slot
from privacy.ledger.entries import Slots

_Key = tuple[Decimal, Decimal, int]


class SlotBook:
    """Slots as the newest policy states them, and those that were taken under any."""

    def __init__(self) -> None:
        self._stated: Counter[_Key] = Counter()
        self._taken: Counter[_Key] = Counter()

    def state(self, slots: Iterable[Slots]) -> None:
        """From here on the holder allows these; the newest statement counts, and takes nothing back that was taken."""
        self._stated = Counter()
        for one in slots:
            self._stated[one.one.key] += one.count

    def find(self, fit: Slot) -> Slot | None:
        """The slot that a training would take: of the free ones that cover it, the one with the most noise.

        Args:
            fit: the training.

        Returns:
            None where none is free.
        """
        free = [slot for slot in map(_slot, self._stated) if self.left(slot) > 0 and slot.covers(fit)]
        return min(free, key=lambda slot: (-slot.noise_multiplier, slot.rate, slot.steps), default=None)

    def take(self, fit: Slot) -> bool:
        """Take the slot of a training.

        Returns:
            Whether there was one; a training that was charged without one counts by itself.
        """
        slot = self.find(fit)
        self._taken[(slot or fit).key] += 1
        return slot is not None

    def take_all(self) -> None:
        """All count as taken: charges were lost, and nobody knows which."""
        for key, count in self._stated.items():
            self._taken[key] = max(self._taken[key], count)

    def left(self, slot: Slot) -> int:
        """How many of a kind are free."""
        return max(0, self._stated[slot.key] - self._taken[slot.key])

    @property
    def taken(self) -> int:
        """How many were taken."""
        return self._taken.total()

    @property
    def free(self) -> int:
        """How many are free."""
        return sum(map(self.left, self.stated))

    @property
    def stated(self) -> tuple[Slot, ...]:
        """The kinds that the newest policy states."""
        return tuple(map(_slot, self._stated))

    @property
    def all(self) -> tuple[Slot, ...]:
        """What counts towards a person's loss: of each kind as many as are stated, or were taken where that is more."""
        kinds = sorted(set(self._stated) | set(self._taken))
        return tuple(_slot(key) for key in kinds for _ in range(max(self._stated[key], self._taken[key])))


def _slot(key: _Key) -> Slot:
    rate, noise, steps = key
    return Slot(rate=rate, noise_multiplier=noise, steps=steps)
