"""Variants of every kind of fault: the right value, or told; never silently something else.

    COHORTIUM_WILD=all python -m pytest tests/test_in_the_wild.py

tries all of them, two a second; without it three of each kind.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import pytest
from shop_kit import TRUTH, drafted, figures, written
from wild import FIRST, Wild, german
from wild_kinds import KINDS

from clients.data.check import preflight
from clients.data.guess.asking import Kept
from clients.data.guess.guess import Said
from clients.data.guess.several import new_holder_of_several
from privacy.errors import CohortiumError

#: Of a machine, not of a file.
_ALWAYS = "what times without a zone mean"
#: So many of each kind are tried, all with ``COHORTIUM_WILD=all``.
SOME = None if os.environ.get("COHORTIUM_WILD") == "all" else 3
CASES = [(kind, name) for kind, variants in KINDS.items() for name in list(variants)[:SOME]]


def test_every_kind_has_variants():
    assert all(len(variants) >= 3 for variants in KINDS.values())


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[": ".join(case) for case in CASES])
def test_a_file_is_read_right_or_told(tmp_path, kind, name):
    variant = KINDS[kind][name]
    path = variant.write(tmp_path)
    try:
        config, written = drafted(path, currency=variant.currency, output=tmp_path / "holder.toml")
    except CohortiumError as refusal:
        said = f"{refusal.message} {refusal.hint}"
        _check_it_teaches(refusal, {path.name, *(one.name for one in tmp_path.iterdir())}, tmp_path)
        assert variant.truth is None, said
        assert re.search(variant.says, said, re.DOTALL), said
        return
    report = preflight(config, variant.study, base=tmp_path)
    found = [f"{item.text} {item.hint}" for item in (*report.problems, *report.warnings)]
    found += [line for line in written.splitlines() if "PLEASE CHECK" in line and _ALWAYS not in line]
    assert not variant.says or re.search(variant.says, "\n".join(found)), found
    if variant.truth is None:
        assert variant.says
        return
    assert figures(report) == pytest.approx(variant.truth), (report.cleaning, found)
    assert not report.problems or variant.says
    _check_first(variant, report.first)


def _check_it_teaches(refusal: CohortiumError, files: set[str], folder: Path) -> None:
    """A refusal names a file and a number of rows, lines, columns or files, and what to write or to answer."""
    said = f"{refusal.message} {refusal.hint}"
    assert any(name in refusal.message for name in files), f"no file: {said}"
    assert re.search("[0-9]|first line", refusal.message.replace(str(folder), "")), f"no count: {said}"
    assert re.search(r"--set [a-z.]+=|\[[a-z.]+\]|holder new FILE|first line", refusal.hint), f"no way out: {said}"


def _check_first(variant: Wild, first: dt.datetime) -> None:
    if isinstance(variant.first, dt.datetime):
        assert first.replace(tzinfo=None) == variant.first
    elif variant.first is not None:
        assert first.date() == variant.first


def test_nothing_is_written_where_a_file_is_refused(tmp_path: Path):
    with pytest.raises(CohortiumError):
        drafted(KINDS["no money"]["visits"].write(tmp_path), output=tmp_path / "holder.toml")
    assert not (tmp_path / "holder.toml").exists()


def test_what_no_form_reads_can_be_said(tmp_path: Path):
    path = written(tmp_path / "sales.csv", Order_Date=lambda line: line.time.strftime("%d%m%Y"))
    answers = {"columns.time": "Order Date"}
    with pytest.raises(CohortiumError, match="Which form is it"):
        drafted(path, answers=answers)
    config, _ = drafted(path, answers=answers | {"read.time.formats": "%d%m%Y"})
    report = preflight(config, None, base=tmp_path)
    assert (figures(report), report.first.date()) == (TRUTH, FIRST)
    with pytest.raises(CohortiumError, match="names no whole day"):
        drafted(path, answers=answers | {"read.time.formats": "%m%Y"})


def test_an_answer_wins_over_what_values_show(tmp_path: Path):
    path = written(tmp_path / "sales.csv", separator=";", Unit_Price=lambda line: f"{line.price:.3f}")
    config, _ = drafted(path, answers={"read.price.decimal": ","})
    assert (config.source.read["price"].decimal, config.source.read["price"].thousands) == (",", ".")


def test_answers_are_not_lost_when_a_later_source_is_refused(tmp_path: Path):
    kept = Kept()
    written(tmp_path / "online.csv", Unit_Price=lambda line: german(line.price * 4000, 0))
    written(tmp_path / "tills.csv", Unit_Price=lambda line: "?")
    said = Said(answers={"currency": "EUR"}, ask=lambda question: "," if "decimal" in question.key else "?", kept=kept)
    urls = [str(tmp_path / name) for name in ("online.csv", "tills.csv")]
    with pytest.raises(CohortiumError) as caught:
        new_holder_of_several(urls, output=tmp_path / "holder.toml", said=said)
    assert 'your answers so far: --set online.read.price.decimal=","' in caught.value.hint


def test_states_of_two_columns_are_written_for_each_of_several_sources(tmp_path: Path):
    states = {
        "Financial Status": lambda line: "voided" if line.order in (1025, 1035) else "paid",
        "Order State": lambda line: "cancelled" if line.order in (1026, 1036) else "done",
        "status": lambda line: line.order % 2,
    }
    urls = [str(written(tmp_path / f"{name}.csv", **states)) for name in ("online", "tills")]
    said = Said(answers={"currency": "EUR"})
    config = new_holder_of_several(urls, output=tmp_path / "holder.toml", said=said)
    assert [len(source.status) for source in config.sources] == [2, 2]
    assert "# [[sources.status]]" in (tmp_path / "holder.toml").read_text(encoding="utf-8")
    report = preflight(config, None, base=tmp_path)
    assert report.cleaning is not None
    assert (report.cleaning.orders, report.cleaning.customers) == (72, 20)
