"""What every picture needs: colours, sizes, a canvas, and how it becomes an SVG element to stand inline in HTML.

Drawn by matplotlib without a display; text stays text, so that the browser renders every script with the page's own
font. One unit is one CSS pixel at full size. The same input gives the same bytes. What can be drawn is in
:mod:`privacy.presentation.charts`.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.etree import ElementTree

from privacy.presentation.pages import inline

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

INK = "#1c2430"
MUTED = "#596473"
HAIRLINE = "#d7dde4"
WHITE = "#ffffff"
BLACK = "#000000"
#: Customers and revenue: light and dark of one hue, told apart with every kind of colour vision and on grey paper; the
#: light one still stands out from white paper. ``tests/test_colours.py`` holds every colour to that.
CUSTOMERS = "#6895c5"
REVENUE = "#123f6d"
#: A holder's own beside everybody's: dark and warm against light and cold.
OWN = "#752a02"
EVERYONE = "#7893ae"
CUT = "#b5480a"
#: Scores 1 to 5, light to dark.
SCORES = ("#d6e4f2", "#b3cde6", "#86aed5", "#3f78ad", "#14538f")
#: From this step of ``SCORES`` on, counted from 0, words on it are white.
DARK = 3
DASHES = (0, (4, 3))

Width = Literal["wide", "narrow", "half", "third"]
Align = Literal["left", "center", "right"]

#: For desks and paper; for phones; for half and for a third of a row, where one form serves all.
WIDTHS: dict[Width, int] = {"wide": 780, "narrow": 350, "half": 390, "third": 300}

_POINTS_PER_INCH = 72


@dataclass(frozen=True, kw_only=True)
class Form:
    """How a picture is made, whatever it shows.

    Attributes:
        alt: what it shows, for those who hear the page.
        salt: tells its ids from those of the page's other pictures; the width is added to it.
        width: how much room it has.
    """

    alt: str
    salt: str
    width: Width = "wide"


class Edges(NamedTuple):
    """Room around axes, in pixels."""

    left: float
    right: float
    top: float
    bottom: float


class Canvas:
    """A picture of so many pixels; places are counted from its top left."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / _POINTS_PER_INCH, height / _POINTS_PER_INCH), facecolor="none")

    def axes(self, edges: Edges, *, beside: Axes | None = None) -> Axes:
        """Axes with that room around them; ``beside``: axes whose horizontal scale they share."""
        width, height = self.width - edges.left - edges.right, self.height - edges.top - edges.bottom
        place = (edges.left / self.width, edges.bottom / self.height, width / self.width, height / self.height)
        axes = self._figure.add_axes(place, sharex=beside)
        axes.set_facecolor("none")
        return axes

    def text(self, x: float, y: float, words: str, *, align: Align = "left", ink: bool = False, size: int = 12) -> None:
        """Write words on a base line; ``ink`` for what counts, muted otherwise; bold where larger than 13."""
        self._figure.text(
            x / self.width,
            1 - y / self.height,
            words,
            fontsize=size,
            color=INK if ink else MUTED,
            ha=align,
            va="baseline",
            weight="bold" if size > 13 else "normal",
            parse_math=False,
        )

    def legend(self, x: float, y: float, words: str, colour: str) -> None:
        """A coloured square with its meaning."""
        from matplotlib.patches import Rectangle

        corner = (x / self.width, 1 - (y + 6) / self.height)
        size = (12 / self.width, 12 / self.height)
        self._figure.add_artist(
            Rectangle(corner, *size, transform=self._figure.transFigure, facecolor=colour, linewidth=0)
        )
        self.text(x + 18, y + 4.5, words, ink=True)

    def svg(self, form: Form) -> str:
        """The picture as one ``<svg>`` element without outside references, ids unique to the form's salt."""
        import matplotlib

        buffer = io.BytesIO()
        settings: Any = {"svg.fonttype": "none", "svg.hashsalt": f"cohortium-{form.salt}-{form.width}"}
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        with matplotlib.rc_context(settings), warnings.catch_warnings():
            # The browser has the glyphs that matplotlib's own font lacks; the text is not drawn here.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            self._figure.savefig(buffer, format="svg", metadata=nothing)
        root = ElementTree.fromstring(buffer.getvalue())
        _tidy(root)
        view_box = root.attrib["viewBox"]
        root.attrib.clear()
        root.attrib.update({"viewBox": view_box, "role": "img", "aria-label": form.alt})
        root.text = None
        markup = ElementTree.tostring(root, encoding="unicode")
        referenced = set(re.findall(r'(?:href="#|url\(#)([^")]+)', markup))
        return re.sub(r' id="([^"]*)"', lambda m: m.group(0) if m.group(1) in referenced else "", markup)


def both(draw: Callable[[Width], str]) -> dict[str, Markup]:
    """A picture in its wide and its narrow form, for the page's macro ``pictured``."""
    return {"wide": inline(draw("wide")), "narrow": inline(draw("narrow"))}


def block(axes: Axes, corner: tuple[float, float], width: float, height: float, **style: Any) -> None:
    """A filled rectangle at a place of the data, as ``bar`` draws one, in a fifth of the time.

    It moves no limits: axes that have it are told theirs. A width or height may be negative.
    """
    from matplotlib.patches import Rectangle

    axes.add_artist(Rectangle(corner, width, height, **style))


def line(axes: Axes, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
    """A line through places of the data, as ``plot`` draws one, in a third of the time; it moves no limits."""
    from matplotlib.lines import Line2D

    axes.add_artist(Line2D(xs, ys, **style))


def label(axes: Axes, x: float, y: float, words: str, *, align: Align, muted: bool = False) -> None:
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


def beside(
    axes: Axes,
    place: tuple[float, float],
    words: str,
    *,
    offset: tuple[float, float] = (0, 0),
    align: Align = "center",
    **style: Any,
) -> None:
    """Write words so many pixels beside a place of the data; ``style``: what matplotlib's ``annotate`` takes more."""
    axes.annotate(
        words,
        place,
        xytext=offset,
        textcoords="offset points",
        ha=align,
        **{
            "va": "center_baseline",
            "fontsize": 12,
            "color": INK,
            "annotation_clip": False,
            "parse_math": False,
            **style,
        },
    )


def bare(axes: Axes, *, keep: Sequence[str] = ()) -> None:
    """Take the frame away but for the sides to keep."""
    for side in ("top", "left", "right", "bottom"):
        axes.spines[side].set_visible(side in keep)


def width_of(words: str, size: float = 12) -> float:
    """About how many pixels words take; the page's font is not known here."""
    return sum(size if unicodedata.east_asian_width(sign) in "WF" else 0.55 * size for sign in words)


def fitting(words: str, room: float) -> str:
    """Words cut to about so many pixels at 12 pixels high; the table beside the picture has the full ones."""
    for index, sign in enumerate(words):
        room -= width_of(sign)
        if room < 0:
            return words[: max(index - 1, 1)] + "…"
    return words


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
