"""Who moved between segments from one as-of day to the next. Exact: only the holder's own rows and public cut points.

Both days are cut at **this run's** cut points, so that a move is a customer's and never a cut's. How many would have
changed with each day's own cut points, as the labels of those days did, is counted beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clients.data.rows.customers import CustomerTable
from privacy.analyses.rfm.segments import IntArray, Segment, SegmentRules
from privacy.kernel.customers import CustomerColumns

_LISTED = 10


@dataclass(frozen=True, kw_only=True)
class Mover:
    """A customer who changed segment; ``money`` in minor units as of now, segments as positions in the scheme."""

    customer_id: str
    before: int
    after: int
    money: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Movement:
    """Moves between segments.

    Attributes:
        segments: the scheme's, in order.
        matrix: customers in both tables by (segment then, segment now), shape ``(segments, segments)``.
        new: customers only in the later table, by segment now.
        gone: customers only in the earlier table, by segment then (returns, opt-outs).
        up, down, level: customers who changed segment with a higher, lower, equal level (:func:`levels`).
        changed_own_cuts: how many changed segment when each day is cut at its own points; None where the cut points
            of the two runs are the same.
        risen, fallen: those who moved up or down with most money now, at most ten each.
    """

    segments: tuple[Segment, ...]
    matrix: NDArray[np.int64]
    new: NDArray[np.int64]
    gone: NDArray[np.int64]
    up: int
    down: int
    level: int
    changed_own_cuts: int | None
    risen: tuple[Mover, ...]
    fallen: tuple[Mover, ...]

    @property
    def stayed(self) -> int:
        """Customers in the same segment on both days."""
        return int(np.trace(self.matrix))

    @property
    def changed(self) -> int:
        """Customers in both tables whose segment changed."""
        return int(self.matrix.sum()) - self.stayed


def movement(
    scheme: str, *, now: CustomerTable, then: CustomerTable, rules: SegmentRules, rules_then: SegmentRules
) -> Movement:
    """Compare two tables of one holder.

    Args:
        scheme: name of the segmentation.
        now, then: the later and the earlier table.
        rules: this run's cut points, applied to both.
        rules_then: the earlier run's, for ``changed_own_cuts``.
    """
    segments = rules.segments(scheme)
    count = len(segments)
    after, before = rules.assign(scheme, now.columns), rules.assign(scheme, then.columns)
    _, at_now, at_then = np.intersect1d(now.ids, then.ids, assume_unique=True, return_indices=True)
    is_new = np.ones(len(now), dtype=bool)
    is_new[at_now] = False
    is_gone = np.ones(len(then), dtype=bool)
    is_gone[at_then] = False
    old, new = before[at_then], after[at_now]
    matrix = np.bincount(old * count + new, minlength=count * count).reshape(count, count)
    step = levels(scheme, rules, now.columns)[at_now] - levels(scheme, rules, then.columns)[at_then]
    changed = old != new
    money = now.columns.money[at_now]

    def movers(chosen: NDArray[np.bool_]) -> tuple[Mover, ...]:
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(-money[rows], kind="stable")][:_LISTED]
        return tuple(
            Mover(
                customer_id=str(now.ids[at_now[row]]),
                before=int(old[row]),
                after=int(new[row]),
                money=int(money[row]),
            )
            for row in rows
        )

    own_cuts = None
    # Only the cuts: the operators' rules of the earlier run may name other segments, which cannot be compared.
    if rules_then.cuts != rules.cuts and scheme != "rules":
        own_cuts = int((rules_then.assign(scheme, then.columns)[at_then] != new).sum())
    return Movement(
        segments=segments,
        matrix=matrix,
        new=np.bincount(after[is_new], minlength=count),
        gone=np.bincount(before[is_gone], minlength=count),
        up=int((changed & (step > 0)).sum()),
        down=int((changed & (step < 0)).sum()),
        level=int((changed & (step == 0)).sum()),
        changed_own_cuts=own_cuts,
        risen=movers(changed & (step > 0)),
        fallen=movers(changed & (step < 0)),
    )


def levels(scheme: str, rules: SegmentRules, columns: CustomerColumns) -> IntArray:
    """How high each customer stands in a scheme, shape ``(customers,)``: moving up is a rise of this.

    ``eight``: how many of R, F and M are high. ``ten`` and ``eleven``: the scores of R and F added. ``rules``: the
    earlier the rule that fits, the higher.
    """
    return _LEVELS[scheme](rules, columns)


def _highs(rules: SegmentRules, columns: CustomerColumns) -> IntArray:
    cuts = rules.cuts
    high = (
        columns.recency_days <= cuts.recency_high,
        columns.orders >= cuts.orders_high,
        columns.money > cuts.money_high,
    )
    count: IntArray = np.sum(high, axis=0, dtype=np.int64)
    return count


def _scores(rules: SegmentRules, columns: CustomerColumns) -> IntArray:
    r, f, _ = rules.cuts.scores(columns)
    return np.asarray(r + f)


def _priority(rules: SegmentRules, columns: CustomerColumns) -> IntArray:
    return -rules.assign("rules", columns)


_LEVELS: dict[str, Callable[[SegmentRules, CustomerColumns], IntArray]] = {
    "eight": _highs,
    "ten": _scores,
    "eleven": _scores,
    "rules": _priority,
}
