"""A result is this run's only if it states what the last question on segments asked."""

from __future__ import annotations

from typing import Any

import pytest
from report_pages import PLAIN

from clients.analyses.rfm.analysis import ANALYSIS
from privacy.analyses.rfm.segment_totals import SegmentTotals

_RFM = PLAIN.rfm
_CUTS = _RFM.rules.cuts


def _asked(**changes: Any) -> SegmentTotals:
    fields: dict[str, Any] = {
        "rules": _RFM.rules,
        "schemes": ("eight",),
        "orders_cap": _RFM.orders_cap,
        "money_cap": round(_RFM.money_cap * _RFM.rules.money_unit),
        "form": _RFM.form,
        "returns": _RFM.returns,
    }
    return SegmentTotals(**{**fields, **changes})


def test_the_last_question_decides() -> None:
    other = _asked(orders_cap=_RFM.orders_cap + 1)
    assert ANALYSIS.fits(_RFM, (other, _asked()))
    assert not ANALYSIS.fits(_RFM, (_asked(), other))
    assert not ANALYSIS.fits(_RFM, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"orders_cap": _RFM.orders_cap + 1},
        {"money_cap": round(_RFM.money_cap * _RFM.rules.money_unit) + 1},
        {"form": "capped" if _RFM.form == "centred" else "centred"},
        {"returns": "net" if _RFM.returns == "drop" else "drop"},
        {
            "rules": _RFM.rules.model_copy(
                update={"cuts": _CUTS.model_copy(update={"money_high": _CUTS.money_high + 1})}
            )
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_was_asked_otherwise_is_seen(changes: dict[str, Any]) -> None:
    assert not ANALYSIS.fits(_RFM, (_asked(**changes),))
