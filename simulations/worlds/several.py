"""A generated holder as one company with tills, a web shop and an app: the same rows, in three places with other ids.

Who is who stands in a table of members, and every customer is one: put together, the rows say what they said before.
Feeds have the ids of the source that makes them, or the member's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

#: The sources, and of ten orders how many are theirs.
SOURCES = {"tills": 6, "web": 3, "app": 1}
#: Whose ids each feed has; of the others the member's.
_IDS_OF = {"session": "web", "view": "web", "touch": "web", "cart": "web", "return": "tills", "rating": "app"}
#: An id of each source, and of a member, made of the id before, in SQL; what means nobody stays.
_SPELLED = {
    "tills": "{id}",
    "web": "'w' || ltrim(substr({id}, 2), '0')",
    "app": "'Member.' || substr({id}, 2) || '@Example.org'",
    "person": "'M-' || substr({id}, 2)",
}
_HEAD = """\
# A company in London with tills, a web shop and an app, which are put together by a table of its members
# (docs/sources.md#several-sources-of-one-holder). It keeps its books in pounds.
holder = "{holder}"
"""
_PLACES = {"tills": 'url = "sales.duckdb"\ntable = "sales"', "web": 'url = "web/*.parquet"', "app": 'url = "app.jsonl"'}
_PERSON = """
[person]
url = "sales.duckdb"
table = "members"
columns = {person = "member", tills = "card", web = "user_id", app = "mail"}
"""


def source_of(order: pd.Series) -> pd.Series:
    """Which source an order is of, by its number; cancellations are of their order's."""
    rest = order.astype("string").str.replace(r"\D", "", regex=True).astype("int64") % sum(SOURCES.values())
    limits, names = pd.Series(SOURCES).cumsum(), list(SOURCES)
    return rest.map(lambda number: next(name for name in names if number < limits[name]))


def in_several_sources(home: Path) -> None:
    """Write a holder's folder anew, whose rows are in a database, ``sales.duckdb``."""
    import duckdb

    text = (home / "holder.toml").read_text(encoding="utf-8")
    with duckdb.connect(str(home / "sales.duckdb")) as connection:
        sales = connection.execute("SELECT * FROM sales").df()
        connection.register("placed", sales.assign(source=source_of(sales["sale_id"]).to_numpy()))
        ids = [f'SELECT "{table[: -len("_rows")]}_customer" AS id FROM "{table}"' for table in _feeds(text).values()]
        every = " UNION ".join(["SELECT member_id AS id FROM placed", *ids])
        named = ", ".join(
            f"{_respelled(name)} AS {column}"
            for name, column in (("person", "member"), ("tills", "card"), ("web", "user_id"), ("app", "mail"))
        )
        connection.execute(f"CREATE TABLE members AS SELECT {named} FROM ({every}) WHERE id LIKE 'K%' ORDER BY id")
        connection.execute(
            "CREATE OR REPLACE TABLE sales AS SELECT * EXCLUDE source FROM placed WHERE source = 'tills'"
        )
        (home / "web").mkdir(exist_ok=True)
        rows = "SELECT * EXCLUDE source REPLACE ({} AS member_id) FROM placed WHERE source = '{}'"
        web = rows.format(_respelled("web", "member_id"), "web")
        connection.execute(f"COPY ({web}) TO '{home / 'web' / 'orders.parquet'}'")
        app = connection.execute(rows.format(_respelled("app", "member_id"), "app")).df()
        for feed, table in _feeds(text).items():
            column = f"{feed}_customer"
            connection.execute(f'UPDATE "{table}" SET "{column}" = {_respelled(_owner(feed), column)}')
    _write_app(home / "app.jsonl", app)
    (home / "holder.toml").write_text(_holder_toml(text), encoding="utf-8")


def _owner(feed: str) -> str:
    return _IDS_OF.get(feed, "person")


def _respelled(name: str, column: str = "id") -> str:
    spelled = _SPELLED[name].format(id=f'"{column}"')
    return f'CASE WHEN "{column}" LIKE \'K%\' THEN {spelled} ELSE "{column}" END'


def _feeds(text: str) -> dict[str, str]:
    """Feed to its table."""
    found: dict[str, str] = dict(re.findall(r'^\[(?:events\.)?(\w+)\]\ntable = "(\w+_rows)"', text, flags=re.M))
    return {"customer" if name == "customers" else name: table for name, table in found.items()}


def _write_app(path: Path, rows: pd.DataFrame) -> None:
    """One JSON object a line, with the customer inside of it."""
    table = rows.assign(sale_time=rows["sale_time"].dt.strftime("%Y-%m-%dT%H:%M:%S")).to_dict("records")
    lines = (json.dumps({"user": {"mail": row.pop("member_id")}, **row}) for row in table)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _holder_toml(text: str) -> str:
    holder = re.search(r'^holder = "([^"]+)"', text, flags=re.M)
    columns = re.search(r"^\[columns\]\n((?:\w+ = .*\n)+)", text, flags=re.M)
    if holder is None or columns is None:
        raise TypeError("a holder's file names it and its columns")
    parts = [_HEAD.format(holder=holder[1])]
    for name, place in _PLACES.items():
        own = columns[1].replace('"member_id"', '"$.user.mail"') if name == "app" else columns[1]
        parts.append(f'\n[[sources]]\nname = "{name}"\n{place}\ntime_zone = "Europe/London"\ncurrency_code = "GBP"\n')
        parts.append(f"[sources.columns]\n{own}")
        if name == "app":
            parts.append('[sources.read.customer]\nform = ["text", "email"]\n')
    rest = text[columns.end() :]
    for feed, table in _feeds(text).items():
        place = f'url = "sales.duckdb"\ntable = "{table}"\nids_of = "{_owner(feed)}"'
        rest = rest.replace(f'table = "{table}"', place)
    return "".join([*parts, _PERSON, rest])
