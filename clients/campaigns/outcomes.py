"""What became of the customers of a list: their purchases within so many days, read where the source is."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clients.campaigns.effects import BoolArray, IntArray, Outcomes
from clients.data.campaigns import Campaign
from clients.data.rows.rules.columns import Customers, customers_of
from clients.tagging.setting import TagSetting
from privacy.errors import ConfigError
from privacy.tags.reader import read_value
from privacy.tags.tree import Leaf, RuleError

#: Days before a list whose spending the cap is taken from.
EARLIER = 365
#: Where the newest purchase lies more days than this before the end, the source is not up to date.
STALE = 7


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Measured:
    """Outcomes of a campaign.

    Attributes:
        outcomes: of the customers whose days are over, if anybody's are.
        gone: customers of the list who are not read any more (opted out, or not in the source): contacted, left alone.
        first, last: the days that count for those who came first, both included.
        open: how many customers have days to go.
        currency: of money.
        newest: day of the newest purchase in the source before the end; None where there is none.
    """

    outcomes: Outcomes | None
    gone: tuple[int, int]
    first: dt.date
    last: dt.date
    open: int
    currency: str
    newest: dt.date | None

    @property
    def stale(self) -> bool:
        """Whether the source ends long before the days that count do."""
        return self.newest is None or (self.last - self.newest).days > STALE


def measure(seen: Callable[[dt.date], TagSetting], campaign: Campaign, days: int, day: dt.date) -> Measured:
    """Read what the customers of a list bought within so many days, each from the day on which it was on the list.

    Args:
        seen: the holder's source as it is seen on a day, before which everything is read and from which on nothing.
        campaign: whose.
        days: how many, the first one included.
        day: today.

    Raises:
        ConfigError: if the campaign has nobody.
        DataError: if the source cannot be read as described.
    """
    if not len(campaign.table):
        raise ConfigError(f"nobody is on the list of {campaign.code}", hint="draw it up: `cohortium holder contacts`")
    length = dt.timedelta(days=days)
    begun = sorted(pc.unique(campaign.table["since"]).to_pylist())
    over = [since for since in begun if since + length <= day]
    parts: list[_Part] = []
    for since in over:
        at_the_end = seen(since + length)
        leaves = _leaves(at_the_end, campaign.code, days)
        parts.append(_of(_since(campaign, since), customers_of(at_the_end.origin, leaves), leaves))
    newest = parts[-1].newest if parts else None
    last = over[-1] if over else begun[0]
    return Measured(
        outcomes=_joined([part.outcomes for part in parts]) if parts else None,
        gone=(sum(part.gone[0] for part in parts), sum(part.gone[1] for part in parts)),
        first=begun[0],
        last=last + length - dt.timedelta(days=1),
        open=sum(len(_since(campaign, one)) for one in begun if one not in over),
        currency=seen(day).origin.study.currency,
        newest=None if newest is None else last + length - dt.timedelta(days=newest),
    )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Part:
    """What was read of those who were listed on one day; ``newest``: days from the newest purchase to the end."""

    outcomes: Outcomes
    gone: tuple[int, int]
    newest: int | None


def _since(campaign: Campaign, since: dt.date) -> pa.Table:
    return campaign.table.filter(pc.equal(campaign.table["since"], pa.scalar(since, pa.date32())))


def _leaves(seen: TagSetting, code: str, days: int) -> list[Leaf]:
    """What is read of every customer: recency, orders, money, earlier money, and where there is a feed, messages.

    A feed that is made of the lists themselves says nothing of who was written to.
    """
    words, sent = seen.words, seen.origin.config.events.get("sent")
    asked = [
        "recency_days", f"count(order, -{days})", f"sum(order.amount, -{days})",
        f"sum(order.amount, -{days + EARLIER}, -{days})",
    ]  # fmt: skip
    leaves = [read_value(text, words)[0] for text in asked]
    with contextlib.suppress(RuleError):  # no feed says who was written to
        if sent is not None and sent.kept is None:
            leaves.append(read_value(f"count(sent[campaign = '{code}'], -{days})", words)[0])
    return [leaf for leaf in leaves if isinstance(leaf, Leaf)]


def _of(rows: pa.Table, read: Customers, leaves: list[Leaf]) -> _Part:
    place = pc.index_in(rows["customer_id"].combine_chunks(), value_set=read.ids)
    there: BoolArray = pc.is_valid(place).to_numpy(zero_copy_only=False)
    at = place.drop_null().to_numpy()
    control: BoolArray = rows["control"].combine_chunks().to_numpy(zero_copy_only=False)
    orders, spent, earlier, *sent = (_number(read, leaf)[at] for leaf in leaves[1:])
    outcomes = Outcomes(
        control=control[there], orders=orders, spent=spent, earlier=earlier, contacted=sent[0] > 0 if sent else None
    )
    recency = read.columns[leaves[0]]
    silent = recency.raw[recency.known]
    return _Part(
        outcomes=outcomes,
        gone=(int((~there & ~control).sum()), int((~there & control).sum())),
        newest=max(int(silent.min()), 1) if len(silent) else None,
    )


def _number(read: Customers, leaf: Leaf) -> IntArray:
    """A number of every customer; 0 where it is not known, which here says that there was nothing."""
    column = read.columns[leaf]
    return np.where(column.known, column.raw, 0)


def _joined(parts: list[Outcomes]) -> Outcomes:
    sent = [part.contacted for part in parts if part.contacted is not None]
    return Outcomes(
        control=np.concatenate([part.control for part in parts]),
        orders=np.concatenate([part.orders for part in parts]),
        spent=np.concatenate([part.spent for part in parts]),
        earlier=np.concatenate([part.earlier for part in parts]),
        contacted=np.concatenate(sent) if len(sent) == len(parts) else None,
    )
