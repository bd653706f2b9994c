"""Comparisons: charges with plans, ledgers with what others remember of them, and all parties with each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import combinations

from privacy.audit.entry_claims import SHARED, Walk
from privacy.audit.findings import Claim, judged
from privacy.audit.scratch import Scratch
from privacy.ledger.merkle import Peaks
from privacy.protocol.study import Study
from privacy.secure_sum.masks import cancel

#: First protocol in which READY announces check words.
_CHECK_WORDS_SINCE = 3


def plans_fit(walk: Walk, scratch: Scratch) -> Iterator[Claim]:
    """Each charge of a bundle follows from a signed plan in it that all its participants confirmed."""
    party, lost = walk.party, bool(walk.lost)
    wrong: list[str] = []
    total = 0
    for core, position, facts, planned in scratch.ask(
        "SELECT charge.core, position, charge.facts, plan.facts FROM charge LEFT JOIN plan "
        "ON plan.party = charge.party AND plan.core = charge.core WHERE charge.party = ? ORDER BY position",
        party,
    ):
        total += 1
        if planned is None:
            if not _recovered(walk, position):
                wrong.append(f"entry {position}: there is no signed plan for {core[:12]}")
        elif facts != planned:
            wrong.append(f"entry {position} differs from its signed plan in {_differ(facts, planned)}")
    yield judged(party, "every charge follows from a signed plan", wrong, f"{total} charges")
    missing = [
        f"{holder} did not confirm plan {core[:12]}"
        for core, holders in scratch.ask(
            "SELECT plan.core, holders FROM plan JOIN charge USING (party, core) WHERE plan.party = ?", party
        )
        for holder in holders.split()
        if not scratch.one("SELECT 1 FROM ready WHERE party = ? AND core = ? AND holder = ?", party, core, holder)
    ]
    yield judged(party, "every participant confirmed every plan that was charged", missing, f"{total} plans")
    yield _rehearsed(walk, scratch)
    yield _as_announced(walk, scratch)
    if party.startswith("holder "):
        yield _own_answers(walk, scratch, lost)
    else:
        yield _answers_of_all(walk, scratch)


def _rehearsed(walk: Walk, scratch: Scratch) -> Claim:
    """Check words were announced for every plan that was charged, and add up to zero (since protocol 3)."""
    wrong = []
    count = 0
    for core, position in scratch.ask(
        "SELECT plan.core, position FROM plan JOIN charge USING (party, core) WHERE plan.party = ? AND protocol >= ?",
        walk.party,
        _CHECK_WORDS_SINCE,
    ):
        count += 1
        words = [
            text for (text,) in scratch.ask("SELECT words FROM ready WHERE party = ? AND core = ?", walk.party, core)
        ]
        if not all(words) or not cancel(words):
            wrong.append(f"entry {position} charges {core[:12]}, whose check words do not add up to zero")
    return judged(walk.party, "check words added up before anything was charged", wrong, f"{count} plans")


def _as_announced(walk: Walk, scratch: Scratch) -> Claim:
    """Answers end with the check words that were announced, but for those that an entry names as the cause."""
    wrong = []
    count = 0
    for core, holder, said, sent, blamed in scratch.ask(
        "SELECT core, holder, ready.words, contribution.words, position FROM contribution "
        "JOIN ready USING (party, core, holder) LEFT JOIN blamed USING (party, core, holder) WHERE party = ?",
        walk.party,
    ):
        count += 1
        if said != sent and blamed is None:
            wrong.append(f"the answer of {holder} to {core[:12]} ends otherwise than it had announced")
        elif said == sent and blamed is not None:
            wrong.append(f"entry {blamed} blames {holder}, whose answer to {core[:12]} ends as it had announced")
    for core, holder, position in scratch.ask(
        "SELECT core, holder, position FROM blamed WHERE party = ? AND NOT EXISTS "
        "(SELECT 1 FROM contribution WHERE contribution.party = blamed.party AND contribution.core = blamed.core "
        "AND contribution.holder = blamed.holder)",
        walk.party,
    ):
        wrong.append(f"entry {position} blames {holder} for {core[:12]}, and shows no answer of it")
    return judged(walk.party, "answers end with the check words that were announced", wrong, f"{count} answers")


def _own_answers(walk: Walk, scratch: Scratch, lost: bool) -> Claim:
    wrong = []
    query = (
        "SELECT outcome.core, outcome.position, value, payload, sequence, contribution.hash, charge.position, "
        "charge.hash FROM outcome LEFT JOIN contribution ON contribution.party = outcome.party "
        "AND contribution.core = outcome.core LEFT JOIN charge ON charge.party = outcome.party "
        "AND charge.core = outcome.core WHERE outcome.party = ? AND outcome.kind = 'answered'"
    )
    count = 0
    for core, position, value, payload, sequence, head, charged, entry in scratch.ask(query, walk.party):
        count += 1
        if payload is None:
            wrong.append(f"entry {position}: the signed answer to {core[:12]} is not here")
        elif payload != value:
            wrong.append(f"entry {position} records another answer than was signed")
        elif (sequence, head) != (charged, entry) and not lost:
            wrong.append(f"the answer to {core[:12]} was signed over another charge (entry {sequence})")
    return judged(walk.party, "answers were signed over the charge before them", wrong, f"{count} answers")


def _answers_of_all(walk: Walk, scratch: Scratch) -> Claim:
    wrong = []
    count = 0
    for core, holders in scratch.ask(
        "SELECT plan.core, holders FROM plan JOIN outcome USING (party, core) "
        "WHERE party = ? AND outcome.kind = 'released'",
        walk.party,
    ):
        for holder in holders.split():
            count += 1
            if not scratch.one(
                "SELECT 1 FROM contribution WHERE party = ? AND core = ? AND holder = ?", walk.party, core, holder
            ):
                wrong.append(f"the release of {core[:12]} has no signed answer of {holder}")
    return judged(walk.party, "every release has a signed answer of each participant", wrong, f"{count} answers")


def _recovered(walk: Walk, position: int) -> bool:
    """Whether a charge was taken over from another party's record in a recovery (it has no plan of its own here)."""
    return any(position > at for at, _ in walk.lost)


def _differ(first: str, second: str) -> str:
    ours, theirs = json.loads(first), json.loads(second)
    return ", ".join(field for field in SHARED if ours.get(field) != theirs.get(field))


def studies_within(walk: Walk, studies: Mapping[str, Study]) -> Claim:
    """What each study's charges add up to is within what the study promises."""
    wrong = []
    for digest, total in walk.studies.items():
        study = studies.get(digest)
        if study is None:
            if not walk.lost:
                wrong.append(f"the study {digest[:12]} is charged and not shown")
        elif not total.within(study.budget.epsilon, study.budget.effective_delta):
            wrong.append(f"study {study.name} passes its own budget of epsilon {study.budget.epsilon}")
    return judged(walk.party, "each study kept its own budget", wrong, f"{len(walk.studies)} studies")


def heads_kept(walks: list[Walk], scratch: Scratch) -> Iterator[Claim]:
    """No ledger is shorter than, or other than, what anybody remembers of it."""
    by_name: dict[str, list[Walk]] = {}
    for walk in walks:
        if walk.owner is not None:
            by_name.setdefault(walk.owner[0], []).append(walk)
    for name, theirs in sorted(by_name.items()):
        for walk in theirs:
            wrong = []
            count = 0
            for sequence, value, witness in scratch.ask(
                "SELECT sequence, hash, min(witness) FROM head WHERE subject = ? GROUP BY sequence, hash "
                "ORDER BY sequence",
                name,
            ):
                count += 1
                entry = scratch.one("SELECT hash FROM entry WHERE party = ? AND sequence = ?", walk.party, sequence)
                if entry == (value,) or _explained(walk, sequence, value):
                    continue
                what = "ends before" if entry is None else "differs at"
                wrong.append(f"it {what} entry {sequence}, whose head {witness} has seen signed")
            yield judged(walk.party, "nobody has seen another story of it", wrong, f"{count} heads compared")
    for (subject,) in list(scratch.ask("SELECT DISTINCT subject FROM head ORDER BY subject")):
        if subject in by_name:
            continue
        forks = [
            f"{subject} signed {count} different heads at entry {sequence}"
            for sequence, count in scratch.ask(
                "SELECT sequence, count(DISTINCT hash) FROM head WHERE subject = ? GROUP BY sequence "
                "HAVING count(DISTINCT hash) > 1",
                subject,
            )
        ]
        yield judged(
            subject, "it tells everybody the same story (its ledger is not here)", forks, "one head at each length"
        )


def roots_fit(walks: list[Walk], scratch: Scratch) -> Iterator[Claim]:
    """Each root that a party signed is the one of its entries: with it go the paths by which others take its heads."""
    for walk in walks:
        if walk.owner is None:
            continue
        peaks, last, count = Peaks(), 0, 0
        wrong = []
        for sequence, value, root in scratch.ask(
            "SELECT entry.sequence, entry.hash, root FROM entry LEFT JOIN root ON root.subject = ? "
            "AND root.sequence = entry.sequence AND root.hash = entry.hash WHERE entry.party = ? "
            "ORDER BY entry.sequence",
            walk.owner[0],
            walk.party,
        ):
            if sequence != last:
                peaks.append(bytes.fromhex(value))
                last = sequence
            if root is not None:
                count += 1
                if peaks.root.hex() != root:
                    wrong.append(f"the root that it signed with entry {sequence} is not the one of its entries")
        yield judged(
            walk.party, "roots that it signed are those of its entries", wrong, f"{count} roots computed again"
        )


def _explained(walk: Walk, sequence: int, value: str) -> bool:
    """Whether a head belongs to entries that a recovery says are lost; the newest must be the one that it names."""
    return any(
        fact.lost_from <= sequence <= fact.lost_to and (sequence < fact.lost_to or value == fact.head)
        for _, fact in walk.lost
    )


def recoveries_witnessed(walks: list[Walk], scratch: Scratch) -> Iterator[Claim]:
    """Every recovery names a head that its owner signed before, as somebody shows."""
    for walk in walks:
        if not walk.lost or walk.owner is None:
            continue
        wrong = [
            f"entry {position}: nobody here has seen the head that it says was lost"
            for position, fact in walk.lost
            if fact.lost_to >= fact.lost_from
            and not scratch.one(
                "SELECT 1 FROM head WHERE subject = ? AND sequence = ? AND hash = ?",
                walk.owner[0],
                fact.lost_to,
                fact.head,
            )
        ]
        yield judged(
            walk.party, "what a recovery says was lost was seen by others", wrong, f"{len(walk.lost)} recoveries"
        )


def same_story(walks: list[Walk], scratch: Scratch) -> Iterator[Claim]:
    """Every two parties recorded the same facts of plans, and the same releases, that both have."""
    for first, second in combinations(walks, 2):
        wrong = []
        common = 0
        for core, ours, theirs in scratch.ask(
            "SELECT a.core, a.facts, b.facts FROM charge a JOIN charge b ON a.core = b.core "
            "WHERE a.party = ? AND b.party = ?",
            first.party,
            second.party,
        ):
            common += 1
            if ours != theirs:
                wrong.append(f"plan {core[:12]} differs in {_differ(ours, theirs)}")
        for (core,) in scratch.ask(
            "SELECT DISTINCT a.core FROM outcome a JOIN outcome b ON a.core = b.core WHERE a.party = ? AND "
            "b.party = ? AND a.kind = 'released' AND b.kind = 'released' AND a.value <> b.value",
            first.party,
            second.party,
        ):
            wrong.append(f"plan {core[:12]} has two different releases")
        yield judged(f"{first.party}, {second.party}", "they tell the same story", wrong, f"{common} plans in common")


def all_charged(walks: list[Walk], scratch: Scratch) -> Iterator[Claim]:
    """Each holder whose ledger is here charged every released plan that names it, and signed its answer over that."""
    held = {walk.owner[0]: walk for walk in walks if walk.owner is not None and walk.owner[1] == "holder"}
    for walk in walks:
        if walk.owner is None or walk.owner[1] != "coordinator":
            continue
        missing = []
        count = 0
        for core, facts in scratch.ask(
            "SELECT DISTINCT charge.core, facts FROM charge JOIN outcome USING (party, core) "
            "WHERE party = ? AND kind = 'released'",
            walk.party,
        ):
            count += 1
            for holder in json.loads(facts)["holders"]:
                if holder in held and not scratch.one(
                    "SELECT 1 FROM charge WHERE party = ? AND core = ?", held[holder].party, core
                ):
                    missing.append(f"{holder} did not charge plan {core[:12]}")
        yield judged(
            walk.party,
            "every release was charged by each of its holders here",
            sorted(missing),
            f"{count} releases, {len(held)} holders' ledgers",
        )
