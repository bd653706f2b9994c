"""Names of columns: what a file's header says, and whether every file has what ``holder.toml`` maps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Signs that nobody sees.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")


@dataclass(frozen=True)
class Header:
    """The columns of one file.

    Attributes:
        file: its name, for messages.
        names: one for each column, all different even where case is ignored.
        missing, twice: what is mapped (``columns.amount``) and not there, or there more than once.
    """

    file: str
    names: tuple[str, ...]
    missing: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()


def clean_names(fields: Iterable[str]) -> tuple[str, ...]:
    """Names without blanks around them and without invisible signs; ``column_3`` where the third is empty."""
    trimmed = (_INVISIBLE.sub("", field).strip() for field in fields)
    return tuple(name or f"column_{number}" for number, name in enumerate(trimmed, start=1))


def read_header(
    file: str,
    fields: Sequence[str],
    mapped: Mapping[str, str],
    keys: Sequence[str] = (),
    also: Mapping[str, Sequence[str]] | None = None,
) -> Header:
    """Name a file's columns.

    A mapped name means the column that is called exactly so, else the one that differs in case only.

    Args:
        file: for messages.
        fields: what the header says.
        mapped: names of columns by what they are mapped as.
        keys: columns that the file's path gives.
        also: other names of mapped columns, by what they are mapped as; taken where the file has not the first one.
    """
    names = clean_names(fields)
    numbered = unique_names(fields)
    given: dict[int, str] = {}
    missing, twice = [], []
    for role, name in mapped.items():
        at = [place for place, found in enumerate(names) if found == name]
        at = at or [place for place, found in enumerate(names) if found.lower() == name.lower()]
        at = at or [place for place, found in enumerate(numbered) if name in (found, first_of(found, names))]
        for other in (also or {}).get(role, ()):
            at = at or [place for place, found in enumerate(names) if found == other]
        in_path = name in keys
        if len(at) + in_path > 1:
            twice.append(role)
        elif at:
            given[at[0]] = name
        elif not in_path:
            missing.append(role)
    return Header(file, _different(names, given, keys), tuple(missing), tuple(twice))


def first_of(name: str, names: Sequence[str]) -> str | None:
    """``Amount_0``: how the first of several columns of one name is named without doubt; None where it is alone."""
    alike = [other for other in names if other.lower() == name.lower()]
    return f"{name}_0" if len(alike) > 1 and alike[0] == name else None


def unique_names(fields: Iterable[str]) -> tuple[str, ...]:
    """Names of all columns where nothing is mapped yet."""
    return _different(clean_names(fields), {}, ())


def _different(names: Sequence[str], given: Mapping[int, str], keys: Iterable[str]) -> tuple[str, ...]:
    """``Amount``, ``Amount_1``: mapped columns keep their names; databases do not tell upper and lower case."""
    taken = {name.lower() for name in (*given.values(), *keys)}
    before: Counter[str] = Counter()
    found = []
    for place, name in enumerate(names):
        number = before[name.lower()]
        before[name.lower()] += 1
        free = given.get(place) or (f"{name}_{number}" if number else name)
        while place not in given and free.lower() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.lower())
        found.append(free)
    return tuple(found)


def complaints(headers: Sequence[Header], mapped: Mapping[str, str]) -> list[str]:
    """One sentence for every mapped column that a file lacks or names twice. Nothing of what the files say."""
    sentences = []
    for role, name in mapped.items():
        for files, says in (
            ([header.file for header in headers if role in header.missing], "no column"),
            ([header.file for header in headers if role in header.twice], "more than one column"),
        ):
            if files:
                others = f" ({len(files)} of {len(headers)} files)" if len(headers) > 1 else ""
                setting = role if "." in role else f"columns.{role}"
                sentences.append(f"{setting}: {files[0]} has {says} {name!r}{others}")
    return sentences


def path_keys(paths: Sequence[Path]) -> tuple[str, ...]:
    """Columns that folders give, as ``store`` in ``store=berlin/sales.csv``, if all files have the same ones."""
    found = {tuple(dict.fromkeys(part.partition("=")[0] for part in path_parts(path))) for path in paths}
    return found.pop() if len(found) == 1 else ()


def path_parts(path: Path) -> list[str]:
    """The folders of a path that state a column's value."""
    return [part for part in path.absolute().parent.parts if re.fullmatch("[^=]+=[^=]*", part)]
