"""Tags of a small shop: from tags.toml to files and tables, day after day, and back out again."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from tag_shop import DAY, HOLDER, RULES, TAGS, of, shop

from clients.answering.folder import HolderFolder
from clients.forget import forget
from clients.tagging.looking import check_tags, preview_tags
from clients.tagging.running import run_tags
from clients.tagging.setting import TagSetting
from clients.tags.changes import changes_on
from clients.tags.store import History, path_of
from privacy.errors import ConfigError, DataError


def test_rules_mean_what_they_say(tmp_path: Path) -> None:
    found = of(shop(tmp_path), *RULES)
    for (rule, expected), who in zip(RULES.items(), found, strict=True):
        assert who == expected, rule


def test_days_that_follow_each_other_make_intervals(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    for day in (DAY, DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=30)):
        run_tags(TagSetting.read(folder, day))
    history = History.load(path_of(folder))
    rows = {
        (row["customer_id"], row["tag"], str(row["since"]), str(row["until"]), row["value"])
        for row in history.table.to_pylist()
    }
    assert ("ann", "frequent", "2024-03-24", "None", 2) in rows
    assert ("ann", "lately", "2024-03-24", "2024-04-23", 1) in rows
    assert ("bob", "lately", "2024-03-24", "2024-03-25", 1) in rows
    assert ("visitor", "lately", "2024-03-24", "2024-04-23", 1) in rows
    assert not any(row[0] == "zoe" or row[1] == "sketch" for row in rows)
    assert [run.day for run in history.runs] == [DAY, DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=30)]
    assert history.runs[0].counts == {"frequent": 4, "lately": 4, "lately_often": 1}
    assert changes_on(history, DAY + dt.timedelta(days=1)).to_pylist() == [
        {"customer_id": "bob", "source_id": "bob", "tag": "lately", "change": "left", "value": 0}
    ]
    with pytest.raises(ConfigError, match="is before"):
        run_tags(TagSetting.read(folder, DAY))
    with (folder / "sales.csv").open("a") as sales:
        sales.write("bob,7,2024-04-30 10:00:00,1.00,food\n")
    run_tags(TagSetting.read(folder, dt.date(2024, 5, 1)))  # a tag that comes back has two intervals
    again = [
        row
        for row in History.load(path_of(folder)).table.to_pylist()
        if (row["tag"], row["customer_id"]) == ("lately", "bob")
    ]
    assert [(str(row["since"]), str(row["until"])) for row in again] == [
        ("2024-03-24", "2024-03-25"),
        ("2024-05-01", "None"),
    ]


def test_the_same_day_again_changes_no_byte(tmp_path: Path) -> None:
    folder = shop(tmp_path, labels='[[file]]\n[[file]]\nformat = "parquet"\n')
    run_tags(TagSetting.read(folder, DAY), changed_only=True)
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 25)), changed_only=True)
    files = [*(folder / "labels").rglob("*"), *(folder / "state").rglob("*")]
    before = {path: path.read_bytes() for path in files if path.is_file()}
    (folder / "labels" / "current" / "own.tags.csv").unlink()
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 25)), changed_only=True)
    assert {path: path.read_bytes() for path in before} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in before)


def test_preview_says_what_run_writes(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    run_tags(TagSetting.read(folder, DAY))
    later = TagSetting.read(folder, dt.date(2024, 3, 25))
    kept = path_of(folder).read_bytes()
    evaluated, found = preview_tags(later)
    assert path_of(folder).read_bytes() == kept
    by_code = {one.rule.code: one for one in found}
    assert by_code["frequent"].levels == (3, 1)
    assert (by_code["lately"].customers, by_code["lately"].change and by_code["lately"].change.left) == (3, 1)
    assert (by_code["sketch"].customers, by_code["sketch"].change, by_code["sketch"].spent) == (2, None, 15510)
    assert by_code["call"].ids == ("ann", "visitor")
    assert [other.code for other in by_code["lately_often"].overlaps] == ["lately", "sketch"]
    done = run_tags(later)
    assert done.history.runs[-1].counts == {
        code: by_code[code].customers for code in ("frequent", "lately", "lately_often")
    }
    assert len(evaluated.customers) == done.history.runs[-1].customers == 5


def test_a_changed_rule_needs_a_new_version(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    run_tags(TagSetting.read(folder, DAY))
    text = TAGS.replace("orders >= 2", "orders >= 1")
    (folder / "tags.toml").write_text(text, encoding="utf-8")
    setting = TagSetting.read(folder, DAY)
    assert [one.code for one in check_tags(setting).problems] == ["version"]
    with pytest.raises(ConfigError, match="lately_often: the rule has changed"):
        run_tags(setting)
    (folder / "tags.toml").write_text(text.replace('"lately_often"', '"lately_often"\nversion = 2'), encoding="utf-8")
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 25)))
    rows = [row for row in History.load(path_of(folder)).table.to_pylist() if row["tag"] == "lately_often"]
    assert sorted((row["customer_id"], row["version"], str(row["since"])) for row in rows) == [
        ("17", 2, "2024-03-25"), ("ann", 1, "2024-03-24"), ("ann", 2, "2024-03-25")
    ]  # fmt: skip


def test_a_tag_outside_its_days_or_retired_is_nobodys(tmp_path: Path, command: Any) -> None:
    folder = shop(tmp_path, TAGS.replace('code = "frequent"', 'code = "frequent"\nvalid_to = 2024-03-24'))
    run_tags(TagSetting.read(folder, DAY))
    refused = command("holder", "tags", "retire", folder, "lately")
    assert refused.code == 3
    assert "lately_often, call names the tag lately" in refused.err
    assert command("holder", "tags", "retire", folder, "lately_often").code == 0
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 25)))
    open_tags = set(History.load(path_of(folder)).current()["tag"].to_pylist())
    assert open_tags == {"lately"}
    assert set(History.load(path_of(folder)).table["tag"].to_pylist()) == {"lately", "frequent", "lately_often"}


TABLES = '[[file]]\n[[database]]\nurl = "duckdb://crm.duckdb"\ntable = "labels"\n'


def test_files_and_tables_say_the_same(tmp_path: Path) -> None:
    folder = shop(tmp_path, labels=TABLES)
    for day in (DAY, dt.date(2024, 3, 25), dt.date(2024, 3, 25)):
        run_tags(TagSetting.read(folder, day))
    text = (folder / "labels" / "current" / "own.tags.csv").read_text(encoding="utf-8-sig")
    rows = {row["customer_id"]: row for row in csv.DictReader(text.splitlines())}
    assert (rows["ann"]["frequent"], rows["ann"]["lately"], rows["bob"]["lately"]) == ("2", "1", "")
    assert rows["17"]["source_id"] == " 17.0"
    assert "'=cmd" in rows  # no formula
    assert "sketch" not in rows["ann"]
    with duckdb.connect(str(folder / "crm.duckdb"), read_only=True) as database:
        current = database.execute(
            "SELECT customer_id, tag, value, en, zh, since FROM labels_tags ORDER BY ALL"
        ).fetchall()
        history = database.execute("SELECT count(*), count(until) FROM labels_tags_history").fetchall()
    assert ("ann", "frequent", 2, "Orders", "下单次数", DAY) in current
    assert len(current) == sum(
        bool(row[code]) for row in rows.values() for code in ("frequent", "lately", "lately_often")
    )
    assert history == [(len(current) + 1, 1)]
    group = (folder / "labels" / "lists" / "call-2024-03-24.csv").read_text(encoding="utf-8-sig").splitlines()
    assert group[0] == "number,customer_id,source_id,control,act_by,todo_en,todo_zh"
    assert len(group) == 3
    whole = TAGS.replace('code = "call"', 'code = "call"\nhold_out = 0.5')
    (folder / "tags.toml").write_text(whole.replace("not customer.company", "orders >= 0"), encoding="utf-8")
    drawn = [run_tags(TagSetting.read(folder, dt.date(2024, 3, day))).lists[0] for day in (26, 27)]
    lists = [Path(one.place).read_text(encoding="utf-8-sig").splitlines()[1:] for one in drawn]
    first, second = ({line.split(",")[1]: line.split(",")[3] for line in each} for each in lists)
    both = set(first) & set(second)
    assert both
    assert {one: first[one] for one in both} == {one: second[one] for one in both}, "who is left alone stays so"
    assert drawn[0].control == list(first.values()).count("true")


def test_a_target_that_fails_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    folder = shop(tmp_path, labels=TABLES)
    (folder / "crm.duckdb").write_text("no database")
    with pytest.raises(DataError, match=r"crm\.duckdb"):
        run_tags(TagSetting.read(folder, DAY))
    assert (folder / "labels" / "current" / "own.tags.csv").exists()
    (folder / "crm.duckdb").unlink()
    run_tags(TagSetting.read(folder, DAY))
    with duckdb.connect(str(folder / "crm.duckdb"), read_only=True) as database:
        assert database.execute("SELECT count(*) FROM labels_tags").fetchone() == (9,)


def test_an_erased_person_is_in_no_file_or_table(tmp_path: Path) -> None:
    folder = shop(tmp_path, labels=TABLES + '[[file]]\nformat = "parquet"\n')
    run_tags(TagSetting.read(folder, DAY), changed_only=True)
    counted = History.load(path_of(folder)).runs
    done = forget(HolderFolder(folder), " 17.0")
    assert done.tags
    assert set(done.ids) == {"17", " 17.0", "17.0"}
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            assert not {"17", " 17.0"} & set(pq.read_table(path)["customer_id"].to_pylist()), path
        elif path.is_file() and path.suffix == ".csv" and path.parent != folder:
            assert "17.0" not in path.read_text(encoding="utf-8-sig"), path
    with duckdb.connect(str(folder / "crm.duckdb"), read_only=True) as database:
        assert database.execute("SELECT count(*) FROM labels_tags_history WHERE customer_id = '17'").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM labels_tags").fetchone() == (7,)
    assert (folder / "labels" / "current" / "own.tags.csv").exists()
    assert History.load(path_of(folder)).runs == counted
    assert not forget(HolderFolder(folder), " 17.0").tags
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 25)))  # and is on the exclusion list
    assert "17" not in History.load(path_of(folder)).table["customer_id"].to_pylist()


def test_what_deserves_a_look_is_said(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    text = HOLDER.replace('exclude = "opt-out.csv"', "where = \"category <> 'x'\"")
    (folder / "holder.toml").write_text(text, encoding="utf-8")
    found = check_tags(TagSetting.read(folder, DAY))
    assert (found.tags, found.groups, found.problems) == (4, 1, ())
    assert [one.code for one in found.warnings] == ["consent", "consent", "drafts"]
    assert "[customers] has none" in found.warnings[0].text
    (folder / "tags.toml").write_text(
        TAGS + "[[tag]]\ncode = \"x\"\nwhen = \"segment('eight') = 'a'\"\n", encoding="utf-8"
    )
    problems = check_tags(TagSetting.read(folder, DAY)).problems
    assert problems[0].text.startswith("x: character 9: ")
    assert 'like = "STUDY"' in problems[0].hint


ONE = '[[tag]]\ncode = "a"\nwhen = "orders > 1"\n'


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ('[[tag]]\ncode = "a"\n', "write `when`"),
        ('[[tag]]\ncode = "a"\nvalue = "orders"\n', "`value` and `bands` go together"),
        ('[[tag]]\ncode = "a"\nvalue = "orders"\nbands = [2, 1]\n', "bands ascend"),
        ('[[tag]]\ncode = "customer_id"\nwhen = "orders > 1"\n', "is a column of every file"),
        (f'{ONE}[[group]]\ncode = "a"\nwhen = "orders > 1"\n', "is there twice"),
        (f"{ONE}valid_from = 2024-02-01\nvalid_to = 2024-01-01\n", "is before valid_from"),
        ('like = "spring"\n', "no run of the study 'spring' has ended here"),
        ('[[tag]]\ncode = "a"\nwhen = "tag(\'b\')"\n[[tag]]\ncode = "b"\nwhen = "orders > 1"\n', "no tag of this code"),
        (f'{ONE}state = "draft"\n[[group]]\ncode = "g"\nwhen = "tag(\'a\')"\n', "no tag of"),
        ('[coverage]\ncomplete = ["shoe_size"]\n', "shoe_size is not there"),
        ("".join(f'[[tag]]\ncode = "a{n}"\nwhen = "count(order, -{n}) > 1"\n' for n in range(65)), "65 different"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path: Path, command: Any, tags: str, says: str) -> None:
    folder = shop(tmp_path, tags)
    said = command("holder", "tags", "run", folder, "--as-of", DAY)
    assert said.code == 3
    assert says in said.err
    assert not path_of(folder).exists()


def test_commands_from_nothing_to_a_tag(tmp_path: Path, command: Any) -> None:
    folder = shop(tmp_path, TAGS)
    (folder / "tags.toml").unlink()

    def told(*words: object) -> Any:
        said = command("holder", "tags", *words, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    missing = command("holder", "tags", "list", folder)
    assert (missing.code, "holder tags new" in missing.err) == (3, True)
    begun = told("new", folder)
    assert {"regular", "birthday_soon", "fell_silent", "company"} <= set(begun["tags"])
    assert "unhappy" in begun["left_out"]
    assert command("holder", "tags", "new", folder).code == 3
    wrong = command("holder", "tags", "new", folder, "mine", "--when", "count(ordr) > 1")
    assert (wrong.code, "character 7" in wrong.err, "did you mean order?" in wrong.err) == (3, True, True)
    added = told("new", folder, "mine", "--when", "orders >= 2 and customer.region = 'north'", "--en", 'The "north"')
    assert added["state"] == "draft"
    assert told("new", folder, "levels", "--value", "orders", "--bands", "1,2.5")["tag"] == "levels"
    assert told("check", folder, "--as-of", DAY)["problems"] == []
    (shown,) = told("preview", folder, "mine", "--as-of", DAY)["tags"]
    assert (shown["customers"], shown["spend"], shown["ids"], shown["entered"]) == (1, "55.10", ["ann"], None)
    path = folder / "tags.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('state = "draft"', 'state = "active"'), encoding="utf-8")
    done = told("run", folder, "--as-of", DAY)
    assert done["tags"]["mine"] == {"customers": 1, "entered": 1, "left": 0, "moved": 0}
    assert told("history", folder, "mine")["runs"] == [
        {"day": "2024-03-24", "customers": 1, "entered": 1, "left": 0, "moved": 0}
    ]
    listed = {tag["code"]: tag for tag in told("list", folder)["tags"]}
    assert (listed["mine"]["customers"], listed["mine"]["en"], listed["levels"]["bands"]) == (
        1,
        'The "north"',
        ["1", "2.5"],
    )
    path.write_text(
        path.read_text(encoding="utf-8") + '\n[coverage]\ncomplete = ["region", "born"]\n', encoding="utf-8"
    )
    found = told("coverage", folder, "--as-of", DAY)
    assert (found["complete"], found["customers"], found["known"]["customer.region"]) == (1, 5, 2)
    assert json.loads(command("holder", "status", folder, "--json").out)["tags"] == "2024-03-24"


def test_tables_follow_the_history_and_rows_that_stay_are_not_touched(tmp_path: Path, database: Any) -> None:
    labels = (tmp_path / "labels.toml").read_text(encoding="utf-8")
    folder = shop(tmp_path, labels=f"file = []\n{labels}")
    on_postgres = "postgresql" in labels
    current = "SELECT customer_id, tag, value FROM rfm_labels_tags ORDER BY 1, 2"
    for day in (DAY, dt.date(2024, 3, 25)):
        run_tags(TagSetting.read(folder, day))
        now = History.load(path_of(folder)).current()
        kept = sorted(zip(*(now[name].to_pylist() for name in ("customer_id", "tag", "value")), strict=True))
        assert sorted(database(current)) == kept
    ended = database("SELECT customer_id, tag, since, until, zh FROM rfm_labels_tags_history WHERE until IS NOT NULL")
    assert ended == [("bob", "lately", DAY, dt.date(2024, 3, 25), "lately")]
    versions = "SELECT xmin::text, ctid::text FROM rfm_labels_tags_history ORDER BY 2"
    before = database(versions) if on_postgres else None
    run_tags(TagSetting.read(folder, dt.date(2024, 3, 25)))
    assert before is None or database(versions) == before
    history = "SELECT customer_id, tag, since, until FROM rfm_labels_tags_history ORDER BY 1, 2, 3"
    whole = database(history)
    run_tags(TagSetting.read(folder, dt.date(2024, 5, 30)))
    run_tags(TagSetting.read(folder, dt.date(2024, 5, 30)))
    assert len(database(history)) >= len(whole)
    assert ("visitor", "lately", 1) not in database(current)


def test_the_doctor_looks_at_the_rules(tmp_path: Path, command: Any) -> None:
    folder = shop(tmp_path)
    assert "4 tags and 1 groups can be run" in command("doctor", folder).out
    (folder / "tags.toml").write_text(TAGS.replace("count(order)", "count(ordr)"), encoding="utf-8")
    told = json.loads(command("doctor", folder, "--json").out)
    (found,) = [one for one in told if one["what"] == "tags.toml"]
    assert (found["level"], "frequent: character 7" in found["found"]) == ("problem", True)


def test_several_currencies_need_a_study_with_rates(tmp_path: Path) -> None:
    folder = shop(tmp_path)
    (folder / "holder.toml").write_text(HOLDER.replace("[events.session]", '[events.cart]\nurl = "carts.csv"\n'
        'currency_code = "GBP"\ncolumns = {customer = "c", time = "t", amount = "a"}\n[events.session]'))  # fmt: skip
    with pytest.raises(ConfigError, match="no rate for GBP") as caught:
        TagSetting.read(folder, DAY)
    assert 'like = "STUDY"' in caught.value.hint
