# ruff: noqa: E501  # tables of values, one case a line
"""How columns are spelled: judged over whole columns, read as stated, and never guessed in a run."""

from __future__ import annotations

import datetime as dt
import gzip

import ibis
import pytest
from pydantic import ValidationError
from shop_kit import checked, drafted, figures, shop, written
from source_kit import make_study

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.numbers import NumberForm, OpenNumber, number_form
from clients.data.guess.shapes import shapes
from clients.data.guess.times import OpenTime, TimeForm, time_form
from clients.data.reading import ReadNumber, ReadTime
from clients.data.sources.spelling import read_number, read_time
from privacy.errors import DataError


def numbers(values: list[str], **form: object) -> list[float | None]:
    table = ibis.memtable({"text": values}, schema={"text": "string"})
    return table.select(x=read_number(table.text, ReadNumber.model_validate(form))).to_pyarrow()["x"].to_pylist()


def times(values: list[str], *formats: str, zone: str = "UTC", clock: list[str] | None = None) -> list[str | None]:
    columns = {"text": values, "clock": clock or [""] * len(values)}
    table = ibis.memtable(columns, schema={"text": "string", "clock": "string"})
    form = ReadTime(formats=formats, clock="clock" if clock else "")
    read = read_time(table.text, table.clock if clock else None, form, zone)
    found = table.select(x=read).to_pyarrow()["x"].to_pylist()
    return [item and item.isoformat(sep=" ", timespec="seconds") for item in found]


@pytest.mark.parametrize(
    ("form", "values", "read"),
    [
        ({"decimal": ",", "thousands": "."}, ["1.234,50", "2,5", "7", "-1.000", "1.5", "12,5,3"], [1234.5, 2.5, 7, -1000, None, None]),
        ({"thousands": ","}, ["1,234.5", "1,23,456.5", "12,34", ".5", "5."], [1234.5, 123456.5, None, 0.5, 5]),
        ({"decimal": ",", "thousands": " \u00a0\u202f\u2009'\u2019"}, ["1 234,5", "1\u202f234", "1'234'567,8", "1\u00a0234"],
         [1234.5, 1234, 1234567.8, 1234]),
        ({"signs": ["€", "EUR", "kr."]}, ["€12.5", "12.5 €", "EUR -3", "-EUR 3", "kr. 7", "$3", "€12€"], [12.5, 12.5, -3, -3, 7, None, 12]),
        ({"negative": ["trailing", "parentheses"]}, ["15.00-", "(15.00)", "-(15)", "(15", "--3", "-3-", "3"],
         [-15, -15, None, None, None, None, 3]),
        ({}, ["−3", "１２．５", "（3）", "+4", "1e3", "", " 5 "], [-3, 12.5, None, 4, 1000, None, 5]),
    ],
)  # fmt: skip
def test_numbers_are_read_as_stated_or_not_at_all(form, values, read):
    assert numbers(values, **form) == read


@pytest.mark.parametrize(
    ("formats", "values", "read"),
    [
        (("%d.%m.%Y %H:%M",), ["3.1.2024 9:05", "31.12.2023 23:59", "30.02.2024 10:00", "03.01.24 09:05", "3.13.2024 1:00"],
         ["2024-01-03 09:05:00", "2023-12-31 23:59:00", None, None, None]),
        (("%d-%m-%Y", "%d/%m/%y"), ["03-01-2024", "3/1/24", "3/1/99"], ["2024-01-03 00:00:00", "2024-01-03 00:00:00", "1999-01-03 00:00:00"]),
        (("%m/%d/%Y %I:%M:%S %p",), ["1/3/2024 12:05:00 AM", "1/3/2024 1:05:00 pm", "1/3/2024 13:05:00 PM"],
         ["2024-01-03 00:05:00", "2024-01-03 13:05:00", None]),
        (("%Y/%m/%d %p%I:%M",), ["2024/1/3 上午9:05", "2024/1/3 下午12:05", "2024/1/3 下午9:05"],
         ["2024-01-03 09:05:00", "2024-01-03 12:05:00", "2024-01-03 21:05:00"]),
        (("%d %b %Y", "%d-%b-%y", "%b %d, %Y"), ["3 Mär 2024", "05-Okt-24", "Oct 5, 2024", "3 déc. 2024", "3 Foo 2024"],
         ["2024-03-03 00:00:00", "2024-10-05 00:00:00", "2024-10-05 00:00:00", "2024-12-03 00:00:00", None]),
        (("%Y年%m月%d日",), ["2024年1月3日", "２０２４年１０月３日"], ["2024-01-03 00:00:00", "2024-10-03 00:00:00"]),
        (("%Y%m%d",), ["20240103", "20240230", "2024010"], ["2024-01-03 00:00:00", None, None]),
        (("excel_1900",), ["45294", "45294.395833", "45294,5", "7"], ["2024-01-03 00:00:00", "2024-01-03 09:30:00", "2024-01-03 12:00:00", None]),
        (("excel_1904",), ["43832", "43832.5"], ["2024-01-03 00:00:00", "2024-01-03 12:00:00"]),
    ],
)  # fmt: skip
def test_times_are_read_as_stated_or_not_at_all(formats, values, read):
    assert times(values, *formats) == read


@pytest.mark.parametrize(
    ("formats", "value", "zone", "instant"),
    [
        (("iso %z",), "2024-01-03 09:30:00 +0800", "UTC", "2024-01-03 01:30:00+00:00"),
        (("iso %z",), "2024-01-03T09:30:00.5-05:30", "UTC", "2024-01-03 15:00:00+00:00"),
        (("iso %z",), "2024-01-03 09:30 UTC", "Asia/Shanghai", "2024-01-03 09:30:00+00:00"),
        (("iso %z", "iso"), "2024-01-03 09:30:00", "Asia/Shanghai", "2024-01-03 01:30:00+00:00"),
        (("iso %z", "iso"), "2024-07-03 09:30:00", "America/New_York", "2024-07-03 13:30:00+00:00"),
        (("iso %z", "iso"), "2024-03-10 03:30:00", "America/New_York", "2024-03-10 07:30:00+00:00"),  # clocks have changed
        (("%a, %d %b %Y %H:%M:%S %z",), "Wed, 03 Jan 2024 09:30:00 +0800", "UTC", "2024-01-03 01:30:00+00:00"),
        (("epoch_s",), "1704245400", "Asia/Shanghai", "2024-01-03 01:30:00+00:00"),
        (("epoch_ms",), "1704245400123", "UTC", "2024-01-03 01:30:00+00:00"),
        (("epoch_us",), "1704245400123456.0", "UTC", "2024-01-03 01:30:00+00:00"),
    ],
)  # fmt: skip
def test_a_time_with_an_offset_is_an_instant(formats, value, zone, instant):
    assert times([value], *formats, zone=zone) == [instant]


def test_a_clock_beside_the_day_is_read_with_it():
    found = times(
        ["05.10.2024", "05.10.2024", ""], "%d.%m.%Y %H%M%S", "%d.%m.%Y %H:%M", clock=["143000", "9:05", "1:00"]
    )
    assert found == ["2024-10-05 14:30:00", "2024-10-05 09:05:00", None]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"formats": ["%d/%m/%Y", "%m/%d/%Y"]}, "two ways"),
        ({"formats": ["%d.%m"]}, "no whole day"),
        ({"formats": ["%j %Y"]}, "not read here"),
        ({"formats": ["%d.%m.%Y %z"]}, "behind a time of day"),
        ({"formats": []}, "at least 1"),
    ],
)  # fmt: skip
def test_forms_that_mean_two_things_are_refused(form, says):
    with pytest.raises(ValidationError, match=says):
        ReadTime.model_validate(form)
    with pytest.raises(ValidationError, match="same sign"):
        ReadNumber(decimal=",", thousands=".,")


# --- judging a whole column -----------------------------------------------------------------------------------


def judged(values: list[str]) -> NumberForm | OpenNumber | None:
    table = ibis.memtable({"text": values}, schema={"text": "string"})
    return number_form(shapes(table, ["text"])["text"])


@pytest.mark.parametrize(
    ("values", "decimal", "thousands"),
    [
        (["1", "2.50", "-3"], ".", ""),
        (["1,5", "2,50"], ",", ""),
        (["1.234,50", "2,50", "7"], ",", "."),
        (["1,234.50", "2.50"], ".", ","),
        (["1,234", "2,5"], ",", ""),
        (["1.234", "1.234.567"], ",", "."),
        (["0.500", "1.250"], ".", ""),
        (["1250.125"], ".", ""),
        (["1 234", "1 234,5"], ",", " "),
        (["1'234.50"], ".", "'"),
        (["1,23,456.00"], ".", ","),
    ],
)  # fmt: skip
def test_signs_of_numbers_are_seen(values, decimal, thousands):
    form = judged(values)
    assert isinstance(form, NumberForm)
    assert (form.read.decimal, form.read.thousands, form.reads) == (decimal, thousands, len(values))


@pytest.mark.parametrize(
    "values", [["cup", "2.50"], ["P1", "P2"], ["007", "008"], ["10115 Berlin"], ["EUR12", "EUR13"]]
)
def test_what_holds_no_numbers_is_not_read_as_some(values):
    assert judged(values) is None


@pytest.mark.parametrize("values", [["50.000", "29.000"], ["1,000"], ["12.50", "12,50"], ["1.234", "1,234"]])
def test_signs_that_nothing_shows_stay_open(values):
    assert isinstance(judged(values), OpenNumber)


def judged_time(values: list[str], *, is_named: bool = True) -> TimeForm | OpenTime | None:
    table = ibis.memtable({"text": values}, schema={"text": "string"})
    return time_form(shapes(table, ["text"])["text"], is_named=is_named)


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["2024-05-01 12:00", "2024-05-13"], {"iso"}),
        (["2024-05-01T12:00:00Z", "2024-05-13 00:00:00 +0200"], {"iso %z"}),
        (["01.05.2024", "13.05.2024"], {"%d.%m.%Y"}),
        (["05/13/2024 10:00 PM", "05/01/2024 01:00 AM"], {"%m/%d/%Y %I:%M %p"}),
        (["13/05/24", "01/12/24"], {"%d/%m/%y"}),
        (["2024年5月1日", "2024年12月31日"], {"%Y年%m月%d日"}),
        (["2024/5/1 上午9:05:10"], {"%Y/%m/%d %p%I:%M:%S"}),
        (["20240501", "20241231"], {"%Y%m%d"}),
        (["13-01-2024", "5/1/2024"], {"%d-%m-%Y", "%d/%m/%Y"}),
        (["05-Oct-24", "31-Dec-24"], {"%d-%b-%y"}),
        (["Oct 5, 2024 9:05 AM"], {"%b %d, %Y %I:%M %p"}),
        (["Wed, 03 Jan 2024 09:30:00 +0800"], {"%a, %d %b %Y %H:%M:%S %z"}),
        (["1704245400", "1712245400"], {"epoch_s"}),
        (["1704245400123"], {"epoch_ms"}),
        (["45294.395", "45300"], {"excel_1900"}),
        (["2024-01-03 9:05 AM"], {"%Y-%m-%d %I:%M %p"}),
    ],
)  # fmt: skip
def test_forms_of_times_are_seen_and_read_back(values, formats):
    form = judged_time(values)
    assert isinstance(form, TimeForm)
    assert set(form.read.formats) == formats
    assert None not in times(values, *form.read.formats)


@pytest.mark.parametrize("values", [["cup", "tea"], ["12.50", "13.99"], ["2024"], ["ABC-123"]])
def test_what_holds_no_times_is_not_read_as_some(values):
    assert judged_time(values) is None


def test_day_or_month_first_is_decided_by_all_rows_or_left_open():
    mostly = ["01/02/2024"] * 500
    assert isinstance(judged_time(mostly), OpenTime)
    assert judged_time([*mostly, "13/02/2024"]).read.formats == ("%d/%m/%Y",)
    assert judged_time([*mostly, "02/13/2024"]).read.formats == ("%m/%d/%Y",)
    both = judged_time([*mostly, "13/02/2024", "02/13/2024"])
    assert (both.choices, "neither day nor month first" in both.text) == ((), True)
    assert "500 rows like 99/99/9999" in judged_time([*mostly, *["noon"] * 40]).text


# --- from an export to the right figures ----------------------------------------------------------------------


def de(number: float, places: int = 2) -> str:
    return f"{number:,.{places}f}".translate(str.maketrans(",.", ".,"))


VARIANTS = {
    "thousands of dots, yen": (dict(separator=";", Unit_Price=lambda x: de(x.price * 10_000, 0)), "JPY", 10_000),
    "thousands of commas, won": (dict(separator=";", Unit_Price=lambda x: f"{x.price * 10_000:,.0f}"), "KRW", 10_000),
    "thousands of dots, shown by a million": (dict(Unit_Price=lambda x: de(x.price * 400_000, 0)), "EUR", 400_000),
    "thousands of nbsp": (dict(separator=";", Unit_Price=lambda x: de(x.price * 1000).replace(".", "\u00a0")), "EUR", 1000),
    "thousands of apostrophes": (dict(Unit_Price=lambda x: f"{x.price * 1000:,.2f}".replace(",", "’")), "CHF", 1000),
    "quantities with three decimals, tabs": (dict(separator="\t", Quantity=lambda x: f"{x.quantity},000", Unit_Price=lambda x: de(x.price)), "EUR", 1),
    "quantities with three decimals, points": (dict(Quantity=lambda x: f"{x.quantity}.000", Unit_Price=lambda x: f"{x.price:.4f}"), "EUR", 1),
    "prices with decimal commas, quantities plain": (dict(separator="|", Unit_Price=lambda x: de(x.price)), "EUR", 1),
    "euros behind": (dict(separator=";", Unit_Price=lambda x: f"{de(x.price)} €"), "EUR", 1),
    "dollars before": (dict(Unit_Price=lambda x: f"${x.price:.2f}"), "USD", 1),
    "yuan and full width": (dict(Unit_Price=lambda x: f"￥{x.price:.2f}", Quantity=lambda x: chr(0xFF10 + x.quantity)), "CNY", 1),
    "codes before": (dict(Unit_Price=lambda x: f"CHF {x.price:,.2f}"), "CHF", 1),
    "offset without a blank": (dict(Order_Date=lambda x: f"{x.time:%Y-%m-%dT%H:%M:%S}+08:00"), "EUR", 1),
    "offset west": (dict(Order_Date=lambda x: f"{x.time:%Y-%m-%d %H:%M:%S} -0500"), "EUR", 1),
    "UTC in words": (dict(Order_Date=lambda x: f"{x.time:%Y-%m-%d %H:%M:%S} UTC"), "EUR", 1),
    "two spellings, dots and ISO": (dict(Order_Date=lambda x: f"{x.time:%d.%m.%Y}" if x.order % 3 else f"{x.time:%Y-%m-%d}"), "EUR", 1),
    "two spellings, slashes": (dict(Order_Date=lambda x: f"{x.time:%m/%d/%Y}" if x.order < 1020 else f"{x.time:%m/%d/%Y %H:%M}"), "EUR", 1),
    "three spellings": (dict(Order_Date=lambda x: x.time.strftime(("%d-%m-%Y", "%d %b %Y", "%Y%m%d")[x.order % 3])), "EUR", 1),
    "epoch in seconds": (dict(Order_Date=lambda x: int(x.time.timestamp())), "EUR", 1),
    "epoch in microseconds": (dict(Order_Date=lambda x: int(x.time.timestamp()) * 1_000_000), "EUR", 1),
    "days of Excel": (dict(Order_Date=lambda x: f"{(x.time - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1):.6f}"), "EUR", 1),
    "twelve hours, Chinese": (dict(Order_Date=lambda x: f"{x.time:%Y/%m/%d} 上午{x.time:%I:%M:%S}"), "EUR", 1),
    "RFC 2822": (dict(Order_Date=lambda x: f"{x.time:%a, %d %b %Y %H:%M:%S} +0000"), "EUR", 1),
    "day and clock apart": (dict(Order_Date=lambda x: f"{x.time:%d.%m.%Y}", Uhrzeit=lambda x: f"{x.time:%H:%M:%S}"), "EUR", 1),
    "day and clock of SAP": (dict(Order_Date=lambda x: f"{x.time:%Y%m%d}", Uhrzeit=lambda x: f"{x.time:%H%M%S}"), "EUR", 1),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_spellings_give_the_right_figures_without_a_question(tmp_path, variant):
    how, currency, factor = VARIANTS[variant]
    report = checked(written(tmp_path / "sales.csv", **how), currency=currency)
    assert figures(report) == (40, 20, pytest.approx(1080 * factor))
    assert report.problems == ()
    wanted = {dt.date(2024, 1, 3)}
    assert {report.first.date()} == wanted
    if "clock" in variant:
        assert report.first.time() == dt.time(9, 30)


def test_returns_with_a_minus_behind_in_brackets_or_of_unicode_are_set_off(tmp_path):
    study = make_study(cleaning={"returns": "net"}, as_of=dt.date(2025, 1, 1))
    for name, sold in {"behind": "15,00-", "brackets": "(15,00)", "unicode": "−15,00", "dash": "–15,00 €"}.items():
        path = written(
            tmp_path / f"{name}.csv", separator=";", names={"Unit Price": "Betrag", "Quantity": "n"},
            Unit_Price=lambda x, sold=sold: sold if (x.order, x.sku) == (1039, "A1") else f"{x.quantity * x.price:.2f}".replace(".", ","),
        )  # fmt: skip
        report = checked(path, study=study)
        assert report.cleaning.netted == 1, name
        assert report.cleaning.dropped == {}


def test_what_stays_open_stops_and_names_column_count_and_setting(tmp_path):
    path = written(tmp_path / "a.csv", Unit_Price=lambda x: f"{x.price * 4:.0f}.000")
    with pytest.raises(DataError, match=r'"Unit Price": 80 rows have three digits after') as caught:
        drafted(path)
    assert "read.price.decimal" in caught.value.message
    assert "79.00 or 79,000.00 in all" in caught.value.message.replace("3,160.00", "79.00").replace(
        "3,160,000.00", "79,000.00"
    )
    config, text = drafted(path, answers={"read.price.decimal": ","})
    assert (config.source.read["price"].decimal, config.source.read["price"].thousands) == (",", ".")
    assert "reads 80 of 80 rows" in text
    path = written(tmp_path / "b.csv", Order_Date=lambda x: f"{x.time.day % 12 + 1:02d}/{x.time.month:02d}/2024")
    with pytest.raises(DataError, match=r'"Order Date": day or month first cannot be told .*read\.time\.formats'):
        drafted(path)
    path = written(
        tmp_path / "c.csv", Unit_Price=lambda x: f"{x.price:.2f}".replace(".", "," if x.order == 1007 else ".")
    )
    with pytest.raises(DataError, match=r'"Unit Price": 80 rows show two different decimal signs'):
        drafted(path)


def test_the_last_rows_of_the_last_file_count_as_much_as_the_first(tmp_path):
    lines = shop()
    written(tmp_path / "2024-1.csv", lines[:40], Order_Date=lambda x: f"0{x.order % 9 + 1}/0{x.order % 7 + 1}/2024")
    written(tmp_path / "2024-2.csv", lines[40:], Order_Date=lambda x: f"{x.time:%m/%d/%Y}")
    config, _ = drafted(tmp_path / "*.csv")
    assert config.source.read["time"].formats == ("%m/%d/%Y",)
    with gzip.open(tmp_path / "x.csv.gz", "wt") as file:
        file.write("Order ID,Order Date,Customer ID,Amount\n")
        file.writelines(f"{i // 2},2024-01-{i % 28 + 1:02d},{i % 700},5\n" for i in range(24_000))
        file.write('99999,2024-01-01,7,"12,345.00"\n')
    config, _ = drafted(tmp_path / "x.csv.gz")
    assert config.source.read["amount"].thousands == ","


def test_forms_are_of_mapped_columns_of_purchases_and_feeds(tmp_path):
    def config(**changes: object) -> HolderConfig:
        columns = {"customer": "c", "time": "t", "amount": "a"}
        source = {"url": "x.csv", "currency_code": "EUR", **changes.pop("source", {})}
        return HolderConfig.model_validate({"holder": "h", "source": source, "columns": columns, **changes})

    read = {"time": {"formats": ["epoch_s"]}}
    feed = {"columns": {"customer": "c", "time": "ts"}, "read": read}
    assert config(events={"session": feed}).feeds["session"].source.read["time"].formats == ("epoch_s",)
    # A feed in the same file has columns of its own.
    own = config(source={"read": read}, events={"session": {"columns": {"customer": "c", "time": "ts"}}})
    assert own.feeds["session"].source.read == {}
    for wrong, says in (
        ({"source": {"read": {"price": {"decimal": ","}}}}, "no column is mapped as price"),
        ({"source": {"read": {"time": {"decimal": ","}}}}, "settings of a time"),
        ({"events": {"session": {**feed, "read": {"amount": {}}}}}, "session.read.amount"),
    ):
        with pytest.raises(ValidationError, match=says):
            config(**wrong)


def test_a_run_reads_by_the_file_alone(tmp_path):
    """The rest of the rows says that dots group thousands; a run that is told otherwise does not care."""
    path = written(tmp_path / "sales.csv", Unit_Price=lambda x: f"{x.price * 4000:,.2f}" if x.sku == "A1" else "1,000")
    config, _ = drafted(path)
    assert config.source.read["price"].thousands == ","
    other = config.model_copy(update={"source": config.source.model_copy(
        update={"read": {"price": ReadNumber(decimal=",", thousands=".")}}
    )})  # fmt: skip
    report = preflight(other, None, base=tmp_path)
    assert report.cleaning.dropped == {"unreadable_amount": 40}
    assert "unreadable_amount" in [item.code for item in report.warnings]
