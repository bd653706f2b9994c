"""Everything that ranks customers: trained models, and what they are compared with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from privacy.analyses.churn.models import FeatureRank, IntArray, LogisticModel, NetworkModel
from privacy.analyses.churn.prior import MbgPrior
from privacy.kernel.features import FeatureTable

#: What a study trains.
ChurnModel = LogisticModel | NetworkModel
#: What a question may rank customers by.
Scorer = ChurnModel | FeatureRank | MbgPrior
Model = Annotated[Scorer, Field(discriminator="kind")]


def reads(model: Scorer) -> frozenset[str]:
    """The features that a model looks at."""
    if isinstance(model, MbgPrior):
        return frozenset(model.FACTS)
    return frozenset(feature.name for feature in model.features)


def logits_of(model: Scorer, table: FeatureTable, day: int) -> IntArray:
    """Logits of every customer on a day, eligible or not, in units of 1 / LOGIT; shape ``(customers,)``."""
    if isinstance(model, MbgPrior):
        return model.of(table, day)
    return model.logits(table.scaled(model.features, day))
