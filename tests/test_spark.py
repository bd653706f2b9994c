"""A real local Spark as a source: the whole customer table, features and feeds, digit by digit as from DuckDB."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feature_checks import REQUEST, lines_of, make_study, same, write
from feed_kit import SESSION, read, sessions, with_sessions
from holder_kit import write_labels
from label_kit import configure, make_rules
from several_kit import several
from source_kit import COLUMNS, as_rows, make_config, messy_rows
from source_kit import make_study as plain_study

from clients.data.check import preflight
from clients.data.guess.guess import new_holder_file
from clients.data.origin import Origin
from clients.data.rows.customers import build_customer_table
from clients.data.rows.features import build_features
from clients.data.sources import open_source
from privacy.errors import DataError
from privacy.kernel.customers import CustomerRequest

pytest.importorskip("pyspark", reason="Spark is not installed (extra [spark])")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("java") is None and "JAVA_HOME" not in os.environ,
        reason="Spark needs Java, and there is none here",
    ),
]
LOCAL = "spark://local[2]"


@pytest.fixture(scope="module", autouse=True)
def _running() -> Iterator[None]:
    """One Spark for the module: starting it takes as long as a test."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    for setting, value in {
        "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.sql.shuffle.partitions": "2",
        "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
    }.items():  # fmt: skip
        builder = builder.config(setting, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield
    session.stop()


def there(path: Path) -> dict[str, str]:
    return {"url": LOCAL, "table": f"parquet.`{path}`"}


def kinds(folder: Path) -> dict[str, Path]:
    """The odd rows with types of their own, as text, and with times in a zone."""
    rows = messy_rows()
    odd = pa.table(
        {name: pa.array([value, None]) for name, value in rows.slice(0, 1).to_pylist()[0].items()}, rows.schema
    )
    odd = odd.set_column(0, "customer", pa.array(["\t18\n", "18.00"]))
    rows = pa.concat_tables([rows, odd])
    text = pa.table(
        {name: column.cast(pa.string()) for name, column in zip(rows.column_names, rows.columns, strict=True)}
    )
    bad = {"time": ["12:30", "2024", "2024-02-30", "now"], "price": ["1d", "0x1", "1,5", "1e999"]}
    wrong = pa.table({name: pa.array(bad.get(name, ["1"] * 4), pa.string()) for name in text.column_names})
    found = {
        "native": rows,
        "text": pa.concat_tables([text, wrong]),
        "zoned": rows.set_column(2, "time", rows["time"].cast(pa.timestamp("us", "UTC"))),
    }
    for name, table in found.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in found}


@pytest.mark.parametrize("has_orders", [True, False])
def test_customer_tables_have_the_same_digits(tmp_path, has_orders):
    (tmp_path / "out.csv").write_text('id\n17\n"a\'b\\"\n"o""x"\n', encoding="utf-8")
    study = plain_study(
        cleaning={"returns": "net", "cancellation_prefix": "C", "non_goods": ["post"]},
        rates={"GBP": {"2024-01-01": "1.15", "2024-03-01": "1.1725"}, "USD": "0.93"},
        time_zone="Asia/Shanghai",
    )
    columns = {role: name for role, name in COLUMNS.items() if has_orders or role != "order"}
    more: dict[str, Any] = {"columns": columns | {"product": "product", "currency": "currency"}, "exclude": "out.csv"}
    for name, path in kinds(tmp_path).items():
        if not has_orders and name == "native":  # as with orders
            continue
        more["time_zone"] = "America/New_York" if name == "zoned" else "UTC"
        request = CustomerRequest(window_days=None if has_orders else 60)
        tables = [
            build_customer_table(Origin(make_config(**place, **more), study, tmp_path), request)
            for place in ({"url": path}, there(path))
        ]
        assert len(tables[0]) > 100
        assert as_rows(tables[0]) == as_rows(tables[1]), name
        assert tables[0].report == tables[1].report, name


def test_features_have_the_same_digits(tmp_path):
    for zone in (None, "America/New_York"):
        path = write(tmp_path / "sales.parquet", lines_of(11, customers=100, zone=zone))
        study, where = make_study(time_zone=zone or "UTC"), {"time_zone": zone or "UTC"}
        places = ({"url": path}, there(path))
        found = [build_features(Origin(make_config(**place, **where), study, tmp_path), REQUEST) for place in places]
        assert len(found[0].ids) > 50
        assert same(*found)


def test_feeds_have_the_same_rows(tmp_path):
    pq.write_table(sessions(), tmp_path / "web.parquet")
    (tmp_path / "out.csv").write_text("id\n17\n客户 7\n", encoding="utf-8")
    here = read(with_sessions("web.parquet", where="consent"), tmp_path)
    assert here == read(with_sessions(LOCAL, table=f"parquet.`{tmp_path}/web.parquet`", where="consent"), tmp_path)


def test_a_source_is_guessed_and_checked(tmp_path):
    path = write(tmp_path / "sales.parquet", lines_of(10, customers=60))
    drafts = {}
    for url, table in ((str(path), None), (LOCAL, f"parquet.`{path}`")):
        guess = new_holder_file(
            url, output=tmp_path / "holder.toml", table=table, holder="a", answers={"currency": "EUR"}, overwrite=True
        )
        drafts[url] = {role: item.value for role, item in guess.columns.items()}
    assert drafts[LOCAL] == drafts[str(path)]
    [here, far] = [
        preflight(make_config(**place), None, base=tmp_path).model_dump(exclude={"columns"})
        for place in ({"url": path}, there(path))
    ]
    assert far == here


def test_what_is_wrong_is_told(tmp_path):
    for place, says in (
        ({"url": LOCAL}, "needs a table"),
        ({"url": LOCAL, "table": "absent.sales"}, "no table 'absent.sales'"),
        ({"url": LOCAL, "table": f"parquet.`{tmp_path}/SECRET`"}, "can be read"),
        ({"url": "spark://somewhere", "table": "x"}, "no Spark URL"),
    ):
        with pytest.raises(DataError, match=says) as caught, open_source(make_config(**place), base=tmp_path):
            pass
        assert caught.value.hint


def test_labels_are_the_same_and_spark_reads_them_back(tmp_path):
    """Segments of customers from Spark and from the file; written as Parquet, Spark has of them what DuckDB has."""
    from pyspark.sql import SparkSession

    pq.write_table(messy_rows(), tmp_path / "native.parquet")
    path, written = tmp_path / "native.parquet", {}
    for name, place in (("file", {"url": path}), ("spark", there(path))):
        table = build_customer_table(Origin(make_config(**place), plain_study(), tmp_path))
        home = tmp_path / name
        home.mkdir()
        configure(home, '[[file]]\nformat = "parquet"\n')
        written[name] = write_labels(table, make_rules(), plain_study(), folder=home / "labels")
    assert [path.name for path in written["file"]] == [path.name for path in written["spark"]]
    for here, far in zip(written["file"], written["spark"], strict=True):
        assert pq.read_table(far).equals(pq.read_table(here)), far.name
    [labels] = [item for item in written["spark"] if item.parent.name == "labels"]
    spark = SparkSession.getActiveSession()
    with duckdb.connect() as database:
        for name, file in (("labels", labels), ("sales", path)):
            spark.read.parquet(str(file)).createOrReplaceTempView(name)
            database.execute(f"CREATE VIEW {name} AS FROM '{file}'")
        for query in (
            "SELECT customer_id, source_id, eight, recency_days, orders, money FROM labels ORDER BY customer_id",
            "SELECT eight, COUNT(*), SUM(money) FROM labels GROUP BY eight ORDER BY eight",
            "SELECT l.customer_id, COUNT(*) FROM labels l JOIN sales s ON s.customer = l.source_id "
            "GROUP BY l.customer_id ORDER BY l.customer_id",
        ):
            rows = [tuple(row) for row in spark.sql(query).collect()]
            assert rows
            assert rows == database.execute(query).fetchall(), query


def _never(*_given: Any, **_more: Any) -> Any:
    raise AssertionError("rows came over as a whole, or were copied")


def test_spark_is_one_of_several_sources(tmp_path, monkeypatch):
    """Its lines come over in batches, one partition after the other."""
    monkeypatch.setattr("clients.data.sources.spark._ROWS", 64)
    rows = messy_rows(800)
    pq.write_table(rows, tmp_path / "all.parquet")
    is_far = [sum(map(ord, str(order))) % 2 == 0 for order in rows["order"].to_pylist()]
    pq.write_table(rows.filter(pa.array(is_far)), tmp_path / "far.parquet")
    pq.write_table(rows.filter(pa.array([not far for far in is_far])), tmp_path / "near.parquet")
    place = {"columns": COLUMNS, "currency_code": "EUR"}
    split = several({"name": "far", **there(tmp_path / "far.parquet"), **place},
                    {"name": "near", "url": "near.parquet", **place})  # fmt: skip
    one, other = (
        build_customer_table(Origin(config, plain_study(), tmp_path)) for config in (make_config("all.parquet"), split)
    )
    assert len(one) > 100
    assert as_rows(other) == as_rows(one)


def test_several_tables_of_one_spark_are_put_together_there(tmp_path, monkeypatch):
    """Purchases, members and visits that are all in Spark stay there, and give what the same files give."""
    lines = lines_of(5, customers=40)
    halves = [[line for line in lines if sum(map(ord, line["order"])) % 2 == i] for i in (0, 1)]
    for i, half in enumerate(halves):
        rows = [line | {"customer": f"{'wk'[i]}{line['customer'].strip()}"} for line in half]
        write(tmp_path / f"s{i}.parquet", rows)
    ids = sorted({line["customer"].strip() for line in lines})
    links = {"member": [f"M{one}" for one in ids], "w": [f"w{one}" for one in ids], "k": [f"k{one}" for one in ids]}
    pq.write_table(pa.table(links).slice(0, len(ids) - 4), tmp_path / "links.parquet")
    visits = sessions(400)
    visits = visits.set_column(0, "user", pa.array([f" M{one}" for one in ids] * 10).slice(0, 400))
    pq.write_table(visits.slice(0, 400), tmp_path / "visits.parquet")
    (tmp_path / "out.csv").write_text(f"w{ids[3]}\nperson:M{ids[5]}\n", encoding="utf-8")

    def config(place: Any) -> Any:
        return several(
            *({"name": name, "columns": COLUMNS, "currency_code": "EUR", "exclude": "out.csv",
               "time_zone": "Asia/Shanghai" if name == "k" else "UTC"} | place(f"s{i}") for i, name in enumerate("wk")),
            person=place("links") | {"columns": {"person": "member", "w": "w", "k": "k"}},
            events={"session": place("visits") | {"ids_of": "person", "columns": SESSION}},
        )  # fmt: skip

    near = config(lambda name: {"url": f"{name}.parquet"})
    far = config(lambda name: there(tmp_path / f"{name}.parquet"))
    study = make_study()
    expected = [build(Origin(near, study, tmp_path)) for build in (build_customer_table, _visits)]
    monkeypatch.setattr("clients.data.several.rooms._Copies.bring", _never)
    monkeypatch.setattr("clients.data.sources.spark._Spark.to_pyarrow_batches", _never)
    found = [build(Origin(far, study, tmp_path)) for build in (build_customer_table, _visits)]
    assert len(expected[0]) > 30
    assert as_rows(found[0]) == as_rows(expected[0])
    assert found[0].report == expected[0].report
    assert found[1] == expected[1]
    assert expected[1][1]["excluded"] > 5


def _visits(origin: Origin) -> Any:
    return read(origin.config, origin.base)
