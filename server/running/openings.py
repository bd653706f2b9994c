"""What opened check keys show about a plan whose check words do not add up to zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privacy.errors import ProtocolError
from privacy.protocol.messages import Opening
from privacy.secure_sum.masks import words_of


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Who is the cause.

    Attributes:
        false: holders whose announced check words do not follow from the keys that they opened themselves: READY and
            opening together prove it.
        apart: pairs, neither of them proved false, that opened different keys for each other: nobody can say which.
    """

    false: tuple[str, ...]
    apart: tuple[tuple[str, str], ...]


def check_opening(opening: Opening, *, holder: str, core: str, holders: tuple[str, ...]) -> None:
    """Whether it is this holder's, for this core, with a key for each other participant.

    Raises:
        ProtocolError: if it is not.
    """
    if (opening.holder, opening.core, {*opening.keys, holder}) != (holder, core, set(holders)) or (
        holder in opening.keys
    ):
        raise ProtocolError("declined")


def compare(announced: Mapping[str, str], opened: Mapping[str, Opening]) -> Finding:
    """Compare what holders announced with what they opened, and the openings of each pair.

    Args:
        announced: holder to the check words in its READY.
        opened: holder to its opening; those that opened nothing are not in it.
    """
    false = tuple(holder for holder, one in opened.items() if words_of(holder, one.keys) != announced[holder])
    rest = [holder for holder in opened if holder not in false]
    apart = tuple(
        (low, high) for low in rest for high in rest if low < high and opened[low].keys[high] != opened[high].keys[low]
    )
    return Finding(false=false, apart=apart)
