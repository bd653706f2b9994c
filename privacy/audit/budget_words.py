"""What is left of a budget, in sentences for people: on screens and pages, in every language."""

from __future__ import annotations

from privacy.audit.budget import BudgetLeft
from privacy.presentation.numbers import day_text
from privacy.presentation.texts import COMMON, Language, say


def budget_in_words(left: BudgetLeft | None, language: Language = "en") -> str:
    """The sentences; empty for a coordinator's ledger, which has no cap."""
    if left is None:
        return ""
    last = "" if left.like_last is None else say(COMMON, "budget_at_last_price", language, count=left.like_last)
    sentences = [
        say(COMMON, "budget_used", language, used=_percent(left.used)),
        say(COMMON, "budget_enough", language, count=left.fit_life, last=last),
    ]
    if left.period is not None:
        until = day_text(left.period.until, language)
        used = _percent(left.period.used)
        sentences.append(say(COMMON, "budget_of_period", language, count=left.period.fit, used=used, until=until))
    if left.slots is not None:
        life = f"{left.slots.life:.2f}"
        sentences.append(say(COMMON, "budget_slots", language, free=left.slots.free, of=left.slots.of, life=life))
    return say(COMMON, "sentence_gap", language).join(sentences)


def _percent(part: float) -> str:
    return f"{part:.0%}"
