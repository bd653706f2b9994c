"""Labels of next purchases, and the holder's own figures, on customers who buy as a model has it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from analyses.history.examples import MODEL, customers_of, result_of, study_of
from label_kit import make_table

from clients.analyses.history.bands import BANDS, DATES, band_of
from clients.analyses.history.labels import PurchaseHistory, PurchaseRows, PurchaseSnapshot
from clients.analyses.history.own import EARLIER, NOW, own_history, own_request
from clients.analyses.history.scoring import NEVER_DAYS, own_level, score
from clients.data.rows.features import CustomerFeatures
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.features import DAY_VALUE
from privacy.analyses.history.results import HistoryResult, SpendLevel
from privacy.figures.estimates import Estimate
from privacy.kernel.features import FeatureTable
from privacy.protocol.study import Study

STUDY, RESULT = result_of()
PLAIN: Study = study_of()


def rows_of(study: Study, count: int = 2_000, seed: int = 9) -> CustomerFeatures:
    """Customers 90 days ago and now, as the holder asks for them; of now all but the number of days is made up."""
    bought, later = customers_of(MODEL, count, seed, ahead=90.0)
    names = own_request(study).names
    then = {"purchase_days": bought.further + 1, "recency_days": bought.tenure - bought.last,
            "tenure_days": bought.tenure}  # fmt: skip
    silent = np.where(later > 0, 10, then["recency_days"] + 90)
    now = {"purchase_days": then["purchase_days"] + later, "recency_days": silent, "tenure_days": bought.tenure + 90}
    spent = np.random.default_rng(seed).lognormal(8, 0.5, count)
    values = np.stack([np.stack([day.get(name, spent) for name in names], axis=1) for day in (then, now)], axis=1)
    ones = np.ones(values.shape[:2], dtype=np.int64)
    table = FeatureTable(names=names, values=values.astype(np.int64), eligible=ones, outcome=-ones)
    return CustomerFeatures(ids=np.array([f"c{n:05d}" for n in range(count)], dtype=object), table=table)


def snapshot(study: Study, rows: CustomerFeatures, result: HistoryResult = RESULT) -> PurchaseSnapshot:
    scores = score(result, rows.table, NOW, study.of(CONTRACT), unit=100)
    known = make_table([(name, 1, 1, 1) for name in rows.ids.tolist()])
    return PurchaseSnapshot.of(scores, rows.ids, known, study)


def written(rows: PurchaseRows) -> dict[str, Any]:
    table = pa.Table.from_batches(list(rows.blocks()))
    assert table.schema == rows.schema()
    return table.to_pydict()


def test_a_label_is_kept_and_read_back_and_knows_the_month_before(tmp_path: Path) -> None:
    history, rows = PurchaseHistory(tmp_path), rows_of(STUDY, 300)
    for month, part in ((1, slice(0, 200)), (2, slice(100, 300))):
        study = STUDY.model_copy(update={"as_of": dt.date(2025, month, 1)})
        chosen = CustomerFeatures(ids=rows.ids[part], table=rows.table.take(part))
        history.keep(snapshot(study, chosen))
    assert history.days("next") == (dt.date(2025, 1, 1), dt.date(2025, 2, 1))
    now = written(history.rows("next", dt.date(2025, 2, 1)))
    before = written(history.rows("next", dt.date(2025, 1, 1)))
    earlier = dict(zip(before["customer_id"], before["buys_within_90"], strict=True))
    for name, found, day in zip(now["customer_id"], now["previous_buys_within_90"], now["previous_as_of"], strict=True):
        assert found == earlier.get(name)
        assert day == (dt.date(2025, 1, 1) if name in earlier else None)
    assert repr(history.load("next", dt.date(2025, 1, 1))) == "PurchaseSnapshot(<private>)"


def test_without_money_customers_are_ranked_by_purchases() -> None:
    found = written(PurchaseRows(snapshot(PLAIN, rows_of(PLAIN)), None, is_latest=True))
    assert set(found["expected_spend"]) == {None}
    assert set(found["expected_days"]) == {180}
    by_decile: dict[int, list[float]] = {}
    for decile, expected in zip(found["value_decile"], found["expected_purchases"], strict=True):
        by_decile.setdefault(decile, []).append(expected)
    assert [len(by_decile[decile]) for decile in range(1, 11)] == [200] * 10
    assert all(min(by_decile[place]) >= max(by_decile[place + 1]) for place in range(1, 10))


def test_days_are_not_expected_of_who_is_lost() -> None:
    rows = rows_of(PLAIN)
    scores = score(RESULT, rows.table, NOW, PLAIN.of(CONTRACT), unit=100)
    lost = scores.active <= 4_999
    assert lost.any()
    assert (scores.next_days[lost] == -1).all()
    assert scores.next_days.max() <= NEVER_DAYS
    due = (scores.next_days >= 0) & (scores.next_days < 30)
    assert (scores.buys[30][due] >= 4_999).all()


def test_the_fewer_days_a_customer_has_the_more_the_mean_counts() -> None:
    days, own = np.array([1.0, 2.0, 50.0]), np.array([30_000.0, 30_000.0, 30_000.0])
    level = SpendLevel(mean=Estimate(value=100.0, margin=5.0), weight=2.0, cap=500)
    assert own_level(level, days, own, 100) == pytest.approx([50_000 / 3, 20_000, (20_000 + 1_500_000) / 52])
    # Where the noise hid the mean, that of the holder's own customers stands in.
    assert own_level(None, days, np.array([0.0, 30_000.0, 30_000.0]), 100)[0] == pytest.approx(2 * 20_000 / 3)


def test_bands_follow_from_probabilities() -> None:
    cases = {"buys_soon": (5_000, 6_000, 7_000), "buys_due": (4_999, 5_000, 6_000), "buys_later": (0, 4_999, 2_500),
             "buys_hardly": (0, 0, 2_499)}  # fmt: skip
    for code, values in cases.items():
        place = band_of({days: np.array([value]) for days, value in zip(DATES, values, strict=True)})[0]
        assert BANDS[int(place)].code == code


def test_the_true_model_is_found_good_on_what_has_been_and_another_one_is_not() -> None:
    rows = rows_of(STUDY, 6_000)
    true = RESULT.model_copy(update={"r": MODEL.r, "alpha": MODEL.alpha, "a": MODEL.a, "b": MODEL.b})
    own = own_history(rows, STUDY, true)
    assert own.tried is not None
    assert own.tried.day == dt.date(2024, 10, 3)
    assert abs(own.tried.predicted - own.tried.observed) <= 1.3 * own.tried.margin
    assert own.tried.expected == pytest.approx(own.tried.came, rel=0.08)
    wrong = own_history(rows, STUDY, true.model_copy(update={"alpha": 2 * MODEL.alpha}))
    assert wrong.tried is not None
    assert wrong.tried.observed - wrong.tried.predicted > wrong.tried.margin


def test_own_figures_add_up_and_the_list_has_those_with_the_most() -> None:
    own = own_history(rows_of(STUDY), STUDY, RESULT)
    assert sum(line.customers for line in own.bands) == own.scored == 2_000
    assert sum(line.spend or 0.0 for line in own.bands) == pytest.approx(1.0)
    spends = [item.spend for item in own.listed]
    assert spends == sorted(spends, key=lambda spend: -(spend or 0))
    assert 0.1 < own.top_share < 1
    assert own.buyers is not None
    assert own.active is not None
    nobody = rows_of(STUDY).of(np.zeros(2_000, dtype=bool))
    none = own_history(nobody, STUDY, RESULT)
    assert (none.scored, none.listed, none.tried, none.buyers) == (0, (), None, None)
    assert rows_of(STUDY).table.names.index(DAY_VALUE) == 3
    assert (EARLIER, NOW) == (0, 1)
