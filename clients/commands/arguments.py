"""Arguments that several of a data holder's commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from privacy.errors import ConfigError

#: What a holder's folder has one of, however far its set-up came.
_SIGNS = ("holder.toml", "policy.toml", "request.json", "keys", "state")


def holder_folder(path: Path) -> Path:
    """A holder's folder: itself, or the one that a file such as its ``holder.toml`` lies in.

    Raises:
        ConfigError: if there is no such folder, or nothing in it is a holder's.
    """
    folder = path.parent if path.is_file() else path
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", hint="check the path; `cohortium holder new` begins one")
    if not any((folder / name).exists() for name in _SIGNS):
        inside = sorted(found.parent.name for found in folder.glob("*/holder.toml"))
        hint = f"in it are {', '.join(inside)}" if inside else "`cohortium holder new` begins one"
        raise ConfigError(f"{folder} is no holder's folder", hint=hint)
    return folder


_HELP = "The holder's folder, or its holder.toml."

#: A folder with a holder in it; where it is the only argument, the environment may say which.
HolderPath = Annotated[Path, typer.Argument(help=_HELP, envvar="COHORTIUM_HOLDER", callback=holder_folder)]
HolderBefore = Annotated[Path, typer.Argument(help=_HELP, callback=holder_folder)]
#: A folder that may become one.
NewHolderPath = Annotated[Path, typer.Argument(help="The holder's folder.", file_okay=False)]
