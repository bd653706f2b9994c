"""What a churn study takes from its earlier runs: the model that it tests on another day, and its tests until then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from privacy.analyses.churn import CONTRACT
from privacy.analyses.churn.known import KnownModel, KnownTest, Pinned
from privacy.analyses.churn.options import ChurnOptions
from privacy.analyses.churn.results import ChurnResult, EarlierTest
from privacy.errors import ConfigError
from privacy.figures.estimates import Estimate
from privacy.protocol.study import Study
from privacy.results import StudyResult

_DECIMALS = Decimal("0.000001")
#: Tests that a study carries beside the first.
_CARRIED = 58


def with_known_model(study: Study, before: Sequence[StudyResult]) -> Study:
    """A study with the model written out that ``model = "previous"`` refers to.

    Raises:
        ConfigError: if there is no such run, or its model says something else than the study asks.
    """
    if CONTRACT.name not in study.analyses or study.of(CONTRACT).model != "previous":
        return study
    options = study.of(CONTRACT)
    earlier = [
        (result, churn)
        for result in before
        if (churn := result.of(ChurnResult)) is not None
        and result.study.as_of < study.as_of
        and options.model_of in ("", result.study.as_of.isoformat())
    ]
    if not earlier:
        which = f" of {options.model_of}" if options.model_of else ""
        raise ConfigError(
            f"there is no earlier run{which} of {study.name} whose churn model could be tested",
            hint='run it once with churn.model = "prior"',
        )
    result, churn = earlier[-1]
    _check_alike(result, study)
    known = known_model(churn, f"{study.name} {result.study.as_of}")
    fields = dict(options) | {"model": known, "model_of": "", "features": tuple(f.name for f in known.model.features)}
    return study.model_copy(update={CONTRACT.name: ChurnOptions(**fields)})


def known_model(churn: ChurnResult, origin: str) -> KnownModel:
    """What a run left, for a test on a later day; tests too old to be carried are left out, never the first."""
    first, *others = (pinned_test(test) for test in (*churn.tests, churn.test))
    return KnownModel(
        model=churn.model,
        origin=churn.origin or origin,
        training_days=tuple(dt.date.fromisoformat(day) for day in churn.training_days),
        spread=None if churn.spread is None else (_number(churn.spread.mean), _number(churn.spread.deviation)),
        tests=(first, *others[-_CARRIED:]),
    )


def pinned_test(test: EarlierTest) -> KnownTest:
    """A test as a study can carry it: to six decimals, margins rounded up."""
    return KnownTest(
        test_day=dt.date.fromisoformat(test.test_day),
        auc=_pinned(test.auc),
        listed=_pinned(test.listed),
        churn_rate=_pinned(test.churn_rate),
        level=None if test.level is None else _pinned(test.level),
    )


def earlier_test(test: KnownTest) -> EarlierTest:
    """The same as results have it."""
    return EarlierTest(
        test_day=test.test_day.isoformat(),
        auc=_estimate(test.auc),
        listed=_estimate(test.listed),
        churn_rate=_estimate(test.churn_rate),
        level=None if test.level is None else _estimate(test.level),
    )


def _pinned(estimate: Estimate) -> Pinned:
    return _number(estimate.value), Decimal(repr(float(estimate.margin))).quantize(_DECIMALS, ROUND_CEILING)


def _number(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(_DECIMALS, ROUND_HALF_EVEN)


def _estimate(pair: Pinned) -> Estimate:
    return Estimate(value=float(pair[0]), margin=float(pair[1]))


def _check_alike(result: StudyResult, study: Study) -> None:
    """Tests are of the same thing: what is predicted, of whom, from the same money and days, at the same length."""
    then, now = result.study, study
    for name in ("horizon_days", "active_days", "list_share"):
        value = getattr(then.of(CONTRACT), name)
        if value != getattr(now.of(CONTRACT), name):
            raise ConfigError(
                f"the earlier run of {then.as_of} had churn.{name} = {value}, and its model is tested by the same",
                hint=f"write {name} = {value} under [churn], or train anew",
            )
    for name in ("currency", "time_zone"):
        value = getattr(then, name)
        if value != getattr(now, name):
            raise ConfigError(
                f"the earlier run of {then.as_of} had {name} = {value}, and so its features mean other amounts or days",
                hint=f"write {name} = {value}, or train anew",
            )
