"""A holder's page for results and rows made for it."""

from __future__ import annotations

from functools import cache

import numpy as np
from holder_kit import holder_report
from report_pages import build_result, customers

from clients.analysis.actions import Actions, parse_actions
from clients.data.rows.cleaning_report import CleaningReport
from clients.data.rows.customers import CustomerTable
from privacy.analyses.rfm.segments import ThresholdRule
from privacy.kernel.customers import CustomerColumns
from privacy.results import StudyResult

ALL_SCHEMES = ("eight", "ten", "eleven", "rules")


VIP = ThresholdRule(code="vip", when="R<90, F>=3, M>=200", en="Regulars <b>", zh="常客 <b>")


def table_of(columns: CustomerColumns, ids: list[str] | None = None) -> CustomerTable:
    count = len(columns)
    names = ids if ids is not None else [f"c{n:06d}" for n in range(count)]
    report = CleaningReport(
        rows_seen=count, dropped={}, netted=0, duplicates=0, capped=0, free=0, lines=count, customers=count,
        orders=int(columns.orders.sum()), only_returns=0,
    )  # fmt: skip
    return CustomerTable(ids=np.array(names, dtype=object), columns=columns, report=report)


@cache
def result_of(**options: object) -> StudyResult:
    return build_result(**options)


def own_rows(count: int = 3000) -> CustomerColumns:
    """The first of the customers that ``build_result`` is about."""
    return customers().take(slice(0, count))


@cache
def page_of(name: str) -> str:
    if name == "plain":
        result, actions = result_of(), Actions({})
    elif name == "odd":  # every scheme, suppressed segments, a holder missing, own rules with a hostile name
        result = result_of(
            schemes=ALL_SCHEMES, floor=600, thresholds=(VIP,), missing=("shop-9",), holders=("online", "store-1")
        )
        actions = parse_actions('[important_value]\nen = "<script>alert(1)</script>"\n[nosuch]\nzh = "无"')
    else:
        raise KeyError(name)
    ids = [f"<i>{n:05d}</i>" for n in range(3000)]
    return holder_report(holder="online", table=table_of(own_rows(), ids), result=result, actions=actions)
