"""What a check of a holder's data found."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    """Something to mend or to know, and what to do about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    text: str
    hint: str = ""
