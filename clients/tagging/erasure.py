"""What is kept of a person in the history of tags, and how it is taken out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clients.tagging.running import write_all_tags
from clients.tags.config import read_tags
from clients.tags.store import History, path_of


def kept_tags(root: Path) -> pa.Table:
    """All intervals that are kept of customers' tags."""
    return History.load(path_of(root)).table


def forget_tags(root: Path, of: Callable[[pa.Table], pa.ChunkedArray]) -> bool:
    """Take a person out of the history of tags; whether there was anything to take. What was counted stays.

    Args:
        root: the holder's folder.
        of: which rows of a table with ``customer_id`` and ``source_id`` are the person's.
    """
    history = History.load(path_of(root))
    mask = of(history.table)
    if not pc.any(mask).as_py():
        return False
    history.without(mask).save(path_of(root))
    return True


def rewrite_tags(root: Path) -> None:
    """Write the history of tags once more wherever ``labels.toml`` says, as ``tags.toml`` names them now.

    Raises:
        ConfigError: if there is no ``tags.toml``, or it is wrong.
        DataError: if a target failed, after all others were written.
    """
    write_all_tags(root, read_tags(root), History.load(path_of(root)))
