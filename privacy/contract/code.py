"""The digest of the contract's own source: both sides must run the same rules."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def code_digest() -> str:
    """SHA-256 over the names and texts of all Python files of the ``privacy`` package, sorted by name."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\x00{len(text)}\x00".encode())
        digest.update(text)
    return digest.hexdigest()
