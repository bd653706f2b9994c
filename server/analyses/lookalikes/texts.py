"""What this room says on pages."""

from __future__ import annotations

from privacy.presentation.texts import Texts
from server.analysis.texts import text as frame

#: The texts of the section, and those of the report around it.
text = Texts("server.analyses.lookalikes", frame)
