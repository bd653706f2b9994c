"""Whether the noise that a charge states is fine enough and shared as it says."""

from __future__ import annotations

from collections.abc import Iterator

from privacy.accounting.events import GaussianSum
from privacy.ledger import Reserved
from privacy.mechanisms import MIN_SHARE_SCALE


def wrong_with_shares(fact: Reserved, position: int) -> Iterator[str]:
    """What is wrong with the shares of a sum's noise; nothing of a training's, which slots are about.

    Args:
        fact: the charge.
        position: number of its entry.
    """
    event = fact.event
    if not isinstance(event, GaussianSum):
        return
    if event.share_scale < MIN_SHARE_SCALE:
        yield f"entry {position}: shares of scale {event.share_scale} are too coarse"
    shares = len(fact.holders) - fact.colluding if fact.placement == "distributed" else 1
    if event.protecting_shares != shares or shares < 1:
        yield f"entry {position} counts on {event.protecting_shares} shares, and {shares} protect"
