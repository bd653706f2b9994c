"""Exact discrete Gaussian noise from OpenDP's sampler and its secure generator.

(Canonne, Kamath, Steinke 2020, "The discrete Gaussian for differential privacy"; OpenDP ``make_gaussian`` on
integers.) This is the only place where noise is made.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

# Not opendp.prelude: it loads scikit-learn and pandas, which makes every command that may draw noise start later.
from opendp.domains import atom_domain, vector_domain
from opendp.measurements import make_gaussian
from opendp.metrics import l2_distance
from opendp.mod import enable_features

enable_features("contrib")

#: Recorded with every release, so that a flaw found later can be traced.
SAMPLER = f"opendp-{version('opendp')}-discrete-gaussian"


def discrete_gaussian(scale: int, size: int) -> NDArray[np.int64]:
    """Independent draws from the discrete Gaussian with parameter ``scale`` (integer units), shape ``(size,)``.

    Raises:
        ValueError: if the scale is below 1 or the size negative.
    """
    if scale < 1 or size < 0:
        raise ValueError("scale must be at least 1 and size at least 0")
    if size == 0:
        return np.zeros(0, dtype=np.int64)
    measurement = make_gaussian(
        vector_domain(atom_domain(T="i64"), size=size), l2_distance(T="i64"), scale=float(scale)
    )
    return np.array(measurement([0] * size), dtype=np.int64)
