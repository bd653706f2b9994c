"""``cohortium study tables``: what the catalogue has, and what a table would cost and be worth."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, print_json, screen


def study_tables(
    size: Annotated[int, typer.Option(help="Customers of all holders together.", min=100)] = 100_000,
    epsilon: Annotated[float, typer.Option(help="Budget of a study that asks this table alone.", min=0.01)] = 1.0,
    k: Annotated[int, typer.Option(help="At how many holders one person may be a customer.", min=1)] = 1,
    as_json: Json = False,
) -> None:
    """List the tables that a study may use, with how exact each would be if a study asked it alone."""
    from server.analyses.tables.listing import listed

    if size * k > 1_000_000_000:
        raise ConfigError("so many customers there are not", hint="choose a smaller --size")
    rows = listed(size=size, epsilon=epsilon, k=k)
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    table = Table(
        title=f"Tables, if {size:,} customers are asked each alone at epsilon {epsilon:g}",
        caption="A cell is off by up to so many customers (95%): of itself, if customers fill all cells alike. "
        "n tables of one study: about sqrt(n) times as much. `cohortium study check` says it of a study.",
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("table, and what it reads and lists")
    for column in ("cells", "off by", "of itself"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        figures = (f"{row.cells:,}", f"{row.margin:,.0f}", f"{100 * row.of_itself:.1f}%")
        named = f"; lists {', '.join(row.lists)}" if row.lists else ""
        table.add_row(f"[bold]{row.name}[/]\n[dim]{', '.join(row.needs)}{named}[/]", *figures)
    screen.print(table)


#: Commands of ``cohortium study``, by name.
OF_STUDIES = {"tables": study_tables}
