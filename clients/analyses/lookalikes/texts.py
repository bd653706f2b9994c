"""What this room says on pages."""

from __future__ import annotations

from clients.analysis.texts import text as frame
from privacy.presentation.texts import Texts

#: The texts of the section, and those of the page around it.
text = Texts("clients.analyses.lookalikes", frame)
