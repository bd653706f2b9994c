"""What the holders of the transports' tests answer, in any process."""

from __future__ import annotations

import time

SECRET = "row 4711 of Mrs Example"


EVERY_BYTE = bytes(range(256))


def handle(holder: str, request: bytes) -> bytes:
    """What a holder does in this suite: as the request says, and an echo."""
    words = request.split(b" ")
    if words[:2] == [b"raise", holder.encode()]:
        raise ValueError(SECRET)
    if words[:2] == [b"sleep", holder.encode()]:
        time.sleep(float(words[2]))
    if words[:2] == [b"empty", holder.encode()]:
        return b""
    return holder.encode() + EVERY_BYTE + request
