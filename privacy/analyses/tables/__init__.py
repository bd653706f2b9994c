"""Tables: every count, sum and share that operators steer by, declared in a few lines and asked as one question."""

from __future__ import annotations

from privacy.analyses.contract import AnalysisContract, Whose
from privacy.analyses.tables.cell_sums import CellSums
from privacy.analyses.tables.features import FEATURES
from privacy.analyses.tables.options import TablesOptions


def _consents(options: TablesOptions) -> frozenset[Whose]:
    """Keys that are single holders' by nature (a shop, an own brand) show those holders' totals."""
    uses = [use for table in options.table for use in table.by]
    return frozenset({"by_holder"}) if any(use.of_a_holder for use in uses) else frozenset()


CONTRACT = AnalysisContract(
    name="tables",
    since="0.2.0",
    options=TablesOptions,
    statistics=(CellSums,),
    reads=lambda options, terms: options.request(terms.as_of),
    questions=lambda options, terms: (options.question(terms),) if options.table else (),
    features=FEATURES,
    consents=_consents,
)
