"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutant_guard import no_errors_of_its_own

# One thread for each worker, and for the processes it starts, read when libraries of numbers are loaded: the arrays
# here are small, and threads of several workers that wait for each other on the same cores take many times as long.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COHORTIUM_DATA", default))
    if not folder.is_dir():
        pytest.skip("the public data sets are not here (set COHORTIUM_DATA to their folder)")
    return folder


@pytest.fixture(autouse=True)
def _mutants_die_of_what_they_do(request: pytest.FixtureRequest) -> Iterator[None]:
    """For every test with a ``mutant``: see ``mutant_guard``."""
    if "mutant" not in request.fixturenames:
        yield
        return
    with no_errors_of_its_own():
        yield
