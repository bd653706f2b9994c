"""What a reader of a study with ``rfm.totals = "shares"`` can still infer of the number of records (decision 0012).

usage: python benchmarks/shares_only.py

Two simulations. *naive*: every figure's margin rounded up to 1, 2, 5, ... by itself; the borders of 24 figures of one
result enclose the total. *scatter*: the form that is used, where one class drives all margins; figures that estimate
the same thing twice (a second segmentation, another month of an unchanged population) differ by the noise, and how
much they differ narrows the class down. Printed are factors: the total is known within so much.
"""

from __future__ import annotations

import numpy as np

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.figures.public_grid import coarsened, step_of

#: How many differences of two figures that estimate the same thing: next to none, 27 of two segmentations, a year.
DIFFERENCES = (1, 9, 27, 88, 176)


def _up(value: float) -> float:
    """The next of 1, 2, 5, 10 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * (1 - 1e-12)))


def naive(rng: np.random.Generator, trials: int = 500) -> list[float]:
    """Factors within which margins that are rounded one by one enclose the total."""
    found = []
    for _ in range(trials):
        total = np.exp(rng.uniform(np.log(3_000), np.log(300_000)))
        share, money = rng.dirichlet(np.ones(8) * 2), rng.dirichlet(np.ones(8) * 1.5)
        deviations = np.concatenate(
            [
                np.sqrt((1 - share) ** 2 + 7 * share**2) * 200,
                np.sqrt((1 - money) ** 2 + 7 * money**2) * 200 * rng.uniform(5, 15),
                200 * np.hypot(7, rng.uniform(1, 6, 8)) / share,
            ]
        )
        low, high = 0.0, np.inf
        for deviation in deviations:
            shown = _up(deviation / total)
            lead = round(shown / 10 ** np.floor(np.log10(shown) + 1e-9))
            low, high = max(low, deviation / shown), min(high, deviation * (2 if lead in (1, 2) else 2.5) / shown)
        found.append(high / low)
    return found


def scatter(rng: np.random.Generator, differences: int, trials: int = 300, draws: int = 4_000) -> list[float]:
    """Factors within which the differences of repeated figures place the total inside its class (95%)."""
    found = []
    for _ in range(trials):
        base = np.exp(rng.uniform(0, np.log(10))) * 0.003
        width = 2.0 if rng.random() < 0.5 else 2.5
        step = step_of(coarsened(0, base, finest=0.001)[1])
        place = rng.random(draws) * step
        first, second = rng.normal(size=(2, draws))
        table = []
        for position in np.linspace(0, 1, 41):
            noise = base / 1.959964 / width**position
            steps = np.abs(np.rint((place + first * noise) / step) - np.rint((place + second * noise) / step))
            counts = np.bincount(np.minimum(steps, 19).astype(int), minlength=20) + 0.2
            table.append(counts / counts.sum())
        likely = np.array(table)
        seen = rng.choice(20, size=differences, p=likely[round(rng.uniform(0, 1) * 40)])
        logs = np.log(likely)[:, seen].sum(axis=1)
        reached = np.exp(logs - logs.max()).cumsum()
        low, high = (min(int(np.searchsorted(reached, rank * reached[-1])), 40) for rank in (0.025, 0.975))
        found.append(width ** ((high - low) / 40))
    return found


def _shown(factors: list[float]) -> str:
    low, middle, high = np.quantile(factors, [0.1, 0.5, 0.9])
    return f"{middle:.2f} ({low:.2f} to {high:.2f} in four of five)"


def main() -> None:
    """Run and print."""
    rng = np.random.default_rng(1)
    print(f"each margin rounded by itself, 24 figures   {_shown(naive(rng))}")
    for differences in DIFFERENCES:
        print(f"one class for all, {differences:3} repeated figures   {_shown(scatter(rng, differences))}")


if __name__ == "__main__":
    main()
