"""The curve of what was spent over time, under its cap."""

from __future__ import annotations

from privacy.audit.report.texts import text
from privacy.audit.timeline import Story
from privacy.presentation.charts import Mark, staircase
from privacy.presentation.numbers import day_text, epsilon_text, plain
from privacy.presentation.pictures import Form, Width
from privacy.presentation.texts import Language


def over_time(story: Story, language: Language, width: Width) -> str:
    """Epsilon for one person at a holder after each day with charges, as an SVG element."""
    days = list(story.days)
    values = [story.epsilon(story.for_a_person(own)) for own in story.days.values()]
    cap = next(iter(story.caps()), None)
    first, last, spent = day_text(days[0], language), day_text(days[-1], language), epsilon_text(values[-1])
    limit = plain(story.most_for_life(cap)) if cap else "–"
    alt = text("time_alt", language, holder=story.owner, first=first, last=last, spent=spent, cap=limit)
    return staircase(
        days,
        [Mark(value, words=spent) for value in values],
        Mark(story.most_for_life(cap), words=text("time_cap", language, cap=limit)) if cap else None,
        (first, last),
        Form(alt=alt, salt=f"audit-{language}", width=width),
    )
