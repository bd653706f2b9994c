"""What reading CSV line by line costs, against DuckDB's own reading of the same files.

    python benchmarks/csv_lines.py [--lines 2000000] [--repeats 3]

It writes sales lines into a temporary folder in several spellings: plain, all fields in quotes, in Latin-1, and with
one line in a million that is left out. For each, CPU seconds of all threads of

* DuckDB alone, which guesses what the file looks like, all columns as text (and gets Latin-1 as UTF-8);
* ours: every line sifted, then DuckDB with nothing to guess; and the sifting by itself.

Both count the rows and the distinct customers. Medians are shown; runs alternate.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

HEAD = "customer,order,time,amount,quantity,product,note\n"
BLOCK = 50_000


def write(path: Path, lines: int, *, quoted: bool = False, encoding: str = "utf-8", bad: bool = False) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        file.write(HEAD)
        for start in range(0, lines, BLOCK):
            file.writelines(line(i, quoted) for i in range(start, min(start + BLOCK, lines)))
            if bad and start % 1_000_000 == 0:
                file.write('C1,O1,2024-05-05 10:00:00,1.00,1,"12 inch,x\n')


def line(i: int, quoted: bool) -> str:
    fields = (
        f"C{i * 7919 % 90_000:07d}", f"O{i // 3:08d}", f"2024-{1 + i % 12:02d}-{1 + i % 28:02d} 10:00:00",
        f"{i * 37 % 90_000 / 100:.2f}", str(1 + i % 9), f"P-{i % 5000:05d}", "Größe M" if i % 4 == 0 else "plain",
    )  # fmt: skip
    return ",".join(f'"{field}"' for field in fields) + "\n" if quoted else ",".join(fields) + "\n"


def duckdb_alone(path: Path) -> tuple[int, int]:
    import duckdb

    if "latin" in path.name:  # it has no such encoding without an extension
        copy = path.with_suffix(".txt")
        copy.write_text(path.read_text("latin-1"), encoding="utf-8")
        path = copy
    with duckdb.connect() as database:
        database.execute("SET preserve_insertion_order = false")
        query = "SELECT count(*), count(DISTINCT customer) FROM read_csv(?, all_varchar = true)"
        return database.execute(query, [str(path)]).fetchone()


def ours(path: Path) -> tuple[int, int]:
    from clients.data.config import HolderConfig
    from clients.data.sources import fetch, open_source

    config = HolderConfig.model_validate(
        {
            "holder": "bench",
            "source": {
                "url": str(path),
                "currency_code": "EUR",
                "csv": {"encoding": "latin-1" if "latin" in path.name else "utf-8"},
            },
            "columns": {"customer": "customer", "order": "order", "time": "time", "amount": "amount"},
        }
    )
    with open_source(config, base=path.parent) as opened:
        table = opened.table
        counted = fetch(table.aggregate(rows=table.count(), customers=table.customer.nunique()), what="counting")
    row = counted.to_pylist()[0]
    return row["rows"], row["customers"]


def sifting(path: Path) -> tuple[int, int]:
    from clients.data.sources.lines import Shape, Sieve
    from clients.data.sources.packing import unpacked
    from clients.data.sources.text import read_lines

    with unpacked(path) as file:
        beginning, blocks = read_lines(file, "latin-1" if "latin" in path.name else "utf-8")
        sieve = Sieve(Shape(",", HEAD.count(",") + 1), before=1)
        for block in blocks:
            sieve.sift(block)
    return sieve.found.rows, len(beginning.header)


RUNS: dict[str, Callable[[Path], tuple[int, int]]] = {"DuckDB": duckdb_alone, "ours": ours, "sifting": sifting}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cohortium-bench-") as name:
        files = {
            "plain": dict[str, object](),
            "quoted": {"quoted": True},
            "latin-1": {"encoding": "latin-1"},
            "bad lines": {"bad": True},
        }
        print(f"{options.lines:,} lines; CPU seconds, medians of {options.repeats}")
        print(f"{'':10}{'MB':>6}" + "".join(f"{run:>9}" for run in RUNS) + "   rows")
        for kind, how in files.items():
            path = Path(name) / f"{kind.replace(' ', '-')}.csv"
            write(path, options.lines, **how)  # type: ignore[arg-type]
            spent: dict[str, list[float]] = {run: [] for run in RUNS}
            seen: dict[str, int] = {}
            for repeat in range(options.repeats + 1):
                for run, read in RUNS.items():
                    before = time.process_time()
                    seen[run] = read(path)[0]
                    if repeat:  # the first one imports and warms up
                        spent[run].append(time.process_time() - before)
            figures = "".join(f"{statistics.median(spent[run]):9.2f}" for run in RUNS)
            rows = " / ".join(f"{seen[run]:,}" for run in RUNS)
            print(f"{kind:10}{path.stat().st_size / 1e6:6.0f}{figures}   {rows}")
            if not seen["ours"] == seen["sifting"] == options.lines:
                return 1
            path.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
