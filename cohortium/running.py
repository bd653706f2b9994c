"""Where a study is run, running it, and what the terminal says of its result."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import click
import typer
from click.core import ParameterSource
from rich.markup import escape

from privacy.errors import ConfigError
from privacy.presentation.terminal import errors, print_json, progress_bars, screen, terminal_language
from server.commands import coordinator_folder, warn_of_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from privacy.protocol.study import Study
    from privacy.results import StudyResult
    from server.running.federation import Patience
    from server.running.folder import CoordinatorFolder
    from server.running.progress import Progress


class Transport(StrEnum):
    """How questions travel."""

    flower = "flower"
    in_process = "in-process"


TransportOption = Annotated[
    Transport,
    typer.Option(help="flower: SuperLink with TLS and a node process per holder. in-process: no processes."),
]


#: How many seconds holders may take to join and to answer; None for what the study says.
Waits = tuple[float | None, float | None]


class Where(NamedTuple):
    """The coordinator's folder, how its studies are run, and for how long they wait."""

    folder: CoordinatorFolder
    run: Callable[[Study, Patience, Progress], StudyResult]
    waits: Waits


def given_coordinator(path: Path | None) -> Path | None:
    """A coordinator's folder that may be left out.

    Raises:
        ConfigError: if it is none.
    """
    return None if path is None else coordinator_folder(path)


def said_here(workspace: Path | None, coordinator: Path | None) -> tuple[Path | None, Path | None]:
    """Both as they are; where both are there, what the environment says yields to what was typed."""
    context = click.get_current_context(silent=True)
    if workspace is not None and coordinator is not None and context is not None:
        typed = {name: context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in _PLACES}
        if typed["workspace"] != typed["coordinator"]:
            return (workspace, None) if typed["workspace"] else (None, coordinator)
    return workspace, coordinator


_PLACES = ("workspace", "coordinator")


def where_to_run(
    workspace: Path | None, coordinator: Path | None, transport: Transport, waits: Waits = (None, None)
) -> Where:
    """A real federation or one on this machine: exactly one of the first two is given.

    Raises:
        ConfigError: if none or both are, or there is no federation.
    """
    workspace, coordinator = said_here(workspace, coordinator)
    if (workspace is None) == (coordinator is None):
        raise ConfigError(
            "say where to run it", hint="give --coordinator FOLDER, or --workspace FOLDER for one on this machine"
        )
    if coordinator is not None:
        from server.running.deployed import run_served
        from server.running.folder import CoordinatorFolder

        folder = CoordinatorFolder(root=coordinator)
        folder.roster()
        warn_of_certificate(coordinator)
        return Where(
            folder,
            lambda study, patience, progress: run_served(study, folder, patience=patience, progress=progress),
            waits,
        )
    from simulations.worlds.local import Workspace, run_local

    local = Workspace.open(workspace or Path())
    return Where(
        local.coordinator,
        lambda study, patience, progress: run_local(
            study, local, transport=transport.value, patience=patience, progress=progress
        ),
        waits,
    )


def recorded_in(workspace: Path | None, coordinator: Path | None) -> CoordinatorFolder:
    """The coordinator's folder of a federation, to be read.

    Raises:
        ConfigError: if none or both are given, or there is no federation.
    """
    workspace, coordinator = said_here(workspace, coordinator)
    if (workspace is None) == (coordinator is None):
        raise ConfigError("say whose studies", hint="give --coordinator FOLDER, or --workspace FOLDER")
    if coordinator is not None:
        from server.running.folder import CoordinatorFolder

        return CoordinatorFolder(root=coordinator)
    from simulations.worlds.local import Workspace

    return Workspace.open(workspace or Path()).coordinator


def run_there(
    study: Study, where: Where, *, quiet: bool, as_json: bool, again: bool = False, hand_out: bool = False
) -> StudyResult:
    """Run a study, or take its recorded result, and show it.

    Args:
        again: ask although there is a result, for a new budget.
        hand_out: run it although there is a result, so that holders that had missed this get it.
    """
    from server.running.enrolment import hook_of
    from server.running.federation import Patience
    from server.running.on_end import told_at_end

    results = where.folder.results
    with told_at_end(hook_of(where.folder.root), where.folder.root, study, _warn) as ending:
        study = results.resolve(study)
        if again:
            study = results.again(study)
        recorded = results.of(study)
        results.check_free(study)
        if recorded is None or hand_out:
            own = Patience.of(study)
            patience = Patience(hello=where.waits[0] or own.hello, answer=where.waits[1] or own.answer)
            with progress_bars(quiet or as_json) as progress:
                result = where.run(study, patience, progress)
            ending.outcome = "done"
        else:
            result, ending.outcome = recorded, "recorded"
            if not as_json:
                screen.print(
                    f"This study was run on {result.finished}; nothing was asked or spent. --again asks again."
                )
        target = results.folder(result.study)
        ending.report = target / "report.html"
        if as_json:
            print_json(result_as_json(result, where.folder))
        else:
            show_result(result, target)
    return result


def _warn(text: str) -> None:
    errors.print(f"[yellow]Warning:[/] {escape(text)}", soft_wrap=True)


def result_as_json(result: StudyResult, folder: CoordinatorFolder) -> dict[str, Any]:
    """A result for scripts: where its page is, its figures, and each figure as the pages write it."""
    report = folder.results.folder(result.study) / "report.html"
    return {"report": str(report), **result.model_dump(mode="json"), "shown": texts(result)}


def texts(result: StudyResult) -> dict[str, Any]:
    """Every figure as the pages write it, by language and analysis."""
    from privacy.presentation.texts import LANGUAGES
    from server.analyses.catalogue import ANALYSES

    return {
        language: {
            analysis.name: found for analysis in ANALYSES if (found := analysis.texts(result, language)) is not None
        }
        for language in LANGUAGES
    }


def show_result(result: StudyResult, target: Path) -> None:
    """Print a result: each analysis' tables, the spending, who confirmed it, and where its pages are."""
    from privacy.protocol.membership import result_fingerprint
    from server.analyses.catalogue import ANALYSES
    from server.report.render import describe_spending

    language = terminal_language()
    for analysis in ANALYSES:
        figures = analysis.shown_figures(result)
        if figures is not None:
            for shown in analysis.terminal(figures, result, target, language):
                screen.print(shown, soft_wrap=True)
    screen.print(describe_spending(result.spending, language), soft_wrap=True)
    for name, why in result.untold.items():
        screen.print(f"[yellow]No figures of {name}:[/] {escape(why)}")
    if result.missing:
        screen.print(f"[yellow]Missing:[/] {', '.join(result.missing)}")
    for difference in result.differences:
        colour = "yellow" if difference.expected else "red"
        screen.print(f"[{colour}]Ledgers differ:[/] {escape(difference.text)}", soft_wrap=True)
    if result.uncompared:
        screen.print(f"[yellow]Ledgers not compared with:[/] {', '.join(result.uncompared)}")
    if result.handed_out is not None:
        total = len(result.confirmed) + len(result.unconfirmed)
        late = f", not yet by {', '.join(result.unconfirmed)}" if result.unconfirmed else ""
        screen.print(
            f"The same result was confirmed by {len(result.confirmed)} of {total} holders{late}.", soft_wrap=True
        )
        screen.print(f"Fingerprint of the result: [bold]{result_fingerprint(result.handed_out)}[/]", soft_wrap=True)
    seconds = sum(timing.seconds for timing in result.timings)
    steps = ", ".join(f"{timing.step} {timing.seconds:.1f}" for timing in result.timings)
    screen.print(f"Time: {seconds:.1f} s ({steps})", soft_wrap=True, style="dim")
    screen.print(f"Report: [bold]{escape(str(target / 'report.html'))}[/]", soft_wrap=True)
