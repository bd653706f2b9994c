"""Segments as they are shown, against segments as they were released: errors, and how often intervals hold.

Run ``python benchmarks/shown_figures.py --runs 200``. Customers, noise and analysis are those of
``benchmarks/rfm_accuracy.py`` (``--set real``, ``cdnow`` or ``generated``); the first question is asked once, and its
count and the segments' question are drawn again in each run. Errors are of what is counted of each customer; intervals
are held against everything that customers have.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rfm_accuracy as bench
from rfm_accuracy import Tables

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.analyses.rfm import CONTRACT
from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.shown import shown
from privacy.analyses.rfm.shown_sums import Release
from privacy.figures.estimates import Estimate
from privacy.kernel.customers import CustomerColumns
from privacy.protocol.study import Study

FIGURES = ("customers", "orders", "revenue", "share_of_customers", "share_of_revenue")
TOTALS = ("total_customers", "total_orders", "total_revenue")


class Held:
    """What was seen of one figure: errors before and after, and whether the interval of each held the truth."""

    def __init__(self) -> None:
        self.errors: list[tuple[float, float]] = []
        self.holds: list[tuple[bool, bool]] = []
        self.lengths: list[float] = []

    def add(self, before: Estimate, after: Estimate, counted: float, true: float) -> None:
        """One run. ``counted`` is the truth up to the cap, with what was added to the figure above it."""
        self.errors.append((before.value - counted, after.value - counted))
        pair = [one.interval[0] - 1e-6 <= true <= one.interval[1] + 1e-6 for one in (before, after)]
        self.holds.append((pair[0], pair[1]))
        lengths = [one.interval[1] - one.interval[0] for one in (before, after)]
        self.lengths.append(lengths[1] / max(lengths[0], 1e-12))

    def line(self, name: str) -> str:
        """As a row of the table."""
        before, after = np.sqrt(np.mean(np.square(self.errors), axis=0))
        released, as_shown = np.mean(self.holds, axis=0)
        length = np.mean(self.lengths)
        return f"  {name:20} error {after / before:5.2f}  holds {released:6.1%} {as_shown:6.1%}  length {length:5.2f}"


def compare(result: RfmResult, question: SegmentTotals, columns: CustomerColumns, found: dict[str, Held]) -> bool:
    """Add one run to what was found; whether a released row could not be."""
    net, unit = question.returns == "net", question.rules.money_unit
    odd = False
    for was, now in zip(result.schemes, shown(result, net=net, complete=True).schemes, strict=True):
        cells, count = question.rules.assign(was.scheme, columns), len(was.segments)
        everything = np.stack([np.ones(len(columns)), columns.orders, columns.money / unit])
        upto = np.vstack([everything[:1], (question.ranges(was.scheme).counted(columns, cells) / [1, unit]).T])
        true, counted = (
            np.stack([np.bincount(cells, fact, minlength=count) for fact in facts]) for facts in (everything, upto)
        )
        # What both add for what lies above the caps is in neither's error.
        released = Release.of(result, was, net=net)
        added = np.zeros((3, count))
        added[1:, list(released.places)] = released.added.T
        counted = counted + added
        for place, (before, after) in enumerate(zip(was.segments, now.segments, strict=True)):
            if before.suppressed:
                continue
            for fact, name in enumerate(FIGURES[:3]):
                found[name].add(getattr(before, name), getattr(after, name), counted[fact, place], true[fact, place])
            for fact, name in ((0, FIGURES[3]), (2, FIGURES[4])):
                shares = getattr(before, name), getattr(after, name)
                if None not in shares:
                    share = true[fact, place] / true[fact].sum()
                    found[name].add(*shares, share, share)
            odd |= before.orders.value < before.customers.value or before.revenue.value < 0
        for fact, name in enumerate(TOTALS):
            found[name].add(getattr(was, name), getattr(now, name), counted[fact].sum(), true[fact].sum())
    return odd


def lines(tables: Tables, schemes: tuple[str, ...], returns: str, runs: int) -> Iterator[str]:
    """The table, line by line."""
    columns = bench.pooled(tables)
    rng = np.random.default_rng(3)
    for epsilon in ("0.5", "1", "2"):
        plain = bench.reference_study(epsilon).model_dump(mode="json")
        changed = {CONTRACT.name: {"floor": 0, "report": schemes}, "cleaning": {"returns": returns}}
        study = Study.model_validate(plain | changed)
        first, question = bench.run_directly(study, tables)
        count = first.customers
        if count is None:
            raise ValueError("the study withholds totals")
        found: dict[str, Held] = defaultdict(Held)
        odd = 0
        for _ in range(runs):
            drawn = bench.segments_again(study, tables, first, question)
            records = len(columns) + rng.normal() * count.deviation
            drawn = drawn.model_copy(update={"customers": Estimate(value=records, margin=count.margin)})
            odd += compare(drawn, question, columns, found)
        yield f"{', '.join(schemes)}, returns {returns}, epsilon {epsilon}, {runs} runs; {odd / runs:.1%} with odd rows"
        yield from (held.line(name) for name, held in found.items())


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--data", type=Path, default=bench.default_data())
    parser.add_argument("--set", choices=("real", "cdnow", "generated"), default="real")
    parser.add_argument("--schemes", nargs="+", default=["eight"])
    parser.add_argument("--returns", choices=("drop", "net"), default="drop")
    given = parser.parse_args()
    makers = {"real": bench.load_tables, "cdnow": bench.load_cdnow, "generated": lambda _: bench.generated_tables()}
    for line in lines(makers[given.set](given.data), tuple(given.schemes), given.returns, given.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
