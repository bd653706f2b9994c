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
from privacy.kernel.feeds import FEEDS
from privacy.kernel.rule_words import OF_BIRTH, OF_TIME, kind_of_attribute, kind_of_role, unit_of_feature
from privacy.kernel.terms import minor_digits
from privacy.protocol.study import Study
from privacy.tags.reader import Vocabulary
from privacy.tags.tree import Kind, Unit


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
            facts[name] = unit_of_feature(feature, money)
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
        if (kind := kind_of_attribute(what)) is not None:
            yield f"customer.{role}", kind
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
                feeds[feed][role] = kind_of_role(role, what)
                values |= {(feed, role): money} if what.kind == "money" else {}
            else:
                absent[f"{feed}.{role}"] = f"map {role} under {where} in holder.toml"
    return feeds, values
