"""``tags.toml``, beside ``holder.toml``: the operator's own tags, and groups of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from privacy.errors import ConfigError
from privacy.kernel.canonical import ExactDecimal, Noun, canonical_json, plain_decimal, read_toml, sha256_hex
from privacy.kernel.terms import Slug
from privacy.tags.tree import MAX_TEXT

NAME = "tags.toml"
#: Tags and groups of one file.
MOST = 200

#: Code of a tag, which columns of files are called by.
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
#: Columns that files and tables of tags have beside those of tags.
RESERVED = ("customer_id", "source_id")
_Name = Annotated[str, StringConstraints(max_length=60)]
_Said = Annotated[str, StringConstraints(max_length=400)]
_RuleText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]


def _ascending(value: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if list(value) != sorted(set(value)):
        raise ValueError("bands ascend, each once")
    return value


class Tag(Noun):
    """One ``[[tag]]``.

    Attributes:
        code: stable ASCII code; other rules call it ``tag('code')``.
        kind: ``fact``, ``rule`` or ``prediction``: for people; all are read in one language.
        when: the rule: who has the tag.
        value: in its place a number, of which ``bands`` make levels.
        bands: levels begin here, ascending: from the first on the tag's value is 1, from the second on 2, and so on;
            who is below the first has no tag.
        en, zh: what people call it; the code where not given.
        why_en, why_zh: what it is for, or what to do about it.
        owner: who answers for it.
        version: rises whenever ``when``, ``value`` or ``bands`` change.
        valid_from, valid_to: first and last day on which anybody has it; what was before stays in the history.
        state: ``draft`` (seen in previews, never written), ``active``, or ``retired`` (nobody has it any more).
    """

    code: Code
    kind: Literal["fact", "rule", "prediction"] = "rule"
    when: _RuleText | None = None
    value: _RuleText | None = None
    bands: Annotated[tuple[ExactDecimal, ...], AfterValidator(_ascending)] = Field(default=(), max_length=20)
    en: _Name = ""
    zh: _Name = ""
    why_en: _Said = ""
    why_zh: _Said = ""
    owner: _Name = ""
    version: int = Field(default=1, ge=1, le=1_000_000)
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    state: Literal["draft", "active", "retired"] = "active"

    @model_validator(mode="after")
    def _one_definition(self) -> Self:
        if self.code in RESERVED:
            raise ValueError(f"{self.code} is a column of every file of tags; choose another code")
        if (self.when is None) == (self.value is None):
            raise ValueError("write `when` (a condition), or `value` with `bands`, and not both")
        if (self.value is None) != (not self.bands):
            raise ValueError("`value` and `bands` go together")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self

    @property
    def definition(self) -> str:
        """Digest of what decides who has the tag."""
        bands = [plain_decimal(band) for band in self.bands]
        return sha256_hex(canonical_json({"when": self.when, "value": self.value, "bands": bands}))

    def is_given_on(self, day: dt.date) -> bool:
        """Whether anybody may have the tag on a day."""
        if self.state != "active":
            return False
        return (self.valid_from or day) <= day <= (self.valid_to or day)


class Group(Noun):
    """One ``[[group]]``: customers who are worked on together, chosen by tags and facts.

    Attributes:
        code: stable ASCII code, none of a tag.
        when: the rule: who is in it.
        hold_out: the share that is left alone, to see what the list brings, 0 to 0.5; 0.3 of less than 3,000 and 0.1 of
            more where nothing is stated.
        rank: a number of a customer: those with most of it come first on the list; what a customer spent where nothing
            is stated, and in any case last those of whom it is not known.
        todo_en, todo_zh: what to do about these customers, for whoever works through the list.
        act_within: days from the list's day on in which it is to be done.
        en, zh: what people call it; the code where not given.
        owner: who answers for it.
    """

    code: Code
    when: _RuleText
    rank: _RuleText | None = None
    todo_en: _Said = ""
    todo_zh: _Said = ""
    act_within: int | None = Field(default=None, ge=1, le=365)
    hold_out: ExactDecimal | None = Field(default=None, ge=0, le=Decimal("0.5"))
    en: _Name = ""
    zh: _Name = ""
    owner: _Name = ""


class Coverage(Noun):
    """``[coverage]``: what must be known of a customer for the portrait to be complete.

    Attributes:
        complete: roles of ``[customers]``.
    """

    complete: tuple[Annotated[str, StringConstraints(max_length=40)], ...] = Field(default=(), max_length=10)


class TagsFile(Noun):
    """``tags.toml``, read with :func:`read_tags`.

    Attributes:
        like: the study whose cleaning, currency and time zone apply, and whose labels rules may name: its latest run
            that ended here. Not stated: the usual cleaning, and no labels.
        tag: tags, each after those that it uses.
        group: groups of customers, after all tags.
        coverage: see :class:`Coverage`.
    """

    like: Slug | None = None
    tag: tuple[Tag, ...] = ()
    group: tuple[Group, ...] = ()
    coverage: Coverage = Coverage()

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        codes = [tag.code for tag in self.tag] + [group.code for group in self.group]
        if len(codes) > MOST:
            raise ValueError(f"there are {len(codes)} tags and groups; at most {MOST}")
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"the code {twice[0]} is there twice")
        return self

    def find(self, code: str) -> Tag:
        """The tag of a code.

        Raises:
            ConfigError: if there is none.
        """
        for tag in self.tag:
            if tag.code == code:
                return tag
        there = ", ".join(tag.code for tag in self.tag) or "none"
        raise ConfigError(f"{NAME} has no tag {code!r}", hint=f"there is: {there}")


def read_tags(root: Path) -> TagsFile:
    """``tags.toml`` of a holder's folder.

    Raises:
        ConfigError: if there is none, or it is wrong.
    """
    path = root / NAME
    if not path.exists():
        raise ConfigError(f"{path} does not exist", hint=f"`cohortium holder tags new {root}` begins one")
    return read_toml(path, TagsFile)
