"""The contract suite: what every statistic, mechanism and placement in the catalogues must keep.

For statistics: the vector is the exact integer sum of bounded per-customer vectors, whatever the rows are; it depends
on nothing but the rows and the public fields; what is decoded from it is right, and its stated noise is its noise. The
suite makes the rows that a statistic reads, customer columns or features of several days, so each passes all of it. For
mechanisms: price, protection and error come from one object and agree. Examples are in ``contract_examples``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from contract_examples import (
    MECHANISM_IDS,
    MECHANISM_VALUES,
    MECHANISMS,
    READINGS,
    STATISTIC_IDS,
    STATISTIC_VALUES,
    STATISTICS,
    kind_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from row_kits import FEATURE_NAMES, KINDS, customer_table, plausible_features, table, tables_of
from statistic_kit import Reading

from privacy.analyses.catalogue import CATALOGUE, STATISTICS_OF, AnyStatistic
from privacy.analyses.churn.by_holder import ByHolder
from privacy.analyses.rfm.prefix_sums import FactGrid, PrefixSums
from privacy.errors import ConfigError
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import MISSING, FeatureTable
from privacy.mechanisms import MIN_SHARE_SCALE, PLACEMENTS, SumMechanism, calibrate
from privacy.statistics import GAMMA, MAX_RECORDS, ContributionBound, Statistic, base
from privacy.statistics.square_root import root_coefficients

each_statistic = pytest.mark.parametrize("statistic", STATISTIC_VALUES, ids=STATISTIC_IDS)
each_mechanism = pytest.mark.parametrize("mechanism", MECHANISM_VALUES, ids=MECHANISM_IDS)
short = settings(max_examples=15, deadline=None)


def read(statistic: Statistic, values: np.ndarray, deviation: float = 0.0) -> Reading:
    """What a sum of a statistic's vectors says, with noise of this standard deviation in it."""
    return READINGS[statistic.kind].read(statistic, values, deviation)


# --- the catalogue -----------------------------------------------------------------------------------------------


def test_every_catalogue_entry_has_examples_of_its_own_kind() -> None:
    assert set(CATALOGUE) == set(STATISTICS) == set(READINGS)
    for kind, examples in STATISTICS.items():
        assert examples
        for example in examples:
            assert type(example) is CATALOGUE[kind]
            assert example.kind == kind


def test_every_kind_of_rows_can_be_made() -> None:
    assert {statistic.reads for statistic in CATALOGUE.values()} <= set(KINDS)
    for kind in KINDS.values():
        columns = kind.plausible(20, 1)
        assert kind.rows_of(kind.table(kind.rows_of(columns))) == kind.rows_of(columns)
        assert len(set(kind.extremes)) == len(kind.extremes)


def test_messages_can_carry_exactly_the_catalogue() -> None:
    union = get_args(get_args(AnyStatistic)[0]) or (get_args(AnyStatistic)[0],)
    assert set(union) == set(CATALOGUE.values())
    assert set().union(*STATISTICS_OF.values()) <= set(CATALOGUE)


# --- statistics --------------------------------------------------------------------------------------------------


@each_statistic
@given(data=st.data())
@short
def test_rows_are_bounded_and_their_sum_is_the_sum(statistic: Statistic, data: st.DataObject) -> None:
    columns = data.draw(tables_of(kind_of(statistic)))
    encoded = statistic.encode_rows(columns)
    assert encoded.dtype == np.int64
    assert encoded.shape == (len(columns), statistic.dim)
    bound = statistic.bound
    for row in encoded.tolist():
        assert max(map(abs, row)) <= bound.max_abs
        assert sum(value * value for value in row) <= bound.squared_norm  # Python integers: exact
    total = statistic.encode_sum(columns)
    assert total.dtype == np.int64
    assert total.shape == (statistic.dim,)
    exact = [sum(column) for column in zip(*encoded.tolist(), strict=True)] if len(columns) else [0] * statistic.dim
    assert total.tolist() == exact


@each_statistic
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@short
def test_encoding_is_a_pure_function_of_each_row(statistic: Statistic, data: st.DataObject, seed: int) -> None:
    """The same integers whatever other rows are there, in whichever order and batches, however they lie in memory."""
    kind, rng = kind_of(statistic), np.random.default_rng(seed)
    columns = data.draw(tables_of(kind, min_size=1))
    together = statistic.encode_rows(columns)
    alone = [statistic.encode_rows(kind.table([row]))[0].tolist() for row in kind.rows_of(columns)]
    assert together.tolist() == alone
    order = rng.permutation(len(columns))
    assert np.array_equal(statistic.encode_rows(columns.take(order)), together[order])
    assert np.array_equal(statistic.encode_sum(columns.take(order)), statistic.encode_sum(columns))
    left = rng.random(len(columns)) < 0.5
    assert np.array_equal(statistic.encode_rows(columns.take(left)), together[left])
    backwards = slice(None, None, -1)
    assert np.array_equal(statistic.encode_rows(columns.take(backwards)), together[backwards])
    cut = int(rng.integers(0, len(columns) + 1))
    batches = [statistic.encode_rows(columns.take(part)) for part in (slice(0, cut), slice(cut, None))]
    assert np.array_equal(np.concatenate(batches), together)


@each_statistic
def test_rows_of_a_large_table_are_encoded_as_each_alone(statistic: Statistic) -> None:
    """A thousand rows: where a library works on several numbers at a time, it must not show in a single bit."""
    kind = kind_of(statistic)
    columns = kind.plausible(1003, 11)
    together = statistic.encode_rows(columns)
    for number in [0, 1, 2, 3, 7, 8, 500, 511, 512, *range(990, 1003)]:
        assert np.array_equal(statistic.encode_rows(columns.take(slice(number, number + 1)))[0], together[number])
    assert np.array_equal(statistic.encode_rows(columns.take(slice(5, None))), together[5:])


@each_statistic
def test_the_rows_are_only_read(statistic: Statistic) -> None:
    kind = kind_of(statistic)
    columns = kind.plausible(50, 2)
    before = kind.rows_of(columns)
    first = statistic.encode_rows(columns)
    first += 1  # what a caller does to a result does not reach the next
    statistic.encode_sum(columns)
    assert kind.rows_of(columns) == before
    assert np.array_equal(statistic.encode_rows(columns), first - 1)


@each_statistic
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@short
def test_sums_over_holders_add_up(statistic: Statistic, data: st.DataObject, seed: int) -> None:
    columns = data.draw(tables_of(kind_of(statistic)))
    at = np.random.default_rng(seed).integers(0, 3, len(columns))
    parts = [statistic.encode_sum(columns.take(at == holder)) for holder in range(3)]
    assert np.array_equal(sum(parts), statistic.encode_sum(columns))


@each_statistic
def test_an_empty_table_answers_zero(statistic: Statistic) -> None:
    empty = kind_of(statistic).table([])
    assert len(empty) == 0
    assert statistic.encode_rows(empty).shape == (0, statistic.dim)
    assert statistic.encode_sum(empty).tolist() == [0] * statistic.dim
    assert not read(statistic, statistic.encode_sum(empty)).values.any()


@pytest.mark.parametrize(
    "statistic", [s for s in STATISTIC_VALUES if kind_of(s).idle is not None], ids=lambda s: s.kind
)
def test_a_customer_who_counts_on_no_day_adds_nothing(statistic: Statistic) -> None:
    kind = kind_of(statistic)
    assert not statistic.encode_rows(kind.table([kind.idle])).any()


@each_statistic
def test_the_general_sum_agrees_across_chunks(statistic: Statistic, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = kind_of(statistic).plausible(100, 3)
    whole = statistic.encode_sum(columns)
    for chunk in (100, 7):
        monkeypatch.setattr(Statistic, "CHUNK", chunk)
        assert np.array_equal(Statistic.encode_sum(statistic, columns), whole)
    monkeypatch.setattr(base, "_CELLS", 3 * statistic.dim)  # a vector so long that few rows are encoded at a time
    assert np.array_equal(Statistic.encode_sum(statistic, columns), whole)


@each_statistic
def test_the_ends_of_int64_are_encoded_like_any_other_value(statistic: Statistic) -> None:
    kind = kind_of(statistic)
    ends = kind.table(kind.extremes)
    assert np.abs(statistic.encode_rows(ends)).max() <= statistic.bound.max_abs
    reading = READINGS[statistic.kind]
    values = read(statistic, statistic.encode_sum(ends)).values
    truth = np.array(reading.truth(statistic, kind.extremes))
    assert np.all(np.abs(values - truth) <= reading.tolerance(statistic, len(ends)))


@each_statistic
def test_the_bound_comes_from_the_fields_alone(statistic: Statistic) -> None:
    again = type(statistic).parse(statistic.canonical())
    assert again == statistic
    assert again.digest == statistic.digest
    assert again.bound == statistic.bound
    assert again.dim == statistic.dim
    carried = TypeAdapter(AnyStatistic).validate_json(statistic.canonical())
    assert carried == statistic


@each_statistic
def test_a_customer_that_reaches_the_bound_exists(statistic: Statistic) -> None:
    # A bound that nobody reaches would be noise for nothing.
    kind = kind_of(statistic)
    encoded = statistic.encode_rows(kind.table(kind.extremes)).tolist()
    longest = max(sum(value * value for value in row) for row in encoded)
    reached = READINGS[statistic.kind].reached
    if reached < 1:
        assert longest >= reached**2 * statistic.bound.squared_norm
    else:
        assert longest == statistic.bound.squared_norm
        assert max(max(map(abs, row)) for row in encoded) == statistic.bound.max_abs


@each_statistic
@given(data=st.data())
@short
def test_exact_sums_decode_to_the_truth(statistic: Statistic, data: st.DataObject) -> None:
    kind, reading = kind_of(statistic), READINGS[statistic.kind]
    columns = data.draw(tables_of(kind))
    decoded = read(statistic, statistic.encode_sum(columns))
    truth = np.array(reading.truth(statistic, kind.rows_of(columns)), dtype=np.float64)
    assert np.all(np.abs(decoded.values - truth) <= reading.tolerance(statistic, len(columns)))
    assert not decoded.deviations.any()


@each_statistic
def test_decoding_is_linear_and_its_deviations_are_those_of_the_noise(statistic: Statistic) -> None:
    """Decoding is linear, so noise of mean zero leaves it unbiased, and every stated deviation can be computed."""
    unit = 1 << 30  # a release is integers; a large unit keeps the response to one coordinate exact enough
    sigma = 3.5e6
    response = np.stack([read(statistic, row).values / unit for row in np.eye(statistic.dim, dtype=np.int64) * unit])
    noise = np.random.default_rng(7).integers(-(1 << 40), 1 << 40, statistic.dim)
    assert np.allclose(read(statistic, noise, sigma).values, noise @ response, rtol=1e-9, atol=1e-3)
    stated = read(statistic, np.zeros(statistic.dim, dtype=np.int64), sigma)
    covariance = sigma**2 * response.T @ response
    assert not stated.values.any()
    assert np.allclose(stated.deviations, np.sqrt(np.diag(covariance)), rtol=1e-4)
    for i, j, value in stated.covariances:
        assert value == pytest.approx(covariance[i, j], rel=1e-3)


@each_statistic
@pytest.mark.parametrize("mechanism", [m for m in MECHANISM_VALUES if m.holders == 1000], ids=lambda m: m.placement)
def test_sums_cannot_wrap_around(statistic: Statistic, mechanism: SumMechanism) -> None:
    mechanism.check_range(statistic.bound)  # the largest federation with the largest noise still fits
    assert statistic.bound.max_abs * MAX_RECORDS <= 1 << 60


@each_statistic
def test_fields_that_do_not_belong_are_refused(statistic: Statistic) -> None:
    fields = statistic.model_dump(mode="json")
    for extra in ({"gamma": 1}, {"bound": 1}, {"squared_norm": 1}):
        with pytest.raises(ValidationError):
            type(statistic).model_validate({**fields, **extra})


def test_a_customer_table_is_integers_of_one_length() -> None:
    good = customer_table(3, seed=1)
    assert repr(good) == "CustomerColumns(<private>)"
    columns = {name: getattr(good, name) for name in ("recency_days", "orders", "money", "tenure_days")}
    with pytest.raises(TypeError):
        CustomerColumns(**{**columns, "money": columns["money"].astype(np.float64)})
    with pytest.raises(TypeError):
        CustomerColumns(**{**columns, "money": columns["money"].reshape(-1, 1)})
    with pytest.raises(ValueError, match="length"):
        CustomerColumns(**{**columns, "money": columns["money"][:2]})


def test_a_feature_table_is_integers_of_one_shape() -> None:
    good = plausible_features(3, seed=1)
    assert repr(good) == "FeatureTable(<private>)"
    parts = {name: getattr(good, name) for name in ("names", "values", "eligible", "outcome")}
    for name in ("values", "eligible", "outcome"):
        with pytest.raises(TypeError, match="int64"):
            FeatureTable(**{**parts, name: parts[name].astype(np.float64)})
        with pytest.raises(TypeError, match="int64"):
            FeatureTable(**{**parts, name: parts[name].tolist()})
        with pytest.raises(ValueError, match="shape"):
            FeatureTable(**{**parts, name: parts[name][:2]})
        with pytest.raises(ValueError, match="shape"):
            FeatureTable(**{**parts, name: parts[name][:, :2]})
    with pytest.raises(ValueError, match="shape"):
        FeatureTable(**{**parts, "names": FEATURE_NAMES[:2]})


# --- score histograms --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", STATISTICS["score_histogram"])
@pytest.mark.parametrize("outcome", [-1, 2, -(2**63), 2**63 - 1])
def test_a_day_whose_outcome_is_not_known_adds_nothing(statistic: Statistic, outcome: int) -> None:
    kind, values = kind_of(statistic), (1, 2, 3, MISSING)
    width = kind.plausible(1, 1).values.shape[2]
    known, unknown = (kind.table([((1, each, values[:width]),) * 3]) for each in (1, outcome))
    assert statistic.encode_rows(known).any()
    assert not statistic.encode_rows(unknown).any()


@pytest.mark.parametrize(
    "statistic", [s for kind in ("anchor_sums", "grid_counts", "score_histogram") for s in STATISTICS[kind]]
)
def test_other_days_than_the_one_asked_for_do_not_matter(statistic: Statistic) -> None:
    columns, others = (kind_of(statistic).plausible(200, seed) for seed in (4, 5))
    day = np.arange(3)[None, :] == statistic.day
    mixed = FeatureTable(
        names=columns.names,
        values=np.where(day[:, :, None], columns.values, others.values),
        eligible=np.where(day, columns.eligible, others.eligible),
        outcome=np.where(day, columns.outcome, others.outcome),
    )
    assert np.array_equal(statistic.encode_rows(mixed), statistic.encode_rows(columns))


def test_shares_of_models_cannot_exceed_the_whole() -> None:
    statistic = STATISTICS["score_histogram"][1]
    assert GAMMA**2 * 0.999999 < statistic.bound.squared_norm <= GAMMA**2
    models = statistic.models
    with pytest.raises(ValidationError, match="1000 permille"):
        type(statistic)(day=0, models=(*models, models[0].model_copy(update={"permille": 1})))
    with pytest.raises(ValidationError, match="ascend"):
        type(models[0])(model=models[0].model, upper=(1, 1), permille=10)


# --- by holder ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistic", STATISTICS["by_holder"])
def test_every_holder_fills_its_own_block_and_no_other(statistic: ByHolder) -> None:
    totals = {}
    for number, holder in enumerate(statistic.holders):
        features = plausible_features(80, number)
        total = statistic.sum_of(holder, features)
        inner = statistic.inner.encode_sum(features)
        assert inner.any()
        for other in statistic.holders:
            assert np.array_equal(statistic.part_of(other, total), inner if other == holder else 0 * inner)
        totals[holder] = inner
    together = sum(statistic.sum_of(h, plausible_features(80, n)) for n, h in enumerate(statistic.holders))
    assert all(np.array_equal(statistic.part_of(holder, together), inner) for holder, inner in totals.items())
    assert not statistic.sum_of("somebody-else", plausible_features(80, 1)).any()
    assert statistic.bound == statistic.inner.bound


# --- prefix sums -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bins", [1, 2, 3, 17, 512])
def test_the_root_squared_is_the_matrix_of_ones(bins: int) -> None:
    root = np.array(root_coefficients(bins))
    assert np.allclose(np.convolve(root, root)[:bins], np.ones(bins), atol=1e-12)


def test_no_shifted_column_has_a_larger_norm() -> None:
    grid = FactGrid(fact="orders", upper=tuple(range(40)), permille=730)
    column = grid.coefficients
    norms = [sum(c * c for c in column[: grid.bins - shift]) for shift in range(grid.bins)]
    assert norms[0] == max(norms)
    assert norms[0] == pytest.approx(GAMMA**2 * 730 // 1000, rel=1e-6)


def test_several_facts_share_one_sensitivity() -> None:
    grids = tuple(
        FactGrid(fact=fact, upper=(1, 2, 3), permille=250)
        for fact in ("recency_days", "orders", "money", "tenure_days")
    )
    assert PrefixSums(grids=grids).bound.squared_norm == pytest.approx(GAMMA**2, rel=1e-6)
    with pytest.raises(ValidationError, match="permille"):
        PrefixSums(grids=(*grids[:3], grids[3].model_copy(update={"permille": 251})))
    with pytest.raises(ValidationError, match="twice"):
        PrefixSums(grids=(grids[0], grids[0]))
    with pytest.raises(ValidationError, match="ascend"):
        FactGrid(fact="orders", upper=(1, 1), permille=10)
    for upper in ((-(1 << 62) - 1, 0), (0, (1 << 62) + 1)):
        with pytest.raises(ValidationError, match=r"64 bits|(greater|less) than or equal to -?4611686018427387904"):
            FactGrid(fact="orders", upper=upper, permille=10)


def test_a_large_federation_is_decoded_without_bias() -> None:
    """Ten million customers: rounding of the integer coefficients must stay well below the noise that is stated."""
    upper = tuple(range(511))
    statistic = PrefixSums(grids=(FactGrid(fact="recency_days", upper=upper, permille=440),))
    one_each = table([(day, 1, 1, day) for day in range(512)])
    times = 10_000_000 // 512
    deviation = GAMMA / 0.2367  # one share at epsilon 1, delta 1e-6
    (estimate,) = statistic.decode(times * statistic.encode_sum(one_each), deviation)
    bias = np.abs(estimate.prefix - times * np.arange(1, 513))
    assert np.all(bias <= 0.1 * estimate.deviation)


# --- mechanisms --------------------------------------------------------------------------------------------------


def test_every_placement_has_examples() -> None:
    assert set(PLACEMENTS) == set(MECHANISMS)


@each_mechanism
def test_price_protection_and_error_agree(mechanism: SumMechanism) -> None:
    bound = ContributionBound(gamma=1 << 20, squared_norm=3 << 40, max_abs=1 << 20)
    event = mechanism.event(bound, dim=17)
    assert (event.squared_norm, event.gamma, event.dim) == (3 << 40, 1 << 20, 17)
    assert event.share_scale == mechanism.share_scale
    protecting, released, by_holders = {
        "distributed": (mechanism.holders - mechanism.colluding, mechanism.holders, mechanism.share_scale),
        "local": (1, mechanism.holders, mechanism.share_scale),
        "central": (1, 1, 0),
    }[mechanism.placement]
    assert event.variance == mechanism.share_scale**2 * protecting
    assert mechanism.released_deviation == pytest.approx(mechanism.share_scale * math.sqrt(released), rel=1e-12)
    assert mechanism.holder_scale == by_holders
    assert event.squared_mu(1) == Fraction(3 << 40, event.variance)
    assert event.squared_mu(3) == 9 * event.squared_mu(1)
    assert SumMechanism.parse(mechanism.canonical()) == mechanism


@pytest.mark.parametrize("placement", PLACEMENTS)
@given(
    squared_mu=st.fractions(Fraction(1, 10**7), Fraction(3)).filter(bool),
    squared_norm=st.integers(1, 1 << 44),
    holders=st.integers(2, 40),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_calibration_never_overshoots_and_is_tight(
    placement: str, squared_mu: Fraction, squared_norm: int, holders: int, data: st.DataObject
) -> None:
    colluding = data.draw(st.integers(1, holders - 1))
    bound = ContributionBound(gamma=1 << 20, squared_norm=squared_norm, max_abs=1 << 22)
    mechanism = calibrate(squared_mu, bound, placement=placement, holders=holders, colluding=colluding)
    assert (mechanism.placement, mechanism.holders, mechanism.colluding) == (placement, holders, colluding)
    price = mechanism.event(bound, 1).squared_mu()
    assert price <= squared_mu
    if mechanism.share_scale > MIN_SHARE_SCALE:
        less = mechanism.model_copy(update={"share_scale": mechanism.share_scale - 1})
        assert less.event(bound, 1).squared_mu() > squared_mu


@pytest.mark.parametrize(
    ("holders", "colluding"), [(2, 2), (3, 3), (3, 4), (1, 1), (3, 0)], ids=lambda value: str(value)
)
def test_a_mechanism_without_an_honest_holder_cannot_be_built(holders: int, colluding: int) -> None:
    with pytest.raises(ValidationError):
        SumMechanism(placement="distributed", holders=holders, colluding=colluding, share_scale=2000)


@pytest.mark.parametrize("scale", [-1, 0, 1, MIN_SHARE_SCALE - 1, (1 << 48) + 1])
def test_a_mechanism_without_noise_cannot_be_built(scale: int) -> None:
    with pytest.raises(ValidationError):
        SumMechanism(placement="distributed", holders=3, colluding=1, share_scale=scale)


@pytest.mark.parametrize(
    ("squared_mu", "holders", "colluding"), [(Fraction(0), 3, 1), (Fraction(-1), 3, 1), (1, 1, 1), (1, 3, 3)]
)
def test_calibration_refuses_what_protects_nobody(squared_mu: Fraction, holders: int, colluding: int) -> None:
    bound = STATISTIC_VALUES[0].bound
    with pytest.raises(ConfigError):
        calibrate(Fraction(squared_mu), bound, placement="distributed", holders=holders, colluding=colluding)


def test_a_budget_too_small_to_be_spent_is_refused() -> None:
    """The noise of a thousand shares must fit 64 bits; a question that needs more is not asked at all."""
    bound = STATISTIC_VALUES[0].bound
    least = Fraction(bound.squared_norm, 1 << 96)
    mechanism = calibrate(least, bound, placement="central", holders=3, colluding=1)
    assert mechanism.share_scale == 1 << 48
    with pytest.raises(ConfigError, match="too small") as error:
        calibrate(least * Fraction(999, 1000), bound, placement="central", holders=3, colluding=1)
    assert error.value.hint


def test_a_plan_that_could_overflow_is_refused_at_the_exact_border() -> None:
    mechanism = SumMechanism(placement="central", holders=2, colluding=1, share_scale=1000)
    room = (1 << 63) - 40 * 1000 - 1
    largest = room // MAX_RECORDS  # of all holders together, however many there are
    mechanism.check_range(ContributionBound(gamma=1, squared_norm=1, max_abs=largest))
    with pytest.raises(ConfigError, match="overflow"):
        mechanism.check_range(ContributionBound(gamma=1, squared_norm=1, max_abs=largest + 1))
