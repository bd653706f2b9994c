"""Any shop in any spelling: exact, or told what is open; never silently something else."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_kit import checked, figures

from privacy.errors import CohortiumError

_DECIMALS = {".": ("", ",", " ", "'"), ",": ("", ".", "\u202f")}
_DATES = (
    "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y", "%Y/%m/%d %H:%M", "%Y%m%d", "%d-%m-%y",
    "%Y-%m-%dT%H:%M:%S+0800", "epoch_s", "epoch_ms",
)  # fmt: skip
_SIGNS = ("{}", "{} €", "€{}", "EUR {}")
_MINUS = ("-{}", "{}-", "({})", "\u2212{}")
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030")


def money(cents: int, decimal: str, thousands: str, sign: str, minus: str) -> str:
    whole, rest = divmod(abs(cents), 100)
    text = sign.format(f"{whole:,}".replace(",", thousands) + f"{decimal}{rest:02d}")
    return minus.format(text) if cents < 0 else text


def moment(time: dt.datetime, form: str) -> str:
    if form.startswith("epoch"):
        seconds = int(time.replace(tzinfo=dt.UTC).timestamp())
        return str(seconds if form == "epoch_s" else seconds * 1000)
    return time.strftime(form)


@st.composite
def shops(draw: Callable[..., object]) -> list[tuple[int, int, int, int]]:
    """Orders: a customer, a day of two years, cents, and whether it came back (cents below zero)."""
    size = draw(st.integers(30, 60))
    numbers = st.lists(st.integers(0, 10**9), min_size=3 * size, max_size=3 * size)
    found = draw(numbers)
    return [
        (1000 + order, 501 + a % 17, b % 700, (c % 500_000 + 100) * (-1 if c % 23 == 0 else 1))
        for order, (a, b, c) in enumerate(zip(found[::3], found[1::3], found[2::3], strict=True))
    ]  # type: ignore[return-value]


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    orders=shops(),
    separator=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    group=st.integers(0, 3),
    date=st.sampled_from(_DATES),
    ways=st.tuples(st.sampled_from(_SIGNS), st.sampled_from(_MINUS), st.sampled_from(_ENCODINGS)),
)
def test_any_shop_in_any_spelling_is_exact_or_told(orders, separator, decimal, group, date, ways):
    sign, minus, encoding = ways
    thousands = _DECIMALS[decimal][group % len(_DECIMALS[decimal])]
    if encoding == "cp1252" and thousands == "\u202f":
        thousands = "\u00a0"
    minus = "-{}" if encoding in ("cp1252", "gb18030") else minus
    start = dt.datetime(2023, 1, 5, 9, 30)
    rows = [["Order ID", "Order Date", "Customer ID", "Grüße", "Amount"]]
    for order, customer, day, cents in orders:
        time = moment(start + dt.timedelta(days=day), date)
        note = "Größe" if day % 3 else "ä"
        rows.append([str(order), time, str(customer), note, money(cents, decimal, thousands, sign, minus)])
    lines = [separator.join(f'"{field}"' if separator in field else field for field in row) for row in rows]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "sales.csv"
        path.write_bytes("\n".join([*lines, ""]).encode(encoding))
        report = None
        with contextlib.suppress(CohortiumError):  # its text names what is open
            report = checked(path)
    if report is None:
        return
    bought = [row for row in orders if row[3] > 0]
    truth = (len(bought), len({row[1] for row in bought}), sum(row[3] for row in bought) / 100)
    if report.cleaning is not None and figures(report) == truth and _days(report) == _true_days(orders, start):
        return
    said = [item for item in (*report.problems, *report.warnings) if item.code not in ("stale", "heavy_id")]
    assert said, (figures(report), truth)


def _days(report: object) -> tuple[dt.date, dt.date]:
    return report.first.date(), report.last.date()  # type: ignore[attr-defined]


def _true_days(orders: list[tuple[int, int, int, int]], start: dt.datetime) -> tuple[dt.date, dt.date]:
    days = [start.date() + dt.timedelta(days=row[2]) for row in orders]
    return min(days), max(days)
