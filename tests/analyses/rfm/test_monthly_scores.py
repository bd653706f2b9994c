"""Months of one study on real sales: scores from cut points found in a window of a year, and bins that fit it.

Measured in full by ``benchmarks/monthly_scores.py``: over five years of noise the worst month had 97.5% right M scores.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import protocol_kit as kit
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

import monthly_scores as bench
import rfm_accuracy

from server.analyses.rfm.plan import cut_points_statistic


def test_a_window_has_a_bin_for_each_of_its_days_and_no_more() -> None:
    day = dt.date(2011, 7, 1)
    whole, year, decade = (cut_points_statistic(bench.study_of(day, days)) for days in (None, 365, 3660))
    assert year.grids[0].upper == tuple(range(366))
    assert year.grids[1:] == whole.grids[1:]
    assert decade == whole  # the bytes of studies that state no window


def test_new_cut_points_of_a_window_are_right_and_old_ones_of_a_whole_life_are_not(
    data_folder: Path, tmp_path: Path
) -> None:
    """With one noise, for which this holds; that it does over seeds is the benchmark's claim.

    At epsilon 1 M is right for 97.6 and 98.2 percent (deviation 1.1): 92 is five deviations away, 1e-6 for both.
    """
    if not (data_folder / bench.TABLE).exists():
        pytest.skip(f"{bench.TABLE} is not in the folder of public data sets")
    first, last = dt.date(2011, 1, 1), dt.date(2011, 12, 1)
    shares, noise = {}, kit.seeded_noise()
    for days in (None, bench.WINDOW):
        months = bench.load(data_folder, days, tmp_path, days=(first, last))
        studies = {day: bench.study_of(day, days) for day in months}
        found = {day: bench.cuts_of(studies[day], tables, noise) for day, tables in months.items()}
        people = {day: rfm_accuracy.pooled(tables) for day, tables in months.items()}
        shares[days] = {day: rfm_accuracy.agreement(found[day], people[day]) for day in months}
        shares[days]["kept"] = rfm_accuracy.agreement(found[first], people[last])
    assert min(shares[bench.WINDOW][day].m for day in (first, last)) > 0.92
    assert shares[None]["kept"].m < 0.9
    assert shares[bench.WINDOW]["kept"].m > shares[None]["kept"].m
    assert shares[bench.WINDOW]["kept"].r < 0.8  # the season: no window helps that
