"""Clusters on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
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

    say = partial(text, language=language)

    study = result.study
    words = cluster_words(clusters.figures, language, options=study.of(CONTRACT), currency=study.currency)
    table = Table(
        title=say("terminal_title", day=study.as_of, currency=study.currency),
        caption=say("terminal_interval", noise=say("terminal_noise")),
        title_justify="left",
        caption_justify="left",
    )
    # Spend is known only where customers are compared by it.
    with_revenue = any(row.revenue is not None for row in clusters.figures)
    table.add_column(say("terminal_cluster"), justify="right")
    table.add_column("")
    for column in ("terminal_records", "terminal_share_percent", *(("terminal_revenue",) if with_revenue else ())):
        table.add_column(say(column), justify="right")
    for row in clusters.figures:
        figures = [_written(row.customers, language, decimals=0), _written(row.share, language, decimals=1, scale=100)]
        if with_revenue:
            figures.append(_written(row.revenue, language, decimals=0))
        table.add_row(str(row.id), words[row.id], *figures)
    yield table


def _written(figure: Estimate | None, language: Language, *, decimals: int, scale: int = 1) -> str:
    return "" if figure is None else on_terminal(figure, language, decimals=decimals, scale=scale)
