"""The colours that pages may use, read from the style sheets, and how well they are told apart."""

from __future__ import annotations

import re

import numpy as np
from sources import ROOT

from privacy.presentation.pictures import CUSTOMERS, CUT, EVERYONE, HAIRLINE, INK, MUTED, OWN, REVENUE, SCORES

STYLES = [ROOT / "privacy/presentation/page.css", ROOT / "clients/report/holder.css", ROOT / "server/report/report.css"]


CSS = "\n".join(path.read_text(encoding="utf-8") for path in STYLES)


WHITE, BLACK = "#ffffff", "#000000"


def variables() -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", CSS))


def full(colour: str) -> str:
    """``#fff`` as ``#ffffff``."""
    return "#" + "".join(2 * sign for sign in colour[1:]) if len(colour) == 4 else colour.lower()


def css(rule: str, name: str) -> str:
    """The colour that a rule of the style sheets gives a property."""
    found = re.search(rf"(?:^|\s){re.escape(rule)} {{[^}}]*?(?<!-){name}: ([^;]+);", CSS, re.M)
    assert found is not None, f"{rule} has no {name}"
    value = found[1].strip()
    inner = re.fullmatch(r"var\(--([a-z-]+)\)", value)
    return full(variables()[inner[1]] if inner else value.split()[-1])


def rgb(colour: str) -> np.ndarray:
    return np.array([int(full(colour)[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    value = rgb(colour)
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


#: Fills whose difference is the meaning.
PAIRS = {"customers and revenue": (CUSTOMERS, REVENUE), "own and the consortium's": (OWN, EVERYONE)}


SHADES = [css(f".shade-{level}", "background") for level in range(6)]


#: Text (colour, what is behind it).
TEXTS = {
    "text": (INK, WHITE),
    "small text": (MUTED, WHITE),
    "text on a panel": (INK, full(variables()["panel"])),
    "small text on a panel": (MUTED, full(variables()["panel"])),
    "notice": (INK, full(variables()["notice"])),
    "alarm": (full(variables()["alarm-line"]), full(variables()["alarm"])),
    "failed": (full(variables()["alarm-line"]), WHITE),
    "brand": (full(variables()["accent"]), WHITE),
    "chosen language": (WHITE, full(variables()["accent"])),
    "number of a finding": (WHITE, INK),
    "better": (css(".verdict.higher", "color"), WHITE),
    "worse": (css(".verdict.lower", "color"), WHITE),
    "name of the cut": (CUT, WHITE),
    **{f"score {n}": (WHITE if n >= 4 else INK, SCORES[n - 1]) for n in range(1, 6)},
    "shade 0": (MUTED, SHADES[0]),
    **{f"shade {n}": (WHITE if n >= 4 else INK, SHADES[n]) for n in range(1, 6)},
}


#: Shapes (colour, what is behind them).
SHAPES = {
    "customers": (CUSTOMERS, WHITE),
    "revenue": (REVENUE, WHITE),
    "own": (OWN, WHITE),
    "everyone": (EVERYONE, WHITE),
    "interval on customers": (BLACK, CUSTOMERS),
    "edge of the interval on revenue": (WHITE, REVENUE),
    "interval on everyone": (BLACK, EVERYONE),
    "cut on its white edge": (CUT, WHITE),
    "line of a trend on its band": (INK, CUSTOMERS),
    "outline of a distribution": (MUTED, WHITE),
    "framed cell": (INK, SHADES[3]),
    "focus": (INK, WHITE),
    "edge of a notice": (full(variables()["notice-line"]), full(variables()["notice"])),
    "edge of a private note": (full(variables()["accent"]), full(variables()["panel"])),
}


#: Colours that carry nothing: hair lines, and what stands between shapes.
PLAIN = {HAIRLINE}
