"""One analysis' part of a page: what the page's frame asks of it. The same form for the report and the holder's page.

A frame knows no analysis by name. It goes through the sections that it is given, and puts their cards, findings and
bodies where they belong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from privacy.contract.results import StudyResult
from privacy.presentation.cells import Cell
from privacy.presentation.texts import Language, Texts

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class View(Generic[R]):
    """What a section is made of, in one language.

    Attributes:
        figures: the analysis' own figures.
        result: the run that they come from.
        language: of the texts.
        text: the section's texts.
        counted: whether a section before it says how many customer records there are.
    """

    figures: R
    result: StudyResult
    language: Language
    text: Texts
    counted: bool = False

    @property
    def say(self) -> Callable[..., str]:
        """A text by its key, in the language of the view."""
        return partial(_say, self.text, self.language)


def _say(text: Texts, language: Language, key: str, **fields: object) -> str:
    return text(key, language, **fields)


def no_cards(view: View[Any]) -> Sequence[Cell]:
    """For a section that has no large figures of its own."""
    return ()


def nothing(view: View[Any]) -> Sequence[str]:
    """For a section that has none of something."""
    return ()


@dataclass(frozen=True, kw_only=True)
class Section(Generic[R]):
    """An analysis' section.

    Attributes:
        package, template: where its template is; it gets ``section``, the values of ``body``, and ``t``, its texts.
        text: its texts.
        title: key of the page's title where this is the only section.
        missing: keys of what is said of one holder that dropped out, and of several.
        cards: the large figures at the top of the page.
        findings: the main findings, one to three sentences.
        body: what the template needs.
        notes: small print under the cards; a note that an earlier section gave already is not said again.
        counts: whether it says how many customer records there are.
    """

    package: str
    template: str = "section.html.j2"
    text: Texts
    title: str
    missing: tuple[str, str]
    body: Callable[[Any], Mapping[str, Any]]
    cards: Callable[[View[R]], Sequence[Cell]] = no_cards
    findings: Callable[[View[R]], Sequence[str]] = nothing
    notes: Callable[[View[R]], Sequence[str]] = nothing
    counts: bool = False
