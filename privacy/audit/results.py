"""Results in records: each was signed once, is recorded as it was signed, and is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from privacy.audit.entry_claims import Walk
from privacy.audit.findings import Claim, judged
from privacy.audit.scratch import Scratch


def results_kept(walk: Walk, scratch: Scratch) -> Claim:
    """Every result of a ledger follows from a signed FINISH in its bundle, and so do the releases in that."""
    wrong = []
    count = 0
    for run, made_by, position, finish, result in scratch.ask(
        "SELECT run, made_by, position, finish, result FROM result WHERE party = ? AND source = 'ledger' "
        "ORDER BY position",
        walk.party,
    ):
        count += 1
        if not scratch.one(
            "SELECT 1 FROM result WHERE party = ? AND run = ? AND made_by = ? AND finish = ? AND result = ? "
            "AND source = 'FinishRequest'",
            walk.party,
            run,
            made_by,
            finish,
            result,
        ):
            wrong.append(f"entry {position}: the signed result of run {made_by} is not here, or says something else")
    wrong += [
        f"entry {position} records another release of {core[:12]} than was signed"
        for core, position in scratch.ask(
            "SELECT DISTINCT outcome.core, position FROM outcome JOIN told ON told.party = outcome.party AND "
            "told.core = outcome.core WHERE outcome.party = ? AND outcome.kind = 'released' AND told.value <> "
            "outcome.value ORDER BY position",
            walk.party,
        )
    ]
    return judged(walk.party, "every result follows from a signed statement", wrong, f"{count} results")


def same_results(scratch: Scratch) -> Iterator[Claim]:
    """One FINISH for each run and the run that made its result, and one text; whoever's word it is."""
    found = scratch.one("SELECT count(*) FROM (SELECT DISTINCT run, made_by FROM result)")
    if not found or not found[0]:
        return
    wrong = [
        f"run {made_by} handed out {count} different results of run {run}: " + _who(scratch, run, made_by)
        for run, made_by, count in scratch.ask(
            "SELECT run, made_by, count(DISTINCT finish) FROM result GROUP BY run, made_by "
            "HAVING count(DISTINCT finish) > 1 ORDER BY run, made_by"
        )
    ]
    wrong += [
        f"run {made_by} handed out {count} different texts"
        for made_by, count in scratch.ask(
            "SELECT made_by, count(DISTINCT result) FROM result GROUP BY made_by HAVING count(DISTINCT result) > 1 "
            "ORDER BY made_by"
        )
    ]
    yield judged("all records", "everybody was handed the same results", wrong, f"{found[0]} results")


def _who(scratch: Scratch, run: str, made_by: str) -> str:
    """Whose word is which: ``coordinator hub, holder north: 1a2b3c; holder east: 4d5e6f``."""
    parties: dict[str, list[str]] = {}
    for finish, party in scratch.ask(
        "SELECT DISTINCT finish, party FROM result WHERE run = ? AND made_by = ? ORDER BY finish, party", run, made_by
    ):
        parties.setdefault(finish, []).append(party)
    return ", ".join(f"{finish[:12]} at {' and '.join(names)}" for finish, names in parties.items())
