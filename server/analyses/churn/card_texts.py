"""What a model's card says."""

from __future__ import annotations

from privacy.presentation.texts import Texts
from server.analyses.churn.texts import text as section

#: The texts of the card, and those of the section on churn.
text = Texts("server.analyses.churn", section, name="card.toml")
