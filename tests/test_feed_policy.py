"""What a holder allows of declared tables, and how many holders must have what a table reads."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from cell_kit import TABLES, declared, listed
from protocol_kit import LyingCoordinator
from pydantic import ValidationError

from clients.answering.policy import HolderPolicy, policy_toml
from clients.data.config import HolderConfig
from privacy.analyses.tables import CONTRACT
from privacy.errors import PolicyError
from privacy.kernel.declarations import CellTable
from privacy.kernel.feeds import FEEDS, SENSITIVE
from privacy.protocol.messages import Hello
from privacy.protocol.study import Study
from privacy.statistics.examples import cells_of

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


# --- through the protocol --------------------------------------------------------------------------------------------

WEB = {"session": ("source",)}
VISITS = {
    "name": "visits",
    "by": [{"dimension": "session.source", "keys": ["search", "ads"]}],
    "measure": [{"name": "customers"}],
}


def asked(tmp_path: Path, having: int, study: Study, **allow: Any) -> LyingCoordinator:
    """A coordinator in front of four holders, of which so many have visits with a source."""
    rows = cells_of([[(0, 0, 1, 0)], [(0, 1, 1, 0)]])
    federation = kit.federation_at(
        tmp_path, tables=dict.fromkeys(("alpha", "beta", "delta", "gamma"), rows),
        policy=kit.lenient_policy(analyses=["tables"], **allow),
    )  # fmt: skip
    for place, node in enumerate(federation.nodes.values()):
        node._data.feeds = lambda tables, place=place: WEB if place < having else {}  # type: ignore[method-assign]
    return LyingCoordinator(federation, study)


@pytest.mark.parametrize("feeds", [
    {"session": ("note to the others",)}, {"session": ("stars",)}, {"gossip": ()}, {"session": ("source", "source")},
])  # fmt: skip
def test_a_hello_names_feeds_and_roles_of_the_closed_list_and_nothing_else(tmp_path: Path, feeds: Any) -> None:
    liar = asked(tmp_path, 4, study_of(VISITS))
    liar.greet()
    said = liar.hellos["alpha"].open(Hello, liar.roster, signer="alpha").model_dump(mode="json")
    assert Hello.model_validate(said).feeds == WEB
    with pytest.raises(ValidationError, match="feeds"):
        Hello.model_validate(said | {"feeds": feeds})


def study_of(*tables: dict[str, Any]) -> Study:
    return kit.lean_study(analyses=["tables"], tables={"table": list(tables)})


@pytest.mark.parametrize(("having", "code"), [(4, "Ready"), (3, "Ready"), (2, "policy"), (1, "policy"), (0, "policy")])
def test_nothing_is_charged_for_a_table_that_too_few_have(tmp_path: Path, having: int, code: str) -> None:
    """Every holder counts in the signed HELLOs, and the coordinator cannot say otherwise."""
    study = study_of(VISITS)
    liar = asked(tmp_path, having, study)
    liar.greet()
    assert [one.open(Hello, liar.roster, signer=name).feeds for name, one in liar.hellos.items()] == (
        [WEB] * having + [{}] * (4 - having)
    )
    core = liar.core(analysis="tables", statistic=CONTRACT.questions(study.of(CONTRACT), study)[0])
    assert {answer.code for answer in liar.show(core).values()} == {code}
    assert set(kit.charged_by(liar.federation).values()) == {0}


@pytest.mark.parametrize(
    ("table", "allow"),
    [
        ({**VISITS, "by": [{"dimension": "customer.gender", "keys": ["male"]}]}, {}),
        ({**VISITS, "by": [{"dimension": "order.store", "keys": ["a"]}]}, {}),
        (VISITS, {"tables": ["others"]}),
        (VISITS, {"columns": ["orders"]}),
    ],
)
def test_a_study_with_tables_that_the_policy_does_not_allow_is_refused_at_hello(
    tmp_path: Path, table: dict[str, Any], allow: dict[str, Any]
) -> None:
    liar = asked(tmp_path, 4, study_of(table), **allow)
    assert {liar.send(name, liar.hello_request()).code for name in liar.roster.holders} == {"policy"}
    assert set(kit.charged_by(liar.federation).values()) == {0}
