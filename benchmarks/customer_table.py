"""Time and peak memory of the customer table, against hand-written DuckDB SQL and plain pandas.

    python benchmarks/customer_table.py [--rows 20000000] [--repeats 3] [--memory 8GB]

It generates sales in a temporary Parquet file (customer ids as integers with 2% missing, invoices as text with 2%
cancellations, timestamps, quantities, prices, product codes, 1% exact repeats). Every run is a process of its own, so
that peak memory is that run's own; the order alternates, and medians are shown. Time is without imports; CPU time is
beside it because it bears other load on the machine better. All three must give the same table. The hand-written SQL
trims ids, as cleaning demands, and gives no counts per rule.

The bar: ours takes at most 1.3 times as long as the SQL, and memory stays bounded: both DuckDB runs have the same
``memory_limit`` (unless given, half of the machine's memory, which is the product's default).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from child_process import run_child

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

BAR = 1.3
AS_OF = dt.date(2025, 1, 1)
COLUMNS = ("customer_id", "recency_days", "orders", "money", "tenure_days")

GENERATE = """
COPY (
    WITH lines AS (
        SELECT i, i // 5 AS basket, hash(i // 5) AS h, hash(i * 7919 + 13) AS g FROM range({unique}) numbers(i)
    ), sales AS (
        SELECT
            CASE WHEN h % 50 = 0 THEN NULL
                 ELSE 12000 + (power((h // 50 % 1000003) / 1000003.0, 2) * {customers})::BIGINT END AS customer_id,
            CASE WHEN h // 7 % 50 = 0 THEN 'C' ELSE '' END || (500000 + basket) AS invoice,
            TIMESTAMP '2022-01-01' + to_seconds((h // 11 % 1577000) * 60) AS invoice_date,
            CASE WHEN h // 7 % 50 = 0 THEN -1 ELSE 1 END * (1 + g % 12)::INTEGER AS quantity,
            round(0.25 + (g // 13 % 4000) / 100.0, 2) AS price,
            (20000 + g // 17 % 5000)::VARCHAR AS stock_code,
            i
        FROM lines
    )
    SELECT * EXCLUDE i FROM sales UNION ALL SELECT * EXCLUDE i FROM sales WHERE i % 100 = 3
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""

BY_HAND = """
WITH lines AS (
    SELECT DISTINCT customer_id, trim(invoice) AS invoice, invoice_date, quantity, price, stock_code
    FROM '{path}'
    WHERE customer_id IS NOT NULL AND customer_id <> 0 AND trim(invoice) <> '' AND NOT starts_with(trim(invoice), 'C')
      AND invoice_date >= '1900-01-01' AND invoice_date < '{as_of}'
      AND quantity > 0 AND quantity * price >= 0 AND isfinite(quantity * price)
), orders AS (
    SELECT customer_id, invoice, min(invoice_date) AS first, max(invoice_date) AS last,
           sum(floor(quantity * price * 10000 + 0.5)::BIGINT) AS quanta
    FROM lines GROUP BY ALL
)
SELECT customer_id::VARCHAR AS customer_id,
       (epoch_us(TIMESTAMP '{as_of}') - epoch_us(max(last))) // 86400000000 AS recency_days,
       count(*) AS orders,
       ((sum(quanta) + 50) // 100)::BIGINT AS money,
       (epoch_us(TIMESTAMP '{as_of}') - epoch_us(min(first))) // 86400000000 AS tenure_days
FROM orders GROUP BY customer_id ORDER BY customer_id::VARCHAR
"""


def generate(path: Path, rows: int) -> None:
    import duckdb

    with duckdb.connect() as database:
        database.execute("SET preserve_insertion_order = false")
        database.execute(GENERATE.format(unique=rows * 100 // 101, customers=max(1, rows // 40), path=path))


def run_ours(path: Path, memory: str) -> tuple[float, object]:
    import pyarrow as pa

    from clients.data.config import HolderConfig
    from clients.data.origin import Origin
    from clients.data.rows.customers import build_customer_table
    from privacy.kernel.terms import Budget, Cleaning
    from privacy.protocol.study import Study

    config = HolderConfig.model_validate(
        {
            "holder": "bench",
            "source": {"url": str(path), "currency_code": "GBP", "memory": memory or None},
            "columns": {
                "customer": "customer_id",
                "order": "invoice",
                "time": "invoice_date",
                "quantity": "quantity",
                "price": "price",
                "product": "stock_code",
            },
        }
    )
    study = Study(
        name="bench",
        as_of=AS_OF,
        currency="GBP",
        budget=Budget(epsilon=Decimal(1)),
        cleaning=Cleaning(cancellation_prefix="C"),
    )
    start = time.perf_counter()
    table = build_customer_table(Origin(config, study, path.parent))
    elapsed = time.perf_counter() - start
    numbers = {name: pa.array(getattr(table.columns, name)) for name in COLUMNS[1:]}
    return elapsed, pa.table({"customer_id": pa.array(table.ids, pa.string())} | numbers)


def run_sql(path: Path, memory: str) -> tuple[float, object]:
    import duckdb

    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as database:
        start = time.perf_counter()
        database.execute("SET preserve_insertion_order = false")
        database.execute(f"SET temp_directory = '{spill}'")
        database.execute(f"SET memory_limit = '{memory or half_of_memory()}'")
        result = database.sql(BY_HAND.format(path=path, as_of=AS_OF)).to_arrow_table()
        return time.perf_counter() - start, result


def half_of_memory() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2 // 2**20}MiB"


def run_pandas(path: Path, memory: str) -> tuple[float, object]:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    start = time.perf_counter()
    frame = pd.read_parquet(path)
    frame = frame[frame["customer_id"].notna()]
    frame["invoice"] = frame["invoice"].str.strip()
    amount = frame["quantity"] * frame["price"]
    keep = ~frame["invoice"].str.startswith("C") & (frame["invoice"] != "") & (frame["quantity"] > 0) & (amount >= 0)
    frame = frame[keep & np.isfinite(amount) & (frame["invoice_date"] < pd.Timestamp(AS_OF))].drop_duplicates()
    frame["quanta"] = np.floor(frame["quantity"] * frame["price"] * 10_000 + 0.5).astype("int64")
    customers = frame.groupby("customer_id").agg(
        first=("invoice_date", "min"),
        last=("invoice_date", "max"),
        orders=("invoice", "nunique"),
        quanta=("quanta", "sum"),
    )
    day = pd.Timedelta(days=1)
    result = pd.DataFrame(
        {
            "customer_id": customers.index.astype("int64").astype(str),
            "recency_days": ((pd.Timestamp(AS_OF) - customers["last"]) // day).to_numpy(),
            "orders": customers["orders"].to_numpy(),
            "money": ((customers["quanta"] + 50) // 100).to_numpy(),
            "tenure_days": ((pd.Timestamp(AS_OF) - customers["first"]) // day).to_numpy(),
        }
    ).sort_values("customer_id")
    elapsed = time.perf_counter() - start
    return elapsed, pa.Table.from_pandas(result, preserve_index=False)


RUNS = {"ours": run_ours, "sql": run_sql, "pandas": run_pandas}


def child(name: str, path: Path, memory: str, result: Path) -> None:
    """Run one implementation; print its seconds and CPU seconds, and leave its table in ``result``."""
    import pyarrow.parquet as pq

    before = time.process_time()
    elapsed, table = RUNS[name](path, memory)
    print(elapsed, time.process_time() - before)
    pq.write_table(table, result)


def measure(name: str, path: Path, memory: str, result: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory in GB of one run in a process of its own."""
    command = [__file__, "--child", name, "--data", str(path), "--result", str(result), "--memory", memory]
    output, peak = run_child(command)
    elapsed, cpu = map(float, output.split())
    return elapsed, cpu, peak


def same(results: list[Path]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("customer_id", pa.string()), *((name, pa.int64()) for name in COLUMNS[1:])])
    tables = [pq.read_table(path).select(list(COLUMNS)).cast(schema).replace_schema_metadata() for path in results]
    return all(table.equals(tables[0]) for table in tables[1:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="", help="memory_limit of both DuckDB runs, such as 2GB")
    parser.add_argument("--without-pandas", action="store_true", help="where memory does not suffice for it")
    parser.add_argument("--child", choices=list(RUNS), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.data, options.memory, options.result)
        return 0
    names = [name for name in RUNS if not (options.without_pandas and name == "pandas")]
    with tempfile.TemporaryDirectory(prefix="cohortium-bench-") as folder:
        path = Path(folder) / "sales.parquet"
        generate(path, options.rows)
        limit = options.memory or f"half of the machine's ({half_of_memory()})"
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of Parquet; DuckDB memory_limit: {limit}")
        figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
        for repeat in range(options.repeats):
            for name in names if repeat % 2 == 0 else reversed(names):
                figures[name].append(measure(name, path, options.memory, Path(folder) / f"{name}.parquet"))
        agree = same([Path(folder) / f"{name}.parquet" for name in names])
    seconds = {name: statistics.median(run[0] for run in runs) for name, runs in figures.items()}
    work = {name: statistics.median(run[1] for run in runs) for name, runs in figures.items()}
    print(f"{'':8}{'median s':>10}{'x SQL':>8}{'CPU s':>8}{'x SQL':>8}{'peak GB':>9}  all s")
    for name in names:
        runs = " ".join(f"{run[0]:.2f}" for run in figures[name])
        peak = max(run[2] for run in figures[name])
        print(
            f"{name:8}{seconds[name]:10.2f}{seconds[name] / seconds['sql']:8.2f}"
            f"{work[name]:8.2f}{work[name] / work['sql']:8.2f}{peak:9.2f}  {runs}"
        )
    ratio = seconds["ours"] / seconds["sql"]
    met = "met" if ratio <= BAR else "NOT MET"
    print(f"same table: {'yes' if agree else 'NO'}; bar: {BAR} x SQL, ours {ratio:.2f}: {met}")
    return 0 if agree and ratio <= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
