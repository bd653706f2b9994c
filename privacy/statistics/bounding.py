"""From a customer's real-valued vector to bounded integers: the one place where vectors are clipped and rounded.

Whatever vector goes in, what comes out has at most the stated norm, exactly, because the last step looks at the
integers themselves. So no derivation of how large a gradient or a moment can be is part of the privacy argument: those
only say how much of the allowance a vector uses.

All arithmetic is that of :mod:`privacy.kernel.row_arithmetic`: a customer's integers do not depend on which other
customers are in the table, in which order, or how many are worked on at a time.
"""

from __future__ import annotations

import numpy as np

from privacy.kernel.row_arithmetic import FloatArray, clipped
from privacy.statistics.base import GAMMA, ContributionBound, IntArray

#: What every vector made by :func:`bounded` keeps.
UNIT_BALL = ContributionBound(gamma=GAMMA, squared_norm=GAMMA * GAMMA, max_abs=GAMMA)

#: Leaves room for the rounding of floats; 2^-40 of the length.
_ROOM = 1 - 2.0**-40


def bounded(vectors: FloatArray, norm: float) -> IntArray:
    """Clip each row to ``norm`` and turn it into integers, so that ``norm`` becomes GAMMA.

    Args:
        vectors: shape ``(customers, dim)``.
        norm: the L2 norm that is allowed; larger rows are scaled down, rows that are not finite become zero.

    Returns:
        int64, same shape; the squared norm of every row is at most GAMMA^2.
    """
    scaled = np.trunc(clipped(vectors, norm) * (_ROOM * GAMMA / norm)).astype(np.int64)  # trunc: never longer
    squares = np.zeros(len(scaled), dtype=np.int64)
    for column in range(scaled.shape[1]):
        squares += scaled[:, column] * scaled[:, column]
    scaled[squares > GAMMA * GAMMA] = 0  # cannot happen; if it did, nothing would leave
    return scaled
