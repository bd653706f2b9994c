"""Packed files, known by their first bytes and not by their names, and files inside zip archives.

A file inside an archive has a path as well, ``export.zip/2024/sales.csv``, as if the archive were a folder: so it is
named in messages, and so a pattern of ``holder.toml`` names it.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from clients.data.scratch import check_room, new_copy
from privacy.errors import DataError

#: How a packed file begins; the names are DuckDB's where it can unpack such files itself.
_MARKS = (
    ("gzip", re.compile(rb"\x1f\x8b")),
    ("zstd", re.compile(rb"\x28\xb5\x2f\xfd")),
    ("bz2", re.compile(rb"BZh[1-9]1AY&SY")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("zip", re.compile(rb"PK\x03\x04|PK\x05\x06")),
)
#: Packings that DuckDB reads where they are.
READ_IN_PLACE = ("none", "gzip", "zstd")
#: Endings of names that say how a file is packed, and nothing of what is in it.
SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
#: Members that make a zip archive a spreadsheet.
_WORKBOOK = ("[Content_Types].xml", "mimetype")
#: What unpacking raises where a file is damaged or cut off.
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile, pa.ArrowException)
_BLOCK = 8 << 20


def packing(path: Path) -> str:
    """How a file is packed: ``none``, ``gzip``, ``zstd``, ``bz2``, ``xz``, or ``zip``, also for one in an archive."""
    if archive_of(path) is not None:
        return "zip"
    with path.open("rb") as file:
        return _told(file.read(16))


def _told(start: bytes) -> str:
    return next((name for name, mark in _MARKS if mark.match(start)), "none")


def archive_of(path: Path) -> Path | None:
    """The archive that a path leads into; None for a file of its own."""
    if path.exists():
        return None
    return next((parent for parent in path.parents if parent.is_file()), None)


@contextmanager
def unpacked(path: Path, *, keep_zip: bool = False) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked, as a stream.

    Args:
        path: of the file.
        keep_zip: whether a zip archive is what is wanted, as spreadsheets are.

    Raises:
        OSError, or one of ``DAMAGED``: if it cannot be read, or its packing is damaged.
        DataError: if it is in an archive that cannot be opened without a password.
    """
    archive = archive_of(path)
    if archive is None:
        with path.open("rb") as file, _without_packing(file, keep_zip) as plain:
            yield plain
        return
    with zipfile.ZipFile(archive) as opened:
        name = path.relative_to(archive).as_posix()
        try:
            member = opened.open(name)
        except (RuntimeError, NotImplementedError):
            raise DataError(
                f"{path.name} in {archive.name} needs a password, or is packed in an unusual way",
                hint="unpack the archive, for your user only, and name what was in it",
            ) from None
        with member, _without_packing(member, keep_zip) as plain:  # type: ignore[arg-type]
            yield plain


def on_disk(path: Path, folder: Path | None) -> Path:
    """A file that can be read where it is: itself, or, if it is packed, an unpacked copy below ``folder``.

    Raises:
        DataError: if it is damaged, or there is no room for a copy.
    """
    if packing(path) == "none":
        return path
    target = None if folder is None else folder.joinpath(*path.absolute().parts[1:])
    with readable(path.name), unpacked(path) as file, new_copy(target) as copy:
        while block := file.read(_BLOCK):
            check_room(copy)
            copy.write(block)
    return path if target is None else target


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Around reading a file, packed or not.

    Raises:
        DataError: that the file of this name cannot be read, or is damaged.
    """
    try:
        yield
    except (OSError, *DAMAGED) as problem:
        why = problem.strerror if isinstance(problem, OSError) else None
        if why is None:  # what unpacking says of bytes, whatever its type
            raise DataError(f"{name} is damaged or cut off", hint="export it again") from None
        raise DataError(
            f"{name} cannot be read or copied ({why})",
            hint="may this user read it, and is the disk full? make room, or export it again",
        ) from None


@contextmanager
def _without_packing(file: BinaryIO, keep_zip: bool) -> Iterator[BinaryIO]:
    how = _told(file.read(16))
    file.seek(0)
    if how == "none" or (how == "zip" and keep_zip):
        yield file
    elif how == "zstd":
        with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as plain:
            yield plain
    elif how == "zip":
        raise zipfile.BadZipFile("an archive in an archive, or what is no archive of files")
    else:
        opener: Any = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}[how]
        with opener(file) as plain:
            yield plain


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive of files, and no spreadsheet."""
    return path.is_file() and packing(path) == "zip" and not is_workbook(path)


def is_workbook(path: Path) -> bool:
    """Whether a file is a spreadsheet that is packed as a zip archive, whatever its name."""
    if packing(path) != "zip":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return not set(_WORKBOOK).isdisjoint(archive.namelist())
    except zipfile.BadZipFile:
        return False


def members(archive: Path) -> tuple[Path, ...]:
    """The files in a zip archive, by name; hidden ones, empty ones and what macOS adds are none.

    Raises:
        DataError: if it is damaged.
    """
    status = archive.stat()
    return _members(archive, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=64)
def _members(archive: Path, modified: int, size: int) -> tuple[Path, ...]:
    try:
        with zipfile.ZipFile(archive) as opened:
            found = [item for item in opened.infolist() if not item.is_dir() and item.file_size]
    except zipfile.BadZipFile:
        raise DataError(f"{archive.name} is damaged or cut off", hint="export it again") from None
    parts = {item.filename: Path(item.filename).parts for item in found}
    hidden = {name for name, names in parts.items() if any(part.startswith((".", "__MACOSX")) for part in names)}
    return tuple(archive / name for name in sorted(parts) if name not in hidden and ".." not in parts[name])
