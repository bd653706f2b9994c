"""Pictures as SVG elements to stand inline in HTML: palette, and what all of them need.

Drawn by matplotlib without a display; text stays text, so that the browser renders every script with the page's own
font. One unit is one CSS pixel at full size. The same input gives the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1c2430"
MUTED = "#596473"
HAIRLINE = "#d7dde4"
#: Customers and revenue: light and dark of one hue, told apart with every kind of colour vision and on grey paper; the
#: light one still stands out from white paper. ``tests/test_colours.py`` holds every colour to that.
CUSTOMERS = "#6895c5"
REVENUE = "#123f6d"
CUT = "#b5480a"
#: Scores 1 to 5, light to dark.
SCORES = ("#d6e4f2", "#b3cde6", "#86aed5", "#3f78ad", "#14538f")

#: Pictures are drawn for desks and paper, and for phones.
Width = Literal["wide", "narrow"]

_POINTS_PER_INCH = 72


def figure(width: int, height: int) -> Figure:
    """A canvas; one unit is one CSS pixel at full size."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH), facecolor="none")


def label(axes: Axes, x: float, y: float, words: str, *, align: str, muted: bool = False) -> None:
    """Write a label at ``x`` (share of the axes' width) beside the row at ``y`` (data)."""
    axes.text(
        x,
        y,
        words,
        transform=axes.get_yaxis_transform(),
        ha=align,
        va="center_baseline",
        fontsize=13 if not muted else 12,
        color=MUTED if muted else INK,
        parse_math=False,
        clip_on=False,
    )


def legend(picture: Figure, x: float, y: float, words: str, colour: str, width: int, height: int) -> None:
    """A coloured square with its meaning, ``x`` and ``y`` pixels from the top left of a canvas of that size."""
    from matplotlib.patches import Rectangle

    picture.add_artist(
        Rectangle(
            (x / width, 1 - (y + 6) / height),
            12 / width,
            12 / height,
            transform=picture.transFigure,
            facecolor=colour,
            linewidth=0,
        )
    )
    picture.text(
        (x + 18) / width,
        1 - (y + 4.5) / height,
        words,
        fontsize=12,
        color=INK,
        va="baseline",
        parse_math=False,
    )


def svg(picture: Figure, salt: str, alt: str) -> str:
    """The figure as one ``<svg>`` element without outside references, ids unique to ``salt``."""
    import matplotlib

    buffer = io.BytesIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": f"cohortium-{salt}"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's own font lacks; the text is not drawn here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        picture.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _tidy(root)
    view_box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": view_box, "role": "img", "aria-label": alt})
    root.text = None
    markup = ElementTree.tostring(root, encoding="unicode")
    referenced = set(re.findall(r'(?:href="#|url\(#)([^")]+)', markup))
    return re.sub(r' id="([^"]*)"', lambda m: m.group(0) if m.group(1) in referenced else "", markup)


def _tidy(node: ElementTree.Element) -> None:
    """Drop what only a stand-alone SVG file needs: name spaces, metadata, style sheet, font families."""
    node.tag = node.tag.rpartition("}")[2]
    for name in list(node.attrib):
        if name.startswith("{"):
            node.attrib[name.rpartition("}")[2]] = node.attrib.pop(name)
    if node.tag == "text" and "style" in node.attrib:
        node.attrib["style"] = re.sub(r"(font: [^;]*?px) [^;]*", r"\1 sans-serif", node.attrib["style"])
    for child in list(node):
        if child.tag.rpartition("}")[2] in ("metadata", "style"):
            node.remove(child)
        else:
            _tidy(child)
            if child.tag == "defs" and len(child) == 0:
                node.remove(child)
