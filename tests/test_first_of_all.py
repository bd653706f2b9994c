"""What ``first_of_all`` sets is set before libraries read it."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest


def test_libraries_of_numbers_have_the_threads_that_were_set() -> None:
    """One that was loaded before has a thread for each core, and workers then wait for each other's."""
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="threadpoolctl comes with scikit-learn")
    assert np.ones((2, 2)).sum() == 4
    found = {one["num_threads"] for one in threadpoolctl.threadpool_info() if one["internal_api"] == "openblas"}
    assert found <= {int(os.environ["OPENBLAS_NUM_THREADS"])}


def test_bytecode_is_kept() -> None:
    assert not sys.dont_write_bytecode
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
