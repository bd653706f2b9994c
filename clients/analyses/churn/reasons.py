"""What a customer's score is made of: features by how much they move it against the holder's average customer.

A feature's contribution is the logit as it is minus the logit with that feature at the average of the customers who
are scored. For a logistic regression these are the terms of the sum, so that they add up to the distance from the
average customer's logit; for a network and for trees each one is exact by itself, and what depends on several features
at once is in the contribution of each of them. A public formula that is corrected is one more part, the customer's
purchase history. Features that tell much the same share their effect. A reason is no cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from privacy.kernel.features import FEATURES, MISSING, UNIT, FeatureName
from privacy.models.scorers import ChurnModel, PriorModel
from privacy.models.trained import NetworkModel, tangent
from privacy.models.trees import TreesModel

IntArray = NDArray[np.int64]

#: Reasons that are given for a score.
REASONS = 3
#: What a formula says of a customer, as a part of its score.
HISTORY = "purchase_history"
#: Where a customer stands on a feature.
BELOW, ABOVE, UNKNOWN = 0, 1, 2


class Said(NamedTuple):
    """A reason in words."""

    en: str
    zh: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Reasons:
    """The main reasons of each score, the strongest first; all arrays int8, shape ``(customers, REASONS)``.

    Attributes:
        feature: index in what the score is made of (:func:`parts_of`), -1 where fewer features move the score.
        level: BELOW or ABOVE the average, or UNKNOWN where the feature cannot be computed (too few orders).
        raises: 1 where it makes churn more probable, 0 where less.
    """

    feature: NDArray[np.int8]
    level: NDArray[np.int8]
    raises: NDArray[np.int8]


def parts_of(model: ChurnModel) -> tuple[str, ...]:
    """Names of what a model's scores are made of: its features, and then its formula, if it has one."""
    names = tuple(feature.name for feature in model.features)
    return (*names, HISTORY) if isinstance(model, PriorModel) else names


def contributions(model: ChurnModel, scaled: IntArray, average: IntArray) -> IntArray:
    """By how much each feature moves each logit, in units of 1 / LOGIT; shape as ``scaled``. A formula's part is none.

    Args:
        model: the model.
        scaled: scaled features, shape ``(customers, features)``.
        average: scaled features of the average customer, shape ``(features,)``.
    """
    if isinstance(model, TreesModel):
        return _by_leaving_out(model, scaled, average)
    if not isinstance(model, NetworkModel):
        return (scaled - average) * np.array(model.weights[:-1], dtype=np.int64)
    away = scaled - average
    hidden = len(model.hidden)
    found = away * np.array(model.output[hidden:-1], dtype=np.int64)  # the direct path
    for row, out in zip(model.hidden, model.output[:hidden], strict=True):
        if not out:
            continue
        weights = np.array(row[:-1], dtype=np.int64)
        inner = (scaled * weights).sum(axis=1) + UNIT * row[-1]
        level = tangent(inner)
        for column, weight in enumerate(weights.tolist()):
            if weight:  # what the unit would say with this feature at the average
                found[:, column] += out * (level - tangent(inner - weight * away[:, column]))
    return found


def _by_leaving_out(model: TreesModel, scaled: IntArray, average: IntArray) -> IntArray:
    found = np.empty_like(scaled)
    logits, other = model.logits(scaled), scaled.copy()
    for column in range(scaled.shape[1]):
        other[:, column] = average[column]
        found[:, column] = logits - model.logits(other)
        other[:, column] = scaled[:, column]
    return found


def main_reasons(moved: IntArray, scaled: IntArray, average: IntArray, raw: IntArray) -> Reasons:
    """The features that move each score most, ties in the order of the features.

    Args:
        moved: ``contributions``.
        scaled, average: as there.
        raw: raw features, same shape as ``scaled``.
    """
    count = min(REASONS, moved.shape[1])
    order = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :count]
    strength = np.take_along_axis(moved, order, axis=1)
    level = np.where(np.take_along_axis(scaled, order, axis=1) > average[order], ABOVE, BELOW)
    level = np.where(np.take_along_axis(raw, order, axis=1) == MISSING, UNKNOWN, level)
    padding = ((0, 0), (0, REASONS - count))
    return Reasons(
        feature=np.pad(np.where(strength == 0, -1, order), padding, constant_values=-1).astype(np.int8),
        level=np.pad(level, padding).astype(np.int8),
        raises=np.pad(strength > 0, padding).astype(np.int8),
    )


def said(name: str, level: int, *, raises: bool) -> Said:
    """A reason in words: ``orders, last 90 days: below your average, raises the risk``."""
    if name == HISTORY:
        return Said(
            en=f"how often and how recently this customer buys: {'raises' if raises else 'lowers'} the risk",
            zh=f"购买频率与最近购买时间：{'推高' if raises else '拉低'}风险",
        )
    feature = FEATURES[cast(FeatureName, name)]
    en = ("below your average", "above your average", "not known, too few orders")[level]
    zh = ("低于您客户的平均水平", "高于您客户的平均水平", "订单过少，无法计算")[level]
    return Said(
        en=f"{feature.en}: {en}, {'raises' if raises else 'lowers'} the risk",
        zh=f"{feature.zh}：{zh}，{'推高' if raises else '拉低'}风险",
    )
