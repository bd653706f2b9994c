"""Whether a model that is tested again has aged on the holder's own customers: exact figures of both days, and free."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clients.analyses.churn.facts import Facts, with_facts
from clients.analyses.churn.own import OwnChurn
from clients.analyses.churn.quality import ranked
from clients.data.rows.kinds import OwnRows
from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.ageing import Ageing, ageing
from privacy.analyses.churn.recalibration import recalibration
from privacy.analyses.churn.results import EarlierTest
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FeatureTable
from privacy.kernel.row_requests import RowRequest
from privacy.models.scorers import ChurnModel, logits_of
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study


def own_ageing(
    rows: Callable[[RowRequest], OwnRows[FeatureTable]], model: ChurnModel, study: Study, own: OwnChurn
) -> Ageing | None:
    """The model's test on the holder's own customers, against the same on the day of its first test.

    Both days are looked at in the source as it is today; margins are chance alone.

    Args:
        rows: what the holder makes of its customers for a request.
        model: the one that was released.
        study: what was agreed; it carries the earlier tests where the model is an earlier run's.
        own: the holder's figures of this run.

    Returns:
        None for a model of this run, and where one of the two days says too little.
    """
    options = study.of(CONTRACT)
    if options.known is None or "model" not in own.rankings:
        return None
    days = (options.known.tests[0].test_day, options.days(study.as_of)[options.test])
    if days[0] >= days[1]:
        return None
    request = with_facts(options.request(study.as_of)).model_copy(update={"days": days})
    table = rows(FeatureRequest.model_validate(dict(request))).table
    then, now = (_test(model, table, place, day.isoformat(), study) for place, day in enumerate(days))
    return None if then is None or now is None else ageing(now, (then,))


def _test(model: ChurnModel, table: FeatureTable, place: int, day: str, study: Study) -> EarlierTest | None:
    facts = Facts.of(table, place)
    outcome = table.outcome[facts.rows, place]
    if not np.isin(outcome, (0, 1)).all():
        return None
    logits = logits_of(model, table, place)[facts.rows]
    found = ranked("model", logits, outcome, length=float(study.of(CONTRACT).list_share))
    if found is None:
        return None
    distinct, where = np.unique(logits, return_inverse=True)
    counts = np.bincount(2 * where + outcome, minlength=2 * len(distinct)).reshape(-1, 2).astype(np.float64)
    fitted = recalibration(counts, distinct / LOGIT)
    return EarlierTest(
        test_day=day,
        auc=found.figures.auc,
        listed=found.listed.rate,
        churn_rate=found.figures.churn_rate,
        level=None if fitted is None else fitted.level,
    )
