"""How a source writes its rows: the time zone of its times, and the form of its CSV."""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Mapping
from pathlib import Path

from clients.data.guess.evidence import CONFIDENCE
from clients.data.guess.nouns import Guessed
from clients.data.guess.sample import Sample
from clients.data.place import CsvFormat


def zone_of(sample: Sample, time: str | None) -> Guessed:
    """The time zone of the times, or the machine's where these do not say."""
    if time is not None:
        values = sample.looks[time].values.dropna()
        form = sample.looks[time].form
        if form is not None and form.zoned:
            return Guessed(
                value="UTC",
                confidence=CONFIDENCE["times state their offset"],
                reason="times state their offset; only UTC can be read as text",
            )
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


def csv_of(
    sample: Sample, found: Mapping[str, Guessed], notes: list[str]
) -> tuple[CsvFormat | None, dict[str, Guessed]]:
    """The form of the CSV, and why; None where the source is none.

    Args:
        found: which column is what.
        notes: what people should be told is added here.
    """
    time = sample.looks[found["time"].value] if "time" in found else None
    form = time.form if time is not None else None
    if sample.text is None:
        if form is not None and form.format:
            notes.append("times are text that is not ISO 8601: make a view with a timestamp column")
        return None, {}
    reasons = {
        "separator": Guessed(
            value=sample.text.separator, confidence=CONFIDENCE["separator"], reason="it gives every line as many values"
        ),
        "encoding": Guessed(
            value=sample.text.encoding, confidence=CONFIDENCE["encoding"], reason=sample.text.encoding_reason
        ),
    }
    values: dict[str, str] = {name: item.value for name, item in reasons.items()}
    forms = [sample.looks[found[role].value].form for role in ("amount", "quantity", "price") if role in found]
    forms = [item for item in forms if item is not None]
    marked = next((item for item in forms if item != (".", "")), None)
    if marked is not None:
        decimal, thousands = marked
        clash = {item for item in forms if item != (".", "")} - {marked}
        thousands = next((item[1] for item in [marked, *sorted(clash)] if item[0] == decimal and item[1]), thousands)
        reasons["decimal"] = Guessed(
            value=decimal,
            confidence=CONFIDENCE["decimal sign, against another column" if clash else "decimal sign"],
            reason="how amounts are written",
        )
        values |= {"decimal": decimal, "thousands": thousands}
    if form is not None and form.format:
        day_or_month = [
            item
            for item in form.others
            if item.replace("%m", "?").replace("%d", "?") == form.format.replace("%m", "?").replace("%d", "?")
        ]
        reasons["date_format"] = Guessed(
            value=form.format,
            confidence=CONFIDENCE["date form, day or month first" if day_or_month else "date form"],
            reason="day or month first cannot be told" if day_or_month else "it reads the times",
            alternatives=form.others,
        )
        values["date_format"] = form.format
    return CsvFormat(**values), reasons
