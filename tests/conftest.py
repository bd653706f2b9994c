"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("COHORTIUM_DATA", default))
    if not folder.is_dir():
        pytest.skip("the public data sets are not here (set COHORTIUM_DATA to their folder)")
    return folder
