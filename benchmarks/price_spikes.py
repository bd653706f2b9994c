"""M scores where a fifth of the customers spent the same amount: with and without a look for such spikes.

Run ``python benchmarks/price_spikes.py --runs 3``. Both columns are the product's first question with the product's
noise, at epsilon 1; in the first, spikes are smoothed like everything else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import rfm_accuracy as bench
from rfm_tables import HOLDERS

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.kernel.customers import CustomerColumns
from privacy.mechanisms.sampler import discrete_gaussian
from server.analyses.rfm import cut_points

CUSTOMERS = 20_000
#: In minor units.
PRICES = (3_000, 4_900, 5_000, 9_900, 10_000, 14_900, 15_000, 19_900, 20_000, 29_900, 30_000)


def with_one_price(price: int, share: float = 0.2) -> CustomerColumns:
    """Log-normal spend, but a share of the customers bought once, at one price."""
    people = bench.pooled(bench.generated_tables(CUSTOMERS, 5))
    money, orders = people.money.copy(), people.orders.copy()
    chosen = np.random.default_rng(5).permutation(CUSTOMERS)[: int(share * CUSTOMERS)]
    money[chosen], orders[chosen] = price, 1
    return CustomerColumns(recency_days=people.recency_days, orders=orders, money=money, tenure_days=people.tenure_days)


def right_scores(people: CustomerColumns, sampler: bench.Sampler = discrete_gaussian) -> float:
    """Share of the customers whose M score is that of exact quantiles, in one run at epsilon 1."""
    tables = {name: people.take(slice(place, None, 3)) for place, name in enumerate(HOLDERS)}
    result, _ = bench.run_directly(bench.reference_study("1"), tables, sampler)
    return bench.agreement(result.rules.cuts, people).m


def _least(values: Sequence[float]) -> str:
    return f"{100 * float(np.median(values)):6.2f} (least {100 * min(values):6.2f})"


def main() -> None:
    """Print one line a price."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    print(f"{CUSTOMERS:,} customers, a fifth at one price; right M scores in percent: median (least) of {runs} runs")
    print(f"{'price':>10}  {'spikes smoothed':24}  spikes taken out")
    for price in PRICES:
        people = with_one_price(price)
        with patch.object(cut_points, "spikes", lambda estimate: np.zeros(len(estimate.prefix))):
            before = [right_scores(people) for _ in range(runs)]
        now = [right_scores(people) for _ in range(runs)]
        print(f"{price / 100:10.2f}  {_least(before):24}  {_least(now)}", flush=True)


if __name__ == "__main__":
    main()
