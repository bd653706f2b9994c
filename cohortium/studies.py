"""Commands of a coordinator on studies: write, check, run, resume, report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cohortium.running import (
    Transport,
    TransportOption,
    given_coordinator,
    recorded_in,
    result_as_json,
    run_there,
    said_here,
    show_result,
    where_to_run,
)
from cohortium.study_file import Choices, analyses_of, items_of, rates_of, read_study, study_template
from privacy.errors import ConfigError
from privacy.presentation.terminal import (
    Json,
    Quiet,
    command_group,
    errors,
    print_json,
    screen,
    tell,
    up,
    up_or_dash,
    wrote,
)

if TYPE_CHECKING:
    from server.running.check import StudyCheck
    from server.running.folder import CoordinatorFolder


class Returns(StrEnum):
    """What becomes of cancelled orders and returned lines."""

    drop = "drop"
    net = "net"


study_app = command_group("study", "Write, check and run studies (coordinator).")


@study_app.command("new")
def study_new(
    name: Annotated[str, typer.Argument(help="Short name: lower case, digits, - and _.")],
    as_of: Annotated[str, typer.Option(help="Day to count recency from, YYYY-MM-DD.")],
    epsilon: Annotated[str, typer.Option(help="Privacy budget for one person; 1 is a good start.")],
    currency: Annotated[str, typer.Option(help="Three-letter code.")] = "EUR",
    analyses: Annotated[str, typer.Option(metavar="A,B", help="What to compute; segments alone if not given.")] = "",
    holders: Annotated[str, typer.Option(metavar="A,B", help="Who takes part; all of the roster if not given.")] = "",
    returns: Annotated[
        Returns, typer.Option(help="Cancelled orders and returned lines: leave them out, or subtract them from spend.")
    ] = Returns.drop,
    cancellation_prefix: Annotated[str, typer.Option(help="Order ids that start with this are cancellations.")] = "",
    non_goods: Annotated[str, typer.Option(metavar="A,B", help="Product codes that are not goods: BAG,POST.")] = "",
    rate: Annotated[
        list[str] | None,
        typer.Option(metavar="USD=0.92", help="What one unit of a foreign currency is worth; several."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; NAME.toml if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a commented study file."""
    import tomllib
    from decimal import Decimal

    from privacy.kernel.canonical import describe_validation
    from privacy.protocol.study import Study

    choices = Choices(
        analyses=analyses_of(analyses),
        holders=items_of(holders),
        returns="" if returns is Returns.drop else returns.value,
        cancellation_prefix=cancellation_prefix,
        non_goods=items_of(non_goods),
        rates=rates_of(rate or ()),
    )
    text = study_template(name, as_of, epsilon, currency, choices)
    try:
        Study.model_validate(tomllib.loads(text, parse_float=Decimal))
    except tomllib.TOMLDecodeError:
        raise ConfigError(
            "the as-of day or epsilon cannot be read", hint="write --as-of 2025-01-31 --epsilon 1"
        ) from None
    except ValueError as problem:
        text = describe_validation(problem) if hasattr(problem, "errors") else str(problem)  # type: ignore[arg-type]
        raise ConfigError(f"not a valid study:\n{text}", hint="mend the options named above") from None
    target = output or Path(f"{name}.toml")
    if target.exists():
        raise ConfigError(f"{target} exists", hint="choose another file with --output")
    target.write_text(text, encoding="utf-8")
    wrote(target, f"Next: cohortium study check {escape(str(target))}", as_json=as_json)


@study_app.command("check")
def study_check(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's TOML file.")],
    holders: Annotated[
        int | None, typer.Option(help="How many holders; not needed where the study names them.", min=1)
    ] = None,
    workspace: Annotated[
        Path | None,
        typer.Option(
            help="Take holders and their declarations from this federation on this machine.",
            envvar="COHORTIUM_WORKSPACE",
        ),
    ] = None,
    coordinator: Annotated[
        Path | None,
        typer.Option(
            help="The same of a real federation: the coordinator's folder.",
            envvar="COHORTIUM_COORDINATOR",
            callback=given_coordinator,
        ),
    ] = None,
    largest_share: Annotated[
        float | None, typer.Option(help="The largest holder's declared share of all customers, 0 to 1.", min=0, max=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a study costs and how exact it will be, before any data is touched."""
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study
    from server.running.check import check_study

    study, folder = read_toml(study_file, Study), _folder_of(*said_here(workspace, coordinator))
    roster = folder.roster() if folder else None
    if folder is not None:
        study = folder.results.resolve(study)
    holders = holders or len(study.holders or (roster.holders if roster else ()))
    if not holders:
        holders = 3
        errors.print("The study names no holders: this is for three. Give --holders N, or --workspace.", style="dim")
    check = check_study(study, holders=holders, largest_share=largest_share, roster=roster)
    if as_json:
        print_json(check.model_dump(mode="json"))
        return
    _show_check(check, study.budget.size_class)


def _folder_of(workspace: Path | None, coordinator: Path | None) -> CoordinatorFolder | None:
    if coordinator is not None:
        from server.running.folder import CoordinatorFolder

        return CoordinatorFolder(root=coordinator)
    if workspace is not None:
        from simulations.worlds.local import Workspace

        return Workspace.open(workspace).coordinator
    return None


def _show_check(check: StudyCheck, size_class: int) -> None:
    screen.print(
        f"[bold]{escape(check.study)}[/]: {check.holders} holders, epsilon {check.epsilon:g} at delta "
        f"{check.delta:.0e} for a person at up to {check.k} of them"
    )
    table = Table(title="What each question costs", title_justify="left")
    for column in ("question", "epsilon", "asked again", "spent so far, no retry", "one retry"):
        table.add_column(column, justify="left" if column == "question" else "right")
    for question in check.questions:
        table.add_row(
            question.title,
            up(question.epsilon),
            up_or_dash(question.again),
            up(question.total),
            up_or_dash(question.total_with_retry),
        )
    screen.print(table)
    if len(check.parts) > 1:
        parts = ", ".join(f"{name} {part:.2f}" for name, part in check.parts.items())
        screen.print(f"Parts of the budget (mu squared): {parts}")
    screen.print(f"Expected error with {size_class:,} customer records (95%, from the noise alone):")
    for expectation in check.expectations:
        screen.print(f"  {expectation.text}")
    if check.at_worst:
        screen.print("The same where nothing is asked again, since the reserve was needed or a holder is away:")
        for expectation in check.at_worst:
            screen.print(f"  {expectation.text}")
    noise = ", ".join(f"{name} {value:.2f}" for name, value in check.placements.items())
    screen.print(f"Noise by placement (distributed = 1): {noise}")
    screen.print(
        f"What epsilon {check.epsilon:g} means: a coin-flip guess whether one person is in the data improves from 50% "
        f"to at most {check.best_guess:.1%}."
    )
    for warning in check.warnings:
        screen.print(f"[yellow]Warning:[/] {escape(warning)}", soft_wrap=True)


WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        help="A federation on this machine: its folder, with coordinator/ and holders/.",
        file_okay=False,
        envvar="COHORTIUM_WORKSPACE",
    ),
]

CoordinatorOption = Annotated[
    Path | None,
    typer.Option(
        help="A real federation: the coordinator's folder, which `cohortium coordinator serve` serves.",
        envvar="COHORTIUM_COORDINATOR",
        callback=given_coordinator,
    ),
]

AnswerSeconds = Annotated[
    float | None, typer.Option(help="How long to wait for answers; the study's waits.answering if not given.", min=1)
]
HelloSeconds = Annotated[
    float | None,
    typer.Option(help="How long holders may prepare their data; the study's waits.joining if not given.", min=1),
]

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="The study's TOML file.")]
AsOfOption = Annotated[str | None, typer.Option(help="Run it for this day instead of the file's, YYYY-MM-DD.")]


@study_app.command("run")
def study_run(
    study_file: StudyArgument,
    workspace: WorkspaceOption = None,
    coordinator: CoordinatorOption = None,
    as_of: AsOfOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask again although there is a result: spends a new budget of its own.")
    ] = False,
    transport: TransportOption = Transport.flower,
    answer_seconds: AnswerSeconds = None,
    hello_seconds: HelloSeconds = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a study. What was run before is shown again and spends nothing; a run that was cut off goes on."""
    study = read_study(study_file, as_of)
    where = where_to_run(workspace, coordinator, transport, (hello_seconds, answer_seconds))
    run_there(study, where, again=again, quiet=quiet, as_json=as_json)


@study_app.command("resume")
def study_resume(
    study_file: StudyArgument,
    workspace: WorkspaceOption = None,
    coordinator: CoordinatorOption = None,
    as_of: AsOfOption = None,
    transport: TransportOption = Transport.flower,
    answer_seconds: AnswerSeconds = None,
    hello_seconds: HelloSeconds = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say how far a study came that was cut off, and go on from there. What was released is not asked again.

    A study that has a result is handed out again to holders that had missed it, which costs nothing.
    """
    from server.running.resume import found_of

    where = where_to_run(workspace, coordinator, transport, (hello_seconds, answer_seconds))
    folder = where.folder
    study = folder.results.resolve(read_study(study_file, as_of))
    with folder.locked():
        found = found_of(study, results=folder.results, ledger=folder.ledger(), releases=folder.releases)
    if not (quiet or as_json):
        for line in found.lines:
            screen.print(escape(line), soft_wrap=True)
    if not found.started:
        raise ConfigError(f"study {study.name} was never begun here", hint="begin it with `cohortium study run`")
    run_there(found.study, where, quiet=quiet, as_json=as_json, hand_out=bool(found.without))


@study_app.command("report")
def study_report(
    result_folder: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="The folder of a result, in a coordinator's results/.", file_okay=False),
    ],
    as_json: Json = False,
) -> None:
    """Write a recorded result's pages and files again. Nothing is asked or spent."""
    from server.running.folder import CoordinatorFolder
    from server.running.pages import write_pages
    from server.running.studies import read_result

    folder = CoordinatorFolder(root=result_folder.resolve().parent.parent)
    result = read_result(result_folder)
    failed = write_pages(result, folder)
    for text in failed:
        errors.print(f"[yellow]Note:[/] {escape(text)}", soft_wrap=True)
    if failed:
        raise typer.Exit(1)
    page = str(folder.results.folder(result.study) / "report.html")
    tell({"report": page}, f"Report: [bold]{escape(page)}[/]", as_json)


@study_app.command("list")
def study_list(workspace: WorkspaceOption = None, coordinator: CoordinatorOption = None, as_json: Json = False) -> None:
    """List all runs: what is done, under way or cut off, what each spent, and how one goes on. Asks nobody."""
    from server.running.state import studies_of
    from server.running.state_screen import show_studies

    studies = studies_of(recorded_in(workspace, coordinator))
    if as_json:
        print_json([item.model_dump(mode="json") for item in studies])
    else:
        show_studies(studies)


@study_app.command("show")
def study_show(
    name: Annotated[str, typer.Argument(help="The study's name, as `study list` has it.")],
    workspace: WorkspaceOption = None,
    coordinator: CoordinatorOption = None,
    as_of: Annotated[str | None, typer.Option(help="Which of its runs; the last one if not given. YYYY-MM-DD.")] = None,
    as_json: Json = False,
) -> None:
    """Show a run again: its figures, what it spent, who confirmed it, and where its pages are. Asks nobody."""
    from server.running.state import studies_of
    from server.running.state_screen import show_studies

    folder = recorded_in(workspace, coordinator)
    runs = studies_of(folder)
    found = [item for item in runs if item.study == name and as_of in (None, item.as_of.isoformat())]
    if not found:
        known = ", ".join(dict.fromkeys(f"{item.study} ({item.as_of})" for item in runs))
        raise ConfigError(f"no run of {name} is recorded here", hint=f"recorded are: {known or 'none'}")
    last = found[-1]
    named = folder.results.named(name)
    result = next((one for one in named if (one.study.as_of, one.study.repeat) == (last.as_of, last.repeat)), None)
    if as_json:
        print_json(result_as_json(result, folder) if result is not None else last.model_dump(mode="json"))
    elif result is not None:
        show_result(result, folder.results.folder(result.study))
    else:
        show_studies([last])


@study_app.command("stop")
def study_stop(workspace: WorkspaceOption = None, coordinator: CoordinatorOption = None, as_json: Json = False) -> None:
    """End the run under way before its next question, from another terminal. What was released is kept.

    A question that is asked already is answered first, and holders that are awaited may still join: no charge is lost.
    """
    from server.running.stopping import StopRequest

    StopRequest(recorded_in(workspace, coordinator)).ask()
    text = "The run ends before its next question. [bold]cohortium study resume[/] goes on from there."
    tell({"stopping": True}, text, as_json)
