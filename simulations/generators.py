"""Generators that could be tried through: what noise does when the randomness behind it is narrow.

A generator that is seeded has as many states as its seed has. Inside :func:`narrow_entropy` everything that Python
draws from the system agrees in its low 32 bits from one draw to the next, so noise of a generator that looks at no more
than these comes out the same again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

#: Bytes at the end of each draw that stay the same: 32 bits, and up to 7 that ``getrandbits`` shifts out.
_KEPT = 5


@contextmanager
def narrow_entropy() -> Iterator[None]:
    """Keep the low 32 bits of what ``os.urandom`` and ``secrets`` give, from one draw to the next, inside."""
    real, kept = os.urandom, os.urandom(_KEPT)

    def narrow(size: int) -> bytes:
        return (real(size) + kept)[-size:] if size <= _KEPT else real(size - _KEPT) + kept

    before = random._urandom  # type: ignore[attr-defined]
    os.urandom = random._urandom = narrow  # type: ignore[attr-defined]
    try:
        yield
    finally:
        os.urandom, random._urandom = real, before  # type: ignore[attr-defined]
