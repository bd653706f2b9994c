"""Campaigns of a holder's folder: what those brought that are over, and which are under way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from clients.campaigns.effects import Effect, effect
from clients.campaigns.outcomes import Measured, measure
from clients.data.campaigns import Campaign, campaigns
from clients.tagging.setting import TagSetting
from clients.tags.config import TagsFile

#: Days from when a customer is listed that count, where nobody says otherwise.
DAYS = 30
#: A page shows so many, the newest, of those whose days have ended within so many days.
SHOWN, RECENT = 3, 92


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is said of a campaign.

    Attributes:
        code: its name.
        days: how many count.
        measured: what was read.
        effect: of those whose days are over; None where nobody's are.
    """

    code: str
    days: int
    measured: Measured
    effect: Effect | None


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """A list that is being worked through, or about to be.

    Attributes:
        code: its name.
        contacted, control: customers of each arm.
        first: the day on which it is begun.
        told: the first day on which everybody's days are over.
    """

    code: str
    contacted: int
    control: int
    first: dt.date
    told: dt.date


@dataclass(frozen=True, kw_only=True)
class Lately:
    """Campaigns as they stand on a day.

    Attributes:
        ended: what the newest brought whose days were over by then, and not long before; the newest first.
        under_way: those whose days go on; those that are told first come first.
    """

    ended: tuple[Told, ...] = ()
    under_way: tuple[UnderWay, ...] = ()


def told_of(root: Path, codes: Sequence[str], *, days: int = DAYS, day: dt.date | None = None) -> tuple[Told, ...]:
    """What campaigns brought, as seen on a day; verdicts hold for all of them together.

    Args:
        root: the holder's folder.
        codes: which.
        days: how many count.
        day: nothing of it or after it is seen; today if not given.

    Raises:
        ConfigError: if there is no such campaign, or its study has no run here any more.
        DataError: if a file is damaged, or the source cannot be read.
    """
    return _told(root, [Campaign.load(root, code) for code in codes], days, day)


def _told(root: Path, kept: Sequence[Campaign], days: int, day: dt.date | None) -> tuple[Told, ...]:
    seen = [partial(_seen, root, one.study) for one in kept]
    measured = [measure(each, one, days, each(day).day) for one, each in zip(kept, seen, strict=True)]
    ended = sum(each.outcomes is not None for each in measured)
    return tuple(
        Told(
            code=one.code,
            days=days,
            measured=each,
            effect=None
            if each.outcomes is None
            else effect(each.outcomes, one.share, stale=each.stale, comparisons=ended),
        )
        for one, each in zip(kept, measured, strict=True)
    )


def lately(root: Path, day: dt.date, *, days: int = DAYS) -> Lately:
    """How a holder's campaigns stand on a day.

    Raises:
        ConfigError, DataError: as :func:`told_of`.
    """
    ended, under_way = [], []
    for code in campaigns(root):
        campaign = Campaign.load(root, code)
        since = campaign.table["since"]
        if not len(since):  # whoever was on it was forgotten
            continue
        told = pc.max(since).as_py() + dt.timedelta(days=days)
        control = pc.sum(campaign.table["control"].cast("int64")).as_py()
        if told > day:
            arms = {"contacted": len(since) - control, "control": control}
            under_way.append(UnderWay(code=code, first=pc.min(since).as_py(), told=told, **arms))
        elif told >= day - dt.timedelta(days=RECENT):
            ended.append((told, code, campaign))
    ended.sort(key=lambda one: one[:2], reverse=True)
    return Lately(
        ended=_told(root, [campaign for _, _, campaign in ended[:SHOWN]], days, day),
        under_way=tuple(sorted(under_way, key=lambda one: (one.told, one.code))),
    )


def _seen(root: Path, study: str | None, day: dt.date | None) -> TagSetting:
    return TagSetting.read(root, day, file=TagsFile(like=study))
