"""Declared tables over every dimension and measure, and what their entries are, compared with slow code."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from clients.data.rows.entries.kind import CustomerCells
from privacy.kernel.cells import CellRequest, CellRows
from privacy.kernel.declarations import CellTable
from privacy.kernel.dimensions import DAYPARTS, MODELS, WEEKDAYS
from privacy.kernel.feeds import STAGES
from privacy.kernel.keys import Keys
from privacy.kernel.public_tags import YES_NO
from simulations.worlds.feeds import LISTS
from simulations.worlds.table_truth import Clean, Entries, true_entries

AS_OF = dt.date(2025, 1, 1)


def months(count: int) -> dict[str, Any]:
    return Keys.model_validate({"months": count}).written_out(AS_OF, {}).model_dump()


def listed(name: str) -> list[str]:
    return [*LISTS[name], "other"]


def declared(name: str, by: dict[str, Any], *measures: Any, **more: Any) -> CellTable:
    """A table; a dimension's keys, or a table of its fields."""
    uses = [{"dimension": one, **(keys if isinstance(keys, dict) and "keys" in keys else {"keys": keys})}
            for one, keys in by.items()]  # fmt: skip
    for use in uses:
        if "tag" in use:
            use["tag"] = {"code": use["dimension"].partition(".")[2], **use["tag"]}
    of = [{"of": one} if isinstance(one, str) else one for one in measures or ("customers",)]
    return CellTable.model_validate({"name": name, "by": uses, "measures": of, **more})


def tag(keys: Any, **rule: Any) -> dict[str, Any]:
    """Keys of a tag, and its rule."""
    return {"keys": keys, "tag": rule}


TABLES: tuple[CellTable, ...] = (
    declared("retention", {"first_order.month": months(12), "order.months_since_first": "0..11"}),
    declared("second", {"second_order.outcome": ["again", "not_yet"],
                        "second_order.days": {"upper": [7, 14, 30, 60, 90, 180, 365]}}),
    declared("repurchase", {"orders_365_band": {"upper": [1, 2, 3, 4]}}, "customers", "count(order)"),
    declared("ltv", {"first_order.month": months(12)}, "customers", {"of": "sum(order.amount)", "first_days": 180},
             where=["tenure_days >= 180"]),
    declared("ltv_by_channel", {"customer.first_channel": listed("channels")}, "customers",
             {"of": "sum(order.amount)", "last_days": 365}, "sum(touch.cost)"),
    declared("attribution", {"touch.model": list(MODELS), "touch.channel": listed("channels")}, "weight",
             "weight * order.amount", events={"of": "conversion", "which": "latest"}),
    declared("paths", {"touch.channel": listed("channels"), "touch.model": ["first", "linear"],
                       "customer.level": listed("levels")}, "weight", "weight * order.amount",
             events={"of": "conversion", "window_days": 200, "most_touches": 3, "look_back_days": 20}),
    declared("funnel", {"session.source": listed("channels"), "session.furthest": list(STAGES)},
             events={"of": "session", "which": "furthest", "window_days": 30}),
    declared("returns", {"return.reason": listed("reasons"), "return.category": listed("categories")}, "customers",
             "count(return)", "sum(return.amount)"),
    declared("orders", {"order.category": listed("categories")}, "customers", "count(order)", "sum(order.amount)",
             "share(order)", "sum(order.cost)", "share(order.discount)"),
    declared("ratings", {"rating.stars": "1..4", "rating.category": ["toys", "other"]}, "count(rating)"),
    declared("topics", {"rating.topic": listed("topics")}, "count(rating)", "share(rating)"),
    declared("contacts", {"contact.topic": listed("questions")}, "count(contact)", "sum(contact.minutes)"),
    declared("dwell", {"view.page": listed("pages"), "view.seconds_band": {"upper": [5, 15, 30, 60, 180]}}, "customers",
             "sum(view.price)", events={"of": "view", "which": "longest", "per": "view.page"}),
    declared("profile", {"customer.gender": listed("genders"), "customer.age_band": {"upper": [20, 30, 40, 50, 60]}},
             "customers", "sum(order.amount)", "count(order)", "share(order.discount)", "count(session)"),
    declared("taste", {"order.category": listed("categories"), "order.channel": listed("order_channels"),
                       "customer.region": listed("regions")}, "share(order)"),
    declared("daypart", {"order.daypart": list(DAYPARTS), "order.weekday": list(WEEKDAYS)}, "share(order)"),
    declared("discounted", {"discount_band": {"upper": [0, 250, 500, 750]}}, "customers",
             {"of": "sum(order.amount)", "last_days": 365}),
    declared("coverage", {"customer.known": {"keys": ["yes", "no"], "roles": ["gender", "born", "region"]}}),
    declared("campaign", {"sent.campaign": listed("campaigns"), "sent.arm": listed("arms"),
                          "sent.outcome": ["bought", "not"]}, "customers", "count(sent)"),
    declared("newest", {"order.month": months(6), "order.brand": listed("brands")}, "customers", "sum(order.amount)",
             events={"of": "order", "which": "latest"}),
    declared("first_days", {"customer.company": ["yes", "no"], "recency_band": {"upper": [30, 90]}}, "customers",
             {"of": "sum(touch.cost)", "first_days": 60}, {"of": "count(session)", "last_days": 60}),
    declared("device", {"session.device": listed("devices"), "customer.occupation": ["retired", "other"]},
             "count(session)", "sum(session.seconds)", events={"of": "session", "which": "earliest"}),
    declared("loyalty", {"loyalty_band": {"upper": [0, 50, 150, 300]}}, "customers", where=["loyalty < 900"]),
    declared("worth", {"money_band": {"upper": [-1, 0, 40, 150, 600]}, "orders_band": {"upper": [1, 3]}}, "customers"),
    declared("carts", {"tenure_band": {"upper": [90, 365]}}, "count(cart)", "sum(cart.amount)", where=["orders < 3"]),
)  # fmt: skip

#: What has a tag by each form of a rule.
_VISITED = "count(session, -205, -135) > 1 and count(session, -135, -90) = 0"
_KINDS = [
    {"key": "dear", "when": "sum(order[not discount or category in ('toys', 'home')].amount, -365, -20) > 99.5"},
    {"key": "keen", "when": "share(order[hour >= 12 and hour < 20], -400) >= 0.5, F >= 2"},
    {"key": "new", "when": "not (tenure_days > 120) or loyalty < 0.05"},
]
_PORTRAIT = "customer.age >= 30 and customer.gender != 'm' or customer.company"
TABLES += (
    declared("warning", {"tag.leaving": tag(YES_NO, when=_VISITED),
                         "tag.gone": tag(YES_NO, when="count(order, -90) = 0")}, "customers", "count(order)"),
    declared("kinds", {"tag.kind": tag(["dear", "keen", "new", "other"], case=_KINDS)}, "sum(order.amount)"),
    declared("visits", {"tag.visits": tag({"upper": [0, 1, 4]}, value="count(session[device = 'phone'], -90)"),
                        "order.category": listed("categories")}, "customers", "count(order)"),
    declared("dearest", {"tag.dearest": tag({"upper": [20, 60]}, value="max(order.amount)")}, "customers"),
    declared("stale", {"tag.stale": tag({"upper": [10, 60, 200]}, value="days_since(order[weekday in (6, 7)])"),
                       "tag.late": tag(["no"], when="known(customer.level) and mean(order.amount) >= 35.5")}),
    declared("portrait", {"tag.portrait": tag(YES_NO, when=_PORTRAIT),
                          "tag.fewer": tag(["yes"], when="count(session) < 3 or mean(session.seconds) > 60.25")}),
)  # fmt: skip

REQUEST = CellRequest(tables=TABLES)


def entries_of(cells: CustomerCells, request: CellRequest = REQUEST) -> list[dict[str, Entries]]:
    """By table: every customer with an entry, and its entries."""
    rows = cells.table
    found: list[dict[str, Entries]] = [{} for _ in request.tables]
    ids = cells.ids[rows.customer]
    for who, table, cell, values in zip(
        ids, rows.table.tolist(), rows.cell.tolist(), rows.values.tolist(), strict=True
    ):
        found[table].setdefault(str(who), {})[cell] = tuple(values[: len(request.tables[table].measures)])
    return found


def true_entries_of(clean: Clean, request: CellRequest = REQUEST) -> list[dict[str, Entries]]:
    """The same by slow code."""
    return [true_entries(clean, table) for table in request.tables]


def check_valid(rows: CellRows, request: CellRequest) -> None:
    """Whether a question can read the rows as it is meant: each cell once, of a table that there is."""
    key = rows.table * 2000 + rows.cell
    same = rows.customer[1:] == rows.customer[:-1]
    assert (key[1:] > key[:-1])[same].all()
    cells = np.array([table.cells for table in request.tables])
    assert ((rows.table >= 0) & (rows.table < len(cells))).all()
    assert ((rows.cell >= 0) & (rows.cell < cells[rows.table])).all()
    widths = np.array([len(table.measures) for table in request.tables])
    beyond = np.arange(rows.values.shape[1]) >= widths[rows.table][:, None]
    assert not rows.values[beyond].any()
    assert (np.diff(rows.start) > 0).all()  # whoever is there has an entry
