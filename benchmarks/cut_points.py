"""Which way of asking for cut points has the smallest error at the same cost.

Run ``python benchmarks/cut_points.py --runs 100``. Compared, all at the price that the product's cut points question
has (epsilon 1, delta 1e-6, three holders): the two-level 16 x 16 histogram with consistency and isotonic regression;
square-root factorised prefix sums with isotonic regression; the same with smoothing first; and the product, whose
second answer looks more closely at the cut points of the first. The others get the price of both answers at once. The
error is the share of customers whose score differs from the exact one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rfm_accuracy import (
    Agreement,
    Holders,
    Tables,
    agreement,
    default_data,
    generated_tables,
    load_cdnow,
    load_tables,
    pooled,
    reference_study,
    run_directly,
    two_level,
    whole_price,
)

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.rfm.segments import CutPoints
from privacy.protocol.study import Study
from server.analyses.rfm import run as rfm
from server.analyses.rfm.cut_points import cumulate, smoothed, total_customers
from server.analyses.rfm.plan import CUT_POINTS, cut_points_statistic


def prefix_sum_cuts(study: Study, tables: Tables) -> tuple[CutPoints, CutPoints]:
    """Cut points from one noisy release at the price of both answers: without smoothing, and with it."""
    statistic = cut_points_statistic(study)
    answer = Holders(study, tables).answer(statistic, whole_price(study, CUT_POINTS))
    estimates = statistic.decode(answer.array, answer.deviation)
    customers, _ = total_customers(estimates)
    found = []
    for smooth in (False, True):
        recency, money, orders = (
            cumulate(smoothed(one) if smooth and one.grid.fact != "orders" else one, customers) for one in estimates
        )
        found.append(rfm.find_cuts(study, recency, money, orders))
    return found[0], found[1]


def compare(tables: Tables, runs: int, epsilon: str = "1", *, k: int = 1) -> dict[str, list[Agreement]]:
    """Agreement with exact scores, run by run, of each strategy."""
    study = reference_study(epsilon, k=k)
    columns = pooled(tables)
    rng = np.random.default_rng(0)
    found: dict[str, list[Agreement]] = {
        "two-level histogram": [],
        "square root + isotonic": [],
        "square root + smoothing": [],
        "closer second look": [],
    }
    for _ in range(runs):
        plain, smooth = prefix_sum_cuts(study, tables)
        found["two-level histogram"].append(two_level(study, tables, rng))
        found["square root + isotonic"].append(agreement(plain, columns))
        found["square root + smoothing"].append(agreement(smooth, columns))
        found["closer second look"].append(agreement(run_directly(study, tables)[0].rules.cuts, columns))
    return found


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--data", type=Path, default=default_data())
    arguments = parser.parse_args()
    populations = {"generated, lognormal": generated_tables()}
    if (arguments.data / "reference").exists():
        populations = {
            "Online Retail II": load_tables(arguments.data),
            "CDNOW": load_cdnow(arguments.data),
            **populations,
        }
    for name, tables in populations.items():
        customers = sum(len(table) for table in tables.values())
        print(f"{name}, {customers:,} customers, {arguments.runs} runs: median share of wrong scores, in percent")
        for epsilon, k in (("0.5", 1), ("1", 1), ("2", 1), ("1", 3)):
            for strategy, values in compare(tables, arguments.runs, epsilon, k=k).items():
                r = 100 * (1 - np.median([value.r for value in values]))
                m = 100 * (1 - np.median([value.m for value in values]))
                print(f"  epsilon {epsilon:>3}, k = {k}  {strategy:24} R {r:5.2f}  M {m:5.2f}", flush=True)


if __name__ == "__main__":
    main()
