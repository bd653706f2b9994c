"""Checks of the public formula and of the questions that correct it, which mutants must fail too."""

from __future__ import annotations

import math

import numpy as np
from contract_examples import READINGS, STATISTICS, kind_of

from privacy.kernel.features import FeatureTable
from privacy.models.mbg import MbgPrior, public_prior
from privacy.models.trained import LOGIT
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments

#: Raw facts (days of purchase, silence, tenure), and their logits with the public parameters at 90 days.
FACTS = [(1, 10, 10), (1, 400, 400), (2, 3, 40), (3, 90, 300), (12, 20, 365), (25, 200, 500), (200, 1, 7000)]
GOLDEN = [318396378, 814765340, 23395841, 215548389, -377555378, 1909836827, -641650711]


def check_a_worked_formula() -> None:
    """Whoever changes these integers changes scores that were released, and plans that were charged."""
    facts = np.array(FACTS, dtype=np.int64)
    assert public_prior(90).logits(facts).tolist() == GOLDEN
    # By hand, of somebody who bought once, 10 days ago: lost 0.8 : 2.5, silent (80 / 170) ** 0.5.
    lost, silent = 0.8 / 2.5 * (80 / 70) ** 0.5, (80 / 170) ** 0.5
    assert math.isclose(GOLDEN[0] / LOGIT, math.log((lost + silent) / (1 - silent)), abs_tol=1e-3)


def longest_of(statistic: PriorMoments | PriorGradient, table: FeatureTable, day: int) -> np.ndarray:
    """How long each customer's vector can be by the derivation, shape ``(customers,)``."""
    z = np.sqrt(np.square(statistic.view.apply(table, day)).sum(axis=1))
    if isinstance(statistic, PriorGradient):
        return z
    return np.hypot(z**2, statistic.outcome_weight / 1000 * z / 2)


def check_the_questions_of_a_correction() -> None:
    """They say what slow code says, look at what they say, and keep the length that was derived before any clipping."""
    for kind in ("prior_moments", "prior_gradient"):
        reading = READINGS[kind]
        for statistic in STATISTICS[kind]:
            assert isinstance(statistic, PriorMoments | PriorGradient)
            assert set(MbgPrior.FACTS) <= statistic.looks_at[0]
            of = kind_of(statistic)
            table = of.table([*of.rows_of(of.plausible(40, 3)), of.busy])
            for day in statistic.days:
                length = np.sqrt(np.square(statistic.vectors(table, day)).sum(axis=1))
                assert (length <= longest_of(statistic, table, day) * (1 + 1e-9)).all()
            found = reading.read(statistic, statistic.encode_sum(table), 0.0).values
            truth = np.array(reading.truth(statistic, of.rows_of(table)))
            assert (np.abs(found - truth) <= reading.tolerance(statistic, len(table))).all()
