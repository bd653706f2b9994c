"""Who has which tag on a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clients.data.rows.rules.columns import Customers
from clients.tags.config import Tag
from clients.tags.rules import Rule
from privacy.tags.tree import Aggregate, Fact
from privacy.tags.truth import Answers, IntArray


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evaluated:
    """Tags and groups of all customers as of a day.

    Attributes:
        day: the day of the run.
        customers: of whom.
        rules: in their order.
        values: by code, shape ``(customers,)``: 0 for who has no such tag; else 1, or the level of a fact in bands.
    """

    day: dt.date
    customers: Customers
    rules: Sequence[Rule]
    values: Mapping[str, IntArray]

    def written(self) -> dict[Tag, IntArray]:
        """Of tags that are given on the day, values by tag; drafts and groups are not among them."""
        return {
            rule.of: self.values[rule.code]
            for rule in self.rules
            if isinstance(rule.of, Tag) and rule.of.is_given_on(self.day)
        }


def evaluate(rules: Sequence[Rule], customers: Customers, day: dt.date) -> Evaluated:
    """Work out all rules, in their order. Whether a customer has a tag depends on that customer's columns alone.

    A tag outside its days is nobody's; a draft is worked out, to be looked at.

    Args:
        rules: each after those that it names.
        customers: with all columns that they read.
        day: of the run.
    """
    answers = Answers(customers.columns, len(customers))
    values: dict[str, IntArray] = {}
    for rule in rules:
        of = rule.of
        if isinstance(of, Tag) and of.state != "draft" and not of.is_given_on(day):
            found = np.zeros(len(customers), dtype=np.int64)
        elif isinstance(of, Tag) and isinstance(rule.node, Fact | Aggregate) and of.bands:
            found = answers.levels(rule.node, of.bands)
        else:
            found = answers.truth(rule.node).yes.astype(np.int64)
        values[rule.code] = found
        answers.tags[rule.code] = found > 0
    return Evaluated(day=day, customers=customers, rules=rules, values=values)
