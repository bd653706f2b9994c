"""Feeds: what a holder may know of its customers beside purchase lines, in the words that studies and policies share.

A feed is a table of events (each with a customer and a time), or, under ``customer``, one row a customer. Names and
roles are a closed list; which of a holder's columns plays which role is the holder's own business (``holder.toml``).
A holder without a feed, or without one of its roles, has no entries of it: it answers zeros and its noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from privacy.kernel.columns import Column

#: One row a customer, and the feeds of events.
FeedName = Literal["customer", "order", "session", "view", "touch", "cart", "return", "rating", "contact", "sent"]

#: Name of a role.
RoleName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]

#: What a role's values are. ``text``: one of the study's keys after the holder's own spellings are replaced, else
#: "other"; ``stage``: one of :data:`STAGES`; ``money``: minor units of the study's currency; ``number``: whole numbers;
#: ``flag``: true or false; ``day``: a calendar day; ``id``: joins events, and is never a key.
RoleKind = Literal["text", "stage", "money", "number", "flag", "day", "id"]

#: How far a visit came, in order.
STAGES = ("reached", "viewed", "in_cart", "checkout", "ordered")


@dataclass(frozen=True, kw_only=True)
class Role:
    """One column of a feed.

    Attributes:
        kind: what its values are.
        column: what policies call it.
        sensitive: whether a policy must name it before any study may read it, whatever else it allows.
        of_a_holder: whether its values are a single holder's by their nature (a shop, an own brand), so that totals by
            them are that holder's totals, and need its consent to figures by holder.
    """

    kind: RoleKind
    column: Column
    sensitive: bool = False
    of_a_holder: bool = False


#: Every feed with its roles, beside ``customer`` (the id) and, of events, ``time``.
FEEDS: dict[FeedName, dict[str, Role]] = {
    "customer": {
        "gender": Role(kind="text", column="customer.gender", sensitive=True),
        "born": Role(kind="day", column="customer.born", sensitive=True),
        "region": Role(kind="text", column="customer.region", sensitive=True, of_a_holder=True),
        "occupation": Role(kind="text", column="customer.occupation", sensitive=True),
        "level": Role(kind="text", column="customer.level"),
        "company": Role(kind="flag", column="customer.company", sensitive=True),
        "first_channel": Role(kind="text", column="customer.first_channel"),
    },
    "order": {
        "order": Role(kind="id", column="orders"),
        "amount": Role(kind="money", column="money"),
        "category": Role(kind="text", column="category"),
        "channel": Role(kind="text", column="channel", of_a_holder=True),
        "store": Role(kind="text", column="store", of_a_holder=True),
        "brand": Role(kind="text", column="brand", of_a_holder=True),
        "discount": Role(kind="flag", column="discount"),
        "cost": Role(kind="money", column="cost"),
    },
    "session": {
        "source": Role(kind="text", column="session.source"),
        "device": Role(kind="text", column="session.device"),
        "page": Role(kind="text", column="session.page"),
        "pages": Role(kind="number", column="session.pages"),
        "seconds": Role(kind="number", column="session.seconds"),
        "furthest": Role(kind="stage", column="session.furthest"),
    },
    "view": {
        "page": Role(kind="text", column="view.page"),
        "product": Role(kind="id", column="view.product"),
        "category": Role(kind="text", column="view.category"),
        "price": Role(kind="money", column="view.price"),
        "seconds": Role(kind="number", column="view.seconds"),
    },
    "touch": {
        "channel": Role(kind="text", column="touch.channel"),
        "campaign": Role(kind="text", column="touch.campaign"),
        "cost": Role(kind="money", column="touch.cost"),
    },
    "cart": {
        "stage": Role(kind="text", column="cart.stage"),
        "amount": Role(kind="money", column="cart.amount"),
        "category": Role(kind="text", column="cart.category"),
    },
    "return": {
        "order": Role(kind="id", column="return"),
        "reason": Role(kind="text", column="return.reason"),
        "amount": Role(kind="money", column="return.amount"),
        "category": Role(kind="text", column="return.category"),
    },
    "rating": {
        "order": Role(kind="id", column="rating"),
        "stars": Role(kind="number", column="rating.stars"),
        "topic": Role(kind="text", column="rating.topic", sensitive=True),
        "category": Role(kind="text", column="rating.category"),
    },
    "contact": {
        "topic": Role(kind="text", column="contact.topic"),
        "minutes": Role(kind="number", column="contact.minutes"),
    },
    "sent": {
        "campaign": Role(kind="text", column="sent.campaign"),
        "arm": Role(kind="text", column="sent.arm"),
        "channel": Role(kind="text", column="sent.channel"),
        "hold_out": Role(kind="number", column="sent.arm"),
    },
}

#: What policies call that a feed is read at all: how many of its events a customer has, and when.
PRESENCE: dict[FeedName, Column] = {
    "customer": "customer", "order": "orders", "session": "session", "view": "view", "touch": "touch", "cart": "cart",
    "return": "return", "rating": "rating", "contact": "contact", "sent": "sent",
}  # fmt: skip

#: What a policy must name in its list of sensitive things before any study may look at it.
SENSITIVE: frozenset[Column] = frozenset(
    role.column for roles in FEEDS.values() for role in roles.values() if role.sensitive
)


def _known(value: dict[FeedName, tuple[RoleName, ...]]) -> dict[FeedName, tuple[RoleName, ...]]:
    for feed, roles in value.items():
        if list(roles) != sorted(set(roles) & set(FEEDS[feed])):
            raise ValueError(f"{feed}: roles of that feed, sorted, each once")
    return value


#: Feeds and their roles, as a holder declares that it has them: names of the closed list, nothing else.
Declared = Annotated[
    dict[FeedName, Annotated[tuple[RoleName, ...], Field(max_length=20)]],
    Field(max_length=len(FEEDS)),
    AfterValidator(_known),
]

if set(FEEDS) != set(get_args(FeedName)) or set(PRESENCE) != set(FEEDS):  # found when the module is loaded
    raise TypeError("FEEDS, PRESENCE and FeedName differ")
