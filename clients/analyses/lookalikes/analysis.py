"""What halls need of this room: one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clients.analyses.lookalikes.bands import BANDS
from clients.analyses.lookalikes.labels import FACTS, LookalikeHistory, LookalikeSnapshot
from clients.analyses.lookalikes.own import OwnLookalikes, own_lookalikes
from clients.analyses.lookalikes.scoring import released_model, score
from clients.analyses.lookalikes.section import SECTION
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from clients.labels.export import publish
from privacy.analyses.lookalikes import CONTRACT
from privacy.analyses.lookalikes.results import LookalikesResult
from privacy.kernel.customers import CustomerRequest
from privacy.results import StudyResult
from privacy.statistics import Statistic

NAME = "lookalikes"


def _fits(figures: LookalikesResult, answered: Sequence[Statistic[Any]]) -> bool:
    return figures.model == released_model(answered)


def _own(
    context: HolderContext, figures: LookalikesResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnLookalikes | None:
    model = released_model(context.asked(NAME))
    if model is None:
        return None
    rows = context.rows(context.study.row_requests[NAME])
    # Who is chosen by what is known today did not do by chance what came before: a group tries no model.
    return own_lookalikes(rows, model, context.study, figures, trying=context.of_all)


def _label(context: HolderContext) -> Sequence[Path]:
    model, study = released_model(context.asked(NAME)), context.study
    if model is None or NAME not in study.analyses:
        return ()

    def make() -> LookalikeSnapshot:
        options, rows = study.of(CONTRACT), context.rows(study.row_requests[NAME])
        scores = score(model, rows.table, options.training_days + 1, list_share=float(options.list_share))
        return LookalikeSnapshot.of(scores, rows.ids, context.customers(CustomerRequest()), study)

    return publish(make, context.history(LookalikeHistory), context.root)


def _knows(code: str, result: StudyResult) -> bool:
    return any(code == band.code for band in BANDS)


ANALYSIS: HolderAnalysis[LookalikesResult, OwnLookalikes] = HolderAnalysis(
    name=NAME,
    fits=_fits,
    own=_own,
    section=SECTION,
    label=_label,
    history=LookalikeHistory,
    knows=_knows,
    facts=FACTS,
)
