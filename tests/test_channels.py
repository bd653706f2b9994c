"""A company with a web shop, tills and an app: one table over all three, and tables by channel and by shop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cell_kit import declared
from several_kit import integers
from source_kit import make_study

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from clients.data.rows.entries.kind import build_cells
from privacy.kernel.canonical import read_toml
from privacy.kernel.cells import CellRequest
from simulations.worlds.channels import ZONE, ChannelWorld, generate_channels

CHANNELS, SHOPS = ("online", "till", "app"), ("online", "store-1", "store-2", "store-3", "app")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ChannelWorld:
    return generate_channels(tmp_path_factory.mktemp("company"), customers=300)


@pytest.fixture(scope="module")
def origin(world: ChannelWorld) -> Origin:
    study = make_study(as_of=world.as_of, time_zone=ZONE)
    return Origin(read_toml(world.folder / "holder.toml", HolderConfig), study, world.folder)


def test_one_row_for_a_person_over_all_channels(world: ChannelWorld, origin: Origin) -> None:
    table = build_customer_table(origin)
    assert {name: row[:3] for name, row in integers(table).items()} == world.truth
    assert table.report.dropped == {}
    several = {key for key in world.truth if key.startswith("person:")}
    assert len(several) > 200


def test_tables_by_channel_and_by_shop(world: ChannelWorld, origin: Origin) -> None:
    measures = ("customers", "count(order)", "sum(order.amount)")
    tables = (
        declared("channels", {"order.channel": [*CHANNELS, "other"]}, *measures),
        declared("shops", {"order.store": [*SHOPS, "other"]}, *measures),
    )
    cells = build_cells(origin, CellRequest(tables=tables)).table
    for place, (keys, truth) in enumerate(((CHANNELS, world.channels), (SHOPS, world.stores))):
        mine = cells.table == place
        found = np.zeros((len(keys) + 1, 3), dtype=np.int64)
        np.add.at(found, cells.cell[mine], cells.values[mine, :3])
        assert [tuple(row) for row in found[:-1].tolist()] == [truth[key] for key in keys]
        assert not found[-1].any()


def test_holder_check_accounts_for_all_three(world: ChannelWorld, origin: Origin, tmp_path: Path) -> None:
    report = preflight(origin.config, origin.study, base=world.folder)
    assert report.problems == ()
    assert report.cleaning is not None
    assert report.cleaning.customers == len(world.truth)
    assert sum(float(item.revenue) for item in report.currencies) == sum(row[2] for row in world.truth.values()) / 100
