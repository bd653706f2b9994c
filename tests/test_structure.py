# ruff: noqa: E501  # tables of variants, one a line
"""Files as they are: gained columns, renamed ones, lines that continue, names twice, lines above, and every line in the account."""

from __future__ import annotations

import pytest
from shop_kit import PLAIN, TRUTH, drafted, figures, shop, written

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.guess.encodings import guess_encoding


def as_text(lines=None, separator: str = ",", **columns) -> tuple[str, list[str]]:
    """Header and lines of the shop, without line ends."""
    ways = PLAIN | columns
    rows = [separator.join(str(way(line)) for way in ways.values()) for line in lines or shop()]
    return separator.join(ways), rows


def put(path, *parts: str | list[str], end: str = "\n", encoding: str = "utf-8"):
    lines = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


def read(path, **options) -> tuple[HolderConfig, str, object]:
    config, text = drafted(path, **options)
    base = path.parent
    return config, text, preflight(config, None, base=base)


GAINED = {
    "behind, header again": (lambda h, r: [h, *r[:34], f"{h},Discount", *[f"{x},0" for x in r[34:]]], [6, 7]),
    "two behind, semicolons": (lambda h, r: [h.replace(",", ";"), *[x.replace(",", ";") for x in r[:60]], h.replace(",", ";") + ";a;b",
                               *[x.replace(",", ";") + ";1;2" for x in r[60:]]], [6, 8]),
    "twice": (lambda h, r: [h, *r[:20], f"{h},x", *[f"{x},0" for x in r[20:40]], f"{h},x,y", *[f"{x},0,1" for x in r[40:]]], [6, 7, 8]),
}  # fmt: skip


@pytest.mark.parametrize("kind", GAINED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_that_gained_columns_is_read_whole(tmp_path, kind, end):
    how, fields = GAINED[kind]
    config, text, report = read(put(tmp_path / "sales.csv", how(*as_text()), end=end))
    assert config.source.csv.fields == tuple(fields)
    assert "PLEASE CHECK" in text[: text.index("fields = ")].splitlines()[-1]
    assert figures(report) == TRUTH
    assert (report.rows, report.problems) == (80, ())


def test_a_wider_line_without_such_a_header_never_extends_the_list(tmp_path):
    header, rows = as_text()
    config, _, report = read(put(tmp_path / "sales.csv", header, rows[:7], rows[7] + ",x", rows[7:]))
    assert config.source.csv.fields == ()
    assert figures(report) == TRUTH
    assert "line 9 of sales.csv" in report.warnings[0].text


@pytest.mark.parametrize("times", [1, 3])
def test_repeated_headers_are_no_rows(tmp_path, times):
    header, rows = as_text()
    parts = [part for _ in range(times) for part in (header,)]
    _, _, report = read(put(tmp_path / "sales.csv", header, rows[:30], *parts, rows[30:]))
    assert figures(report) == TRUTH
    assert [(item.reason, item.lines) for item in report.cleaning.left_out] == [("header", times)]
    assert report.problems == ()


RENAMED = {
    "customer": ("Customer ID", "Cust No"),
    "order": ("Order ID", "Invoice No"),
    "time": ("Order Date", "Purchase Date"),
    "price": ("Unit Price", "Price each"),
}


@pytest.mark.parametrize("role", RENAMED)
def test_a_column_renamed_in_later_files_is_found(tmp_path, role):
    old, new = RENAMED[role]
    lines = shop()
    written(tmp_path / "2024-01.csv", lines[:46])
    written(tmp_path / "2024-07.csv", lines[46:], names={old: new})
    config, text, report = read(tmp_path / "*.csv")
    assert (getattr(config.columns, role), config.columns.also[role]) == (old, (new,))
    assert f'{role} = ["{old}", "{new}"]' in text
    assert f'some files call it "{new}"' in text
    assert figures(report) == TRUTH
    assert config == HolderConfig.model_validate(config.model_dump())


def test_a_column_that_only_some_files_have_is_no_other_name(tmp_path):
    lines = shop()
    written(tmp_path / "1.csv", lines[:40])
    written(tmp_path / "2.csv", lines[40:], Remark=lambda x: "x", Member_card=lambda x: x.customer)
    config, _, report = read(tmp_path / "*.csv")
    assert config.columns.also == {}
    assert figures(report) == TRUTH


def first_only(way):
    return lambda x: way(x) if x.sku == "A0" else ""


CONTINUED = {
    "order, day and customer": ("Order ID", "Order Date", "Customer ID"),
    "day and customer (Shopify)": ("Order Date", "Customer ID"),
}


@pytest.mark.parametrize("kind", CONTINUED)
def test_lines_that_continue_an_order_take_what_it_said(tmp_path, kind):
    blank = {name.replace(" ", "_"): first_only(PLAIN[name]) for name in CONTINUED[kind]}
    config, text, report = read(written(tmp_path / "sales.csv", **blank))
    assert set(config.source.csv.fill_down) == {"customer", "time"} | (
        {"order"} if "Order ID" in CONTINUED[kind] else set()
    )
    assert "40 of the first 80 lines leave" in text
    assert figures(report) == TRUTH


def test_a_line_that_is_left_out_ends_what_it_began(tmp_path):
    ways = {name: first_only(PLAIN[name]) for name in CONTINUED["order, day and customer"]}
    header, rows = as_text(**ways)
    rows[10] += ",x"  # the first line of an order; its second one must not go to the order before
    _, _, report = read(put(tmp_path / "sales.csv", header, rows))
    assert figures(report) == (39, 20, 39 * 27.0)
    assert [(item.reason, item.lines, item.line) for item in report.cleaning.left_out] == [
        ("too_many_fields", 1, 12),
        ("continues", 1, 13),
    ]


def test_guest_sales_are_not_taken_for_continued_lines(tmp_path):
    config, _, report = read(
        written(tmp_path / "sales.csv", Customer_ID=lambda x: "" if x.order % 4 == 1 else x.customer)
    )
    assert config.source.csv.fill_down == ()
    assert report.cleaning.dropped == {"no_customer_id": 20}


@pytest.mark.parametrize(
    "names", [{"Quantity": "Amount", "Unit Price": "Amount"}, {"Unit Price": "Amount", "SKU": "amount"}]
)
def test_of_two_columns_of_one_name_the_one_that_behaves_like_money_is_taken_and_said(tmp_path, names):
    path = written(
        tmp_path / "sales.csv",
        names=names,
        Unit_Price=lambda x: f"{x.price * x.quantity:.2f}",
        SKU=lambda x: x.quantity,
    )
    config, text, report = read(path)
    assert config.columns.amount.lower() == "amount_1"
    assert "PLEASE CHECK: " in text
    assert "2 columns have the same name" in text
    assert figures(report)[2] == 1080.0


def test_the_first_of_two_columns_of_one_name_can_be_named(tmp_path):
    path = written(
        tmp_path / "sales.csv",
        names={"Quantity": "n", "SKU": "Amount", "Unit Price": "Amount"},
        SKU=lambda x: f"{x.price * x.quantity:.2f}",
        Unit_Price=lambda x: x.quantity,
    )
    config, _, report = read(path)
    assert config.columns.amount == "Amount_0"
    assert figures(report)[2] == 1080.0
    plain = config.model_copy(update={"columns": config.columns.model_copy(update={"amount": "Amount"})})
    assert "more than one column" in preflight(plain, None, base=tmp_path).problems[0].text


ABOVE = {
    "a title": ["Sales report 2024"],
    "a title and an empty line": ["Umsatzbericht", ""],
    "settings": ["Shop: Berlin", "From: 2024-01-01;To: 2024-12-31", "", ""],
}


@pytest.mark.parametrize("kind", ABOVE)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_lines_above_the_names_are_passed_over(tmp_path, kind, separator):
    header, rows = as_text(separator=separator)
    config, _, report = read(put(tmp_path / "sales.csv", ABOVE[kind], header, rows))
    assert config.source.csv.header == len(ABOVE[kind]) + 1
    assert figures(report) == TRUTH
    assert report.cleaning.rows_seen == 80


TEXTS = {
    "big5": "毛衣 褲子 陳大文 訂單編號 客戶 金額 商品名稱 臺北 高雄 新竹",
    "cp932": "毛糸の服 山田太郎 注文番号 顧客 金額 東京 大阪 シャツ ズボン くつした",
    "cp1251": "Рубашка синяя Иванов Петров заказ номер сумма товар Москва улица",
    "cp1253": "Πουκάμισο Παπαδόπουλος Αθήνα πελάτης παραγγελία ποσό ημερομηνία προϊόν οδός μπλε",
    "gb18030": "毛衣 裤子 张伟 订单编号 客户 金额 商品 北京 上海 广州",
    "euc_kr": "스웨터 홍길동 주문번호 고객 금액 서울 부산 셔츠 바지 양말",
    "cp1252": "Größe Müller Käufer Straße übrig Österreich Ärmel Höhe süß Preis€",
    "latin-1": "Größe Müller Käufer Straße übrig Österreich Ärmel Höhe süß Tür",
    "cp1250": "Łódź Wiśniewski Żółć kupujący źle święto część środa żółty książka",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_encodings_are_told_by_the_words_that_are_not_ascii(encoding):
    words = TEXTS[encoding].split()
    raw = ("a,b\n" + "1,2\n" * 50 + "".join(f"{word},3\n" for word in words * 3)).encode(encoding)
    found, why = guess_encoding(raw)
    assert raw.decode(found) == raw.decode(encoding)
    assert "PLEASE" not in why
    assert "PLEASE CHECK, for only " in guess_encoding(("a,b\n" + f"{words[0]},3\n" * 30).encode(encoding))[1]


def test_a_sign_of_money_alone_makes_no_cyrillic_file():
    assert guess_encoding(("a;b\n" + "1;12,50 €\n" * 80).encode("cp1252"))[0] == "cp1252"
