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


@built
def test_lines_of_a_chinese_paragraph_are_joined_and_blocks_are_not() -> None:
    privacy, roles = ((SITE / "zh" / f"{name}.html").read_text(encoding="utf-8") for name in ("privacy", "membership"))
    assert "数据中，正确率" in privacy  # two lines of the document
    assert re.search(r"request\.json 发给协调方\n", re.sub(r"<[^>]+>", "", roles))


def test_chinese_pages_have_the_commands_of_the_english_ones() -> None:
    """Word for word, in the same order; the English ones are run by ``test_first_evening`` and others."""

    def commands(page: Path) -> list[str]:
        return re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)

    docs = ROOT / "docs"
    english = commands(docs / "first-evening.md")
    chinese = commands(docs / "zh" / "first-evening.md")
    assert len(chinese) >= 12
    places = [english.index(block) for block in chinese]
    assert places == sorted(places)
    assert all(block in "".join(english) for block in commands(docs / "zh" / "labels.md"))
    assert commands(docs / "zh" / "schedule.md") == commands(docs / "schedule.md")
    assert commands(docs / "zh" / "tags.md") == commands(docs / "tags.md")


def test_chinese_pages_are_led_to_and_say_what_they_are_short_for() -> None:
    """From their index, from the site's navigation, and both ways between a page and the English one of its name."""
    docs, texts = ROOT / "docs", {}
    for page in sorted((docs / "zh").glob("*.md")):
        texts[page.name] = page.read_text(encoding="utf-8")
        assert f"zh/{page.name}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), page.name
    for name, text in texts.items():
        if name == "index.md":
            continue
        assert f"]({name})" in texts["index.md"], name
        assert f"](../{name})" in text, name
        assert f"](zh/{name})" in (docs / name).read_text(encoding="utf-8"), name


def test_one_thing_has_one_word_in_chinese() -> None:
    """As-of day, cut point, segment: other words for them were in documents and on pages once."""
    packages = ("cohortium", "server", "clients", "privacy")
    texts = [path for package in packages for path in (ROOT / package).rglob("*.toml")]
    assert len(texts) > 20
    for page in (*(ROOT / "docs" / "zh").glob("*.md"), *texts):
        text = page.read_text(encoding="utf-8")
        for strange in ("分析日", "统计日", "分位点", "切点", "客群", "研究"):
            assert strange not in text, (page.name, strange)


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))]
    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]
