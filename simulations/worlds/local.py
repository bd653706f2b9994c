"""Federations whose holders are all on this machine: the demo, rehearsals, and a first evening.

A workspace is a folder with ``coordinator/`` and ``holders/<id>/``; everything else is as in a real federation.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clients.answering.folder import HolderFolder
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


def run_local(
    study: Study,
    workspace: Workspace,
    *,
    transport: str = "flower",
    patience: Patience | None = None,
    progress: Progress = silent,
    pages: bool = True,
) -> StudyResult:
    """Run a study over the holders of a workspace.

    Args:
        transport: ``flower`` starts a SuperLink with TLS and a node process per holder, and stops them again;
            ``in-process`` calls the holders' nodes directly.
        pages: see :func:`run_study`; over Flower they are always written.

    Raises:
        CohortiumError: of the kind that ended the run.
    """
    holders = study.holders or workspace.coordinator.roster().holders
    missing = [name for name in holders if not (workspace.root / "holders" / name).is_dir()]
    if missing:
        raise ConfigError(f"this workspace has no holder {', '.join(missing)}")
    if transport == "in-process":
        nodes = {name: workspace.holder(name).node() for name in holders}
        carrier = InProcessTransport({name: node.handle for name, node in nodes.items()})
        return run_study(
            study, folder=workspace.coordinator, transport=carrier, patience=patience, progress=progress, pages=pages
        )
    if transport != "flower":
        raise ConfigError(f"unknown transport {transport!r}", hint="there are: flower, in-process")
    return _run_flower(study, workspace, tuple(holders), patience, progress)


def _run_flower(
    study: Study, workspace: Workspace, holders: tuple[str, ...], patience: Patience | None, progress: Progress
) -> StudyResult:
    # The coordinator's own lock is its process' to take; this one keeps two deployments out of one folder.
    with one_at_a_time(workspace.root / ".flower.lock"):
        return _run_deployed(study, workspace, holders, patience, progress)


def _run_deployed(
    study: Study, workspace: Workspace, holders: tuple[str, ...], patience: Patience | None, progress: Progress
) -> StudyResult:
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
        result = run_with(
            deployment.starter,
            study,
            workspace.coordinator,
            events=run_folder / "events.jsonl",
            patience=patience,
            progress=progress,
            earlier=deployment.timings,
            check_alive=deployment.service.check_alive,
        )
        progress.step("stopping", ())
    return result
