"""The digest of the contract's own source: both sides must run the same rules."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

#: Folders of ``privacy`` that the digest leaves out.
LEFT_OUT = ("presentation",)


@cache
def code_digest() -> str:
    """SHA-256 over the names and texts of all Python files of the ``privacy`` package, sorted by name.

    ``privacy/presentation`` is left out: it decides how released numbers look on a page, never what is computed,
    sent or charged, and a holder must not be refused for a release that words or colours them differently. Nothing
    that is in the digest imports it (a test holds that).
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
