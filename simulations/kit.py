"""Federations on one machine, for the demo, tests and benchmarks: keys, rosters and folders made in one go.

Real consortia make each key where it is used; here one process makes them all, so these keys protect nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clients.clock import Clock
from clients.node import HolderNode, Sampler
from clients.policy import HolderPolicy
from clients.runs import RunFolder
from privacy.contract.identity import Identity, Member, Roster
from privacy.contract.study import Study
from privacy.ledger import Ledger, Opened
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.statistics import Rows, Statistic
from server.run import CoordinatorFolder
from simulations.inprocess import InProcessTransport

DEMO_POLICY = """\
# What this holder allows. The lifetime budget is mandatory and counts over all studies ever answered.
[lifetime]
epsilon = {epsilon}
delta = 1e-6

[allow]
analyses = ["rfm", "churn", "clusters"]
placements = [{placements}]     # who may add the noise: distributed, local, central
max_study_epsilon = 4
min_participants = {participants}            # fewest holders in one sum
min_hidden = {hidden}                  # smallest (holders - colluding holders)
"""


def policy_toml(holders: int, *, epsilon: str = "8", placements: Sequence[str] = ("distributed",)) -> str:
    """A commented ``policy.toml`` for a federation of so many holders."""
    return DEMO_POLICY.format(
        epsilon=epsilon,
        placements=", ".join(f'"{name}"' for name in placements),
        participants=min(3, holders),
        hidden=min(2, holders - 1),
    )


def make_keys(root: Path, holders: Iterable[str], *, federation: str = "demo") -> Roster:
    """Make signing keys of a coordinator and holders, and the roster, under ``root``.

    The folders are ``root/coordinator`` and ``root/holders/<id>``; each gets its own copy of the roster.
    """
    identities = [("coordinator", Identity.create("coordinator", root / "coordinator" / "keys" / "signing.pem"))]
    for holder in holders:
        identities.append(("holder", Identity.create(holder, root / "holders" / holder / "keys" / "signing.pem")))
    members = [Member(id=identity.member, role=role, public_key=identity.public_key) for role, identity in identities]
    roster = Roster(federation=federation, version=1, members=tuple(sorted(members, key=lambda member: member.id)))
    for folder in [root / "coordinator", *(root / "holders" / holder for holder in roster.holders)]:
        (folder / "roster.json").write_bytes(roster.canonical())
    return roster


class MemoryData:
    """A holder's tables, in memory already; one table alone is the RFM analysis'."""

    def __init__(self, tables: Rows | Mapping[str, Rows]) -> None:
        self._tables = dict(tables) if isinstance(tables, Mapping) else {"rfm": tables}

    def tables(self, study: Study) -> Mapping[str, Rows]:
        """The tables."""
        return self._tables

    def write_labels(self, study: Study, answered: Sequence[Statistic]) -> Sequence[Path]:
        """Nothing: there is no holder's file behind it."""
        return ()


class NoWaiting(Clock):
    """The real clock, without waiting for the time grid. For simulations only: it shows how long answers take."""

    def sleep(self, seconds: float) -> None:
        """Return at once."""


class MemoryFederation:
    """Holders with customer tables in memory, behind the real protocol, nodes and ledgers.

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
        clock: Clock | None = None,
        sampler: Sampler = discrete_gaussian,
    ) -> None:
        roster = make_keys(root, tables)
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
        lifetime = self._policy.lifetime
        return HolderNode(
            identity=Identity.load(holder, home / "keys" / "signing.pem"),
            roster=self.roster,
            policy=self._policy,
            ledger=Ledger.open_or_create(
                home / "state" / "ledger.sqlite",
                Opened(owner=holder, role="holder", epsilon=lifetime.epsilon, delta=lifetime.delta),
            ),
            data=MemoryData(self._tables[holder]),
            runs=RunFolder(home / "state" / "runs"),
            clock=self._clock,
            sampler=self._sampler,
        )

    @property
    def transport(self) -> InProcessTransport:
        """Reaches the nodes."""
        return InProcessTransport({holder: node.handle for holder, node in self.nodes.items()})
