"""What the auditor's report says."""

from __future__ import annotations

from privacy.presentation.texts import Texts

#: The texts of the report, and those that all pages share.
text = Texts("privacy.audit.report")
