"""What the commands of holders, coordinators and auditors share about rosters: reading, showing, accepting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table

from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import Noun
from privacy.kernel.terms import Slug
from privacy.member_folder import MemberFolder
from privacy.presentation.terminal import Json, command_group, print_json, screen
from privacy.private_files import write_private
from privacy.protocol.identity import Declarations, Member, Role, Roster, Signed
from privacy.protocol.membership import JoinRequest, KeyChange, RosterUpdate, changes, fingerprint

roster_app = command_group("roster", "Read who the members are, and compare it with the others (everybody).")

FingerprintOption = Annotated[
    str | None,
    typer.Option(
        help="The roster's fingerprint as another member read it to you; asked for if not given. Never take it from "
        "the coordinator, nor from this screen."
    ),
]

N = TypeVar("N", bound=Noun)
C = TypeVar("C", bound=Callable[..., None])

_SLUG: TypeAdapter[str] = TypeAdapter(Slug)

_WORDS = {
    "added": "new member",
    "removed": "removed by the coordinator",
    "left": "left by itself",
    "key": "new key, signed by it and the old one",
    "declarations": "declares something else",
}


def read_signed(path: Path) -> Signed:
    """A signed statement from a file that somebody sent.

    Raises:
        ConfigError: if it is no such file.
    """
    return _read(path, Signed)


def read_sent(path: Path) -> Signed | KeyChange:
    """What a member sent to change the roster: a signed statement, or a change of keys.

    Raises:
        ConfigError: if it is no such file.
    """
    try:
        return _read(path, KeyChange)
    except ConfigError:
        return _read(path, Signed)


def _read(path: Path, kind: type[N]) -> N:
    try:
        return kind.parse(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="check the path") from None
    except ProtocolError:
        raise ConfigError(
            f"{path} is not a file that `cohortium` signed", hint="ask its sender to send it again, unchanged"
        ) from None


def show_members(update: RosterUpdate, before: Roster | None) -> None:
    """Print the members of a version, what it changes, and each key's fingerprint."""
    news = {change.member: _WORDS[change.what] for change in changes(before, update)} if before else {}
    table = Table(
        title=f"Roster of {escape(update.roster.federation)}, version {update.roster.version}", title_justify="left"
    )
    for column in ("member", "role", "declares", "fingerprint of its key", *(("change",) if news else ())):
        table.add_column(column)
    for member in update.roster.members:
        groups = fingerprint(member.public_key).split()
        key = "\n".join([" ".join(groups[:4]), " ".join(groups[4:])])
        table.add_row(escape(member.id), member.role, _declared(member), key, news.pop(member.id, ""))
    for name, word in news.items():
        table.add_row(f"[strike]{escape(name)}[/]", "", "", "", word)
    screen.print(table)
    screen.print("k: at how many holders one person may be a customer, as the holder declares", style="dim")
    screen.print(f"Nodes reach the coordinator at {escape(update.address)}", soft_wrap=True)


def _declared(member: Member) -> str:
    stated = member.declarations
    if member.role != "holder":
        return ""
    if stated is None:
        return "nothing"
    k = f"k = {stated.max_holders_per_customer}" if stated.max_holders_per_customer else "k not known"
    return k + (f", up to {stated.size_class:,} customers" if stated.size_class else "")


def members_as_json(update: RosterUpdate, before: Roster | None) -> dict[str, Any]:
    """The same for scripts."""
    roster = update.roster
    return {
        "federation": roster.federation,
        "version": roster.version,
        "digest": roster.digest,
        "fingerprint": fingerprint(roster.digest),
        "address": update.address,
        "members": [
            {**member.model_dump(mode="json"), "fingerprint": fingerprint(member.public_key)}
            for member in roster.members
        ],
        "changes": [change.model_dump(mode="json") for change in changes(before, update)],
    }


def accept_roster(member: MemberFolder, path: Path, typed: str | None, *, as_json: bool) -> RosterUpdate:
    """Check a version, show it, compare the fingerprint, and put it in force.

    Raises:
        ProtocolError: if it is wrong, or the fingerprint is another one; nothing is changed.
    """
    signed, before = read_signed(path), member.roster()
    update = member.check(signed)
    if not as_json:
        show_members(update, before)
    if typed is None:
        screen.print(
            "Call another member on a number that you did not get from the coordinator, and let them read you the "
            "fingerprint of the file that [bold]they[/] received (`cohortium roster show FILE`).",
            soft_wrap=True,
        )
        typed = str(typer.prompt("their fingerprint (eight groups of five digits)"))
    member.accept(signed, typed)
    if as_json:
        print_json(members_as_json(update, before))
    else:
        screen.print(
            f"[green]Accepted[/] version {update.roster.version}; it is in force in {escape(str(member.root))}."
        )
    return update


def asked(
    member: MemberFolder, federation: str, name: str, role: Role, declared: Declarations | None = None, *, as_json: bool
) -> None:
    """Make a member's keys and its request to join, and say what comes next.

    Raises:
        ConfigError: if there are keys already, or a name is none.
    """
    for what, text in (("short name", name), ("federation's name", federation)):
        try:
            _SLUG.validate_python(text)
        except ValidationError:
            raise ConfigError(
                f"{text!r} is no {what}", hint="lower case letters, digits, - and _, as in store-3; at most 63"
            ) from None
    request = JoinRequest.parse(member.create(federation, name, role, declared).body)
    path = member.root / "request.json"
    key = fingerprint(request.member.public_key)
    if as_json:
        print_json({"request": str(path), "public_key": request.member.public_key, "fingerprint": key})
        return
    wrote(path, "Send it to the coordinator's operator. Private keys stay in keys/.")
    screen.print(f"Fingerprint of your key, which the operator may ask for: {key}")
    screen.print("Next: the operator publishes a roster; `join` accepts it here.", style="dim")


def wrote(path: Path, text: str) -> None:
    """Say which file was written, and what to do with it."""
    screen.print(f"Wrote [bold]{escape(str(path))}[/]. {text}", soft_wrap=True)


@roster_app.command("show")
def roster_show(
    path: Annotated[Path, typer.Argument(help="A roster file that you received, or a member's folder.", exists=True)],
    as_json: Json = False,
) -> None:
    """Show a roster's members and its fingerprint, to be read to another member over the telephone."""
    if path.is_dir():
        latest = MemberFolder(path).latest()
        if latest is None:
            raise ConfigError(f"no roster was accepted in {path}", hint="`cohortium holder join` accepts one")
        update = latest
    else:
        update = RosterUpdate.parse(read_signed(path).body)  # checked in full when it is accepted
    if as_json:
        print_json(members_as_json(update, None))
        return
    show_members(update, None)
    screen.print(f"\nFingerprint, to be read to the others:\n\n    [bold]{fingerprint(update.roster.digest)}[/]\n")


def add_member_commands(group: typer.Typer, whose: str, *, join: str, rotate_key: str) -> None:
    """Add what every member but the coordinator does alike.

    Args:
        whose: folder it is, for the help.
        join: help of ``join``.
        rotate_key: help of ``rotate-key``.
    """

    @group.command("join", help=join)
    @_with_folder(whose)
    def _join(
        folder: Path,
        file: Annotated[
            Path, typer.Argument(help="The roster that the coordinator published, such as roster-v1.json.")
        ],
        fingerprint: FingerprintOption = None,
        as_json: Json = False,
    ) -> None:
        accept_roster(MemberFolder(folder), file, fingerprint, as_json=as_json)

    @group.command("rotate-key", help=rotate_key)
    @_with_folder(whose)
    def _rotate_key(folder: Path) -> None:
        member = MemberFolder(folder)
        path = member.root / "rotation.json"
        write_private(path, member.rotate().canonical())
        wrote(
            path, "Send it to the coordinator's operator. The old keys stay in use until a roster lists the new ones."
        )


def _with_folder(whose: str) -> Callable[[C], C]:
    """State whose folder a command takes: annotations are read from the module, and cannot say it."""

    def stated(command: C) -> C:
        command.__annotations__["folder"] = Annotated[
            Path, typer.Argument(help=f"The {whose}'s folder.", file_okay=False)
        ]
        return command

    return stated
