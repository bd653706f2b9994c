"""Status, loyalty and second orders of a holder's customers: cut alike from the release, and written as labels."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses.tables.examples import cells_from, study_of
from label_kit import make_table
from numpy.typing import NDArray
from report_pages import PLAIN
from workspaces import make_workspace

from clients.analyses.tables.analysis import ANALYSIS
from clients.analyses.tables.labels import StandingHistory, StandingSnapshot
from clients.analyses.tables.standing import SECOND, Cuts, days_in_time, is_labelled, standing
from clients.data.rows.features import CustomerFeatures
from clients.labels.config import FileTarget
from clients.labels.files import write_files
from privacy.analyses.tables.features import AGE, GAP, WAIT
from privacy.analyses.tables.figures import result_of
from privacy.analyses.tables.results import TableFigures, TablesResult
from privacy.analyses.tables.statuses import RETURN_DAYS, STATUSES, StatusCuts, curve_of, status_cuts
from privacy.analyses.tables.survival import life_table
from privacy.errors import DataError
from privacy.kernel.features import MISSING, FeatureTable
from privacy.protocol.study import Study

IntArray = NDArray[np.int64]

SECOND_PURCHASE: dict[str, Any] = {
    "name": "second_purchase",
    "by": [
        {"dimension": "second_order.outcome", "keys": ["again", "not_yet"]},
        {"dimension": "second_order.days", "keys": {"upper": [7, 14, 30, 60, 90, 180, 365]}},
    ],
    "measure": [{"name": "customers"}],
    "figure": [{"name": "within_60", "is": "survival(60)"}, {"name": "within_30", "is": "survival(30)"}],
}
#: Of 10,000 customers, none of whom is observed for less than a year: 6,000 come back within it.
AGAIN = np.array([600, 600, 1200, 900, 600, 1200, 900, 0], dtype=np.float64)
CUTS = StatusCuts(active=59, sleeping=140, lapsing=247)


def released(again: NDArray[np.float64], not_yet: NDArray[np.float64], deviation: float) -> TableFigures:
    """A table of second orders; the noise of a cell, in customers, is added by the caller."""
    study = study_of(SECOND_PURCHASE)
    options = study.tables  # type: ignore[attr-defined]
    cells = np.concatenate([again, not_yet]).reshape(16, 1)
    amplitude = options.question(study).tables[0].amplitudes[0]
    return result_of(options, study, cells_from(study, [cells], deviation * amplitude)).tables[0]


def noisy(rng: np.random.Generator, deviation: float, scale: float = 1.0) -> TableFigures:
    rest = np.zeros(8)
    rest[-1] = 10_000 - AGAIN.sum()
    noise = rng.normal(0, deviation, (2, 8))
    return released(AGAIN * scale + noise[0], rest * scale + noise[1], deviation)


def test_cuts_are_the_days_by_which_those_who_come_back_within_a_year_have() -> None:
    """By hand: half of 6,000 are 3,000, 600 of the 900 of days 30 to 60 beyond the 2,400 before."""
    found = noisy(np.random.default_rng(1), 0.0)
    assert curve_of(found).within(365).value == pytest.approx(0.6)

    def day(first: int, last: int, part: float) -> int:
        return round((1 + first) * ((1 + last) / (1 + first)) ** part - 1)

    expected = [day(30, 60, 600 / 900), day(90, 180, 600 / 1200), day(180, 365, 300 / 900)]
    assert expected == [48, 127, 228]
    assert status_cuts(found) == StatusCuts(active=48, sleeping=127, lapsing=228)


def test_intervals_of_the_cuts_hold() -> None:
    """Of 600 of each; .93 to .97 is 2.2 deviations."""
    rng, ends, rest = np.random.default_rng(4), (7, 14, 30, 60, 90, 180, 365), np.zeros(8)
    rest[-1] = 10_000 - AGAIN.sum()
    exact = life_table(AGAIN, rest, 0.0, ends)
    noise = rng.normal(0, 25.0, (600, 2, 8))
    curves = [life_table(AGAIN + first, rest + second, 25.0**2, ends) for first, second in noise]
    for part in (0.5, 0.75, 0.9):
        true = exact.returning(part)
        found = [curve.returning(part) for curve in curves]
        assert true is not None
        held = [one is not None and one.interval[0] <= true.value <= one.interval[1] for one in found]
        assert 0.93 <= np.mean(held) <= 0.97, part


def test_where_the_noise_does_not_tell_the_days_apart_there_are_no_cuts() -> None:
    rng = np.random.default_rng(2)
    assert status_cuts(noisy(rng, 5.0)) is not None
    assert all(status_cuts(noisy(rng, 40.0, scale=0.02)) is None for _ in range(20))
    assert status_cuts(released(np.zeros(8), AGAIN, 1.0)) is None, "nobody comes back"


def slow_status(recency: int, orders: int, gap: int | None) -> str:
    if recency <= RETURN_DAYS and gap is not None and gap > CUTS.lapsing:
        return "returned"
    if orders == 1 and recency <= CUTS.active:
        return "new"
    for code in ("active", "sleeping", "lapsing"):
        if recency <= getattr(CUTS, code):
            return code
    return "lost"


def test_every_customer_has_the_first_status_that_fits() -> None:
    days = [0, 29, 30, 31, 58, 59, 60, 139, 140, 141, 246, 247, 248, 5000]
    gaps = [MISSING, 0, 246, 247, 248, 900]
    rows = [(recency, 1 if gap == MISSING else 3, gap) for recency in days for gap in gaps]
    found = CUTS.assign(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)))
    expected = [slow_status(recency, orders, None if gap == MISSING else gap) for recency, orders, gap in rows]
    assert [STATUSES[place].code for place in found.tolist()] == expected
    assert {*expected} == {status.code for status in STATUSES}


def test_what_a_study_must_ask_for_its_labels() -> None:
    assert is_labelled(options_of(study_of(SECOND_PURCHASE)))
    assert days_in_time(options_of(study_of(SECOND_PURCHASE))) == 30
    by_loyalty = {"name": "t", "by": [{"dimension": "loyalty_band", "keys": {"upper": [50]}}],
                  "measure": [{"name": "customers"}]}  # fmt: skip
    assert is_labelled(options_of(study_of(by_loyalty)))
    assert days_in_time(options_of(study_of(by_loyalty))) == 0
    others = {**by_loyalty, "by": [{"dimension": "tenure_band", "keys": {"upper": [50]}}]}
    assert not is_labelled(options_of(study_of(others)))
    assert is_labelled(options_of(study_of(others | {"where": ["loyalty >= 150"]})))
    some = SECOND_PURCHASE | {"where": ["orders_365 >= 1"]}
    assert not is_labelled(options_of(study_of(some))), "of some customers: no curve of all"


def options_of(study: Study) -> Any:
    return study.tables  # type: ignore[attr-defined]


# --- labels --------------------------------------------------------------------------------------------------------

#: recency_days, orders, loyalty, first_order_age, second_order_wait, last_gap_days.
ROWS = {
    "anna": (10, 5, 420, 400, 12, 260),
    "bert": (20, 1, 40, 20, MISSING, MISSING),
    "carl": (100, 1, 5, 100, MISSING, MISSING),
    "dora": (300, 2, 0, 420, 120, 120),
}


def features(rows: dict[str, tuple[int, ...]]) -> CustomerFeatures:
    values = np.array([list(row) for row in rows.values()], dtype=np.int64)[:, None, :]
    one = np.ones((len(rows), 1), dtype=np.int64)
    names = ("recency_days", "orders", "loyalty", AGE, WAIT, GAP)
    table = FeatureTable(names=names, values=values, eligible=one, outcome=-one)
    return CustomerFeatures(ids=np.array(list(rows), dtype=object), table=table)


def snapshot(study: Study, rows: dict[str, tuple[int, ...]], cuts: Cuts | None) -> StandingSnapshot:
    customers = make_table([(who, row[0], row[1], 100) for who, row in rows.items()])
    return StandingSnapshot.of(features(rows), customers, study, cuts)


def test_a_standing_is_kept_and_written_beside_the_one_before(tmp_path: Path) -> None:
    may = study_of(SECOND_PURCHASE)
    june = may.model_copy(update={"as_of": dt.date(2025, 2, 1)})
    cuts = Cuts(cuts=CUTS, as_of=may.as_of)
    history = StandingHistory(tmp_path / "state" / "labels")
    history.keep(snapshot(may, ROWS, cuts))
    moved = ROWS | {"bert": (5, 2, 60, 51, 30, 30), "emil": (3, 1, 30, 3, MISSING, MISSING)}
    history.keep(snapshot(june, moved, cuts))
    rows = history.rows(may.name, june.as_of)
    assert history.load(may.name, june.as_of).cuts == cuts
    (path, count), *_ = write_files(rows, FileTarget(), base=tmp_path)
    assert (path.name, count) == ("figures-2025-02-01-status.csv", 5)
    with path.open(encoding="utf-8-sig", newline="") as file:
        said = {row["customer_id"]: row for row in csv.DictReader(file)}
    assert {who: row["status"] for who, row in said.items()} == {
        "anna": "returned", "bert": "active", "carl": "sleeping", "dora": "lost", "emil": "new",
    }  # fmt: skip
    assert {who: row["second_order"] for who, row in said.items()} == {
        "anna": "again", "bert": "again", "carl": "late", "dora": "again", "emil": "due",
    }  # fmt: skip
    bert = said["bert"]
    assert (bert["status_previous"], bert["status_changed"], bert["status_zh"]) == ("new", "true", "活跃")
    assert (bert["second_order_previous"], bert["wait"], bert["loyalty_previous"]) == ("due", "30", "40")
    assert (said["emil"]["days_left"], said["emil"]["status_previous"]) == ("28", "")
    assert said["anna"]["status_cuts_of"] == "2025-01-01"
    changed = rows.select(changed_only=True)
    assert changed is not None
    assert rows.snapshot.table["customer_id"].take(changed).to_pylist() == ["bert", "emil"]
    assert rows.select(segment="lost") is None


def test_without_cuts_there_is_no_status_and_everything_else(tmp_path: Path) -> None:
    study = study_of(SECOND_PURCHASE)
    history = StandingHistory(tmp_path / "state" / "labels")
    history.keep(snapshot(study, ROWS, None))
    kept = history.load(study.name, study.as_of)
    assert kept.cuts is None
    assert kept.table["status"].null_count == 4
    assert kept.table["loyalty"].to_pylist() == [420, 40, 5, 0]
    path = tmp_path / "state" / "labels" / study.name / f"{study.as_of}-status.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="is not a status snapshot"):
        history.load(study.name, study.as_of)


def test_days_left_count_the_day_itself() -> None:
    table = features({"a": (1, 1, 0, 1, MISSING, MISSING), "b": (30, 1, 0, 30, MISSING, MISSING),
                      "c": (31, 1, 0, 31, MISSING, MISSING)}).table  # fmt: skip
    found = standing(table, CUTS, 30)
    assert [SECOND[place] for place in found.second.tolist()] == ["due", "due", "late"]
    assert found.days_left.tolist() == [30, 1, MISSING]


def test_a_holder_keeps_the_last_cuts_where_the_noise_hides_new_ones(tmp_path: Path) -> None:
    """From its own rows and what it was handed, in two months; the second of which tells nothing."""
    folder = make_workspace(tmp_path).holder("north")
    rng = np.random.default_rng(6)
    clear, hidden = noisy(rng, 1.0), noisy(rng, 40.0, scale=0.02)
    history = folder.context(study_of(SECOND_PURCHASE)).history(StandingHistory)
    for month, found, expected in ((5, clear, 5), (6, hidden, 5)):
        study = study_of(SECOND_PURCHASE).model_copy(update={"as_of": dt.date(2024, month, 1)})
        tables = TablesResult(tables=(found,))
        result = PLAIN.model_copy(update={"study": study, "rfm": None, "tables": tables})
        written = ANALYSIS.label(folder.context(study, (), result.model_dump_json()))
        assert next(path.name for path in written) == f"figures-{study.as_of}-status.csv"
        kept = history.load(study.name, study.as_of)
        assert kept.cuts is not None
        assert kept.cuts.as_of == dt.date(2024, expected, 1)
        assert kept.table["status"].null_count == 0
        assert len(kept) > 100
    assert status_cuts(hidden) is None
    own = folder.context(study_of(SECOND_PURCHASE | {"where": ["orders_365 >= 1"]}))
    assert ANALYSIS.label(own) == (), "a study that labels nobody"
