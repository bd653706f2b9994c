"""What a study has spent, read from the coordinator's ledger."""

from __future__ import annotations

import importlib.util
from collections import Counter
from fractions import Fraction

from privacy.accounting.events import epsilon_spent, total_squared_mu
from privacy.accounting.gdp import best_guess, mu_of, root
from privacy.audit.prv import prv_epsilon
from privacy.errors import ConfigError
from privacy.ledger import Ledger, Released, Reserved
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

    def squared(k: int) -> Fraction:
        return total_squared_mu((charge.event for charge in charges), k)

    prices = Counter(charge.event.squared_mu(records) for charge in charges)
    every = [fact for fact in facts if isinstance(fact, Reserved)]
    in_all = sum((charge.event.squared_mu(charge.records) for charge in every), Fraction(0))
    return Spending(
        epsilon_all_runs=epsilon_spent(in_all, delta),
        epsilon_opacus=prv_epsilon(prices, delta) if study.mechanism == "opacus" else None,
        studies=len({charge.study_digest for charge in every} | {study.digest}),
        delta=delta,
        epsilon_promised=float(study.budget.epsilon),
        epsilon_person=epsilon_spent(squared(records), delta),
        k=records,
        epsilon_all_holders=epsilon_spent(squared(holders), delta),
        epsilon_own=epsilon_spent(squared(1), delta),
        best_guess=best_guess(root(squared(records))),
        best_guess_promised=best_guess(mu_of(float(study.budget.epsilon), delta)),
        questions=tuple(
            QuestionCost(
                question=charge.title,
                attempt=charge.question.attempt,
                outcome="released" if charge.core in released else "failed",
                mu=root(charge.event.squared_mu(charge.records)),
                holders=len(charge.holders),
            )
            for charge in charges
        ),
    )
