"""Where a source is: what a URL of ``holder.toml`` names, and the files behind it."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from urllib.parse import unquote

from privacy.errors import DataError

_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".csv.gz": "csv",
    ".duckdb": "duckdb", ".ddb": "duckdb", ".db": "duckdb",
}  # fmt: skip
_URL = re.compile(r"^([a-z][a-z0-9+.]*)://(.*)$", re.DOTALL)


def resolve(base: Path, location: str) -> Path:
    """A path of ``holder.toml``: as it is when absolute, else from the folder of that file."""
    return base / Path(location).expanduser()


def split(url: str) -> tuple[str, str]:
    """The scheme of a URL, told from a file's name where none is given, and what follows it.

    Raises:
        DataError: if there is no scheme and the name does not tell.
    """
    match = _URL.match(url)
    scheme, location = (match[1], match[2]) if match else ("", url)
    if scheme == "file":
        scheme, location = "", unquote(location)
    if scheme:
        return scheme, location
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if location.lower().endswith(suffix):
            return _SUFFIXES[suffix], location
    raise DataError(
        f"cannot tell what {location} is from its name",
        hint="write parquet://, csv:// or duckdb:// before the path",
    )


def files(base: Path, location: str) -> list[Path]:
    """The files that a path or pattern names, in the order of their names.

    Raises:
        DataError: if there is none.
    """
    path = resolve(base, location)
    found = [Path(name) for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]
    if not found:
        hint = "add a pattern such as /*.parquet" if path.is_dir() else "check source.url in holder.toml"
        raise DataError(f"there is no file at {path}", hint=hint)
    return found


def csv_files(url: str, *, base: Path) -> list[Path] | None:
    """The files behind a URL of CSV files; None where it is something else.

    Raises:
        DataError: if there are none.
    """
    scheme, location = split(url)
    return files(base, location) if scheme == "csv" else None


def shown(path: Path, base: Path) -> str:
    """A file's name for messages: as seen from the folder of ``holder.toml`` where it is inside."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def literal(path: Path) -> str:
    """A path as DuckDB takes it: absolute, and no pattern whatever signs are in it."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
