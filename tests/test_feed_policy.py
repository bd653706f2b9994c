"""What a holder allows of declared tables, and how many holders must have what a table reads."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any

import pytest
from cell_kit import TABLES, declared, listed

from clients.answering.policy import HolderPolicy, policy_toml
from clients.data.config import HolderConfig
from privacy.errors import PolicyError
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import FEEDS, SENSITIVE

BY_NAME = {table.name: table for table in TABLES}
SESSION = {"session": ("furthest", "source")}


def policy(**allow: Any) -> HolderPolicy:
    return HolderPolicy.model_validate({"lifetime": {"epsilon": "4", "delta": "1e-6"}, "allow": allow})


def test_sensitive_roles_are_the_ones_that_annexes_name() -> None:
    assert {
        "customer.gender", "customer.born", "customer.region", "customer.occupation", "customer.company", "rating.topic"
    } == SENSITIVE  # fmt: skip


@pytest.mark.parametrize("name", ["profile", "topics", "coverage", "taste", "first_days", "device"])
@pytest.mark.parametrize("columns", [(), tuple(sorted({one for table in TABLES for one in table.columns}))])
def test_what_is_sensitive_is_refused_unless_it_is_named(name: str, columns: tuple[str, ...]) -> None:
    """Whatever allow.columns says: only allow.sensitive lets it through."""
    with pytest.raises(PolicyError, match=r"sensitive: (customer|rating)"):
        policy(columns=columns).admit_tables([BY_NAME["orders"], BY_NAME[name]])
    policy(columns=columns, sensitive=sorted(SENSITIVE)).admit_tables([BY_NAME[name]])
    needed = sorted(BY_NAME[name].columns & SENSITIVE)
    policy(sensitive=needed).admit_tables([BY_NAME[name]])
    with pytest.raises(PolicyError, match="sensitive"):
        policy(sensitive=needed[1:]).admit_tables([BY_NAME[name]])


def test_tables_that_are_not_named_are_refused_where_some_are() -> None:
    policy().admit_tables([BY_NAME["orders"], BY_NAME["funnel"]])
    policy(tables=["orders"]).admit_tables([BY_NAME["orders"]])
    with pytest.raises(PolicyError, match="does not allow the table funnel"):
        policy(tables=["orders"]).admit_tables([BY_NAME["orders"], BY_NAME["funnel"]])


@pytest.mark.parametrize(
    ("having", "colluding", "passes"),
    [(4, 1, True), (3, 1, True), (2, 1, False), (3, 2, False), (4, 2, True), (0, 1, False), (1, 1, False)],
)
def test_too_few_holders_with_a_feed_are_refused(having: int, colluding: int, passes: bool) -> None:
    """Who has it would be read by the others: holders without it add noise, and nothing to hide behind."""
    feeds = [SESSION] * having + [{}] * (5 - having)
    if passes:
        policy().admit_found([BY_NAME["funnel"]], feeds, colluding=colluding)
        return
    all_sell = [{**one, "order": tuple(FEEDS["order"])} for one in feeds]
    with pytest.raises(PolicyError, match=f"only {having} of 5 holders have what the table funnel reads"):
        policy().admit_found([BY_NAME["orders"], BY_NAME["funnel"]], all_sell, colluding=colluding)


def test_a_feed_without_the_role_is_as_if_it_were_not_there() -> None:
    feeds = [SESSION, SESSION, {"session": ("source",)}]
    with pytest.raises(PolicyError, match="only 2 of 3"):
        policy().admit_found([BY_NAME["funnel"]], feeds, colluding=1)


def test_a_holder_says_what_it_has_of_what_is_read_and_no_more() -> None:
    config = HolderConfig.model_validate({
        "holder": "shop", "source": {"url": "x.parquet", "currency_code": "EUR"},
        "columns": {"customer": "c", "time": "t", "amount": "a", "category": "k", "store": "s"},
        "customers": {"columns": {"customer": "c", "gender": "g", "born": "b"}},
        "events": {"session": {"columns": {"customer": "c", "time": "t", "source": "s", "device": "d"}},
                   "sent": {"columns": {"customer": "c", "time": "t"}}},
    })  # fmt: skip
    table = declared("visits", {"session.source": listed("channels"), "customer.gender": ["male"]}, "count(session)")
    assert config.feeds_for([table]) == {"customer": ("gender",), "session": ("source",)}
    assert table.is_found_in(config.feeds_for([table]))
    assert config.feeds_for([BY_NAME["funnel"]]) == {"session": ("source",)}
    assert not BY_NAME["funnel"].is_found_in(config.feeds_for([BY_NAME["funnel"]]))
    assert config.feeds_for([BY_NAME["attribution"]]) == {"order": ("amount",)}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_found_where_all_it_reads_is(table: CellTable) -> None:
    everything: dict[Any, tuple[str, ...]] = {name: tuple(roles) for name, roles in FEEDS.items()}
    assert table.is_found_in(everything)
    for feed in table.feeds:
        assert not table.is_found_in({name: roles for name, roles in everything.items() if name != feed})
    for feed, role in table.needs:
        fewer = {**everything, feed: tuple(one for one in everything[feed] if one != role)}
        assert not table.is_found_in(fewer)


def test_the_template_names_what_it_allows() -> None:
    plain = HolderPolicy.model_validate(tomllib.loads(policy_toml(epsilon="4"), parse_float=Decimal))
    assert plain.allow.sensitive == plain.allow.tables == ()
    rich = policy_toml(epsilon="4", sensitive=["rating.topic"])
    assert HolderPolicy.model_validate(tomllib.loads(rich, parse_float=Decimal)).allow.sensitive == ("rating.topic",)
