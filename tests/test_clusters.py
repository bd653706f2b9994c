"""Clusters through the real protocol: ordinary runs, months, and everything that can be wrong with customers.

Holders in memory with generated customers in groups that are known. Asserted: sizes, revenue and typical values hold
the exact ones within their margins, and the groups are found; with too few customers there is one clear error after one
question, and nothing more is spent; identical customers, fewer places than clusters, constant and missing features,
heavy tails, an empty holder, and a holder that has all of a cluster do no harm; whatever noise comes back, there is a
result that serialises or that error; ids stay with an earlier run's clusters, new ones are never used twice; a run that
is stopped goes on without paying twice; what a holder's policy does not allow is not asked.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit
import pytest
from pydantic import ValidationError

from privacy.analyses.clusters.anchor_sums import nearest
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.clusters.options import ClusterOptions, KnownClusters
from privacy.analyses.clusters.results import ClusterResult
from privacy.errors import DataError, NotEnoughHolders
from privacy.kernel.canonical import read_toml
from privacy.kernel.features import MISSING, UNIT, FeatureName, FeatureTable
from privacy.kernel.terms import minor_digits
from privacy.ledger import Reserved
from privacy.protocol.study import Study
from privacy.statistics import GAMMA, Statistic
from server.analyses.clusters import points
from server.analyses.clusters import run as clusters
from server.analyses.clusters.plan import GRID, forecast, weights
from server.analyses.clusters.support_points import SupportPoints, grid_points
from server.running.check import check_study
from server.running.planning import plan, planned_mechanism
from server.running.reserve import PlannedNoise
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

HOLDERS = ("alpha", "beta", "gamma")
RFM: tuple[FeatureName, ...] = ("recency_days", "orders", "money")
TEN: tuple[FeatureName, ...] = (
    *RFM, "order_value", "tenure_days", "interval_days", "interval_spread", "basket", "return_share", "evening_share",
)  # fmt: skip
#: Four groups far from each other: days, orders, minor units.
GROUPS = ((4, 30, 500_000), (40, 8, 60_000), (200, 2, 10_000), (600, 1, 1_000))
OTHER = (5, 1, 900)
QUESTIONS = ("cluster size", "cluster grid", "refinement 1", "refinement 2", "centres", "cluster profile")

IntArray = np.ndarray


def table_of(values: IntArray, names: tuple[FeatureName, ...] = RFM) -> FeatureTable:
    """Customers with these raw features, shape ``(customers, features)``."""
    ones = np.ones((len(values), 1), dtype=np.int64)
    raw = np.ascontiguousarray(values[:, None, :]).astype(np.int64)
    return FeatureTable(names=names, values=raw, eligible=ones, outcome=-ones)


def people(sizes: Sequence[int], seed: int = 0, groups: Sequence[tuple[int, ...]] = GROUPS) -> IntArray:
    """Customers of groups, each spread by about a fifth; shape ``(customers, 3)``."""
    rng = np.random.default_rng(seed)
    parts = [
        np.maximum(np.array(group) * np.exp(rng.normal(0, 0.2, (size, len(group)))), 1)
        for size, group in zip(sizes, groups, strict=True)
    ]
    return np.rint(np.concatenate(parts)).astype(np.int64)


def shared(values: IntArray, *names: str) -> dict[str, FeatureTable]:
    """Customers, dealt out to holders."""
    found = names or HOLDERS
    return {name: table_of(values[number :: len(found)]) for number, name in enumerate(found)}


def study_of(epsilon: str = "4", *, budget: Mapping[str, Any] | None = None, **fields: Any) -> Study:
    options = {"k": 4} | fields.pop("clusters", {})
    return kit.small_study(
        budget={"epsilon": epsilon} | dict(budget or {}), analyses=("clusters",), clusters=options, **fields
    )


def federation_of(
    root: Path, tables: Mapping[str, FeatureTable], sampler: Any = None, **allow: Any
) -> MemoryFederation:
    given = {"analyses": ("clusters",), "max_study_epsilon": "20"} | allow
    options = {"sampler": sampler} if sampler else {}
    return MemoryFederation(
        root,
        {name: {"clusters": table} for name, table in tables.items()},
        policy=kit.lenient_policy(epsilon="50", **given),
        declared=1,
        **options,
    )


def analyse(federation: MemoryFederation, study: Study, progress: kit.Notes | None = None) -> ClusterResult:
    """The analysis over the real coordinator and nodes: all of a run but its report."""
    coordinator = kit.coordinator_of(federation, study, progress=progress)
    coordinator.join()
    prices = plan(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        return coordinator.ask("clusters", title, statistic, prices["clusters", title])

    return clusters.run(study, ask, _planned(study))


def _planned(study: Study) -> clusters.Plan:
    prices = plan(study)
    return lambda title, statistic: planned_mechanism(study, prices["clusters", title], statistic, holders=3)


def labels(result: ClusterResult, table: FeatureTable) -> IntArray:
    """Ids of the customers' clusters, as holders work them out."""
    centres = result.clusters.centres
    places = np.array([centre.place for centre in centres]) / UNIT
    scaled = table.scaled(result.clusters.features, 0) / UNIT
    return np.array([centre.id for centre in centres])[nearest(scaled, places)]


def sensible(result: ClusterResult, k: int, *tables: FeatureTable) -> None:
    """It serialises, no number is missing, and sizes are those of the labels.

    Within three of the 95% margins: six deviations, a false alarm in 5e8.
    """
    assert ClusterResult.model_validate_json(result.model_dump_json()) == result
    assert len(result.clusters.centres) == len(result.figures) == k
    assert len(result.tree) == k - 1
    assert np.isfinite(_numbers(result.model_dump())).all()
    own = np.concatenate([labels(result, table) for table in tables])
    for figures in result.figures:
        assert abs(figures.customers.value - (own == figures.id).sum()) <= 3 * figures.customers.margin
    assert abs(result.customers.value - len(own)) <= 3 * result.customers.margin


def _numbers(value: Any) -> list[float]:
    if isinstance(value, Mapping):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list | tuple):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, int | float) else []


def titles(ledger: Any) -> list[str]:
    """Titles of the charges in a ledger."""
    return [fact.title for fact in ledger.facts() if isinstance(fact, Reserved)]


def known(result: ClusterResult) -> KnownClusters:
    """What the next month's study keeps."""
    shares = {
        figures.id: (str(round(figures.share.value, 6)), str(round(figures.share.margin, 6)))
        for figures in result.figures
        if figures.share is not None
    }
    return KnownClusters.model_validate({"clusters": result.clusters, "shares": shares, "origin": "the month before"})


# --- an ordinary run -----------------------------------------------------------------------------------------------


def test_groups_are_found_and_figures_hold_the_exact_ones(tmp_path: Path) -> None:
    """Sizes, revenue (money within the caps) and typical values; the groups are told apart almost without error."""
    values = people((300, 600, 900, 1200))
    tables = shared(values)
    result = analyse(federation_of(tmp_path, tables), study_of())
    sensible(result, 4, *tables.values())
    whole = table_of(values)
    own, group = labels(result, whole), np.repeat(range(4), (300, 600, 900, 1200))
    main = [np.bincount(own[group == number]).argmax() for number in range(4)]
    assert len(set(main)) == 4
    assert np.mean(own == np.array(main)[group]) > 0.98
    scaled = whole.scaled(result.clusters.features, 0) / UNIT
    for figures in result.figures:
        here = own == figures.id
        spent = np.minimum(values[here, 2], round(figures.cap * 100)).sum() / 100
        assert abs(figures.revenue.value - spent) <= 3 * figures.revenue.margin
        for number, feature in enumerate(result.clusters.features):
            mean = scaled[here, number].mean()
            exact = feature.scale.raw(np.array([mean]))[0] / (100 if feature.name == "money" else 1)
            typical = figures.typical[feature.name]
            # Few customers are beyond the profile's radius; what they lose is a small part of their spread.
            assert abs(typical.value - exact) <= 3 * typical.margin + 0.03 * exact


def test_the_whole_study_leaves_a_result_and_spends_what_it_may(tmp_path: Path) -> None:
    federation = federation_of(tmp_path, shared(people((300, 600, 900, 1200))))
    study = study_of("1")
    result = run_study(study, folder=federation.folder, transport=federation.transport)
    assert result.clusters is not None
    assert tuple(question.question for question in result.spending.questions) == (*QUESTIONS, f"{QUESTIONS[-1]} again")
    assert 0.999 < result.spending.epsilon_person <= 1
    folder = federation.folder.results.folder(study)
    assert (folder / "report.html").stat().st_size > 1000
    assert federation.folder.results.of(study) == result


@pytest.mark.parametrize("features", [RFM, TEN], ids=len)
def test_shares_of_the_budget_add_up(features: tuple[FeatureName, ...]) -> None:
    study = study_of(clusters={"features": features})
    assert sum(weights(study).values()) == 1
    spent = sum(plan(study).values()) + max(plan(study).values())
    assert spent <= kit.price(study, Fraction(1))


def test_the_number_of_clusters_is_found(tmp_path: Path) -> None:
    """Silhouettes of the model; no further question. The fewest that are as good as the best are taken."""
    federation = federation_of(tmp_path, shared(people((900, 900, 900, 900))))
    result = analyse(federation, study_of(clusters={"k": 0}))
    best = max(result.silhouettes.values())
    assert len(result.figures) == 4 == min(k for k, value in result.silhouettes.items() if value >= best - 0.02)
    assert set(result.silhouettes) <= set(range(3, 11))
    assert titles(federation.folder.ledger()) == list(QUESTIONS)


def test_the_forecast_shrinks_with_epsilon() -> None:
    margins = []
    for epsilon in ("0.25", "1", "4"):
        (expected,) = forecast(study_of(epsilon), _planned(study_of(epsilon)))
        margins.append(expected.value)
    assert margins == sorted(margins, reverse=True)
    assert "cluster" in str(check_study(study_of(), holders=3))


# --- other features and money ----------------------------------------------------------------------------------------


def test_ten_features(tmp_path: Path) -> None:
    """Groups in three of them, the rest noise, one constant, and one missing for customers with one order."""
    rng = np.random.default_rng(1)
    values = people((500, 800, 1100, 1400))
    rest = rng.integers(1, 1000, (len(values), 7))
    rest[:, 2] = np.where(values[:, 1] == 1, MISSING, rest[:, 2])
    rest[:, 6] = 0
    whole = table_of(np.hstack([values, rest]), TEN)
    tables = {name: whole.take(np.arange(len(whole)) % 3 == number) for number, name in enumerate(HOLDERS)}
    federation = federation_of(tmp_path, tables)
    result = analyse(federation, study_of(clusters={"features": TEN}))
    sensible(result, 4, *tables.values())
    assert titles(federation.folder.ledger())[0] == "cluster moments"
    own = labels(result, whole)
    scaled = whole.scaled(result.clusters.features, 0) / UNIT
    within = sum(((scaled[own == number] - scaled[own == number].mean(axis=0)) ** 2).sum() for number in set(own))
    assert within < 0.75 * ((scaled - scaled.mean(axis=0)) ** 2).sum()


@pytest.mark.parametrize("names", [("recency_days",), ("recency_days", "orders"), (*RFM, "order_value")], ids=len)
def test_one_two_and_four_features(tmp_path: Path, names: tuple[FeatureName, ...]) -> None:
    """Without money among them no revenue is asked for."""
    values = people((700, 700, 700, 700))
    columns = np.hstack([values, values[:, 2:] // values[:, 1:2]])[:, : len(names)]
    tables = {name: table_of(columns[number::3], names) for number, name in enumerate(HOLDERS)}
    result = analyse(federation_of(tmp_path, tables), study_of(clusters={"features": names}))
    sensible(result, 4, *tables.values())
    if "money" not in names:
        assert {(figures.cap, figures.revenue) for figures in result.figures} == {(0, None)}


def test_a_grid_of_four_features_stays_within_its_limit() -> None:
    """A million customers in next to no noise would have finer cells than a grid may have; points stay bounded."""
    asked: list[GridCounts] = []

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        assert isinstance(statistic, GridCounts)
        asked.append(statistic)
        return _Given(np.full(statistic.dim, 1 << 40, dtype=np.int64), 1.0)

    names: tuple[FeatureName, ...] = (*RFM, "order_value")
    model, _ = points.few_points(study_of().scaled(names), ask, lambda title, grid: PlannedNoise(released_deviation=1))
    assert asked[-1].dim == 1 << 16
    assert len(model.points) < 200_000
    assert model.weight.sum() > 0


@pytest.mark.parametrize(("names", "find"), [(RFM, points.few_points), (TEN, points.many_points)], ids=["few", "many"])
def test_cells_follow_the_noise_of_the_grid_itself(names: tuple[FeatureName, ...], find: Any) -> None:
    """Not that of the question before, which a second answer makes smaller; the grid's own may be smaller for one."""
    study = study_of("1", clusters={"features": names})
    planned = _planned(study)
    table = table_of(np.resize(people((500, 500, 500, 500)), (2000, len(names))), names)

    def cells(*, before: float, grid: float) -> int:
        asked: list[Statistic[Any]] = []

        def noise(title: str, statistic: Statistic[Any]) -> PlannedNoise:
            factor = grid if title == GRID else before
            return PlannedNoise(released_deviation=factor * planned(title, statistic).released_deviation)

        def ask(title: str, statistic: Statistic[Any]) -> Any:
            asked.append(statistic)
            return _Given(statistic.encode_sum(table), noise(title, statistic).released_deviation)

        find(study.scaled(names), ask, noise)
        question = asked[-1]
        assert isinstance(question, GridCounts)
        deviation = noise(GRID, question).released_deviation / GAMMA
        assert question.cells == round(0.85 * (len(table) / deviation) ** (1 / 3))
        return question.cells

    assert cells(before=0.5, grid=1) == cells(before=1, grid=1) < cells(before=1, grid=0.5)


@pytest.mark.parametrize("cells", [3, 24])
def test_points_of_a_grid_keep_the_counts_and_the_cells(cells: int) -> None:
    counts = np.random.default_rng(2).integers(50, 100, cells**3).astype(np.float64)
    model = grid_points(counts, 1.0, cells, 3)
    assert model.weight.sum() == pytest.approx(counts.sum())
    assert np.abs(model.points).max() <= 1
    middle, _ = np.histogramdd(model.points * (1 - 1e-9), bins=cells, range=[(-1, 1)] * 3, weights=model.weight)
    assert middle.sum() == pytest.approx(counts.sum())
    assert len(model.points) < 200_000


class _Given:
    """A release that a test makes up."""

    def __init__(self, array: IntArray, deviation: float) -> None:
        self.array, self.deviation = array, deviation


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_another_currency_gives_the_same_clusters_in_its_money(tmp_path: Path, currency: str) -> None:
    """The same purchases: the yen has no fraction digits and a hundredth of the worth, the dinar three digits."""
    factor = {"JPY": 1.0, "KWD": 10.0}[currency]  # minor units that buy what a cent buys
    values = people((700, 700, 700, 700))
    there = values.copy()
    there[:, 2] = np.rint(values[:, 2] * factor)
    here = analyse(federation_of(tmp_path / "here", shared(values), kit.no_noise), study_of())
    other = analyse(federation_of(tmp_path / "there", shared(there), kit.no_noise), study_of(currency=currency))
    assert sorted(round(figures.customers.value) for figures in here.figures) == sorted(
        round(figures.customers.value) for figures in other.figures
    )
    # In major units of each.
    rate = factor * 100 / 10 ** minor_digits(currency)
    for one, two in zip(_by_size(here), _by_size(other), strict=True):
        assert two.typical["money"].value == pytest.approx(one.typical["money"].value * rate, rel=0.05)
        assert two.revenue.value == pytest.approx(one.revenue.value * rate, rel=0.05)


def _by_size(result: ClusterResult) -> list[Any]:
    return sorted(result.figures, key=lambda figures: figures.typical["recency_days"].value)


# --- odd customers and holders ---------------------------------------------------------------------------------------


def test_fifty_customers_at_a_holder(tmp_path: Path) -> None:
    tables = shared(people((500, 500, 500, 500))) | {"gamma": table_of(people((10, 10, 10, 20), 3))}
    sensible(analyse(federation_of(tmp_path, tables), study_of("1")), 4, *tables.values())


@pytest.mark.parametrize(("features", "first"), [(RFM, "cluster size"), (TEN, "cluster moments")], ids=["few", "many"])
def test_fifty_customers_in_all_is_one_error_after_one_question(
    tmp_path: Path, features: tuple[FeatureName, ...], first: str
) -> None:
    """At epsilon 0.25; and the same error comes again for nothing."""
    values = np.ones((50, len(features)), dtype=np.int64)
    tables = {name: table_of(values[number::3], features) for number, name in enumerate(HOLDERS)}
    federation = federation_of(tmp_path, tables, kit.no_noise)
    study = study_of("0.25", clusters={"features": features})
    for _ in range(2):
        with pytest.raises(DataError, match="cannot be told from the noise") as caught:
            analyse(federation, study)
        assert "epsilon" in caught.value.hint
        assert titles(federation.folder.ledger()) == [first]


def test_all_customers_identical(tmp_path: Path) -> None:
    """They are in one cluster; the others are empty, within their margins."""
    tables = shared(np.repeat([GROUPS[1]], 3000, axis=0))
    result = analyse(federation_of(tmp_path, tables), study_of("1", clusters={"k": 5}))
    sensible(result, 5, *tables.values())
    assert result.figures[0].customers.value > 2500


def test_fewer_places_than_clusters(tmp_path: Path) -> None:
    tables = shared(np.repeat(GROUPS[:3], 1000, axis=0))
    result = analyse(federation_of(tmp_path, tables), study_of("1", clusters={"k": 8}))
    sensible(result, 8, *tables.values())
    assert len(np.unique(np.concatenate([labels(result, table) for table in tables.values()]))) == 3


def test_a_model_with_fewer_points_than_clusters() -> None:
    model = SupportPoints(points=np.array([[0.0, 0.0], [0.5, 0.5]]), weight=np.array([3.0, 9.0]))
    found = model.centres(4)
    assert found.shape == (4, 2)
    assert model.cost(found) == 0
    assert model.silhouettes(range(3, 6)) == {}


def test_a_constant_feature(tmp_path: Path) -> None:
    values = people((700, 700, 700, 700))
    values[:, 1] = 1
    tables = shared(values)
    result = analyse(federation_of(tmp_path, tables), study_of())
    sensible(result, 4, *tables.values())
    for figures in result.figures:
        assert figures.typical["orders"].value == pytest.approx(1, abs=0.2)


def test_a_feature_that_nobody_has(tmp_path: Path) -> None:
    values = people((700, 700, 700, 700))
    values[:, 2] = MISSING
    tables = shared(values)
    result = analyse(federation_of(tmp_path, tables), study_of())
    sensible(result, 4, *tables.values())
    assert all(abs(figures.revenue.value) <= 3 * figures.revenue.margin for figures in result.figures)


def test_heavy_tails(tmp_path: Path) -> None:
    """Money beyond the scale counts as its end, and in the revenue with the cap."""
    values = people((700, 700, 700, 700))
    rng = np.random.default_rng(4)
    longer = np.exp(np.minimum(np.abs(rng.standard_cauchy(len(values))), 30))
    values[:, 2] = np.clip(values[:, 2] * longer, 1, 1 << 40).astype(np.int64)
    tables = shared(values)
    result = analyse(federation_of(tmp_path, tables), study_of())
    sensible(result, 4, *tables.values())
    assert max(figures.cap for figures in result.figures) < 10**7, "the largest spend is ten thousand times that"


def test_one_holder_has_all_of_a_cluster(tmp_path: Path) -> None:
    """With the same noise (none) it does not matter who has whom."""
    values = people((500, 700, 900, 1100))
    bounds = (0, 500, 1200, len(values))
    tables = {name: table_of(values[bounds[n] : bounds[n + 1]]) for n, name in enumerate(HOLDERS)}
    one = analyse(federation_of(tmp_path / "one", tables, kit.no_noise), study_of())
    dealt = analyse(federation_of(tmp_path / "dealt", shared(values), kit.no_noise), study_of())
    assert one == dealt
    sensible(one, 4, *tables.values())


def test_an_empty_holder_takes_part_and_adds_nothing(tmp_path: Path) -> None:
    tables = shared(people((500, 500, 500, 500)), "alpha", "beta") | {"gamma": table_of(people((0, 0, 0, 0)))}
    sensible(analyse(federation_of(tmp_path, tables), study_of("1")), 4, *tables.values())


def test_customers_who_do_not_count_add_nothing(tmp_path: Path) -> None:
    values = people((500, 500, 500, 500))
    tables = shared(values)
    gone = table_of(people((0, 0, 0, 2000), 5))
    absent = FeatureTable(names=RFM, values=gone.values, eligible=gone.eligible * 0, outcome=gone.outcome)
    federation = federation_of(tmp_path / "with", tables | {"delta": absent}, kit.no_noise)
    empty = federation_of(tmp_path / "without", tables | {"delta": absent.take(slice(0, 0))}, kit.no_noise)
    assert analyse(federation, study_of()) == analyse(empty, study_of())


@pytest.mark.parametrize("features", [RFM, TEN], ids=["few", "many"])
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_released_there_is_a_result_or_one_error(features: tuple[FeatureName, ...], seed: int) -> None:
    """Releases that are nothing but noise, after a first one that is; small, large and all negative."""
    study = study_of("1", clusters={"features": features, "k": 0 if seed % 2 else 7})
    planned, rng = _planned(study), np.random.default_rng(seed)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        deviation = planned(title, statistic).released_deviation
        noise = rng.normal(0, (0.1, 1, 30)[seed % 3], statistic.dim)
        shift = {"cluster size": 40, "cluster moments": 40, "centres": -20 if seed > 3 else 0}.get(title, 0)
        return _Given(np.rint((noise + shift) * deviation).astype(np.int64), deviation)

    try:
        result = clusters.run(study, ask, planned)
    except DataError:  # of which there is one kind (below)
        return
    assert ClusterResult.model_validate_json(result.model_dump_json()) == result
    assert np.isfinite(_numbers(result.model_dump())).all()


def test_refinements_that_leave_nobody_are_that_error() -> None:
    study = study_of("1")
    planned = _planned(study)

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        sign = 1 if isinstance(statistic, GridCounts) else -1
        deviation = planned(title, statistic).released_deviation
        return _Given(np.full(statistic.dim, round(sign * 1000 * deviation), dtype=np.int64), deviation)

    with pytest.raises(DataError, match="told from the noise"):
        clusters.run(study, ask, planned)


# --- ids over months -------------------------------------------------------------------------------------------------


def test_ids_stay_from_month_to_month(tmp_path: Path) -> None:
    """Other customers of the same groups, other sizes: same ids, nothing new or gone, and changes within margins."""
    first = analyse(federation_of(tmp_path / "1", shared(people((500, 700, 900, 1100)))), study_of())
    values = people((900, 700, 900, 700), 6)
    second = analyse(
        federation_of(tmp_path / "2", shared(values)), study_of(clusters={"k": 0, "centres": known(first)})
    )
    assert [centre.id for centre in second.clusters.centres] == [1, 2, 3, 4]
    assert second.clusters.next_id == first.clusters.next_id == 5
    assert {move.what for move in second.moves} == {"stayed"}
    assert not second.silhouettes, "the earlier number is kept"
    whole = table_of(values)
    assert np.mean(labels(first, whole) == labels(second, whole)) > 0.98
    grown = {figures.id: figures.change for figures in second.figures}
    for group, expected in zip(GROUPS, (900 / 3200 - 500 / 3200, 0, 0, 700 / 3200 - 1100 / 3200), strict=True):
        (number,) = labels(second, table_of(np.array([group])))
        assert abs(grown[number].value - expected) <= 3 * grown[number].margin + 0.01


def test_new_and_gone_clusters_and_no_id_twice(tmp_path: Path) -> None:
    """A group vanishes and another appears far away; a month later the first is back, under an id of its own."""
    sizes = (700, 700, 700, 700)
    changed = (*GROUPS[1:], OTHER)
    first = analyse(federation_of(tmp_path / "1", shared(people(sizes))), study_of())
    (lost,) = labels(first, table_of(np.array(GROUPS[:1])))
    second = analyse(
        federation_of(tmp_path / "2", shared(people(sizes, 7, changed))), study_of(clusters={"centres": known(first)})
    )
    assert {(move.id, move.what) for move in second.moves if move.what in ("new", "gone")} == {
        (5, "new"),
        (lost, "gone"),
    }
    assert second.clusters.next_id == 6
    third = analyse(
        federation_of(tmp_path / "3", shared(people(sizes, 8))), study_of(clusters={"centres": known(second)})
    )
    assert {(move.id, move.what) for move in third.moves if move.what in ("new", "gone")} == {(6, "new"), (5, "gone")}
    assert third.clusters.next_id == 7
    new = next(figures for figures in third.figures if figures.id == 6)
    assert new.change is None
    assert labels(third, table_of(np.array(GROUPS[:1]))).tolist() == [6]


@pytest.mark.parametrize("k", [3, 6])
def test_another_number_of_clusters_keeps_what_it_can(tmp_path: Path, k: int) -> None:
    first = analyse(federation_of(tmp_path / "1", shared(people((700, 700, 700, 700)))), study_of())
    second = analyse(
        federation_of(tmp_path / "2", shared(people((700, 700, 700, 700), 9))),
        study_of(clusters={"k": k, "centres": known(first)}),
    )
    assert len(second.figures) == k
    what = {move.what for move in second.moves}
    assert ("gone" in what, "new" in what) == (k < 4, k > 4)
    assert second.clusters.next_id >= first.clusters.next_id


def test_clusters_by_other_features_have_ids_of_their_own(tmp_path: Path) -> None:
    first = analyse(federation_of(tmp_path / "1", shared(people((700, 700, 700, 700)))), study_of())
    values = people((700, 700, 700, 700))[:, :2]
    tables = {name: table_of(values[number::3], RFM[:2]) for number, name in enumerate(HOLDERS)}
    other = study_of(clusters={"features": RFM[:2], "centres": known(first)})
    second = analyse(federation_of(tmp_path / "2", tables), other)
    assert [centre.id for centre in second.clusters.centres] == [5, 6, 7, 8]


# --- stopped, and gone on --------------------------------------------------------------------------------------------


class Cut(BaseException):
    """Ends a run as a kill would."""


class CutAt(kit.Notes):
    """Progress that ends the run at a step."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        if name == self.at:
            raise Cut


@pytest.mark.parametrize("title", ["cluster grid", "centres", "cluster profile"])
def test_a_run_that_was_stopped_goes_on_without_paying_twice(tmp_path: Path, title: str) -> None:
    """Stopped between two questions; with noise. What was released is used again, so no question is asked twice."""
    study, federation = study_of(), federation_of(tmp_path, shared(people((300, 300, 300, 300))))
    with pytest.raises(Cut):
        analyse(federation, study, progress=CutAt(f"{title}: showing the plan"))
    ledgers = [federation.folder.ledger(), *(kit.holder_ledger(federation, name) for name in HOLDERS)]
    before = [ledger.spent() for ledger in ledgers]
    federation.nodes = {name: federation.start(name) for name in HOLDERS}  # the holders were stopped as well
    notes = kit.Notes()
    analyse(federation, study, progress=notes)
    assert len([note for note in notes.notes if "nothing is spent" in note]) == QUESTIONS.index(title)
    for ledger, spent in zip(ledgers, before, strict=True):
        assert titles(ledger) == list(QUESTIONS)
        assert spent < ledger.spent() <= kit.price(study, Fraction(1))


# --- what is allowed -------------------------------------------------------------------------------------------------


def test_a_policy_without_clusters_refuses(tmp_path: Path) -> None:
    federation = federation_of(tmp_path, shared(people((50, 50, 50, 50))), analyses=("rfm", "churn"))
    with pytest.raises(NotEnoughHolders, match="alpha: policy; beta: policy; gamma: policy"):
        analyse(federation, study_of())
    assert set(kit.charged_by(federation).values()) == {0}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"k": 1}, "one cluster is everybody"),
        ({"k": 25}, "k"),
        ({"features": ("money", "money")}, "named twice"),
        ({"features": ("shoe_size",)}, "features"),
        ({"features": ()}, "features"),
        ({"most": 2}, "most"),
    ],
)
def test_wrong_options_are_told_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        study_of(clusters=options)


DOCS = Path(__file__).resolve().parents[1] / "docs" / "clusters.md"


def test_the_documented_study_is_valid_and_shows_the_defaults(tmp_path: Path) -> None:
    text, names = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "study.toml").write_text(text)
    study = read_toml(tmp_path / "study.toml", Study)
    assert study.analyses == ("clusters",)
    assert study.clusters == ClusterOptions(ranges="released"), "else its defaults"
    named = ClusterOptions.model_validate(tomllib.loads(names)["clusters"]).names
    assert {number: (name.en, name.zh) for number, name in named.items()} == {
        1: ("Regulars", "Regulars"), 4: ("Asleep", "沉睡"),
    }  # fmt: skip


@pytest.mark.parametrize("features", [RFM, TEN], ids=["few", "many"])
def test_the_documented_shares_are_those_of_the_plan(features: tuple[FeatureName, ...]) -> None:
    text = DOCS.read_text(encoding="utf-8")
    column = 4 if features == RFM else 5
    for title, weight in weights(study_of(clusters={"features": features})).items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {title} ") and "%" in line]
        assert math.isclose(float(line.split("|")[column].strip(" %")) / 100, weight, abs_tol=0.005)
