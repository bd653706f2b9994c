"""Clusters on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.results import ClusterResult
from privacy.analyses.clusters.words import cluster_words
from privacy.presentation.numbers import shown
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
        figures = [shown(row.customers, decimals=0), row.share and shown(row.share, decimals=1, scale=100)]
        if with_revenue:
            figures.append(row.revenue and shown(row.revenue, decimals=0))
        table.add_row(
            str(row.id),
            words[row.id],
            *("" if figure is None else f"{figure.value} ±{figure.margin}" for figure in figures),
        )
    yield table
