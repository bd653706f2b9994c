"""How feeds and their columns are called, in English, German and Chinese: see :mod:`clients.data.guess.names`."""

from __future__ import annotations

from clients.data.guess.names import words
from privacy.kernel.feeds import FeedName


def compared(name: str) -> str:
    """A name as names are compared: without case, accents, spaces and signs."""
    return "".join(words(name))


#: By feed, what the name of a table or file says of it; the first that fits counts.
FEED_NAMES: dict[FeedName, str] = {
    "session": r"session|visit|besuch|sitzung|会话|访问",
    "view": r"pageview|pagehit|seitenaufruf|浏览|^views?(rows|log|events|table)?$",
    "touch": r"touch|adclick|adimpression|attribution|kampagnenkontakt|触点|广告点击",
    "cart": r"cart|basketevent|warenkorb|购物车|加购",
    "return": r"return|refund|retoure|rueckgabe|退货|退款",
    "rating": r"rating|review|bewertung|评价|评论",
    "contact": r"ticket|contact|supportcase|anfrage|客服|咨询|工单",
    "sent": r"sent|mailing|campaignsend|newsletter|versand|短信|推送",
    "customer": r"^(crm)?(customers?|members?|clients?|users?|kunden?|mitglieder|会员|客户)"
    r"(rows|table|list|data|master|stamm|信息|资料)?$",
}


def _names(**roles: str) -> dict[str, tuple[str, ...]]:
    return {role: tuple(text.split()) for role, text in roles.items()}


#: By feed and role, how columns are called; the more telling first.
ROLE_NAMES: dict[FeedName, dict[str, tuple[str, ...]]] = {
    "customer": _names(
        gender="gender sex geschlecht 性别",
        born="born birthday birth_date date_of_birth birthdate dob birth_year geburtsdatum geburtstag 生日 出生日期",
        region="region province state county bundesland 省份 省 地区",
        occupation="occupation profession job beruf 职业",
        level="level tier member_level loyalty_tier status_level stufe 会员等级 等级",
        company="company is_company is_b2b b2b business firma 企业客户 是否企业",
        first_channel="first_channel acquisition_channel utm_first signup_channel source erstkanal 首次渠道 注册渠道",
    ),
    "session": _names(
        time="started started_at start_time session_start session_time visited_at visit_time 开始时间 访问时间",
        source="source utm_source traffic_source referrer channel quelle 来源 流量来源 渠道",
        device="device device_type platform geraet 设备",
        page="page landing_page entry_page landing seite 页面 落地页",
        pages="pages page_count page_views pageviews seiten 页数",
        seconds="seconds duration dwell dwell_seconds duration_seconds dauer 停留秒数 停留时长",
        furthest="furthest stage funnel_stage step furthest_step stufe 阶段",
    ),
    "view": _names(
        time="viewed_at view_time viewed hit_time 浏览时间",
        page="page page_type page_category seite 页面",
        product="product sku product_id item article artikel 商品编号 商品",
        category="category kategorie warengruppe 品类 类目",
        price="price preis 价格",
        seconds="seconds duration dwell dauer 停留秒数",
    ),
    "touch": _names(
        time="touched_at touch_time clicked_at click_time 触点时间",
        channel="channel utm_source source kanal 渠道",
        campaign="campaign utm_campaign kampagne 活动",
        cost="cost spend kosten 费用 成本",
    ),
    "cart": _names(
        time="added_at cart_time event_time 加购时间",
        stage="stage event action status 阶段",
        amount="amount value betrag 金额",
        category="category kategorie 品类",
    ),
    "return": _names(
        time="returned_at return_date refund_date refunded_at retourendatum 退货时间 退款时间",
        order="order_id order order_no order_number bestellnummer 订单号 订单编号",
        reason="reason return_reason grund retourengrund 退货原因 原因",
        amount="amount refund refund_amount refunded betrag 退款金额 金额",
        category="category kategorie 品类",
    ),
    "rating": _names(
        time="rated_at reviewed_at review_date bewertungsdatum 评价时间",
        order="order_id order order_no bestellnummer 订单号",
        stars="stars rating score sterne 星级 评分",
        topic="topic aspect thema 主题",
        category="category kategorie 品类",
    ),
    "contact": _names(
        time="opened_at contacted_at contact_time ticket_time 咨询时间",
        topic="topic subject reason category thema anliegen 主题 问题类型",
        minutes="minutes duration_minutes handling_minutes minuten 时长",
    ),
    "sent": _names(
        time="sent_at sent send_time versendet_am 发送时间",
        campaign="campaign campaign_id kampagne 活动",
        arm="arm variant test_group group_name gruppe 组别",
        channel="channel kanal 渠道",
    ),
}
