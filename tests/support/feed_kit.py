"""A shop with a feed of sessions: its configuration, its rows, and what is read of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from source_kit import COLUMNS, make_study

from clients.data.config import HolderConfig
from clients.data.feeds.lines import open_feed
from clients.data.origin import Origin
from clients.data.sources import fetch

SESSION = {"customer": "user", "time": "started", "source": "utm", "seconds": "dwell", "furthest": "stage"}


def config(**tables: Any) -> HolderConfig:
    source = {"url": "sales.parquet", "currency_code": "EUR", "time_zone": "Asia/Shanghai"} | tables.pop("source", {})
    return HolderConfig.model_validate({"holder": "shop", "source": source, "columns": COLUMNS} | tables)


def with_sessions(url: str, **place: Any) -> HolderConfig:
    return config(source={"exclude": "out.csv"}, events={"session": {"url": url, "columns": SESSION} | place})


def sessions(count: int = 3000) -> pa.Table:
    rng = np.random.default_rng(5)
    ids = np.array([" 17", "17.0", "0", "guest", "", None, "Zoë", "客户 7", "x,y", "18"], dtype=object)
    user = np.where(rng.random(count) < 0.3, rng.choice(ids, count), rng.integers(1, 90, count).astype(str))
    time = np.datetime64("2024-04-01T00:00:00", "us") + rng.integers(0, 80 * 86_400_000_000, count)
    return pa.table({
        "user": pa.array(user, pa.string()),
        "started": pa.array(time, mask=rng.random(count) < 0.02),
        "utm": pa.array(rng.choice(["baidu", " Baidu", "小红书", "ads", None, ""], count), pa.string()),
        "dwell": pa.array(np.round(rng.gamma(1.0, 90, count), 1), mask=rng.random(count) < 0.05),
        "stage": pa.array(rng.choice(["reached", "viewed", "ordered"], count)),
        "consent": pa.array(rng.random(count) < 0.9),
    })  # fmt: skip


def read(shop: HolderConfig, base: Any) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    with open_feed(Origin(shop, make_study(), base), "session") as feed:
        kept = feed.kept
        rows = kept.select(
            kept.customer.cast("string"),
            kept.time,
            kept.raw_source,
            kept.raw_seconds.cast("float64"),
            kept.raw_furthest,
        )
        found = fetch(rows, what="reading").to_pylist()
        return sorted((tuple(row.values()) for row in found), key=repr), feed.tally()
