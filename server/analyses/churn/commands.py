"""Commands on trained models; ``cohortium.command`` mounts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, command_group, print_json, screen, terminal_language, up

if TYPE_CHECKING:
    from privacy.protocol.identity import Roster
    from server.analyses.churn.model_file import ModelFile

app = command_group("model", "Check and read a trained model's signed file (everybody).")

RosterOption = Annotated[
    Path | None,
    typer.Option(
        help="The roster to check the signature against: a roster.json, or a coordinator's or holder's folder. Not "
        "needed for a file that is still among its coordinator's results."
    ),
]
ModelArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A model.safetensors.")]


@app.command("show")
def model_show(path: ModelArgument, roster: RosterOption = None, as_json: Json = False) -> None:
    """Check a model file's signature and show what the coordinator states about it."""
    from server.analyses.churn.rankings import rankings_table

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
    screen.print(
        rankings_table(
            f"Tested on {record.test_day} (trained on {days}; {record.holders} holders)",
            tuple(quality.figures() for quality in (evaluation.quality, *evaluation.baselines)),
            terminal_language(),
        )
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


@app.command("card")
def model_card(
    path: ModelArgument,
    roster: RosterOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; model-card.html beside FILE if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a model file's signature and write its card, one HTML page in English and Chinese."""
    from server.analyses.churn.model_card import render_card
    from server.analyses.churn.model_record import CARD

    file = _read_model(path, _roster_for(path, roster)[0])
    target = output or path.parent / CARD
    target.write_text(render_card(file), encoding="utf-8")
    if as_json:
        print_json({"card": str(target)})
    else:
        screen.print(f"Wrote {escape(str(target))}", soft_wrap=True)


def _read_model(path: Path, roster: Roster) -> ModelFile:
    from server.analyses.churn.model_file import read_model

    return read_model(path, roster)


def _roster_for(path: Path, given: Path | None) -> tuple[Roster, Path]:
    """The roster to check a model file against, and where it is: the one given, or that of the folder it is in."""
    from privacy.protocol.identity import Roster

    place = given or path.resolve().parent.parent.parent  # <coordinator>/results/<study>/model.safetensors
    source = place / "roster.json" if place.is_dir() else place
    if not source.is_file():
        raise ConfigError(
            f"there is no roster at {source}" if given else f"there is no roster for {path}",
            hint="give --roster: the roster.json of your own folder, not one that came with the file",
        )
    return Roster.parse(source.read_bytes()), source
