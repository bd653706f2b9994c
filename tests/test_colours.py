"""Pages that can be read with every kind of colour vision and without colour.

Every colour of the pages is on one list with what it must do. Colours that carry a meaning are told apart under
simulated protanopia, deuteranopia, tritanopia (Machado, Oliveira, Fernandes 2009, severity 1) and in grey; text and
shapes stand out from what is behind them as WCAG 2.2 asks; and no page has a colour that is not on the list.
"""

from __future__ import annotations

import dataclasses
import itertools
import re

import colorspacious
import numpy as np
import pytest
from holder_kit import holder_report
from holder_pages import own_rows, page_of, result_of, table_of
from palette import BLACK, CSS, PAIRS, PLAIN, SHADES, SHAPES, TEXTS, WHITE, contrast, full, luminance, rgb
from report_pages import rendered

from clients.analysis.actions import Actions
from privacy.presentation.pictures import SCORES

VISIONS = ("normal", "protanomaly", "deuteranomaly", "tritanomaly")  # at severity 100: the -opias

#: WCAG 2.2, 1.4.3 (text) and 1.4.11 (shapes that carry meaning).
TEXT, SHAPE = 4.5, 3.0
#: Distance in CAM02-UCS (Luo, Cui, Li 2006), the successor of CIEDE2000 for large differences; 1 is about what can just
#: be seen side by side. Fills with a legend are compared from memory, so that far more is asked.
FAR = 20.0
#: Neighbouring steps of an ordered scale touch each other; each must be a clear step darker.
STEP = 8.0


def seen(colour: str, vision: str) -> np.ndarray:
    if vision == "normal":
        return rgb(colour)
    space = {"name": "sRGB1+CVD", "cvd_type": vision, "severity": 100}
    return np.clip(colorspacious.cspace_convert(rgb(colour), space, "sRGB1"), 0, 1)


def distance(first: str, second: str, vision: str) -> float:
    return float(colorspacious.deltaE(seen(first, vision), seen(second, vision), input_space="sRGB1"))


SCALES = {"scores": SCORES, "shades of the movement matrix": tuple(SHADES)}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("vision", VISIONS)
def test_fills_are_told_apart_with_every_colour_vision(name: str, vision: str) -> None:
    assert distance(*PAIRS[name], vision) >= FAR


@pytest.mark.parametrize("name", PAIRS)
def test_fills_are_told_apart_in_grey(name: str) -> None:
    assert contrast(*PAIRS[name]) >= SHAPE


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("vision", VISIONS)
def test_scales_get_darker_in_clear_steps(name: str, vision: str) -> None:
    assert min(distance(a, b, vision) for a, b in itertools.pairwise(SCALES[name])) >= STEP


@pytest.mark.parametrize("name", SCALES)
def test_scales_get_darker_in_grey(name: str) -> None:
    values = [luminance(colour) for colour in SCALES[name]]
    assert values == sorted(values, reverse=True)
    # Greys that touch are seen apart from 1.05 or so on; a poor print takes away most of the rest.
    assert min(contrast(a, b) for a, b in itertools.pairwise(SCALES[name])) >= 1.15


@pytest.mark.parametrize("name", TEXTS)
def test_text_stands_out(name: str) -> None:
    assert contrast(*TEXTS[name]) >= TEXT


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_stand_out(name: str) -> None:
    assert contrast(*SHAPES[name]) >= SHAPE


def test_red_and_green_never_stand_alone() -> None:
    """Better and worse look alike to some: a sign and a word say it too, in both languages."""
    rows = own_rows()
    rows = dataclasses.replace(rows, money=3 * rows.money, orders=np.ones_like(rows.orders))
    html = holder_report(holder="online", table=table_of(rows), result=result_of(), actions=Actions({}))
    cells = re.findall(r'<td class="verdict (higher|lower)[^>]*>(.*?)</td>', html)
    assert {kind for kind, _ in cells} == {"higher", "lower"}
    signs: dict[str, set[str]] = {"higher": set(), "lower": set()}
    for kind, cell in cells:
        found = re.search(r'aria-hidden="true">(\S+)</span> (\S.*?)</span>', cell)
        assert found is not None, cell
        signs[kind].add(found[1])
    assert signs == {"higher": {"▲"}, "lower": {"▼"}}


def test_weak_figures_are_not_marked_by_grey_alone() -> None:
    assert re.search(r"\.weak \.value \{[^}]*font-style: italic", CSS)


def test_every_colour_is_on_the_list() -> None:
    listed = set(PLAIN) | {WHITE, BLACK, *SCORES, *SHADES}
    listed |= {colour for table in (PAIRS, TEXTS, SHAPES) for pair in table.values() for colour in pair}
    pages = [rendered("plain"), rendered("large"), rendered("trend"), page_of("odd")]
    used = {full(colour) for html in pages for colour in re.findall(r"(?<!&)#[0-9a-f]{6}\b|#[0-9a-f]{3}\b", html)}
    assert used - listed == set()
