"""What halls need of this room: one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clients.analyses.churn.aged import own_ageing
from clients.analyses.churn.bands import BANDS
from clients.analyses.churn.contacts import candidates
from clients.analyses.churn.engine import OPACUS, TRAINING
from clients.analyses.churn.facts import narrowed, with_facts
from clients.analyses.churn.labels import FACTS, ScoreHistory, ScoreSnapshot
from clients.analyses.churn.own import OwnChurn, own_churn
from clients.analyses.churn.scoring import released_model, score, stated_correction
from clients.analyses.churn.section import SECTION
from clients.analysis import Earlier, HolderAnalysis, HolderContext
from clients.data.rows.kinds import OwnRows
from clients.labels.config import read_labels_config
from clients.labels.export import publish
from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.local_training import LocalTraining
from privacy.analyses.churn.network_gradient import NetworkGradient
from privacy.analyses.churn.results import ChurnResult
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.features import FeatureTable
from privacy.results import StudyResult
from privacy.statistics import Rows, Statistic

NAME = "churn"


def own_features(context: HolderContext) -> OwnRows[FeatureTable]:
    """Features and facts of the holder's customers at the days of the study's churn analysis, as the study saw them."""
    # What scores need beside the study's features is asked for with them, so that both are of the same rows.
    return context.rows(with_facts(context.study.of(CONTRACT).request(context.study.as_of)))


def _reads(context: HolderContext) -> Rows:
    return narrowed(own_features(context).table, context.study.of(CONTRACT).request(context.study.as_of).names)


def _fits(figures: ChurnResult, answered: Sequence[Statistic[Any]]) -> bool:
    return figures.model == released_model(answered)


def _own(
    context: HolderContext, figures: ChurnResult, result: StudyResult, before: Callable[[], Earlier | None]
) -> OwnChurn | None:
    model = released_model(context.asked(NAME))
    if model is None:
        return None
    earlier = context.history(ScoreHistory).latest(context.study.name, before=context.study.as_of)
    contacts = read_labels_config(context.root).contacts
    own = own_churn(own_features(context), model, context.study, figures, earlier=earlier, contacts=contacts)
    return dataclasses.replace(own, aged=own_ageing(context.rows, model, context.study, own))


def _label(context: HolderContext) -> Sequence[Path]:
    model, study = released_model(context.asked(NAME)), context.study
    if model is None or NAME not in study.analyses or _is_untold(context.stated):
        return ()

    def make() -> ScoreSnapshot:
        features = own_features(context)
        last = len(study.of(CONTRACT).days(study.as_of)) - 1
        correction = stated_correction(context.stated, model)
        horizon = study.of(CONTRACT).horizon_days
        scores = score(model, features.table, last, horizon_days=horizon, correction=correction)
        return ScoreSnapshot.of(scores, features.ids, context.customers(CustomerRequest()), model, study)

    return publish(make, context.history(ScoreHistory), context.root)


def _is_untold(stated: str | None) -> bool:
    """Whether the coordinator's result says that the model cannot be told from the noise: then it labels nobody."""
    try:
        return NAME in StudyResult.model_validate_json(stated or "").untold
    except ValueError:
        return False


def _knows(code: str, result: StudyResult) -> bool:
    return any(code == band.code for band in BANDS)


ANALYSIS: HolderAnalysis[ChurnResult, OwnChurn] = HolderAnalysis(
    name=NAME,
    reads=_reads,
    fits=_fits,
    own=_own,
    section=SECTION,
    label=_label,
    history=ScoreHistory,
    engines={NetworkGradient: OPACUS, LocalTraining: TRAINING},
    knows=_knows,
    contacts=candidates,
    facts=FACTS,
)
