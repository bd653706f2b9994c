"""The time zone of a source's times."""

from __future__ import annotations

import os
import zoneinfo
from pathlib import Path

from clients.data.guess.confidence import CONFIDENCE
from clients.data.guess.nouns import Guessed
from clients.data.guess.sample import Sample


def zone_of(sample: Sample, time: str | None) -> Guessed:
    """The time zone of the times, or the machine's where these do not say."""
    if time is not None:
        values = sample.looks[time].values.dropna()
        if len(values) and getattr(values.iloc[0], "tzinfo", None) is not None:
            return Guessed(
                value="UTC", confidence=CONFIDENCE["times carry their zone"], reason="times carry their zone"
            )
    zone = machine_zone()
    if zone is None:
        return Guessed(
            value="UTC", confidence=CONFIDENCE["no zone"], reason="nothing says; this machine states no zone"
        )
    return Guessed(
        value=zone,
        confidence=CONFIDENCE["this machine's zone"],
        reason="this machine's zone; write UTC if the times are in UTC",
    )


def machine_zone(link: Path = Path("/etc/localtime")) -> str | None:
    """The machine's time zone by name; None where it states none."""
    named = os.path.realpath(link).partition("zoneinfo/")[2].removeprefix("posix/")
    try:
        zone = zoneinfo.ZoneInfo(named).key if named else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return "UTC" if zone in ("Etc/UTC", "Etc/GMT", "GMT", "UCT", "Zulu") else zone
