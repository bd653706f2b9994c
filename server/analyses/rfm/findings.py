"""What segments say, in sentences; everything here is computed from a result, nothing is assumed."""

from __future__ import annotations

from privacy.analyses.rfm.results import RfmResult, SchemeFigures, SegmentFigures
from privacy.analyses.rfm.words import segment_name
from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language
from privacy.presentation.words import percent
from server.analyses.rfm.texts import text


def _larger(first: Estimate, second: Estimate) -> bool:
    """Whether ``first`` is larger than ``second`` beyond what the noise explains (95%)."""
    return first.minus(second).interval[0] > 0


#: The share of customers that practice asks about.
_TOP = 0.2


def concentration_findings(rfm: RfmResult, language: Language) -> list[str]:
    """What the fifth of customers brings that spends most; nothing where no release says it."""
    found = next((one.concentration for one in rfm.distributions if one.concentration is not None), None)
    if found is None:
        return []
    return [text("concentration", language, top=f"{_TOP:.0%}", share=percent(found.of_top(_TOP), language))]


def scheme_findings(released: SchemeFigures, shown: SchemeFigures, language: Language) -> list[str]:
    """The main findings about one segmentation, one to two sentences.

    Names the segment with most revenue, or two where the noise does not separate them, and the largest
    segment where that is another one.

    Args:
        released: what is compared.
        shown: the same segmentation as it is written.
        language: of the sentences.
    """
    visible = [
        (segment, segment.share_of_customers, segment.share_of_revenue)
        for segment in released.segments
        if not segment.suppressed and segment.share_of_customers is not None and segment.share_of_revenue is not None
    ]
    if not visible:
        return [text("finding_none", language)]
    rows = {row.code: row for row in shown.segments}

    def said(segment: SegmentFigures, name: str) -> str:
        return percent(getattr(rows[segment.code], name) or getattr(segment, name), language)

    by_revenue = sorted(visible, key=lambda item: -item[2].value)
    lead, _, lead_revenue = by_revenue[0]
    sentences = []
    if len(by_revenue) > 1 and not _larger(lead_revenue, by_revenue[1][2]):
        second = by_revenue[1][0]
        sentences.append(
            text(
                "finding_tie",
                language,
                first=segment_name(lead, language),
                first_revenue=said(lead, "share_of_revenue"),
                second=segment_name(second, language),
                second_revenue=said(second, "share_of_revenue"),
            )
        )
    else:
        sentences.append(
            text(
                "finding_lead",
                language,
                segment=segment_name(lead, language),
                customers=said(lead, "share_of_customers"),
                revenue=said(lead, "share_of_revenue"),
            )
        )
    (largest, largest_customers, _), *_ = by_size = sorted(visible, key=lambda item: -item[1].value)
    if largest is not lead and (len(by_size) == 1 or _larger(largest_customers, by_size[1][1])):
        sentences.append(
            text(
                "finding_largest",
                language,
                segment=segment_name(largest, language),
                customers=said(largest, "share_of_customers"),
                revenue=said(largest, "share_of_revenue"),
            )
        )
    return sentences
