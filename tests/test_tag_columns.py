"""What rules read of customers: the customer table's own numbers, alike wherever the rows are."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from label_kit import july, june
from postgres_server import PASSWORD, Server
from several_kit import omni
from source_kit import COLUMNS, load
from tag_shop import HOLDER, RULES, of, shop
from tag_world import STUDY, setting, tagged

from clients.data.config import HolderConfig
from clients.data.rows.customers import build_customer_table
from clients.data.rows.rules.columns import Customers
from clients.tags.label_columns import of_label
from clients.tags.names import vocabulary
from privacy.protocol.study import Study
from privacy.tags.tree import Fact, Node, Unit
from simulations.worlds.generator import GeneratedWorld, generate

HOLDERS = ("online", "store-1", "store-2", "store-3")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GeneratedWorld:
    return generate(tmp_path_factory.mktemp("world"), customers=500, feeds=True)


def columns(home: Any, *values: str, study: Study = STUDY, **more: Any) -> tuple[Customers, list[Node]]:
    tags = [{"code": f"t{place}", "value": value, "bands": [1]} for place, value in enumerate(values)]
    found = setting(home, tags, study=study, **more)
    rules = found.rules()
    return found.evaluate(rules).customers, [rule.node for rule in rules]


NUMBERS = ("count(order)", "sum(order.amount)", "days_since(order)", "orders", "money", "recency_days", "tenure_days")


@pytest.mark.parametrize(("holder", "returns"), [*((holder, "net") for holder in HOLDERS), ("online", "drop")])
def test_orders_are_those_of_the_customer_table(world: GeneratedWorld, holder: str, returns: str) -> None:
    study = STUDY.model_copy(update={"cleaning": STUDY.cleaning.model_copy(update={"returns": returns})})
    home = world.folder / holder
    customers, nodes = columns(home, *NUMBERS, study=study)
    table = build_customer_table(setting(home, [], study=study).origin)
    place = {one: number for number, one in enumerate(customers.ids.to_pylist())}
    rows = np.array([place[one] for one in table.ids])
    assert len(rows) > 50
    facts = (table.columns.orders, table.columns.money, table.columns.recency_days)
    for node, expected in zip(nodes, [*facts, *facts, table.columns.tenure_days], strict=True):
        assert customers.columns[node].raw[rows].tolist() == expected.tolist(), node
        assert customers.columns[node].known[rows].all()
    assert customers.source_ids.take(rows).to_pylist() == table.source_ids.tolist()
    others = np.setdiff1d(np.arange(len(customers)), rows)
    assert customers.columns[nodes[0]].raw[others].sum() == 0
    assert not customers.columns[nodes[2]].known[others].any()


SALES = """SELECT customer, "order", strptime("time", '%Y-%m-%d %H:%M:%S') AS "time", amount::decimal(12, 2) AS amount,
    category FROM read_csv('{}', all_varchar = true)"""
VISITS = """SELECT who, strptime("at", '%Y-%m-%d %H:%M:%S') AS "at", seconds::int AS seconds, page
    FROM read_csv('{}', all_varchar = true)"""


@pytest.mark.parametrize("kind", ["parquet", "duckdb", "postgresql"])
def test_rules_mean_the_same_in_every_database(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The shop's rows as files, as tables of a file, and in a server: the same customers for every rule."""
    folder = shop(tmp_path)
    selects = {"sales": SALES.format(folder / "sales.csv"), "visits": VISITS.format(folder / "visits.csv"),
               "people": f"SELECT * FROM read_csv('{folder / 'people.csv'}', all_varchar = true)"}  # fmt: skip
    places = {name: f'url = "{name}.parquet"' for name in selects}
    with duckdb.connect() as database:
        for name, select in selects.items():
            database.execute(f"COPY ({select}) TO '{folder / name}.parquet'")
    if kind == "duckdb":
        with duckdb.connect(str(folder / "shop.duckdb")) as database:
            for name, select in selects.items():
                database.execute(f"CREATE TABLE {name} AS {select}")
        places = {name: f'url = "duckdb://shop.duckdb"\ntable = "{name}"' for name in selects}
    if kind == "postgresql":
        running: Server = request.getfixturevalue("server")
        monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
        types = {"sales": 'customer text, "order" text, time timestamp, amount numeric(12, 2), category text',
                 "visits": "who text, at timestamp, seconds integer, page text",
                 "people": "id text, region text, born text, company text"}  # fmt: skip
        for name, definition in types.items():
            load(running, name, definition, "*", folder / f"{name}.parquet")
        there = f'url = "{running.url}"\npassword_env = "SHOP_PASSWORD"\ntable = '
        places = {name: f'{there}"{name}"' for name in selects}
    text = HOLDER
    for name, place in places.items():
        text = text.replace(f'url = "{name}.csv"', place)
    (folder / "holder.toml").write_text(text, encoding="utf-8")
    for (rule, expected), who in zip(RULES.items(), of(folder, *RULES), strict=True):
        assert who == expected, rule


def test_several_sources_are_put_together_by_person(tmp_path: Path) -> None:
    (tmp_path / "online.csv").write_text(
        "user,no,at,paid\na@x,1,2024-05-01 10:00:00,10.00\nb@x,2,2024-05-02 10:00:00,20.00\n"
    )
    (tmp_path / "tills.csv").write_text(
        "card,receipt,sold,pieces,price\n7,1,2024-05-20 12:00:00,2,3.50\n8,2,2024-04-01 12:00:00,1,1.00\n"
    )
    (tmp_path / "links.csv").write_text("member,user,card\nM1,a@x,7\nM2,b@x,\nM3,,8\n")
    study = Study.model_validate({"name": "tags", "as_of": dt.date(2024, 6, 1), "budget": {"epsilon": "1"}})
    tags = [{"code": "both", "when": "orders = 2 and money = 17 and days_since(order) = 11 and count(order, -20) = 1"}]
    found = setting(tmp_path, tags, study=study, config=omni())
    evaluated = found.evaluate(found.rules())
    assert tagged(evaluated, "both") == {"person:M1": 1}
    assert sorted(evaluated.customers.ids.to_pylist()) == ["person:M1", "person:M2", "person:M3"]


def test_labels_are_named_by_rules(tmp_path: Path) -> None:
    """Segments and what changed, of the newest day up to the run's; unknown of whoever has no label."""
    june(tmp_path)
    july(tmp_path)
    rows = "customer,order,time,quantity,price\n"
    for number, customer in enumerate(("007", "new", "nobody", "=1+1")):
        rows += f"{customer},{number},2024-05-01 10:00:00,1,9.00\n"
    (tmp_path / "sales.csv").write_text(rows)
    config = HolderConfig.model_validate(
        {"holder": "shop", "source": {"url": "sales.csv", "currency_code": "EUR"}, "columns": COLUMNS}
    )
    rules = {
        "known(segment('eight'))": [{"007", "=1+1"}, {"007", "new"}],
        "segment('eight') = 'Important_Value '": [{"007"}, set()],
        "segment('value_activity') = 'valued_active'": [{"007"}, set()],
        "changed('eight')": [set(), {"007"}],
        "not changed('eight')": [set(), set()],
        "not known(churn_probability) and not known(status)": [{"007", "new", "nobody", "=1+1"}] * 2,
    }
    for place, day in enumerate((dt.date(2024, 6, 20), dt.date(2024, 7, 1))):
        study = Study.model_validate({"name": "spring", "as_of": day, "budget": {"epsilon": "1"}})
        tags = [{"code": f"t{n}", "when": rule} for n, rule in enumerate(rules)]
        plain = setting(tmp_path, tags, study=study, config=config, like="spring")
        found = dataclasses.replace(plain, words=vocabulary(config, study, like=True))
        evaluated = found.evaluate(found.rules())
        for n, (rule, expected) in enumerate(rules.items()):
            assert set(tagged(evaluated, f"t{n}")) == expected[place], (rule, day)
        newest = dt.date(2024, 6, 1) if place == 0 else dt.date(2024, 7, 1)
        assert found.label_days()["segment.eight"] == newest
        assert found.label_days()["churn_probability"] is None


def test_scores_and_clusters_come_as_exact_numbers(tmp_path: Path) -> None:
    """A decimal of four places is ten-thousandths again, and money minor units."""
    share, money = Fact("churn_probability", Unit("share", 10_000)), Fact("value_at_risk", Unit("money", 100))
    place = pa.array([1, None, 0], pa.int32())
    for fact, text, expected in ((share, "0.7501", 7501), (money, "12.345", 1235), (money, "-1.10", -110)):
        values = pa.array([Decimal("0"), Decimal(text)], pa.decimal128(18, 3 if fact is money else 4))
        found = of_label(fact, values, place)
        assert found.raw.tolist() == [expected, 0, 0]
        assert found.known.tolist() == [True, False, True]
