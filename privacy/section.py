"""One analysis' part of a page: what a page's frame asks of it. The same form for the report and the holder's page.

A frame knows no analysis by name. It goes through the sections that it is given, and puts their bodies where they
belong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from privacy.presentation.texts import Language, Texts
from privacy.results import StudyResult

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class View(Generic[R]):
    """What a section is made of, in one language.

    Attributes:
        figures: the analysis' own figures.
        result: the run that they come from.
        language: of the texts.
        text: the section's texts.
    """

    figures: R
    result: StudyResult
    language: Language
    text: Texts

    @property
    def say(self) -> Callable[..., str]:
        """A text by its key, in the language of the view."""
        return partial(_say, self.text, self.language)


def _say(text: Texts, language: Language, key: str, **fields: object) -> str:
    return text(key, language, **fields)


@dataclass(frozen=True, kw_only=True)
class Section(Generic[R]):
    """An analysis' section.

    Attributes:
        package, template: where its template is; it gets ``values``, those of ``body``, and ``t``, its texts.
        text: its texts.
        body: what the template needs.
    """

    package: str
    template: str = "section.html.j2"
    text: Texts
    body: Callable[[Any], Mapping[str, Any]]

    def rendered(self, view: View[R]) -> dict[str, Any]:
        """What a frame hands to its template for this section."""
        return {"template": f"{self.package}/{self.template}", "values": self.body(view), "t": view.say}
