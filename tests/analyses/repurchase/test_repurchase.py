"""Repurchase: cohorts and their question, figures from counts, the holder's own side, and real runs of two months."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clients.analyses.repurchase.analysis import ANALYSIS as OWN
from clients.analyses.repurchase.labels import RepurchaseHistory, RepurchaseSnapshot
from clients.analyses.repurchase.own import OwnRepurchase, own_repurchase
from clients.analyses.repurchase.states import STATES, standing
from clients.answering.folder import HolderFolder
from clients.answering.runs import RunFolder
from clients.report.files import write_holder_report
from privacy.accounting.events import squared_cap
from privacy.analyses.repurchase import CONTRACT
from privacy.analyses.repurchase.cohort_counts import AMPLITUDES, CohortCounts
from privacy.analyses.repurchase.features import AGE, WAIT
from privacy.analyses.repurchase.options import RepurchaseOptions
from privacy.analyses.repurchase.results import RepurchaseResult
from privacy.audit.export import export
from privacy.audit.verify import verify
from privacy.kernel.features import MISSING, FeatureTable
from privacy.kernel.terms import Budget
from privacy.ledger import Reserved
from privacy.mechanisms import calibrate
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.study import Study
from privacy.results import StudyResult
from privacy.statistics import GAMMA
from server.analyses.repurchase.run import TITLE, figures, forecast
from server.report.render import render_report
from simulations.worlds.generator import generate, study_toml
from simulations.worlds.local import Workspace, run_local

MONTHS = (dt.date(2024, 12, 1), dt.date(2025, 1, 1))


def table_of(customers: list[tuple[int, int]]) -> FeatureTable:
    """Customers of (age, wait), who all count."""
    values = np.array(customers, dtype=np.int64).reshape(len(customers), 1, 2)
    ones = np.ones((len(customers), 1), dtype=np.int64)
    return FeatureTable(names=(AGE, WAIT), values=values, eligible=ones, outcome=-ones)


def study_of(as_of: dt.date = MONTHS[-1], **options: Any) -> Study:
    return Study.model_validate(
        {
            "name": "again", "as_of": as_of, "analyses": ("repurchase",), "repurchase": options,
            "budget": {"epsilon": "1"},
        }
    )  # fmt: skip


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


def test_periods_have_names() -> None:
    quarters = RepurchaseOptions(cohorts=2).periods(dt.date(2025, 1, 1))
    assert [period.name for period in quarters] == ["2024-Q2", "2024-Q3"]
    months = RepurchaseOptions(cohort="month", cohorts=2).periods(dt.date(2025, 1, 1))
    assert [period.name for period in months] == ["2024-10", "2024-11"]


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


# --- real runs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """A workspace in which one study ran for two as-of days, beside the first analysis."""

    workspace: Workspace
    results: tuple[StudyResult, ...]

    @property
    def study(self) -> Study:
        return self.results[-1].study

    @property
    def figures(self) -> RepurchaseResult:
        found = OWN.figures(self.results[-1])
        assert found is not None
        return found

    @property
    def holders(self) -> tuple[HolderFolder, ...]:
        return tuple(self.workspace.holder(name) for name in self.workspace.coordinator.roster().holders)

    def own(self, folder: HolderFolder) -> OwnRepurchase:
        rows = folder.context(self.study).rows(self.study.row_requests["repurchase"])
        return own_repurchase(rows, self.study, self.figures)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("repurchase")
    world = generate(root / "data", customers=2000, stores=2)
    raw = tomllib.loads(study_toml(world), parse_float=Decimal) | {"analyses": ("repurchase",)}
    raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1}
    workspace = Workspace.create(
        root, {name: root / "data" / name for name in world.holders}, lifetime_epsilon="40", declared=1
    )
    days = (Study.model_validate({**raw, "as_of": day}) for day in MONTHS)
    return Ran(workspace, tuple(run_local(study, workspace, transport="in-process") for study in days))


def test_a_run_finds_what_all_holders_have_together(ran: Ran) -> None:
    own = [ran.own(folder) for folder in ran.holders]
    customers = sum(item.customers for item in own)
    assert ran.figures.customers.value == pytest.approx(customers, abs=3 * ran.figures.customers.margin)
    again = sum(round(item.again.own.value * item.customers) for item in own if item.again)
    assert ran.figures.again is not None
    assert ran.figures.again.value == pytest.approx(again / customers, abs=3 * ran.figures.again.margin)
    for number, cohort in enumerate(ran.figures.cohorts):
        size = sum(item.cohorts[number].customers for item in own)
        assert cohort.customers.value == pytest.approx(size, abs=3 * cohort.customers.margin)
    assert sum(rate is not None for cohort in ran.figures.cohorts for rate in cohort.rates) > 5


def test_the_question_is_charged_and_the_audit_proves_it(ran: Ran, tmp_path: Path) -> None:
    (question,) = ran.results[-1].spending.questions
    assert question.question == TITLE
    export(ran.workspace.coordinator.root, tmp_path / "coordinator.bundle")
    for folder in ran.holders:
        export(folder.root, tmp_path / f"{folder.root.name}.bundle")
        charges = [fact for fact in folder.ledger().facts() if isinstance(fact, Reserved)]
        assert [charge.event.dim for charge in charges] == [
            result.study.of(CONTRACT).question(result.study.as_of).dim for result in ran.results
        ]
    found = verify(sorted(tmp_path.glob("*.bundle")))
    assert found.passed, found


def test_a_stated_result_that_is_not_of_the_plan_is_seen(ran: Ran) -> None:
    plans = RunFolder(ran.holders[0].state / "runs").released_plans(ran.results[-1].run)
    answered = [plan.core.statistic for plan in plans]
    assert OWN.fits(ran.figures, answered)
    assert not OWN.fits(ran.figures, [])
    assert not OWN.fits(ran.figures.model_copy(update={"waits": ran.figures.waits[:-1]}), answered)
    assert not OWN.fits(ran.figures.model_copy(update={"cohorts": ran.figures.cohorts[1:]}), answered)


def test_every_holder_has_a_file_of_its_own_customers(ran: Ran) -> None:
    for folder in ran.holders:
        path = folder.root / "labels" / f"{ran.study.name}-{ran.study.as_of}-repurchase.csv"
        written = pd.read_csv(path, dtype={"customer_id": str, "source_id": str}, encoding="utf-8-sig")
        rows = folder.context(ran.study).rows(ran.study.row_requests["repurchase"])
        found = standing(rows.table, 90)
        assert written["customer_id"].tolist() == rows.ids.tolist()
        assert written["second_order"].tolist() == [STATES[state] for state in found.state]
        assert written["first_order_age"].tolist() == found.age.tolist()
        assert written["wait"].isna().tolist() == (found.wait == MISSING).tolist()
        assert written["days_left"].notna().tolist() == found.of("due").tolist()
        assert set(written["second_order"]) == set(STATES)
        before = written["previous_second_order"]
        assert before.isna().any(), "new customers"
        # Nobody gives a second order back.
        assert set(written.loc[before == "again", "second_order"]) == {"again"}
        changed = written["second_order_changed"]
        assert (changed[before.notna()].astype(bool) == (before != written["second_order"])[before.notna()]).all()


def test_only_those_who_changed_can_be_selected(ran: Ran) -> None:
    rows = RepurchaseHistory(ran.holders[0].state / "labels").rows(ran.study.name, ran.study.as_of)
    changed = rows.select(changed_only=True)
    assert changed is not None
    assert 0 < len(changed) < len(rows.snapshot)
    assert rows.select(segment="eight:1") is None
    kept = RepurchaseSnapshot.from_table(rows.snapshot.with_metadata())
    assert kept.table.equals(rows.snapshot.table)
    with pytest.raises(KeyError):
        RepurchaseSnapshot.from_table(rows.snapshot.table)
    assert repr(rows.snapshot) == "RepurchaseSnapshot(<private>)"


def test_the_report_says_what_was_found(ran: Ran) -> None:
    page = render_report(ran.results[-1])
    again = ran.figures.again
    assert again is not None
    assert f"{100 * again.value:.1f}"[:2] in page
    for words in ("Second orders", "复购", "2024, Q3", "2024年第3季度", "the same day", "more than 365 days"):
        assert words in page
    assert not re.search(r"\{[a-z_]+\}", re.sub(r"<style.*?</style>", "", page, flags=re.S))


def test_the_holders_page_sets_its_own_beside_it(ran: Ran) -> None:
    folder = ran.holders[0]
    page = write_holder_report(folder).read_text(encoding="utf-8")
    own = ran.own(folder)
    assert own.again is not None
    assert f"{100 * own.again.own.value:.1f}%" in page
    for group in own.groups:
        assert f"{group.customers:,} customers" in page
        for customer in group.listed:
            assert customer.customer_id in page
    assert "Win the second order while the first is fresh" in page
    due, late = own.groups
    left = [customer.days_left for customer in due.listed]
    assert left == sorted(left)
    assert min(left) >= 1
    assert {customer.days_left for customer in late.listed} == {0}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_holder_without_customers_of_a_period_has_a_page(ran: Ran, language: str) -> None:
    """No share of nobody, and no verdict about it."""

    class Rows:
        ids = np.array(["a"], dtype=object)
        table = table_of([(5, MISSING)])

    own = own_repurchase(Rows(), ran.study, ran.figures)  # type: ignore[arg-type]
    assert all(rate is None for line in own.cohorts for rate in line.rates)
    assert all(line.share is None for line in own.waits)
    empty = table_of([])
    Rows.table, Rows.ids = empty, np.array([], dtype=object)
    assert own_repurchase(Rows(), ran.study, ran.figures).again is None  # type: ignore[arg-type]


# --- what a study is told beforehand -----------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "points"), [(5_000, 3.8), (20_000, 1.0), (50_000, 0.4)])
def test_the_forecast_is_that_of_the_formula(size: int, points: float) -> None:
    """By month, a rate of 30%, epsilon 1, delta 1e-6, 4 holders, one of them pooling: as the design works out."""
    study = study_of(within_days=(30,), cohort="month", cohorts=12).model_copy(
        update={"budget": Budget(epsilon=Decimal(1), delta=Decimal("0.000001"), size_class=size,
                                 max_holders_per_customer=1)}
    )  # fmt: skip
    squared = squared_cap(1.0, 1e-6)

    def planned(title: str, statistic: Any) -> Any:
        return calibrate(squared, statistic.bound, placement="distributed", holders=4, colluding=1)

    (expected,) = forecast(study, planned)
    assert 100 * expected.value == pytest.approx(points, abs=0.06)
    assert not expected.warning
