"""Several sources of one holder: one customer table over all of them, person by person.

Asserted: rows split among sources of several kinds give the table of one source, digit for digit; a key to persons puts
their ids together and nobody else's; what one person's lines and ids say, in whichever file, moves nobody else's
integers; an id of several persons is left out and told; exclusion holds for persons; `holder check` counts it all.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from feature_checks import REQUEST, lines_of, same
from feature_checks import make_study as feature_study
from feature_checks import write as write_lines
from holder_kit import holder_report, write_labels
from holder_pages import own_rows, result_of, table_of
from hypothesis import given, settings
from hypothesis import strategies as st
from label_kit import make_rules
from postgres_server import PASSWORD
from pydantic import ValidationError
from rich.console import Console
from several_kit import ONLINE, PERSON, TILLS, integers, of, omni, several, written
from source_kit import COLUMNS, as_rows, load, make_config, make_study, messy_rows
from sources import ROOT

from clients.analysis.actions import Actions
from clients.answering.folder import HolderFolder
from clients.data.check import preflight
from clients.data.check_page import render_check
from clients.data.config import HolderConfig
from clients.data.exclusion import exclude
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table, table_key
from clients.data.rows.features import build_features
from clients.data.several.keys import normal_key
from clients.data.several.rows import open_lines
from clients.data.source_shares import source_figures
from clients.data.sources import fetch
from clients.forget import forget
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.feature_request import FeatureRequest

STUDY = make_study(as_of=dt.date(2025, 1, 1))


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    put(
        tmp_path,
        online="user,no,at,paid\nu1,1,2024-03-01,10\nu2,2,2024-04-01,20\nu3,3,2024-05-01,5\n u1 ,4,2024-12-31,1\n",
        tills="card,receipt,sold,pieces,price\nk1,1,2024-06-01,2,5\nk9,2,2024-07-01,1,7\nk1,1,2024-06-01,2,5\n",
        links="member,user,card\nM1,u1,k1\nM2,u2,\n,u3,\nM4,,k404\n",
    )
    return tmp_path


def built(folder: Path, config: HolderConfig) -> dict[str, tuple[int, ...]]:
    return integers(build_customer_table(Origin(config, STUDY, folder)))


# --- one table of all sources ------------------------------------------------------------------------------------


def parts(rows: pa.Table, count: int) -> list[pa.Table]:
    """Rows of one order stay together, and so do equal ones."""
    place = np.array([sum(map(ord, str(order))) % count for order in rows["order"].to_pylist()])
    return [rows.filter(pa.array(place == i)) for i in range(count)]


@pytest.mark.parametrize("returns", ["drop", "net"])
def test_split_among_kinds_of_sources_it_is_the_same_table(tmp_path: Path, returns: str) -> None:
    rows = messy_rows(1500)
    study = make_study(
        cleaning={"returns": returns, "cancellation_prefix": "C", "non_goods": ["post"]},
        rates={"GBP": {"2024-01-01": "1.15", "2024-03-01": "1.1725"}, "USD": "0.93"},
        time_zone="Asia/Shanghai",
    )
    columns = COLUMNS | {"product": "product", "currency": "currency"}
    whole = make_config(written(rows, tmp_path / "all.parquet"), columns=columns, exclude="out.csv")
    (tmp_path / "out.csv").write_text('id\n17\n"o""x"\n', encoding="utf-8")
    split = several(
        *(
            {"name": f"s{i}", "url": written(part, tmp_path / f"s{i}{kind}").name, "columns": columns,
             "exclude": "out.csv"} | ({"table": "sales"} if kind == ".sqlite" else {})
            for i, (part, kind) in enumerate(zip(parts(rows, 3), (".parquet", ".csv", ".sqlite"), strict=True))
        )
    )  # fmt: skip
    for request in (CustomerRequest(), CustomerRequest(window_days=60)):
        one, other = (build_customer_table(Origin(config, study, tmp_path), request) for config in (whole, split))
        assert len(one) > 100
        assert as_rows(other) == as_rows(one)
        assert other.report.model_dump(exclude={"left_out"}) == one.report.model_dump(exclude={"left_out"})
    assert list((tmp_path / "state").rglob("*.parquet")) == [], "copies are gone"


def test_with_one_source_in_postgresql(tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    monkeypatch.setattr("clients.data.sources.postgres._BLOCK", 4096)  # the server's lines come in many blocks
    rows = messy_rows(800)
    first, second = parts(rows, 2)
    kinds = {"customer": "text", '"order"': "text", "time": "timestamp", "quantity": "bigint"}
    kinds |= {"price": "double precision", "product": "text", "currency": "text"}
    definition = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    select = ", ".join(kinds)
    load(server, "sales", definition, select, written(first, tmp_path / "first.parquet"))
    far = {"url": server.url, "table": "sales", "password_env": "SHOP_PASSWORD"}
    near = {"url": written(second, tmp_path / "second.parquet").name}
    place = {"columns": COLUMNS, "currency_code": "EUR"}
    split = several({"name": "far", **far, **place}, {"name": "near", **near, **place})
    whole = make_config(written(rows, tmp_path / "all.parquet"))
    one, other = (build_customer_table(Origin(config, make_study(), tmp_path)) for config in (whole, split))
    assert len(one) > 100
    assert as_rows(other) == as_rows(one)


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_features_of_split_rows_are_the_same(tmp_path: Path, zone: str | None) -> None:
    lines = lines_of(5, customers=40, zone=zone)
    place = {"time_zone": zone or "UTC"}
    halves = [[line for line in lines if sum(map(ord, line["order"])) % 2 == i] for i in (0, 1)]
    urls = [write_lines(tmp_path / f"{i}.parquet", half).name for i, half in enumerate(halves)]
    split = several(*(of(f"s{i}", url, COLUMNS, **place) for i, url in enumerate(urls)))
    whole = make_config(write_lines(tmp_path / "all.parquet", lines), **place)
    study = feature_study(**place)
    one, other = (build_features(Origin(config, study, tmp_path), REQUEST) for config in (whole, split))
    assert len(one.ids) > 30
    assert same(one, other)


def test_times_without_a_zone_mean_their_own_sources_zone(tmp_path: Path) -> None:
    put(
        tmp_path,
        online="user,no,at,paid\na,1,2024-12-31T23:30:00,10\na,2,2024-12-30T12:00:00,10\n",
        tills="card,receipt,sold,pieces,price\na,1,2024-12-31T23:30:00,2,5\n",
    )
    config = several(
        of("online", "online.csv", ONLINE, time_zone="UTC"), of("tills", "tills.csv", TILLS, time_zone="Asia/Shanghai")
    )
    # The study's day begins at 16:00 UTC of the day before: the web shop's last order is after it, the till's is not.
    study = make_study(as_of=dt.date(2025, 1, 1), time_zone="Asia/Shanghai")
    assert integers(build_customer_table(Origin(config, study, tmp_path))) == {"a": (0, 2, 2000, 1)}


def test_orders_without_ids_are_days_of_each_source(tmp_path: Path) -> None:
    put(tmp_path, a="c,t,v\nx,2024-05-01 01:00,1\nx,2024-05-01 20:00,2\n", b="c,t,v\nx,2024-05-01 03:00,4\n")
    columns = {"customer": "c", "time": "t", "amount": "v"}
    assert built(tmp_path, several(of("a", "a.csv", columns), of("b", "b.csv", columns)))["x"][1:3] == (2, 700)


def test_several_currencies_are_converted_by_source(tmp_path: Path) -> None:
    put(tmp_path, online="user,no,at,paid\na,1,2024-05-01,10\n", tills="card,receipt,sold,v\na,1,2024-05-01,10\n")
    tills = {"customer": "card", "order": "receipt", "time": "sold", "amount": "v"}
    config = several(of("online", "online.csv", ONLINE), of("tills", "tills.csv", tills, currency_code="GBP"))
    study = make_study(as_of=dt.date(2025, 1, 1), rates={"GBP": "1.2"})
    config.check_currencies(study)
    assert integers(build_customer_table(Origin(config, study, tmp_path)))["a"][2] == 2200
    with pytest.raises(ConfigError, match="no rate for GBP"):
        config.check_currencies(STUDY)


# --- who is who --------------------------------------------------------------------------------------------------


def test_ids_of_one_person_are_one_customer(shop: Path) -> None:
    table = build_customer_table(Origin(omni(), STUDY, shop))
    assert integers(table) == {
        "online:u3": (245, 1, 500, 245),
        "person:M1": (1, 3, 2100, 306),
        "person:M2": (275, 1, 2000, 275),
        "tills:k9": (184, 1, 700, 184),
    }
    spelled = dict(zip(table.ids, table.source_ids, strict=True))
    assert spelled == {"online:u3": "online:u3", "person:M1": "online: u1 ", "person:M2": "online:u2",
                       "tills:k9": "tills:k9"}  # fmt: skip
    others = table.also_spelled.as_lists(len(table)).to_pylist()[1]
    assert others == ["online:u1", "tills:k1"]


def test_lines_may_say_the_person_themselves(shop: Path) -> None:
    put(
        shop,
        online="user,no,at,paid,member\nu1,1,2024-03-01,10,\nu1,2,2024-03-02,10,m-1\nu2,3,2024-03-02,10,\n",
        app="member,no,at,paid\nM-1,1,2024-06-01,5\nM-2,2,2024-06-01,6\n",
    )
    read = {"customer": {"form": ["case"]}}
    app = {"customer": "member", "person": "member", "order": "no", "time": "at", "amount": "paid"}
    person = {"url": "links.csv", "columns": {"person": "member", "online": "user"},
              "read": {"person": {"form": ["case"]}}}  # fmt: skip
    config = several(
        of("online", "online.csv", ONLINE | {"person": "member"}), of("app", "app.csv", app, read=read), person=person
    )
    put(shop, links="member,user\nM-2,u2\n")
    assert {name: row[1:3] for name, row in built(shop, config).items()} == {
        "person:m-1": (3, 2500),
        "person:m-2": (2, 1600),
    }


def test_an_id_of_two_persons_is_left_out_and_told(shop: Path) -> None:
    put(shop, links="member,user,card\nM1,u1,k1\nM2,u2,k1\n")
    table = build_customer_table(Origin(omni(), STUDY, shop))
    assert table.report.dropped == {"several_persons": 2}
    assert integers(table)["person:M1"][1:3] == (2, 1100)
    report = preflight(omni(), STUDY, base=shop)
    assert [item.code for item in report.problems] == ["several_persons"]
    assert "1 ids belong to several persons; their 2 lines" in report.problems[0].text
    assert report.persons is not None
    assert (report.persons.several_ids, report.persons.several_lines) == (1, 2)


def test_a_person_of_very_many_ids_is_told(shop: Path) -> None:
    ids = [f"k{i}" for i in range(30)]
    put(
        shop,
        tills="card,receipt,sold,pieces,price\n" + "".join(f"{one},{one},2024-06-01,1,1\n" for one in ids),
        links="member,user,card\n" + "".join(f"0815,,{one}\n" for one in ids),
    )
    report = preflight(omni(), STUDY, base=shop)
    assert [item.code for item in report.warnings if item.code == "person_hub"] == ["person_hub"]
    assert "one of them 30" in next(item.text for item in report.warnings if item.code == "person_hub")
    nobody = PERSON | {"read": {"person": {"null": ["0815"]}}}
    config = several(of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS), person=nobody)
    assert len(built(shop, config)) == 33


def test_a_condition_on_the_table_of_persons(shop: Path) -> None:
    person = PERSON | {"where": "member <> 'M1'"}
    config = several(of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS), person=person)
    assert "person:M1" not in built(shop, config)


# --- nobody else's integers --------------------------------------------------------------------------------------

IDS = ("u1", "u2", "u3")
CARDS = ("k1", "k2", "k3")
_links = st.lists(
    st.tuples(st.sampled_from(["P", "Q", "R", ""]), st.sampled_from([*IDS, ""]), st.sampled_from([*CARDS, "", " k1 "])),
    max_size=6,
)


def as_files(
    folder: Path, online: Sequence[tuple[str, int, int]], tills: Sequence[tuple[str, int, int]], links: Any
) -> None:
    put(
        folder,
        online="user,no,at,paid\n" + "".join(f"{who},{no},2024-05-{day:02d},3\n" for who, no, day in online),
        tills="card,receipt,sold,pieces,price\n"
        + "".join(f"{who},{no},2024-06-{day:02d},1,2\n" for who, no, day in tills),
        links="member,user,card\n" + "".join(",".join(row) + "\n" for row in links),
    )


def _sales(ids: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """Whose, which order, on which day."""
    return st.lists(st.tuples(st.sampled_from(ids), st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=6)


#: A federation's worth of people; ``gone``: who is taken out, ``listed``: an id on both exclusion lists.
_world = st.fixed_dictionaries(
    {
        "online": _sales(IDS),
        "tills": _sales(CARDS),
        "links": _links,
        "gone": st.sampled_from(["P", "Q", "R"]),
        "listed": st.sampled_from(["", "u1", "k2"]),
    }
)


def own(number: int, name: str) -> str:
    """An id or a person of one of several worlds in the same files; what is nobody's stays so."""
    return re.sub(r"[ukPQR]", rf"\g<0>{number}-", name)


@given(worlds=st.lists(_world, min_size=1, max_size=7))
@settings(max_examples=6, deadline=None)
def test_a_person_taken_out_changes_one_row(tmp_path_factory: pytest.TempPathFactory, worlds: list[Any]) -> None:
    """From the bytes of three files to the integers: all rows of one person's ids, and of the person, are one row.

    Several worlds of people of their own are in the same files: what takes time is that queries are written.
    """
    folder = tmp_path_factory.mktemp("person")
    config = several(
        of("online", "online.csv", ONLINE, exclude="out.csv"), of("tills", "tills.csv", TILLS, exclude="out.csv"),
        person=PERSON,
    )  # fmt: skip
    everything: tuple[list[Any], ...] = ([], [], [])
    rest: tuple[list[Any], ...] = ([], [], [])
    gone, listed = set(), []
    for number, world in enumerate(worlds):
        online, tills = ([(own(number, who), *line) for who, *line in world[at]] for at in ("online", "tills"))
        links = [tuple(own(number, name) for name in row) for row in world["links"]]
        person = own(number, world["gone"])
        users = {user for member, user, _ in links if member == person}
        cards = {card.strip() for member, _, card in links if member == person}
        kept = (
            [line for line in online if line[0] not in users],
            [line for line in tills if line[0] not in cards],
            [row for row in links if row[0] != person],
        )
        for whole, some, all_rows, kept_rows in zip(everything, rest, (online, tills, links), kept, strict=True):
            whole += all_rows
            some += kept_rows
        gone.add(f"person:{person}")
        listed.append(own(number, world["listed"]))
    (folder / "out.csv").write_text("\n".join(["id", *listed, ""]), encoding="utf-8")
    as_files(folder, *everything)
    before = built(folder, config)
    as_files(folder, *rest)
    after = built(folder, config)
    assert {name: row for name, row in before.items() if name not in gone} == after


@given(lines=_sales(IDS), others=_sales(IDS))
@settings(max_examples=6, deadline=None)
def test_without_a_key_an_id_taken_out_of_all_sources_changes_one_row(
    tmp_path_factory: pytest.TempPathFactory, lines: Any, others: Any
) -> None:
    folder = tmp_path_factory.mktemp("ids")
    config = several(of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS))
    as_files(folder, lines, others, [])
    before = built(folder, config)
    as_files(folder, [line for line in lines if line[0] != "u1"], [line for line in others if line[0] != "u1"], [])
    assert built(folder, config) == {name: row for name, row in before.items() if name != "u1"}


# --- exclusion ---------------------------------------------------------------------------------------------------


def with_lists(**more: Any) -> HolderConfig:
    return several(
        of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS, exclude="out.csv"), **more
    )  # fmt: skip


def test_an_id_on_one_sources_list_takes_its_person_out_of_all(shop: Path) -> None:
    (shop / "out.csv").write_text("id\nk1\n", encoding="utf-8")
    table = build_customer_table(Origin(with_lists(person=PERSON), STUDY, shop))
    assert table.ids.tolist() == ["online:u3", "person:M2", "tills:k9"]
    assert table.report.dropped == {"excluded": 4}
    before = table_key(Origin(with_lists(person=PERSON), STUDY, shop))
    (shop / "out.csv").write_text("id\nk404\nu1\n", encoding="utf-8")
    assert "person:M1" in built(shop, with_lists(person=PERSON)), "the list is of tills' ids"
    assert table_key(Origin(with_lists(person=PERSON), STUDY, shop)) != before
    # Without a key an id is the same customer everywhere.
    assert "u1" not in built(shop, with_lists())


def test_exclude_writes_to_the_list_of_the_ids_source(shop: Path) -> None:
    config = with_lists(person=PERSON)
    done = exclude(shop / "holder.toml", config, ["tills: k1", "tills:k9"])
    assert (done.path.name, done.added, done.named) == ("out.csv", ("k1", "k9"), False)
    assert (shop / "out.csv").read_text() == "k1\nk9\n"
    with pytest.raises(ConfigError, match="online names no list") as caught:
        exclude(shop / "holder.toml", config, ["online:u1"])
    assert "exclude = " in caught.value.hint
    with pytest.raises(ConfigError, match="which source"):
        exclude(shop / "holder.toml", config, ["k1"])
    assert exclude(shop / "holder.toml", with_lists(), ["u1"]).added == ("u1",)
    assert normal_key(" tills:17.0", config) == "tills:17"
    assert normal_key("person:M1", config) == "person:M1"
    assert normal_key(" 17.0 ", with_lists()) == "17"


def test_a_person_is_forgotten_by_any_id_in_any_source(shop: Path) -> None:
    (shop / "holder.toml").write_text(
        """
holder = "shop"
[[sources]]
name = "online"
url = "online.csv"
currency_code = "EUR"
columns = {customer = "user", order = "no", time = "at", amount = "paid"}
[[sources]]
name = "tills"
url = "tills.csv"
currency_code = "EUR"
exclude = "out.csv"
columns = {customer = "card", order = "receipt", time = "sold", quantity = "pieces", price = "price"}
[person]
url = "links.csv"
columns = {person = "member", online = "user", tills = "card"}
""",
        encoding="utf-8",
    )
    (shop / "out.csv").write_text("", encoding="utf-8")
    folder = HolderFolder(shop)
    assert folder.config().person == omni().person
    table = build_customer_table(Origin(folder.config(), STUDY, shop))
    write_labels(table, make_rules(), STUDY, folder=shop / "labels")
    done = forget(folder, "tills: k1")
    assert done.ids == ("online: u1 ", "online:u1", "person:M1", "tills: k1", "tills:k1")
    assert (shop / "out.csv").read_text(encoding="utf-8") == "k1\n"
    [kept] = (shop / "state" / "labels").rglob("*.parquet")
    assert pq.read_table(kept)["customer_id"].to_pylist() == ["online:u3", "person:M2", "tills:k9"]
    assert "person:M1" not in built(shop, folder.config())


# --- roles, and what cannot be -----------------------------------------------------------------------------------


def test_the_channel_is_the_sources_name_where_nothing_says_it(shop: Path) -> None:
    config = several(of("online", "online.csv", ONLINE, channel="web"), of("tills", "tills.csv", TILLS), person=PERSON)
    assert config.columns.mapped() == {
        "customer": "customer", "order": "order", "time": "time", "amount": "amount", "channel": "channel",
    }  # fmt: skip
    assert "channel" in config.declared_feeds["order"]
    with open_lines(Origin(config, STUDY, shop)) as opened:
        found = fetch(opened.table.select("raw_channel", "raw_source").distinct(), what="looking").to_pylist()
    assert {(row["raw_channel"], row["raw_source"]) for row in found} == {("web", "online"), ("tills", "tills")}


def test_a_share_of_a_channel_over_all_sources(shop: Path) -> None:
    lists = {"channels": ["online", "tills"]}
    request = FeatureRequest.model_validate(
        {"names": ["channel_share_1", "channel_share_2"], "days": ["2025-01-01"], "lists": lists}
    )
    found = build_features(Origin(omni(), STUDY, shop), request)
    shares = dict(zip(found.ids.tolist(), found.table.values[:, 0, :].tolist(), strict=True))
    assert shares["person:M1"] == [666, 333]
    assert shares["tills:k9"] == [0, 1000]


def test_a_role_that_one_source_lacks_is_refused_by_name(shop: Path) -> None:
    config = several(of("online", "online.csv", ONLINE | {"store": "no2"}), of("tills", "tills.csv", TILLS))
    assert "store" not in config.columns.mapped()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sources": []}, "source"),
        ({"source": {"url": "x.csv", "currency_code": "EUR"}}, "both given"),
        ({"person": PERSON | {"columns": {"person": "m", "web": "u"}}}, "no source of this name"),
        ({"person": PERSON | {"columns": {"online": "u", "tills": "c"}}}, "has no person"),
        ({"person": PERSON | {"read": {"online": {"form": ["case"]}}}}, "only person is said here"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    given = omni().model_dump(mode="json", include={"holder", "sources", "person"}) | changes
    with pytest.raises(ValidationError, match=says):
        HolderConfig.model_validate(given)


def test_names_are_told_apart() -> None:
    for first, second, says in (("a", "a", "two sources are called"), ("a", "person", "cannot be called")):
        with pytest.raises(ValidationError, match=says):
            several(of(first, "a.csv", ONLINE), of(second, "b.csv", ONLINE))
    with pytest.raises(ValidationError, match="currency is missing"):
        several({"name": "a", "url": "a.csv", "columns": ONLINE})
    with pytest.raises(ValidationError, match=r"columns\.customer"):
        make_config("a.csv", columns=COLUMNS | {"person": "who"})


def test_it_is_read_back_as_it_was() -> None:
    config = omni()
    assert HolderConfig.parse(config.canonical()) == config
    one = make_config("a.csv")
    assert "sources" not in one.model_dump(mode="json"), "files of one source keep their digest"


def test_errors_name_the_source_and_quote_nothing(shop: Path) -> None:
    (shop / "tills.csv").write_text("card,receipt,sold,pieces\nSECRET,1,2024-01-01,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"tills: .*'price'") as caught:
        built(shop, omni())
    assert "SECRET" not in str(caught.value)
    put(shop, tills="card,receipt,sold,pieces,price\nk1,1,2024-06-01,2,5\n", links="member,users,card\nSECRET,u1,k1\n")
    with pytest.raises(DataError, match=r"\[person\].*user") as caught:
        built(shop, omni())
    assert "SECRET" not in str(caught.value)


# --- holder check ------------------------------------------------------------------------------------------------


def test_check_accounts_for_every_source_and_for_all(shop: Path) -> None:
    put(shop, online=(shop / "online.csv").read_text() + "u5,9,2024-05-05\n")
    report = preflight(omni(), STUDY, base=shop)
    assert report.problems == ()
    assert [source.holder for source in report.sources] == ["online", "tills"]
    assert [(source.rows, source.cleaning.lines) for source in report.sources if source.cleaning] == [(4, 4), (3, 2)]
    assert report.rows == 7
    assert report.cleaning is not None
    assert [item.lines for item in report.cleaning.left_out] == [1]
    assert sum(step.rows for step in report.steps if step.code != "returns") == 7
    persons = report.persons
    assert persons is not None
    assert (persons.ids, persons.customers, persons.at, persons.linked) == (5, 4, {1: 3, 2: 1}, 2)
    screen = Console(file=io.StringIO(), width=120)
    render_check(report, screen)
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    for said in ("online: 4 rows", "tills: 3 rows", "shop: 7 rows", "who bought at 2 sources", "ready"):
        assert said in text


def test_check_says_where_nothing_fits(shop: Path) -> None:
    put(shop, links="member,user,card\nM1,U1,K1\n")
    assert [item.code for item in preflight(omni(), STUDY, base=shop).problems] == ["nobody_linked"]
    config = several(of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS))
    assert "nobody_at_two_sources" in [item.code for item in preflight(config, None, base=shop).warnings]
    (shop / "tills.csv").unlink()
    problems = preflight(config, None, base=shop).problems
    assert [item.code for item in problems] == ["source"]
    assert problems[0].text.startswith("tills: ")


# --- the holder's own page ---------------------------------------------------------------------------------------


def test_shares_of_sources_are_exact(shop: Path) -> None:
    origin = Origin(omni(), STUDY, shop)
    found = source_figures(origin)
    assert [tuple(item.model_dump().values()) for item in found] == [
        ("online", 3, 2, 4, 360_000),
        ("tills", 2, 1, 2, 170_000),
        ("", 1, 0, 3, 210_000),
    ]
    table = build_customer_table(origin)
    assert sum(item.only_here for item in found) + found[-1].customers == len(table)
    assert sum(item.orders for item in found[:-1]) == table.columns.orders.sum()
    put(shop, online="user,no,at,paid\n")
    assert source_figures(origin) == found, "one study and day is answered from one table"
    assert source_figures(Origin(make_config("a.csv"), STUDY, shop)) == ()


def test_the_page_shows_them(shop: Path) -> None:
    found = source_figures(Origin(omni(), STUDY, shop))
    text = holder_report(
        holder="online", table=table_of(own_rows(50)), result=result_of(), actions=Actions({}), sources=found
    )
    assert "Your sources" in text
    assert "75.0%" in text, "three of four customers buy online"
    assert "67.9%" in text, "of the revenue"
    assert "在几个来源都买过的客户" in text


# --- real lines, and the example ---------------------------------------------------------------------------------


def test_global_electronics_online_and_in_stores(
    data_folder: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The web shop in PostgreSQL and the stores in a file, each with ids of its own, against all in one table."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    found = pq.read_table(data_folder / "global_electronics" / "sales.parquet")
    names = ["CustomerKey", "Order Number", "Order Date", "Quantity", "Unit Price USD"]
    rows = (
        found.select(names).rename_columns(list(COLUMNS)).set_column(0, "customer", found["CustomerKey"].cast("string"))
    )
    is_web = pc.equal(found["StoreKey"], 0)
    web, stores = rows.filter(is_web), rows.filter(pc.invert(is_web))
    ids = pc.unique(rows["customer"])
    links = pa.table({"member": ids, "w": pc.binary_join_element_wise("w", ids, ""), "s": ids})
    pq.write_table(links, tmp_path / "links.parquet")
    pq.write_table(rows, tmp_path / "all.parquet")
    pq.write_table(stores, tmp_path / "stores.parquet")
    text = pc.binary_join_element_wise("w", web["customer"], "")
    pq.write_table(web.set_column(0, "customer", text), tmp_path / "web.parquet")
    kinds = {"customer": "text", '"order"': "bigint", "time": "timestamp", "quantity": "bigint"}
    definition = ", ".join(f"{name} {kind}" for name, kind in (kinds | {"price": "double precision"}).items())
    load(server, "web", definition, ", ".join([*kinds, "price"]), tmp_path / "web.parquet")
    place = {"columns": COLUMNS, "currency_code": "USD"}
    far = {"url": server.url, "table": "web", "password_env": "SHOP_PASSWORD"}
    person = {"url": "links.parquet", "columns": {"person": "member", "web": "w", "stores": "s"}}
    config = several(
        {"name": "web", **far, **place}, {"name": "stores", "url": "stores.parquet", **place}, person=person
    )
    study = make_study(as_of=dt.date(2021, 2, 21), currency="USD", cleaning={"duplicates": "keep"})
    origin = Origin(config, study, tmp_path)
    whole = build_customer_table(Origin(make_config("all.parquet", currency_code="USD"), study, tmp_path))
    assert {name.removeprefix("person:"): row for name, row in integers(build_customer_table(origin)).items()} == (
        integers(whole)
    )
    assert len(whole) == 11_887
    assert 0.27 < source_figures(origin)[-1].customers / len(whole) < 0.29


def test_the_example_is_a_holder_file() -> None:
    config = read_toml(ROOT / "examples" / "two_channels.toml", HolderConfig)
    assert [source.name for source in config.sources] == ["online", "tills"]
    assert sorted(config.columns.mapped()) == ["amount", "channel", "customer", "order", "product", "time"]
