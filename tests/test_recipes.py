"""Recipes of features, common ones and those of rooms: each names the sums that it looks at; a query has no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from feature_checks import DAYS, lines_of, make_study, write
from hypothesis import given
from hypothesis import strategies as st
from source_kit import make_config

from clients.analyses.catalogue import ANALYSES, RECIPES
from clients.data.cleaning.lines import cleaned_lines
from clients.data.origin import Origin
from clients.data.recipes.common import COMMON
from clients.data.recipes.facts import Facts
from clients.data.rows import KINDS
from clients.data.rows.features import build_features
from clients.data.rows.sums import customer_sums
from clients.data.sources import open_source
from privacy.analyses.catalogue import BY_NAME
from privacy.errors import ConfigError
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FEATURES, IntArray
from privacy.kernel.row_requests import RowRequest


def test_every_kind_of_request_has_a_builder() -> None:
    assert set(KINDS) == set(get_args(RowRequest))


def test_every_feature_has_a_recipe_and_every_recipe_a_feature() -> None:
    assert set(COMMON) == set(FEATURES)
    for analysis in ANALYSES:
        assert set(analysis.recipes) == {feature.name for feature in BY_NAME[analysis.name].features}
    assert set(RECIPES) == set(COMMON).union(*(analysis.recipes for analysis in ANALYSES))


class Recorded:
    """Sums that note which of them are looked at."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        name, _, place = column.rpartition("_")
        assert place == "0"
        self.asked.add(name)
        return pa.chunked_array([[1, 3]], pa.timestamp("us"))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_looks_at_the_sums_that_it_names(name: str) -> None:
    """At others there would be none to look at; and those in vain would be added up for nothing."""
    recipe, sums = RECIPES[name], Recorded()
    facts = Facts(sums, 0, start=10, day=1, per_minor=1)  # type: ignore[arg-type]
    assert recipe.compute(facts).shape == (2,)
    assert sums.asked == set(recipe.sums)
    assert len(set(recipe.sums)) == len(recipe.sums)


def test_a_query_has_the_sums_that_are_needed_and_no_others(tmp_path: Path) -> None:
    config = make_config(write(tmp_path / "s.parquet", lines_of(24, customers=2)))
    with open_source(config, base=tmp_path) as opened:
        where = Origin(config, make_study(), tmp_path)
        lines = cleaned_lines(opened.table, where)
        for names, sums in (
            (("recency_days",), {"orders", "last"}),
            (("weekend_share",), {"orders", "last", "weekend"}),
            (("money_30", "trend"), {"orders", "last", "quanta_30", "orders_180", "orders_360"}),
        ):
            query = customer_sums(lines, where, FeatureRequest(names=names, days=DAYS[:1]))
            assert set(query.columns) == {"customer_id", *(f"{name}_0" for name in sums)}


def test_a_feature_without_a_recipe_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    config = make_config(tmp_path / "there is no such file.parquet")
    request = FeatureRequest(names=("money", "orders"), days=DAYS)
    with pytest.raises(ConfigError, match="cannot work out the feature money"):
        build_features(Origin(config, make_study(), tmp_path, {"orders": COMMON["orders"]}), request)


class _Periods(Facts):
    """Facts of one customer whose orders in each period of 30 days are known, the latest period first."""

    def __init__(self, counts: Sequence[int]) -> None:
        self._counts = counts

    def column(self, name: str) -> IntArray:
        periods = int(name.removeprefix("orders_")) // 30 if name != "orders" else len(self._counts)
        return np.array([sum(self._counts[:periods])])


def loyalty(counts: Sequence[int]) -> int:
    return int(COMMON["loyalty"].compute(_Periods(counts))[0])


def test_loyalty_goes_from_none_to_enough_orders_in_every_period() -> None:
    assert loyalty([0] * 12) == 0
    assert loyalty([2] * 12) == loyalty([5] * 12) == 1000
    assert loyalty([2] + [0] * 11) > loyalty([0] * 11 + [2]) > 0


@given(counts=st.lists(st.integers(0, 4), min_size=12, max_size=12), place=st.integers(0, 11))
def test_an_order_more_never_lowers_loyalty_and_neither_does_a_later_one(counts: list[int], place: int) -> None:
    more = [count + (period == place) for period, count in enumerate(counts)]
    assert loyalty(more) >= loyalty(counts)
    if place and counts[place] and counts[place - 1] < 2:
        moved = list(counts)
        moved[place] -= 1
        moved[place - 1] += 1
        assert loyalty(moved) >= loyalty(counts)
