"""Segments' ranges, sums measured from their middles, and what lies above the caps."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from row_kits import table

from clients.analyses.rfm.comparison import measures, segment_lines, standing
from privacy.analyses.rfm.options import TAIL_LIMIT, KnownTail
from privacy.analyses.rfm.ranges import ranges_of
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import CENTRED_AMPLITUDES, SegmentTotals, _placed
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.figures.estimates import Estimate
from privacy.kernel.customers import CustomerColumns
from privacy.statistics.base import GAMMA
from server.analyses.rfm.figures import Tail, Tails, scheme_figures
from server.analyses.rfm.shares_only import shares_only

CUTS = CutPoints(
    recency_days=(10, 30, 90, 200), orders=(2, 2, 3, 5), money=(1000, 2000, 5000, 9000), recency_high=60,
    orders_high=3, money_high=3000,
)  # fmt: skip
RULES = SegmentRules(
    cuts=CUTS,
    thresholds=(ThresholdRule(code="regulars", when="F>=3, M in 20..50"), ThresholdRule(code="few", when="F<2")),
    money_unit=100,
)
QUESTION = SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=12, money_cap=50_000, form="centred")


def test_the_eight_segments_have_the_ranges_of_their_rules() -> None:
    found = QUESTION.ranges("eight")
    assert [tuple(row) for row in found.low.tolist()] == [(3, 3000), (1, 3000)] * 2 + [(3, 0), (1, 0)] * 2
    assert [tuple(row) for row in found.high.tolist()] == [(12, 50_000), (2, 50_000)] * 2 + [(12, 3000), (2, 3000)] * 2
    assert found.open[:, 1].tolist() == [True] * 4 + [False] * 4
    assert found.open[:, 0].tolist() == [True, False] * 4
    net = QUESTION.model_copy(update={"returns": "net"}).ranges("eight")
    assert net.low[:, 1].tolist() == [3000] * 4 + [-3000] * 4


def test_grids_and_own_rules_have_theirs() -> None:
    ten = ranges_of(RULES, "ten", orders_cap=12, money_cap=50_000, net=False)
    names = [segment.code for segment in RULES.segments("ten")]
    orders = dict(zip(names, zip(ten.low[:, 0].tolist(), ten.high[:, 0].tolist(), strict=True), strict=True))
    assert orders["champions"] == (3, 12)  # F of 4 and 5
    assert orders["new_customers"] == (1, 1)
    assert orders["hibernating"] == (1, 1)  # F of 1 and 2, of which nobody has 2: the cuts are one
    assert ten.open[:, 1].all()
    own = ranges_of(RULES, "rules", orders_cap=12, money_cap=50_000, net=False)
    assert own.low.tolist() == [[3, 2000], [1, 0], [1, 0]]
    assert own.high.tolist() == [[12, 5000], [2, 50_000], [12, 50_000]]


far = st.integers(-(1 << 62), 1 << 62)


@given(far, st.integers(-(1 << 41), 1 << 41), st.integers(0, 1 << 41))
def test_where_a_customer_is_placed_is_never_beyond_the_amplitude(value: int, low: int, width: int) -> None:
    ends = (np.array([low]), np.array([low + width]))
    placed = int(_placed(np.array([value]), *ends, CENTRED_AMPLITUDES[2])[0])
    assert abs(placed) <= CENTRED_AMPLITUDES[2]
    clipped = min(max(value, low), low + width)
    exact = CENTRED_AMPLITUDES[2] * (2 * clipped - 2 * low - width) / width if width else 0.0
    assert placed == pytest.approx(exact, abs=1 + CENTRED_AMPLITUDES[2] * 2.0**-31)


def test_amplitudes_keep_a_customer_within_the_unit_and_old_questions_keep_their_digest() -> None:
    assert sum(a * a for a in CENTRED_AMPLITUDES) <= GAMMA**2
    assert QUESTION.bound.squared_norm <= GAMMA**2
    old = SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=12, money_cap=50_000)
    assert old.form == "capped"
    assert "form" not in old.model_dump(mode="json")
    assert "returns" not in old.model_dump(mode="json")
    assert old.digest != QUESTION.digest


def test_a_tail_that_noise_makes_endless_is_as_much_as_a_study_can_state() -> None:
    """A run in which hardly a customer is left to compare with must not fail after its first question."""
    found = KnownTail.of(0.1234567, 3e9)
    assert (found.likely, found.most) == (Decimal("0.123457"), Decimal(TAIL_LIMIT))


def _shop(count: int, seed: int) -> CustomerColumns:
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.4, count)
    money = np.rint(100 * orders * rng.lognormal(3.3, 1.2, count))
    rows = zip(rng.integers(0, 200, count), orders, money.astype(np.int64), np.full(count, 300), strict=True)
    return table([tuple(int(value) for value in row) for row in rows])


def test_sums_are_those_of_the_ranges_and_the_tail_is_added_where_it_can_be() -> None:
    columns = _shop(4000, 3)
    estimate = QUESTION.decode(QUESTION.encode_sum(columns), 0.0)[0]
    index = RULES.assign("eight", columns)
    counted = QUESTION.ranges("eight").counted(columns, index)
    np.testing.assert_allclose(estimate.orders, np.bincount(index, counted[:, 0], minlength=8), rtol=1e-5)
    np.testing.assert_allclose(estimate.money, np.bincount(index, counted[:, 1], minlength=8), rtol=1e-5)
    tails = Tails(orders=Tail(0.05, 0.2), money=Tail(0.1, 0.5))
    found = scheme_figures(estimate, QUESTION, tails, floor=0)
    plain = scheme_figures(estimate, QUESTION, Tails(Tail(0.0, 0.0), Tail(0.0, 0.0)), floor=0)
    total = estimate.money.sum() / 100
    assert found.total_revenue.value == pytest.approx(1.1 * total)
    assert found.total_revenue.interval == pytest.approx((total, 1.5 * total))
    assert found.counted_revenue == plain.total_revenue
    for segment, without in zip(found.segments, plain.segments, strict=True):
        assert segment.customers == without.customers
        assert segment.share_of_counted == without.share_of_counted
        assert segment.revenue_per_customer == without.revenue_per_customer
        if segment.code.startswith("general"):
            assert segment.revenue == without.revenue
            assert segment.share_of_revenue.value < without.share_of_revenue.value
            assert segment.share_of_revenue.interval[1] == pytest.approx(without.share_of_revenue.interval[1])
        else:
            assert segment.revenue.value > without.revenue.value
            assert segment.revenue.high > segment.revenue.value
    assert sum(segment.revenue.value for segment in found.segments) == pytest.approx(1.1 * total)
    assert sum(segment.share_of_revenue.value for segment in found.segments) == pytest.approx(1, abs=1e-3)


def test_noise_of_sums_and_averages_is_what_they_state() -> None:
    """The sums share the noise of the count: 4,000 draws of one segmentation, each average held in 95% of them."""
    columns = _shop(6000, 4)
    exact = QUESTION.encode_sum(columns)
    index = RULES.assign("eight", columns)
    counted = QUESTION.ranges("eight").counted(columns, index)
    sums = np.stack([np.bincount(index, w, minlength=8) for w in (np.ones(len(columns)), *counted.T)])
    truth = {
        "orders_per_customer": sums[1] / sums[0],
        "revenue_per_customer": sums[2] / sums[0] / 100,
        "revenue_per_order": sums[2] / sums[1] / 100,
    }
    rng = np.random.default_rng(5)
    noise = 8 * GAMMA
    held = {name: [] for name in truth}
    tails = Tails(Tail(0.0, 0.0), Tail(0.0, 0.0))
    for _ in range(300):
        values = exact + np.rint(rng.normal(0, noise, len(exact))).astype(np.int64)
        found = scheme_figures(QUESTION.decode(values, noise)[0], QUESTION, tails, floor=0)
        for place, segment in enumerate(found.segments):
            for name, true in truth.items():
                average = getattr(segment, name)
                if average is not None:
                    low, high = average.interval
                    held[name].append(low - 1e-3 * true[place] <= true[place] <= high + 1e-3 * true[place])
    for name, inside in held.items():
        assert len(inside) > 2000, name
        assert np.mean(inside) > 0.93, name  # 0.95, and what 2,000 draws leave to chance


@pytest.mark.parametrize("withheld", [False, True])
def test_a_holder_with_all_customers_finds_its_own_figures_in_the_consortiums(withheld: bool) -> None:
    """Counted with counted; where totals are withheld, everything with everything."""
    columns = _shop(4000, 6)
    estimate = QUESTION.decode(QUESTION.encode_sum(columns), 0.0)[0]
    above = np.maximum(columns.money - 50_000, 0).sum() / np.minimum(columns.money, 50_000).sum()
    tail = Tail(float(above), float(2 * above))
    scheme = scheme_figures(estimate, QUESTION, Tails(Tail(0.0, 0.0), tail), floor=0)
    rfm = RfmResult(
        rules=RULES, customers=scheme.total_customers, distributions=(), schemes=(scheme,), money_cap=500.0,
        orders_cap=12, revenue_above_cap=0.0, form="centred",
    )  # fmt: skip
    if withheld:
        scheme = shares_only(rfm, [estimate], QUESTION, Tails(Tail(0.0, 0.0), tail), floor=0).schemes[0]
    lines = segment_lines(columns, rfm, scheme, weight=1.0)
    index = RULES.assign("eight", columns)
    everything = np.bincount(index, columns.money, minlength=8) / columns.money.sum()
    counted = np.bincount(index, QUESTION.ranges("eight").counted(columns, index)[:, 1], minlength=8)
    for line, whole, part in zip(lines, everything, counted / counted.sum(), strict=True):
        compared = line.share_of_revenue
        if compared is None or compared.everyone is None:
            continue
        assert compared.own.value == pytest.approx(whole if withheld else part)
        low, high = compared.everyone.interval
        assert low - 0.01 <= compared.own.value <= high + 0.01
    if not withheld:
        found = standing(columns, rfm, scheme, complete=False)
        assert found.share_of_revenue is not None
        assert found.share_of_revenue.value == pytest.approx(1, abs=1e-4)
        own = measures(columns, rfm, scheme, complete=False, weight=1.0)
        for name in ("orders_per_customer", "revenue_per_customer", "revenue_per_order"):
            assert own[name].everyone is not None
            assert own[name].own.value == pytest.approx(own[name].everyone.value, rel=1e-4)


def test_totals_of_one_question_are_not_taken_for_independent() -> None:
    """New cut points bring a count of another question; without, averages are those that know what they share."""
    columns, noise = _shop(4000, 7), 8 * GAMMA
    values = QUESTION.encode_sum(columns) + np.rint(np.random.default_rng(8).normal(0, noise, 24)).astype(np.int64)
    none = Tail(0.0, 0.0)
    scheme = scheme_figures(QUESTION.decode(values, noise)[0], QUESTION, Tails(none, none), floor=0)
    rfm = RfmResult(
        rules=RULES, customers=scheme.total_customers, distributions=(), schemes=(scheme,), money_cap=500.0,
        orders_cap=12, revenue_above_cap=0.0, form="centred",
    )  # fmt: skip
    other = rfm.model_copy(update={"customers": Estimate(value=4001.0, margin=20.0)})
    for name in ("orders_per_customer", "revenue_per_customer"):
        known, left, new = (
            measures(columns, result, scheme, complete=complete, weight=1.0)[name].everyone
            for result, complete in ((rfm, True), (other, False), (other, True))
        )
        assert known == left == getattr(scheme, name)
        assert new is not None
        assert new != known
