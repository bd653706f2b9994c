"""Cells of an ``.xlsx`` sheet that show no value: errors, and formulas that nobody has computed.

The library that reads spreadsheets gives both as empty cells; here they are counted, from the sheet's XML.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

_BLOCK = 4 << 20
_CELL = re.compile(rb"<(?:\w+:)?c\s([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_PLACE = re.compile(rb'\br="([A-Z]{1,3})[0-9]+"')
_IS_ERROR = re.compile(rb'\bt="e"')
_FORMULA, _VALUE = re.compile(rb"<(?:\w+:)?f[\s/>]"), re.compile(rb"<(?:\w+:)?v>[^<]")
_END = re.compile(rb"</(?:\w+:)?row>")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def sheet_faults(raw: bytes, sheet: str) -> Counter[tuple[str, int]]:
    """How many cells show no value, by what they are and by the number of their column, from 0.

    Args:
        raw: the file. Nothing is counted in files of other programs than those that write ``.xlsx``.
        sheet: its sheet.
    """
    found: Counter[tuple[str, int]] = Counter()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            part = _part(archive, sheet)
            for block in _rows(archive, part) if part else ():
                if b'"e"' in block or _FORMULA.search(block):
                    found.update(_faults(block))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError):
        return Counter()
    return found


def _part(archive: zipfile.ZipFile, sheet: str) -> str:
    """The file of a sheet; empty where the archive is no workbook of this form."""
    if "xl/workbook.xml" not in archive.namelist():
        return ""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {item.get("Id"): item.get("Target", "") for item in links}
    for item in book.iter():
        if item.tag.endswith("}sheet") and item.get("name") == sheet:
            target = targets.get(item.get(_RELATION), "")
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return ""


def _rows(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """Blocks of whole rows."""
    rest = b""
    with archive.open(part) as file:
        while chunk := file.read(_BLOCK):
            block = rest + chunk
            ends = [match.end() for match in _END.finditer(block)]
            cut = ends[-1] if ends else 0
            rest = block[cut:]
            yield block[:cut]


def _faults(block: bytes) -> Iterator[tuple[str, int]]:
    for match in _CELL.finditer(block):
        attributes, inside = match[1], match[2] or b""
        place = _PLACE.search(attributes)
        if place is None:
            continue
        if _IS_ERROR.search(attributes):
            yield "errors such as #N/A", _column(place[1])
        elif _FORMULA.search(inside) and not _VALUE.search(inside):
            yield "formulas without a value", _column(place[1])


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
