"""Tags of a study: what their rules may name, what policies see of them, and that nothing but own rows decides."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from analyses.tables.earlier_kit import AS_OF, earlier, study
from cell_kit import TABLES
from protocol_kit import lenient_policy
from pydantic import ValidationError
from tag_kit import HOSTILE

from privacy.analyses.tables import CONTRACT
from privacy.errors import ConfigError, PolicyError
from privacy.kernel.public_tags import PublicTag
from privacy.protocol.study import Study
from server.analyses.tables.run import resolve

GONE = {"code": "gone", "when": "count(order, -90) = 0"}


def tagged(*tags: dict[str, Any], keys: Any = ("yes", "no"), **more: Any) -> Study:
    by = [{"dimension": f"tag.{one['code']}", "keys": keys} for one in tags]
    return study(tag=list(tags), table=[{"name": "t", "by": by, "measure": [{"name": "customers"}], **more}])


def columns(when: str) -> set[str]:
    return set(PublicTag(code="t", when=when).columns)


@pytest.mark.parametrize(
    ("rule", "reads"),
    [
        ("orders >= 2", {"orders", "recency"}),
        ("M > 100", {"orders", "recency", "money"}),
        ("discount_share >= 0.5", {"orders", "recency", "discount"}),
        ("share(order[hour >= 18], -90) >= 0.5", {"orders", "recency", "daypart"}),
        ("sum(order[category = 'toys'].cost) > 5", {"orders", "recency", "category", "cost"}),
        ("count(session[not (device = 'phone')], -30) > 3", {"session", "session.device"}),
        ("known(customer.gender) or customer.birthday < 7", {"customer", "customer.gender", "customer.born"}),
        ("min(rating.stars) <= 2 and count(contact) = 0", {"rating", "rating.stars", "contact"}),
    ],
)
def test_policies_see_everything_that_a_rule_reads(rule: str, reads: set[str]) -> None:
    assert columns(rule) == reads
    found = resolve(tagged({"code": "t", "when": rule}), ())
    assert reads <= found.columns
    (table,) = found.declared_tables
    assert {role for _, role in table.needs} <= {name.rpartition(".")[2] for name in (*reads, "amount")} | {"born"}


@pytest.mark.parametrize(
    "rule",
    [
        "segment('eight') = 'important_value'", "changed('eight')", "tag('other')", "churn_probability > 0.5",
        "cluster = '1'", "status = 'lost'", "decile = 1", "count(order[order = 'A1']) > 0",
        "count(view[product = 'x']) > 0", "category_share_1 > 0.5", "customer.name = 'x'", "count(customer) > 0",
    ],
)  # fmt: skip
def test_what_is_not_of_the_customers_own_rows_has_no_name(rule: str) -> None:
    """Scores, ranks and labels depend on others, and an id is of one order."""
    with pytest.raises(ValidationError, match=r"tag t: character \d+"):
        PublicTag(code="t", when=rule)


#: What is refused of a holder's own tags because that holder has it not; a study may name it.
THERE = ("count(touch) > 1", "count(session[device = 'phone']) > 1")


@pytest.mark.parametrize("rule", [rule for rule in HOSTILE if rule not in THERE])
def test_hostile_rules_are_no_tags(rule: str) -> None:
    for form in ({"when": rule}, {"case": [{"key": "a", "when": rule}]}):
        with pytest.raises(ValidationError):
            PublicTag.model_validate({"code": "t", **form})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"code": "t"}, "state one of when, value and case"),
        ({"code": "t", "when": "orders > 1", "value": "orders"}, "state one of when, value and case"),
        ({"code": "t", "value": "discount_share"}, 'is no whole number; write when = "discount_share >= .."'),
        ({"code": "t", "case": [{"key": "other", "when": "orders > 1"}]}, "stands for all the rest"),
        ({"code": "t", "case": [{"key": "a", "when": "orders > 1"}] * 2}, "its keys differ"),
    ],
)
def test_a_tag_has_one_form(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PublicTag.model_validate(fields)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (lambda: study(table=[{"name": "t", "by": [{"dimension": "tag.gone", "keys": ["yes"]}],
                               "measure": [{"name": "customers"}]}]), "the study has no tag 'gone'"),
        (lambda: tagged(GONE, keys=["gone"]), "tag.gone: its keys are some of yes, no"),
        (lambda: tagged(GONE, keys={"upper": [1]}), "tag.gone: its keys are some of yes, no"),
        (lambda: tagged({"code": "n", "value": "orders"}), "tag.n: its keys are a range"),
        (lambda: tagged(GONE).model_copy(update={"tables": study(tag=[GONE], use=["retention"], table=[]).tables}),
         "no table counts by tag.gone"),
    ],
)  # fmt: skip
def test_keys_go_with_the_rule(found: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        resolve(found(), ())


def test_two_tags_have_two_codes() -> None:
    with pytest.raises(ValidationError, match="two tags have one code"):
        study(tag=[GONE, GONE])


def test_the_rule_is_in_what_holders_see_and_sign() -> None:
    one, other = (resolve(tagged(GONE | {"when": rule}), ()) for rule in (GONE["when"], "count(order, -91) = 0"))
    assert one.digest != other.digest
    assert Study.parse(one.canonical()).digest == one.digest
    assert one.of(CONTRACT).table[0].by[0].tag == PublicTag.model_validate(GONE)
    assert not one.of(CONTRACT).tag
    assert resolve(one, ()) == one


def test_a_policy_refuses_a_rule_on_what_it_does_not_allow() -> None:
    gender = resolve(tagged({"code": "t", "when": "customer.gender = 'f'"}), ())
    with pytest.raises(PolicyError, match=r"sensitive: customer\.gender"):
        lenient_policy().admit_tables(gender.declared_tables)
    lenient_policy(sensitive=("customer.gender",)).admit_tables(gender.declared_tables)
    spend = resolve(tagged({"code": "t", "when": "sum(order.amount, -90) > 5"}), ())
    with pytest.raises(PolicyError, match="to look at: money"):
        lenient_policy(analyses=["tables"], columns=("orders", "recency")).admit_study(spend)


def test_a_rule_on_a_holders_own_shops_needs_consent_to_figures_by_holder() -> None:
    assert CONTRACT.consents(resolve(tagged(GONE), ()).of(CONTRACT)) == frozenset()
    shop = resolve(tagged({"code": "t", "when": "count(order[store = 'mall']) > 0"}), ())
    assert CONTRACT.consents(shop.of(CONTRACT)) == {"by_holder"}


def test_numbers_of_an_earlier_run_stand_in_rules() -> None:
    """As people write them, and exact: much is more than 62.49, many orders are three or more."""
    rule = "recency_days <= {rfm.recency_days_high} and orders > {rfm.orders_high} and money > {rfm.money_high}"
    case = [{"key": "best", "when": rule}, {"key": "new", "when": "orders = 1"}]
    asked = tagged({"code": "kind", "case": case}, keys=["best", "new"])
    assert not asked.of(CONTRACT).is_written_out
    found = resolve(asked, (earlier(),))
    tag = found.of(CONTRACT).table[0].by[0].tag
    assert tag is not None
    assert tag.case[0].when == "recency_days <= 120 and orders > 2 and money > 62.49"
    assert found.of(CONTRACT).is_written_out
    assert found.of(CONTRACT).table[0].by[0].keys.values == ("best", "new", "other")
    with pytest.raises(ConfigError, match=r"no earlier run of worth has released rfm\.recency_days_high"):
        resolve(asked, (earlier(AS_OF),))
    several = tagged({"code": "t", "when": "orders > {rfm.orders}"})
    with pytest.raises(ConfigError, match=r"rfm\.orders is 4 numbers, and one belongs in a rule"):
        resolve(several, (earlier(dt.date(2024, 6, 1)),))


def test_every_form_of_a_rule_is_compared_with_slow_code() -> None:
    """By tests/test_cells.py, over generated feeds and over any rows, in DuckDB and PostgreSQL."""
    tags = [use.tag for table in TABLES for use in table.by if use.tag is not None]
    assert {bool(tag.when) for tag in tags} == {bool(tag.value) for tag in tags} == {True, False}
    assert any(tag.case for tag in tags)
