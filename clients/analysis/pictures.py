"""The holder's picture: its own shares beside the consortium's, by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from clients.analysis.comparison import Compared
from clients.analysis.texts import text
from privacy.figures.estimates import Estimate
from privacy.presentation.numbers import shown
from privacy.presentation.pictures import INK, MUTED, figure, label, legend, svg
from privacy.presentation.texts import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Dark and warm against light and cold: told apart with every kind of colour vision, and on grey paper.
OWN = "#752a02"
EVERYONE = "#7893ae"

Width = Literal["wide", "narrow"]
Share = Literal["customers", "revenue"]
_SHARES: tuple[Share, ...] = ("customers", "revenue")
_LEGEND = (("legend_own", OWN), ("legend_everyone", EVERYONE))


class Pair(NamedTuple):
    """A group of customers, the holder's share beside the consortium's; None where it is not known."""

    name: str
    customers: Compared | None
    revenue: Compared | None


def compared_shares(
    pairs: Sequence[Pair],
    language: Language,
    *,
    hidden: str,
    width: Width,
    salt: str,
    title: str = "",
    shares: Sequence[Share] = _SHARES,
) -> str:
    """Own and consortium's share of customers and of revenue in each group; black lines: 95% of the noise.

    Args:
        pairs: the groups.
        language: of the words.
        hidden: what stands for a share of the consortium that is not shown.
        width: ``wide`` puts the two shares side by side, ``narrow`` below each other with names above the bars.
        salt: tells this picture's ids from those of others on the page.
        title: the picture's title; that of segments where none is given.
        shares: which are drawn.
    """
    picture = (_wide if width == "wide" else _narrow)(pairs, language, hidden, shares)
    return svg(picture, f"{salt}-{language}-{width}", title or text("picture_compared", language))


def _wide(pairs: Sequence[Pair], language: Language, hidden: str, shares: Sequence[Share]) -> Figure:
    row, top, bottom, total = 44, 62, 8, 860
    left, gap, right = 176, 74, 62
    height = top + row * len(pairs) + bottom
    inner = (total - left - right - gap * (len(shares) - 1)) / len(shares)
    picture = figure(total, height)
    for number, share in enumerate(shares):
        x = left + number * (inner + gap)
        axes = picture.add_axes((x / total, bottom / height, inner / total, (height - top - bottom) / height))
        axes.set_ylim(len(pairs) * row, 0)
        picture.text(
            x / total, 1 - 48 / height, text(f"panel_{share}", language), fontsize=13, color=INK, va="baseline",
            parse_math=False,
        )  # fmt: skip
        reach = [0.0]
        for index, pair in enumerate(pairs):
            middle = index * row + row / 2
            if number == 0:
                label(axes, -14 / inner, middle, pair.name, align="right")
            reach += _pair(axes, getattr(pair, share), middle, hidden)
        _finish(axes, reach)
    for number, (key, colour) in enumerate(_LEGEND):
        legend(picture, left + 190 * number, 14, text(key, language), colour, total, height)
    return picture


def _narrow(pairs: Sequence[Pair], language: Language, hidden: str, shares: Sequence[Share]) -> Figure:
    row, head, top, bottom, total, right = 62, 40, 46, 8, 350, 62
    panel = head + row * len(pairs)
    height = top + len(shares) * panel + bottom
    inner = total - 6 - right
    picture = figure(total, height)
    for number, share in enumerate(shares):
        start = top + number * panel
        picture.text(
            6 / total, 1 - (start + 26) / height, text(f"panel_{share}", language), fontsize=14, color=INK,
            va="baseline", weight="bold", parse_math=False,
        )  # fmt: skip
        low = 1 - (start + panel) / height
        axes = picture.add_axes((6 / total, low, inner / total, (panel - head) / height))
        axes.set_ylim(len(pairs) * row, 0)
        reach = [0.0]
        for index, pair in enumerate(pairs):
            label(axes, 0, index * row + 13, pair.name, align="left")
            reach += _pair(axes, getattr(pair, share), index * row + row / 2 + 10, hidden)
        _finish(axes, reach)
    for number, (key, colour) in enumerate(_LEGEND):
        legend(picture, 6, 10 + 20 * number, text(key, language), colour, total, height)
    return picture


def _pair(axes: Axes, compared: Compared | None, middle: float, hidden: str) -> list[float]:
    """The two bars of a group; returns how far they reach."""
    if compared is None:
        return []
    own, everyone = compared.own, compared.everyone
    axes.plot([0, 0], [middle - 18, middle + 18], color=MUTED, linewidth=1)
    axes.barh(middle - 8.5, own.value, height=14, color=OWN, linewidth=0)
    _value(axes, own, own.value, middle - 8.5, bold=True)
    if everyone is None:
        label(axes, 0.01, middle + 8.5, hidden, align="left", muted=True)
        return [own.value]
    axes.barh(middle + 8.5, everyone.value, height=14, color=EVERYONE, linewidth=0)
    ends = [everyone.value - everyone.margin, everyone.value + everyone.margin]
    axes.plot(ends, [middle + 8.5] * 2, color="#000000", linewidth=1.6, solid_capstyle="butt")
    _value(axes, everyone, max(ends[1], 0), middle + 8.5, bold=False)
    return [own.value, *ends]


def _value(axes: Axes, share: Estimate, x: float, y: float, *, bold: bool) -> None:
    exact = Estimate(value=share.value, margin=0.0) if bold else share  # one's own share is exact
    axes.annotate(
        f"{shown(exact, decimals=1, scale=100).value}%",
        (max(x, 0), y),
        xytext=(6, 0),
        textcoords="offset points",
        va="center_baseline",
        ha="left",
        fontsize=12,
        color=INK,
        weight="bold" if bold else "normal",
        annotation_clip=False,
    )


def _finish(axes: Axes, reach: list[float]) -> None:
    axes.set_xlim(min(reach), max(*reach, 0.05))
    axes.set_axis_off()
