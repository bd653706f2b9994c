"""Segments on terminals of usual widths."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from report_pages import PLAIN
from rich.cells import cell_len
from rich.console import Console

from server.analyses.rfm.terminal import tables


@pytest.mark.parametrize(("width", "bilingual"), [(80, False), (100, True)])
def test_a_line_fits_and_names_are_in_both_languages_where_there_is_room(width: int, bilingual: bool) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    for table in tables(PLAIN.rfm, PLAIN, Path()):
        console.print(table)
    text = console.export_text()
    first = PLAIN.rfm.schemes[0].segments[0]
    assert any(line.split("│")[1].strip() == first.en for line in text.splitlines() if "│" in line), "in one line"
    assert (first.zh in text) == bilingual
    assert max(cell_len(line) for line in text.splitlines()) <= width
