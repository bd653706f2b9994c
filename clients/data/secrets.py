"""Where a database's password comes from: the one module that reads a secret from the environment."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from privacy.errors import DataError


class PasswordPlace(Protocol):
    """What names the place of a password: a source in ``holder.toml``, or a target for labels."""

    @property
    def password_env(self) -> str | None:
        """The environment variable that holds it."""

    @property
    def password_file(self) -> str | None:
        """The file that holds it."""


def read_password(place: PasswordPlace, *, base: Path) -> str | None:
    """The password that ``holder.toml`` points to; None where it points to none, and libpq looks for itself.

    Relative paths start at ``base``. The password is kept nowhere.

    Raises:
        DataError: if the variable is not set, or the file is missing, empty or open to others.
    """
    if place.password_env is not None:
        password = os.environ.get(place.password_env)
        if not password:
            raise DataError(
                f"the environment variable {place.password_env} is not set",
                hint='set it where this runs, or name a file under [source]: password_file = "secrets/db"',
            )
        return password
    if place.password_file is None:
        return None
    path = base / Path(place.password_file).expanduser()
    try:
        mode = path.stat().st_mode
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise DataError(
            f"the password file {path} cannot be read",
            hint='write where it is under [source]: password_file = "secrets/db"',
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise DataError(f"the password file {path} is open to others", hint=f"chmod 600 {path}")
    if not password:
        raise DataError(f"the password file {path} is empty", hint="write the password on its first line")
    return password
