"""A source of customers, one row each: their last order, how many, and what they spent (``kind = "customers"``).

What lines would tell beside that is not there: a study that asks for it is refused, before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterable

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.times import FIRST_DAY, PLACEHOLDERS
from clients.data.config import HolderConfig
from privacy.errors import ConfigError
from privacy.kernel.customers import CustomerRequest
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.row_requests import RowRequest
from privacy.protocol.study import Study

#: Sums of a customer's lines that the row has as well; ``first`` where it says when the first order was.
_SUMS = frozenset({"orders", "last", "quanta"})


def check_totals(config: HolderConfig, study: Study, request: RowRequest) -> None:
    """Whether a source of customers, if it is one, can serve a request. Looks at no row.

    Raises:
        ConfigError: saying what of the request it cannot, or how the study's day or time zone differs.
    """
    source = config.source
    if source.kind != "customers":
        return
    if source.snapshot != study.as_of:
        raise ConfigError(
            f"the source is of customers before {source.snapshot}, and the study of {study.as_of}",
            hint=f"export it as of that day and write snapshot = {study.as_of} under [source], or give lines of sales",
        )
    if config.columns.recency_days is not None and source.time_zone != study.time_zone:
        raise ConfigError(
            f"recency_days counts days of {source.time_zone}, and the study days of {study.time_zone}",
            hint=f'if the export counted by the study\'s days, write time_zone = "{study.time_zone}" under [source]',
        )
    steps = [len(study.rate_of(code) or ()) for code in config.declared_currencies if code != study.currency]
    if any(count > 1 for count in steps):
        raise ConfigError(
            "the study has several rates of a currency over time, and the source states money of all time",
            hint=f"export it in {study.currency}, or give lines of sales",
        )
    if isinstance(request, CustomerRequest) and request.window_days is None:
        return
    if isinstance(request, FeatureRequest) and request.days == (study.as_of,) and not request.horizon_days:
        return
    what = "a window of days" if isinstance(request, CustomerRequest) else "earlier days, lines or events"
    raise ConfigError(
        f"the study asks for {what}, and the source has one row a customer",
        hint="give lines of sales (docs/sources.md, a table of customers), or ask for a study of segments",
    )


def check_sums(config: HolderConfig, feature: str, sums: Iterable[str]) -> None:
    """Whether a source of customers, if it is one, says what a feature is made of.

    Raises:
        ConfigError: naming the feature.
    """
    known = _SUMS if config.columns.first is None else _SUMS | {"first"}
    if config.source.kind == "customers" and not known.issuperset(sums):
        needs_first = known.union({"first"}).issuperset(sums)
        raise ConfigError(
            f"the study uses {feature}, which {'needs columns.first' if needs_first else 'needs lines of sales'}: the "
            "source has one row a customer",
            hint="map it under [columns] in holder.toml" if needs_first else f"ask for a study without {feature}",
        )


def totals(kept: ir.Table) -> ir.Table:
    """One row per customer, as of lines of sales; several rows of one id are added up.

    Args:
        kept: rows that count, with ``quanta``.
    """
    last = kept.time
    if "raw_first" in kept.columns:
        first = kept.raw_first.cast(last.type())
        # What comes after the last order, or is a placeholder, is no first one.
        is_one = (first <= last) & (first >= ibis.literal(FIRST_DAY).cast(last.type()))
        for day in PLACEHOLDERS:
            is_one &= first.date() != day.date()
        kept = kept.mutate(first=ibis.ifelse(is_one.fill_null(False), first, last))
    else:
        kept = kept.mutate(first=last)
    return kept.group_by("customer").agg(
        orders=kept.raw_orders.cast("int64").sum(),
        quanta=kept.quanta.sum(),
        first=kept["first"].min(),
        last=kept.time.max(),
        lines=kept.count(),
    )


def sums_of_totals(rows: ir.Table) -> ir.Table:
    """The same under the names that features of one day are made from."""
    return rows.select("customer_id", **{f"{name}_0": rows[name] for name in ("orders", "first", "last", "quanta")})
