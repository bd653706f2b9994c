"""Commands about rosters that holders, coordinators and auditors share.

What they do is imported where a command is run: help and completion must not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, command_group, print_json, screen, wrote

roster_app = command_group("roster", "Read who the members are, and compare it with the others (everybody).")

FingerprintOption = Annotated[
    str | None,
    typer.Option(
        help="The roster's fingerprint as another member read it to you; asked for if not given. Never take it from "
        "the coordinator, nor from this screen."
    ),
]

C = TypeVar("C", bound=Callable[..., None])


@roster_app.command("show")
def roster_show(
    path: Annotated[Path, typer.Argument(help="A roster file that you received, or a member's folder.", exists=True)],
    as_json: Json = False,
) -> None:
    """Show a roster's members and its fingerprint, to be read to another member over the telephone."""
    from privacy.member_folder import MemberFolder
    from privacy.member_rosters import members_as_json, read_signed, show_members
    from privacy.protocol.membership import RosterUpdate, fingerprint

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
        from privacy.member_folder import MemberFolder
        from privacy.member_rosters import accept_roster

        accept_roster(MemberFolder(folder), file, fingerprint, as_json=as_json)

    @group.command("rotate-key", help=rotate_key)
    @_with_folder(whose)
    def _rotate_key(folder: Path, as_json: Json = False) -> None:
        from privacy.member_folder import MemberFolder
        from privacy.private_files import write_private

        member = MemberFolder(folder)
        path = member.root / "rotation.json"
        write_private(path, member.rotate().canonical())
        text = "Send it to the coordinator's operator. The old keys stay in use until a roster lists the new ones."
        wrote(path, text, as_json=as_json)


def _with_folder(whose: str) -> Callable[[C], C]:
    """State whose folder a command takes: annotations are read from the module, and cannot say it."""

    def stated(command: C) -> C:
        command.__annotations__["folder"] = Annotated[
            Path, typer.Argument(help=f"The {whose}'s folder.", file_okay=False)
        ]
        return command

    return stated
