"""A source of customers, one row each: the same table as from their lines, and what it cannot tell is refused by name.

Asserted: last order (or days since), orders and money of customers give the integers that their lines give, from
several kinds of sources; one customer's rows move nobody else's integers; studies that need lines are refused before
anything is read.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cell_kit import declared
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from several_kit import ONLINE, TILLS, integers, of, several, written
from source_kit import make_config, make_study

from clients.analysis import HolderContext
from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.guess import new_holder_file
from clients.data.guess.meaning import _as_customers
from clients.data.origin import Origin
from clients.data.rows import own_rows
from clients.data.rows.customers import build_customer_table
from clients.data.rows.features import build_features
from privacy.errors import ConfigError, DataError
from privacy.kernel.cells import CellRequest
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.feature_request import FeatureRequest
from privacy.protocol.study import Study

DAY = dt.date(2024, 6, 1)
LAST = {"customer": "id", "last": "last", "first": "first", "orders": "orders", "amount": "spent"}
AGO = {"customer": "id", "recency_days": "days", "orders": "orders", "amount": "spent"}


def shop(url: str, columns: dict[str, str] = LAST, **source: Any) -> HolderConfig:
    given = {"url": url, "kind": "customers", "snapshot": DAY, "currency_code": "EUR"} | source
    return HolderConfig.model_validate({"holder": "shop", "source": given, "columns": dict(columns)})


def both(customers: int = 300) -> tuple[pa.Table, pa.Table]:
    """Lines of sales, one an order, and the table of customers that a CRM makes of them."""
    rng = np.random.default_rng(3)
    lines, people = [], []
    for number in range(customers):
        days = sorted(
            dt.date(2021, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 1247, rng.integers(1, 9))
        )
        cents = [int(value) for value in rng.integers(-2000, 90_000, len(days))]
        cents[0] = abs(cents[0])
        money = [max(value, 0) / 100 for value in cents]
        lines += [
            {"customer": f"c{number}", "order": f"{number}-{i}", "time": dt.datetime.combine(day, dt.time()),
             "amount": value}
            for i, (day, value) in enumerate(zip(days, money, strict=True))
        ]  # fmt: skip
        people.append({
            "id": f"c{number}", "last": days[-1].isoformat(), "first": days[0].isoformat(), "orders": len(days),
            "spent": round(sum(money), 2), "days": (DAY - days[-1]).days,
        })  # fmt: skip
    return pa.Table.from_pylist(lines), pa.Table.from_pylist(people)


@pytest.mark.parametrize("kind", [".csv", ".parquet", ".sqlite"])
def test_it_is_the_table_of_the_lines(tmp_path: Path, kind: str) -> None:
    lines, people = both()
    pq.write_table(lines, tmp_path / "lines.parquet")
    url = written(people, tmp_path / f"people{kind}").name
    columns = {"customer": "customer", "order": "order", "time": "time", "amount": "amount"}
    study = make_study(as_of=DAY, cleaning={"duplicates": "keep"})
    more = {"table": "sales"} if kind == ".sqlite" else {}
    whole = build_customer_table(Origin(make_config("lines.parquet", columns=columns), study, tmp_path))
    told = build_customer_table(Origin(shop(url, **more), study, tmp_path))
    assert integers(told) == integers(whole)
    ago = build_customer_table(Origin(shop(url, AGO, **more), study, tmp_path))
    assert {name: row[:3] for name, row in integers(ago).items()} == {
        name: row[:3] for name, row in integers(whole).items()
    }
    request = FeatureRequest(names=("recency_days", "orders", "money", "order_value", "tenure_days"), days=(DAY,))
    one, other = (
        build_features(Origin(config, study, tmp_path), request)
        for config in (make_config("lines.parquet", columns=columns), shop(url, **more))
    )
    assert one.ids.tolist() == other.ids.tolist()
    assert one.table.values.tolist() == other.table.values.tolist()
    assert one.table.eligible.tolist() == other.table.eligible.tolist()


def put(folder: Path, rows: str, head: str = "id,last,first,orders,spent") -> None:
    (folder / "people.csv").write_text(f"{head}\n{rows}", encoding="utf-8")


def built(folder: Path, config: HolderConfig | None = None, **study: Any) -> Any:
    origin = Origin(config or shop("people.csv"), make_study(as_of=DAY, **study), folder)
    return build_customer_table(origin)


def test_odd_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    put(
        tmp_path,
        "a,2024-05-01,2024-01-01,3,10\nb,2024-05-01,1970-01-01,1,-5\nc,2024-05-01,2024-05-30,2,0\n"
        "d,2024-06-01,,1,1\ne,,,1,1\nf,2024-05-01,,0,1\ng,2024-05-01,,1.5,1\nh,2024-05-01,,,1\ni,2024-05-01,,1,x\n"
        ",2024-05-01,,1,1\na ,2024-05-03,2023-12-01,1,2.5\n",
    )
    table = built(tmp_path)
    assert integers(table) == {"a": (29, 4, 1250, 183), "b": (31, 1, -500, 31), "c": (31, 2, 0, 31)}
    assert table.report.dropped == {
        "no_customer_id": 1, "unreadable_time": 1, "after_as_of": 1, "no_orders": 3, "unreadable_amount": 1,
    }  # fmt: skip
    report = preflight(shop("people.csv"), None, base=tmp_path)
    assert report.as_of == DAY
    assert sum(step.rows for step in report.steps if step.code != "returns") == 11
    assert report.cleaning == table.report


def test_days_ago_are_whole_and_never_negative(tmp_path: Path) -> None:
    rows = "a,0,1,1\nb,7,1,1\nc,-1,1,1\nd,1.5,1,1\ne,soon,1,1\nf,12.0,1,1\ng,36525,1,1\n"
    put(tmp_path, rows, "id,days,orders,spent")
    table = built(tmp_path, shop("people.csv", AGO))
    assert {name: row[0] for name, row in integers(table).items()} == {"a": 0, "b": 7, "f": 12, "g": 36_525}
    assert table.report.dropped == {"unreadable_time": 3}


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ABC"), st.integers(1, 31), st.integers(0, 4), st.integers(-9, 9)), max_size=8
    ),
    gone=st.sampled_from("ABC"),
)
@settings(max_examples=15, deadline=None)
def test_a_customer_taken_out_changes_one_row(tmp_path_factory: pytest.TempPathFactory, rows: Any, gone: str) -> None:
    folder = tmp_path_factory.mktemp("people")

    def table(some: Any) -> dict[str, tuple[int, ...]]:
        put(folder, "".join(f"{who},2024-05-{day:02d},,{orders},{spent}\n" for who, day, orders, spent in some))
        return integers(built(folder))

    before = table(rows)
    assert table([row for row in rows if row[0] != gone]) == {n: row for n, row in before.items() if n != gone}


# --- what it cannot tell -----------------------------------------------------------------------------------------


def refused(config: HolderConfig, study: Study, request: Any, folder: Path) -> str:
    """Before anything is read: there is no such file."""
    with pytest.raises(ConfigError) as caught:
        own_rows(Origin(config, study, folder), request)
    assert caught.value.hint
    return caught.value.message


def test_studies_that_need_lines_are_refused_by_name(tmp_path: Path) -> None:
    config, study = shop("absent.csv", AGO), make_study(as_of=DAY)

    def features(*names: str, **more: Any) -> FeatureRequest:
        return FeatureRequest.model_validate({"names": names, "days": (DAY,)} | more)

    for request, says in (
        (CustomerRequest(window_days=90), "a window of days"),
        (features("recency_days", days=(dt.date(2024, 1, 1), DAY)), "earlier days"),
        (features("recency_days", days=(DAY,), horizon_days=90), "earlier days"),
        (features("interval_days"), "uses interval_days, which needs lines of sales"),
        (features("orders_90"), "orders_90"),
        (features("tenure_days"), "needs columns.first"),
    ):
        assert says in refused(config, study, request, tmp_path), says
    cells = declared("returning", {"orders_365_band": {"upper": [1, 2]}}, "customers")
    assert "lines or events" in refused(config, study, CellRequest(tables=(cells,)), tmp_path)
    churn = make_study(as_of=DAY, analyses=["churn"])
    [request] = churn.row_requests.values()
    assert "earlier days, lines or events" in refused(config, churn, request, tmp_path)
    assert "2024-06-02" in refused(config, make_study(as_of="2024-06-02"), CustomerRequest(), tmp_path)
    assert "Shanghai" in refused(config, make_study(as_of=DAY, time_zone="Asia/Shanghai"), CustomerRequest(), tmp_path)
    rates = {"GBP": {"2024-01-01": "1.15", "2024-03-01": "1.17"}}
    pounds = shop("absent.csv", AGO, currency_code="GBP")
    assert "several rates" in refused(pounds, make_study(as_of=DAY, rates=rates), CustomerRequest(), tmp_path)
    pounds.check_currencies(make_study(as_of=DAY, rates={"GBP": "1.2"}))


@pytest.mark.parametrize("analysis", ["rfm", "clusters"])
def test_segments_and_clusters_are_served(tmp_path: Path, analysis: str) -> None:
    put(tmp_path, "a,2024-05-01,2024-01-01,3,10\nb,2024-05-01,2023-01-01,1,5\n")
    study = make_study(as_of=DAY, analyses=[analysis])
    context = HolderContext(origin=Origin(shop("people.csv"), study, tmp_path))
    for request in study.row_requests.values():
        assert context.rows(request).ids.tolist() == ["a", "b"]
    assert preflight(shop("people.csv"), study, base=tmp_path).problems == ()


def test_the_check_says_that_a_study_would_be_refused(tmp_path: Path) -> None:
    put(tmp_path, "a,2024-05-01,2024-01-01,3,10\n")
    study = make_study(as_of=DAY, analyses=["rfm", "churn"])
    assert "refused" in [item.code for item in preflight(shop("people.csv"), study, base=tmp_path).problems]


@pytest.mark.parametrize(
    ("source", "columns", "says"),
    [
        ({}, LAST | {"order": "x"}, "columns.order: a source of customers has"),
        ({}, {k: v for k, v in LAST.items() if k != "orders"}, "needs columns.orders"),
        ({"snapshot": None}, LAST, "needs snapshot"),
        ({"kind": "sales"}, LAST, "kind = "),
        ({"kind": "sales"}, {"customer": "a", "time": "t", "amount": "b"}, "snapshot is of"),
        ({"status": {"column": "s", "sale": ["x"]}}, LAST, "of lines of sales"),
    ],
)
def test_what_does_not_fit_is_refused(source: dict[str, Any], columns: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        shop("people.csv", columns, **source)


def test_it_stands_alone_and_has_no_feed_of_orders() -> None:
    with pytest.raises(ValidationError, match="stands alone"):
        several(of("a", "a.csv", LAST, kind="customers", snapshot=DAY), of("b", "b.csv", TILLS))
    assert shop("people.csv").declared_feeds == {}
    assert HolderConfig.parse(shop("people.csv", AGO).canonical()) == shop("people.csv", AGO)
    assert "kind" not in make_config("a.csv", columns=ONLINE).model_dump(mode="json")["source"]


def test_the_guess_offers_it(tmp_path: Path) -> None:
    _, people = both(60)
    pq.write_table(people.rename_columns(["customer_id", "last_order_date", "first_order_date", "order_count",
                                          "total_spent", "days"]), tmp_path / "crm.parquet")  # fmt: skip
    with pytest.raises(DataError, match="each of 60 customers has one row") as caught:
        new_holder_file(str(tmp_path / "crm.parquet"), output=tmp_path / "holder.toml", answers={"currency": "EUR"})
    for part in ('kind = "customers"', 'last = "last_order_date"', 'first = "first_order_date"',
                 'orders = "order_count"', 'amount = "total_spent"'):  # fmt: skip
        assert part in caught.value.hint, part


def test_money_is_not_a_number_of_orders() -> None:
    """Where several columns count orders, none of them is offered as money."""
    names = ["last_order_date", "order_num_total_online", "order_num_total_offline", "customer_value_total_offline"]
    written = _as_customers("master_id", names)
    assert 'orders = "order_num_total_online", amount = "customer_value_total_offline"' in written
    assert 'amount = "..."' in _as_customers("id", names[:3])
