"""What lists of customers brought, on the holder's page: first of all, since it says whether last month's work paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from clients.campaigns.effects import Doubt
from clients.campaigns.ended import Told
from privacy.figures.estimates import Estimate
from privacy.kernel.terms import minor_digits
from privacy.presentation.numbers import day_text
from privacy.presentation.texts import Language

#: Why nothing is said.
_DOUBTS: dict[Doubt, str] = {
    "few": "brought_few",
    "not_as_drawn": "brought_not_as_drawn",
    "control_contacted": "brought_control_contacted",
    "stale": "brought_stale",
}


def brought(campaigns: Sequence[Told], say: Callable[..., str], language: Language) -> dict[str, Any] | None:
    """Findings and rows of the table; None where no list's days have ended lately.

    Args:
        campaigns: the newest first.
        say: texts in the page's language.
        language: the page's.
    """
    shown = [one for one in campaigns if one.effect is not None]
    if not shown:
        return None
    return {
        "findings": [_finding(one, say) for one in shown],
        "rows": [_row(one, say, language) for one in shown if one.effect and one.effect.bought is not None],
        "many": len(shown) > 1,
    }


def _finding(one: Told, say: Callable[..., str]) -> str:
    found = one.effect
    if found is None or found.verdict is None or found.more_buyers is None:
        return say(_DOUBTS[found.doubt or "few"] if found else "brought_few", campaign=one.code)
    more = found.more_buyers
    low, high = more.interval
    if found.verdict == "unclear":
        return say("brought_unclear", campaign=one.code, fewer=f"{-low:,.0f}", more=f"{high:,.0f}")
    ends = sorted((abs(low), abs(high)))
    key = "brought_more" if found.verdict == "more" else "brought_fewer"
    return say(key, campaign=one.code, count=f"{abs(more.value):,.0f}", low=f"{ends[0]:,.0f}", high=f"{ends[1]:,.0f}")


def _row(one: Told, say: Callable[..., str], language: Language) -> dict[str, Any]:
    found, measured = one.effect, one.measured
    if found is None:
        raise ValueError("nobody's days are over")
    unit = 10 ** minor_digits(measured.currency)
    return {
        "campaign": one.code,
        "days": say("days_from_to", first=day_text(measured.first, language), last=day_text(measured.last, language)),
        "contacted": _arm(found.contacted, found.contacted_bought),
        "control": _arm(found.control, found.control_bought),
        "bought": _interval(found.bought, 100, 1),
        "spent": _interval(found.more_spent, 1 / unit, 0),
        "currency": measured.currency,
    }


def _arm(count: int, bought: int) -> str:
    return f"{bought / count:.1%} / {count:,}"


def _interval(estimate: Estimate | None, factor: float, digits: int) -> str:
    if estimate is None:
        return "–"
    low, high = (factor * end for end in estimate.interval)
    return f"{factor * estimate.value:+,.{digits}f} ({low:+,.{digits}f} … {high:+,.{digits}f})"
