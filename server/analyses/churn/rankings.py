"""Ways to rank customers, side by side on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from privacy.analyses.churn.results import RankingFigures
from privacy.presentation.words import on_terminal


def rankings_table(title: str, rows: Sequence[RankingFigures]) -> Table:
    """One line a way to rank customers."""
    columns = {
        "auc": ("AUC", 3, 1),
        "average_precision": ("average precision", 3, 1),
        "top_lift": ("lift, top tenth", 2, 1),
        "top_share": ("churned in the top tenth, %", 1, 100),
        "churn_rate": ("churned, %", 1, 100),
    }
    table = Table(
        title=title,
        caption="± is the half-width of the 95% interval, of the privacy noise and of chance",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("ranked by")
    for heading, _, _ in columns.values():
        table.add_column(heading, justify="right")
    for row in rows:
        figures = [
            on_terminal(getattr(row, key), decimals=decimals, scale=scale)
            for key, (_, decimals, scale) in columns.items()
        ]
        table.add_row(escape(row.code), *figures)
    return table
