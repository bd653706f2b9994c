"""The ``cohortium`` command. It puts the parts together; heavy ones are imported where a command needs them."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer
from rich.markup import escape
from rich.table import Table

import server.analyses
from clients.commands import holder_app
from privacy.audit.commands import audit_app, auditor_app, budget_app, ledger_app
from privacy.errors import CohortiumError, ConfigError
from privacy.member_commands import roster_app
from privacy.presentation.terminal import (
    Json,
    Quiet,
    command_group,
    errors,
    print_json,
    progress_bars,
    screen,
    status_line,
    up,
    up_or_dash,
)
from server.commands import coordinator_app, warn_of_certificate
from simulations.commands import audit_test

if TYPE_CHECKING:
    from collections.abc import Callable

    from privacy.protocol.study import Study
    from privacy.results import StudyResult
    from server.running.federation import Patience
    from server.running.folder import CoordinatorFolder
    from server.running.progress import Progress

#: Modules that come with the extra [node]; the base install is what an auditor needs.
_EXTRA_MODULES = {
    "flwr", "ibis", "duckdb", "jinja2", "matplotlib", "pandas", "psycopg", "pyarrow", "safetensors",
}  # fmt: skip


def room_commands() -> list[typer.Typer]:
    """Groups of commands that analyses bring: ``app`` in the ``commands.py`` of a room, where there is one."""
    rooms = [f"server.analyses.{module.name}" for module in iter_modules(server.analyses.__path__) if module.ispkg]
    return [import_module(f"{room}.commands").app for room in rooms if find_spec(f"{room}.commands") is not None]


app = typer.Typer(
    name="cohortium",
    help="Private federated customer analytics: RFM segments over several data holders, without pooling their data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks print local variables, which may hold rows
    rich_markup_mode="rich",
)
study_app = command_group("study", "Write, check and run studies (coordinator).")
audit_app.command("test")(audit_test)  # here: it drives holders and a coordinator, which `privacy` may not import
for group in (
    study_app,
    holder_app,
    coordinator_app,
    auditor_app,
    roster_app,
    ledger_app,
    audit_app,
    budget_app,
    *room_commands(),
):
    app.add_typer(group)


class Transport(StrEnum):
    """How questions travel."""

    flower = "flower"
    in_process = "in-process"


TransportOption = Annotated[
    Transport,
    typer.Option(help="flower: SuperLink with TLS and a node process per holder. in-process: no processes."),
]


def main() -> NoReturn:
    """Run the command; every foreseen error becomes readable text and a documented exit code."""
    try:
        status = app(standalone_mode=False)  # commands return nothing; typer returns the code of an early exit
    except CohortiumError as error:
        _show_error(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _EXTRA_MODULES:
            raise
        _show_error(ConfigError(f"this command needs {error.name}", hint=_extra_hint(error.name or "")))
        sys.exit(ConfigError.exit_code)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's own: wrong use of the command line
            error.show()
            sys.exit(error.exit_code)
        raise
    if status == 130:
        errors.print("Stopped. What was charged stays charged; nothing else was kept half done.")
    sys.exit(status or 0)


def _extra_hint(module: str) -> str:
    return f'pip install "cohortium[{"postgres" if module.startswith("psycopg") else "node"}]"'


def _show_error(error: CohortiumError) -> None:
    errors.print(f"[bold red]Error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        errors.print(f"[bold]What to do:[/] {escape(error.hint)}", soft_wrap=True)


@app.command()
def version() -> None:
    """Print the release."""
    from privacy.kernel.version import software_version

    print(software_version())


# --- demo -------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo's federation lives; started anew each time.")] = Path(
        "demo"
    ),
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Your own data: a folder with one folder per holder, each with a holder.toml (and a study.toml "
            "beside them, if you have one). Without it, an online store and three shops are generated.",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="With --data and no study.toml: day to count recency from, YYYY-MM-DD.")
    ] = None,
    epsilon: Annotated[str, typer.Option(help="With --data and no study.toml: the privacy budget.")] = "1",
    transport: TransportOption = Transport.flower,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the main job on this machine: one private RFM segmentation for several data holders."""
    import shutil

    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study
    from simulations.worlds.local import Workspace

    if data is not None:
        if data.resolve().is_relative_to(folder.resolve()):
            raise ConfigError(
                f"{data} is inside {folder}, which is started anew",
                hint="give another --folder, or keep your data elsewhere; nothing was changed",
            )
        if as_of is None and not (data / "study.toml").exists():
            raise ConfigError(
                f"there is no study.toml in {data}", hint="write one with `cohortium study new`, or give --as-of"
            )
    marker = folder / ".cohortium-demo"
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise ConfigError(
                f"{folder} exists and is not a demo's folder", hint="choose another with --folder; nothing was changed"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    study_file = folder / "study.toml"
    if data is None:
        from simulations.worlds.generator import generate, study_toml

        with status_line("generating an online store and three shops", quiet or as_json):
            world = generate(folder / "data", customers=20_000)
        study_file.write_text(study_toml(world), encoding="utf-8")
        source = folder / "data"
    else:
        source = data
        own = data / "study.toml"
        if own.exists():
            shutil.copyfile(own, study_file)
        elif as_of is not None:
            study_file.write_text(_study_toml("demo", as_of, epsilon, "EUR"), encoding="utf-8")
    sources = {path.name: path for path in sorted(source.iterdir()) if (path / "holder.toml").exists()}
    study = read_toml(study_file, Study)
    # Here one person speaks for all holders, so they declare what the study counts on.
    workspace = Workspace.create(folder, sources, declared=study.budget.max_holders_per_customer)
    result = _run(study, _where(workspace.root, None, transport), quiet=quiet, as_json=as_json)
    if not as_json:
        screen.print(f"\nEverything of the demo is in [bold]{escape(str(folder))}[/]:")
        screen.print(f"  the study        {escape(str(study_file))}")
        first = result.participants[0]
        screen.print(f"  one holder       {escape(str(workspace.holder(first).root))} (data, policy, ledger, labels)")
        screen.print(f"  its ledger       cohortium ledger show {escape(str(workspace.holder(first).root))}")


# --- study ------------------------------------------------------------------------------------------------------


def _study_toml(name: str, as_of: str, epsilon: str, currency: str) -> str:
    from privacy.analyses.catalogue import NAMES, option_tables

    return f"""\
# A study. Only name, as_of and budget.epsilon are needed; the rest shows what can be set, at its defaults.
name = "{name}"
as_of = {as_of}              # only rows before this day count; recency is counted from its start
currency = "{currency}"
# analyses = ["{NAMES[0]}"]            # what to compute: {", ".join(NAMES)}; they share the budget
# time_zone = "UTC"             # where that day starts
# holders = ["online", "store"] # who takes part; not stated: everybody in the roster
# placement = "distributed"     # who adds the noise: distributed, local, central (trusts the coordinator)
# mechanism = "integer"         # with placement central also "opacus": the same noise, Opacus' accountant beside ours

[budget]
epsilon = {epsilon}                   # for one person, with all their records at all holders
# delta = 1e-6                  # not stated: 1 / (10 x size_class)
# max_holders_per_customer = 1  # not stated: the number of holders; 1 only if holders share no customers
# size_class = 100000           # public upper figure for the customers of all holders together
# colluding_holders = 1         # against how many colluding holders the promise must hold
# spare_attempts = 1            # repetitions kept in reserve for holders that fail in the middle
# split = {{ {NAMES[0]} = 0.3, {NAMES[-1]} = 0.7 }}  # the budget's shares, by analysis; not stated: alike

[cleaning]                      # the same for all holders
# duplicates = "drop"           # or "keep"
# cancellation_prefix = "C"     # order ids that start with this are cancellations
# returns = "drop"              # or "net": subtract them from the customer's spend
# non_goods = ["POST", "FEE"]   # product codes that are not goods

# [rates]                       # one unit of a foreign currency in {currency}
# USD = "0.92"
# GBP = {{ 2024-01-01 = "1.15", 2025-01-01 = "1.19" }}

{option_tables()}
[waits]                         # in seconds; who takes longer counts as absent
# joining = 600                 # until everybody has built its tables
# answering = 120               # for everything else
"""


@study_app.command("new")
def study_new(
    name: Annotated[str, typer.Argument(help="Short name: lower case, digits, - and _.")],
    as_of: Annotated[str, typer.Option(help="Day to count recency from, YYYY-MM-DD.")],
    epsilon: Annotated[str, typer.Option(help="Privacy budget for one person; 1 is a good start.")],
    currency: Annotated[str, typer.Option(help="Three-letter code.")] = "EUR",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; NAME.toml if not given.")
    ] = None,
) -> None:
    """Write a commented study file."""
    import tomllib
    from decimal import Decimal

    from privacy.kernel.canonical import describe_validation
    from privacy.protocol.study import Study

    text = _study_toml(name, as_of, epsilon, currency)
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
    screen.print(f"Wrote {escape(str(target))}. Next: cohortium study check {escape(str(target))}")


@study_app.command("check")
def study_check(
    study_file: Annotated[Path, typer.Argument(metavar="STUDY", help="The study's TOML file.")],
    holders: Annotated[
        int | None, typer.Option(help="How many holders; not needed where the study names them.", min=1)
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Take holders and their declarations from this federation on this machine.")
    ] = None,
    coordinator: Annotated[
        Path | None, typer.Option(help="The same of a real federation: the coordinator's folder.", exists=True)
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

    study = read_toml(study_file, Study)
    roster = None
    if coordinator is not None:
        from server.running.folder import CoordinatorFolder

        roster = CoordinatorFolder(root=coordinator).roster()
    elif workspace is not None:
        from simulations.worlds.local import Workspace

        roster = Workspace.open(workspace).coordinator.roster()
    holders = holders or len(study.holders or (roster.holders if roster else ()))
    if not holders:
        holders = 3
        errors.print("The study names no holders: this is for three. Give --holders N, or --workspace.", style="dim")
    check = check_study(study, holders=holders, largest_share=largest_share, roster=roster)
    if as_json:
        print_json(check.model_dump(mode="json"))
        return
    screen.print(
        f"[bold]{escape(check.study)}[/]: {check.holders} holders, epsilon {check.epsilon:g} at delta "
        f"{check.delta:.0e} for a person at up to {check.k} of them"
    )
    table = Table(title="What each question costs", title_justify="left")
    for column in ("question", "epsilon, no retry", "one retry", "spent so far, no retry", "one retry"):
        table.add_column(column, justify="left" if column == "question" else "right")
    for question in check.questions:
        table.add_row(
            question.title,
            up(question.epsilon),
            up_or_dash(question.epsilon_with_retry),
            up(question.total),
            up_or_dash(question.total_with_retry),
        )
    screen.print(table)
    size = study.budget.size_class
    screen.print(f"Expected error with {size:,} customer records (95%, from the noise alone):")
    for expectation in check.expectations:
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
    typer.Option(help="A federation on this machine: its folder, with coordinator/ and holders/.", file_okay=False),
]
CoordinatorOption = Annotated[
    Path | None,
    typer.Option(
        help="A real federation: the coordinator's folder, which `cohortium coordinator serve` serves.",
        file_okay=False,
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
    study = _read_study(study_file, as_of)
    where = _where(workspace, coordinator, transport)
    _run(study, where, again=again, quiet=quiet, as_json=as_json, waits=(hello_seconds, answer_seconds))


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

    where = _where(workspace, coordinator, transport)
    folder = where.folder
    study = folder.results.resolve(_read_study(study_file, as_of))
    with folder.locked():
        found = found_of(study, results=folder.results, ledger=folder.ledger(), releases=folder.releases)
    if not (quiet or as_json):
        for line in found.lines:
            screen.print(escape(line), soft_wrap=True)
    if not found.started:
        raise ConfigError(f"study {study.name} was never begun here", hint="begin it with `cohortium study run`")
    waits = (hello_seconds, answer_seconds)
    _run(found.study, where, quiet=quiet, as_json=as_json, waits=waits, hand_out=bool(found.without))


@study_app.command("report")
def study_report(
    result_folder: Annotated[
        Path,
        typer.Argument(metavar="RESULT", help="The folder of a result, in a coordinator's results/.", file_okay=False),
    ],
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
    screen.print(f"Report: [bold]{escape(str(folder.results.folder(result.study) / 'report.html'))}[/]", soft_wrap=True)


def _read_study(study_file: Path, as_of: str | None) -> Study:
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study, parse_day

    study = read_toml(study_file, Study)
    if as_of is None:
        return study
    try:
        return study.model_copy(update={"as_of": parse_day(as_of)})
    except ValueError:
        raise ConfigError(f"{as_of} is not a day", hint="write --as-of 2025-01-31") from None


class _Where(NamedTuple):
    """The coordinator's folder, and how its studies are run."""

    folder: CoordinatorFolder
    run: Callable[[Study, Patience, Progress], StudyResult]


def _where(workspace: Path | None, coordinator: Path | None, transport: Transport) -> _Where:
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
        return _Where(
            folder, lambda study, patience, progress: run_served(study, folder, patience=patience, progress=progress)
        )
    from simulations.worlds.local import Workspace, run_local

    local = Workspace.open(workspace or Path())
    return _Where(
        local.coordinator,
        lambda study, patience, progress: run_local(
            study, local, transport=transport.value, patience=patience, progress=progress
        ),
    )


def _run(
    study: Study,
    where: _Where,
    *,
    quiet: bool,
    as_json: bool,
    again: bool = False,
    waits: tuple[float | None, float | None] = (None, None),
    hand_out: bool = False,
) -> StudyResult:
    from server.running.federation import Patience

    results = where.folder.results
    study = results.resolve(study)
    if again:
        study = results.again(study)
    recorded = results.of(study)
    results.check_free(study)
    if recorded is None or hand_out:
        own = Patience.of(study)
        patience = Patience(hello=waits[0] or own.hello, answer=waits[1] or own.answer)
        with progress_bars(quiet or as_json) as progress:
            result = where.run(study, patience, progress)
    else:
        result = recorded
        if not as_json:
            screen.print(f"This study was run on {result.finished}; nothing was asked or spent. --again asks again.")
    target = results.folder(result.study)
    if as_json:
        print_json({"report": str(target / "report.html"), **result.model_dump(mode="json")})
    else:
        _show_result(result, target)
    return result


def _show_result(result: StudyResult, target: Path) -> None:
    from privacy.protocol.membership import result_fingerprint
    from server.analyses.catalogue import ANALYSES
    from server.report.render import describe_spending

    for analysis in ANALYSES:
        figures = analysis.figures(result)
        if figures is not None:
            for shown in analysis.terminal(figures, result, target):
                screen.print(shown, soft_wrap=True)
    screen.print(describe_spending(result.spending, "en"), soft_wrap=True)
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


if __name__ == "__main__":
    main()
