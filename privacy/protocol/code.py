"""Digests of the contract's own source: both sides of a study must run the same rules.

There is one of the kernel, which every study needs, and one of each analysis, which only studies that name it need: a
holder that does not know a new analysis still answers the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from privacy.analyses.catalogue import NAMES

#: Of ``privacy``, what decides nothing of what is computed, sent or charged: how released numbers look, and how records
#: are checked afterwards. Nothing that is in a digest imports it (a test holds that).
FREE = (
    "audit/", "figures/", "presentation/", "results.py", "section.py", "member_commands.py", "member_rosters.py",
    "statistics/examples.py", "locks.py",
)  # fmt: skip
#: The same of an analysis' room.
FREE_IN_ROOMS = (
    "results.py", "shown.py", "shown_sums.py", "words.py", "ageing.py", "example.py",
    "recalibration.py",
    "figures.py", "grid.py", "named.py", "statuses.py", "survival.py",
)  # fmt: skip


@cache
def kernel_code() -> str:
    """SHA-256 over names and texts of all Python files of ``privacy`` that every study rests on, sorted by name.

    Left out are :data:`FREE`, the rooms of analyses, and the tuple of them: a holder must not be refused for a release
    that words, colours or audits numbers differently, or that has an analysis more.
    """
    root = _privacy()
    rooms = ("analyses/__init__.py", *(f"analyses/{name}/" for name in _rooms(root)))
    kept = []
    for path in root.rglob("*.py"):
        name = path.relative_to(root).as_posix()
        if not name.startswith((*FREE, *rooms)):
            kept.append(path)
    return _digest(kept, root)


@cache
def analysis_code(name: str) -> str:
    """The same of an analysis' room in ``privacy/analyses``, for one that is installed."""
    root = _privacy()
    room = root / "analyses" / name
    return _digest((path for path in room.rglob("*.py") if path.name not in FREE_IN_ROOMS), root)


def analysis_codes(names: Iterable[str]) -> dict[str, str]:
    """The digest of each of these analyses that is installed here."""
    return {name: analysis_code(name) for name in names if name in NAMES}


def _privacy() -> Path:
    return Path(__file__).resolve().parents[1]


def _rooms(root: Path) -> list[str]:
    return [path.parent.name for path in (root / "analyses").glob("*/__init__.py")]


def _digest(files: Iterable[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\x00{len(text)}\x00".encode())
        digest.update(text)
    return digest.hexdigest()
