"""Grids and anchors beyond what the contract and sensitivity suites assert over all statistics.

Worked tables with figures found by hand: who is on a border, exactly between two anchors, outside, without a fact, in
debt, not eligible. Libraries that count and average without privacy agree; noise leaves what is decoded unbiased, by
the deviations that are stated; the largest grid and the most anchors take little memory; what makes no sense cannot be
built.
"""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from anchor_checks import ANCHORS, DAY, ROWS, TWICE, check_a_worked_grid, check_a_worked_table_of_anchors
from contract_examples import READINGS, STATISTICS
from pydantic import ValidationError
from row_kits import FEATURE_NAMES, feature_rows_of, feature_table, plausible_features
from scipy.stats import chi2
from statistic_kit import LINE_VIEW, PLAIN_VIEW, WIDE_VIEW

from privacy.analyses.clusters.anchor_sums import AnchorSums, CappedFact, nearest
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.kernel.features import UNIT, FeatureTable
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.statistics import GAMMA, Statistic

# --- worked tables, also used on mutants -----------------------------------------------------------------------------


def test_a_worked_table_of_anchors(tmp_path: Path) -> None:
    check_a_worked_table_of_anchors(tmp_path)


def test_a_worked_grid(tmp_path: Path) -> None:
    check_a_worked_grid(tmp_path)


# --- who is where ------------------------------------------------------------------------------------------------


def test_the_first_of_equally_near_anchors_is_nearest() -> None:
    """All of a lattice's anchors and the places between them; whole numbers, so that ties are ties."""
    side = np.arange(-4.0, 5.0)
    anchors = np.array([(x, y) for x in side for y in side])
    z = np.array([(x, y) for x in np.arange(-5, 5.5, 0.5) for y in np.arange(-5, 5.5, 0.5)])
    distances = np.square(z[:, None, :] - anchors[None, :, :]).sum(axis=2)
    ties = (distances == distances.min(axis=1, keepdims=True)).sum(axis=1)
    assert {1, 2, 4} <= set(ties.tolist())
    assert np.array_equal(nearest(z, anchors), distances.argmin(axis=1))
    assert nearest(z[:0], anchors).shape == (0,)
    assert not nearest(z, anchors[:1]).any()
    assert nearest(z, np.concatenate([anchors, anchors])).max() < len(anchors)


def test_the_examples_of_the_suites_hold_ties_and_borders() -> None:
    """What the suites run over would show nothing about borders if nobody stood on one."""
    statistic = STATISTICS["anchor_sums"][1]
    z = WIDE_VIEW.apply(plausible_features(500, 1), statistic.day)
    away = np.square(z[:, None, :] - np.array(statistic.anchors[:2]) / UNIT).sum(axis=2)
    assert (away[:, 0] == away[:, 1]).any()
    on_border = (z + 1) / 2 * STATISTICS["grid_counts"][1].cells % 1 == 0
    assert (on_border & (np.abs(z) < 1)).any()
    assert (np.abs(z) > 1).any()


@pytest.mark.parametrize("cells", [2, 3, 7, 40])
def test_a_grid_counts_as_a_library_does(cells: int) -> None:
    features = plausible_features(3000, 5)
    view = WIDE_VIEW.model_copy(update={"matrix": WIDE_VIEW.matrix[1:]})
    grid = GridCounts(view=view, day=DAY, cells=cells)
    eligible = features.eligible[:, DAY] == 1
    places = np.clip(view.apply(features, DAY)[eligible], -1, 1)
    expected, _ = np.histogramdd(places, bins=cells, range=[(-1, 1)] * 2)
    counts, _ = grid.decode(grid.encode_sum(features), 0.0)
    assert np.array_equal(counts.reshape(cells, cells), expected)
    assert counts.sum() == eligible.sum() > 0


def test_a_step_of_lloyd_comes_out() -> None:
    """Within wide radii an anchor plus its mean offset is the mean of its customers, and facts are sums."""
    features = plausible_features(3000, 6)
    anchors = UNIT * np.array([(0, -1, 0), (1, 2, 0), (1, -2, 0), (0, 2, 1)])
    cap = int(np.abs(features.values[:, DAY, FEATURE_NAMES.index("money")]).max())
    statistic = AnchorSums(
        view=WIDE_VIEW, day=DAY, anchors=tuple(map(tuple, anchors.tolist())), radii=(8 * UNIT,) * 4,
        count_amplitude=500, offset_amplitude=500, facts=(CappedFact(name="money", caps=(cap,) * 4, amplitude=500),),
    )  # fmt: skip
    found = statistic.decode(statistic.encode_sum(features), 0.0)
    eligible = features.eligible[:, DAY] == 1
    z, money = WIDE_VIEW.apply(features, DAY)[eligible], features.values[eligible, DAY, FEATURE_NAMES.index("money")]
    at = np.square(z[:, None, :] - anchors / UNIT).sum(axis=2).argmin(axis=1)
    for number, anchor in enumerate(anchors):
        here = at == number
        assert here.sum() > 20
        assert found.counts[number] == pytest.approx(here.sum(), abs=1e-3)
        centre = anchor / UNIT + 8 * found.offsets[number] / found.counts[number]
        assert centre == pytest.approx(z[here].mean(axis=0), abs=1e-5)
        rounding = here.sum() * cap * statistic.norm / 0.5 / GAMMA  # less than one integer unit a customer
        assert found.facts[0][number] == pytest.approx(money[here].sum(), abs=rounding)


def test_outcomes_do_not_matter() -> None:
    """A customer counts whether or not it is known what it did afterwards."""
    features = plausible_features(300, 7)
    for outcome in (-1, 0, 1, 2):
        other = FeatureTable(
            names=features.names, values=features.values, eligible=features.eligible,
            outcome=np.full_like(features.outcome, outcome),
        )  # fmt: skip
        for statistic in (*STATISTICS["grid_counts"], *STATISTICS["anchor_sums"]):
            assert np.array_equal(statistic.encode_rows(other), statistic.encode_rows(features))


# --- the fast sums -----------------------------------------------------------------------------------------------

each_statistic = pytest.mark.parametrize(
    "statistic", [*STATISTICS["grid_counts"], *STATISTICS["anchor_sums"]], ids=lambda s: f"{s.kind}-{s.dim}"
)


@each_statistic
def test_the_same_integers_in_any_batches_and_order_and_after_a_removal(
    statistic: Statistic, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = plausible_features(700, 8)
    rows, whole = statistic.encode_rows(features), statistic.encode_sum(features)
    assert np.array_equal(rows.sum(axis=0), whole)
    for chunk in (7, 699, 700, 10_000):
        monkeypatch.setattr(Statistic, "CHUNK", chunk)
        assert np.array_equal(statistic.encode_sum(features), whole)
    order = np.random.default_rng(1).permutation(700)
    assert np.array_equal(statistic.encode_sum(features.take(order)), whole)
    for gone in (0, 350, 699):
        left = np.arange(700) != gone
        assert np.array_equal(statistic.encode_sum(features.take(left)), whole - rows[gone])


@pytest.mark.parametrize(
    "statistic",
    [
        GridCounts(view=PLAIN_VIEW, day=0, cells=9),
        GridCounts(view=TWICE, day=0, cells=256),
        AnchorSums(
            view=PLAIN_VIEW,
            day=0,
            anchors=tuple((i * 16, -i * 7, i * 3, UNIT - i, i) for i in range(256)),
            radii=(UNIT,) * 256,
            count_amplitude=300,
            offset_amplitude=700,
            facts=tuple(CappedFact(name=name, caps=(1000,) * 256, amplitude=200) for name in FEATURE_NAMES),
        ),
    ],
    ids=lambda s: f"{s.kind}-{s.dim}",
)
def test_the_longest_vectors_take_little_memory(statistic: Statistic) -> None:
    """Up to 65,536 cells: encoding, also by the general sum, and decoding stay within 64 MB."""
    features = plausible_features(10_000, 9)
    few = features.take(slice(0, 200))
    tracemalloc.start()
    try:
        total = statistic.encode_sum(features)
        general = Statistic.encode_sum(statistic, few)
        statistic.decode(total, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total.any()
    assert np.array_equal(general, statistic.encode_sum(few))
    assert peak < 64 << 20


# --- noise -------------------------------------------------------------------------------------------------------

#: Probability that a statistical check fails on correct code, each side.
FALSE_ALARM = 1e-9


def test_decoding_noise_is_unbiased_and_as_wide_as_stated() -> None:
    """300 sums with production noise: means by chi-square around the truth, and single figures around their deviation.

    3,600 figures: a deviation that is 10% off would be found, at these thresholds, with certainty.
    """
    repeats, scale = 300, 4_000_000
    total = ANCHORS.encode_sum(feature_table(ROWS))
    truth = ANCHORS.decode(total, 0.0)
    noise = discrete_gaussian(scale, repeats * ANCHORS.dim).reshape(repeats, ANCHORS.dim)
    errors = []
    for draw in noise:
        found = ANCHORS.decode(total + draw, float(scale))
        parts = [
            (found.counts - truth.counts) / found.counts_deviation,
            (found.offsets - truth.offsets).ravel() / found.offsets_deviation,
            *((one - other) / d for one, other, d in zip(found.facts, truth.facts, found.facts_deviation, strict=True)),
        ]
        errors.append(np.concatenate(parts))
    scaled = np.array(errors)
    assert scaled.shape == (repeats, ANCHORS.dim)
    means = scaled.mean(axis=0) * math.sqrt(repeats)
    for squares, size in ((np.square(means).sum(), ANCHORS.dim), (np.square(scaled).sum(), scaled.size)):
        low, high = chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], size)
        assert low < squares < high


@pytest.mark.parametrize("statistic", STATISTICS["anchor_sums"], ids=lambda s: str(s.dim))
def test_a_large_federation_is_decoded_without_bias(statistic: AnchorSums) -> None:
    """Ten million customers: each is rounded towards zero, and all of it must stay well below the stated noise."""
    features = plausible_features(500, 10)
    times = 10_000_000 // len(features)
    deviation = GAMMA / 0.2367  # one share at epsilon 1, delta 1e-6
    reading = READINGS["anchor_sums"]
    found = reading.read(statistic, times * statistic.encode_sum(features), deviation)
    truth = times * np.array(reading.truth(statistic, feature_rows_of(features)), dtype=np.float64)
    assert np.all(np.abs(found.values - truth) <= 0.1 * found.deviations)


# --- what cannot be built ----------------------------------------------------------------------------------------


def test_a_grid_has_a_largest_size() -> None:
    assert GridCounts(view=TWICE, day=0, cells=256).dim == 1 << 16
    assert GridCounts(view=PLAIN_VIEW, day=0, cells=9).dim == 9**5
    with pytest.raises(ValidationError, match="at most 65536 cells"):
        GridCounts(view=PLAIN_VIEW, day=0, cells=10)
    for cells in (1, 257):
        with pytest.raises(ValidationError):
            GridCounts(view=LINE_VIEW, day=0, cells=cells)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"anchors": ((0, 0), (0, 0, 0))}, "one place per coordinate"),
        ({"anchors": ((0,), (0,))}, "one place per coordinate"),
        ({"anchors": (), "radii": ()}, "at least 1"),
        ({"anchors": ((0, 0),) * 257, "radii": (1,) * 257}, "at most 256"),
        ({"radii": (UNIT,)}, "one radius"),
        ({"radii": (UNIT, 0)}, "greater than or equal to 1"),
        ({"anchors": ((0, 0),), "radii": (UNIT,)}, "one cap per anchor"),
        ({"facts": (*ANCHORS.facts, ANCHORS.facts[0])}, "named twice"),
        ({"count_amplitude": 0}, "greater than or equal to 1"),
        ({"offset_amplitude": 1001}, "less than or equal to 1000"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_sums_that_make_no_sense_cannot_be_built(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        AnchorSums.model_validate({**ANCHORS.model_dump(), **change})
