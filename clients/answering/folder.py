"""A holder's folder on disk, and the node that is made from it.

::

    holder.toml      where the rows are (clients/data)
    policy.toml      what is allowed (clients/answering/policy)
    request.json, roster.json, rosters/, keys/   who this member is and who the others are (privacy/member_folder)
    state/           ledger.sqlite, tables/, runs/, scratch/: never leaves
    labels/          the holder's own customers: segments, scores, clusters
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clients.analysis import HolderContext
from clients.answering.approvals import Approvals
from clients.answering.clock import Clock
from clients.answering.ledgers import open_ledger
from clients.answering.node import HolderNode
from clients.answering.policy import HolderPolicy
from clients.answering.runs import RunFolder
from clients.data.config import HolderConfig
from clients.data.scratch import empty_scratch
from privacy.errors import CohortiumError, ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import Declared
from privacy.ledger import Ledger
from privacy.member_folder import MemberFolder
from privacy.private_files import write_private
from privacy.protocol.identity import Roster
from privacy.protocol.messages import PlanCore
from privacy.protocol.study import Study
from privacy.statistics import Rows

log = logging.getLogger("cohortium.holder")

#: The released questions of a run, in their order.
_Questions: TypeAlias = Sequence[PlanCore]


class SourceData:
    """The holder's data behind its ``holder.toml``."""

    def __init__(self, folder: HolderFolder) -> None:
        self._folder = folder

    def feeds(self, tables: Sequence[CellTable]) -> Declared:
        """Of the feeds and roles that declared tables read, those in ``holder.toml``."""
        return self._folder.config().feeds_for(tables)

    def tables(self, study: Study) -> Mapping[str, Rows]:
        """What each analysis reads.

        Raises:
            ConfigError: if the study has no rate for a currency that the holder declares.
            DataError: if the source cannot be read as described.
        """
        from clients.analyses.catalogue import ANALYSES  # here: a node starts without DuckDB

        context = self._folder.context(study)
        return {analysis.name: analysis.rows(context) for analysis in ANALYSES if analysis.name in study.analyses}

    def write_labels(self, study: Study, answered: _Questions, stated: str | None = None) -> Sequence[Path]:
        """Write labels of the holder's own customers by what a run released.

        Raises:
            DataError: naming all that was not written, after everything else was.
        """
        from clients.analyses.catalogue import ANALYSES

        context = self._folder.context(study, answered, stated)
        written: list[Path] = []
        failed: list[CohortiumError] = []
        for analysis in ANALYSES:
            try:
                written += analysis.label(context)
            except (ConfigError, DataError) as error:
                failed.append(error)
        if failed:
            raise DataError("\n".join(error.message for error in failed), hint=failed[0].hint)
        return tuple(written)


@dataclass(frozen=True)
class HolderFolder:
    """Paths of a holder's folder, and what can be made of it."""

    root: Path

    @property
    def member(self) -> MemberFolder:
        """Its keys and rosters."""
        return MemberFolder(self.root)

    @property
    def state(self) -> Path:
        """Where the holder's private state is."""
        return self.root / "state"

    @property
    def node_lock(self) -> Path:
        """Held while a node runs."""
        return self.state / ".node.lock"

    def config(self) -> HolderConfig:
        """``holder.toml``.

        Raises:
            ConfigError: if it is missing or wrong.
        """
        return read_toml(self.root / "holder.toml", HolderConfig)

    def context(self, study: Study, answered: _Questions = (), stated: str | None = None) -> HolderContext:
        """What analyses may ask of this folder, about one study.

        Raises:
            ConfigError: if ``holder.toml`` is missing or wrong.
        """
        from clients.analyses.catalogue import RECIPES
        from clients.data.origin import Origin

        origin = Origin(self.config(), study, self.root, RECIPES)
        return HolderContext(origin=origin, answered=answered, stated=stated)

    def roster(self) -> Roster:
        """The roster that this holder accepted.

        Raises:
            ConfigError: if there is none.
        """
        return self.member.joined("this holder has not joined a federation yet: `cohortium holder init`, then `join`")

    def policy(self) -> HolderPolicy:
        """``policy.toml``."""
        return HolderPolicy.read(self.root / "policy.toml")

    def ledger(self) -> Ledger:
        """The holder's ledger, made when it is first needed, with the policy's caps and K."""
        policy, name = self.policy(), self.member.request().member.id
        ledger = open_ledger(
            self.state / "ledger.sqlite",
            holder=name,
            policy=policy,
            roster=self.member.roster(),
            earlier=self.member.rosters(),
        )
        self.member.record_rosters(ledger, name)
        kept = self.state / "policies" / f"{policy.digest}.json"  # charges name the digest; auditors ask for the text
        if not kept.exists():
            write_private(kept, policy.canonical())
        return ledger

    def node(self, clock: Clock | None = None) -> HolderNode:
        """The holder's node, ready to answer.

        Raises:
            ConfigError: if a file is missing or wrong, or the roster does not list this holder's key.
        """
        roster = self.roster()
        identity = self.member.identity()
        if identity.member != self.config().holder:
            raise ConfigError(
                f"holder.toml is of {self.config().holder}, and the keys here are those of {identity.member}",
                hint="set `holder` in holder.toml to the name under which this holder joined",
            )
        listed = {member.id: member.public_key for member in roster.members if member.role == "holder"}
        if listed.get(identity.member) != identity.public_key:
            raise ConfigError(
                f"the roster does not list {identity.member} with this signing key",
                hint="check holder.toml's name and keys/signing.pem, or join the federation again",
            )
        return HolderNode(
            identity=identity,
            roster=roster,
            policy=self.policy(),
            ledger=self.ledger(),
            data=SourceData(self),
            runs=RunFolder(self.state / "runs"),
            clock=clock,
        )

    def approvals(self) -> Approvals:
        """Studies that were asked for here, and what the operator decided."""
        return Approvals(self.state / "studies", self.ledger())


class LiveNode:
    """A holder's node that takes up what its operator changes: policy, roster, keys and ``holder.toml``.

    A changed file counts from the next request on. While one of them cannot be used, everything is declined.
    """

    def __init__(self, folder: HolderFolder, clock: Clock | None = None) -> None:
        empty_scratch(folder.state)
        self._folder = folder
        self._clock = clock
        self._seen = self._look()
        self._node = folder.node(clock)
        self._wrong = ""

    @property
    def holder(self) -> str:
        """This holder's id."""
        return self._node.holder

    def handle(self, request: bytes) -> bytes:
        """Answer one request, under the files as they are now. Never raises."""
        look = self._look()
        if look != self._seen:
            try:
                node = self._folder.node(self._clock)
            except CohortiumError as error:
                self._wrong = error.message
            else:
                node.adopt(self._node)
                self._node, self._wrong = node, ""
                log.info("policy, roster, keys or holder.toml have changed and count from now on")
            self._seen = look
        return self._node.decline(request, self._wrong) if self._wrong else self._node.handle(request)

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        root = self._folder.root
        names = ("policy.toml", "holder.toml", "roster.json", "keys/signing.pem", "leave.json")
        return tuple(_stamp(root / name) for name in names)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
