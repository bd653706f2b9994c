"""A year of monthly lists with a true effect, and one without: do the intervals hold it, and what is claimed?

A made-up shop: its customers buy at rates of their own and fall silent; each month those with most at risk are listed,
a part is left alone by the product's own draw, and whoever is contacted buys more often in that month, as far as the
effect goes. What the product says of the two arms is held against what is true of the very customers on the list.

    python benchmarks/campaigns.py                     500 years with an effect, and 500 without
    python benchmarks/campaigns.py --customers 40000 --names 20000
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import poisson

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.campaigns.effects import Effect, Outcomes, cap_of, effect
from clients.labels.control import PARTS, ControlDraw, usual_share
from privacy.figures.estimates import Estimate

FloatArray = NDArray[np.float64]
MONTHS = 12
#: Deviation of the logarithm of what an order is worth, and so many orders a month at most.
SPREAD, MOST_ORDERS = 0.5, 20
FIGURES = ("bought", "orders", "spent", "spent_uncapped")


@dataclass(kw_only=True)
class Shop:
    """Customers, each with a monthly rate and a usual order value, and whether they are still there."""

    draw: np.random.Generator
    rate: FloatArray
    value: FloatArray
    there: NDArray[np.bool_]
    silent: NDArray[np.int64]
    earlier: NDArray[np.int64]

    @classmethod
    def opened(cls, customers: int, seed: int) -> Shop:
        """One that has had a year of business."""
        draw = np.random.default_rng(seed)
        rate = draw.gamma(0.8, 0.25, customers)
        value = np.exp(draw.normal(8.0, 0.6, customers))
        shop = cls(
            draw=draw, rate=rate, value=value, there=np.ones(customers, bool), silent=np.zeros(customers, np.int64),
            earlier=np.zeros(customers, np.int64),
        )  # fmt: skip
        for _ in range(MONTHS):
            shop.month(rate)
        return shop

    def month(self, rate: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A month passes: what everybody bought and spent."""
        count = self.draw.poisson(np.where(self.there, rate, 0.0))
        money = np.rint(count * self.value * np.exp(self.draw.normal(0.0, SPREAD, len(rate)))).astype(np.int64)
        self.silent = np.where(count > 0, 0, self.silent + 1)
        self.earlier = self.earlier * 11 // 12 + money
        self.there &= self.draw.random(len(rate)) > 0.04
        return count, money

    def listed(self, names: int) -> NDArray[np.int64]:
        """Those with most at risk: long silent for somebody who spent that much."""
        return np.argsort(-self.earlier * np.minimum(self.silent, 6), kind="stable")[:names]


def truth(shop: Shop, rows: NDArray[np.int64], uplift: float, cap: int) -> dict[str, float]:
    """What contacting these customers changes on average, one by one."""
    rate, value = np.where(shop.there, shop.rate, 0.0)[rows], shop.value[rows]
    with_, without = rate * (1 + uplift), rate
    mean_order = value * np.exp(0.5 * SPREAD**2)
    capped = [mean_capped(each, value, cap) for each in (with_, without)]
    return {
        "bought": float((np.exp(-without) - np.exp(-with_)).mean()),
        "orders": float((with_ - without).mean()),
        "spent": float(capped[0] - capped[1]),
        "spent_uncapped": float(((with_ - without) * mean_order).mean()),
    }


def mean_capped(rate: FloatArray, value: FloatArray, cap: int) -> float:
    """Mean of what customers spend in a month, each with the cap at most, but for the rounding to minor units.

    Orders are Poisson; n of them are worth X = n v S with log S normal, mean 0 and deviation s, and
    E min(X, c) = n v exp(s^2 / 2) Phi((log(c / (n v)) - s^2) / s) + c Phi(log(n v / c) / s).

    Args:
        rate, value: of each customer: orders a month, and the median v of an order in minor units.
        cap: c in minor units, above 0.
    """
    count = np.arange(1, MOST_ORDERS + 1)[:, None]
    usual = count * value
    above = np.log(usual / cap)
    whole = usual * np.exp(SPREAD**2 / 2) * ndtr((-above - SPREAD**2) / SPREAD) + cap * ndtr(above / SPREAD)
    return float((poisson.pmf(count, rate) * whole).sum(axis=0).mean())


def year(seed: int, customers: int, names: int, uplift: float) -> list[tuple[Effect, dict[str, float]]]:
    """What was said of each of the twelve lists of a year, and what is true."""
    shop = Shop.opened(customers, seed)
    key, share = shop.draw.bytes(32), usual_share(names)
    found = []
    for month in range(MONTHS):
        rows = shop.listed(names)
        control = ControlDraw(key=key, study="year", as_of=f"month-{month}").of([str(row) for row in rows], share)
        earlier = shop.earlier[rows]
        rate = shop.rate.copy()
        rate[rows[~control]] *= 1 + uplift
        true = truth(shop, rows, uplift, cap_of(earlier))
        orders, spent = shop.month(rate)
        said = effect(Outcomes(control=control, orders=orders[rows], spent=spent[rows], earlier=earlier), share)
        found.append((said, true))
    return found


def holds(estimate: Estimate | None, true: float) -> float:
    """1 if the interval holds it, 0 if not; not a number where nothing is said."""
    if estimate is None:
        return float("nan")
    low, high = estimate.interval
    return float(low <= true <= high)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--customers", type=int, default=5_000)
    options.add_argument("--names", type=int, default=1_500, help="on each month's list")
    options.add_argument("--repetitions", type=int, default=500, help="years")
    options.add_argument("--first", type=int, default=0, help="seed of the first year; each has the next")
    given = options.parse_args()
    share = usual_share(given.names) / PARTS
    lists = f"{given.names:,} of {given.customers:,} customers, {share:.0%} left alone"
    print(f"{given.repetitions} years of {MONTHS} lists of {lists}")
    for uplift in (0.4, 0.0):
        started = time.process_time()
        found = []
        for done in range(given.repetitions):
            found += year(given.first + done, given.customers, given.names, uplift)
            if done % 50 == 49:
                print(f"  {done + 1} years, {time.process_time() - started:.0f} s", file=sys.stderr)
        held = {name: np.nanmean([holds(getattr(said, name), true[name]) for said, true in found]) for name in FIGURES}
        verdicts = [said.verdict for said, _ in found]
        more, fewer, none = (verdicts.count(one) / len(found) for one in ("more", "fewer", None))
        points = 100 * np.mean([true["bought"] for _, true in found])
        print(
            f"contacted buy {uplift:.0%} more often ({points:.2f} points): intervals hold "
            + ", ".join(f"{name} {value:.1%}" for name, value in held.items())
            + f"; claimed more {more:.1%}, fewer {fewer:.1%}, no verdict {none:.2%}"
            + f" ({time.process_time() - started:.0f} s of CPU)"
        )


if __name__ == "__main__":
    main()
