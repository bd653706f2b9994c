"""Damages of a CSV file that somebody could notice, drawn by a seed: what the others say must stay, or be told."""

from __future__ import annotations

import random
from collections.abc import Callable

from shop_kit import PLAIN, shop

#: Stands in damaged fields; must be in no text that anybody is shown.
PLANTED = "PLANTED"
_PLACES = {"Order Date": 1, "Quantity": 4, "Unit Price": 5}


def _field(lines: list[bytes], draw: random.Random) -> None:
    """Text where a number or a time belongs."""
    line = draw.randrange(1, len(lines))
    fields = lines[line].split(b",")
    place = draw.choice(list(_PLACES.values()))
    if place < len(fields):
        fields[place] = draw.choice([b"PLANTED", b"12PLANTED", b"PLANTED 2024", b"1.2.3.PLANTED", b"20PLANTED-01-01"])
    lines[line] = b",".join(fields)


def _quote(lines: list[bytes], draw: random.Random) -> None:
    line, sign = draw.randrange(1, len(lines)), draw.choice([b'"', b'""', b'"PLANTED,', b',"'])
    at = draw.randrange(len(lines[line]) + 1)
    lines[line] = lines[line][:at] + sign + lines[line][at:]


def _separator(lines: list[bytes], draw: random.Random) -> None:
    line = draw.randrange(1, len(lines))
    lines[line] = draw.choice([lines[line] + b",PLANTED", lines[line].replace(b",", b";"), b"PLANTED," + lines[line]])


def _bytes(lines: list[bytes], draw: random.Random) -> None:
    line = draw.randrange(1, len(lines))
    lines[line] += draw.choice([b"\xff\xfePLANTED", b"\x00", b"\xc3", b"\rPLANTED", b"\xe4\xf6PLANTED"])


def _repeat(lines: list[bytes], draw: random.Random) -> None:
    lines.insert(draw.randrange(1, len(lines)), lines[0])


def _empty(lines: list[bytes], draw: random.Random) -> None:
    lines.insert(
        draw.randrange(1, len(lines)), draw.choice([b"", b",,,,,", b"PLANTED", b"#PLANTED", b"-- PLANTED --,,,,,"])
    )


def _spelled(lines: list[bytes], draw: random.Random) -> None:
    """Numbers or days of a part of the lines written otherwise."""
    begin = draw.randrange(1, len(lines))
    for line in range(begin, min(begin + draw.randrange(1, 40), len(lines))):
        fields = lines[line].split(b",")
        if len(fields) == 6:
            way = draw.randrange(3)
            fields[5] = b"$" + fields[5] if way == 0 else fields[5]
            fields[5] = b'"' + fields[5].replace(b".", b",") + b'"' if way == 1 else fields[5]
            fields[1] = b"/".join(fields[1].split(b"-")) if way == 2 else fields[1]
        lines[line] = b",".join(fields)


def _sign(lines: list[bytes], draw: random.Random) -> None:
    """A sign within an id that does not belong there."""
    line, place = draw.randrange(1, len(lines)), draw.choice([0, 2])
    fields = lines[line].split(b",")
    if len(fields) == 6:
        at = draw.randrange(1, len(fields[place]) + 1)
        sign = draw.choice(["\u200b", "\u00a0", "\t", ";", "\ufffd", "\u00e9", "\uff11", "'"]).encode()
        fields[place] = fields[place][:at] + sign + fields[place][at:]
    lines[line] = b",".join(fields)


def _glued(lines: list[bytes], draw: random.Random) -> None:
    """A line end is lost, or there is one too many."""
    line = draw.randrange(1, len(lines) - 1)
    if draw.random() < 0.5:
        lines[line : line + 2] = [lines[line] + lines[line + 1]]
    else:
        at = draw.randrange(len(lines[line]) + 1)
        lines[line : line + 1] = [lines[line][:at], lines[line][at:]]


def _recoded(lines: list[bytes], draw: random.Random) -> None:
    """Lines from there on are in another encoding."""
    line, encoding = draw.randrange(1, len(lines)), draw.choice(["utf-16-le", "utf-16", "utf-32", "cp037"])
    for at in range(line, min(line + draw.randrange(1, 10), len(lines))):
        lines[at] = lines[at].decode(errors="replace").encode(encoding, errors="replace")


DAMAGES: tuple[Callable[[list[bytes], random.Random], None], ...] = (
    _field, _quote, _separator, _bytes, _repeat, _empty, _spelled, _sign, _glued, _recoded,
)  # fmt: skip


def damaged(seed: int, *, orders: int = 60) -> bytes:
    """The shop's file with one to three damages."""
    draw = random.Random(seed)
    rows = [",".join(str(way(line)) for way in PLAIN.values()) for line in shop(orders=orders)]
    lines = [line.encode() for line in (",".join(PLAIN), *rows)]
    for _ in range(draw.randrange(1, 4)):
        draw.choice(DAMAGES)(lines, draw)
    text = b"".join(line + draw.choice([b"\n", b"\n", b"\r\n"]) for line in lines)
    return text if draw.random() < 0.8 else b"\xef\xbb\xbf" + text
