"""Scales: public step functions on integers, so that a scaled feature depends on one raw number alone.

Asserted: monotone, between -UNIT and UNIT, whole numbers, the same alone as among others; places are where the
docstring says; thresholds that no machine's arithmetic can round otherwise; nonsense cannot be built.
"""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from row_kits import INT64_MAX, INT64_MIN
from statistic_kit import slow_scaled

from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import FEATURES, MISSING, UNIT, FeatureTable, Scale, ScaledFeature

LIMIT = 1 << 41


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    """Any scale that can be built: narrow, wide, with ends far from zero, with few and many steps."""
    missing = draw(st.integers(-UNIT, UNIT))
    ends = st.one_of(st.integers(-50, 50), st.integers(-LIMIT, LIMIT), st.sampled_from([-LIMIT, LIMIT]))
    if draw(st.booleans()):
        upper = draw(st.lists(ends, min_size=1, max_size=40, unique=True).map(sorted))
        return Scale(kind="quantiles", upper=tuple(upper), missing=missing)
    low, high = sorted(draw(st.lists(ends, min_size=2, max_size=2, unique=True)))
    steps = draw(st.integers(2, 600))
    if draw(st.booleans()):
        return Scale(kind="linear", low=low, high=high, steps=steps, missing=missing)
    offset = draw(st.one_of(st.integers(1, 200), st.integers(1, LIMIT))) - low
    assume(offset <= LIMIT)
    return Scale(kind="log", low=low, high=high, offset=offset, steps=steps, missing=missing)


raws = st.lists(
    st.one_of(st.integers(-100, 100), st.integers(INT64_MIN, INT64_MAX), st.sampled_from([MISSING, LIMIT, -LIMIT])),
    min_size=1, max_size=30,
)  # fmt: skip


@given(scale=scales(), raw=raws)
@settings(max_examples=150, deadline=None)
def test_scaled_values_are_monotone_whole_and_bounded(scale: Scale, raw: list[int]) -> None:
    around = {t + d for t in scale.thresholds[:20] for d in (-1, 0, 1)}
    ordered = np.array(sorted({*raw, *around} - {MISSING}), dtype=np.int64)
    scaled = scale.apply(ordered)
    assert scaled.dtype == np.int64
    assert np.all(np.diff(scaled) >= 0)
    assert scaled.min(initial=0) >= -UNIT
    assert scaled.max(initial=0) <= UNIT
    assert scale.apply(np.array([INT64_MIN, INT64_MAX])).tolist() == [-UNIT, UNIT]
    assert scale.apply(np.array([MISSING])).tolist() == [scale.missing]


@given(scale=scales(), raw=raws, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_value_is_scaled_the_same_whatever_else_is_there(scale: Scale, raw: list[int], seed: int) -> None:
    values = np.array(raw, dtype=np.int64)
    together = scale.apply(values)
    assert together.tolist() == [slow_scaled(scale, value) for value in raw]
    assert together.tolist() == [int(scale.apply(np.array([value]))[0]) for value in raw]
    order = np.random.default_rng(seed).permutation(len(values))
    assert np.array_equal(scale.apply(values[order]), together[order])
    assert np.array_equal(scale.apply(values.reshape(-1, 1)), together.reshape(-1, 1))


@given(scale=scales())
@settings(max_examples=150, deadline=None)
def test_steps_ascend_and_stay_few(scale: Scale) -> None:
    thresholds, levels = scale.thresholds, scale.levels
    assert list(thresholds) == sorted(set(thresholds))
    assert len(levels) == len(thresholds) + 1
    assert list(levels) == sorted(levels)
    assert (levels[0], levels[-1]) == (-UNIT, UNIT)
    if scale.kind == "quantiles":
        ranks = [2 * UNIT * rank / len(thresholds) - UNIT for rank in range(len(levels))]
        assert np.allclose(levels, ranks, atol=1)
    else:
        assert len(levels) <= scale.steps
        assert scale.low <= thresholds[0] <= thresholds[-1] <= scale.high
    assert Scale.parse(scale.canonical()) == scale


def test_places_are_where_the_docstring_says() -> None:
    linear = Scale(kind="linear", low=-10, high=10)
    assert linear.apply(np.arange(-12, 13)).tolist() == [
        round(UNIT * max(-10, min(value, 10)) / 10) for value in range(-12, 13)
    ]
    # With fewer steps than values, a value is where its step's upper end is.
    coarse = Scale(kind="linear", low=0, high=100, steps=5)
    assert coarse.thresholds == (0, 25, 50, 75)
    assert coarse.apply(np.array([0, 1, 25, 26, 75, 76, 100])).tolist() == [
        -UNIT, -UNIT // 2, -UNIT // 2, 0, UNIT // 2, UNIT, UNIT,
    ]  # fmt: skip
    log = Scale(kind="log", low=0, high=63, steps=7)  # value + 1 doubles from step to step
    assert log.thresholds == (0, 1, 3, 7, 15, 31)
    assert log.apply(np.array([0, 1, 2, 3, 31, 32, 63])).tolist() == [
        round(UNIT * (place / 3 - 1)) for place in (0, 1, 2, 2, 5, 6, 6)
    ]
    quantiles = Scale(kind="quantiles", upper=(10, 20))
    assert quantiles.apply(np.array([10, 11, 20, 21])).tolist() == [-UNIT, 0, 0, UNIT]


def test_steps_of_the_default_scales_are_fine() -> None:
    """A linear step is as many raw units as are needed for 511 steps; the first thirty orders all count apart."""
    for feature in FEATURES.values():
        scale = feature.scale
        if scale.kind == "linear":
            wide = scale.high - scale.low
            assert np.diff(scale.levels).max() <= 2 * UNIT * -(-wide // (scale.steps - 1)) / wide + 1
    assert np.all(np.diff(FEATURES["orders"].scale.apply(np.arange(31))) > 0)


@pytest.mark.parametrize("name", sorted(name for name, feature in FEATURES.items() if feature.scale.kind == "log"))
def test_no_machine_rounds_a_default_scale_otherwise(name: str) -> None:
    """Powers and logarithms may differ in their last bit from machine to machine; nothing is that near to a tie.

    Compared with 40 digits: the integers are those of exact arithmetic, and what was rounded is at least 1e-7 away from
    a tie, where the values' last bits are below 1e-9.
    """
    getcontext().prec = 40
    scale = FEATURES[name].scale
    first = Decimal(scale.low + scale.offset)
    ratio = (scale.high + scale.offset) / first
    half = Decimal("0.5")
    exact = [first * ratio ** (Decimal(step) / (scale.steps - 1)) for step in range(scale.steps - 1)]
    assert all(abs(value % 1 - half) > Decimal("1e-7") for value in exact)
    assert scale.thresholds == tuple(sorted({int(value + half) - scale.offset for value in exact}))
    places = [UNIT * (2 * ((t + scale.offset) / first).ln() / ratio.ln() - 1) for t in scale.thresholds]
    assert all(abs(abs(place) % 1 - half) > Decimal("1e-7") for place in places)
    assert scale.levels == (*(int((place + half).to_integral_value("ROUND_FLOOR")) for place in places), UNIT)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "linear", "low": 3, "high": 3}, "low must be below high"),
        ({"kind": "log", "low": 4, "high": 3}, "low must be below high"),
        ({"kind": "log", "low": -1, "high": 3}, "must be positive"),
        ({"kind": "log", "low": 5, "high": 9, "offset": -5}, "must be positive"),
        ({"kind": "quantiles"}, "thresholds go with"),
        ({"kind": "linear", "upper": (1,)}, "thresholds go with"),
        ({"kind": "quantiles", "upper": (1, 1)}, "must ascend"),
        ({"kind": "quantiles", "upper": (2, 1)}, "must ascend"),
        ({"kind": "quantiles", "upper": (0, LIMIT + 1)}, "less than or equal"),
        ({"kind": "quantiles", "upper": (-LIMIT - 1, 0)}, "greater than or equal"),
        ({"kind": "quantiles", "upper": tuple(range(4097))}, "4096"),
        ({"kind": "linear", "low": -LIMIT - 1}, "greater than or equal"),
        ({"kind": "linear", "high": LIMIT + 1}, "less than or equal"),
        ({"kind": "linear", "steps": 1}, "greater than or equal"),
        ({"kind": "linear", "steps": 4097}, "less than or equal"),
        ({"kind": "linear", "missing": UNIT + 1}, "less than or equal"),
        ({"kind": "square"}, "literal"),
    ],
)
def test_nonsense_cannot_be_built(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=f"(?i){says}"):
        Scale.model_validate(fields)


def test_features_are_scaled_by_name_and_day() -> None:
    names = ("orders", "money", "trend")
    values = np.arange(2 * 2 * 3).reshape(2, 2, 3)
    flags = np.ones((2, 2), dtype=np.int64)
    table = FeatureTable(names=names, values=values, eligible=flags, outcome=flags)
    features = (
        ScaledFeature(name="trend", scale=Scale(kind="linear", low=0, high=UNIT, steps=4096)),
        ScaledFeature(name="orders", scale=Scale(kind="quantiles", upper=(3,))),
    )
    assert table.scaled(features, 1).tolist() == [
        [int(features[0].scale.apply(np.array([5]))[0]), -UNIT],
        [int(features[0].scale.apply(np.array([11]))[0]), UNIT],
    ]
    assert table.scaled((), 0).shape == (2, 0)


def test_the_catalogue_speaks_both_languages_and_its_scales_fit() -> None:
    for name, feature in FEATURES.items():
        assert feature.name == name
        assert feature.en
        assert any("\u4e00" <= sign <= "\u9fff" for sign in feature.zh)
        assert feature.money == (feature.unit == "minor units")
    assert len({feature.en for feature in FEATURES.values()}) == len(FEATURES)
    assert len({feature.zh for feature in FEATURES.values()}) == len(FEATURES)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"names": ()}, "at least 1"),
        ({"names": ("orders", "orders")}, "twice"),
        ({"names": ("Shoe size",)}, "pattern"),
        ({"days": ()}, "at least 1"),
        ({"days": ("2024-02-01", "2024-01-01")}, "ascend"),
        ({"days": ("2024-02-01", "2024-02-01")}, "ascend"),
        ({"horizon_days": -1}, "greater than or equal"),
        ({"active_days": 0}, "greater than or equal"),
    ],
)
def test_a_request_names_features_and_days_once(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=f"(?i){says}"):
        FeatureRequest.model_validate({"names": ("orders",), "days": ("2024-01-01",)} | fields)
