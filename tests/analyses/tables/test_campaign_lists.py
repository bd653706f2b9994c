"""Campaigns over several holders: each draws its own list and arms, and the table ``campaign`` says what all did.

Three holders draw lists by a rule of theirs; whoever was contacted then buys as the made-up shop has it. The released
difference is held against the buyers whom this file made, a holder that left another share alone answers zeros, and
the holder's own account of its list has the same customers.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses.tables.exact import exact_sum, without_noise
from typer.testing import CliRunner
from workspaces import run as run_over

from clients.analyses.tables.analysis import ANALYSIS as OWN
from clients.campaigns.ended import told_of
from clients.campaigns.lists import begin_group
from clients.data.campaigns import Campaign
from clients.data.config import HolderConfig
from clients.labels.config import ContactSettings, Labels
from clients.tagging.setting import TagSetting
from cohortium.command import app
from privacy.analyses.tables.results import TablesResult
from privacy.errors import ConfigError
from privacy.kernel.canonical import read_toml
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.analyses.tables.catalogue import written_out
from server.running.check import check_study
from simulations.worlds.local import Workspace

DAY, AS_OF, DAYS = dt.date(2024, 9, 2), dt.date(2024, 11, 1), 14
CUSTOMERS = 900
#: Of each holder: the share that is left alone, and how many of the contacted and of those left alone buy.
SHOPS = {"north": ("0.3", 0.45, 0.20), "online": ("0.3", 0.30, 0.10), "south": ("0.1", 0.05, 0.60)}
HOLDER = """
holder = "{name}"
[source]
url = "sales.csv"
currency_code = "EUR"
[columns]
customer = "customer"
order = "order"
time = "time"
amount = "amount"
[events.sent]
from = "campaigns"
{more}
"""
TAGS = """
[[group]]
code = "quiet"
when = "days_since(order) > 60"
hold_out = {share}
"""
#: The holder in the south calls the list otherwise, and says so.
OWN_NAME = """[values.sent.campaign]
"quiet-2024-09" = "recall"
"""
STUDY = {
    "name": "recall", "as_of": AS_OF, "currency": "EUR", "analyses": ("tables",),
    "budget": {"epsilon": "4", "max_holders_per_customer": 1, "size_class": 5000},
    "tables": {"use": ("campaign",), "lists": {"campaigns": ("recall",)}, "change": {"campaign": {"hold_out": "0.3"}}},
}  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """A workspace, its run, and the customers of each holder by arm and by whether they bought within the days."""

    workspace: Workspace
    result: StudyResult
    counts: dict[str, Counter[tuple[str, str]]]

    @property
    def released(self) -> TablesResult:
        found = OWN.figures(self.result)
        assert found is not None
        return found


def sell(path: Path, rows: list[tuple[str, str, dt.datetime]]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(("customer", "order", "time", "amount"))
        writer.writerows((who, order, time.isoformat(sep=" "), "20.00") for who, order, time in rows)


def before(name: str) -> list[tuple[str, str, dt.datetime]]:
    """Everybody bought once; two thirds of them long ago."""
    moments = [dt.datetime(2024, 8, 20, 9), dt.datetime(2024, 2, 1, 9), dt.datetime(2023, 5, 1, 20)]
    return [(f"{name} {one}", f"{name}-a{one}", moments[one % 3]) for one in range(CUSTOMERS)]


def afterwards(
    campaign: Campaign, name: str, rng: np.random.Generator
) -> tuple[list[tuple[str, str, dt.datetime]], Counter[tuple[str, str]]]:
    """What becomes of a list: some buy within the days, some after them, which says nothing."""
    _, contacted, alone = SHOPS[name]
    rows, counts = [], Counter[tuple[str, str]]()
    for who, control in zip(
        campaign.table["customer_id"].to_pylist(), campaign.table["control"].to_pylist(), strict=True
    ):
        bought = bool(rng.random() < (alone if control else contacted))
        counts["control" if control else "message", "bought" if bought else "not"] += 1
        offset = int(rng.integers(0, DAYS)) if bought else DAYS + int(rng.integers(0, 30))
        if bought or rng.random() < 0.5:
            moment = dt.datetime.combine(DAY, dt.time(0, 0 if offset == 0 else 30)) + dt.timedelta(days=offset)
            rows.append((who, f"{name}-b{len(rows)}", moment))
    return rows, counts


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root, rng = tmp_path_factory.mktemp("campaigns"), np.random.default_rng(5)
    for name, (share, *_) in SHOPS.items():
        home = root / "data" / name
        home.mkdir(parents=True)
        more = OWN_NAME if name == "south" else ""
        (home / "holder.toml").write_text(HOLDER.format(name=name, more=more), encoding="utf-8")
        (home / "tags.toml").write_text(TAGS.format(share=share), encoding="utf-8")
        sell(home / "sales.csv", before(name))
    workspace = Workspace.create(root, {name: root / "data" / name for name in SHOPS}, declared=1)
    counts = {}
    for name in SHOPS:
        home = workspace.holder(name).root
        code = None if name == "south" else "recall"
        labels = Labels(contacts=ContactSettings(call=0, write=CUSTOMERS))
        begun = begin_group(TagSetting.read(home, DAY), "quiet", labels, code=code)
        rows, counts[name] = afterwards(begun.campaign, name, rng)
        sell(home / "sales.csv", rows)
    return Ran(workspace, run_over(workspace, Study.model_validate(STUDY)), counts)


def cells(counts: Counter[tuple[str, str]]) -> list[int]:
    """In the order of the table's cells; nobody was in another arm or campaign."""
    found = [counts[arm, outcome] for arm in ("message", "control", "other") for outcome in ("bought", "not")]
    return [*found, *([0] * len(found))]


def test_the_table_has_the_customers_of_those_who_left_the_stated_share_alone(ran: Ran) -> None:
    both = [sum(parts) for parts in zip(cells(ran.counts["north"]), cells(ran.counts["online"]), strict=True)]
    assert sum(both) > 1000
    found = {
        name: without_noise(ran.result.study, exact_sum(ran.workspace, [name], ran.result.study)).tables[0]
        for name in SHOPS
    }
    for name in ("north", "online"):
        assert [round(value) for value in found[name].measures[0].values] == cells(ran.counts[name]), name
    assert not any(found["south"].measures[0].values), "another share was left alone there"
    released = ran.released.tables[0].measures[0]
    assert np.abs(np.array(released.values) - both).max() < 5 / 1.96 * released.margin


def test_the_released_difference_holds_the_true_one(ran: Ran) -> None:
    figure = next(one for one in ran.released.tables[0].figures if one.name == "difference")
    rates = {}
    for arm in ("message", "control"):
        bought, whole = (
            sum(ran.counts[name][arm, one] for name in ("north", "online") for one in outcomes)
            for outcomes in (("bought",), ("bought", "not"))
        )
        rates[arm] = bought / whole
    true = rates["message"] - rates["control"]
    assert 0.15 < true < 0.35, "the shop's effect"
    told = next(one.points for one in figure.points if one.keys == ("recall",))
    assert told is not None
    assert abs(told.value - true) < 5 / 1.96 * told.margin
    assert told.margin < 0.05


@pytest.mark.parametrize("name", ["north", "online"])
def test_the_holder_says_the_same_of_its_own_list(ran: Ran, name: str) -> None:
    """A feed that is made of the lists is no message to those who were left alone."""
    (told,) = told_of(ran.workspace.holder(name).root, ["recall"], days=DAYS, day=AS_OF)
    assert told.effect is not None
    assert (told.effect.verdict, told.effect.doubt) == ("more", None)
    counts = ran.counts[name]
    assert told.effect.contacted_bought == counts["message", "bought"]
    assert told.effect.control_bought == counts["control", "bought"]
    assert told.effect.contacted == counts["message", "bought"] + counts["message", "not"]


def test_who_was_on_a_list_is_left_out_of_the_next_by_a_rule(ran: Ran) -> None:
    home = ran.workspace.holder("north").root
    tags = (home / "tags.toml").read_text(encoding="utf-8")
    rule = '[[tag]]\ncode = "asked"\nwhen = "count(sent[campaign = \'recall\'], -30) >= 1"\n'
    (home / "tags.toml").write_text(rule + tags, encoding="utf-8")
    try:
        setting = TagSetting.read(home, DAY + dt.timedelta(days=10))
        found = setting.evaluate(setting.rules())
    finally:
        (home / "tags.toml").write_text(tags, encoding="utf-8")
    assert int(found.values["asked"].sum()) == len(Campaign.load(home, "recall").table)


def test_check_shows_the_feed(ran: Ran) -> None:
    told = CliRunner().invoke(app, ["holder", "check", str(ran.workspace.holder("south").root), "--json"])
    assert told.exit_code == 0, told.output
    assert '"sent"' in told.output


@pytest.mark.parametrize(
    ("line", "says"),
    [('from = "campaigns"\nurl = "x.csv"', "url does not go with from"),
     ('from = "lists"', "input should be 'campaigns'"),
     ('from = "campaigns"\nwhere = "a = 1"', "where does not go with from")],
)  # fmt: skip
def test_what_is_kept_here_says_where_it_is(tmp_path: Path, line: str, says: str) -> None:
    text = HOLDER.format(name="north", more="").replace('from = "campaigns"', line)
    (tmp_path / "holder.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=says):
        read_toml(tmp_path / "holder.toml", HolderConfig)


def test_other_feeds_are_not_made_of_lists(tmp_path: Path) -> None:
    text = HOLDER.format(name="north", more="").replace("events.sent", "events.touch")
    (tmp_path / "holder.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="lists of whom to contact are messages"):
        read_toml(tmp_path / "holder.toml", HolderConfig)


def test_a_study_by_arm_that_states_no_share_is_warned_of() -> None:
    lines = "\n".join(check_study(Study.model_validate(STUDY), holders=3).warnings)
    assert "hold_out" not in lines
    tables: dict[str, Any] = {"use": ("campaign",), "lists": {"campaigns": ("recall",)}}
    lines = "\n".join(check_study(Study.model_validate({**STUDY, "tables": tables}), holders=3).warnings)
    assert "[tables.change.campaign] hold_out = 0.1" in lines


def test_a_share_goes_with_messages() -> None:
    wrong = {**STUDY, "tables": {"use": ("daypart",), "change": {"daypart": {"hold_out": "0.3"}}}}
    with pytest.raises(ConfigError, match="not of messages"):
        written_out(Study.model_validate(wrong))
