"""Pictures are drawn once a process: the same input gives the same bytes, and tests of texts draw the same again.

A page costs what its pictures do, and most tests of pages look for words. What is remembered is told apart by all that
the drawing is given, to the last digit; what is drawn is what the product draws. ``drawn.__wrapped__`` draws anew.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import wraps

import cohortium  # noqa: F401  first: where a release is installed, it puts its parts on the path
from privacy.presentation import charts

#: Every kind of picture.
KINDS = tuple(
    name for name in charts.__all__ if callable(getattr(charts, name)) and name[0].islower() and name != "share_mark"
)


def draw_once() -> None:
    """To be called before anything takes a kind of picture out of ``charts`` by its name."""
    for name in KINDS:
        setattr(charts, name, _once(getattr(charts, name)))


def _once(draw: Callable[..., str]) -> Callable[..., str]:
    drawn: dict[bytes, str] = {}

    @wraps(draw)
    def remembered(*given: object, **named: object) -> str:
        key = pickle.dumps((given, sorted(named.items())))
        if key not in drawn:
            drawn[key] = draw(*given, **named)
        return drawn[key]

    return remembered
