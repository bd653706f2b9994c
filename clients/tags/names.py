"""What rules may name at one holder: the closed lists of facts, feeds and roles, and why what is not there is not."""

from __future__ import annotations

from collections.abc import Iterator

from clients.analyses.catalogue import ANALYSES
from clients.analysis.facts import LabelFact
from clients.data.config import HolderConfig
from clients.data.customer_totals import check_sums
from clients.data.recipes.common import COMMON
from privacy.errors import ConfigError
from privacy.kernel.features import FEATURES, Feature
from privacy.kernel.feeds import FEEDS, Role
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from privacy.tags.reader import Vocabulary
from privacy.tags.tree import COUNT, DAYS, SHARE, Kind, Unit

#: Facts that every order gives, with no further question.
OF_ORDERS = ("orders", "money", "recency_days", "tenure_days")
#: What is worked out of a day of birth: whole years, and days until the next birthday (0: today).
OF_BIRTH: dict[str, Unit] = {"customer.age": Unit("years", 1), "customer.birthday": DAYS}
#: Of the time of an event, by the clock on the source's wall; Monday is 1.
OF_TIME: dict[str, Unit] = {"weekday": COUNT, "hour": COUNT, "month": COUNT}
#: Money of one event, see ``clients.data.cleaning.money.QUANTA_PER_UNIT``.
QUANTA = Unit("money", 10_000)


def vocabulary(config: HolderConfig, study: Study, *, like: bool) -> Vocabulary:
    """The names that this holder's rules may use.

    Args:
        config: what the holder has.
        study: in whose money amounts are.
        like: whether there is a study whose labels are meant.
    """
    money = Unit("money", 10 ** minor_digits(study.currency))
    facts: dict[str, Kind] = {}
    absent: dict[str, str] = {}
    words: dict[str, tuple[str, ...]] = {}
    for name, feature in FEATURES.items():
        if feature.listed:
            continue
        if why := _no_feature(config, feature):
            absent[name] = why
        else:
            facts[name] = _unit(feature, money)
    for name, found in label_facts():
        if not like:
            absent[name] = 'say whose labels are meant: like = "STUDY" at the top of tags.toml'
        facts |= {name: money if found.kind == "money" else found.kind} if like else {}
        words |= {name: found.words} if found.words else {}
    for name, kind in _attributes():
        role = "born" if name in OF_BIRTH else name.partition(".")[2]
        if config.customers is not None and role in config.customers.columns:
            facts[name] = kind
        else:
            absent[name] = f"map {role} under [customers] in holder.toml"
    feeds, values = _events(config, money, absent)
    return Vocabulary(facts=facts, feeds=feeds, values=values, words=words, absent=absent)


def label_facts() -> Iterator[tuple[str, LabelFact]]:
    """What labels of all analyses say, by name."""
    for analysis in ANALYSES:
        yield from analysis.facts.items()


def _unit(feature: Feature, money: Unit) -> Unit:
    by_unit = {
        "days": DAYS, "days, hundredths": Unit("days", 100), "thousandths": SHARE, "minor units": money,
        "orders": COUNT, "lines, hundredths": Unit("count", 100),
    }  # fmt: skip
    return by_unit[feature.unit]


def _no_feature(config: HolderConfig, feature: Feature) -> str:
    """What to do about a feature that cannot be worked out here; empty where it can."""
    if feature.needs is not None and feature.needs not in config.columns.mapped():
        return f"map {feature.needs} under [columns] in holder.toml"
    try:
        check_sums(config, feature.name, COMMON[feature.name].sums)
    except ConfigError as error:
        return error.hint
    return ""


def _attributes() -> Iterator[tuple[str, Kind]]:
    for role, what in FEEDS["customer"].items():
        if what.kind in ("text", "flag"):
            yield f"customer.{role}", "flag" if what.kind == "flag" else "text"
    yield from OF_BIRTH.items()


def _events(
    config: HolderConfig, money: Unit, absent: dict[str, str]
) -> tuple[dict[str, dict[str, Kind]], dict[tuple[str, str], Unit]]:
    declared, feeds, values = config.declared_feeds, dict[str, dict[str, Kind]](), dict[tuple[str, str], Unit]()
    for feed, roles in FEEDS.items():
        if feed == "customer":
            continue
        where = "[columns]" if feed == "order" else f"[events.{feed}]"
        if feed not in declared:
            totals = "the source has one row a customer; name orders, money or recency_days"
            absent[feed] = totals if feed == "order" else f"add {where} to holder.toml"
            continue
        feeds[feed] = dict(OF_TIME)
        for role, what in roles.items():
            if role in declared[feed]:
                feeds[feed][role] = _of_role(role, what)
                values |= {(feed, role): money} if what.kind == "money" else {}
            else:
                absent[f"{feed}.{role}"] = f"map {role} under {where} in holder.toml"
    return feeds, values


def _of_role(role: str, what: Role) -> Kind:
    match what.kind:
        case "money":
            return QUANTA
        case "number":
            return Unit(role, 1)
        case "flag":
            return "flag"
    return "text"
