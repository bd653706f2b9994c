"""The digest of the contract's own source: both sides must run the same rules."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

#: Folders of ``privacy`` that the digest leaves out.
LEFT_OUT = ("audit", "presentation")


@cache
def code_digest() -> str:
    """SHA-256 over the names and texts of all Python files of the ``privacy`` package, sorted by name.

    ``privacy/presentation`` and ``privacy/audit`` are left out: they decide how released numbers look on a page and how
    records are checked afterwards, never what is computed, sent or charged, and a holder must not be refused for a
    release that words, colours or audits them differently. Nothing that is in the digest imports them (a test holds
    that).
    """
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] in LEFT_OUT:
            continue
        text = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\x00{len(text)}\x00".encode())
        digest.update(text)
    return digest.hexdigest()
