"""A model that an earlier run trained, as a study that tests it again carries it: itself, and its earlier tests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from privacy.kernel.canonical import ExactDecimal, Noun
from privacy.models.scorers import ChurnModel

#: No figure of a test is beyond this, whatever noise is in it.
_LARGEST = Decimal(10) ** 9
_Number = Annotated[ExactDecimal, Field(ge=-_LARGEST, le=_LARGEST)]

#: A value and the half-width of its 95% interval; of a spread, a mean and a deviation.
Pinned = tuple[_Number, Annotated[ExactDecimal, Field(ge=0, le=_LARGEST)]]


class KnownTest(Noun):
    """An earlier test of the model; see ``EarlierTest`` in ``results.py`` of this room for its figures."""

    test_day: dt.date
    auc: Pinned
    listed: Pinned
    churn_rate: Pinned
    level: Pinned | None = None


class KnownModel(Noun):
    """The model of an earlier run, which is tested on another day without training anew.

    Attributes:
        model: itself, with its features' scales; holders score with it.
        origin: the run that trained it, for people.
        training_days: what it learnt from, ascending.
        spread: of its scores (mean and deviation of the logits), by which the bins of every test lie, so that all of
            its tests have the same; None where the run that trained it kept none.
        tests: of the days before, ascending; the first is that of the run that trained it.
    """

    model: Annotated[ChurnModel, Field(discriminator="kind")]
    origin: str = Field(max_length=120)
    training_days: tuple[dt.date, ...] = Field(min_length=1, max_length=24)
    spread: Pinned | None = None
    tests: tuple[KnownTest, ...] = Field(min_length=1, max_length=59)
