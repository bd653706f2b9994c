"""What halls need of this room: one object."""

from __future__ import annotations

from fractions import Fraction

from privacy.analyses.rfm.results import RfmResult
from privacy.analyses.rfm.shown import shown
from server.analyses.rfm.columns import forms
from server.analyses.rfm.earlier import compared, with_known_cuts
from server.analyses.rfm.plan import CUT_POINTS, NAME, forecast, second_weights, weights
from server.analyses.rfm.run import closer, run
from server.analyses.rfm.section import SECTION, rules, totals
from server.analyses.rfm.terminal import tables
from server.analysis import ServerAnalysis

ANALYSIS: ServerAnalysis[RfmResult] = ServerAnalysis(
    name=NAME,
    weights=weights,
    second_weights=second_weights,
    part=Fraction(35, 100),
    run=run,
    forecast=forecast,
    section=SECTION,
    shown=lambda rfm, result: shown(rfm, net=result.study.cleaning.returns == "net", complete=not result.missing),
    forms=forms,
    terminal=tables,
    totals=totals,
    resolve=with_known_cuts,
    earlier=compared,
    rules=rules,
    closer={CUT_POINTS: closer},
)
