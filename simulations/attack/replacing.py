"""Changing the running code for a while, to plant a fault: for the audit of this installation, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

#: Enters with a fault in place, leaves with the code as it was.
Planting = Callable[[], AbstractContextManager[None]]


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """``owner.name`` is ``value`` inside."""
    real = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, real)


@contextmanager
def quiet_nodes() -> Iterator[None]:
    """Nodes refuse here what they should, and say so to nobody."""
    log = logging.getLogger("cohortium.holder")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
