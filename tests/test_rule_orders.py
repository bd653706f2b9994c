"""Orders for rules: what is left out to be quick changes no number, whatever the rows are.

Every case is asked twice, the quick way and the plain one of the customer table: lines cleaned and counted first,
repeated lines taken out of all of them.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tag_world import STUDY, setting

from clients.data.rows.rules import columns as asked
from clients.data.rows.rules import orders
from clients.data.rows.rules.columns import Customers

HOLDER = """
holder = "shop"
[source]
url = "sales.parquet"
currency_code = "EUR"
exclude = "opt-out.csv"
[columns]
customer = "customer"
order = "order"
time = "time"
amount = "amount"
category = "category"
"""
VALUES = (
    "orders", "money", "recency_days", "tenure_days", "count(order, -90)", "count(order[category = 'toys'])",
    "sum(order[category = 'toys'].amount, -200)", "max(order.amount)", "mean(order.amount)", "min(order.amount, -300)",
    "share(order[weekday = 5], -365)", "days_since(order[category = 'food'])", "sum(order.amount, -365, -30)",
)  # fmt: skip
ODD_AMOUNTS = (float("nan"), float("inf"), -float("inf"), 1e10, 1e10 + 0.01, 3e11, -2e10, 0.00005, 0.0)


def lines(
    seed: int, *, per_order: int = 2, repeated: float = 0.0, untidy: float = 0.0, odd: bool = False, whole: bool = False
) -> pa.Table:
    """Lines of some 200 customers, nobody and an excluded one among them.

    Args:
        per_order: lines of an order at most.
        repeated: share of lines that are written twice.
        untidy: share of ids with white space or ``.0``.
        odd: whether some amounts are none, or beyond what is counted.
        whole: whether ids of customers are integers.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for order in range(600):
        who = int(rng.integers(1, 200))
        spelled = ("guest", None, " " if untidy else "", "7", str(who))[min(int(rng.integers(0, 40)), 4)]
        moment = dt.datetime(2024, 1, 1) + dt.timedelta(minutes=int(rng.integers(0, 500_000)))
        for _ in range(int(rng.integers(1, per_order + 1))):
            name = None if spelled is None else str(spelled)
            if name and rng.random() < untidy:
                name = (" " + name, name + "\t", name + ".0")[int(rng.integers(0, 3))]
            number = f"{order}" if rng.random() > untidy / 2 else f"{order} "
            amount = float(rng.integers(-200, 2_000)) / 100 if rng.random() < 0.9 else -5.0
            if odd and rng.random() < 0.1:
                amount = ODD_AMOUNTS[int(rng.integers(0, len(ODD_AMOUNTS)))]
            category = ("toys", "Food ", None)[int(rng.integers(0, 3))]
            line = (name, number if rng.random() > 0.01 else "", moment, amount, category)
            rows += [line] * (2 if rng.random() < repeated else 1)
    names = ("customer", "order", "time", "amount", "category")
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
    if whole:
        kept = [row if row and row.strip().isdigit() else None for row in table["customer"].to_pylist()]
        table = table.set_column(0, "customer", pa.array([int(one) if one else None for one in kept], pa.int64()))
    return table


def customers(folder: Path, **cleaning: str) -> Customers:
    study = STUDY.model_copy(update={"cleaning": STUDY.cleaning.model_copy(update=cleaning)})
    tags = [{"code": f"t{place}", "value": value, "bands": [1]} for place, value in enumerate(VALUES)]
    found = setting(folder, tags, study=study)
    return found.evaluate(found.rules()).customers


def told(found: Customers) -> dict[str, Any]:
    columns = {
        str(node): [value if known else None for value, known in zip(column.raw, column.known, strict=True)]
        for node, column in found.columns.items()
    }
    return {"ids": found.ids.to_pylist(), "source_ids": found.source_ids.to_pylist(), **columns}


CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "plain": ({}, {}),
    "returns set off": ({}, {"returns": "net"}),
    "few repeats": ({"repeated": 0.01}, {}),
    "few repeats, returns set off": ({"repeated": 0.01, "odd": True}, {"returns": "net"}),
    "many repeats": ({"repeated": 0.5}, {}),
    "repeats are kept": ({"repeated": 0.2}, {"duplicates": "keep"}),
    "large orders": ({"per_order": 12, "repeated": 0.02}, {}),
    "amounts that are none": ({"odd": True}, {}),
    "ids of several spellings": ({"untidy": 0.1, "repeated": 0.02}, {"returns": "net"}),
    "ids that are numbers": ({"whole": True, "repeated": 0.02}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_quick_way_changes_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    rows, cleaning = CASES[case]
    pq.write_table(lines(sorted(CASES).index(case), **rows), tmp_path / "sales.parquet")
    (tmp_path / "holder.toml").write_text(HOLDER, encoding="utf-8")
    (tmp_path / "opt-out.csv").write_text("7\n", encoding="utf-8")
    counted, passing = [], []
    look, plain = asked.orders_of_anybody, asked.counted_lines

    def seen(*given: Any, **more: Any) -> Any:
        passing.append(more.get("with_repeats", False))
        return look(*given, **more)

    def seen_plain(*given: Any) -> Any:
        counted.append(1)
        return plain(*given)

    monkeypatch.setattr(asked, "orders_of_anybody", seen)
    monkeypatch.setattr(asked, "counted_lines", seen_plain)
    quick = told(customers(tmp_path, **cleaning))
    assert bool(counted) == (case == "ids of several spellings"), "only such ids have to be brought to one form"
    expected = {
        "large orders": [False], "repeats are kept": [False], "many repeats": [True, False],
        "few repeats": [True, False], "few repeats, returns set off": [True, False],
    }  # fmt: skip
    assert passing == expected.get(case, passing)
    assert passing[0] == (case not in ("large orders", "repeats are kept"))
    monkeypatch.setattr(asked, "lines_as_spelled", lambda opened, origin: None)
    slow = told(customers(tmp_path, **cleaning))
    assert len(slow["ids"]) > 150
    assert quick == slow
    assert "7" not in quick["ids"], "who is on the exclusion list is nowhere"


def test_an_order_that_surely_has_no_line_twice_has_none(tmp_path: Path) -> None:
    """Of every order of a file with repeats: what is not doubted has as many lines as different ones."""
    pq.write_table(lines(3, per_order=9, repeated=0.1), tmp_path / "sales.parquet")
    (tmp_path / "holder.toml").write_text(HOLDER.replace('exclude = "opt-out.csv"\n', ""), encoding="utf-8")
    origin = setting(tmp_path, []).origin
    with asked.open_lines(origin) as opened:
        found = asked.lines_as_spelled(opened, origin)
        assert found is not None
        names = [name for name in found.columns if name not in ("customer", "order")]
        grouped = found.group_by("customer", "order").agg(**orders.witnesses(found, names))
        doubted = (
            grouped.select("customer", "order", "lines", doubted=orders.may_repeat(grouped)).to_pyarrow().to_pylist()
        )
        different = found.distinct().group_by("customer", "order").agg(different=lambda each: each.count())
        count = {(row["customer"], row["order"]): row["different"] for row in different.to_pyarrow().to_pylist()}
    sure = [row for row in doubted if not row["doubted"]]
    assert len(doubted) > len(sure) > 250
    assert all(row["lines"] == count[row["customer"], row["order"]] for row in sure)
    assert sum(row["lines"] != count[row["customer"], row["order"]] for row in doubted) > 100
