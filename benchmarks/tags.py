"""Time and memory of tags: thirty rules over a million customers with thirteen million events in two feeds.

    python benchmarks/tags.py [--customers 1000000] [--memory 1200MB]

It generates three million purchase lines and ten million page views in a temporary folder, as Parquet files with ids as
text, and tags everybody in a process of its own: the questions to both feeds, the conditions, and, timed by itself, the
history and the CSV file that a first run writes. What is timed is CPU, without imports: it bears other load on the
machine better than the clock.

The bars: at most 10 CPU seconds to know who has which tag, and under 2 GB of memory all in all. Five of the tags are
counted once more by hand-written SQL, and must be the same.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from child_process import run_child

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

AS_OF = dt.date(2025, 1, 1)
SECONDS, GIGABYTES = 10.0, 2.0

SALES = """COPY (SELECT (1 + hash(i // 2) % {customers})::VARCHAR AS customer, (i // 2)::VARCHAR AS "order",
    TIMESTAMP '2023-01-01' + to_seconds((hash(i // 2 + 1) % 63158400)::BIGINT) AS time,
    (hash(i * 3 + 5) % 20000) / 100.0 AS amount, 'c' || (hash(i * 7) % 8) AS category,
    hash(i * 11) % 10 < 3 AS discount
    FROM range({lines}) t(i)) TO '{folder}/sales.parquet' (FORMAT parquet, COMPRESSION zstd)"""
VIEWS = """COPY (SELECT (1 + hash(i + 7) % {customers})::VARCHAR AS customer,
    TIMESTAMP '2024-01-01' + to_seconds((hash(i + 9) % 31622400)::BIGINT) AS time,
    ['home', 'list', 'detail', 'cart'][1 + (hash(i * 5) % 4)::INTEGER] AS page,
    (hash(i * 13) % 300)::INTEGER AS seconds,
    (hash(i * 17) % 10000) / 100.0 AS price
    FROM range({views}) t(i)) TO '{folder}/views.parquet' (FORMAT parquet, COMPRESSION zstd)"""
PEOPLE = """COPY (SELECT (1 + i)::VARCHAR AS customer, ['north', 'south', 'east'][1 + (i % 3)::INTEGER] AS region,
    DATE '1950-01-01' + (hash(i) % 20000)::INTEGER AS born
    FROM range({customers}) t(i)) TO '{folder}/people.parquet' (FORMAT parquet, COMPRESSION zstd)"""

RULES = (
    "orders >= 3", "R < 30, F >= 2, M >= 300", "30 <= recency_days <= 60 and orders >= 2", "money >= 500",
    "count(order, -90) >= 1", "count(order, -365) >= 2", "sum(order.amount, -365) >= 250", "max(order.amount) >= 300",
    "share(order[weekday = 5], -365) >= 0.5 and count(order, -365) >= 2",
    "share(order[category = 'c1']) >= 0.5", "count(order[category = 'c2' and month in (6, 7, 8)], -365) >= 1",
    "sum(order[category in ('c3', 'c4')].amount, -365) > 100", "count(order[discount], -365) >= 1",
    "count(view, -30) >= 3", "count(view, -60, -30) > 2 and count(view, -30) = 0",
    "count(view[page = 'detail'], -90) >= 2",
    "count(view[page = 'cart'], -90) >= 1 and count(order, -90) = 0", "sum(view.seconds, -90) >= 600",
    "mean(view.seconds) >= 200", "count(view[price < 20], -90) >= 1 and count(view[price >= 50], -90) = 0",
    "count(view[price >= 50 and seconds > 180], -90) >= 1 and orders = 0", "days_since(view) > 60",
    "customer.region = 'north' and orders >= 2", "18 <= customer.age < 30", "customer.birthday <= 14",
    "tag('t0') and tag('t4')", "tag('t14') and not tag('t3')", "tag('t25') and customer.region != 'south'",
    "not known(recency_days)", "tag('t6') or tag('t17')",
)  # fmt: skip
BY_HAND = {
    0: "SELECT count(*) FROM (SELECT customer FROM s GROUP BY 1 HAVING count(DISTINCT \"order\") >= 3)",
    3: "SELECT count(*) FROM (SELECT customer FROM s GROUP BY 1 HAVING sum(round(amount * 100)) >= 50000)",
    8: """SELECT count(*) FROM (SELECT customer FROM s WHERE time >= DATE '2024-01-02' GROUP BY 1
        HAVING count(DISTINCT "order") >= 2
        AND 2 * count(DISTINCT "order") FILTER (isodow(time) = 5) >= count(DISTINCT "order"))""",
    14: """SELECT count(*) FROM (SELECT customer FROM v GROUP BY 1 HAVING count(*) FILTER (time >= DATE '2024-11-02' AND
        time < DATE '2024-12-02') > 2 AND count(*) FILTER (time >= DATE '2024-12-02') = 0)""",
    17: """SELECT count(*) FROM (SELECT customer FROM v WHERE time >= DATE '2024-10-03' GROUP BY 1 HAVING
        sum(seconds) >= 600)""",
}  # fmt: skip

HOLDER = """holder = "bench"
[source]
url = "sales.parquet"
currency_code = "EUR"
memory = "{memory}"
[columns]
customer = "customer"
order = "order"
time = "time"
amount = "amount"
category = "category"
discount = "discount"
[customers]
url = "people.parquet"
columns = {{customer = "customer", region = "region", born = "born"}}
[events.view]
url = "views.parquet"
currency_code = "EUR"
columns = {{customer = "customer", time = "time", page = "page", seconds = "seconds", price = "price"}}
"""


def generate(folder: Path, customers: int, memory: str) -> None:
    import duckdb

    sizes = {"folder": folder, "customers": customers, "lines": 3 * customers, "views": 10 * customers}
    with duckdb.connect() as database:
        database.execute("SET preserve_insertion_order = false")
        for text in (SALES, VIEWS, PEOPLE):
            database.execute(text.format(**sizes))
    (folder / "holder.toml").write_text(HOLDER.format(memory=memory), encoding="utf-8")
    tags = "".join(f'[[tag]]\ncode = "t{n}"\nwhen = "{rule}"\n' for n, rule in enumerate(RULES))
    (folder / "tags.toml").write_text(tags, encoding="utf-8")


def child(folder: Path) -> None:
    """Tag everybody; print CPU seconds of knowing and of keeping, customers, and the counts of tags."""
    from clients.tagging.running import write_all_tags
    from clients.tagging.setting import TagSetting
    from clients.tags.store import History, RunNote, path_of

    few = folder / "few"  # so that imports count for nothing
    few.mkdir()
    generate(few, 100, "100MB")
    warm = TagSetting.read(few, AS_OF)
    warm.evaluate(warm.rules())
    began = time.process_time()
    setting = TagSetting.read(folder, AS_OF)
    found = setting.evaluate(setting.rules())
    known = time.process_time()
    counts = {tag.code: int((values > 0).sum()) for tag, values in found.written().items()}
    history = History().after(found, RunNote(day=AS_OF, customers=len(found.customers), counts=counts))
    history.save(path_of(folder))
    write_all_tags(folder, setting.file, history)
    print(known - began, time.process_time() - known, len(found.customers), *counts.values())


def by_hand(folder: Path) -> dict[int, int]:
    import duckdb

    with duckdb.connect() as database:
        database.execute(
            f"CREATE VIEW s AS SELECT DISTINCT * FROM '{folder}/sales.parquet' WHERE time < DATE '2025-01-01'"
        )
        database.execute(f"CREATE VIEW v AS SELECT * FROM '{folder}/views.parquet' WHERE time < DATE '2025-01-01'")
        found: dict[int, Any] = {n: database.execute(text).fetchone() for n, text in BY_HAND.items()}
    return {n: int(row[0]) for n, row in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--memory", default="1200MB", help="DuckDB's limit")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        child(asked.child)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder, asked.customers, asked.memory)
        output, peak = run_child([__file__, "--child", str(folder)])
        knowing, keeping, customers, *counts = output.split()
        expected = by_hand(folder)
    wrong = {f"t{n}": (int(counts[n]), count) for n, count in expected.items() if int(counts[n]) != count}
    print(f"{int(customers):,} customers, {13 * asked.customers:,} events, {len(RULES)} tags")
    print(f"  to know who has which: {float(knowing):.1f} CPU s (bar {SECONDS:.0f})")
    print(f"  to keep and write it:  {float(keeping):.1f} CPU s; {sum(map(int, counts)):,} intervals")
    print(f"  peak memory:           {peak:.2f} GB (bar {GIGABYTES:.0f})")
    print(f"  five tags by hand-written SQL: {wrong or 'the same'}")
    sys.exit(bool(wrong) or float(knowing) > SECONDS or peak > GIGABYTES)


if __name__ == "__main__":
    main()
