# ruff: noqa: E501  # columns of formats, one a line
"""Exports as twelve systems write them, of one shop whose truth is known: exact with at most two answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from shop_kit import Line, drafted, figures, shop

from clients.data.check import preflight
from clients.data.guess.guess import guess_holder
from clients.data.guess.nouns import open_questions

Way = Callable[[Line], object]


def comma(number: float, places: int = 2, group: str = ".") -> str:
    return f"{number:,.{places}f}".replace(",", "#").replace(".", ",").replace("#", group)


def first(way: Way) -> Way:
    return lambda x: way(x) if x.sku == "A0" else ""


def bad(order: int) -> bool:
    """Orders after the first twenty that never were sales."""
    return order >= 1020 and order % 10 == 3


@dataclass(frozen=True)
class Format:
    """How a system writes the shop.

    Attributes:
        columns: header to what stands there.
        separator, encoding, above: of the file; lines above the names.
        currency: of all amounts, given on the command line.
        answers: more answers that are given.
        orders: that count.
        factor: of all prices.
    """

    columns: dict[str, Way]
    separator: str = ","
    encoding: str = "utf-8"
    above: tuple[str, ...] = ()
    currency: str = "EUR"
    answers: dict[str, str] = field(default_factory=dict)
    orders: int = 40
    factor: float = 1


FORMATS = {
    "Shopify": Format({
        "Name": lambda x: f"#{x.order}", "Email": first(lambda x: f"{'User' if x.order >= 1020 else 'user'}{x.customer}@example.org"),
        "Created at": first(lambda x: f"{x.time:%Y-%m-%d %H:%M:%S} +0100"), "Lineitem quantity": lambda x: x.quantity,
        "Lineitem name": lambda x: f"Item {x.sku}", "Lineitem price": lambda x: f"{x.price:.2f}", "Lineitem sku": lambda x: x.sku,
    }, currency="USD"),
    "WooCommerce": Format({
        "Order Number": lambda x: x.order, "Order Status": lambda x: "wc-cancelled" if bad(x.order) else "wc-completed",
        "Order Date": lambda x: f"{x.time:%Y-%m-%d %H:%M}", "Customer User ID": lambda x: x.customer, "Item Name": lambda x: f"Item {x.sku}",
        "Quantity": lambda x: x.quantity, "Item Cost": lambda x: f"{x.price:.2f}", "Order Line Total": lambda x: f"{x.price * x.quantity:.2f}",
    }, orders=38),
    "Magento": Format({
        "Order #": lambda x: f"{x.order:09d}", "Purchase Date": lambda x: f"{x.time:%b} {x.time.day}, {x.time:%Y} {x.time:%I:%M:%S %p}",
        "Customer Email": lambda x: f"u{x.customer}@example.org", "SKU": lambda x: x.sku, "Qty Ordered": lambda x: f"{x.quantity}.0000",
        "Row Total": lambda x: f"{x.price * x.quantity:.4f}", "State": lambda x: "canceled" if bad(x.order) else "complete",
    }, orders=38),
    "Square": Format({
        "Date": lambda x: f"{x.time:%m/%d/%y}", "Time": lambda x: f"{x.time:%H:%M:%S}", "Item": lambda x: f"Item {x.sku}", "Qty": lambda x: f"{x.quantity}.0",
        "Net Sales": lambda x: f"${x.price * x.quantity:.2f}", "Transaction ID": lambda x: f"tx{x.order}Zq", "Customer ID": lambda x: f"C{x.customer}XY",
    }, currency="USD"),
    "Lightspeed": Format({
        "Sale ID": lambda x: x.order, "Completed Time": lambda x: f"{x.time:%Y-%m-%dT%H:%M:%S}+00:00", "Customer ID": lambda x: x.customer,
        "Item SKU": lambda x: x.sku, "Quantity": lambda x: x.quantity, "Unit Price": lambda x: f"{x.price:.2f}", "Status": lambda x: "CLOSED",
    }, currency="CAD"),
    "SAP": Format({
        "VBELN": lambda x: f"{x.order:010d}", "FKDAT": lambda x: f"{x.time:%d.%m.%Y}", "KUNNR": lambda x: f"{x.customer:010d}", "MATNR": lambda x: x.sku,
        "FKIMG": lambda x: comma(x.quantity, 3), "NETWR": lambda x: comma(x.price * x.quantity * 1000),
    }, separator=";", encoding="latin-1", factor=1000),
    "Taobao": Format({
        "订单编号": lambda x: f"='{x.order}'".replace("='", '="').replace("'", '"'), "买家会员名": lambda x: f"tb{x.customer}", "订单状态": lambda x: "交易关闭" if bad(x.order) else "交易成功",
        "订单创建时间": lambda x: f"{x.time:%Y-%m-%d %H:%M:%S}", "商品编码": lambda x: x.sku, "数量": lambda x: x.quantity, "单价": lambda x: f"{x.price:.2f}",
    }, encoding="gb18030", currency="CNY", answers={"columns.customer": "买家会员名"}, orders=38),
    "JD": Format({
        "订单号": lambda x: x.order, "下单时间": lambda x: f"{x.time:%Y/%m/%d %H:%M:%S}", "会员编号": lambda x: f"jd_{x.customer}", "商品编号": lambda x: x.sku,
        "购买数量": lambda x: x.quantity, "商品单价": lambda x: f"{x.price:.2f}", "订单金额": lambda x: f"{27 + x.order % 3}.00",
    }, encoding="gb18030", currency="CNY"),
    "Youzan": Format({
        "订单号": lambda x: f"E{x.order}", "订单状态": lambda x: "已关闭" if bad(x.order) else "交易完成", "下单时间": lambda x: f"{x.time:%Y-%m-%d %H:%M:%S}",
        "会员ID": lambda x: x.customer, "商品编码": lambda x: x.sku, "商品数量": lambda x: x.quantity, "商品单价": lambda x: f"¥{x.price:.2f}",
    }, currency="CNY", orders=38),
    "Excel, German": Format({
        "Belegnummer": lambda x: x.order, "Belegdatum": lambda x: f"{x.time:%d.%m.%Y %H:%M}", "Kundennummer": lambda x: x.customer, "Artikel": lambda x: x.sku,
        "Menge": lambda x: x.quantity, "Einzelpreis": lambda x: f"{comma(x.price * 1000)} €",
    }, separator=";", encoding="cp1252", above=("Umsätze 2024", ""), factor=1000),
    "Excel, French": Format({
        "Numéro commande": lambda x: x.order, "Date commande": lambda x: f"{x.time:%d/%m/%Y}", "Code client": lambda x: f"CL{x.customer}", "Produit": lambda x: x.sku,
        "Quantité": lambda x: x.quantity, "Prix unitaire": lambda x: comma(x.price * 1000, 2, "\u202f"),
    }, separator=";", factor=1000),
    "Excel, Chinese": Format({
        "订单编号": lambda x: x.order, "日期": lambda x: f"{x.time.year}年{x.time.month}月{x.time.day}日", "客户编号": lambda x: x.customer, "商品货号": lambda x: x.sku,
        "件数": lambda x: x.quantity, "售价": lambda x: f"{x.price:.2f}元",
    }, encoding="gb18030", currency="CNY"),
}  # fmt: skip


def exported(path: Path, how: Format) -> Path:
    lines = [how.separator.join(how.columns)]
    for line in shop():
        cells = (str(way(line)) for way in how.columns.values())
        quoted = (f'"{cell}"' if how.separator in cell else cell for cell in cells)
        lines.append(how.separator.join(quoted))
    path.write_bytes("".join(f"{line}\r\n" for line in (*how.above, *lines)).encode(how.encoding))
    return path


@pytest.mark.parametrize("system", FORMATS)
def test_an_export_gives_the_shops_figures_with_at_most_two_answers(tmp_path, system):
    how = FORMATS[system]
    path = exported(tmp_path / "export.csv", how)
    assert len(how.answers) <= 1, "and the currency"
    config, _ = drafted(path, currency=how.currency, answers=how.answers)
    report = preflight(config, None, base=tmp_path)
    assert figures(report) == (how.orders, 20, pytest.approx(how.orders * 27 * how.factor))
    assert report.problems == ()
    if not how.answers:
        asked = {item.key for item in open_questions(guess_holder(path.name, base=tmp_path, holder="x"))}
        assert len(asked) <= 2
