"""The release of cohortium that is installed."""

from __future__ import annotations

import functools
from importlib import metadata


@functools.cache  # reading what is installed takes 10 ms, and every charge states it
def software_version() -> str:
    """``cohortium 0.1.0``, or ``cohortium (source)`` where the project is run without being installed."""
    try:
        return f"cohortium {metadata.version('cohortium')}"
    except metadata.PackageNotFoundError:
        return "cohortium (source)"
