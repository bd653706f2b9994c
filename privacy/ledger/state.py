"""What a chain of facts adds up to, kept up fact by fact: the rules of charging, without a file or a clock."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from privacy.accounting.events import KAPPA_CAP, add_price, squared_cap
from privacy.accounting.sampled import Event, MaskedAgain, SampledGaussian, Slot, epsilon_with
from privacy.errors import BudgetError, LedgerError, ProtocolError
from privacy.ledger.entries import (
    Decided,
    Declined,
    Evidence,
    Fact,
    Opened,
    PeriodCap,
    Question,
    Recovered,
    Released,
    Reserved,
    ResultAccepted,
    RosterAccepted,
)
from privacy.ledger.losses import Losses
from privacy.ledger.slots import SlotBook

#: Seconds of a day.
DAY = 86_400


class Caps(NamedTuple):
    """Limits that a charge must keep, in epsilon and delta for one person.

    Attributes:
        study: the study's own promise, with the study's k; charges are added up per study digest.
        lifetime: cap over all studies ever; None for a coordinator, which keeps one ledger for many studies.
        period: cap over all studies in each period; None where there is none.
        records: K of lifetime and period: at how many holders of the federation one person may be; None for a
            coordinator.
        unreleased: part of the lifetime cap, in mu^2, that charges without a release may take; None for no limit.
    """

    study: tuple[Decimal, Decimal]
    lifetime: tuple[Decimal, Decimal] | None
    period: PeriodCap | None = None
    records: int | None = None
    unreleased: Decimal | None = None


class Total(NamedTuple):
    """What several charges cost together: the sums of mu^2 and of kappa, and the trainings on samples beside them."""

    squared_mu: Fraction = Fraction(0)
    kappa: Fraction = Fraction(0)
    fits: tuple[Slot, ...] = ()

    def plus(self, event: Event, records: int = 1) -> Total:
        """With one more charge, for a person with so many records."""
        return self.and_also(Total(event.squared_mu(records), records * event.kappa, event.fits * records))

    def and_also(self, other: Total) -> Total:
        """Both together."""
        return Total(
            add_price(self.squared_mu, other.squared_mu), add_price(self.kappa, other.kappa), self.fits + other.fits
        )

    def epsilon(self, delta: float) -> float:
        """Epsilon at ``delta`` of all of them together."""
        return epsilon_with(self.squared_mu, self.fits, delta)

    def within(self, epsilon: Decimal, delta: Decimal) -> bool:
        """Whether all of them together keep a cap; ``kappa`` apart."""
        if self.fits:
            return self.epsilon(float(delta)) <= float(epsilon)
        return self.squared_mu <= squared_cap(float(epsilon), float(delta))

    def at(self, records: int) -> Total:
        """The same for a person at so many holders, each of whose ledgers adds up to this for one record.

        mu adds up over the holders (Minkowski), so mu^2 grows with the square; a person's questions are those of all
        these ledgers, so kappa grows with their number, and each of them has trained by itself.
        """
        return Total(records * records * self.squared_mu, records * self.kappa, self.fits * records)


class Days:
    """Charges by day, for caps of periods.

    A charge falls into the latest period that it or one before it names: a clock that is put back does not fill a cap
    again.
    """

    def __init__(self) -> None:
        self._days: dict[int, Total] = {}  # by the latest day that a charge or one before it names
        self._latest = 0

    def add(self, charge: Reserved, records: int = 1) -> None:
        """One more charge, for a person with so many records."""
        self._latest = max(self._latest, charge.time)
        day = self._latest // DAY
        self._days[day] = self._days.get(day, Total()).plus(charge.event, records)

    def of(self, period: PeriodCap, time: int) -> Total:
        """What was charged in the period into which a charge at ``time`` would fall."""
        index = period.index(max(self._latest, time))
        total = Total()
        for day, part in self._days.items():  # periods begin and end with a day
            if period.index(day * DAY) == index:
                total = total.and_also(part)
        return total


class Life:
    """What counts as spent for life, for one record of a person: all charges, and what a recovery could not find.

    Lost charges that nobody found (``spent`` is ``all``) count as a whole lifetime cap at every K that was in force
    since: they kept K^2 times their sum within the cap, and a K that is lowered afterwards must not make room again.
    """

    def __init__(self) -> None:
        self._opened: Opened | None = None
        self._before = Total()  # counted when the newest such recovery was made
        self._since = Total()
        self._full = Fraction(0)  # the lifetime cap then, in mu^2
        self._least = 1  # smallest K since

    def open(self, opened: Opened) -> None:
        """Caps and K from here on."""
        self._opened = opened
        self._least = min(self._least, opened.records or 1)

    def charge(self, event: Event) -> None:
        """One more charge."""
        self._since = self._since.plus(event)

    def recover(self, recovered: Recovered) -> None:
        """A backup was put back."""
        opened = self._opened
        if recovered.spent != "all" or opened is None or opened.epsilon is None or opened.delta is None:
            return
        self._before, self._since = self.total, Total()
        self._full = squared_cap(float(opened.epsilon), float(opened.delta))
        self._least = opened.records or 1

    @property
    def total(self) -> Total:
        """The sums, for one record."""
        before = self._before._replace(squared_mu=max(self._before.squared_mu, self._full / self._least**2))
        return before.and_also(self._since)._replace(fits=())  # slots count in full: :class:`SlotBook`


class LedgerState:
    """What the facts of a ledger, taken one after another, say.

    Attributes:
        opened: the newest statement of owner, caps and K, None before the first entry.
        owner: owner and role, as first stated.
        released: core to the digest of its release.
        decisions: study digest to the operator's latest decision.
        declined: (study digest, code) of every recorded refusal.
        evidence: (which rule, digest of the first statement) of every recorded contradiction.
        losses: charges without a release, and who was the cause.
        rosters: digests of the rosters that the owner accepted.
        results: (run, run that made it) to the result that was handed out, oldest first.
        recoveries: all of them, oldest first.
        slots: trainings on samples that the owner allows, and those that were taken.
    """

    def __init__(self) -> None:
        self.slots = SlotBook()
        self._trained: dict[str, tuple[str, str]] = {}  # cores of trainings to their study and statistic
        self.opened: Opened | None = None
        self.owner: tuple[str, str] | None = None
        self.released: dict[str, str] = {}
        self.decisions: dict[str, Literal["approved", "denied"]] = {}
        self.declined: set[tuple[str, str]] = set()
        self.evidence: set[tuple[str, str]] = set()
        self.rosters: set[str] = set()
        self.losses = Losses()
        self.results: dict[tuple[str, str], ResultAccepted] = {}
        self._life = Life()
        self.recoveries: list[Recovered] = []
        self._days = Days()
        self._studies: dict[str, Total] = {}
        self._holders: dict[str, tuple[str, ...]] = {}
        self._cores: dict[Question, str] = {}
        self._questions: dict[str, Question] = {}
        self._charged: dict[str, list[str]] = {}
        self._named: set[str] = set()

    def take(self, fact: Fact) -> None:
        """Go on by one fact."""
        self.losses.take(fact)
        if isinstance(fact, Opened):
            self.opened = fact.carrying(self.opened)
            self._life.open(self.opened)
            self.slots.state(fact.slots)
            self.owner = self.owner or (fact.owner, fact.role)
        elif isinstance(fact, Reserved):
            self._life.charge(fact.event)
            if isinstance(fact.event, SampledGaussian):
                self.slots.take(fact.event)
                self._trained[fact.core] = (fact.study_digest, fact.statistic_digest)
            self._named.update(fact.holders)
            self._studies[fact.study_digest] = self.of_study(fact.study_digest).plus(fact.event, fact.records)
            self._days.add(fact)
            self._holders[fact.study_digest] = fact.holders
            self._cores[fact.question] = fact.core
            self._questions[fact.core] = fact.question
            self._charged.setdefault(fact.study_digest, []).append(fact.core)
        elif isinstance(fact, Recovered):
            self._life.recover(fact)
            if fact.spent == "all":
                self.slots.take_all()
            self.recoveries.append(fact)
        elif isinstance(fact, Released):
            self.released[fact.core] = fact.release
        elif isinstance(fact, Decided):
            self.decisions[fact.study_digest] = fact.decision
        elif isinstance(fact, Declined):
            self.declined.add((fact.study_digest, fact.code))
        elif isinstance(fact, Evidence):
            self.evidence.add((fact.what, fact.about))
        elif isinstance(fact, RosterAccepted):
            self.rosters.add(fact.roster)
        elif isinstance(fact, ResultAccepted):
            self.results.setdefault((fact.run, fact.made_by), fact)  # the first one stands

    @property
    def total(self) -> Total:
        """What counts as spent for life, for one record of a person."""
        return self._life.total

    def counted_on(self, holders: int = 0) -> int:
        """K: at how many holders the caps count one person; all that there are where the ledger does not say.

        Args:
            holders: of the roster in force; holders that charges name count as well.
        """
        stated = None if self.opened is None else self.opened.records
        return stated or max(holders, len(self._named), 1)

    def of_study(self, study_digest: str) -> Total:
        """What the charges of one study cost one person, with the study's k."""
        return self._studies.get(study_digest, Total())

    def of_period(self, period: PeriodCap, time: int) -> Total:
        """What was charged in the period into which a charge at ``time`` would fall, for one record."""
        return self._days.of(period, time)

    def core_of(self, question: Question) -> str | None:
        """The core that was charged under a run, round and attempt, if any."""
        return self._cores.get(question)

    def question_of(self, core: str) -> Question | None:
        """Under which run, round and attempt a core was charged, if it was."""
        return self._questions.get(core)

    def charged_for(self, study_digest: str) -> tuple[str, ...]:
        """Cores that were charged for a study, in order."""
        return tuple(self._charged.get(study_digest, ()))

    def holders_of(self, study_digest: str) -> tuple[str, ...] | None:
        """Who took part in the last charged question of a study; None where there was none."""
        return self._holders.get(study_digest)

    def check_slot(self, fit: Slot) -> None:
        """Refuse a training on samples for which no slot is free.

        Raises:
            BudgetError: with what it needs.
        """
        if self.slots.find(fit) is None:
            raise _no_slot(fit, self.slots)

    def admit(self, charge: Reserved, caps: Caps) -> None:
        """Refuse a charge that repeats a question or passes a cap.

        Raises:
            LedgerError: if the ledger was never opened, or nobody says at how many holders a person may be.
            ProtocolError: if this question was charged before.
            BudgetError: if a cap would be passed.
            LossesError: if too many charges before this one led to no release.
        """
        if self.opened is None:
            raise LedgerError("this ledger was never opened for an owner; nothing can be charged to it")
        if charge.question in self._cores:
            raise ProtocolError("this attempt of this question was charged before")
        study = self.of_study(charge.study_digest)
        _within("the study's budget", study, study.plus(charge.event, charge.records), caps.study)
        if isinstance(charge.event, MaskedAgain) and self._trained.get(charge.event.core) != (
            charge.study_digest, charge.statistic_digest,
        ):  # fmt: skip
            raise ProtocolError("a training is to be masked again that this ledger has not charged")
        if caps.period is None and caps.lifetime is None:
            return
        k = max(caps.records or 0, self.opened.records or 0)
        if k == 0:
            raise LedgerError("nobody says at how many holders a person may be; no cap can be kept for one")
        sums = Total().plus(charge.event)._replace(fits=())  # slots, not caps, hold trainings on samples
        who = f" for a person at {k} holders" if k > 1 else ""
        if caps.period is not None:
            before = self.of_period(caps.period, charge.time)._replace(fits=())
            period = (caps.period.epsilon, caps.period.delta)
            _within(f"the budget of this period{who}", before.at(k), before.and_also(sums).at(k), period)
        if caps.lifetime is not None:
            if isinstance(charge.event, SampledGaussian):
                self.check_slot(charge.event)
            before = self.total
            _within(f"the lifetime cap{who}", before.at(k), before.and_also(sums).at(k), caps.lifetime)
            if caps.unreleased is not None:
                self.losses.admit(charge, part=caps.unreleased, lifetime=caps.lifetime, records=k)


def _no_slot(fit: Slot, book: SlotBook) -> BudgetError:
    """A training that no slot is free for: what it would need, and what to do."""
    wanted = f"rate {fit.rate}, noise multiplier {fit.noise_multiplier}, {fit.steps} steps"
    covering = [slot for slot in book.stated if slot.covers(fit)]
    why = "all slots that would do are used, and a used one never comes back" if covering else "no slot is as large"
    return BudgetError(
        f"a training on samples ({wanted}) needs a free slot of the policy: {why}",
        hint="let the holder's operator decide: a further [[slots]] table in policy.toml (or a larger count) raises "
        f'what a person may lose for life: rate = "{fit.rate}", noise_multiplier = "{fit.noise_multiplier}", '
        f"steps = {fit.steps}, count = 1",
    )


def _within(name: str, before: Total, after: Total, cap: tuple[Decimal, Decimal]) -> None:
    epsilon, delta = cap
    if not after.within(epsilon, delta):
        spent, would = before.epsilon(float(delta)), after.epsilon(float(delta))
        raise BudgetError(
            f"{name} does not suffice: epsilon {spent:.3f} of {epsilon} is spent, "
            f"and this question would make it {would:.3f}",
            hint="lower the study's epsilon; let the holder's operator decide about the cap; or, where customers are "
            "at fewer holders, declare so (`cohortium holder declare`, then `holder persons`)",
        )
    if after.kappa > KAPPA_CAP:
        raise BudgetError(
            f"{name}: the integer noise would be too coarse to count as Gaussian",
            hint="ask questions with fewer coordinates or more noise",
        )
