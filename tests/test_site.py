"""The site of the documents, as ``make docs`` left it in ``site/``: whole, and loading nothing from anywhere.

Broken links and anchors are the strict build's to find.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import click
import pytest
import typer

import cohortium

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"

built = pytest.mark.skipif("SITE_BUILT" not in os.environ, reason="`make docs` builds the site, and then looks at it")

#: What a browser loads by itself; links that one clicks are none of these.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["'](?:https?:)?//[^"']+|"""
    r"""<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|icon|preload)[^>]*\bhref=["'](?:https?:)?//[^"']+|"""
    r"""@import\s+["'(url]*(?:https?:)?//|url\(["']?(?:https?:)?//""",
    re.I,
)


@built
def test_no_page_loads_anything_from_elsewhere() -> None:
    pages = [path for pattern in ("*.html", "*.css") for path in SITE.rglob(pattern)]
    assert len(pages) > 40
    loading = {path.name: found[0] for path in pages if (found := LOADED.findall(path.read_text(encoding="utf-8")))}
    assert not loading
    assert LOADED.search('<script src="https://example.org/shim"></script>')
    assert LOADED.search('<link rel="stylesheet" href="//example.org/font.css">')


@built
def test_every_heading_of_a_document_is_one_of_its_page() -> None:
    """A block that is not understood as one would swallow what follows."""
    for document in (ROOT / "docs").rglob("*.md"):
        text = re.sub(r"^ *```.*?^ *```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
        page = SITE / document.relative_to(ROOT / "docs").with_suffix(".html")
        headings = re.findall(r"<h2 id=", page.read_text(encoding="utf-8"))
        assert len(headings) >= len(re.findall(r"^## ", text, re.M)), document


@built
def test_every_command_is_told() -> None:
    text = (SITE / "commands.html").read_text(encoding="utf-8")

    def names(group: click.Command, before: str) -> list[str]:
        parts = getattr(group, "commands", {}).items()
        below = [name for word, part in parts if not part.hidden for name in names(part, f"{before}-{word}")]
        return [before, *below]

    for name in names(typer.main.get_command(cohortium.app), "cohortium")[1:]:
        assert f'id="{name}"' in text, name


@built
def test_the_reference_has_docstrings_and_the_search_finds_both_languages() -> None:
    assert "CustomerColumns" in (SITE / "api.html").read_text(encoding="utf-8")
    index = json.loads((SITE / "search" / "search_index.json").read_text(encoding="utf-8"))
    texts = " ".join(entry["text"] for entry in index["docs"])
    assert "recency_days" in texts
    assert "客户" in texts


def test_chinese_pages_have_the_commands_of_the_english_ones() -> None:
    """Word for word, in the same order; the English ones are run by ``test_first_evening``."""

    def commands(page: Path) -> list[str]:
        return re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)

    docs = ROOT / "docs"
    english = commands(docs / "first-evening.md")
    chinese = commands(docs / "zh" / "first-evening.md")
    assert len(chinese) >= 12
    places = [english.index(block) for block in chinese]
    assert places == sorted(places)
    assert all(block in "".join(english) for block in commands(docs / "zh" / "labels.md"))


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))]
    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]
