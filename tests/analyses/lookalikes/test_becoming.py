"""Who becomes a customer of a kind, from a source's lines: the outcome that look-alikes learn from."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feature_checks import AS_OF, DAY, Line, lines_of, make_study, slow_features
from hypothesis import given, settings
from hypothesis import strategies as st
from source_kit import COLUMNS, make_config

from clients.data.origin import Origin
from clients.data.rows.features import CustomerFeatures, build_features
from privacy.errors import ConfigError
from privacy.kernel.feature_request import Becoming, CategoryKind, FeatureRequest, SpendKind
from privacy.protocol.study import Study

HORIZON = 90
DAYS = tuple(AS_OF - HORIZON * back * DAY for back in (2, 1, 0))
KINDS = ["Toys", "toys ", "Books", ""]


def request(kind: Becoming) -> FeatureRequest:
    return FeatureRequest(names=("orders",), days=DAYS, horizon_days=HORIZON, active_days=120, becoming=kind)


def build(folder: Path, lines: list[Line], study: Study, kind: Becoming) -> CustomerFeatures:
    names = {"customer": pa.string(), "order": pa.string(), "quantity": pa.int64(), "price": pa.float64()}
    schema = pa.schema([*names.items(), ("time", pa.timestamp("us")), ("category", pa.string())])
    pq.write_table(pa.Table.from_pylist(lines, schema=schema), folder / "s.parquet")
    config = make_config(folder / "s.parquet", columns=COLUMNS | {"category": "category"})
    return build_features(Origin(config, study, folder), request(kind))


def slow(lines: list[Line], study: Study, kind: Becoming) -> dict[str, list[tuple[bool, int]]]:
    """By customer and day whether it counts, and the outcome: a customer, day and line at a time."""
    plain = FeatureRequest(names=("orders",), days=DAYS, horizon_days=HORIZON, active_days=120)
    active = slow_features(lines, study, plain, "UTC")
    found = {}
    for name, days in active.items():
        own, seen = [], set()
        for line in lines:
            row = line | {"customer": line["customer"].strip()}
            if row["customer"] == name and tuple(row.values()) not in seen and row["time"] < _start(study.as_of):
                seen.add(tuple(row.values()))
                back = row["order"].startswith("C") or row["quantity"] <= 0 or row["quantity"] * row["price"] < 0
                own.append(row | {"back": back, "quanta": int(np.floor(row["quantity"] * row["price"] * 10_000 + 0.5))})

        def is_one(first: dt.date, end: dt.date, own: list[Line] = own) -> bool:
            inside = [
                line for line in own
                if line["time"] < _start(end)
                and min(other["time"] for other in own if other["order"] == line["order"]) >= _start(first)
            ]  # fmt: skip
            if isinstance(kind, SpendKind):
                return (sum(line["quanta"] for line in inside) + 50) // 100 >= kind.at_least
            return any(
                not line["back"] and (line["category"] or "").strip().lower() == kind.category.lower()
                for line in inside
            )

        found[name] = [
            (eligible == 1 and not is_one(day - HORIZON * DAY, day),
             int(is_one(day, day + HORIZON * DAY)) if outcome >= 0 else -1)
            for day, (_, eligible, outcome) in zip(DAYS, days, strict=True)
        ]  # fmt: skip
    return found


def _start(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time())


def with_categories(lines: list[Line], seed: int) -> list[Line]:
    """The same line spelled twice stays one line: its category goes by its order."""
    rng = np.random.default_rng(seed)
    of = {order: KINDS[rng.integers(len(KINDS))] for order in sorted({line["order"] for line in lines})}
    return [line | {"category": of[line["order"]]} for line in lines]


@pytest.mark.parametrize("kind", [SpendKind(at_least=2_000), CategoryKind(category="Toys")], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("seed", [1, 2])
def test_who_becomes_one_is_what_slow_obvious_code_says(tmp_path: Path, kind: Becoming, seed: int) -> None:
    lines, study = with_categories(lines_of(seed, customers=40), seed), make_study()
    found, expected = build(tmp_path, lines, study, kind), slow(lines, study, kind)
    table = found.table
    assert found.ids.tolist() == list(expected)
    for place, name in enumerate(expected):
        counts = [bool(each) for each in table.eligible[place].tolist()]
        assert list(zip(counts, table.outcome[place].tolist(), strict=True)) == expected[name], name
    counting = (table.eligible == 1) & (table.outcome >= 0)
    assert 0 < table.outcome[counting].mean() < 1, "both outcomes are among them"
    active = FeatureRequest(names=("orders",), days=DAYS, horizon_days=HORIZON, active_days=120)
    before = slow_features(lines, study, active, "UTC")
    assert table.eligible.sum() < sum(day[1] for days in before.values() for day in days), "some are of the kind"


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_one_customers_lines_move_nobody_elses_row(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """From the bytes of a file to the integers that encoders read: whoever goes, others stay as they are."""
    folder = tmp_path_factory.mktemp("neighbours")
    kind = data.draw(st.sampled_from([SpendKind(at_least=2_000), CategoryKind(category="toys")]))
    lines = with_categories(lines_of(3, customers=12), 3)
    gone = data.draw(st.sampled_from(sorted({line["customer"].strip() for line in lines})))
    found = build(folder, lines, make_study(), kind)
    fewer = build(folder, [line for line in lines if line["customer"].strip() != gone], make_study(), kind)
    kept = found.ids != gone
    assert found.ids[kept].tolist() == fewer.ids.tolist()
    for name in ("values", "eligible", "outcome"):
        assert np.array_equal(getattr(found.table, name)[kept], getattr(fewer.table, name))


def test_a_kind_is_told_on_days_a_horizon_apart() -> None:
    with pytest.raises(ValueError, match="a horizon apart"):
        FeatureRequest(
            names=("orders",), days=(AS_OF - 80 * DAY, AS_OF), horizon_days=90, becoming=SpendKind(at_least=1)
        )
    with pytest.raises(ValueError, match="a horizon apart"):
        FeatureRequest(names=("orders",), days=(AS_OF,), becoming=SpendKind(at_least=1))


def test_what_a_kind_is_told_by_is_in_the_words_of_policies() -> None:
    assert request(SpendKind(at_least=1)).columns == {"money"}
    assert request(CategoryKind(category="Toys")).columns == {"category"}


def test_a_category_needs_its_column_before_a_row_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"who will buy in 'Toys', which needs columns\.category"):
        build_features(
            Origin(make_config("none.parquet"), make_study(), tmp_path), request(CategoryKind(category="Toys"))
        )


def test_the_slow_code_counts_spend_as_features_do(tmp_path: Path) -> None:
    """The kind by spend is that of ``money_90``, of which features have their own slow code."""
    lines, study = with_categories(lines_of(5, customers=30), 5), make_study()
    plain = FeatureRequest(names=("money_90",), days=DAYS)
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "p.parquet")
    money = build_features(Origin(make_config(tmp_path / "p.parquet"), study, tmp_path), plain)
    kind = build(tmp_path, lines, study, SpendKind(at_least=2_000))
    assert money.ids.tolist() == kind.ids.tolist()
    was = money.table.values[:, 1:, 0] >= 2_000
    # Spend in the horizon before the next day is the outcome of the day before it.
    known = money.table.values[:, 1:, 0] != -(1 << 62)
    assert np.array_equal(kind.table.outcome[:, :2][known] == 1, was[known])
    assert not (kind.table.eligible[:, 1:] == 1)[was].any()
