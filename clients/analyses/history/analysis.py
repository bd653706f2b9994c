"""What halls need of this room: one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clients.analyses.history.bands import BANDS
from clients.analyses.history.labels import FACTS, PurchaseHistory, PurchaseSnapshot
from clients.analyses.history.own import NOW, OwnHistory, own_history, own_request
from clients.analyses.history.recipes import RECIPES
from clients.analyses.history.scoring import released, score
from clients.analyses.history.section import SECTION
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from clients.data.rows.kinds import OwnRows
from clients.labels.export import publish
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.history_cells import HistoryCells
from privacy.analyses.history.results import HistoryResult
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.features import FeatureTable
from privacy.kernel.terms import minor_digits
from privacy.results import StudyResult
from privacy.statistics import Rows, Statistic

NAME = "history"


def _own_rows(context: HolderContext) -> OwnRows[FeatureTable]:
    return context.rows(own_request(context.study))


def _reads(context: HolderContext) -> Rows:
    """The study's day alone: encoders see nothing of the earlier one, which the holder's page needs."""
    table = _own_rows(context).table
    return dataclasses.replace(
        table,
        values=table.values[:, NOW:],
        eligible=table.eligible[:, NOW:],
        outcome=table.outcome[:, NOW:],
    )


def _fits(figures: HistoryResult, answered: Sequence[Statistic[Any]]) -> bool:
    """Whether the model is of the window that was asked about."""
    windows = [one.window_days for one in answered if isinstance(one, HistoryCells)]
    return windows[-1:] == [figures.window_days]


def _own(
    context: HolderContext, figures: HistoryResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnHistory | None:
    # Who is chosen by what is known today did not do by chance what came before: a group tries no model.
    return own_history(_own_rows(context), context.study, figures, trying=context.of_all)


def _label(context: HolderContext) -> Sequence[Path]:
    figures, study = released(context.stated), context.study
    if figures is None or NAME not in study.analyses:
        return ()

    def make() -> PurchaseSnapshot:
        rows, options = _own_rows(context), study.of(CONTRACT)
        scores = score(figures, rows.table, NOW, options, unit=10 ** minor_digits(study.currency))
        return PurchaseSnapshot.of(scores, rows.ids, context.customers(CustomerRequest()), study)

    return publish(make, context.history(PurchaseHistory), context.root)


def _knows(code: str, result: StudyResult) -> bool:
    return any(code == band.code for band in BANDS)


ANALYSIS: HolderAnalysis[HistoryResult, OwnHistory] = HolderAnalysis(
    name=NAME,
    fits=_fits,
    own=_own,
    section=SECTION,
    label=_label,
    history=PurchaseHistory,
    recipes=RECIPES,
    reads=_reads,
    knows=_knows,
    facts=FACTS,
)
