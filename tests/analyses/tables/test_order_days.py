"""The calendar days of a customer's first, second and last two orders on the wall's clock, as sources have them.

Against slow obvious code and, on real orders, against figures that are known.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feature_checks import (
    DAY,
    DAYS,
    SLOW,
    Line,
    Past,
    as_found,
    each_clock,
    lines_of,
    make_study,
    slow_features,
    with_orders,
    write,
)
from postgres_server import PASSWORD, Server
from source_kit import COLUMNS, load, make_config

from clients.analyses.tables.recipes import RECIPES
from clients.data.cleaning.lines import cleaned_lines
from clients.data.origin import Origin
from clients.data.recipes.common import COMMON
from clients.data.rows.features import CustomerFeatures, build_features
from clients.data.rows.sums import customer_sums
from clients.data.sources import open_source
from privacy.analyses.tables.features import AGE, GAP, WAIT
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING
from privacy.protocol.study import Study

#: As feature requests have them: in the order of their names.
NAMES = (AGE, GAP, WAIT)

SLOW_DAYS: dict[str, Callable[[Past], int]] = {
    AGE: lambda p: max((p.day - p.wall(p.begun[0]).date()).days, 0),
    GAP: with_orders(2, lambda p: max((p.wall(p.begun[-1]).date() - p.wall(p.begun[-2]).date()).days, 0)),
    WAIT: with_orders(2, lambda p: max((p.wall(p.begun[1]).date() - p.wall(p.begun[0]).date()).days, 0)),
}


@pytest.fixture(autouse=True)
def slow_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ``slow_features``, which has that of the common features."""
    for name in NAMES:
        monkeypatch.setitem(SLOW, name, SLOW_DAYS[name])  # type: ignore[misc]


def origin(config: Any, study: Study, base: Path) -> Origin:
    return Origin(config, study, base, COMMON | RECIPES)


def built(
    folder: Path, lines: list[Line], study: Study, *names: str, days: tuple[dt.date, ...] = DAYS, **source: Any
) -> CustomerFeatures:
    config = make_config(write(folder / "s.parquet", lines), **source)
    return build_features(origin(config, study, folder), FeatureRequest(names=names or NAMES, days=days))


def of_one(folder: Path, times: list[Any], day: dt.date, zone: str = "UTC", **changes: Any) -> tuple[int, int]:
    """Age and wait of a customer with an order of one line at each of the times."""
    lines = [{"customer": "a", "order": str(n), "time": time, "quantity": 1, "price": 10.0} | changes
             for n, time in enumerate(times)]  # fmt: skip
    found = built(folder, lines, make_study(time_zone=zone), AGE, WAIT, days=(day,), time_zone=zone)
    age, wait = found.table.values[0, 0].tolist()
    return age, wait


# --- slow obvious code -------------------------------------------------------------------------------------------


@each_clock
def test_days_of_orders_are_those_of_slow_obvious_code(
    tmp_path: Path, zone: str, aware: str | None, study: dict[str, Any]
) -> None:
    """Customers with orders of several lines, at one moment, on one day, with returns, and after the days asked for."""
    lines, made = lines_of(21, zone=aware), make_study(**study)
    found = as_found(built(tmp_path, lines, made, *NAMES, "orders", time_zone=zone))
    request = FeatureRequest(names=(*NAMES, "orders"), days=DAYS)
    assert found == slow_features(lines, made, request, zone)
    for name in (WAIT, GAP):
        waits = Counter(features[name] for days in found.values() for features, *_ in days)
        assert waits[0] > 3
        assert waits[MISSING] > 3
        assert len(waits) > 20


def test_without_order_ids_an_order_is_a_day(tmp_path: Path) -> None:
    """So that no second order is on the first one's day; and where sources have days only, these are the days."""
    lines, study = lines_of(22), make_study()
    columns = {role: name for role, name in COLUMNS.items() if role != "order"}
    config = make_config(write(tmp_path / "s.parquet", lines), columns=columns)
    request = FeatureRequest(names=NAMES, days=DAYS)
    by_day = [line | {"order": str(line["time"].date())} for line in lines]
    expected = slow_features(by_day, study, request, "UTC")
    assert as_found(build_features(origin(config, study, tmp_path), request)) == expected
    table = pq.read_table(tmp_path / "s.parquet")
    place, time = table.schema.get_field_index("time"), table["time"].cast(pa.date32(), safe=False)
    days_only = table.set_column(place, "time", time)
    pq.write_table(days_only, tmp_path / "s.parquet")
    midnight = [line | {"time": dt.datetime.combine(line["time"].date(), dt.time())} for line in by_day]
    expected = slow_features(midnight, study, request, "UTC")
    assert as_found(build_features(origin(config, study, tmp_path), request)) == expected


# --- one customer ------------------------------------------------------------------------------------------------

JUNE = dt.datetime(2024, 6, 1)


def test_an_order_late_in_the_evening_is_of_that_day(tmp_path: Path) -> None:
    """At 23:30 in Berlin it is still that day, though in summer 21:30 elsewhere; and 00:30 is the next one."""
    evening, night = dt.datetime(2024, 5, 9, 23, 30), dt.datetime(2024, 5, 10, 0, 30)
    assert of_one(tmp_path, [evening, night], JUNE.date()) == (23, 1)
    utc = [time.replace(tzinfo=dt.UTC) - 2 * dt.timedelta(hours=1) for time in (evening, night)]
    assert {time.date() for time in utc} == {evening.date()}
    assert of_one(tmp_path, utc, JUNE.date(), zone="Europe/Berlin") == (23, 1)


def test_changes_of_the_clock_do_not_move_days(tmp_path: Path) -> None:
    """The days of 23 and of 25 hours are days as others are; an order after the clock went back is not before it."""
    for day in (dt.date(2024, 3, 31), dt.date(2023, 10, 29)):
        first = dt.datetime.combine(day - DAY, dt.time(22, 30), tzinfo=dt.UTC)  # 23:30 or 00:30 in Berlin
        second = dt.datetime.combine(day, dt.time(22, 30), tzinfo=dt.UTC)  # 00:30 or 23:30
        wait = (second + dt.timedelta(hours=2 if day.month == 3 else 1)).date()
        begun = (first + dt.timedelta(hours=1 if day.month == 3 else 2)).date()
        expected = ((JUNE.date() - begun).days, (wait - begun).days)
        assert of_one(tmp_path, [first, second], JUNE.date(), zone="Europe/Berlin") == expected
    # In Sao Paulo the clock went back from midnight to 23:00 of the day before: the later order is of the earlier day.
    midnight = dt.datetime(2018, 2, 18, 2, 0, tzinfo=dt.UTC)
    times = [midnight - dt.timedelta(minutes=5), midnight + dt.timedelta(minutes=5), midnight + dt.timedelta(hours=2)]
    for later, wait in ((1, 0), (2, 1)):
        assert of_one(tmp_path, [times[0], times[later]], dt.date(2018, 3, 1), zone="America/Sao_Paulo") == (12, wait)


def test_orders_on_or_after_the_day_do_not_count(tmp_path: Path) -> None:
    first = dt.datetime(2024, 3, 1, 12)
    assert of_one(tmp_path, [first, JUNE], JUNE.date()) == (92, MISSING)
    assert of_one(tmp_path, [first, JUNE - dt.timedelta(microseconds=1)], JUNE.date()) == (92, 91)
    assert of_one(tmp_path, [first, first, JUNE], JUNE.date()) == (92, 0)
    assert of_one(tmp_path, [JUNE - 10 * DAY, first, JUNE - DAY], JUNE.date()) == (92, 82)


def test_returns_and_more_lines_of_an_order_are_no_second_order(tmp_path: Path) -> None:
    bought = {"customer": "a", "order": "1", "time": dt.datetime(2024, 3, 1, 12), "quantity": 1, "price": 10.0}
    lines = [
        bought,
        bought | {"time": dt.datetime(2024, 3, 4), "price": 5.0},  # the same order, three days on
        bought | {"order": "2", "time": dt.datetime(2024, 3, 5), "quantity": -1},
        bought | {"order": "C3", "time": dt.datetime(2024, 3, 6)},
        bought | {"order": "4", "time": dt.datetime(2024, 2, 1), "quantity": -1},  # an order begins with a purchase
        bought | {"order": "4", "time": dt.datetime(2024, 3, 9)},
    ]
    found = built(tmp_path, lines, make_study(), days=(JUNE.date(),))
    assert found.table.values[0, 0].tolist() == [92, 8, 8]
    one = built(tmp_path, lines[:4], make_study(), days=(JUNE.date(),))
    assert one.table.values[0, 0].tolist() == [92, MISSING, MISSING]


def test_the_last_gap_is_between_the_last_two_orders_before_the_day(tmp_path: Path) -> None:
    times = [JUNE - days * DAY for days in (200, 90, 10)] + [JUNE, JUNE + DAY]
    lines = [{"customer": "a", "order": str(n), "time": time, "quantity": 1, "price": 10.0}
             for n, time in enumerate(times)]  # fmt: skip
    days = (JUNE.date() - 90 * DAY, JUNE.date() - 9 * DAY, JUNE.date())
    found = built(tmp_path, lines, make_study(), GAP, days=days)
    assert found.table.values[0, :, 0].tolist() == [MISSING, 80, 80]


def test_a_shop_ahead_of_the_study_has_no_negative_ages(tmp_path: Path) -> None:
    """In Tokyo it is the as-of day already when it begins where the study counts days."""
    time = dt.datetime(2024, 5, 31, 20, tzinfo=dt.UTC)
    config = make_config(
        write(tmp_path / "s.parquet", [{"customer": "a", "order": "1", "time": time, "quantity": 1, "price": 1.0}]),
        time_zone="Asia/Tokyo",
    )
    found = build_features(origin(config, make_study(), tmp_path), FeatureRequest(names=NAMES, days=(JUNE.date(),)))
    assert found.table.values[0, 0].tolist() == [0, MISSING, MISSING]


# --- sources -----------------------------------------------------------------------------------------------------


def test_the_same_digits_from_duckdb_and_postgresql(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    lines = lines_of(23, customers=150, zone="America/New_York")
    path = write(tmp_path / "sales.parquet", lines)
    definition = 'customer text, "order" text, time timestamptz, quantity bigint, price float8'
    load(server, "own_features", definition, 'customer, "order", time, quantity, price', path)
    study, request = make_study(time_zone="America/New_York"), FeatureRequest(names=NAMES, days=DAYS)
    configs = [
        make_config(path, time_zone="America/New_York"),
        make_config(server.url, table="own_features", password_env="SHOP_PASSWORD", time_zone="America/New_York"),
    ]
    here, there = (as_found(build_features(origin(config, study, tmp_path), request)) for config in configs)
    assert here == there == slow_features(lines, study, request, "America/New_York")


def test_real_first_and_second_orders(tmp_path: Path, data_folder: Path) -> None:
    """CDNOW as of 1998-07-01, an order being all that a customer buys on one day: known figures."""
    file = data_folder / "cdnow_sample" / "cdnow_sample.parquet"
    columns = {"customer": "sample_id", "time": "date", "amount": "value"}
    study = make_study(as_of=dt.date(1998, 7, 1), currency="USD")
    config = make_config(file, columns=columns, currency_code="USD")
    found = build_features(origin(config, study, tmp_path), FeatureRequest(names=NAMES, days=(study.as_of,)))
    age, gap, wait = found.table.values[:, 0].T
    assert ((gap == MISSING) == (wait == MISSING)).all()
    again = wait != MISSING
    assert (len(age), int(again.sum())) == (2357, 1139)
    bins = np.searchsorted([0, 7, 14, 30, 60, 90, 120, 180, 365], wait[again], side="left")
    assert np.bincount(bins, minlength=10).tolist() == [0, 145, 117, 148, 191, 86, 74, 126, 187, 65]
    months = [(study.as_of - int(days) * DAY).replace(day=1) for days in age]
    assert [Counter(months)[dt.date(1997, month, 1)] for month in (1, 2, 3)] == [781, 857, 719]
    in_time = Counter(month for month, days in zip(months, wait, strict=True) if 0 <= days <= 30)
    assert [in_time[dt.date(1997, month, 1)] for month in (1, 2, 3)] == [137, 159, 114]


def test_a_query_has_the_sums_that_days_need_and_no_others(tmp_path: Path) -> None:
    config = make_config(write(tmp_path / "s.parquet", lines_of(24, customers=2)))
    with open_source(config, base=tmp_path) as opened:
        where = origin(config, make_study(), tmp_path)
        query = customer_sums(cleaned_lines(opened.table, where), where, FeatureRequest(names=(WAIT,), days=DAYS[:1]))
        assert set(query.columns) == {"customer_id", "orders_0", "last_0", "first_wall_0", "second_wall_0"}
