"""Languages, and the texts of pages in English and Chinese: data, in a file ``texts.toml`` beside what says them.

Plain text only; fields in braces are filled in. Markup belongs to the templates. A section looks a text up among its
own, then among those of the page around it, then among those that all pages share.
"""

from __future__ import annotations

import tomllib
from collections import ChainMap
from collections.abc import Mapping
from importlib import resources
from typing import Literal, NamedTuple

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

#: What goes into the ``lang`` attribute.
LANGUAGE_TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}


class Text(NamedTuple):
    """One text in both languages, with the same fields."""

    en: str
    zh: str


def read_texts(package: str, name: str = "texts.toml") -> dict[str, Text]:
    """The texts of a file of a package, by key."""
    tables = tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))
    return {key: Text(**table) for key, table in tables.items()}


#: The texts that every page shares.
COMMON: dict[str, Text] = read_texts(__package__ or "privacy.presentation")


class Texts(ChainMap[str, Text]):
    """The texts that a section or page can say: its own first, then those around it."""

    def __init__(self, package: str, *around: Mapping[str, Text], name: str = "texts.toml") -> None:
        """Read the section's own.

        Args:
            package: where the file is.
            around: what else can be said, nearest first; the texts that all pages share come last by themselves.
            name: of the file.
        """
        super().__init__(read_texts(package, name), *around, COMMON)  # type: ignore[arg-type]

    @property
    def own(self) -> Mapping[str, Text]:
        """The section's own."""
        return self.maps[0]

    def __call__(self, key: str, language: Language, **fields: object) -> str:
        """The text for a key, with its fields filled in; see ``say``."""
        return say(self, key, language, **fields)


def say(texts: Mapping[str, Text], key: str, language: Language, **fields: object) -> str:
    """The text for a key, with its fields filled in.

    Raises:
        KeyError: if there is no such text, or a field is missing.
    """
    return str(getattr(texts[key], language)).format(**fields)


def join(parts: list[str], language: Language) -> str:
    """A list in words: ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    head = say(COMMON, "separator", language).join(parts[:-1])
    return say(COMMON, "joined", language, first=head, last=parts[-1])
