"""What the figures of a study would be without noise, caps and scaling, over a generated world: the truth beside each.

Cells come from slow loops over the clean feeds (:mod:`simulations.worlds.table_truth`), which share no code with the
queries of holders; figures are made from them as they are made from releases. So a run over the world can be checked
figure by figure, from the rows to the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from privacy.figures.estimates import Figures
from privacy.kernel.declarations import CellTable
from privacy.protocol.study import Study
from server.analyses.catalogue import ANALYSES
from simulations.worlds.clean_feeds import true_totals


def true_figures(folder: Path, holders: Iterable[str], study: Study) -> dict[str, Figures]:
    """The figures of each analysis of a study that are made of declared tables' cells.

    Args:
        folder: of a world that was generated with feeds.
        holders: those that take part.
        study: of the day that the world was generated for, with everything resolved that refers to earlier runs.
    """
    chosen = tuple(holders)

    def totals(table: CellTable) -> list[list[int]]:
        return true_totals(folder, chosen, study.as_of, table)

    asked = [analysis for analysis in ANALYSES if analysis.name in study.analyses]
    found = {analysis.name: analysis.exact(study, totals) for analysis in asked if analysis.exact is not None}
    return {name: figures for name, figures in found.items() if isinstance(figures, Figures)}


def write_true_figures(folder: Path, holders: Iterable[str], study: Study) -> Path:
    """Write them beside ``truth.json``, in ``true_figures.json``, in the form of a result; no holder has it."""
    found = {name: figures.model_dump(mode="json") for name, figures in true_figures(folder, holders, study).items()}
    path = folder / "true_figures.json"
    path.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path
