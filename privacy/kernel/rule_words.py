"""What one-line rules may name of a customer's own rows, and of what kind it is: closed lists, alike everywhere."""

from __future__ import annotations

from privacy.kernel.features import Feature
from privacy.kernel.feeds import Role
from privacy.tags.tree import COUNT, DAYS, SHARE, Kind, Unit

#: Facts that every order gives, with no further question.
OF_ORDERS = ("orders", "money", "recency_days", "tenure_days")
#: What is worked out of a day of birth: whole years, and days until the next birthday (0: today).
OF_BIRTH: dict[str, Unit] = {"customer.age": Unit("years", 1), "customer.birthday": DAYS}
#: Of the time of an event, by the clock on the source's wall; Monday is 1.
OF_TIME: dict[str, Unit] = {"weekday": COUNT, "hour": COUNT, "month": COUNT}
#: Money of one event: in parts of the unit that a rate of exchange leaves exact enough.
QUANTA = Unit("money", 10_000)


def unit_of_feature(feature: Feature, money: Unit) -> Unit:
    """What a feature's integers are in.

    Args:
        feature: which.
        money: the unit of the study's money.
    """
    by_unit = {
        "days": DAYS, "days, hundredths": Unit("days", 100), "thousandths": SHARE, "minor units": money,
        "orders": COUNT, "lines, hundredths": Unit("count", 100),
    }  # fmt: skip
    return by_unit[feature.unit]


def kind_of_role(name: str, role: Role) -> Kind:
    """What a role of an event is, as filters see it."""
    match role.kind:
        case "money":
            return QUANTA
        case "number":
            return Unit(name, 1)
        case "flag":
            return "flag"
    return "text"


def kind_of_attribute(role: Role) -> Kind | None:
    """What an attribute of a customer is, beside those of :data:`OF_BIRTH`; None where rules do not read it."""
    if role.kind in ("text", "flag"):
        return "flag" if role.kind == "flag" else "text"
    return None
