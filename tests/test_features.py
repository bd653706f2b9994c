"""Features against slow obvious code, from every kind of source; and that no feature of a day sees what comes after it.

Asserted: the integers are those of one loop over the lines, customer by customer, whatever the time zones; on real data
those of pandas; the same digits from CSV, Parquet, DuckDB and PostgreSQL. Lines at or after a day change no feature of
that day, lines at or after the end of its horizon no outcome. What is stored is read back as it was, or not at all.
"""

from __future__ import annotations

import datetime as dt
import stat
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from feature_checks import (
    _EDGES,
    AS_OF,
    DAY,
    DAYS,
    MICROSECOND,
    NAMES,
    REQUEST,
    SLOW,
    Line,
    as_found,
    build,
    check_an_order_over_midnight,
    check_an_outcome_of_an_open_horizon,
    lines_of,
    make_study,
    same,
    slow_features,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres_server import PASSWORD, Server
from source_kit import COLUMNS, UNBOUND, SparkSettings, load, make_config

from clients.data.cleaning.lines import cleaned_lines
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows import own_rows
from clients.data.rows.customers import build_customer_table
from clients.data.rows.features import CustomerFeatures, build_features
from clients.data.rows.sums import customer_sums
from privacy.errors import ConfigError, DataError
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FEATURES, MISSING
from privacy.protocol.study import Study

# --- slow obvious code -------------------------------------------------------------------------------------------


def test_every_feature_has_slow_code_or_needs_a_column() -> None:
    assert set(SLOW) | {name for name, feature in FEATURES.items() if feature.needs} == set(FEATURES)


# --- generated lines ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "aware", "study"),
    [
        ("UTC", None, {}),
        ("UTC", None, {"cleaning": {"cancellation_prefix": "C", "returns": "drop"}}),
        ("UTC", None, {"cleaning": {"cancellation_prefix": "C", "returns": "net", "duplicates": "keep"}}),
        ("America/New_York", None, {"time_zone": "Europe/Berlin"}),
        ("Asia/Kolkata", "Asia/Kolkata", {"time_zone": "America/New_York"}),
        ("Europe/Berlin", "UTC", {"time_zone": "Europe/Berlin"}),
    ],
    ids=["plain", "returns dropped", "duplicates kept", "zones without offsets", "offsets", "summer time"],
)
def test_features_are_those_of_slow_obvious_code(
    tmp_path: Path, zone: str, aware: str | None, study: dict[str, Any]
) -> None:
    lines = lines_of(7, zone=aware)
    made = make_study(**study)
    found = as_found(build(tmp_path, lines, made, time_zone=zone))
    expected = slow_features(lines, made, REQUEST, zone)
    assert list(found) == sorted(expected)
    for name, days in expected.items():
        for day, one, other in zip(DAYS, found[name], days, strict=True):
            assert one == other, (name, day)
    told = [day for days in expected.values() for day in days]
    assert {(eligible, outcome) for _, eligible, outcome in told} == {(e, o) for e in (0, 1) for o in (-1, 0, 1)}
    assert {features["interval_spread"] == MISSING for features, *_ in told} == {True, False}
    assert min(len({features[name] for features, *_ in told}) for name in NAMES) > 3


@pytest.mark.parametrize("aware", [None, "Asia/Kolkata"])
def test_without_order_ids_an_order_is_a_day_at_the_source(tmp_path: Path, aware: str | None) -> None:
    """The request's days may cut such a day in two, where the study counts days elsewhere."""
    lines, study = lines_of(15, zone=aware), make_study(time_zone="America/New_York")
    columns = {role: name for role, name in COLUMNS.items() if role != "order"}
    path = write(tmp_path / "s.parquet", lines)
    config = make_config(path, columns=columns, time_zone="Asia/Kolkata")
    there = zoneinfo.ZoneInfo("Asia/Kolkata")
    by_day = [
        line | {"order": str((line["time"].astimezone(there) if aware else line["time"]).date())} for line in lines
    ]
    expected = slow_features(by_day, study, REQUEST, "Asia/Kolkata")
    assert as_found(build_features(Origin(config, study, tmp_path), REQUEST)) == expected


def test_days_do_not_change_each_others_features(tmp_path: Path) -> None:
    """A day asked for alone, or among many: the same integers."""
    lines = lines_of(8)
    together = as_found(build(tmp_path, lines, make_study()))
    for number, day in enumerate(DAYS):
        alone = as_found(build(tmp_path, lines, make_study(), REQUEST.model_copy(update={"days": (day,)})))
        assert alone
        assert all(days == [together[name][number]] for name, days in alone.items())
        assert set(alone) == {name for name, days in together.items() if days[number][0]["orders"] != MISSING}


def test_the_last_day_agrees_with_the_customer_table(tmp_path: Path) -> None:
    lines, study = lines_of(9), make_study()
    features = build(tmp_path, lines, study)
    table = build_customer_table(Origin(make_config(tmp_path / "s.parquet"), study, tmp_path))
    assert features.ids.tolist() == table.ids.tolist()
    for name in ("recency_days", "orders", "money", "tenure_days"):
        assert np.array_equal(features.table.values[:, -1, NAMES.index(name)], getattr(table.columns, name)), name


# --- no feature sees the future ----------------------------------------------------------------------------------

_near = st.sampled_from(
    [edge + n * MICROSECOND for edge in _EDGES for n in (-86_400_000_000, -1, 0, 1, 86_400_000_000)]
)
_line = st.fixed_dictionaries(
    {
        "customer": st.sampled_from(["a", "b", "c", "d", "e", "f"]),
        "order": st.sampled_from(["1", "2", "3", "C4"]),
        "time": st.one_of(
            _near, st.integers(0, 400 * 24).map(lambda hours: dt.datetime(2023, 4, 1) + hours * dt.timedelta(hours=1))
        ),
        "quantity": st.sampled_from([1, 2, -1]),
        "price": st.sampled_from([10.0, 2.5]),
    }
)
_lines = st.lists(_line, min_size=1, max_size=40)
#: A past and two futures, several times: each a table's worth of customers of its own. What takes time is that queries
#: are written, not how many rows they see.
_futures = st.lists(st.tuples(_lines, _lines, _lines), min_size=1, max_size=7)


def _two_futures(worlds: list[tuple[list[Line], list[Line], list[Line]]], edge: dt.datetime) -> Iterator[list[Line]]:
    """All worlds' lines with what comes from ``edge`` on as in the first future, and as in the second."""
    for which in (1, 2):
        lines = []
        for number, world in enumerate(worlds):
            chosen = [line for line in world[0] if line["time"] < edge]
            chosen += [line for line in world[which] if line["time"] >= edge]
            lines += [line | {"customer": f"{line['customer']}{number}"} for line in chosen]
        yield lines


@given(worlds=_futures)
@settings(max_examples=6, deadline=None)
def test_later_lines_change_no_feature(
    tmp_path_factory: pytest.TempPathFactory, worlds: list[tuple[list[Line], list[Line], list[Line]]]
) -> None:
    """Two futures after the same past, with orders that go on over the day's start: the same features on the day."""
    folder = tmp_path_factory.mktemp("future")
    request = REQUEST.model_copy(update={"days": DAYS[1:3]})
    found = []
    for lines in _two_futures(worlds, _EDGES[0]):
        features = as_found(build(folder, lines, make_study(), request)) if lines else {}
        found.append({name: days[0][:2] for name, days in features.items() if days[0][0]["orders"] != MISSING})
    assert found[0] == found[1]


@given(worlds=_futures)
@settings(max_examples=6, deadline=None)
def test_lines_after_the_horizon_change_no_outcome(
    tmp_path_factory: pytest.TempPathFactory, worlds: list[tuple[list[Line], list[Line], list[Line]]]
) -> None:
    folder = tmp_path_factory.mktemp("future")
    request = FeatureRequest(names=("orders",), days=(DAYS[1] - 20 * DAY, DAYS[1]), horizon_days=20)
    found = []
    for lines in _two_futures(worlds, _EDGES[0]):
        features = as_found(build(folder, lines, make_study(), request)) if lines else {}
        found.append({name: days[0][2] for name, days in features.items()})
    assert found[0] == found[1]
    assert all(outcome in (0, 1) for outcome in found[0].values())


def test_an_order_over_midnight_is_the_pasts_and_no_purchase_afterwards(tmp_path: Path) -> None:
    check_an_order_over_midnight(tmp_path)


def test_an_outcome_of_an_open_horizon_is_not_known(tmp_path: Path) -> None:
    check_an_outcome_of_an_open_horizon(tmp_path)


@pytest.mark.parametrize(
    ("horizon", "outcomes"), [(0, [-1, -1]), (61, [0, 0]), (62, [0, 0]), (63, [0, -1]), (152, [0, -1]), (153, [-1, -1])]
)
def test_an_outcome_is_known_where_the_horizon_is_over(tmp_path: Path, horizon: int, outcomes: list[int]) -> None:
    line = {"customer": "a", "quantity": 1, "price": 10.0}
    times = [dt.datetime(2023, 5, 1), dt.datetime(2024, 1, 1), dt.datetime(2024, 4, 1)]
    lines = [line | {"order": str(number), "time": time} for number, time in enumerate(times)]
    days = (dt.date(2024, 1, 1), dt.date(2024, 3, 31))
    request = FeatureRequest(names=("orders",), days=days, horizon_days=horizon)
    (found,) = as_found(build(tmp_path, lines, make_study(), request)).values()
    assert [outcome for *_, outcome in found] == outcomes


def test_a_horizon_ends_before_the_start_of_its_last_day(tmp_path: Path) -> None:
    line = {"customer": "a", "order": "1", "quantity": 1, "price": 10.0}
    begin = line | {"time": dt.datetime(2023, 12, 1)}
    end = dt.datetime(2024, 1, 31)
    request = FeatureRequest(names=("orders",), days=(dt.date(2024, 1, 1),), horizon_days=30)
    for time, outcome in ((end - MICROSECOND, 0), (end, 1)):
        lines = [begin, line | {"order": "2", "time": time}]
        assert build(tmp_path, lines, make_study(), request).table.outcome.tolist() == [[outcome]]


# --- sources -----------------------------------------------------------------------------------------------------


def test_the_same_digits_from_csv_parquet_duckdb_and_postgresql(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    path = write(tmp_path / "sales.parquet", lines_of(10, customers=200))
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute(f"CREATE TABLE sales AS FROM '{path}'")
        database.execute(f"COPY sales TO '{tmp_path}/sales.csv' (HEADER)")
    kinds = {
        "features_native": "timestamp, quantity bigint, price float8",
        "features_zoned": "timestamptz, quantity int, price numeric",
        "features_text": "text, quantity text, price text",
    }
    for table, kind in kinds.items():
        definition = f'customer text, "order" text, time {kind}'
        load(server, table, definition, 'customer, "order", time, quantity, price', path)
    there = {"password_env": "SHOP_PASSWORD"}
    configs = [
        make_config("sales.parquet"),
        make_config("sales.csv"),
        make_config("duckdb://shop.duckdb", table="sales"),
        *(make_config(server.url, table=table, **there) for table in kinds),
    ]
    first, *others = [build_features(Origin(config, make_study(), tmp_path), REQUEST) for config in configs]
    assert len(first.ids) > 150
    assert all(same(first, other) for other in others)


def test_times_with_offsets_give_the_same_digits(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weekend and evening are the shop's, on every source, in summer and winter, before the ten years as well."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    lines = lines_of(11, customers=100, zone="America/New_York")
    path = write(tmp_path / "sales.parquet", lines)
    definition = 'customer text, "order" text, time timestamptz, quantity bigint, price float8'
    load(server, "features_offsets", definition, 'customer, "order", time, quantity, price', path)
    study = make_study(time_zone="America/New_York")
    zone = {"time_zone": "America/New_York"}
    here = build_features(Origin(make_config(path, **zone), study, tmp_path), REQUEST)
    config = make_config(server.url, table="features_offsets", password_env="SHOP_PASSWORD", **zone)
    assert same(here, build_features(Origin(config, study, tmp_path), REQUEST))
    assert as_found(here) == slow_features(lines, study, REQUEST, zone["time_zone"])


@pytest.mark.parametrize("kind", sorted(UNBOUND))
@pytest.mark.parametrize("dialect", ["postgres", "snowflake", "bigquery", "pyspark", "databricks", "trino"])
def test_features_compile_for_other_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, kind: str
) -> None:
    if dialect == "pyspark":  # its settings are there only where Spark is installed
        monkeypatch.setattr(ibis.options, "pyspark", SparkSettings())
    if dialect == "postgres" and kind == "text":
        pytest.skip("PostgreSQL has no cast that yields null; text is read by clients/data/sources/postgres.py")
    config = make_config("duckdb://x", table="sales", columns=COLUMNS | {"currency": "cur"})
    study = make_study(rates={"GBP": {"2024-02-01": "1.2"}})
    origin = Origin(config, study, tmp_path)
    query = customer_sums(cleaned_lines(ibis.table(UNBOUND[kind], name="sales"), origin), origin, REQUEST)
    parsed = sqlglot.parse(str(ibis.to_sql(query, dialect=dialect)), read={"pyspark": "spark"}.get(dialect, dialect))
    assert len(parsed) == 1
    assert isinstance(parsed[0], sqlglot.exp.Select)
    assert not list(parsed[0].find_all(sqlglot.exp.Command))


def test_a_column_that_is_not_mapped_is_missed_before_a_row_is_read(tmp_path: Path) -> None:
    config = make_config(tmp_path / "there is no such file.parquet")
    request = FeatureRequest(names=("orders", "discount_share"), days=(AS_OF,))
    for ask in (
        lambda: build_features(Origin(config, make_study(), tmp_path), request),
        lambda: own_rows(Origin(config, make_study(), tmp_path), request),
    ):
        with pytest.raises(ConfigError, match=r"columns\.discount") as error:
            ask()
        assert "holder.toml" in error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_usable_lines_gives_an_empty_table(tmp_path: Path) -> None:
    late = {"customer": "a", "order": "1", "time": dt.datetime(2024, 7, 1), "quantity": 1, "price": 1.0}
    back = late | {"time": dt.datetime(2024, 2, 1), "quantity": -1}
    for lines in ([], [late], [back], [late | {"customer": ""}]):
        features = build(tmp_path, lines, make_study())
        assert features.table.values.shape == (0, len(DAYS), len(NAMES))
        features.save(tmp_path / "features.parquet")
        assert same(CustomerFeatures.load(tmp_path / "features.parquet", REQUEST), features)


def test_huge_amounts_stay_inside_64_bits(tmp_path: Path) -> None:
    line = {"customer": "a", "quantity": 10**6, "price": 1e12}
    lines = [line | {"order": str(n), "time": dt.datetime(2023, 3, 1) + n * DAY / 24} for n in range(10_000)]
    (days,) = as_found(build(tmp_path, lines, make_study())).values()
    assert days[-1][0]["money"] == 9 * 10**15
    assert days[-1][0]["orders"] == 10_000
    assert days[-1][0]["interval_days"] == 4
    assert days[-1][0]["interval_spread"] == 0  # four or five hundredths from hour to hour


# --- kept --------------------------------------------------------------------------------------------------------


def test_features_are_read_back_as_they_were_and_only_by_their_owner(tmp_path: Path) -> None:
    features = build(tmp_path, lines_of(12), make_study())
    assert repr(features) == "CustomerFeatures(<private>)"
    path = tmp_path / "kept" / "features.parquet"
    features.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = CustomerFeatures.load(path, REQUEST)
    assert same(again, features)
    assert again.table.names == NAMES
    assert all(type(name) is str for name in again.ids.tolist())


def test_what_is_not_stored_features_is_refused(tmp_path: Path) -> None:
    features = build(tmp_path, lines_of(12, customers=5), make_study())
    path = tmp_path / "features.parquet"
    features.save(path)
    whole = path.read_bytes()
    longer = REQUEST.model_copy(update={"days": (*DAYS, AS_OF + DAY)})
    other = REQUEST.model_copy(update={"names": (*NAMES, "discount_share")})
    for request in (longer, other):
        with pytest.raises(DataError, match="does not hold features"):
            CustomerFeatures.load(path, request)
    wrong_type = pq.read_table(path)
    wrong_type = wrong_type.set_column(1, "eligible@0", pa.array([0.5] * len(wrong_type)))
    for damage in (b"", whole[:-50], b"customer_id\n1\n"):
        path.write_bytes(damage)
        with pytest.raises(DataError, match="does not hold features") as error:
            CustomerFeatures.load(path, REQUEST)
        assert "computed again" in error.value.hint
    pq.write_table(wrong_type, path)
    with pytest.raises(DataError, match="does not hold features"):
        CustomerFeatures.load(path, REQUEST)
    path.unlink()
    with pytest.raises(DataError, match="does not hold features"):
        CustomerFeatures.load(path, REQUEST)


def test_features_are_computed_once_for_a_study_and_a_request(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", lines_of(13, customers=8))

    def ask(config: HolderConfig, study: Study, request: FeatureRequest) -> Any:
        return own_rows(Origin(config, study, tmp_path), request)

    first = ask(make_config(path), make_study(), REQUEST)
    write(path, lines_of(14, customers=9))  # one study and request are answered from one table
    assert same(ask(make_config(path), make_study(), REQUEST), first)
    shorter = REQUEST.model_copy(update={"horizon_days": 30})
    assert not same(ask(make_config(path), make_study(), shorter), first)
    assert not same(ask(make_config(path), make_study(as_of=AS_OF + DAY), REQUEST), first)
    assert not same(ask(make_config(path, time_zone="Asia/Tokyo"), make_study(), REQUEST), first)
    assert len(list((tmp_path / "state" / "tables").iterdir())) == 4


# --- real data ---------------------------------------------------------------------------------------------------


def test_real_features_are_those_of_pandas(tmp_path: Path, data_folder: Path) -> None:
    """Online Retail II as of 2011-06-12, all features that need no further column, by grouping whole columns."""
    source = data_folder / "online_retail_ii" / "online_retail_ii.parquet"
    columns = {"customer": "customer_id", "order": "invoice", "time": "invoice_date", "quantity": "quantity",
               "price": "price", "product": "stock_code"}  # fmt: skip
    config = make_config(source, columns=columns, where="NOT overlap_repeat", currency_code="GBP")
    study = make_study(as_of=dt.date(2011, 12, 10), currency="GBP", cleaning={"cancellation_prefix": "C"})
    days = (dt.date(2010, 12, 14), dt.date(2011, 6, 12), dt.date(2011, 9, 11), dt.date(2011, 12, 10))
    request = FeatureRequest(names=NAMES, days=days, horizon_days=90)
    features = build_features(Origin(config, study, tmp_path), request)
    number = 1
    cutoff = pd.Timestamp(days[number])

    lines = pd.read_parquet(source)
    lines = lines[~lines.overlap_repeat.astype(bool) & lines.customer_id.notna()]
    lines = lines.drop_duplicates([*columns.values()])
    lines["time"] = lines.invoice_date.astype("datetime64[us]")
    lines["back"] = lines.invoice.str.startswith("C") | (lines.quantity <= 0) | (lines.price * lines.quantity < 0)
    lines["quanta"] = np.floor(lines.quantity * lines.price * 10_000 + 0.5).astype(np.int64)
    everything = lines[~lines.back].groupby(["customer_id", "invoice"], as_index=False).agg(begun=("time", "min"))
    back = lines[lines.back & (lines.time < cutoff)].groupby("customer_id").size()
    bought = lines[~lines.back & (lines.time < cutoff)]
    orders = bought.groupby(["customer_id", "invoice"], as_index=False).agg(
        begun=("time", "min"), quanta=("quanta", "sum"), lines=("time", "size")
    )
    orders = orders.sort_values(["customer_id", "begun", "invoice"])
    by = orders.groupby("customer_id")
    count, first, latest = by.size(), by.begun.min(), by.begun.max()
    last = bought.groupby("customer_id").time.max()

    def integer(column: pd.Series) -> pd.Series:
        return column.astype(np.int64)

    def since(days: int) -> pd.DataFrame:
        return orders[orders.begun >= cutoff - pd.Timedelta(days=days)]

    def recent(days: int) -> pd.Series:
        return since(days).groupby("customer_id").size().reindex(count.index, fill_value=0)

    def spent(rows: pd.DataFrame) -> pd.Series:
        return (rows.groupby("customer_id").quanta.sum().reindex(count.index, fill_value=0) + 50) // 100

    idle, alive = integer(cutoff - last), integer(cutoff - first)
    interval = (integer(latest - first) // (count - 1).clip(lower=1)).where(count > 1)
    hundredth = integer(orders.begun) // 864_000_000
    gaps = hundredth.groupby(orders.customer_id).diff()
    spread = np.floor(gaps.groupby(orders.customer_id).std(ddof=0)).where(count > 2)
    ratio = 1000 * (idle // 1000) // (interval // 1000).clip(lower=1)
    rows = by.lines.sum()
    back = back.reindex(count.index, fill_value=0)
    half, year = recent(180), recent(360)
    weights = [round(2**20 * 0.85**place) for place in range(12)]
    in_period = [(recent(30 * n + 30) - recent(30 * n if n else -9999)).clip(upper=2) for n in range(12)]
    earned = sum(weight * counted for weight, counted in zip(weights, in_period, strict=True))
    expected: dict[str, pd.Series] = {
        "recency_days": idle // 86_400_000_000,
        "tenure_days": alive // 86_400_000_000,
        "tenure_180": alive // 86_400_000_000,
        "orders": count,
        "money": spent(orders),
        "order_value": spent(orders) // count,
        "basket": 100 * rows // count,
        **{f"orders_{n}": recent(n) for n in (30, 90, 180, 365)},
        **{f"money_{n}": spent(since(n)) for n in (30, 90, 180, 365)},
        "interval_days": interval // 864_000_000,
        "interval_spread": spread,
        "interval_variation": 1000 * spread // (interval // 864_000_000).clip(lower=1),
        **{name: ratio for name in ("recency_ratio", "overdue", "on_time")},
        "idle_share": 1000 * (idle // 1000) // (alive // 1000).clip(lower=1),
        "trend": 2 * half - year,
        "momentum": 1000 * (1 + half) // (1 + year - half),
        "loyalty": 1000 * earned // (2 * sum(weights)),
        "purchase_days": orders.begun.dt.date.groupby(orders.customer_id).nunique(),
        "return_share": 1000 * back // (back + rows),
        "weekend_share": 1000 * (orders.begun.dt.day_of_week >= 5).groupby(orders.customer_id).sum() // count,
        "evening_share": 1000 * (orders.begun.dt.hour >= 18).groupby(orders.customer_id).sum() // count,
    }
    ids = features.ids.astype(int)
    for name in NAMES:
        wanted = expected[name].reindex(ids).fillna(MISSING).astype(np.int64).to_numpy()
        got = features.table.values[:, number, NAMES.index(name)]
        differ = int((got != wanted).sum())
        # The spread is a float in pandas, where whole numbers can come out just below themselves.
        allowed = 5 if name in ("interval_spread", "interval_variation") else 0
        assert differ <= allowed, (name, ids[got != wanted][:5], got[got != wanted][:5], wanted[got != wanted][:5])
    came = everything[(everything.begun >= cutoff) & (everything.begun < cutoff + pd.Timedelta(days=90))].customer_id
    assert np.array_equal(features.table.outcome[:, number], ~np.isin(ids, came))
    assert features.table.eligible.sum(axis=0)[number] == 4978
    assert (features.table.outcome[:, 2:] == [0, -1]).any(axis=0).tolist() == [True, True]
