"""Private clusters by other recipes, for ``clusters.py`` to compare with."""

from __future__ import annotations

import math
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from cluster_customers import COLLUDING, DELTA, HOLDERS, FloatArray
from sklearn.cluster import KMeans

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.accounting.gdp import mu_of
from privacy.analyses.clusters.anchor_sums import nearest


def noise_of(epsilon: str) -> float:
    """Deviation of a released number at sensitivity one with all of the budget, three holders, one colluding."""
    return math.sqrt(HOLDERS / (HOLDERS - COLLUDING)) / mu_of(float(epsilon), DELTA)


def noisy_lloyd(  # noqa: PLR0913  what recipes differ in
    z: FloatArray,
    centres: FloatArray,
    noise: float,
    rng: np.random.Generator,
    *,
    rounds: int,
    radius: float,
    weight: float,
) -> FloatArray:
    """Lloyd's rounds on noisy counts and offsets; customers beyond the radius of their centre are left out.

    Args:
        noise: deviation at sensitivity one with all that the rounds may spend together.
        weight: of the count beside the offset over the radius; sensitivity ``sqrt(1 + weight^2)``.
    """
    k, d = centres.shape
    deviation = math.sqrt((1 + weight**2) * rounds) * noise
    for _ in range(rounds):
        cell = nearest(z, centres)
        offset = (z - centres[cell]) / radius
        inside = (offset**2).sum(axis=1) <= 1
        total = rng.normal(0, deviation, (k, d + 1))
        np.add.at(total, cell[inside], np.column_stack([offset, np.full(len(z), weight)])[inside])
        counts = total[:, -1] / weight
        step = total[:, :d] / np.maximum(counts, 1)[:, None]
        step /= np.maximum(1, np.linalg.norm(step, axis=1, keepdims=True))
        sure = (counts > 2 * deviation / weight)[:, None]
        centres = np.clip(np.where(sure, centres + radius * step, centres), -1, 1)
    return centres


def grid_and_lloyd(z: FloatArray, k: int, epsilon: str, rng: np.random.Generator) -> FloatArray:
    """Half of the squared mu for a grid, k-means on the cells above three deviations, two rounds."""
    d = z.shape[1]
    noise = noise_of(epsilon) * math.sqrt(2)
    mu = mu_of(float(epsilon), DELTA) / math.sqrt(2)
    cells = int(np.clip(round((5000 * mu) ** (1 / d)), 3, 40))
    counts, _ = np.histogramdd(z, bins=cells, range=[(-1, 1)] * d)
    released = (counts + rng.normal(0, noise, counts.shape)).ravel()
    keep = released > 3 * noise
    if keep.sum() < k:
        keep = released >= np.sort(released)[-k]
    middle = (np.arange(cells) + 0.5) / cells * 2 - 1
    centres = np.stack(np.meshgrid(*[middle] * d, indexing="ij"), -1).reshape(-1, d)[keep]
    start = KMeans(k, n_init=10, random_state=0).fit(centres, sample_weight=np.maximum(released[keep], 1e-9))
    radius, weight = 0.8 * math.sqrt(d) / k ** (1 / d), (4 * d) ** -0.25
    return noisy_lloyd(z, start.cluster_centers_, noise, rng, rounds=2, radius=radius, weight=weight)


def plain_lloyd(z: FloatArray, k: int, epsilon: str, rng: np.random.Generator) -> FloatArray:
    """Five rounds from anywhere; no offset is longer than the radius."""
    d = z.shape[1]
    start = rng.uniform(-1, 1, (k, d))
    return noisy_lloyd(z, start, noise_of(epsilon), rng, rounds=5, radius=2 * math.sqrt(d), weight=1.0)


_DIFFPRIVLIB = """
import sys, warnings
import numpy as np
from diffprivlib.models import KMeans
warnings.simplefilter("ignore")
z = np.load(sys.argv[1])
k, epsilon, runs = int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
ends = (-np.ones(z.shape[1]), np.ones(z.shape[1]))
found = [KMeans(k, epsilon=epsilon, bounds=ends).fit(z).cluster_centers_ for _ in range(runs)]
np.save(sys.argv[5], np.array(found))
"""


def diffprivlib(python: Path, z: FloatArray, k: int, epsilon: str, runs: int) -> list[FloatArray]:
    """Centres by diffprivlib, which needs older libraries than this project's."""
    with tempfile.TemporaryDirectory() as name:
        given, found = Path(name) / "z.npy", Path(name) / "centres.npy"
        np.save(given, z)
        subprocess.run([python, "-c", _DIFFPRIVLIB, given, str(k), epsilon, str(runs), found], check=True)
        return list(np.load(found))
