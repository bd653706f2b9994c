"""What must be set before anything else is imported; ``conftest`` imports this before all that is not Python's own.

One thread for each worker, and for the processes it starts, read when libraries of numbers are loaded: the arrays of
tests are small, and threads of several workers that wait for each other on the same cores take many times as long.

Some machines tell Python to keep no bytecode; a run would then compile the tests once for every worker, and the product
for every process.
"""

from __future__ import annotations

import os
import sys

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
