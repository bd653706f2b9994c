"""Labels: what a holder gets about its own customers, what they were before, and files of it."""

from __future__ import annotations

import datetime as dt
import os
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from holder_kit import write_labels
from hypothesis import given
from hypothesis import strategies as st
from label_kit import (
    HOSTILE,
    LATER,
    TABLE,
    configure,
    files_in,
    july,
    june,
    killed_in_july,
    make_rules,
    make_study,
    make_table,
    read,
    respelled,
)

from clients.analyses.rfm.labels import LabelHistory, Snapshot
from clients.labelling import export_labels
from clients.labels.config import FileTarget
from clients.labels.files import write_files
from privacy.analyses.rfm.segments import OUTSIDE, SCHEMES, ThresholdRule
from privacy.errors import ConfigError, DataError

# --- what a label is ---------------------------------------------------------------------------------------------


def test_one_row_a_customer_with_scores_and_all_segmentations(tmp_path):
    own = ThresholdRule(code="vip", when="R<30, M>=500", en="VIP", zh="贵宾")
    path, current = write_labels(TABLE, make_rules(thresholds=(own,)), make_study(), folder=tmp_path / "labels")
    assert (path.name, current.parent.name, current.name) == ("spring-2024-06-01.csv", "current", "spring.csv")
    assert current.read_bytes() == path.read_bytes()
    assert path.read_bytes().startswith(b"\xef\xbb\xbfcustomer_id,source_id,study,as_of,")
    rows = read(path)
    first = rows[0]
    assert [row["customer_id"] for row in rows] == ["007", "'=1+1", 'Zoë, "Z"']
    assert [row["money"] for row in rows] == ["1234.56", "-0.05", "300.00"]
    assert {name: first[name] for name in ("study", "as_of", "recency_days", "orders", "currency")} == {
        "study": "spring", "as_of": "2024-06-01", "recency_days": "3", "orders": "9", "currency": "EUR",
    }  # fmt: skip
    assert [first[score] for score in "rfm"] == ["5", "5", "5"]
    assert [rows[2][score] for score in "rfm"] == ["4", "2", "4"]
    assert (first["eight"], first["eight_en"], first["eight_zh"]) == (
        "important_value",
        "Important value",
        "重要价值客户",
    )
    assert [row["ten"] for row in rows] == ["champions", "hibernating", "potential_loyalists"]
    assert rows[1]["eleven"] == "lost"
    assert [row["value_activity"] for row in rows][:2] == ["valued_active", "modest_quiet"]
    assert first["value_activity_zh"] == "高价值高活跃"
    assert [row["rules"] for row in rows] == ["vip", "other", "other"]
    assert first["rules_zh"] == "贵宾"
    for scheme in SCHEMES:
        assert {scheme, f"{scheme}_en", f"{scheme}_zh"} <= set(first)
        assert (f"{scheme}_changed" in first) == (scheme == "eight"), "only what was reported is compared"
    assert {(row["eight_previous"], row["eight_changed"], row["previous_as_of"]) for row in rows} == {("", "", "")}


def test_who_bought_nothing_in_the_window_is_labelled_so_and_comes_back(tmp_path):
    study = make_study(rfm={"window_days": 90})
    everybody = make_table(
        [("007", 3, 12, 999_999), ("=1+1", 400, 1, -5), ("late", 88, 1, 5), ('Zoë, "Z"', 20, 2, 30_000)]
    )
    inside = make_table([("007", 3, 9, 123_456), ('Zoë, "Z"', 20, 2, 30_000)])
    first = Snapshot.of(inside, make_rules(), study).with_outsiders(everybody, study)
    history = LabelHistory(tmp_path / "state" / "labels")
    history.keep(first)
    kept = history.load("spring", study.as_of)
    assert kept.table.equals(first.table)
    assert kept.table["customer_id"].to_pylist() == ["007", "=1+1", 'Zoë, "Z"']  # "late" came after the questions
    lost = kept.table.slice(1, 1).to_pylist()[0]
    assert [lost[name] for name in ("recency_days", "orders", "money", "r", "f", "m")] == [400, 0, 0, None, None, None]
    july = study.model_copy(update={"as_of": dt.date(2024, 7, 1)})
    back = make_table([("007", 95, 1, 5), ("=1+1", 2, 1, 700), ('Zoë, "Z"', 50, 1, 100)])
    history.keep(Snapshot.of(back, make_rules(), july).with_outsiders(back, july))
    rows = history.rows("spring", july.as_of)
    assert rows.current("eight").to_pylist()[1] != OUTSIDE
    assert rows.previous("eight").to_pylist()[1] == OUTSIDE
    (path, count), *_ = write_files(rows, FileTarget(segment=OUTSIDE), base=tmp_path)
    assert (count, path.name) == (0, "spring-2024-07-01-outside_window.csv")
    (path, count), *_ = write_files(history.rows("spring", study.as_of), FileTarget(segment=OUTSIDE), base=tmp_path)
    assert [(row["customer_id"], row["eight_en"], row["m"]) for row in read(path)] == [
        ("'=1+1", "No purchase in 90 days", "")
    ]


def test_without_rules_of_their_own_there_is_no_such_column(tmp_path):
    assert not any(name.startswith("rules") for name in read(june(tmp_path)[0])[0])


def test_money_follows_the_currency(tmp_path):
    folder = tmp_path / "labels"
    path, _ = write_labels(TABLE, make_rules(money_unit=1), make_study(currency="JPY"), folder=folder)
    assert read(path)[0]["money"] == "123456"
    path, _ = write_labels(TABLE, make_rules(money_unit=1000), make_study(currency="KWD"), folder=folder)
    assert [row["money"] for row in read(path)] == ["123.456", "-0.005", "30.000"]


@given(st.lists(st.integers(-(10**17), 10**17), min_size=1), st.integers(0, 3))
def test_money_is_exact(amounts, digits):
    from clients.labels.day_rows import decimals

    expected = [Decimal(amount).scaleb(-digits) for amount in amounts]
    assert decimals(pa.array(amounts, pa.int64()), digits).to_pylist() == expected


# --- what it was before ------------------------------------------------------------------------------------------


def test_the_next_month_says_what_changed(tmp_path):
    june(tmp_path, name="other")
    june(tmp_path)
    path, current = july(tmp_path)
    rows = {row["customer_id"]: row for row in read(path)}
    columns = ("eight", "eight_previous", "eight_changed", "previous_as_of")
    assert {name: tuple(row[column] for column in columns) for name, row in rows.items()} == {
        "007": ("important_retention", "important_value", "true", "2024-06-01"),
        "new": ("general_growth", "", "", ""),
        'Zoë, "Z"': ("important_value", "important_growth", "true", "2024-06-01"),
    }
    assert read(current) == read(path)
    assert set(files_in(tmp_path)) == {
        "spring-2024-06-01.csv", "spring-2024-07-01.csv", "current/spring.csv", "other-2024-06-01.csv",
        "current/other.csv",
    }  # fmt: skip


def test_unchanged_is_false_and_every_reported_segmentation_is_compared(tmp_path):
    june(tmp_path, rfm={"report": ["ten"]})
    study = make_study(as_of=dt.date(2024, 6, 2), rfm={"report": ["ten", "eleven"]})
    rows = read(write_labels(TABLE, make_rules(), study, folder=tmp_path / "labels")[0])
    for scheme in ("ten", "eleven"):
        assert {row[f"{scheme}_changed"] for row in rows} == {"false"}
        assert [row[f"{scheme}_previous"] for row in rows] == [row[scheme] for row in rows]
    assert "eight_changed" not in rows[0]


def test_a_segmentation_that_was_not_there_before_has_no_previous(tmp_path):
    june(tmp_path)
    own = ThresholdRule(code="vip", when="R<30, M>=500")
    study = make_study(as_of=dt.date(2024, 7, 1), rfm={"report": ["rules"], "rules": [own]})
    rows = read(write_labels(TABLE, make_rules(thresholds=(own,)), study, folder=tmp_path / "labels")[0])
    assert {(row["rules_previous"], row["rules_changed"]) for row in rows} == {("", "")}
    assert {row["previous_as_of"] for row in rows} == {"2024-06-01"}


def test_an_earlier_month_labelled_late_corrects_the_month_after_it(tmp_path):
    july(tmp_path)
    june(tmp_path)
    late = files_in(tmp_path)
    assert read(tmp_path / "labels/spring-2024-07-01.csv")[0]["eight_previous"] == "important_value"
    assert late["current/spring.csv"] == late["spring-2024-07-01.csv"]
    other = tmp_path / "in-order"
    june(other)
    july(other)
    assert files_in(other) == late


def test_previous_is_what_was_given_not_what_the_files_say(tmp_path):
    for path in june(tmp_path):
        path.unlink()
    assert read(july(tmp_path)[0])[0]["eight_previous"] == "important_value"


def test_the_history_is_owner_only_and_shows_nothing(tmp_path):
    june(tmp_path)
    (path,) = (tmp_path / "state" / "labels" / "spring").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    history = LabelHistory(tmp_path / "state" / "labels")
    assert history.days("spring") == (dt.date(2024, 6, 1),)
    assert "007" not in repr(history.load("spring", dt.date(2024, 6, 1)))
    with pytest.raises(ConfigError, match="no labels of study spring as of 2024-07-01") as caught:
        history.load("spring", dt.date(2024, 7, 1))
    assert caught.value.hint == "kept days: 2024-06-01"
    for damage in (b"", b"PAR1", path.read_bytes()[:-9]):
        path.write_bytes(damage)
        with pytest.raises(DataError, match="is not a label snapshot"):
            history.load("spring", dt.date(2024, 6, 1))


# --- files -------------------------------------------------------------------------------------------------------

BOTH = '[[file]]\n[[file]]\nformat = "parquet"\n'


def test_parquet_keeps_ids_and_types(tmp_path):
    configure(tmp_path, BOTH)
    june(tmp_path)
    paths = july(tmp_path)
    assert [path.suffix for path in paths] == [".csv", ".csv", ".parquet", ".parquet"]
    table = pq.read_table(paths[2])
    assert table["customer_id"].to_pylist() == LATER.ids.tolist()
    assert table["eight_changed"].to_pylist() == [True, None, True]
    assert table["eight"].to_pylist() == [row["eight"] for row in read(paths[0])]
    kinds = {name: str(table.schema.field(name).type) for name in ("as_of", "money", "recency_days", "r")}
    assert kinds == {"as_of": "date32[day]", "money": "decimal128(18, 2)", "recency_days": "int64", "r": "int8"}
    everything = pq.read_table(sorted((tmp_path / "labels").glob("spring-*.parquet")))
    assert everything.num_rows == 6, "the files of all days read as one history"


def test_files_are_owner_only_and_the_same_each_time(tmp_path):
    configure(tmp_path, BOTH)
    old = os.umask(0)
    try:
        june(tmp_path)
        paths = july(tmp_path)
    finally:
        os.umask(old)
    before = files_in(tmp_path)
    july(tmp_path)
    june(tmp_path)
    assert files_in(tmp_path) == before
    assert len(before) == 6
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_no_customers_give_a_heading(tmp_path):
    configure(tmp_path, BOTH)
    paths = write_labels(make_table([]), make_rules(), make_study(), folder=tmp_path / "labels")
    assert paths[0].read_text(encoding="utf-8-sig").count("\n") == 1
    assert pq.read_table(paths[2]).num_rows == 0


def test_many_blocks_are_one_file(tmp_path):
    from clients.labels.day_rows import BLOCK

    size = 2 * BLOCK + 7
    table = make_table([(f"{number:07d}", number % 300, 1 + number % 9, number) for number in range(size)])
    configure(tmp_path, BOTH)
    paths = write_labels(table, make_rules(), make_study(), folder=tmp_path / "labels")
    rows = read(paths[0])
    assert [row["customer_id"] for row in rows] == table.ids.tolist()
    assert pq.read_table(paths[2], columns=["eight"])["eight"].to_pylist() == [row["eight"] for row in rows]
    index = make_rules().assign("eight", table.columns)
    assert [row["eight"] for row in rows] == [make_rules().segments("eight")[item].code for item in index]


def test_no_cell_is_a_formula_in_a_spreadsheet_and_only_in_csv(tmp_path):
    rule = ThresholdRule(code="vip", when="R<30", en='=HYPERLINK("http://x")', zh="＝1")
    table = make_table([(item, 1, 1, 1) for item in HOSTILE])
    configure(tmp_path, BOTH)
    paths = write_labels(table, make_rules(thresholds=(rule,)), make_study(), folder=tmp_path / "labels")
    rows = read(paths[0])
    ids = [row["customer_id"] for row in rows]
    assert ids == [f"'{item}" for item in HOSTILE[:6]] + HOSTILE[6:]
    assert {(row["rules_en"], row["rules_zh"]) for row in rows} == {('\'=HYPERLINK("http://x")', "'＝1")}
    exact = pq.read_table(paths[2])
    assert exact["customer_id"].to_pylist() == HOSTILE
    assert set(exact["rules_en"].to_pylist()) == {'=HYPERLINK("http://x")'}


def test_csv_for_a_spreadsheet_with_decimal_commas(tmp_path):
    configure(tmp_path, '[[file]]\nseparator = ";"\ndecimal = ","\nids = "excel"\n')
    rows = read(june(tmp_path)[0], ";")
    assert [row["money"] for row in rows] == ["1234,56", "-0,05", "300,00"]
    for name in ("customer_id", "source_id"):
        assert [row[name] for row in rows] == ['="007"', '="=1+1"', '="Zoë, ""Z"""']


# --- ids as the source spells them ---------------------------------------------------------------------------------


def test_source_ids_are_exact_and_further_spellings_stand_in_a_file_beside(tmp_path):
    configure(tmp_path, BOTH)
    june(tmp_path)
    table = respelled(LATER, {0: "007 ", 2: " Zoë"}, [(0, "007.0"), (2, "Zoë\n")])
    study = make_study(as_of=dt.date(2024, 7, 1))
    paths = write_labels(table, make_rules(), study, folder=tmp_path / "labels")
    names = [path.relative_to(tmp_path / "labels").as_posix() for path in paths]
    assert names[:4] == [
        "spring-2024-07-01.csv", "spellings/spring-2024-07-01.csv", "current/spring.csv", "current/spellings/spring.csv"
    ]  # fmt: skip
    rows, others = read(paths[0]), read(paths[1])
    assert [row["source_id"] for row in rows] == ["007 ", "new", " Zoë"]
    assert [row["customer_id"] for row in rows] == LATER.ids.tolist()
    assert [row["source_id"] for row in others] == ["007.0", "Zoë\n"]
    twice = {row["customer_id"]: row for row in rows}
    assert [row | {"source_id": ""} for row in others] == [
        twice[row["customer_id"]] | {"source_id": ""} for row in others
    ]
    assert paths[2].read_bytes() == paths[0].read_bytes()
    assert paths[3].read_bytes() == paths[1].read_bytes()
    assert pq.read_table(paths[5])["source_id"].to_pylist() == ["007.0", "Zoë\n"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    before = files_in(tmp_path)
    write_labels(table, make_rules(), study, folder=tmp_path / "labels")
    assert files_in(tmp_path) == before
    july(tmp_path)
    assert not [name for name in files_in(tmp_path) if "spellings/" in name], "none are left of spellings that are gone"


def test_lists_have_their_spellings_beside(tmp_path):
    table = respelled(TABLE, {}, [(0, "7"), (2, "Z")])
    write_labels(table, make_rules(), make_study(), folder=tmp_path / "labels")
    written = export_labels(tmp_path, "spring", dt.date(2024, 6, 1), segment="important_value")
    lists = [item.path for item in written if item.path is not None]
    assert [path.relative_to(tmp_path / "labels").as_posix() for path in lists] == [
        "lists/spring-2024-06-01-important_value.csv", "lists/spellings/spring-2024-06-01-important_value.csv"
    ]  # fmt: skip
    assert [row["source_id"] for row in read(lists[1])] == ["7"]


def test_labels_kept_by_a_release_without_source_ids_can_still_be_read(tmp_path):
    june(tmp_path)
    path = tmp_path / "state" / "labels" / "spring" / "2024-06-01.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["source_id", "also_spelled"]), path)
    rows = {row["customer_id"]: row for row in read(july(tmp_path)[0])}
    assert rows["007"]["eight_previous"] == "important_value"
    (written, _) = export_labels(tmp_path, "spring", dt.date(2024, 6, 1), formats=["parquet"]) * 2
    assert pq.read_table(written.path)["source_id"].to_pylist() == [None] * 3
    pq.write_table(table.drop_columns(["also_spelled"]), path)
    with pytest.raises(DataError, match="is not a label snapshot"):
        export_labels(tmp_path, "spring", dt.date(2024, 6, 1))


# --- selections --------------------------------------------------------------------------------------------------


def selected(folder: Path, **choice: Any) -> list[str]:
    ((written),) = export_labels(folder, "spring", dt.date(2024, 7, 1), **choice)
    assert written.path is not None
    assert written.path.parent == folder / "labels" / "lists"
    rows = read(written.path)
    assert written.rows == len(rows)
    return [row["customer_id"] for row in rows]


def test_lists_of_a_segment_and_of_changes(tmp_path):
    june(tmp_path)
    july(tmp_path)
    before = files_in(tmp_path)
    assert selected(tmp_path, segment="important_retention") == ["007"]
    assert selected(tmp_path, segment="ten:new_customers") == ["new"]
    assert selected(tmp_path, segment="champions") == []
    assert selected(tmp_path, changed_only=True) == ["007", "new", 'Zoë, "Z"'], "moved, or new"
    assert selected(tmp_path, changed_only=True, segment="important_value") == ['Zoë, "Z"']
    after = files_in(tmp_path)
    assert set(after) - set(before) == {
        f"lists/spring-2024-07-01-{name}.csv"
        for name in ("important_retention", "ten-new_customers", "champions", "changed", "important_value-changed")
    }
    assert {name: after[name] for name in before} == before


def test_nobody_changed(tmp_path):
    june(tmp_path)
    write_labels(TABLE, make_rules(), make_study(as_of=dt.date(2024, 7, 1)), folder=tmp_path / "labels")
    assert selected(tmp_path, changed_only=True) == []


def test_a_list_can_be_written_every_month(tmp_path):
    configure(tmp_path, '[[file]]\n[[file]]\nfolder = "for-shops"\nchanged_only = true\nsegment = "important_value"\n')
    june(tmp_path)
    july(tmp_path)
    rows = read(tmp_path / "for-shops" / "lists" / "spring-2024-07-01-important_value-changed.csv")
    assert [row["customer_id"] for row in rows] == ['Zoë, "Z"']


def test_a_wrong_selection_says_what_there_is(tmp_path):
    june(tmp_path)
    with pytest.raises(ConfigError, match="no segment 'vips'") as caught:
        export_labels(tmp_path, "spring", dt.date(2024, 6, 1), segment="vips")
    assert "eight: important_value, " in caught.value.hint
    with pytest.raises(ConfigError, match="segment"):
        export_labels(tmp_path, "spring", dt.date(2024, 6, 1), segment="../../x")
    with pytest.raises(ConfigError, match="unknown label format 'xlsx'"):
        export_labels(tmp_path, "spring", dt.date(2024, 6, 1), formats=("xlsx",))
    with pytest.raises(ConfigError, match="always have all customers"):
        export_labels(tmp_path, "spring", dt.date(2024, 6, 1), to="duckdb://x.duckdb", changed_only=True)


def test_formats_asked_for_are_written_as_configured(tmp_path):
    configure(tmp_path, '[[file]]\nseparator = ";"\nfolder = "out"\n')
    june(tmp_path)
    written = export_labels(tmp_path, "spring", dt.date(2024, 6, 1), formats=("csv", "parquet", "csv"))
    assert [(item.path.relative_to(tmp_path).as_posix(), item.rows) for item in written if item.path] == [
        ("out/spring-2024-06-01.csv", 3),
        ("out/current/spring.csv", 3),
        ("labels/spring-2024-06-01.parquet", 3),
        ("labels/current/spring.parquet", 3),
    ]
    again = export_labels(tmp_path, "spring", dt.date(2024, 6, 1))
    assert [item.path for item in again] == [item.path for item in written[:2]]


# --- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[file]]\nformat = 'xlsx'", "file.0.format"),
        ("[[file]]\n[[file]]", "two targets write to the same place"),
        ("[[file]]\ndecimal = ','", "separator and decimal are the same sign"),
        ("[[file]]\nformat = 'parquet'\nids = 'excel'", "for CSV only"),
        ("[[fiel]]", "fiel"),
        ("oops", "not valid TOML"),
    ],
)
def test_a_wrong_labels_toml_is_one_kind_of_error_and_loses_nothing(tmp_path, text, says):
    configure(tmp_path, text)
    with pytest.raises(DataError, match=says):
        june(tmp_path)
    with pytest.raises(ConfigError, match=says):
        export_labels(tmp_path, "spring", dt.date(2024, 6, 1))
    configure(tmp_path, "")
    assert len(export_labels(tmp_path, "spring", dt.date(2024, 6, 1))) == 2, "the labels were kept"


def test_one_folder_that_cannot_be_written_does_not_stop_the_others(tmp_path):
    (tmp_path / "blocked").write_text("a file, not a folder")
    configure(tmp_path, '[[file]]\nfolder = "blocked"\n[[file]]\n')
    with pytest.raises(DataError, match=r"blocked: the labels could not be written \(\w+\)$"):
        june(tmp_path)
    assert len(files_in(tmp_path)) == 2


def test_an_error_of_making_labels_quotes_no_row(tmp_path):
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(DataError) as caught:
        june(tmp_path)
    assert "007" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_kill_in_the_middle_leaves_whole_files(tmp_path, after):
    """The first file has blocks 0 and 1, the second 2 and 3."""
    configure(tmp_path, BOTH)
    june(tmp_path)
    old = files_in(tmp_path)
    killed_in_july(tmp_path, after=after)
    visible = {name: data for name, data in files_in(tmp_path).items() if not Path(name).name.startswith(".")}
    assert {name: visible[name] for name in old if name != "current/spring.csv"} == {
        name: data for name, data in old.items() if name != "current/spring.csv"
    }
    july(tmp_path)
    new = files_in(tmp_path)
    assert all(data in (old.get(name), new[name]) for name, data in visible.items())
    assert ("spring-2024-07-01.csv" in visible) == (after >= 2)
    assert "spring-2024-07-01.parquet" not in visible
    unfinished = set(new) - set(visible) - {"spring-2024-07-01.csv", "spring-2024-07-01.parquet"}
    assert len(unfinished) == 1
    for name in unfinished:
        assert stat.S_IMODE((tmp_path / "labels" / name).stat().st_mode) == 0o600
        os.utime(tmp_path / "labels" / name, (1, 1))
    july(tmp_path)
    assert set(files_in(tmp_path)) == set(new) - unfinished


# --- against a slow and obvious computation --------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 12), st.integers(-10, 300_000)), min_size=1, max_size=30),
    st.data(),
)
def test_previous_and_changed_against_a_dictionary(rows, data):
    first = {f"c{number:02d}": row for number, row in enumerate(rows)}
    second = {
        name: data.draw(st.sampled_from([row, (399, 1, 5), (1, 9, 200_000)]))
        for name, row in {**first, "z": (1, 1, 1)}.items()
        if data.draw(st.booleans())
    }
    rules, study = make_rules(), make_study()

    def snapshot(rows: dict[str, tuple[int, int, int]]) -> Snapshot:
        return Snapshot.of(make_table([(name, *row) for name, row in rows.items()]), rules, study)

    def codes(rows: dict[str, tuple[int, int, int]]) -> dict[str, str]:
        index = rules.assign("eight", make_table([(name, *row) for name, row in rows.items()]).columns)
        return {name: rules.segments("eight")[item].code for name, item in zip(rows, index, strict=True)}

    from clients.analyses.rfm.labels import LabelRows

    labels = LabelRows(snapshot(second), snapshot(first), is_latest=True)
    found = pa.Table.from_batches(labels.blocks(), schema=labels.schema()).to_pylist()
    before, now = codes(first), codes(second)
    assert {row["customer_id"]: (row["eight"], row["eight_previous"], row["eight_changed"]) for row in found} == {
        name: (code, before.get(name), before[name] != code if name in before else None) for name, code in now.items()
    }
    moved = {name for name, code in now.items() if before.get(name) != code}
    ids = labels.snapshot.table["customer_id"].to_pylist()
    assert {ids[row] for row in labels.select(changed_only=True)} == moved


def test_a_target_gives_its_paths(tmp_path):
    rows = LabelHistory(tmp_path / "state" / "labels")
    june(tmp_path)
    ((path, count), (current, _)) = write_files(rows.rows("spring", dt.date(2024, 6, 1)), FileTarget(), base=tmp_path)
    assert (path.name, count, current.name) == ("spring-2024-06-01.csv", 3, "spring.csv")
