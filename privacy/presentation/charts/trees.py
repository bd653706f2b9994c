"""What was joined with what, and how far apart it was."""

from __future__ import annotations

from collections.abc import Mapping

from privacy.presentation.pictures import REVENUE, WIDTHS, Canvas, Edges, Form, label

_LEFT, _RIGHT = 104, 12


def tree(branches: Mapping[int, tuple[int, int, float]], names: Mapping[int, str], across: str, form: Form) -> str:
    """Leaves at the left, joined where their branches meet.

    Args:
        branches: each joined one to its two parts and how far apart they were; the largest key is the root.
        names: of the leaves.
        across: what the distance means.
        form: ``half`` of a row.
    """
    leaves = _leaves(max(branches), branches)
    total, height = WIDTHS[form.width], max(320, 44 + 24 * len(leaves))
    canvas = Canvas(total, height)
    axes = canvas.axes(Edges(_LEFT, _RIGHT, 10, 34))
    axes.set_xlim(0, 1.04 * max(far for _, _, far in branches.values()))
    axes.set_ylim(len(leaves), 0)
    axes.set_axis_off()
    place = {leaf: (0.0, index + 0.5) for index, leaf in enumerate(leaves)}
    for leaf in leaves:
        label(axes, -0.03, place[leaf][1], names[leaf], align="right")
    for merged, (first, second, far) in branches.items():
        (x1, y1), (x2, y2) = place[first], place[second]
        axes.plot([x1, far, far, x2], [y1, y1, y2, y2], color=REVENUE, linewidth=2, solid_joinstyle="miter")
        place[merged] = (far, (y1 + y2) / 2)
    canvas.text(total - _RIGHT, height - 10, f"{across} →", align="right")
    return canvas.svg(form)


def _leaves(node: int, branches: Mapping[int, tuple[int, int, float]]) -> list[int]:
    if node not in branches:
        return [node]
    first, second, _ = branches[node]
    return _leaves(first, branches) + _leaves(second, branches)
