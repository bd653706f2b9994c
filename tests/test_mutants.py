"""Tests of the testers: named mistakes are put into the production code, and a named check must catch each.

Every mutant is applied by replacing one production function with the mistaken variant. The check passes on the code
as it is and fails under the mutant. Checks that other modules' tests use are imported from there; the rest stand here
and are run on the unchanged code as well.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import math
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import anchor_checks
import feature_checks
import formula_checks
import numpy as np
import protocol_checks
import protocol_kit as kit
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import training_checks
import tree_checks
from contract_examples import STATISTIC_VALUES, kind_of
from mutant_guard import no_errors_of_its_own
from protocol_kit import HOLDERS, LyingCoordinator
from scipy.stats import chi2

import clients.data.rows.customers
import clients.data.rows.features
import clients.data.rows.sums
import privacy.ledger.ledger
import privacy.ledger.state
import privacy.mechanisms.gaussian
import server.running.heads
import server.running.planning
from clients.answering import admission, answers
from clients.answering import node as holder_node
from clients.answering.node import HolderNode
from clients.data.config import HolderConfig
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from privacy.accounting.events import GaussianSum, squared_cap, total_squared_mu
from privacy.accounting.gdp import delta_of, root
from privacy.accounting.sampled import SampledGaussian, Slot
from privacy.analyses.clusters import anchor_sums, grid_counts
from privacy.analyses.clusters.anchor_sums import AnchorSums
from privacy.analyses.clusters.grid_counts import GridCounts
from privacy.analyses.rfm import segment_totals as totals_module
from privacy.analyses.rfm.segment_totals import SegmentTotals
from privacy.analyses.rfm.segments import CutPoints, SegmentRules
from privacy.errors import CohortiumError
from privacy.kernel.customers import CustomerColumns
from privacy.kernel.features import UNIT, FeatureTable, Scale
from privacy.ledger import Ledger
from privacy.ledger.slots import SlotBook
from privacy.mechanisms import SumMechanism, calibrate
from privacy.mechanisms.sampler import discrete_gaussian
from privacy.mechanisms.samples import PoissonSamples
from privacy.models.mbg import MbgPrior
from privacy.models.trees import Tree, TreesModel
from privacy.protocol.envelopes import Reply
from privacy.protocol.messages import Checkpoint
from privacy.secure_sum.masks import mask, unmask
from privacy.statistics import GAMMA, ContributionBound, bounding, leaf_sums
from privacy.statistics.feature_moments import MomentSums
from privacy.statistics.leaf_sums import LeafSums
from privacy.statistics.logistic_gradient import LossGradient
from privacy.statistics.prior_gradient import PriorGradient
from privacy.statistics.prior_moments import PriorMoments
from privacy.statistics.score_histogram import ScoreHistogram
from server.running.asking import Asking

#: Probability that a statistical check fails on correct code, each side.
FALSE_ALARM = 1e-9

Patch = pytest.MonkeyPatch

# --- checks ------------------------------------------------------------------------------------------------------

RULES = SegmentRules(
    cuts=CutPoints(
        recency_days=(10, 20, 30, 40), orders=(1, 2, 3, 4), money=(100, 200, 300, 400),
        recency_high=20, orders_high=2, money_high=200,
    ),
    money_unit=100,
)  # fmt: skip
TOTALS = SegmentTotals(rules=RULES, schemes=("eight", "ten"), orders_cap=5, money_cap=10_000)
CENTRED = TOTALS.model_copy(update={"form": "centred"})


def _customers(*rows: tuple[int, int, int]) -> CustomerColumns:
    array = np.array(rows, dtype=np.int64).reshape(-1, 3)
    days, orders, money = (array[:, number].copy() for number in range(3))
    return CustomerColumns(recency_days=days, orders=orders, money=money, tenure_days=days)


def check_sensitivity(root_folder: Path, patch: Patch) -> None:
    """One customer more or less moves the sum within the bound, computed here from the definition: 2 GAMMA^2."""
    others = [(5, 1, 50), (25, 3, -9_000), (5, 2, 9_999), (50, 1, 150), (5, 4, -10_000)]
    whole = 2 * GAMMA**2  # two segmentations, (a, b, c) of norm GAMMA each
    for totals in (TOTALS, CENTRED):
        assert 0.999 * whole < totals.bound.squared_norm <= whole
        for extreme in [(5, 10**6, 10**12), (5, 10**6, -(10**12)), (50, 1, 0), (0, 5, 10_000), (5, 3, -10_000)]:
            for base in ([], others):
                without, within = _customers(*base), _customers(*base, extreme)
                for encode in (totals.encode_sum, partial(_sum_of_rows, totals)):
                    difference = [int(v) for v in encode(within) - encode(without)]
                    assert sum(v * v for v in difference) <= totals.bound.squared_norm
        np.testing.assert_array_equal(
            totals.encode_sum(_customers(*others)),
            sum(totals.encode_sum(_customers(row)) for row in others),
            err_msg="the sum of a table is the sum of its customers",
        )


def _sum_of_rows(totals: SegmentTotals, columns: CustomerColumns) -> np.ndarray:
    return np.asarray(totals.encode_rows(columns).sum(axis=0, dtype=np.int64))


def check_feature_sensitivity(root_folder: Path, patch: Patch) -> None:
    """One customer with all its days moves a sum of features by GAMMA at most, alike whoever else is there."""
    for statistic in (s for s in STATISTIC_VALUES if s.reads is FeatureTable):
        kind = kind_of(statistic)
        assert statistic.bound.squared_norm <= GAMMA**2
        rows = [kind.busy, kind.idle, *kind.extremes[::7], *kind.rows_of(kind.plausible(60, 1))]
        together = statistic.encode_rows(kind.table(rows))
        without = statistic.encode_sum(kind.table(rows[1:]))
        moved = [int(v) for v in statistic.encode_sum(kind.table(rows)) - without]
        assert sum(v * v for v in moved) <= statistic.bound.squared_norm
        for row, encoded in zip(rows, together.tolist(), strict=True):
            assert statistic.encode_rows(kind.table([row]))[0].tolist() == encoded
            assert sum(v * v for v in encoded) <= statistic.bound.squared_norm
        assert not any(together[1]), "a customer who counts on no day adds nothing"


def check_calibration(root_folder: Path, patch: Patch) -> None:
    """What is left of the noise when t holders take theirs out is at least norm / mu^2, and the price says so."""
    bound = TOTALS.bound
    wanted = Fraction(1, 50)
    for m, t, left in ((3, 1, 2), (5, 2, 3), (8, 1, 7), (4, 3, 1)):
        mechanism = calibrate(wanted, bound, placement="distributed", holders=m, colluding=t)
        variance = left * mechanism.share_scale**2
        assert variance * wanted >= bound.squared_norm, (m, t)
        assert (left * (mechanism.share_scale - 1) ** 2) * wanted < bound.squared_norm, "not more than is needed"
        event = mechanism.event(bound, TOTALS.dim)
        assert event.squared_mu() == Fraction(bound.squared_norm, variance)
    local = calibrate(wanted, bound, placement="local", holders=5, colluding=1)
    assert local.share_scale**2 * wanted >= bound.squared_norm


def check_price_of_a_person(root_folder: Path, patch: Patch) -> None:
    """k records of one person in one sum: k times the shift, k^2 times mu^2; the study's promise holds for them."""
    event = GaussianSum(squared_norm=1 << 40, gamma=1 << 20, dim=8, share_scale=1 << 24, protecting_shares=2)
    for k in (2, 3, 5):
        shift = Fraction(k * k * event.squared_norm)
        assert event.squared_mu(k) == shift / (2 * (1 << 48))
        assert total_squared_mu([event, event], k) == 2 * event.squared_mu(k)
    study = kit.small_study(budget={"max_holders_per_customer": 2})
    federation = kit.federation_at(root_folder)
    coordinator = kit.coordinator_of(federation, study)
    coordinator.join()
    share = kit.price(study, Fraction(1))
    release = coordinator.ask("rfm", "all of it", kit.STATISTIC, share)
    mechanism = release.mechanism
    mu = math.sqrt(2 * 2 * kit.STATISTIC.bound.squared_norm / (mechanism.share_scale**2 * (3 - 1)))
    assert delta_of(mu, 1.0) <= 1e-6, "epsilon 1 at delta 1e-6 for a person at two holders"
    for holder in HOLDERS:
        assert kit.holder_ledger(federation, holder).spent(study.digest) <= squared_cap(1.0, 1e-6)


def _released_noise(root_folder: Path, dim: int = 2048) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], int]:
    """Noise of two questions over empty tables, each holder's own draws in the first, and the share's scale."""
    federation = kit.federation_at(root_folder, tables={holder: kit.table(0) for holder in HOLDERS})
    coordinator = LyingCoordinator(federation)
    coordinator.greet()
    found, own = [], []
    for number in (1, 2):
        core = coordinator.core(statistic=kit.wide_statistic(dim), round=number)
        readies = coordinator.readies(core)
        if number == 1:
            runs = [next(iter(federation.nodes[holder]._runs.values())) for holder in HOLDERS]
            own = [run.noise[core.digest].copy() for run in runs]
        found.append(unmask([coordinator.ask(holder, core, readies).vector for holder in HOLDERS]))
    return found[0], found[1], own, core.mechanism.share_scale


def check_released_noise(root_folder: Path, patch: Patch) -> None:
    """Chi-square on the whole release, unseeded, through nodes and masks: m shares of the stated scale, afresh.

    2,048 coordinates: a variance 20% too large or small is found with certainty. A coordinate without noise would be
    exactly 0 in both questions, which happens by chance with 2048 x (4e-8)^2. Repeated draws correlate; the sample
    correlation of independent ones has deviation 1/45, and 7 of it are 3e-12.
    """
    first, second, own, scale = _released_noise(root_folder)
    low, high = chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], len(first))
    for noise in (first, second):
        assert low < float((noise.astype(float) ** 2).sum()) / (3 * scale**2) < high
    assert not np.any((first == 0) & (second == 0)), "every coordinate has noise"
    limit = 7 / math.sqrt(len(first))
    blocks = [first, second, *own]
    for index, block in enumerate(blocks):
        for other in blocks[index + 1 :]:
            if block is first and any(other is one for one in own):
                continue  # the release is the sum of these
            assert abs(float(np.corrcoef(block, other)[0, 1])) < limit


def check_noise_source(root_folder: Path, patch: Patch) -> None:
    """The sampler's own scale: standard deviation, not variance. 4,096 draws."""
    scale, size = 5000, 4096
    draws = holder_node.discrete_gaussian(scale, size).astype(float)
    low, high = chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], size)
    assert low < float((draws**2).sum()) / scale**2 < high


def check_as_of_is_the_studys(root_folder: Path, patch: Patch) -> None:
    """Recency counts from the study's day, so one customer's later purchase does not move anybody else's."""
    config = HolderConfig.model_validate(
        {
            "holder": "shop",
            "source": {"url": "sales.parquet", "currency_code": "EUR"},
            "columns": {"customer": "c", "order": "o", "time": "t", "amount": "a"},
        }
    )
    study = kit.small_study(as_of="2024-06-01")
    early = {"c": "one", "o": "1", "t": dt.datetime(2024, 5, 1, 12), "a": 10.0}
    late = {"c": "two", "o": "2", "t": dt.datetime(2024, 5, 20, 12), "a": 10.0}
    after = {"c": "one", "o": "3", "t": dt.datetime(2024, 6, 1), "a": 10.0}
    for rows in ([early], [early, late], [early, late, after]):
        pq.write_table(pa.Table.from_pylist(rows), root_folder / "sales.parquet")
        table = build_customer_table(Origin(config, study, root_folder))
        assert dict(zip(table.ids, table.columns.recency_days.tolist(), strict=True))["one"] == 30


def check_own_hello(root_folder: Path, patch: Patch) -> None:
    """A plan that holds an earlier process's HELLO is refused: its mask key is gone."""
    coordinator = LyingCoordinator(kit.federation_at(root_folder))
    coordinator.greet()
    assert protocol_checks.READY_CASES["own HELLO from an earlier process"][1](coordinator).code == "stale"


def check_bound_is_recomputed(root_folder: Path, patch: Patch) -> None:
    """A plan that states a smaller bound, and so a smaller price, is refused."""
    coordinator = LyingCoordinator(kit.federation_at(root_folder))
    coordinator.greet()
    assert protocol_checks.READY_CASES["bound: norm too small"][1](coordinator).code == "declined"


def check_answers_are_coded(root_folder: Path, patch: Patch) -> None:
    """An exception's text does not leave."""
    federation = kit.federation_at(root_folder)
    secret = protocol_checks.SECRET
    data = protocol_checks.RaisingData(ValueError(secret))
    federation.nodes["alpha"] = kit.node_with(federation, "alpha", data=data)
    coordinator = LyingCoordinator(federation)
    request = kit.carried(coordinator.identity.sign(coordinator.hello_request()))
    reply = federation.nodes["alpha"].handle(request)
    assert not [part for part in protocol_checks.PARTS if part in reply]


def _plain(check: Callable[[Path], None]) -> Callable[[Path, Patch], None]:
    return lambda root_folder, patch: check(root_folder)


Check = Callable[[Path, Patch], None]

CHECKS: dict[str, Check] = {
    "sensitivity": check_sensitivity,
    "feature sensitivity": check_feature_sensitivity,
    "anchors": _plain(anchor_checks.check_a_worked_table_of_anchors),
    "grid": _plain(anchor_checks.check_a_worked_grid),
    "formula": lambda *_: formula_checks.check_a_worked_formula(),
    "correction": lambda *_: formula_checks.check_the_questions_of_a_correction(),
    "leaves": lambda *_: tree_checks.check_a_worked_table_of_leaves(),
    "a training's step": training_checks.check_a_training_step,
    "a training's samples": training_checks.check_samples,
    "slots": training_checks.check_slots,
    "features of the past": _plain(feature_checks.check_an_order_over_midnight),
    "outcomes of the past": _plain(feature_checks.check_an_outcome_of_an_open_horizon),
    "calibration": check_calibration,
    "price of a person": check_price_of_a_person,
    "released noise": check_released_noise,
    "noise source": check_noise_source,
    "as-of": check_as_of_is_the_studys,
    "own HELLO": check_own_hello,
    "bound recomputed": check_bound_is_recomputed,
    "coded answers": check_answers_are_coded,
    "redelivery": _plain(protocol_checks.check_redelivery_gives_the_same_bytes),
    "different plans refused": _plain(protocol_checks.check_different_plans_are_refused),
    "masks of different plans": protocol_checks.check_masks_of_different_plans_do_not_cancel,
    "charge first": protocol_checks.check_the_charge_comes_before_the_answer,
    "ledgers of peers": _plain(protocol_checks.check_older_or_forked_ledgers_of_peers_are_refused),
    "own rollback": _plain(protocol_checks.check_a_holder_notices_its_own_rollback),
    "timing of answers": protocol_checks.check_an_answer_shows_its_time_to_a_power_of_two,
    "timing through the lock": _plain(protocol_checks.check_a_second_request_does_not_time_the_first),
    "rolled back ledger": _plain(protocol_checks.check_the_coordinator_notices_a_rolled_back_ledger),
}

# --- mutants -----------------------------------------------------------------------------------------------------


def clip_after_sum(patch: Patch) -> None:
    def encode_sum(self: SegmentTotals, columns: CustomerColumns) -> np.ndarray:
        caps = (1, self.orders_cap, self.money_cap)
        total = np.zeros(self.dim, dtype=np.int64)
        facts = (np.ones(len(columns), dtype=np.int64), columns.orders, columns.money)
        for offset, cells, _ in self._parts(columns):
            for position, (fact, cap, amplitude) in enumerate(zip(facts, caps, totals_module.AMPLITUDES, strict=True)):
                sums = np.zeros(64, dtype=np.int64)
                np.add.at(sums, cells, fact)
                limit = cap * max(len(columns), 1)
                scaled = np.clip(sums, -limit, limit) * amplitude // cap
                for cell in np.unique(cells):
                    total[offset + 3 * cell + position] += scaled[cell]
        return total

    patch.setattr(SegmentTotals, "encode_sum", encode_sum)


def clip_skipped(patch: Patch) -> None:
    patch.setattr(
        totals_module,
        "_scaled",
        lambda values, cap, amplitude: (2 * amplitude * np.minimum(values, 10**9) + cap) // (2 * cap),
    )


def placed_beyond_the_range(patch: Patch) -> None:
    patch.setattr(
        totals_module,
        "_placed",
        lambda values, low, high, amplitude: (
            amplitude * (2 * np.clip(values, -(10**9), 10**9) - low - high) // np.maximum(high - low, 1)
        ),
    )


def one_segmentations_bound_for_two(patch: Patch) -> None:
    def bound(self: SegmentTotals) -> ContributionBound:
        norm = sum(a * a for a in totals_module.AMPLITUDES)
        return ContributionBound(gamma=GAMMA, squared_norm=norm, max_abs=max(totals_module.AMPLITUDES))

    patch.setattr(SegmentTotals, "bound", property(bound))


def every_day_is_a_contribution(patch: Patch) -> None:
    """A customer's days are added up instead of being one contribution."""
    real = ScoreHistogram.encode_rows

    def encode_rows(self: ScoreHistogram, table: FeatureTable) -> np.ndarray:
        days = range(table.eligible.shape[1])
        return sum(real(self.model_copy(update={"day": day}), table) for day in days)

    patch.setattr(ScoreHistogram, "encode_rows", encode_rows)


def one_models_bound_for_several(patch: Patch) -> None:
    def bound(self: ScoreHistogram) -> ContributionBound:
        amplitude = self.models[0].amplitude
        return ContributionBound(gamma=GAMMA, squared_norm=amplitude**2, max_abs=amplitude)

    patch.setattr(ScoreHistogram, "bound", property(bound))


def who_counts_is_not_asked(patch: Patch) -> None:
    real = ScoreHistogram.encode_rows

    def encode_rows(self: ScoreHistogram, table: FeatureTable) -> np.ndarray:
        everybody = np.ones_like(table.eligible)
        return real(
            self, FeatureTable(names=table.names, values=table.values, eligible=everybody, outcome=table.outcome)
        )

    patch.setattr(ScoreHistogram, "encode_rows", encode_rows)


def _facts_as(patch: Patch, change: Callable[[np.ndarray], np.ndarray]) -> None:
    real = MbgPrior.logits
    patch.setattr(MbgPrior, "logits", lambda self, facts: real(self, change(facts)))


def first_purchase_counted(patch: Patch) -> None:
    """Days of purchase are taken for those after the first."""
    _facts_as(patch, lambda facts: facts + np.array([1, 0, 0]))


def silence_for_the_last_purchase(patch: Patch) -> None:
    """Days since the last purchase are taken for the days until it."""
    _facts_as(patch, lambda facts: np.stack([facts[:, 0], facts[:, 2] - facts[:, 1], facts[:, 2]], axis=1))


def unexpected_not_halved(patch: Patch) -> None:
    """y - p beside the triangle: up to twice what the norm was derived for."""
    real = PriorMoments.unexpected
    patch.setattr(PriorMoments, "unexpected", lambda self, table, day: 2 * real(self, table, day))


def gradient_starts_at_even_odds(patch: Patch) -> None:
    patch.setattr(PriorGradient, "start", lambda self, table, day: np.zeros(len(table), dtype=np.int64))


def formula_of_the_first_day(patch: Patch) -> None:
    """What is expected does not move with the day."""
    real = MbgPrior.of
    patch.setattr(MbgPrior, "of", lambda self, table, day: real(self, table, 0))


def facts_not_said(patch: Patch) -> None:
    """A policy would not see what the formula looks at."""
    for kind, base in ((PriorMoments, MomentSums), (PriorGradient, LossGradient)):
        patch.setattr(kind, "looks_at", base.looks_at)


def _pairs_as(patch: Patch, change: Callable[[int, int, int], tuple[int, int, int]]) -> None:
    real = leaf_sums.pair_table
    patch.setattr(leaf_sums, "pair_table", lambda clip, trees, days: real(*change(clip, trees, days)))


def pairs_cut_for_each_tree(patch: Patch) -> None:
    """Each tree's pair may be as long as all together."""
    _pairs_as(patch, lambda clip, trees, days: (clip, 1, days))


def days_of_leaves_not_divided(patch: Patch) -> None:
    _pairs_as(patch, lambda clip, trees, days: (clip, trees, 1))


def pairs_of_the_other_outcome(patch: Patch) -> None:
    real = leaf_sums.pair_table
    patch.setattr(leaf_sums, "pair_table", lambda *given: real(*given)[::-1])


def two_leaves_of_a_tree(patch: Patch) -> None:
    """Who is in a leaf is in the one to its left, too."""
    real = LeafSums.encode_rows

    def encode_rows(self: LeafSums, table: FeatureTable) -> np.ndarray:
        rows = real(self, table).reshape(len(table), len(self.trees), self.leaves, 2)
        rows[:, :, :-1] += rows[:, :, 1:]
        return rows.reshape(len(table), self.dim)

    patch.setattr(LeafSums, "encode_rows", encode_rows)


def thresholds_belong_to_the_right(patch: Patch) -> None:
    """A customer on a threshold goes right, where models as they are applied send it left."""

    def places(self: Tree, scaled: np.ndarray, score: np.ndarray) -> np.ndarray:
        place = np.zeros(len(score), dtype=np.int64)
        for column, threshold in zip(self.inputs, self.thresholds, strict=True):
            place = 2 * place + ((score if column == scaled.shape[1] else scaled[:, column]) >= threshold)
        return place

    patch.setattr(Tree, "places", places)


def trees_without_those_before(patch: Patch) -> None:
    """Residuals are those of the linear score alone."""
    patch.setattr(TreesModel, "grown", lambda self, scaled, score: score)


def vectors_not_clipped(patch: Patch) -> None:
    """The clip to the norm and the look at the integers are both gone; what is rounded is as long as it was."""

    def bounded(vectors: np.ndarray, norm: float) -> np.ndarray:
        return np.rint(vectors * (GAMMA / norm)).astype(np.int64)

    for module in bounded_users():
        patch.setattr(module, "bounded", bounded)


def bounded_users() -> list[Any]:
    """The modules that turn vectors into integers."""
    return [
        module
        for name, module in sys.modules.items()
        if name.startswith("privacy.statistics.") and getattr(module, "bounded", None) is bounding.bounded
    ]


def scaled_by_the_tables_own_range(patch: Patch) -> None:
    def apply(self: Scale, raw: np.ndarray) -> np.ndarray:
        low, high = raw.min(initial=0), raw.max(initial=1)
        return np.clip((raw - low) / (high - low + 1) * 2 * UNIT - UNIT, -UNIT, UNIT).astype(np.int64)

    patch.setattr(Scale, "apply", apply)


class NumpyBut:
    """What one module knows as numpy, with a function replaced; everybody else's stays as it is."""

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def offset_not_clipped(patch: Patch) -> None:
    """The whole block is cut to the norm all the same, so one far customer takes its count and facts with it."""
    patch.setattr(anchor_sums, "clipped", lambda vectors, norm: vectors)


def radius_ignored(patch: Patch) -> None:
    _blocks(patch, lambda self, real, table: real(self.model_copy(update={"radii": (UNIT,) * len(self.radii)}), table))


def cap_of_another_anchor(patch: Patch) -> None:
    def blocks(self: AnchorSums, real: Any, table: FeatureTable) -> Any:
        facts = tuple(fact.model_copy(update={"caps": fact.caps[::-1]}) for fact in self.facts)
        return real(self.model_copy(update={"facts": facts}), table)

    _blocks(patch, blocks)


def fact_not_capped(patch: Patch) -> None:
    """Facts are divided by the caps, but not clipped to them."""
    patch.setattr(anchor_sums, "np", NumpyBut(clip=lambda values, low, high: values))


def missing_is_a_number(patch: Patch) -> None:
    patch.setattr(anchor_sums, "MISSING", 0)


def count_of_who_is_not_eligible(patch: Patch) -> None:
    """Facts and offset are left out, the count is not."""

    def blocks(self: AnchorSums, real: Any, table: FeatureTable) -> Any:
        anchor, block = real(self, table)
        block[:, 0] = int(GAMMA * self.count_amplitude / 1000 / self.norm)
        return anchor, block

    _blocks(patch, blocks)


def block_of_another_anchor(patch: Patch) -> None:
    def blocks(self: AnchorSums, real: Any, table: FeatureTable) -> Any:
        anchor, block = real(self, table)
        return (anchor + 1) % len(self.anchors), block

    _blocks(patch, blocks)


def last_of_equally_near_anchors(patch: Patch) -> None:
    real = anchor_sums.nearest
    patch.setattr(anchor_sums, "nearest", lambda z, anchors: len(anchors) - 1 - real(z, anchors[::-1]))


def norm_without_the_facts(patch: Patch) -> None:
    """The bound still holds, because whole blocks are cut to it, but what is decoded is too little."""
    patch.setattr(
        AnchorSums, "norm", property(lambda self: math.hypot(self.count_amplitude, self.offset_amplitude) / 1000)
    )


def _blocks(patch: Patch, change: Callable[[AnchorSums, Any, FeatureTable], Any]) -> None:
    real = AnchorSums._blocks
    patch.setattr(AnchorSums, "_blocks", lambda self, table: change(self, real, table))


def first_coordinate_moves_fastest(patch: Patch) -> None:
    real = GridCounts._cell

    def cell(self: GridCounts, table: FeatureTable) -> np.ndarray:
        turned = self.view.model_copy(update={"matrix": self.view.matrix[::-1]})
        return real(self.model_copy(update={"view": turned}), table)

    patch.setattr(GridCounts, "_cell", cell)


def outside_the_grid_left_out(patch: Patch) -> None:
    real = GridCounts._counts

    def counts(self: GridCounts, table: FeatureTable) -> np.ndarray:
        inside = (np.abs(self.view.apply(table, self.day)) <= 1).all(axis=1)
        return real(self, table) * inside

    patch.setattr(GridCounts, "_counts", counts)


def borders_belong_to_the_lower_cell(patch: Patch) -> None:
    patch.setattr(grid_counts, "np", NumpyBut(floor=lambda place: np.maximum(np.ceil(place) - 1, 0)))


def grid_counts_everybody(patch: Patch) -> None:
    patch.setattr(grid_counts, "counted_days", lambda table, day, outcome: np.ones(len(table)))


def orders_not_cut_at_the_days(patch: Patch) -> None:
    """An order is taken as a whole, with what was added to it after the day."""
    real = clients.data.rows.sums.cut_orders

    def cut_orders(lines: Any, origin: Any, request: Any, needed: Any) -> Any:
        return real(lines, origin, request.model_copy(update={"days": request.days[-1:]}), needed)

    patch.setattr(clients.data.rows.sums, "cut_orders", cut_orders)


def churned_before_the_horizon_is_over(patch: Patch) -> None:
    real = clients.data.rows.features._assemble

    def assemble(sums: Any, origin: Any, request: Any) -> Any:
        later = origin.study.model_copy(update={"as_of": origin.study.as_of + dt.timedelta(days=1)})
        return real(sums, dataclasses.replace(origin, study=later), request)

    patch.setattr(clients.data.rows.features, "_assemble", assemble)


def _calibrated(patch: Patch, change: Callable[[SumMechanism], int]) -> None:
    real = privacy.mechanisms.gaussian.calibrate

    def calibrated(*args: Any, **kwargs: Any) -> SumMechanism:
        mechanism = real(*args, **kwargs)
        return mechanism.model_copy(update={"share_scale": change(mechanism)})

    for module in (privacy.mechanisms.gaussian, server.running.planning, kit):
        patch.setattr(module, "calibrate", calibrated)
    patch.setitem(globals(), "calibrate", calibrated)


def divided_by_m(patch: Patch) -> None:
    _calibrated(patch, lambda m: math.ceil(m.share_scale * math.sqrt((m.holders - m.colluding) / m.holders)))
    patch.setattr(
        SumMechanism,
        "protecting_shares",
        property(lambda self: self.holders if self.placement == "distributed" else 1),
    )


def divided_by_m_in_the_price_only(patch: Patch) -> None:
    patch.setattr(SumMechanism, "protecting_shares", property(lambda self: self.holders))


def half_the_noise(patch: Patch) -> None:
    _calibrated(patch, lambda m: m.share_scale // 2)


def variance_as_deviation(patch: Patch) -> None:
    patch.setattr(holder_node, "discrete_gaussian", lambda scale, size: discrete_gaussian(math.isqrt(scale), size))


def deviation_as_variance(patch: Patch) -> None:
    patch.setattr(holder_node, "discrete_gaussian", lambda scale, size: discrete_gaussian(scale * scale, size))


def _sampling(patch: Patch, sampler: Callable[[int, int], np.ndarray]) -> None:
    real = HolderNode.__init__

    def init(self: HolderNode, **kwargs: Any) -> None:
        real(self, **kwargs | {"sampler": sampler})

    patch.setattr(HolderNode, "__init__", init)


def square_root_of_the_scale_in_the_node(patch: Patch) -> None:
    patch.setattr(SumMechanism, "holder_scale", property(lambda self: math.isqrt(self.share_scale)))


def wrong_divisor_in_the_node(patch: Patch) -> None:
    patch.setattr(
        SumMechanism, "holder_scale", property(lambda self: math.isqrt(self.share_scale**2 * 2 // self.holders))
    )


def seed_reused(patch: Patch) -> None:
    def seeded(scale: int, size: int) -> np.ndarray:
        return np.rint(np.random.default_rng(1).normal(0, scale, size)).astype(np.int64)

    _sampling(patch, seeded)


def seed_per_holder(patch: Patch) -> None:
    """Every holder has its own seed, and uses it for every question."""
    real = HolderNode.__init__

    def init(self: HolderNode, **kwargs: Any) -> None:
        seed = sum(kwargs["identity"].member.encode())
        kwargs["sampler"] = lambda scale, size: np.rint(np.random.default_rng(seed).normal(0, scale, size)).astype(
            np.int64
        )
        real(self, **kwargs)

    patch.setattr(HolderNode, "__init__", init)


def one_coordinate_without_noise(patch: Patch) -> None:
    def most(scale: int, size: int) -> np.ndarray:
        noise = discrete_gaussian(scale, size)
        noise[0] = 0
        return noise

    _sampling(patch, most)


def no_noise_at_all(patch: Patch) -> None:
    _sampling(patch, kit.no_noise)


def k_not_squared(patch: Patch) -> None:
    patch.setattr(
        GaussianSum,
        "squared_mu",
        lambda self, records=1: Fraction(records * self.squared_norm, self.variance),
    )


def k_not_squared_in_the_plan(patch: Patch) -> None:
    """The coordinator divides by k where k^2 is due; holders' ledgers refuse, and the study's promise with them."""
    real = Asking._mechanism
    patch.setattr(Asking, "_mechanism", lambda self, statistic, price: real(self, statistic, price * self.records))


def k_forgotten(patch: Patch) -> None:
    patch.setattr(GaussianSum, "squared_mu", lambda self, records=1: Fraction(self.squared_norm, self.variance))
    real = Asking._mechanism
    patch.setattr(Asking, "_mechanism", lambda self, statistic, price: real(self, statistic, price * self.records**2))


def charge_after_the_answer(patch: Patch) -> None:
    real_reserve, real_record = Ledger.reserve, Ledger.record_answer
    waiting: dict[str, tuple[Any, ...]] = {}

    def reserve(self: Ledger, charge: Any, *others: Any) -> Any:
        waiting[charge.core] = (charge, *others)
        return privacy.ledger.ledger.Grant(privacy.ledger.ledger._TOKEN, charge.question, charge.core)

    def record_answer(self: Ledger, answered: Any, *others: Any) -> Any:
        real_reserve(self, *waiting.pop(answered.core))
        return real_record(self, answered, *others)

    patch.setattr(Ledger, "reserve", reserve)
    patch.setattr(Ledger, "record_answer", record_answer)


def masks_bound_to_the_run_only(patch: Patch) -> None:
    patch.setattr(answers, "mask", lambda values, **kwargs: mask(values, **kwargs | {"core": "0" * 64}))


def answers_twice(patch: Patch) -> None:
    """Asked again, the node computes again, with fresh noise; the ledger holds one charge."""
    real = HolderNode._answer

    def answer(self: HolderNode, request: Any, signed: Any) -> bytes:
        stored = self._ledger.stored_answer(request.core)
        run = self._runs.get(request.question.run)
        if stored is None or run is None:
            return real(self, request, signed)
        accepted, _ = run.plans[request.question]
        core = accepted.core
        masked = answers.masked_answer(
            holder_node.encode_sum(core.statistic, run.rows(core), holder=self.holder),
            answers.noise_share(core.mechanism, core.statistic.dim, self._sampler),
            holder=self.holder,
            key=run.mask_key,
            hellos=accepted.hellos,
            core=accepted.digest,
        )
        vector = base64.b64encode(masked).decode()
        return Reply.parse(stored).model_copy(update={"vector": vector}).canonical()

    patch.setattr(HolderNode, "_answer", answer)


def ready_not_checked(patch: Patch) -> None:
    patch.setattr(holder_node, "check_readies", kit.readies_as_they_are)


def peers_ledgers_not_compared(patch: Patch) -> None:
    real = admission._check_checkpoints
    patch.setattr(admission, "_check_checkpoints", lambda core, **kwargs: real(core, **kwargs | {"seen": {}}))


def rollback_accepted(patch: Patch) -> None:
    patch.setattr(server.running.heads, "compared", lambda before, head: None)


def own_ledger_not_compared(patch: Patch) -> None:
    real = holder_node.check_core

    def check(request: Any, **kwargs: Any) -> Any:
        own = kwargs["own_hello"].signer
        signed = next(p.checkpoint for p in request.core.participants if p.holder == own)
        shown = signed.open(Checkpoint, kwargs["roster"], signer=own)
        return real(request, **kwargs | {"own_hash": lambda sequence: shown.head})

    patch.setattr(holder_node, "check_core", check)


def waits_outside_the_lock(patch: Patch) -> None:
    def handle(self: HolderNode, request: bytes) -> bytes:
        started = self._clock.monotonic()
        with self._lock:
            reply, first = self._reply_to(request)
        holder_node.leave(self._clock, started, first)
        return reply

    patch.setattr(HolderNode, "handle", handle)


def answers_leave_when_they_are_there(patch: Patch) -> None:
    patch.setitem(holder_node.FIRST, "AnswerRequest", 0.0)


def date_from_the_data(patch: Patch) -> None:
    real = clients.data.rows.customers._assemble

    def assembled(*args: Any) -> Any:
        table = real(*args)
        days = table.columns.recency_days
        days -= days.min(initial=10**6) if len(days) else 0
        return table

    patch.setattr(clients.data.rows.customers, "_assemble", assembled)


def own_hello_not_compared(patch: Patch) -> None:
    real = holder_node.check_core

    def check(request: Any, **kwargs: Any) -> Any:
        own = next(statement for statement in request.hellos if statement.signer == kwargs["own_hello"].signer)
        return real(request, **kwargs | {"own_hello": own})

    patch.setattr(holder_node, "check_core", check)


def bound_taken_from_the_plan(patch: Patch) -> None:
    real = admission._check_cost_facts

    def check(core: Any, **kwargs: Any) -> None:
        real(core.model_copy(update={"bound": core.statistic.bound}), **kwargs)

    patch.setattr(admission, "_check_cost_facts", check)


def _optimizer() -> Any:
    pytest.importorskip("opacus")
    from clients.analyses.churn.local_training import IntegerOptimizer

    return IntegerOptimizer


def a_training_takes_opacus_noise(patch: Patch) -> None:
    optimizer = _optimizer()

    def add_noise(self: Any) -> None:
        super(optimizer, self).add_noise()
        for weight in self.params:
            weight.grad *= self.norm / GAMMA

    patch.setattr(optimizer, "add_noise", add_noise)


def a_training_has_half_of_the_noise(patch: Patch) -> None:
    patch.setattr(Slot, "noise_scale", property(lambda self: math.ceil(self.noise_multiplier * (1 << 26)) // 2))


def a_training_clips_its_sums(patch: Patch) -> None:
    import torch

    optimizer = _optimizer()

    def clip_and_accumulate(self: Any) -> None:
        (weight,) = self.params
        samples = self._get_flat_grad_sample(weight).flatten(1).numpy()
        whole = bounding.bounded(samples.sum(axis=0, keepdims=True), self.norm * len(samples)) * len(samples)
        weight.summed_grad = torch.tensor(whole[0], dtype=torch.float64)

    patch.setattr(optimizer, "clip_and_accumulate", clip_and_accumulate)


def a_training_divides_by_its_customers(patch: Patch) -> None:
    from clients.analyses.churn import local_training

    real = local_training.train

    def train(statistic: Any, table: Any, *, holder: str) -> Any:
        classes = dict.fromkeys(statistic.size_classes, len(table))
        return real(statistic.model_copy(update={"size_classes": classes}), table, holder=holder)

    patch.setattr(local_training, "train", train)


def one_sample_for_all_steps(patch: Patch) -> None:
    _optimizer()
    from clients.analyses.churn import local_training

    patch.setattr(local_training._Samples, "__iter__", lambda self: iter([self._samples.draw()] * self._steps))


def samples_of_one_size(patch: Patch) -> None:
    def draw(self: PoissonSamples) -> np.ndarray:
        return np.sort(np.random.default_rng().permutation(self._customers)[: int(self._rate * self._customers)])

    patch.setattr(PoissonSamples, "draw", draw)


def samples_from_a_seeded_generator(patch: Patch) -> None:
    def draw(self: PoissonSamples) -> np.ndarray:
        return np.flatnonzero(np.random.random(self._customers) < float(self._rate))  # noqa: NPY002

    patch.setattr(PoissonSamples, "draw", draw)


def a_slot_comes_back(patch: Patch) -> None:
    patch.setattr(SlotBook, "take", lambda self, fit: True)


def a_slot_fits_more_steps(patch: Patch) -> None:
    patch.setattr(
        Slot, "covers",
        lambda self, other: other.rate <= self.rate and other.noise_multiplier >= self.noise_multiplier,
    )  # fmt: skip


def a_training_costs_the_study_nothing(patch: Patch) -> None:
    patch.setattr(SampledGaussian, "fits", property(lambda self: ()))


def a_training_is_one_gaussian_sum(patch: Patch) -> None:
    """Priced as its steps' mean noise would be, were every step of other customers."""
    patch.setattr(SampledGaussian, "fits", property(lambda self: (self.slot.model_copy(update={"steps": 1}),)))


def any_training_is_masked_again(patch: Patch) -> None:
    patch.setattr(privacy.ledger.state, "MaskedAgain", SumMechanism)


def texts_in_refusals(patch: Patch) -> None:
    real = HolderNode._refuse
    patch.setattr(HolderNode, "_refuse", lambda self, code, reason: real(self, code, reason) + reason.encode())


#: Mutant to the check that must catch it.
MUTANTS: list[tuple[Callable[[Patch], None], str]] = [
    (clip_after_sum, "sensitivity"),
    (clip_skipped, "sensitivity"),
    (placed_beyond_the_range, "sensitivity"),
    (one_segmentations_bound_for_two, "sensitivity"),
    (every_day_is_a_contribution, "feature sensitivity"),
    (one_models_bound_for_several, "feature sensitivity"),
    (who_counts_is_not_asked, "feature sensitivity"),
    (vectors_not_clipped, "feature sensitivity"),
    (scaled_by_the_tables_own_range, "feature sensitivity"),
    (count_of_who_is_not_eligible, "feature sensitivity"),
    (grid_counts_everybody, "feature sensitivity"),
    (offset_not_clipped, "anchors"),
    (radius_ignored, "anchors"),
    (cap_of_another_anchor, "anchors"),
    (fact_not_capped, "anchors"),
    (missing_is_a_number, "anchors"),
    (block_of_another_anchor, "anchors"),
    (last_of_equally_near_anchors, "anchors"),
    (norm_without_the_facts, "anchors"),
    (first_coordinate_moves_fastest, "grid"),
    (outside_the_grid_left_out, "grid"),
    (borders_belong_to_the_lower_cell, "grid"),
    (first_purchase_counted, "formula"),
    (silence_for_the_last_purchase, "formula"),
    (unexpected_not_halved, "correction"),
    (gradient_starts_at_even_odds, "correction"),
    (formula_of_the_first_day, "correction"),
    (facts_not_said, "correction"),
    (pairs_cut_for_each_tree, "leaves"),
    (days_of_leaves_not_divided, "leaves"),
    (pairs_of_the_other_outcome, "leaves"),
    (two_leaves_of_a_tree, "leaves"),
    (thresholds_belong_to_the_right, "leaves"),
    (trees_without_those_before, "leaves"),
    (orders_not_cut_at_the_days, "features of the past"),
    (churned_before_the_horizon_is_over, "outcomes of the past"),
    (divided_by_m, "calibration"),
    (divided_by_m_in_the_price_only, "calibration"),
    (half_the_noise, "calibration"),
    (variance_as_deviation, "noise source"),
    (deviation_as_variance, "noise source"),
    (square_root_of_the_scale_in_the_node, "released noise"),
    (wrong_divisor_in_the_node, "released noise"),
    (seed_reused, "released noise"),
    (seed_per_holder, "released noise"),
    (one_coordinate_without_noise, "released noise"),
    (no_noise_at_all, "released noise"),
    (k_not_squared, "price of a person"),
    (k_not_squared_in_the_plan, "price of a person"),
    (k_forgotten, "price of a person"),
    (charge_after_the_answer, "charge first"),
    (masks_bound_to_the_run_only, "masks of different plans"),
    (answers_twice, "redelivery"),
    (ready_not_checked, "different plans refused"),
    (peers_ledgers_not_compared, "ledgers of peers"),
    (rollback_accepted, "rolled back ledger"),
    (own_ledger_not_compared, "own rollback"),
    (answers_leave_when_they_are_there, "timing of answers"),
    (waits_outside_the_lock, "timing through the lock"),
    (date_from_the_data, "as-of"),
    (own_hello_not_compared, "own HELLO"),
    (bound_taken_from_the_plan, "bound recomputed"),
    (texts_in_refusals, "coded answers"),
    (a_training_takes_opacus_noise, "a training's step"),
    (a_training_has_half_of_the_noise, "a training's step"),
    (a_training_clips_its_sums, "a training's step"),
    (a_training_divides_by_its_customers, "a training's step"),
    (one_sample_for_all_steps, "a training's samples"),
    (samples_of_one_size, "a training's samples"),
    (samples_from_a_seeded_generator, "a training's samples"),
    (a_slot_comes_back, "slots"),
    (a_slot_fits_more_steps, "slots"),
    (a_training_costs_the_study_nothing, "slots"),
    (a_training_is_one_gaussian_sum, "slots"),
    (any_training_is_masked_again, "slots"),
]


@pytest.mark.parametrize("name", CHECKS)
def test_the_check_passes_on_the_code_as_it_is(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    CHECKS[name](tmp_path, monkeypatch)


@pytest.mark.parametrize(("mutant", "name"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(mutant: Callable[[Patch], None], name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    # A failed assertion, or the product's own refusal; anything else would be a broken mutant.
    with pytest.raises((AssertionError, CohortiumError, pytest.fail.Exception)) as caught:
        CHECKS[name](tmp_path, monkeypatch)
    print(mutant.__name__, "is caught by", name, "--", str(caught.value).splitlines()[:2])


def test_a_mutant_that_dies_of_an_error_of_its_own_is_told(tmp_path: Path, monkeypatch: Patch) -> None:
    """One whose ``reserve`` does not take what the node gives: refused, and so caught, by everything but the guard."""
    monkeypatch.setattr(Ledger, "reserve", lambda self, charge: None)
    with (
        pytest.raises(AssertionError, match="an error of its own: TypeError"),
        no_errors_of_its_own(),
        pytest.raises((AssertionError, pytest.fail.Exception)),
    ):
        protocol_checks.check_redelivery_gives_the_same_bytes(tmp_path)


def test_every_check_is_needed() -> None:
    """Each check catches some mutant, and the epsilon here is what the closed form says."""
    assert {name for _, name in MUTANTS} == set(CHECKS)
    assert root(squared_cap(1.0, 1e-6)) == pytest.approx(0.2367, abs=2e-4)
