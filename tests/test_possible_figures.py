"""Every analysis: nothing impossible on the terminal, in the report and in JSON, whatever noise made of a release."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import churn_pages
import cluster_pages
import pytest
from analyses.history.examples import result_of
from analyses.lookalikes.examples import result_of as lookalikes_result
from analyses.tables.examples import tables_result
from holder_pages import page_of
from report_pages import PLAIN, Page, rendered
from rich.console import Console
from rich.table import Table

from cohortium.running import texts
from privacy.figures.estimates import Estimate, Value
from privacy.presentation.texts import LANGUAGES
from privacy.results import StudyResult
from server.analyses.catalogue import ANALYSES
from server.analysis import ServerAnalysis
from server.report.render import render_report

#: Differences and measured places may be below 0, and so may log odds; how observed churn lies beyond 0 and 1 is said
#: beside its picture.
SIGNED = frozenset(("change", "typical", "observed", "level", "intercept", "slope"))
#: Estimates that are written nowhere by themselves: what others are made from, and what stands in the unit of a feature
#: or in a picture alone.
UNWRITTEN = {
    "rfm": {"counted_orders", "counted_revenue", "share_of_counted"},
    "clusters": {"change", "typical"},
    "churn": {"observed"},
    "lookalikes": {"observed"},
}
SURE = Estimate(value=0.4, margin=0.02)
#: A cell of a column in per cent: its value, and what stands around it.
_SHARE = re.compile(
    r'<td[^>]*data-label="[^"]*(?:%|百分)[^"]*"[^>]*>\s*<span class="value">([\d.,]+)</span>\s*'
    r'(?:<span class="margin">([^<]*))?'
)


def tables_page() -> StudyResult:
    study, figures = tables_result()
    return PLAIN.model_copy(update={"study": study, "rfm": None, "tables": figures})


def history_page() -> StudyResult:
    study, figures = result_of()
    return PLAIN.model_copy(update={"study": study, "rfm": None, "history": figures})


def lookalikes_page() -> StudyResult:
    study, figures = lookalikes_result()
    return PLAIN.model_copy(update={"study": study, "rfm": None, "lookalikes": figures})


RESULTS = {
    "lookalikes": lookalikes_page(),
    "history": history_page(),
    "tables": tables_page(),
    "rfm": PLAIN,
    "churn": churn_pages.study_result(churn_pages.churn_result()),
    "clusters": cluster_pages.study_result(cluster_pages.cluster_result()),
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
        return [words for key, item in value.items() if key not in {"first", "last"} | SIGNED for words in leaves(item)]
    if isinstance(value, list):
        return [words for item in value for words in leaves(item)]
    return [value] if isinstance(value, str) else []


def estimates_of(model: type[Value]) -> set[str]:
    """Names of the fields of a result, and of what it is made of, that hold estimates."""
    found: set[str] = set()
    for name, hint in get_type_hints(model).items():
        inside = list(parts(hint))
        if Estimate in inside:
            found.add(name)
        for kind in inside:
            if kind is not Estimate and issubclass(kind, Value):
                found |= estimates_of(kind)
    return found


def parts(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for inner in get_args(hint):
        yield from parts(inner)


@pytest.mark.parametrize("analysis", ANALYSES, ids=lambda analysis: analysis.name)
def test_every_figure_of_a_result_has_a_form(analysis: ServerAnalysis[Any]) -> None:
    """Without one it would be missing in JSON, unseen."""
    result = import_module(f"privacy.analyses.{analysis.name}.results").RESULT
    assert estimates_of(result) - set(analysis.forms(PLAIN.study)) == UNWRITTEN.get(analysis.name, set())


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
    for language in LANGUAGES:
        console = Console(width=200, record=True, file=io.StringIO())
        for shown in analysis.terminal(analysis.shown_figures(result), result, Path(), language):
            if isinstance(shown, Table) or hasattr(shown, "__rich_console__"):
                console.print(shown)
        lines = [line for line in console.export_text().splitlines() if re.search(r"\d", line)]
        assert lines
        for line in lines:  # sentences as well as tables; days are no figures, and differences have signs
            check(re.sub(r"\d{4}-\d\d-\d\d|a difference of \S+ \([^)]*\)|相差 ?\S+（[^）]*）", "", line))


@pytest.mark.parametrize("how", MOVES)
@pytest.mark.parametrize("name", [analysis.name for analysis in ANALYSES])
def test_nothing_impossible_is_in_a_report(name: str, how: str) -> None:
    html = render_report(noisy(name, how))
    shares = _SHARE.findall(html)
    assert shares or how != "above", "low ones are written as under something"
    for value, around in shares:
        for number in (value, *re.findall(r"[\d.,]+", around if "(" in around else "")):
            assert float(number.replace(",", "")) <= 100, (value, around)
    for rows in Page(html).rows.values():
        told = [words for row in rows for role, words in row if role in ("value", "margin")]
        assert told
        for words in told:
            check(words)


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
