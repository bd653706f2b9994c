"""What a holder has in its feeds: rows, customers, and how much of each role is known. For its own screen only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import ibis
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict

from clients.data.cleaning.columns import finite
from clients.data.cleaning.lines import RULES
from clients.data.cleaning.times import zone_of
from clients.data.feeds.lines import OpenFeed, open_feed, table_of
from clients.data.findings import Finding
from clients.data.named_sources import person_place
from clients.data.origin import Origin
from clients.data.sources import fetch
from privacy.errors import DataError
from privacy.kernel.feeds import FEEDS, STAGES, FeedName, RoleKind

_NO_CUSTOMER = [rule.name for rule in RULES].index("no_customer_id") + 1
#: Most frequent spellings that are listed of a role.
_SPELLINGS = 8
#: Roles that hold names, which have keys.
_NAMED: tuple[RoleKind, ...] = ("text", "stage")
#: More than this part of the values of a role without a key deserves a warning; so few known do, too.
_MOSTLY = 0.5
_RARE = 0.05


class Spelling(BaseModel):
    """A spelling as it is compared (trimmed, in lower case), how many rows have it, and the key that it stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    rows: int
    key: str


class RoleFigures(BaseModel):
    """One role.

    Attributes:
        role: its name.
        known: rows that have a value; of numbers, a finite one.
        without_key: of these, rows whose spelling has no key: those that ``[values]`` does not name, or stages that
            are none. Where spellings are keys themselves it is the study's list that decides: 0.
        spellings: the most frequent ones, of names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    known: int
    without_key: int = 0
    spellings: tuple[Spelling, ...] = ()


class FeedFigures(BaseModel):
    """One feed. Its repr shows nothing.

    Attributes:
        feed: its name.
        left_out: rows under each rule that left them out.
        rows: rows that count.
        customers: how many customers they are of.
        nobody: of rows without a customer, spellings that mean so, and how many rows have each; not the empty one.
        linked: of these, whom the key to persons names; None where nothing says who is who.
        first, last: earliest and latest time among them; None where there is no time.
        roles: of each mapped one, how much is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: FeedName
    left_out: dict[str, int]
    rows: int
    customers: int
    nobody: dict[str, int] = {}
    linked: int | None = None
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    roles: tuple[RoleFigures, ...] = ()

    def __repr__(self) -> str:
        return "FeedFigures(<private>)"

    __str__ = __repr__


def check_feeds(origin: Origin) -> tuple[tuple[FeedFigures, ...], tuple[Finding, ...], tuple[Finding, ...]]:
    """Look at every feed: figures, problems, warnings. Never raises for what is wrong with the data."""
    figures, problems, warnings = [], [], []
    for name in origin.config.feeds:
        try:
            with open_feed(origin, name) as feed:
                found = _figures(feed)
        except DataError as error:
            problems.append(Finding(code="feed", text=error.message, hint=error.hint))
            continue
        figures.append(found)
        warnings += list(_warnings(found, origin))
    return tuple(figures), tuple(problems), tuple(warnings)


def _figures(feed: OpenFeed) -> FeedFigures:
    rows, name = feed.kept, feed.reading.name
    tally = feed.tally()
    roles = [role for role in FEEDS[name] if f"raw_{role}" in rows.columns]
    asked: dict[str, ir.Value] = {"customers": rows.customer.nunique()}
    if "time" in rows.columns:
        time = rows.time if zone_of(rows.time) is None else rows.time.cast("timestamp('UTC')").cast("timestamp(6)")
        asked |= {"first": time.min(), "last": time.max()}
    for role in roles:
        asked[f"known_{role}"] = _has_value(rows[f"raw_{role}"], FEEDS[name][role].kind).cast("int64").sum()
    facts: dict[str, Any] = fetch(rows.aggregate(**asked), what=f"looking at {name}").to_pylist()[0]
    if feed.persons is not None:
        linked = feed.persons.semi_join(rows, "customer")
        facts |= fetch(linked.aggregate(linked=linked.count()), what=f"looking at {name}").to_pylist()[0]
    return FeedFigures(
        feed=name,
        left_out={rule: count for rule, count in tally.items() if rule},
        rows=tally.get("", 0),
        customers=facts["customers"] or 0,
        nobody=_nobody(feed) if "no_customer_id" in tally else {},
        linked=facts.get("linked"),
        first=facts.get("first"),
        last=facts.get("last"),
        roles=tuple(_role(feed, role, facts[f"known_{role}"] or 0) for role in roles),
    )


def _nobody(feed: OpenFeed) -> dict[str, int]:
    rows = feed.rows.filter(feed.rows.rule == _NO_CUSTOMER).select(id=feed.rows.customer.cast("string").lower())
    counted = rows.filter(rows.id != "").group_by("id").agg(rows=ibis._.count()).order_by(ibis.desc("rows"), "id")
    found = fetch(counted, what="looking at rows of nobody")
    return dict(zip(found["id"].to_pylist(), found["rows"].to_pylist(), strict=True))


def _has_value(column: ir.Value, kind: RoleKind) -> ir.BooleanValue:
    if kind in ("money", "number"):
        return finite(column.cast("float64"))
    return (column.cast("string").strip().length() > 0).fill_null(False)


def _role(feed: OpenFeed, role: str, known: int) -> RoleFigures:
    kind = FEEDS[feed.reading.name][role].kind
    if kind not in _NAMED:
        return RoleFigures(role=role, known=known)
    values = {own.strip().lower(): key for own, key in feed.reading.values.get(role, {}).items()}
    values = values or ({stage: stage for stage in STAGES} if kind == "stage" else {})
    text = feed.kept[f"raw_{role}"].cast("string").strip().lower()
    spelled = feed.kept.select(text=text)
    counted = spelled.filter(spelled.text.length() > 0).group_by("text").agg(rows=ibis._.count())
    frequent = counted.order_by(ibis.desc("rows"), "text").limit(_SPELLINGS)
    with_key = 0
    if values:
        total = counted.filter(counted.text.isin(list(values))).aggregate(rows=ibis._.rows.sum())
        with_key = fetch(total, what=f"looking at {role}")["rows"].to_pylist()[0] or 0
    found = fetch(frequent, what=f"looking at {role}").to_pylist()
    return RoleFigures(
        role=role,
        known=known,
        without_key=known - int(with_key) if values else 0,
        spellings=tuple(
            Spelling(text=one["text"], rows=one["rows"], key=values.get(one["text"], "") if values else one["text"])
            for one in found
        ),
    )


def _warnings(found: FeedFigures, origin: Origin) -> Iterator[Finding]:
    table = table_of(found.feed)
    if not found.rows:
        hint = "check url, table and where, the column of ids, and the as-of day"
        yield Finding(code="feed_empty", text=f"{table}: no row counts", hint=hint)
        return
    if found.linked == 0:
        reading = origin.config.feeds[found.feed]
        yield Finding(
            code="feed_nobody_linked",
            text=f"{table}: none of its {found.customers:,} customers ({reading.columns.customer}) is named by "
            f"{person_place(origin.config.person)}",
            hint=f'is ids_of = "{reading.ids_of}" right, and do the ids have one form? read = {{customer = {{form = '
            "[...]}}",
        )
    if several := found.left_out.get("several_persons"):
        yield Finding(
            code="feed_several_persons",
            text=f"{table}: {several:,} rows of ids that belong to several persons are left out",
            hint='give each id one person in your table, or leave the rows out: where = "..." under [person]',
        )
    for one in found.roles:
        if one.known <= _RARE * found.rows:
            share = one.known / found.rows
            text = f"{table}: {one.role} is known of {share:.1%} of the rows"
            yield Finding(code="feed_unknown", text=text, hint="is it the right column, and read as it is spelled?")
        elif one.without_key > _MOSTLY * one.known:
            text = f"{table}: {one.without_key / one.known:.0%} of {one.role} have no key and count as other"
            spelled = ", ".join(item.text for item in one.spellings if not item.key)
            hint = f"name them under [values.{found.feed}.{one.role}]: {spelled}" if spelled else ""
            yield Finding(code="feed_other", text=text, hint=hint)
