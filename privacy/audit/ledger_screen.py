"""A ledger on the screen."""

from __future__ import annotations

from itertools import groupby

from rich.markup import escape
from rich.table import Table

from privacy.audit.budget_words import budget_in_words
from privacy.audit.ledger_view import LedgerView
from privacy.presentation.terminal import screen, up


def show_ledger(view: LedgerView) -> None:
    """Print a ledger's charges, run by run, and what they add up to."""
    screen.print(
        f"Ledger of {view.role} [bold]{escape(view.owner)}[/]: {view.entries} entries, chain intact, "
        f"head {view.head[:16]}…"
    )
    table = Table()
    for column in ("study", "as of", "charged", "question", "outcome", "epsilon", "total"):
        table.add_column(column, justify="right" if column in ("epsilon", "total") else "left")
    for _, charges in groupby(view.charges, key=lambda charge: charge.run):
        name, as_of = "", ""
        for place, charge in enumerate(charges):
            if place == 0:
                name, as_of = escape(charge.study), "-" if charge.as_of is None else str(charge.as_of)
            again = f", attempt {charge.attempt}" if charge.attempt > 1 else ""
            table.add_row(
                name, as_of, str(charge.day), escape(charge.question) + again, charge.outcome, up(charge.epsilon),
                up(charge.total),
            )  # fmt: skip
            name = as_of = ""
        table.add_section()
    screen.print(table)
    if view.cap_epsilon is not None:
        screen.print(
            f"Spent for one person over all studies, at K = {view.counted} of the federation's holders: epsilon "
            f"{up(view.spent_epsilon)} of at most {view.cap_epsilon:g} at delta {view.delta:.0e}",
            soft_wrap=True,
        )
    for note in view.notes:
        screen.print(f"[yellow]Note:[/] {escape(note)}")
    if words := budget_in_words(view.left):
        screen.print(words, soft_wrap=True)
