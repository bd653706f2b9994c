"""Shares of categories and channels: what a study lists, what a holder computes from its columns, what people read.

Families: features against a direct computation over the same lines, from Parquet and CSV; nothing of a later day in
them; lists are the study's and part of every digest; refusals before a row is read; real sales; a study from
``study.toml`` to report, page and labels.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from workspaces import run as run_over

from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows import own_rows
from clients.data.rows.features import build_features, check_features
from clients.report.files import write_holder_report
from privacy.analyses.churn.options import CHURN_FEATURES
from privacy.analyses.clusters.words import cluster_words
from privacy.errors import ConfigError, DataError, NotEnoughHolders
from privacy.kernel.feature_request import FeatureLists, FeatureRequest
from privacy.kernel.features import FEATURES, MISSING, FeatureName
from privacy.presentation.features import feature_heading
from privacy.protocol.study import Study
from simulations.worlds.local import Workspace

AS_OF = dt.date(2024, 6, 1)
DAYS = (dt.date(2024, 3, 1), AS_OF)
COLUMNS = {"customer": "c", "order": "o", "time": "t", "amount": "a", "category": "k", "channel": "w"}
LISTS = FeatureLists(categories=("Toys", "12"), channels=("ONLINE", "Straße"))
NAMES: tuple[FeatureName, ...] = (
    "orders", "category_share_1", "category_share_2", "channel_share_1", "channel_share_2",
)  # fmt: skip
REQUEST = FeatureRequest(names=NAMES, days=DAYS, lists=LISTS)
SPELLED = {
    "category": [" toys", "TOYS ", "Toys", "toy", "books", "12", " 12 ", "", None],
    "channel": ["online", " Online", "straße", "store", "", None],
}


def make_study(**changes: Any) -> Study:
    return Study.model_validate({"name": "test", "as_of": AS_OF, "budget": {"epsilon": "1"}} | changes)


def cluster_options(**changes: Any) -> dict[str, Any]:
    options = {"features": NAMES, "categories": LISTS.categories, "channels": LISTS.channels}
    return {"analyses": ("clusters",), "clusters": options | changes}


def make_config(url: str, **changes: Any) -> HolderConfig:
    columns = {role: name for role, name in (COLUMNS | changes.pop("columns", {})).items() if name}
    source = {"url": url, "currency_code": "EUR"} | changes
    return HolderConfig.model_validate({"holder": "a", "source": source, "columns": columns})


def sales(seed: int, customers: int = 40) -> pd.DataFrame:
    """Orders of one to four lines, some of them over several days and channels, some returned."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(4 * customers):
        start = pd.Timestamp("2023-12-01") + pd.Timedelta(hours=int(rng.integers(0, 24 * 200)))
        for _ in range(int(rng.integers(1, 5))):
            kind, way = (SPELLED[role][rng.integers(len(SPELLED[role]))] for role in ("category", "channel"))
            amount = float(rng.choice([1.0, 2.5, 0.0, -3.0], p=[0.5, 0.3, 0.05, 0.15]))
            rows.append((f"c{number % customers:03}", f"o{number}", start, amount, kind, way))
            start += pd.Timedelta(hours=int(rng.choice([0, 0, 30, 2000])))
    return pd.DataFrame(rows, columns=list("cotakw")).sample(frac=1, random_state=seed)


def slow(rows: pd.DataFrame, day: dt.date) -> dict[str, list[int]]:
    """The definitions, one customer at a time."""
    bought = rows.drop_duplicates()
    bought = bought[(bought["a"] >= 0) & (bought["t"] < pd.Timestamp(day))]
    found = {}
    for customer, own in bought.groupby("c"):
        orders = [order[order["t"] == order["t"].min()] for _, order in own.groupby("o")]

        def has(values: pd.Series, value: str) -> pd.Series:
            return values.fillna("").str.strip().str.lower() == value

        found[str(customer)] = [
            len(orders),
            *(1000 * int(has(own["k"], value).sum()) // len(own) for value in ("toys", "12")),
            *(1000 * sum(has(order["w"], value).any() for order in orders) // len(orders)
              for value in ("online", "straße")),
        ]  # fmt: skip
    return found


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_shares_are_those_of_slow_obvious_code(tmp_path: Path, kind: str) -> None:
    rows = sales(3)
    rows.to_parquet(tmp_path / "s.parquet") if kind == "parquet" else rows.to_csv(tmp_path / "s.csv", index=False)
    built = build_features(Origin(make_config(f"s.{kind}"), make_study(), tmp_path), REQUEST)
    expected = [slow(rows, day) for day in DAYS]
    assert built.ids.tolist() == sorted(expected[-1])
    for row, customer in enumerate(built.ids.tolist()):
        for day, then in enumerate(expected):
            assert built.table.values[row, day].tolist() == then.get(customer, [MISSING] * len(NAMES))
    for column in built.table.values[:, 1, 1:].T:
        assert len(set(column.tolist())) > 3


def test_whole_numbers_and_truths_are_compared_as_text(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {"c": ["x"] * 4, "o": list("abcd"), "t": pd.Timestamp("2024-01-01"), "a": 1.0, "k": [12, 12, 120, 7],
         "w": [True, False, True, True]}
    )  # fmt: skip
    rows.to_parquet(tmp_path / "s.parquet")
    lists = FeatureLists(categories=("12",), channels=("True",))
    request = FeatureRequest(names=("category_share_1", "channel_share_1"), days=(AS_OF,), lists=lists)
    built = build_features(Origin(make_config("s.parquet"), make_study(), tmp_path), request)
    assert built.table.values[0, 0].tolist() == [500, 750]


def test_what_comes_later_changes_nothing_before(tmp_path: Path) -> None:
    rows = sales(5)
    late = rows[rows["t"] < pd.Timestamp(DAYS[0])].assign(t=pd.Timestamp(DAYS[0]), k="toys", w="online", a=9.0)
    before = []
    for name, table in (("one", rows), ("two", pd.concat([rows, late]))):
        table.to_parquet(tmp_path / f"{name}.parquet")
        built = build_features(Origin(make_config(f"{name}.parquet"), make_study(), tmp_path), REQUEST)
        before.append({customer: row for customer, row in zip(built.ids, built.table.values[:, 0].tolist(), strict=True)
                       if row[0] != MISSING})  # fmt: skip
    assert before[0] == before[1]
    assert len(before[0]) > 20


def test_lists_are_part_of_the_request_and_of_what_is_kept(tmp_path: Path) -> None:
    sales(7).to_parquet(tmp_path / "s.parquet")
    other = REQUEST.model_copy(update={"lists": LISTS.model_copy(update={"categories": ("books", "12")})})
    assert other.digest != REQUEST.digest
    config, study = make_config("s.parquet"), make_study()
    first, second = (own_rows(Origin(config, study, tmp_path), request) for request in (REQUEST, other))
    assert not np.array_equal(first.table.values[:, :, 1], second.table.values[:, :, 1])
    assert np.array_equal(first.table.values[:, :, 2:], second.table.values[:, :, 2:])
    asked, swapped = (
        make_study(**cluster_options(categories=listed)) for listed in (LISTS.categories, LISTS.categories[::-1])
    )
    assert asked.digest != swapped.digest
    assert asked.row_requests["clusters"] == FeatureRequest(names=NAMES, days=(AS_OF,), lists=LISTS)
    assert [item.of for item in asked.scaled(NAMES)] == ["", "Toys", "12", "ONLINE", "Straße"]
    assert asked.columns == {"orders", "category", "channel"}
    # An earlier run's centres are kept only where shares are of the same values.
    assert asked.scaled(NAMES) != swapped.scaled(NAMES)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"categories": ("Toys",)}, "category_share_2 needs 2 categories"),
        ({"channels": ()}, "channel_share_1 needs 1 channels"),
        ({"features": ("orders", *NAMES[2:])}, "'Toys' is listed and not used"),
        ({"categories": ("Toys", " tOYS ")}, "listed twice"),
        ({"categories": ("Toys", " ")}, "at least 1 character"),
        ({"categories": ("Toys", "a\nb")}, "pattern"),
        ({"categories": tuple(map(str, range(9)))}, "at most 8"),
        ({"channels": tuple(map(str, range(7)))}, "at most 6"),
        ({"features": (*NAMES, "category_share_9")}, "Input should be"),
    ],
)
def test_wrong_lists_are_told_by_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        make_study(**cluster_options(**changes))


def test_churn_takes_no_listed_shares() -> None:
    with pytest.raises(ValidationError, match="category_share_1 is a feature of clusters only"):
        make_study(analyses=("churn",), churn={"features": (*CHURN_FEATURES, "category_share_1")})


@pytest.mark.parametrize("role", ["category", "channel"])
def test_a_column_that_is_not_mapped_or_names_nothing_is_refused(tmp_path: Path, role: str) -> None:
    sales(9).assign(f=0.5).to_parquet(tmp_path / "s.parquet")
    with pytest.raises(ConfigError, match=rf"needs columns\.{role}") as error:
        check_features(
            Origin(make_config("no such file.parquet", columns={role: ""}), make_study(), Path()),
            REQUEST,
        )
    assert "holder.toml" in error.value.hint
    with pytest.raises(DataError, match=rf"columns\.{role}: 'f' is float64, which names no {role}"):
        build_features(Origin(make_config("s.parquet", columns={role: "f"}), make_study(), tmp_path), REQUEST)


def test_real_categories_and_the_online_shop(tmp_path: Path, data_folder: Path) -> None:
    """Contoso: shares of computers and of orders online, by joined tables, against pandas."""
    source = data_folder / "global_electronics"
    products = pd.read_parquet(source / "products.parquet")[["ProductKey", "Category"]]
    rows = pd.read_parquet(source / "sales.parquet").merge(products, on="ProductKey")
    rows.to_parquet(tmp_path / "s.parquet")
    columns = {"customer": "CustomerKey", "order": "Order Number", "time": "Order Date", "amount": "amount_usd",
               "category": "Category", "channel": "StoreKey", "product": "ProductKey"}  # fmt: skip
    study = make_study(as_of=dt.date(2021, 3, 1), currency="USD", cleaning={"duplicates": "keep"})
    lists = FeatureLists(categories=("computers",), channels=("0",))
    request = FeatureRequest(names=("category_share_1", "channel_share_1"), days=(study.as_of,), lists=lists)
    config = make_config("s.parquet", columns=columns, currency_code="USD")
    built = build_features(Origin(config, study, tmp_path), request)
    by = rows.assign(pc=rows["Category"] == "Computers").groupby(rows["CustomerKey"].astype(str))["pc"]
    orders = rows.drop_duplicates("Order Number")
    online = (orders["StoreKey"] == 0).groupby(orders["CustomerKey"].astype(str))
    expected = pd.DataFrame({"pc": 1000 * by.sum() // by.size(), "online": 1000 * online.sum() // online.size()})
    assert built.ids.tolist() == expected.index.tolist()
    assert built.table.values[:, 0].tolist() == expected.to_numpy().tolist()
    assert expected["pc"].nunique() > 20


# --- what people read --------------------------------------------------------------------------------------------


def world(root: Path, holders: tuple[str, ...], people: int = 400) -> Workspace:
    """Holders whose customers buy toys online, books in a shop, or one like the other."""
    rng = np.random.default_rng(2)
    columns = "\n".join(f'{role} = "{name}"' for role, name in COLUMNS.items())
    for name in holders:
        kind = np.repeat(np.arange(3), people // 3)
        count = rng.integers(3, 8, len(kind))
        owner = np.repeat(np.arange(len(kind)), count)
        toys = rng.random(len(owner)) < np.array([0.95, 0.05, 0.5])[kind[owner]]
        online = rng.random(len(owner)) < np.array([0.95, 0.05, 0.5])[kind[owner]]
        rows = pd.DataFrame(
            {
                "c": [f"{name}-{number}" for number in owner],
                "o": [f"o{number}" for number in range(len(owner))],
                "t": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 150, len(owner)), "D"),
                "a": rng.uniform(5, 50, len(owner)).round(2),
                "k": np.where(toys, " Toys", "books"),
                "w": np.where(online, "Online", "shop 3"),
            }
        )
        home = root / "data" / name
        home.mkdir(parents=True)
        rows.to_parquet(home / "s.parquet")
        source = '[source]\nurl = "s.parquet"\ncurrency_code = "EUR"\n'
        (home / "holder.toml").write_text(f'holder = "{name}"\n{source}[columns]\n{columns}\n', encoding="utf-8")
    return Workspace.create(root, {name: root / "data" / name for name in holders}, lifetime_epsilon="40", declared=1)


def test_a_study_finds_and_names_groups_by_category_and_channel(tmp_path: Path) -> None:
    holders = ("one", "two", "three")
    workspace = world(tmp_path, holders)
    options = {"k": 3, "features": ("category_share_1", "channel_share_1"), "categories": ("toys",)}
    study = make_study(
        analyses=("clusters",),
        budget={"epsilon": "4", "max_holders_per_customer": 1},
        clusters=options | {"channels": ("Online",)},
    )
    result = run_over(workspace, study, pages=True)
    assert result.clusters is not None
    figures = sorted(result.clusters.figures, key=lambda cluster: cluster.typical["category_share_1"].value)
    assert [cluster.typical["category_share_1"].value for cluster in figures] == pytest.approx([50, 500, 950], abs=120)
    assert [cluster.typical["channel_share_1"].value for cluster in figures] == pytest.approx([50, 500, 950], abs=120)
    english, chinese = (
        cluster_words(figures, language, options=study.clusters, currency=study.currency) for language in ("en", "zh")
    )
    most = figures[-1].id
    assert english[most] == "high share of toys, many Online orders"
    assert chinese[most] == "多购toys、多用Online渠道"
    report = (workspace.coordinator.results.folder(study) / "report.html").read_text(encoding="utf-8")
    page = write_holder_report(workspace.holder("one")).read_text(encoding="utf-8")
    for html in (report, page):
        assert "share of lines in toys, %" in html
        assert "share of orders through Online, %" in html
        assert "toys购买占比" in html
        assert english[most] in html
    (labels,) = (workspace.holder("one").root / "labels").glob("*-clusters.csv")
    assert set(pd.read_csv(labels)["cluster_en"]) == set(english.values())


def test_a_holder_without_the_column_refuses_by_code_and_says_why_at_home(tmp_path: Path) -> None:
    workspace = world(tmp_path, ("one", "two", "three"), people=30)
    folder = workspace.holder("two")
    path = folder.root / "holder.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('category = "k"\n', ""), encoding="utf-8")
    study = make_study(**cluster_options(features=("category_share_1",), categories=("toys",), channels=()))
    with pytest.raises(NotEnoughHolders, match=r"not ready: two: schema\. Nothing was asked"):
        run_over(workspace, study, pages=True)
    with pytest.raises(ConfigError, match=r"category_share_1, which needs columns\.category"):
        check_features(Origin(folder.config(), study, Path()), study.row_requests["clusters"])


def test_listed_values_stand_in_headings_in_both_languages() -> None:
    assert feature_heading("category_share_3", "en", currency="EUR", of="toys") == "share of lines in toys, %"
    assert feature_heading("category_share_3", "zh", currency="EUR", of="玩具") == "玩具购买占比（%）"
    assert feature_heading("channel_share_2", "en", currency="EUR") == "share of orders through channel 2, %"
    listed = {name for name, feature in FEATURES.items() if feature.listed}
    assert len(listed) == 14
    assert {FEATURES[name].needs for name in listed} == {"category", "channel"}
