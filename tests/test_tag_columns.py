"""What rules read of customers: the customer table's own numbers, alike wherever the rows are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tag_world import STUDY, setting

from clients.data.rows.customers import build_customer_table
from clients.tags.columns import Customers
from privacy.protocol.study import Study
from privacy.tags.tree import Node
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


@pytest.mark.parametrize("returns", ["net", "drop"])
@pytest.mark.parametrize("holder", HOLDERS)
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
