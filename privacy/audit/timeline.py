"""What records tell people: charges over time, by analysis, study and holder; refusals and exceptions."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from privacy.audit.budget import BudgetLeft, CapUse, day_of, left_of, slots_left, use_of_caps
from privacy.audit.bundle import kind_of, read_bundle
from privacy.ledger import Declined, LedgerState, Opened, Reserved, read_ledger_rows
from privacy.ledger.chain import Row, read_entry
from privacy.ledger.state import Total
from privacy.protocol.identity import Roster, Signed
from privacy.protocol.membership import RosterUpdate
from privacy.protocol.messages import HelloRequest
from privacy.protocol.study import Study

#: Delta at which a ledger that states none (a coordinator's) is shown.
SHOWN_DELTA = 1e-6


@dataclass
class Sum:
    """What some charges add up to, for two relations.

    Attributes:
        questions: how many charges.
        own, person: with one record of a person, and with as many as each question's study counts on (its k).
    """

    questions: int = 0
    own: Total = field(default_factory=Total)
    person: Total = field(default_factory=Total)

    def add(self, charge: Reserved) -> None:
        """One more charge."""
        self.questions += 1
        self.own = self.own.plus(charge.event)
        self.person = self.person.plus(charge.event, charge.records)

    @property
    def size(self) -> tuple[Fraction, int]:
        """What a record that tells more of the same charges has more of."""
        return self.person.squared_mu, len(self.person.fits)


@dataclass
class StudySum(Sum):
    """A study's charges.

    Attributes:
        name: the study's.
        first, last: days of its first and last charge.
            records: k.
        holders: who took part in the last.
        placement, assurance: of its noise.
    """

    name: str = ""
    first: dt.date = dt.date.max
    last: dt.date = dt.date.min
    records: int = 1
    holders: tuple[str, ...] = ()
    placement: str = ""
    assurance: str = ""


@dataclass
class Story:
    """What one record tells.

    Attributes:
        owner, role: whose.
        federation: its name, where the record is a bundle.
        state: of the ledger.
        opened: the caps in force, one after another, with the number of the entry.
        total: of all charges.
        analyses, studies: by name and by digest.
        days: charged until the end of each day, for one record, ascending.
        declined: refusals.
        rosters: versions accepted.
        shown: studies as members were invited to them.
        last_run: charges of the run that was charged last.
        last_time: of the last charge, seconds since 1970.
    """

    owner: str = ""
    role: str = ""
    federation: str = ""
    state: LedgerState = field(default_factory=LedgerState)
    opened: list[tuple[int, Opened]] = field(default_factory=list)
    total: Sum = field(default_factory=Sum)
    analyses: dict[str, Sum] = field(default_factory=dict)
    studies: dict[str, StudySum] = field(default_factory=dict)
    days: dict[dt.date, Total] = field(default_factory=dict)
    declined: list[Declined] = field(default_factory=list)
    rosters: list[Roster] = field(default_factory=list)
    shown: dict[str, Study] = field(default_factory=dict)
    last_run: list[Reserved] = field(default_factory=list)
    last_time: int = 0

    @property
    def delta(self) -> float:
        """The delta at which this record is priced."""
        opened = self.state.opened
        return float(opened.delta) if opened is not None and opened.delta is not None else SHOWN_DELTA

    def epsilon(self, total: Total) -> float:
        """Epsilon at that delta."""
        return total.epsilon(self.delta)

    @property
    def holders(self) -> int:
        """How many holders the federation has had, as far as this record knows."""
        return len({holder for roster in self.rosters for holder in roster.holders})

    @property
    def counted(self) -> int:
        """K: at how many holders the caps count one person."""
        return self.state.counted_on(self.holders)

    def for_a_person(self, own: Total) -> Total:
        """For a person at K holders, from what one record costs."""
        return own.at(self.counted)

    def everywhere(self, own: Total) -> Total:
        """The same for a person at all holders."""
        return own.at(max(self.counted, self.holders))

    def caps(self) -> tuple[CapUse, ...]:
        """What of the caps is used, at the time of the last charge."""
        return use_of_caps(self.state, self.last_time, counted=self.counted)

    def most_for_life(self, cap: CapUse) -> float:
        """Epsilon that this cap allows a person for life, with all slots that the owner stated."""
        slots = slots_left(self.state, counted=self.counted)
        return cap.epsilon if slots is None else math.ceil(1000 * slots.life) / 1000

    def left(self) -> BudgetLeft | None:
        """How many more studies what is left is enough for, at that time; None for a coordinator."""
        return left_of(self.state, self.last_run, self.last_time, counted=self.counted)

    def take(self, row: Row, name: str) -> None:
        """Go on by one entry."""
        fact = read_entry(row, name).fact
        self.state.take(fact)
        if isinstance(fact, Opened):
            self.owner, self.role = fact.owner, fact.role
            self.opened.append((row.sequence, fact))
        elif isinstance(fact, Reserved):
            self._charge(fact)
        elif isinstance(fact, Declined):
            self.declined.append(fact)

    def _charge(self, fact: Reserved) -> None:
        self.total.add(fact)
        self.analyses.setdefault(fact.analysis, Sum()).add(fact)
        study = self.studies.setdefault(fact.study_digest, StudySum(name=fact.study))
        study.add(fact)
        day = day_of(fact.time)
        study.first, study.last = min(study.first, day), max(study.last, day)
        study.records, study.holders = fact.records, fact.holders
        study.placement, study.assurance = fact.placement, fact.assurance
        latest = max(day, next(reversed(self.days), day))  # a clock that was put back does not turn the curve back
        self.days[latest] = self.total.own
        if self.last_run and self.last_run[-1].question.run != fact.question.run:
            self.last_run = []
        self.last_run.append(fact)
        self.last_time = max(self.last_time, fact.time)


def read_story(path: Path) -> Story:
    """Read a bundle, or a ledger's file.

    Raises:
        LedgerError: if it is damaged; ``audit verify`` says more about what is wrong with it.
    """
    story = Story()
    if kind_of(path) == "ledger":
        for row in read_ledger_rows(path):
            story.take(row, path.name)
        return story
    for kind, value in read_bundle(path):
        if kind == "bundle":
            story.federation = str(value.get("federation", ""))
        elif kind == "entry":
            story.take(Row(*value), path.name)
        elif kind == "roster":
            story.rosters.append(RosterUpdate.parse(Signed.model_validate(value).body).roster)
        elif kind == "statement" and value.get("kind") == HelloRequest.__name__:
            study = HelloRequest.parse(value["body"]).study
            story.shown[study.digest] = study
    return story
