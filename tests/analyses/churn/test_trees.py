"""Public random trees on a linear start: no customer moves a sum by more than the bound, and trees learn what is there.

Asserted: from any customers' rows to the integers that leave, for any model, any trees and any days, a customer's
vector keeps the bound exactly, on each day its part of it; the bound is reached; integers are those of exact arithmetic
on fractions; a customer's are its own whatever else is in the table. Trees are public: the study's digest draws them,
and nothing else. Trees find an interaction that no regression can; where the noise hides it they are left out and the
second question is not asked.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from churn_runs import study_of
from hypothesis import given, settings
from hypothesis import strategies as st
from row_kits import FEATURE_DAYS, FEATURE_NAMES, KINDS, tables_of
from statistic_kit import SCALED
from tree_checks import check_a_worked_table_of_leaves, check_pairs_of_one_day

from privacy.kernel.features import UNIT, FeatureName, FeatureTable
from privacy.models.scorers import logits_of
from privacy.models.trained import LOGIT, PROBABILITY, WEIGHT
from privacy.models.trees import Tree, TreesModel
from privacy.statistics import GAMMA, Statistic
from privacy.statistics.leaf_sums import LeafSums, pair, pair_table
from server.analyses.churn.learning import train_logistic
from server.analyses.churn.trees import LEVELS, leaf_values, public_trees, thresholds, train_trees, trees_title

_WEIGHT = st.integers(-(1 << 24), 1 << 24)
_FARTHEST = (1 << 30) - 1


# --- the bound -------------------------------------------------------------------------------------------------------


@st.composite
def _trees(draw: st.DrawFn, leaves: bool) -> tuple[Tree, ...]:
    levels = draw(st.integers(1, 4))
    places = st.integers(0, len(SCALED))

    def tree() -> Tree:
        inputs = tuple(draw(places) for _ in range(levels))
        limits = tuple(
            draw(st.integers(-_FARTHEST, _FARTHEST) if column == len(SCALED) else st.integers(-UNIT, UNIT))
            for column in inputs
        )
        values = tuple(draw(_WEIGHT) for _ in range(1 << levels)) if leaves else ()
        return Tree(inputs=inputs, thresholds=limits, leaves=values)

    return tuple(tree() for _ in range(draw(st.integers(0 if leaves else 1, 3 if leaves else 16))))


@st.composite
def _questions(draw: st.DrawFn) -> LeafSums:
    return LeafSums(
        model=TreesModel(
            features=SCALED, weights=tuple(draw(_WEIGHT) for _ in range(len(SCALED) + 1)), trees=draw(_trees(True))
        ),
        trees=draw(_trees(False)),
        days=tuple(draw(st.lists(st.integers(0, FEATURE_DAYS - 1), min_size=1, max_size=4))),
        clip=draw(st.integers(1, 1000)),
    )


@given(question=_questions(), table=tables_of(KINDS[FeatureTable]))
@settings(max_examples=60, deadline=None)
def test_from_rows_to_integers_no_customer_is_longer_than_the_bound(question: LeafSums, table: FeatureTable) -> None:
    """Exactly, with Python's integers: each day at most GAMMA / D, all days together at most GAMMA."""
    rows = question.encode_rows(table)
    assert rows.dtype == np.int64
    lengths = (rows.astype(object) ** 2).sum(axis=1)
    assert all(length <= GAMMA**2 == question.bound.squared_norm for length in lengths)
    assert np.abs(rows).max(initial=0) <= question.bound.max_abs
    assert np.array_equal(rows.sum(axis=0), question.encode_sum(table))
    for day in set(question.days):
        check_pairs_of_one_day(question, table, day)


@given(
    clip=st.integers(1, 1000), trees=st.integers(1, 64), days=st.integers(1, 24), expected=st.integers(0, PROBABILITY),
    outcome=st.integers(0, 1),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_pairs_are_those_of_exact_arithmetic(clip: int, trees: int, days: int, expected: int, outcome: int) -> None:
    """|a| is the largest integer whose square is at most g^2 GAMMA^2 / (max(C^2, g^2 + h^2) B D^2): on fractions."""
    a, b = pair(outcome, expected, clip, trees * days**2)
    p = Fraction(expected, PROBABILITY)
    g, h = p - outcome, p * (1 - p)
    for found, part in ((a, g), (b, h)):
        allowed = part**2 * GAMMA**2 / (max(Fraction(clip, 1000) ** 2, g**2 + h**2) * trees * days**2)
        assert found**2 <= allowed < (abs(found) + 1) ** 2
        assert found == 0 or (found > 0) == (part > 0)
    assert g**2 + h**2 <= 1
    assert a**2 + b**2 <= Fraction(GAMMA**2, trees * days**2)


def test_the_whole_table_of_pairs_keeps_its_part_and_reaches_it() -> None:
    for clip, trees, days in ((600, 16, 1), (600, 16, 3), (1000, 64, 24), (1, 1, 1)):
        squares = (pair_table(clip, trees, days).astype(object) ** 2).sum(axis=2)
        most = Fraction(GAMMA**2, trees * days**2)
        assert squares.max() <= most
        assert squares.max() > most * Fraction(99_999, 100_000)
        assert squares[0, 0] == squares[1, PROBABILITY] == 0, "sure and right"


def test_a_customer_who_is_sure_and_wrong_on_every_day_reaches_the_bound() -> None:
    """Two days in the same leaves: exactly GAMMA, for GAMMA / (4 x 2) is an integer."""
    drawn = public_trees(16, [[0]] * (len(SCALED) + 1), "witness")
    sure = TreesModel(features=SCALED, weights=(0,) * len(SCALED) + (20 * WEIGHT,))
    question = LeafSums(model=sure, trees=drawn, days=(0, 1), clip=600)
    values = np.zeros((1, 2, len(FEATURE_NAMES)), dtype=np.int64)
    one = np.ones((1, 2), dtype=np.int64)
    witness = FeatureTable(names=FEATURE_NAMES, values=values, eligible=one, outcome=0 * one)
    assert int((question.encode_rows(witness).astype(object) ** 2).sum()) == GAMMA**2
    right = FeatureTable(names=FEATURE_NAMES, values=values, eligible=one, outcome=one)
    assert not question.encode_rows(right).any()


def test_a_worked_table_of_leaves() -> None:
    check_a_worked_table_of_leaves()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"trees": (Tree(inputs=(5,), thresholds=(0,)),)}, "one of the features, or the linear score"),
        ({"trees": (Tree(inputs=(0,), thresholds=(0,)), Tree(inputs=(0, 1), thresholds=(0, 0)))}, "as many levels"),
        ({"trees": (Tree(inputs=(0,), thresholds=(0,), leaves=(1, 2)),)}, "have none"),
        ({"trees": ()}, "at least 1"),
        ({"clip": 1001}, "1000"),
        ({"clip": 0}, "1"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(change: dict[str, Any], says: str) -> None:
    model = TreesModel(features=SCALED, weights=(0,) * 5)
    fields: dict[str, Any] = {
        "model": model, "trees": (Tree(inputs=(0,), thresholds=(0,)),), "days": (0,), "clip": 600
    }  # fmt: skip
    LeafSums(**fields)
    with pytest.raises(ValueError, match=says):
        LeafSums(**fields | change)


def test_a_model_that_makes_no_sense_is_refused() -> None:
    for wrong, says in (
        ({"weights": (0, 0)}, "one weight per feature"),
        ({"trees": (Tree(inputs=(0,), thresholds=(0,)),)}, "have their leaves"),
    ):
        with pytest.raises(ValueError, match=says):
            TreesModel(**{"features": SCALED, "weights": (0,) * 5, **wrong})
    with pytest.raises(ValueError, match="one threshold a level"):
        Tree(inputs=(0, 1), thresholds=(0,))
    with pytest.raises(ValueError, match="two leaves to the power"):
        Tree(inputs=(0, 1), thresholds=(0, 0), leaves=(1, 2))


# --- public trees ----------------------------------------------------------------------------------------------------


def test_trees_are_drawn_by_the_digest_and_their_place_only() -> None:
    cuts = [[-2, -1, 0, 1, 2]] * 17
    trees = public_trees(32, cuts, "one")
    assert trees == public_trees(32, cuts, "one")
    assert trees[:16] == public_trees(16, cuts, "one"), "a second question's trees do not change the first's"
    assert trees != public_trees(32, cuts, "other")
    assert all(len(set(tree.inputs)) == LEVELS for tree in trees)
    assert [tree.inputs[0] == 16 for tree in trees] == [True, False] * 16
    assert not any(16 in tree.inputs[1:] for tree in trees)
    used = {column for tree in trees for column in tree.inputs}
    assert len(used) > 14, "nearly every feature is asked for"
    # Whoever changes this changes which trees a study has.
    assert [tree.inputs for tree in trees[:3]] == [(16, 4, 8), (9, 10, 6), (16, 1, 3)]
    assert [tree.thresholds for tree in trees[:3]] == [(0, 1, -1), (1, -1, 1), (1, -1, 2)]
    one = public_trees(4, [[0], [0]], "one")
    assert {tree.inputs for tree in one} == {(1, 0, 0), (0, 0, 0)}, "one feature is enough"


def test_a_leaf_is_a_newton_step_drawn_to_nothing() -> None:
    sums, curvatures = np.array([[-50.0, 0.0, 4.0]]), np.array([[100.0, 80.0, -3.0]])
    found = leaf_values(sums, curvatures, 2.0)[0]
    assert found[0] == pytest.approx(2 * 50 * 100 / (100**2 + (4 + 100) / 0.15))
    assert found[1] == 0
    assert found[2] == pytest.approx(-2 * 4 * 2 / (2**2 + (4 + 2) / 0.15)), "a curvature below the noise counts as it"
    assert np.abs(leaf_values(sums, curvatures, 1e6)).max() < 1e-4


# --- learning --------------------------------------------------------------------------------------------------------

_NAMES: tuple[FeatureName, ...] = ("recency_days", "orders", "basket", "money")


def _customers(count: int, seed: int) -> FeatureTable:
    """Who leaves depends on two features together: as good as chance for a regression."""
    rng = np.random.default_rng(seed)
    high = rng.random((count, len(_NAMES))) < 0.5
    values = np.where(high, [300, 20, 8000, 200_000], [10, 2, 500, 3000]) + rng.integers(0, 2, (count, len(_NAMES)))
    chance = np.where(high[:, 0] == high[:, 1], 0.85, 0.15)
    return FeatureTable(
        names=_NAMES, values=values[:, None, :].astype(np.int64), eligible=np.ones((count, 1), dtype=np.int64),
        outcome=(rng.random(count) < chance).astype(np.int64)[:, None],
    )  # fmt: skip


def _asked(table: FeatureTable, deviation: float, titles: list[str], seed: int = 0) -> Any:
    """Sums with noise of this deviation in natural units."""
    rng = np.random.default_rng(seed)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        titles.append(title)
        scale = deviation / statistic.unit  # type: ignore[attr-defined]
        noise = np.rint(rng.normal(0, scale, statistic.dim)).astype(np.int64)
        return type("Release", (), {"array": statistic.encode_sum(table) + noise, "deviation": scale})

    return ask


def _loss(model: Any, table: FeatureTable) -> float:
    logits = logits_of(model, table, 0) / LOGIT
    return float(np.logaddexp(0, np.where(table.outcome[:, 0] == 1, -logits, logits)).mean())


def test_trees_find_what_no_regression_can() -> None:
    table, later = _customers(4000, 1), _customers(4000, 2)
    features, titles = study_of().scaled(_NAMES), list[str]()
    found = train_trees(features, (0,), "some study", ask=_asked(table, 1.0, titles))
    assert isinstance(found.model, TreesModel)
    assert len(found.model.trees) == 32
    assert titles[-2:] == [trees_title(1), trees_title(2)]
    other = train_logistic(features, (0,), rounds=3, ask=_asked(table, 1.0, [])).model
    assert _loss(other, later) > math.log(2) - 0.01, "even odds"
    assert _loss(found.model, later) < _loss(other, later) - 0.03
    assert found.population is not None


def test_where_the_noise_hides_what_trees_could_learn_there_are_none_and_no_second_question() -> None:
    table, features = _customers(4000, 3), study_of().scaled(_NAMES)
    for seed in range(5):
        titles = list[str]()
        model = train_trees(features, (0,), f"study {seed}", ask=_asked(table, 400.0, titles, seed)).model
        assert isinstance(model, TreesModel)
        if not model.trees:
            assert titles[-1] == trees_title(1)
            assert np.array_equal(logits_of(model, table, 0), model.score(table.scaled(features, 0)))
            return
    pytest.fail("five of five were told from the noise")


def test_thresholds_lie_where_customers_are_said_to_be() -> None:
    table, features, found = _customers(4000, 4), study_of().scaled(_NAMES), []

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        if isinstance(statistic, LeafSums):
            found.append(statistic.trees)
        return _asked(table, 0.01, [])(title, statistic)

    population = train_trees(features, (0,), "some study", ask=ask).population
    assert population is not None
    scaled = table.scaled(features, 0) / UNIT
    cuts = np.array(thresholds(population)[:-1]) / UNIT
    expected = scaled.mean(axis=0)[:, None] + scaled.std(axis=0)[:, None] * np.array([-1.2, -0.6, 0, 0.6, 1.2])
    inside = np.abs(expected) < 0.98
    assert np.abs(cuts - expected)[inside].max() < 0.05
    assert np.abs(cuts).max() <= 0.98
    assert {len(trees) for trees in found} == {16}
