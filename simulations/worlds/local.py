"""Federations whose holders are all on this machine: the demo, rehearsals, and a first evening.

A workspace is a folder with ``coordinator/`` and ``holders/<id>/``; everything else is as in a real federation.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.answering.folder import HolderFolder, LiveNode
from privacy.errors import ConfigError
from privacy.locks import one_at_a_time
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.running.federation import Patience
from server.running.folder import CoordinatorFolder
from server.running.progress import Progress, silent
from server.running.run import run_study
from simulations.worlds.inprocess import InProcessTransport
from simulations.worlds.kit import demo_policy, make_keys


@dataclass(frozen=True)
class Workspace:
    """Paths of a local federation."""

    root: Path

    @property
    def coordinator(self) -> CoordinatorFolder:
        """The coordinator's folder."""
        return CoordinatorFolder(root=self.root / "coordinator")

    def holder(self, name: str) -> HolderFolder:
        """A holder's folder."""
        return HolderFolder(self.root / "holders" / name)

    @classmethod
    def create(
        cls, root: Path, sources: Mapping[str, Path], *, lifetime_epsilon: str = "8", declared: int | None = None
    ) -> Workspace:
        """Make keys, roster and policies for holders whose folders (with ``holder.toml``) are ``sources``.

        A source folder elsewhere is linked, not copied: data stays where it is.

        Args:
            declared: at how many holders one customer may be, as all of them declare; None: nothing is declared.

        Raises:
            ConfigError: if there are fewer than two holders, or the workspace exists.
        """
        if len(sources) < 2:
            raise ConfigError("a federation needs at least two holders")
        if (root / "coordinator").exists():
            raise ConfigError(f"{root} holds a federation already", hint="choose another folder, or remove it")
        make_keys(root, sources, declared=declared)
        for name, source in sources.items():
            target = root / "holders" / name
            for item in sorted(source.iterdir()):
                link = target / item.name
                if not link.exists():
                    if item.suffix == ".toml":
                        shutil.copyfile(item, link)
                    else:
                        link.symlink_to(item.resolve())
            policy = target / "policy.toml"
            if not policy.exists():
                policy.write_text(demo_policy(len(sources), epsilon=lifetime_epsilon), encoding="utf-8")
        return cls(root)

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """A workspace that exists.

        Raises:
            ConfigError: if it does not.
        """
        if not (root / "coordinator" / "roster.json").exists():
            raise ConfigError(
                f"{root} is not a federation's folder", hint="`cohortium demo` makes one to try things on"
            )
        return cls(root)


#: Runs a study over the holders of a federation that stays open: study, patience, progress.
Runner = Callable[[Study, Patience | None, Progress], StudyResult]


def run_local(
    study: Study,
    workspace: Workspace,
    *,
    transport: str = "flower",
    patience: Patience | None = None,
    progress: Progress = silent,
) -> StudyResult:
    """Run a study over the holders of a workspace; arguments and errors as in :func:`local_federation`."""
    holders = study.holders or workspace.coordinator.roster().holders
    with local_federation(workspace, holders, transport=transport, progress=progress) as run:
        return run(study, patience, progress)


@contextmanager
def local_federation(
    workspace: Workspace,
    holders: Sequence[str],
    *,
    transport: str = "flower",
    progress: Progress = silent,
) -> Iterator[Runner]:
    """What runs studies over holders of a workspace, one after the other, while the block lasts.

    Args:
        workspace: whose coordinator and holders.
        holders: who takes part.
        transport: ``flower`` starts a SuperLink with TLS and a node process per holder, and stops them at the end;
            ``in-process`` calls the holders' nodes directly.
        progress: is told of starting and stopping.

    Raises:
        ConfigError: if there is no such holder or transport; the runner raises what ended a run.
    """
    missing = [name for name in holders if not (workspace.root / "holders" / name).is_dir()]
    if missing:
        there = ", ".join(sorted(path.name for path in (workspace.root / "holders").iterdir()))
        raise ConfigError(f"this workspace has no holder {', '.join(missing)}", hint=f"there are: {there}")
    if transport == "in-process":
        nodes = {name: LiveNode(workspace.holder(name)) for name in holders}  # they take changes of policies up
        carrier = InProcessTransport({name: node.handle for name, node in nodes.items()})
        yield lambda study, patience, progress: run_study(
            study, folder=workspace.coordinator, transport=carrier, patience=patience, progress=progress
        )
    elif transport == "flower":
        # The coordinator's own lock is its process' to take; this one keeps two deployments out of one folder.
        with one_at_a_time(workspace.root / ".flower.lock"), _deployed(workspace, tuple(holders), progress) as run:
            yield run
    else:
        raise ConfigError(f"unknown transport {transport!r}", hint="there are: flower, in-process")


@contextmanager
def _deployed(workspace: Workspace, holders: tuple[str, ...], progress: Progress) -> Iterator[Runner]:
    from server.running.deployed import ENTRY, run_with
    from simulations.worlds.deployment import LocalDeployment, NodeFiles

    run_folder = workspace.root / "flower"
    if run_folder.exists():
        shutil.rmtree(run_folder)  # keys and logs of the last deployment; nothing that counts
    run_folder.mkdir(parents=True)

    def command(files: NodeFiles) -> list[str]:
        return [
            sys.executable, "-m", "cohortium", "holder", "node", str(workspace.holder(files.holder).root),
            "--address", files.address, "--root-certificate", str(files.root_certificate),
            "--node-key", str(files.node_key),
        ]  # fmt: skip

    progress.step("starting SuperLink and nodes", holders)
    with LocalDeployment(run_folder, holders, command, preload=ENTRY) as deployment:
        started = deployment.timings

        def run(study: Study, patience: Patience | None, progress: Progress) -> StudyResult:
            nonlocal started
            earlier, started = started, []  # starting counts once, in the first run
            return run_with(
                deployment.starter, study, workspace.coordinator, events=run_folder / "events.jsonl",
                patience=patience, progress=progress, earlier=earlier, check_alive=deployment.service.check_alive,
            )  # fmt: skip

        yield run
        progress.step("stopping", ())
