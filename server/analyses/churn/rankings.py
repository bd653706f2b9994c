"""Ways to rank customers, side by side on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from privacy.figures.ranking import RankingFigures
from privacy.presentation.texts import Language
from privacy.presentation.words import on_terminal
from server.analyses.churn.section import COLUMNS
from server.analyses.churn.texts import text


def rankings_table(title: str, rows: Sequence[RankingFigures], language: Language) -> Table:
    """One line a way to rank customers."""
    table = Table(
        title=title,
        caption=text("terminal_interval", language, noise=text("terminal_chance", language)),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column(text("quality_who", language))
    for key in COLUMNS:
        table.add_column(text(f"quality_{key}", language), justify="right")
    for row in rows:
        figures = [
            on_terminal(getattr(row, key), language, decimals=decimals, scale=scale)
            for key, (decimals, scale) in COLUMNS.items()
        ]
        table.add_row(text(f"quality_{row.code}", language), *figures)
    return table
