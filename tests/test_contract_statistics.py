"""The contract suite: what every statistic, mechanism and placement in the catalogues must keep.

For statistics: the vector is the exact integer sum of bounded per-customer vectors, whatever the rows are; it depends
on nothing but the rows and the public fields; what is decoded from it is right, and its stated noise is its noise. For
mechanisms: price, protection and error come from one object and agree. Examples are in ``contract_examples``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from contract_examples import (
    INT64_MAX,
    INT64_MIN,
    MECHANISM_IDS,
    MECHANISM_VALUES,
    MECHANISMS,
    READINGS,
    STATISTIC_IDS,
    STATISTIC_VALUES,
    STATISTICS,
    customer_table,
    rows_of,
    table,
    tables,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from privacy.contract.customers import CustomerColumns
from privacy.errors import ConfigError
from privacy.mechanisms import MIN_SHARE_SCALE, PLACEMENTS, SumMechanism, calibrate
from privacy.statistics import (
    CATALOGUE,
    GAMMA,
    MAX_RECORDS,
    STATISTICS_OF,
    AnyStatistic,
    ContributionBound,
    PrefixSums,
    Statistic,
)
from privacy.statistics.prefix_sums import FactGrid, root_coefficients

each_statistic = pytest.mark.parametrize("statistic", STATISTIC_VALUES, ids=STATISTIC_IDS)
each_mechanism = pytest.mark.parametrize("mechanism", MECHANISM_VALUES, ids=MECHANISM_IDS)
short = settings(max_examples=40, deadline=None)


# --- the catalogue -----------------------------------------------------------------------------------------------


def test_every_catalogue_entry_has_examples_of_its_own_kind() -> None:
    assert set(CATALOGUE) == set(STATISTICS) == set(READINGS)
    for kind, examples in STATISTICS.items():
        assert examples
        for example in examples:
            assert type(example) is CATALOGUE[kind]
            assert example.kind == kind


def test_messages_can_carry_exactly_the_catalogue() -> None:
    union = get_args(get_args(AnyStatistic)[0]) or (get_args(AnyStatistic)[0],)
    assert set(union) == set(CATALOGUE.values())
    assert set().union(*STATISTICS_OF.values()) <= set(CATALOGUE)


# --- statistics --------------------------------------------------------------------------------------------------


@each_statistic
@given(columns=tables())
@short
def test_rows_are_bounded_and_their_sum_is_the_sum(statistic: Statistic, columns: CustomerColumns) -> None:
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
@given(columns=tables(min_size=1), seed=st.integers(0, 2**32 - 1))
@short
def test_encoding_is_a_pure_function_of_each_row(statistic: Statistic, columns: CustomerColumns, seed: int) -> None:
    together = statistic.encode_rows(columns)
    alone = [statistic.encode_rows(table([row]))[0].tolist() for row in rows_of(columns)]
    assert together.tolist() == alone
    order = np.random.default_rng(seed).permutation(len(columns))
    assert np.array_equal(statistic.encode_rows(columns.take(order)), together[order])
    assert np.array_equal(statistic.encode_sum(columns.take(order)), statistic.encode_sum(columns))


@each_statistic
@given(columns=tables(), seed=st.integers(0, 2**32 - 1))
@short
def test_sums_over_holders_add_up(statistic: Statistic, columns: CustomerColumns, seed: int) -> None:
    at = np.random.default_rng(seed).integers(0, 3, len(columns))
    parts = [statistic.encode_sum(columns.take(at == holder)) for holder in range(3)]
    assert np.array_equal(sum(parts), statistic.encode_sum(columns))


@each_statistic
def test_the_general_sum_agrees_across_chunks(statistic: Statistic, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = customer_table(1000, seed=3)
    monkeypatch.setattr(Statistic, "CHUNK", 7)
    assert np.array_equal(Statistic.encode_sum(statistic, columns), statistic.encode_sum(columns))


@each_statistic
def test_the_ends_of_int64_are_encoded_like_any_other_value(statistic: Statistic) -> None:
    ends = [(r, f, m, t) for r in (INT64_MIN, INT64_MAX) for f in (INT64_MIN, INT64_MAX) for m in (INT64_MIN, INT64_MAX)
            for t in (INT64_MIN, INT64_MAX)]  # fmt: skip
    encoded = statistic.encode_rows(table(ends))
    assert np.abs(encoded).max() <= statistic.bound.max_abs
    reading = READINGS[statistic.kind]
    values = reading.read(statistic.decode(statistic.encode_sum(table(ends)), 0.0)).values
    assert np.all(np.abs(values - reading.truth(statistic, ends)) <= reading.tolerance(statistic, len(ends)))


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
    # A bound that nobody reaches would be noise for nothing. All corners of the table, and every bin of every grid.
    corners = [(r, f, m, t) for r in (INT64_MIN, 0, INT64_MAX) for f in (INT64_MIN, INT64_MAX)
               for m in (INT64_MIN, INT64_MAX) for t in (INT64_MIN, INT64_MAX)]  # fmt: skip
    encoded = statistic.encode_rows(table(corners)).tolist()
    assert max(sum(value * value for value in row) for row in encoded) == statistic.bound.squared_norm
    assert max(max(map(abs, row)) for row in encoded) == statistic.bound.max_abs


@each_statistic
@given(columns=tables())
@short
def test_exact_sums_decode_to_the_truth(statistic: Statistic, columns: CustomerColumns) -> None:
    reading = READINGS[statistic.kind]
    decoded = reading.read(statistic.decode(statistic.encode_sum(columns), 0.0))
    truth = np.array(reading.truth(statistic, rows_of(columns)), dtype=np.float64)
    assert np.all(np.abs(decoded.values - truth) <= reading.tolerance(statistic, len(columns)))
    assert not decoded.deviations.any()


@each_statistic
def test_decoding_is_linear_and_its_deviations_are_those_of_the_noise(statistic: Statistic) -> None:
    """Decoding is linear, so noise of mean zero leaves it unbiased, and every stated deviation can be computed."""
    reading = READINGS[statistic.kind]
    unit = 1 << 30  # a release is integers; a large unit keeps the response to one coordinate exact enough
    sigma = 3.5e6
    response = np.stack(
        [reading.read(statistic.decode(row, 0.0)).values / unit for row in np.eye(statistic.dim, dtype=np.int64) * unit]
    )
    noise = np.random.default_rng(7).integers(-(1 << 40), 1 << 40, statistic.dim)
    assert np.allclose(reading.read(statistic.decode(noise, sigma)).values, noise @ response, rtol=1e-9, atol=1e-3)
    stated = reading.read(statistic.decode(np.zeros(statistic.dim, dtype=np.int64), sigma))
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
        with pytest.raises(ValidationError, match="64 bits"):
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
