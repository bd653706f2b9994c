"""RFM results of all sorts, the coordinator's report of them, and a page as a reader or a browser sees it."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from decimal import Decimal
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from privacy.accounting.gdp import best_guess, epsilon_of, mu_of
from privacy.analyses.rfm.options import FixedCuts, KnownCuts, RfmOptions
from privacy.analyses.rfm.results import Distribution, RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.figures.estimates import Estimate
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.terms import Budget, Cleaning
from privacy.presentation.texts import COMMON, Language, say
from privacy.protocol.study import Study
from privacy.results import EarlierRun, QuestionCost, Spending, StudyResult, Timing
from server.report.render import render_report

UNIT = 100  # cents


@cache
def customers(count: int = 9000, seed: int = 3) -> CustomerColumns:
    rng = np.random.default_rng(seed)
    orders = np.minimum(1 + rng.negative_binomial(0.6, 0.2, count), 400).astype(np.int64)
    recency = np.minimum(rng.exponential(260 / np.sqrt(orders), count), 729).astype(np.int64)
    money = (orders * rng.gamma(1.4, 1.0, count) * rng.lognormal(3.4, 0.8, count) * 100).astype(np.int64)
    tenure = np.minimum(recency + rng.integers(0, 300, count), 729).astype(np.int64)
    return CustomerColumns(recency_days=recency, orders=orders, money=money, tenure_days=tenure)


def _quintiles(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(np.quantile(values, q)) for q in (0.2, 0.4, 0.6, 0.8))


def _ratio(a: Estimate, b: Estimate) -> Estimate:
    value = a.value / b.value
    return Estimate(value=value, margin=abs(value) * math.hypot(a.margin / a.value, b.margin / b.value))


def _scheme(name, rules: SegmentRules, table: CustomerColumns, floor: int, rng) -> SchemeFigures:
    index = rules.assign(name, table)
    money_cap, orders_cap = 200_000, 20
    segments, totals = [], np.zeros(3)
    for position, segment in enumerate(rules.segments(name)):
        mine = table.take(index == position)
        exact = np.array(
            [
                len(mine),
                np.minimum(mine.orders, orders_cap).sum(),
                np.clip(mine.money, None, money_cap).sum() / UNIT,
            ]
        )
        noisy = exact + rng.normal(size=3) * np.array([7.3, 7.3 * orders_cap, 7.3 * money_cap / UNIT]) * 0.4
        totals += noisy
        segments.append((segment, noisy))
    margins = 1.96 * np.array([7.3, 7.3 * orders_cap, 7.3 * money_cap / UNIT]) * 0.4
    total = [
        Estimate(value=float(v), margin=float(m * math.sqrt(len(segments))))
        for v, m in zip(totals, margins, strict=True)
    ]
    figures = []
    for segment, noisy in segments:
        if noisy[0] < floor:
            figures.append(SegmentFigures(code=segment.code, en=segment.en, zh=segment.zh, suppressed=True))
            continue
        n, f, m = (Estimate(value=float(v), margin=float(d)) for v, d in zip(noisy, margins, strict=True))
        figures.append(
            SegmentFigures(
                code=segment.code,
                en=segment.en,
                zh=segment.zh,
                suppressed=False,
                customers=n,
                orders=f,
                revenue=m,
                share_of_customers=_ratio(n, total[0]),
                share_of_revenue=_ratio(m, total[2]),
                orders_per_customer=_ratio(f, n),
                revenue_per_customer=_ratio(m, n),
                revenue_per_order=_ratio(m, f),
            )
        )
    return SchemeFigures(
        scheme=name,
        segments=tuple(figures),
        total_customers=total[0],
        total_orders=total[1],
        total_revenue=total[2],
    )


def _distribution(feature, values: np.ndarray, upper: np.ndarray, cuts, high, scale=1) -> Distribution:
    bins = np.minimum(np.searchsorted(upper, values, side="left"), len(upper) - 1)
    # As the analysis does it: noise on the prefix sums, about the same on each.
    prefix = np.cumsum(np.bincount(bins, minlength=len(upper))) / len(values)
    prefix[:-1] += np.random.default_rng(5).normal(0, 0.003, len(upper) - 1)
    share = np.diff(np.clip(np.maximum.accumulate(prefix), 0, 1), prepend=0.0)
    return Distribution(
        feature=feature,
        upper=tuple(float(u) / scale for u in upper),
        share=tuple(float(s) for s in share),
        cuts=tuple(c / scale for c in cuts),
        high=high / scale,
        rank_margin=(0.0081, 0.0093, 0.0098, 0.0099),
    )


def build_result(
    *,
    k: int = 1,
    holders: tuple[str, ...] = ("online", "store-1", "store-2", "store-3"),
    missing: tuple[str, ...] = (),
    placement: str = "distributed",
    schemes: tuple[str, ...] = ("eight",),
    floor: int = 20,
    thresholds: tuple[ThresholdRule, ...] = (),
    fixed: bool = False,
    epsilon: str = "1",
    declared: bool = True,
) -> StudyResult:
    """A result as a run leaves it: totals of simulated customers with noise, honest spending."""
    table = customers()
    cuts = CutPoints(
        recency_days=_quintiles(table.recency_days),
        orders=_quintiles(table.orders),
        money=_quintiles(table.money),
        recency_high=int(np.median(table.recency_days)),
        orders_high=2,
        money_high=int(np.median(table.money)),
    )
    rules = SegmentRules(cuts=cuts, thresholds=thresholds, money_unit=UNIT)
    study = Study(
        name="spring-review",
        as_of=dt.date(2025, 1, 1),
        placement=placement,
        holders=holders + missing,
        budget=Budget(epsilon=Decimal(epsilon), max_holders_per_customer=k if declared else None, size_class=100_000),
        cleaning=Cleaning(non_goods=("POST", "FEE"), cancellation_prefix="C", returns="net"),
        rates={"GBP": "1.17", "USD": {"2023-01-01": "0.93", "2024-01-01": "0.92"}},
        rfm=RfmOptions(
            report=schemes,
            floor=floor,
            rules=thresholds,
            high_low=FixedCuts(recency_days=90, orders=2, money=Decimal(120)) if fixed else "median",
        ),
    )
    rng = np.random.default_rng(11)
    delta = 1e-6
    promised = mu_of(float(epsilon), delta)
    parts = (("cut_points", 1, "failed"), ("cut_points", 2, "released"), ("segments", 1, "released"))
    weights = (0.35, 0.35, 0.28) if missing else (0.0, 0.7, 0.29)
    questions = tuple(
        QuestionCost(
            question=name.replace("_", " "),
            attempt=attempt if missing else 1,
            outcome=outcome,
            mu=promised * math.sqrt(weight),
            holders=len(holders) + (len(missing) if outcome == "failed" else 0),
        )
        for (name, attempt, outcome), weight in zip(parts, weights, strict=True)
        if weight
    )
    spent = math.sqrt(sum(q.mu**2 for q in questions))
    money = np.unique(np.geomspace(100, 100_000_000, 241).astype(np.int64))
    counts = np.unique(np.concatenate([np.arange(1, 60), np.geomspace(60, 1000, 30).astype(int)]))
    figures = RfmResult(
        rules=rules,
        customers=Estimate(value=9007.4, margin=21.3),
        distributions=(
            _distribution(
                "recency_days",
                table.recency_days,
                np.arange(0, 3661, 10),
                cuts.recency_days,
                cuts.recency_high,
            ),
            _distribution("orders", table.orders, counts, cuts.orders, cuts.orders_high),
            _distribution("money", table.money, money, cuts.money, cuts.money_high, UNIT),
        ),
        schemes=tuple(_scheme(name, rules, table, floor, rng) for name in schemes),
        money_cap=2000.0,
        orders_cap=20,
        revenue_above_cap=0.0123,
    )
    m = len(holders) + len(missing)
    return StudyResult(
        study=study,
        study_digest=study.digest,
        run="7f3a90c2e41b",
        finished="2025-01-03",
        version="0.1.0",
        participants=holders,
        missing=missing,
        transport="flower",
        rfm=figures,
        spending=Spending(
            delta=delta,
            epsilon_promised=float(epsilon),
            epsilon_person=epsilon_of(spent, delta),
            k=k,
            epsilon_all_holders=epsilon_of(spent * m / k, delta),
            epsilon_own=epsilon_of(spent / k, delta),
            best_guess=best_guess(spent),
            best_guess_promised=best_guess(promised),
            questions=questions,
        ),
        timings=(
            Timing(step="nodes online", seconds=5.2),
            Timing(step="joining", seconds=0.42),
            Timing(step="cut points: showing the plan", seconds=0.31),
            Timing(step="cut points: asking", seconds=1.93),
            Timing(step="segments: asking", seconds=0.88),
            Timing(step="handing out the results", seconds=0.2),
        ),
    )


PLAIN = build_result()


LARGE = build_result(
    k=6,
    holders=tuple(f"shop-{n}" for n in range(1, 7)),
    missing=("shop-7",),
    schemes=("eight", "ten"),
    floor=600,
)


CENTRAL = build_result(k=2, holders=("online", "store-1"), placement="central", declared=False)


def earlier_run(
    as_of: str, shift: dict[str, float], *, repeat: int = 0, same_cuts: bool = False, hidden: tuple[str, ...] = ()
) -> EarlierRun:
    """An earlier run whose shares are those of ``PLAIN`` plus ``shift``."""
    shares = {
        row.code: Estimate(value=row.share_of_customers.value + shift.get(row.code, 0.0), margin=0.006)
        for row in PLAIN.rfm.schemes[0].segments
        if row.code not in hidden and row.share_of_customers is not None
    }
    return EarlierRun(
        as_of=as_of,
        repeat=repeat,
        customers=Estimate(value=8700.0, margin=20.0),
        shares={"eight": shares},
        revenue_shares={"eight": shares},
        epsilon_person=0.99,
        same_cuts=same_cuts,
    )


def with_earlier(*runs: EarlierRun, result: StudyResult = PLAIN, studies: int | None = None) -> StudyResult:
    spending = result.spending.model_copy(
        update={"epsilon_all_runs": 1.83, "studies": studies if studies is not None else len(runs) + 1}
    )
    return result.model_copy(update={"earlier": runs, "spending": spending})


def with_known_cuts(result: StudyResult = PLAIN) -> StudyResult:
    """The result as it is when the cut points of an earlier run were used: no first question, no distributions."""
    known = KnownCuts(
        cuts=result.rfm.rules.cuts,
        money_cap=200_000,
        orders_cap=20,
        above_cap=Decimal("0.0123"),
        origin="spring-review 2024-12-01",
        found=dt.date(2024, 12, 1),
    )
    study = result.study.model_copy(
        update={"rfm": result.study.rfm.model_copy(update={"cut_points": known})},
    )
    figures = result.rfm.model_copy(update={"distributions": (), "customers": result.rfm.schemes[0].total_customers})
    return result.model_copy(update={"study": study, "study_digest": study.digest, "rfm": figures})


TREND = with_earlier(
    earlier_run("2024-10-01", {"important_value": -0.03, "general_value": 0.02}),
    earlier_run("2024-11-01", {"important_value": -0.02}, hidden=("general_value",)),
    earlier_run("2024-12-01", {"important_value": -0.025, "general_win_back": 0.002}, hidden=("general_value",)),
)


KNOWN = with_known_cuts(with_earlier(earlier_run("2024-12-01", {"important_value": 0.03}, same_cuts=True)))


class Page(HTMLParser):
    """What tests need of a page: elements with attributes, and the visible text of each language."""

    VOID = frozenset(("meta", "input", "br", "link", "img"))

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: dict[str, list[str]] = {"en": [], "zh": []}
        self.rows: dict[str, list[list[tuple[str, str]]]] = {"en": [], "zh": []}
        self._stack: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()
        assert not self._stack, f"not closed: {self._stack}"

    @property
    def _language(self) -> str | None:
        return next((a["id"][-2:] for t, a in self._stack if t == "main"), None)

    def handle_starttag(self, tag, attrs):
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag not in self.VOID:
            self._stack.append((tag, found))
        if tag == "tr" and self._language and self._in("table", "figures"):
            self.rows[self._language].append([])

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        top, _ = self._stack.pop()
        assert top == tag, f"<{top}> is closed by </{tag}>"

    def handle_data(self, data):
        language = self._language
        if language is None or not data.strip():
            return
        self.words[language].append(data.strip())
        if self._in("table", "figures") and self._in("tr") and not self._in("thead"):
            role = next((a.get("class", t) for t, a in reversed(self._stack) if t in ("span", "td", "th")), "")
            self.rows[language][-1].append((role, data.strip()))

    def _in(self, tag: str, name: str | None = None) -> bool:
        return any(t == tag and (name is None or name in a.get("class", "").split()) for t, a in self._stack)


@cache
def rendered(name: str) -> str:
    return render_report({"plain": PLAIN, "large": LARGE, "central": CENTRAL, "trend": TREND, "known": KNOWN}[name])


def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


def said_figures(page: Page, language: Language) -> list[list[str]]:
    """Figures and margins of a page's rows; what is said in words between them is put into English."""
    words = {
        say(COMMON, key, language, low="", high="").strip(): en
        for key, en in (("low_to_high", "to"), ("under", "under"))
    }
    found = []
    for row in page.rows[language]:
        told = [said for role, said in row if role in ("value", "margin")]
        for own, english in words.items():
            told = [said.replace(own, english) for said in told]
        found.append(told)
    return found
