"""Damaged files: the truth, or a word of what is wrong; never a traceback, and never what a row says."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage import PLANTED, damaged
from shop_kit import checked, figures

from privacy.errors import CohortiumError

#: As many more as anybody likes: ``judged`` takes any seed.
SEEDS = range(24)
TRUTH = (60, 20, 1620.0)


def judged(folder: Path, seed: int) -> str:
    """What became of a damaged file: ``exact``, ``told`` or ``refused``.

    Raises:
        AssertionError: if it was read wrong without a word, or a row was quoted.
    """
    path = folder / "sales.csv"
    path.write_bytes(damaged(seed))
    report, refusal = None, ""
    try:
        report = checked(path)
    except CohortiumError as error:
        refusal = f"{error.message} {error.hint}"
    assert PLANTED not in refusal, seed
    if report is None:
        return "refused"
    said = " ".join(f"{item.text} {item.hint}" for item in (*report.problems, *report.warnings))
    text = (folder / "holder.toml").read_text(encoding="utf-8")
    assert PLANTED not in said + text, seed
    if report.cleaning is not None and figures(report) == TRUTH:
        return "exact"
    left_out = {item.reason for item in report.cleaning.left_out} if report.cleaning else set()
    assert said or left_out, f"seed {seed}: wrong, and nobody is told"
    return "told"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_file_is_read_right_or_told(tmp_path, seed):
    judged(tmp_path, seed)
