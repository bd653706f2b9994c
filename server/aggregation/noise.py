"""The coordinator's own noise, in placement ``central``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import discrete_gaussian


def central_noise(mechanism: SumMechanism, size: int) -> NDArray[np.int64]:
    """Noise for one release, in integer units, shape ``(size,)``; exact whatever the study's ``mechanism`` is."""
    return discrete_gaussian(mechanism.share_scale, size)
