"""Campaigns of a holder's folder, measured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from clients.campaigns.effects import Effect, effect
from clients.campaigns.outcomes import Measured, measure
from clients.campaigns.record import Campaign, campaigns
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


def lately_ended(root: Path, day: dt.date, *, days: int = DAYS) -> tuple[Told, ...]:
    """What the newest campaigns brought whose days were over by a day, and not long before; the newest first.

    Raises:
        ConfigError, DataError: as :func:`told_of`.
    """
    ended = []
    for code in campaigns(root):
        campaign = Campaign.load(root, code)
        last = (pc.max(campaign.table["since"]).as_py() or day) + dt.timedelta(days=days)
        if day - dt.timedelta(days=RECENT) <= last <= day:
            ended.append((last, code, campaign))
    ended.sort(key=lambda one: one[:2], reverse=True)
    return _told(root, [campaign for _, _, campaign in ended[:SHOWN]], days, day)


def _seen(root: Path, study: str | None, day: dt.date | None) -> TagSetting:
    return TagSetting.read(root, day, file=TagsFile(like=study))
