"""The coordinator's own noise, in placement ``central``: which sampler, and what it is called in ledgers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from privacy.errors import ConfigError
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import SAMPLER, discrete_gaussian


def central_sampler(mechanism: SumMechanism) -> str:
    """Name and version of the sampler.

    Raises:
        ConfigError: if Opacus is asked for and not installed.
    """
    if mechanism.noise == "integer":
        return SAMPLER
    try:
        from server.aggregation import opacus_noise  # here: torch is slow to import
    except ImportError:
        raise ConfigError(
            'mechanism = "opacus" needs Opacus', hint="install it with: pip install 'cohortium[train]'"
        ) from None
    return opacus_noise.SAMPLER


def central_noise(mechanism: SumMechanism, size: int) -> NDArray[np.int64]:
    """Noise for one release, in integer units; shape ``(size,)``."""
    if mechanism.noise == "integer":
        return discrete_gaussian(mechanism.share_scale, size)
    from server.aggregation.opacus_noise import opacus_gaussian

    return opacus_gaussian(mechanism.share_scale, size)
