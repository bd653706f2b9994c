"""Where a coordinator keeps its things, and one run of it at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from privacy.ledger import Ledger, Opened
from privacy.locks import one_at_a_time
from privacy.member_folder import MemberFolder
from privacy.protocol.identity import Identity, Roster
from server.releases import ReleaseStore
from server.running.studies import Results


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

    @property
    def run_lock(self) -> Path:
        """Held while a study is run."""
        return self.root / ".lock"

    @property
    def stop_file(self) -> Path:
        """There while somebody wants the run to end; see :mod:`server.running.stopping`."""
        return self.root / ".stop"

    @property
    def serve_lock(self) -> Path:
        """Held while the federation is served."""
        return self.root / "flower" / ".serve.lock"

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
        with one_at_a_time(self.run_lock, what="another run of this coordinator is under way"):
            yield
