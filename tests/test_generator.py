"""The generated world: reproducible, as dirty as real data, and true to what it says about itself."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from cell_kit import TABLES, entries_of
from several_kit import integers

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.feeds.lines import open_feed
from clients.data.origin import Origin
from clients.data.rows.customers import CustomerTable, build_customer_table
from clients.data.rows.entries.kind import build_cells
from privacy.kernel.canonical import read_toml
from privacy.kernel.cells import CellRequest
from privacy.protocol.study import Study
from simulations.worlds.dirt import MISSING_IDS, NON_GOODS
from simulations.worlds.generator import GeneratedWorld, generate, like_their_person, study_toml
from simulations.worlds.people import SEASONS


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GeneratedWorld:
    return generate(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def rows(world: GeneratedWorld) -> dict[str, pd.DataFrame]:
    return raw_rows(world)


def raw_rows(world: GeneratedWorld) -> dict[str, pd.DataFrame]:
    """Every holder's rows as they lie there, under common names."""
    names = ["order", "customer", "time", "product"]
    found = {}
    for holder in world.holders:
        home = world.folder / holder
        if (home / "sales").is_dir():
            table = pd.concat(pd.read_parquet(path) for path in sorted((home / "sales").glob("*.parquet")))
        elif (home / "sales.duckdb").exists():
            with duckdb.connect(str(home / "sales.duckdb"), read_only=True) as connection:
                table = connection.execute("SELECT * FROM sales").df()
        elif (home / "receipts.csv").exists():
            table = pd.read_csv(home / "receipts.csv", dtype=str, keep_default_na=False)
            table["sold_at"] = pd.to_datetime(table["sold_at"])
        else:
            table = pd.read_csv(home / "umsatz.csv", dtype=str, keep_default_na=False, sep=";", encoding="latin-1")
            table["Datum"] = pd.to_datetime(table["Datum"], format="%d.%m.%Y %H:%M")
        found[holder] = table.reset_index(drop=True).rename(columns=dict(zip(table.columns[:4], names, strict=True)))
    return found


def study_of(world: GeneratedWorld, tmp_path: Path) -> Study:
    path = tmp_path / "study.toml"
    path.write_text(study_toml(world), encoding="utf-8")
    return read_toml(path, Study)


def truth_of(world: GeneratedWorld) -> dict:
    return json.loads(world.truth.read_text(encoding="utf-8"))


def tables(world: GeneratedWorld, study: Study) -> dict[str, CustomerTable]:
    result = {}
    for holder in world.holders:
        home = world.folder / holder
        config = read_toml(home / "holder.toml", HolderConfig)
        assert config.holder == holder
        result[holder] = build_customer_table(Origin(config, study, home))
    return result


def test_same_seed_same_rows_and_another_seed_other_rows(tmp_path: Path) -> None:
    worlds = [generate(tmp_path / str(n), customers=200, seed=seed) for n, seed in enumerate((5, 5, 6))]
    first, again, other = (raw_rows(world) for world in worlds)
    for holder in worlds[0].holders:
        pd.testing.assert_frame_equal(first[holder], again[holder])
    assert worlds[0].truth.read_text() == worlds[1].truth.read_text()
    assert not first["online"].equals(other["online"])


def test_generating_again_into_the_same_folder_replaces_the_world(tmp_path: Path) -> None:
    generate(tmp_path, customers=200, seed=1)
    world = generate(tmp_path, customers=200, seed=2)
    fresh = generate(tmp_path / "fresh", customers=200, seed=2)
    pd.testing.assert_frame_equal(raw_rows(world)["store-2"], raw_rows(fresh)["store-2"])


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.25, 0.4])
def test_overlap_is_as_asked(tmp_path: Path, overlap: float) -> None:
    truth = truth_of(generate(tmp_path, customers=1000, overlap=overlap))
    assert truth["share_of_persons_at_several_holders"] == pytest.approx(overlap, abs=0.02)
    by_number = truth["persons_by_number_of_holders"]
    assert sum(by_number.values()) == 1000
    assert set(by_number) <= {"1", "2", "3"}


def test_a_record_says_of_most_persons_what_is_so_and_of_those_at_several_holders_of_half() -> None:
    records = pd.DataFrame(
        {
            "person": [1, 1, 2, 3, 4],
            "recency_days": [10, 300, 20, 200, 400],
            "orders": [3, 1, 4, 1, 1],
            "money": [50.0, 20.0, 90.0, 10.0, 80.0],
        }
    )
    assert like_their_person(records).tolist() == [False, False, True, True, True]
    assert like_their_person(records[records["person"] != 1]).all()


def test_the_demo_says_how_far_records_are_from_persons(world: GeneratedWorld) -> None:
    truth = truth_of(world)
    assert truth["share_of_records_like_their_person"] == pytest.approx(0.71, abs=0.02)


def test_every_holder_reads_its_data_and_finds_the_truth(world: GeneratedWorld, tmp_path: Path) -> None:
    """The formats, the dirt and the cleaning meet: real sources, real cleaning, exact answers."""
    truth = truth_of(world)
    for holder, table in tables(world, study_of(world, tmp_path)).items():
        expected = truth["holders"][holder]
        assert len(table) == expected["customers"]
        assert table.columns.orders.sum() == expected["orders"]
        # Exact in euros; pounds are rounded to pence before they are converted.
        assert table.columns.money.sum() / 100 == pytest.approx(expected["revenue"], rel=2e-4)
        report = table.report
        assert report.dropped["no_customer_id"] > 0
        assert report.dropped["non_goods"] > 0
        assert report.dropped["after_as_of"] > 0
        assert report.netted > 0
        assert report.duplicates > 0
    online = truth["holders"]["online"]
    assert table.columns.recency_days.min() >= 0
    assert truth["pooled"]["customer_records"] == sum(h["customers"] for h in truth["holders"].values())
    assert online["customers"] < world.customers < truth["pooled"]["customer_records"]


def test_dirt_is_present_in_every_holder(world: GeneratedWorld, rows: dict[str, pd.DataFrame]) -> None:
    for holder, table in rows.items():
        spellings = set(table["customer"]) & set(MISSING_IDS)
        assert len(spellings) >= 3, holder
        assert set(NON_GOODS) <= set(table["product"]), holder
        assert table.duplicated().sum() > 0, holder
        assert (table["time"] >= pd.Timestamp(world.as_of)).sum() >= 5, holder
    numbered = [holder for holder, table in rows.items() if table["customer"].str.fullmatch(r"\d+\.0").any()]
    assert "online" in numbered
    assert len(numbered) == 3  # the database writes its ids as text
    assert rows["online"]["order"].str.startswith("C").any()
    assert not rows["store-1"]["order"].str.startswith("C").any()
    assert set(rows["store-3"].iloc[:, -1]) == {"EUR", "GBP"}


def test_ids_of_one_person_differ_between_holders(rows: dict[str, pd.DataFrame]) -> None:
    ids = {holder: set(table["customer"]) - set(MISSING_IDS) for holder, table in rows.items()}
    online, store = ids["online"], ids["store-1"]
    assert len(online & store) < 0.05 * min(len(online), len(store))


def test_no_truth_lies_in_a_holders_folder(world: GeneratedWorld) -> None:
    assert world.truth.parent == world.folder
    for holder in world.holders:
        assert not list((world.folder / holder).rglob("*.json"))


def test_seasons_and_recency_are_those_of_a_shop(
    world: GeneratedWorld, rows: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    table = rows["online"]
    past = table[table["time"] < pd.Timestamp(world.as_of)].drop_duplicates("order")
    second_year = past[past["time"] >= pd.Timestamp(world.as_of) - pd.Timedelta(days=365)]
    by_month = second_year.groupby(second_year["time"].dt.month).size()
    rest = by_month.drop([11, 12]).mean()
    assert by_month[12] > 1.3 * rest
    assert by_month[11] > 1.15 * rest
    assert len(SEASONS) == 12
    assert table["time"].min() >= pd.Timestamp(world.as_of) - pd.Timedelta(days=731)
    columns = tables(world, study_of(world, tmp_path))["online"].columns
    assert 0 <= columns.recency_days.min() <= 2
    assert columns.recency_days.max() < 730
    assert 0.3 < (columns.orders == 1).mean() < 0.7
    top = sorted(columns.money, reverse=True)
    assert sum(top[: len(top) // 5]) > 0.5 * sum(top)  # few customers bring most of the money


def test_the_study_fits_the_world(world: GeneratedWorld, tmp_path: Path) -> None:
    study = study_of(world, tmp_path)
    assert study.name == "demo-rfm"
    assert study.as_of == world.as_of == dt.date(2025, 1, 1)
    assert study.holders == world.holders
    assert study.rate_of("GBP") is not None
    assert study.cleaning.cancellation_prefix == "C"
    most = max(int(n) for n in truth_of(world)["persons_by_number_of_holders"])
    assert study.budget.max_holders_per_customer == most == 3
    assert study.budget.size_class >= truth_of(world)["pooled"]["customer_records"]


def test_one_store_means_two_holders_at_most(tmp_path: Path) -> None:
    world = generate(tmp_path, customers=300, stores=1)
    assert world.holders == ("online", "store-1")
    assert world.most_holders == 2
    assert set(truth_of(world)["persons_by_number_of_holders"]) == {"1", "2"}
    assert study_of(world, tmp_path).budget.max_holders_per_customer == 2


@pytest.mark.slow
def test_a_holder_with_hardly_a_customer_still_gets_readable_files(tmp_path: Path) -> None:
    world = generate(tmp_path, customers=50, stores=20, seed=1)
    truth = truth_of(world)["holders"]
    found = tables(world, study_of(world, tmp_path))
    assert {holder: len(table) for holder, table in found.items()} == {
        holder: facts["customers"] for holder, facts in truth.items()
    }


def test_feeds_are_beside_the_same_purchases(tmp_path: Path) -> None:
    plain, rich = (generate(tmp_path / name, customers=300, feeds=name == "rich") for name in ("plain", "rich"))
    sold, also = raw_rows(plain), raw_rows(rich)
    for holder in plain.holders:
        assert len(also[holder]) == len(sold[holder])
        shared = [column for column in sold[holder] if column in also[holder]]
        pd.testing.assert_frame_equal(also[holder][shared], sold[holder][shared])
    assert truth_of(rich)["pooled"] == truth_of(plain)["pooled"]
    study = study_of(rich, tmp_path)
    for holder in rich.holders:
        home = rich.folder / holder
        config = read_toml(home / "holder.toml", HolderConfig)
        assert ("session" in config.feeds) == (holder != "store-3")
        assert {"customer", "return", "rating", "contact", "sent"} <= set(config.feeds)
        for name in config.feeds:
            with open_feed(Origin(config, study, home), name) as feed:
                tally = feed.tally()
                assert min(tally[""], tally["no_customer_id"]) > 0, (holder, name)
                assert name == "customer" or tally["after_as_of"] > 0


@pytest.mark.parametrize("wrong", [{"customers": 10}, {"stores": 0}, {"stores": 21}, {"overlap": 0.9}])
def test_arguments_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="customers must be"):
        generate(tmp_path / "never", **wrong)
    assert not (tmp_path / "never").exists()


def test_a_holder_of_several_sources_has_the_same_customers(tmp_path: Path) -> None:
    """The same rows in three places with other ids: put together they say what they said, and the truth is known."""
    plain, split = (
        generate(tmp_path / name, customers=300, feeds=True, several=name == "split") for name in ("plain", "split")
    )
    study = study_of(split, tmp_path)
    whole, parts = (
        Origin(read_toml(world.folder / "store-2" / "holder.toml", HolderConfig), study, world.folder / "store-2")
        for world in (plain, split)
    )
    one, other = (build_customer_table(origin) for origin in (whole, parts))
    own = {name.removeprefix("person:M-"): row for name, row in integers(other).items()}
    assert own == {name.removeprefix("K"): row for name, row in integers(one).items()}
    report = preflight(parts.config, study, base=parts.base)
    assert report.problems == ()
    assert report.persons is not None
    truth = truth_of(split)
    assert {str(at): count for at, count in report.persons.at.items()} == (
        truth.pop("customers_by_number_of_sources")["store-2"]
    )
    assert sum(report.persons.at.values()) == truth["holders"]["store-2"]["customers"] == len(one)
    assert len(report.persons.at) == 3
    assert truth == truth_of(plain), "what is sold is the same"
    tables = CellRequest(tables=(TABLES[7], TABLES[14], TABLES[5]))
    expected, found = (entries_of(build_cells(origin, tables), tables) for origin in (whole, parts))
    for theirs, mine in zip(expected, found, strict=True):
        assert {name.removeprefix("person:M-"): cells for name, cells in mine.items()} == (
            {name.removeprefix("K"): cells for name, cells in theirs.items()}
        )
        assert theirs
    assert not list((split.folder / "store-2").rglob("truth*"))
