"""Aggregates of events, drawn at random over rows drawn at random, beside slow obvious code: every number the same."""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
from postgres_server import PASSWORD, Server
from source_kit import load
from tag_world import setting

from clients.data.config import HolderConfig
from privacy.protocol.study import Study
from privacy.tags.reader import read_value
from privacy.tags.tree import Aggregate

AS_OF = dt.date(2024, 3, 31)  # clocks change on this day; windows that begin before it are an hour apart in UTC
MIDNIGHT = dt.datetime.combine(AS_OF, dt.time())
CONFIG = HolderConfig.model_validate({
    "holder": "shop",
    "source": {"url": "sales.csv", "currency_code": "EUR", "time_zone": "Europe/Berlin"},
    "columns": {"customer": "customer", "order": "order", "time": "time", "amount": "amount", "category": "category",
                "discount": "discount"},
    "events": {"session": {"url": "visits.csv", "columns": {
        "customer": "customer", "time": "time", "seconds": "seconds", "page": "page"}}},
    "values": {"order": {"category": {"Spielzeug": "toys"}}},
})  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Filter:
    """A condition on one event, as a rule has it and as Python says it: None is unknown."""

    text: str
    holds: Callable[[Row], bool | None]


def name_of(row: Row, role: str) -> str | None:
    found = str(row[role]).strip().lower()
    return {"spielzeug": "toys"}.get(found, found) or None


def known(value: Any, test: Callable[[Any], bool]) -> bool | None:
    return None if value is None else test(value)


LINES = (
    Filter("category = 'toys'", lambda row: known(name_of(row, "category"), lambda value: value == "toys")),
    Filter(
        "category not in ('toys', 'food')",
        lambda row: known(name_of(row, "category"), lambda value: value not in ("toys", "food")),
    ),
    Filter(
        "not known(category) or weekday >= 6",
        lambda row: name_of(row, "category") is None or row["time"].weekday() >= 5,
    ),
    Filter("amount >= 10.005", lambda row: row["amount"] >= Fraction("10.005")),
    Filter("discount and hour < 12", lambda row: row["discount"] == "yes" and row["time"].hour < 12),
    Filter("month in (2) or amount = 5", lambda row: row["time"].month == 2 or row["amount"] == 5),
)
VISITS = (
    Filter("page = 'detail'", lambda row: known(name_of(row, "page"), lambda value: value == "detail")),
    Filter("seconds > 59.5", lambda row: known(row["seconds"], lambda value: value > Fraction("59.5"))),
    Filter("not (page = 'list' or seconds < 30)", lambda row: neither(
        known(name_of(row, "page"), lambda value: value == "list"), known(row["seconds"], lambda value: value < 30))),
)  # fmt: skip


def neither(one: bool | None, other: bool | None) -> bool | None:
    return False if one or other else None if None in (one, other) else True


def rows_of(rng: random.Random) -> tuple[list[Row], list[Row]]:
    """Purchase lines, some of them returns and exact repeats, and visits; near midnights, and up to the last moment."""

    def time() -> dt.datetime:
        day = MIDNIGHT - dt.timedelta(days=rng.randint(0, 60))
        return day + dt.timedelta(seconds=rng.choice([-1, 0, 1, rng.randint(0, 86_399)]))

    lines: list[Row] = []
    for _ in range(300):
        again = rng.choice(lines) if lines and rng.random() < 0.3 else None
        lines.append({
            "customer": again["customer"] if again else rng.choice("abcdef"),
            "order": again["order"] if again else str(rng.randint(1, 200)),
            "time": again["time"] if again and rng.random() < 0.5 else time(),
            "amount": Fraction(rng.choice(["0", "5", "10", "10.01", "12.345", "99.99", "-5", "-30"])),
            "category": rng.choice(["toys", " Toys", "Spielzeug", "food", "garden", "", " "]),
            "discount": rng.choice(["yes", "no"]),
        })  # fmt: skip
    visits = [{"customer": rng.choice("abcdefg"), "time": time(), "seconds": rng.choice([None, 0, 29, 30, 60, 500]),
               "page": rng.choice(["detail", "Detail ", "list", ""])} for _ in range(250)]  # fmt: skip
    return [*lines, *lines[:9]], visits


def write(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            plain = {name: "" if value is None else value for name, value in row.items()}
            writer.writerow(plain | ({"amount": f"{float(row['amount']):.3f}"} if "amount" in row else {}))


def on_server(server: Server, folder: Path) -> HolderConfig:
    """The same rows as tables of a server, of the types that such tables have."""
    types = {
        "sales": 'customer text, "order" text, time timestamp, amount numeric(12, 3), category text, discount text',
        "visits": "customer text, time timestamp, seconds integer, page text",
    }
    for name, definition in types.items():
        with duckdb.connect() as database:
            rows = f"read_csv('{folder / name}.csv', types = {{'order': 'VARCHAR'}})" if name == "sales" else (
                f"read_csv('{folder / name}.csv')")  # fmt: skip
            database.execute(f"COPY (SELECT * FROM {rows}) TO '{folder / name}.parquet'")
        load(server, name, definition, "*", folder / f"{name}.parquet")
    there = {"url": server.url, "password_env": "SHOP_PASSWORD"}
    told = CONFIG.model_dump(exclude_unset=True)
    told["source"] |= there | {"table": "sales"}
    told["events"]["session"] |= there | {"table": "visits"}
    return HolderConfig.model_validate(told)


def inside(time: dt.datetime | None, since: int | None, until: int | None) -> bool:
    if time is None or time >= MIDNIGHT:
        return False
    first = MIDNIGHT + dt.timedelta(days=since) if since is not None else dt.datetime.min
    return first <= time < MIDNIGHT + dt.timedelta(days=until or 0)


def minor(units: Fraction) -> int:
    """Cents, as money is rounded: lines to ten-thousandths, sums half up."""
    return int((units * 100 + Fraction(1, 2)) // 1)


def of_orders(one: Aggregate, holds: Any, lines: list[Row], net: bool) -> int | None:
    orders: dict[str, list[Row]] = defaultdict(list)
    for row in {tuple(row.items()): row for row in lines if row["time"] < MIDNIGHT}.values():
        if row["amount"] >= 0 or net:
            orders[row["order"]].append(row)
    chosen: list[tuple[Fraction, dt.datetime]] = []
    whole, total = 0, Fraction(0)
    for rows in orders.values():
        bought = [row for row in rows if row["amount"] >= 0]
        begun = min((row["time"] for row in bought), default=None)
        fitting = [row for row in rows if holds(row)]
        if inside(min(row["time"] for row in rows), one.since, one.until):  # type: ignore[arg-type]
            total += sum(row["amount"] for row in fitting)
        if not inside(begun, one.since, one.until):  # type: ignore[arg-type]
            continue
        whole += 1
        if times := [row["time"] for row in bought if holds(row)]:
            chosen.append((sum((row["amount"] for row in fitting), Fraction(0)), max(times)))
    return answer(one, [value for value, _ in chosen], [time for _, time in chosen], whole, total)


def of_visits(one: Aggregate, holds: Any, visits: list[Row]) -> int | None:
    window = [row for row in visits if inside(row["time"], one.since, one.until)]  # type: ignore[arg-type]
    fitting = [row for row in window if holds(row)]
    values = [Fraction(row["seconds"]) for row in fitting if row["seconds"] is not None]
    times = [row["time"] for row in fitting]
    if one.role:
        return answer(one, values, times, len(window), sum(values, Fraction(0)))
    return answer(one, [Fraction(0)] * len(fitting), times, len(window), Fraction(0))


def answer(one: Aggregate, values: list[Fraction], times: list[dt.datetime], whole: int, total: Fraction) -> int | None:
    money = one.role == "amount"
    match one.function:
        case "count":
            return len(values)
        case "share":
            return 1000 * len(values) // whole if whole else None
        case "days_since":
            return (MIDNIGHT - max(times)) // dt.timedelta(days=1) if times else None
        case "sum":
            return minor(total) if money else int(total)
        case "mean":
            return int(100 * sum(values) * (100 if money else 1) // len(values)) if values else None
    if not values:
        return None
    found = max(values) if one.function == "max" else min(values)
    return minor(found) if money else int(found)


@pytest.mark.parametrize(
    ("seed", "returns", "kind"), [(1, "net", "csv"), (2, "drop", "csv"), (3, "net", "postgresql"), (4, "net", "csv")]
)
def test_every_number_is_that_of_slow_obvious_code(
    tmp_path: Path,
    seed: int,
    returns: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    rng = random.Random(seed)
    lines, visits = rows_of(rng)
    write(tmp_path / "sales.csv", lines)
    write(tmp_path / "visits.csv", visits)
    study = Study.model_validate({
        "name": "tags", "as_of": AS_OF, "time_zone": "Europe/Berlin", "budget": {"epsilon": "1"},
        "cleaning": {"returns": returns},
    })  # fmt: skip
    config = CONFIG
    if kind == "postgresql":
        monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
        config = on_server(request.getfixturevalue("server"), tmp_path)
    shop = setting(tmp_path, [], study=study, config=config)
    asked: dict[Aggregate, tuple[str, Filter | None]] = {}
    for _ in range(90):
        feed, filters, role = rng.choice([("order", LINES, "amount"), ("session", VISITS, "seconds")])
        function = rng.choice(["count", "share", "days_since", "sum", "mean", "max", "min"])
        condition = rng.choice(filters) if function == "share" or rng.random() < 0.6 else None
        of = f"{feed}[{condition.text}]" if condition else feed
        of += f".{role}" if function in ("sum", "mean", "max", "min") else ""
        days = sorted((-rng.randint(0, 61), -rng.randint(0, 61)))
        window = rng.choice(["", f", {days[0]}", f", {days[0]}, {days[1]}"])
        node, _ = read_value(f"{function}({of}{window})", shop.words)
        assert isinstance(node, Aggregate)
        asked[node] = (f"{function}({of}{window})", condition)
    customers = shop.evaluate((), tuple(asked)).customers
    assert len(customers) >= 6
    for place, customer in enumerate(customers.ids.to_pylist()):
        bought = [row for row in lines if row["customer"] == customer]
        visited = [row for row in visits if row["customer"] == customer]
        for node, (text, condition) in asked.items():
            holds = condition.holds if condition else lambda row: True
            expected = (
                of_orders(node, holds, bought, returns == "net")
                if node.feed == "order"
                else of_visits(node, holds, visited)
            )
            column = customers.columns[node]
            found = int(column.raw[place]) if column.known[place] else None
            assert found == expected, (customer, text)
