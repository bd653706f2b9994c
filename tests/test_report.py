"""The report of a study: complete in both languages, honest about noise, safe to open anywhere."""

from __future__ import annotations

import datetime as dt
import math
import re
import subprocess
from decimal import Decimal
from functools import cache
from urllib.parse import quote
from xml.etree import ElementTree

import churn_pages
import cluster_pages
import numpy as np
import pytest
from all_texts import text
from markupsafe import Markup
from report_pages import (
    CENTRAL,
    LARGE,
    PLAIN,
    TREND,
    UNIT,
    Page,
    build_result,
    chromium,
    earlier_run,
    rendered,
    said_figures,
    with_earlier,
    with_known_cuts,
)

from privacy.analyses.rfm.ageing import ageing_findings, drifts
from privacy.analyses.rfm.results import Distribution, RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.segments import ThresholdRule
from privacy.figures.estimates import Estimate
from privacy.presentation.change import change
from privacy.presentation.numbers import delta_text, epsilon_text, grouped, shown
from privacy.presentation.pages import with_contents
from privacy.presentation.texts import LANGUAGES
from privacy.presentation.words import percent
from privacy.results import StudyResult
from server.analyses.catalogue import ANALYSES
from server.analyses.rfm import pictures
from server.analyses.rfm.analysis import ANALYSIS
from server.analyses.rfm.findings import scheme_findings
from server.analysis.section import ReportView
from server.report.render import describe_spending, render_report


def as_shown(result: StudyResult) -> RfmResult:
    return ANALYSIS.shown(result.rfm, result)


@cache
def page(name: str) -> Page:
    return Page(rendered(name))


def visible(name: str, language: str) -> str:
    return " ".join(page(name).words[language])


# --- the page as a whole


def test_same_result_same_bytes() -> None:
    assert render_report(LARGE) == rendered("large")


@pytest.mark.parametrize("name", ["plain", "large", "central", "trend", "known"])
def test_the_page_refers_to_nothing_outside(name: str) -> None:
    for tag, attributes in page(name).elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "image", "audio", "video")
        for attribute in ("src", "srcset", "action", "data", "poster", "background"):
            assert attribute not in attributes
        assert attributes.get("href", "#").startswith("#")
        assert not any(attribute.startswith("on") for attribute in attributes)
    html = rendered(name)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", ["plain", "large", "central", "trend", "known"])
def test_ids_are_unique_and_references_lead_somewhere(name: str) -> None:
    ids = [attributes["id"] for _, attributes in page(name).elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    html = rendered(name)
    for target in re.findall(r'(?:href="#|url\(#)([^")]+)', html):
        assert target in ids
    for _, attributes in page(name).elements:
        for reference in ("aria-labelledby", "for"):
            if reference in attributes:
                assert attributes[reference] in ids


def test_no_time_of_rendering_and_no_maker_in_the_pictures() -> None:
    html = rendered("plain")
    assert "Matplotlib" not in html
    assert "<metadata" not in html
    assert str(dt.date.today()) not in html


@pytest.mark.parametrize("name", ["plain", "large", "central", "trend", "known"])
def test_the_chinese_page_has_no_english_left(name: str) -> None:
    names = {"Cohortium", "RFM", "EUR", "USD", "GBP", "UTC", "POST", "FEE", "SuperLink"}
    names |= {"spring", "review", "shop", "online", "store", "flower"}
    names |= {"anonymous", "guest", "null", "none", "nan", "unknown"}  # spellings in the data
    words = set(re.findall(r"(?<![0-9a-z])[A-Za-z]{3,}(?![0-9a-z])", visible(name, "zh")))
    assert words <= names
    assert not re.search(r"[一-鿿]", visible(name, "en"))


def test_both_languages_show_the_same_figures() -> None:
    english, chinese = (said_figures(page("large"), language) for language in LANGUAGES)
    assert english == chinese
    assert sum(len(row) for row in english) > 100


# --- figures


@pytest.mark.parametrize(
    ("value", "margin", "decimals", "expected"),
    [
        (1234.56, 23.4, 0, ("1,235", "24")),
        (1234.56, 81.0, 0, ("1,230", "90")),
        (1_234_567.0, 12_345.0, 0, ("1,235,000", "13,000")),
        (0.4567, 0.0123, 2, ("0.46", "0.02")),
        (61.8271, 0.03, 2, ("61.83", "0.03")),
        (12.0, 340.0, 0, ("10", "340")),
        (12.0, 9600.0, 0, ("0", "10,000")),
        (-0.4, 3.0, 0, ("0", "3")),
        (-1530.0, 120.0, 0, ("-1,530", "120")),
        (17.25, 0.0, 2, ("17.25", "0.00")),
    ],
)
def test_no_more_digits_than_the_margin_justifies(value, margin, decimals, expected) -> None:
    assert shown(Estimate(value=value, margin=margin), decimals=decimals) == expected


def test_margins_are_never_rounded_down() -> None:
    rng = np.random.default_rng(1)
    for margin in rng.lognormal(0, 4, 500):
        written = Decimal(shown(Estimate(value=0.0, margin=float(margin)), decimals=2).margin.replace(",", ""))
        assert written >= Decimal(float(margin))
        assert written <= Decimal(float(margin)) * Decimal("1.34") + Decimal("0.01")


def test_spent_epsilon_is_never_rounded_down() -> None:
    assert epsilon_text(0.98701) == "0.988"
    assert epsilon_text(12.3401) == "12.35"
    assert epsilon_text(0.04) == "0.0400"
    assert delta_text(1e-6) == "10⁻⁶"
    assert delta_text(2.5e-8) == "2.5 × 10⁻⁸"
    assert grouped(Decimal("-0.001"), 2) == "0.00"


@pytest.mark.parametrize("name", ["plain", "large", "central", "trend", "known"])
def test_every_figure_has_its_margin(name: str) -> None:
    for language in LANGUAGES:
        rows = [row for row in page(name).rows[language] if row]
        assert rows
        for row in rows:
            # What the noise hides has none: it is the upper end already.
            under = text("under", language, high="")
            told = [(role, words) for role, words in row if role in ("value", "margin") and under not in words]
            assert [role for role, _ in told] == ["value", "margin"] * (len(told) // 2)
            for role, words in row:
                if role == "margin":
                    assert re.fullmatch(r"±\s[\d,.]+|\([\d,.]+ (to|至) [\d,.]+\)", words)
                elif role.startswith("number"):
                    pytest.fail(f"a figure outside value and margin: {words}")


def test_figures_are_those_of_the_result() -> None:
    scheme = as_shown(PLAIN).schemes[0]
    first = scheme.segments[0]
    row = next(row for row in page("plain").rows["en"] if row and row[0][1] == first.en)
    values = [words for role, words in row if role == "value"]
    expected = [
        shown(first.customers, decimals=0),
        shown(first.share_of_customers, decimals=1, scale=100),
        shown(first.orders, decimals=0),
        shown(first.revenue, decimals=0),
        shown(first.share_of_revenue, decimals=1, scale=100),
        shown(first.orders_per_customer, decimals=2),
        shown(first.revenue_per_customer, decimals=2),
        shown(first.revenue_per_order, decimals=2),
    ]
    assert values == [pair.value for pair in expected]


def test_suppressed_segments_show_no_number_but_the_floor() -> None:
    hidden = [s for scheme in LARGE.rfm.schemes for s in scheme.segments if s.suppressed]
    assert len(hidden) >= 3
    for language in LANGUAGES:
        rows = [row for row in page("large").rows[language] if row]
        names = {s.zh if language == "zh" else s.en for s in hidden}
        found = [row for row in rows if row[0][1] in names]
        assert len(found) == len(hidden)
        for row in found:
            reasons = [words for role, words in row if role == "suppressed"]
            assert reasons == [text("suppressed", language, floor=600)]
            assert not any(role in ("value", "margin") for role, _ in row)
        assert visible("large", language).count(text("suppressed_short", language, floor=600)) == 2 * len(hidden)


def test_figures_that_are_mostly_noise_are_marked() -> None:
    segments = PLAIN.rfm.schemes[0].segments
    noisy = segments[0].model_copy(update={"revenue_per_order": Estimate(value=50.0, margin=60.0)})
    scheme = PLAIN.rfm.schemes[0].model_copy(update={"segments": (noisy, *segments[1:])})
    result = PLAIN.model_copy(update={"rfm": PLAIN.rfm.model_copy(update={"schemes": (scheme,)})})
    html = render_report(result)
    weak = [a for tag, a in Page(html).elements if tag == "td" and "weak" in a.get("class", "").split()]
    assert [a["data-label"] for a in weak] == [
        text("revenue_per_order", language, currency="EUR") for language in LANGUAGES
    ]
    assert text("note_weak", "en") in html
    assert text("note_weak", "en") not in rendered("plain")


def test_an_average_that_the_noise_hides_is_a_dash() -> None:
    segments = PLAIN.rfm.schemes[0].segments
    bare = segments[0].model_copy(update={"revenue_per_order": None, "share_of_revenue": None})
    scheme = PLAIN.rfm.schemes[0].model_copy(update={"segments": (bare, *segments[1:])})
    html = render_report(PLAIN.model_copy(update={"rfm": PLAIN.rfm.model_copy(update={"schemes": (scheme,)})}))
    row = next(row for row in Page(html).rows["en"] if row and row[0][1] == bare.en)
    assert [words for role, words in row if role == "margin"].count("–") == 2


# --- what it says


def figures_of(code: str, customers: float, revenue: float, margin: float = 0.01) -> SegmentFigures:
    one = Estimate(value=1.0, margin=0.1)
    return SegmentFigures(
        code=code,
        en=code,
        zh=code,
        suppressed=False,
        customers=one,
        orders=one,
        revenue=one,
        share_of_customers=Estimate(value=customers, margin=margin),
        share_of_revenue=Estimate(value=revenue, margin=margin),
    )


def scheme_of(*segments: SegmentFigures) -> SchemeFigures:
    one = Estimate(value=1.0, margin=0.1)
    return SchemeFigures(scheme="rules", segments=segments, total_customers=one, total_orders=one, total_revenue=one)


def test_findings_name_the_leader_and_the_largest() -> None:
    scheme = scheme_of(figures_of("few", 0.2, 0.7), figures_of("many", 0.6, 0.1), figures_of("rest", 0.2, 0.2))
    lead, largest = scheme_findings(scheme, scheme, "en")
    assert lead == "few brings 70.0% (±\u00a01.0) of revenue with 20.0% (±\u00a01.0) of customer records."
    assert largest.startswith("The largest segment is many with 60.0% (±\u00a01.0) of customer records")
    assert "few" in scheme_findings(scheme, scheme, "zh")[0]


def test_findings_admit_when_the_noise_hides_the_leader() -> None:
    scheme = scheme_of(figures_of("a", 0.5, 0.42, 0.03), figures_of("b", 0.5, 0.40, 0.03))
    sentences = scheme_findings(scheme, scheme, "en")
    assert len(sentences) == 1
    assert "the noise does not tell which is larger" in sentences[0]


def test_findings_without_any_visible_segment() -> None:
    hidden = SegmentFigures(code="x", en="x", zh="x", suppressed=True)
    assert scheme_findings(scheme_of(hidden), scheme_of(hidden), "en") == [text("finding_none", "en")]


def test_findings_stand_in_the_headline() -> None:
    for language in LANGUAGES:
        for sentence in scheme_findings(LARGE.rfm.schemes[0], as_shown(LARGE).schemes[0], language):
            assert sentence in visible("large", language)


def test_findings_are_numbered_and_few_and_none_is_left_out() -> None:
    """One for each sentence, or one for each section where that would be many."""
    parts = cluster_pages.study_result(cluster_pages.cluster_result(), with_rfm=True), churn_pages.kinds()["alone"]
    study = parts[0].study.model_copy(update={"analyses": ("rfm", "clusters", "churn"), "churn": parts[1].study.churn})
    everything = parts[0].model_copy(update={"study": study, "churn": parts[1].churn})
    for result in (PLAIN, LARGE, TREND, everything):
        html = render_report(result)
        for language in LANGUAGES:
            numbered = re.findall(r"<li>", re.search(rf'id="{language}-summary".*?<dl', html, re.S)[0])
            assert 1 <= len(numbered) <= 5
            said = "".join(Page(html).words[language])
            for analysis in ANALYSES:
                figures = analysis.shown_figures(result)
                if figures is not None:
                    view = ReportView(figures=figures, result=result, language=language, text=analysis.section.text)
                    for sentence in analysis.section.findings(view):
                        assert sentence in said
    assert "follows" in render_report(everything)


@pytest.mark.parametrize("name", ["plain", "large"])
def test_the_contents_lead_to_every_section(name: str) -> None:
    for language, body in zip(LANGUAGES, re.split(r"<main ", rendered(name))[1:], strict=True):
        listed = re.search(r'<details class="contents">(.*?)</details>', body, re.S)[1]
        links = re.findall(r'<a href="#([^"]+)">(.*?)</a>', listed)
        assert links == re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
        assert all(target.startswith(f"{language}-") for target, _ in links)
        assert text("contents", language) in listed
        assert body.index("</header>") < body.index(listed) < body.index("<section")


def test_a_page_of_few_sections_has_no_contents() -> None:
    few = Markup("<header></header>") + Markup('<h2 id="en-a">A</h2>') * 3
    assert with_contents(few, "Contents") == few
    assert with_contents(few + Markup('<h2 id="en-b">&lt;b&gt;</h2>'), "Contents").count("&lt;b&gt;") == 2


def test_the_time_of_each_step_is_folded_and_the_whole_is_said() -> None:
    html = rendered("plain")
    folded = re.search(r'<details class="folded">.*?</details>', html, re.S)[0]
    assert text("timings_caption", "en") in folded
    assert text("step_asking", "en") in folded
    seconds = math.fsum(timing.seconds for timing in PLAIN.timings)
    assert text("took_seconds", "en", seconds=f"{seconds:.0f}") in page("plain").words["en"]


@pytest.mark.parametrize(("epsilon", "guess"), [("0.5", "52.5"), ("1", "54.7"), ("4", "66.2")])
def test_spending_is_told_in_plain_words(epsilon: str, guess: str) -> None:
    spending = build_result(epsilon=epsilon, k=2).spending
    english, chinese = (describe_spending(spending, language) for language in LANGUAGES)
    for words in (english, chinese):
        assert epsilon_text(spending.epsilon_person) in words
        assert epsilon_text(spending.epsilon_all_holders) in words
        assert epsilon_text(spending.epsilon_own) in words
        assert f"{100 * spending.best_guess:.1f}%" in words
        assert f"{guess}%" in words
        assert "10⁻⁶" in words
    assert "up to 2 holders" in english
    assert "<" not in english


def test_spending_does_not_repeat_itself_where_the_relations_are_one() -> None:
    spending = CENTRAL.spending
    assert spending.epsilon_all_holders == spending.epsilon_person
    assert "every holder" not in describe_spending(spending, "en")
    assert "one holder only" in describe_spending(PLAIN.spending, "en")


def test_privacy_section_shows_all_relations_and_questions() -> None:
    words = visible("large", "en")
    spending = LARGE.spending
    assert "one person, with all records at up to 6 holders (declared)" in words
    assert "at every holder (7)" in words
    for epsilon in (spending.epsilon_person, spending.epsilon_all_holders, spending.epsilon_own):
        assert epsilon_text(epsilon) in words
    assert "failed, charged all the same" in words
    assert f"{spending.questions[0].mu:.4f}" in words
    assert f"{100 * spending.best_guess:.1f}%" in words
    assert "nothing lower was declared" in visible("central", "en")


@pytest.mark.parametrize("placement", ["distributed", "local", "central"])
def test_who_added_the_noise_is_told(placement: str) -> None:
    html = render_report(build_result(placement=placement))
    for language in LANGUAGES:
        words = " ".join(Page(html).words[language])
        assert text(f"placement_{placement}", language) in words
        others = {"distributed", "local", "central"} - {placement}
        assert not any(text(f"placement_{other}", language) in words for other in others)
        assert text("no_promise_coordinator", language) in words
        assert text("no_promise_ids", language) in words
    assert ('class="alarm"' in html) == (placement == "central")


def test_two_holders_are_warned_of_each_other() -> None:
    html = render_report(build_result(holders=("online", "store-1")))
    assert text("two_holders", "en") in html.replace("&#39;", "'")
    assert text("two_holders", "zh") not in rendered("plain")


def test_overspending_is_an_alarm() -> None:
    spending = PLAIN.spending.model_copy(update={"epsilon_person": 1.2})
    html = render_report(PLAIN.model_copy(update={"spending": spending}))
    assert text("over_promise", "en") in html
    assert text("over_promise", "en") not in rendered("plain")


def test_a_record_is_called_no_person_only_where_one_person_may_have_several() -> None:
    page = rendered("large")  # k = 6
    for language in ("en", "zh"):
        assert text("record_is_no_person", language, count=6) in Page(page).words[language]
    assert "1,497 to 9,029 persons" in page
    alone = Page(rendered("plain")).words["en"]
    assert text("record_is_no_person", "en", count=1) not in alone
    assert not [words for words in alone if "nobody is a customer of more than" in words]


def test_missing_holders_are_named_at_the_top() -> None:
    for language in LANGUAGES:
        assert text("missing_note", language, holders="shop-7", count=1) in visible("large", language)
        assert "shop-7" not in visible("plain", language)


def test_cut_points_in_plain_words_and_in_scores() -> None:
    cuts = PLAIN.rfm.rules.cuts
    words = visible("plain", "en")
    assert f"(R = 5) when the last purchase is at most {cuts.recency_days[0]} days" in words
    assert f"(F = 5) with {cuts.orders[3]} orders or more" in words
    assert f"{cuts.money[3] / UNIT:,.2f} EUR" in words
    assert f"{cuts.recency_days[0] + 1} to {cuts.recency_days[1]}" in words
    assert cuts.orders[0] == 1
    assert text("range_empty", "en") in words  # F = 1 would need less than one order
    assert text("words_ties", "en") in words
    assert "These are medians" in words
    fixed = " ".join(Page(render_report(build_result(fixed=True))).words["en"])
    assert "The operators set these themselves" in fixed


def test_the_cap_and_the_study_rules_are_told() -> None:
    words = visible("plain", "en")
    assert "at most 2,000 EUR and 20 orders" in words
    assert "1.2% of all revenue" in words
    assert "1 GBP = 1.17 EUR" in words
    assert "1 USD = 0.93 EUR since 1 January 2023" in words
    assert "FEE, POST" in words
    assert PLAIN.study_digest in words
    assert "自 2024年1月1日起 1 USD = 0.92 EUR" in visible("plain", "zh")


def test_a_study_without_rfm_still_has_its_budget() -> None:
    html = render_report(PLAIN.model_copy(update={"rfm": None}))
    words = " ".join(Page(html).words["en"])
    assert text("nothing_measured", "en") in words
    assert text("no_promise", "en") in words
    assert "<svg" not in html


def test_own_rules_with_hostile_names_are_shown_as_text() -> None:
    evil = "<script>alert(1)</script>"
    thresholds = (
        ThresholdRule(code="vip", when="R<30, F>=5, M>=500", en=evil, zh="贵宾</style><b>"),
        ThresholdRule(code="maths", when="R<60", en="$\\frac{1}{2}$ & {t('x')}", zh="{{ 7*7 }}"),
    )
    result = build_result(schemes=("rules",), thresholds=thresholds)
    html = render_report(result.model_copy(update={"transport": "<img src=x onerror=alert(2)>"}))
    parsed = Page(html)
    assert evil not in html
    assert [tag for tag, _ in parsed.elements].count("script") == 1
    assert not any(tag in ("img", "b") for tag, _ in parsed.elements)
    for language, words in (
        ("en", evil),
        ("zh", "贵宾</style><b>"),
        ("en", "$\\frac{1}{2}$ & {t('x')}"),
        ("zh", "{{ 7*7 }}"),
    ):
        assert words in parsed.words[language]  # in the table, and as plain text in the picture
    assert "R&lt;30, F&gt;=5, M&gt;=500" in html


# --- over time


def test_over_time_is_there_only_with_earlier_runs() -> None:
    for language in LANGUAGES:
        for name in ("plain", "large", "central"):
            words = page(name).words[language]
            assert text("trend", language) not in words
            assert text("trend_difference", language) not in words
        assert text("trend", language) in page("trend").words[language]
    html = rendered("trend")
    order = [html.index(f'id="en-{part}"') for part in ("eight", "trend", "cuts", "privacy")]
    assert order == sorted(order)
    assert "epsilon 1.83" not in visible("plain", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_shares_of_two_runs_with_their_difference(language) -> None:
    name = {"en": "Important value", "zh": "重要价值客户"}[language]
    released, now = (
        next(row for row in rfm.schemes[0].segments if row.code == "important_value").share_of_customers
        for rfm in (PLAIN.rfm, as_shown(PLAIN))
    )
    then = TREND.earlier[-1].shares["eight"]["important_value"]
    row = [row for row in page("trend").rows[language] if row and row[0][1] == name][1]
    cells = [words for role, words in row if role in ("value", "margin")]
    difference = shown(Estimate(value=0.025, margin=math.hypot(released.margin, then.margin)), decimals=1, scale=100)
    first, second = (shown(e, decimals=1, scale=100) for e in (now, then))
    assert cells == [
        first.value, f"±\u00a0{first.margin}",
        second.value, f"±\u00a0{second.margin}",
        f"+{difference.value}", f"±\u00a0{difference.margin}",
    ]  # fmt: skip
    assert row[-1] == ("verdict", text("trend_up", language))


@pytest.mark.parametrize(
    ("now", "then", "verdict"),
    [(0.20, 0.10, "trend_up"), (0.10, 0.20, "trend_down"), (0.20, 0.194, "trend_same"), (0.194, 0.2, "trend_same")],
)
def test_a_change_counts_only_beyond_both_margins(now, then, verdict) -> None:
    found = change(Estimate(value=now, margin=0.005), Estimate(value=then, margin=0.005))
    assert found.difference.margin == pytest.approx(0.005 * math.sqrt(2))
    assert found.verdict == verdict


def test_changes_within_the_noise_are_grey_and_say_so() -> None:
    parsed = page("trend")
    label = text("trend_difference", "en")
    cells = [a for tag, a in parsed.elements if tag == "td" and a.get("data-label") == label]
    assert sum("weak" in a["class"].split() for a in cells) == 6  # of eight, one changed, one was hidden
    assert parsed.words["en"].count(text("trend_same", "en")) == 6
    assert parsed.words["zh"].count(text("trend_same", "zh")) == 6


def test_a_segment_that_one_run_did_not_show_has_no_difference() -> None:
    row = [row for row in page("trend").rows["en"] if row and row[0][1] == "General value"][1]
    assert [role for role, _ in row].count("value") == 1
    assert ("suppressed", text("trend_hidden", "en")) in row
    assert row[-1] == ("verdict", "–")


@pytest.mark.parametrize("language", LANGUAGES)
def test_whose_cut_points_is_said(language) -> None:
    day = {"en": "1 December 2024", "zh": "2024年12月1日"}[language]
    new, same = (text(f"trend_cuts_{key}", language, day=day) for key in ("new", "same"))
    assert new in visible("trend", language)
    assert same not in visible("trend", language)
    assert same in visible("known", language)
    assert new not in visible("known", language)
    assert text("trend_hollow", language) in visible("trend", language)
    assert text("trend_hollow", language) not in visible("known", language)
    mixed = with_known_cuts(with_earlier(earlier_run("2024-12-01", {}, repeat=1)))
    words = " ".join(Page(render_report(mixed)).words[language])
    named = text("trend_repeat", language, day=day, repeat=1)
    assert text("trend_cuts_other", language, day=named, origin="spring-review 2024-12-01") in words


def test_kept_cut_points_that_have_aged_are_said_to_by_the_releases_alone() -> None:
    def said(result: StudyResult) -> list[str]:
        page = Page(render_report(result))
        for language in LANGUAGES:
            found = ageing_findings(result.study.rfm, result.rfm, result.earlier, language)
            assert all(sentence in " ".join(page.words[language]) for sentence in found)
        return found

    more, less = {"important_value": 0.04, "general_value": 0.04}, {"important_retention": -0.05}
    aged = with_earlier(earlier_run("2024-12-01", more | less, same_cuts=True))
    (sentence,) = said(with_known_cuts(aged))
    kept = with_known_cuts(aged)
    (drift,) = drifts(kept.study.rfm, kept.rfm, kept.earlier)
    assert drift.fact == "recency_days"
    assert drift.then.value - drift.now.value == pytest.approx(0.08)
    assert percent(drift.then, LANGUAGES[-1]) in sentence
    assert said(aged) == []  # new cut points
    assert said(with_known_cuts(with_earlier(earlier_run("2024-12-01", {}, same_cuts=True)))) == []
    assert said(with_known_cuts(with_earlier(earlier_run("2024-12-01", more, same_cuts=False)))) == []
    assert said(with_known_cuts(with_earlier(earlier_run("2024-11-01", more, same_cuts=True)))) == []
    hidden = earlier_run("2024-12-01", more, same_cuts=True, hidden=("general_value",))
    assert said(with_known_cuts(with_earlier(hidden))) == []


def test_what_changed_most_is_told_or_that_nothing_did() -> None:
    assert "1 of 7 shares changed by more than the noise explains; most of all Important value, by +2.5" in visible(
        "trend", "en"
    )
    still = Page(render_report(with_earlier(earlier_run("2024-12-01", {}))))
    for language, day in (("en", "1 December 2024"), ("zh", "2024年12月1日")):
        assert text("trend_finding_none", language, day=day) in still.words[language]


def test_earlier_runs_of_another_segmentation_are_not_compared() -> None:
    other = earlier_run("2024-12-01", {}).model_copy(update={"shares": {"ten": {}}})
    html = render_report(with_earlier(other))
    assert text("trend_none", "en", scheme=text("scheme_eight", "en")) in html
    assert html.count("<svg") == rendered("plain").count("<svg")
    skipped = render_report(with_earlier(*TREND.earlier, other))
    assert text("trend_then", "en", day="1 December 2024") in skipped


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_all_runs_have_spent_is_told(language) -> None:
    words = visible("trend", language)
    assert text("all_runs", language, studies=4, total="1.83", delta="10⁻⁶") in words
    single = PLAIN.spending.epsilon_person + 3 * 0.99
    assert text("all_runs_sum", language, sum=epsilon_text(single)) in words
    others = " ".join(Page(render_report(with_earlier(*TREND.earlier, studies=7))).words[language])
    assert text("all_runs_why", language) in others
    assert text("all_runs_sum", language, sum=epsilon_text(single)) not in others


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_the_trend_picture_survives_gaps_repetitions_and_long_names(width) -> None:
    scheme = scheme_of(figures_of("a" * 60, 0.3, 0.5), SegmentFigures(code="b", en="b", zh="b", suppressed=True))
    share = Estimate(value=0.3, margin=0.01)
    moments = [
        pictures.Moment(dt.date(2025, 1, 1), {"a" * 60: share}, same_cuts=False),
        pictures.Moment(dt.date(2025, 1, 1), {}, same_cuts=True),
        pictures.Moment(dt.date(2025, 1, 1), {"a" * 60: share}, same_cuts=True),
    ]
    svg = pictures.trend(scheme, moments, "en", width=width)
    words = ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("text")]
    assert "nan" not in svg.lower()
    assert words.count("30.0%") == 2
    assert words.count(text("trend_hidden", "en")) == 2
    assert next(word for word in words if word.startswith("aaa")).endswith("…")


# --- cut points of an earlier run


@pytest.mark.parametrize("language", LANGUAGES)
def test_known_cuts_are_shown_with_where_they_come_from(language) -> None:
    origin = "spring-review 2024-12-01"
    words = visible("known", language)
    for key in ("pictures_known", "cuts_lead_known", "cuts_caption_known"):
        assert text(key, language, origin=origin) in words
        assert text(key, language, origin=origin) not in visible("plain", language)
    for key in ("picture_note", "rank_note", "cuts_lead", "note_totals", "cuts_caption"):
        assert text(key, language) not in words
    assert text("note_totals_known", language) in words
    cuts = PLAIN.rfm.rules.cuts
    assert f"{cuts.money[3] / UNIT:,.2f}" in page("known").words[language]
    html = rendered("known")
    assert 'class="trio"' not in html
    table = html[html.index('<table class="cuts">') :].partition("</table>")[0]
    assert table.count('class="value"') == 15
    assert "±" not in table


# --- pictures


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_pictures_have_text_as_text_and_a_description(language, width) -> None:
    svg = pictures.segment_shares(LARGE.rfm.schemes[1], language, floor=600, width=width)
    root = ElementTree.fromstring(svg)
    words = ["".join(node.itertext()) for node in root.iter("text")]
    assert root.attrib["aria-label"] == text("picture_shares", language)
    names = [s.zh if language == "zh" else s.en for s in LARGE.rfm.schemes[1].segments]
    assert [word for word in words if word in names] == names
    assert "width" not in root.attrib  # the page decides


def test_distributions_survive_odd_input() -> None:
    odd = Distribution(
        feature="money",
        upper=(1.0, math.inf),
        share=(-0.01, 1.02),
        cuts=(1.0, 1.0, 1.0, 1.0),
        high=1.0,
        rank_margin=(0.0, 0.0, 0.0, 0.0),
    )
    few = odd.model_copy(update={"feature": "orders", "upper": (1.0,), "share": (1.0,)})
    empty = odd.model_copy(update={"feature": "recency_days", "upper": (0.0, 9.0), "share": (0.0, 0.0)})
    for facts in (odd, few, empty):
        ElementTree.fromstring(pictures.distribution(facts, "en", currency="EUR"))


# --- a real browser


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accepted", "fragment", "expected"),
    [
        ("en-US", "", "en"),
        ("zh-CN", "", "zh-Hans"),
        ("en-US", "#zh", "zh-Hans"),
        ("zh-CN", "#en-cuts", "en"),
        ("de-DE,zh;q=0.5", "", "zh-Hans"),
    ],
)
def test_a_browser_opens_it_offline_without_complaint(tmp_path, accepted, fragment, expected) -> None:
    path = tmp_path / "report 1.html"
    path.write_text(rendered("large"), encoding="utf-8")
    done = subprocess.run(
        [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={tmp_path / 'profile'}", f"--accept-lang={accepted}", "--enable-logging=stderr",
            "--dump-dom", f"file://{quote(str(path))}{fragment}",
        ],
        capture_output=True, text=True, timeout=60, check=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    head = done.stdout[:4000]
    assert f'<html lang="{expected}">' in head
    title = text("title", "zh" if expected != "en" else "en")
    assert f"<title>{title} · spring-review</title>" in head
    assert "<svg" in done.stdout
