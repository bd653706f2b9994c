"""docs/tags.md, from nothing to a list: its commands are run, and print what it shows."""

from __future__ import annotations

from pathlib import Path

from walk import of_this_tree, walk

from clients.tags.library import library

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "tags.md").read_text(encoding="utf-8")


def test_the_page_from_nothing_to_a_list(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    walk(DOCUMENT, here, environment=of_this_tree(tmp_path / "bin"))


def test_both_pages_have_the_whole_library() -> None:
    chinese = (ROOT / "docs" / "zh" / "tags.md").read_text(encoding="utf-8")
    for one in library():
        assert f"| `{one.tag.code}` | `{one.tag.when or one.tag.value}" in DOCUMENT
        assert f"| `{one.tag.code}` | {one.tag.zh} | {one.tag.why_zh} |" in chinese
