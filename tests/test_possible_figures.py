"""Analyses of 0.1: nothing impossible on the terminal, in the report and in JSON, whatever noise made of a release."""

from __future__ import annotations

from itertools import pairwise

import churn_pages
import cluster_pages
import pytest
from holder_pages import page_of
from hypothesis import given
from hypothesis import strategies as st
from possible_kit import MOVES, check_everywhere, noisy
from report_pages import PLAIN, Page, rendered

from cohortium.running import texts
from privacy.analyses.churn.results import ListFigures
from privacy.analyses.churn.shown import shown as shown_churn
from privacy.analyses.clusters.shown import shown as shown_clusters
from privacy.figures.consistent import ascending
from privacy.figures.estimates import Estimate
from privacy.presentation.texts import LANGUAGES

SURE = Estimate(value=0.4, margin=0.02)


RESULTS = {
    "rfm": PLAIN,
    "churn": churn_pages.study_result(churn_pages.churn_result()),
    "clusters": cluster_pages.study_result(cluster_pages.cluster_result()),
}


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("name", RESULTS)
def test_nothing_impossible_is_shown(name: str, how: str) -> None:
    check_everywhere(noisy(RESULTS[name], name, how), name)


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


def test_a_longer_list_is_not_shown_to_hold_less() -> None:
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
