"""The curve of what was spent over time, under its cap."""

from __future__ import annotations

from privacy.audit.report.texts import text
from privacy.audit.story import Story
from privacy.presentation.numbers import day_text, epsilon_text, plain
from privacy.presentation.pictures import HAIRLINE, INK, MUTED, REVENUE, figure, svg
from privacy.presentation.texts import Language

_WIDTH, _HEIGHT = 800, 300


def over_time(story: Story, language: Language) -> str:
    """Epsilon for one person at a holder after each day with charges, as an SVG element."""
    import datetime as dt

    days = list(story.days)
    values = [story.epsilon(story.for_a_person(own)) for own in story.days.values()]
    span = max((days[-1] - days[0]).days, 1)
    edge = dt.timedelta(days=max(1, span // 20))
    cap = next(iter(story.caps()), None)
    top = 1.15 * max([*values, cap.epsilon if cap else 0.0])
    canvas = figure(_WIDTH, _HEIGHT)
    axes = canvas.add_axes((0.06, 0.14, 0.90, 0.80))
    numbers = [(day - days[0]).days for day in (days[0] - edge, *days, days[-1] + edge)]
    axes.step(numbers, [0.0, *values, values[-1]], where="post", color=REVENUE, linewidth=2.5)
    axes.set_xlim(numbers[0], numbers[-1])
    axes.set_ylim(0, top)
    if cap is not None:
        axes.axhline(cap.epsilon, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        words = text("time_cap", language, cap=plain(cap.epsilon))
        place = (numbers[-1], cap.epsilon + top * 0.02)
        axes.text(*place, words, fontsize=12, color=INK, ha="right", parse_math=False)
    last = epsilon_text(values[-1])
    axes.text(numbers[-1], values[-1] + top * 0.02, last, fontsize=13, color=INK, ha="right", parse_math=False)
    ticks = [days[0], days[-1]] if len(days) > 1 else [days[0]]
    axes.set_xticks([(day - days[0]).days for day in ticks])
    axes.set_xticklabels([day_text(day, language) for day in ticks], fontsize=12, color=MUTED, parse_math=False)
    axes.tick_params(axis="both", length=0, pad=7, labelsize=12, labelcolor=MUTED)
    axes.grid(axis="y", color=HAIRLINE, linewidth=1)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(HAIRLINE)
    axes.patch.set_visible(False)
    alt = text(
        "time_alt",
        language,
        holder=story.owner,
        first=day_text(days[0], language),
        last=day_text(days[-1], language),
        spent=last,
        cap=plain(cap.epsilon) if cap else "–",
    )
    return svg(canvas, f"audit-{language}", alt)
