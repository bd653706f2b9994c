"""From cleaned lines to orders, cut at the days of a request."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import is_discounted, says
from clients.data.cleaning.lines import KEPT, NETTED
from clients.data.cleaning.money import money_of
from clients.data.cleaning.times import moment_literal, wall_time, zone_at, zone_of
from clients.data.origin import Origin
from clients.data.place import Reading
from clients.data.recipes.common import GAP_SECONDS
from clients.data.recipes.facts import SumName
from privacy.kernel.feature_request import CategoryKind, FeatureRequest
from privacy.kernel.features import ListName, listed_place
from privacy.protocol.study import Study

#: Lines that make a customer one of a kind.
IN_KIND = "in_kind"
_EVENING = 18
_SATURDAY = 5
#: Sums over every other day of purchase.
_OF_HALVES: frozenset[SumName] = frozenset({"odd_quanta", "even_quanta"})
#: Sums that need the clock on the holder's wall.
_OF_WALLS = _OF_HALVES | {
    "first_wall", "second_wall", "latest_wall", "previous_wall", "bought_days", "weekend", "evening",
}  # fmt: skip


def cut_orders(lines: ir.Table, origin: Origin, request: FeatureRequest, needed: frozenset[SumName]) -> ir.Table:
    """Orders, cut at the request's days: one row per order and stretch of time in which it has lines.

    Columns: the sums of these lines, and ``at``, their latest time; ``last``, that of the purchases among them;
    ``opened``, the time of the whole order's first line. The row with the order's first purchase also has ``begun``,
    its time, and what goes with it: ``wall``, that time as the clock on the holder's wall showed it, ``weekend`` and
    ``evening``, and ``opens_day``, whether it is the customer's first one of a day by that clock; ``place`` among the
    customer's orders, from 0; ``gap`` to the one before, and ``before``, when that began by the clock on the wall.
    Every row has ``since``, when its order began, and ``number``: that of the customer's day of purchase on which it
    did, from 0; ``in_kind``, its lines that make a customer one of the kind that is asked about, if that is of a
    category. What they say of before a day depends on no later line, and on no other day.

    Of the sums of lines a database computes those that are asked for afterwards; it does not see that of windows and
    clocks, which are left out here where no sum in ``needed`` is made from them.
    """
    kept = lines.filter(lines.rule.isin((KEPT, *NETTED)))
    if origin.study.cleaning.duplicates == "drop":
        kept = kept.distinct()
    cuts = [(kept.time < start_of(day, origin, kept.time), i) for i, day in enumerate(request.days)]
    kept = kept.mutate(
        quanta=money_of(kept, origin).quanta,
        bought=kept.rule == KEPT,
        stretch=ibis.cases(*cuts, else_=len(cuts)),
    )
    counted = kept.bought if origin.study.cleaning.returns == "drop" else ibis.literal(True)
    channels = listed(request, "channels")
    parts = kept.group_by("customer", "order", "stretch").agg(
        quanta=kept.quanta.sum(where=counted).fill_null(0),
        at=kept.time.max(),
        opened=kept.time.min(),
        first=kept.time.min(where=kept.bought),
        last=kept.time.max(where=kept.bought),
        lines=_number(kept.bought),
        returned=_number(~kept.bought),
        discounted=_number(kept.bought & is_discounted(kept)),
        **{name: _number(kept.bought & says(kept, "category", value))
           for name, value in in_categories(request).items()},
        **{name: kept.time.min(where=kept.bought & says(kept, "channel", value)) for name, value in channels.items()},
    )  # fmt: skip
    whole = ibis.window(group_by=[parts.customer, parts.order])
    begins = (parts["first"] == parts["first"].min().over(whole)).fill_null(False)
    windows = request.becoming is not None or any(name.startswith("quanta_") for name in needed)
    opened = {"opened": parts.opened.min().over(whole)} if windows else {}
    parts = parts.mutate(**opened, begun=ibis.ifelse(begins, parts["first"], ibis.null(parts["first"].type())))
    # An order is of the channel of its first purchase lines; where lines of one moment name two, of both.
    through = {name: (parts[name] == parts.begun).fill_null(False) for name in channels}
    parts = parts.mutate(**through, **_of_beginnings(parts, origin, needed))
    return _numbered_days(parts) if needed & _OF_HALVES else parts


def listed(request: FeatureRequest, of: ListName) -> dict[str, str]:
    """The request's shares of one list, each with the value that it is of."""
    places = {name: listed_place(name) for name in request.names}
    return {name: request.lists.value_of(name) for name, place in places.items() if place and place[0] == of}


def in_categories(request: FeatureRequest) -> dict[str, str]:
    """Columns of numbers of lines in a category, each with the category."""
    kind = request.becoming
    return listed(request, "categories") | ({IN_KIND: kind.category} if isinstance(kind, CategoryKind) else {})


def start_of(day: dt.date, origin: Origin, time: ir.Value) -> ir.Value:
    """The start of a day, to be compared with times of the source."""
    return start_at(day, origin.config, origin.study, time)


def start_at(day: dt.date, config: Reading, study: Study, time: ir.Value) -> ir.Value:
    """The same of any feed."""
    return moment_literal(wall_time(day, study.time_zone, zone_at(config, time)), time)


def _number(condition: ir.BooleanValue) -> ir.IntegerValue:
    return condition.cast("int64").sum()


def _of_beginnings(parts: ir.Table, origin: Origin, needed: frozenset[SumName]) -> dict[str, ir.Value]:
    """What the beginnings of orders say; null where a row begins none."""
    window = ibis.window(group_by=_beginning(parts), order_by=[parts.begun, parts.order])
    found: dict[str, ir.Value] = {}
    if "gaps" in needed:
        # Differences of hundredths since 1970 add up to the one between the last and the first, without a rest.
        hundredths = parts.begun.epoch_seconds() // GAP_SECONDS
        found["gap"] = hundredths - hundredths.lag().over(window)
    if "second_wall" in needed or "first_wall" in needed:
        found["place"] = ibis.row_number().over(window)
    if needed & _OF_WALLS:
        wall = wall_clock(parts.begun, origin.config, origin.study)
        found |= {"wall": wall, "weekend": wall.day_of_week.index() >= _SATURDAY, "evening": wall.hour() >= _EVENING}
        if "bought_days" in needed:
            # Of orders that began on one day the first one counts. Beginnings ascend, and so do days, unless a clock
            # showed the next day and was then set back behind midnight. Counting distinct days takes a third more time.
            found["opens_day"] = (wall.date() != wall.lag().over(window).date()).fill_null(True)
        if "previous_wall" in needed:
            # Beginnings ascend: the latest "one before" of the orders before a day is that of the last of them.
            found["before"] = wall.lag().over(window)
    return found


def _beginning(parts: ir.Table) -> list[ir.Value]:
    """Groups of rows by customer; rows that begin no order are in one of their own, away from the others."""
    return [parts.customer, parts.begun.isnull()]


def _numbered_days(parts: ir.Table) -> ir.Table:
    """With ``since`` and ``number``, of the order that a row is of, in all of its rows; null where none begins it."""
    days = ibis.window(group_by=_beginning(parts), order_by=parts.wall.date())
    whole = ibis.window(group_by=[parts.customer, parts.order])
    numbered = parts.mutate(number=ibis.ifelse(parts.begun.notnull(), ibis.dense_rank().over(days), None))
    return numbered.mutate(since=numbered.begun.max().over(whole), number=numbered.number.max().over(whole))


def wall_clock(time: ir.TimestampValue, config: Reading, study: Study) -> ir.TimestampValue:
    """A time as the clock on the holder's wall showed it; exact for the ten years before the as-of day."""
    if zone_of(time) is None:
        return time
    zone = zoneinfo.ZoneInfo(config.source.time_zone)
    offsets: list[tuple[dt.datetime, int]] = []
    moment = dt.datetime.combine(study.as_of, dt.time(), tzinfo=dt.UTC) - dt.timedelta(days=3660)
    for _ in range(3660 * 24):
        seconds = int((moment.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds())
        if not offsets or offsets[-1][1] != seconds:
            offsets.append((moment, seconds))
        moment += dt.timedelta(hours=1)
    plain = time.cast("timestamp('UTC')").cast("timestamp(6)")
    branches = [(time >= ibis.literal(start), ibis.literal(seconds)) for start, seconds in reversed(offsets)]
    shift = ibis.cases(*branches, else_=ibis.literal(offsets[0][1]))
    return plain + shift.as_interval("s")
