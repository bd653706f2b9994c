"""Declared tables: what may be written, what it means, and what is refused in words that help."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from analyses.tables.examples import ATTRIBUTION, LTV, OPTIONS, RETENTION, changed, table
from pydantic import ValidationError

from privacy.analyses.tables.declared import Table
from privacy.analyses.tables.formulas import Linear, parse_formula
from privacy.analyses.tables.options import TablesOptions

AS_OF = dt.date(2025, 1, 15)
LISTS = {"channels": ("search", "live")}


def test_a_request_has_every_key_and_other_after_texts() -> None:
    request = OPTIONS.request(AS_OF)
    shapes = {one.name: one.shape for one in request.tables}
    assert shapes == {"retention": (12, 12), "attribution": (3, 3), "ltv": (4,)}
    assert request.tables[1].by[1].keys.values == ("search", "live", "other")
    assert request.tables[0].by[0].keys.days[-1] == dt.date(2025, 1, 1)
    assert request.columns == {"orders", "recency", "touch", "touch.channel", "money"}
    assert request.tables[2].needs == {("order", "amount")}


def test_whether_it_is_written_out() -> None:
    assert not OPTIONS.is_written_out
    assert not TablesOptions.model_validate({"table": [ATTRIBUTION], "lists": LISTS}).is_written_out
    assert TablesOptions.model_validate({"table": [RETENTION, LTV]}).is_written_out


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"measure": [{"name": "n", "of": "count(order)"}]}, "state a cap"),
        ({"measure": [{"name": "n", "of": "count(order)", "cap": 0}]}, "greater than or equal to 1"),
        ({"measure": [{"name": "n", "cap": 3}]}, "at most 1"),
        ({"measure": [{"name": "n"}, {"name": "n"}]}, "one name"),
        ({"usual_cells": 2}, "usual_cells is 1"),
        ({"lost": 20}, "nothing can be lost"),
        ({"figure": [{"name": "f", "is": "money"}]}, "no measure 'money'"),
        ({"figure": [{"name": "f", "is": "customers[order.month = 3]"}]}, "no dimension of t"),
        ({"figure": [{"name": "f", "is": "customers[tenure_band = 91]"}]}, "no key '91'; there is: 90, 365, above"),
        ({"figure": [{"name": "f", "is": "reached(ordered)"}]}, "names no step"),
        ({"figure": [{"name": "f", "is": "survival(30)"}]}, "survival needs"),
        ({"figure": [{"name": "f", "is": "customers", "over": "order.month"}]}, "no dimension of the table"),
        ({"figure": [{"name": "f", "is": "customers // customers"}]}, "no quotient"),
        ({"figure": [{"name": "f", "is": "customers"}] * 2}, "one name"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_write(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        table(**fields)


def test_names_of_options() -> None:
    for options, says in (
        ({"use": ["a", "a"]}, "use names a table twice"),
        ({"use": ["t"], "table": [table()]}, "table of the catalogue"),
        ({"table": [table(), table()]}, "one name"),
        ({"table": [table(figure=[{"name": "f", "is": "customers / u.customers"}])]}, "no table 'u'"),
    ):
        with pytest.raises(ValidationError, match=says):
            TablesOptions.model_validate(options)


def test_a_change_is_of_keys_and_caps() -> None:
    ltv = Table.model_validate(LTV)
    found = changed(keys={"first_order.month": {"months": 3}}, cap={"money": 500}, where=[], part=7).of(ltv)
    assert (found.by[0].keys.months, found.measure[1].cap, found.where, found.part) == (3, 500, (), 7)
    assert found.figure == ltv.figure
    for change, says in (
        (changed(keys={"order.month": "0..3"}), "no dimension order.month"),
        (changed(cap={"x": 3}), "no measure x"),
        (changed(usual_cells=3), "usual_cells is 1"),
    ):
        with pytest.raises(ValueError, match=says):
            change.of(ltv)


@pytest.mark.parametrize(
    ("text", "kind", "terms"),
    [
        ("customers", "linear", (Linear(measure="customers"),)),
        ("u.n / m", "quotient", (Linear(table="u", measure="n"), Linear(measure="m"))),
        ("1 - reached(a) / n", "complement", (Linear(reached="a"), Linear(measure="n"))),
        (
            "n[a.b = x - y, all c] / n",
            "quotient",
            (Linear(measure="n", fixed=(("a.b", "x - y"),), added=("c",)), Linear(measure="n")),
        ),
        ("a / b - c / d", "difference", tuple(Linear(measure=name) for name in "abcd")),
        ("survival( 30 )", None, ()),
        ("survival(30)", "survival", ()),
        ("survival_median()", "median", ()),
    ],
)
def test_formulas(text: str, kind: str | None, terms: tuple[Linear, ...]) -> None:
    if kind is None:
        with pytest.raises(ValueError, match="figure"):
            parse_formula(text)
    else:
        found = parse_formula(text)
        assert (found.kind, found.terms) == (kind, terms)


@pytest.mark.parametrize("text", ["", "a +", "a / b / c", "a - b", "n[x]", "n[=x]", "2 - a / b", "a / b - c"])
def test_texts_that_are_no_formula(text: str) -> None:
    with pytest.raises(ValueError, match="figure"):
        parse_formula(text)
