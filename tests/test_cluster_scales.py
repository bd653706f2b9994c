"""Clusters on released scales: features count by how much they vary, and groups that stand apart are found and told.

Asserted: both planted pairs of groups are found at epsilon 1 among 5,000 customers, nine tenths as well as k-means on
standardised features finds them without privacy, and their number is; a cloud is called one. Without noise scales end
at the quantiles. Whatever comes back, scales lie within the public ones, and a customer stays within the bound on them.
The question takes the place of the size, later runs keep the scales without asking, and what holders apply is what they
were asked.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit
import pytest
from cluster_pages import STUDY, cluster_result, html, kinds, proposed
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import cluster_groups as bench
from cluster_customers import cluster_directly, known, reference_study
from rfm_accuracy import Noisy

from clients.analyses.clusters.assignment import assign, fits_the_plan
from privacy.analyses.clusters.anchor_sums import AnchorSums
from privacy.analyses.clusters.feature_prefixes import FeaturePrefixes
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.clusters.nouns import plain_view
from privacy.analyses.clusters.results import ClusterResult
from privacy.errors import ConfigError, DataError
from privacy.kernel.features import UNIT, FeatureTable
from privacy.protocol.study import Study
from privacy.statistics import Statistic
from server.analyses.clusters.earlier import with_known_centres
from server.analyses.clusters.groups import number_of_groups, splits
from server.analyses.clusters.plan import weights
from server.analyses.clusters.scales import between, released_scales, tightened
from server.analyses.clusters.section import cluster_findings, cluster_section
from server.analyses.clusters.support_points import SupportPoints
from server.running.planning import plan
from server.running.run import run_study
from simulations.worlds.kit import MemoryFederation

#: No seed of the benchmark's, by which constants were chosen.
SEEDS = range(70_001, 70_004)
RELEASED = reference_study(2, ranges="released")
PUBLIC = RELEASED.scaled(RELEASED.clusters.features)


def exact(scale: int, length: int) -> np.ndarray:
    """No noise."""
    return np.zeros(length, dtype=np.int64)


def asked(table: FeatureTable, study: Study = RELEASED, sampler: Any = exact) -> tuple[ClusterResult, dict[str, Any]]:
    """A run of one table, and its questions by title."""
    questions: dict[str, Statistic[Any]] = {}
    result = cluster_directly(study, [table], sampler=sampler, watch=questions.__setitem__)
    return result, questions


# --- planted groups ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("world", ["often", "recent"])
def test_planted_groups_are_found(world: str, record_property: Any) -> None:
    """Median of three with one noise, for which this holds; that it does over seeds is the benchmark's claim.

    In ten of its runs none fell below .83 (often) and .99 (recent).
    """
    found = bench.agreement(world, "1", SEEDS, kit.seeded_noise())
    indices = {name: statistics.median(each) for name, each in found.items()}
    record_property(f"agreement_{world}", indices["released"])
    assert indices["released"] >= 0.9 * max(indices["standardised"], indices["logarithms"])
    assert indices["released"] > 0.8
    if world == "often":
        assert indices["public"] < 0.2, "on public scales recency decides alone"


@pytest.mark.slow
@pytest.mark.parametrize(("world", "k"), [("recent", 2), ("four", 4), ("none", 0)])
def test_the_number_of_groups_is_found(world: str, k: int) -> None:
    """With one noise, for which this holds; that it does over seeds is the benchmark's claim."""
    counts, called, _ = bench.numbers(world, "1", SEEDS, kit.seeded_noise())
    assert counts.most_common(1)[0][0] == (k or 4), "four parts where there are no groups"
    assert called.most_common(1)[0][0] == (k > 0)


# --- scales ----------------------------------------------------------------------------------------------------------


def test_without_noise_scales_end_at_the_quantiles() -> None:
    """Within a bin of the public scale; customers beyond are those of both tails."""
    _, table = bench.customers("often", 5)
    result, questions = asked(table)
    assert next(iter(questions)) == "cluster scales"
    assert "cluster size" not in questions
    for number, feature in enumerate(result.clusters.features):
        raw = table.values[:, 0, number]
        beyond = (np.mean(raw < feature.scale.low), np.mean(raw > feature.scale.high))
        assert max(beyond) < 0.06
        assert min(beyond) < 0.03
    spread = list(result.spread.values())
    assert max(spread) < 1.5 * min(spread), "features count alike"
    assert list(result.spread) == list(RELEASED.clusters.features)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), size=st.sampled_from([0.0, 10.0, 1e3, 1e7]))
def test_whatever_comes_back_scales_lie_within_the_public_ones(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    question = FeaturePrefixes(features=PUBLIC, day=0, bins=64)
    amplitude = question.bound.max_abs

    def ask(title: str, statistic: Statistic[Any]) -> Any:
        noise = np.rint(rng.normal(0, size * amplitude, statistic.dim)).astype(np.int64)
        people = 2000 * amplitude * (rng.random(statistic.dim) < 0.1)
        return Noisy(array=noise + people, deviation=max(size, 1.0) * amplitude)

    try:
        found, customers = released_scales(PUBLIC, ask)
    except DataError:  # the noise hides the customers
        return
    assert customers > 0
    for before, after in zip(PUBLIC, found, strict=True):
        assert before.scale.low <= after.scale.low < after.scale.high <= before.scale.high + 1
        assert after.scale.model_copy(update={"low": before.scale.low, "high": before.scale.high}) == before.scale


@settings(max_examples=60, deadline=None)
@given(
    ends=st.tuples(*[st.tuples(st.floats(0, 1), st.floats(0, 1)) for _ in PUBLIC]),
    raw=st.lists(st.tuples(*[st.integers(-(1 << 62), 1 << 62) for _ in PUBLIC]), min_size=1, max_size=5),
)
def test_a_customer_stays_within_the_bound_on_any_scale(
    ends: tuple[tuple[float, float], ...], raw: list[tuple[int, ...]]
) -> None:
    """A value on a scale is between its ends, whoever chose them: what one customer adds has the length of before."""
    features = tuple(between(feature, min(pair), max(pair)) for feature, pair in zip(PUBLIC, ends, strict=True))
    ones = np.ones((len(raw), 1), dtype=np.int64)
    names = tuple(feature.name for feature in features)
    table = FeatureTable(names=names, values=np.array(raw)[:, None, :], eligible=ones, outcome=-ones)
    assert np.abs(table.scaled(features, 0)).max() <= UNIT
    view = plain_view(features)
    statistics_asked: tuple[Statistic[Any], ...] = (
        FeaturePrefixes(features=features, day=0, bins=16),
        GridCounts(view=view, day=0, cells=4),
        AnchorSums(
            view=view, day=0, anchors=((0, 0, 0), (UNIT, UNIT, UNIT)), radii=(7, UNIT),
            count_amplitude=800, offset_amplitude=1000,
        ),
    )  # fmt: skip
    for statistic in statistics_asked:
        for row in statistic.encode_rows(table):
            assert sum(value * value for value in row.tolist()) <= statistic.bound.squared_norm


def test_scales_only_become_shorter_and_the_model_moves_with_them() -> None:
    rng = np.random.default_rng(3)
    points = np.clip(rng.normal((0.5, -0.2, 0), (0.1, 0.3, 0.9), (4000, 3)), -1, 1)
    found, model, longer = tightened(PUBLIC, SupportPoints(points=points, weight=np.ones(4000)))
    for before, after, column, place in zip(PUBLIC, found, model.points.T, points.T, strict=True):
        assert before.scale.low <= after.scale.low < after.scale.high <= before.scale.high
        inside = np.abs(column) < 1
        assert np.allclose(after.scale.raw(column[inside]), before.scale.raw(place[inside]), rtol=0.05, atol=1)
    assert longer > 4
    assert model.points.std(axis=0).min() > 0.4


# --- groups ----------------------------------------------------------------------------------------------------------


def test_groups_that_k_means_on_the_scales_passes_over_are_found() -> None:
    """A pair of features that say the same, and one of two humps: splitting the pair saves most, but cuts a cloud."""
    rng = np.random.default_rng(4)
    both = rng.normal(0, 0.6, 6000)
    humps = np.where(rng.random(6000) < 0.3, 0.5, -0.3) + rng.normal(0, 0.06, 6000)
    points = np.stack([humps, both, both + rng.normal(0, 0.15, 6000)], axis=1)
    model = SupportPoints(points=points, weight=np.ones(6000))
    found = splits(model, range(2, 6))
    assert found[2].stands_apart
    assert sorted(found[2].centres[:, 0].tolist()) == pytest.approx([-0.3, 0.5], abs=0.05)
    assert number_of_groups(found) == 2
    usual = model.centres(2)
    assert abs(usual[0, 0] - usual[1, 0]) < 0.3, "which k-means does not see"


def test_a_cloud_is_called_one() -> None:
    points = np.random.default_rng(5).normal(0, 0.4, (6000, 3))
    found = splits(SupportPoints(points=points, weight=np.ones(6000)), range(2, 11))
    assert not any(split.stands_apart for split in found.values())
    assert number_of_groups(found) == 4
    assert number_of_groups({}) == 4, "one place, whatever the number"


# --- studies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [("recency_days", "orders"), bench.RFM, (*bench.RFM, "basket", "tenure_days")])
def test_the_question_for_scales_takes_the_place_of_the_size(features: tuple[Any, ...]) -> None:
    study = reference_study(3, features=features, ranges="released")
    shares = weights(study)
    assert next(iter(shares)) == "cluster scales"
    assert sum(shares.values()) == 1
    assert "cluster size" not in shares
    assert sum(plan(study).values()) + max(plan(study).values()) <= kit.price(study, sum(shares.values()))


def test_a_later_run_keeps_the_scales_and_does_not_ask_for_them() -> None:
    _, table = bench.customers("often", 6)
    first, questions = asked(table)
    assert fits_the_plan(first.clusters, list(questions.values()))
    later = reference_study(0, centres=known(first), ranges="released")
    second, again = asked(table, later)
    assert next(iter(again)) == "cluster size"
    assert second.clusters.features == first.clusters.features
    assert [move.what for move in second.moves] == ["stayed", "stayed"]
    assert np.mean(bench.labels(first, table) == bench.labels(second, table)) > 0.98
    with pytest.raises(ValueError, match="other features"):
        reference_study(0, features=("orders", "money"), centres=known(first), ranges="released")


@pytest.mark.parametrize("ranges", ["public", "released"])
def test_earlier_centres_on_other_scales_are_kept_only_where_scales_are_the_datas(ranges: str) -> None:
    """A study on public scales goes on from public ones; one on released scales from either."""
    earlier = kinds()["alone"]
    assert earlier.clusters is not None
    narrow = tuple(between(feature, 0.2, 0.8) for feature in earlier.clusters.clusters.features)
    clusters = earlier.clusters.model_copy(
        update={"clusters": earlier.clusters.clusters.model_copy(update={"features": narrow})}
    )
    options = {"features": list(bench.RFM), "centres": "previous", "ranges": ranges}
    study = Study.model_validate(
        STUDY.model_dump() | {"as_of": "2030-01-01", "analyses": ["clusters"], "clusters": options}
    )
    on_public, on_narrow = (
        lambda: with_known_centres(study, [earlier]),
        lambda: with_known_centres(study, [earlier.model_copy(update={"clusters": clusters})]),
    )
    assert on_public().clusters.centres.clusters == earlier.clusters.clusters
    if ranges == "released":
        assert on_narrow().clusters.centres.clusters.features == narrow
    else:
        with pytest.raises(ConfigError, match="other features"):
            on_narrow()


def test_too_few_customers_end_after_the_question_for_scales() -> None:
    _, table = bench.customers("often", 7)
    few = table.take(np.arange(30))
    questions: list[str] = []
    with pytest.raises(DataError, match="cannot be told from the noise"):
        cluster_directly(
            reference_study(2, epsilon="0.25", ranges="released"), [few], sampler=exact,
            watch=lambda title, _: questions.append(title),
        )  # fmt: skip
    assert questions == ["cluster scales"]


def test_a_run_through_the_protocol_finds_groups_that_its_holders_apply(tmp_path: Path) -> None:
    _, table = bench.customers("four", 8)
    tables = {f"holder-{number}": {"clusters": table.take(np.arange(len(table)) % 3 == number)} for number in range(3)}
    policy = kit.lenient_policy(analyses=("clusters",))
    federation = MemoryFederation(tmp_path, tables, policy=policy, declared=1, sampler=kit.no_noise)
    study = reference_study(0, ranges="released")
    result = run_study(study, folder=federation.folder, transport=federation.transport)
    clusters = result.clusters
    assert clusters is not None
    assert clusters.groups
    assert 4 in [each.k for each in clusters.proposals]
    assert len(clusters.figures) == 4
    assert result.spending.questions[0].question == "cluster scales"
    own = assign(clusters.clusters, tables["holder-0"]["clusters"])
    assert len(np.unique(own.cluster)) == 4
    assert federation.folder.results.of(study) == result


# --- the report ------------------------------------------------------------------------------------------------------


def test_the_report_proposes_numbers_and_says_where_no_groups_stand_apart() -> None:
    sentence = "No groups stand apart: k only says how finely to divide."
    for groups in (True, False):
        result = proposed(groups=groups)
        section = cluster_section(result, STUDY, "en")
        assert (sentence in section["proposals"]["notes"]) == (not groups)
        number, between_two, parts = section["proposals"]["rows"][0]
        assert (number, between_two) == ("2", "20%" if groups else "95%")
        assert parts == ["70%: recent, high spend", "30%: very long inactive"]
        said = " ".join(cluster_findings(result, result, STUDY, "en"))
        assert ("No groups stand apart" in said) == (not groups)
        assert "没有彼此分离的群体" in " ".join(cluster_section(result, STUDY, "zh")["proposals"]["notes"]) or groups
    assert cluster_section(cluster_result(), STUDY, "en")["proposals"] is None


def test_the_page_has_both_tables() -> None:
    page = html("proposed")
    for said in ("Numbers of clusters to choose from", "very long inactive", "0.25", "标准差"):
        assert said in page


def test_the_report_says_how_much_each_feature_varies() -> None:
    rows = cluster_section(proposed(groups=True), STUDY, "en")["scales"]["rows"]
    assert [cells[-1] for _, cells in rows] == ["0.50", "0.25", "0.20"]
    assert [cells[:2] for _, cells in rows] == [["0.0", "730.0"], ["0.0", "50.0"], ["0.00", "20,000.00"]]
    assert any("unevenly" in note for note in cluster_section(proposed(groups=True), STUDY, "en")["scales"]["notes"])
    assert cluster_section(cluster_result(), STUDY, "en")["scales"] is None, "results of before do not say"
