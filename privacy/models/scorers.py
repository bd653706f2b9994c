"""Everything that ranks customers: trained models, and what they are compared with."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from privacy.kernel.canonical import Noun
from privacy.kernel.features import FeatureTable, ScaledFeature
from privacy.models.priors import Prior
from privacy.models.trained import (
    FeatureRank,
    IntArray,
    LogisticModel,
    NetworkModel,
    Weights,
    linear_logits,
)
from privacy.models.trees import TreesModel


class PriorModel(Noun):
    """A public formula and a linear correction that was learnt: their logits are added up.

    Attributes:
        prior: the formula.
        features: inputs of the correction.
        weights: one per feature, then the intercept; all 0 where nothing could be learnt.
    """

    kind: Literal["prior"] = "prior"
    prior: Prior
    features: tuple[ScaledFeature, ...] = Field(min_length=1, max_length=64)
    weights: Weights

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.weights) != len(self.features) + 1:
            raise ValueError("a correction has one weight per feature and an intercept")
        return self

    @property
    def corrected(self) -> bool:
        """Whether anything was learnt."""
        return any(self.weights)

    def correction(self, scaled: IntArray) -> IntArray:
        """What is added to the formula's logits, in units of 1 / LOGIT; as :meth:`LogisticModel.logits`."""
        return linear_logits(scaled, self.weights)


#: What a study trains.
ChurnModel = LogisticModel | NetworkModel | PriorModel | TreesModel
#: What a question may rank customers by.
Scorer = ChurnModel | FeatureRank | Prior
Model = Annotated[Scorer, Field(discriminator="kind")]


def reads(model: Scorer) -> frozenset[str]:
    """The features that a model looks at."""
    names = frozenset[str]() if isinstance(model, Prior) else {feature.name for feature in model.features}
    formula = model if isinstance(model, Prior) else model.prior if isinstance(model, PriorModel) else None
    return frozenset(names if formula is None else {*names, *formula.FACTS})


def logits_of(model: Scorer, table: FeatureTable, day: int) -> IntArray:
    """Logits of every customer on a day, eligible or not, in units of 1 / LOGIT; shape ``(customers,)``."""
    if isinstance(model, Prior):
        return model.of(table, day)
    scaled = table.scaled(model.features, day)
    if isinstance(model, PriorModel):
        return model.prior.of(table, day) + model.correction(scaled)
    return model.logits(scaled)
