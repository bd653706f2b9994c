"""The first evening, as docs/first-evening.md tells it: its commands are taken from the document and run, in its order.

Asserts that every command ends well, from the folder that the document names; that what it prints is what the document
shows (figures aside where the document says they are noisy); and that files the document speaks of are there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from walk import blocks, of_this_tree, walk

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "first-evening.md").read_text(encoding="utf-8")

#: What the first block stands for here: the clone and its environment are there already, and processes of Flower's
#: are tested elsewhere. The demo is a small one; what is copied from it later has the size that the guide is about.
FIRST = """cohortium demo --transport in-process --customers 5000
python3 -c 'import cohortium
from pathlib import Path
from simulations.worlds.generator import generate
generate(Path("demo/data"), customers=20_000)'
"""
#: What the demo's page has in the rows of its totals: released, true, and the verdict.
_TRUTH = re.compile(
    r'<td class="number">([^<]*)</td><td class="number">([^<]*)</td><td>(inside the interval|outside [^<]*)</td>'
)
#: What a page refers to.
_LINK = re.compile(r'href="([^"#]+)"')


def test_the_document_has_commands_and_their_output() -> None:
    kinds = [block.kind for block in blocks(DOCUMENT)]
    assert set(kinds) == {"sh", "text", "text noisy"}
    assert kinds[0] == "sh"
    assert "make demo" in blocks(DOCUMENT)[0].text
    assert kinds.count("sh") >= 10


@pytest.mark.slow
def test_the_evening(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    walk(DOCUMENT, clone, first=FIRST, environment=of_this_tree(tmp_path / "bin"))
    _the_demo_leads_everywhere(clone / "demo")
    for path in re.findall(r"`((?:first|evening)/[^`* ]+\.[a-z]+)`", DOCUMENT):
        assert (clone / path).exists(), path


def _the_demo_leads_everywhere(demo: Path) -> None:
    """Every link of the first page leads to a file; all records agree; what is stated is near what is true."""
    page = (demo / "index.html").read_text(encoding="utf-8")
    links = sorted(set(_LINK.findall(page)))
    assert len(links) == 4 + 4 + 4 + 2 + 1 + 1, links
    assert [link for link in links if not (demo / link).exists()] == []
    assert "all claims hold" in page
    rows = _TRUTH.findall(page)
    assert len(rows) == 6, "three totals of two months"
    for released, true, verdict in rows:
        value, *around = (float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", released))
        low, high = around if len(around) == 2 else (value - around[0], value + around[0])
        step = 0.1 * (high - low)  # what is shown is rounded
        truth = float(true.replace(",", ""))
        inside = verdict == "inside the interval"
        assert inside or truth <= low + step or truth >= high - step
        assert not inside or low - step <= truth <= high + step
        assert abs(truth - value) <= 3 * (high - low), "the truth is of another day, or of other customers"
    assert "cohortium holder approve demo/holders/store-3" in page
