"""Spreadsheets as a source: ``.xlsx``, ``.xlsm``, ``.xlsb``, ``.xls`` and ``.ods``, one sheet of each file.

A sheet's line of names is the first that has all mapped columns; what stands above, such as a title, is passed over.
"""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import python_calamine as calamine

from clients.data.place import Reading
from clients.data.sources.cells import Copies, text_of
from clients.data.sources.embedded import embedded
from clients.data.sources.header import Header, clean_names, complaints, path_keys, read_header
from clients.data.sources.locations import files, shown
from clients.data.sources.opened import ColumnsMissing, FileLines, Notice, Opened, read_as
from clients.data.sources.packing import readable, unpacked
from clients.data.sources.sheet_faults import sheet_faults
from privacy.errors import DataError

#: Rows in which a line of names is looked for.
_TOP = 50
#: Numbers from here on have more digits than a spreadsheet keeps.
_LONG = 1e15


@dataclass(frozen=True)
class _Book:
    """A file of sheets.

    Attributes:
        name: for messages.
        path: the file.
        raw: its bytes.
        visible, hidden: names of sheets that hold something, in their order.
        opened: by the library.
    """

    name: str
    path: Path
    raw: bytes
    visible: tuple[str, ...]
    hidden: tuple[str, ...]
    opened: Any

    @property
    def choices(self) -> str:
        """Its sheets in words."""
        hidden = f" (hidden: {', '.join(self.hidden)})" if self.hidden else ""
        return f"{', '.join(self.visible)}{hidden}"


@contextlib.contextmanager
def open_excel(config: Reading, location: str, base: Path, mapped: Mapping[str, str]) -> Iterator[Opened]:
    """Open one sheet of each file as one table, columns by name, all as text.

    Raises:
        ColumnsMissing: if a sheet lacks a mapped column, or names it twice.
        DataError: if there is no file or no such sheet, several could be meant, or a file cannot be read.
    """
    paths = files(base, location, "excel")
    keys = path_keys(paths)
    headers: list[Header] = []
    lines: list[FileLines] = []
    notices: list[Notice] = []
    with embedded(config, base) as (connection, scratch):
        copies = Copies(config, scratch, paths)
        for path in paths:
            book = _book(path, base)
            sheet = _sheet(book, config.source.table)
            name = f"{book.name}, sheet {sheet}"
            with _telling(book.name):
                rows = book.opened.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
            if not rows:
                raise DataError(f"{name} is empty", hint='name another sheet under [source]: table = "..."')
            at = _line_of_names(rows, mapped)
            header = read_header(name, [text_of(cell) or "" for cell in rows[at]], mapped, keys)
            headers.append(header)
            if complaints(headers, mapped):
                continue
            filled = [row for row in rows[at + 1 :] if any(cell != "" for cell in row)]
            copies.write(header.names, filled, of=path)
            lines.append(FileLines(file=name, before=at, rows=len(filled), blank=len(rows) - at - 1 - len(filled)))
            notices += _notices(book, sheet, header, filled, config)
        if wrong := complaints(headers, mapped):
            raise ColumnsMissing(wrong, complaints(headers, mapped, for_screen=True))
        yield read_as(copies.raw(connection), copies.spelled, files=lines, notices=notices)


def list_sheets(location: str, base: Path) -> tuple[str, ...] | None:
    """The visible sheets that hold something; None where no file has several, so that none has to be named.

    Raises:
        DataError: if a file cannot be read.
    """
    found = [_book(path, base).visible for path in files(base, location, "excel")]
    names = tuple(dict.fromkeys(name for names in found for name in names))
    return names if any(len(some) > 1 for some in found) else None


def _book(path: Path, base: Path) -> _Book:
    name = shown(path, base)
    with readable(name), unpacked(path, keep_zip=True) as file:
        raw = file.read()
    with _telling(name):
        opened = calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        sheets = [
            (item.name, item.visible == calamine.SheetVisibleEnum.Visible)
            for item in opened.sheets_metadata
            if item.typ == calamine.SheetTypeEnum.WorkSheet and opened.get_sheet_by_name(item.name).height
        ]
    visible = tuple(sheet for sheet, is_visible in sheets if is_visible)
    hidden = tuple(sheet for sheet, is_visible in sheets if not is_visible)
    return _Book(name, path, raw, visible, hidden, opened)


@contextlib.contextmanager
def _telling(name: str) -> Iterator[None]:
    try:
        yield
    except calamine.PasswordError:
        raise DataError(f"{name} needs a password", hint="save a copy without one, for your user only") from None
    except calamine.CalamineError:  # its text may quote what stands in the file
        raise DataError(
            f"{name} cannot be read as a spreadsheet", hint="open it and save it again, as .xlsx or as CSV"
        ) from None


def _sheet(book: _Book, wanted: str | None) -> str:
    """Which sheet is meant.

    Raises:
        DataError: if there is none, or there are several and none is named.
    """
    if wanted is not None:
        if wanted in (*book.visible, *book.hidden):
            return wanted
        raise DataError(
            f"{book.name} has no sheet {wanted!r} that holds something",
            hint=f'write table = "..." under [source]; there is: {book.choices}',
        )
    if len(book.visible) == 1:
        return book.visible[0]
    if not book.visible:
        raise DataError(f"{book.name} has no visible sheet that holds something: {book.choices}", hint="export again")
    raise DataError(f"{book.name} has several sheets: {book.choices}", hint='name one under [source]: table = "..."')


def _line_of_names(rows: Sequence[Sequence[object]], mapped: Mapping[str, str]) -> int:
    """Where the line of names is: the first with most of the mapped columns; else the first wide line of text."""
    top = [clean_names(text_of(cell) or "" for cell in row) for row in rows[:_TOP]]
    if mapped:
        wanted = {name.lower() for name in mapped.values()}
        found = [len(wanted & {name.lower() for name in names}) for names in top]
        if max(found):
            return found.index(max(found))
    filled = [sum(cell != "" for cell in row) for row in rows[:_TOP]]
    for number, row in enumerate(rows[:_TOP]):
        if filled[number] > max(filled) / 2 and all(isinstance(cell, str) for cell in row):
            return number
    return next(number for number, count in enumerate(filled) if count)


def _notices(
    book: _Book, sheet: str, header: Header, rows: Sequence[Sequence[object]], config: Reading
) -> Iterator[Notice]:
    """What a spreadsheet lost of mapped columns."""
    used = {header.names.index(name): name for name in config.columns.mapped().values() if name in header.names}
    ids = [name for name in config.columns.of_form("id").values() if name in header.names]
    for place in (header.names.index(name) for name in ids):
        cells = (row[place] for row in rows)
        long = sum(isinstance(cell, float) and abs(cell) >= _LONG for cell in cells)
        if long:
            yield Notice(
                code="long_numbers",
                text=f"{header.file}: {long:,} cells of {used[place]!r} are numbers of more than 15 digits, so rounded",
                hint="export that column as text; what was rounded cannot be mended here",
                is_problem=True,
            )
    faults: Counter[tuple[str, int]] = sheet_faults(book.raw, sheet)
    for (what, place), count in sorted(faults.items()):
        if place in used:
            yield Notice(
                code="cells_without_value",
                text=f"{header.file}: {count:,} cells of {used[place]!r} are {what}, and count as empty",
                hint="mend them in the spreadsheet and save it in a program that computes its formulas",
            )
