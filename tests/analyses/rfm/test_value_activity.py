"""Value by activity: sums of the eight segments, for nothing, before any of them is hidden."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analyses.rfm.shown_kit import NO_TAILS, NOISE, RULES, TABLE, counted, question_of, released, truth
from pydantic import ValidationError

from privacy.analyses.rfm.options import RfmOptions
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import EIGHT, VALUE_ACTIVITY
from privacy.analyses.rfm.shown import shown
from privacy.figures.public_grid import tells_no_more
from server.analyses.rfm.figures import Tail, Tails, scheme_figures, value_activity_figures
from server.analyses.rfm.shares_only import shares_only

TAILS = Tails(Tail(0.01, 0.05), Tail(0.04, 0.2))


def both(
    question: SegmentTotals, rng: np.random.Generator, tails: Tails, *, noise: float = NOISE, floor: int = 0
) -> RfmResult:
    """A result of noisy totals of the eight, and what is put together from them; noise is of a count."""
    deviation = noise * question.amplitudes[0]
    noise = np.rint(rng.normal(0, deviation, question.dim)).astype(np.int64)
    values = question.encode_sum(counted(TABLE, question.returns)) + noise
    (eight,) = question.decode(values, deviation)
    update = {
        "schemes": (scheme_figures(eight, question, tails, floor=floor),),
        "value_activity": value_activity_figures(eight, question, tails, floor=floor),
    }
    return released(question, rng).model_copy(update=update)


def test_every_one_of_the_eight_is_in_one_group() -> None:
    assert sorted(place for _, members in VALUE_ACTIVITY for place in members) == list(range(len(EIGHT)))
    eight, group = (RULES.assign(scheme, TABLE) for scheme in ("eight", "value_activity"))
    high = (TABLE.recency_days <= RULES.cuts.recency_high) & (TABLE.orders >= RULES.cuts.orders_high)
    valued = TABLE.money > RULES.cuts.money_high
    assert group.tolist() == (2 * ~valued + ~high).tolist()
    for place, (_, members) in enumerate(VALUE_ACTIVITY):
        assert set(eight[group == place].tolist()) <= set(members)


@pytest.mark.parametrize("returns", ["drop", "net"])
@pytest.mark.parametrize("tails", [NO_TAILS, TAILS])
def test_figures_are_sums_of_the_eight_to_the_digit(returns: str, tails: Tails) -> None:
    """Also where the eight are hidden, whose sums are added up before."""
    question = question_of(("eight",), returns)
    full, hidden = (both(question, np.random.default_rng(7), tails, noise=1.0, floor=floor) for floor in (0, 735))
    assert any(row.suppressed for row in hidden.schemes[0].segments)
    for result in (full, hidden):
        assert result.value_activity is not None
        for row, (segment, members) in zip(result.value_activity.segments, VALUE_ACTIVITY, strict=True):
            assert row.code == segment.code
            if row.suppressed:
                assert result is hidden
                assert segment.code == "valued_active", "of one segment, which is hidden"
                continue
            parts = [full.schemes[0].segments[place] for place in members]
            for name in ("customers", "orders", "revenue", "share_of_customers", "share_of_revenue"):
                expected = math.fsum(getattr(part, name).value for part in parts)
                assert getattr(row, name).value == pytest.approx(expected, rel=1e-9), name
            margin = math.hypot(*(part.customers.margin for part in parts))
            assert row.customers.margin == pytest.approx(margin)
    assert full.value_activity is not None
    assert full.value_activity.total_customers == full.schemes[0].total_customers


@pytest.mark.parametrize("returns", ["drop", "net"])
def test_intervals_hold_as_released_and_as_shown(returns: str) -> None:
    """Of 800 counts, orders and sums of money each; .93 is 2.6 standard errors below .95."""
    question, rng = question_of(("eight",), returns), np.random.default_rng(11)
    exact = truth(question, "value_activity")
    held: dict[tuple[bool, int], list[bool]] = {}
    for _ in range(200):
        result = both(question, rng, NO_TAILS)
        for as_shown, found in ((False, result), (True, shown(result, net=returns == "net", complete=True))):
            assert found.value_activity is not None
            for row, true in zip(found.value_activity.segments, exact, strict=True):
                for fact, figure in enumerate((row.customers, row.orders, row.revenue)):
                    low, high = figure.interval
                    held.setdefault((as_shown, fact), []).append(low - 1e-3 <= true[fact] <= high + 1e-3)
    assert all(np.mean(one) >= 0.93 for one in held.values()), {key: np.mean(one) for key, one in held.items()}
    assert all(np.mean(one) <= 0.97 for (as_shown, _), one in held.items() if not as_shown)


def test_as_shown_they_add_up_to_what_the_eight_show() -> None:
    question = question_of(("eight",), "drop")
    found = shown(both(question, np.random.default_rng(3), NO_TAILS), net=False, complete=True)
    assert found.value_activity is not None
    eight = found.schemes[0]
    assert found.value_activity.total_revenue == eight.total_revenue
    for row, (_, members) in zip(found.value_activity.segments, VALUE_ACTIVITY, strict=True):
        revenue = math.fsum(eight.segments[place].revenue.value for place in members)
        assert row.revenue.value == pytest.approx(revenue)


def test_without_totals_shares_go_on_the_grid_once() -> None:
    question = question_of(("eight",), "drop")
    deviation = 2.0 * question.amplitudes[0]
    (eight,) = question.decode(question.encode_sum(TABLE), deviation)
    full = both(question, np.random.default_rng(5), NO_TAILS)
    withheld = shares_only(full, [eight], question, NO_TAILS, floor=20)
    assert withheld.value_activity is not None
    assert withheld.value_activity.total_customers is None
    exact = truth(question, "value_activity")[:, 0] / len(TABLE)
    for row, share in zip(withheld.value_activity.segments, exact, strict=True):
        assert row.customers is row.revenue is None
        assert tells_no_more(row.share_of_customers)
        assert row.share_of_customers.value == pytest.approx(share, abs=row.share_of_customers.margin)
    withheld.model_copy(update={"customers": None, "distributions": ()}).check_shares_only()


def test_it_costs_nothing_and_is_asked_nobody() -> None:
    with pytest.raises(ValidationError, match="value_activity costs nothing and comes with 'eight'"):
        RfmOptions.model_validate({"report": ["eight", "value_activity"]})
    with pytest.raises(ValidationError):
        SegmentTotals.model_validate(question_of(("eight",), "drop").model_dump() | {"schemes": ["value_activity"]})
