"""Trainings on samples in one ledger: each took a slot that its owner had stated before, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator

from privacy.accounting.events import GaussianSum
from privacy.accounting.sampled import MaskedAgain, Slot
from privacy.audit.findings import Claim, judged
from privacy.ledger import Opened, Recovered, Reserved
from privacy.ledger.slots import SlotBook
from privacy.presentation.numbers import many


class SlotClaims:
    """Takes the entries of one ledger that have to do with slots.

    Attributes:
        fits: the trainings that were charged, in order, and at how many holders one person was counted on to be.
        book: the owner's slots.
    """

    def __init__(self) -> None:
        self.fits: list[tuple[Slot, int]] = []
        self.book = SlotBook()
        self._holder = False
        self._trained: dict[str, tuple[str, str]] = {}
        self._again = 0
        self._wrong: list[str] = []

    def open(self, fact: Opened) -> None:
        """Slots as the owner states them from here on; a coordinator has none."""
        self._holder = fact.role == "holder"
        self.book.state(fact.slots)

    def recover(self, fact: Recovered) -> None:
        """Charges were lost that nobody found: all slots count as used."""
        if fact.spent == "all":
            self.book.take_all()

    def charge(self, fact: Reserved, position: int) -> None:
        """One more charge of any kind."""
        event = fact.event
        if isinstance(event, GaussianSum):
            return
        if fact.placement != "local":
            self._wrong.append(f"entry {position}: noise of a holder's own training is no shared noise")
        if isinstance(event, MaskedAgain):
            self._again += 1
            if self._trained.get(event.core) != (fact.study_digest, fact.statistic_digest):
                self._wrong.append(f"entry {position} masks a training again that was not charged before")
            return
        self.fits.append((event.slot, fact.records))
        self._trained[fact.core] = (fact.study_digest, fact.statistic_digest)
        if not self.book.take(event) and self._holder:
            self._wrong.append(f"entry {position}: no slot was free for its training on samples")

    def of_person(self, records: int | None = None) -> tuple[Slot, ...]:
        """The trainings that one person was in, at so many holders; each study's own number where None is given."""
        return tuple(slot for slot, own in self.fits for _ in range(records or own))

    def claims(self, about: str) -> Iterator[Claim]:
        """What was checked; nothing of a ledger without slots and trainings."""
        if self.fits or self.book.all or self._wrong:
            told = f"{many(len(self.fits), 'training')}, {self._again} masked again"
            if self._holder:
                told += f", {self.book.free} slots free"
            yield judged(about, "each training on samples took a slot that was stated before", self._wrong, told)
