"""A holder answers the questions that follow from a study's options, and no other; policies see their columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import protocol_kit as kit
import pytest
from protocol_kit import LyingCoordinator

from privacy.analyses.catalogue import columns_of
from privacy.analyses.history import CONTRACT
from privacy.analyses.history.day_values import DayValues
from privacy.analyses.history.history_cells import HistoryCells
from privacy.protocol.study import Study
from privacy.statistics import Statistic


def study_of(**options: Any) -> Study:
    return kit.small_study(analyses=("history",), history=options)


def test_a_policy_sees_money_only_where_money_is_asked_about() -> None:
    for options, columns in (({}, {"orders", "recency"}), ({"value_cap": 50}, {"orders", "recency", "money"})):
        study = study_of(**options)
        assert study.columns == columns_of(study.row_requests["history"]) == columns
        asked = frozenset[str]().union(*(one.looks_at[0] for one in CONTRACT.questions(study.of(CONTRACT), study)))
        assert asked == study.row_requests["history"].offers[0]


@pytest.mark.parametrize(
    ("options", "statistic"),
    [
        ({"window_days": 365}, HistoryCells(day=0, window_days=364)),
        ({"window_days": 365}, DayValues(day=0, cap=5_000)),
        ({"window_days": 365, "value_cap": 50}, DayValues(day=0, cap=5_001)),
    ],
    ids=["another window", "money that was not agreed", "another cap"],
)
def test_another_question_than_the_studys_is_refused(
    tmp_path: Path, options: dict[str, Any], statistic: Statistic[Any]
) -> None:
    study = study_of(**options)
    liar = LyingCoordinator(kit.federation_at(tmp_path, policy=kit.lenient_policy(analyses=("history",))), study)
    liar.greet()
    wrong = liar.core(analysis="history", statistic=statistic, round=1)
    assert liar.show(wrong, "alpha")["alpha"].code == "policy"
    for number, question in enumerate(CONTRACT.questions(study.of(CONTRACT), study), start=2):
        right = liar.core(analysis="history", statistic=question, round=number)
        assert liar.show(right, "alpha")["alpha"].code == "Ready"
