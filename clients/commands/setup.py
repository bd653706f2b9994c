"""Commands of a data holder that begins, changes or leaves: its data, keys, declarations and memberships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from clients.commands.arguments import HolderPath, NewHolderPath, holder_folder
from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, print_json, screen, wrote

if TYPE_CHECKING:
    from clients.data.guess.nouns import Question


def holder_check(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The holder's folder, or its file.", envvar="COHORTIUM_HOLDER")
    ],
    study_file: Annotated[
        Path | None, typer.Option("--study", help="Apply this study's cleaning rules, currency and as-of day.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at your own data as a study would: counts per cleaning rule, problems, warnings. Nothing leaves."""
    from clients.answering.counting import show_counted
    from clients.data.check import preflight
    from clients.data.check_page import render_check
    from clients.data.config import HolderConfig
    from privacy.errors import DataError
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study

    config_file = folder if folder.is_file() else holder_folder(folder) / "holder.toml"
    config = read_toml(config_file, HolderConfig)
    study = read_toml(study_file, Study) if study_file else None
    report = preflight(config, study, base=config_file.resolve().parent)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        render_check(report, screen)
        show_counted(config_file.resolve().parent)
    if report.problems:
        raise typer.Exit(DataError.exit_code)


def holder_init(
    folder: NewHolderPath,
    federation: Annotated[str, typer.Option(help="Name of the federation, as the coordinator's operator says it.")],
    name: Annotated[str, typer.Option(help="This holder's short name in it; the same as `holder` in holder.toml.")],
    lifetime_epsilon: Annotated[
        str | None,
        typer.Option(
            help="What one customer may lose over all studies ever answered here, at delta 1e-6. Yours to decide; "
            "written into policy.toml, and not needed where there is one."
        ),
    ] = None,
    max_holders_per_customer: Annotated[
        int | None,
        typer.Option(help="Declare at how many holders one of your customers may be; 1: at no other one.", min=1),
    ] = None,
    size_class: Annotated[
        int | None, typer.Option(help="Declare a public upper figure for the number of your customers.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make this holder's keys, its policy.toml and the request to join, to be sent to the coordinator.

    Private keys stay here. Set COHORTIUM_PASSPHRASE (or COHORTIUM_PASSPHRASE_FILE) to keep them under a passphrase.
    """
    from clients.answering.policy import checked_policy_toml
    from privacy.member_folder import MemberFolder
    from privacy.member_rosters import asked
    from privacy.protocol.identity import Declarations

    policy = folder / "policy.toml"
    text = ""
    if not policy.exists():
        if lifetime_epsilon is None:
            raise ConfigError(
                "a lifetime budget is mandatory, and nobody can decide it for you",
                hint="give --lifetime-epsilon (8 is about forty studies of epsilon 1), or write policy.toml",
            )
        text = checked_policy_toml(epsilon=lifetime_epsilon)
    declared = Declarations(max_holders_per_customer=max_holders_per_customer, size_class=size_class)
    asked(MemberFolder(folder), federation, name, "holder", declared, as_json=as_json)
    if text:
        policy.write_text(text, encoding="utf-8")


def holder_declare(
    folder: HolderPath,
    max_holders_per_customer: Annotated[
        int | None, typer.Option(help="At how many holders one of your customers may be; not given: unknown.", min=1)
    ] = None,
    size_class: Annotated[
        int | None, typer.Option(help="A public upper figure for the number of your customers.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Declare something else about your customers; counts when a new version of the roster carries it."""
    from privacy.member_folder import MemberFolder
    from privacy.protocol.identity import Declarations

    member = MemberFolder(folder)
    declared = Declarations(max_holders_per_customer=max_holders_per_customer, size_class=size_class)
    member.declare(declared)
    text = "Send it to the coordinator's operator, who publishes a new version of the roster."
    wrote(folder / "request.json", text, as_json=as_json)


def holder_persons(
    folder: HolderPath,
    holders: Annotated[
        int | None,
        typer.Option(
            help="Count one customer at so many holders from now on: never fewer than the roster in force says of you; "
            "more is room for members that are still to come.",
            min=1,
            max=1000,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Show or set K: at how many holders of the federation your lifetime cap counts one of your customers.

    The node raises K by itself when the roster or your declaration grows. Only this command lowers it, and auditors
    ask why.
    """
    from clients.answering.counting import set_counted, show_counted

    told = set_counted(folder, holders, yes=yes)
    if as_json:
        print_json(told)
    else:
        show_counted(folder)


def holder_leave(
    folder: HolderPath,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Leave the federation: a last bundle for the auditor and a signed word are written, and the keys are destroyed."""
    import time

    from clients.answering.folder import HolderFolder
    from privacy.audit.export import export
    from privacy.ledger import Departed
    from privacy.protocol.checkpoints import signed_checkpoint

    holder = HolderFolder(folder)
    member, roster, ledger = holder.member, holder.roster(), holder.ledger()
    if not yes:
        typer.confirm(f"Leave {roster.federation} and destroy this holder's private keys?", abort=True, err=True)
    own = member.identity()
    bundle = folder / f"{own.member}.bundle"
    _, head = export(folder, bundle)  # while there is a key to seal it with
    words = member.leave(signed_checkpoint(own, ledger, head))
    ledger.append(Departed(roster=roster.digest, statement=words.digest, time=int(time.time())))
    if as_json:
        print_json({"bundle": str(bundle), "statement": str(folder / "leave.json"), "head": head.hash})
        return
    wrote(bundle, "Send it to the auditor: the last that this key seals. The signed word names its head.")
    wrote(folder / "leave.json", "Send it to the coordinator's operator, and to the auditor.")
    screen.print(
        "What stays: your ledger (keep it: it is the budget of your customers, whichever federation you join next), "
        "labels and pages that were written here, and what was released, which contains your customers behind its "
        "noise and cannot be taken back. What ends: this node answers nothing more, and nothing signed with the old "
        "keys counts once the next version of the roster is in force.",
        soft_wrap=True,
    )


def holder_new(
    urls: Annotated[
        list[str],
        typer.Argument(metavar="URL...", help="A file, a glob, or a database URL; several are sources of one holder."),
    ],
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
    answer: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help='An answer beforehand, such as columns.time="Order Date", or tills.columns.time of one of several '
            "sources; may be given again.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at a source and write a commented holder.toml with guessed columns; asks only what it cannot guess.

    Several sources of one holder, such as a web shop and its tills, are put together by equal ids or by [person].
    """
    from clients.data.guess.guess import Said, new_holder_file
    from clients.data.guess.several import new_holder_of_several

    password = {"password_env": password_env} if password_env else {"password_file": password_file}
    said = Said(
        holder=holder,
        table=table,
        password={name: value for name, value in password.items() if value},
        answers=_answers(answer or []) | ({"currency": currency} if currency else {}),
        ask=None if yes or as_json else _ask,
    )
    try:
        if len(urls) > 1:
            new_holder_of_several(urls, output=output, said=said, overwrite=force)
        else:
            new_holder_file(urls[0], output=output, overwrite=force, **vars(said))
    except typer.Abort:
        if said.kept.answers:
            screen.print(f"Your answers so far: {escape(str(said.kept))}", soft_wrap=True)
        raise
    wrote(output, f"Read it, then: cohortium holder check {escape(str(output))}", as_json=as_json)


def _answers(given: list[str]) -> dict[str, str]:
    """``KEY=VALUE`` each; quotes around the value fall away."""
    found = {}
    for one in given:
        key, sign, value = one.partition("=")
        if not sign or not key.strip() or not value.strip():
            raise ConfigError(f"{one!r} is no answer", hint='write KEY=VALUE, as in --set columns.time="Order Date"')
        found[key.strip()] = value.strip().strip('"')
    return found


def _ask(question: Question) -> str:
    screen.print(f"[bold]{escape(question.text)}[/]")
    for choice in question.choices:
        screen.print(f"  {escape(choice)}")
    return str(typer.prompt("answer", default=question.default))
