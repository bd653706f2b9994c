"""Campaigns that the holder drew up itself as a source: who was on which list, in which arm, from which day on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clients.data.campaigns import Campaign, campaigns
from clients.data.feed_config import OF_CAMPAIGNS
from clients.data.place import Reading
from clients.data.sources.embedded import embedded
from clients.data.sources.opened import Opened

#: What arms are called: words of the tables that ship.
MESSAGE, CONTROL = "message", "control"
_SCHEMA = pa.schema(
    {
        OF_CAMPAIGNS["customer"]: pa.string(), OF_CAMPAIGNS["time"]: pa.timestamp("us"),
        OF_CAMPAIGNS["campaign"]: pa.string(), OF_CAMPAIGNS["arm"]: pa.string(), OF_CAMPAIGNS["hold_out"]: pa.int64(),
    }
)  # fmt: skip


@contextlib.contextmanager
def open_campaigns(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """All lists of a holder's folder as one table: a row for each customer of each, at the start of its first day.

    Everybody on a list is in it, reached or not, those who were left alone among them; ``hold_out`` is the share of
    the list that was drawn to be left alone, in thousandths. Other settings of a source say nothing here.

    Raises:
        DataError: if a file is not what was written.
    """
    rows = pa.concat_tables([_SCHEMA.empty_table(), *(_rows(Campaign.load(base, code)) for code in campaigns(base))])
    with embedded(config, base) as (connection, _):
        connection.con.register("sent", rows)
        yield Opened(table=connection.table("sent"))


def _rows(campaign: Campaign) -> pa.Table:
    table = campaign.table
    columns = [
        table["customer_id"],
        table["since"].cast(pa.timestamp("us")),
        pa.repeat(campaign.code, len(table)),
        pc.if_else(table["control"], CONTROL, MESSAGE),
        pa.repeat(pa.scalar(campaign.share, pa.int64()), len(table)),
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)
