"""What a holder's node looks at before it knows who sent a request: kind and size, and only then the content."""

from __future__ import annotations

from privacy.errors import ProtocolError
from privacy.kernel.limits import ATTACHMENTS, kind_of_request, request_bytes, statement_bytes
from privacy.protocol.envelopes import Request


def read_request(data: bytes, holders: int) -> Request:
    """Read a request whose size is what its kind may have; nothing larger is parsed.

    Args:
        data: as it came.
        holders: how many the federation has; a few bytes of a plan are for each.

    Raises:
        ProtocolError: if it is too large, or no request.
    """
    kind = kind_of_request(data)
    if kind is None or len(data) > request_bytes(kind, holders):
        raise ProtocolError(f"{len(data)} bytes are no request, or more than one of its kind has")
    request = Request.parse(data)
    texts = sum(len(text) for text in request.attachments.values())
    if request.statement.kind != kind or len(request.statement.body) > statement_bytes(kind, holders):
        raise ProtocolError("the statement is of another kind than it says, or larger than one of its kind")
    if texts > ATTACHMENTS:
        raise ProtocolError("more travels beside a statement than may")
    return request
