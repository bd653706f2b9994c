"""Again next month: recorded results, repetitions, earlier cut points, and what all runs together have spent."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from protocol_kit import federation_at, small_study

from cohortium.running import Where, run_there
from privacy.analyses.rfm.options import KnownCuts
from privacy.errors import ConfigError
from privacy.ledger import Reserved
from privacy.presentation.texts import LANGUAGES
from privacy.protocol.study import Study
from server.running.check import check_study
from server.running.planning import plan
from server.running.run import run_study


def _month(number: int, **changes: object) -> Study:
    return small_study(as_of=f"2025-{number:02d}-01", **changes)


@pytest.fixture
def federation(tmp_path: Path):
    """Three holders whose tables stay as they are from month to month."""
    return federation_at(tmp_path, "north", "south", "west")


def _run(federation, study: Study):
    return run_study(study, folder=federation.folder, transport=federation.transport, pages=False)


def _charges(federation) -> list[Reserved]:
    return [fact for fact in federation.folder.ledger().facts() if isinstance(fact, Reserved)]


def test_a_recorded_result_is_found_by_the_whole_study(federation) -> None:
    result = _run(federation, _month(1))
    results = federation.folder.results
    assert results.of(_month(1)) == result
    assert results.of(_month(2)) is None
    assert results.of(_month(1, budget={"epsilon": "0.5"})) is None


def test_json_has_what_was_released_and_every_figure_as_pages_write_it(federation, capsys) -> None:
    result = _run(federation, _month(1))
    where = Where(federation.folder, lambda *_: result, (None, None))
    run_there(_month(1), where, quiet=True, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["rfm"] == result.model_dump(mode="json")["rfm"]
    assert set(told["shown"]) == set(LANGUAGES)
    first = told["shown"]["en"]["rfm"]["schemes"][0]
    assert [row["code"] for row in first["segments"]] == [row.code for row in result.rfm.schemes[0].segments]
    assert first["total_customers"] == told["shown"]["en"]["rfm"]["customers"]


def test_a_repetition_is_a_study_of_its_own_with_a_budget_of_its_own(federation) -> None:
    first = _run(federation, _month(1))
    again = federation.folder.results.again(_month(1))
    assert again.repeat == 1
    second = _run(federation, again)
    assert first.study_digest != second.study_digest
    assert len(_charges(federation)) == 8
    assert second.spending.epsilon_person == first.spending.epsilon_person  # of its own budget
    assert second.spending.studies == 2
    assert second.spending.epsilon_all_runs is not None
    assert second.spending.epsilon_all_runs > second.spending.epsilon_person
    assert federation.folder.results.folder(again) != federation.folder.results.folder(_month(1))
    assert federation.folder.results.again(_month(1)).repeat == 2


def test_previous_cut_points_are_free_and_the_whole_budget_measures_segments(federation) -> None:
    first = _run(federation, _month(1))
    study = federation.folder.results.resolve(_month(2, rfm={"cut_points": "previous"}))
    assert isinstance(study.rfm.cut_points, KnownCuts)
    assert first.rfm is not None
    assert study.rfm.cut_points.cuts == first.rfm.rules.cuts
    second = _run(federation, study)
    assert second.rfm is not None
    assert second.rfm.rules == first.rfm.rules
    assert second.rfm.distributions == ()
    answers = ["cut points", "cut points again", "segments", "segments again"]
    assert [charge.title for charge in _charges(federation)] == [*answers, *answers[2:]]
    shares = plan(_month(1))
    assert sum(plan(study).values()) > shares["rfm", "segments"]
    widths = [run.rfm.schemes[0].total_customers.margin for run in (first, second) if run.rfm]
    assert widths[1] < widths[0]


def test_previous_needs_an_earlier_as_of_day(federation) -> None:
    with pytest.raises(ConfigError, match="no earlier run"):
        _run(federation, _month(1, rfm={"cut_points": "previous"}))
    assert _charges(federation) == []
    _run(federation, _month(3))
    with pytest.raises(ConfigError, match="no earlier run"):
        federation.folder.results.resolve(_month(2, rfm={"cut_points": "previous"}))


def test_the_report_s_trend_is_the_earlier_results(federation) -> None:
    _run(federation, _month(1))
    _run(federation, _month(2))
    last = _run(federation, federation.folder.results.resolve(_month(3, rfm={"cut_points": "previous"})))
    assert [run.as_of for run in last.earlier] == ["2025-01-01", "2025-02-01"]
    assert [run.same_cuts for run in last.earlier] == [False, True]
    first = federation.folder.results.of(_month(1))
    assert first is not None
    assert first.rfm is not None
    expected = {row.code: row.share_of_customers for row in first.rfm.schemes[0].segments if row.share_of_customers}
    assert last.earlier[0].shares == {"eight": expected}
    assert _run(federation, _month(4)).earlier[-1].as_of == "2025-03-01"


def test_a_study_with_known_cuts_can_be_checked_before(federation) -> None:
    _run(federation, _month(1))
    study = federation.folder.results.resolve(_month(2, rfm={"cut_points": "previous"}))
    check = check_study(study, holders=3)
    expected = {item.code: item.value for item in check.expectations}
    assert "rank_error" not in expected
    assert [question.title for question in check.questions] == ["segments"]
    new = {item.code: item.value for item in check_study(_month(2), holders=3).expectations}
    assert expected["records_margin"] < new["records_margin"]


def test_previous_are_those_of_the_same_month_a_year_before_and_else_they_are_warned_of(federation) -> None:
    kept = {"cut_points": "previous"}
    for day in ("2024-02-01", "2024-03-01", "2025-01-01"):
        _run(federation, small_study(as_of=day))
    resolve = federation.folder.results.resolve
    february = _run(federation, resolve(_month(2, rfm=kept))).study
    assert (february.rfm.cut_points.found, february.rfm.cut_points.origin) == (dt.date(2024, 2, 1), "trial 2024-02-01")
    march, april = resolve(_month(3, rfm=kept)), resolve(_month(4, rfm=kept))
    assert march.rfm.cut_points.found == dt.date(2024, 3, 1)
    assert april.rfm.cut_points.found == dt.date(2024, 2, 1)  # of the last run, which had them from there
    next_year = resolve(small_study(as_of="2026-02-01", rfm=kept))
    assert next_year.rfm.cut_points.found == dt.date(2024, 2, 1)  # found two years before, not found again
    said = {}
    for study in (february, march, april, next_year):
        check = check_study(study, holders=3)
        said[study.as_of.isoformat()] = [item for item in check.expectations if item.code == "cut_age"]
    ages = {day: (item.value, bool(item.warning)) for day, (item,) in said.items()}
    assert ages == {
        "2025-02-01": (366, False), "2025-03-01": (365, False), "2025-04-01": (425, True), "2026-02-01": (731, True),
    }  # fmt: skip
    assert "70% of this budget" in said["2025-04-01"][0].warning
    assert "window_days" in said["2025-04-01"][0].warning


def test_runs_of_another_window_are_neither_kept_nor_compared(federation) -> None:
    _run(federation, small_study(as_of="2024-02-01"))
    _run(federation, _month(1, rfm={"window_days": 365}))
    study = federation.folder.results.resolve(_month(2, rfm={"cut_points": "previous", "window_days": 365}))
    assert study.rfm.cut_points.found == dt.date(2025, 1, 1)
    assert [run.as_of for run in _run(federation, study).earlier] == ["2025-01-01"]
    with pytest.raises(ConfigError, match="window_days"):
        federation.folder.results.resolve(_month(3, rfm={"cut_points": "previous", "window_days": 90}))


def test_an_unreadable_result_is_passed_over(federation) -> None:
    _run(federation, _month(1))
    folder = federation.folder.results.root / "trial-2024-12-01"
    folder.mkdir()
    (folder / "result.json").write_text("{}")
    assert [result.study.as_of for result in federation.folder.results.named("trial")] == [dt.date(2025, 1, 1)]
