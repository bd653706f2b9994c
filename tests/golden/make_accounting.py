"""Writes ``accounting.json``: prices of Gaussian releases as this project and an independent accountant see them.

Run ``python tests/golden/make_accounting.py`` from the repository's root after a change that is meant to change prices;
``tests/test_accounting.py`` makes the vectors again and compares, and compares both accountants with each other.
"""

from __future__ import annotations

import json
import math
import platform
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dp_accounting.pld import privacy_loss_distribution as pld

from privacy.accounting.events import GaussianSum, epsilon_spent, squared_cap, total_squared_mu
from privacy.accounting.gdp import best_guess, delta_of, epsilon_of, mu_of, root, squared_budget

PATH = Path(__file__).with_name("accounting.json")

#: Relative tolerance between this project's closed form and dp_accounting's numerical one: five digits.
TOLERANCE = 1e-4

_EPSILONS = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)
_DELTAS = (1e-5, 1e-6, 1e-8)


def _pld_epsilon(mu: float, delta: float) -> float:
    # A grid as fine as the loss is spread: the closed form to some 1e-8, at any mu and in no time.
    loss = pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=mu / 2000)
    return float(loss.get_epsilon_for_delta(delta))


def _questions() -> list[GaussianSum]:
    """A study's two questions in a federation of three holders, as the real sizes are."""
    return [
        GaussianSum(squared_norm=norm, gamma=1 << 26, dim=dim, share_scale=scale, protecting_shares=2)
        for norm, dim, scale in [(4_503_599_626_000_000, 1088, 937_696_960), (4_503_599_590_000_000, 24, 1_432_350_400)]
    ]


def make() -> dict[str, Any]:
    """All vectors, as JSON values."""
    pairs = []
    for delta in _DELTAS:
        for epsilon in _EPSILONS:
            mu = mu_of(epsilon, delta)
            pairs.append(
                {
                    "epsilon": epsilon,
                    "delta": delta,
                    "mu": mu,
                    "squared_budget": str(squared_budget(epsilon, delta)),
                    "epsilon_of_mu": epsilon_of(mu, delta),
                    "delta_of_mu": delta_of(mu, epsilon),
                    "best_guess": best_guess(mu),
                    "pld_epsilon": _pld_epsilon(mu, delta),
                }
            )
    events = _questions()
    study = [
        {
            "records": records,
            "squared_mu": str(total_squared_mu(events, records)),
            "epsilon": epsilon_of(root(total_squared_mu(events, records)), 1e-6),
            "epsilon_spent": epsilon_spent(total_squared_mu(events, records), 1e-6),
            "pld_epsilon": _pld_epsilon(math.sqrt(total_squared_mu(events, records)), 1e-6),
        }
        for records in (1, 2, 3)
    ]
    return {
        "made_with": {
            "python": platform.python_version(),
            "dp_accounting": version("dp-accounting"),
            "scipy": version("scipy"),
        },
        "tolerance": TOLERANCE,
        "pairs": pairs,
        "study": {
            "questions": [event.model_dump(mode="json") for event in events],
            "kappa": str(sum((event.kappa for event in events), Fraction(0))),
            "squared_cap": str(squared_cap(1.0, 1e-6)),
            "by_records": study,
        },
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
