"""Segments on terminals of usual widths."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from report_pages import PLAIN, earlier_run, with_earlier, with_known_cuts
from rich.cells import cell_len
from rich.console import Console

from privacy.presentation.texts import LANGUAGES
from server.analyses.rfm.terminal import tables


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_fits_and_names_are_in_the_language_asked_for(width: int, language: str) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    for table in tables(PLAIN.rfm, PLAIN, Path(), language):
        console.print(table)
    text = console.export_text()
    first = PLAIN.rfm.schemes[0].segments[0]
    wanted, other = (first.en, first.zh) if language == "en" else (first.zh, first.en)
    assert any(line.split("│")[1].strip() == wanted for line in text.splitlines() if "│" in line), "in one line"
    assert other not in text
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_kept_cut_points_that_have_aged_are_warned_of() -> None:
    then = earlier_run("2024-12-01", {"important_value": 0.04, "general_value": 0.04}, same_cuts=True)
    aged = with_known_cuts(with_earlier(then))
    console = Console(width=100, record=True, file=io.StringIO())
    for shown in tables(aged.rfm, aged, Path(), "en"):
        console.print(shown)
    assert "Warning: The cut points of spring-review 2024-12-01 have aged" in console.export_text()
