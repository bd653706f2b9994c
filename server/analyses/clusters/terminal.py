"""Clusters on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.results import ClusterResult
from privacy.analyses.clusters.words import cluster_words
from privacy.figures.estimates import Estimate
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult


def tables(clusters: ClusterResult, result: StudyResult, folder: Path) -> Iterator[Table]:
    """One line a cluster."""
    study = result.study
    words = cluster_words(clusters.figures, "en", options=study.of(CONTRACT), currency=study.currency)
    table = Table(
        title=f"Clusters, {study.as_of}, {study.currency}",
        caption="± is the half-width of the 95% interval of the privacy noise; counts are customer records",
        title_justify="left",
        caption_justify="left",
    )
    # Spend is known only where customers are compared by it.
    with_revenue = any(row.revenue is not None for row in clusters.figures)
    for column in ("cluster", "", "records", "share, %", *(("revenue",) if with_revenue else ())):
        table.add_column(column, justify="left" if column == "" else "right")
    for row in clusters.figures:
        figures = [_written(row.customers, decimals=0), _written(row.share, decimals=1, scale=100)]
        if with_revenue:
            figures.append(_written(row.revenue, decimals=0))
        table.add_row(str(row.id), words[row.id], *figures)
    yield table


def _written(figure: Estimate | None, *, decimals: int, scale: int = 1) -> str:
    return "" if figure is None else on_terminal(figure, decimals=decimals, scale=scale)
