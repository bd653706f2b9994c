"""Every analysis: nothing impossible on the terminal, in the report and in JSON, whatever noise made of a release."""

from __future__ import annotations

import datetime as dt
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import churn_pages
import cluster_pages
import pytest
from holder_pages import page_of
from hypothesis import given
from hypothesis import strategies as st
from report_pages import PLAIN, Page, rendered
from rich.console import Console
from rich.table import Table

from cohortium.running import texts
from privacy.analyses.churn.results import ListFigures
from privacy.analyses.churn.shown import shown as shown_churn
from privacy.analyses.clusters.shown import shown as shown_clusters
from privacy.analyses.repurchase.results import CohortFigures, RepurchaseResult, WaitFigures
from privacy.figures.consistent import ascending
from privacy.figures.estimates import Estimate, Value
from privacy.presentation.texts import LANGUAGES
from privacy.results import StudyResult
from server.analyses.catalogue import ANALYSES
from server.report.render import render_report

#: Differences and measured places may be below 0; how observed churn lies beyond 0 and 1 is said beside its picture.
SIGNED = frozenset(("change", "typical", "observed"))
SURE = Estimate(value=0.4, margin=0.02)


def repurchase_result() -> StudyResult:
    periods = [(dt.date(2024, month, 1), dt.date(2024, month + 2, 28)) for month in (1, 4, 7)]
    many = Estimate(value=900.0, margin=40.0)
    figures = RepurchaseResult(
        customers=Estimate(value=3000.0, margin=60.0),
        again=SURE,
        waits=tuple(
            WaitFigures(above=low, upto=high, customers=many, share=SURE) for low, high in ((None, 30), (30, None))
        ),
        cohorts=tuple(
            CohortFigures(first=first, last=last, customers=many, rates=(SURE,) * 3, over=(True,) * 3)
            for first, last in periods
        ),
    )
    study = PLAIN.study.model_copy(update={"analyses": ("repurchase",)})
    return PLAIN.model_copy(update={"study": study, "rfm": None, "repurchase": figures})


RESULTS = {
    "rfm": PLAIN,
    "churn": churn_pages.study_result(churn_pages.churn_result()),
    "clusters": cluster_pages.study_result(cluster_pages.cluster_result()),
    "repurchase": repurchase_result(),
}
#: Where noise takes figures: to a part of themselves, and by so many margins.
MOVES = {"below": (0.0, -3.0), "to nothing": (0.0, 0.3), "above": (3.0, 0.5)}


def moved(value: Any, how: tuple[float, float]) -> Any:
    """The same with every estimate where it may not be."""
    if isinstance(value, Estimate):
        return Estimate(value=value.value * how[0] + value.margin * how[1], margin=value.margin)
    if isinstance(value, Value):
        return value.model_copy(update={name: moved(item, how) for name, item in value if name not in SIGNED})
    if isinstance(value, tuple) and all(item is None or isinstance(item, Value) for item in value):
        return tuple(moved(item, how) for item in value)
    if isinstance(value, dict):
        return {key: moved(item, how) for key, item in value.items()}
    return value


def noisy(name: str, how: str) -> StudyResult:
    """A result of an analysis with figures that cannot be. Money counts as it was spent: net of returns it may be
    less than none."""
    result = RESULTS[name]
    cleaning = result.study.cleaning.model_copy(update={"returns": "drop"})
    study = result.study.model_copy(update={"cleaning": cleaning})
    return result.model_copy(update={"study": study, name: moved(getattr(result, name), MOVES[how])})


def check(words: str) -> None:
    assert not re.search(r"-\s?\d", words), words
    for share in re.findall(r"([\d,.]+)%", words):
        assert float(share.replace(",", "")) <= 100, words


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [words for key, item in value.items() if key not in ("first", "last") for words in leaves(item)]
    if isinstance(value, list):
        return [words for item in value for words in leaves(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("name", [analysis.name for analysis in ANALYSES])
def test_nothing_impossible_is_shown_of_any_analysis(name: str, how: str) -> None:
    analysis = next(analysis for analysis in ANALYSES if analysis.name == name)
    result = noisy(name, how)
    said = texts(result)
    for language in LANGUAGES:
        assert leaves(said[language][name])
        for words in leaves(said[language][name]):
            check(words)
    console = Console(width=200, record=True, file=io.StringIO())
    for shown in analysis.terminal(analysis.shown_figures(result), result, Path()):
        if isinstance(shown, Table) or hasattr(shown, "__rich_console__"):
            console.print(shown)
    for line in console.export_text().splitlines():
        if line.startswith("│"):
            check(re.sub(r"\d{4}-\d\d-\d\d", "", line))


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("name", [analysis.name for analysis in ANALYSES])
def test_nothing_impossible_is_in_a_report(name: str, how: str) -> None:
    result = noisy(name, how)
    for rows in Page(render_report(result)).rows.values():
        for row in rows:
            for role, words in row:
                if role in ("value", "margin"):
                    check(words)


def test_clusters_add_up_and_hold_no_more_than_their_customers_may_have() -> None:
    """The smallest is taken below nothing, and another one's money beyond its customers at the cap each."""
    figures = RESULTS["clusters"].clusters
    *others, last = figures.figures
    first = others[0].model_copy(update={"revenue": Estimate(value=others[0].cap * 9000, margin=1000.0)})
    last = last.model_copy(update={"customers": Estimate(value=-10.0, margin=23.0), "revenue": None})
    found = shown_clusters(figures.model_copy(update={"figures": (first, *others[1:], last)}), net=False)
    sizes = [row.customers.value for row in found.figures]
    assert sum(sizes) == pytest.approx(found.customers.value)
    assert sum(row.share.value for row in found.figures) == pytest.approx(1.0)
    assert sizes[-1] == 0.0
    assert found.figures[-1].customers.interval == (0.0, 23.0)
    for row in found.figures[:-1]:
        assert 0 <= row.revenue.value <= row.cap * row.customers.value * (1 + 1e-9)
        assert row.revenue.interval[0] <= row.revenue.value <= row.revenue.interval[1]


def test_what_counts_more_is_not_shown_as_less() -> None:
    """Rates of more days, and shares of longer lists."""
    falling = tuple(Estimate(value=value, margin=0.1) for value in (0.35, 0.25, 0.5))
    figures = RESULTS["repurchase"].repurchase
    cohorts = tuple(cohort.model_copy(update={"rates": falling}) for cohort in figures.cohorts)
    result = RESULTS["repurchase"].model_copy(update={"repurchase": figures.model_copy(update={"cohorts": cohorts})})
    for cohort in texts(result)["en"]["repurchase"]["cohorts"]:
        first, second, third = cohort["rates"]
        assert first.startswith("30% (")
        assert second.startswith("30% (")
        assert third.startswith("50")
    churn = RESULTS["churn"].churn
    lists = tuple(
        ListFigures(part=part, rate=SURE, share=Estimate(value=0.5 - part, margin=0.1)) for part in (0.1, 0.2, 0.3)
    )
    quality = churn.quality.model_copy(update={"lists": lists})
    found = shown_churn(churn.model_copy(update={"quality": quality})).quality.lists
    shares = [item.share.value for item in found]
    assert shares == sorted(shares)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(1e-3, 1)), min_size=1, max_size=6))
def test_ascending_figures_are_nearer_to_an_ascending_truth_and_cover_what_they_did(
    draws: list[tuple[float, float, float]],
) -> None:
    true = sorted(draw[0] for draw in draws)
    noisy_ones = [Estimate(value=t + error, margin=margin) for t, (_, error, margin) in zip(true, draws, strict=True)]
    found = [figure for figure in ascending(noisy_ones) if figure is not None]
    assert all(later.value - first.value >= -1e-12 for first, later in pairwise(found))

    def error(some: list[Estimate]) -> float:
        return sum(((one.value - t) / at.margin) ** 2 for one, t, at in zip(some, true, noisy_ones, strict=True))

    assert error(found) <= error(noisy_ones) * (1 + 1e-9) + 1e-12
    for before, after in zip(noisy_ones, found, strict=True):
        assert after.interval[0] <= before.interval[0]
        assert before.interval[1] <= after.interval[1]


def test_report_holders_page_and_json_write_a_figure_alike() -> None:
    report, holder = Page(rendered("plain")), Page(page_of("plain"))
    said = texts(PLAIN)
    for language in LANGUAGES:
        segments = said[language]["rfm"]["schemes"][0]["segments"]
        for row in segments:
            for name in ("share_of_customers", "share_of_revenue"):
                value, _, around = row[name].partition(" ")
                value = value.removesuffix("%")
                for page in (report, holder):
                    told = [words for cells in page.rows[language] for role, words in cells]
                    assert value in told, (row["code"], name)
                    assert around.replace("（", "(") in told or around in told, (row["code"], name, around)
