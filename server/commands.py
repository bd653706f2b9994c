"""Commands about what a coordinator hands out; ``cohortium.py`` mounts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, command_group, print_json, screen, up

if TYPE_CHECKING:
    from privacy.contract.churn_results import RankingFigures
    from privacy.contract.identity import Roster
    from privacy.contract.model_file import ModelFile

model_app = command_group("model", "Check and read a trained model's signed file (everybody).")

RosterOption = Annotated[
    Path | None,
    typer.Option(
        help="The roster to check the signature against: a roster.json, or a coordinator's or holder's folder. Not "
        "needed for a file that is still among its coordinator's results."
    ),
]
ModelArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A model.safetensors.")]


@model_app.command("show")
def model_show(path: ModelArgument, roster: RosterOption = None, as_json: Json = False) -> None:
    """Check a model file's signature and show what the coordinator states about it."""
    members, origin = _roster_for(path, roster)
    file = _read_model(path, members)
    if as_json:
        print_json({"file": str(path), "roster": str(origin), **file.summary()})
        return
    record = file.record
    key = next(member.public_key for member in members.members if member.id == file.signer)
    screen.print(
        f"Model of study [bold]{record.study}[/], run {escape(record.run)}: {record.family}, "
        f"{len(record.features)} features, churn within {record.horizon_days} days",
        soft_wrap=True,
    )
    screen.print(
        f"[green]Signature good:[/] {file.signer}, coordinator of {record.federation}, key {key} in "
        f"{escape(str(origin))}",
        soft_wrap=True,
    )
    days = ", ".join(day.isoformat() for day in record.training_days)
    evaluation = record.evaluation
    show_rankings(
        f"Tested on {record.test_day} (trained on {days}; {record.holders} holders)",
        tuple(quality.figures() for quality in (evaluation.quality, *evaluation.baselines)),
    )
    spent = record.privacy
    screen.print(
        f"Privacy: epsilon {up(float(spent.epsilon_person))} of {spent.epsilon_promised} promised, delta "
        f"{float(spent.delta):.0e}, for a person at up to {spent.records} holders "
        f"({spent.placement}, {spent.mechanism} noise)",
        soft_wrap=True,
    )
    for heading, sentences in (("For", record.intended_use), ("Not for", record.not_for)):
        screen.print(f"[bold]{heading}[/]")
        for sentence in sentences:
            screen.print(f"  - {escape(sentence.en)}", soft_wrap=True)
    screen.print(f"SHA-256 of the file: {file.sha256}", style="dim", soft_wrap=True)


@model_app.command("card")
def model_card(
    path: ModelArgument,
    roster: RosterOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; model-card.html beside FILE if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a model file's signature and write its card, one HTML page in English and Chinese."""
    from server.model_card import render_card
    from server.model_record import CARD

    file = _read_model(path, _roster_for(path, roster)[0])
    target = output or path.parent / CARD
    target.write_text(render_card(file), encoding="utf-8")
    if as_json:
        print_json({"card": str(target)})
    else:
        screen.print(f"Wrote {escape(str(target))}", soft_wrap=True)


def _read_model(path: Path, roster: Roster) -> ModelFile:
    from privacy.contract.model_file import read_model

    return read_model(path, roster)


def _roster_for(path: Path, given: Path | None) -> tuple[Roster, Path]:
    """The roster to check a model file against, and where it is: the one given, or that of the folder it is in."""
    from privacy.contract.identity import Roster

    place = given or path.resolve().parent.parent.parent  # <coordinator>/results/<study>/model.safetensors
    source = place / "roster.json" if place.is_dir() else place
    if not source.is_file():
        raise ConfigError(
            f"there is no roster at {source}" if given else f"there is no roster for {path}",
            hint="give --roster: the roster.json of your own folder, not one that came with the file",
        )
    return Roster.parse(source.read_bytes()), source


def show_rankings(title: str, rows: tuple[RankingFigures, ...]) -> None:
    """One line a way to rank customers."""
    from privacy.presentation.numbers import shown

    columns = {
        "auc": ("AUC", 3, 1),
        "average_precision": ("average precision", 3, 1),
        "top_lift": ("lift, top tenth", 2, 1),
        "top_share": ("churned in the top tenth, %", 1, 100),
        "churn_rate": ("churned, %", 1, 100),
    }
    table = Table(
        title=title,
        caption="± is the half-width of the 95% interval, of the privacy noise and of chance",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("ranked by")
    for heading, _, _ in columns.values():
        table.add_column(heading, justify="right")
    for row in rows:
        figures = [
            shown(getattr(row, key), decimals=decimals, scale=scale) for key, (_, decimals, scale) in columns.items()
        ]
        table.add_row(escape(row.code), *(f"{figure.value} ±{figure.margin}" for figure in figures))
    screen.print(table)
