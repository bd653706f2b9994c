"""What the study report's frame says, and what several of its sections share."""

from __future__ import annotations

from privacy.presentation.texts import Texts

#: The texts of the frame, and those that all pages share.
text = Texts("server.report")
