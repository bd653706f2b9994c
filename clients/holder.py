"""A holder's folder on disk, and the node that is made from it.

::

    holder.toml      where the rows are (clients/data)
    policy.toml      what is allowed (clients/policy)
    roster.json      who the others are
    keys/            signing.pem (Ed25519), node.pem (the carrier's key)
    state/           ledger.sqlite, tables/, runs/: never leaves
    labels/          the holder's own customers, labelled
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.clock import Clock
from clients.data.config import HolderConfig
from clients.node import HolderNode
from clients.policy import HolderPolicy
from clients.runs import RunFolder
from privacy.contract.canonical import read_toml
from privacy.contract.identity import Identity, Roster
from privacy.contract.study import Study
from privacy.errors import ConfigError
from privacy.ledger import Ledger, Opened
from privacy.statistics import Rows, SegmentTotals, Statistic


class SourceData:
    """The holder's data behind its ``holder.toml``."""

    def __init__(self, folder: HolderFolder) -> None:
        self._folder = folder

    def tables(self, study: Study) -> Mapping[str, Rows]:
        """What each analysis reads.

        Raises:
            ConfigError: if the study has no rate for a currency that the holder declares.
            DataError: if the source cannot be read as described.
        """
        from clients.data.customer_table import cached_customer_table

        config, base = self._folder.config(), self._folder.root
        config.check_currencies(study)
        return {"rfm": cached_customer_table(config, study, base=base, state=self._folder.state).columns}

    def write_labels(self, study: Study, answered: Sequence[Statistic]) -> Sequence[Path]:
        """Label the holder's own customers by the run's last segment rules; nothing where it has none."""
        from clients.data.customer_table import cached_customer_table
        from clients.labels import write_labels

        totals = [statistic for statistic in answered if isinstance(statistic, SegmentTotals)]
        if not totals:
            return ()
        table = cached_customer_table(self._folder.config(), study, base=self._folder.root, state=self._folder.state)
        return write_labels(table, totals[-1].rules, study, folder=self._folder.root / "labels")


@dataclass(frozen=True)
class HolderFolder:
    """Paths of a holder's folder, and what can be made of it."""

    root: Path

    @property
    def state(self) -> Path:
        """Where the holder's private state is."""
        return self.root / "state"

    def config(self) -> HolderConfig:
        """``holder.toml``.

        Raises:
            ConfigError: if it is missing or wrong.
        """
        return read_toml(self.root / "holder.toml", HolderConfig)

    def roster(self) -> Roster:
        """The roster that this holder accepted.

        Raises:
            ConfigError: if there is none.
        """
        path = self.root / "roster.json"
        if not path.exists():
            raise ConfigError(f"there is no roster at {path}", hint="this holder has not joined a federation yet")
        return Roster.parse(path.read_bytes())

    def policy(self) -> HolderPolicy:
        """``policy.toml``."""
        return HolderPolicy.read(self.root / "policy.toml")

    def ledger(self) -> Ledger:
        """The holder's ledger, made when it is first needed, with the policy's lifetime cap."""
        policy = self.policy()
        return Ledger.open_or_create(
            self.state / "ledger.sqlite",
            Opened(
                owner=self.config().holder,
                role="holder",
                epsilon=policy.lifetime.epsilon,
                delta=policy.lifetime.delta,
            ),
        )

    def node(self, clock: Clock | None = None) -> HolderNode:
        """The holder's node, ready to answer.

        Raises:
            ConfigError: if a file is missing or wrong, or the roster does not list this holder's key.
        """
        roster = self.roster()
        identity = Identity.load(self.config().holder, self.root / "keys" / "signing.pem")
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
