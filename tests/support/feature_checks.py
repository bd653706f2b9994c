"""Worked orders and what their features are; checks that a mutant must fail too."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_kit import make_config

from clients.data.origin import Origin
from clients.data.rows.features import CustomerFeatures, build_features
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING, FeatureName
from privacy.protocol.study import Study

DAY = dt.timedelta(days=1)


MICROSECOND = dt.timedelta(microseconds=1)


AS_OF = dt.date(2024, 6, 1)


DAYS = (dt.date(2023, 9, 4), dt.date(2024, 1, 1), dt.date(2024, 3, 31), AS_OF)


Line = dict[str, Any]


def make_study(**changes: Any) -> Study:
    return Study.model_validate(
        {
            "name": "test", "as_of": AS_OF, "budget": {"epsilon": "1"},
            "cleaning": {"cancellation_prefix": "C", "returns": "net"},
        }
        | changes
    )  # fmt: skip


@dataclass
class Past:
    """One customer before the start of one day, from its lines before that moment.

    Attributes:
        start: the moment.
        lines: kept lines of the customer before it, each with ``back`` (returned) and ``quanta``.
        moment: a day's start, as the lines' times are.
        wall: a line's time as the clock on the wall showed it.
        net: whether returned lines count against spend.
    """

    start: dt.datetime
    lines: list[Line]
    moment: Callable[[dt.date], dt.datetime]
    wall: Callable[[dt.datetime], dt.datetime]
    day: dt.date
    net: bool
    begun: list[dt.datetime] = field(init=False)

    def __post_init__(self) -> None:
        orders = {line["order"] for line in self.bought}
        self.begun = sorted(min(b["time"] for b in self.bought if b["order"] == order) for order in orders)

    @property
    def bought(self) -> list[Line]:
        return [line for line in self.lines if not line["back"]]

    @property
    def last(self) -> dt.datetime:
        return max(line["time"] for line in self.bought)

    def minor(self, days: int | None = None) -> int:
        quanta = 0
        for line in self.lines:
            opened = min(other["time"] for other in self.lines if other["order"] == line["order"])
            inside = days is None or opened >= self.moment(self.day - days * DAY)
            if inside and (self.net or not line["back"]):
                quanta += line["quanta"]
        return (quanta + 50) // 100

    def orders(self, days: int) -> int:
        return sum(begun >= self.moment(self.day - days * DAY) for begun in self.begun)

    @property
    def interval(self) -> int:
        """Microseconds."""
        return (self.begun[-1] - self.begun[0]) // MICROSECOND // (len(self.begun) - 1)

    @property
    def spread(self) -> int:
        epoch = dt.datetime(1970, 1, 1, tzinfo=self.start.tzinfo)
        at = [(begun - epoch) // dt.timedelta(seconds=864) for begun in self.begun]
        gaps = [later - earlier for earlier, later in pairwise(at)]
        k, total = len(gaps), sum(gaps)
        return math.isqrt((k * sum(gap * gap for gap in gaps) - total * total) // (k * k))

    @property
    def ratio(self) -> int:
        return 1000 * ((self.start - self.last) // (1000 * MICROSECOND)) // max(self.interval // 1000, 1)

    @property
    def loyalty(self) -> int:
        earned = most = 0
        for place in range(12):
            inside = self.orders(30 * (place + 1)) - self.orders(30 * place)
            weight = round(Fraction(2**20) * Fraction(17, 20) ** place)
            earned += weight * min(inside, 2)
            most += weight * 2
        return 1000 * earned // most

    def share(self, part: int, whole: int) -> int:
        return 1000 * part // max(whole, 1)


def with_orders(least: int, value: Callable[[Past], int]) -> Callable[[Past], int]:
    """MISSING for customers with fewer orders."""
    return lambda past: value(past) if len(past.begun) >= least else MISSING


SLOW: dict[FeatureName, Callable[[Past], int]] = {
    "recency_days": lambda p: (p.start - p.last) // DAY,
    "tenure_days": lambda p: (p.start - p.begun[0]) // DAY,
    "orders": lambda p: len(p.begun),
    "money": lambda p: p.minor(),
    "order_value": lambda p: p.minor() // len(p.begun),
    "basket": lambda p: 100 * len(p.bought) // len(p.begun),
    "orders_30": lambda p: p.orders(30),
    "orders_90": lambda p: p.orders(90),
    "orders_180": lambda p: p.orders(180),
    "orders_365": lambda p: p.orders(365),
    "money_30": lambda p: p.minor(30),
    "money_90": lambda p: p.minor(90),
    "money_180": lambda p: p.minor(180),
    "money_365": lambda p: p.minor(365),
    "interval_days": with_orders(2, lambda p: p.interval // 864_000_000),
    "interval_spread": with_orders(3, lambda p: p.spread),
    "interval_variation": with_orders(3, lambda p: 1000 * p.spread // max(p.interval // 864_000_000, 1)),
    "recency_ratio": with_orders(2, lambda p: p.ratio),
    "overdue": with_orders(2, lambda p: p.ratio),
    "on_time": with_orders(2, lambda p: p.ratio),
    "idle_share": lambda p: (
        1000 * ((p.start - p.last) // (1000 * MICROSECOND)) // max((p.start - p.begun[0]) // (1000 * MICROSECOND), 1)
    ),
    "tenure_180": lambda p: (p.start - p.begun[0]) // DAY,
    "trend": lambda p: 2 * p.orders(180) - p.orders(360),
    "momentum": lambda p: 1000 * (1 + p.orders(180)) // (1 + p.orders(360) - p.orders(180)),
    "loyalty": lambda p: p.loyalty,
    "purchase_days": lambda p: len({p.wall(begun).date() for begun in p.begun}),
    "return_share": lambda p: p.share(len(p.lines) - len(p.bought), len(p.lines)),
    "weekend_share": lambda p: p.share(sum(p.wall(b).weekday() >= 5 for b in p.begun), len(p.begun)),
    "evening_share": lambda p: p.share(sum(p.wall(b).hour >= 18 for b in p.begun), len(p.begun)),
}


NAMES = tuple(SLOW)


REQUEST = FeatureRequest(names=NAMES, days=DAYS, horizon_days=90, active_days=120)


#: By customer and day: features, whether it counts, and what came of it.
Found = dict[str, list[tuple[dict[str, int], int, int]]]


def slow_features(lines: list[Line], study: Study, request: FeatureRequest, zone: str) -> Found:
    """The definitions, one customer, day and line at a time."""
    aware = any(line["time"].tzinfo is not None for line in lines)

    def moment(day: dt.date) -> dt.datetime:
        start = dt.datetime.combine(day, dt.time(), tzinfo=zoneinfo.ZoneInfo(study.time_zone))
        return start.astimezone(dt.UTC) if aware else start.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)

    def wall(time: dt.datetime) -> dt.datetime:
        return time.astimezone(zoneinfo.ZoneInfo(zone)) if aware else time

    customers: dict[str, list[Line]] = {}
    seen = set()
    for line in lines:
        row = line | {"customer": line["customer"].strip()}
        amount = row["quantity"] * row["price"]
        key = tuple(row.values())
        if row["time"] >= moment(study.as_of) or (study.cleaning.duplicates == "drop" and key in seen):
            continue
        seen.add(key)
        row["back"] = row["order"].startswith("C") or row["quantity"] <= 0 or amount < 0
        row["quanta"] = math.floor(amount * 10_000 + 0.5)
        customers.setdefault(row["customer"], []).append(row)

    found: Found = {}
    for name, own in sorted(customers.items()):
        days = []
        for day in request.days:
            start = moment(day)
            before = [line for line in own if line["time"] < start]
            past = Past(start, before, moment, wall, day, study.cleaning.returns == "net")
            features = {f: SLOW[f](past) if past.begun else MISSING for f in request.names}
            eligible = bool(past.begun) and (start - past.last) // DAY <= request.active_days
            outcome = -1
            if request.horizon_days and day + request.horizon_days * DAY <= study.as_of:
                end = moment(day + request.horizon_days * DAY)
                began = {}
                for line in own:
                    if not line["back"]:
                        began[line["order"]] = min(line["time"], began.get(line["order"], line["time"]))
                outcome = int(not any(start <= time < end for time in began.values()))
            days.append((features, int(eligible), outcome))
        if days[-1][0][request.names[0]] != MISSING:
            found[name] = days
    return found


def as_found(features: CustomerFeatures) -> Found:
    """What was built, in the form of the slow code."""
    table = features.table
    return {
        name: [
            (dict(zip(table.names, table.values[i, d].tolist(), strict=True)), int(table.eligible[i, d]),
             int(table.outcome[i, d]))
            for d in range(table.eligible.shape[1])
        ]
        for i, name in enumerate(features.ids.tolist())
    }  # fmt: skip


#: Where a day ends decides what day an order is of: sources and studies in several zones, over a change of the clock.
each_clock = pytest.mark.parametrize(
    ("zone", "aware", "study"),
    [
        ("UTC", None, {"cleaning": {"cancellation_prefix": "C", "returns": "drop"}}),
        ("America/New_York", None, {"time_zone": "Europe/Berlin"}),
        ("Europe/Berlin", "UTC", {"time_zone": "Europe/Berlin"}),
    ],
    ids=["returns dropped", "zones without offsets", "summer time"],
)


def lines_of(seed: int, customers: int = 60, zone: str | None = None) -> list[Line]:
    """Customers with one, two and many orders: returns, repeated lines, several spellings, free goods, orders at one
    moment, at a day's very start, just before it, and on both sides of it."""
    rng = np.random.default_rng(seed)
    starts = [dt.datetime.combine(day, dt.time()) for day in DAYS]
    starts += [dt.datetime.combine(day + 90 * DAY, dt.time()) for day in DAYS[:2]]
    starts += [start - days * DAY for start in starts for days in (30, 90, 180, 365)]
    lines: list[Line] = []
    number = 0
    for customer in range(customers):
        spelled = f"c{customer}"
        times: list[dt.datetime] = []
        for _ in range(int(rng.choice([1, 1, 2, 3, 5, 14]))):
            kind = rng.random()
            if kind < 0.15 and times:
                time = times[-1]
            elif kind < 0.45:
                edge = starts[rng.integers(len(starts))]
                time = edge + [0, -1, 1, 3_600_000_000, -40_000_000_000][rng.integers(5)] * MICROSECOND
            else:
                time = dt.datetime(2022, 3, 1) + int(rng.integers(0, 830 * 86_400 * 10**6)) * MICROSECOND
            times.append(time)
            number += 1
            order = f"C{number}" if rng.random() < 0.08 else f"{number}"
            for _ in range(int(rng.choice([1, 1, 2, 4]))):
                line = {
                    "customer": f" {spelled}" if rng.random() < 0.1 else spelled,
                    "order": order,
                    "time": time,
                    "quantity": int(rng.choice([1, 1, 1, 2, 12, 0, -1])),
                    "price": float(rng.choice([10.0, 2.675, 0.005, 0.0, 199.99, -4.0])),
                }
                lines += [line] * int(rng.choice([1, 1, 1, 2]))
                if rng.random() < 0.1:
                    lines.append(line | {"customer": f" {spelled} "})
                if rng.random() < 0.3:
                    time = time + dt.timedelta(minutes=int(rng.choice([1, 90, 600, 3000])))
    lines += [{"customer": "only returns", "order": "C0", "time": starts[0], "quantity": 1, "price": 5.0}]
    lines += [{"customer": "too late", "order": "x", "time": starts[3], "quantity": 1, "price": 5.0}]
    order = rng.permutation(len(lines))
    if zone is not None:
        for i, line in enumerate(lines):
            lines[i] = line | {"time": line["time"].replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(dt.UTC)}
    return [lines[i] for i in order]


def write(path: Path, lines: list[Line]) -> Path:
    kinds = {"customer": pa.string(), "order": pa.string(), "quantity": pa.int64(), "price": pa.float64()}
    zone = "UTC" if lines and lines[0]["time"].tzinfo else None
    schema = pa.schema([*kinds.items(), ("time", pa.timestamp("us", zone))])
    pq.write_table(pa.Table.from_pylist(lines, schema=schema), path)
    return path


def build(
    folder: Path, lines: list[Line], study: Study, request: FeatureRequest = REQUEST, **source: Any
) -> CustomerFeatures:
    return build_features(Origin(make_config(write(folder / "s.parquet", lines), **source), study, folder), request)


_EDGES = [dt.datetime.combine(day, dt.time()) for day in (DAYS[1], DAYS[2])]


def check_an_order_over_midnight(tmp_path: Path) -> None:
    """Begun before the day: its earlier lines are features, its later ones no proof that the customer came back."""
    line = {"customer": "a", "order": "1", "quantity": 1, "price": 10.0}
    lines = [line | {"time": _EDGES[0] - DAY / 2}, line | {"time": _EDGES[0] + DAY / 2}]
    request = FeatureRequest(names=("orders", "money", "basket"), days=(DAYS[1], DAYS[2]), horizon_days=30)
    (days,) = as_found(build(tmp_path, lines, make_study(), request)).values()
    assert days == [
        ({"orders": 1, "money": 1000, "basket": 100}, 1, 1),
        ({"orders": 1, "money": 2000, "basket": 200}, 1, 1),
    ]


def check_an_outcome_of_an_open_horizon(tmp_path: Path) -> None:
    """One day too few is as good as none: nobody is called churned who can still come back."""
    line = {"customer": "a", "order": "1", "time": dt.datetime(2023, 5, 1), "quantity": 1, "price": 10.0}
    for horizon, outcome in ((30, 1), (31, -1)):
        request = FeatureRequest(names=("orders",), days=(AS_OF - 30 * DAY,), horizon_days=horizon)
        assert build(tmp_path, [line], make_study(), request).table.outcome.tolist() == [[outcome]]


def same(one: CustomerFeatures, other: CustomerFeatures) -> bool:
    tables = (one.table, other.table)
    return one.ids.tolist() == other.ids.tolist() and all(
        np.array_equal(*(getattr(table, name) for table in tables)) for name in ("values", "eligible", "outcome")
    )
