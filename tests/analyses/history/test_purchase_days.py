"""Days of purchase, and spend by them, as sources have them: against slow obvious code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from feature_checks import DAYS, SLOW, Past, as_found, each_clock, lines_of, make_study, slow_features, write
from source_kit import make_config

from clients.analyses.history.recipes import RECIPES
from clients.data.origin import Origin
from clients.data.recipes.common import COMMON
from clients.data.rows.features import build_features
from privacy.analyses.history.features import DAY_VALUE, EVEN, ODD
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING

NAMES = ("purchase_days", DAY_VALUE, ODD, EVEN)


def days_of(past: Past) -> list[dt.date]:
    return sorted({past.wall(begun).date() for begun in past.begun})


def spend_of(past: Past, half: int) -> int:
    """Mean spend on the days of purchase at even (0) or odd (1) places; whatever is added to their orders counts."""
    days = days_of(past)
    chosen = days[half::2]
    if not chosen:
        return MISSING
    quanta = 0
    for order in {line["order"] for line in past.bought}:
        lines = [line for line in past.lines if line["order"] == order]
        begun = min(line["time"] for line in lines if not line["back"])
        if past.wall(begun).date() in chosen:
            quanta += sum(line["quanta"] for line in lines if past.net or not line["back"])
    return ((quanta + 50) // 100) // len(chosen)


SLOW_VALUES: dict[str, Callable[[Past], int]] = {
    DAY_VALUE: lambda past: past.minor() // len(days_of(past)),
    ODD: lambda past: spend_of(past, 0),
    EVEN: lambda past: spend_of(past, 1),
}


@pytest.fixture(autouse=True)
def slow_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ``slow_features``, which has that of the common features."""
    for name, code in SLOW_VALUES.items():
        monkeypatch.setitem(SLOW, name, code)  # type: ignore[misc]


@each_clock
def test_days_and_spend_are_those_of_slow_obvious_code(
    tmp_path: Path, zone: str, aware: str | None, study: dict[str, Any]
) -> None:
    lines, made = lines_of(31, zone=aware), make_study(**study)
    request = FeatureRequest(names=NAMES, days=DAYS)
    config = make_config(write(tmp_path / "s.parquet", lines), time_zone=zone)
    origin = Origin(config, made, tmp_path, COMMON | RECIPES)
    found = as_found(build_features(origin, request))
    assert found == slow_features(lines, made, request, zone)
    several = [features for days in found.values() for features, *_ in days if features[EVEN] != MISSING]
    assert len(several) > 30
    assert any(features[ODD] != features[EVEN] for features in several)


def test_two_orders_of_one_day_are_one_day_of_purchase(tmp_path: Path) -> None:
    noon = dt.datetime(2024, 5, 9, 12)
    at = [noon, noon + dt.timedelta(hours=3), noon + dt.timedelta(days=1), noon + dt.timedelta(days=8)]
    lines = [{"customer": "a", "order": str(n), "time": time, "quantity": 1, "price": 10.0 * (n + 1)}
             for n, time in enumerate(at)]  # fmt: skip
    origin = Origin(make_config(write(tmp_path / "s.parquet", lines)), make_study(), tmp_path, COMMON | RECIPES)
    found = build_features(origin, FeatureRequest(names=(*NAMES, "orders"), days=(dt.date(2024, 6, 1),)))
    # 30 on the first day, 30 on the second one, 40 on the third.
    assert found.table.values[0, 0].tolist() == [3, 3_333, 3_500, 3_000, 4]
