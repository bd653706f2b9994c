"""What cleaning did, for the holder's own screen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from clients.data.sources.opened import LeftOut


class HeavyId(BaseModel):
    """A customer id with an unlikely share of all orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    customer_id: str
    orders: int
    share: float


class CleaningReport(BaseModel):
    """What cleaning did, for the holder's own screen; it never leaves, and its repr shows nothing.

    Attributes:
        rows_seen: rows of the source.
        dropped: rows under each rule of ``cleaning.RULES`` that left them out, in that order; only rules that fit.
        netted: cancelled and returned lines that were set off against spend (study: ``returns = "net"``).
        duplicates: rows dropped because an equal row is there.
        capped: lines whose money stands at the limit for one line.
        free: purchase lines with an amount of zero; they count as orders.
        lines: purchase and netted lines that made the table.
        customers: rows of the table.
        orders: orders of all customers.
        only_returns: customers left out because no purchase remained.
        several_spellings: customers whose id the source spells in more than one way.
        heavy_ids: ids with more than 0.5% of all orders (and at least 20), the heaviest first, at most 20.
        left_out: lines of files that are no records, and so no rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows_seen: int
    dropped: dict[str, int]
    netted: int
    duplicates: int
    capped: int
    free: int
    lines: int
    customers: int
    orders: int
    only_returns: int
    several_spellings: int = 0
    heavy_ids: tuple[HeavyId, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def __repr__(self) -> str:
        return "CleaningReport(<private>)"

    __str__ = __repr__
