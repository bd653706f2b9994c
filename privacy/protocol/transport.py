"""The port between the coordinator and the holders: bytes out, bytes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

#: A holder's side: one request in, one reply out. It never raises; what it cannot answer it refuses by code.
Handler = Callable[[bytes], bytes]


class Transport(Protocol):
    """Carries bytes between the coordinator and holders; knows nothing of their meaning.

    Attributes:
        name: which carrier this is, for people (``in-process``, ``flower``).
    """

    name: str

    def holders(self) -> tuple[str, ...]:
        """Ids of the holders that are connected now, sorted."""
        ...

    def exchange(
        self,
        requests: Mapping[str, bytes],
        *,
        timeout: float,
        on_reply: Callable[[str], None] | None = None,
    ) -> dict[str, bytes]:
        """Send each holder its bytes and wait for the replies at most ``timeout`` seconds.

        Holders that did not answer are absent from the result; an error of the carrier, and an empty reply, count
        as no answer.
        ``on_reply`` is called with a holder's id as soon as its reply is here.
        """
        ...
