"""Tags to begin with, in ``library.toml``; and changes of ``tags.toml`` that commands make."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources

from clients.tags.config import Tag, TagsFile
from clients.tags.rules import wrong_rules
from privacy.errors import ConfigError
from privacy.kernel.canonical import plain_decimal
from privacy.tags.reader import Vocabulary

_HEAD = """\
# Tags of your own customers: who has them, by rules that you write. docs/tags.md is the reference.
#   cohortium holder tags check FOLDER      are the rules right?
#   cohortium holder tags preview FOLDER    how many would have them? Nothing is written.
#   cohortium holder tags run FOLDER        write them, and keep since when
"""
_LIKE = '# like = "STUDY"   # the study whose cleaning applies, and whose segments and scores rules may name\n'


@dataclass(frozen=True, kw_only=True)
class Example:
    """A tag of the library.

    Attributes:
        tag: the tag.
        answers: rows of docs/coverage.md that it answers.
    """

    tag: Tag
    answers: tuple[int, ...]


@cache
def library() -> tuple[Example, ...]:
    """All tags of the library, each after those that it names."""
    text = resources.files("clients.tags").joinpath("library.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text, parse_float=Decimal)["tag"]
    return tuple(Example(answers=tuple(table.pop("answers")), tag=Tag.model_validate(table)) for table in tables)


def fitting(words: Vocabulary) -> tuple[Tag, ...]:
    """The tags of the library that a holder's feeds can answer."""
    tags = tuple(example.tag for example in library())
    while wrong := {one.code for one in wrong_rules(TagsFile(tag=tags), words)}:
        tags = tuple(tag for tag in tags if tag.code not in wrong)  # and those that name them, next time
    return tags


def file_text(tags: Iterable[Tag], like: str | None) -> str:
    """A commented ``tags.toml`` with these tags."""
    head = f'like = "{like}"\n' if like else _LIKE
    return "\n".join([_HEAD + head, *(tag_text(tag) for tag in tags)])


def tag_text(tag: Tag) -> str:
    """A tag as it stands in the file; fields at their default are left out."""
    lines = ["[[tag]]", f'code = "{tag.code}"']
    for name, field in Tag.model_fields.items():
        value = getattr(tag, name)
        if name != "code" and value != field.default:
            lines.append(f"{name} = {_written(value)}")
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(plain_decimal(item) for item in value)}]"
    # A text of JSON is one of TOML.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def with_tag(text: str, tag: Tag) -> str:
    """``tags.toml`` with a further tag at the end of its tags.

    Raises:
        ConfigError: if the code is taken, or the file cannot be made to have it.
    """
    before = read_text(text)
    if tag.code in [item.code for item in before.tag] + [group.code for group in before.group]:
        raise ConfigError(f"tags.toml has {tag.code!r} already", hint="change it there, with a higher version")
    found = re.search(r"^\[\[group\]\]", text, flags=re.M)
    at = found.start() if found else len(text)
    head = text[:at].rstrip("\n")
    changed = f"{head}\n\n{tag_text(tag)}" + (f"\n{text[at:]}" if found else "")
    return _checked(changed, before.model_copy(update={"tag": (*before.tag, tag)}))


def retired(text: str, code: str) -> str:
    """``tags.toml`` with a tag retired: nobody has it any more, its history stays.

    Raises:
        ConfigError: if there is no such tag, a rule names it, or the file cannot be changed so.
    """
    before = read_text(text)
    before.find(code)
    named = re.compile(rf"tag\(\s*['\"]{code}['\"]\s*\)")
    users = [item.code for item in before.tag if item.when and named.search(item.when) and item.state != "retired"]
    users += [group.code for group in before.group if named.search(group.when)]
    if users:
        raise ConfigError(f"{', '.join(users)} names the tag {code}", hint="change or retire it first")
    blocks = re.split(r"(?m)^(?=\[)", text)
    place = next(n for n, block in enumerate(blocks) if _is_of(block, code))
    block, hits = re.subn(r"(?m)^state\s*=.*$", 'state = "retired"', blocks[place])
    if not hits:
        block = re.sub(r"(?m)^(code\s*=.*)$", r'\1\nstate = "retired"', blocks[place], count=1)
    tags = tuple(tag.model_copy(update={"state": "retired"}) if tag.code == code else tag for tag in before.tag)
    changed = "".join([*blocks[:place], block, *blocks[place + 1 :]])
    return _checked(changed, before.model_copy(update={"tag": tags}))


def _is_of(block: str, code: str) -> bool:
    return block.startswith("[[tag]]") and re.search(rf"(?m)^code\s*=\s*['\"]{code}['\"]", block) is not None


def read_text(text: str) -> TagsFile:
    """What a text of ``tags.toml`` says.

    Raises:
        ValueError: if it is not TOML, or breaks a rule.
    """
    return TagsFile.model_validate(tomllib.loads(text, parse_float=Decimal))


def _checked(text: str, wanted: TagsFile) -> str:
    """The text, if it says what is wanted.

    Raises:
        ConfigError: if it does not.
    """
    try:
        found = read_text(text)
    except ValueError:  # TOML's errors, and those of a value
        found = None
    if found != wanted:
        raise ConfigError("tags.toml is written in a way that cannot be changed here", hint="change it by hand")
    return text
