"""Damaged files: the truth, or a word of what is wrong; never a traceback, and never what a row says.

    COHORTIUM_DAMAGED_FILES=2000 python -m pytest tests/test_damaged_files.py

tries as many files as one likes, about two a second; without it a few.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from damage import PLANTED, damaged
from shop_kit import checked, figures, shop, written

from privacy.errors import CohortiumError

SEEDS = range(int(os.environ.get("COHORTIUM_DAMAGED_FILES", "24")))
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


@pytest.mark.parametrize("role", ["Order ID", "Customer ID"])
@pytest.mark.parametrize("odd", ['10"47', '102""5', "10\u200b47", "10\ufffd7", "10;47", "10\uff1147", "10\u00e947"])
def test_an_id_with_a_sign_that_no_other_has_is_said(tmp_path, role, odd):
    """It makes another order, or customer, of one line, which no rule of cleaning can see."""
    lines = shop()
    path = tmp_path / "sales.csv"
    written(path, lines)
    rows = path.read_text(encoding="utf-8").splitlines()
    place = 0 if role == "Order ID" else 2
    fields = rows[7].split(",")
    fields[place] = odd
    rows[7] = ",".join(fields)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    report = checked(path)
    [said] = [item for item in report.warnings if item.code == "odd_signs"]
    assert said.text.startswith(f"{role!r}: 1 rows have an id with a sign")
    assert odd not in said.text


@pytest.mark.parametrize("way", ["O'{}", "{}|b", "№{}", "订单{}", "{}é"])
def test_signs_that_many_ids_have_are_no_news(tmp_path, way):
    report = checked(written(tmp_path / "sales.csv", Order_ID=lambda line: way.format(line.order)))
    assert figures(report) == (40, 20, 1080.0)
    assert "odd_signs" not in {item.code for item in report.warnings}
