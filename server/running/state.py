"""What a coordinator's folder shows of its studies and members. Reading asks nobody and spends nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict

from privacy.errors import CarrierError, ConfigError
from privacy.ledger import Ledger, Released, Reserved
from privacy.locks import is_held
from privacy.protocol.asked_studies import studies_of_runs
from privacy.results import StudyResult
from server.flower.superlink import SuperLinkFiles
from server.running.folder import CoordinatorFolder
from server.running.renewal import Renewal


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StudyState(_Value):
    """One run of a study.

    Attributes:
        study, as_of, repeat: which.
        analyses: what it is about.
        state: ``done``; ``under way``; ``cut off``, where it was charged and has no result.
        day: when it ended, or was charged first, UTC.
        epsilon: its promise; ``spent`` is what one person lost, None before the end.
        holders, missing, unconfirmed: who took part, who dropped out, who did not confirm the result.
        released: titles of the questions that are answered.
        report: its page; empty before the end.
        next: the command that goes on; empty where there is nothing to do.
    """

    study: str
    as_of: dt.date
    repeat: int
    analyses: tuple[str, ...]
    state: Literal["done", "under way", "cut off"]
    day: dt.date
    epsilon: float
    spent: float | None
    holders: tuple[str, ...]
    missing: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    released: tuple[str, ...]
    report: str
    next: str


def studies_of(folder: CoordinatorFolder) -> tuple[StudyState, ...]:
    """All runs that this coordinator has begun, oldest first."""
    found = [_done(folder, result) for result in folder.results.all()]
    ended = {(item.study, item.as_of, item.repeat) for item in found}
    path = folder.root / "ledger.sqlite"
    if path.exists():
        state: Literal["under way", "cut off"] = "under way" if is_held(folder.run_lock) else "cut off"
        begun = list(_begun(Ledger(path)))
        for number, item in enumerate(begun):
            if (item.study, item.as_of, item.repeat) not in ended:
                last = number == len(begun) - 1
                found.append(item.model_copy(update={"state": state if last else "cut off"}))
    return tuple(sorted(found, key=lambda item: (item.day, item.study, item.repeat)))


def _done(folder: CoordinatorFolder, result: StudyResult) -> StudyState:
    study = result.study
    return StudyState(
        study=study.name,
        as_of=study.as_of,
        repeat=study.repeat,
        analyses=tuple(study.analyses),
        state="done",
        day=dt.date.fromisoformat(result.finished[:10]),
        epsilon=float(study.budget.epsilon),
        spent=result.spending.epsilon_person,
        holders=result.participants,
        missing=result.missing,
        unconfirmed=result.unconfirmed,
        released=tuple(dict.fromkeys(question.question for question in result.spending.questions)),
        report=str(folder.results.folder(study) / "report.html"),
        next="",
    )


def _begun(ledger: Ledger) -> Iterable[StudyState]:
    """Runs that were charged, each once, in the order of their first charge."""
    asked: dict[str, Any] = dict(studies_of_runs(ledger))
    released: set[str] = set()
    charges: dict[str, list[Reserved]] = {}
    for fact in ledger.facts():
        if isinstance(fact, Released):
            released.add(fact.core)
        elif isinstance(fact, Reserved) and fact.question.run in asked:
            charges.setdefault(fact.study_digest, []).append(fact)
    for group in charges.values():
        study = asked[group[0].question.run]
        yield StudyState(
            study=study["name"],
            as_of=dt.date.fromisoformat(study["as_of"]),
            repeat=study.get("repeat", 0),
            analyses=tuple(study["analyses"]),
            state="cut off",
            day=dt.datetime.fromtimestamp(group[0].time, dt.UTC).date(),
            epsilon=float(study["budget"]["epsilon"]),
            spent=None,
            holders=group[-1].holders,
            missing=(),
            unconfirmed=(),
            released=tuple(dict.fromkeys(charge.title for charge in group if charge.core in released)),
            report="",
            next=f"cohortium study resume {study['name']}.toml",
        )


class MemberState(_Value):
    """A member of the roster in force.

    Attributes:
        member, role: who.
        online: whether its node is connected; None where the coordinator is not serving, or it has no node.
        since: since when it is, or is not, UTC; empty where that is not known.
    """

    member: str
    role: str
    online: bool | None
    since: str


class CoordinatorState(_Value):
    """How a coordinator stands.

    Attributes:
        federation, version: the roster in force.
        serving: whether members' nodes can connect.
        run_under_way: whether a study is being run.
        certificate_days: whole days until the server's certificate ends; None where there is none.
        members: of the roster.
        studies: all runs.
    """

    federation: str
    version: int
    serving: bool
    run_under_way: bool
    certificate_days: int | None
    members: tuple[MemberState, ...]
    studies: tuple[StudyState, ...]


def state_of(folder: CoordinatorFolder) -> CoordinatorState:
    """How a coordinator stands now.

    Raises:
        ConfigError: if it has no roster.
    """
    roster = folder.roster()
    serving = is_held(folder.serve_lock)
    seen = _seen(folder) if serving else {}
    members = [
        MemberState(
            member=member.id,
            role=member.role,
            online=seen[member.id][0] if member.id in seen else None,
            since=seen[member.id][1] if member.id in seen else "",
        )
        for member in roster.members
    ]
    return CoordinatorState(
        federation=roster.federation,
        version=roster.version,
        serving=serving,
        run_under_way=is_held(folder.run_lock),
        certificate_days=_certificate_days(folder.root),
        members=tuple(members),
        studies=studies_of(folder),
    )


def _certificate_days(root: Path) -> int | None:
    try:
        return Renewal(root).days_left()
    except (OSError, ValueError, ConfigError):
        return None


def _seen(folder: CoordinatorFolder) -> dict[str, tuple[bool, str]]:
    """Whether each node is connected, and since when; nothing where the SuperLink does not answer."""
    try:
        with SuperLinkFiles(folder.root / "flower").client() as client:
            return client.seen()
    except (httpx.HTTPError, CarrierError, OSError):
        return {}
