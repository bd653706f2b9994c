"""A year of monthly runs: how many customers get the right R and M scores, by which facts and whose cut points.

Run ``python benchmarks/monthly_scores.py --runs 5`` (``--data FOLDER`` for another copy of the public data sets). The
customers are those of Online Retail II, split over three holders by customer number; every month has a budget of
epsilon 1 of its own, of which the first question takes what it takes in the product. Customer tables, encoding, noise
and cut points are the product's; messages are left out. Right is a score that exact quintiles of the same month and
the same facts give.

Facts are those of a customer's whole life, or of the last 365 days. Cut points are

- ``new`` ones every month, as a study without further settings finds them;
- ``kept`` from the first month of the year, as ``cut_points = "previous"`` kept them before 0.2;
- those of the same month a ``year`` before, as it does now where that was run.

The shop's data are two years. A run of the first of them looks at the year before, for which the first year stands in
once more, 364 days earlier; the second year's figures, which are printed, come from the data as they are.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rfm_accuracy as bench
import rfm_tables
from numpy.typing import NDArray

import cohortium  # noqa: F401 -- puts the other packages on the path
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.analyses.rfm.segments import CutPoints
from privacy.kernel.customers import CustomerColumns, CustomerRequest
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.protocol.study import Study
from server.analyses.rfm.plan import CUT_POINTS, cut_points_statistic
from server.analyses.rfm.run import both_looks, find_cuts

TABLE = Path("online_retail_ii") / "online_retail_ii.parquet"
WINDOW = 365
YEAR = tuple(dt.date(2011, month, 1) for month in range(1, 13))
EARLIER = tuple(day.replace(year=day.year - 1) for day in YEAR)
WAYS = ("new", "kept", "year")
FloatArray = NDArray[np.float64]


def study_of(day: dt.date, window_days: int | None, epsilon: str = "1") -> Study:
    """A month's study; every month is one of its own, with a budget of its own."""
    return Study.model_validate(
        {
            "name": "monthly",
            "as_of": day,
            "currency": "GBP",
            "cleaning": {"cancellation_prefix": "C"},
            "budget": {"epsilon": epsilon, "delta": "0.000001", "max_holders_per_customer": 1, "size_class": 10_000},
            "rfm": {"window_days": window_days},
        }
    )


def with_a_year_before(table: pa.Table) -> pa.Table:
    """The shop's lines, and those of its first year once more, 364 days (whole weeks) earlier."""
    first = table.filter(pc.less(table["invoice_date"], pa.scalar(dt.datetime(2010, 12, 1), pa.timestamp("ms"))))
    earlier = pc.subtract(first["invoice_date"], pa.scalar(dt.timedelta(days=364), pa.duration("ms")))
    place = first.schema.get_field_index("invoice_date")
    return pa.concat_tables([table, first.set_column(place, "invoice_date", earlier.cast(pa.timestamp("ms")))])


def load(
    data: Path, window_days: int | None, folder: Path, days: Sequence[dt.date] = (*EARLIER, *YEAR)
) -> dict[dt.date, bench.Tables]:
    """Every month's customer tables, of the product, by holder."""
    lines = pq.read_table(data / TABLE)
    lines = lines.filter(pc.invert(lines["overlap_repeat"]))
    source = folder / f"lines-{window_days}.parquet"
    pq.write_table(lines if window_days is None else with_a_year_before(lines), source)
    columns = {
        "customer": "customer_id", "order": "invoice", "time": "invoice_date", "quantity": "quantity", "price": "price",
        "product": "stock_code",
    }  # fmt: skip
    config = HolderConfig.model_validate(
        {"holder": "shop", "source": {"url": str(source), "currency_code": "GBP"}, "columns": columns}
    )
    found = {}
    for day in days:
        origin = Origin(config, study_of(day, window_days), folder)
        table = build_customer_table(origin, CustomerRequest(window_days=window_days))
        holder = table.ids.astype(np.int64) % len(rfm_tables.HOLDERS)
        found[day] = {name: table.columns.take(holder == place) for place, name in enumerate(rfm_tables.HOLDERS)}
    return found


def cuts_of(study: Study, tables: bench.Tables, sampler: bench.Sampler = discrete_gaussian) -> CutPoints:
    """The product's cut points, from both looks."""
    answer = bench.Holders(study, tables, sampler).ask(CUT_POINTS, cut_points_statistic(study))
    look = both_looks(study, answer)  # type: ignore[arg-type]
    return find_cuts(study, look.recency, look.money, look.orders)


# --- a year ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class Year:
    """Right scores by way of finding cut points, shape ``(months,)`` each, as shares of that month's customers."""

    r: dict[str, FloatArray]
    m: dict[str, FloatArray]


def one_year(months: dict[dt.date, bench.Tables], window_days: int | None, epsilon: str = "1") -> Year:
    """One year of noise."""
    studies = {day: study_of(day, window_days, epsilon) for day in months}
    found = {day: cuts_of(studies[day], tables) for day, tables in months.items()}
    shares: dict[str, list[bench.Agreement]] = {way: [] for way in WAYS}
    for day, before in zip(YEAR, EARLIER, strict=True):
        people = bench.pooled(months[day])
        for way, cuts in zip(WAYS, (found[day], found[YEAR[0]], found[before]), strict=True):
            shares[way].append(bench.agreement(cuts, people))
    return Year(
        r={way: np.array([one.r for one in each]) for way, each in shares.items()},
        m={way: np.array([one.m for one in each]) for way, each in shares.items()},
    )


def kept_exactly(months: dict[dt.date, bench.Tables]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """What exact cut points, kept, would give: what is lost is age alone."""

    def shares(at: dt.date, people: CustomerColumns) -> tuple[float, float]:
        then = bench.pooled(months[at])
        days, money = (np.quantile(fact, bench.QUINTILES) for fact in (then.recency_days, then.money))
        r, m = bench.exact_scores(people)
        found_r = 5 - np.searchsorted(days, people.recency_days, side="left")
        found_m = 1 + np.searchsorted(money, people.money, side="left")
        return float((found_r == r).mean()), float((found_m == m).mean())

    found = {}
    for way, days in (("kept", (YEAR[0],) * len(YEAR)), ("year", EARLIER)):
        pairs = [shares(at, bench.pooled(months[day])) for at, day in zip(days, YEAR, strict=True)]
        found[way] = (np.array([r for r, _ in pairs]), np.array([m for _, m in pairs]))
    return found


def _row(runs: Sequence[FloatArray]) -> str:
    means = np.mean(runs, axis=0)
    cells = " ".join(f"{100 * value:5.1f}" for value in means)
    return f"{cells}   least {100 * means.min():5.1f}, of single runs {100 * np.min(runs):5.1f}"


def lines(data: Path, runs: int, epsilon: str) -> Iterator[str]:
    """The table, line by line."""
    yield f"right scores in percent, means of {runs} runs, epsilon {epsilon} a month; months {YEAR[0]} to {YEAR[-1]}"
    with tempfile.TemporaryDirectory() as folder:
        for window_days in (None, WINDOW):
            months = load(data, window_days, Path(folder))
            sizes = [sum(len(table) for table in months[day].values()) for day in YEAR]
            facts = f"last {window_days} days" if window_days else "whole life"
            yield f"{facts}: {min(sizes):,} to {max(sizes):,} customers"
            years = [one_year(months, window_days, epsilon) for _ in range(runs)]
            for way in WAYS:
                yield f"  {way:8} R  {_row([year.r[way] for year in years])}"
                yield f"  {'':8} M  {_row([year.m[way] for year in years])}"
            for way, (r, m) in kept_exactly(months).items():
                yield f"  {way:8} R  {_row([r])}   without noise"
                yield f"  {'':8} M  {_row([m])}   without noise"


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--epsilon", default="1")
    parser.add_argument("--data", type=Path, default=bench.default_data())
    arguments = parser.parse_args()
    for line in lines(arguments.data, arguments.runs, arguments.epsilon):
        print(line, flush=True)


if __name__ == "__main__":
    main()
