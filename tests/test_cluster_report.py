"""The report's section on clusters: complete in both languages, readable without colour, and no surer than the noise.

Asserted: tables, cards and findings say what the result says, with margins; words for a cluster come from features that
differ by more than the noise, and never are the same for two clusters; ties in size and revenue are called ties; what
became of earlier clusters is told with its margin; pictures have every cluster and feature, text as text, and shades
and marks that need no colour; pages with clusters alone, with segments, with many features, with no spend and with
sizes lost in the noise are whole, refer to nothing outside, and use known colours.
"""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from all_texts import text
from cluster_pages import MANY, PLACES, RFM, STUDY, TITLES, cluster_result, html, kinds
from palette import BLACK, PAIRS, PLAIN, SHADES, SHAPES, TEXTS, WHITE, contrast, full
from report_pages import Page, said_figures
from rich.console import Console

from privacy.analyses.clusters.words import WORDS, beyond_noise, cluster_words
from privacy.figures.estimates import Estimate
from privacy.kernel.features import FEATURES
from privacy.presentation.charts.cells import LINES, MARKS
from privacy.presentation.features import feature_heading, feature_value
from privacy.presentation.pictures import CUSTOMERS, SCORES
from privacy.presentation.texts import LANGUAGES
from server.analyses.clusters import pictures as cluster_pictures
from server.analyses.clusters.section import cluster_findings, cluster_section
from server.analyses.clusters.texts import text as cluster_text
from server.report.render import render_report

KINDS = ("alone", "both", "many", "moves", "one_feature", "hidden", "missing", "proposed")


def words(name: str, language: str) -> str:
    return " ".join(Page(html(name)).words[language])


def texts_of(svg: str) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter("text")]


# --- the pages as a whole


@pytest.mark.parametrize("name", KINDS)
def test_pages_refer_to_nothing_outside_and_their_ids_are_unique(name: str) -> None:
    page = Page(html(name))
    assert "http:" not in html(name)
    assert "https:" not in html(name)
    assert not re.search(r"url\((?!#)", html(name))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


@pytest.mark.parametrize("name", KINDS)
def test_the_chinese_page_has_no_english_left(name: str) -> None:
    names = {"Cohortium", "cohortium", "RFM", "EUR", "UTC", "POST", "FEE", "Ward", "SuperLink", "demo", "USD", "GBP"}
    names |= {"spring", "review", "shop", "online", "store", "flower", "coordinator", "source", "run"}
    names |= {"anonymous", "guest", "null", "none", "nan", "unknown"}
    names |= {"ranges", "released"} if name == "proposed" else set()  # a setting, as it is written
    found = set(re.findall(r"(?<![0-9a-z])[A-Za-z]{3,}(?![0-9a-z])", words(name, "zh")))
    assert found <= names
    assert not re.search(r"[一-鿿]", words(name, "en"))


@pytest.mark.parametrize("name", KINDS)
def test_both_languages_show_the_same_figures(name: str) -> None:
    english, chinese = (said_figures(Page(html(name)), language) for language in ("en", "zh"))
    assert english == chinese
    assert sum(len(row) for row in english) >= 10


@pytest.mark.parametrize("name", KINDS)
def test_pages_use_colours_from_the_list(name: str) -> None:
    listed = {WHITE, BLACK, *PLAIN, *SCORES, *SHADES}
    listed |= {colour for table in (PAIRS, TEXTS, SHAPES) for pair in table.values() for colour in pair}
    used = {full(colour) for colour in re.findall(r"(?<!&)#[0-9a-f]{6}\b", html(name))}
    assert used - listed == set()


def test_numbers_on_circles_stand_out() -> None:
    assert contrast(BLACK, CUSTOMERS) >= 4.5


def test_same_result_same_bytes() -> None:
    assert render_report(kinds()["moves"]) == html("moves")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_study_with_clusters_alone_is_a_clusters_report(language: str) -> None:
    said = words("alone", language)
    assert text("title_clusters", language) in said
    assert text("nothing_measured", language) not in said
    assert text("margin_note", language) in said
    for key in ("borders", "cause", "margins", "records", "people"):
        assert text(f"clusters_limit_{key}", language) in said


def test_with_segments_the_report_keeps_its_title_and_tells_both() -> None:
    said = words("both", "en")
    assert text("title", "en") in said
    assert text("title_clusters", "en") not in said
    assert text("clusters", "en") in said
    assert text("scheme_eight", "en") in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_have_names_in_the_list_of_costs(language: str) -> None:
    for title in TITLES:
        assert text(f"question_{title.replace(' ', '_')}", language) in words("many", language)


def test_a_holder_that_left_is_told_of_without_talk_of_segments() -> None:
    said = words("missing", "en")
    assert cluster_text("missing_note", "en", holders="shop-7", count=1) in said
    assert "segment" not in said


# --- what it says


def test_figures_are_those_of_the_result() -> None:
    rows = [row for row in Page(html("alone")).rows["en"] if row and row[0][1].startswith("Cluster 4")]
    sizes, typical = ([said for role, said in row if role in ("value", "margin")] for row in rows)
    assert sizes[::2] == ["1,170", "19.5", "7,900,000"]
    assert all("±" in margin for margin in (*sizes[1::2], *typical[1::2]))
    figures = next(item for item in cluster_result().figures if item.id == 4)
    for value, name in zip(typical[::2], RFM, strict=True):
        estimate = figures.typical[name]
        assert float(value.replace(",", "")) == pytest.approx(estimate.value, abs=estimate.margin / 2)
    assert "12,345.67 EUR (cluster 4)" in words("alone", "en")


def _findings(clusters, study, language: str) -> list[str]:
    return cluster_findings(clusters, clusters, study, language)


def test_which_cluster_is_largest_rests_on_what_was_released() -> None:
    shown = cluster_result()

    def unclear(figure):
        return figure and figure.model_copy(update={"margin": 10 * abs(figure.value) + 10.0})

    rows = (
        one.model_copy(update={"share": unclear(one.share), "revenue": unclear(one.revenue)}) for one in shown.figures
    )
    released = shown.model_copy(update={"figures": tuple(rows)})
    largest, richest = cluster_findings(shown, shown, STUDY, "en")
    tied = cluster_findings(released, shown, STUDY, "en")
    assert tied[0] != largest
    assert tied[1] != richest


def test_revenue_stands_only_where_it_was_asked() -> None:
    assert "Revenue" not in words("one_feature", "en")
    assert len(_findings(cluster_result(("orders",), np.array(PLACES)[:, 1:2]), STUDY, "en")) == 1


@pytest.mark.parametrize(("name", "says"), [("alone", "4, as good as any of 3 to 8"), ("many", "4, set by the study"),
                                            ("moves", "4, as in spring 2024-12-01")])  # fmt: skip
def test_where_the_number_comes_from_is_told(name: str, says: str) -> None:
    assert says in words(name, "en")


def test_the_largest_and_the_richest_are_named_and_ties_are_called_so() -> None:
    largest, richest = _findings(cluster_result(), STUDY, "en")
    assert "cluster 1 (" in largest
    assert "cluster 4 (recent, frequent, high spend)" in richest
    assert "7,900,000 (±\u00a0100,000) EUR" in richest
    tied = _findings(cluster_result(shares=(0.3, 0.299, 0.25, 0.151), revenue=(1e6, 2e6, 5e6, 5.1e6)), STUDY, "en")
    assert all("does not tell" in sentence for sentence in tied)


def test_sizes_lost_in_the_noise_are_called_so() -> None:
    said = words("hidden", "en")
    assert text("clusters_finding_none", "en") in said
    assert "too small to describe" in said
    assert "too small to describe (" not in said
    assert "largest cluster is" not in said


def test_silhouettes_say_that_groups_are_not_separate_and_which_numbers_do_as_well() -> None:
    flat = cluster_result().model_copy(update={"silhouettes": {3: 0.41, 4: 0.42, 5: 0.3}})
    notes = cluster_section(flat, STUDY, "en")["silhouette"]["notes"]
    assert any("no separate groups" in note for note in notes)
    assert any(note.startswith("3 would") for note in notes)
    fewest = cluster_result().model_copy(update={"silhouettes": {4: 0.49, 5: 0.505, 6: 0.3}})
    notes = cluster_section(fewest, STUDY, "en")["silhouette"]["notes"]
    assert not any("Even the best" in note for note in notes), "five are separate"
    assert any(note.startswith("5 would have done almost as well") for note in notes)
    clear = cluster_result().model_copy(update={"silhouettes": {3: 0.5, 4: 0.7}})
    assert len(cluster_section(clear, STUDY, "en")["silhouette"]["notes"]) == 1
    assert cluster_section(cluster_result(found=False), STUDY, "en")["silhouette"] is None


def test_what_became_of_earlier_clusters_is_told_with_margins() -> None:
    study = kinds()["moves"].study
    section = cluster_section(kinds()["moves"].clusters, study, "en")["moves"]
    rows = {row["name"]: row for row in section["rows"]}
    assert [row["what"] for row in section["rows"]] == ["stayed", "stayed", "moved", "new", "gone"]
    assert rows["Cluster 1"]["difference"][1:3] == ("+5.0", "1.1")
    assert [rows[f"Cluster {n}"]["verdict"] for n in (1, 2, 3, 4)] == ["up", "within the noise", "down", None]
    assert rows["Cluster 7"]["now"] is None
    assert rows["Cluster 7"]["then"][1:3] == ("32.0", "0.8")
    assert rows["Cluster 4"]["then"] is None
    finding = _findings(kinds()["moves"].clusters, study, "en")[-1]
    assert "2 stayed, 1 moved, 1 new and 1 gone; 2 of 3 shares" in finding
    assert cluster_section(cluster_result(), STUDY, "en")["moves"] is None


@pytest.mark.parametrize("name", ["alone", "one_feature", "hidden"])
def test_the_command_shows_a_line_a_cluster(name: str, monkeypatch) -> None:
    import cohortium.running

    screen = Console(width=200, file=io.StringIO())
    monkeypatch.setattr(cohortium.running, "screen", screen)
    cohortium.running.show_result(kinds()[name], Path("results"))
    said = screen.file.getvalue()
    assert ("revenue" in said) == (name != "one_feature")
    if name == "alone":
        line = next(line for line in said.splitlines() if "recent, frequent, high spend" in line)
        for figure in ("4", "1,170 ±50", "19.5 ±0.8", "7,900,000 ±100,000"):
            assert figure in line


# --- words


def test_every_feature_has_words_in_both_languages() -> None:
    assert set(WORDS) == set(FEATURES)
    for entry in WORDS.values():
        assert entry.low != entry.high
        for said in (entry.low, entry.high):
            assert [said["en"].count("{degree}"), said["zh"].count("{degree}")] == [1, 1]
            assert re.search(r"[一-鿿]", said["zh"])


def test_words_say_which_way_and_how_far() -> None:
    assert (
        cluster_words(cluster_result().figures, "en", options=STUDY.clusters, currency=STUDY.currency)[4]
        == "recent, frequent, high spend"
    )
    assert (
        cluster_words(cluster_result().figures, "zh", options=STUDY.clusters, currency=STUDY.currency)[4]
        == "近期活跃、高频、高消费"
    )

    def said(apart: float) -> str:
        first, *rest = cluster_result().figures
        figures = first.model_copy(update={"apart": {**dict.fromkeys(RFM, 0.0), "recency_days": apart}})
        return cluster_words([figures, *rest], "en", options=STUDY.clusters, currency=STUDY.currency)[first.id]

    assert [said(apart) for apart in (2.0, 1.0, 0.5)] == ["very long inactive", "long inactive", "rather long inactive"]
    assert said(0.1) == "close to the average"


def test_no_word_rests_on_noise() -> None:
    sure, unsure = cluster_result().figures, cluster_result(error=0.9).figures
    assert all(beyond_noise(sure).values())
    assert set(cluster_words(unsure, "en", options=STUDY.clusters, currency=STUDY.currency).values()) != set(
        cluster_words(sure, "en", options=STUDY.clusters, currency=STUDY.currency).values()
    )
    assert all(
        "average" in words
        for words in cluster_words(unsure, "en", options=STUDY.clusters, currency=STUDY.currency).values()
    )


def test_features_that_say_much_the_same_are_named_once() -> None:
    names = ("orders", "orders_90", "orders_180", "money")
    column = np.array([[-0.6], [0.0], [0.6], [0.1]])
    said = cluster_words(
        cluster_result(names, np.repeat(column, 4, axis=1)).figures,
        "en",
        options=STUDY.clusters,
        currency=STUDY.currency,
    )
    assert said[3].count("frequent") == 1
    assert "high spend" in said[3]


def test_no_two_clusters_are_called_the_same() -> None:
    places = ((0.5, -0.5, 0.0), (0.5, -0.5, 0.05), (-0.5, 0.4, 0.5), (-0.5, 0.4, 0.55))
    for language in LANGUAGES:
        said = cluster_words(
            cluster_result(places=places).figures, language, options=STUDY.clusters, currency=STUDY.currency
        )
        assert len(set(said.values())) == 4
        assert all(re.search(r"\d", words) for words in said.values())


@pytest.mark.parametrize(
    ("name", "raw", "value", "heading"),
    [("recency_days", 12.34, "12.3", "days since last purchase"), ("money", 12.34, "12.34", "spend, EUR"),
     ("basket", 1250.0, "12.5", "lines per order"), ("weekend_share", 125.0, "12.5", "share of orders at weekends, %"),
     ("momentum", 1250.0, "1.25", "orders, last 180 days to the 180 before")],
)  # fmt: skip
def test_values_are_in_units_of_people(name, raw: float, value: str, heading: str) -> None:
    assert feature_value(name, Estimate(value=raw, margin=0.01), currency="EUR").value == value
    assert feature_heading(name, "en", currency="EUR") == heading


# --- pictures


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_the_heat_map_has_every_figure_and_marks_what_is_noise(language: str, width: str) -> None:
    clusters = cluster_result(error=0.15)
    svg = cluster_pictures.heat_map(clusters, language, width=width)
    said = texts_of(svg)
    clear = beyond_noise(clusters.figures)
    for figures, name in itertools.product(clusters.figures, RFM):
        words = f"{figures.apart[name]:+.1f}"
        words = words[1:] if words[1:] == "0.0" else words
        assert (words if name in clear[figures.id] else f"({words})") in said
    assert any(words.startswith("(") for words in said)
    assert ElementTree.fromstring(svg).attrib["aria-label"] == text("picture_cluster_heat", language)


def test_shades_go_one_way_with_the_figure() -> None:
    shades = re.findall("|".join(SCORES), cluster_pictures.heat_map(cluster_result(), "en", width="wide"))
    aparts = [
        figures.apart[name] for figures in sorted(cluster_result().figures, key=lambda item: item.id) for name in RFM
    ]
    levels = [SCORES.index(shade) for shade in shades]
    assert len(levels) == len(aparts)
    ordered = [level for _, level in sorted(zip(aparts, levels, strict=True))]
    assert ordered == sorted(ordered)
    assert len(set(levels)) >= 4


def test_lines_of_24_clusters_have_marks_of_their_own() -> None:
    lines, marks = LINES, MARKS
    pairs = [(lines[i % len(lines)], marks[i % len(marks)]) for i in range(24)]
    assert len(set(pairs)) == 24


@pytest.mark.parametrize("width", ["wide", "narrow"])
@pytest.mark.parametrize("k", [2, 24])
def test_few_and_many_clusters_are_drawn(k: int, width: str) -> None:
    turns = np.linspace(0, 2 * np.pi, k, endpoint=False)
    places = 0.7 * np.stack([np.cos(turns), np.sin(turns), np.sin(2 * turns)], axis=1)
    clusters = cluster_result(places=places, shares=[1 / k] * k, revenue=[1e5] * k, found=False)
    for svg in (
        cluster_pictures.parallel(clusters, "en", width=width),
        cluster_pictures.centre_map(clusters, "en", currency="EUR"),
    ):
        assert {str(number) for number in range(1, k + 1)} <= set(texts_of(svg))
    leaves = [words for words in texts_of(cluster_pictures.tree(clusters, "en")) if words.startswith("Cluster")]
    assert sorted(leaves) == sorted(f"Cluster {number}" for number in range(1, k + 1))
    ElementTree.fromstring(cluster_pictures.heat_map(clusters, "en", width=width))


def test_the_map_has_the_features_that_tell_most_and_round_ticks() -> None:
    names = ("orders", "orders_365", "recency_days")
    column = np.array([-0.6, -0.2, 0.2, 0.6])
    places = np.stack([column, column, [0.3, -0.3, 0.3, -0.3]], axis=1)
    clusters = cluster_result(names, places)
    assert 2 in cluster_pictures.map_features(clusters)  # the two counts of orders tell the same
    said = texts_of(cluster_pictures.centre_map(clusters, "en", currency="EUR"))
    assert FEATURES["recency_days"].en in said
    for feature in STUDY.scaled(MANY):
        ticks = cluster_pictures.ticks(feature, -1, 1, currency="EUR")
        assert 2 <= len(ticks) <= 9, feature.name
        assert [place for place, _ in ticks] == sorted(place for place, _ in ticks)


def test_a_single_feature_has_no_map() -> None:
    assert text("cluster_map", "en") not in words("one_feature", "en")
    assert text("cluster_map", "en") in words("alone", "en")


def test_the_chosen_number_has_its_silhouette_written() -> None:
    said = texts_of(cluster_pictures.silhouettes({3: 0.31, 4: 0.43, 5: 0.2}, 4, "en"))
    assert "0.43" in said
    assert {"3", "4", "5"} <= set(said)
