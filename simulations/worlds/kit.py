"""Federations on one machine, for the demo, tests and benchmarks: keys, rosters and folders made in one go.

Real consortia make each key where it is used; here one process makes them all, so these keys protect nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clients.answering.answers import Sampler
from clients.answering.clock import Clock
from clients.answering.ledgers import open_ledger
from clients.answering.node import HolderNode
from clients.answering.policy import HolderPolicy, policy_toml
from clients.answering.runs import RunFolder
from privacy.analyses import ANALYSES
from privacy.analyses.catalogue import NAMES
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import SENSITIVE, Declared
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.member_folder import MemberFolder
from privacy.protocol.identity import Declarations, Identity, Roster
from privacy.protocol.membership import fingerprint
from privacy.protocol.messages import PlanCore
from privacy.protocol.study import Study
from privacy.statistics import Rows
from server.running.enrolment import CoordinatorConfig, Enrolment
from server.running.folder import CoordinatorFolder
from simulations.worlds.inprocess import InProcessTransport


def demo_policy(holders: int, *, epsilon: str = "8", placements: Sequence[str] = ("distributed",)) -> str:
    """A commented ``policy.toml`` for a federation of so many holders."""
    return policy_toml(
        epsilon=epsilon,
        participants=min(3, holders),
        hidden=min(2, holders - 1),
        analyses=NAMES,
        placements=placements,
        sensitive=sorted(SENSITIVE),
    )


def make_keys(root: Path, holders: Iterable[str], *, federation: str = "demo", declared: int | None = None) -> Roster:
    """Make keys of a coordinator and holders, and the roster, under ``root``, the way members do it among themselves.

    The folders are ``root/coordinator`` and ``root/holders/<id>``; each gets its own copy of the roster.

    Args:
        declared: at how many holders one customer may be, as each of them declares; None: nobody declares anything,
            which counts as all of them.
    """
    stated = None if declared is None else Declarations(max_holders_per_customer=declared)
    config = CoordinatorConfig(federation=federation, coordinator="coordinator", address="127.0.0.1:9443")
    enrolment = Enrolment.create(root / "coordinator", config, days=30)
    members = {holder: MemberFolder(root / "holders" / holder) for holder in holders}
    for holder, member in members.items():
        enrolment.take(member.create(federation, holder, "holder", stated))
    signed, update = enrolment.publish()
    told = fingerprint(update.roster.digest)  # in a federation the operators read it to each other
    for member in members.values():
        member.accept(signed, told)
    return update.roster


class MemoryData:
    """A holder's tables, in memory already; one alone is that of every analysis that reads such rows."""

    def __init__(self, tables: Rows | Mapping[str, Rows]) -> None:
        if isinstance(tables, Mapping):
            self._tables: dict[str, Rows] = dict(tables)
        else:
            readers = (each.name for each in ANALYSES if isinstance(tables, each.statistics[0].reads))
            self._tables = dict.fromkeys(readers, tables)

    def feeds(self, tables: Sequence[CellTable]) -> Declared:
        """Whatever is read."""
        roles = {need for table in tables for need in table.needs}
        read = {feed for table in tables for feed in table.feeds}
        return {feed: tuple(sorted(role for name, role in roles if name == feed)) for feed in sorted(read)}

    def tables(self, study: Study) -> Mapping[str, Rows]:
        """The tables."""
        return self._tables

    def write_labels(self, study: Study, answered: Sequence[PlanCore], stated: str | None = None) -> Sequence[Path]:
        """Nothing: there is no holder's file behind it."""
        return ()


class NoWaiting(Clock):
    """The real clock, without waiting for the time grid. For simulations only: it shows how long answers take."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""


class MemoryFederation:
    """Holders with customer tables in memory, behind the real protocol, nodes and ledgers.

    ``declared`` is what every holder declares: at how many of them one customer may be; None, nothing: at all of them.

    Attributes:
        folder: the coordinator's.
        nodes: holder to node.
        transport: reaches them.
    """

    def __init__(
        self,
        root: Path,
        tables: Mapping[str, Rows | Mapping[str, Rows]],
        *,
        policy: HolderPolicy,
        declared: int | None = None,
        clock: Clock | None = None,
        sampler: Sampler = discrete_gaussian,
    ) -> None:
        roster = make_keys(root, tables, declared=declared)
        self.folder = CoordinatorFolder(root=root / "coordinator")
        self.roster = roster
        self.root = root
        self._tables = tables
        self._policy = policy
        self._clock = clock or NoWaiting()
        self._sampler = sampler
        self.nodes = {holder: self.start(holder) for holder in roster.holders}

    def start(self, holder: str) -> HolderNode:
        """A new process's node for a holder: same disk, fresh memory."""
        home = self.root / "holders" / holder
        ledger = open_ledger(home / "state" / "ledger.sqlite", holder=holder, policy=self._policy, roster=self.roster)
        return HolderNode(
            identity=Identity.load(holder, home / "keys" / "signing.pem"),
            roster=self.roster,
            policy=self._policy,
            ledger=ledger,
            data=MemoryData(self._tables[holder]),
            runs=RunFolder(home / "state" / "runs"),
            clock=self._clock,
            sampler=self._sampler,
        )

    @property
    def transport(self) -> InProcessTransport:
        """Reaches the nodes."""
        return InProcessTransport({holder: node.handle for holder, node in self.nodes.items()})
