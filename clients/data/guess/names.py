"""How columns are called: words of shop, till, CRM and ERP systems, in English, German, Chinese and neighbours.

A name is compared without case, accents, spaces and signs. In every list the more telling names stand first.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable


def _tuple(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _frozenset(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Names by role.
NAMES: dict[str, tuple[str, ...]] = {
    "customer": _tuple(
        """
        customer_id customer_key customer_no customer_number customer_code cust_id cust_no custkey customer cust
        client_id client_no client member_id member_no memberno membership_id member loyalty_id loyalty_card card_no
        card_number card_id household_id household user_id userid uid user buyer_id buyer shopper_id account_id
        account contact_id
        person_id bill_to sold_to ship_to_customer bp_code partner_id kunnr kundennummer kundennr kunden_nr kunden_id
        kunde_id kundenkonto kundenkarte kunde debitorennummer debitor master_id 客户编号 客户ID 客户代码 客户号
        会员编号 会员卡号 会员ID 会员号 用户ID 用户编号 买家ID 买家编号 买家昵称 顾客编号 顾客ID 客户 会员 用户 买家
        顾客 卡号 code_client numero_client id_client id_cliente cod_cliente cliente klantnummer klant_id klant
        sample_id email e_mail mail phone mobile telephone telefon handynummer handy telefono telefoon 手机号 手机 电话
        客户名称 customer_name
        """
    ),
    "order": _tuple(
        """
        order_id order_number order_no order_nr order_key order_code orderno invoice_id invoice_no invoice_number
        invoice order receipt_id receipt_no receipt_number receipt basket_id basket transaction_id transaction_no
        trans_id txn_id transaction sale_id sales_id sales_order sales_doc ticket_id ticket_no ticket check_no bill_no
        bill_id document_no document_number doc_no docnum vbeln belegnummer belegnr beleg_nr beleg bonnummer bonnr
        bon_nr bon kassenbon rechnungsnummer rechnungsnr rechnung_nr rechnung auftragsnummer auftragsnr auftrag
        bestellnummer bestellnr bestell_id bestellung vorgangsnummer 订单号 订单编号 订单ID 主订单编号 单号 销售单号
        小票号 小票编号 交易号 交易编号 流水号 发票号 订单 numero_commande id_commande commande facture id_pedido
        pedido factura ordine scontrino ordernummer bestelling
        """
    ),
    "time": _tuple(
        """
        order_date ordered_at order_time order_datetime order_timestamp invoice_date purchase_date purchased_at
        purchase_time ts transaction_date transaction_time transaction_timestamp trans_date txn_date sold_at sale_date
        sale_time sales_date receipt_date ticket_date paid_at payment_time booking_date posting_date document_date
        timestamp datetime date_time date time created_at created creation_date erdat fkdat audat budat bestelldatum
        bestellzeit rechnungsdatum belegdatum kaufdatum verkaufsdatum auftragsdatum buchungsdatum bondatum datum
        zeitpunkt zeitstempel zeit 下单时间 订单创建时间 订单时间 付款时间 支付时间 交易时间 购买时间 销售时间
        下单日期 订单日期 交易日期 购买日期 销售日期 消费时间 消费日期 日期 时间 date_commande fecha_pedido fecha
        data_ordine data besteldatum
        """
    ),
    "amount": _tuple(
        """
        net_amount line_amount line_total amount_paid paid_amount sales_value sales_amount net_sales net_value
        extended_price total_price total_amount amount revenue turnover spend spent sales total value netwr
        nettobetrag positionsbetrag zeilenbetrag gesamtbetrag gesamtpreis nettowert bruttobetrag rechnungsbetrag
        betrag umsatz nettoumsatz summe wert 实付金额 实收金额 支付金额 付款金额 买家实际支付金额 成交金额 销售金额
        消费金额 订单金额 应付金额 金额 销售额 总价 总金额 总额 montant_ht montant importe importo bedrag omzet
        """
    ),
    "quantity": _tuple(
        """
        quantity qty order_qty order_quantity units unit_count pieces pcs item_count num_items count menge anzahl
        stueckzahl stueck stk absatzmenge fkimg kwmeng 购买数量 商品数量 销售数量 数量 件数 销量 quantite qte cantidad
        quantita aantal cds
        """
    ),
    "price": _tuple(
        """
        unit_price price_per_unit price_each item_price sales_price selling_price net_price price einzelpreis
        stueckpreis verkaufspreis vk_preis nettopreis preis netpr 商品单价 销售单价 单价 成交价 售价 价格
        prix_unitaire prix precio_unitario precio prezzo stukprijs prijs
        """
    ),
    "currency": _tuple(
        """
        currency_code currency_id currency curr_code curr ccy waehrungscode waehrung waers 币种 货币 币别 货币代码
        devise moneda valuta
        """
    ),
    "product": _tuple(
        """
        sku sku_id sku_code stock_code product_code product_id product_no product_key item_code item_id item_no
        item_number article_no article_number article_id article artikelnummer artikelnr artikel_nr artikel
        material_no material matnr upc ean gtin plu asin 商品编码 商品编号 商品ID 商品代码 商品货号 货号 SKU编码
        产品编号 产品ID 条码 product item 商品 产品 reference_article produit producto prodotto product_name
        artikelbezeichnung 商品名称
        """
    ),
    "channel": _tuple(
        """
        sales_channel channel_id channel order_channel order_source vertriebskanal vertriebsweg verkaufskanal kanal
        vtweg 销售渠道 渠道 订单来源 平台 canal kanaal
        """
    ),
    "store": _tuple(
        """
        store_id store_no store_number store_key store_code store shop_id shop branch_id branch outlet_id outlet
        location_id filialnummer filial_nr filiale filial_id verkaufsstelle werks 门店编号 门店ID 门店代码 门店
        店铺编号 店铺ID 店铺 门店名称 店铺名称 magasin tienda negozio winkel filiaal
        """
    ),
    "discount": _tuple(
        """
        discount_amount discount_value line_discount item_discount retail_discount retail_disc total_discount
        is_discounted on_sale is_promo discount_rate discount_pct discount_percent discount disc markdown promo_flag
        positionsrabatt rabattbetrag rabatt nachlass 折扣金额 优惠金额 折扣额 折扣率 折扣 优惠 remise descuento sconto
        korting
        """
    ),
}

#: Words that speak against a role, as whole words (or as part of a Chinese name).
AGAINST: dict[str, frozenset[str]] = {
    "customer": _frozenset("name group segment type class since birth age count 类型 等级 姓名 名称"),
    "order": _frozenset(
        """
        line item position pos date time at status type amount value total quantity qty source channel zeile datum
        betrag menge price customer key_account 行 时间 日期 金额 状态 数量 来源 渠道
        """
    ),
    "time": _frozenset(
        """
        delivery delivered ship shipped shipping due birth birthday update updated modified changed return returned
        refund expiry valid start end liefer lieferdatum versand versanddatum geburtsdatum geaendert faellig zone 发货
        送达 收货 更新 修改 生日 退款 结束 到期 week month year quarter
        """
    ),
    "amount": _frozenset(
        """
        discount disc tax vat cost costs shipping freight fee coupon unit margin profit refund tip points count
        quantity rabatt steuer mwst versand kosten marge pfand 折扣 优惠 税 成本 运费 退款 积分 邮费 单价 数量
        price_per
        """
    ),
    "quantity": _frozenset("price value amount id on_hand stock lager 库存 单价 金额 unit_price"),
    "price": _frozenset("cost list discount old total purchase einkauf ek uvp 成本 原价 吊牌价 市场价 总价"),
    "currency": _frozenset("rate exchange amount kurs 汇率"),
    "product": _frozenset("group category line count price quantity gruppe kategorie 类目 分类 数量 金额 单价"),
    "channel": _frozenset("cost fee date 费"),
    "store": _frozenset("date manager opened size city 面积 日期 店长"),
    "discount": _frozenset("after before net date code name reason 后 前 日期 编码 编号 名称"),
}

CURRENCIES = _frozenset(
    """
        EUR USD GBP CNY JPY CHF SEK NOK DKK PLN CZK HUF RON BGN ISK TRY UAH RUB AUD NZD CAD MXN BRL ARS CLP COP PEN
        INR IDR MYR SGD THB VND PHP KRW HKD TWD AED SAR QAR KWD BHD OMR JOD ILS EGP MAD TND DZD ZAR NGN KES GHS RMB
        """
)

#: Signs and words in column names and amounts that give a currency away.
SIGNS = {"€": "EUR", "£": "GBP", "¥": "CNY", "￥": "CNY", "元": "CNY", "人民币": "CNY", "euro": "EUR", "zł": "PLN"}

#: Signs that several currencies have.
_SHARED = {
    "$": "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP UYU BRL", "¥": "CNY JPY", "￥": "CNY JPY", "£": "GBP EGP",
    "kr": "SEK NOK DKK ISK", "kr.": "SEK NOK DKK ISK", "rs": "INR PKR LKR NPR", "rs.": "INR PKR LKR NPR",
    "元": "CNY TWD HKD",
}  # fmt: skip

#: Words, beside codes and signs of currencies, that stand before or behind amounts and pieces.
_UNITS = _frozenset(
    """
    kr kr. kč zł lei lv ft руб руб. р. ₽ грн rs rs. tl rm r$ us$ a$ ca$ c$ hk$ nt$ s$ nz$ mx$ fr. sfr. sfr euro euros
    rp rp. s/ s/. лв лв. cn¥ jp¥ usd$ 원 kn din
    元 圆 圓 円 人民币 港币 港元 nt stk stk. st. pcs pcs. pc ks szt szt. pz 个 件 瓶 盒 份
    """
)

_CLOCK_NAMES = _frozenset("time uhrzeit zeit clock hour heure hora ora tijd tid cas czas saat uzeit erzet bonzeit")

#: Words by which a German file is known.
GERMAN = _frozenset(
    """
    kunde kundennummer kundennr kunden datum bon beleg belegnummer bestellnummer rechnung rechnungsnummer
    rechnungsdatum bestelldatum betrag umsatz menge preis einzelpreis artikel artikelnummer filiale anzahl kaufdatum
    """
)

#: Countries as sales files write them, with their currency.
COUNTRIES = {
    "united kingdom": "GBP", "uk": "GBP", "great britain": "GBP", "gb": "GBP", "england": "GBP", "germany": "EUR",
    "deutschland": "EUR", "de": "EUR", "france": "EUR", "fr": "EUR", "spain": "EUR", "italy": "EUR", "austria": "EUR",
    "netherlands": "EUR", "ireland": "EUR", "belgium": "EUR", "china": "CNY", "cn": "CNY", "中国": "CNY",
    "united states": "USD", "usa": "USD", "us": "USD", "japan": "JPY", "switzerland": "CHF", "sweden": "SEK",
}  # fmt: skip
COUNTRY_NAMES = ("country", "land", "country_code", "国家", "pays", "pais", "paese")

#: Signs that one currency has; ``$``, ``¥`` and ``kr`` are of several.
_CODES = {
    "€": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "元": "CNY", "人民币": "CNY", "円": "JPY",
    "₫": "VND", "₹": "INR", "rs": "INR", "rs.": "INR", "₩": "KRW", "₽": "RUB", "руб": "RUB",
    "руб.": "RUB", "р.": "RUB", "₺": "TRY", "tl": "TRY", "₴": "UAH", "грн": "UAH", "zł": "PLN",
    "kč": "CZK", "ft": "HUF", "lei": "RON", "lv": "BGN", "฿": "THB", "₱": "PHP", "₪": "ILS",
    "rm": "MYR", "r$": "BRL", "us$": "USD", "hk$": "HKD", "港币": "HKD", "港元": "HKD", "nt$": "TWD",
    "a$": "AUD", "c$": "CAD", "ca$": "CAD", "s$": "SGD", "nz$": "NZD", "mx$": "MXN", "fr.": "CHF",
    "sfr": "CHF", "sfr.": "CHF", "rp": "IDR", "rp.": "IDR", "s/": "PEN", "s/.": "PEN", "лв": "BGN", "лв.": "BGN",
    "cn¥": "CNY", "jp¥": "JPY", "usd$": "USD", "원": "KRW",
}  # fmt: skip

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def words(name: str) -> list[str]:
    """A name's words, lower case and without accents: ``UnitPrice (GBP)`` is unit, price, gbp."""
    name = unicodedata.normalize("NFC", name).translate(_UMLAUTS)
    name = "".join(part for part in unicodedata.normalize("NFKD", name) if not unicodedata.combining(part))
    return [part for part in re.split(r"[\W_]+", _CAMEL.sub(" ", name).lower()) if part]


def is_currency(sign: str) -> bool:
    """Whether what stands beside a number is a currency's sign, code or word, or a unit of pieces."""
    return (
        sign.upper() in CURRENCIES or sign.lower() in _UNITS or all(unicodedata.category(one) == "Sc" for one in sign)
    )


def is_clock(name: str) -> bool:
    """Whether a column is called as times of day are."""
    own = words(name)
    return any(word in _CLOCK_NAMES or (_is_chinese(word) and "时间" in word) for word in own)


def code_of(sign: str) -> str | None:
    """The currency of a sign beside amounts; None where several have it."""
    return sign.upper().replace("RMB", "CNY") if sign.upper() in CURRENCIES else _CODES.get(sign.lower())


def codes_of(sign: str) -> frozenset[str]:
    """The currencies that write a sign beside amounts; none where it is of no currency, such as a unit of pieces."""
    if (several := _SHARED.get(sign.lower())) is not None:
        return _frozenset(several)
    code = code_of(sign)
    return frozenset() if code is None else frozenset([code])


def common_codes(signs: Iterable[str]) -> frozenset[str] | None:
    """The currencies that write all of some signs; None where they are of no currency."""
    of = [codes for sign in signs if (codes := codes_of(sign))]
    return frozenset.intersection(*of) if of else None


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)


@functools.lru_cache(maxsize=10_000)
def score(role: str, name: str) -> float:
    """How well a column's name fits a role, 0 to 1."""
    own = words(name)
    core = [word for word in own if word.upper() not in CURRENCIES] or own
    joined, best = "".join(core), 0.0
    for rank, entry in enumerate(NAMES[role]):
        parts = words(entry)
        squashed = "".join(parts)
        if joined == squashed:
            found = 1.0
        elif any(core[i : i + len(parts)] == parts for i in range(len(core))) or (
            len(squashed) > 4 and squashed in joined
        ):
            found = 0.8
        elif _is_chinese(squashed) and squashed in joined:
            found = 0.7
        else:
            continue
        # Later entries of a list are vaguer; a longer match beats a shorter one.
        best = max(best, found - 0.3 * rank / len(NAMES[role]) + 0.01 * min(len(squashed), 5))
    speaks_against = any(
        (item in joined if _is_chinese(item) else item in own) and item not in "".join(words(NAMES[role][0]))
        for item in AGAINST[role]
    )
    return max(0.0, min(1.0, best) - (0.6 if speaks_against and best < 0.95 else 0.0))
