"""Three findings in plain words; each claims only what noise and chance leave standing."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence

from clients.analyses.rfm.comparison import MEASURES, SegmentLine
from clients.analyses.rfm.movement import Movement
from clients.analyses.rfm.texts import text
from clients.analysis.comparison import Compared
from privacy.analyses.rfm.segments import CutPoints
from privacy.analyses.rfm.words import segment_name
from privacy.figures.estimates import Estimate
from privacy.kernel.terms import minor_digits
from privacy.presentation.numbers import day_text, shown
from privacy.presentation.texts import Language
from privacy.presentation.words import percent, with_interval

#: Measures that are shares, shown in per cent.
SHARES = frozenset(("repurchase", "top_spenders", "recent_five", "recent_four"))


def decimals_of(measure: str, currency: str) -> int:
    """Most decimals that make sense for a measure that is not a share."""
    return 2 if measure == "orders_per_customer" else minor_digits(currency)


def findings(
    compared: Mapping[str, Compared],
    lines: Sequence[SegmentLine],
    moved: tuple[dt.date, Movement] | None,
    language: Language,
    *,
    cuts: CutPoints,
    currency: str,
) -> list[str]:
    """At most three: what is best, what is worst, movement, the most unusual segment, where the money comes from.

    Args:
        compared: measures, compared.
        lines: segments, compared.
        moved: an earlier day and the movement since, if there is one.
        language: of the sentences.
        cuts: the released cut points.
        currency: of the study.
    """
    known = [(name, compared[name]) for name in MEASURES if name in compared]
    best = max(known, key=lambda item: item[1].strength, default=None)
    worst = min(known, key=lambda item: item[1].strength, default=None)
    sentences = [
        text(found, language, claim=_claim(*chosen, language, cuts=cuts, currency=currency))
        for chosen, verdict, found in ((best, "higher", "ahead"), (worst, "lower", "behind"))
        if chosen is not None and chosen[1].verdict == verdict
    ]
    if not sentences:
        sentences.append(text("nowhere", language, count=len(known)))
    if moved is not None:
        since, moves = moved
        sentences.append(
            text(
                "moved",
                language,
                day=day_text(since, language),
                up=f"{moves.up:,}",
                down=f"{moves.down:,}",
                new=f"{int(moves.new.sum()):,}",
            )
        )
    sentences += [*_unusual(lines, language), *_concentrated(lines, language)]
    return sentences[:3]


def exact_share(value: float) -> str:
    """One's own share, exact: ``21.4%``."""
    return f"{100 * value:.1f}%"


def _claim(name: str, compared: Compared, language: Language, *, cuts: CutPoints, currency: str) -> str:
    everyone = compared.shown or Estimate(value=math.nan, margin=0.0)
    days = cuts.recency_days[0 if name == "recent_five" else 1]
    if name in SHARES:
        own, others = exact_share(compared.own.value), percent(everyone, language)
    else:
        decimals = decimals_of(name, currency)
        own = shown(Estimate(value=compared.own.value, margin=0.0), decimals=decimals).value
        others = with_interval(everyone, language, decimals=decimals)
    return text(f"claim_{name}", language, own=own, all=others, days=f"{days:,}", currency=currency)


def _unusual(lines: Sequence[SegmentLine], language: Language) -> list[str]:
    """The segment whose share of customers stands out most, if any does."""
    line = max(lines, key=lambda line: abs(line.share_of_customers.strength), default=None)
    if line is None or line.share_of_customers.shown is None or abs(line.share_of_customers.strength) <= 1:
        return []
    share = line.share_of_customers
    return [
        text(
            "over" if share.verdict == "higher" else "under",
            language,
            segment=segment_name(line.figures, language),
            own=exact_share(share.own.value),
            all=percent(line.share_of_customers.shown, language),
        )
    ]


def _concentrated(lines: Sequence[SegmentLine], language: Language) -> list[str]:
    """The holder's own segment with most revenue, exact; nothing where its revenue is not positive."""
    total = sum(line.revenue for line in lines)
    if total <= 0:
        return []
    line = max(lines, key=lambda line: line.revenue)
    return [
        text(
            "concentrated",
            language,
            segment=segment_name(line.figures, language),
            customers=exact_share(line.share_of_customers.own.value),
            revenue=exact_share(line.revenue / total),
        )
    ]
