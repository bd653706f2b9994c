"""The holder's scratch folder: copies of a source, and rows that do not fit in memory, while they are needed.

They stay in the holder's own state and not in a folder for everybody's temporary files, so that they lie where backups
and disk encryption of the holder's data are decided. A folder is locked by the process that uses it: what a killed
process left has no lock, and is removed when a node starts or the next source is opened.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from privacy.errors import DataError

_NAME = "scratch"
#: What copies leave free of a disk, in bytes: other programs, the ledger among them, write to it as well.
_ROOM = 256 << 20


@contextlib.contextmanager
def scratch_folder(state: Path) -> Iterator[Path | None]:
    """An empty folder of the owner's own under ``state/scratch``, removed on leaving the ``with`` block.

    None where ``state`` cannot be written, as for somebody who only looks at a source: nothing can be copied then.
    """
    empty_scratch(state)
    is_new = not state.exists()
    try:
        folder, lock = _make(state / _NAME)
    except OSError:
        yield None
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        with contextlib.suppress(OSError):  # not empty: somebody else's are there
            folder.parent.rmdir()
            if is_new:  # nothing stays beside a holder.toml that is in no holder's folder
                state.rmdir()


def new_copy(target: Path | None) -> BinaryIO:
    """A new file in the scratch folder, and its folders.

    Args:
        target: where; None where there is no scratch folder.

    Raises:
        DataError: if there is none.
    """
    if target is None:
        raise DataError(
            "the files need to be copied, and the folder state beside holder.toml cannot be written",
            hint="make it, for your user only; or export UTF-8 with one kind of line end, without bad lines",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("xb")


def check_room(copy: IO[Any]) -> None:
    """Whether a copy may grow by a few megabytes.

    Raises:
        DataError: if the disk is nearly full.
    """
    found = os.fstatvfs(copy.fileno())
    if found.f_bavail * found.f_frsize < _ROOM:
        raise DataError(
            f"copying the source would leave less than {_ROOM >> 20} MiB of the disk free",
            hint="make room where the folder state beside holder.toml is, or export fewer rows",
        )


def empty_scratch(state: Path) -> None:
    """Remove what killed processes left; folders that a running process uses stay."""
    root = state / _NAME
    for path in root.iterdir() if root.is_dir() else ():
        try:
            lock = _lock(path)
        except OSError:  # in use, or gone meanwhile
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        os.close(lock)


def _make(root: Path) -> tuple[Path, int]:
    """A new folder and its lock; tried again where another process removes an empty parent or the folder meanwhile."""
    for attempt in range(10):
        try:
            for parent in (root.parent, root):
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=root))  # mode 0700
            lock = _lock(folder)
        except (FileNotFoundError, BlockingIOError):
            if attempt == 9:
                raise
            continue
        if folder.is_dir():
            return folder, lock
        os.close(lock)
    raise FileNotFoundError(root)


def _lock(path: Path) -> int:
    """A descriptor that holds the lock on a path; closed, or the process ended, the lock is free.

    Raises:
        BlockingIOError: if another descriptor holds it.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
