"""Where a source is: what a URL of ``holder.toml`` names, and the files behind it."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from urllib.parse import unquote

from clients.data.sources.packing import SUFFIXES, is_archive, is_workbook, members, packing
from privacy.errors import DataError

_KINDS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".duckdb": "duckdb", ".ddb": "duckdb", ".db": "duckdb",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db3": "sqlite",
    ".xlsx": "excel", ".xlsm": "excel", ".xlsb": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip
#: Kinds of which one source may be many files.
_MANY = ("csv", "excel", "jsonl", "parquet")
#: Schemes of URLs whose rest is a path.
PATHS = ("csv", "parquet", "duckdb", "excel", "jsonl", "sqlite")
#: Files that are no source, by name.
_NO_SOURCE = {
    ".pdf": "a PDF", ".sav": "an SPSS", ".dbf": "a dBASE", ".mdb": "an Access", ".accdb": "an Access",
    ".dta": "a Stata", ".sas7bdat": "a SAS", ".numbers": "a Numbers", ".rds": "an R", ".docx": "a Word",
    ".html": "an HTML", ".xml": "an XML",
}  # fmt: skip
_NO_ARCHIVE = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
#: How files begin: bytes, where they stand, and the kind.
_MARKS = (
    (b"PAR1", 0, "parquet"),
    (b"DUCK", 8, "duckdb"),
    (b"SQLite format 3\0", 0, "sqlite"),
    (b"\xd0\xcf\x11\xe0", 0, "excel"),
)
_URL = re.compile(r"^([a-z][a-z0-9+.]*)://(.*)$", re.DOTALL)


def resolve(base: Path, location: str) -> Path:
    """A path of ``holder.toml``: as it is when absolute, else from the folder of that file."""
    return base / Path(location).expanduser()


#: Where a path in ``holder.toml`` begins.
WHERE = 'write where it is, seen from the folder of holder.toml, under [source]: url = "sales/*.csv"'


def split(url: str, base: Path) -> tuple[str, str]:
    """The scheme of a URL, told from the files that it names where none is given, and what follows it.

    Raises:
        DataError: if there is no scheme, and neither names nor first bytes tell.
    """
    match = _URL.match(url)
    scheme, location = (match[1], match[2]) if match else ("", url)
    if scheme == "file":
        scheme, location = "", unquote(location)
    return (scheme or _told(resolve(base, location), location)), location


def _told(path: Path, location: str) -> str:
    """The kind of a file, or of the files of a folder, an archive or a pattern.

    Raises:
        DataError: if it cannot be told.
    """
    name = location.lower().rstrip("/")
    if name.endswith(_NO_ARCHIVE):
        raise DataError(f"{location} is an archive that is not read here", hint="unpack it, or make a .zip of it")
    for suffix, what in _NO_SOURCE.items():
        if name.endswith(suffix):
            raise DataError(f"{location} is {what} file", hint="export it as CSV or Parquet")
    if path.is_file() and (kind := _by_bytes(path)):
        return kind
    kind = kind_of(name)
    if kind == "excel" and path.is_file() and packing(path) == "none":
        raise DataError(
            f"{location} is called a spreadsheet and is none",
            hint=f"if it is text, write csv://{location}; else save it anew",
        )
    if kind:
        return kind
    kinds = Counter(kind_of(found.name) for found in _inside(path))
    known = sorted(kind for kind in kinds if kind in _MANY)
    if len(known) == 1:
        return known[0]
    if known:
        counted = " and ".join(f"{kinds[kind]} of {kind}" for kind in known)
        raise DataError(f"{location} has {counted}", hint=f'name one kind under [source]: url = "{location}/*.csv"')
    schemes = ", ".join(f"{scheme}://" for scheme in PATHS)
    raise DataError(
        f"cannot tell what {location} is from its name",
        hint=f"write one of these before it, in url under [source]: {schemes}",
    )


def kind_of(name: str) -> str:
    """The kind that a file's name states, whatever it is packed with; empty if none."""
    name = name.lower()
    plain = next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)
    return _KINDS.get(PurePath(plain).suffix, "")


def _by_bytes(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(64)
    found = next((kind for mark, place, kind in _MARKS if start[place : place + len(mark)] == mark), "")
    return found or ("excel" if is_workbook(path) else "")


def files(base: Path, location: str, kind: str) -> list[Path]:
    """The files of a kind that a path, a folder, a zip archive or a pattern names, in the order of their names.

    A pattern may go on inside of archives: ``export/*.zip/sales-*.csv``. Of a folder or an archive that is named as a
    whole, every file whose name is of the kind is taken.

    Raises:
        DataError: if there is none.
    """
    path = resolve(base, location)
    found: list[Path] = []
    for one in _matching(path) or _matching_members(path):
        if one.is_dir() or (one.is_file() and is_archive(one)):
            found += (item for item in _inside(one) if kind_of(item.name) == kind)
        else:
            _check_no_workbook(one, kind, base)
            found.append(one)
    if not found:
        hint = "add a pattern such as /*.csv to url under [source]" if path.is_dir() else WHERE
        raise DataError(f"there is no file at {path}", hint=hint)
    return found


def _check_no_workbook(path: Path, kind: str, base: Path) -> None:
    if kind == "csv" and path.is_file() and is_workbook(path):
        raise DataError(
            f"{shown(path, base)} is a spreadsheet and no CSV file, whatever its name",
            hint='write excel:// before its path: url = "excel://..." under [source]',
        )


def _matching(path: Path) -> list[Path]:
    """What is there at a path or pattern; a folder only if the path is no pattern."""
    if path.exists():
        return [path]
    return [Path(name) for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]


def _matching_members(path: Path) -> list[Path]:
    """The same where the pattern goes on inside of zip archives."""
    for parent in reversed(path.parents):
        if parent.suffix.lower() == ".zip":
            archives = [found for found in _matching(parent) if found.is_file() and is_archive(found)]
            inner = path.relative_to(parent).as_posix()
            return [
                member
                for archive in archives
                for member in members(archive)
                if fnmatch.fnmatchcase(member.relative_to(archive).as_posix(), inner)
            ]
    return []


def _inside(path: Path) -> Iterable[Path]:
    """The files of a folder, those of its folders among them, of an archive, or behind a pattern; no hidden ones."""
    if path.is_file() and is_archive(path):
        return members(path)
    if not path.is_dir():
        return [
            member for found in _matching(path) for member in ([found] if not is_archive(found) else members(found))
        ]
    hidden = (".", "_")  # as of Spark's folders
    inside = (found for found in sorted(path.rglob("*")) if found.is_file())
    return [one for one in inside if not any(part.startswith(hidden) for part in one.relative_to(path).parts)]


def csv_files(url: str, *, base: Path) -> list[Path] | None:
    """The files behind a URL of CSV files; None where it is something else.

    Raises:
        DataError: if there are none.
    """
    scheme, location = split(url, base)
    return files(base, location, "csv") if scheme == "csv" else None


def shown(path: Path, base: Path) -> str:
    """A file's name for messages: as seen from the folder of ``holder.toml`` where it is inside."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def literal(path: Path) -> str:
    """A path as DuckDB takes it: absolute, and no pattern whatever signs are in it."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
