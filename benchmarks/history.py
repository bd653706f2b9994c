"""How exact next purchases are: private fits beside the fit to all customers without privacy, and what really came.

Run ``python benchmarks/history.py`` (``--seeds 3`` for a quick look, ``--data FOLDER`` for another copy of the data).
Online Retail II as of 2011-06-12 (window of 560 days, 26 weeks ahead) and the CDNOW sample as of 1997-09-30 (280 days,
39 weeks ahead); features, questions, prices and noise are the product's, of three holders one may collude, k = 1, delta
1e-6; only the messages are left out. Each private row is medians, and in brackets worst of the seeds; noise is never
seeded. A study whose spare attempt is not used gets second answers from it, as ``--again`` has it; without it rows
are of first answers alone.

``customers'`` is the relative mean error of expected purchases over customers, against the pooled fit; ``total`` that
of their sum. ``top`` is the part of real later spend that the tenth of customers with the highest spend to expect has.
For 30, 90 and 180 days: what was predicted less what came, and the mean distance of the two over tenths of customers
by probability, of which chance alone makes what the first line of each shop says. ``held`` is how often the margin of
the total held the total of the same model on all customers of the window.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from history_customers import DATES, Case, asking, bought_of, case, fit_pooled, shops
from rfm_accuracy import default_data

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.analyses.history.scoring import score
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.buying import BuyingModel, FloatArray
from privacy.analyses.history.results import HistoryResult, SpendLevel
from privacy.figures.estimates import Estimate
from server.analyses.history.figures import spend_level
from server.analyses.history.fit import USUAL, model_at
from server.analyses.history.run import run

EPSILONS = ("0.1", "0.25", "0.5", "1", "4")
_TENTHS = 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one model says of a shop's customers, against the pooled fit and what came; NaN where it says nothing."""

    customers: float
    total: float
    top: float
    off: tuple[float, ...]
    calibration: tuple[float, ...]
    held: float = float("nan")

    def numbers(self) -> list[float]:
        """All in one row."""
        return [self.total, self.customers, self.top, *self.off, *self.calibration, self.held]


def calibration(predicted: FloatArray, came: FloatArray) -> float:
    """Mean distance of predicted and observed shares over tenths by what was predicted."""
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, _TENTHS)
    return float(np.mean([abs(predicted[part].mean() - came[part].mean()) for part in parts]))


def by_chance(predicted: FloatArray) -> float:
    """The same where all is as predicted: mean over 20 drawn outcomes."""
    rng = np.random.default_rng(0)
    return float(np.mean([calibration(predicted, rng.random(len(predicted)) < predicted) for _ in range(20)]))


def rated(subject: Case, found: HistoryResult, best: FloatArray) -> Row:
    """One result's row, by the product's own scores."""
    shop, options = subject.shop, subject.shop.study().of(CONTRACT)
    scores = score(found, subject.table, 0, options, unit=100)
    expected = found.model.expected(subject.bought, shop.ahead)
    value = scores.purchases if scores.spend is None else scores.spend
    top = np.argsort(-value, kind="stable")[: len(value) // _TENTHS]
    spent = subject.spent[shop.ahead]
    shares = {days: found.model.buys_within(subject.bought, days) for days in DATES}
    came = {days: (subject.came[days] > 0).astype(float) for days in DATES}
    return Row(
        customers=float(np.abs(expected - best).mean() / best.mean()),
        total=abs(float(expected.sum() / best.sum()) - 1),
        top=float(spent[top].sum() / spent.sum()),
        off=tuple(float(shares[days].mean() - came[days].mean()) for days in DATES),
        calibration=tuple(calibration(shares[days], came[days]) for days in DATES),
        held=_held(subject, found, best),
    )


def _held(subject: Case, found: HistoryResult, best: FloatArray) -> float:
    """Whether the margin of the total holds what the pooled fit has for the customers of the window."""
    if not found.ahead[-1].purchases.margin:
        return float("nan")
    wanted = best[subject.bought.tenure <= subject.shop.window_days].sum()
    last = found.ahead[-1].purchases
    return float(abs(last.value - wanted) <= last.margin)


def stated(model: BuyingModel, spend: SpendLevel | None, subject: Case) -> HistoryResult:
    """A result with nothing but a model and a level of spend."""
    nothing = Estimate(value=0.0, margin=0.0)
    options = subject.shop.study().of(CONTRACT)
    ahead = [{"upto": days, "buyers": nothing, "purchases": nothing} for days in options.horizons]
    return HistoryResult.model_validate(
        {
            "window_days": options.window_days, "family": model.family, "r": model.r, "alpha": model.alpha,
            "a": model.a, "b": model.b, "customers": nothing, "share": nothing, "misfit": 0.0, "ahead": ahead,
            "ahead_days": options.ahead_days, "by_purchases": (), "spend": spend,
        }
    )  # fmt: skip


def shown(name: str, rows: Sequence[Row]) -> None:
    """A line: medians, and worst of total and customers."""
    numbers = np.array([row.numbers() for row in rows])
    middle = np.median(numbers, axis=0)
    worst = numbers.max(axis=0)
    dates = "  ".join(f"{middle[3 + place]:+.3f} {middle[6 + place]:.3f}" for place in range(len(DATES)))
    held = "" if np.isnan(numbers[:, -1]).all() else f"  held {np.nanmean(numbers[:, -1]):.2f}"
    print(f"  {name:22} total {middle[0]:.3f} ({worst[0]:.3f})  customers' {middle[1]:.3f} ({worst[1]:.3f})  "
          f"top {middle[2]:.3f}  {dates}{held}", flush=True)  # fmt: skip


def measure(subject: Case, seeds: int, epsilons: Sequence[str], *, again: bool) -> None:
    """Everything about one shop."""
    shop = subject.shop
    pooled = fit_pooled(subject.bought)
    best = pooled.expected(subject.bought, shop.ahead)
    values = shop.study().of(CONTRACT).values(shop.study())
    if values is None:
        raise ValueError("a shop of this benchmark has a cap")
    exact = spend_level(values.decode(values.encode_sum(subject.table), 0.0), shop.cap)
    chance = " ".join(f"{by_chance(pooled.buys_within(subject.bought, days)):.3f}" for days in DATES)
    came = subject.came[shop.ahead].sum()
    print(f"{shop.name}: {len(subject.table):,} customers, {shop.ahead} days ahead: {came:,.0f} days of purchase came, "
          f"the pooled fit has {best.sum():,.0f}; by chance {chance}")  # fmt: skip
    print(f"  pooled r {pooled.r:.3f}, alpha {pooled.alpha:.1f}, a {pooled.a:.3f}, b {pooled.b:.3f}; spend {exact}")
    shown("without privacy", [rated(subject, stated(pooled, exact, subject), best)])
    shown("without, BG/NBD", [rated(subject, stated(fit_pooled(subject.bought, family="bg"), exact, subject), best)])
    shown("usual shops'", [rated(subject, stated(model_at("mbg", USUAL), exact, subject), best)])
    for number, table in enumerate(subject.holders()):
        own = fit_pooled(bought_of(table))
        shown(f"holder {number + 1} alone", [rated(subject, stated(own, exact, subject), best)])
    for epsilon in epsilons:
        study = shop.study(epsilon)
        ask = asking(study, subject.holders(), again=again)
        found = [run(study, ask, lambda title, statistic: None) for _ in range(seeds)]  # type: ignore[arg-type, return-value]
        shown(f"epsilon {epsilon}", [rated(subject, one, best) for one in found])
        last = [one.ahead[-1].purchases for one in found]
        print(f"    families {sorted(one.family for one in found)}, misfit "
              f"{np.median([one.misfit for one in found]):.2f}, margin of the total "
              f"{np.median([one.margin / one.value for one in last]):.3f}")  # fmt: skip


def main() -> None:
    """Both shops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epsilons", nargs="*", default=EPSILONS)
    parser.add_argument("--again", action="store_true", help="with second answers")
    arguments = parser.parse_args()
    for shop in shops(arguments.data):
        measure(case(shop, arguments.data), arguments.seeds, arguments.epsilons, again=arguments.again)


if __name__ == "__main__":
    main()
