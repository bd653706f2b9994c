"""What the auditor's report says."""

from __future__ import annotations

from privacy.presentation.texts import Language, Text, Texts, read_texts

#: The texts of the report, and those that all pages share.
text = Texts("privacy.audit.report")

#: What claims are called, by their names.
CLAIMS: dict[str, Text] = read_texts("privacy.audit.report", "claims.toml")


def claim_text(name: str, language: Language) -> str:
    """A claim as a page in a language calls it, with the name that ``audit verify`` prints; that alone in English."""
    said = CLAIMS[name][language] if name in CLAIMS else name
    return name if said == name else text("claim_named", language, said=said, name=name)
