"""The demo's study, its noise drawn 200 times: nothing impossible on the terminal, the page, or in the JSON's texts."""

from __future__ import annotations

import datetime as dt
import io
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_pages import build_result
from rich.console import Console

from cohortium.running import texts
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.customers import CustomerColumns
from privacy.mechanisms import SumMechanism
from privacy.presentation.texts import LANGUAGES, Language
from privacy.protocol.study import Study
from privacy.results import StudyResult
from privacy.statistics import Statistic
from server.analyses.rfm import pictures
from server.analyses.rfm import run as rfm
from server.analyses.rfm.analysis import ANALYSIS
from server.analyses.rfm.figures import Tail, Tails, scheme_figures, value_activity_figures
from server.analyses.rfm.plan import SEGMENTS
from server.analysis.section import ReportView
from server.running.planning import plan, planned_mechanism
from simulations.worlds.generator import GeneratedWorld, study_toml
from simulations.worlds.people import lines_of, orders_of, returns_of

#: Draws by epsilon: the demo's own, and a tenth of it, where much of what is released cannot be.
DRAWS = {"1": 200, "0.1": 50}
AS_OF = dt.date(2025, 1, 1)
HOLDERS = ("online", "store-1", "store-2", "store-3")
PERSONS = 20_000


@cache
def demo_customers() -> CustomerColumns:
    """The customer records of the demo's world, before any holder's format and dirt: returns are set off."""
    rng = np.random.default_rng(7)
    orders = orders_of(rng, customers=PERSONS, stores=3, as_of=AS_OF, overlap=0.25)
    lines = lines_of(rng, orders, customers=PERSONS)
    back = returns_of(rng, lines, AS_OF)
    rows = pd.concat([lines, back])
    money = (rows["quantity"] * rows["price"]).groupby([rows["holder"], rows["person"]]).sum()
    facts = lines.groupby(["holder", "person"]).agg(last=("time", "max"), orders=("order", "nunique"))
    return CustomerColumns(
        recency_days=(pd.Timestamp(AS_OF) - facts["last"]).dt.days.to_numpy(np.int64),
        orders=facts["orders"].to_numpy(np.int64),
        money=money.reindex(facts.index).to_numpy(np.int64),
        tenure_days=np.full(len(facts), 730, dtype=np.int64),
    )


@cache
def demo_study(epsilon: str) -> Study:
    world = GeneratedWorld(folder=Path(), holders=HOLDERS, as_of=AS_OF, customers=PERSONS, most_holders=3, truth=Path())
    table = tomllib.loads(study_toml(world))
    table["budget"]["epsilon"] = epsilon
    return Study.model_validate(table)


class _Drawn:
    """The demo's release, of which the noise is drawn again: once in full, then of segments and of the first count."""

    def __init__(self, epsilon: str) -> None:
        self.study = demo_study(epsilon)
        self.rng = np.random.default_rng(17)
        self.asked: list[Statistic] = []
        study, columns = self.study, demo_customers()
        found = rfm.run(study, self._ask, self._planned)
        assert isinstance(found, RfmResult)
        self.first = found
        question = self.asked[-1]
        assert isinstance(question, SegmentTotals)
        self.question, self.exact = question, question.encode_sum(columns)
        self.result = build_result().model_copy(update={"study": study, "participants": HOLDERS})

    def _planned(self, title: str, statistic: Statistic) -> SumMechanism:
        return planned_mechanism(self.study, plan(self.study)["rfm", title], statistic, holders=len(HOLDERS))

    def _ask(self, title: str, statistic: Statistic):
        self.asked.append(statistic)
        deviation = self._planned(title, statistic).released_deviation
        total = statistic.encode_sum(demo_customers())
        noise = np.rint(self.rng.normal(0, deviation, statistic.dim)).astype(np.int64)
        return type("Noisy", (), {"array": total + noise, "deviation": deviation, "closer": None})

    def again(self) -> StudyResult:
        deviation = self._planned(SEGMENTS, self.question).released_deviation
        values = self.exact + np.rint(self.rng.normal(0, deviation, self.question.dim)).astype(np.int64)
        orders, money = self.first.orders_tail, self.first.money_tail
        assert orders is not None
        assert money is not None
        tails = Tails(Tail(orders.likely, orders.most), Tail(money.likely, money.most))
        count = self.first.customers
        assert count is not None
        customers = Estimate(value=len(demo_customers()) + self.rng.normal() * count.margin / Z95, margin=count.margin)
        floor, (eight,) = self.study.of(CONTRACT).floor, self.question.decode(values, deviation)
        made = {
            "schemes": (scheme_figures(eight, self.question, tails, floor=floor),),
            "value_activity": value_activity_figures(eight, self.question, tails, floor=floor),
        }
        figures = self.first.model_copy(update={**made, "customers": customers})
        return self.result.model_copy(update={"rfm": figures})


NUMBER = r"-?[\d,]+(?:\.\d+)?"


def number(text: str) -> float:
    return float(text.replace(",", ""))


def check_figure(words: str, *, share: bool) -> None:
    """One figure in words: nothing below 0, no share above 100, and a value inside the interval that is written."""
    words = words.replace("\u00a0", " ")
    assert not re.search(r"-\s?\d", words), words
    numbers = [number(found) for found in re.findall(NUMBER, words)]
    assert numbers, words
    if share:
        assert max(numbers) <= 100, words
    uneven = re.search(rf"({NUMBER})%? \(({NUMBER}) (?:to|至) ({NUMBER})\)", words)
    if uneven:
        value, low, high = (number(part) for part in uneven.groups())
        assert low <= value <= high, words
    if words.startswith(("under", "低于")):
        assert numbers[0] > 0, words
        assert len(numbers) == 1, "no digits of what the noise hides"


def check_row(records: str, orders: str) -> None:
    """Orders at least as many as records, where both have digits; a bound on orders is not below the records."""
    first, second = (number(re.findall(NUMBER, words)[0]) for words in (records, orders))
    if not records.startswith(("under", "低于")):
        assert second >= first, (records, orders)


def check_json(said: dict[str, Any]) -> dict[Language, list[dict[str, Any]]]:
    """The rows of both segmentations, by language."""
    found = {}
    for language in LANGUAGES:
        figures = said[language]["rfm"]
        check_figure(figures["customers"], share=False)
        for scheme in (*figures["schemes"], figures["value_activity"]):
            check_row(scheme["total_customers"], scheme["total_orders"])
            for row in scheme["segments"]:
                if row["customers"] is None:
                    continue
                check_row(row["customers"], row["orders"])
                for name, words in row.items():
                    if name != "code" and words is not None:
                        check_figure(words, share=name.startswith("share"))
                average = row["orders_per_customer"]
                assert average is None or min(number(n) for n in re.findall(NUMBER, average.split("±")[0])) >= 1
        found[language] = [*figures["schemes"][0]["segments"], *figures["value_activity"]["segments"]]
    return found


def check_sum(scheme: dict[str, Any]) -> bool:
    """Rows as they are written add up to the total, within half of the places that they are written at."""
    rows = [row["customers"] for row in scheme["segments"]]
    if any(row is None or row.startswith("under") for row in rows):
        return False
    pairs = [[number(found) for found in re.findall(NUMBER, words)] for words in (*rows, scheme["total_customers"])]
    if any(len(pair) != 2 for pair in pairs):
        return False
    # A margin of one digit is at least a tenth of its place's next; half a place is at most 0.06 margins.
    slack = sum(0.06 * margin + 0.5 for _, margin in pairs)
    assert abs(sum(value for value, _ in pairs[:-1]) - pairs[-1][0]) <= slack, pairs
    return True


#: Figures of the terminal's table.
COLUMNS = ("customers", "share_of_customers", "revenue", "share_of_revenue")


def terminal(result: StudyResult) -> list[list[str]]:
    """Figures of each row of the terminal's tables."""
    console = Console(width=160, record=True, file=io.StringIO())
    figures = ANALYSIS.shown_figures(result)
    for table in ANALYSIS.terminal(figures, result, Path(), "en"):
        console.print(table)
    lines = [line.split("│")[1:-1] for line in console.export_text().splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line][1:] for line in lines]


def read_terminal(result: StudyResult, said: list[dict[str, Any]]) -> int:
    """Held against the JSON's texts; how many figures the noise hides."""
    hidden = 0
    for cells, row in zip(terminal(result), said, strict=True):
        if cells[0] == "suppressed":
            assert row["customers"] is None
            continue
        for cell, name in zip(cells, COLUMNS, strict=True):
            check_figure(cell, share=name.startswith("share"))
            written = (row[name] or "").replace("±\u00a0", "±")
            # A share stands without its interval, for which there is no room.
            assert written.startswith(cell) if name.startswith("share") else written == cell
            hidden += cell.startswith("under")
    return hidden


def read_page(result: StudyResult, said: list[dict[str, Any]], language: Language) -> None:
    """The section in a language, held against the JSON's texts."""
    section = ANALYSIS.section
    figures = ANALYSIS.shown_figures(result)
    view = ReportView(figures=figures, result=result, language=language, text=section.text)
    for card in section.cards(view):
        check_figure(card.value, share=False)
    for sentence in section.findings(view):
        for words in re.findall(rf"{NUMBER}%", sentence):
            check_figure(words, share=True)
    rows = [row for scheme in section.body(view)["schemes"] for row in scheme["rows"]]
    for row, in_json in zip(rows, said, strict=True):
        if row["cells"] is None:
            assert in_json["customers"] is None
            continue
        records, share, orders, revenue, part, *averages = row["cells"]
        check_row(records.value, orders.value)
        for cell in (records, share, orders, revenue, part, *averages):
            if cell.value:
                check_figure(cell.value, share=cell in (share, part))
        for cell, name in ((records, "customers"), (orders, "orders"), (revenue, "revenue")):
            assert in_json[name].startswith(cell.value)
            assert (cell.ends or cell.margin) in in_json[name]


def is_odd(result: StudyResult) -> bool:
    """Whether a release has what no customers could have, or a sum of money that its margin reaches beyond."""
    rows = [row for row in result.rfm.schemes[0].segments if not row.suppressed]
    return any(row.orders.value < row.customers.value or row.revenue.interval[0] < 0 for row in rows)


@pytest.mark.parametrize("epsilon", DRAWS)
def test_terminal_page_and_json_show_nothing_impossible_and_write_alike(
    epsilon: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the pictures, which take most of a page's time, the words alone."""
    drawn_words: list[str] = []

    def bars(panels, series, form) -> str:
        for panel in panels:
            for group in panel.groups:
                drawn_words.extend(mark.words for mark in group.bars if mark and not isinstance(mark, str))
        return "<svg></svg>"

    monkeypatch.setattr(pictures.charts, "bars", bars)
    monkeypatch.setattr(pictures.charts, "histogram", lambda *_: "<svg></svg>")
    drawn, draws = _Drawn(epsilon), DRAWS[epsilon]
    odd = hidden = added_up = 0
    for _ in range(draws):
        result = drawn.again()
        odd += is_odd(result)
        said = texts(result)
        rows = check_json(said)
        added_up += check_sum(said["en"]["rfm"]["schemes"][0])
        check_sum(said["en"]["rfm"]["value_activity"])
        hidden += read_terminal(result, rows["en"])
        for language in LANGUAGES:
            read_page(result, rows[language], language)
    assert drawn_words
    for words in drawn_words:
        check_figure(words, share=True)
    if epsilon == "1":
        assert added_up > draws / 2
    else:
        assert odd > draws / 2, "there was something to do"
        assert hidden > draws
