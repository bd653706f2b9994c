# ruff: noqa: E501  # tables of variants, one a line
"""Every kind of fault that files are known to have, with variants: bytes and lines, spellings, and what rows mean."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
from shop_kit import HEADER, TRUTH, shop
from wild import (
    FIRST,
    NETTED,
    PACKS,
    Wild,
    customers,
    folder,
    gained,
    german,
    halves,
    json_lines,
    left_empty,
    more,
    odd,
    on,
    packed,
    plain,
    raw,
    refunded,
    returned,
    said,
    sale,
    seconds,
    stated,
    table,
    text,
    typed,
    way,
    with_line,
    with_totals,
)  # fmt: skip

SALE = ("Order ID", "Order Date", "Customer ID", "Amount")
BIG = (40, 20, 4_320_000.0)
_DAYS = ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")
_EXCEL = dt.datetime(1899, 12, 30)
_UTC = dt.datetime(2024, 1, 3, 1, 30)


def _price(write):
    return lambda line: write(line.price)


def _amount(spelled: str) -> Wild:
    """One line is a return, spelled so; with returns set off."""
    euro = " €" if "€" in spelled else ""
    return way(
        separator=";", names={"Unit Price": "Betrag", "Quantity": "n"}, truth=(40, 20, 1050.5), study=NETTED,
        Unit_Price=lambda x: spelled if (x.order, x.sku) == (1039, "A1") else german(x.quantity * x.price) + euro,
    )  # fmt: skip


def _nobody(word: str) -> Wild:
    return way(lines=more, Customer_ID=odd(word, lambda x: x.customer))


def _day(value: object, **own: object) -> Wild:
    return way(lines=lambda: more(2), Order_Date=odd(value, on("%Y-%m-%d")), says="far from all|unreadable", **own)


def _total(line):
    return f"{26 + line.order % 3}.00"


_TOTALS = (40, 20, float(sum(26 + order % 3 for order in range(1000, 1040))))

BYTES: dict[str, dict[str, Wild]] = {
    "rows that nobody counts": {
        "order names that begin with #": way(Order_ID=lambda x: f"#{x.order}" if x.order % 3 else x.order),
        "two kinds of line ends": raw("".join(line + ("\r\n" if number % 2 else "\n") for number, line in enumerate(text(HEADER).splitlines()))),
        "a header in the middle": gained(30, HEADER, plain),
        "two stray quotes": raw(text(HEADER, lambda x: [*plain(x)[:3], f'"{x.sku}' if x.order in (1003, 1030) and x.sku == "A1" else x.sku, *plain(x)[4:]]), truth=(40, 20, 1051.0), says="quote"),
        "a separator at the end of lines": table(HEADER, lambda x: [*plain(x), ""], sep=";"),
        "a name more than fields": table((*HEADER, ""), plain, sep="\t"),
    },
    "a file gains columns": {
        "the header again": gained(46, (*HEADER, "Channel"), lambda x: [*plain(x), "web"]),
        "after one order": gained(2, (*HEADER, "Channel"), lambda x: [*plain(x), "web"]),
        "no header again": gained(46, None, lambda x: [*plain(x), "web"], truth=None, says="more fields.*line 48"),
        "in the middle of it": gained(46, ("Order ID", "Channel", *HEADER[1:]), lambda x: [x.order, "web", *plain(x)[1:]], truth=None, says="more fields.*line 48"),
        "loses one": gained(46, None, lambda x: [*plain(x)[:4], plain(x)[5]], truth=None, says="fewer fields.*line 48"),
    },
    "one bad line": {
        "too wide, first": with_line(1, b"1,2024-01-01,501,A,1,1.00,oops"),
        "too narrow, last": with_line(81, b"1,2024-01-01"),
        "bytes": with_line(40, bytes(range(128, 200))),
        "a zero byte": with_line(40, b"1,2024\x00,501,A,1,1"),
        "a page's end": with_line(40, b"--- page 2 ---"),
    },
    "two columns of one name": {
        "German, pieces first": table(("Beleg", "Datum", "Kundennr", "Betrag", "Betrag"), lambda x: [x.order, f"{x.time:%d.%m.%Y}", x.customer, x.quantity, german(x.price * x.quantity)], sep=";", says="same name, \"Betrag"),
        "money first": table((*SALE, "Amount"), lambda x: [*sale(x), x.quantity], says="2 columns have the same name"),
        "other case": table((*SALE[:3], "Amount", "amount"), lambda x: [*sale(x)[:3], x.quantity, sale(x)[3]], says="2 columns have the same name"),
        "Chinese": table(("订单号", "日期", "会员编号", "金额", "金额"), lambda x: [*sale(x)[:3], x.quantity, sale(x)[3]], encoding="gb18030", currency="CNY", says="same name, \"金额"),
        "order and customer": table(("ID", "Order Date", "ID", "Amount"), sale, says="2 columns have the same name"),
    },
    "packed, and not UTF-8": {
        f"{pack} of {encoding}": packed(*PACKS[pack], encoding, name, value)
        for pack, encoding, name, value in (
            ("gzip", "cp932", "商品", "赤い商品"), ("bzip2", "gb18030", "商品", "红色商品"), ("xz", "utf-16", "Größe", "groß"),
            ("zip", "cp1251", "Товар", "Красный"), ("gzip, called csv", "cp1252", "Größe", "groß"), ("gzip", "big5", "商品編號", "紅色商品"),
        )
    },
    "encodings": {
        encoding: packed(lambda content: content, ".csv", encoding, name, value)
        for encoding, name, value in (
            ("euc_kr", "상품", "빨간상품"), ("cp1253", "Προϊόν", "Κόκκινο"), ("cp1250", "Zboží", "Červená"), ("utf-16-le", "Größe", "groß"), ("utf-8-sig", "Größe", "groß"),
        )
    },
    "lines above the names, and names": {
        "titles with separators": raw("Umsatzbericht;;;;;\nZeitraum;01.01.2024;;;;\n;;;;;\n" + text(HEADER, sep=";")),
        "sep= and a mark": raw("\ufeffsep=\t\n" + text(HEADER, sep="\t")),
        "an index without a name": table(("", *HEADER), lambda x: [x.order, *plain(x)], sep="|"),
        "a line break in a name": table(('"Order\nDate"', *HEADER[:1], *HEADER[2:]), lambda x: [plain(x)[1], plain(x)[0], *plain(x)[2:]]),
        "blanks that nobody sees": table(tuple(f"\u00a0{name}\u200b" for name in HEADER)),
        "a year for a name": table((*HEADER, "2024"), lambda x: [*plain(x), 1]),
        "PowerShell": raw("#TYPE System.Data.DataRow\n" + text(tuple(f'"{name}"' for name in HEADER), lambda x: [f'"{field}"' for field in plain(x)])),
        "other separators": table(HEADER, sep="^"),
        "full-width commas": table(("订单号", "日期", "会员编号", "金额"), sale, sep="\uff0c", currency="CNY"),
        "a total below": raw(text(HEADER, sep=";") + "Summe;;;;120;1080.00\n"),
    },
    "types of Parquet, and JSON": {
        "decimals of 40 digits": Wild(write=typed({"Unit Price": pa.decimal256(40, 2)}, Unit_Price=lambda x: Decimal(f"{x.price:.2f}"))),
        "bytes for ids": Wild(write=typed({"Customer ID": pa.binary()}, Customer_ID=lambda x: f"c{x.customer}".encode())),
        "text for numbers and days": Wild(write=typed({}, Order_Date=on("%d.%m.%Y"), Unit_Price=lambda x: german(x.price * 1000)), truth=(40, 20, 1_080_000.0), first=FIRST),
        "seconds, and truths": Wild(write=typed({}, Order_Date=lambda x: int(seconds(x)), is_cancelled=lambda x: x.order >= 1020 and x.order % 5 == 0), truth=(36, 20, 972.0), says="is cancelled"),
        "commas in JSON": Wild(write=json_lines(lambda x: {"order_id": x.order, "ts": f"{x.time:%d.%m.%Y %H:%M}", "customer_id": x.customer, "amount": german(x.price * x.quantity)}), first=FIRST),
    },
    "no line of names": {
        "numbers": raw("".join(",".join(sale(x)) + "\n" for x in shop()), says="no line names the columns"),
        "codes and German days": raw("".join(f"B{x.order};{x.time:%d.%m.%Y};K{x.customer};{german(x.price * x.quantity)}\n" for x in shop()), says="no line names the columns"),
        "in the later file only": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(HEADER, lines=lines).partition("\n")[2], truth=None, says=r"2024-2\.csv does not name the columns"),
    },
    "a folder of files that differ": {
        "day renamed": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(("Order ID", "Date", *HEADER[2:]), lines=lines), says="some files call it"),
        "all in another language": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(("Bestellnummer", "Bestelldatum", "Kundennummer", "Artikel", "Menge", "Einzelpreis"), lines=lines), says="some files call it"),
        "money gained later": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text((*HEADER, "Amount"), lambda x: [*plain(x), f"{x.price * x.quantity:.2f}"], lines=lines)),
        "other money later": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(SALE, sale, lines=lines), truth=None, says=r"no column .*1 of 2 files"),
        "other separator": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(HEADER, sep=";", lines=lines), truth=None, says=r"2024-2\.csv is separated by"),
        "other decimal sign": halves(lambda lines: text(HEADER, sep=";", lines=lines), lambda lines: text(HEADER, lambda x: [*plain(x)[:5], german(x.price)], sep=";", lines=lines), truth=None, says="two different decimal signs; if files differ"),
        "other form of days": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(HEADER, lambda x: [x.order, f"{x.time:%d.%m.%Y}", *plain(x)[2:]], lines=lines), first=FIRST),
        "d/m, then m/d": halves(*(lambda lines, form=form: text(HEADER, lambda x: [x.order, x.time.strftime(form), *plain(x)[2:]], lines=lines) for form in ("%d/%m/%Y", "%m/%d/%Y")), truth=None, says="neither day nor month first"),
        "other encoding": folder(text((*HEADER, "Größe")), text((*HEADER, "Größe")).encode("cp1252"), truth=None, says="iso8859-1 text and .* utf-8"),
        "states later only": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text((*HEADER, "Status"), lambda x: [*plain(x), "cancelled" if x.order % 5 else "paid"], lines=lines), truth=None, says="Status"),
        "columns turned round": halves(lambda lines: text(HEADER, lines=lines), lambda lines: text(HEADER[::-1], lambda x: plain(x)[::-1], lines=lines)),
    },
}  # fmt: skip

SPELLINGS: dict[str, dict[str, Wild]] = {
    "thousands without decimals": {
        "rupees of Indonesia, sign before": said("three digits after '.'", Unit_Price=_price(lambda p: "Rp" + german(p * 4000, 0)), currency="IDR"),
        "dong, beside weights with points": way(Unit_Price=_price(lambda p: german(p * 4000, 0)), Weight=lambda x: f"{x.quantity / 4:.3f}", currency="VND", truth=BIG, says="have no decimals"),
        "another column shows it": way(separator=";", Unit_Price=_price(lambda p: german(p * 4000, 0)), Tax=lambda x: german(x.price * 760), truth=BIG),
        "pesos of Chile": way(Unit_Price=_price(lambda p: "$" + german(p * 4000, 0)), currency="CLP", truth=BIG),
        "won with commas": way(Unit_Price=_price(lambda p: f"{p * 4000:,.0f}원"), currency="KRW", truth=BIG),
        "euros": said("read.price.decimal", Unit_Price=_price(lambda p: german(p * 4000, 0))),
        "dinars of Kuwait have three": way(Unit_Price=_price(lambda p: f"{p:.3f}"), currency="KWD"),
    },
    "signs by column": {
        "SAP, tabs": way(separator="\t", Quantity=lambda x: f"{x.quantity},000", Unit_Price=_price(german)),
        "pieces of yen": way(separator=";", Quantity=lambda x: f"{x.quantity},000", Unit_Price=_price(lambda p: german(p * 4000, 0)), currency="JPY", truth=BIG),
        "pieces with three zeros, prices whole": way(Quantity=lambda x: f"{x.quantity}.000", Unit_Price=_price(lambda p: f"{p * 4000:.0f}"), currency="JPY", truth=BIG, says="ends in three zeros"),
        "pieces against prices": said("read.quantity.decimal", separator=";", Quantity=lambda x: f"{x.quantity}.000", Unit_Price=_price(german)),
        "weights": way(separator=";", Quantity=lambda x: german(x.quantity / 2, 3), Unit_Price=_price(lambda p: f"{p * 2:.2f}")),
    },
    "signs of thousands": {
        "thin blanks": way(separator=";", Unit_Price=_price(lambda p: german(p * 1000, 2, "\u2009")), truth=(40, 20, 1_080_000.0)),
        "apostrophes, francs": way(Unit_Price=_price(lambda p: f"CHF {p * 1000:,.2f}".replace(",", "'")), currency="CHF", truth=(40, 20, 1_080_000.0)),
        "Indian lakhs": way(Unit_Price=lambda x: "1,25,000.00" if x.sku == "A0" else "72,500.00", currency="INR", truth=(40, 20, 10_800_000.0)),
        "blanks, points": way(separator=";", Unit_Price=_price(lambda p: f"{p * 1000:,.2f}".replace(",", " ")), truth=(40, 20, 1_080_000.0)),
    },
    "signs of currencies": {
        "rubles": way(separator=";", Unit_Price=_price(lambda p: german(p) + " руб."), currency="RUB"),
        "dollars twice": way(Unit_Price=_price(lambda p: f"${p:.2f} USD"), currency="USD"),
        "a word that nobody knows": way(Unit_Price=_price(lambda p: f"{p:.2f} د.إ"), currency="AED", says="is passed over"),
        "no cents": way(separator=";", Unit_Price=_price(lambda p: f"{p * 4:.0f},-"), truth=(40, 20, 4320.0)),
        "of another currency": said("sign \\$", Unit_Price=_price(lambda p: f"${p:.2f}")),
        "of two currencies": said("signs of several currencies", Unit_Price=lambda x: f"{'$' if x.order % 4 else '€'}{x.price:.2f}"),
        "in the column's name": said("Price £", names={"Unit Price": "Price £"}),
        "as decimal sign": said("Unit Price.*99€99", Unit_Price=_price(lambda p: f"{p:.2f}".replace(".", "€"))),
        "multiples": said("Unit Price", names={"Unit Price": "Unit Price"}, Unit_Price=_price(lambda p: f"{p:.2f}k")),
    },
    "returns": {
        "minus behind the sign": _amount("15,00 €-"), "hyphens of typesetters": _amount("\u201115,00"), "small minus": _amount("\ufe6315,00"), "blank between": _amount("- 15,00"), "brackets round the sign": _amount("€(15,00)"),
        "credit": way(separator=";", names={"Unit Price": "Betrag", "Quantity": "n"}, Unit_Price=lambda x: "15,00 CR" if (x.order, x.sku) == (1039, "A1") else german(x.quantity * x.price), truth=None, says="negative"),
        "debit and credit beside it": way(names={"Unit Price": "Amount", "Quantity": "n"}, Unit_Price=lambda x: f"{x.quantity * x.price:.2f}", Type=lambda x: "credit" if x.order == 1030 else "debit", says="Type.*may say which rows are sales", truth=None),
    },
    "offsets": {
        "German": way(Order_Date=on("%d.%m.%Y %H:%M +0800"), first=_UTC), "thousandths": way(Order_Date=on("%Y-%m-%dT%H:%M:%S.000+08:00"), first=_UTC),
        "some without": way(Order_Date=lambda x: f"{x.time:%Y-%m-%d %H:%M:%S} +0800" if x.order % 2 else f"{x.time - dt.timedelta(hours=8):%Y-%m-%d %H:%M:%S}", first=_UTC),
        "two": way(Order_Date=lambda x: f"{x.time + dt.timedelta(hours=x.order % 2):%Y-%m-%d %H:%M:%S} +0{8 + x.order % 2}00", first=_UTC),
        "a name": said("Order Date.*99:99:99 aaa", Order_Date=on("%Y-%m-%d %H:%M:%S CST")), "JavaScript": said("Order Date.*9999", Order_Date=on("%a %b %d %Y %H:%M:%S GMT+0800 (CST)")),
    },
    "several spellings of days": {
        "weekdays": way(Order_Date=lambda x: f"{_DAYS[x.time.weekday()]}, {x.time:%d.%m.%Y}" if x.order % 2 else f"{x.time:%d.%m.%Y}", first=FIRST),
        "years of two digits and four": way(Order_Date=lambda x: f"{x.time:%d.%m.%Y}" if x.order % 2 else f"{x.time:%d.%m.%y}", first=FIRST),
        "days of Excel between": way(Order_Date=lambda x: (x.time - _EXCEL).days if x.order % 2 else f"{x.time:%Y-%m-%d}", first=FIRST, says="Excel's days"),
        "three ways": way(Order_Date=lambda x: x.time.strftime(("%m/%d/%Y", "%Y-%m-%d", "%b %d, %Y")[x.order % 3]), first=FIRST),
        "the year first": way(Order_Date=on("%y-%m-%d"), first=FIRST, says="taken for the year"),
    },
    "times as text": {
        "Korean": way(Order_Date=lambda x: f"{x.time.year}. {x.time.month}. {x.time.day}. 오전 {x.time:%I:%M}", first=dt.datetime(2024, 1, 3, 9, 30)),
        "Chinese": way(Order_Date=lambda x: f"{x.time.year}年{x.time.month}月{x.time.day}日 {x.time.hour}时{x.time.minute}分", first=dt.datetime(2024, 1, 3, 9, 30)),
        "French": way(Order_Date=on("%d/%m/%Y à %Hh%M"), first=dt.datetime(2024, 1, 3, 9, 30)), "Hungarian": way(Order_Date=on("%Y.%m.%d."), first=FIRST),
        "German": way(Order_Date=on("%d.%m.%Y, %H:%M Uhr"), first=dt.datetime(2024, 1, 3, 9, 30)), "SAS": way(Order_Date=on("%d%b%Y"), first=FIRST),
        "fourteen digits": way(Order_Date=on("%Y%m%d%H%M%S"), first=dt.datetime(2024, 1, 3, 9, 30)), "a formula": way(Order_Date=on('="%Y-%m-%d"'), first=FIRST),
        "weeks": said("Order Date.*9999-a99-9", Order_Date=on("%G-W%V-%u")), "six digits": said("Order Date.*999999", Order_Date=on("%y%m%d")),
    },
    "numbers that are times": {
        "seconds with fractions": way(Order_Date=lambda x: f"{seconds(x):.3f}", first=FIRST), "millionths": way(Order_Date=lambda x: int(seconds(x)) * 1_000_000, first=FIRST),
        "days of Excel, comma": way(separator=";", Order_Date=lambda x: f"{(x.time - _EXCEL) / dt.timedelta(days=1):.4f}".replace(".", ","), first=FIRST, says="Excel's days"),
        "seconds and thousandths": way(Order_Date=lambda x: int(seconds(x)) * (1000 if x.order % 2 else 1), first=FIRST),
        "ticks": said("Order Date.*99999", Order_Date=lambda x: int(seconds(x, dt.datetime(1, 1, 1))) * 10**7),
    },
    "days far from all": {
        "the end of time": _day("9999-09-09"), "years of three digits": _day("0204-05-01"), "a far past": _day("1980-01-01", truth=None), "next century": _day("2204-05-01"), "zeros": _day("0000-00-00"),
        "German placeholder": way(separator=";", lines=lambda: more(2), Order_Date=odd("01.01.1900", on("%d.%m.%Y")), says="far from all"),
    },
}  # fmt: skip

MEANINGS: dict[str, dict[str, Wild]] = {
    "states": {
        "Russian": stated("Статус", "Выполнен", "Отменён"), "Korean": stated("주문상태", "배송완료", "취소완료"), "Turkish": stated("Durum", "Tamamlandı", "İptal edildi"), "Polish": stated("Status zamówienia", "Zrealizowane", "Anulowane"),
        "German, one word": stated("Bestellstatus", "Versandt", "Storniert"), "a cross": stated("Storno", "", "X"), "a time": stated("Cancelled at", "", "2024-08-01 10:00"),
        "numbers": stated("status", "3", "5", truth=None, says="may say which rows are sales"), "letters": stated("Status", "C", "X", truth=None, says="may say which rows are sales"),
        "two columns": way(**{"Financial Status": lambda x: "voided" if x.order in (1025, 1035) else "paid", "Fulfillment Status": lambda x: "cancelled" if x.order in (1026, 1036) else "fulfilled"}, truth=(36, 20, 972.0), says="Fulfillment"),
        "before buying": way(lines=lambda: [*shop(), *shop()], event_type=lambda x: "purchase", truth=TRUTH, says="repeat another row"),
    },
    "refunds in rows of their own": {
        "German": refunded("Belegart", "Rechnung", "Gutschrift", says="Belegart"), "Chinese": refunded("交易类型", "消费", "退货", says="交易类型"), "Spanish": refunded("Tipo", "Venta", "Devolución", says="Tipo"), "Japanese": refunded("区分", "売上", "返品", says="区分"),
        "SAP": refunded("FKART", "F2", "RE", truth=None, says="may say which rows are sales"),
    },
    "an order's total on its lines": {
        "Chinese": table(("订单号", "下单时间", "会员编号", "商品编码", "订单金额"), lambda x: [*sale(x)[:3], x.sku, _total(x)], currency="CNY", truth=_TOTALS, says="counted once"),
        "with pieces": table(("Order ID", "Order Date", "Customer ID", "SKU", "Qty", "Total"), lambda x: [*sale(x)[:3], x.sku, x.quantity, _total(x)], truth=_TOTALS, says="counted once"),
        "beside the line's": table(("Order ID", "Order Date", "Customer ID", "Order Total", "SKU", "Amount"), lambda x: [*sale(x)[:3], _total(x), x.sku, sale(x)[3]]),
        "beside pieces and price": way(**{"Order Total": _total}), "on the first line": table((*SALE[:3], "SKU", "Total"), lambda x: [*sale(x)[:3], x.sku, _total(x) if x.sku == "A0" else "0.00"], truth=_TOTALS),
    },
    "later lines leave an order's columns empty": {
        "day and customer": left_empty(1, 2, says="continue the line above"), "order and day": left_empty(0, 1, says="continue the line above"), "all, German": left_empty(0, 1, 2, header=("Beleg", "Datum", "Kunde", "Artikel", "Menge", "Preis"), says="continue the line above"),
        "a total below": left_empty(0, 1, 2, last="Total,,,,120,1080.00\n", says="continue the line above"),
        "a total that continues": left_empty(0, 1, 2, last=",,,合计：,120,1080.00\n", says="are a total: 1, the first at line 82"),
        "a total without a word": left_empty(0, 1, 2, last=",,,,120,1080.00\n", says="are a total: 1, the first at line 82"),
        "a total beside numbers alone": left_empty(0, 1, 2, places=(0, 1, 2, 4, 5), last=",,,120,1080.00\n", truth=None, says=r"last line \(82\) continues the order above it, and holds in 'Quantity' the sum of the 80"),
        "a total of each order": with_totals("Zwischensumme"), "totals of orders without a word": with_totals("", truth=None, says="40 have a last line that adds up their others"), "customer alone": left_empty(2, truth=None, says="leave that column empty: fill_down"),
    },
    "spellings of one id": {
        "addresses": way(names={"Customer ID": "E-Mail"}, Customer_ID=lambda x: f" U{x.customer}@EXAMPLE.org\u00a0" if x.order >= 1020 else f"u{x.customer}@example.org"),
        "full width": said("20 customers instead of 40", Customer_ID=lambda x: "".join(chr(ord(sign) + 0xFEE0) for sign in str(x.customer)) if x.order >= 1020 else x.customer),
        "hyphens": said("20 customers instead of 40", Customer_ID=lambda x: f"C-{x.customer}" if x.order >= 1020 else f"C{x.customer}"),
        "telephones": said("20 customers instead of 40", names={"Customer ID": "Telefon"}, Customer_ID=lambda x: f"+49 171 1234{x.customer}" if x.order >= 1020 else f"01711234{x.customer}"),
        "of orders": said("40 orders instead of 80", Order_ID=lambda x: f"{x.order:010d}" if x.sku == "A0" else x.order),
    },
    "ids that a spreadsheet has rounded": {
        "comma": said(r"9\.99E\+11", separator=";", Customer_ID=lambda x: f"8,6{x.customer % 3}38E+12"), "no plus": said(r"9\.99E\+11", Customer_ID=lambda x: f"1.{x.customer % 3}8E11"), "some": said(r"9\.99E\+11", Customer_ID=lambda x: "1.38E+11" if x.customer == 505 else 13_800_138_000 + x.customer),
        "of orders": said(r"order ids|9\.99E\+11", Order_ID=lambda x: "2.02E+17" if x.order > 1030 else 20_240_000 + x.order), "zeros behind": said("16 digits", Customer_ID=lambda x: f"86138001380{x.customer % 3}0000000"),
    },
    "spellings of nobody": {word: _nobody(word) for word in ("00000", "-1", "Diverse", "Consumidor Final", "#REF!", "гость")} | {
        "nines": said("customer id of nines", lines=more, Customer_ID=odd("9999999999", lambda x: x.customer)), "other words": said("without a digit", lines=more, Customer_ID=odd("Theke", lambda x: x.customer)),
    },
    "a table of customers": {
        "French": customers(("client_id", "derniere_commande", "nb_commandes", "ca_total"), lambda i: [f"c{i}", f"2024-05-{i % 28 + 1:02d}", i % 4 + 1, "40.99"], truth=None, says="one row"),
        "Dutch": customers(("klantnummer", "laatste_bestelling", "aantal_bestellingen", "totaal_omzet"), lambda i: [i + 1, f"2024-05-{i % 28 + 1:02d}", i % 4 + 1, "40.99"], truth=None, says="one row"),
        "scores": customers(("customer_id", "recency", "frequency", "monetary"), lambda i: [f"c{i}", i % 90, i % 4 + 1, "40.99"], truth=None, says="one row"),
        "a small one": customers(("customer_id", "first_order", "last_order", "orders", "total"), lambda i: [f"c{i}", f"2023-05-{i % 28 + 1:02d}", f"2024-05-{i % 28 + 1:02d}", i % 4 + 1, "40.99"], 30, truth=None, says="one row"),
    },
    "no money": {
        "visits": customers(("user_id", "visit_time", "page"), lambda i: [i % 20 + 1, f"2024-05-{i % 28 + 1:02d}", "p"], truth=None, says="need money"),
        "pieces": customers(("customer_id", "order_date", "order_id", "quantity"), lambda i: [i % 20 + 1, f"2024-05-{i % 28 + 1:02d}", i, i % 4 + 1], truth=None, says="need money"),
        "postage": customers(("customer_id", "order_date", "order_id", "shipping_cost"), lambda i: [i % 20 + 1, f"2024-05-{i % 28 + 1:02d}", i, "9.99"], truth=None, says="need money"),
        "zeros": customers(("customer_id", "order_date", "order_id", "amount"), lambda i: [i % 20 + 1, f"2024-05-{i % 28 + 1:02d}", i, "0.00"], truth=None, says="amount of 0"),
    },
    "returns that name their order": {
        "German": returned(("Belegnummer", "Datum", "Kundennummer", "Menge", "Betrag"), sep=";", write=german), "Chinese": returned(("订单号", "日期", "会员编号", "数量", "金额"), currency="CNY"), "many": returned(("order_id", "date", "customer", "qty", "amount"), count=12),
    },
    "equal rows that are true purchases": {
        "two of one thing": way(lines=lambda: [*shop(), *shop()[:10]], says="repeat another row"),
        "no product": table(SALE, lambda x: [*sale(x)[:3], "13.50"], truth=(40, 20, 540.0), says="counted once"),
        "a file twice": folder(text(HEADER), text(HEADER), ("a.csv", "a (1).csv"), says="repeat another row"),
    },
}  # fmt: skip

#: All of them.
KINDS: dict[str, dict[str, Wild]] = BYTES | SPELLINGS | MEANINGS
