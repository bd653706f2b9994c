"""The rules of ``tags.toml``, read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clients.tags.config import Group, Tag, TagsFile
from privacy.errors import ConfigError
from privacy.tags.reader import Vocabulary, read_rule, read_value
from privacy.tags.tree import Aggregate, Fact, Leaf, Node, RuleError, Tagged, leaves

#: Different questions about events in one file.
MOST_AGGREGATES = 64


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A tag or group with its rule.

    Attributes:
        of: as it stands in the file.
        node: the condition; of a fact in bands the number.
        rank: the number by which a group is ordered, if one is stated.
    """

    of: Tag | Group
    node: Node
    rank: Leaf | None = None

    @property
    def code(self) -> str:
        """Its code."""
        return self.of.code

    @property
    def is_group(self) -> bool:
        """Whether it is a group, which is written nowhere but in lists."""
        return isinstance(self.of, Group)


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A tag or group whose rule is none.

    Attributes:
        code: its code.
        text: the rule.
        error: what is wrong with it, and where.
    """

    code: str
    text: str
    error: RuleError


def read_rules(file: TagsFile, words: Vocabulary) -> tuple[Rule, ...]:
    """All rules in their order; retired tags are left out.

    Raises:
        ConfigError: for the first rule that is none, with its place, or if there are too many questions.
    """
    found = list(_each(file, words))
    for one in found:
        if isinstance(one, Wrong):
            message = f"tags.toml, {one.code}, {one.error.message}\n  {one.text}"
            raise ConfigError(message, hint=one.error.hint)
    rules = tuple(one for one in found if isinstance(one, Rule))
    asked = {leaf for leaf in needs(rules) if isinstance(leaf, Aggregate)}
    if len(asked) > MOST_AGGREGATES:
        raise ConfigError(
            f"the rules ask {len(asked)} different things of events; at most {MOST_AGGREGATES}",
            hint="use the same windows in several rules",
        )
    return rules


def wrong_rules(file: TagsFile, words: Vocabulary) -> tuple[Wrong, ...]:
    """Every rule that is none."""
    return tuple(one for one in _each(file, words) if isinstance(one, Wrong))


def needs(rules: tuple[Rule, ...]) -> tuple[Leaf, ...]:
    """What rules read of customers, each once, in order."""
    every = (leaf for rule in rules for node in (rule.node, rule.rank) if node is not None for leaf in leaves(node))
    return tuple(dict.fromkeys(leaf for leaf in every if isinstance(leaf, Fact | Aggregate)))


def uses(rule: Rule) -> set[str]:
    """Codes of the tags that a rule names."""
    return {leaf.code for leaf in leaves(rule.node) if isinstance(leaf, Tagged)}


def _each(file: TagsFile, words: Vocabulary) -> Iterator[Rule | Wrong]:
    """Rules, and what is none; a rule may name tags above it that anybody can have."""
    active: list[str] = []
    drafts: list[str] = []
    every: list[Tag | Group] = [*file.tag, *file.group]
    for item in every:
        draft = isinstance(item, Tag) and item.state == "draft"
        if isinstance(item, Tag) and item.state == "retired":
            continue
        text, rank = item.when or getattr(item, "value", None) or "", None
        try:
            if isinstance(item, Tag) and item.value is not None:
                node: Node = read_value(item.value, words)[0]
            else:
                node = read_rule(text, words, [*active, *drafts] if draft else active)
            if isinstance(item, Group) and item.rank is not None:
                text = item.rank
                rank = read_value(text, words)[0]
        except RuleError as error:
            yield Wrong(code=item.code, text=text, error=error)
        else:
            yield Rule(of=item, node=node, rank=rank)
        if isinstance(item, Tag):
            (drafts if draft else active).append(item.code)
