"""One person over all ledgers together: what no single ledger can add up.

Question j is asked of the holders H_j at the price m_j^2 for one record. A person at the holders P moves its sum by at
most |P n H_j| records. So mu(P)^2 is the sum of |P n H_j|^2 m_j^2 over all questions: the sum over all pairs of holders
in P of G[h, h'], the sum of m_j^2 over the questions that both answered (docs/privacy.md, step 4).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import combinations, groupby
from typing import NamedTuple

import numpy as np

from privacy.accounting.events import GaussianSum, add_price
from privacy.accounting.sampled import epsilon_with
from privacy.audit.entry_claims import DEFAULT_DELTA, Walk
from privacy.audit.findings import Claim, Person, judged
from privacy.audit.roster_claims import History
from privacy.audit.scratch import Scratch
from privacy.presentation.numbers import many
from privacy.protocol.charging import holders_of_a_person

#: Sets of holders that are tried one by one; where there are more, mu is added up over ledgers (Minkowski).
MOST_SETS = 100_000

#: Pairs of holders that are looked up at once.
_ROOM = 1_000_000


class _Loss(NamedTuple):
    """What a person at some holders has lost, and the cap that holds for it, both in mu^2."""

    squared_mu: Fraction
    cap: Fraction
    holders: tuple[str, ...]
    exact: bool

    @property
    def share(self) -> float:
        return float(self.squared_mu / self.cap) if self.cap else float(self.squared_mu)


def counted_as_declared(walk: Walk, history: History) -> Claim:
    """The ledger counted one person at all holders that its owner's declaration, as rosters list it, stands for."""
    wrong = []
    for digest, (k, position) in walk.counted.items():
        roster = history.rosters.get(digest)
        implied = holders_of_a_person(roster, walk.owner[0]) if roster is not None and walk.owner is not None else 0
        if k < implied:
            wrong.append(f"entry {position} counts one person at {many(k, 'holder')}, its owner declares {implied}")
    return judged(walk.party, "its caps count on what its owner declares", wrong, f"K is {walk.records}")


def within_the_cap(walks: list[Walk], scratch: Scratch, known: set[str]) -> tuple[Person | None, list[Claim]]:
    """Whether a person at any K holders stays within the cap, by the ledgers that are here.

    Args:
        known: all holders of the federation, as rosters list them.

    Returns:
        The person with the largest share of a cap, and the claim; (None, []) where no holder's ledger is here.
    """
    ledgers = _newest(walks)
    if not ledgers:
        return None, []
    everybody = known | {holder for walk in walks for holder in walk.named} | set(ledgers)
    for walk in ledgers.values():
        walk.named |= everybody
    asked = _asked(walks, ledgers, scratch)
    k_of = {holder: walk.records for holder, walk in ledgers.items()}
    caps = {holder: walk.promise[0] if walk.promise else Fraction(0) for holder, walk in ledgers.items()}
    losses = [loss for k in sorted(set(k_of.values())) for loss in _losses(k, k_of, caps, asked)]
    worst = max(losses, key=lambda loss: loss.share)
    promises = [ledgers[holder].promise for holder in worst.holders]
    limit = max((promise for promise in promises if promise is not None), default=None)
    delta = limit[2] if limit is not None else DEFAULT_DELTA
    fits = tuple(fit for holder in worst.holders for fit in ledgers[holder].slots.of_person(1))
    slots = tuple(slot for holder in worst.holders for slot in ledgers[holder].slots.book.all)
    cap = None if limit is None else epsilon_with(limit[0], slots, delta) if slots else limit[1]
    person = Person(
        holders=worst.holders,
        k=min(k_of[holder] for holder in worst.holders),
        delta=delta,
        epsilon=epsilon_with(worst.squared_mu, fits, delta),
        exact=worst.exact,
        cap=cap,
        missing=tuple(sorted(everybody - set(ledgers))),
    )
    names = ", ".join(person.holders)
    text = f"at {names}: epsilon {'' if person.exact else 'at most '}{person.epsilon:.4f}"
    above = limit is not None and worst.squared_mu > worst.cap
    wrong = [f"{text}, and the cap is {person.cap:g}"] if above else []
    told = f"{text} of {person.cap:g}" if limit is not None else f"{text}; no cap was in force"
    return person, [judged("all ledgers", "a person at any K holders stays within the cap", wrong, told)]


def _newest(walks: Iterable[Walk]) -> dict[str, Walk]:
    """Each holder's longest ledger."""
    found: dict[str, Walk] = {}
    for walk in walks:
        if walk.owner is None or walk.owner[1] != "holder":
            continue
        name = walk.owner[0]
        if name not in found or walk.head.sequence > found[name].head.sequence:
            found[name] = walk
    return found


def _asked(walks: list[Walk], ledgers: dict[str, Walk], scratch: Scratch) -> dict[frozenset[str], Fraction]:
    """Sum of m^2 of the questions by who answered them; each question once, whoever recorded it.

    Who lost charges that were never found counts as having answered whatever others say that it was asked.
    """
    party = {walk.party: holder for holder, walk in ledgers.items()}
    lossy = {holder for holder, walk in ledgers.items() if any(fact.spent == "all" for _, fact in walk.lost)}
    asked: dict[frozenset[str], Fraction] = {}
    rows = scratch.ask("SELECT core, party, facts FROM charge ORDER BY core")
    for _, group in groupby(rows, key=lambda row: str(row[0])):
        price, answered = Fraction(0), set()
        for _, who, text in group:
            facts = json.loads(text)
            if facts["event"]["kind"] == "gaussian_sum":  # trainings on samples have no mu^2
                price = max(price, GaussianSum.model_validate(facts["event"]).squared_mu())
            answered |= lossy & set(facts["holders"]) | ({party[who]} if who in party else set())
        key = frozenset(answered)
        asked[key] = add_price(asked.get(key, Fraction(0)), price)
    return asked


def _losses(
    k: int, k_of: dict[str, int], caps: dict[str, Fraction], asked: dict[frozenset[str], Fraction]
) -> Iterator[_Loss]:
    """The persons to look at among those at k holders, of the holders whose customers may be at so many.

    A further holder adds to the loss, and may raise the cap, which is the largest of them: so one limit after another.
    """
    names = sorted(holder for holder, most in k_of.items() if most >= k)
    own = {name: sum((price for who, price in asked.items() if name in who), Fraction(0)) for name in names}
    for limit in sorted({caps[name] for name in names}):
        fitting = [name for name in names if caps[name] <= limit]
        size = min(k, len(fitting))
        if math.comb(len(fitting), size) <= MOST_SETS:
            people = _worst_set(fitting, size, asked)
            squared = sum((price * len(who & set(people)) ** 2 for who, price in asked.items()), Fraction(0))
            yield _Loss(squared, limit, people, True)
        else:
            people = tuple(sorted(sorted(fitting, key=lambda name: own[name], reverse=True)[:size]))
            mu = sum(math.nextafter(math.sqrt(own[holder]), math.inf) for holder in people)
            yield _Loss(Fraction(mu) ** 2, limit, people, False)


def _worst_set(names: list[str], size: int, asked: dict[frozenset[str], Fraction]) -> tuple[str, ...]:
    """Among all sets of so many holders the one whose person has lost most."""
    shared = np.zeros((len(names), len(names)))
    for who, price in asked.items():
        member = np.array([name in who for name in names], dtype=float)
        shared += float(price) * np.outer(member, member)
    sets = np.array(list(combinations(range(len(names)), size)), dtype=np.int64)
    step = max(1, _ROOM // size**2)
    parts = [sets[start : start + step] for start in range(0, len(sets), step)]
    lost = np.concatenate([shared[part[:, :, None], part[:, None, :]].sum(axis=(1, 2)) for part in parts])
    return tuple(names[index] for index in sets[int(np.argmax(lost))])
