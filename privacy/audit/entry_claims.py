"""One ledger, entry by entry: order, caps, permissions, and what it adds up to. Nothing of it is kept in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction

from privacy.accounting.events import KAPPA_CAP, squared_cap
from privacy.accounting.sampled import epsilon_with
from privacy.audit.accountants import accountants_agree, pld_epsilon
from privacy.audit.findings import Claim, Spent, judged
from privacy.audit.noise_claims import wrong_with_shares
from privacy.audit.prv import prv_epsilon
from privacy.audit.scratch import Scratch
from privacy.audit.slot_claims import SlotClaims
from privacy.kernel.canonical import canonical_json
from privacy.ledger import (
    Answered,
    Decided,
    Declined,
    Departed,
    Evidence,
    Failed,
    Head,
    LossesAccepted,
    Lost,
    Opened,
    Readmitted,
    Recovered,
    Released,
    Reserved,
    ResultAccepted,
    RosterAccepted,
)
from privacy.ledger.chain import EMPTY, Row, read_entry
from privacy.ledger.state import Days, Life, Total
from privacy.presentation.numbers import many

#: Facts of a charge that all parties must record alike.
SHARED = (
    "question", "study", "study_digest", "core", "analysis", "title", "statistic", "statistic_digest", "event",
    "records", "placement", "holders", "colluding", "assurance", "roster",
)  # fmt: skip

#: What can be wrong.
_MATTERS = (
    "form", "order", "cap", "sets", "noise", "generator", "permission", "evidence", "results", "recovery",
)  # fmt: skip

#: Delta at which a ledger that states none (a coordinator's) is priced.
DEFAULT_DELTA = 1e-6


class Walk:
    """Takes the entries of one ledger and gathers what is wrong with them.

    Attributes:
        party: ``holder north`` and the like, once the first entry was taken.
        head: of the last entry taken.
        lost: ranges of entry numbers that a recovery says are lost, with the head that it names.
        rosters: digests of the rosters that its owner accepted, with the numbers of the versions.
        policies: digests of the policies that charges name.
        evidence: entry numbers and contradictions whose statements stand beside the ledger.
        named: holders that charges name, and that rosters list where they are known.
        counted: roster to the smallest K that charges under it were held against, and the number of such a charge.
        promise: the largest lifetime cap that charges were held against: in mu^2, epsilon and delta.
    """

    def __init__(self, scratch: Scratch) -> None:
        self.party = ""
        self.owner: tuple[str, str] | None = None
        self.head: Head = EMPTY
        self.lost: list[tuple[int, Recovered]] = []
        self.rosters: dict[str, RosterAccepted] = {}
        self.used_rosters: set[str] = set()
        self.policies: set[str] = set()
        self.evidence: list[tuple[int, Evidence]] = []
        self.studies: dict[str, Total] = {}
        self.notes: list[str] = []
        self._scratch = scratch
        self._opened: Opened | None = None
        self._sets: dict[str, frozenset[str]] = {}
        self._denied: set[str] = set()
        self._departed = False
        self.named: set[str] = set()
        self.counted: dict[str, tuple[int, int]] = {}
        self.promise: tuple[Fraction, float, float] | None = None
        self._life = Life()
        self.slots = SlotClaims()
        self._days = Days()
        # As ledgers without K added up: each charge at its study's k.
        self._by_studies = Total()
        self._days_by_studies = Days()
        self._prices: Counter[tuple[Fraction, int]] = Counter()
        self._counts: Counter[str] = Counter()
        self._lost_run = 0
        self._wrong: dict[str, list[str]] = {matter: [] for matter in _MATTERS}

    def take(self, row: Row, name: str, mark: Callable[[str], str]) -> None:
        """Go on by one entry.

        Args:
            name: of the file, for errors.
            mark: what to add to the party's name, to tell two records of one owner apart.

        Raises:
            LedgerError: if this release cannot read it.
        """
        entry = read_entry(row, name)
        fact, position = entry.fact, row.sequence
        raw = json.loads(row.body)
        if canonical_json(raw) != row.body.encode():
            self._wrong["form"].append(f"entry {position} is not in canonical form: it can be read in two ways")
        self.head = Head(row.sequence, row.hash)
        self._counts[fact.kind] += 1
        if isinstance(fact, Opened):
            self._open(fact, position, mark)
        self._scratch.put("entry", self.party, position, row.hash)
        if isinstance(fact, Lost):
            self._lost_run += 1
            return
        if isinstance(fact, Recovered):
            self._recover(fact, position)
        elif self._lost_run:
            self._wrong["recovery"].append(f"entry {position}: lost entries without a recovery after them")
        self._lost_run = 0
        if isinstance(fact, Reserved):
            self._charge(fact, raw["fact"], position, row.hash)
        elif isinstance(fact, Answered | Released | Failed):
            self._outcome(fact, position)
        elif isinstance(fact, RosterAccepted):
            self.rosters[fact.roster] = fact
        elif isinstance(fact, Decided):
            (self._denied.add if fact.decision == "denied" else self._denied.discard)(fact.study_digest)
        elif isinstance(fact, Departed):
            self._departed = True
        elif isinstance(fact, ResultAccepted):
            self._result(fact, position)
        elif isinstance(fact, Evidence):
            if fact.what == "check":
                self.notes.append(
                    f"{self.party} proved {fact.blamed} false before anybody was charged, entry {position}"
                )
            else:
                what, name = ("results", "results") if fact.what == "result" else ("plans", "evidence")
                self._wrong[name].append(f"entry {position} keeps two contradicting {what} of the coordinator")
            if not fact.holds_texts:
                self.evidence.append((position, fact))
        elif isinstance(fact, Readmitted):
            self.notes.append(f"{self.party}'s operator lets {fact.member} take part again, entry {position}")
        elif isinstance(fact, LossesAccepted):
            self.notes.append(
                f"{self.party}'s operator let {fact.charges} charges without a release pass, entry {position}"
            )
        elif isinstance(fact, Declined):
            self.notes.append(f"{self.party} refused study {fact.study} ({fact.code}), entry {position}")

    def _open(self, fact: Opened, position: int, mark: Callable[[str], str]) -> None:
        if self._opened is None:
            self.owner = (fact.owner, fact.role)
            self.party = f"{fact.role} {fact.owner}{mark(fact.owner)}"
            if position != 1:
                self._wrong["order"].append("its first entry does not say whose it is")
        elif (fact.owner, fact.role) != self.owner:
            self._wrong["order"].append(f"entry {position}: it was opened for several owners")
        elif _limits(fact) != _limits(self._opened):
            self.notes.append(
                f"{self.party} changed its caps from {_caps(self._opened)} to {_caps(fact)}, entry {position}"
            )
        stated = None if self._opened is None else self._opened.records
        fact = fact.carrying(self._opened)
        self._count_on(fact, stated, position)
        self._opened = fact
        self._life.open(fact)
        self.slots.open(fact)

    def _count_on(self, fact: Opened, stated: int | None, position: int) -> None:
        """K never falls by itself; an operator lowered it."""
        before = stated or (len(self.named) if self._counts["reserved"] else 0)
        after = fact.records or len(self.named)
        if after < before:
            self.notes.append(
                f"{self.party} counts one person at {after} holders from entry {position} on, and at {before} before: "
                "its operator lowered K"
            )

    @property
    def records(self) -> int:
        """K: at how many holders the caps count one person; all that are known where the ledger does not say."""
        stated = None if self._opened is None else self._opened.records
        return stated or max(1, len(self.named))

    def _recover(self, fact: Recovered, position: int) -> None:
        if fact.lost_to != position - 1 or fact.lost_from != position - self._lost_run:
            self._wrong["recovery"].append(f"entry {position} names other lost entries than stand before it")
        self.lost.append((position, fact))
        self._life.recover(fact)
        self.slots.recover(fact)
        cap = self._opened
        if fact.spent == "all" and cap is not None and cap.epsilon is not None and cap.delta is not None:
            full = squared_cap(float(cap.epsilon), float(cap.delta))
            self._by_studies = self._by_studies._replace(squared_mu=max(self._by_studies.squared_mu, full))
        self.notes.append(
            f"{self.party} restored a backup: entries {fact.lost_from} to {fact.lost_to} are lost; heads from "
            f"{', '.join(fact.witnesses)}, charges from {many(len(fact.bundles), 'bundle')}"
            + (", and the whole lifetime budget counts as spent" if fact.spent == "all" else "")
        )

    def _charge(self, fact: Reserved, raw: dict[str, object], position: int, value: str) -> None:
        question = f"{fact.question.run}/{fact.question.round}/{fact.question.attempt}"
        if self._scratch.one("SELECT 1 FROM charge WHERE party = ? AND question = ?", self.party, question):
            self._wrong["order"].append(f"entry {position} charges an attempt again")
        shared = canonical_json({field: raw.get(field, "integer") for field in SHARED}).decode()
        self._scratch.put("charge", self.party, fact.core, position, question, value, shared)
        if fact.event.squared_mu():
            self._prices[fact.event.squared_mu(), fact.records] += 1
        self._life.charge(fact.event)
        self._by_studies = self._by_studies.plus(fact.event, fact.records)
        self.named.update(fact.holders)
        self.studies[fact.study_digest] = self.studies.get(fact.study_digest, Total()).plus(fact.event, fact.records)
        self._caps_kept(fact, position)
        before = self._sets.get(fact.study_digest)
        if before is not None and not set(fact.holders) <= before:
            self._wrong["sets"].append(f"entry {position}: the set of holders of study {fact.study} grows")
        self._sets[fact.study_digest] = frozenset(fact.holders)
        self.slots.charge(fact, position)
        self._wrong["noise"] += wrong_with_shares(fact, position)
        if fact.assurance == "float":
            self._wrong["generator"].append(
                f"entry {position} ({fact.study}, {fact.title}): noise of 2^32 states: count these values as known"
            )
        if self.owner and self.owner[1] == "holder" and self.owner[0] not in fact.holders:
            self._wrong["order"].append(f"entry {position} charges a question that its owner took no part in")
        if fact.study_digest in self._denied:
            self._wrong["permission"].append(f"entry {position}: study {fact.study} was denied by the operator")
        if self._departed:
            self._wrong["permission"].append(f"entry {position}: its owner had left the federation")
        self.used_rosters.add(fact.roster)
        if fact.policy:
            self.policies.add(fact.policy)

    def _caps_kept(self, fact: Reserved, position: int) -> None:
        cap = self._opened
        if cap is None:
            self._wrong["order"].append(f"entry {position} charges a ledger that nobody opened")
            return
        self._days.add(fact)
        self._days_by_studies.add(fact, fact.records)
        k = cap.records
        if k is not None:
            least, _ = self.counted.get(fact.roster, (k, position))
            if k <= least:
                self.counted[fact.roster] = (k, position)
        who = f" for a person at {k} holders" if k is not None and k > 1 else ""
        if cap.epsilon is not None and cap.delta is not None:
            limit = squared_cap(float(cap.epsilon), float(cap.delta))
            if self.promise is None or limit > self.promise[0]:
                self.promise = (limit, float(cap.epsilon), float(cap.delta))
            spent = self._by_studies if k is None else self._life.total.at(k)
            if spent.squared_mu > limit:
                self._wrong["cap"].append(f"entry {position} passes the lifetime cap of epsilon {cap.epsilon}{who}")
            if spent.kappa > KAPPA_CAP:
                self._wrong["cap"].append(f"entry {position}: the noise is too coarse to count as Gaussian")
        if cap.period is not None:
            period = cap.period
            of = self._days_by_studies.of(period, fact.time) if k is None else self._days.of(period, fact.time).at(k)
            if of.squared_mu > squared_cap(float(period.epsilon), float(period.delta)):
                self._wrong["cap"].append(
                    f"entry {position} passes the cap of its period, epsilon {period.epsilon}{who}"
                )

    def _outcome(self, fact: Answered | Released | Failed, position: int) -> None:
        question = f"{fact.question.run}/{fact.question.round}/{fact.question.attempt}"
        found = self._scratch.one("SELECT question FROM charge WHERE party = ? AND core = ?", self.party, fact.core)
        if found != (question,) and not self.lost:
            self._wrong["order"].append(f"entry {position} ({fact.kind}) has no charge before it")
        value = {"answered": "payload", "released": "release", "failed": "reason"}[fact.kind]
        text = str(getattr(fact, value))
        earlier = self._scratch.one(
            "SELECT value FROM outcome WHERE party = ? AND kind = ? AND core = ?", self.party, fact.kind, fact.core
        )
        if earlier is not None and fact.kind == "answered":
            self._wrong["order"].append(f"entry {position} is a second answer to one plan")
        if earlier is not None and fact.kind == "released" and earlier[0] != text:
            self._wrong["order"].append(f"entry {position} is a second, different release of one plan")
        if isinstance(fact, Failed):
            self._blame(fact, position)
        self._scratch.put("outcome", self.party, fact.core, fact.kind, position, text)

    def _blame(self, fact: Failed, position: int) -> None:
        if (fact.reason == "check_words") != bool(fact.blamed):
            self._wrong["order"].append(
                f"entry {position} blames nobody for check words, or somebody for another thing"
            )
        for holder in fact.blamed:
            self._scratch.put("blamed", self.party, fact.core, holder, position)
            self.notes.append(f"{self.party}: {holder} answered otherwise than it had announced, entry {position}")

    def _result(self, fact: ResultAccepted, position: int) -> None:
        earlier = self._scratch.one(
            "SELECT position FROM result WHERE party = ? AND run = ? AND made_by = ? AND source = 'ledger'",
            self.party,
            fact.run,
            fact.made_by,
        )
        if earlier is not None:
            self._wrong["results"].append(f"entry {position} takes a second result of run {fact.made_by}")
        self._scratch.put(
            "result", self.party, fact.run, fact.made_by, position, fact.finish, fact.result or "", "ledger"
        )

    # --- what comes out ----------------------------------------------------------------------------------------

    def claims(self, price: Spent) -> Iterator[Claim]:
        """What was checked, after the last entry."""
        counts, wrong, about = self._counts, self._wrong, self.party
        yield judged(about, "entries are in canonical form", wrong["form"], f"{self.head.sequence} entries")
        yield judged(
            about,
            "every answer was charged before, once",
            wrong["order"],
            f"{counts['reserved']} charges, {counts['answered']} answers",
        )
        yield judged(about, "the noise stated is fine and shared as stated", wrong["noise"], "for every charge")
        yield judged(
            about,
            "no noise can be found by trying all states of its generator",
            wrong["generator"],
            "exact noise in every charge",
        )
        yield judged(about, "a study's set of holders only shrinks", wrong["sets"], f"{len(self._sets)} studies")
        yield judged(
            about,
            "nothing was charged against its owner's word",
            wrong["permission"],
            "no denied study, none after leaving",
        )
        yield judged(
            about,
            "the coordinator never showed contradicting plans here",
            wrong["evidence"],
            "no evidence of it is kept",
        )
        yield judged(
            about,
            "the coordinator handed out one result a run here",
            wrong["results"],
            f"{counts['result']} results, no evidence of another",
        )
        if self.lost or wrong["recovery"]:
            yield judged(about, "recoveries are in order", wrong["recovery"], f"{len(self.lost)} recoveries")
        cap = self._opened
        if cap is not None and cap.epsilon is not None:
            text = f"never above epsilon {cap.epsilon} at delta {cap.delta}"
            if cap.records is not None:
                text += f" for a person at {many(cap.records, 'holder')}"
            if cap.period is not None:
                text += f", and {cap.period.epsilon} in any {cap.period.days} days"
            yield judged(about, "the lifetime cap was kept", wrong["cap"], text)
        yield from self.slots.claims(about)
        yield accountants_agree(about, price)

    def price(self, *, third: bool) -> Spent:
        """What its charges add up to.

        Args:
            third: whether Opacus' accountant is asked as well, where it is installed.
        """
        opened = self._opened
        delta = float(opened.delta) if opened is not None and opened.delta is not None else DEFAULT_DELTA
        k = self.records if self.owner is not None and self.owner[1] == "holder" else None
        prices: Counter[Fraction] = Counter()
        fits = self.slots.of_person(k)
        for (own, of_study), count in self._prices.items():
            prices[own * (k or of_study) ** 2] += count
        return Spent(
            owner=self.owner[0] if self.owner else "",
            role=self.owner[1] if self.owner else "",
            charges=self._counts["reserved"],
            k=k,
            delta=delta,
            epsilon=epsilon_with(sum((p * n for p, n in prices.items()), Fraction(0)), fits, delta),
            epsilon_pld=pld_epsilon(prices, delta, fits),
            epsilon_prv=prv_epsilon(prices, delta, fits) if third else None,
            cap=None if opened is None or opened.epsilon is None else float(opened.epsilon),
        )


def _limits(opened: Opened) -> tuple[object, ...]:
    return opened.epsilon, opened.delta, opened.period, opened.slots


def _caps(opened: Opened) -> str:
    period = f", {opened.period.epsilon} per {opened.period.days} days" if opened.period else ""
    slots = f", {many(sum(one.count for one in opened.slots), 'slot')}" if opened.slots else ""
    return f"epsilon {opened.epsilon} at delta {opened.delta}{period}{slots}"
