"""The catalogue of tables: every file can be asked, a study's is written out, and what cannot be is refused in time."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses.tables.examples import LTV, RETENTION
from workspaces import make_workspace, read_study
from workspaces import run as run_over

from privacy.analyses.tables.options import TablesOptions
from privacy.errors import ConfigError
from privacy.kernel.canonical import read_toml
from privacy.ledger import Ledger, Reserved
from privacy.protocol.study import Study
from server.analyses.tables.catalogue import lists_of, names, tables_of, written_out
from server.analyses.tables.listing import listed
from server.analyses.tables.run import refuse, resolve
from server.running.check import check_study


def study(*use: str, size: int = 50_000, currency: str = "EUR", **options: Any) -> Study:
    keys = {name: ("one", "two", "three") for each in use if each in names() for name in lists_of(each)}
    return Study.model_validate(
        {
            "name": "figures", "as_of": dt.date(2025, 1, 1), "analyses": ("tables",), "currency": currency,
            "budget": {"epsilon": "1", "size_class": size, "max_holders_per_customer": 1},
            "tables": {"use": use, "lists": keys} | options,
        }
    )  # fmt: skip


def options_of(found: Study) -> TablesOptions:
    options: TablesOptions = found.tables  # type: ignore[attr-defined]
    return options


def test_every_table_of_the_catalogue_can_be_asked_and_read() -> None:
    """All together, too: their figures find their cells, and titles are in both languages."""
    assert len(names()) >= 24
    found = resolve(study(*names()), ())
    options = options_of(found)
    assert options.is_written_out
    assert {table.name for table in options.table} >= set(names())
    question = options.question(found)
    assert 999_000 <= sum(block.part for block in question.tables) <= 1_000_000
    for table in options.table:
        assert table.en, table.name
        assert table.zh, table.name
        for figure in table.figure:
            assert figure.en, figure.name
            assert figure.zh, figure.name


def test_a_study_that_is_written_out_needs_no_catalogue() -> None:
    """What holders see is the same study whatever the catalogue becomes, and writing it out again changes nothing."""
    once = resolve(study("retention", "ltv_by_channel"), ())
    options = options_of(once)
    assert not options.use
    assert not options.lists
    assert not options.change
    assert options.table[1].by[0].keys.values == ("one", "two", "three", "other")
    assert resolve(once, ()) == once
    assert Study.parse(once.canonical()).digest == once.digest


def test_few_customers_get_fewer_usual_cells() -> None:
    large, small = (options_of(resolve(study("retention", size=size), ())).table[0] for size in (50_000, 5_000))
    assert (large.usual_cells, large.lost) == (12, 0)
    assert (small.usual_cells, small.most_cells, small.lost) == (6, 12, 20)


def test_the_more_customers_the_less_is_cut_off() -> None:
    """Of tables that come with others, too; and never more usual cells than the study's lists give."""
    found = [options_of(resolve(study("returns", size=size), ())).table for size in (5_000, 50_000, 500_000)]
    assert [table[1].measure[0].cap for table in found] == [5, 12, 30]
    assert [table[0].usual_cells for table in found] == [2, 3, 8]
    assert [table[1].usual_cells for table in found] == [3, 4, 4], "three categories, and other"
    stated = study("returns", size=500_000, change={"ordered": {"cap": {"orders": 7}}})
    assert options_of(resolve(stated, ())).table[1].measure[0].cap == 7


def test_caps_of_money_are_of_the_currency() -> None:
    for currency, cap in (("EUR", 3000), ("CNY", 30_000), ("JPY", 300_000), ("KWD", 3000)):
        (table,) = tables_of("ltv_by_channel", study("ltv_by_channel", currency=currency))
        assert [one.cap for one in table.measure] == [None, cap]


def test_a_change_makes_keys_coarser() -> None:
    quarters = {"retention": {"keys": {"first_order.month": {"quarters": 4}}}}
    (table,) = options_of(resolve(study("retention", change=quarters), ())).table
    assert table.by[0].keys.quarters == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"use": ["retenton"]}, "there is no table 'retenton'"),
        ({"use": []}, "names none"),
        ({"use": ["ltv_by_channel"], "lists": {}}, "no list 'channels'"),
        ({"change": {"funnel": {}}}, "that is no table of use"),
        ({"change": {"retention": {"keys": {"order.month": {"months": 3}}}}}, "no dimension order.month"),
        ({"table": [RETENTION]}, "give your own another name"),
        ({"table": [LTV | {"figure": [{"name": "f", "is": "money / nobody.customers"}]}]}, "nobody"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(options: dict[str, Any], says: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=says):
        resolve(study(*options.pop("use", ["retention"]), **options), ())


def test_other_studies_are_as_they_were() -> None:
    plain = Study.model_validate({"name": "x", "as_of": dt.date(2025, 1, 1), "budget": {"epsilon": "1"}})
    assert written_out(plain) is plain


# --- study check -----------------------------------------------------------------------------------------------------


def test_a_check_says_of_every_table_how_far_off_a_cell_is() -> None:
    check = check_study(study("retention", "second_purchase", size=200_000), holders=4)
    first, second = check.expectations
    assert (first.code, second.code) == ("cell_retention", "cell_second_purchase")
    assert first.text.startswith("retention  a cell off by up to ")
    assert not first.warning
    assert first.value == pytest.approx(second.value * np.sqrt(np.sqrt(12)), rel=0.01), "parts go by square roots"


def test_a_table_that_is_too_fine_is_warned_of_with_what_helps() -> None:
    (expected,) = check_study(study("retention", size=3000), holders=4).expectations
    for words in ("ake fewer keys of first_order.month", "take quarters for months", "add up one dimension",
                  "ask it of "):  # fmt: skip
        assert words in expected.warning
    more = int(expected.warning.rpartition("ask it of ")[2].split()[0].replace(",", ""))
    # With more customers delta is smaller, and noise a little larger.
    assert not check_study(study("retention", size=round(1.1 * more)), holders=4).expectations[0].warning


def test_a_table_that_would_say_nothing_is_not_asked() -> None:
    found = resolve(study("retention", "second_purchase", size=100), ())

    class Noise:
        released_deviation = 1e9

    with pytest.raises(ConfigError, match="would say nothing"):
        refuse(found, lambda title, statistic: Noise())  # type: ignore


def test_a_check_refuses_what_a_run_would() -> None:
    """A check that only warned of it would have an operator ask holders to approve a study that is never run."""
    with pytest.raises(ConfigError, match="retention would say nothing") as refused:
        check_study(resolve(study("retention", "second_purchase", size=150), ()), holders=4)
    assert "ask fewer tables; or ask it of" in (refused.value.hint or "")


def test_a_table_none_of_whose_figures_could_be_shown_is_refused() -> None:
    """Though a cell that everybody were in could be seen: nobody is in one cell of many."""
    fine = {"name": "fine", "by": [{"dimension": "orders_365_band", "keys": {"upper": list(range(1, 400))}}],
            "measure": [{"name": "customers"}, {"name": "orders", "of": "count(order)", "cap": 12}],
            "figure": [{"name": "each", "is": "orders / customers"}]}  # fmt: skip
    with pytest.raises(ConfigError, match="none of its figures could be told from noise, if 500 customers"):
        check_study(resolve(study(size=500, table=[fine]), ()), holders=4)
    check_study(resolve(study(size=500_000, table=[fine]), ()), holders=4)


def test_nobody_is_asked_anything_where_a_table_would_say_nothing(tmp_path: Path) -> None:
    """Not even what another analysis of the same study would have asked before."""
    workspace = make_workspace(tmp_path)
    both = {"analyses": ["rfm", "tables"], "tables": {"use": ["retention"]}}
    asked = read_study(tmp_path).model_dump(mode="json") | both
    asked["budget"] |= {"size_class": 200, "epsilon": "0.05"}
    with pytest.raises(ConfigError, match="would say nothing"):
        run_over(workspace, Study.model_validate(asked))
    ledger = workspace.coordinator.root / "ledger.sqlite"
    assert not ledger.exists() or not [fact for fact in Ledger(ledger).facts() if isinstance(fact, Reserved)]


def test_the_margin_that_is_expected_is_that_of_the_release() -> None:
    """The list of the catalogue and ``study check`` agree, for a study of one table."""
    alone = study("second_purchase")
    (expected,) = check_study(alone, holders=4).at_worst or check_study(alone, holders=4).expectations
    row = next(row for row in listed(size=50_000, epsilon=1.0) if row.name == "second_purchase")
    assert row.margin == pytest.approx(expected.value, rel=1e-6)
    assert row.of_itself == pytest.approx(row.margin * 16 / 50_000)
    assert Decimal(str(round(row.margin, 3))) > 0


def test_a_strangers_own_table_needs_a_file_and_no_code() -> None:
    """The example of the documents: a table that the catalogue does not have, over another feed."""
    own = read_toml(Path(__file__).resolve().parents[3] / "examples" / "own_table.toml", Study)
    (table,) = options_of(resolve(own, ())).table
    assert table.name not in names()
    assert table.written_out(own.as_of, {}).needs == {("session", "device"), ("session", "furthest")}
    (expected,) = check_study(own, holders=4).expectations
    assert expected.code == "cell_devices"
    assert not expected.warning
