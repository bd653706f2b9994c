"""Averages and shares of segments: their intervals hold the truth, and hold nothing that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from privacy.analyses.rfm.segment_totals import SegmentEstimate, SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from server.analyses.rfm.figures import Limits, Tail, Tails, Total, Totals, averages, scheme_figures, share_of

DRAWS = 20_000
#: Every customer has three orders of 40 each.
ORDERS, MONEY = 3.0, 120.0
LIMITS = Limits(orders=(1.0, 10.0), money=(0.0, 500.0))
RULES = SegmentRules(
    cuts=CutPoints(
        recency_days=(10, 30, 90, 200), orders=(2, 2, 3, 5), money=(1000, 2000, 5000, 9000), recency_high=60,
        orders_high=2, money_high=3000,
    ),
    money_unit=100,
)  # fmt: skip
QUESTION = SegmentTotals(rules=RULES, schemes=("eight",), orders_cap=10, money_cap=50_000, form="centred")
TAILS = Tails(orders=Tail(0.02, 0.1), money=Tail(0.05, 0.3))


@pytest.mark.parametrize("clear", [5.0, 8.0, 15.0])
def test_averages_that_are_shown_hold_the_truth(clear: float) -> None:
    """``clear`` deviations of customers; orders and revenue are as clear of their noise, and their noise is larger."""
    rng = np.random.default_rng(int(clear))
    truth = {"orders_per_customer": ORDERS, "revenue_per_customer": MONEY, "revenue_per_order": MONEY / ORDERS}
    shown, held = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
    for noise in rng.standard_normal((DRAWS, 3)):
        totals = Totals(
            Total(clear + noise[0], 1.0),
            Total(ORDERS * (clear + noise[1]), ORDERS),
            Total(MONEY * (clear + noise[2]), MONEY),
        )
        for name, found in averages(totals, LIMITS).items():
            if found is None:
                continue
            low, high = found.interval
            assert (1.0 if name == "orders_per_customer" else 0.0) <= low <= high <= 500.0
            shown[name] += 1
            held[name] += low <= truth[name] <= high
    for name in truth:
        assert shown[name] > 0.4 * DRAWS, name
        assert 0.94 < held[name] / shown[name] < 0.96, name


@pytest.mark.parametrize("clear", [5.0, 8.0, 15.0])
@pytest.mark.parametrize("true", [0.3, 0.7])
def test_shares_of_all_segments_that_are_shown_hold_the_truth(clear: float, true: float) -> None:
    """Eight segments of equal noise; the whole is ``clear`` deviations of its own noise."""
    rng = np.random.default_rng(int(10 * clear * true))
    whole = clear * np.sqrt(8)
    shown = held = 0
    for noise in rng.standard_normal((DRAWS, 8)):
        found = share_of(Total(true * whole + noise[0], 1.0), Total(whole + float(noise.sum()), 8**0.5))
        if found is not None:
            shown += 1
            held += found.interval[0] <= true <= found.interval[1]
    assert shown > 0.4 * DRAWS
    assert 0.94 < held / shown < 0.965


def test_nothing_is_shown_where_the_total_below_is_not_clear_of_its_noise() -> None:
    clear, not_clear = (Totals(Total(n, 1.0), Total(3 * n, 3.0), Total(120 * n, 120.0)) for n in (5.0, 4.99))
    assert all(found is not None for found in averages(clear, LIMITS).values())
    assert all(found is None for found in averages(not_clear, LIMITS).values())
    assert share_of(Total(2.0, 0.1), Total(4.99, 1.0)) is None


def test_figures_of_segments_are_possible_whatever_the_noise() -> None:
    rng = np.random.default_rng(1)
    shown = dict.fromkeys(("share_of_customers", "share_of_revenue", "orders_per_customer"), 0)
    for _ in range(200):
        noise = rng.standard_normal((3, 8))
        estimate = SegmentEstimate(
            scheme="eight",
            customers=np.full(8, 30.0) + 10 * noise[0],
            orders=np.full(8, 40.0) + 30 * noise[1],
            money=np.full(8, 80_000.0) + 40_000 * noise[2],
            customers_deviation=10.0,
            orders_deviation=np.full(8, 30.0),
            money_deviation=np.full(8, 40_000.0),
            orders_middle=np.zeros(8),
            money_middle=np.zeros(8),
        )
        for segment in scheme_figures(estimate, QUESTION, TAILS, floor=0).segments:
            for share in (segment.share_of_customers, segment.share_of_revenue):
                assert share is None or 0 <= share.interval[0] <= share.interval[1] <= 1
            for name in shown:
                shown[name] += getattr(segment, name) is not None
            average = segment.orders_per_customer
            assert average is None or 1 <= average.interval[0] <= average.interval[1] <= 10
    assert all(count > 20 for count in shown.values()), shown


def test_money_net_of_returns_may_be_negative() -> None:
    totals = Totals(Total(100.0, 1.0), Total(200.0, 3.0), Total(-500.0, 100.0))
    net = averages(totals, Limits(orders=(1.0, 10.0), money=(-500.0, 500.0)))["revenue_per_customer"]
    gross = averages(totals, LIMITS)["revenue_per_customer"]
    assert net is not None
    assert gross is not None
    assert net.interval[0] < net.value == -5.0
    assert (gross.value, gross.low) == (0.0, 0.0)
    part = share_of(Total(-500.0, 100.0), Total(9_000.0, 300.0), signed=True)
    assert part is not None
    assert part.value < 0
