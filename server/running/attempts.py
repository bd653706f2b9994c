"""One attempt of a question: what was confirmed, what came back, and what is recorded where it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privacy.ledger import Failed
from privacy.protocol.identity import Signed
from privacy.protocol.messages import PlanCore
from privacy.secure_sum.masks import UintArray


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """A plan that everybody is ready for.

    Attributes:
        shown: the request that showed it.
        readies: signed READY of each participant, in their order.
        words: holder to the check words that it announced.
    """

    core: PlanCore
    shown: Signed
    readies: tuple[Signed, ...]
    words: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back of an attempt.

    Attributes:
        vectors: of all who answered as they should.
        lost: who did not answer, or not with an answer, and the code.
        false: whose answer has other check words than its READY.
    """

    vectors: tuple[UintArray, ...]
    lost: Mapping[str, str]
    false: tuple[str, ...]

    def failure(self, core: PlanCore) -> Failed | None:
        """What is recorded of an attempt that somebody spoiled; None if nobody did.

        Where nobody at all answered, nobody is called silent: that is the network, or the coordinator itself.
        """
        if not self.lost and not self.false:
            return None
        return Failed(
            question=core.question,
            core=core.digest,
            reason="check_words" if self.false else "missing_answer",
            blamed=self.false,
            silent=tuple(self.lost) if self.vectors or self.false else (),
        )
