"""Erasure at a holder: nothing that is kept or was written names the person any more, and nobody else is touched."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from contact_kit import contact_list
from workspaces import STUDY, make_workspace, read_study, run

import cohortium
from clients.answering.folder import HolderFolder
from clients.data.campaigns import Campaign
from clients.forget import forget
from clients.report.files import write_holder_report
from privacy.errors import ConfigError
from privacy.ledger import Ledger

LABELS = """
[[file]]
format = "csv"
[[file]]
format = "parquet"
[[database]]
url = "duckdb://crm.duckdb"
"""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> HolderFolder:
    """A holder with labels of two days in files and a database, a selection, and a page."""
    root = tmp_path_factory.mktemp("forget")

    def change(sources: Path) -> None:
        path = sources / "north" / "holder.toml"
        text = path.read_text().replace("[source]", '[source]\nexclude = "opt-out.csv"')
        path.write_text(text)
        (sources / "north" / "opt-out.csv").write_text("somebody-else")
        (sources / "north" / "labels.toml").write_text(LABELS)

    workspace = make_workspace(root, change)
    holder = workspace.holder("north")
    for name in ("opt-out.csv",):  # a list of the holder's own, not a link into the sources
        path = holder.root / name
        text = path.read_text()
        path.unlink()
        path.write_text(text)
    for day in ("2024-05-01", "2024-06-01"):
        run(workspace, read_study(root, STUDY.replace("2024-06-01", day).replace("epsilon = 1", "epsilon = 4")))
    write_holder_report(holder, None, None)
    from clients.labelling import export_labels, write_contact_list
    from clients.labels.config import Labels
    from privacy.protocol.study import parse_day

    export_labels(holder.root, "spring", parse_day("2024-06-01"), formats=("csv",), changed_only=True)
    ids = pq.read_table(holder.state / "labels" / "spring" / "2024-06-01.parquet")["customer_id"].to_pylist()
    drawn = contact_list([100] * len(ids), ids)
    write_contact_list(holder.root, drawn, Labels(), "spring-2024-06-01")
    Campaign.begun("recall", "spring", 300).joined(drawn.table, parse_day("2024-06-01")).save(holder.root)
    return holder


def everything(holder: HolderFolder, person: str) -> set[str]:
    """Files under a holder's folder, but for its source, list and ledger, that name a person."""
    found = set()
    for path in sorted(holder.root.rglob("*")):
        if not path.is_file() or path.is_symlink() or path.name in ("opt-out.csv", "crm.duckdb", "ledger.sqlite"):
            continue
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            if "customer_id" in table.column_names and person in table["customer_id"].to_pylist():
                found.add(str(path.relative_to(holder.root)))
        elif re.search(rf"(?<![\w-]){re.escape(person)}(?![\w-])", path.read_text(encoding="utf-8", errors="replace")):
            found.add(str(path.relative_to(holder.root)))
    return found


def rows(holder: HolderFolder, relation: str) -> list[tuple]:
    with duckdb.connect(str(holder.root / "crm.duckdb"), read_only=True) as connection:
        return connection.execute(f"SELECT customer_id, as_of FROM {relation} ORDER BY ALL").fetchall()


def test_a_person_is_nowhere_and_everybody_else_stays(labelled: HolderFolder) -> None:
    before = {name: rows(labelled, name) for name in ("rfm_labels", "rfm_labels_history")}
    person = before["rfm_labels"][3][0]
    where = everything(labelled, person)
    assert len(where) >= 8, where  # tables, snapshots, files of both days, current, and the selection
    head = Ledger(labelled.state / "ledger.sqlite").head

    done = forget(labelled, f" {person} ")
    assert done.ids == (person,)
    assert done.campaigns == ("recall",)
    assert [str(day) for _, day in done.days] == ["2024-05-01", "2024-06-01"]
    assert everything(labelled, person) == set()
    for name, old in before.items():
        assert rows(labelled, name) == [row for row in old if row[0] != person]
    assert (labelled.root / "opt-out.csv").read_text() == f"somebody-else\n{person}\n"
    assert Ledger(labelled.state / "ledger.sqlite").head == head, "what was spent stays spent"
    assert any(path.parent.name == "tables" for path in done.deleted)

    again = forget(labelled, person)
    assert (again.days, again.campaigns, again.deleted) == ((), (), ())
    assert (labelled.root / "opt-out.csv").read_text() == f"somebody-else\n{person}\n"


def test_an_id_that_is_part_of_another_takes_nobody_with_it(labelled: HolderFolder) -> None:
    people = {row[0] for row in rows(labelled, "rfm_labels")}
    long = next(name for name in sorted(people) if name[:-1] in people and len(name) > 5)
    forget(labelled, long[:-1])
    left = {row[0] for row in rows(labelled, "rfm_labels")}
    assert left == people - {long[:-1]}


def test_the_command_says_what_it_did_and_what_it_cannot(
    labelled: HolderFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    person = rows(labelled, "rfm_labels")[7][0]

    def typed(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cohortium", "holder", "forget", str(labelled.root), *words])
        with pytest.raises(SystemExit) as ended:
            cohortium.main()
        assert not ended.value.code
        return capsys.readouterr().out.replace("\n", " ")

    said = json.loads(typed(person, "--yes", "--json"))
    assert said["ids"] == [person]
    assert [item["as_of"] for item in said["days"]] == ["2024-05-01", "2024-06-01"]
    files = sorted((labelled.root / "labels").rglob("*.*"))
    shown = typed("c0", "--yes")  # a part of every id here
    assert "Deleted" not in shown
    assert sorted((labelled.root / "labels").rglob("*.*")) == files
    assert "cannot be taken back" in shown
    assert "exclusion list" in shown
    with pytest.raises(ConfigError, match="no id"):
        forget(labelled, " ")
