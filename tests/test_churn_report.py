"""The churn section of the study report, and the model card: complete in both languages, and no better than the data.

Asserted: what stands there is what the result says, with margins, beside recency alone; verdicts in words (better, not
told apart, worse, no better than lots; too high, too low, in agreement) follow from the figures and their margins;
pages with churn alone, with both analyses, with a network, with figures by holder and without calibration are whole,
refer to nothing outside and use known colours; the card says nothing that the signed file does not.
"""

from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree

import pytest
from all_texts import text
from churn_pages import churn_result, html, kinds, study_result
from palette import BLACK, PAIRS, PLAIN, SHAPES, TEXTS, WHITE, full
from report_pages import Page as ReportPage
from report_pages import said_figures

from privacy.analyses.churn.options import CHURN_FEATURES
from privacy.analyses.churn.shown import shown
from privacy.figures.estimates import Estimate
from privacy.kernel.features import FEATURES
from privacy.presentation.texts import LANGUAGES
from server.analyses.churn import card_texts
from server.analyses.churn import pictures as churn_pictures
from server.analyses.churn.section import cards, churn_findings, churn_section, lists_table, question_name
from server.analyses.churn.texts import text as churn_text
from server.analysis.section import ReportView
from server.report.render import render_report


class Page(ReportPage):
    """Tables here begin with their captions, which are no rows."""

    def _in(self, tag: str, name: str | None = None) -> bool:
        return super()._in(tag, name) and not (name == "figures" and super()._in("caption"))


KINDS = ("alone", "both", "network", "unclear", "missing", "prior", "plain", "trees", "bare")
CARDS = ("card", "card-prior", "card-plain", "card-trees", "card-bare")


def words(name: str, language: str) -> str:
    return " ".join(Page(html(name)).words[language])


# --- the pages as a whole


@pytest.mark.parametrize("name", [*KINDS, *CARDS])
def test_pages_refer_to_nothing_outside_and_their_ids_are_unique(name: str) -> None:
    page = Page(html(name))
    assert "http:" not in html(name)
    assert "https:" not in html(name)
    assert not re.search(r"url\((?!#)", html(name))
    assert "default-src 'none'" in html(name)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


@pytest.mark.parametrize("name", [*KINDS, *CARDS])
def test_the_chinese_page_has_no_english_left(name: str) -> None:
    names = {"Cohortium", "cohortium", "AUC", "GDPR", "SHA", "RFM", "EUR", "GBP", "USD", "UTC", "POST", "FEE", "demo"}
    names |= {"MBG", "NBD", "spring", "review", "shop", "online", "store", "flower", "coordinator", "source", "run"}
    names |= {"anonymous", "guest", "null", "none", "nan", "unknown"}
    found = set(re.findall(r"(?<![0-9a-z])[A-Za-z]{3,}(?![0-9a-z])", words(name, "zh")))
    assert found <= names
    assert not re.search(r"[一-鿿]", words(name, "en"))


@pytest.mark.parametrize("name", [*KINDS, *CARDS])
def test_both_languages_show_the_same_figures(name: str) -> None:
    english, chinese = (said_figures(Page(html(name)), language) for language in ("en", "zh"))
    assert english == chinese
    assert sum(len(row) for row in english) >= 10


@pytest.mark.parametrize("name", [*KINDS, *CARDS])
def test_pages_use_colours_from_the_list(name: str) -> None:
    listed = {WHITE, BLACK, *PLAIN} | {
        colour for table in (PAIRS, TEXTS, SHAPES) for pair in table.values() for colour in pair
    }
    used = {full(colour) for colour in re.findall(r"(?<!&)#[0-9a-f]{6}\b", html(name))}
    from palette import SHADES

    from privacy.presentation.pictures import SCORES

    assert used - listed - {*SCORES, *SHADES} == set()


def test_same_result_same_bytes() -> None:
    assert render_report(kinds()["network"]) == html("network")


# --- what it says


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_study_with_churn_alone_is_a_churn_report(language: str) -> None:
    said = words("alone", language)
    assert text("title_churn", language) in said
    assert text("title", language) not in said
    assert text("nothing_measured", language) not in said
    assert "±" in said


def test_with_segments_the_report_keeps_its_title_and_tells_both() -> None:
    said = words("both", "en")
    assert text("title", "en") in said
    assert text("churn", "en") in said
    assert text("scheme_eight", "en") in said


def test_figures_are_those_of_the_result() -> None:
    quality = churn_result().quality
    rows = {
        row[0][1]: [value for role, value in row if role == "value"] for row in Page(html("alone")).rows["en"] if row
    }
    auc, precision, lift, share, rate = map(float, rows["the model"])
    assert auc == pytest.approx(quality.auc.value, abs=5e-4)
    assert precision == pytest.approx(quality.average_precision.value, abs=5e-3)
    assert lift == pytest.approx(quality.top_lift.value, abs=5e-2)
    assert share == pytest.approx(100 * quality.top_share.value, abs=0.5)
    assert rate == pytest.approx(100 * quality.churn_rate.value, abs=0.5)
    assert {"days since last purchase alone", "a public formula"} < set(rows)


def test_what_is_predicted_and_when_is_told() -> None:
    said = words("alone", "en")
    for day in ("7 April 2024 and 6 July 2024", "3 October 2024", "31 December 2024", "1 January 2025"):
        assert day in said  # the outcome of the test ends a day before the scoring day
    assert "no purchase in the 90 days" in said
    assert "365 days before the cutoff" in said


def _findings(churn, language: str) -> list[str]:
    return churn_findings(churn, churn, language)


def test_verdicts_rest_on_what_was_released_not_on_how_it_is_shown() -> None:
    alike, apart = churn_result(separation=1.0, recency=1.0), churn_result(separation=1.6, recency=0.1)
    assert "no better" in churn_findings(alike, apart, "en")[1]
    assert "no better" not in churn_findings(apart, alike, "en")[1]


@pytest.mark.parametrize(
    ("model", "recency", "verdict"),
    [(1.6, 0.2, "finds more"), (1.0, 0.98, "no better at the top of the list"), (0.2, 1.6, "Do not use it")],
)
def test_the_model_against_recency_in_words(model: float, recency: float, verdict: str) -> None:
    sentences = _findings(churn_result(separation=model, recency=recency), "en")
    assert verdict in sentences[1]
    assert len([s for s in sentences if s]) == len(sentences)


def test_at_the_lists_length_the_best_without_the_model_is_what_counts() -> None:
    """A list that is better at its head is what the model must beat, however it ranks all over; whichever it is."""
    churn = churn_result(separation=0.8, recency=0.5, prior=0.5)
    recency, formula = churn.baselines
    head = churn.quality.on_list(0.1).model_copy(update={"rate": Estimate(value=0.99, margin=0.01)})
    better = recency.model_copy(
        update={"auc": Estimate(value=0.55, margin=0.01), "lists": tuple(
            head if item.part == 0.1 else item for item in recency.lists
        )}
    )  # fmt: skip
    worse = churn.model_copy(update={"baselines": (better, formula)})
    assert worse.quality.auc.value > better.auc.value
    sentence = _findings(worse, "en")[1]
    assert "Do not use it for such a list" in sentence
    assert churn_text("yardstick_recency_days", "en") in sentence
    other = churn.model_copy(update={"baselines": (recency, better.model_copy(update={"code": "prior"}))})
    assert churn_text("yardstick_prior", "en") in _findings(other, "en")[1]
    view = ReportView(result=study_result(other), figures=other, language="en", text=churn_text)
    assert [cell.value for cell in cards(view)][1] == "99"


def test_the_gap_is_that_of_the_figures_beside_it() -> None:
    """Noise took the formula's list beyond 100 of 100: what is told is 100, and the gap to 100; the verdict stands."""
    churn = churn_result(separation=0.8, prior=0.5)
    recency, formula = churn.baselines

    def listing(ranking, value: float, margin: float):
        rate = Estimate(value=value, margin=margin)
        lists = tuple(one.model_copy(update={"rate": rate}) if one.part == 0.1 else one for one in ranking.lists)
        return ranking.model_copy(update={"lists": lists})

    released = churn.model_copy(
        update={"quality": listing(churn.quality, 0.90, 0.07), "baselines": (recency, listing(formula, 1.06, 0.21))}
    )
    sentence = churn_findings(released, shown(released), "en")[1]
    assert "100 of 100" in sentence
    assert "no better" in sentence
    assert "-10" in sentence
    assert "-16" not in sentence


def test_no_list_is_shown_to_find_more_than_one_on_which_everybody_left() -> None:
    """With three quarters gone lift ends at 1.33, and a tenth of all holds 13.3% of them, whatever the noise says."""
    churn = churn_result(separation=0.8, prior=0.5)
    rate = Estimate(value=0.75, margin=0.015)
    formula = churn.baselines[1]
    released = formula.model_copy(
        update={
            "top_lift": Estimate(value=1.39, margin=0.25),
            "top_share": Estimate(value=0.139, margin=0.025),
            "lists": tuple(
                one.model_copy(update={"share": Estimate(value=one.part * 1.5, margin=0.02)}) for one in formula.lists
            ),
        }
    )
    quality = churn.quality.model_copy(update={"churn_rate": rate})
    found = shown(churn.model_copy(update={"quality": quality, "baselines": (churn.baselines[0], released)}))
    told = found.baselines[1]
    assert told.top_lift.value == pytest.approx(1 / 0.75)
    assert told.top_lift.interval == pytest.approx((1 / 0.735 - 0.25, 1 / 0.735))  # never surer than it was
    assert told.top_share.value == pytest.approx(0.1 / 0.75)
    for one in told.lists:
        assert one.lift.value <= 1 / 0.75 + 1e-9
        assert one.lift.interval[1] <= 1 / 0.735 + 1e-9
    even = churn.quality.lists[-1]
    assert shown(churn).quality.lists[-1].lift == even.lift, "what can be stays as it is"


@pytest.mark.parametrize(("odds", "told"), [(1.5, True), (-1.5, False)])
def test_where_most_leave_the_other_end_is_told(odds: float, told: bool) -> None:
    churn = churn_result(odds=odds)
    stayed = churn.quality.stayed
    assert stayed is not None
    sentences = _findings(churn, "en")
    assert any("no voucher for them" in sentence for sentence in sentences) == told
    if told:
        assert f"{100 * stayed.rate.value:.0f}" in sentences[-1]
        assert stayed.rate.value > 1 - churn.quality.churn_rate.value


def test_a_list_that_is_no_better_than_lots_is_called_so() -> None:
    assert any("drawing lots" in s for s in _findings(churn_result(separation=0.0), "en"))
    assert not any("drawing lots" in s for s in _findings(churn_result(), "en"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_headline_is_the_list_and_no_area(language: str) -> None:
    """Of 100 on the list, by recency, by lot; at the length that the study says."""
    churn = churn_result().model_copy(update={"list_share": 0.05})
    listed = churn.quality.on_list(0.05)
    best = max((item.on_list(0.05) for item in churn.baselines), key=lambda item: item.rate.value)
    assert listed.part == 0.05
    assert listed.rate.value != churn.quality.on_list(0.1).rate.value
    view = ReportView(result=study_result(churn), figures=churn, language=language, text=churn_text)
    values = [cell.value for cell in cards(view)]
    assert values == [f"{100 * rate.value:.0f}" for rate in (listed.rate, best.rate, churn.quality.churn_rate)]
    said = " ".join([*(cell.label for cell in cards(view)), *_findings(churn, language)])
    assert "AUC" not in said
    assert "5%" in said
    assert values[0] in said


def test_lists_of_several_lengths_stand_side_by_side() -> None:
    churn = churn_result().model_copy(update={"list_share": 0.05})
    table = lists_table(churn, "en")
    assert table is not None
    assert [row["name"] for row in table["rows"]] == [
        "first 2%",
        "first 5%: the study's list",
        "first 10%",
        "first 20%",
    ]
    rates = [item.rate.value for item in churn.quality.lists]
    assert rates == sorted(rates, reverse=True)
    assert text("lists_caption", "en") in words("alone", "en")


def test_results_of_before_are_told_by_their_tenth() -> None:
    churn = churn_result()
    quality = churn.quality.model_copy(update={"lists": ()})
    before = churn.model_copy(update={"quality": quality, "baselines": (), "list_share": 0.1})
    stored = before.model_dump_json()
    assert "lists" not in stored
    assert "list_share" not in stored
    assert type(before).model_validate_json(stored) == before
    assert lists_table(before, "en") is None
    assert quality.on_list(0.1).rate.value == pytest.approx(quality.top_lift.value * quality.churn_rate.value)
    assert quality.on_list(0.1).rate.value == pytest.approx(churn.quality.on_list(0.1).rate.value)
    assert text("lists_caption", "en") not in render_report(study_result(before))
    high = quality.model_copy(update={"top_lift": Estimate(value=9.0, margin=1.0)})
    assert high.on_list(0.1).rate.value == 1.0


@pytest.mark.parametrize(("odds", "verdict"), [(0.0, "agree"), (-1.2, "too much churn"), (1.2, "too little churn")])
def test_calibration_is_judged_by_its_margin(odds: float, verdict: str) -> None:
    section = churn_section(churn_result(odds=odds), "en")
    assert verdict in section["calibration"]["verdict"]


def test_a_share_below_zero_is_explained() -> None:
    churn = churn_result()
    points = churn.quality.calibration
    below = points[0].model_copy(update={"observed": Estimate(value=-0.02, margin=0.1)})
    quality = churn.quality.model_copy(update={"calibration": (below, *points[1:])})
    section = churn_section(churn.model_copy(update={"quality": quality}), "en")
    assert section["calibration"]["outside"]
    assert not churn_section(churn, "en")["calibration"]["outside"]


def test_without_calibration_the_page_says_why_there_is_no_picture() -> None:
    assert text("calibration_none", "en") in words("unclear", "en")
    assert text("churn_training", "en") not in words("unclear", "en")
    assert text("note_recency", "en") not in words("unclear", "en")


def test_a_network_says_that_its_picture_is_a_part() -> None:
    assert text("features_direct", "en") in words("network", "en")
    assert text("features_direct", "en") not in words("alone", "en")
    assert "5 hidden units" in words("network", "en")


def test_a_correction_says_that_its_picture_is_a_part_and_what_the_formula_is() -> None:
    said = words("prior", "en")
    assert text("features_correction", "en") in said
    assert text("family_prior", "en", features=len(CHURN_FEATURES)) in said
    assert text("churn_finding_plain", "en") not in said
    assert "r 0.5, alpha 70 days, a 0.8, b 2.5, for 90 days" in words("card-prior", "en")
    assert "alpha" not in words("card", "en")


def test_trees_are_told_and_that_they_are_not_in_the_picture() -> None:
    """Where there are none, because the noise hid what they had to learn, that is said on every page."""
    said = words("trees", "en")
    assert text("features_start", "en") in said
    assert text("family_trees", "en", features=len(CHURN_FEATURES), trees=32) in said
    assert text("churn_finding_bare", "en") not in said
    for name in ("bare", "card-bare"):
        assert text("family_bare", "en", features=len(CHURN_FEATURES)) in words(name, "en")
        assert text("features_bare", "en") in words(name, "en")
    assert text("churn_finding_bare", "en") in _findings(churn_result(family="bare"), "en")
    assert question_name("trees 2 of 2", "en") == text("question_trees", "en", number=2, rounds=2)
    assert question_name("leaves 2 of 2", "en") is None


def test_where_nothing_was_learnt_the_formula_is_named_and_not_compared_with_itself() -> None:
    """Its own list would differ by noise alone; recency is what is left."""
    churn = churn_result(family="plain", recency=0.3, prior=1.6)
    sentences = _findings(churn, "en")
    assert text("churn_finding_plain", "en") in sentences
    assert not any(churn_text("yardstick_prior", "en") in sentence for sentence in sentences)
    section = churn_section(churn, "en")
    assert section["features"]["picture"] is None
    assert text("features_plain", "en") in words("plain", "en")
    assert text("family_plain", "en") in words("card-plain", "en")


def test_figures_by_holder_stand_apart_and_say_what_they_are() -> None:
    said = words("network", "en")
    assert text("quality_by_holder_caption", "en") in said
    assert text("note_by_holder", "en") in said
    assert text("quality_by_holder_caption", "en") not in words("alone", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_have_names_in_the_list_of_costs(language: str) -> None:
    said = words("network", language)
    for key in ("size_and_centre", "moments", "evaluation", "evaluation_by_holder"):
        assert text(f"question_{key}", language) in said
    assert text("question_training", language, number=2, rounds=3) in said


def test_a_holder_that_left_is_told_of_without_talk_of_segments() -> None:
    said = words("missing", "en")
    assert churn_text("missing_note", "en", holders="shop-7", count=1) in said
    assert "segment" not in said


def test_limits_are_always_told() -> None:
    for name in KINDS:
        said = words(name, "en")
        for key in ("limit_correlation", "limit_margins", "limit_records", "limit_people"):
            assert text(key, "en") in said


@pytest.mark.parametrize("rule", ["rule_bounds", "rule_floor", "rule_totals"])
def test_rules_of_the_segments_stand_only_where_there_are_segments(rule: str) -> None:
    assert text(rule, "en") in words("both", "en")
    assert text(rule, "en") not in words("alone", "en")


# --- pictures


@pytest.mark.parametrize("language", LANGUAGES)
def test_pictures_have_text_as_text_and_a_description(language: str) -> None:
    quality = churn_result().quality
    drawn = {
        "picture_calibration": churn_pictures.calibration(quality.calibration, language),
        "picture_lift": churn_pictures.lift(quality.calibration, quality.churn_rate, language),
        "picture_features": churn_pictures.weights([("<b>", 1.5), ("x", -0.2)], language, width="narrow"),
    }
    for key, svg in drawn.items():
        root = ElementTree.fromstring(svg)
        assert root.attrib["aria-label"] == text(key, language)
        assert ["".join(node.itertext()) for node in root.iter("text")]
    assert "<b>" not in drawn["picture_features"]


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_every_feature_has_a_bar_from_what_raises_to_what_lowers(width: str) -> None:
    section = churn_section(churn_result(), "en")
    root = ElementTree.fromstring(str(section["features"]["picture"][width]))
    said = ["".join(node.itertext()) for node in root.iter("text")]
    assert [name for name in said if name in {FEATURES[n].en for n in CHURN_FEATURES}] == [
        FEATURES[name].en for name in CHURN_FEATURES
    ]  # the example's weights fall in this order
    assert "+0.90" in said


def test_weights_of_nothing_are_still_a_picture() -> None:
    ElementTree.fromstring(churn_pictures.weights([("a", 0.0)], "en", width="wide"))


# --- the card


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_card_has_every_part_and_names_the_law(language: str) -> None:
    said = words("card", language)
    for key in ("details", "use", "factors", "metrics", "training", "evaluation", "privacy", "ethics", "caveats"):
        assert card_texts.text(f"card_{key}", language) in said
    for article in ("GDPR Art. 22", "PIPL Art. 24") if language == "en" else ("GDPR 第 22 条", "第 24 条"):
        assert article in said


def test_the_card_says_what_is_in_the_file() -> None:
    from churn_pages import made

    file = made("logistic")
    said = words("card", "en")
    for sentence in (*file.record.intended_use, *file.record.not_for):
        assert sentence.en in said
    for code in (file.sha256, file.record.model_digest, file.record.study_digest):
        assert code in said
    assert f"signed as {file.signer}" in said or f"{file.signer} has signed" in said


@pytest.mark.parametrize(
    ("placement", "noise", "says"),
    [("central", "opacus", "Opacus was asked"), ("central", "integer", "against the coordinator there is no promise"),
     ("local", "integer", "does not depend on any")],
)  # fmt: skip
def test_the_card_tells_who_added_the_noise(placement: str, noise: str, says: str) -> None:
    from churn_pages import made

    from server.analyses.churn.model_card import render_card

    file = made("logistic")
    privacy = file.record.privacy.model_copy(update={"placement": placement, "mechanism": noise})
    other = dataclasses.replace(file, record=file.record.model_copy(update={"privacy": privacy}))
    assert says in " ".join(Page(render_card(other)).words["en"])
