"""RFM: cut points on recency, frequency and money, and the totals of the segments between them."""

from __future__ import annotations

from privacy.analyses.contract import AnalysisContract
from privacy.analyses.rfm.cut_sides import CutSides
from privacy.analyses.rfm.options import RfmOptions
from privacy.analyses.rfm.prefix_sums import PrefixSums
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.terms import Terms


def _withholds(options: RfmOptions) -> str:
    return 'rfm.totals = "shares"' if options.totals == "shares" else ""


def _reads(options: RfmOptions, terms: Terms) -> CustomerRequest:
    return CustomerRequest(window_days=options.window_days)


CONTRACT = AnalysisContract(
    name="rfm",
    since="0.1.0",
    options=RfmOptions,
    statistics=(PrefixSums, CutSides, SegmentTotals),
    reads=_reads,
    withholds=_withholds,
    has_withheld_form=True,
)
