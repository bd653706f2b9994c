"""Feeds of a holder with several sources: whose ids they have is said, and their rows go to persons as purchases do.

Asserted: one holder's rows as one source, and split among sources with ids of their own and feeds that have the ids of
one of them or of persons, give the same customers, the same entries of every table and the same tags; what one
person's rows say in whichever file moves nobody else's; lists, forgetting and `holder check` reach feeds.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from cell_kit import REQUEST, TABLES, declared, entries_of
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres_server import PASSWORD, Server
from pydantic import ValidationError
from rich.console import Console
from several_kit import ONLINE, PERSON, TILLS, integers, of, omni, several
from source_kit import load, make_study
from tag_shop import PEOPLE, RULES, SALES, VISITS, shop
from tag_shop import of as who_has
from tag_world import STUDY

from clients.answering.folder import HolderFolder
from clients.data.campaigns import Campaign
from clients.data.check import preflight
from clients.data.check_page import render_check
from clients.data.config import HolderConfig
from clients.data.exclusion import exclude
from clients.data.feeds.lines import open_feed
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from clients.data.rows.entries.kind import build_cells
from clients.data.several.keys import normal_key
from clients.data.several.same_person import same_person
from clients.data.sources import fetch
from clients.forget import forget
from clients.tagging.erasure import kept_tags
from clients.tagging.running import run_tags
from clients.tagging.setting import TagSetting
from privacy.errors import ConfigError, DataError
from privacy.kernel.canonical import read_toml
from privacy.kernel.cells import CellRequest
from simulations.worlds.generator import generate

AS_OF = make_study(as_of=dt.date(2025, 1, 1))
VISIT = {"customer": "who", "time": "at", "source": "from", "seconds": "seconds"}
PEOPLE_COLUMNS = {"customer": "id", "region": "region"}

# --- the same rows, as one source and as several -----------------------------------------------------------------

#: By feed, whose ids it has in the holder with several sources.
_IDS_OF = {"customer": "person", "session": "web", "view": "web", "touch": "web", "cart": "web", "return": "tills",
           "rating": "tills", "contact": "person", "sent": "person"}  # fmt: skip
_SIGN = {"web": "w", "tills": "k", "person": "P"}


def _respelled(ids: pd.Series, sign: str) -> pd.Series:
    """Ids of a source's own, of customers who have one; what means nobody stays."""
    text = ids.astype("string").str.strip().str.replace(r"\.0$", "", regex=True)
    return ids.where(~text.str.fullmatch(r"[1-9]\d*").fillna(False), sign + text)


def split_world(home: Path, folder: Path) -> HolderConfig:
    """A generated holder's rows again: purchases as a web shop's and tills', feeds with ids of one of them."""
    whole = read_toml(home / "holder.toml", HolderConfig)
    sales = pd.concat(pd.read_parquet(path) for path in sorted((home / "sales").glob("*.parquet")))
    place = sales["order_id"].astype("string").str.removeprefix("C").map(lambda order: sum(map(ord, str(order))) % 2)
    people = {
        text for text in sales["customer_id"].dropna().astype(str).str.strip().str.replace(r"\.0$", "", regex=True)
    }
    for number, name in enumerate(("web", "tills")):
        rows = sales[place == number]
        own = rows.assign(customer_id=_respelled(rows["customer_id"], _SIGN[name]))
        own.to_parquet(folder / f"{name}.parquet", index=False)
    feeds: dict[str, dict[str, Any]] = {}
    for name, reading in whole.feeds.items():
        rows = pd.read_parquet(home / reading.source.url)
        column, owner = reading.columns.customer, _IDS_OF[name]
        people |= set(rows[column].dropna().astype(str).str.strip().str.replace(r"\.0$", "", regex=True))
        rows.assign(**{column: _respelled(rows[column], _SIGN[owner])}).to_parquet(folder / f"{name}.parquet")
        feeds[name] = {"url": f"{name}.parquet", "ids_of": owner, "columns": dict(reading.columns.roles)}
    numbers = sorted(one for one in people if re.fullmatch(r"[1-9]\d*", one))
    links = {"member": [f"P{one}" for one in numbers]} | {
        name: [f"{_SIGN[name]}{one}" for one in numbers] for name in ("web", "tills")
    }
    pd.DataFrame(links).to_parquet(folder / "links.parquet", index=False)
    roles = whole.columns.mapped()
    person = {"url": "links.parquet", "columns": {"person": "member", "web": "web", "tills": "tills"}}
    return several(
        *(of(name, f"{name}.parquet", roles) for name in ("web", "tills")),
        person=person, customers=feeds.pop("customer"), events=feeds,
    )  # fmt: skip


def test_entries_and_customers_are_those_of_one_source(tmp_path: Path) -> None:
    world = generate(tmp_path / "world", customers=200, feeds=True)
    home = world.folder / "online"
    config = split_world(home, tmp_path)
    whole, split = Origin(read_toml(home / "holder.toml", HolderConfig), STUDY, home), Origin(config, STUDY, tmp_path)
    one, other = (integers(build_customer_table(origin)) for origin in (whole, split))
    assert {name.removeprefix("person:P"): row for name, row in other.items()} == one
    assert len(one) > 60
    expected, found = (entries_of(build_cells(origin, REQUEST)) for origin in (whole, split))
    for table, theirs, mine in zip(TABLES, expected, found, strict=True):
        assert {name.removeprefix("person:P"): cells for name, cells in mine.items()} == theirs, table.name
        assert theirs, table.name


def _split_shop(folder: Path) -> Path:
    """The small shop of the tags' rules: sales of a web shop and of tills, ids of persons and of the web in feeds."""
    shop(folder)
    lines = SALES.splitlines()
    header = lines[0]
    web, tills = [header], [header]
    for line in lines[1:]:
        who, rest = line.split(",", 1)
        number = int(rest.split(",", 1)[0])
        (web if number % 2 else tills).append(f" {'w' if number % 2 else 'k'}-{who.strip().removesuffix('.0')},{rest}")
    (folder / "web.csv").write_text("\n".join(web) + "\n", encoding="utf-8")
    (folder / "tills.csv").write_text("\n".join(tills) + "\n", encoding="utf-8")
    people = ("ann", "bob", "17", "=cmd", "zoe", "visitor")
    links = "".join(f"M-{one},w-{one},k-{one}\n" for one in people)
    (folder / "links.csv").write_text("member,web,till\n" + links, encoding="utf-8")
    for name, text, sign in (("people", PEOPLE, "m-"), ("visits", VISITS, "w-")):
        first, *rest = text.splitlines()
        spelled = [first, *(sign + line for line in rest)]
        (folder / f"{name}.csv").write_text("\n".join(spelled) + "\n", encoding="utf-8")
    (folder / "opt-out.csv").write_text("k-zoe\n", encoding="utf-8")
    own = 'currency_code = "EUR"\ntime_zone = "Europe/Berlin"\n'
    columns = (
        'columns = {customer = "customer", order = "order", time = "time", amount = "amount", category = "category"}'
    )
    holder = f"""
holder = "shop"
[[sources]]
name = "web"
url = "web.csv"
{own}{columns}
[[sources]]
name = "tills"
url = "tills.csv"
exclude = "opt-out.csv"
{own}{columns}
[person]
url = "links.csv"
columns = {{person = "member", web = "web", tills = "till"}}
read = {{person = {{form = ["case"]}}}}
[customers]
url = "people.csv"
ids_of = "person"
columns = {{customer = "id", region = "region", born = "born", company = "company"}}
[values.customer.region]
Norden = "north"
N = "north"
Hamburg = "south"
[events.session]
url = "visits.csv"
ids_of = "web"
columns = {{customer = "who", time = "at", seconds = "seconds", page = "page"}}
"""
    (folder / "holder.toml").write_text(holder, encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["files", "postgresql"])
def test_rules_of_tags_are_true_for_the_same_people(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    folder = _split_shop(tmp_path)
    if kind == "postgresql":
        running: Server = request.getfixturevalue("server")
        monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
        with duckdb.connect() as database:
            for name in ("visits", "people"):
                database.execute(f"COPY (FROM read_csv('{folder / name}.csv')) TO '{folder / name}.parquet'")
        load(
            running,
            "split_visits",
            "who text, at timestamp, seconds numeric, page text",
            "*",
            folder / "visits.parquet",
        )
        text = (folder / "holder.toml").read_text(encoding="utf-8")
        there = f'url = "{running.url}"\npassword_env = "SHOP_PASSWORD"\ntable = "split_visits"'
        (folder / "holder.toml").write_text(text.replace('url = "visits.csv"', there), encoding="utf-8")
    for (rule, expected), who in zip(RULES.items(), who_has(folder, *RULES), strict=True):
        assert {one.removeprefix("person:m-") for one in who} == expected, rule


# --- nobody else's -----------------------------------------------------------------------------------------------

IDS, CARDS, MEMBERS = ("u1", "u2", "u3"), ("k1", "k2", "k3"), ("P", "Q", "R", "S")
_tables = CellRequest(tables=(
    declared("visits", {"session.source": ["a", "other"]}, "customers", "count(session)", "sum(session.seconds)"),
    declared("regions", {"customer.region": ["a", "other"]}, "customers", "count(session)", "sum(order.amount)"),
    declared("paths", {"touch.channel": ["a", "other"], "touch.model": ["first", "linear"]}, "weight",
             "weight * order.amount", events={"of": "conversion", "window_days": 300, "look_back_days": 90}),
    declared("known", {"customer.known": {"keys": ["yes", "no"], "roles": ["region"]}}),
    declared("asked", {"contact.topic": ["a", "other"]}, "customers", "count(contact)"),
))  # fmt: skip
#: By file: its columns, and whose ids it has; ``region`` has no time.
_FEEDS = {"session": IDS, "touch": CARDS, "contact": MEMBERS, "customer": IDS}


def _rows(ids: tuple[str, ...]) -> st.SearchStrategy[list[tuple[str, int]]]:
    return st.lists(st.tuples(st.sampled_from([*ids, ""]), st.integers(1, 9)), min_size=1, max_size=5)


_world = st.fixed_dictionaries(
    {"online": _rows(IDS), "tills": _rows(CARDS), **{name: _rows(ids) for name, ids in _FEEDS.items()}}
    | {
        "links": st.lists(st.tuples(*(st.sampled_from([*ids, ""]) for ids in (MEMBERS, IDS, CARDS))), max_size=6),
        "gone": st.sampled_from(MEMBERS),
        "listed": st.sampled_from(["", "u1", "k2", "person:Q"]),
    }
)


def _own(number: int, name: str) -> str:
    """An id of one of several worlds in the same files; what is nobody's stays so."""
    return re.sub(r"\b([ukPQRS])", rf"\g<1>{number}-", name)


def _written(folder: Path, files: dict[str, list[tuple[Any, ...]]]) -> None:
    headers = {"online": "user,no,at,paid", "tills": "card,receipt,sold,pieces,price", "links": "member,user,card",
               "session": "who,at,from,seconds", "touch": "who,at,via", "contact": "who,at,about",
               "customer": "id,region"}  # fmt: skip
    written = {
        "online": lambda who, day: f"{who},{day},2024-05-0{day},3",
        "tills": lambda who, day: f"{who},{day},2024-06-0{day},1,2",
        "session": lambda who, day: f"{who},2024-04-0{day},{'ab'[day % 2]},{day}",
        "touch": lambda who, day: f"{who},2024-05-0{day},{'ab'[day % 2]}",
        "contact": lambda who, day: f"{who},2024-05-0{day},{'ab'[day % 2]}",
        "customer": lambda who, day: f"{who},{'ab'[day % 2]}",
        "links": lambda *ids: ",".join(ids),
    }
    for name, rows in files.items():
        lines = [headers[name], *(written[name](*row) for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _feeds(**more: Any) -> dict[str, Any]:
    when = {"customer": "who", "time": "at"}
    return {
        "customers": {"url": "customer.csv", "ids_of": "online", "columns": PEOPLE_COLUMNS},
        "events": {
            "session": {"url": "session.csv", "ids_of": "online", "columns": VISIT},
            "touch": {"url": "touch.csv", "ids_of": "tills", "columns": when | {"channel": "via"}},
            "contact": {"url": "contact.csv", "ids_of": "person", "columns": when | {"topic": "about"}},
        },
    } | more


def _entries(folder: Path, config: HolderConfig) -> dict[str, list[Any]]:
    """By customer, the entries in every table."""
    found: dict[str, list[Any]] = {}
    for table, entries in enumerate(entries_of(build_cells(Origin(config, AS_OF, folder), _tables), _tables)):
        for who, cells in entries.items():
            found.setdefault(who, []).append((table, cells))
    return found


@given(worlds=st.lists(_world, min_size=1, max_size=7))
@settings(max_examples=3, deadline=None)
def test_a_person_taken_out_changes_one_row(tmp_path_factory: pytest.TempPathFactory, worlds: list[Any]) -> None:
    """From the bytes of seven files to the entries: rows of one person's ids, and of the person, are one customer."""
    folder = tmp_path_factory.mktemp("person")
    config = several(
        of("online", "online.csv", ONLINE, exclude="out.csv"), of("tills", "tills.csv", TILLS, exclude="out.csv"),
        person=PERSON, **_feeds(),
    )  # fmt: skip
    everything: dict[str, list[Any]] = {name: [] for name in ("online", "tills", "links", *_FEEDS)}
    rest: dict[str, list[Any]] = {name: [] for name in everything}
    gone, listed = set(), []
    for number, world in enumerate(worlds):
        person = _own(number, world["gone"])
        links = [tuple(_own(number, name) for name in row) for row in world["links"]]
        theirs = {person} | {one for row in links if row[0] == person for one in row[1:] if one}
        everything["links"] += links
        rest["links"] += [row for row in links if row[0] != person]
        for name in everything.keys() - {"links"}:
            rows = [(_own(number, who), day) for who, day in world[name]]
            everything[name] += rows
            rest[name] += [row for row in rows if row[0] not in theirs]
        gone.add(f"person:{person}")
        listed.append(_own(number, world["listed"]))
    (folder / "out.csv").write_text("\n".join(["id", *listed, ""]), encoding="utf-8")
    _written(folder, everything)
    before = _entries(folder, config)
    _written(folder, rest)
    after = _entries(folder, config)
    assert {name: row for name, row in before.items() if name not in gone} == after


# --- lists, forgetting, and what is said -------------------------------------------------------------------------


def _small(folder: Path, **files: Sequence[tuple[Any, ...]]) -> None:
    _written(folder, {
        "online": [("u1", 1), ("u2", 2)], "tills": [("k1", 1), ("k9", 2)],
        "links": [("M1", "u1", "k1"), ("M2", "u2", ""), ("M3", "u3", "")],
        "session": [("u1", 1), (" u1 ", 2), ("u3", 3), ("u8", 4), ("", 5)], "touch": [("k1", 1), ("k404", 2)],
        "contact": [("M1", 1), ("M3", 2), ("M9", 3)], "customer": [("u1", 1), ("u3", 2)],
        **{name: list(rows) for name, rows in files.items()},
    })  # fmt: skip


def _with_lists(**more: Any) -> HolderConfig:
    return several(
        of("online", "online.csv", ONLINE), of("tills", "tills.csv", TILLS, exclude="out.csv"),
        person=PERSON, **_feeds(**more),
    )  # fmt: skip


def _customers(folder: Path, config: HolderConfig, feed: Any) -> tuple[list[str], dict[str, int]]:
    with open_feed(Origin(config, AS_OF, folder), feed) as opened:
        found = fetch(opened.kept.select("customer").distinct().order_by("customer"), what="reading")
        return found["customer"].to_pylist(), opened.tally()


def test_rows_are_those_of_persons_and_counted(tmp_path: Path) -> None:
    _small(tmp_path)
    config = omni(**_feeds())
    assert _customers(tmp_path, config, "session") == (
        ["online:u8", "person:M1", "person:M3"], {"": 4, "no_customer_id": 1}
    )  # fmt: skip
    assert _customers(tmp_path, config, "touch")[0] == ["person:M1", "tills:k404"]
    assert _customers(tmp_path, config, "contact")[0] == ["person:M1", "person:M3", "person:M9"]


def test_an_id_of_two_persons_is_left_out_and_told(tmp_path: Path) -> None:
    _small(tmp_path, links=[("M1", "u1", "k1"), ("M2", "u1", "")])
    config = omni(**_feeds())
    assert _customers(tmp_path, config, "session")[1] == {"": 2, "no_customer_id": 1, "several_persons": 2}
    found = preflight(config, AS_OF, base=tmp_path).warnings
    assert "[events.session]: 2 rows of ids that belong to several persons are left out" in [one.text for one in found]


@pytest.mark.parametrize(
    ("listed", "stay"),
    [
        ("k1", ["person:M3", "person:M9"]),
        ("person:M9", ["person:M1", "person:M3"]),
        ("person: M3 ", ["person:M1", "person:M9"]),
    ],
)
def test_lists_reach_feeds_by_any_id_of_a_person(tmp_path: Path, listed: str, stay: list[str]) -> None:
    _small(tmp_path)
    (tmp_path / "out.csv").write_text(f"{listed}\n", encoding="utf-8")
    left, tally = _customers(tmp_path, _with_lists(), "contact")
    assert (left, tally["excluded"]) == (stay, 1)
    visitors, _ = _customers(tmp_path, _with_lists(), "session")
    assert visitors == [
        name for name in ("online:u8", "person:M1", "person:M3") if name not in {"person:M1", "person:M3"} - set(stay)
    ]


def test_persons_stand_on_lists_under_their_own_name(tmp_path: Path) -> None:
    _small(tmp_path)
    config = _with_lists()
    (tmp_path / "out.csv").write_text("", encoding="utf-8")
    done = exclude(tmp_path / "holder.toml", config, ["person:M9"])
    assert (done.path.name, done.added) == ("out.csv", ("person:M9",))
    assert _customers(tmp_path, config, "contact")[0] == ["person:M1", "person:M3"]
    with pytest.raises(ConfigError, match="of persons and of sources"):
        exclude(tmp_path / "holder.toml", config, ["person:M9", "tills:k1"])
    read = {"person": PERSON | {"read": {"person": {"form": ["case"]}}}}
    assert normal_key(" person: M1 ", several(of("online", "o.csv", ONLINE), of("tills", "t.csv", TILLS), **read)) == (
        "person:m1"
    )


def test_lists_that_the_holder_drew_are_of_todays_persons(tmp_path: Path) -> None:
    """Who was listed by an id is listed as its person once somebody says who that is."""
    _small(tmp_path)
    drawn = {"customer_id": ["online:u1", "person:M3", "tills:k9", "online:u2"], "place": ["1"] * 4}
    drawn |= {"source_id": drawn["customer_id"], "control": [False, True, False, False]}
    begun = Campaign.begun("spring", None, 100)
    begun.joined(pa.table(drawn), dt.date(2024, 5, 1)).save(tmp_path)
    (tmp_path / "out.csv").write_text("person:M2\n", encoding="utf-8")
    config = _with_lists(events={"sent": {"from": "campaigns"}}, customers=None)
    assert _customers(tmp_path, config, "sent") == (["person:M1", "person:M3", "tills:k9"], {"": 3, "excluded": 1})
    with pytest.raises(ValidationError, match="ids_of does not go with from"):
        _with_lists(events={"sent": {"from": "campaigns", "ids_of": "tills"}})


def test_without_persons_a_feed_goes_by_the_form_and_the_lists_of_its_source(tmp_path: Path) -> None:
    _small(tmp_path, online=[("A@X", 1)], tills=[("a@x", 1), ("b@x", 2)], session=[("A@x", 1), ("B@x", 2), ("c@x", 3)])
    (tmp_path / "out.csv").write_text("b@x\n", encoding="utf-8")
    email = {"read": {"customer": {"form": ["email"]}}}
    config = several(
        of("online", "online.csv", ONLINE, **email), of("tills", "tills.csv", TILLS, exclude="out.csv"),
        events={"session": {"url": "session.csv", "ids_of": "online", "columns": VISIT}},
    )  # fmt: skip
    assert _customers(tmp_path, config, "session") == (["a@x", "c@x"], {"": 2, "excluded": 1})


def test_all_ids_of_a_person_are_found(tmp_path: Path) -> None:
    _small(tmp_path)
    config = omni(**_feeds())
    assert same_person("tills:k1", config, tmp_path) == {"tills:k1", "online:u1", "person:M1"}
    assert same_person("person:M3", config, tmp_path) == {"online:u3", "person:M3"}
    assert same_person("online:u8", config, tmp_path) == {"online:u8"}
    (tmp_path / "links.csv").unlink()
    with pytest.raises(DataError, match=r"\[person\]"):
        same_person("tills:k1", config, tmp_path)


def test_who_only_visited_is_forgotten_by_any_id(tmp_path: Path) -> None:
    folder = _split_shop(tmp_path)
    (folder / "tags.toml").write_text('[[tag]]\ncode = "looked"\nwhen = "count(session) > 0"\n', encoding="utf-8")
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 24)))
    assert "person:m-visitor" in kept_tags(folder)["customer_id"].to_pylist()
    done = forget(HolderFolder(folder), "tills:k-visitor")
    assert done.tags
    assert done.ids == ("person:m-visitor", "tills:k-visitor", "web:w-visitor")
    assert "person:m-visitor" not in kept_tags(folder)["customer_id"].to_pylist()
    assert who_has(folder, "count(session) > 0") == [{"person:m-ann"}]


def test_check_says_how_much_of_each_feed_is_joined(tmp_path: Path) -> None:
    _small(tmp_path, touch=[("K1", 1)])
    report = preflight(omni(**_feeds()), AS_OF, base=tmp_path)
    assert report.problems == ()
    assert {one.feed: (one.customers, one.linked) for one in report.feeds} == {
        "customer": (2, 2), "session": (3, 2), "touch": (1, 0), "contact": (3, 2),
    }  # fmt: skip
    [told] = [one for one in report.warnings if one.code == "feed_nobody_linked"]
    assert told.text == "[events.touch]: none of its 1 customers (who) is named by [person]"
    assert 'ids_of = "tills"' in told.hint
    screen = Console(file=io.StringIO(), width=120)
    render_check(report, screen)
    assert screen.file.getvalue().count("customers whom the key to persons names") == 4  # type: ignore[attr-defined]


_VISITS = {"url": "v.csv", "columns": VISIT}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"events": {"session": _VISITS}}, 'whose ids it has; write ids_of = "online", or tills, person'),
        ({"events": {"session": _VISITS | {"ids_of": "shop"}}}, "there is no source 'shop'; write ids_of"),
        ({"events": {"session": {"ids_of": "person", "columns": VISIT}}}, "ids of persons are of no source"),
        ({"person": None, "events": {"session": _VISITS | {"ids_of": "person"}}}, "nothing says who is who"),
        ({"person": None, "events": {"session": {"columns": VISIT}}}, "whose place it shares"),
    ],
)
def test_what_cannot_be_is_refused_with_the_line_to_write(changes: dict[str, Any], says: str) -> None:
    given = omni().model_dump(mode="json", include={"holder", "sources", "person"}) | changes
    with pytest.raises(ValidationError, match=re.escape(says)):
        HolderConfig.model_validate(given)


def test_where_sources_differ_a_feed_says_whose_ids_it_has() -> None:
    visits = {"events": {"session": _VISITS}}
    for more, says in (({"exclude": "out.csv"}, "several exclusion lists"),
                       ({"read": {"customer": {"form": ["case"]}}}, "several forms")):  # fmt: skip
        with pytest.raises(ValidationError, match=says):
            several(of("online", "o.csv", ONLINE), of("tills", "t.csv", TILLS, **more), **visits)
    alone = {"holder": "shop", "source": {"url": "o.csv", "currency_code": "EUR"}, "columns": ONLINE}
    with pytest.raises(ValidationError, match="with one source, leave it out"):
        HolderConfig.model_validate(alone | {"events": {"session": _VISITS | {"ids_of": "online"}}})


def test_a_feed_takes_over_from_the_source_whose_ids_it_has() -> None:
    place = {"url": "postgresql://a@b/c", "table": "sales", "password_env": "A", "time_zone": "Asia/Shanghai"}
    config = several(
        of("online", "o.csv", ONLINE), of("tills", "-", TILLS, exclude="out.csv") | place,
        person=PERSON, events={"session": {"table": "web.visits", "ids_of": "tills", "columns": VISIT}},
    )  # fmt: skip
    source = config.feeds["session"].source
    assert (source.url, source.table, source.password_env) == ("postgresql://a@b/c", "web.visits", "A")
    assert (source.time_zone, source.exclude) == ("Asia/Shanghai", "out.csv")
    assert HolderConfig.parse(config.canonical()) == config
