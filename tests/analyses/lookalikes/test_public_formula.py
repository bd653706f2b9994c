"""The public formula of who becomes a customer of a kind: what it says, on integers, in any currency."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.kernel.feature_request import CategoryKind, SpendKind
from privacy.kernel.features import MISSING, FeatureTable
from privacy.models.linear_prior import LinearPrior, becoming_prior
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study

_EURO = Study.model_validate({"name": "a", "as_of": "2025-01-01", "currency": "EUR", "budget": {"epsilon": "1"}})


def table(rows: list[tuple[int, int]]) -> FeatureTable:
    values = np.array(rows, dtype=np.int64).reshape(len(rows), 1, 2)
    ones = np.ones((len(rows), 1), dtype=np.int64)
    return FeatureTable(names=("money_365", "recency_days"), values=values, eligible=ones, outcome=-ones)


def logit(prior: LinearPrior, rows: list[tuple[int, int]]) -> list[float]:
    return (prior.of(table(rows), 0) / LOGIT).tolist()


@given(
    money=st.integers(2_000, 1_900_000), recency=st.integers(0, 365), spend=st.integers(20, 5_000),
    horizon=st.integers(14, 365),
)  # fmt: skip
def test_it_says_what_its_docstring_does(money: int, recency: int, spend: int, horizon: int) -> None:
    prior = becoming_prior(SpendKind(at_least=100 * spend), horizon, *_EURO.scaled(("money_365",)))
    said = -1.3 + 1.1 * math.log((money + 100) * horizon / 365 / (100 * spend)) - 0.25 * recency / 90
    # A step of the scale of spend, and one of days.
    assert logit(prior, [(money, recency)])[0] == pytest.approx(said, abs=0.04)


def test_who_spends_more_and_lately_is_likelier_to_and_a_higher_bar_makes_all_less_likely() -> None:
    (spend,) = _EURO.scaled(("money_365",))
    prior, harder = (becoming_prior(SpendKind(at_least=at), 90, spend) for at in (20_000, 40_000))
    rows = [(5_000, 10), (50_000, 10), (50_000, 200), (MISSING, MISSING)]
    low, high, late, _ = logit(prior, rows)
    assert low < late < high
    assert logit(harder, rows)[1] == pytest.approx(high - 1.1 * math.log(2), abs=0.001)
    of_kind = becoming_prior(CategoryKind(category="Toys"), 90, spend)
    assert logit(of_kind, rows)[0] < logit(of_kind, rows)[1]


def test_raw_facts_and_tables_give_the_same_integers() -> None:
    prior = becoming_prior(SpendKind(at_least=20_000), 90, *_EURO.scaled(("money_365",)))
    rows = [(-5, 0), (0, 3), (123_456, 77), (1 << 40, 9_999)]
    assert prior.FACTS == ("money_365", "recency_days")
    assert prior.logits(np.array(rows, dtype=np.int64)).tolist() == prior.of(table(rows), 0).tolist()


def test_a_formula_has_one_weight_per_feature_and_an_intercept() -> None:
    prior = becoming_prior(SpendKind(at_least=20_000), 90, *_EURO.scaled(("money_365",)))
    with pytest.raises(ValueError, match="one weight per feature"):
        LinearPrior(features=prior.features, weights=prior.weights[1:])
