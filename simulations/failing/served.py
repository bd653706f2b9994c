"""A served federation on one machine, as its operators run it: a coordinator that serves, a node process a holder.

Unlike ``LocalDeployment`` every process is the command that an operator types; runs come from this process. For tests
and trials of faults.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from privacy.audit.verify import Verdict, verify
from privacy.errors import CarrierError, CohortiumError
from privacy.kernel.canonical import read_toml
from privacy.ledger import Answered, Ledger, Released, Reserved
from privacy.protocol.study import Study
from server.flower.processes import ChildProcesses
from server.flower.superlink import SuperLinkFiles, child_environment, free_port
from simulations.worlds.dirt import RATES
from simulations.worlds.generator import generate
from simulations.worlds.kit import demo_policy
from simulations.worlds.local import Workspace


class ServedFederation:
    """Coordinator and holders, each a process.

    Attributes:
        holders: ids, sorted.
        folder: the coordinator's.
        files: its SuperLink's.
        server: the process of `coordinator serve`.
        nodes: process of each holder's node.
    """

    def __init__(self, root: Path, processes: ChildProcesses, *, stores: int = 3, customers: int = 400) -> None:
        """Make keys and data, and start everything; returns when all nodes are online.

        Args:
            root: where everything goes.
            processes: who starts and stops the children.
            stores: holders beside the online store.
            customers: persons over all of them.
        """
        world = generate(root / "data", customers=customers, stores=stores, feeds=True)
        sources = {path.name: path for path in (root / "data").iterdir() if (path / "holder.toml").exists()}
        for source in sources.values():
            # Two are enough here, so that a study goes on when one of three is gone.
            (source / "policy.toml").write_text(demo_policy(2, epsilon="50"), encoding="utf-8")
        self.as_of: dt.date = world.as_of
        self.root = root
        self.holders = tuple(sorted(sources))
        self.workspace = Workspace.create(root / "federation", sources)
        self.folder = self.workspace.coordinator
        self.files = SuperLinkFiles(self.folder.root / "flower")
        self.address = f"127.0.0.1:{free_port()}"
        config = self.folder.root / "coordinator.toml"
        config.write_text(f'{config.read_text(encoding="utf-8")}\nlisten = "{self.address}"\n', encoding="utf-8")
        self.environment = child_environment(root / "home")
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._processes = processes
        self.serve()
        for holder in self.holders:
            self.start_node(holder)
        self.wait_for(lambda: set(self.holders) <= self.online(), "all nodes online")

    def serve(self) -> None:
        """Start `coordinator serve`, also again."""
        command = [sys.executable, "-m", "cohortium", "coordinator", "serve", str(self.folder.root)]
        self.server = self._processes.start(command, log=self.root / "serve.log", env=self.environment)

    def start_node(self, holder: str) -> None:
        """Start a holder's node, also again."""
        folder = self.workspace.holder(holder).root
        command = [sys.executable, "-m", "cohortium", "holder", "node", str(folder), "--address", self.address]
        self.nodes[holder] = self._processes.start(command, log=self.root / f"{holder}.log", env=self.environment)

    def start(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        """Start another process that ends with the federation."""
        return self._processes.start(command, log=self.root / log, env=self.environment)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ask a process to end, and wait for it."""
        self._processes.stop(process)

    def online(self) -> set[str]:
        """Holders whose nodes are online; nobody while the SuperLink is away."""
        try:
            with self.files.client() as client:
                return set(client.online())
        except (httpx.HTTPError, CarrierError, OSError):
            return set()

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
        """Wait until a condition holds.

        Raises:
            CohortiumError: if it does not within ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise CohortiumError(f"waited in vain for {what}", hint=f"see the logs in {self.root}")
            time.sleep(0.25)  # a look is a connection of its own, which the SuperLink's work would wait for

    def study_file(self, name: str, *holders: str, answering: int = 20, spare: int = 1) -> Path:
        """Write a small RFM study over some of the holders, all by default."""
        names = ", ".join(f'"{holder}"' for holder in sorted(holders or self.holders))
        rates = "\n".join(f'{code} = "{rate}"' for code, rate in RATES.items())
        path = self.root / f"{name}.toml"
        path.write_text(
            f'name = "{name}"\nas_of = {self.as_of.isoformat()}\nholders = [{names}]\n'
            f"[budget]\nepsilon = 1\nsize_class = 1000\nspare_attempts = {spare}\n"
            f"[waits]\njoining = 30\nanswering = {answering}\n[rates]\n{rates}\n",
            encoding="utf-8",
        )
        return path

    def study(self, name: str, *holders: str, answering: int = 20, spare: int = 1) -> Study:
        """The same, read."""
        return read_toml(self.study_file(name, *holders, answering=answering, spare=spare), Study)

    def ledger(self, owner: str) -> Ledger:
        """The coordinator's ledger, or a holder's."""
        root = self.folder.root if owner == "coordinator" else self.workspace.holder(owner).state
        return Ledger(root / "ledger.sqlite")

    def verify(self) -> Verdict:
        """What ``audit verify`` says of all ledgers together."""
        paths = [self.folder.root / "ledger.sqlite"]
        paths += [self.workspace.holder(holder).state / "ledger.sqlite" for holder in self.holders]
        return verify(path for path in paths if path.exists())

    def lost(self, study: Study, *, up: tuple[str, ...] | None = None) -> list[str]:
        """Releases of a study that a participant's ledger lacks, or did not charge; in words.

        Args:
            up: participants that are asked about; all by default.
        """
        found = []
        facts = {holder: tuple(self.ledger(holder).facts()) for holder in (up or self.holders)}
        for release in self.folder.releases.all():
            if release.study != study.digest:
                continue
            for holder in set(release.holders) & facts.keys():
                for kind in (Reserved, Answered, Released):
                    if not any(isinstance(fact, kind) and fact.core == release.core for fact in facts[holder]):
                        found.append(f"{holder}: {release.title} of {study.name} has no {kind.__name__}")
        return found


def child_of(parent: int, words: str) -> int:
    """Id of the process below ``parent`` whose command line contains these words (Linux).

    Raises:
        CohortiumError: if there is none.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                above = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except OSError:
                continue
            if above == parent and words in command:
                return int(entry.name)
    raise CohortiumError(f"there is no {words} below process {parent}")
