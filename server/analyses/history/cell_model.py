"""How likely each cell of :class:`HistoryCells` is under a model of buying, exactly, and what its customers will do.

Of a customer with tenure T the x-th further purchase lies before the time tau in one of two ways (``buying.py`` for the
letters; s is 1 for MBG/NBD, 0 for BG/NBD):

- it is still there: x purchases in T, all of them before tau, and it stayed after each,
  ``B(a, b + x + s) / B(a, b) NBD(x; T) (tau / T)^x``, the moments of purchases being spread evenly over T;
- it was lost after that purchase, ``B(a + 1, b + x + s - 1) / B(a, b) I_v(x, r)`` with ``v = tau / (alpha + tau)``: the
  x-th purchase of a Poisson process with a gamma distributed rate comes before tau with this probability, I the
  regularised incomplete beta function.

The integral over tau of the likelihood times ``t^(x-1) / (x-1)!`` gives the same. So nothing is approximated in t; over
T there are Gauss-Legendre nodes, over x every number up to 40 and then a middle of ever wider groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from privacy.analyses.history.buying import Bought, BuyingModel, FloatArray
from privacy.analyses.history.history_cells import CLASSES, FIFTHS, PER_QUARTER, QUARTERS

#: Nodes in a quarter of the window; they need not be many, as nothing changes fast with T.
_NODES = 4
#: Each x up to this one by itself; further groups are wider by this part each, up to one purchase a day.
_SINGLE, _WIDER, _LARGEST = 40, 0.1, 3_651
#: A cell that is less likely than this has nobody.
_LEAST = 1e-200


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Probabilities under one model; ``here`` are those of customers who are not lost.

    Attributes:
        probability: of each cell in its quarter, shape ``(QUARTERS, PER_QUARTER)``; a quarter's sum is 1.
        here: of cell, node of T and x, not lost: shape ``(nodes, x, FIFTHS)``, a quarter's nodes weighted; x = 0 has
            all in the last fifth.
        bought: x and T of ``here`` without the fifths, t = T: shape ``(nodes, x)``.
    """

    probability: FloatArray
    here: FloatArray
    bought: Bought


class CellModel:
    """Cells of one window.

    Args:
        window_days: the window.
    """

    def __init__(self, window_days: int) -> None:
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        quarter = window_days / QUARTERS
        self._tenure = ((np.arange(QUARTERS)[:, None] + (nodes + 1) / 2) * quarter).reshape(-1, 1)
        self._weight = np.tile(weights / 2, QUARTERS).reshape(-1, 1, 1)
        edges = [1.0 * x for x in range(1, _SINGLE + 2)]
        while edges[-1] < _LARGEST:
            edges.append(edges[-1] + max(1.0, round(_WIDER * edges[-1])))
        # Groups end where classes do, because all of these are among the single numbers.
        starts = np.array([0.0, *edges])
        self._x = (starts[:-1] + starts[1:] - 1) / 2
        self._size = np.diff(starts)
        self._class = np.searchsorted(np.array(CLASSES), self._x, side="right") - 1

    def cells(self, model: BuyingModel) -> Cells:
        """Of one model."""
        from scipy.special import betainc, betaln, gammaln

        x, tenure, step = self._x, self._tenure, 1 if model.family == "mbg" else 0
        ends = np.arange(1, FIFTHS + 1) / FIFTHS
        stays = betaln(model.a, model.b + x + step) - betaln(model.a, model.b)
        counts = gammaln(model.r + x) - gammaln(model.r) - gammaln(x + 1)
        counts = counts + model.r * np.log(model.alpha / (model.alpha + tenure))
        counts = counts + x * np.log(tenure / (model.alpha + tenure))
        here = np.exp(stays + counts)[:, :, None] * ends[None, None, :] ** x[None, :, None]
        could = x + step > 0
        leaves = betaln(model.a + 1, np.where(could, model.b + x + step - 1, 1.0)) - betaln(model.a, model.b)
        place = tenure * ends
        share = (place / (model.alpha + place))[:, None, :]
        came = np.where(x[None, :, None] > 0, betainc(np.maximum(x, 1)[None, :, None], model.r, share), 1.0)
        lost = np.where(could, np.exp(leaves), 0.0)[None, :, None] * came
        here[:, 0, :-1] = lost[:, 0, :-1] = 0.0  # x = 0 has no t: all of it at the end
        here = np.diff(here, axis=2, prepend=0.0) * self._size[None, :, None] * self._weight
        lost = np.diff(lost, axis=2, prepend=0.0) * self._size[None, :, None] * self._weight
        known = Bought(*np.broadcast_arrays(x[None, :], tenure, tenure))
        return Cells(probability=self._gathered(here + lost), here=here, bought=known)

    def _gathered(self, parts: FloatArray) -> FloatArray:
        """Sums of cells from parts by node, x and fifth; shape ``(QUARTERS, PER_QUARTER)``."""
        nodes = parts.reshape(QUARTERS, _NODES, len(self._x), FIFTHS).sum(axis=1)
        found = np.zeros((QUARTERS, PER_QUARTER))
        found[:, 0] = nodes[:, 0].sum(axis=1)
        for size in range(1, len(CLASSES)):
            start = 1 + (size - 1) * FIFTHS
            found[:, start : start + FIFTHS] = nodes[:, self._class == size].sum(axis=1)
        return found

    def means(self, cells: Cells, values: FloatArray) -> FloatArray:
        """What customers of each cell have on average of ``values``, of which those who are lost have 0.

        Args:
            cells: of a model.
            values: of a customer who is not lost, shape ``(nodes, x)`` as ``cells.bought``.

        Returns:
            Shape ``(QUARTERS, PER_QUARTER)``.
        """
        found: FloatArray = self._gathered(cells.here * values[:, :, None]) / np.maximum(cells.probability, _LEAST)
        return found


def by_class(of_cells: FloatArray) -> FloatArray:
    """Sums over quarters and fifths, by class of x, of an array by cell; shape ``(classes,)``."""
    parts = of_cells.sum(axis=0)
    return np.concatenate([parts[:1], parts[1:].reshape(len(CLASSES) - 1, FIFTHS).sum(axis=1)])
