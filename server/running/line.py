"""One run's line to the holders: what is sent goes out with fresh heads, and what comes back is read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from privacy.errors import ProtocolError
from privacy.kernel.canonical import Noun, sha256_hex
from privacy.kernel.limits import reply_bytes
from privacy.protocol.envelopes import Reply, Request
from privacy.protocol.identity import Signed
from privacy.protocol.kept_statements import kept
from privacy.protocol.messages import Refusal
from privacy.protocol.transport import Transport
from server.running.folder import Books
from server.running.heads import PeerHeads
from server.running.progress import Progress

#: Seconds for which requests and plans are good.
LIFETIME = 6 * 3600

R = TypeVar("R", bound=Noun)


class Line:
    """The holders of one run, as far as they can be reached.

    Attributes:
        run: the run's name.
        hellos: signed HELLO of every holder that takes part as of now.
        invitation: the first HELLO request of the run, signed; None before it.
        heads: the newest heads of the holders' ledgers.
        transport: carries the bytes.
        now: seconds since 1970, as the coordinator's clock has it.
    """

    def __init__(
        self, run: str, books: Books, *, transport: Transport, progress: Progress, now: Callable[[], int]
    ) -> None:
        self.run = run
        self.hellos: dict[str, Signed] = {}
        self.invitation: Signed | None = None
        self.heads = PeerHeads(ledger=books.ledger, identity=books.identity, roster=books.roster)
        self.transport = transport
        self.now = now
        self._roster = books.roster
        self._ledger = books.ledger
        self._progress = progress
        self._sent: dict[str, str] = {}  # by holder, the digest of the request that it was sent last

    @property
    def participants(self) -> tuple[str, ...]:
        """Holders that said HELLO and are still there, sorted."""
        return tuple(sorted(self.hellos))

    def expiry(self) -> int:
        """Until when what is signed now is good."""
        return self.now() + LIFETIME

    def exchange(self, statements: Mapping[str, Signed], timeout: float) -> dict[str, bytes]:
        """Send signed statements, by holder, and wait so many seconds; returns the replies that came."""
        return self.send({holder: Request(statement=signed) for holder, signed in statements.items()}, timeout)

    def send(self, requests: Mapping[str, Request], timeout: float) -> dict[str, bytes]:
        """The same of whole requests, with what may be attached to them."""
        carried = self.heads.carried(requests, self.participants)
        sent = {holder: request.canonical() for holder, request in carried.items()}
        self._sent |= {holder: sha256_hex(request) for holder, request in sent.items()}
        return self.transport.exchange(sent, timeout=timeout, on_reply=self._progress.reply)

    def statement(self, raw: bytes | None, model: type[R], holder: str, *, words: int = 0) -> tuple[Signed, R]:
        """Read a holder's signed statement.

        Args:
            words: of the masked vector that comes with it.

        Raises:
            ProtocolError: whose message is a refusal's code, or ``no answer``.
        """
        if raw is None:
            raise ProtocolError("no answer")
        if len(raw) > reply_bytes(model.__name__, len(self._roster.holders), words):
            raise ProtocolError("an answer that is too large")
        reply = Reply.parse(raw)
        statement = reply.statement
        if statement.kind == Refusal.__name__:
            raise ProtocolError(self._refusal(statement, holder))
        self.heads.replied(holder, reply)
        return statement, statement.open(model, self._roster, signer=holder)

    def _refusal(self, signed: Signed, holder: str) -> str:
        """The code of a refusal, which is kept; one of another request says nothing about this one.

        Raises:
            ProtocolError: if it is not the holder's word on what it was asked last.
        """
        refusal = signed.open(Refusal, self._roster, signer=holder)
        if (refusal.holder, refusal.request) != (holder, self._sent.get(holder)):
            raise ProtocolError("a refusal of another request")
        self._ledger.keep([kept(signed, self.run)])
        return refusal.code
