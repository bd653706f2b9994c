"""How a holder stands: its node, what waits for its operator, its last run and labels. Reading asks nobody."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from clients.answering.folder import HolderFolder
from clients.answering.policy import HolderPolicy
from clients.answering.runs import RunFolder
from privacy.audit.budget import budget_left
from privacy.audit.budget_words import budget_in_words
from privacy.errors import ConfigError
from privacy.locks import is_held
from privacy.member_folder import known_holders
from privacy.private_files import write_private

#: What the node last said.
_NODE = "node.json"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeState(_Value):
    """A holder's node.

    Attributes:
        running: whether a process runs it.
        event: what it last said of its connection: ``connecting``, ``away``, ``waiting``, ``connected`` or ``lost``.
        since: since when, ISO, UTC; empty where no node has run here.
        address: where it connects to.
    """

    running: bool
    event: str
    since: str
    address: str


class LastRun(_Value):
    """A run that this holder took part in."""

    study: str
    as_of: dt.date
    ended: bool


class HolderState(_Value):
    """How a holder stands.

    Attributes:
        holder: its name; empty where ``holder.toml`` is not there.
        federation, version: the roster that it accepted; None where it accepted none.
        node: its node.
        waiting: studies that wait for the operator's approval.
        last_run: the run that was recorded here last.
        labels: days of the newest labels, by study.
        tags: day of the last run of tags; empty where there was none.
        budget: what is left, in words; empty before the first study.
        policy: what it takes part in, in a sentence; empty where ``policy.toml`` is not there.
        problems: what is missing or wrong, with what to do.
    """

    holder: str
    federation: str | None
    version: int | None
    node: NodeState
    waiting: tuple[str, ...]
    last_run: LastRun | None
    labels: dict[str, str]
    tags: str
    budget: str
    policy: str
    problems: tuple[str, ...]


def note_node(state: Path, event: str, address: str) -> None:
    """Keep what a node says of its connection, for :func:`state_of`."""
    said = {"event": event, "since": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "address": address}
    write_private(state / _NODE, json.dumps(said).encode())


def _node(folder: HolderFolder) -> NodeState:
    try:
        said = json.loads((folder.state / _NODE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = {}
    texts = {name: str(said.get(name, "")) for name in ("event", "since", "address")}
    return NodeState(running=is_held(folder.node_lock), **texts)


def state_of(folder: HolderFolder) -> HolderState:
    """How a holder stands now."""
    problems = []
    holder, policy, budget = "", "", ""
    waiting: tuple[str, ...] = ()
    try:
        holder = folder.config().holder
    except ConfigError as error:
        problems.append(f"{error.message} ({error.hint})")
    update = folder.member.latest()
    if update is None:
        problems.append("no roster was accepted (`cohortium holder join`)")
    try:
        policy = sentence_of(folder.policy())
    except ConfigError as error:
        problems.append(f"{error.message} ({error.hint})")
    if update is not None and policy:
        proposed = folder.approvals().proposed()
        waiting = tuple(f"{item.study.name} as of {item.study.as_of}" for item in proposed if item.decision is None)
        left = budget_left(folder.ledger(), int(time.time()), holders=known_holders(folder.member.rosters()))
        budget = budget_in_words(left)
    runs = RunFolder(folder.state / "runs")
    last = runs.runs()[-1:]
    return HolderState(
        holder=holder,
        federation=None if update is None else update.roster.federation,
        version=None if update is None else update.roster.version,
        node=_node(folder),
        waiting=waiting,
        last_run=_last_run(runs, last[0]) if last else None,
        labels=_labels(folder.root),
        tags=_tags(folder.state),
        budget=budget,
        policy=policy,
        problems=tuple(problems),
    )


def _last_run(runs: RunFolder, run: str) -> LastRun:
    study = runs.study(run)
    return LastRun(study=study.name, as_of=study.as_of, ended=runs.result(run) is not None)


def _labels(root: Path) -> dict[str, str]:
    """The newest as-of day of the label files of each study."""
    found: dict[str, str] = {}
    for path in (root / "labels").glob("*"):
        name = re.fullmatch(r"(.+)-(\d{4}-\d{2}-\d{2})(-.+)?\.(csv|parquet)", path.name)
        if name is not None:
            found[name[1]] = max(name[2], found.get(name[1], ""))
    return dict(sorted(found.items()))


def _tags(state: Path) -> str:
    """The day of the last run of tags."""
    try:
        return str(json.loads((state / "tags" / "last.json").read_text(encoding="utf-8"))["day"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def sentence_of(policy: HolderPolicy) -> str:
    """What a holder takes part in, in a sentence."""
    allow = policy.allow
    approval = "each after your approval" if allow.approval == "by_hand" else "without asking you"
    hours = "" if policy.hours is None else ", within the hours of the policy"
    return (
        f"answers {', '.join(allow.analyses)}, {approval}{hours}; at most epsilon {policy.lifetime.epsilon:g} for life "
        "for one customer"
    )
