"""What commands of holders, coordinators and auditors do with rosters: reading, showing, accepting, asking to join."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape
from rich.table import Table

from privacy.errors import ConfigError, ProtocolError
from privacy.kernel.canonical import Noun
from privacy.kernel.terms import Slug
from privacy.member_folder import MemberFolder
from privacy.presentation.terminal import print_json, screen, wrote
from privacy.protocol.identity import Declarations, Member, Role, Roster, Signed
from privacy.protocol.membership import JoinRequest, KeyChange, RosterUpdate, changes, fingerprint

N = TypeVar("N", bound=Noun)

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
