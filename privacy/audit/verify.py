"""``audit verify``: are ledgers whole, consistent with each other, and what epsilon do their facts imply?

PASS means: the records are consistent, and the noise that they state implies the epsilon shown. It does not mean that
the noise was added, that rows were clipped, or that a declaration (such as disjoint customers) is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from privacy.accounting.events import KAPPA_CAP, epsilon_spent, squared_cap, total_squared_mu
from privacy.accounting.gdp import root
from privacy.errors import LedgerError
from privacy.ledger import Answered, Failed, Ledger, Opened, Released, Reserved
from privacy.ledger.entries import Fact

#: Delta at which a ledger that states none (a coordinator's) is priced.
DEFAULT_DELTA = 1e-6

#: How far the two accountants may differ, as a share of epsilon.
_AGREEMENT = 0.01

#: Facts of a charge that all parties must record alike.
_SHARED = (
    "question", "study", "study_digest", "core", "analysis", "title", "statistic", "statistic_digest", "event",
    "records", "placement", "holders", "colluding", "assurance", "roster",
)  # fmt: skip


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(_Value):
    """One thing that was checked, the verdict, and why."""

    about: str
    claim: str
    verdict: Literal["PASS", "FAIL"]
    why: str


class Spent(_Value):
    """What one ledger's charges add up to for one person, by two accountants.

    Attributes:
        epsilon: closed form (Gaussian differential privacy), what the caps are held against.
        epsilon_pld: dp_accounting's privacy loss distribution, composed event by event.
        cap: the lifetime cap in force; None for a coordinator.
    """

    owner: str
    role: str
    charges: int
    delta: float
    epsilon: float
    epsilon_pld: float
    cap: float | None


class Verdict(_Value):
    """Everything that ``audit verify`` found."""

    claims: tuple[Claim, ...]
    spent: tuple[Spent, ...]

    @property
    def passed(self) -> bool:
        """Whether every claim passed."""
        return all(claim.verdict == "PASS" for claim in self.claims)


def verify(paths: Iterable[Path]) -> Verdict:
    """Check ledgers one by one, and against each other."""
    claims: list[Claim] = []
    spent: list[Spent] = []
    ledgers: list[tuple[str, list[Fact]]] = []
    for path in paths:
        try:
            ledger = Ledger(path)
            facts = list(ledger.facts())
            opened = [fact for fact in facts if isinstance(fact, Opened)]
            if not opened:
                raise LedgerError(f"{path.name} was never opened for an owner")
        except LedgerError as error:
            claims.append(_claim(str(path), "the chain is intact", False, error.message))
            continue
        name = f"{opened[0].role} {opened[0].owner}"
        head = ledger.head
        claims.append(_claim(name, "the chain is intact", True, f"{head.sequence} entries, head {head.hash}"))
        claims.extend(_consistent(name, facts))
        claims.extend(_within_caps(name, facts))
        price = _price(opened[-1], facts)
        spent.append(price)
        claims.append(
            _claim(
                name,
                "two accountants agree on epsilon",
                abs(price.epsilon - price.epsilon_pld) <= _AGREEMENT * max(price.epsilon, 0.01),
                f"closed form {price.epsilon:.4f}, privacy loss distribution {price.epsilon_pld:.4f}",
            )
        )
        ledgers.append((name, facts))
    for (first, ours), (second, theirs) in combinations(ledgers, 2):
        claims.append(_same_story(first, ours, second, theirs))
    claims.extend(_all_charged(ledgers))
    return Verdict(claims=tuple(claims), spent=tuple(spent))


def _claim(about: str, claim: str, holds: bool, why: str) -> Claim:
    return Claim(about=about, claim=claim, verdict="PASS" if holds else "FAIL", why=why)


def _charges(facts: Iterable[Fact]) -> list[Reserved]:
    return [fact for fact in facts if isinstance(fact, Reserved)]


def _consistent(name: str, facts: list[Fact]) -> Iterator[Claim]:
    """Every attempt charged once and before its outcome, at most one answer to it, one owner."""
    charged: dict[str, Reserved] = {}
    questions = set()
    answered: set[str] = set()
    wrong: list[str] = []
    for position, fact in enumerate(facts, start=1):
        if isinstance(fact, Reserved):
            if fact.question in questions:
                wrong.append(f"entry {position} charges an attempt again")
            questions.add(fact.question)
            charged[fact.core] = fact
        elif isinstance(fact, Answered | Released | Failed):
            if fact.core not in charged or charged[fact.core].question != fact.question:
                wrong.append(f"entry {position} ({fact.kind}) has no charge before it")
            if isinstance(fact, Answered):
                if fact.core in answered:
                    wrong.append(f"entry {position} is a second answer to one plan")
                answered.add(fact.core)
    owners = {(fact.owner, fact.role) for fact in facts if isinstance(fact, Opened)}
    if len(owners) != 1:
        wrong.append("it was opened for several owners")
    yield _claim(
        name,
        "every answer was charged before, once",
        not wrong,
        "; ".join(wrong[:3]) or f"{len(charged)} charges, {len(answered)} answers",
    )


def _within_caps(name: str, facts: list[Fact]) -> Iterator[Claim]:
    """At each charge, the sum so far is within the lifetime cap then in force."""
    total = kappa = Fraction(0)
    cap: Opened | None = None
    wrong: list[str] = []
    for position, fact in enumerate(facts, start=1):
        if isinstance(fact, Opened):
            cap = fact
        elif isinstance(fact, Reserved):
            total += fact.event.squared_mu(fact.records)
            kappa += fact.event.kappa
            if cap is not None and cap.epsilon is not None and cap.delta is not None:
                if total > squared_cap(float(cap.epsilon), float(cap.delta)):
                    wrong.append(f"entry {position} passes the lifetime cap of epsilon {cap.epsilon}")
                if kappa > KAPPA_CAP:
                    wrong.append(f"entry {position}: the noise is too coarse to count as Gaussian")
    if cap is not None and cap.epsilon is not None:
        text = f"never above epsilon {cap.epsilon} at delta {cap.delta}"
        yield _claim(name, "the lifetime cap was kept", not wrong, "; ".join(wrong[:3]) or text)


def _price(opened: Opened, facts: list[Fact]) -> Spent:
    charges = _charges(facts)
    delta = float(opened.delta) if opened.delta is not None else DEFAULT_DELTA
    total = sum((charge.event.squared_mu(charge.records) for charge in charges), Fraction(0))
    return Spent(
        owner=opened.owner,
        role=opened.role,
        charges=len(charges),
        delta=delta,
        epsilon=epsilon_spent(total, delta),
        epsilon_pld=_second_opinion(charges, delta),
        cap=None if opened.epsilon is None else float(opened.epsilon),
    )


def _second_opinion(charges: list[Reserved], delta: float) -> float:
    """Epsilon by dp_accounting's privacy loss distributions, one Gaussian event a charge."""
    if not charges:
        return 0.0
    from dp_accounting import GaussianDpEvent  # here: slow to import
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    for charge in charges:
        accountant.compose(GaussianDpEvent(1 / root(total_squared_mu([charge.event], charge.records))))
    return float(accountant.get_epsilon(delta))


def _same_story(first: str, ours: list[Fact], second: str, theirs: list[Fact]) -> Claim:
    """Two parties recorded the same facts of the plans, and the same releases, that both have."""
    wrong: list[str] = []
    mine = {charge.core: charge for charge in _charges(ours)}
    common = 0
    for charge in _charges(theirs):
        other = mine.get(charge.core)
        if other is None:
            continue
        common += 1
        differ = [field for field in _SHARED if getattr(charge, field) != getattr(other, field)]
        if differ:
            wrong.append(f"plan {charge.core[:12]} differs in {', '.join(differ)}")
    releases = {fact.core: fact.release for fact in ours if isinstance(fact, Released)}
    for fact in theirs:
        if isinstance(fact, Released) and releases.get(fact.core, fact.release) != fact.release:
            wrong.append(f"plan {fact.core[:12]} has two different releases")
    return _claim(
        f"{first}, {second}", "they tell the same story", not wrong, "; ".join(wrong[:3]) or f"{common} plans in common"
    )


def _all_charged(ledgers: list[tuple[str, list[Fact]]]) -> Iterator[Claim]:
    """Each holder whose ledger is here charged every released plan that names it."""
    held = {
        name.removeprefix("holder "): {charge.core for charge in _charges(facts)}
        for name, facts in ledgers
        if name.startswith("holder ")
    }
    for name, facts in ledgers:
        if not name.startswith("coordinator "):
            continue
        released = {fact.core for fact in facts if isinstance(fact, Released)}
        missing = sorted(
            f"{holder} did not charge plan {charge.core[:12]}"
            for charge in _charges(facts)
            if charge.core in released
            for holder in charge.holders
            if holder in held and charge.core not in held[holder]
        )
        yield _claim(
            name,
            "every release was charged by each of its holders here",
            not missing,
            "; ".join(missing[:3]) or f"{len(released)} releases, {len(held)} holders' ledgers",
        )
