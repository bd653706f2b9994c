# ruff: noqa: E501  # tables of variants, one a line
"""What rows mean: sales, returns and neither; totals of orders; days that are none; one person, one id."""

from __future__ import annotations

import datetime as dt
import io
import re
from decimal import Decimal

import ibis
import pytest
from pydantic import ValidationError
from rich.console import Console
from shop_kit import TRUTH, checked, drafted, figures, shop, written
from source_kit import make_study

from clients.data.check import preflight
from clients.data.check_page import render_check
from clients.data.cleaning.id_forms import brought_to
from clients.data.cleaning.ids import normal_id
from clients.data.config import HolderConfig
from clients.data.guess.states import kinds, marks
from clients.data.place import Status
from clients.data.reading import ReadId
from privacy.errors import DataError


def codes(findings) -> list[str]:
    return [item.code for item in findings]


STATES = {
    "English": ("Order Status", "Completed", "Cancelled"),
    "WooCommerce": ("status", "wc-completed", "wc-failed"),
    "Taobao": ("订单状态", "交易成功", "交易关闭"),
    "German, with a refund in the same row": ("Status", "Versendet", "Erstattet"),
    "French": ("Statut", "Livré", "Annulé"),
    "unpaid": ("Financial Status", "paid", "pending"),
    "a truth": ("Cancelled", "0", "1"),
    "Magento": ("state", "complete", "closed"),
}


@pytest.mark.parametrize("kind", STATES)
def test_what_was_no_sale_is_left_out(tmp_path, kind):
    """Every fifth order after the first twenty, so that all customers stay."""
    name, good, bad = STATES[kind]
    off = {line.order for line in shop() if line.order >= 1020 and line.order % 5 == 0}
    path = written(tmp_path / "sales.csv", **{name: lambda x: bad if x.order in off else good})
    config, text = drafted(path)
    report = preflight(config, None, base=tmp_path)
    assert figures(report) == (36, 20, 36 * 27.0)
    assert report.cleaning.dropped == {"no_sale": 8}
    assert f"PLEASE CHECK: 8 of 80 rows (10.0%) are no sales by the words of '{name}'" in text
    assert [item.column for item in config.source.status] == [name]


@pytest.mark.parametrize(
    ("name", "values"),
    [("Status", ("shipped", "delivered")), ("退款状态", ("没有申请退款", "退款关闭")), ("State", ("NY", "CA")), ("status", ("CLOSED", "OPEN")),
     ("Financial Status", ("paid", "partially_refunded"))],
)  # fmt: skip
def test_states_that_are_all_sales_change_nothing(tmp_path, name, values):
    config, _ = drafted(written(tmp_path / "sales.csv", **{name: lambda x: values[x.order % 2]}))
    assert config.source.status == ()


def test_rows_of_refunds_are_returns_whatever_their_sign(tmp_path):
    """Easy Digital Downloads and others: a refund is a row of its own, with a positive amount."""
    lines = shop()
    back = [line for line in lines if line.order in (1021, 1022)]
    marked = [(line, "sale") for line in lines] + [(line, "refund") for line in back]
    study = make_study(cleaning={"returns": "net"}, as_of=dt.date(2025, 1, 1))
    for name in ("Type", "status"):
        kind = {id(line): "sale" for line in lines}
        copies = [line.__class__(**line.__dict__) for line, what in marked if what == "refund"]
        kind |= {id(line): "refund" for line in copies}
        path = written(tmp_path / f"{name}.csv", [*lines, *copies], **{name: lambda x, kind=kind: kind[id(x)]})
        config, _ = drafted(path)
        [status] = config.source.status
        assert (status.returned, status.sale) == (("refund",), ("sale",))
        report = preflight(config, study, base=tmp_path)
        assert figures(report) == (40, 20, 1080.0 - 54.0)
        assert report.cleaning.netted == 4
        dropped = preflight(config, None, base=tmp_path)
        assert figures(dropped) == TRUTH
        assert dropped.cleaning.dropped == {"return": 4}


def test_a_state_that_is_named_nowhere_is_no_sale_and_said(tmp_path):
    path = written(tmp_path / "sales.csv", Status=lambda x: {1003: "odd", 1004: ""}.get(x.order, "ok"))
    config = drafted(path)[0]
    status = Status(column="Status", sale=("OK ",), none=("",))
    config = config.model_copy(update={"source": config.source.model_copy(update={"status": (status,)})})
    report = preflight(config, None, base=tmp_path)
    assert report.cleaning.dropped == {"no_sale": 4}
    [found] = [item for item in report.warnings if item.code == "unnamed_states"]
    assert "'Status': 2 rows have a value" in found.text
    with pytest.raises(ValidationError, match="named twice"):
        Status.model_validate({"column": "s", "sale": ["a"], "return": ["A "]})
    missing = config.model_copy(
        update={"source": config.source.model_copy(update={"status": (status.model_copy(update={"column": "Stat"}),)})}
    )
    assert "source.status: " in preflight(missing, None, base=tmp_path).problems[0].text


def test_words_of_states():
    assert kinds(["Partially refunded", "Refund", "Storniert", "Bezahlt", "退货", "没有退款", "closed"]) == {
        "Partially refunded": "sale", "Refund": "return", "Storniert": "none", "Bezahlt": "sale", "退货": "return",
        "没有退款": "sale", "closed": "sale",
    }  # fmt: skip
    assert marks("Test order", ["true", "false"]) == {"true": "none", "false": "sale"}
    assert marks("gift", ["true", "false"]) is None
    assert marks("is_refund", ["a"]) is None


# --- totals of orders -----------------------------------------------------------------------------------------

TOTALS = {
    "on each line": lambda x: f"{27 + x.order % 7}.00",
    "on the first line only": lambda x: f"{27 + x.order % 7}.00" if x.sku == "A0" else "",
    "with a comma": lambda x: f"{27 + x.order % 7},00",
}


@pytest.mark.parametrize("kind", TOTALS)
def test_an_orders_total_counts_once(tmp_path, kind):
    path = tmp_path / "sales.csv"
    written(path, separator=";", names={"Quantity": "n", "Unit Price": "Order Total"}, Unit_Price=TOTALS[kind])
    config, text = drafted(path)
    if kind != "on the first line only":
        assert config.columns.order_amount == "Order Total"
        assert "an order's total, counted once" in text
    columns = config.columns.model_copy(update={"order_amount": "Order Total", "amount": None})
    report = preflight(config.model_copy(update={"columns": columns}), None, base=tmp_path)
    assert figures(report) == (40, 20, float(sum(27 + order % 7 for order in range(1000, 1040))))
    assert report.cleaning.dropped == {}


def test_an_orders_total_may_be_of_a_line_that_is_dropped(tmp_path):
    written(
        tmp_path / "sales.csv",
        names={"Quantity": "n", "Unit Price": "Total"},
        Unit_Price=lambda x: "30.00" if x.sku == "A0" else "",
    )
    columns = {
        "customer": "Customer ID",
        "order": "Order ID",
        "time": "Order Date",
        "order_amount": "Total",
        "product": "SKU",
    }
    config = HolderConfig.model_validate(
        {"holder": "h", "source": {"url": "sales.csv", "currency_code": "EUR"}, "columns": columns}
    )
    study = make_study(cleaning={"non_goods": ["a0"]}, as_of=dt.date(2025, 1, 1))
    assert figures(preflight(config, study, base=tmp_path)) == (40, 20, 1200.0)
    with pytest.raises(ValidationError, match=r"needs columns\.order"):
        HolderConfig.model_validate(
            {**config.model_dump(), "columns": {k: v for k, v in columns.items() if k != "order"}}
        )


# --- days and tables that are none ----------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["1970-01-01", "1900-01-01", "1904-01-01", "1899-12-30", "9999-12-31", "2204-05-01"])
def test_placeholders_and_far_days_are_no_purchases(tmp_path, day):
    lines = shop()
    extra = [line.__class__(**{**line.__dict__, "order": 5000 + i}) for i, line in enumerate(lines[:2])]
    path = written(
        tmp_path / "sales.csv", [*lines, *extra], Order_Date=lambda x: day if x.order >= 5000 else f"{x.time:%Y-%m-%d}"
    )
    report = checked(path)
    assert figures(report) == TRUTH
    assert report.as_of == dt.date(2024, 11, 11)
    if day != "1899-12-30":
        [found] = [item for item in report.warnings if item.code == "far_days"]
        assert "'Order Date': 2 rows have a day far from all others" in found.text
        assert day in found.text


@pytest.mark.parametrize(
    "header",
    [
        ("master_id", "first_order_date", "last_order_date", "order_num_total", "customer_value_total"),
        ("会员编号", "首次消费日期", "最近消费日期", "累计订单", "累计金额"),
        ("customer_id", "last_purchase", "total_orders", "total_spent", "first_purchase"),
    ],
)
def test_a_table_of_customers_is_refused_with_what_to_do(tmp_path, header):
    rows = [f"m{i},2023-01-{i % 28 + 1:02d},2024-05-{i % 28 + 1:02d},{i % 4 + 1},{40 + i % 9}.99" for i in range(120)]
    if header[0] == "customer_id":
        rows = [
            f"m{i},2023-01-{i % 28 + 1:02d},{i % 4 + 1},{40 + i % 9}.99,2022-01-{i % 28 + 1:02d}" for i in range(120)
        ]
    (tmp_path / "t.csv").write_text(",".join(header) + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="each of 120 customers has one row") as caught:
        drafted(tmp_path / "t.csv")
    assert header[0] in caught.value.message
    assert "lines of sales" in caught.value.hint


# --- ids ------------------------------------------------------------------------------------------------------


def ids(values: list[str], *forms: str) -> list[str]:
    table = ibis.memtable({"text": values}, schema={"text": "string"})
    return table.select(x=brought_to(table.text, forms)).to_pyarrow()["x"].to_pylist()


@pytest.mark.parametrize(
    ("form", "values", "one"),
    [
        ("text", ["Ａ１２", "A12", "'A12", "A\u200b12", "\u00a0A12 "], {"A12"}),
        ("email", ["A@B.de", "a@b.DE"], {"a@b.de"}),
        ("case", ["AbC", "abc"], {"abc"}),
        ("zeros", ["007", "7", "0007"], {"7"}),
        ("signs", ["C-501", "C 501", "C.5/01", "#C_501"], {"C501"}),
        ("phone:CN", ["13800138000", "+86 138 0013 8000", "0086-13800138000", "8613800138000", "138-0013-8000", "１３８００１３８０００"], {"+8613800138000"}),
        ("phone:DE", ["0171 1234567", "+49 171 1234567", "0049 (0)171/1234567", "01711234567"], {"+491711234567"}),
        ("phone:IT", ["02 1234 2269", "+39 02 1234 2269", "0039 0212342269"], {"+390212342269"}),
        ("phone:FR", ["06 12 34 56 78", "+33 (0)6 12 34 56 78", "0033612345678"], {"+33612345678"}),
        ("text", ["Jose\u0301", "Jos\u00e9", "Jos\u00e9\u200b", "\ufeffJose\u0301 "], {"Jos\u00e9"}),
        ("text", ["\u304b\u3099", "\u304c"], {"\u304c"}),
        ("text", ["\u1112\u1161\u11ab", "\ud55c"], {"\ud55c"}),
        ("phone:US", ["(212) 555-0100", "+1 212 555 0100", "1-212-555-0100", "2125550100"], {"+12125550100"}),
    ],
)  # fmt: skip
def test_forms_bring_spellings_of_one_id_together(form, values, one):
    assert set(ids(values, form)) == one
    assert ids(list(one), form) == list(one), "once more changes nothing"


@pytest.mark.parametrize("value", ["12345", "A-17", "007", "x@y", "", "m-0001"])
def test_forms_leave_what_is_none_of_them(value):
    assert all(ids([value], name) == [value] for name in ("text", "email", "phone:CN", "phone:DE"))


def spelled_ids(x) -> str:
    return f"User{x.customer}@Example.org" if x.order >= 1020 else f"user{x.customer}@example.org"


def test_addresses_are_one_person_in_upper_and_lower_case_also_on_the_exclusion_list(tmp_path):
    path = written(tmp_path / "sales.csv", names={"Customer ID": "Email"}, Customer_ID=spelled_ids)
    config, text = drafted(path)
    assert figures(preflight(config, None, base=tmp_path)) == TRUTH
    assert "80 of 80 ids are e-mail addresses" in text
    (tmp_path / "out.csv").write_text("USER501@EXAMPLE.ORG\n")
    excluding = config.model_copy(update={"source": config.source.model_copy(update={"exclude": "out.csv"})})
    report = preflight(excluding, None, base=tmp_path)
    assert (report.cleaning.customers, report.cleaning.dropped) == (19, {"excluded": 4})
    assert normal_id(" USER501@EXAMPLE.ORG", config) == "user501@example.org"


@pytest.mark.parametrize(
    ("form", "way"),
    [
        ("case", lambda x: f"{'K' if x.order >= 1020 else 'k'}{x.customer}"),
        ("zeros", lambda x: f"{x.customer:06d}" if x.order >= 1020 else x.customer),
        ("text", lambda x: f"K{x.customer}\u200b" if x.order >= 1020 else f"K{x.customer}"),
        ("phone:CN", lambda x: f"+86 138 0013 8{x.customer}" if x.order >= 1020 else f"138001380{x.customer}"[:8] + f"{x.customer}"),
    ],
)  # fmt: skip
def test_spellings_that_may_be_one_person_are_counted_and_said(tmp_path, form, way):
    path = written(tmp_path / "sales.csv", Customer_ID=way)
    config, _ = drafted(path, currency="CNY")
    report = preflight(config, None, base=tmp_path)
    [found] = [item for item in report.warnings if item.code == "id_forms"]
    assert "'Customer ID': 20 customers instead of 40" in found.text
    assert f'form = ["{form}"]' in found.hint
    read = {**config.source.read, "customer": {"form": [form]}}
    formed = HolderConfig.model_validate(
        {**config.model_dump(), "source": {**config.source.model_dump(), "read": read}}
    )
    again = preflight(formed, None, base=tmp_path)
    assert again.cleaning.customers == 20
    assert "id_forms" not in codes(again.warnings)
    assert again.cleaning.several_spellings == 20


@pytest.mark.parametrize(
    "null", ["\\N", "-", "(null)", "#N/A", "<NA>", "游客", "散客", "Gast", "Walk-in", "undefined", "Laufkunde"]
)
def test_spellings_of_nobody_are_no_customers(tmp_path, null):
    lines = shop()
    extra = [line.__class__(**{**line.__dict__, "order": 7000 + i}) for i, line in enumerate(lines[:3])]
    report = checked(
        written(tmp_path / "sales.csv", [*lines, *extra], Customer_ID=lambda x: null if x.order >= 7000 else x.customer)
    )
    assert figures(report) == TRUTH
    assert report.cleaning.dropped == {"no_customer_id": 3}


def test_other_words_for_nobody_are_said_and_can_be_named(tmp_path):
    path = written(
        tmp_path / "sales.csv", [*shop(orders=120)], Customer_ID=lambda x: "Theke" if x.order == 1007 else x.order
    )
    config, _ = drafted(path)
    [found] = [item for item in preflight(config, None, base=tmp_path).warnings if item.code == "odd_ids"]
    assert "'Customer ID': 2 rows have one of 1 customer ids without a digit" in found.text
    read = {**config.source.read, "customer": {"null": ["theke"]}}
    named = HolderConfig.model_validate({**config.model_dump(), "source": {**config.source.model_dump(), "read": read}})
    assert preflight(named, None, base=tmp_path).cleaning.dropped == {"no_customer_id": 2}


def test_words_for_nobody_are_named_and_one_may_be_somebody(tmp_path):
    """Where ids are names, a word that means nobody elsewhere may be one of them: it is told, and can be taken back."""
    names = ["ann", "bob", "zoe", "kim", "cash", "Gast", "-", ""]
    path = written(tmp_path / "sales.csv", Customer_ID=lambda x: names[x.customer % 8])
    config, _ = drafted(path)
    report = preflight(config, None, base=tmp_path)
    assert report.cleaning.customers == 4
    assert report.looks.ids.nobody == {"-": 12, "gast": 12, "cash": 8}
    [found] = [item for item in report.warnings if item.code == "nobody"]
    assert "20 rows have an id that is taken for no customer: gast, cash; other ids are words" in found.text
    assert 'real = ["gast"]' in found.hint
    screen = Console(file=io.StringIO(), width=120)
    render_check(report, screen)
    assert re.search(r"of them 'gast' .* 12 ", screen.file.getvalue())
    read = {**config.source.read, "customer": {"real": ["Cash "]}}
    named = HolderConfig.model_validate({**config.model_dump(), "source": {**config.source.model_dump(), "read": read}})
    again = preflight(named, None, base=tmp_path)
    assert (again.cleaning.customers, again.looks.ids.nobody) == (5, {"-": 12, "gast": 12})
    with pytest.raises(ValidationError, match="both null and real"):
        ReadId(null=("x",), real=("X ",))


@pytest.mark.parametrize(
    "way",
    [lambda x: f"1.38E+{11 + x.customer % 2}", lambda x: f"{x.customer % 9}E+15", lambda x: f"8,61{x.customer}E+12"],
)
def test_destroyed_ids_are_a_problem(tmp_path, way):
    report = checked(written(tmp_path / "sales.csv", separator=";", Customer_ID=way))
    [found] = [item for item in report.problems if item.code == "destroyed_ids"]
    assert "'Customer ID': 80 rows like 9.99E+11" in found.text


# --- the account ----------------------------------------------------------------------------------------------


def test_the_account_adds_up_in_rows_and_money(tmp_path):
    lines = shop()
    twice = lines[:4]
    path = written(
        tmp_path / "sales.csv", [*lines, *twice], names={"Quantity": "Qty"},
        Customer_ID=lambda x: "" if x.order == 1030 else x.customer,
        Unit_Price=lambda x: -x.price if x.order == 1031 else x.price,
        Order_Date=lambda x: "x" if (x.order, x.sku) == (1032, "A0") else f"{x.time:%Y-%m-%d}",
    )  # fmt: skip
    for returns, used in (("drop", Decimal("1013.50")), ("net", Decimal("986.50"))):
        config, _ = drafted(path)
        report = preflight(config, make_study(as_of=dt.date(2025, 1, 1), cleaning={"returns": returns}), base=tmp_path)
        steps = {step.code: (step.rows, step.revenue) for step in report.steps}
        assert steps["used"][1] == used == report.currencies[0].revenue
        assert steps["no_customer_id"] == (2, Decimal("27.00"))
        assert steps["unreadable_time"] == (1, Decimal("12.50"))
        assert steps["duplicates"] == (4, Decimal("54.00"))
        whole = [step for code, step in steps.items() if code != "returns"]
        assert sum(rows for rows, _ in whole) == report.rows == 84
        assert sum(money for _, money in whole) == Decimal("1080.00") + 54 - 54
        screen = io.StringIO()
        render_check(report, Console(file=screen, width=120))
        assert f"{used:,.2f}" in screen.getvalue()
        assert "54.00" in screen.getvalue()
