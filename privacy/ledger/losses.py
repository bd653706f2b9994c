"""Charges that led to no release: what they add up to, and who was the cause, fact by fact.

Two things follow from them. A holder's policy limits what they may take of its lifetime cap, whoever is the cause: a
holder that spoils answers, one that is ready and then silent, or a coordinator that hands nothing out. And the
coordinator asks nobody again who was proved false, or was ready and then silent twice in a study.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from privacy.accounting.events import squared_cap
from privacy.errors import LossesError
from privacy.ledger.entries import Evidence, Fact, Failed, LossesAccepted, Readmitted, Recovered, Released, Reserved

#: How often a member may be silent after READY in one study.
SILENCES = 2


class Unreleased(NamedTuple):
    """A charge whose release its ledger has not recorded.

    Attributes:
        name, run: the study's name, and the run that asked.
        study, analysis, title: digest of the study, and what was asked.
        squared_mu: its price for one record of a person.
    """

    name: str
    run: str
    study: str
    analysis: str
    title: str
    squared_mu: Fraction

    @property
    def asked(self) -> tuple[str, str, str]:
        """The question: asked again, an earlier charge for it will have no release."""
        return self.study, self.analysis, self.title


class Losses:
    """Takes the facts of a ledger one after another.

    Attributes:
        unreleased: core to charge, in the order of the charges; without those that the operator has accepted.
    """

    def __init__(self) -> None:
        self.unreleased: dict[str, Unreleased] = {}
        self._found_again = 0  # charges up to this time that follow a recovery are old ones
        self._false: set[str] = set()
        self._silent: Counter[tuple[str, str]] = Counter()

    def take(self, fact: Fact) -> None:
        """Go on by one fact."""
        if isinstance(fact, Reserved):
            if fact.time > self._found_again:  # whether that of an old one was released is among what was lost
                self.unreleased[fact.core] = _unreleased(fact)
            return
        self._found_again = fact.time if isinstance(fact, Recovered) else 0
        if isinstance(fact, Released):
            self.unreleased.pop(fact.core, None)
        elif isinstance(fact, LossesAccepted):
            self.unreleased.clear()
        elif isinstance(fact, Failed):
            self._false.update(fact.blamed)
            charge = self.unreleased.get(fact.core)
            if charge is not None:
                self._silent.update((charge.study, member) for member in fact.silent)
        elif isinstance(fact, Evidence) and fact.what == "check":
            self._false.add(fact.blamed)
        elif isinstance(fact, Readmitted):
            self._false.discard(fact.member)
            for key in [key for key in self._silent if key[1] == fact.member]:
                del self._silent[key]

    def before(self, charge: Reserved) -> tuple[Unreleased, ...]:
        """Charges that are lost when this one is made: of other studies, or of a question that is asked again later.

        The last charge for each question of the same study may still be released when its run ends.
        """
        latest = {one.asked: core for core, one in self.unreleased.items()}
        latest[_unreleased(charge).asked] = charge.core
        return tuple(
            one
            for core, one in self.unreleased.items()
            if one.study != charge.study_digest or latest[one.asked] != core
        )

    def admit(self, charge: Reserved, *, part: Decimal, lifetime: tuple[Decimal, Decimal], records: int = 1) -> None:
        """Refuse a charge while too much is lost. The dearest lost charge is not counted: one may always be lost.

        Args:
            part: the largest part of the lifetime cap, in mu^2, that may be lost; 0 to 1.
            lifetime: the cap, (epsilon, delta).
            records: K of the cap, at how many holders one person may be.

        Raises:
            LossesError: if more is lost.
        """
        lost = [records * records * one.squared_mu for one in self.before(charge)]
        counted = sum(lost, Fraction(0)) - max(lost, default=Fraction(0))
        epsilon, delta = lifetime
        cap = squared_cap(float(epsilon), float(delta))
        if counted > Fraction(part) * cap:
            raise LossesError(
                f"{len(lost)} charges without a release have taken {float(sum(lost) / cap):.0%} of the lifetime cap",
                hint="find out why (`cohortium holder losses`), and let studies go on with --accept",
            )

    @property
    def readmissible(self) -> frozenset[str]:
        """Members that are not asked to take part in some study."""
        return frozenset(self._false) | {member for (_, member), times in self._silent.items() if times >= SILENCES}

    def suspended(self, study_digest: str) -> dict[str, Literal["false", "silent"]]:
        """Who is not asked to take part in a study, and why."""
        why: dict[str, Literal["false", "silent"]] = {
            member: "silent"
            for (study, member), times in self._silent.items()
            if study == study_digest and times >= SILENCES
        }
        return why | dict.fromkeys(self._false, "false")


def _unreleased(charge: Reserved) -> Unreleased:
    return Unreleased(
        name=charge.study,
        run=charge.question.run,
        study=charge.study_digest,
        analysis=charge.analysis,
        title=charge.title,
        squared_mu=charge.event.squared_mu(),
    )
