"""Names of columns: what a file's header says, and whether every file has what ``holder.toml`` maps."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Names of a file that are shown.
_SHOWN = 20
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


def complaints(headers: Sequence[Header], mapped: Mapping[str, str], *, for_screen: bool = False) -> list[str]:
    """One sentence for every mapped column that a file lacks or names twice. Nothing of what the files say.

    Args:
        headers: of all files.
        mapped: names of columns by what they are mapped as.
        for_screen: for the holder's own eyes, with the names that a file has instead.
    """
    sentences = []
    for role, name in mapped.items():
        setting = role if "." in role else f"columns.{role}"
        for found, says in (
            ([header for header in headers if role in header.missing], f"has no column {name!r}"),
            ([header for header in headers if role in header.twice], f"has more than one column {name!r}"),
        ):
            if found:
                others = f" ({len(found):,} of {len(headers):,} files)" if len(headers) > 1 else ""
                advice = _advice(name, role, found[0], mapped) if for_screen else ""
                sentences.append(f"{setting}: {found[0].file} {says}{others}{advice}")
    return sentences


def _advice(name: str, role: str, header: Header, mapped: Mapping[str, str]) -> str:
    """What a file has instead; nothing of a file whose first line has none of the names, and may be a row."""
    if role in header.twice:
        return f"; from the left they are {name}_0, {name}_1"
    if len(header.missing) == len(mapped):
        return ""
    lower = {own.lower(): own for own in header.names if own not in mapped.values()}
    near = [lower[item] for item in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    there = near or list(lower.values())[:_SHOWN]
    return f"; it has {', '.join(map(repr, there))}" if there else ""


def path_keys(paths: Sequence[Path]) -> tuple[str, ...]:
    """Columns that folders give, as ``store`` in ``store=berlin/sales.csv``, if all files have the same ones."""
    found = {tuple(dict.fromkeys(part.partition("=")[0] for part in path_parts(path))) for path in paths}
    return found.pop() if len(found) == 1 else ()


def path_parts(path: Path) -> list[str]:
    """The folders of a path that state a column's value."""
    return [part for part in path.absolute().parent.parts if re.fullmatch("[^=]+=[^=]*", part)]
