"""What segments say, in sentences; everything here is computed from a result, nothing is assumed."""

from __future__ import annotations

from privacy.analyses.rfm.results import SchemeFigures
from privacy.analyses.rfm.words import segment_name
from privacy.figures.estimates import Estimate
from privacy.presentation.texts import Language
from privacy.presentation.words import percent
from server.analyses.rfm.texts import text


def _larger(first: Estimate, second: Estimate) -> bool:
    """Whether ``first`` is larger than ``second`` beyond what the noise explains (95%)."""
    return first.minus(second).interval[0] > 0


def scheme_findings(scheme: SchemeFigures, language: Language) -> list[str]:
    """The main findings about one segmentation, one to two sentences.

    Names the segment with most revenue, or two where the noise does not separate them, and the largest
    segment where that is another one.
    """
    visible = [
        (segment, segment.share_of_customers, segment.share_of_revenue)
        for segment in scheme.segments
        if not segment.suppressed and segment.share_of_customers is not None and segment.share_of_revenue is not None
    ]
    if not visible:
        return [text("finding_none", language)]
    by_revenue = sorted(visible, key=lambda item: -item[2].value)
    lead, lead_customers, lead_revenue = by_revenue[0]
    sentences = []
    if len(by_revenue) > 1 and not _larger(lead_revenue, by_revenue[1][2]):
        second, _, second_revenue = by_revenue[1]
        sentences.append(
            text(
                "finding_tie",
                language,
                first=segment_name(lead, language),
                first_revenue=percent(lead_revenue, language),
                second=segment_name(second, language),
                second_revenue=percent(second_revenue, language),
            )
        )
    else:
        sentences.append(
            text(
                "finding_lead",
                language,
                segment=segment_name(lead, language),
                customers=percent(lead_customers, language),
                revenue=percent(lead_revenue, language),
            )
        )
    by_size = sorted(visible, key=lambda item: -item[1].value)
    largest, largest_customers, largest_revenue = by_size[0]
    if largest is not lead and (len(by_size) == 1 or _larger(largest_customers, by_size[1][1])):
        sentences.append(
            text(
                "finding_largest",
                language,
                segment=segment_name(largest, language),
                customers=percent(largest_customers, language),
                revenue=percent(largest_revenue, language),
            )
        )
    return sentences
