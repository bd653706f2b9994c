"""A new authority for the server's certificate, without a moment in which a member's node trusts none.

::

    keys/ca.pem, server.pem, server.key         what the server shows
    keys/next/                                  what takes their place; there from `renew-certificate` on
    joined.json                                 the newest version of the roster that each holder has said HELLO under

The authority of a certificate travels with the roster. A version carries both authorities; when every holder has joined
it, the server changes; the version after carries the new one alone.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path

from privacy.errors import ConfigError
from privacy.member_folder import MemberFolder
from privacy.presentation.numbers import many
from privacy.private_files import write_private
from privacy.protocol.identity import Roster
from server.flower.certificates import expiry_of, write_certificates

#: Days before the end of a certificate at which its operator is warned.
WARNINGS = (90, 30, 7)

#: In the order in which they change: until the first is gone, nothing has changed; when the last is, everything has.
_FILES = ("server.key", "server.pem", "ca.pem")


class Renewal:
    """Where a coordinator is in the renewal of its server's certificate."""

    def __init__(self, root: Path) -> None:
        self.keys = root / "keys"
        self.next = self.keys / "next"
        self._joined = root / "joined.json"
        self._member = MemberFolder(root)

    @property
    def under_way(self) -> bool:
        """Whether there is an authority that will take today's place."""
        return (self.next / "ca.pem").exists()

    @property
    def authorities(self) -> str:
        """PEM text of the authorities that the next version of the roster carries."""
        today = (self.keys / "ca.pem").read_text(encoding="ascii")
        return today + (self.next / "ca.pem").read_text(encoding="ascii") if self.under_way else today

    def begin(self, *, host: str, days: int) -> None:
        """Make the authority and the certificate that will take the place of today's.

        Args:
            host: what members' nodes connect to.
            days: how long they are valid.

        Raises:
            ConfigError: if a renewal is under way.
        """
        if self.under_way:
            raise ConfigError("a new authority is waiting already", hint="`cohortium coordinator publish` sends it out")
        making = self.keys / ".next"  # it is there whole or not at all
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        write_certificates(making, host=host, days=days)
        making.replace(self.next)

    def note_joined(self, roster: Roster, holders: Iterable[str]) -> None:
        """Remember that these holders said HELLO under a version."""
        known = self._versions()
        newer = {name: max(roster.version, known.get(name, 0)) for name in holders}
        if newer.items() - known.items():
            write_private(self._joined, json.dumps(known | newer, sort_keys=True).encode())

    @property
    def carried_since(self) -> int | None:
        """The version from which on all carry the new authority; None while none was published that does."""
        if not self.under_way:
            return None
        new = (self.next / "ca.pem").read_text(encoding="ascii")
        first = None
        for update in reversed(self._member.published()):
            if new not in update.certificate:
                break
            first = update.roster.version
        return first

    def waiting_for(self) -> tuple[str, ...]:
        """Holders that have not been seen under a version with both authorities; all of them before it is published."""
        roster, since = self._member.roster(), self.carried_since
        joined = self._versions()
        if roster is None:
            return ()
        return tuple(name for name in roster.holders if since is None or joined.get(name, 0) < since)

    @property
    def ready(self) -> bool:
        """Whether the server may change now, or was stopped in the middle of it."""
        if not self.under_way:
            return False
        return not (self.next / "server.key").exists() or (self.carried_since is not None and not self.waiting_for())

    def switch(self) -> None:
        """Let the server show the new certificate from its next start on; goes on where a killed process stopped.

        Raises:
            ConfigError: if no version with the new authority was published.
        """
        if (self.next / "server.key").exists() and self.carried_since is None:
            raise ConfigError("members do not know the new authority yet", hint="`cohortium coordinator publish` first")
        for name in _FILES:
            if (self.next / name).exists():
                (self.next / name).replace(self.keys / name)
        self.next.rmdir()

    @property
    def to_drop(self) -> bool:
        """Whether the version in force still carries an authority that the server has no more use for."""
        latest = self._member.latest()
        return not self.under_way and latest is not None and latest.certificate != self.authorities

    def days_left(self, now: dt.datetime | None = None) -> int:
        """Whole days until the server's certificate or its authority ends; negative afterwards."""
        shown = [path for path in (self.keys / "server.pem", self.keys / "ca.pem") if path.exists()]
        ends = min(map(expiry_of, shown))
        return math.floor((ends - (now or dt.datetime.now(dt.UTC))) / dt.timedelta(days=1))

    def warning(self, now: dt.datetime | None = None) -> tuple[int, str] | None:
        """The smallest of ``WARNINGS`` that has come, and what to say; None while there is time."""
        left = self.days_left(now)
        due = [days for days in WARNINGS if left <= days]
        if not due:
            return None
        when = f"ends in {many(left, 'day')}" if left >= 0 else "has ended: no node can connect"
        what = (
            f"the next one waits for {', '.join(self.waiting_for())} to join the version that carries it"
            if self.under_way
            else "`cohortium coordinator renew-certificate` makes the next one, and `publish` sends it to the members"
        )
        return due[-1], f"the server's certificate {when}. {what[0].upper()}{what[1:]}"

    def _versions(self) -> dict[str, int]:
        try:
            found = json.loads(self._joined.read_bytes())
        except (OSError, ValueError):
            return {}
        return {str(name): int(version) for name, version in found.items()} if isinstance(found, dict) else {}
