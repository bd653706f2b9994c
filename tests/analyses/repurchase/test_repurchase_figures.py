"""Repurchase: cohorts and their question, figures from counts, a customer's standing, and the forecast."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.repurchase.examples import MONTHS, study_of, table_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from report_pages import PLAIN

from clients.analyses.repurchase.states import STATES, standing
from privacy.accounting.events import squared_cap
from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.cohort_counts import AMPLITUDES, CohortCounts
from privacy.analyses.repurchase.options import RepurchaseOptions
from privacy.analyses.repurchase.results import CohortFigures, RepurchaseResult
from privacy.figures.estimates import Estimate
from privacy.kernel.features import MISSING, FeatureTable
from privacy.kernel.terms import Budget
from privacy.mechanisms import calibrate
from privacy.protocol.study import Study
from privacy.statistics import GAMMA
from server.analyses.repurchase.run import figures, forecast
from server.analyses.repurchase.section import findings
from server.analyses.repurchase.texts import text
from server.analysis.section import ReportView

# --- cohorts -----------------------------------------------------------------------------------------------------


@given(
    st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)),
    st.sampled_from(["quarter", "month"]),
    st.integers(1, 60),
    st.integers(1, 365),
)
def test_cohorts_are_calendar_periods_without_gaps_and_the_first_limit_is_over(
    as_of: dt.date, cohort: Any, cohorts: int, days: int
) -> None:
    options = RepurchaseOptions(within_days=(days,), cohort=cohort, cohorts=cohorts)
    periods = options.periods(as_of)
    assert len(periods) == cohorts
    months = 3 if cohort == "quarter" else 1
    for period in periods:
        assert period.first.day == 1
        assert (period.first.month - 1) % months == 0
        assert period.is_over(days, as_of)
    for before, after in pairwise(periods):
        assert before.last + dt.timedelta(days=1) == after.first
    question = options.question(as_of)
    # Everybody who came on a day of a period is in that cohort, the youngest first; the day after the last in none.
    for number, period in enumerate(periods[::-1]):
        for day in (period.first, period.last):
            age = (as_of - day).days
            assert question.edges[number] <= age < question.edges[number + 1]
    following = periods[-1].last + dt.timedelta(days=1)
    assert (as_of - following).days < question.edges[0]
    # The next period would not be over: it ends too late.
    ends = (following.replace(day=28) + dt.timedelta(days=31 * months)).replace(day=1)
    assert (as_of - (ends - dt.timedelta(days=1))).days <= days or ends <= following


def test_the_last_periods_are_those_that_are_over() -> None:
    quarters = RepurchaseOptions(cohorts=2).periods(dt.date(2025, 1, 1))
    assert [period.first for period in quarters] == [dt.date(2024, 4, 1), dt.date(2024, 7, 1)]
    months = RepurchaseOptions(cohort="month", cohorts=2).periods(dt.date(2025, 1, 1))
    assert [period.last for period in months] == [dt.date(2024, 10, 31), dt.date(2024, 11, 30)]


@pytest.mark.parametrize("within_days", [(), (0,), (30, 30), (60, 30), (366,), tuple(range(1, 8))])
def test_limits_that_mean_nothing_are_refused(within_days: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        RepurchaseOptions(within_days=within_days)


@pytest.mark.parametrize("change", [{"upper": (7, 7)}, {"within": (60, 30)}, {"edges": (10, 5)}, {"edges": (5,)}])
def test_a_question_whose_bins_do_not_ascend_is_refused(change: dict[str, Any]) -> None:
    fields = {"day": 0, "upper": (0, 7), "within": (30,), "edges": (31, 60)}
    CohortCounts(**fields)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        CohortCounts(**(fields | change))  # type: ignore[arg-type]


def test_the_bound_uses_the_ball_and_no_more() -> None:
    bound = CohortCounts(day=0, upper=(0,), within=(30,), edges=(31, 60)).bound
    assert bound.squared_norm == sum(amplitude**2 for amplitude in AMPLITUDES) <= GAMMA**2
    assert bound.squared_norm > GAMMA**2 * 0.9999999


# --- figures -----------------------------------------------------------------------------------------------------


def exact(table: FeatureTable, study: Study, deviation: float = 0.0) -> RepurchaseResult:
    question = study.of(CONTRACT).question(study.as_of)
    return figures(study, question, question.decode(question.encode_sum(table), deviation))


def test_figures_of_exact_counts_are_the_customers() -> None:
    study = study_of(within_days=(30, 60))
    ages = [(MONTHS[-1] - dt.date(2024, 8, day)).days for day in range(1, 11)]
    table = table_of(
        [(age, wait) for age, wait in zip(ages, [0, 10, 30, 31, 60, 61, 400, *[MISSING] * 3], strict=True)]
    )
    found = exact(table, study)
    assert found.customers.value == pytest.approx(10)
    assert found.again is not None
    assert found.again.value == pytest.approx(0.7)
    filled = {(item.above, item.upto): round(item.customers.value) for item in found.waits}
    assert {bins: count for bins, count in filled.items() if count} == {
        (None, 0): 1, (7, 14): 1, (14, 30): 1, (30, 60): 2, (60, 90): 1, (365, None): 1,
    }  # fmt: skip
    (cohort,) = [cohort for cohort in found.cohorts if cohort.customers.value > 0.5]
    assert (cohort.first, cohort.last) == (dt.date(2024, 7, 1), dt.date(2024, 9, 30))
    assert cohort.over == (True, True)
    assert [round(rate.value, 6) if rate else None for rate in cohort.rates] == [0.3, 0.5]


def test_a_rate_is_not_shown_before_its_days_are_over_or_where_the_noise_leaves_none() -> None:
    study = study_of(within_days=(30, 120))
    table = table_of([(100, 5)] * 200 + [(100, MISSING)] * 300)
    newest = exact(table, study).cohorts[-1]
    assert newest.over == (True, False)
    assert [rate is None for rate in newest.rates] == [False, True]
    noisy = exact(table, study, deviation=120.0 * AMPLITUDES[1]).cohorts[-1]
    assert noisy.rates == (None, None), "500 customers are less than five deviations of 120"
    assert exact(table_of([]), study, deviation=1e9).again is None


def test_what_is_impossible_is_not_shown() -> None:
    study = study_of()
    question = study.of(CONTRACT).question(study.as_of)
    rng = np.random.default_rng(5)
    for _ in range(50):
        noise = rng.normal(0, 3e8, question.dim).astype(np.int64)
        result = figures(study, question, question.decode(noise + question.encode_sum(table_of([(100, 5)] * 50)), 3e8))
        shares = [result.again, *(wait.share for wait in result.waits)]
        shares += [rate for cohort in result.cohorts for rate in cohort.rates]
        for share in shares:
            assert share is None or 0 <= share.interval[0] <= share.value <= share.interval[1] <= 1
        assert all(wait.customers.value >= 0 for wait in result.waits)
        assert all(cohort.customers.value >= 0 for cohort in result.cohorts)


def test_intervals_hold_the_truth() -> None:
    """Each kind of figure by itself, over many draws of the noise of a usual budget."""
    study = study_of(cohort="quarter", cohorts=4)
    rng = np.random.default_rng(11)
    customers = 6000
    age = rng.integers(1, 500, customers)
    wait = np.where(rng.random(customers) < 0.45, rng.geometric(1 / 40, customers) - 1, MISSING)
    wait = np.where(wait < age, wait, MISSING)
    table = table_of(list(zip(age.tolist(), wait.tolist(), strict=True)))
    question = study.of(CONTRACT).question(study.as_of)
    counts, truth = question.encode_sum(table), exact(table, study)
    deviation = 5.0 * GAMMA
    held: dict[str, list[bool]] = {"again": [], "rate": [], "share": [], "size": []}
    for _ in range(400):
        noise = np.rint(rng.normal(0, deviation, question.dim)).astype(np.int64)
        found = figures(study, question, question.decode(counts + noise, deviation))
        pairs = [("again", found.again, truth.again)]
        pairs += [("share", a.share, b.share) for a, b in zip(found.waits, truth.waits, strict=True)]
        for mine, true in zip(found.cohorts, truth.cohorts, strict=True):
            pairs += [("rate", a, b) for a, b in zip(mine.rates, true.rates, strict=True)]
            pairs.append(("size", mine.customers, true.customers))
        for kind, estimate, true_one in pairs:
            if estimate is not None and true_one is not None:
                low, high = estimate.interval
                held[kind].append(low <= true_one.value <= high)
    for kind, outcomes in held.items():
        assert len(outcomes) >= 400, kind
        # Draws of one release go together: as many independent ones as releases, four deviations.
        assert np.mean(outcomes) == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 400)), kind


def test_cdnow(data_folder: Any, tmp_path: Any) -> None:
    """Public data, without noise: what pandas finds by hand is what the analysis says."""
    raw = pd.read_parquet(data_folder / "cdnow_sample" / "cdnow_sample.parquet")
    customer, day = raw.columns[0], next(name for name in raw.columns if "date" in name.lower())
    days = raw.assign(day=pd.to_datetime(raw[day].astype(str)).dt.normalize())[[customer, "day"]].drop_duplicates()
    as_of = pd.Timestamp("1998-07-01")
    days = days[days["day"] < as_of].sort_values([customer, "day"])
    first = days.groupby(customer)["day"].nth(0).to_numpy()
    second = days.groupby(customer)["day"].apply(lambda d: d.iloc[1] if len(d) > 1 else pd.NaT)
    age = (as_of - pd.Series(first)).dt.days
    wait = (pd.Series(second.to_numpy()) - pd.Series(first)).dt.days
    table = table_of(
        [(a, MISSING if np.isnan(w) else int(w)) for a, w in zip(age.tolist(), wait.tolist(), strict=True)]
    )
    study = study_of(as_of.date(), within_days=(30,), cohort="month", cohorts=17)
    found = exact(table, study)
    assert round(found.customers.value) == 2357
    assert [round(item.customers.value) for item in found.waits] == [0, 145, 117, 148, 191, 86, 74, 126, 187, 65]
    assert sum(round(item.customers.value) for item in found.waits) == 1139
    filled = [cohort for cohort in found.cohorts if cohort.customers.value > 0.5]
    assert [cohort.first for cohort in filled] == [dt.date(1997, month, 1) for month in (1, 2, 3)]
    assert [round(cohort.customers.value) for cohort in filled] == [781, 857, 719]
    rates = [cohort.rates[0] for cohort in filled]
    assert [rate and round(rate.value * size) for rate, size in zip(rates, (781, 857, 719), strict=True)] == [
        137,
        159,
        114,
    ]


# --- a customer's standing ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 800), st.one_of(st.integers(0, 700), st.just(MISSING))), max_size=30))
def test_a_standing_follows_from_age_and_wait(customers: list[tuple[int, int]]) -> None:
    found = standing(table_of(customers), 90)
    for row, (age, wait) in enumerate(customers):
        # A day d after the first order is in time up to d = 90; the as-of day itself is one of the days left.
        left = 0 if wait != MISSING else max(90 - age + 1, 0)
        state = "again" if wait != MISSING else "due" if left else "late"
        assert (STATES[found.state[row]], found.days_left[row]) == (state, left)


# --- what a study is told beforehand -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cohort", "size", "points"),
    [("month", 5_000, 3.8), ("month", 20_000, 1.0), ("month", 50_000, 0.4),
     ("quarter", 5_000, 1.3), ("quarter", 20_000, 0.3), ("quarter", 50_000, 0.1)],
)  # fmt: skip
def test_the_forecast_is_that_of_the_formula(cohort: str, size: int, points: float) -> None:
    """A rate of 30%, epsilon 1, delta 1e-6, 4 holders, one of them pooling: the table of docs/repurchase.md."""
    study = study_of(within_days=(30,), cohort=cohort, cohorts=12).model_copy(
        update={"budget": Budget(epsilon=Decimal(1), delta=Decimal("0.000001"), size_class=size,
                                 max_holders_per_customer=1)}
    )  # fmt: skip
    squared = squared_cap(1.0, 1e-6)

    def planned(title: str, statistic: Any) -> Any:
        return calibrate(squared, statistic.bound, placement="distributed", holders=4, colluding=1)

    (expected,) = forecast(study, planned)
    assert 100 * expected.value == pytest.approx(points, abs=0.06)
    assert not expected.warning


# --- findings ----------------------------------------------------------------------------------------------------


def _rates(*rates: float) -> RepurchaseResult:
    cohorts = tuple(
        CohortFigures(
            first=dt.date(2024, 3 * number + 1, 1),
            last=dt.date(2024, 3 * number + 3, 28),
            customers=Estimate(value=1000.0, margin=20.0),
            rates=(Estimate(value=rate, margin=0.02),),
            over=(True,),
        )
        for number, rate in enumerate(rates)
    )
    customers = Estimate(value=3000.0, margin=40.0)
    return RepurchaseResult(customers=customers, again=Estimate(value=0.4, margin=0.01), waits=(), cohorts=cohorts)


def test_whether_cohorts_differ_rests_on_what_was_released() -> None:
    study = study_of(within_days=(30,))
    alike, apart = _rates(0.30, 0.31, 0.32), _rates(0.10, 0.31, 0.50)

    def said(released: RepurchaseResult, shown: RepurchaseResult) -> str:
        result = PLAIN.model_copy(update={"study": study, "rfm": None, "repurchase": released})
        return findings(ReportView(figures=shown, result=result, language="en", text=text))[1]

    assert "more apart than the noise explains" in said(apart, apart)
    assert "more apart than the noise explains" in said(apart, alike)
    assert "more apart than the noise explains" not in said(alike, apart)
