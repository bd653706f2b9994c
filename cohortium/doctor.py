"""Whether this machine, and a member's folder on it, are fit for studies: what is wrong, and what to do."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer
from rich.markup import escape

from privacy.errors import CohortiumError, ConfigError
from privacy.presentation.terminal import Json, print_json, screen

#: Less free space than this, and a ledger may soon not be written.
_LEAST_FREE = 1 << 30
_SECONDS = 3.0
#: Days before the end of a certificate from which people are told.
_SOON = 30
#: Extra to a module that comes with it.
_EXTRAS = {
    "node": ("ibis", "duckdb", "pandas", "jinja2", "python_calamine"), "postgres": ("psycopg",), "mysql": ("pymysql",),
    "spark": ("pyspark",), "train": ("torch", "opacus"),
}  # fmt: skip

Level = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """One thing that was looked at, and what to do about it; empty where there is nothing to do."""

    what: str
    level: Level
    found: str
    hint: str = ""


def doctor(
    folder: Annotated[
        Path | None, typer.Argument(help="A holder's or the coordinator's folder; the machine alone if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check this machine and a member's folder: versions, clock, disk, keys, roster, server. Changes nothing."""
    found = [*_machine(folder or Path()), *(() if folder is None else _member(folder))]
    if as_json:
        print_json([item._asdict() for item in found])
    else:
        colours = {"ok": "green", "note": "yellow", "problem": "bold red"}
        for item in found:
            hint = f" - {item.hint}" if item.hint else ""
            words = f"[{colours[item.level]}]{item.level:<7}[/] {escape(item.what)}: {escape(item.found)}{escape(hint)}"
            screen.print(words, soft_wrap=True)
    if any(item.level == "problem" for item in found):
        raise typer.Exit(ConfigError.exit_code)


def _machine(folder: Path) -> Iterator[Finding]:
    from privacy.kernel.version import software_version

    yield Finding("release", "ok", software_version())
    python = ".".join(map(str, sys.version_info[:3]))
    tested = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", "ok" if tested else "note", python, "" if tested else "tested are 3.11 to 3.13")
    for extra, modules in _EXTRAS.items():
        missing = [name for name in modules if find_spec(name) is None]
        if missing:
            yield Finding(
                f"extra [{extra}]", "note", f"not installed ({', '.join(missing)})",
                f'pip install "cohortium[{extra}]", where this machine needs it',
            )  # fmt: skip
        else:
            yield Finding(f"extra [{extra}]", "ok", "installed")
    yield from _flower()
    now = dt.datetime.now(dt.UTC)
    yield Finding(
        "clock", "note", f"{now:%Y-%m-%d %H:%M:%S} UTC", "compare it with another: an hour off, and studies stop"
    )
    free = shutil.disk_usage(folder if folder.exists() else Path()).free
    enough = free >= _LEAST_FREE
    hint = "" if enough else "a charge that cannot be written is an answer that is not given: make room"
    yield Finding("disk", "ok" if enough else "problem", f"{free / (1 << 30):.1f} GiB free", hint)


def _flower() -> Iterator[Finding]:
    from clients.flower.connection import FLOWER_VERSION

    try:
        found = version("flwr")
    except PackageNotFoundError:
        return
    fits = found == FLOWER_VERSION
    hint = "" if fits else f"this release works with {FLOWER_VERSION}: pip install 'flwr=={FLOWER_VERSION}'"
    yield Finding("Flower", "ok" if fits else "problem", found, hint)


def _member(folder: Path) -> Iterator[Finding]:
    """What holds for every member, and then for its role."""
    from privacy.member_folder import MemberFolder

    root = folder.parent if folder.is_file() else folder
    if not root.is_dir():
        yield Finding("folder", "problem", f"there is no folder {root}", "check the path")
        return
    for path in sorted((root / "keys").glob("*")):
        if stat.S_IMODE(path.stat().st_mode) & 0o077 and b"PRIVATE KEY" in path.read_bytes():
            yield Finding("keys", "problem", f"others may read {path}", f"chmod 600 {path}")
    member = MemberFolder(root)
    update = _tried("roster", member.latest)
    if isinstance(update, Finding):
        yield update
    elif update is None:
        yield Finding("roster", "note", "none accepted yet", "`join` accepts one")
    else:
        yield Finding("roster", "ok", f"{update.roster.federation}, version {update.roster.version}")
    if (root / "coordinator.toml").exists():
        yield from _coordinator(root)
    else:
        yield from _holder(root)
        if update is not None and not isinstance(update, Finding):
            yield _reaches(update.address)


def _coordinator(root: Path) -> Iterator[Finding]:
    from privacy.locks import is_held
    from server.running.enrolment import Enrolment
    from server.running.folder import CoordinatorFolder
    from server.running.renewal import Renewal

    config = _tried("coordinator.toml", lambda: Enrolment(root).config)
    if isinstance(config, Finding):
        yield config
        return
    yield Finding("coordinator.toml", "ok", config.address)
    days = _tried("certificate", Renewal(root).days_left)
    if isinstance(days, Finding):
        yield days
    else:
        hint = "" if days >= _SOON else "`cohortium coordinator renew-certificate`"
        level: Level = "ok" if days >= _SOON else "problem" if days < 0 else "note"
        yield Finding("certificate", level, f"ends in {days} days", hint)
    if is_held(CoordinatorFolder(root=root).serve_lock):
        yield Finding("server", "ok", "serving")
        return
    host, _, port = (config.listen or config.address).rpartition(":")
    try:
        with socket.create_server((host.strip("[]"), int(port)), reuse_port=False):
            pass
    except OSError as error:
        yield Finding("port", "problem", f"{host}:{port} cannot be used: {error.strerror}", "set `listen` to another")
    else:
        yield Finding("server", "note", "not serving; its port is free", "`cohortium coordinator serve`")


def _holder(root: Path) -> Iterator[Finding]:
    from clients.answering.folder import HolderFolder
    from clients.data.sources import open_source
    from privacy.locks import is_held

    folder = HolderFolder(root)
    policy = _tried("policy.toml", folder.policy)
    yield policy if isinstance(policy, Finding) else Finding("policy.toml", "ok", "read")
    config = _tried("holder.toml", folder.config)
    if isinstance(config, Finding):
        yield config
        return
    yield Finding("holder.toml", "ok", config.holder)

    def opened() -> None:
        with open_source(config, base=root):
            pass

    source = _tried("source", opened)
    yield (
        source
        if isinstance(source, Finding)
        else Finding("source", "ok", "opens", f"`cohortium holder check {root}` looks at its rows")
    )
    if (root / "tags.toml").exists():
        yield _tags(root)
    running = is_held(folder.node_lock)
    yield Finding(
        "node", "ok" if running else "note", "running" if running else "not running",
        "" if running else f"`cohortium holder node {root}`",
    )  # fmt: skip


def _tags(root: Path) -> Finding:
    from clients.tagging.looking import check_tags
    from clients.tagging.setting import TagSetting

    found = _tried("tags.toml", lambda: check_tags(TagSetting.read(root)))
    if isinstance(found, Finding):
        return found
    if found.problems:
        first = found.problems[0]
        return Finding("tags.toml", "problem", first.text.splitlines()[0], first.hint)
    return Finding("tags.toml", "ok", f"{found.tags} tags and {found.groups} groups can be run")


def _reaches(address: str) -> Finding:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS):
            return Finding("coordinator", "ok", f"{address} answers")
    except OSError as error:
        reason = error.strerror or "no answer"
        return Finding("coordinator", "note", f"{address}: {reason}", "ask its operator, or your network's")


def _tried(what: str, look: Any) -> Any:
    """What a look gives, or what went wrong with it."""
    try:
        return look()
    except CohortiumError as error:
        return Finding(what, "problem", error.message, error.hint or "")
    except (OSError, ValueError) as error:
        return Finding(what, "problem", str(error).splitlines()[0])
