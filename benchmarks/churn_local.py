"""Churn trained by each holder alone with Opacus, against sums over all customers: AUC by budget and holders.

Run ``python benchmarks/churn_local.py`` (needs ``cohortium[train]``; ``--seeds N`` for fewer divisions of customers,
``--holders``, ``--epsilons`` and ``--shops`` for fewer rows, ``--data FOLDER`` for another copy of the data). Customers
as in ``churn_shops.py``, one colluding, each customer at one holder, delta 1e-6. ``sums`` is ``model = "prior"`` with
its four questions, ``local`` the same model in one question, with the slot that leaves a fifth of the budget's mu^2 for
the evaluation. *By outcome*: customers are dealt to holders so that churn rates differ (Dirichlet, .3). Size classes
are the next 1, 2 or 5 times a power of ten. Cross-validated by customer in five folds; noise is never seeded.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from churn_customers import AT, SEEDS, IntArray, auc, train_directly
from churn_ranking import shops
from churn_shops import Trial, customers_of, study_of
from rfm_accuracy import default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.analyses.churn.local_training import encode_sum
from privacy.accounting.events import squared_cap
from privacy.accounting.sampled import least_noise
from privacy.analyses.churn.options import DEFAULT_SLOT, ChurnOptions
from privacy.kernel.features import FeatureTable
from privacy.models.scorers import ChurnModel, logits_of
from privacy.models.trained import LOGIT
from privacy.protocol.study import Study
from server.analyses.churn.local import average, local_question

DELTA = 1e-6


def dealt(table: FeatureTable, fold: IntArray, holders: int, *, by_outcome: Sequence[int] = ()) -> list[FeatureTable]:
    """Customers of each holder; by turns, or by outcome with this seed."""
    if not by_outcome:
        return [table.take(fold[number::holders]) for number in range(holders)]
    rng = np.random.default_rng(by_outcome)
    at = np.empty(len(fold), dtype=np.int64)
    for outcome in (0, 1):
        rows = np.flatnonzero(table.outcome[fold, AT] == outcome)
        at[rows] = rng.choice(holders, len(rows), p=rng.dirichlet([0.3] * holders))
    return [table.take(fold[at == number]) for number in range(holders)]


def size_class(customers: int) -> int:
    """The next of 10, 20, 50, 100, ..."""
    return next(
        step * 10**power for power in range(1, 9) for step in (1, 2, 5) if step * 10**power >= max(customers, 100)
    )


def trained_locally(study: Study, tables: Sequence[FeatureTable], epsilon: float) -> ChurnModel:
    """The average of all holders' own trainings, as a study makes it, on the day of the cutoff."""
    noise = least_noise(epsilon, DEFAULT_SLOT, DELTA, squared_mu=squared_cap(epsilon, DELTA) / 5)
    classes = {f"shop-{number}": size_class(len(table)) for number, table in enumerate(tables)}
    options = ChurnOptions.model_validate(
        study.churn.model_dump()
        | {
            "training": "local",
            "slot": DEFAULT_SLOT.model_copy(update={"noise_multiplier": noise}),
            "size_classes": classes,
            "local_where": "anywhere",
        }
    )
    question = local_question(options, study.scaled(options.features))
    gradient = question.gradient.model_copy(update={"days": (AT,)})
    question = question.model_copy(update={"gradient": gradient})
    updates = [encode_sum(question, table, holder=name) for name, table in zip(classes, tables, strict=True)]
    return average(options, question, np.sum(updates, axis=0), tuple(classes))


def rows(trial: Trial, *, training: str, holders: int, epsilon: str, by_outcome: bool) -> Iterator[float]:
    """AUC of each seed, the mean of its folds."""
    study = study_of(trial.shop, trial.days, family="prior", epsilon=epsilon)
    for seed in range(trial.seeds):
        found = []
        for number, (fold, test) in enumerate(trial.folds(seed)):
            tables = dealt(trial.table, fold, holders, by_outcome=(seed, number) if by_outcome else ())
            model = (
                train_directly(study, tables, day=AT)
                if training == "sums"
                else trained_locally(study, tables, float(epsilon))
            )
            found.append(auc(logits_of(model, trial.table.take(test), AT) / LOGIT, trial.outcome[test]))
        yield float(np.mean(found))


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--holders", type=int, nargs="+", default=(3, 4, 20))
    parser.add_argument("--epsilons", nargs="+", default=("0.5", "1", "4"))
    parser.add_argument("--shops", nargs="+", default=("online_retail_ii", "cdnow_sample"))
    options = parser.parse_args()
    by_name = {shop.name: shop for shop in shops(options.data)}
    print("| shop | holders | dealt | training | " + " | ".join(options.epsilons) + " |", flush=True)
    print("|---" * (4 + len(options.epsilons)) + "|")
    for name in options.shops:
        trial = Trial(by_name[name], 90, customers_of(by_name[name], 90), options.seeds)
        for holders in options.holders:
            for by_outcome in (False, True):
                for training in ("sums", "local"):
                    cells = [
                        statistics.median(
                            rows(trial, training=training, holders=holders, epsilon=epsilon, by_outcome=by_outcome)
                        )
                        for epsilon in options.epsilons
                    ]
                    how = "by outcome" if by_outcome else "by turns"
                    figures = " | ".join(f"{cell:.4f}" for cell in cells)
                    print(f"| {name} | {holders} | {how} | {training} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
