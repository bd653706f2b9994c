"""Words by which the values of a status or type column say that a row is no sale, or a return; one table, no rows."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["sale", "return", "none"]

#: Names of columns that say what a row is. ``True``: of rows (a return stands in a row of its own), not of orders.
NAMES: tuple[tuple[str, bool], ...] = (
    ("status|state|zustand|statut|estado|stato|stav|durum|状态|狀態|ステータス", False),
    ("type|kind|typ|art|vorgangsart|belegart|buchungsart|类型|類型|种类|区分|tipo|event", True),
)

#: Tried in this order on a value in lower case; the first that is found decides. A value that none knows is a sale.
WORDS: tuple[tuple[str, Kind], ...] = (
    # What was not, or only in part: "没有申请退款", "not refunded", "partially refunded", "退款关闭".
    (r"没有|無|无退|未退|未申请|退款关闭|退款取消|退货关闭|\bnot?\b|\bnon\b|kein|nicht|partial|teilweise|部分", "sale"),
    (r"cancel|void|fail|declin|denied|reject|draft|expired|abandon|unpaid|test|invalid|deleted|error", "none"),
    (r"pending|on[-_ ]?hold|awaiting payment|waiting for payment|payment review", "none"),
    (
        r"storn|annull|abgebrochen|abgelehnt|fehlgeschlagen|unbezahlt|zahlung ausstehend|entwurf|ungültig|gelöscht",
        "none",
    ),
    (r"annul|échou|echou|brouillon|impay|en attente de paiement", "none"),
    (
        r"cancelad|anulad|fallid|borrador|pendiente de pago|recusad|rifiutat|geannuleerd|mislukt|anulowan|zrušen|iptal",
        "none",
    ),
    (r"取消|关闭|關閉|待付款|未付款|未支付|等待买家付款|等待付款|作废|失败|测试|无效|キャンセル|未入金", "none"),
    (r"refund|chargeback|return|reversal|credit[-_ ]?(note|memo)", "return"),
    (
        r"retour|rückgabe|rueckgabe|erstatt|gutschrift|rembours|avoir|devol|reembols|reso\b|rimbors|zwrot|vrácen|iade",
        "return",
    ),
    (r"退|返品|返金", "return"),
)
#: States that mean "paid back" where another value says that orders are complete, and "done" elsewhere.
_CLOSED = frozenset({"closed"})
_COMPLETE = re.compile("complete")
_YES, _NO = (
    frozenset(["true", "t", "1", "yes", "y", "ja", "j", "是", "1.0"]),
    frozenset(["false", "f", "0", "no", "n", "nein", "否", "0.0"]) | {""},
)


def of_rows(name: str) -> bool | None:
    """Whether a column's name speaks of rows (True) or of orders (False); None where it is no column of states."""
    lowered = name.lower()
    for pattern, speaks_of_rows in NAMES:
        if re.search(rf"(^|[^a-z])({pattern})($|[^a-z])", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()):
            return speaks_of_rows
    return None if not re.search("状态|類型|类型", lowered) else "类型" in lowered


def kinds(values: list[str]) -> dict[str, Kind]:
    """What each value says, by its words."""
    has_complete = any(_COMPLETE.search(value.lower()) for value in values)
    return {value: _kind(value.strip().lower(), has_complete=has_complete) for value in values}


def _kind(value: str, *, has_complete: bool) -> Kind:
    if value in _CLOSED and has_complete:
        return "return"
    return next((kind for pattern, kind in WORDS if re.search(pattern, value)), "sale")


def marks(name: str, values: list[str]) -> dict[str, Kind] | None:
    """The same for a column of truth values whose name says what is true: ``is_cancelled``, ``Storno``, ``退款``."""
    folded = {value.strip().lower() for value in values}
    if not folded <= _YES | _NO or not folded & _YES:
        return None
    kind = _kind(name.strip().lower().replace("_", " "), has_complete=False)
    if kind == "sale":
        return None
    return {value: kind if value.strip().lower() in _YES else "sale" for value in values}
