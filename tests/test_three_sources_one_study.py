"""One study over a PostgreSQL table, a CSV file of another country and a Parquet file; labels back in PostgreSQL.

Asserted, without noise, against a computation in pandas over the same rows in one table: segment counts of all holders
together, and every customer's facts, scores and segment, joined back by the id as each source spells it. A rerun
changes no byte and no row; a run that loses its database or is killed in the middle of writing leaves the labels of
the month before, whole.
"""

from __future__ import annotations

import csv
import datetime as dt
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from postgres_server import PASSWORD, Server

from clients.analyses.rfm import labels as label_rows
from clients.answering.folder import HolderFolder, SourceData
from clients.answering.node import HolderNode
from clients.answering.runs import RunFolder
from clients.labels import day_rows
from privacy.analyses.rfm.segments import CutPoints
from privacy.protocol.identity import Identity
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.running.run import run_study
from simulations.worlds.inprocess import InProcessTransport
from simulations.worlds.kit import NoWaiting
from simulations.worlds.local import Workspace

pytestmark = pytest.mark.slow

HOLDERS = ("berlin", "lisboa", "online")
JUNE, JULY = dt.date(2024, 6, 1), dt.date(2024, 7, 1)
FIRST = 1_000  # the number of the first customer
TABLES = {name: f"labels_{name}" for name in HOLDERS}

COLUMNS = '[columns]\ncustomer = "{}"\norder = "{}"\ntime = "{}"\nquantity = "{}"\nprice = "{}"\n'
LABELS = (
    'file = [{{}}, {{format = "parquet"}}]\n[[database]]\nurl = "{}"\ntable = "{}"\npassword_env = "CRM_PASSWORD"\n'
)


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    for name in ("PGPASSWORD", "PGPASSFILE", "PGHOST", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


# --- one world, three ways of keeping it ----------------------------------------------------------------------------


def all_lines() -> pd.DataFrame:
    """Orders of two lines of 900 customers, 300 at each holder, over 18 months.

    ``spelled`` is the id as the holder's system has it; some customers' lines are spelled in two ways. Prices are in
    whole cents.
    """
    rng = np.random.default_rng(20_240_601)
    orders = 4_000
    visitor = rng.integers(0, 900, orders)
    minute = rng.integers(0, 545 * 1440, orders)
    order = np.repeat(np.arange(orders), 2)
    person, weight = visitor[order], rng.gamma(1.2, 1.0, 900)
    frame = pd.DataFrame(
        {
            "holder": np.array(HOLDERS)[person % 3],
            "number": FIRST + person,
            "order": 70_000 + order,
            "time": pd.Timestamp("2023-01-01") + pd.to_timedelta(minute[order], unit="min"),
            "quantity": rng.integers(1, 5, len(order)),
            "cents": np.round(np.exp(rng.normal(6.5, 0.8, len(order))) * (0.3 + weight[person])).astype(int),
        }
    )
    odd = pd.Series(rng.random(len(order)) < 0.5)
    text = frame["number"].astype(str)
    frame["spelled"] = text
    berlin = (frame["holder"] == "berlin") & (frame["number"] % 4 == 0)
    frame.loc[berlin, "spelled"] = np.where(odd[berlin], text[berlin] + " ", text[berlin])
    lisboa = frame["holder"] == "lisboa"
    frame.loc[lisboa, "spelled"] = np.where(
        frame["number"][lisboa] % 5 == 0,
        np.where(odd[lisboa], " " + text[lisboa], text[lisboa] + ".0"),
        "00" + text[lisboa],
    )
    return frame


def write_berlin(home: Path, frame: pd.DataFrame, server: Server) -> str:
    """A table of a real PostgreSQL server."""
    with server.admin() as admin:
        admin.execute("CREATE SCHEMA till")
        admin.execute("GRANT USAGE ON SCHEMA till TO reader")
        admin.execute(
            "CREATE TABLE till.sales (kunde text, bon bigint, zeit timestamp, menge int, preis numeric(10, 2))"
        )
        admin.execute("GRANT SELECT ON till.sales TO reader")
        with admin.cursor() as cursor, cursor.copy("COPY till.sales FROM STDIN") as copy:
            for row in frame.itertuples():
                copy.write_row((row.spelled, row.order, row.time, row.quantity, f"{row.cents / 100:.2f}"))
    source = f'[source]\nurl = "{server.url}"\ntable = "till.sales"\npassword_env = "CRM_PASSWORD"\n'
    return source + 'currency_code = "EUR"\n' + COLUMNS.format("kunde", "bon", "zeit", "menge", "preis")


def write_lisboa(home: Path, frame: pd.DataFrame, server: Server) -> str:
    """A CSV with semicolons, decimal commas and the day before the month."""
    with (home / "vendas.csv").open("w", newline="", encoding="latin-1") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Cliente", "Fatura", "Data", "Quantidade", "Preço"])
        for row in frame.itertuples():
            price = f"{row.cents / 100:,.2f}".translate(str.maketrans(",.", ".,"))
            writer.writerow([row.spelled, f"F{row.order}", row.time.strftime("%d/%m/%Y %H:%M"), row.quantity, price])
        writer.writerow(["", "F1", "01/02/2024 10:00", 1, "5,00"])
        writer.writerow(["00999999", "F2", "2024-02-01", 1, "5,00"])  # not of this file's form: unreadable, left out
    return (
        '[source]\nurl = "vendas.csv"\ncurrency_code = "EUR"\n[source.csv]\nseparator = ";"\nencoding = "latin-1"\n'
        'decimal = ","\nthousands = "."\ndate_format = "%d/%m/%Y %H:%M"\n'
        + COLUMNS.format("Cliente", "Fatura", "Data", "Quantidade", "Preço")
    )


def write_online(home: Path, frame: pd.DataFrame, server: Server) -> str:
    """A Parquet file with ids as numbers."""
    columns = {"customer": frame["number"], "order": frame["order"], "time": frame["time"]}
    columns |= {"quantity": frame["quantity"], "price": frame["cents"] / 100}
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), home / "sales.parquet")
    source = '[source]\nurl = "sales.parquet"\ncurrency_code = "EUR"\n'
    return source + COLUMNS.format("customer", "order", "time", "quantity", "price")


@dataclass(frozen=True)
class World:
    """Everything of this module's federation."""

    workspace: Workspace
    frame: pd.DataFrame
    server: Server

    def home(self, holder: str) -> Path:
        return self.workspace.holder(holder).root

    def run(self, as_of: dt.date) -> StudyResult:
        nodes = {name: quiet_node(self.workspace.holder(name)) for name in HOLDERS}
        carrier = InProcessTransport({name: node.handle for name, node in nodes.items()})
        return run_study(make_study(as_of), folder=self.workspace.coordinator, transport=carrier, pages=False)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.server.admin() as admin:
            return admin.execute(text).fetchall()

    def everything(self) -> dict[str, Any]:
        """All bytes of all label files, and all rows of all label tables with the transactions that wrote them."""
        found: dict[str, Any] = {}
        for name in HOLDERS:
            for path in sorted((self.home(name) / "labels").rglob("*.[cp]*")):
                if not path.name.startswith("."):
                    found[f"{name}/{path.relative_to(self.home(name))}"] = path.read_bytes()
            for part in ("_history", "_spellings", "_as_of"):
                table = TABLES[name] + part
                found[table] = self.query(f"SELECT xmin::text, ctid::text, t::text FROM {table} AS t ORDER BY 2")
        return found


def quiet_node(folder: HolderFolder) -> HolderNode:
    """A holder's node as its folder makes it, but without noise and without waiting."""
    return HolderNode(
        identity=Identity.load(folder.config().holder, folder.root / "keys" / "signing.pem"),
        roster=folder.roster(),
        policy=folder.policy(),
        ledger=folder.ledger(),
        data=SourceData(folder),
        runs=RunFolder(folder.state / "runs"),
        clock=NoWaiting(),
        sampler=lambda scale, size: np.zeros(size, dtype=np.int64),
    )


def make_study(as_of: dt.date) -> Study:
    return Study.model_validate(
        {
            "name": "three",
            "as_of": as_of,
            "budget": {"epsilon": "1", "delta": "1e-6", "max_holders_per_customer": 1, "size_class": 1000},
            "rfm": {"floor": 0},
        }
    )


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("three")
    frame, sources = all_lines(), {}
    for name, write in zip(HOLDERS, (write_berlin, write_lisboa, write_online), strict=True):
        home = root / "sources" / name
        home.mkdir(parents=True)
        text = write(home, frame[frame["holder"] == name], server)
        (home / "holder.toml").write_text(f'holder = "{name}"\n{text}', encoding="utf-8")
        (home / "labels.toml").write_text(LABELS.format(server.url, TABLES[name]), encoding="utf-8")
        sources[name] = home
    with server.admin() as admin:
        for name in HOLDERS:  # every holder's CRM: one row per customer, and per way of spelling it
            admin.execute(f"CREATE TABLE crm_{name} (id text PRIMARY KEY, number int)")
            pairs = frame.loc[frame["holder"] == name, ["spelled", "number"]].drop_duplicates()
            with admin.cursor() as cursor:
                cursor.executemany(f"INSERT INTO crm_{name} VALUES (%s, %s)", pairs.values.tolist())
    return World(Workspace.create(root / "work", sources, declared=1), frame, server)


# --- the same, by pandas, in one table ------------------------------------------------------------------------------


def pooled(frame: pd.DataFrame, as_of: dt.date, cuts: CutPoints) -> pd.DataFrame:
    """Facts, scores and one of the eight segments of every customer."""
    start = pd.Timestamp(as_of)
    seen = frame[frame["time"] < start].drop_duplicates(["holder", "number", "order", "time", "quantity", "cents"])
    seen = seen.assign(money=seen["quantity"] * seen["cents"])
    found = seen.groupby("number").agg(
        last=("time", "max"), orders=("order", "nunique"), money=("money", "sum"), holder=("holder", "first")
    )
    found["recency_days"] = (start - found["last"]).dt.days
    found["r"] = 5 - sum((found["recency_days"] > cut).astype(int) for cut in cuts.recency_days)
    found["f"] = 1 + sum((found["orders"] >= cut).astype(int) for cut in cuts.orders)
    found["m"] = 1 + sum((found["money"] > cut).astype(int) for cut in cuts.money)
    kinds = {(1, 1): "value", (1, 0): "growth", (0, 1): "retention", (0, 0): "win_back"}
    recent, often = found["recency_days"] <= cuts.recency_high, found["orders"] >= cuts.orders_high
    rich = np.where(found["money"] > cuts.money_high, "important", "general")
    named = [kinds[int(a), int(b)] for a, b in zip(recent, often, strict=True)]
    found["eight"] = [f"{worth}_{kind}" for worth, kind in zip(rich, named, strict=True)]
    return found.drop(columns="last")


def check_labels(world: World, result: StudyResult, as_of: dt.date) -> None:
    """The labels in PostgreSQL, joined with each CRM on the id as it is spelled there, against pandas."""
    expected = pooled(world.frame, as_of, result.rfm.rules.cuts)
    columns = ["recency_days", "orders", "money", "r", "f", "m", "eight"]
    for name in HOLDERS:
        here = expected[expected["holder"] == name]
        joined = world.query(
            f"SELECT number, recency_days, orders, (money * 100)::int, r, f, m, eight "
            f"FROM crm_{name} AS crm JOIN {TABLES[name]}_by_source_id AS l ON l.source_id = crm.id "
            f"WHERE study = 'three' AND as_of = '{as_of}'"
        )
        spelled = world.frame[(world.frame["holder"] == name) & (world.frame["time"] < pd.Timestamp(as_of))]
        assert len(joined) == len(spelled[["spelled", "number"]].drop_duplicates()), "nobody is lost, nobody doubled"
        found = pd.DataFrame(joined, columns=["number", *columns]).drop_duplicates().set_index("number").sort_index()
        pd.testing.assert_frame_equal(found, here[columns], check_dtype=False, check_names=False)
        once = world.query(f"SELECT count(*), count(DISTINCT customer_id) FROM {TABLES[name]}")
        assert once == [(len(here), len(here))]


# --- the tests, in the order of a holder's months ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def june(world: World) -> StudyResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRM_PASSWORD", PASSWORD)
        return world.run(JUNE)


def test_together_they_are_the_same_rows_in_one_table(world, june):
    assert (june.participants, june.missing) == (HOLDERS, ())
    expected = pooled(world.frame, JUNE, june.rfm.rules.cuts)
    assert len(expected) > 850
    (scheme,) = june.rfm.schemes
    counted = {segment.code: round(segment.customers.value) for segment in scheme.segments}
    assert counted == {code: int((expected["eight"] == code).sum()) for code in counted}
    assert len([count for count in counted.values() if count > 20]) >= 6
    # What lies above the cap is estimated, and the interval holds the truth; who orders seldom cannot have more.
    truth = expected.groupby("eight")["orders"].sum()
    for segment in scheme.segments:
        low, high = segment.orders.interval
        assert low - 0.5 <= truth.get(segment.code, 0) <= high + 0.5, segment.code
        if segment.code.endswith(("growth", "win_back")):
            assert segment.orders.value == pytest.approx(truth.get(segment.code, 0), abs=0.5)


def test_labels_come_back_by_a_plain_join_and_are_exact(world, june):
    check_labels(world, june, JUNE)
    spelled = world.query(f"SELECT count(*) FROM {TABLES['lisboa']}_spellings")[0][0]
    assert spelled > 20, "customers that are spelled in two ways are among them"
    assert world.query(f"SELECT count(*) FROM {TABLES['online']}_spellings") == [(0,)]


def test_a_rerun_changes_no_byte_and_no_row(world, june):
    before = world.everything()
    assert {f"{name}/labels/current/three.parquet" for name in HOLDERS} < set(before)
    again = world.run(JUNE)
    assert again.rfm == june.rfm
    assert world.everything() == before
    for name in HOLDERS:
        folder = world.workspace.holder(name)
        for run in RunFolder(folder.state / "runs").runs():
            assert quiet_node(folder).label(run)
    assert world.everything() == before


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from clients.answering.folder import HolderFolder
from clients.analyses.rfm import labels as rows
from clients.labels import day_rows
day_rows.BLOCK = 100
blocks, seen = rows.LabelRows.blocks, []
def dying(*arguments, wide=False, **options):
    for block in blocks(*arguments, wide=wide, **options):
        yield block
        seen.append(wide)
        if seen.count(True) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
rows.LabelRows.blocks = dying
HolderFolder(Path({folder!r})).node().label({run!r})
"""


def test_a_crash_in_the_middle_of_writing_leaves_the_old_labels(world, june, monkeypatch):
    """First the server ends the connection after the second block of 100 rows, then the process is killed there."""
    tables = [TABLES["berlin"], *(TABLES["berlin"] + part for part in ("_by_source_id", "_history", "_spellings"))]

    def there() -> list[list[tuple[Any, ...]]]:
        return [world.query(f"SELECT t::text FROM {table} AS t ORDER BY 1") for table in tables]

    old = there()
    blocks, seen = label_rows.LabelRows.blocks, []

    def cut_off(self: Any, *arguments: Any, wide: bool = False, **options: Any) -> Iterator[Any]:
        for block in blocks(self, *arguments, wide=wide, **options):
            yield block
            at_berlin = (int(block.column("customer_id")[0].as_py()) - FIRST) % 3 == HOLDERS.index("berlin")
            if wide and at_berlin:
                seen.append(len(block))
                if len(seen) == 2:
                    world.query(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks "
                        f"WHERE relation = '{TABLES['berlin']}_as_of'::regclass AND mode = 'ShareRowExclusiveLock'"
                    )

    monkeypatch.setattr(day_rows, "BLOCK", 100)
    monkeypatch.setattr(label_rows.LabelRows, "blocks", cut_off)
    result = world.run(JULY)
    monkeypatch.undo()
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    assert result.participants == HOLDERS, "the study itself has ended well"
    assert seen[:2] == [100, 100]
    assert there() == old
    folder = world.workspace.holder("berlin")
    run = RunFolder(folder.state / "runs").runs()[-1]
    assert RunFolder(folder.state / "runs").study(run).as_of == JULY
    script = KILLED.format(root=str(Path(__file__).parents[1]), folder=str(folder.root), run=run)
    died = subprocess.run([sys.executable, "-c", script], check=False, timeout=120, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    wait_until_nobody_writes(world)
    assert there() == old
    assert world.query(f"SELECT DISTINCT as_of FROM {TABLES['berlin']}") == [(JUNE,)]
    quiet_node(folder).label(run)
    check_labels(world, result, JULY)
    assert set(old[2]) <= set(there()[2]), "June's stay in the history"


def wait_until_nobody_writes(world: World) -> None:
    """A killed client's transaction ends when the server notices."""
    for _ in range(100):
        if world.query("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cohortium'") == [(0,)]:
            return
        time.sleep(0.1)
    raise AssertionError("a killed writer's connection is still there")
