"""Where a coordinator keeps its things, and one run of it at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from privacy.errors import Busy
from privacy.ledger import Ledger, Opened
from privacy.member_folder import MemberFolder
from privacy.protocol.identity import Identity, Roster
from server.releases import ReleaseStore
from server.running.studies import Results


@contextmanager
def one_at_a_time(lock: Path, *, what: str = "another run of this coordinator is under way") -> Iterator[None]:
    """Hold a lock file; it is let go when the process ends, however it ends.

    Raises:
        Busy: if another run holds it.
    """
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(what, hint="wait for it to end") from None
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, kw_only=True)
class Books:
    """What a coordinator checks against, signs with and writes to.

    Attributes:
        roster: the one in force.
        identity: the coordinator's signing key.
        ledger: the coordinator's.
        releases: of all studies.
    """

    roster: Roster
    identity: Identity
    ledger: Ledger
    releases: ReleaseStore


@dataclass(frozen=True, kw_only=True)
class CoordinatorFolder:
    """Where a coordinator keeps its things.

    Attributes:
        root: ``keys/signing.pem``, ``roster.json``, ``ledger.sqlite``, ``releases/`` and ``results/`` are in it.
    """

    root: Path

    @property
    def member(self) -> MemberFolder:
        """Its keys and rosters."""
        return MemberFolder(self.root)

    def roster(self) -> Roster:
        """The roster in force.

        Raises:
            ConfigError: if there is none.
        """
        return self.member.joined("enrol the holders and publish one (`cohortium coordinator publish`)")

    def identity(self) -> Identity:
        """The coordinator's signing key."""
        return self.member.identity()

    def ledger(self) -> Ledger:
        """The coordinator's ledger, made when it is first needed."""
        name = self.roster().coordinator
        ledger = Ledger.open_or_create(self.root / "ledger.sqlite", Opened(owner=name, role="coordinator"))
        self.member.record_rosters(ledger, name)
        return ledger

    @property
    def releases(self) -> ReleaseStore:
        """Releases of all studies."""
        return ReleaseStore(self.root / "releases")

    def books(self) -> Books:
        """All that a run needs of it.

        Raises:
            ConfigError: if there is no roster.
        """
        roster, ledger = self.roster(), self.ledger()
        return Books(roster=roster, identity=self.identity(), ledger=ledger, releases=self.releases)

    @property
    def results(self) -> Results:
        """Results of all studies."""
        return Results(self.root / "results", self.root / "ledger.sqlite")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run at a time.

        Raises:
            Busy: if another run holds it.
        """
        with one_at_a_time(self.root / ".lock"):
            yield
