"""``holder check``: figures, problems and warnings a holder sees before a study."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from source_kit import make_study

from clients.data.check import CheckReport, preflight
from clients.data.check_page import render_check
from clients.data.config import HolderConfig
from privacy.protocol.study import Study

COLUMNS = {"customer": "customer", "order": "order", "time": "time", "amount": "amount", "currency": "currency"}


def make_config(columns: dict[str, str] | None = None, **source: Any) -> HolderConfig:
    return HolderConfig.model_validate(
        {
            "holder": "shop",
            "source": {"url": "sales.parquet", "currencies": ("CHF", "EUR", "GBP")} | source,
            "columns": columns or COLUMNS,
        }
    )


def line(**changes: Any) -> dict[str, Any]:
    day = {"time": dt.datetime(2024, 5, 20, 12)}
    return {"customer": "c1", "order": "o1", "amount": 10.25, "currency": "EUR"} | day | changes


def check(folder: Path, rows: list[dict[str, Any]], study: Study | None, **source: Any) -> CheckReport:
    pq.write_table(pa.Table.from_pylist(rows), folder / "sales.parquet")
    return preflight(make_config(**source), study, base=folder)


def codes(findings: tuple[Any, ...]) -> list[str]:
    return [item.code for item in findings]


def test_without_order_ids_it_says_what_an_order_is(tmp_path):
    columns = {role: name for role, name in COLUMNS.items() if role != "order"}
    rows = [line(), line(amount=3.0), line(customer="c2")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "sales.parquet")
    study = make_study(cleaning={"cancellation_prefix": "C"})
    report = preflight(make_config(columns), study, base=tmp_path)
    assert (report.order_column, report.cleaning.orders, report.problems) == (None, 2, ())
    assert codes(report.warnings) == ["no_cancellations"]
    screen = Console(file=io.StringIO(), width=120)
    render_check(report, screen)
    assert "orders (no order ids: what a customer buys on one day)" in screen.file.getvalue()
    assert codes(preflight(make_config(columns), make_study(), base=tmp_path).warnings) == []
    assert check(tmp_path, rows, study).order_column == "order"


def test_ids_spelled_in_several_ways_are_counted(tmp_path):
    report = check(tmp_path, [line(), line(customer="c1 ", order="o2")], make_study())
    screen = Console(file=io.StringIO(), width=120)
    render_check(report, screen)
    assert "customers whose id is spelled in several ways" in screen.file.getvalue()
    assert report.cleaning.several_spellings == 1


def test_clean_data_is_ready(tmp_path):
    rows = [line(), line(order="o2", amount=0.1), line(customer="c2", order="o3", currency="GBP")]
    report = check(tmp_path, rows, make_study(rates={"GBP": "1.2"}))
    assert (report.problems, report.warnings) == ((), ())
    assert (report.rows, report.first, report.last) == (3, rows[0]["time"], rows[0]["time"])
    assert (report.cleaning.customers, report.cleaning.orders) == (2, 3)
    assert [(c.currency, c.lines, str(c.revenue), c.known) for c in report.currencies] == [
        ("EUR", 2, "10.35", True),
        ("GBP", 1, "10.25", True),
    ]
    assert json.loads(report.model_dump_json())["cleaning"]["rows_seen"] == 3


def test_money_is_of_the_lines_in_the_studys_window(tmp_path):
    old = line(order="o0", amount=100.0, time=dt.datetime(2024, 3, 1, 12))
    rows = [line(), line(order="o2", amount=0.1), old, line(order="o4", customer="c2", amount=7.0)]
    report = check(tmp_path, rows, make_study(rfm={"window_days": 30}))
    assert (report.problems, report.cleaning.lines) == ((), 3)
    assert report.cleaning.dropped == {"before_window": 1}
    assert [(step.code, step.rows, str(step.revenue)) for step in report.steps] == [
        ("before_window", 1, "100"),
        ("used", 3, "17.35"),
    ]
    assert [(c.lines, str(c.revenue)) for c in report.currencies] == [(3, "17.35")]


def test_without_a_study_all_rows_are_seen_with_default_rules(tmp_path):
    rows = [line(), line(order="o2", currency="GBP"), line(order="o3"), line(customer="nan", order="o4")]
    report = check(tmp_path, rows, None)
    assert report.as_of == dt.date(2024, 5, 21)
    assert report.study is None
    assert report.problems == ()
    assert report.cleaning.dropped == {"no_customer_id": 1, "unknown_currency": 1}
    assert codes(report.warnings) == ["currencies", "missing_ids"]


@pytest.mark.parametrize(
    ("rows", "study", "code", "says"),
    [
        ([line(), line(order="2", currency="CHF")], {}, "unknown_currency", "no rate for CHF"),
        ([line(currency="GBP")], {"rates": {"GBP": {"2024-05-21": "1.2"}}}, "unknown_currency", "no rate for GBP"),
        (
            [line()],
            {"as_of": dt.date(2024, 5, 20)},
            "as_of_before_data",
            "before all rows (the first is of 2024-05-20)",
        ),
        ([line(customer="")], {}, "empty_after_cleaning", "most rows were dropped for: no customer id"),
        ([line(time=dt.datetime(1800, 1, 1))], {}, "no_times", "no row has a readable time"),
    ],
)
def test_problems(tmp_path, rows, study, code, says):
    report = check(tmp_path, rows, make_study(**study))
    found = next(item for item in report.problems if item.code == code)
    assert says in found.text
    assert found.hint


def test_currencies_that_are_not_declared_are_a_problem(tmp_path):
    rows = [line(), line(order="o2", currency="GBP"), line(order="o3", currency="??")]
    report = check(tmp_path, rows, make_study(rates={"GBP": "1.2"}), currencies=("EUR",))
    found = next(item for item in report.problems if item.code == "undeclared_currency")
    assert found.text == "holder.toml does not declare GBP"
    assert found.hint == 'write under [source]: currencies = ["EUR", "GBP"]'
    assert "undeclared_currency" in codes(check(tmp_path, rows, None, currencies=()).problems)
    declared = check(tmp_path, rows[:2], make_study(rates={"GBP": "1.2"}), currencies=("EUR", "GBP", "SEK"))
    assert declared.problems == ()


def test_an_empty_source_is_a_problem(tmp_path):
    pq.write_table(pa.Table.from_pylist([line()]).slice(0, 0), tmp_path / "sales.parquet")
    for study in (make_study(), None):
        assert codes(preflight(make_config(), study, base=tmp_path).problems) == ["empty"]


def test_missing_columns_are_all_named(tmp_path):
    pq.write_table(pa.Table.from_pylist([line()]), tmp_path / "sales.parquet")
    config = make_config(COLUMNS | {"customer": "costumer", "amount": "amuont"})
    report = preflight(config, make_study(), base=tmp_path)
    assert codes(report.problems) == ["missing_column", "missing_column"]
    assert "did you mean customer?" in report.problems[0].text
    assert "did you mean amount?" in report.problems[1].text


def test_an_unreadable_source_is_a_problem_not_a_crash(tmp_path):
    report = preflight(make_config(), make_study(), base=tmp_path)
    assert codes(report.problems) == ["source"]
    assert "there is no file at" in report.problems[0].text
    (tmp_path / "sales.parquet").write_bytes(b"rubbish")
    assert "cannot be read as Parquet" in preflight(make_config(), None, base=tmp_path).problems[0].text


def test_warnings(tmp_path):
    (tmp_path / "optout.txt").write_text("nobody\n")
    rows = [line(order=f"o{i}", customer="till") for i in range(30)] + [line(order="o0", customer="till")]
    rows += [line(customer=None), line(customer=""), line(amount=None, order="x"), line(amount=1e12, order="y")]
    early = [row | {"time": dt.datetime(2024, 2, 1)} for row in rows]
    report = check(tmp_path, early, make_study(), exclude="optout.txt")
    expected = ["missing_ids", "unreadable_amount", "duplicates", "capped", "exclusion_list", "heavy_id", "stale"]
    assert codes(report.warnings) == expected
    assert "121 days" in report.warnings[-1].text
    nothing = check(tmp_path, rows, make_study(), where="amount > 1e13")
    assert codes(nothing.warnings) == ["where"]
    assert codes(nothing.problems) == ["empty_after_cleaning"]


def test_times_with_a_zone_are_shown_in_utc(tmp_path):
    zoned = dt.datetime(2024, 5, 20, 12, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    report = check(tmp_path, [line(time=zoned)], make_study())
    assert report.first == dt.datetime(2024, 5, 20, 3)
    assert report.problems == ()


def test_the_screen_shows_figures_problems_and_what_to_do(tmp_path):
    rows = [line(), line(), line(order="[red]o2", currency="CHF"), line(customer="[bold]", order="o3", amount=0.0)]
    rows += [line(order="C1", amount=-5.0)]
    report = check(tmp_path, rows, make_study(cleaning={"returns": "net"}))
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    render_check(report, console)
    text = console.file.getvalue()
    for part in ("shop: 5 rows", "exact duplicates", "set off against spend", "amount of zero", "CHF (no rate)",
                 "problem the study has no rate for CHF", "ask the coordinator", "warning"):  # fmt: skip
        assert part in text
    assert "ready" not in text
    render_check(check(tmp_path, [line()], make_study()), console)
    assert "ready: this data can take part" in console.file.getvalue()
    render_check(preflight(make_config(url="no.csv"), None, base=tmp_path), console)


def test_repr_shows_nothing(tmp_path):
    report = check(tmp_path, [line(customer="SECRET", order=f"o{i}") for i in range(30)], make_study())
    assert "SECRET" in report.model_dump_json()
    assert f"{report!r} {report}" == "CheckReport(<private>) CheckReport(<private>)"
