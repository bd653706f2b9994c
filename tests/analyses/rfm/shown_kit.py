"""A release of segments with noise, and its truth: of the same customers, for the suites on what is shown."""

from __future__ import annotations

import numpy as np
from row_kits import customer_table

from privacy.analyses.rfm.results import Distribution, RfmResult
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules, ThresholdRule
from privacy.figures.estimates import Z95, Estimate
from privacy.kernel.customers import CustomerColumns
from server.analyses.rfm.figures import Tail, Tails, scheme_figures

TABLE = customer_table(6000, 4)
CUTS = CutPoints(
    recency_days=(100, 300, 500, 700), orders=(2, 2, 3, 4), money=(1200, 3300, 7000, 17_000), recency_high=450,
    orders_high=2, money_high=4500,
)  # fmt: skip
RULES = SegmentRules(
    cuts=CUTS,
    thresholds=(ThresholdRule(code="regulars", when="F>=3, M in 20..90"), ThresholdRule(code="once", when="F<2")),
    money_unit=100,
)
#: Nobody is above the caps, so that the truth is what is counted.
CAPS = {"orders_cap": int(TABLE.orders.max()), "money_cap": int(TABLE.money.max())}
SCHEMES = ("eight", "ten", "eleven", "rules")
CASES = [((scheme,), returns) for scheme in SCHEMES for returns in ("drop", "net")] + [(("eight", "ten"), "net")]
NO_TAILS = Tails(Tail(0.0, 0.0), Tail(0.0, 0.0))
#: Of a count, in customers: at this many, several of the eleven segments are hidden by the noise.
NOISE = 40.0
_ANY = Distribution(feature="orders", upper=(1.0,), share=(1.0,), cuts=(1, 1, 1, 1), high=1, rank_margin=(0.1,) * 4)


def question_of(schemes: tuple[str, ...], returns: str) -> SegmentTotals:
    return SegmentTotals(rules=RULES, schemes=schemes, form="centred", returns=returns, **CAPS)


def counted(columns: CustomerColumns, returns: str) -> CustomerColumns:
    """Customers of which nothing is lost where they are counted: no one has less than a range's least."""
    least = -CUTS.money_high if returns == "net" else 0
    return CustomerColumns(
        recency_days=columns.recency_days, orders=columns.orders, money=np.maximum(columns.money, least),
        tenure_days=columns.tenure_days,
    )  # fmt: skip


def truth(question: SegmentTotals, scheme: str) -> np.ndarray:
    """Customers, orders and revenue by segment, shape ``(segments, 3)``."""
    people = counted(TABLE, question.returns)
    cells = RULES.assign(scheme, people)
    facts = (np.ones(len(people)), people.orders, people.money / RULES.money_unit)
    return np.stack([np.bincount(cells, fact, minlength=len(RULES.segments(scheme))) for fact in facts], axis=1)


def released(
    question: SegmentTotals, rng: np.random.Generator, *, noise: float = NOISE, floor: int = 0, records: float = 8.0
) -> RfmResult:
    """A result whose release has noise of this deviation, in customers, beside a count of all (``records``)."""
    deviation = noise * question.amplitudes[0]
    values = question.encode_sum(counted(TABLE, question.returns))
    values = values + np.rint(rng.normal(0, 1, question.dim) * deviation).astype(np.int64)
    return RfmResult(
        rules=RULES,
        customers=Estimate(value=len(TABLE) + rng.normal() * records, margin=Z95 * records),
        distributions=(_ANY,),
        schemes=tuple(
            scheme_figures(estimate, question, NO_TAILS, floor=floor) for estimate in question.decode(values, deviation)
        ),
        money_cap=question.money_cap / RULES.money_unit,
        orders_cap=question.orders_cap,
        revenue_above_cap=0.0,
        form=question.form,
        returns=question.returns,
    )
