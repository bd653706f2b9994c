"""Files that only their owner may read: the one writer for everything private that is kept on disk.

A reader sees the old file or the new one, never half; what a killed process leaves is a hidden file beside it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def private_file(path: Path) -> Iterator[Path]:
    """A temporary file, to be filled in the ``with`` block, that then takes the place of ``path``.

    It is readable by its owner only from its first byte, and on the disk before it takes the place. Where the block
    fails, ``path`` stays as it was and nothing is left. Folders that are missing are made; the innermost of them is
    the owner's alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp: mode 0600
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)  # so that the new name, too, outlives a power cut


def write_private(path: Path, data: bytes) -> None:
    """Write a file through :func:`private_file`."""
    with private_file(path) as temporary:
        temporary.write_bytes(data)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
