"""``cohortium holder report``: from a holder's folder to its page on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clients.analyses.catalogue import ANALYSES
from clients.analysis import Earlier, HolderContext, asked_by
from clients.analysis.actions import default_actions_toml, read_actions
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from clients.campaigns.ended import Lately, lately
from clients.data.source_shares import source_figures
from clients.report.group import GroupContext, group_of
from clients.report.page import Facts, Handed, holder_report
from clients.report.week import tags_of
from privacy.audit.budget import BudgetLeft, budget_left
from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Ledger
from privacy.member_folder import known_holders
from privacy.private_files import write_private
from privacy.protocol.membership import result_fingerprint
from privacy.protocol.study import Study
from privacy.results import StudyResult


def write_holder_report(
    folder: HolderFolder, run: str | None = None, output: Path | None = None, *, group: str | None = None
) -> Path:
    """Write the holder's page, readable by its owner only; returns its path.

    Movement is shown against the recorded run of the same study with the latest earlier as-of day, where there is one.
    ``actions.toml`` is put into the folder, with the product's suggestions, where it is absent.

    Args:
        folder: the holder's.
        run: id of the run; the last one that ended, if None.
        output: file to write; ``report/<study>-<as of>.html`` in the folder, if None, with the group's code before
            the dot where there is one.
        group: of ``tags.toml``; the page is of its customers alone, without movement. All customers, if None.

    Raises:
        ConfigError: if there is no such group or run or it has no result, a file is wrong, or the run measured nothing
            that the page shows.
        DataError: if the source cannot be read, or an analysis finds no customer that it needs.
        ProtocolError: if the coordinator's result does not fit the study or the plans that this holder answered.
    """
    runs = RunFolder(folder.state / "runs")
    chosen = run or _last(runs)
    study = runs.study(chosen)
    result = recorded_result(runs, chosen)
    answered = tuple(plan.core for plan in runs.released_plans(chosen))
    actions = folder.root / "actions.toml"
    if not actions.exists():
        write_private(actions, default_actions_toml().encode())
    shown = None if group is None else group_of(folder.root, study, group)
    context = folder.context(study, answered)
    if shown is not None:
        context = GroupContext(origin=context.origin, answered=answered, ids=shown.ids)
    holder = folder.config().holder
    page = holder_report(
        Facts(
            holder=holder,
            result=result,
            own=_own(context, result, partial(_earlier, folder, runs, None if shown else study)),
            actions=read_actions(actions),
            checked=True,
            actions_file=actions.name,
            handed=handed_result(runs, result, chosen, holder),
            budget=_left(folder),
            sources=() if shown else source_figures(context.origin),
            campaigns=Lately() if shown else lately(folder.root, study.as_of),
            tags=None if shown else tags_of(folder.root, study.as_of),
            group=shown,
        )
    )
    name = f"{study.name}-{study.as_of.isoformat()}" + (f"-{group}" if group else "")
    target = output or folder.root / "report" / f"{name}.html"
    write_private(target, page.encode())
    return target


def _own(context: HolderContext, result: StudyResult, before: Callable[[], Earlier | None]) -> dict[str, Any]:
    """The holder's own figures, by the analysis that they are of."""
    own = {}
    for analysis in ANALYSES:
        figures = analysis.figures(result)
        found = None if figures is None else analysis.own(context, figures, result, before)
        if found is not None:
            own[analysis.name] = found
    return own


def _left(folder: HolderFolder) -> BudgetLeft | None:
    """Of the ledger as it is; a page makes none."""
    path = folder.state / "ledger.sqlite"
    if not path.exists():
        return None
    return budget_left(Ledger(path), int(time.time()), holders=known_holders(folder.member.rosters()))


def recorded_result(runs: RunFolder, run: str) -> StudyResult:
    """The coordinator's result of a run, checked against what this holder itself recorded.

    Raises:
        ConfigError: if there is none.
        ProtocolError: if it is no result, is of another study, or states other public facts than the plans
            that this holder's node answered.
    """
    path = runs.root / run / "result.json"
    if not path.exists():
        raise ConfigError(f"run {run} has no result here", hint="it did not end, or this holder left it")
    try:
        result = StudyResult.model_validate_json(path.read_bytes())
    except ValidationError:
        raise ProtocolError(
            f"the result of run {run} cannot be read", hint="ask the coordinator for its release"
        ) from None
    answered = tuple(plan.core for plan in runs.released_plans(run))
    fits = result.study == runs.study(run) and result.run == run
    for analysis in ANALYSES:
        figures = analysis.figures(result)
        fits = fits and (figures is None or analysis.fits(figures, asked_by(analysis.name, answered)))
    if not fits:
        raise ProtocolError(
            f"the coordinator's result of run {run} does not fit what this holder answered",
            hint="keep the folder of the run as it is, and show it to an auditor",
        )
    return result


def handed_to(folder: HolderFolder, run: str | None = None) -> Handed:
    """What a holder was handed of a run, the last one that ended if None.

    Raises:
        ConfigError, ProtocolError: as :func:`write_holder_report`.
    """
    runs = RunFolder(folder.state / "runs")
    chosen = run or _last(runs)
    return handed_result(runs, recorded_result(runs, chosen), chosen, folder.config().holder)


def handed_result(runs: RunFolder, result: StudyResult, run: str, holder: str) -> Handed:
    """What a holder was handed of a run, for its people to compare with others'."""
    text = (runs.root / run / "result.json").read_bytes()
    agreed = runs.witnesses(run, result.run)
    return Handed(
        fingerprint=result_fingerprint(sha256_hex(text)),
        agreed=len(agreed) or None,
        total=len(agreed.union(result.participants, (holder,))),
    )


def _last(runs: RunFolder) -> str:
    ended = [run for run in runs.runs() if (runs.root / run / "result.json").exists()]
    if not ended:
        raise ConfigError("no run has ended here yet", hint="run a study first")
    return ended[-1]


def _earlier(folder: HolderFolder, runs: RunFolder, study: Study | None) -> Earlier | None:
    """The run of the same study with the latest earlier as-of day; of several, the last that ended; of None, none."""
    if study is None:
        return None
    best: tuple[Study, str] | None = None
    for run in runs.runs():
        if not (runs.root / run / "result.json").exists():
            continue
        other = runs.study(run)
        fits = other.name == study.name and other.currency == study.currency and other.as_of < study.as_of
        if fits and (best is None or other.as_of >= best[0].as_of):
            best = (other, run)
    if best is None:
        return None
    return Earlier(result=recorded_result(runs, best[1]), context=folder.context(best[0]))
