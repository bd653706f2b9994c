"""Ends for everything that arrives: how long texts are, how large numbers, how many of each, how many bytes in all.

No honest federation comes near any of them. They are there so that nobody's message costs its reader more memory or
time than its size says, and so that its size is looked at before it is parsed. None changes how a value is written.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import Field

_KIB, _MIB = 1 << 10, 1 << 20

#: Most members of a federation: a thousand holders, the coordinator, an auditor; and most signed statements together.
MOST_MEMBERS = 1002

#: Most words (64 bits) of noise and of plans that a holder keeps for one run, and most coordinates of a sum.
MOST_WORDS = 1 << 22

#: Longest body of a signed statement, in characters.
LONGEST_BODY = 8 * _MIB

#: Most bytes of texts that travel beside a statement.
ATTACHMENTS = 64 * _MIB

#: The one form of a run's id; it is a folder's name.
_RUN = r"[a-z0-9][a-z0-9-]{0,63}"
RunId = Annotated[str, Field(pattern=rf"^{_RUN}$")]

#: Seconds since 1970, UTC.
Time = Annotated[int, Field(ge=0, le=1 << 40)]
#: Number of a ledger's entry, or how many there are.
Sequence = Annotated[int, Field(ge=0, le=1 << 53)]
#: A short text for people or a name of the catalogue.
Name = Annotated[str, Field(max_length=120)]
#: A day, ISO format, as text.
Day = Annotated[str, Field(max_length=10)]

#: Most bytes of a request, by its kind: a part for all, and a part for each holder of the federation.
_REQUESTS: Final = {
    "HelloRequest": (1 * _MIB, 0),
    "ReadyRequest": (4 * _MIB, 4 * _KIB),
    "AnswerRequest": (64 * _KIB, 8 * _KIB),  # for each holder its READY, and a path from the head that others remember
    "OpenRequest": (64 * _KIB, 4 * _KIB),
    "WitnessRequest": (
        4 * _MIB,
        32 * _KIB,
    ),  # for each holder its Finished: all heads, and what it charged for the study
    "FinishRequest": (4 * _MIB, 0),
}
#: Which request a statement of a holder answers; replies have the size of their requests.
_ANSWERS: Final = {
    "Hello": "HelloRequest",
    "Ready": "ReadyRequest",
    "Contribution": "AnswerRequest",
    "Opening": "OpenRequest",
    "Witnessed": "WitnessRequest",
    "Finished": "FinishRequest",
}
#: Requests that texts may travel beside.
_WITH_ATTACHMENTS = frozenset({"FinishRequest"})
#: A request of no known kind.
_OTHER = (64 * _KIB, 0)

#: Where a canonical request says of which kind its statement is: keys are sorted, so it is at the very end.
_TAIL = re.compile(rb'"kind":"([A-Za-z]{1,40})","signature":"[0-9a-f]{128}","signer":"[a-z0-9_-]{1,63}"\}\}\Z')
_TAIL_BYTES = 400


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run's id; a line end after it is none of it."""
    return re.fullmatch(_RUN, text) is not None


def statement_bytes(kind: str, holders: int) -> int:
    """Most bytes of a request's signed statement in a federation of so many holders."""
    whole, each = _REQUESTS.get(kind, _OTHER)
    return whole + each * holders


def request_bytes(kind: str, holders: int) -> int:
    """Most bytes of a whole request, with what travels beside its statement."""
    return statement_bytes(kind, holders) + (ATTACHMENTS if kind in _WITH_ATTACHMENTS else 0)


def reply_bytes(kind: str, holders: int, words: int = 0) -> int:
    """Most bytes of a reply with a holder's statement of a kind, and a masked vector of so many words."""
    return statement_bytes(_ANSWERS.get(kind, ""), holders) + vector_text(words)


def vector_text(words: int) -> int:
    """Characters of so many words in base64."""
    return 4 * ((8 * words + 2) // 3)


def kind_of_request(request: bytes) -> str | None:
    """Of which kind a canonical request says to be, from its end alone, without parsing it; None where it says none."""
    found = _TAIL.search(request[-_TAIL_BYTES:])
    return None if found is None else found[1].decode()
