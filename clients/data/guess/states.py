# ruff: noqa: E501  # words, one language a line
"""Words by which the values of a status or type column say that a row is no sale, or a return; one table, no rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

Kind = Literal["sale", "return", "none"]

#: Names of columns that say what a row is. ``True``: of rows (a return stands in a row of its own), not of orders.
#: A word at the end of a longer one counts: Bestellstatus, orderstatus.
NAMES: tuple[tuple[str, bool], ...] = (
    (r"\w*(status|state|zustand|statut|statuts|état|etat|estado|stato|stav|durum|durumu|situação|situacao|situación|tila|állapot|stare|stanje|κατάσταση|статус|стан|состояние|result|outcome|ergebnis|résultat|disposition)|trạng thái|สถานะ|상태", False),
    (r"type|kind|typ|art|\w*(vorgangsart|belegart|buchungsart|auftragsart|umsatzart)|vorgang|geschäftsvorfall|区分|tipo|event|action|behavior|fkart|auart|s/h|soll/haben|d/c|dr/cr|debit/credit|тип|操作|行为", True),
)  # fmt: skip
_CHINESE = (("状态|狀態|상태|สถานะ|ステータス|状況|進捗|状態", False), ("类型|類型|种类|区分|行为|유형|구분", True))

#: Tried in this order on a value in lower case; the first that is found decides.
WORDS: tuple[tuple[str, Kind], ...] = (
    # What was not, or only in part: "没有申请退款", "not refunded", "partially refunded", "退款关闭".
    (r"没有|無|无退|未退|未申请|退款关闭|退款取消|退货关闭|\bnot? (?!paid|completed)|\bnon (?!pag|pay)|\bkeine?\b|nicht (?!bezahlt)|partial|teilweise|部分|нет возврат", "sale"),
    (r"cancel|void|fail|declin|denied|reject|draft|expired|abandon|unpaid|not paid|test|invalid|deleted|error|fraud|timed? ?out", "none"),
    (r"pending|on[-_ ]?hold|awaiting payment|waiting for payment|payment review", "none"),
    (r"storn|annull|abgebrochen|abgelehnt|fehlgeschlagen|unbezahlt|nicht bezahlt|zahlung ausstehend|entwurf|ungültig|gelöscht", "none"),
    (r"annul|échou|echou|brouillon|impay|non pay|en attente de paiement|refus|abandonn", "none"),
    (r"cancelad|anulad|fallid|borrador|pendiente|pendente|recusad|rechazad|rifiutat|non pagat|no pagad|geannuleerd|mislukt|niet betaald|anulowan|nieopłacon|zrušen|iptal|başarısız|odmietnut|stornov", "none"),
    (r"makuler|avbrut|annuller|obetald|misslyck|kanseller|avbrutt|ubetalt|mislykk|peruut|perutt|hylätt|maksamat|töröl|lemond|sztorn|sikertelen|anulat|neplatit", "none"),
    (r"отмен|отказ|не оплач|неоплач|ожида|черновик|ошибк|аннулир|скасов|відмін|не сплач|ακυρ|απέτυχ|απορρίφ", "none"),
    (r"取消|关闭|關閉|待付款|未付款|未支付|待支付|等待买家付款|等待付款|等待支付|作废|作廢|失败|失敗|测试|測試|无效|拒收|キャンセル|未入金|入金待ち|取り消し|取消", "none"),
    (r"취소|미결제|결제대기|입금대기|결제실패|실패|hủy|huỷ|chưa thanh toán|thất bại|batal|gagal|belum (di)?bayar|ยกเลิก|รอชำระ|ล้มเหลว", "none"),
    (r"refund|chargeback|return|reversal|credit[-_ ]?(note|memo)", "return"),
    (r"retour|rückgabe|rueckgabe|erstatt|gutschrift|rembours|\bavoir|devol|reembols|\breso\b|rimbors|zwrot|vrácen|iade|återbetal|\bretur|palaut|hyvit|visszatérít|visszáru|επιστροφ|ramburs|vráten", "return"),
    (r"возврат|возвращ|поверн|환불|반품|hoàn tiền|hoàn trả|trả hàng|dikembalikan|pengembalian|คืน", "return"),
    (r"退|返品|返金", "return"),
)  # fmt: skip
#: What is known to be a sale. A value that neither these nor the words above know counts as one, but is said.
_SALES = re.compile(
    r"complet|paid|ship|deliver|fulfil|process|success|captur|authoriz|settled|invoice|sale|sold|purchase|\bbuy|order|\bok\b|done|closed|open|active|accept|approv|confirm|receiv|finish|payment|charge|yes|new|dispatch|pick|pack|transit|normal|regular"
    r"|versand|versendet|geliefert|abgeschlossen|bezahlt|erledigt|verkauf|rechnung|offen|zugestellt|bestätigt|fertig|neu|bearbeitung"
    r"|livr|pay|expédi|termin|valid|vente|envoy|entreg|pagad|enviad|complet|vendid|venta|pago|conclu|evas|spedit|consegn|vendit|complet|voltooid|verzonden|betaald|geleverd|zrealiz|wysłan|opłacon|dostarcz|vyříz|odesl|zaplac|doruč|tamamla|teslim|gönderil|ödendi"
    r"|skickad|betald|levererad|slutför|afslut|betalt|levert|sendt|fullfør|toimitet|maksettu|valmis|teljes|kiszállít|fizet|livrat|platit|ολοκλ|παραδ"
    r"|выполн|оплач|достав|заверш|продаж|отправ|викон|сплач|成功|完成|已付|已发|发货|签收|已收|支付|购买|消费|销售|売上|完了|発送|済|배송|완료|결제|구매|판매|hoàn thành|đã giao|thành công|selesai|terkirim|dibayar|สำเร็จ|จัดส่ง"
)
#: States that mean "paid back" where another value says that orders are complete, and "done" elsewhere.
_CLOSED = frozenset({"closed"})
_COMPLETE = re.compile("complete")
#: What visitors do before they buy, where another value says that they bought.
_BOUGHT = re.compile(r"purchas\w*|buy|bought|order(ed|s)?|sale|checkout_completed|transaction|购买|成交|下单|支付")
_BROWSED = re.compile(
    r"view|browse|click|cart|basket|wish|search|log[-_ ]?in|visit|impression|checkout_started|fav|pv|浏览|加购|收藏|点击|访问|搜索|查看"
)
_YES, _NO = (
    frozenset(
        [
            "true",
            "t",
            "1",
            "yes",
            "y",
            "ja",
            "j",
            "x",
            "✓",
            "✔",
            "wahr",
            "vrai",
            "oui",
            "sí",
            "si",
            "da",
            "да",
            "tak",
            "是",
            "1.0",
            "예",
        ]
    ),
    frozenset(["false", "f", "0", "no", "n", "nein", "non", "нет", "nie", "否", "0.0", "아니오", "-"]) | {""},
)
#: States of parcels, where what is pending is paid for.
_OF_PARCELS = re.compile(r"ful?fil|ship|deliver|versand|liefer|expédi|env[ií]o|物流|发货|配送|配達|배송")
#: Names of types of something else.
_OTHERS = re.compile(
    r"member|customer|client|kunde|product|produkt|article|artikel|item|card|karte|pay(ment)? ?(type|method)|zahlungsart|versandart"
    r"|ship|deliver|liefer|store|filial|kanal|channel|tax|steuer|商品|产品|产品|会员|客户|用户|支付|付款方式|配送"
)
_PLACES = re.compile(
    r"city|town|zip|postal|postcode|county|country|region|province|address|stadt|ort|plz|land|ville|ciudad|citt"
)
#: A type column of more values that nobody knows is of goods, or of something else.
_FEW_TYPES = 4


def of_rows(name: str) -> bool | None:
    """Whether a column's name speaks of rows (True) or of orders (False); None where it is no column of states."""
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("_", " ")
    for pattern, speaks_of_rows in NAMES:
        if re.search(rf"(?<!\w)({pattern})(?!\w)", lowered):
            return speaks_of_rows
    return next((speaks_of_rows for pattern, speaks_of_rows in _CHINESE if re.search(pattern, lowered)), None)


def kinds(values: Sequence[str], *, name: str = "") -> dict[str, Kind]:
    """What each value says, by its words; ``name`` is the column's."""
    has_complete = any(_COMPLETE.search(value.lower()) for value in values)
    has_bought = any(_BOUGHT.fullmatch(value.strip().lower()) for value in values)
    found = {value: _kind(_folded(value), has_complete=has_complete) for value in values}
    if _OF_PARCELS.search(name.lower()):
        found |= {value: "sale" for value in values if re.search("pending|hold|待|ausstehend", value.lower())}
    if has_bought:
        found |= {value: "none" for value in values if _BROWSED.search(value.lower())}
    return found


def _folded(value: str) -> str:
    """In lower case; Turkish has a dot on its large I, which stays behind as a sign of its own."""
    return value.strip().lower().replace("\u0307", "")


def _kind(value: str, *, has_complete: bool) -> Kind:
    if value in _CLOSED and has_complete:
        return "return"
    return next((kind for pattern, kind in WORDS if re.search(pattern, value)), "sale")


def unknown(name: str, values: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Values of a column of states that are not known, where it may say what rows are.

    Args:
        name: the column's.
        values: its values.
        others: names of the other columns: beside a city a state is a place.
    """
    if len(values) < 2 or of_rows(name) is None:
        return ()
    known = [
        value
        for value in values
        if not value or _SALES.search(value.lower()) or _kind(value.lower(), has_complete=False) != "sale"
    ]
    rest = tuple(value for value in values if value not in known)
    of_types = of_rows(name) and (_OTHERS.search(name.lower()) is not None or len(values) > _FEW_TYPES)
    of_places = any(_PLACES.search(other.lower()) for other in others) and re.search("stat|estado|stato", name.lower())
    are_places = of_places or all(re.fullmatch("[A-Z]{2}", value) for value in values if value)
    return () if of_types or are_places else rest


def marks(name: str, values: Sequence[str]) -> dict[str, Kind] | None:
    """The same for a column of truth values whose name says what is true: ``is_cancelled``, ``Storno``, ``退款``."""
    folded = {value.strip().lower() for value in values}
    if not folded <= _YES | _NO or not folded & _YES:
        return None
    kind = _kind(name.strip().lower().replace("_", " "), has_complete=False)
    if kind == "sale":
        return None
    return {value: kind if value.strip().lower() in _YES else "sale" for value in values}


def marks_a_time(name: str) -> bool:
    """Whether a column of times says by its name when an order ceased to be a sale: ``cancelled_at``, ``Stornodatum``."""
    return _kind(name.strip().lower().replace("_", " "), has_complete=False) != "sale" and of_rows(name) is None
