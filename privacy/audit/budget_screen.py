"""A budget plan on the screen."""

from __future__ import annotations

import math

from rich.markup import escape
from rich.table import Table

from privacy.audit.budget import BudgetPlan
from privacy.presentation.numbers import many
from privacy.presentation.terminal import screen, up


def show_plan(plan: BudgetPlan) -> None:
    """Print what is left of each cap, and what can still be asked."""
    table = Table(
        title=f"Budget of {escape(plan.owner)}, for one person, counted at {many(plan.k, 'holder')}",
        title_justify="left",
    )
    for column in ("cap", "epsilon", "delta", "spent", "used", "one study that still fits"):
        table.add_column(column, justify="left" if column == "cap" else "right")
    for cap in plan.caps:
        name = "for life" if cap.until is None else f"this period, to {cap.until}"
        left = max(0.0, math.floor(cap.remaining * 1000) / 1000)
        table.add_row(
            name, f"{cap.epsilon:g}", f"{cap.delta:.0e}", up(cap.spent), f"{100 * cap.used:.0f}%", f"epsilon {left:.3f}"
        )
    screen.print(table)
    later = "" if plan.fit_later is None else f", {plan.fit_later} in each later period"
    screen.print(
        f"Studies of epsilon {plan.study_epsilon:g} at delta {plan.study_delta:.0e}: [bold]{plan.fit_now}[/] fit "
        f"now{later}, {plan.fit_life} for life. After {plan.fit_now} of them, epsilon for life is {up(plan.after)}."
    )
    if plan.study_k < plan.k:
        screen.print(
            f"That study counts one person at {many(plan.study_k, 'holder')}, this ledger at {plan.k}: it takes "
            f"{(plan.k / plan.study_k) ** 2:.4g} times as much of the caps as of its own promise.",
            soft_wrap=True,
        )
    if plan.k > 1:
        screen.print(
            f"K = {plan.k}: at how many holders of the federation one of your customers is counted. If they are at "
            "fewer, declare it: `cohortium holder declare`, and `cohortium holder persons` once a roster carries it.",
            soft_wrap=True,
        )
    if plan.periods is not None:
        screen.print(
            f"The lifetime cap lasts for {plan.periods} more full periods: P of them add up to sqrt(P) times mu."
        )
    if plan.slots is not None:
        screen.print(
            f"Trainings on samples: {plan.slots.free} of {many(plan.slots.of, 'slot')} free, beside the caps: "
            f"with all of them, and the lifetime cap used to its end, epsilon for life is {up(plan.slots.life)}.",
            soft_wrap=True,
        )
    for cap in plan.caps:
        if cap.warn:
            where = "lifetime cap" if cap.until is None else "cap of this period"
            screen.print(f"[yellow]Warning:[/] {100 * cap.used:.0f}% of the {where} are used.")
