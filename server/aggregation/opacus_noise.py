"""Opacus' Gaussian mechanism and its accountant, for consortia that want just these (``mechanism = "opacus"``).

The noise is the one that Opacus' optimiser adds to a sum of clipped gradients, in its secure mode: four draws added up
(Holohan and Braghin 2021, "Secure random sampling in differential privacy"), which makes the attack of Mironov 2012 on
floating-point noise impractical, not impossible. Its generator is torch's, seeded from the operating system's entropy
for every release; it is not a cryptographic one. That is why ledgers record such releases with the assurance ``float``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from fractions import Fraction
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray
from opacus.accountants import PRVAccountant
from opacus.optimizers.optimizer import _generate_noise

from privacy.accounting.gdp import root

#: Recorded with every release.
SAMPLER = f"opacus-{version('opacus')}-torch-{version('torch')}-gaussian-secure-mode"


def opacus_gaussian(scale: int, size: int) -> NDArray[np.int64]:
    """Independent Gaussian draws of standard deviation ``scale`` (integer units), rounded; shape ``(size,)``.

    Raises:
        ValueError: if the scale is below 1 or the size negative.
    """
    if scale < 1 or size < 0:
        raise ValueError("scale must be at least 1 and size at least 0")
    generator = torch.Generator()
    generator.manual_seed(secrets.randbits(63))  # torch's default generator starts at a fixed seed
    reference = torch.zeros(size, dtype=torch.float64)
    noise = _generate_noise(std=float(scale), reference=reference, generator=generator, secure_mode=True)
    return np.rint(noise.numpy()).astype(np.int64)


def opacus_epsilon(squared_mus: Iterable[Fraction], delta: float) -> float:
    """Epsilon at ``delta`` of full-batch Gaussian releases by Opacus' PRV accountant; 0 for none.

    Args:
        squared_mus: mu^2 of each release; its noise multiplier is 1 / mu.
        delta: probability bound.
    """
    accountant = PRVAccountant()
    for squared in squared_mus:
        accountant.history.append((1 / root(squared), 1.0, 1))
    return float(accountant.get_epsilon(delta)) if accountant.history else 0.0
