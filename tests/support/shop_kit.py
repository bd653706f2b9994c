"""A small shop whose truth is known, and its exports as systems write them.

Twenty customers, forty orders (one every eight days from 2024-01-03, 09:30), two lines each, 1 x 12.50 and 2 x 7.25:
eighty lines, 1,080.00. A variant is this shop written otherwise, so that what must come out is known.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.data.check import CheckReport, preflight
from clients.data.config import HolderConfig
from clients.data.guess.guess import new_holder_file
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study

HEADER = ("Order ID", "Order Date", "Customer ID", "SKU", "Quantity", "Unit Price")
TRUTH = (40, 20, 1080.0)


@dataclass(frozen=True)
class Line:
    order: int
    time: dt.datetime
    customer: int
    sku: str
    quantity: int
    price: float


def shop(prices: tuple[float, float] = (12.5, 7.25), *, orders: int = 40) -> list[Line]:
    """The lines of the shop."""
    start = dt.datetime(2024, 1, 3, 9, 30)
    return [
        Line(1000 + order, start + dt.timedelta(days=8 * order), 501 + order % 20, f"A{item}", 1 + item, prices[item])
        for order in range(orders)
        for item in (0, 1)
    ]


#: How each column is written, where a variant does not say otherwise.
PLAIN: dict[str, Callable[[Line], object]] = {
    "Order ID": lambda line: line.order,
    "Order Date": lambda line: f"{line.time:%Y-%m-%d}",
    "Customer ID": lambda line: line.customer,
    "SKU": lambda line: line.sku,
    "Quantity": lambda line: line.quantity,
    "Unit Price": lambda line: f"{line.price:.2f}",
}


def written(
    path: Path,
    lines: Iterable[Line] | None = None,
    *,
    separator: str = ",",
    encoding: str = "utf-8",
    names: Mapping[str, str] | None = None,
    **columns: Callable[[Line], object],
) -> Path:
    """Write the shop as CSV; ``columns`` are other ways to write (``Unit_Price=...``), or more columns."""
    ways = PLAIN | {name.replace("_", " "): way for name, way in columns.items()}
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow([(names or {}).get(name, name) for name in ways])
        writer.writerows([way(line) for way in ways.values()] for line in lines or shop())
    return path


def drafted(url: Path | str, *, currency: str = "EUR", **options: Any) -> tuple[HolderConfig, str]:
    """What ``holder new --yes`` writes beside the data, and its text."""
    output = options.pop("output", None) or Path(str(url).replace("*", "all")).with_name("holder.toml")
    answers = {"currency": currency} | options.pop("answers", {})
    new_holder_file(str(url), output=output, answers=answers, holder="shop", overwrite=True, **options)
    return read_toml(output, HolderConfig), output.read_text(encoding="utf-8")


def checked(url: Path | str, *, study: Study | None = None, **options: Any) -> CheckReport:
    """``holder new --yes``, then ``holder check``."""
    config, _ = drafted(url, **options)
    return preflight(config, study, base=Path(str(url).replace("*", "all")).parent)


def figures(report: CheckReport) -> tuple[int, int, float]:
    """Orders, customers and revenue of a check."""
    assert report.cleaning is not None, report.problems
    revenue = sum(item.revenue for item in report.currencies)
    return report.cleaning.orders, report.cleaning.customers, float(revenue)
