"""The public formula on integers: equal scores on every machine, near the formula in real numbers, whatever comes in.

Asserted: golden integers and the digest of its tables; equal to slow code with Python's integers and logarithms, for
any facts and any parameters; within .001 of a logit of the formula in floats; in range for facts that no shop has; more
silence never makes a customer likelier to buy; a customer's score does not depend on the others.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from analyses.churn.examples import FORMULA, slow_formula
from formula_checks import check_a_worked_formula
from hypothesis import given, settings
from hypothesis import strategies as st
from row_kits import INT64_MAX, INT64_MIN

from privacy.kernel.features import MISSING, FeatureTable
from privacy.models.mbg import LIMIT, MOST_DAYS, PART, MbgPrior, odds_tables, public_prior, soft_tables
from privacy.models.trained import LOGIT
from privacy.statistics.score_histogram import ScoredModel, ScoreHistogram

TABLES = "462e66af8d99dfaa346c0b5672609ec2aa3945173ee7e5c4e5d67eb2db3bd8d7"

_ANY = st.one_of(
    st.integers(INT64_MIN, INT64_MAX),
    st.integers(-5, 900),
    st.sampled_from([INT64_MIN, INT64_MAX, MISSING, 0, 1, 201, 202, 7_300, 7_301]),
)
_FACTS = st.lists(st.tuples(_ANY, _ANY, _ANY), max_size=12)


@st.composite
def _formulas(draw: st.DrawFn) -> MbgPrior:
    part = st.integers(1, 1 << 16)
    # Few of alpha and h: each has a table of its own.
    exposure, horizon = draw(st.sampled_from([(1, 7), (70, 90), (140, 180), (3650, 1830)]))
    return MbgPrior(
        shape=draw(part), dropout=draw(part), staying=draw(part), exposure_days=exposure, horizon_days=horizon
    )


def _array(facts: Any) -> np.ndarray:
    return np.array(facts, dtype=np.int64).reshape(-1, 3)


def test_golden_integers_and_tables() -> None:
    """Whoever changes them changes scores that were released, and plans that were charged."""
    assert public_prior(90) == MbgPrior(shape=512, exposure_days=70, dropout=819, staying=2560, horizon_days=90)
    check_a_worked_formula()
    tables = (*odds_tables(MOST_DAYS + 160, 819, 2560), *soft_tables())
    digest = hashlib.sha256(b"".join(table.astype("<i8").tobytes() for table in tables)).hexdigest()
    assert digest == TABLES


@given(formula=_formulas(), facts=_FACTS)
@settings(max_examples=150, deadline=None)
def test_scores_are_those_of_slow_code_and_in_range(formula: MbgPrior, facts: list[tuple[int, int, int]]) -> None:
    found = formula.logits(_array(facts))
    assert found.dtype == np.int64
    assert found.tolist() == [slow_formula(formula, each) for each in facts]
    assert np.abs(found).max(initial=0) <= LIMIT * LOGIT


def _exact(formula: MbgPrior, facts: np.ndarray) -> np.ndarray:
    """In real numbers, for facts that a shop can have."""
    bought, silent, tenure = facts.T
    x = bought - 1
    last = np.where(x > 0, tenure - silent, 0)
    r, a, b = (value / PART for value in (formula.shape, formula.dropout, formula.staying))
    alpha, horizon = formula.exposure_days, formula.horizon_days
    lost = np.log(a / (b + x)) + (r + x) * np.log((alpha + tenure) / (alpha + last))
    quiet = (r + x) * np.log1p(horizon / (alpha + tenure))
    return np.logaddexp(lost, -quiet) - np.log(-np.expm1(-quiet))


@pytest.mark.parametrize("horizon", [7, 30, 90, 180, 1830])
def test_scores_are_near_the_formula_in_real_numbers(horizon: int) -> None:
    rng = np.random.default_rng(horizon)
    tenure = np.where(rng.random(40_000) < 0.7, rng.integers(0, 900, 40_000), rng.integers(0, MOST_DAYS + 1, 40_000))
    bought = 1 + np.minimum(np.where(rng.random(40_000) < 0.1, 200, rng.geometric(0.2, 40_000)) - 1, tenure)
    facts = np.stack([bought, (rng.random(40_000) * (tenure + 1)).astype(np.int64), tenure], axis=1)
    for formula in (public_prior(horizon), FORMULA.model_copy(update={"horizon_days": horizon})):
        exact = np.clip(_exact(formula, facts), -LIMIT, LIMIT)
        assert np.abs(formula.logits(facts) / LOGIT - exact).max() < 0.001


@given(
    bought=st.integers(1, 250), tenure=st.integers(1, 8_000), first=st.integers(0, 8_000), second=st.integers(0, 8_000)
)
@settings(max_examples=200, deadline=None)
def test_more_silence_never_makes_a_purchase_likelier(bought: int, tenure: int, first: int, second: int) -> None:
    facts = [(bought, min(silent, tenure), tenure) for silent in sorted((first, second))]
    shorter, longer = public_prior(90).logits(_array(facts)).tolist()
    assert longer >= shorter - LOGIT // 4096  # a step of the tables


def test_exposure_is_seven_ninths_of_the_horizon_unless_said() -> None:
    assert [public_prior(days).exposure_days for days in (7, 30, 90, 180)] == [5, 23, 70, 140]
    assert public_prior(90, 35).exposure_days == 35


def test_a_customers_score_is_its_own() -> None:
    """In a table of many, alone, and in another order; whatever else the table has."""
    rng = np.random.default_rng(4)
    names = ("money", *reversed(MbgPrior.FACTS))
    values = rng.integers(-3, 900, (301, 2, 4))
    ones = np.ones((301, 2), dtype=np.int64)
    table = FeatureTable(names=names, values=values, eligible=ones, outcome=ones)
    formula = public_prior(180)
    together = formula.of(table, 1)
    order = rng.permutation(301)
    assert np.array_equal(formula.of(table.take(order), 1), together[order])
    for number in (0, 17, 300):
        assert formula.of(table.take(slice(number, number + 1)), 1).tolist() == [together[number]]
        assert together[number] == slow_formula(formula, values[number, 1, [3, 2, 1]].tolist())
    assert formula.of(table.take(slice(0, 0)), 0).shape == (0,)


def test_a_question_by_the_formula_says_what_it_looks_at() -> None:
    """Else a holder's ``allow.columns`` would be passed by."""
    question = ScoreHistogram(day=2, models=(ScoredModel(model=public_prior(90), upper=(0,), permille=1000),))
    assert question.looks_at == (frozenset(MbgPrior.FACTS), 3)
