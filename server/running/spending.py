"""What a study has spent, read from the coordinator's ledger."""

from __future__ import annotations

import importlib.util
from collections import Counter
from functools import reduce

from privacy.accounting.gdp import best_guess, mu_of, root
from privacy.accounting.sampled import SampledGaussian, guess_with
from privacy.audit.prv import prv_epsilon
from privacy.errors import ConfigError
from privacy.ledger import Ledger, Released, Reserved
from privacy.ledger.state import Total
from privacy.protocol.charging import study_cap
from privacy.protocol.study import Study
from privacy.results import QuestionCost, Spending


def check_accountants(study: Study) -> None:
    """Refuse a study whose accountants are not all here, before anything is spent.

    Raises:
        ConfigError: if Opacus is asked for and not installed.
    """
    if study.mechanism == "opacus" and importlib.util.find_spec("opacus") is None:
        raise ConfigError(
            'mechanism = "opacus" states epsilon by Opacus as well, which is not installed',
            hint="install it with: pip install 'cohortium[train]'",
        )


def promised_guess(study: Study) -> float:
    """Highest probability to guess right whether one person took part, from all that a study may spend."""
    if study.fits:
        return guess_with(study_cap(study), study.fits)
    return best_guess(mu_of(float(study.budget.epsilon), float(study.budget.effective_delta)))


def spending_of(study: Study, ledger: Ledger, *, records: int, holders: int) -> Spending:
    """All charges of a study, over all its runs, seen from three relations.

    Args:
        records: k, how many records of one person are counted on.
        holders: how many holders the study has; "everywhere" means at all of them.
    """
    facts = list(ledger.facts())
    charges = [f for f in facts if isinstance(f, Reserved) and f.study_digest == study.digest]
    released = {f.core for f in facts if isinstance(f, Released)}
    delta = float(study.budget.effective_delta)

    def total(k: int) -> Total:
        return reduce(lambda sum_, charge: sum_.plus(charge.event, k), charges, Total())

    person = total(records)
    prices = Counter(price for charge in charges if (price := charge.event.squared_mu(records)))
    every = [fact for fact in facts if isinstance(fact, Reserved)]
    in_all = reduce(lambda sum_, charge: sum_.plus(charge.event, charge.records), every, Total())
    return Spending(
        epsilon_all_runs=in_all.epsilon(delta),
        epsilon_opacus=prv_epsilon(prices, delta, person.fits) if study.mechanism == "opacus" else None,
        studies=len({charge.study_digest for charge in every} | {study.digest}),
        delta=delta,
        epsilon_promised=float(study.budget.epsilon),
        epsilon_person=person.epsilon(delta),
        k=records,
        epsilon_all_holders=total(holders).epsilon(delta),
        epsilon_own=total(1).epsilon(delta),
        best_guess=guess_with(person.squared_mu, person.fits),
        best_guess_promised=promised_guess(study),
        questions=tuple(
            QuestionCost(
                question=charge.title,
                attempt=charge.question.attempt,
                outcome="released" if charge.core in released else "failed",
                mu=root(charge.event.squared_mu(charge.records)),
                holders=len(charge.holders),
                slot=charge.event.slot if isinstance(charge.event, SampledGaussian) else None,
            )
            for charge in charges
        ),
    )
