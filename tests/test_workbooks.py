"""Spreadsheets as a source: the shop of known truth in every form of them, and what they lose is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from shop_kit import HEADER, TRUTH, checked, drafted, figures, shop, written
from workbook_kit import ERROR, NO_VALUE, write_ods, write_xls, write_xlsx

from clients.data.check import preflight
from clients.data.sources import open_source
from clients.data.sources.excel import list_sheets
from privacy.errors import DataError

WRITERS: dict[str, Callable[..., Path]] = {".xlsx": write_xlsx, ".xls": write_xls, ".ods": write_ods}


def rows(**changes: Callable[[object], object]) -> list[list[object]]:
    """The shop as cells with kinds of their own."""
    ways = {
        "Order ID": lambda line: line.order,
        "Order Date": lambda line: line.time,
        "Customer ID": lambda line: line.customer,
        "SKU": lambda line: line.sku,
        "Quantity": lambda line: line.quantity,
        "Unit Price": lambda line: line.price,
    } | {name.replace("_", " "): way for name, way in changes.items()}
    return [list(ways), *([way(line) for way in ways.values()] for line in shop())]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_form_of_spreadsheet_says_what_the_text_file_says(tmp_path, suffix):
    if suffix == ".xls":
        pytest.importorskip("xlwt", reason="xlwt, which writes .xls for tests, is not installed")
    path = WRITERS[suffix](tmp_path / f"sales{suffix}", {"Verkauf": rows()})
    report = checked(path)
    assert figures(report) == TRUTH
    assert report.first == dt.datetime(2024, 1, 3, 9, 30)
    assert [(item.file, item.rows) for item in report.files] == [(f"{path.name}, sheet Verkauf", 80)]
    config, _ = drafted(written(tmp_path / "sales.csv", Order_Date=lambda line: line.time))
    with open_source(config, base=tmp_path) as opened:
        text = opened.table.order_by(*HEADER).to_pyarrow().to_pylist()
    config, _ = drafted(path)
    with open_source(config, base=tmp_path) as opened:
        cells = opened.table.order_by(*HEADER).to_pyarrow().to_pylist()
    assert [plain(row) for row in cells] == [plain(row) for row in text]


def plain(row: dict[str, object]) -> dict[str, str]:
    """Prices as the numbers that they are: a text file has 12.50."""
    return {name: str(float(str(value)) if name == "Unit Price" else value) for name, value in row.items()}


def test_bytes_tell_a_spreadsheet_and_not_its_name(tmp_path):
    assert figures(checked(write_xlsx(tmp_path / "sales.csv", {"A": rows()}))) == TRUTH
    (tmp_path / "sales.xls").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="called a spreadsheet and is none") as caught:
        drafted(tmp_path / "sales.xls")
    assert "csv://" in caught.value.hint


def test_both_calendars_of_excel(tmp_path):
    report = checked(write_xlsx(tmp_path / "mac.xlsx", {"A": rows()}, is_1904=True))
    assert (figures(report), report.first) == (TRUTH, dt.datetime(2024, 1, 3, 9, 30))


def test_titles_above_the_names_are_passed_over(tmp_path):
    path = tmp_path / "sales.xlsx"
    write_xlsx(path, {"A": [["Verkäufe 2024", None, "Stand:", dt.date(2024, 12, 1)], [], *rows()]})
    report = checked(path)
    assert figures(report) == TRUTH
    config, _ = drafted(path)
    write_xlsx(
        path, {"A": [["Verkäufe"], ["Filiale 7"], [], [], *rows(), [], ["Summe", None, None, None, None, 1080.0]]}
    )
    later = preflight(config, None, base=tmp_path)  # another title: the same columns are found
    assert figures(later) == TRUTH
    assert (later.files[0].before, later.files[0].blank, later.files[0].rows) == (4, 1, 81)


def test_several_sheets_are_asked_for_by_name(tmp_path):
    path = write_xlsx(
        tmp_path / "s.xlsx", {"Info": [["x"]], "Umsatz": rows(), "Alt": rows(), "Leer": []}, hidden=["Alt"]
    )
    assert list_sheets("s.xlsx", tmp_path) == ("Info", "Umsatz")
    config, text = drafted(path)  # by its name, as with tables
    assert 'table = "Umsatz"' in text
    assert figures(preflight(config, None, base=tmp_path)) == TRUTH
    several = "s.xlsx has several sheets: Info, Umsatz (hidden: Alt)"
    for table, says in ((None, several), ("Leer", "has no sheet 'Leer'")):
        changed = config.model_copy(update={"source": config.source.model_copy(update={"table": table})})
        [problem] = preflight(changed, None, base=tmp_path).problems
        assert says in problem.text
    hidden = config.model_copy(update={"source": config.source.model_copy(update={"table": "Alt"})})
    assert figures(preflight(hidden, None, base=tmp_path)) == TRUTH


def test_months_in_files_of_their_own(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    names, lines = rows()[0], rows()[1:]
    write_xlsx(folder / "2024-01.xlsx", {"Januar": [names, *lines[:30]], "Tabelle2": []})
    write_xlsx(folder / "2024-02.xlsx", {"Februar": [names[::-1], *(line[::-1] for line in lines[30:])]})
    config, text = drafted(folder, output=tmp_path / "holder.toml")
    assert "table" not in text.replace("tables", "")
    assert figures(preflight(config, None, base=tmp_path)) == TRUTH
    write_xlsx(folder / "2024-03.xlsx", {"März": [["Order ID", "Umsatz"], [1, 2.0]]})
    [*problems] = preflight(config, None, base=tmp_path).problems
    assert any("2024-03.xlsx, sheet März has no column 'Customer ID' (1 of 3 files)" in item.text for item in problems)


def test_text_that_looks_like_numbers_and_numbers_are_read_in_one_column(tmp_path):
    prices = {"Unit_Price": lambda line: line.price if line.order % 2 else f"{line.price:.2f} €".replace(".", ",")}
    path = write_xlsx(tmp_path / "sales.xlsx", {"A": rows(**prices)})
    config, _ = drafted(write_xlsx(tmp_path / "plain.xlsx", {"A": rows()}))
    read = {"price": {"decimal": ",", "thousands": ".", "signs": ["€"]}}
    source = config.source.model_copy(update={"url": path.name})
    source = type(source).model_validate(source.model_dump() | {"read": read})
    assert figures(preflight(config.model_copy(update={"source": source}), None, base=tmp_path)) == TRUTH


def test_days_as_numbers_and_as_text_are_read_in_one_column(tmp_path):
    def day(line):
        serial = (line.time - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)
        return (line.time, f"{line.time:%d.%m.%Y %H:%M}", serial)[line.order % 3]

    path = write_xlsx(tmp_path / "sales.xlsx", {"A": rows(Order_Date=day)})
    config, _ = drafted(write_xlsx(tmp_path / "plain.xlsx", {"A": rows()}))
    read = {"time": {"formats": ["%d.%m.%Y %H:%M", "excel_1900"]}}
    source = type(config.source).model_validate(config.source.model_dump() | {"url": path.name, "read": read})
    report = preflight(config.model_copy(update={"source": source}), None, base=tmp_path)
    assert (figures(report), report.first) == (TRUTH, dt.datetime(2024, 1, 3, 9, 30))


def test_errors_and_formulas_without_value_are_counted(tmp_path):
    def price(line):
        return ERROR if line.order == 1005 else NO_VALUE if line.order == 1006 and line.quantity == 1 else line.price

    config, _ = drafted(write_xlsx(tmp_path / "sales.xlsx", {"A": rows()}))
    write_xlsx(tmp_path / "sales.xlsx", {"A": rows(Unit_Price=price, SKU=lambda line: ERROR)})
    report = preflight(config, None, base=tmp_path)
    said = [item.text for item in report.warnings if item.code == "cells_without_value"]
    assert "sales.xlsx, sheet A: 2 cells of 'Unit Price' are errors such as #N/A, and count as empty" in said
    assert "sales.xlsx, sheet A: 1 cells of 'Unit Price' are formulas without a value, and count as empty" in said
    assert report.cleaning is not None
    assert report.cleaning.dropped["unreadable_amount"] == 3


def test_long_ids_that_a_spreadsheet_rounded_are_a_problem(tmp_path):
    config, _ = drafted(write_xlsx(tmp_path / "sales.xlsx", {"A": rows()}))
    write_xlsx(tmp_path / "sales.xlsx", {"A": rows(Customer_ID=lambda line: 6_228_480_000_000_000_000 + line.customer)})
    report = preflight(config, None, base=tmp_path)
    [problem] = report.problems
    assert problem.text.startswith("sales.xlsx, sheet A: 80 cells of 'Customer ID' are numbers of more than 15 digits")
    assert "as text" in problem.hint


@pytest.mark.parametrize("raw", [b"\xd0\xcf\x11\xe0" + bytes(600), b"PK\x03\x04" + bytes(40)])
def test_a_damaged_spreadsheet_is_told_by_name(tmp_path, raw):
    config, _ = drafted(write_xlsx(tmp_path / "sales.xlsx", {"A": rows()}))
    (tmp_path / "sales.xlsx").write_bytes(raw)
    [problem] = preflight(config, None, base=tmp_path).problems
    assert "sales.xlsx" in problem.text
    assert problem.hint
