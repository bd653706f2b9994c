"""Pictures in the pages and in the documents.

Asserts that every score is named on a distribution however narrow its band is, that on a phone no line runs through a
segment's name, that the same figures give the same bytes, and that docs/pictures holds what docs/pictures.md shows, in
files that load fast.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from drawn_once import KINDS
from report_pages import PLAIN

from privacy.analyses.rfm.results import Distribution
from privacy.presentation import charts
from server.analyses.rfm.pictures import distribution, segment_shares

DOCS = Path(__file__).parents[1] / "docs"


def words(svg: str) -> list[tuple[str, float]]:
    """Every text of a picture, with how far from the left it stands."""
    found = []
    for node in ElementTree.fromstring(svg).iter("text"):
        place = re.search(r"translate\((-?[\d.]+)", node.get("transform", "")) or re.search(
            r"rotate\(\S+ (-?[\d.]+)", node.get("transform", "")
        )
        found.append(("".join(node.itertext()).strip(), float(place[1] if place else node.get("x", "nan"))))
    return found


@pytest.mark.parametrize("cuts", [(9, 30, 300, 420), (4, 12, 20, 28), (300, 310, 320, 330)])
def test_every_score_is_named_however_narrow(cuts: tuple[int, ...]) -> None:
    upper = tuple(float(day) for day in range(9, 720, 10))
    facts = Distribution(
        feature="recency_days", upper=upper, share=(1 / len(upper),) * len(upper), cuts=cuts, high=cuts[1],
        rank_margin=(0.01,) * 4,
    )  # fmt: skip
    named = {}
    for text, at in words(distribution(facts, "en", currency="EUR")):
        score = re.fullmatch(r"R?([1-5])", text)
        if score is not None:
            named[score[1]] = at
    assert sorted(named, key=lambda score: named[score]) == ["5", "4", "3", "2", "1"]
    places = sorted(named.values())
    assert min(right - left for left, right in itertools.pairwise(places)) >= 9  # a digit's width and a gap


def test_on_a_phone_no_line_crosses_a_name() -> None:
    assert PLAIN.rfm is not None
    scheme = PLAIN.rfm.schemes[0]
    picture = ElementTree.fromstring(segment_shares(scheme, "en", floor=20, width="narrow"))
    upright = []
    for node in picture.iter("path"):
        ends = re.fullmatch(r"M (\S+) (\S+)\s*L (\S+) (\S+)\s*", node.get("d", ""))
        if ends is not None and ends[1] == ends[3]:
            upright.append(abs(float(ends[2]) - float(ends[4])))
    assert len(upright) >= len(scheme.segments)
    assert max(upright) <= 40


def test_the_same_figures_give_the_same_bytes_however_often_they_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests rely on it: they draw each picture once (``drawn_once``); here nothing is remembered."""
    assert PLAIN.rfm is not None
    remembered = segment_shares(PLAIN.rfm.schemes[0], "zh", floor=20, width="wide")
    assert {"bars", "histogram", "over_time", "tree"} <= set(KINDS)
    for kind in KINDS:
        monkeypatch.setattr(charts, kind, getattr(charts, kind).__wrapped__)
    facts = PLAIN.rfm.distributions[0]
    for draw in (
        lambda: segment_shares(PLAIN.rfm.schemes[0], "zh", floor=20, width="wide"),  # type: ignore[union-attr]
        lambda: distribution(facts, "en", currency="EUR"),
    ):
        first = draw()
        assert first == draw()
        assert "<path" in first
    assert remembered == segment_shares(PLAIN.rfm.schemes[0], "zh", floor=20, width="wide")


def test_the_documents_pictures() -> None:
    shown = set(re.findall(r"\(pictures/([a-z-]+\.png)\)", (DOCS / "pictures.md").read_text(encoding="utf-8")))
    files = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert set(files) == shown
    assert max(files.values()) < 1 << 20
    assert sum(files.values()) < 5_000_000  # of four pages in two languages, at two widths and printed
