"""Campaigns: arms stay as they are drawn, purchases are those of the customer table, and intervals hold what they name.

Whole years of monthly lists, with effects and without, are simulated by ``benchmarks/campaigns.py``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from contact_kit import contact_list
from tag_world import STUDY, setting

from clients.analysis.texts import text
from clients.campaigns.effects import FEWEST, Outcomes, _share, effect
from clients.campaigns.ended import Told
from clients.campaigns.lists import begin_group
from clients.campaigns.outcomes import Measured, measure
from clients.data.campaigns import ROWS, Campaign, campaigns, path_of
from clients.data.rows.customers import build_customer_table
from clients.labels.config import ContactSettings, FileTarget, Labels
from clients.labels.control import control_key
from clients.report.brought import brought
from clients.tagging.setting import TagSetting
from clients.tags.files import write_group
from privacy.errors import ConfigError, DataError
from privacy.presentation.texts import LANGUAGES, Language
from simulations.worlds.generator import GeneratedWorld, generate

BEGAN, DAYS = dt.date(2024, 9, 1), 60


def campaign(ids: list[str], control: list[bool], *, share: int = 500, day: dt.date = BEGAN) -> Campaign:
    drawn = pa.table({"customer_id": ids, "source_id": ids, "place": ["call"] * len(ids), "control": control})
    return Campaign.begun("recall", "spring", share).joined(drawn, day)


# --- who is in which arm -----------------------------------------------------------------------------------------


def test_nobody_moves_from_one_arm_to_the_other_and_who_is_new_has_days_of_its_own() -> None:
    first = campaign(["a", "b"], [True, False])
    again = first.joined(
        pa.table({"customer_id": ["b", "c"], "source_id": ["b", "c"], "place": ["call"] * 2, "control": [True, True]}),
        BEGAN + dt.timedelta(days=9),
    )
    assert again.table.to_pydict() == {
        "customer_id": ["a", "b", "c"], "source_id": ["a", "b", "c"], "place": ["call"] * 3,
        "control": [True, False, True], "since": [BEGAN, BEGAN, BEGAN + dt.timedelta(days=9)],
    }  # fmt: skip


def test_a_later_list_marks_people_as_they_were_marked_before() -> None:
    """The next month draws anew; who is on the list of the same campaign again stays as drawn."""
    drawn = contact_list(list(range(1, 201)), settings=ContactSettings(control=0.5))
    arms = drawn.table.select(["customer_id", "control"])
    turned = pa.table({"customer_id": arms["customer_id"], "control": [not one for one in arms["control"].to_pylist()]})
    mixed = turned.take(pa.array(np.random.default_rng(1).permutation(200)))
    marked = drawn.with_arms(mixed).table
    assert marked["customer_id"].equals(drawn.table["customer_id"])
    assert marked["control"].to_pylist() == turned["control"].to_pylist()
    assert marked.schema.equals(drawn.table.schema)


def test_it_is_kept_for_the_owner_only_and_damage_is_told(tmp_path: Path) -> None:
    kept = campaign(["a", "b"], [True, False])
    kept.save(tmp_path)
    path = path_of(tmp_path, "recall")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert campaigns(tmp_path) == ("recall",)
    loaded = Campaign.load(tmp_path, "recall")
    assert (loaded.code, loaded.study, loaded.share, loaded.table) == ("recall", "spring", 500, kept.table)
    assert "customer_id" not in repr(loaded)
    with pytest.raises(ConfigError, match="no campaign 'rekall'") as told:
        Campaign.load(tmp_path, "rekall")
    assert told.value.hint == "there are: recall"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="not what was written"):
        Campaign.load(tmp_path, "recall")


# --- what became of them -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> GeneratedWorld:
    return generate(tmp_path_factory.mktemp("world"), customers=500)


def measured(world: GeneratedWorld, asked: Campaign, day: dt.date) -> Measured:
    cleaning = STUDY.cleaning.model_copy(update={"returns": "drop"})

    def seen(end: dt.date) -> TagSetting:
        return setting(world.folder / "online", [], study=STUDY.model_copy(update={"as_of": end, "cleaning": cleaning}))

    return measure(seen, asked, DAYS, day)


def test_purchases_are_what_the_customer_table_gained_in_these_days(world: GeneratedWorld) -> None:
    def table(day: dt.date) -> dict[str, tuple[int, int]]:
        cleaning = STUDY.cleaning.model_copy(update={"returns": "drop"})
        study = STUDY.model_copy(update={"as_of": day, "cleaning": cleaning})
        found = build_customer_table(setting(world.folder / "online", [], study=study).origin)
        pairs = zip(found.columns.orders.tolist(), found.columns.money.tolist(), strict=True)
        return dict(zip((str(one) for one in found.ids), pairs, strict=True))

    end = BEGAN + dt.timedelta(days=DAYS)
    before, after = table(BEGAN), table(end)
    ids = [*sorted(before), "nobody"]
    control = [number % 2 == 0 for number in range(len(ids))]
    found = measured(world, campaign(ids, control), end)
    assert found.outcomes is not None
    assert found.gone == ((0, 1) if control[-1] else (1, 0))
    assert found.outcomes.orders.tolist() == [after[one][0] - before[one][0] for one in ids[:-1]]
    assert found.outcomes.spent.tolist() == [after[one][1] - before[one][1] for one in ids[:-1]]
    assert found.outcomes.orders.sum() > 20
    assert found.outcomes.earlier.sum() > 0
    assert found.outcomes.control.tolist() == control[:-1]
    assert (found.first, found.last, found.open, found.stale) == (BEGAN, end - dt.timedelta(days=1), 0, False)


def test_before_the_days_are_over_nothing_is_said_and_a_source_that_ends_early_is_told(world: GeneratedWorld) -> None:
    early = measured(world, campaign(["10000"], [False]), BEGAN + dt.timedelta(days=DAYS - 1))
    assert (early.outcomes, early.open) == (None, 1)
    later = campaign(["10000"], [False], day=dt.date(2025, 3, 1))
    late = measured(world, later, dt.date(2026, 1, 1))
    assert late.stale
    assert late.newest is not None
    assert late.newest < dt.date(2025, 2, 1)
    with pytest.raises(ConfigError, match="nobody is on the list"):
        measured(world, Campaign(code="recall", study="spring", share=500, table=ROWS.empty_table()), BEGAN)


def test_a_group_of_tags_becomes_a_list_whose_arms_stay(world: GeneratedWorld, tmp_path: Path) -> None:
    """The longest silent first; a later day adds who is new, and nobody changes sides."""
    group = {
        "code": "silent", "when": "days_since(order) > 60", "rank": "days_since(order)", "act_within": 14,
        "todo_en": "Call, and ask what is missing", "todo_zh": "电话询问缺什么",
    }  # fmt: skip

    def on(day: dt.date, **more: float) -> TagSetting:
        study = STUDY.model_copy(update={"as_of": day})
        return replace(setting(world.folder / "online", [], study=study, group=[group | more]), root=tmp_path)

    labels = Labels(contacts=ContactSettings(call=40, write=60))
    first = begin_group(on(BEGAN), "silent", labels)
    assert (first.campaign.code, first.campaign.share, len(first.table)) == ("silent-2024-09", 300, 100)
    assert first.count("call")[0] == 40
    written = first.path.read_text(encoding="utf-8-sig").splitlines()
    assert (first.path.name, len(written)) == ("silent-2024-09.csv", 101)
    assert written[0] == "place,number,customer_id,source_id,control,act_by,todo_en,todo_zh"
    evaluated = on(BEGAN).evaluate(on(BEGAN).rules())
    silence = next(iter(evaluated.customers.columns.values())).raw.tolist()
    silent = dict(zip(evaluated.customers.ids.to_pylist(), silence, strict=True))
    days = [silent[one] for one in first.table["customer_id"].to_pylist()]
    assert days == sorted(silent.values(), reverse=True)[:100]
    assert [row["number"] for row in first.table.to_pylist()] == [*range(1, 41), *range(1, 61)]
    assert set(first.table["act_by"].to_pylist()) == {BEGAN + dt.timedelta(days=14)}
    file, *_ = write_group(evaluated, on(BEGAN).file.group[0], control_key(tmp_path / "state"), FileTarget(), tmp_path)
    marked = {
        line.split(",")[1].strip('"'): line.split(",")[3]
        for line in file.read_text(encoding="utf-8-sig").splitlines()[1:]
    }
    for row in first.table.to_pylist():
        assert marked[row["customer_id"]] == str(row["control"]).lower(), "`tags run` leaves the same ones alone"
    later = begin_group(on(BEGAN + dt.timedelta(days=20)), "silent", labels)
    rows = later.campaign.table.to_pylist()
    kept = {row["customer_id"]: row["control"] for row in rows}
    assert len(kept) == len(rows) > 100
    assert [kept[one] for one in first.table["customer_id"].to_pylist()] == first.table["control"].to_pylist()
    assert [kept[one] for one in later.table["customer_id"].to_pylist()] == later.table["control"].to_pylist()
    assert Campaign.load(tmp_path, "silent-2024-09").table.equals(later.campaign.table)
    with pytest.raises(ConfigError, match="another share"):
        begin_group(on(BEGAN, hold_out=0.5), "silent", labels)
    with pytest.raises(ConfigError, match="no group 'loud'") as told:
        begin_group(on(BEGAN), "loud", labels)
    assert told.value.hint == "there is: silent"
    with pytest.raises(ConfigError, match="cannot be called"):
        begin_group(on(BEGAN), "silent", labels, code="Übung/1")


# --- what it brought ---------------------------------------------------------------------------------------------


def outcomes(bought: int, of: int, control_bought: int, control: int, *, contacted: bool | None = None) -> Outcomes:
    orders = np.array([1] * bought + [0] * (of - bought) + [2] * control_bought + [0] * (control - control_bought))
    return Outcomes(
        control=np.arange(of + control) >= of,
        orders=orders,
        spent=1_000 * orders,
        earlier=np.full(of + control, 1_500),
        contacted=None if contacted is None else np.full(of + control, contacted),
    )


def test_the_difference_of_shares_is_newcombe_s() -> None:
    """Newcombe 1998, table II: 56/70 less 48/80, method 10: 0.0524 to 0.3339."""
    found = effect(outcomes(56, 70, 48, 80), 533)
    assert found.bought is not None
    assert found.bought.value == pytest.approx(0.2)
    assert found.bought.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert found.verdict == "more"
    assert found.more_buyers is not None
    assert found.more_buyers.interval == pytest.approx((70 * 0.0524, 70 * 0.3339), abs=4e-3)


def test_money_is_cut_off_at_what_was_spent_before_and_beside_it_is_not() -> None:
    found = effect(outcomes(56, 70, 48, 80), 533)
    assert found.cap == 1_500
    assert found.spent is not None
    assert found.spent_uncapped is not None
    assert found.spent.value == pytest.approx(1_000 * 0.8 - 1_500 * 0.6)
    assert found.spent_uncapped.value == pytest.approx(1_000 * 0.8 - 2_000 * 0.6)


@pytest.mark.parametrize(
    ("asked", "share", "doubt"),
    [
        (outcomes(30, 50, 5, FEWEST - 1), 275, "few"),
        (outcomes(300, 900, 30, 100), 300, "not_as_drawn"),
        (outcomes(300, 900, 30, 100, contacted=True), 100, "control_contacted"),
        (outcomes(300, 900, 30, 100, contacted=False), 100, None),
    ],
)
def test_where_the_comparison_is_not_one_no_verdict_is_given(asked: Outcomes, share: int, doubt: str | None) -> None:
    found = effect(asked, share)
    assert found.doubt == doubt
    assert (found.verdict is None) == (doubt is not None)
    assert (found.contacted_bought, found.control_bought) == (
        int(asked.orders[~asked.control].sum()),
        30 if share != 275 else 5,
    )


def test_verdicts_of_many_campaigns_hold_together() -> None:
    one, many = (effect(outcomes(145, 900, 20, 200), 182, comparisons=count) for count in (1, 20))
    assert (one.verdict, many.verdict) == ("more", "unclear")
    assert one.bought == many.bought, "figures and their intervals stay"
    assert effect(outcomes(60, 900, 40, 200), 182).verdict == "fewer"
    assert effect(outcomes(0, 900, 0, 200), 182).verdict == "unclear"


@pytest.mark.parametrize(("names", "share"), [(300, 0.3), (2_000, 0.1), (20_000, 0.1)])
def test_the_interval_holds_the_difference_as_often_as_it_says(names: int, share: float) -> None:
    """1,000 lists each: 95% less or more 3.5 of their deviations of 0.69 points; a false alarm in 2,000 runs of one."""
    draw = np.random.default_rng(names)
    held = 0
    for _ in range(1_000):
        alone = int(draw.binomial(names, share))
        one, other = int(draw.binomial(names - alone, 0.12)), int(draw.binomial(alone, 0.10))
        low, high = _share(one, names - alone).minus(_share(other, alone)).interval
        held += low <= 0.02 <= high
    assert abs(held / 1_000 - 0.95) < 0.024


# --- on the page -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_what_it_brought_or_why_nothing_is_said(language: Language) -> None:
    def told(asked: Outcomes, share: int, *, newest: dt.date | None = BEGAN + dt.timedelta(days=DAYS)) -> Told:
        read = Measured(
            outcomes=asked, gone=(0, 0), first=BEGAN, last=BEGAN + dt.timedelta(days=DAYS - 1), open=0, currency="EUR",
            newest=newest,
        )  # fmt: skip
        return Told(code="recall", days=DAYS, measured=read, effect=effect(asked, share, stale=read.stale))

    cases = {
        "brought_more": told(outcomes(145, 900, 20, 200), 182),
        "brought_fewer": told(outcomes(60, 900, 40, 200), 182),
        "brought_unclear": told(outcomes(100, 900, 20, 200), 182),
        "brought_few": told(outcomes(30, 50, 5, FEWEST - 1), 275),
        "brought_not_as_drawn": told(outcomes(300, 900, 30, 100), 300),
        "brought_stale": told(outcomes(145, 900, 20, 200), 182, newest=BEGAN),
    }
    say = partial(text, language=language)
    for key, one in cases.items():
        section = brought([one], say, language)
        assert section is not None
        start = text(key, language, campaign="recall", count="{", low="", high="", fewer="{", more="").split("{")[0]
        assert section["findings"][0].startswith(start), key
        assert len(section["rows"]) == (key != "brought_few")
    (row,) = brought([cases["brought_more"]], say, language)["rows"]
    assert (row["contacted"], row["control"]) == ("16.1% / 900", "10.0% / 200")
    assert row["bought"].startswith("+6.1 (+0")
    assert brought([], say, language) is None
