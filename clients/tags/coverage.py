"""How much is known of customers: by fact that rules read, and of how many the portrait is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clients.data.rows.rules.columns import Customers, is_nothing
from clients.tags.config import TagsFile
from privacy.errors import ConfigError
from privacy.tags.reader import Vocabulary
from privacy.tags.tree import Fact, Leaf


@dataclass(frozen=True, kw_only=True)
class Known:
    """Of how many customers something is known.

    Attributes:
        name: of the fact, or the aggregate as a rule has it in short.
        known: number of customers.
    """

    name: str
    known: int


def declared(file: TagsFile, words: Vocabulary) -> tuple[Fact, ...]:
    """The facts of a complete portrait, as ``[coverage]`` declares it.

    Raises:
        ConfigError: if one of them is not there.
    """
    found = []
    for role in file.coverage.complete:
        name = f"customer.{role}" if role != "born" else "customer.age"
        if name not in words.facts:
            hint = words.absent.get(name, "name roles of [customers], such as gender")
            raise ConfigError(f"tags.toml, coverage.complete: {role} is not there", hint=hint)
        found.append(Fact(name, words.facts[name]))
    return tuple(found)


def complete(customers: Customers, facts: Sequence[Fact]) -> int | None:
    """Of how many customers all of these are known; None where there are none."""
    if not facts:
        return None
    return int(np.all([customers.columns[fact].known for fact in facts], axis=0).sum())


def coverage(customers: Customers, leaves: Sequence[Leaf]) -> tuple[Known, ...]:
    """Of how many customers each fact is known; what is 0 where there is nothing always is, and is left out."""
    return tuple(
        Known(name=leaf_name(leaf), known=int(customers.columns[leaf].known.sum()))
        for leaf in leaves
        if not is_nothing(leaf)
    )


def leaf_name(leaf: Leaf) -> str:
    """What a leaf is called on a screen."""
    if isinstance(leaf, Fact):
        kind, _, of = leaf.name.partition(".")
        return f"{kind}('{of}')" if kind in ("segment", "changed") else leaf.name
    of = f"{leaf.feed}{'[..]' if leaf.where is not None else ''}{'.' + leaf.role if leaf.role else ''}"
    window = "".join(f", {day}" for day in (leaf.since, leaf.until) if day is not None)
    return f"{leaf.function}({of}{window})"
