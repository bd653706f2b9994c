"""All texts of the report, for tests that read whole pages."""

from __future__ import annotations

from collections import ChainMap

from privacy.presentation.texts import Language, Text, say
from server.analyses.catalogue import ANALYSES

#: Of all sections, and of the frame.
REPORT: ChainMap[str, Text] = ChainMap(*(analysis.section.text for analysis in ANALYSES))


def text(key: str, language: Language, **fields: object) -> str:
    """A text of the report, whoever says it."""
    return say(REPORT, key, language, **fields)
