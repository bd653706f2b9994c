"""A run in a process of its own, for benchmarks that compare memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence


def run_child(arguments: Sequence[str]) -> tuple[str, float]:
    """What a Python program prints, and its peak memory in GB.

    Args:
        arguments: the program's file, and its arguments.

    Raises:
        SystemExit: if it fails.
    """
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments[:3])} failed with status {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return output, usage.ru_maxrss * scale / 1e9
