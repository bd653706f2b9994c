"""What an analysis is expected to be worth, from public facts alone: for ``study check``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Expectation(BaseModel):
    """One expected error.

    Attributes:
        analysis: whose.
        code: stable name, for programs.
        value: the figure; half-width of a 95% interval unless ``text`` says otherwise.
        text: the figure in words, as a row of ``study check``: what, two spaces or more, how far off.
        warning: what to do about it where it is too large; empty where it is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    analysis: str
    code: str
    value: float
    text: str
    warning: str = ""
