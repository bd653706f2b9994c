"""``actions.toml``: what the operator wants done with each group of customers, in one language or both."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import Field, RootModel, ValidationError, model_validator

from privacy.analyses.catalogue import NAMES
from privacy.errors import ConfigError
from privacy.kernel.canonical import Noun, describe_validation
from privacy.presentation.texts import Language, of_its_own


class Action(Noun):
    """What to do with one group; at least one language, which then stands for the other too."""

    en: str = Field(default="", max_length=600)
    zh: str = Field(default="", max_length=600)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not (self.en.strip() or self.zh.strip()):
            raise ValueError("say what to do, in en or zh")
        return self

    def text(self, language: Language) -> str:
        """The words in a language, or in the other one."""
        return of_its_own(self, language)


class Actions(RootModel[dict[str, Action]]):
    """Actions by code."""

    def of(self, code: str) -> Action | None:
        """The operator's action for a group, else the product's suggestion, else None."""
        return self.root.get(code) or _defaults().root.get(code)

    def words(self, code: str, language: Language) -> str:
        """What to do about a group, in a language; empty where nobody says."""
        action = self.of(code)
        return "" if action is None else action.text(language)

    @property
    def codes(self) -> frozenset[str]:
        """Groups that the operator's file names."""
        return frozenset(self.root)


def default_actions_toml() -> str:
    """The commented file that an operator starts from: what each analysis finds, with the product's suggestions."""
    places = ("clients.analysis", *(f"clients.analyses.{name}" for name in NAMES))
    return "\n".join(resources.files(place).joinpath("actions.toml").read_text(encoding="utf-8") for place in places)


def parse_actions(text: str) -> Actions:
    """Read the text of an ``actions.toml``.

    Raises:
        ConfigError: if it is not TOML, or a section holds something else than ``en`` and ``zh``.
    """
    try:
        return Actions.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"actions.toml is not valid TOML: {problem}", hint="mend the line named above") from None
    except ValidationError as problem:
        raise ConfigError(
            f"actions.toml cannot be used:\n{describe_validation(problem)}",
            hint='a section per code: [champions] en = "..." zh = "..."',
        ) from None


def read_actions(path: Path) -> Actions:
    """Read ``actions.toml``; where there is none, all groups keep the product's suggestions.

    Raises:
        ConfigError: if the file cannot be read or used.
    """
    try:
        return parse_actions(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Actions({})
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read as UTF-8 text", hint="save it as UTF-8") from None


@cache
def _defaults() -> Actions:
    return parse_actions(default_actions_toml())
