"""What `holder check` costs over a large source, against hand-written DuckDB SQL that finds the same.

    python benchmarks/checked_source.py [--rows 20000000] [--repeats 1] [--memory 3GB] [--only parquet|folder]

It generates sales in a temporary folder: one Parquet file, and the same rows as 60 monthly CSV files. For each, one run
of ours and one of the SQL in processes of their own, alternating: CPU seconds with children, and peak memory. Both look
at all rows for what `holder check` looks at: rows and money by cleaning rule, exact duplicates, the customer table, how
many ids other forms would leave, ids that are destroyed, odd or too heavy, every day, and values that cannot be read.
Counts and sums must be equal. The SQL reads CSV with DuckDB's own reader, knows the columns' types, and cares neither
for lines that are no records nor for one customer's lines that change another's.

The bar: ours takes at most 1.4 times the SQL's CPU, and less than 4 GB.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import shutil
import statistics
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

from child_process import run_child

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

BAR, MOST_GB = 1.4, 4.0
AS_OF = dt.date(2025, 1, 1)
COLUMNS = {
    "customer": "customer_id", "order": "invoice", "time": "invoice_date", "quantity": "quantity", "price": "price",
    "product": "stock_code",
}  # fmt: skip

GENERATE = """
CREATE OR REPLACE VIEW sales AS
WITH lines AS (SELECT i, i // 5 AS basket, hash(i // 5) AS h, hash(i * 7919 + 13) AS g FROM range({unique}) t(i)),
sales AS (
    SELECT
        CASE WHEN h % 50 > 0 THEN 'C' || (1000000 + (power((h // 50 % 1000003) / 1000003.0, 2) * {customers})::BIGINT)
             END AS customer_id,
        CASE WHEN h // 7 % 50 = 0 THEN 'C' ELSE '' END || (5000000 + basket) AS invoice,
        TIMESTAMP '2020-01-01' + to_seconds((h // 11 % 2629400) * 60) AS invoice_date,
        CASE WHEN h // 7 % 50 = 0 THEN -1 ELSE 1 END * (1 + g % 12)::INTEGER AS quantity,
        round(0.25 + (g // 13 % 4000) / 100.0, 2) AS price,
        (20000 + g // 17 % 5000)::VARCHAR AS stock_code, i
    FROM lines
)
SELECT * EXCLUDE i FROM sales UNION ALL SELECT * EXCLUDE i FROM sales WHERE i % 100 = 3
"""

#: What somebody would write who wants to know the same.
BY_HAND = (
    # one pass for the rules: every row has the first that applies
    """
CREATE OR REPLACE TEMP VIEW ruled AS
SELECT trim(customer_id) AS customer, trim(invoice) AS invoice, invoice_date, quantity, price, stock_code,
       CASE WHEN customer_id IS NULL
                 OR lower(trim(customer_id)) IN ('', 'null', 'none', 'nan', 'na', 'n/a', '0', '-1', 'guest', '-')
            THEN 'no_customer_id'
            WHEN invoice_date IS NULL OR invoice_date < '1900-01-02' THEN 'unreadable_time'
            WHEN invoice_date >= '{as_of}' THEN 'after_as_of'
            WHEN trim(invoice) = '' OR invoice IS NULL THEN 'no_order_id'
            WHEN NOT coalesce(isfinite(quantity * price), FALSE) THEN 'unreadable_amount'
            WHEN starts_with(trim(invoice), 'C') THEN 'cancellation'
            WHEN quantity <= 0 OR quantity * price < 0 THEN 'return'
            ELSE 'used' END AS rule,
       floor(quantity * price * 10000 + 0.5)::BIGINT AS quanta
FROM sales
""",
    "rules: SELECT rule, count(*), sum(quanta) FROM ruled GROUP BY rule",
    """
CREATE OR REPLACE TEMP TABLE customers AS
WITH kept AS (SELECT DISTINCT * EXCLUDE (rule, quanta), quanta FROM ruled WHERE rule = 'used'),
     orders AS (SELECT customer, invoice, min(invoice_date) AS first, max(invoice_date) AS last, sum(quanta) AS quanta,
                       count(*) AS lines FROM kept GROUP BY ALL)
SELECT customer, (epoch_us(TIMESTAMP '{as_of}') - epoch_us(max(last))) // 86400000000 AS recency_days,
       count(*) AS orders, sum(quanta)::BIGINT AS quanta, sum(lines)::BIGINT AS lines,
       (epoch_us(TIMESTAMP '{as_of}') - epoch_us(min(first))) // 86400000000 AS tenure_days
FROM orders GROUP BY customer ORDER BY customer
""",
    "table: SELECT count(*), sum(orders), sum(lines), sum(quanta), sum(recency_days), sum(tenure_days) FROM customers",
    "heavy: SELECT count(*) FROM customers WHERE orders > 0.005 * (SELECT sum(orders) FROM customers) AND orders >= 20",
    """
CREATE OR REPLACE TEMP TABLE ids AS
SELECT customer AS id, count(*) AS rows FROM ruled WHERE rule <> 'no_customer_id' GROUP BY customer
""",
    """ids: SELECT count(*), count(DISTINCT lower(id)), count(DISTINCT regexp_replace(id, '^0+([0-9]+)$', '\\1')),
       count(DISTINCT trim(regexp_replace(regexp_replace(id, '[\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'),
             '[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g'))),
       count(DISTINCT CASE WHEN regexp_matches(id, '^[^@]+@[^@]+$') THEN lower(id) ELSE id END),
       count(*) FILTER (regexp_matches(id, '^[+0-9(][-0-9 ./()]*$') AND
             length(regexp_replace(id, '[^0-9]', '', 'g')) BETWEEN 8 AND 15),
       coalesce(sum(rows) FILTER (regexp_matches(id, '^[0-9]([.,][0-9]+)?[eE][+][0-9]+$')), 0),
       coalesce(sum(rows) FILTER (regexp_matches(id, '^[0-9]{15}0+$')), 0),
       coalesce(sum(rows) FILTER (NOT regexp_matches(id, '[0-9]')), 0),
       coalesce(sum(rows) FILTER (regexp_matches(id, '[^-A-Za-z0-9_./#:@+ ]')), 0) FROM ids""",
    "order_ids: SELECT count(*) FILTER (regexp_matches(invoice, '[^-A-Za-z0-9_./#:@+ ]')) FROM sales",
    "days: SELECT count(*), min(day), max(day) FROM (SELECT invoice_date::DATE AS day, count(*) FROM sales GROUP BY 1)",
    "seen: SELECT count(*), min(invoice_date), max(invoice_date) FROM sales",
)
#: CSV by hand: into a table, and what cannot be read is counted by its shape.
FROM_CSV = (
    """
CREATE TEMP TABLE raw AS SELECT * FROM read_csv('{path}', header = true, columns = {{
    customer_id: 'VARCHAR', invoice: 'VARCHAR', invoice_date: 'VARCHAR', quantity: 'VARCHAR', price: 'VARCHAR',
    stock_code: 'VARCHAR'}})
""",
    """
CREATE TEMP TABLE sales AS SELECT customer_id, invoice, try_cast(invoice_date AS TIMESTAMP) AS invoice_date,
       try_cast(quantity AS DOUBLE) AS quantity, try_cast(price AS DOUBLE) AS price, stock_code FROM raw
""",
    """unread: SELECT count(*) FROM (SELECT regexp_replace(trim(v), '[0-9]', '9', 'g') AS shape, count(*) FROM (
       SELECT invoice_date AS v FROM raw WHERE try_cast(invoice_date AS TIMESTAMP) IS NULL AND trim(invoice_date) <> ''
       UNION ALL SELECT quantity FROM raw WHERE try_cast(quantity AS DOUBLE) IS NULL AND trim(quantity) <> ''
       UNION ALL SELECT price FROM raw WHERE try_cast(price AS DOUBLE) IS NULL AND trim(price) <> '') GROUP BY 1)""",
    "DROP TABLE raw",
)


def generate(folder: Path, rows: int, only: str) -> None:
    import duckdb

    with duckdb.connect() as database:
        database.execute("SET preserve_insertion_order = false")
        database.execute(GENERATE.format(unique=rows * 100 // 101, customers=max(1, rows // 40)))
        if only != "folder":
            database.execute(f"COPY sales TO '{folder}/sales.parquet' (FORMAT parquet, COMPRESSION zstd)")
        if only != "parquet":
            (folder / "months").mkdir()
            months = "date_trunc('month', invoice_date)::DATE AS month"
            database.execute(
                f"COPY (SELECT *, {months} FROM sales) TO '{folder}/split' (FORMAT csv, PARTITION_BY (month))"
            )
            for month in sorted((folder / "split").iterdir()):
                parts = sorted(month.iterdir())
                with (folder / "months" / f"{month.name.partition('=')[2][:7]}.csv").open("wb") as whole:
                    for number, part in enumerate(parts):
                        with part.open("rb") as file:
                            header = file.readline()
                            whole.write(b"" if number else header)
                            shutil.copyfileobj(file, whole)
            shutil.rmtree(folder / "split")


def run_ours(path: str, memory: str) -> dict[str, object]:
    from clients.data.check import preflight
    from clients.data.config import HolderConfig
    from privacy.kernel.terms import Budget, Cleaning
    from privacy.protocol.study import Study

    source = {"url": path, "currency_code": "EUR", "memory": memory}
    config = HolderConfig.model_validate({"holder": "bench", "source": source, "columns": COLUMNS})
    study = Study(
        name="bench", as_of=AS_OF, budget=Budget(epsilon=Decimal(1)), cleaning=Cleaning(cancellation_prefix="C")
    )
    report = preflight(config, study, base=Path(path).parent.parent)
    if report.problems or report.cleaning is None:
        raise SystemExit(f"problems: {report.problems}")
    found = {step.code: [step.rows, int(step.revenue * 10_000)] for step in report.steps}
    cleaning = report.cleaning
    return {
        "rules": found, "orders": cleaning.orders, "customers": cleaning.customers, "lines": cleaning.lines,
        "ids": report.looks.ids.ids, "rows": report.rows, "first": str(report.first), "last": str(report.last),
        "heavy": len(cleaning.heavy_ids),
    }  # fmt: skip


def run_sql(path: str, memory: str) -> dict[str, object]:
    import duckdb

    with tempfile.TemporaryDirectory() as spill, duckdb.connect(f"{spill}/work.duckdb") as database:
        database.execute("SET preserve_insertion_order = false")
        database.execute(f"SET temp_directory = '{spill}'")
        database.execute(f"SET memory_limit = '{memory}'")
        found: dict[str, list[tuple[object, ...]]] = {}
        view = f"CREATE TEMP VIEW sales AS SELECT * FROM '{path}'"
        for query in (*(FROM_CSV if path.endswith(".csv") else (view,)), *BY_HAND):
            name, colon, text = query.partition(": SELECT")
            if colon:
                found[name] = database.execute("SELECT" + text).fetchall()
            else:
                database.execute(query.format(path=path, as_of=AS_OF))
    customers, orders, lines, quanta, *_ = found["table"][0]
    rules: dict[str, list[object]] = {name: [rows, int(total)] for name, rows, total in found["rules"]}  # type: ignore[misc,call-overload]
    used, all_of_them = rules["used"], rules["used"][0]
    rules["duplicates"] = [all_of_them - lines, used[1] - quanta]  # type: ignore[operator]
    rules["used"] = [lines, quanta]
    rows, first, last = found["seen"][0]
    return {
        "rules": rules, "orders": orders, "customers": customers, "lines": lines, "ids": found["ids"][0][0],
        "rows": rows, "first": str(first), "last": str(last), "heavy": found["heavy"][0][0],
    }  # fmt: skip


RUNS = {"ours": run_ours, "sql": run_sql}


def measure(name: str, path: str, memory: str) -> tuple[float, float, dict[str, object]]:
    """CPU seconds with children, peak memory in GB, and what was found, of one run in a process of its own."""
    output, peak = run_child([__file__, "--child", name, "--data", path, "--memory", memory])
    found = json.loads(output)
    return found.pop("cpu"), peak, found


def child(name: str, path: str, memory: str) -> None:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    before = sum(item.ru_utime + item.ru_stime for item in used)
    found = RUNS[name](path, memory)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps(found | {"cpu": sum(item.ru_utime + item.ru_stime for item in used) - before}))


def compared(kind: str, path: str, options: argparse.Namespace) -> bool:
    """Measure one kind of source and print the figures; whether they are within the bar."""
    figures: dict[str, list[tuple[float, float, dict[str, object]]]] = {name: [] for name in RUNS}
    for repeat in range(options.repeats):
        for name in RUNS if repeat % 2 == 0 else reversed(RUNS):
            figures[name].append(measure(name, path, options.memory))
    cpu = {name: statistics.median(run[0] for run in runs) for name, runs in figures.items()}
    peak = {name: max(run[1] for run in runs) for name, runs in figures.items()}
    ours, sql = (figures[name][0][2] for name in RUNS)
    different = [key for key in sql if ours[key] != sql[key]]
    ratio = cpu["ours"] / cpu["sql"]
    met = ratio <= BAR and peak["ours"] < MOST_GB and not different
    print(f"{kind:8}{cpu['ours']:8.1f}{cpu['sql']:8.1f}{ratio:8.2f}{peak['ours']:9.2f}{peak['sql']:9.2f}  ", end="")
    print("met" if met else f"NOT MET {different}")
    for key in different:
        print(f"  {key}: ours {ours[key]}, SQL {sql[key]}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--memory", default="3GB", help="memory_limit of both DuckDB runs")
    parser.add_argument("--only", choices=["parquet", "folder"], default="")
    parser.add_argument("--child", choices=list(RUNS), help=argparse.SUPPRESS)
    parser.add_argument("--data", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.data, options.memory)
        return 0
    with tempfile.TemporaryDirectory(prefix="cohortium-bench-") as name:
        folder = Path(name)
        free, needed = shutil.disk_usage(folder).free, options.rows * 400
        if free < needed:
            raise SystemExit(f"{needed / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} are free")
        generate(folder, options.rows, options.only)
        print(f"{options.rows:,} rows, DuckDB memory_limit {options.memory}; CPU seconds and peak GB")
        print(f"{'':8}{'ours':>8}{'SQL':>8}{'ratio':>8}{'ours GB':>9}{'SQL GB':>9}")
        kinds = {"parquet": str(folder / "sales.parquet"), "folder": str(folder / "months" / "*.csv")}
        met = [compared(kind, path, options) for kind, path in kinds.items() if options.only in ("", kind)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
