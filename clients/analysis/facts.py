"""What labels of an analysis say that rules of the holder's own may name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from privacy.tags.tree import Kind


@dataclass(frozen=True, kw_only=True)
class LabelFact:
    """One column of labels as rules see it.

    Attributes:
        column: of the rows that are written, see ``DayRows``.
        kind: of its values; ``money`` in minor units of the study's currency.
        words: all texts that there may be, in lower case; none where there may be others.
    """

    column: str
    kind: Kind | Literal["money"]
    words: tuple[str, ...] = ()
