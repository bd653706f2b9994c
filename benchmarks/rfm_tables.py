"""Customers of public data sets for benchmarks of RFM, split over three holders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import cohortium  # noqa: F401 -- puts the other packages on the path
from privacy.kernel.customers import CustomerColumns

TABLE = Path("reference") / "online_retail_ii_2010_2011_rfm.parquet"
HOLDERS = ("alpha", "beta", "gamma")
Tables = Mapping[str, CustomerColumns]


def default_data() -> Path:
    """Where the reference data is looked for: ``COHORTIUM_DATA``, or ``shared/data`` beside the repository."""
    given = os.environ.get("COHORTIUM_DATA")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"


def load_tables(folder: Path) -> dict[str, CustomerColumns]:
    """The published table's customers, split over three holders by customer number modulo three."""
    import pandas as pd

    frame = pd.read_parquet(folder / TABLE)
    holder = frame["customer_id"].to_numpy(dtype=np.int64) % len(HOLDERS)
    columns = CustomerColumns(
        recency_days=frame["recency"].to_numpy(dtype=np.int64),
        orders=frame["frequency"].to_numpy(dtype=np.int64),
        money=np.rint(frame["monetary"].to_numpy() * 100).astype(np.int64),
        tenure_days=frame["recency"].to_numpy(dtype=np.int64),
    )
    return {name: columns.take(holder == number) for number, name in enumerate(HOLDERS)}


def load_cdnow(folder: Path) -> Tables:
    """The customers of the CDNOW sample as of 1 July 1998, split over three holders by number."""
    import pandas as pd

    frame = pd.read_parquet(folder / "cdnow_sample" / "cdnow_sample.parquet")
    facts = frame.groupby("sample_id").agg(last=("date", "max"), orders=("date", "size"), money=("value", "sum"))
    days = (pd.Timestamp("1998-07-01") - facts["last"]).dt.days.to_numpy(np.int64)
    columns = CustomerColumns(
        recency_days=days,
        orders=facts["orders"].to_numpy(np.int64),
        money=np.rint(100 * facts["money"].to_numpy()).astype(np.int64),
        tenure_days=days,
    )
    holder = facts.index.to_numpy() % len(HOLDERS)
    return {name: columns.take(holder == number) for number, name in enumerate(HOLDERS)}


def generated_tables(customers: int = 20_000, seed: int = 7) -> dict[str, CustomerColumns]:
    """Customers of a lognormal population: spend, exponential days since purchase, geometric orders."""
    rng = np.random.default_rng(seed)
    orders = rng.geometric(0.4, customers).astype(np.int64)
    columns = CustomerColumns(
        recency_days=np.minimum(rng.exponential(120, customers), 3000).astype(np.int64),
        orders=orders,
        money=np.rint(100 * orders * rng.lognormal(4.5, 1.0, customers)).astype(np.int64),
        tenure_days=np.full(customers, 3000, dtype=np.int64),
    )
    return {name: columns.take(slice(number, None, len(HOLDERS))) for number, name in enumerate(HOLDERS)}


def pooled(tables: Tables) -> CustomerColumns:
    """All holders' customers in one table, in the holders' order."""
    parts = list(tables.values())
    names = ("recency_days", "orders", "money", "tenure_days")
    return CustomerColumns(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
