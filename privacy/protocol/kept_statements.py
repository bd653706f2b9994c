"""Which signed statements are kept beside a ledger, so that what a party said can be shown to others later."""

from __future__ import annotations

from privacy.kernel.canonical import sha256_hex
from privacy.ledger import Statement
from privacy.protocol.identity import Signed


def kept(signed: Signed, subject: str) -> Statement:
    """A statement in the form in which ledgers keep it.

    Args:
        subject: what it is about: a core's digest, or a run.
    """
    text = signed.canonical()
    return Statement(
        digest=sha256_hex(text), kind=signed.kind, signer=signed.signer, subject=subject, text=text.decode()
    )
