"""Clusters on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from privacy.analyses.clusters import CONTRACT
from privacy.analyses.clusters.results import ClusterResult
from privacy.analyses.clusters.words import cluster_words
from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language
from privacy.presentation.words import on_terminal
from privacy.results import StudyResult
from server.analyses.clusters.texts import text


def tables(clusters: ClusterResult, result: StudyResult, folder: Path, language: Language) -> Iterator[Table]:
    """One line a cluster."""

    def say(key: str, **fields: object) -> str:
        return text(f"terminal_{key}", language, **fields)

    study = result.study
    words = cluster_words(clusters.figures, language, options=study.of(CONTRACT), currency=study.currency)
    table = Table(
        title=say("title", day=study.as_of, currency=study.currency),
        caption=say("interval", noise=say("noise")),
        title_justify="left",
        caption_justify="left",
    )
    # Spend is known only where customers are compared by it.
    with_revenue = any(row.revenue is not None for row in clusters.figures)
    table.add_column(say("cluster"), justify="right")
    table.add_column("")
    for column in ("records", "share_percent", *(("revenue",) if with_revenue else ())):
        table.add_column(say(column), justify="right")
    for row in clusters.figures:
        figures = [_written(row.customers, language, decimals=0), _written(row.share, language, decimals=1, scale=100)]
        if with_revenue:
            figures.append(_written(row.revenue, language, decimals=0))
        table.add_row(str(row.id), words[row.id], *figures)
    yield table


def _written(figure: Estimate | None, language: Language, *, decimals: int, scale: int = 1) -> str:
    return "" if figure is None else on_terminal(figure, language, decimals=decimals, scale=scale)
