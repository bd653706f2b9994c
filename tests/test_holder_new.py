"""The first evening: columns, formats and currencies guessed right on real and on nasty files."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import random
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.feeds.lines import open_feed
from clients.data.guess.guess import guess_holder, holder_name, holder_toml, new_holder_file
from clients.data.guess.names import score
from clients.data.guess.nouns import NO_ORDER_IDS, Guess, Question, answered, open_questions
from clients.data.guess.text import guess_encoding
from clients.data.guess.zone import machine_zone
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study
from simulations.worlds.generator import generate


def columns(guess: Guess) -> dict[str, str]:
    return {role: found.value for role, found in guess.columns.items()}


def never(question: Question) -> str:
    raise AssertionError(f"asked for {question.key}")


@pytest.mark.parametrize(
    ("file", "expected", "currency", "asked"),
    [
        (
            "online_retail_ii/online_retail_ii",
            {"customer": "customer_id", "order": "invoice", "time": "invoice_date", "quantity": "quantity",
             "price": "price", "product": "stock_code"},
            "GBP",
            [],
        ),
        (
            "complete_journey/transactions_sample",
            {"customer": "household_id", "order": "basket_id", "time": "transaction_timestamp",
             "amount": "sales_value", "product": "product_id", "store": "store_id", "discount": "retail_disc"},
            None,
            ["currency"],
        ),
        (
            "cdnow_sample/cdnow_sample",
            {"customer": "master_id", "time": "date", "amount": "value"},
            None,
            ["order", "currency"],  # this file has no order ids
        ),
        (
            "global_electronics/sales",
            {"customer": "CustomerKey", "order": "Order Number", "time": "Order Date", "amount": "amount_usd",
             "product": "ProductKey", "store": "StoreKey"},
            "USD",
            [],
        ),
        (
            "rfm_r_package/rfm_data_orders",
            {"customer": "customer_id", "time": "order_date", "amount": "revenue"},
            None,
            ["order", "currency"],
        ),
    ],
)  # fmt: skip
def test_real_files(data_folder, file, expected, currency, asked):
    guess = guess_holder(f"{file}.parquet", base=data_folder, holder="shop")
    assert columns(guess) == expected
    assert (guess.currency_code.value if guess.currency_code else None) == currency
    assert [question.key for question in open_questions(guess)] == asked
    defaults = {question.key: question.default for question in open_questions(guess)}
    assert defaults == {key: {"order": NO_ORDER_IDS, "currency": None}[key] for key in asked}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    generate(folder, customers=600)
    return folder


@pytest.mark.parametrize(
    ("holder", "url"),
    [
        ("online", "sales/*.parquet"),
        ("store-1", "receipts.csv"),
        ("store-2", "duckdb://sales.duckdb"),
        ("store-3", "umsatz.csv"),
    ],
)
def test_the_generators_holders(world, holder, url):
    """The guess maps the columns that the generator's own holder.toml maps, and gives the same customer table."""
    home = world / holder
    own = read_toml(home / "holder.toml", HolderConfig)
    guess = guess_holder(url, base=home, holder=holder)
    assert columns(guess) == own.columns.mapped()
    for question in open_questions(guess):
        assert question.key == "currency"
        guess = answered(guess, question, "EUR")
    config = guess.config()
    assert config.source.currency_code == own.source.currency_code
    assert config.source.currencies == own.source.currencies
    assert config.source.csv.separator == own.source.csv.separator
    study = Study.model_validate(
        {"name": "s", "as_of": dt.date(2025, 1, 1), "budget": {"epsilon": "1"}, "rates": {"GBP": "1.17"}}
    )
    config = config.model_copy(update={"source": config.source.model_copy(update={"time_zone": own.source.time_zone})})
    mine, theirs = (build_customer_table(Origin(item, study, home)) for item in (config, own))
    assert len(mine) > 50
    assert mine.report == theirs.report
    assert mine.columns.money.tolist() == theirs.columns.money.tolist()


def sales(rows: int = 900) -> pd.DataFrame:
    """Lines of orders, with 200 customers."""
    rng = np.random.default_rng(3)
    order = np.sort(rng.integers(0, rows // 3, rows))
    owner = rng.integers(1000, 1200, rows // 3)
    minute = np.sort(rng.integers(0, 300 * 1440, rows // 3))
    frame = pd.DataFrame({"order": order + 70_000, "customer": owner[order]})
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(minute[order], unit="min")
    frame["product"] = [f"A-{number:04d}" for number in rng.integers(0, 90, rows)]
    frame["quantity"] = rng.integers(1, 6, rows)
    frame["price"] = np.round(rng.gamma(2, 300, rows) + 0.5, 2)
    frame["amount"] = np.round(frame["quantity"] * frame["price"], 2)
    return frame


def local(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def write(path: Path, header: list[str], rows: Any, *, encoding: str, separator: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(header)
        writer.writerows(rows)


def test_a_nasty_german_file(tmp_path):
    frame = sales()
    header = ["Beleg-Nr.", "Pos", "Kunden-Nr.", "Käufername", "Rechnungsdatum", "Lieferdatum", "Artikel-Nr.", "Menge",
              "Einzelpreis €", "Gesamtbetrag €", "MwSt", "Filiale"]  # fmt: skip
    rows = [
        [f"R{r.order}", i % 3, f"{r.customer:08d}", "Müller, Jörg", r.time.strftime("%d.%m.%Y %H:%M"),
         (r.time + pd.Timedelta(days=3)).strftime("%d.%m.%Y"), r.product, r.quantity, local(r.price), local(r.amount),
         local(r.amount * 0.19), "Köln"]
        for i, r in enumerate(frame.itertuples())
    ]  # fmt: skip
    path = tmp_path / "Umsätze 2024.csv"
    write(path, header, rows, encoding="cp1252", separator=";")
    guess = new_holder_file(str(path), output=tmp_path / "holder.toml", holder="laden", ask=never)
    assert columns(guess) == {
        "customer": "Kunden-Nr.", "order": "Beleg-Nr.", "time": "Rechnungsdatum", "amount": "Gesamtbetrag €",
        "product": "Artikel-Nr.", "store": "Filiale",
    }  # fmt: skip
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    form, read = config.source.csv, config.source.read
    assert (form.separator, form.encoding) == (";", "cp1252")
    assert (read["amount"].decimal, read["amount"].thousands, read["time"].formats) == (",", ".", ("%d.%m.%Y %H:%M",))
    assert (config.source.currency_code, config.source.time_zone) == ("EUR", machine_zone() or "UTC")
    table = build_customer_table(Origin(config, Study.model_validate(
        {"name": "s", "as_of": dt.date(2025, 1, 1), "budget": {"epsilon": "1"}, "cleaning": {"duplicates": "keep"}}
    ), tmp_path))  # fmt: skip
    assert table.report.dropped == {}
    assert table.columns.money.sum() == round(frame["amount"].sum() * 100)
    text = (tmp_path / "holder.toml").read_text(encoding="utf-8")
    for secret in ("Müller", "Köln", "A-00", "R70", "00001"):
        assert secret not in text


def test_a_chinese_file(tmp_path):
    frame = sales()
    header = [
        "订单编号",
        "会员卡号",
        "会员姓名",
        "下单时间",
        "发货时间",
        "商品编码",
        "数量",
        "单价",
        "实付金额",
        "门店编号",
        "销售渠道",
    ]
    rows = [
        [f"DD{r.order}", f"V{r.customer}", "张伟", r.time.strftime("%Y/%m/%d %H:%M:%S"),
         (r.time + pd.Timedelta(days=2)).strftime("%Y/%m/%d %H:%M:%S"), r.product, r.quantity, r.price,
         round(r.amount * 0.9, 2), "S01", random.Random(i).choice(["天猫", "门店"])]
        for i, r in enumerate(frame.itertuples())
    ]  # fmt: skip
    write(tmp_path / "销售.csv", header, rows, encoding="gb18030", separator=",")
    guess = new_holder_file(str(tmp_path / "销售.csv"), output=tmp_path / "holder.toml", ask=never)
    assert columns(guess) == {
        "customer": "会员卡号", "order": "订单编号", "time": "下单时间", "amount": "实付金额", "product": "商品编码",
        "channel": "销售渠道", "store": "门店编号",
    }  # fmt: skip
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    assert config.source.currency_code == "CNY"
    assert (config.source.csv.encoding, config.source.read["time"].formats) == ("gb18030", ("%Y/%m/%d %H:%M:%S",))
    report = preflight(config, None, base=tmp_path)
    assert report.problems == ()
    assert report.cleaning is not None
    assert report.cleaning.customers == frame["customer"].nunique()
    assert "张伟" not in (tmp_path / "holder.toml").read_text(encoding="utf-8")


def test_columns_without_telling_names_are_known_by_what_they_hold(tmp_path):
    frame = sales(3000)
    frame = frame.rename(columns=dict(zip(frame.columns, ["f1", "f2", "f3", "f4", "f5", "f6", "f7"], strict=True)))
    frame.drop(columns=["f6"]).to_parquet(tmp_path / "x.parquet")
    guess = guess_holder("x.parquet", base=tmp_path, holder="x")
    assert columns(guess) | {} == {"customer": "f2", "order": "f1", "time": "f3", "amount": "f7"}
    asked = {question.key: question.default for question in open_questions(guess)}
    assert asked["amount"] == "f7"
    assert asked["currency"] is None


def test_an_order_total_is_not_taken_for_a_line_amount(tmp_path):
    frame = sales()
    frame["order_total"] = frame.groupby("order")["amount"].transform("sum")
    frame.drop(columns=["amount"]).to_parquet(tmp_path / "x.parquet")
    guess = guess_holder("x.parquet", base=tmp_path, holder="x")
    assert (columns(guess)["quantity"], columns(guess)["price"]) == ("quantity", "price")
    assert "repeats on every line" in guess.notes[0]


def test_a_date_that_reads_both_ways_is_asked_for(tmp_path):
    frame = sales(300)
    frame["time"] = [f"{1 + i % 12:02d}/{1 + i % 11:02d}/2024" for i in frame["order"]]
    frame.to_csv(tmp_path / "x.csv", index=False)
    guess = guess_holder("x.csv", base=tmp_path, holder="x")
    [question] = [item for item in open_questions(guess) if item.key == "read.time.formats"]
    assert (question.choices, question.default) == (("%d/%m/%Y", "%m/%d/%Y"), None)
    assert answered(guess, question, "%m/%d/%Y").spelled()[0]["time"].read.formats == ("%m/%d/%Y",)
    with pytest.raises(ConfigError, match="names no whole day"):
        answered(guess, question, "%Y")


# --- the file and the questions -------------------------------------------------------------------------------


def test_only_what_cannot_be_guessed_is_asked(tmp_path, data_folder):
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return "usd"

    source = data_folder / "complete_journey" / "transactions_sample.parquet"
    new_holder_file(str(source), output=tmp_path / "holder.toml", ask=ask)
    assert [question.key for question in asked] == ["currency"]
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    assert (config.holder, config.source.currency_code) == ("transactions-sample", "USD")
    text = (tmp_path / "holder.toml").read_text(encoding="utf-8")
    assert "# sure: " in text
    assert "# PLEASE CHECK: what times without a zone mean: " in text
    assert '# Not used: "quantity", "coupon_disc"' in text


def test_without_asking_the_best_guess_is_taken_or_it_fails_readably(tmp_path, data_folder):
    source = data_folder / "complete_journey" / "transactions_sample.parquet"
    with pytest.raises(DataError, match="In which currency") as caught:
        new_holder_file(str(source), output=tmp_path / "holder.toml")
    assert "--currency" in caught.value.hint
    assert "without --yes" in caught.value.hint
    assert not (tmp_path / "holder.toml").exists()
    new_holder_file(str(source), output=tmp_path / "holder.toml", answers={"currency": "USD"})
    with pytest.raises(ConfigError, match="exists"):
        new_holder_file(str(source), output=tmp_path / "holder.toml", answers={"currency": "USD"})


@pytest.mark.parametrize(
    ("file", "customers", "orders"),
    [("cdnow_sample/cdnow_sample", 2357, 6696), ("rfm_r_package/rfm_data_orders", 995, 4895)],
)
def test_real_files_without_order_ids_need_no_question(tmp_path, data_folder, file, customers, orders):
    """As with ``--yes --currency USD``. Customers and their days are counted apart, by pandas."""
    source = data_folder / f"{file}.parquet"
    guess = new_holder_file(str(source), output=tmp_path / "holder.toml", answers={"currency": "USD"})
    assert "order" not in guess.columns
    text = (tmp_path / "holder.toml").read_text(encoding="utf-8")
    assert "an order is all that a customer\n# buys on one day" in text
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    report = preflight(config, None, base=tmp_path)
    assert report.problems == ()
    frame = pd.read_parquet(source)
    columns = config.columns
    days = frame.assign(day=pd.to_datetime(frame[columns.time]).dt.date)
    counted = (frame[columns.customer].nunique(), len(days[[columns.customer, "day"]].drop_duplicates()))
    assert (report.cleaning.customers, report.cleaning.orders) == counted == (customers, orders)


def test_the_question_for_order_ids_can_be_answered_with_none(tmp_path):
    frame = sales().drop(columns=["order"])
    frame["remark"] = "-"
    frame.to_parquet(tmp_path / "x.parquet")
    asked: list[Question] = []

    def ask(question: Question) -> str:
        asked.append(question)
        return "EUR" if question.key == "currency" else question.default

    guess = new_holder_file(str(tmp_path / "x.parquet"), output=tmp_path / "holder.toml", ask=ask)
    (question,) = [item for item in asked if item.key == "order"]
    assert (question.default, question.choices[0]) == (NO_ORDER_IDS, NO_ORDER_IDS)
    assert "order" not in guess.columns
    assert read_toml(tmp_path / "holder.toml", HolderConfig).columns.order is None
    answers = {"order": "remark", "currency": "EUR"}
    guess = new_holder_file(
        str(tmp_path / "x.parquet"), output=tmp_path / "other.toml", ask=lambda question: answers[question.key]
    )
    assert columns(guess)["order"] == "remark"


def test_a_wrong_answer_is_asked_again_and_right_ones_are_not_lost(tmp_path):
    frame = sales().rename(columns={"time": "t1", "order": "o1", "amount": "a1"}).drop(columns=["quantity", "price"])
    frame.to_parquet(tmp_path / "x.parquet")
    heard: list[str] = []
    tries = iter(["nonsense", "EUR!", "eur"])

    def ask(question: Question) -> str:
        heard.append(question.text)
        return next(tries) if question.key == "currency" else question.default

    new_holder_file(str(tmp_path / "x.parquet"), output=tmp_path / "holder.toml", ask=ask)
    assert read_toml(tmp_path / "holder.toml", HolderConfig).source.currency_code == "EUR"
    assert sum(text.startswith("a currency has three letters. In which") for text in heard) == 2

    def stubborn(question: Question) -> str:
        return "x" if question.key == "currency" else question.default

    with pytest.raises(ConfigError, match="three letters") as caught:
        new_holder_file(str(tmp_path / "x.parquet"), output=tmp_path / "other.toml", ask=stubborn)
    assert '--set columns.amount="a1"' in caught.value.hint


def test_answers_beforehand_win_over_guesses(tmp_path):
    sales().rename(columns={"time": "order date"}).assign(paid=1.5, booked="2024-01-01").to_parquet(
        tmp_path / "x.parquet"
    )
    answers = {"currency": "USD", "columns.time": "booked", "columns.amount": "paid"}
    guess = new_holder_file(str(tmp_path / "x.parquet"), output=tmp_path / "holder.toml", answers=answers)
    assert (columns(guess)["time"], columns(guess)["amount"]) == ("booked", "paid")
    assert not {"quantity", "price"} & set(columns(guess))
    for wrong, says in (
        ({"columns.time": "bookd"}, "no column 'bookd'"),
        ({"colour": "red"}, "nothing called 'colour'"),
    ):
        with pytest.raises(ConfigError, match=says):
            new_holder_file(
                str(tmp_path / "x.parquet"), output=tmp_path / "y.toml", answers={"currency": "USD", **wrong}
            )


def test_paths_are_written_as_seen_from_the_file(tmp_path, monkeypatch, world):
    monkeypatch.chdir(world)
    output = tmp_path / "new" / "holder.toml"
    new_holder_file("store-1/receipts.csv", output=output, answers={"currency": "EUR"})
    config = read_toml(output, HolderConfig)
    assert not config.source.url.startswith("/")
    assert preflight(config, None, base=output.parent).problems == ()


def test_the_table_of_a_database_is_found_or_asked_for(tmp_path):
    frame = sales()  # noqa: F841  # read by DuckDB
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute("CREATE TABLE a AS FROM frame; CREATE TABLE b AS FROM frame")
    with pytest.raises(DataError, match="several tables: a, b"):
        guess_holder("shop.duckdb", base=tmp_path, holder="x")
    answers = {"table": "b", "currency": "EUR"}
    guess = new_holder_file(
        str(tmp_path / "shop.duckdb"), output=tmp_path / "h.toml", ask=lambda question: answers[question.key]
    )
    assert guess.table == "b"
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as database:
        database.execute("CREATE SCHEMA till; CREATE TABLE till.sales_2024 AS FROM frame")
    assert guess_holder("shop.duckdb", base=tmp_path, holder="x").table == "till.sales_2024"


def test_odd_names_survive_the_file(tmp_path):
    frame = sales(300)
    odd = {"customer": 'kunden "nr"\\', "order": "order\tid", "time": "order date\n#2", "amount": "amount 'eur' \x7f"}
    frame.rename(columns=odd).drop(columns=["quantity", "price"]).to_parquet(tmp_path / "x.parquet")
    guess = guess_holder("x.parquet", base=tmp_path, holder="x")
    text = holder_toml(guess)
    assert HolderConfig.model_validate(tomllib.loads(text)) == guess.config()
    assert {columns(guess)[role] for role in odd} == set(odd.values())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"total\n5\n7\n", "does not name the columns"),
        (b"a;b\n", "no rows"),
    ],
)
def test_files_that_cannot_be_guessed_from_are_explained(tmp_path, content, says):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=says):
        guess_holder("x.csv", base=tmp_path, holder="x")


def test_a_password_in_the_url_is_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(ConfigError, match="does not belong") as caught:
        guess_holder("postgresql://me:Geheim@host/db", base=tmp_path, holder="x")
    assert "Geheim" not in caught.value.message


# --- the parts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "gb18030"])
def test_encodings(encoding):
    if encoding == "gb18030":
        text = "订单号,客户,金额\n" + "1,张伟,12\n2,王芳,13\n" * 20
    elif encoding == "cp1252":
        text = "Nr;Käufer;Preis €\n" + "1;Müller;12\n2;Größe;13\n" * 20
    else:
        text = "Nr;Käufer;Straße\n" + "1;Müller;12\n2;Größe;13\n" * 20
    found, _ = guess_encoding(text.encode(encoding))
    assert codecs.lookup(found) == codecs.lookup("utf-8" if encoding == "utf-8-sig" else encoding)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, "customer") for name in ("CustomerKey", "cust_no", "Kundennr.", "KUNNR", "会员ID")),
        *((name, "order") for name in ("Order Number", "InvoiceNo", "Belegnummer", "VBELN", "订单号")),
        *((name, "time") for name in ("InvoiceDate", "created_at", "Datum", "下单时间")),
        *((name, "amount") for name in ("Line Total", "Umsatz", "NETWR", "实付金额")),
        *((name, "quantity") for name in ("Qty", "Stückzahl", "数量")),
        *((name, "price") for name in ("UnitPrice", "Einzelpreis", "单价")),
        *((name, "currency") for name in ("Währung", "币种")),
        *((name, "product") for name in ("StockCode", "MATNR", "Artikelnr.")),
        *((name, "store") for name in ("Filiale", "门店")),
        *((name, "channel") for name in ("Vertriebskanal", "渠道")),
    ],
)
def test_names_are_known(name, role):
    assert score(role, name) > 0.6
    others = {
        other: score(other, name) for other in ("customer", "order", "time", "amount", "quantity", "price", "store")
    }
    assert max(others.values()) <= score(role, name)


def test_the_machines_zone_and_a_holders_name(tmp_path):
    for target, zone in (("Europe/Berlin", "Europe/Berlin"), ("Etc/UTC", "UTC"), ("Not/AZone", None)):
        link = tmp_path / target.replace("/", "-")
        link.symlink_to(f"/usr/share/zoneinfo/{target}")
        assert machine_zone(link) == zone
    assert machine_zone(tmp_path / "absent") is None
    assert holder_name("data/Sales 2024/*.parquet") == "sales-2024"
    assert holder_name("postgresql://me@host:5432/shop_a") == "shop-a"
    assert holder_name("销售.csv") == "holder"


@pytest.mark.parametrize("holder", ["store-1", "store-2", "online"])
def test_feeds_beside_the_purchases_are_found(tmp_path: Path, holder: str) -> None:
    """Tables of the same database, files of the same folder; what is sure is written, what is not is a comment."""
    world = generate(tmp_path, customers=300, stores=2, feeds=True)
    home = world.folder / holder
    stated = read_toml(home / "holder.toml", HolderConfig)
    url = {"store-1": "receipts.csv", "store-2": "sales.duckdb", "online": "sales/*.parquet"}[holder]
    if holder == "online":
        for path in (home / "feeds").iterdir():
            path.rename(home / path.name)
    if holder == "store-2":
        with duckdb.connect(str(home / "sales.duckdb")) as database:
            database.execute(
                "CREATE TABLE ticket_log AS SELECT 'nobody' AS member_id, now() AS opened_at, 'x' AS topic"
            )
            database.execute("DROP TABLE contact_rows")
    output = home / "guessed.toml"
    answers = {"currency": "GBP" if holder == "store-2" else "EUR"}
    table = "sales" if holder == "store-2" else None
    new_holder_file(str(home / url), output=output, table=table, answers=answers)
    found = read_toml(output, HolderConfig)
    assert set(found.feeds) == set(stated.feeds) - ({"contact"} if holder == "store-2" else set())
    for name in found.feeds:
        mine, theirs = dict(found.feeds[name].columns.roles), dict(stated.feeds[name].columns.roles)
        assert mine == {role: column for role, column in theirs.items() if role in mine}, name
        assert len(mine) >= len(theirs) - 1
    text = output.read_text(encoding="utf-8")
    if holder == "store-2":
        assert "# PLEASE CHECK, and take the signs away: only 0% of its ids bought something" in text
        assert '# table = "ticket_log"' in text
    study = Study.model_validate({"name": "s", "as_of": world.as_of, "budget": {"epsilon": "1"}})
    with open_feed(Origin(found, study, home), "session") as feed:
        assert feed.tally()[""] > 100
