"""What declared tables may count by, and what they may add up: closed lists, with what each needs of a holder's feeds.

Nothing here reads a row. A holder's builder gives every name its meaning (``clients/data``); so what a name means is
said here, precisely, once.

**Days** are calendar days of the holder's own clock, as ``evening_share`` has them. **An order** is what the customer
table takes for one: it begins with its first purchase line, and that is its time, channel and store; it counts before
the as-of day only. **A missing value** of a text is :data:`privacy.kernel.keys.OTHER` where that is among the keys, and
has no key otherwise; a missing number, day or stage has no key. What has no key adds nothing to the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, StringConstraints

from privacy.kernel.feeds import FEEDS, STAGES, FeedName

#: How many cells one customer can be in. ``customer``: one key a customer. ``event``: that of each event. ``ordered``:
#: the stage of the one event that is taken, where a further stage contains the ones before it. ``model``: all keys,
#: each with a weight.
Grain = Literal["customer", "event", "ordered", "model"]

#: Which form of keys fits: listed texts with "other" last; exactly these texts or some of them; a range or bins of
#: whole numbers; periods of days.
KeyKind = Literal["text", "closed", "number", "period"]


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One name that a table may be counted by.

    Attributes:
        feed: whose rows say it; empty for a tag, of which several may.
        needs: roles that a holder must have mapped, as (feed, role).
        grain, keys: see :data:`Grain` and :data:`KeyKind`.
        values: for ``closed``: every key there is, in order.
        en, zh: for people.
    """

    feed: FeedName | Literal[""]
    needs: tuple[tuple[FeedName, str], ...]
    grain: Grain
    keys: KeyKind
    values: tuple[str, ...] = ()
    en: str
    zh: str

    @property
    def of_a_holder(self) -> bool:
        """Whether its keys are single holders' by nature; see :class:`privacy.kernel.feeds.Role`."""
        return any(FEEDS[feed][role].of_a_holder for feed, role in self.needs)


DimensionName = Literal[
    "customer.gender", "customer.age_band", "customer.region", "customer.occupation", "customer.level",
    "customer.company", "customer.first_channel", "customer.known",
    "first_order.month", "tenure_band", "recency_band", "discount_band", "orders_365_band", "loyalty_band",
    "orders_band", "money_band",
    "second_order.outcome", "second_order.days",
    "order.month", "order.months_since_first", "order.category", "order.brand", "order.channel", "order.store",
    "order.daypart", "order.weekday",
    "session.source", "session.device", "session.furthest",
    "view.page", "view.seconds_band",
    "touch.channel", "touch.model",
    "return.reason", "return.category",
    "rating.stars", "rating.topic", "rating.category",
    "contact.topic",
    "sent.campaign", "sent.arm", "sent.outcome",
]  # fmt: skip

#: Parts of the day, from 0, 6, 12 and 18 o'clock; and days of the week.
DAYPARTS = ("night", "morning", "afternoon", "evening")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MODELS = ("first", "last", "linear")


def _customer(role: str, en: str, zh: str) -> Dimension:
    return Dimension(feed="customer", needs=(("customer", role),), grain="customer", keys="text", en=en, zh=zh)


def _orders(keys: KeyKind, en: str, zh: str, values: tuple[str, ...] = (), role: str = "") -> Dimension:
    """One key a customer, from its orders."""
    needs: tuple[tuple[FeedName, str], ...] = (("order", role),) if role else ()
    return Dimension(feed="order", needs=needs, grain="customer", keys=keys, values=values, en=en, zh=zh)


def _event(feed: FeedName, role: str, en: str, zh: str, keys: KeyKind = "text") -> Dimension:
    return Dimension(feed=feed, needs=((feed, role),), grain="event", keys=keys, en=en, zh=zh)


def _of_time(keys: KeyKind, en: str, zh: str, values: tuple[str, ...] = ()) -> Dimension:
    """A key of each order, from when it began."""
    return Dimension(feed="order", needs=(), grain="event", keys=keys, values=values, en=en, zh=zh)


#: Every name. What is not plain from it:
#:
#: - ``customer.age_band``: whole years on the as-of day, from ``born``. ``customer.company``: ``yes`` or ``no``.
#: - ``customer.known``: ``yes`` where all of the use's ``roles`` of the feed ``customer`` have a value, else ``no``; a
#:   customer who is in any feed counts, also one who is in no row of ``customer``.
#: - ``first_order.month``: of the day of the customer's first order.
#: - ``tenure_band``, ``recency_band``, ``orders_365_band``, ``discount_band``, ``loyalty_band``, ``orders_band``: the
#:   features ``tenure_days``, ``recency_days``, ``orders_365``, ``discount_share`` and ``loyalty`` (thousandths) and
#:   ``orders``, in bins. ``money_band``: ``money`` in bins of whole units of the study's currency: (50,) are two keys,
#:   of up to 50.00 and of more.
#: - ``second_order.outcome``, ``.days``: ``again`` and the days from the first to the second order (0 on the same day);
#:   or ``not_yet`` and the days from the first order to the as-of day (1 for an order of the day before).
#: - ``order.months_since_first``: calendar months from the month of the customer's first order to that of this one.
#: - ``order.category``, ``order.brand``: of purchase lines; an order is in the cells of all of its lines.
#: - ``session.furthest``: the stage that a visit reached. ``touch.model``, ``touch.channel``: see ``EventChoice``.
#: - ``sent.outcome``: ``bought`` where an order began within ``outcome_days`` days after the message (not before it),
#:   else ``not``.
DIMENSIONS: dict[DimensionName, Dimension] = {
    "customer.gender": _customer("gender", "gender", "性别"),
    "customer.age_band": Dimension(feed="customer", needs=(("customer", "born"),), grain="customer", keys="number",
                                   en="age", zh="年龄"),
    "customer.region": _customer("region", "region", "地区"),
    "customer.occupation": _customer("occupation", "occupation", "职业"),
    "customer.level": _customer("level", "member level", "会员等级"),
    "customer.company": Dimension(feed="customer", needs=(("customer", "company"),), grain="customer", keys="closed",
                                  values=("yes", "no"), en="company", zh="企业客户"),
    "customer.first_channel": _customer("first_channel", "first channel", "首次渠道"),
    "customer.known": Dimension(feed="customer", needs=(), grain="customer", keys="closed", values=("yes", "no"),
                                en="complete portrait", zh="画像完整"),
    "first_order.month": _orders("period", "first order in", "首单时期"),
    "tenure_band": _orders("number", "days since first order", "距首单天数"),
    "recency_band": _orders("number", "days since last order", "距上次购买天数"),
    "discount_band": _orders("number", "lines on discount, thousandths", "折扣购买占比（千分）", role="discount"),
    "orders_365_band": _orders("number", "orders in a year", "一年订单数"),
    "loyalty_band": _orders("number", "loyalty, thousandths", "忠诚度（千分）"),
    "orders_band": _orders("number", "orders", "订单数"),
    "money_band": _orders("number", "spend", "消费额", role="amount"),
    "second_order.outcome": _orders("closed", "second order", "第二单", ("again", "not_yet")),
    "second_order.days": _orders("number", "days", "天数"),
    "order.month": _of_time("period", "ordered in", "下单时期"),
    "order.months_since_first": _of_time("number", "months since first order", "距首单月数"),
    "order.category": _event("order", "category", "category", "品类"),
    "order.brand": _event("order", "brand", "brand", "品牌"),
    "order.channel": _event("order", "channel", "channel", "渠道"),
    "order.store": _event("order", "store", "store", "门店"),
    "order.daypart": _of_time("closed", "time of day", "时段", DAYPARTS),
    "order.weekday": _of_time("closed", "day of the week", "星期", WEEKDAYS),
    "session.source": _event("session", "source", "source", "流量来源"),
    "session.device": _event("session", "device", "device", "设备"),
    "session.furthest": Dimension(feed="session", needs=(("session", "furthest"),), grain="ordered", keys="closed",
                                  values=STAGES, en="furthest step", zh="到达的最远一步"),
    "view.page": _event("view", "page", "page", "页面"),
    "view.seconds_band": _event("view", "seconds", "seconds", "停留秒数", "number"),
    "touch.channel": _event("touch", "channel", "channel", "触点渠道"),
    "touch.model": Dimension(feed="touch", needs=(), grain="model", keys="closed", values=MODELS, en="model",
                             zh="归因模型"),
    "return.reason": _event("return", "reason", "reason", "退货原因"),
    "return.category": _event("return", "category", "category", "品类"),
    "rating.stars": _event("rating", "stars", "stars", "星级", "number"),
    "rating.topic": _event("rating", "topic", "topic", "评价主题"),
    "rating.category": _event("rating", "category", "category", "品类"),
    "contact.topic": _event("contact", "topic", "topic", "咨询主题"),
    "sent.campaign": _event("sent", "campaign", "campaign", "活动"),
    "sent.arm": _event("sent", "arm", "arm", "组别"),
    "sent.outcome": Dimension(feed="sent", needs=(), grain="event", keys="closed", values=("bought", "not"),
                              en="bought afterwards", zh="之后购买"),
}  # fmt: skip

if set(DIMENSIONS) != set(get_args(DimensionName)):  # a name without an entry, found when the module is loaded
    raise TypeError("DIMENSIONS and DimensionName differ")

# --- measures ------------------------------------------------------------------------------------------------------

#: One whole in shares and weights.
WHOLE = 1 << 20

#: What a value is. ``customers``: 1 in every cell that the customer is in. ``count``: its events of the feed there (an
#: order once, however many lines). ``sum``: of a role, in minor units of the study's currency for money, in whole
#: numbers else; an order's money is net of what is returned, by the study's rules (what is booked under an order that
#: has no purchase line is set off in tables of customers only, at its first line's time). ``share`` of a feed:
#: ``count`` there times :data:`WHOLE`, by the customer's ``count`` in all cells of the table, rounded down. ``share``
#: of a flag: purchase lines there that have it, in parts of :data:`WHOLE` of all purchase lines there, rounded down.
#: ``weight`` and ``weighted``: see :class:`privacy.kernel.declarations.EventChoice`.
MeasureKind = Literal["customers", "count", "sum", "share", "weight", "weighted"]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a measure's text means.

    Attributes:
        kind: see :data:`MeasureKind`.
        feed, role: whose events, and what of them; empty where it needs none.
    """

    kind: MeasureKind
    feed: FeedName | Literal[""] = ""
    role: str = ""

    @property
    def unit(self) -> Literal["customers", "count", "money", "number", "share"]:
        """Of its integers: customers, events, minor units, whole numbers, or parts of :data:`WHOLE`."""
        if self.kind in ("customers", "count"):
            return "customers" if self.kind == "customers" else "count"
        if self.kind in ("share", "weight"):
            return "share"
        role = FEEDS[self.feed][self.role] if self.feed else None
        return "money" if role is not None and role.kind == "money" else "number"


_CALL = re.compile(r"^(count|sum|share)\(([a-z]+)(?:\.([a-z_]+))?\)$")
#: The forms of a measure, for people.
FORMS = '"customers", "count(order)", "sum(order.amount)", "share(order)", "share(order.discount)", "weight", ' \
    '"weight * order.amount"'  # fmt: skip


def meaning_of(text: str) -> Meaning:
    """What a measure means.

    Raises:
        ValueError: if there is no such measure, naming what there is.
    """
    if text == "customers":
        return Meaning(kind="customers")
    if text == "weight":
        return Meaning(kind="weight", feed="touch")
    if text == "weight * order.amount":
        return Meaning(kind="weighted", feed="order", role="amount")
    found = _CALL.match(text)
    if found is None:
        raise ValueError(f"there is no measure {text!r}; write one of {FORMS}")
    kind, feed, role = found[1], found[2], found[3] or ""
    if feed not in FEEDS or feed == "customer":
        raise ValueError(f"{text}: there is no feed {feed!r}; there is: {', '.join(list(FEEDS)[1:])}")
    roles = FEEDS[feed]
    if role and role not in roles:
        raise ValueError(f"{text}: {feed} has no role {role!r}; it has: {', '.join(roles)}")
    fits = {
        "count": not role,
        "sum": bool(role) and roles[role].kind in ("money", "number"),
        "share": not role or (feed == "order" and roles[role].kind == "flag"),
    }
    if not fits[kind]:
        raise ValueError(f"{text}: write one of {FORMS}")
    return Meaning(kind=kind, feed=feed, role=role)  # type: ignore[arg-type]


def _measure(text: str) -> str:
    meaning_of(text)
    return text


#: A measure as studies write it.
MeasureText = Annotated[str, StringConstraints(max_length=60), AfterValidator(_measure)]
