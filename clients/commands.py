"""Commands of a data holder; ``cohortium.py`` mounts them as ``cohortium holder``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, command_group, print_json, screen

if TYPE_CHECKING:
    from clients.data.guess_nouns import Question
    from clients.runs import RunFolder

holder_app = command_group("holder", "Check data, answer studies, label customers (data holder).")


@holder_app.command("check")
def holder_check(
    config_file: Annotated[Path, typer.Argument(metavar="HOLDER_TOML", help="The holder's holder.toml.")],
    study_file: Annotated[
        Path | None, typer.Option("--study", help="Apply this study's cleaning rules, currency and as-of day.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at your own data as a study would: counts per cleaning rule, problems, warnings. Nothing leaves."""
    from clients.data.check import preflight, render_check
    from clients.data.config import HolderConfig
    from privacy.contract.canonical import read_toml
    from privacy.contract.study import Study
    from privacy.errors import DataError

    config = read_toml(config_file, HolderConfig)
    study = read_toml(study_file, Study) if study_file else None
    report = preflight(config, study, base=config_file.resolve().parent)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        render_check(report, screen)
    if report.problems:
        raise typer.Exit(DataError.exit_code)


@holder_app.command("node")
def holder_node(
    folder: Annotated[Path, typer.Argument(help="The holder's folder.", exists=True, file_okay=False)],
    address: Annotated[str, typer.Option(help="The SuperLink's HOST:PORT.")],
    root_certificate: Annotated[Path, typer.Option(help="Certificate authority of the SuperLink.")],
    node_key: Annotated[Path, typer.Option(help="This node's registered key.")],
) -> None:
    """Answer studies until stopped. Listens on no port; runs only the code that is installed here."""
    import logging

    from clients.flower.node import run_node
    from clients.holder import HolderFolder

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    node = HolderFolder(folder).node()
    # The first study should not wait for these; they are slow to import.
    threading.Thread(target=_warm_up, daemon=True).start()
    run_node(
        address=address,
        root_certificate=root_certificate,
        node_key=node_key,
        holder=node.holder,
        handler=node.handle,
        stop=threading.Event(),
        on_event=lambda event: logging.getLogger("cohortium.node").info("%s", event),
    )


def _warm_up() -> None:
    import clients.data.customer_table
    import clients.labels  # noqa: F401


@holder_app.command("labels")
def holder_labels(
    folder: Annotated[Path, typer.Argument(help="The holder's folder.", exists=True, file_okay=False)],
    run: Annotated[str | None, typer.Option(help="Which run; the last one with results if not given.")] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="csv or parquet; may be given twice. labels.toml's if not given."),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="A database: postgresql://USER@HOST/DB (no password in it) or duckdb://FILE.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="With --to: name of the table.")] = None,
    changed_only: Annotated[
        bool, typer.Option("--changed-only", help="Only customers whose segment changed, and new ones.")
    ] = False,
    segment: Annotated[str | None, typer.Option(help="Only customers of this segment (its code).")] = None,
    as_json: Json = False,
) -> None:
    """Write your customers' labels and churn scores from what a run released. Costs nothing, asks nobody."""
    from clients.holder import HolderFolder
    from clients.labels import export_labels, to_label
    from clients.runs import RunFolder

    holder = HolderFolder(folder)
    runs = RunFolder(holder.state / "runs")
    chosen = _finished_run(runs, run)
    study = runs.study(chosen)
    if to_label(folder, study):
        holder.node().label(chosen)
    written = export_labels(
        folder, study.name, study.as_of, formats=tuple(formats or ()), to=to, table=table, changed_only=changed_only,
        segment=segment,
    )  # fmt: skip
    if as_json:
        print_json({"run": chosen, "written": [{"place": item.place, "rows": item.rows} for item in written]})
    else:
        for item in written:
            screen.print(f"Wrote {item.rows:,} rows to {escape(item.place)}", soft_wrap=True)


def _finished_run(runs: RunFolder, run: str | None) -> str:
    finished = [name for name in runs.runs() if runs.released_plans(name)]
    if run is None and not finished:
        raise ConfigError("no run has ended here yet", hint="labels are written when a study's results arrive")
    if run is not None and run not in finished:
        raise ConfigError(f"no run {run} has ended here", hint=f"there is: {', '.join(finished) or 'none'}")
    return run or finished[-1]


@holder_app.command("report")
def holder_report(
    folder: Annotated[Path, typer.Argument(help="The holder's folder.", exists=True, file_okay=False)],
    run: Annotated[str | None, typer.Option(help="Which run; the last one with results if not given.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    as_json: Json = False,
) -> None:
    """Write your own page: your customers against the consortium's. Stays on this machine and costs nothing."""
    from clients.holder import HolderFolder
    from clients.report.files import write_holder_report

    path = write_holder_report(HolderFolder(folder), run, output)
    if as_json:
        print_json({"report": str(path)})
    else:
        screen.print(f"Wrote {escape(str(path))}", soft_wrap=True)


@holder_app.command("new")
def holder_new(
    url: Annotated[str, typer.Argument(help="A file, a glob, or a database URL.")],
    holder: Annotated[str | None, typer.Option(help="This holder's short name.")] = None,
    table: Annotated[str | None, typer.Option(help="Table, for a database.")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of all rows, where there is no column for it.")] = None,
    password_env: Annotated[str | None, typer.Option(help="Environment variable with the database's password.")] = None,
    password_file: Annotated[str | None, typer.Option(help="Owner-only file with the database's password.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("holder.toml"),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Never ask; take the best guess, or say what is missing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Look at a source and write a commented holder.toml with guessed columns; asks only what it cannot guess."""
    from clients.data.guess import new_holder_file

    password = {"password_env": password_env} if password_env else {"password_file": password_file}
    new_holder_file(
        url,
        output=output,
        holder=holder,
        table=table,
        password={name: value for name, value in password.items() if value} or None,
        answers={"currency": currency} if currency else None,
        ask=None if yes else _ask,
        overwrite=force,
    )
    screen.print(f"Wrote {escape(str(output))}. Read it, then: cohortium holder check {escape(str(output))}")


def _ask(question: Question) -> str:
    screen.print(f"[bold]{escape(question.text)}[/]")
    for choice in question.choices:
        screen.print(f"  {escape(choice)}")
    return str(typer.prompt("answer", default=question.default))
