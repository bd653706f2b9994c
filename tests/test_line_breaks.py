"""``multiline = true``: records over several lines, where no customer's row may swallow another's."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shop_kit import TRUTH, checked, drafted, figures, shop, written

from clients.data.check import preflight
from clients.data.config import HolderConfig
from clients.data.sources import fetch, open_source
from clients.data.sources.joined import EDGES, OPEN, QUOTES, WHOLE, Joiner, NotJoined
from clients.data.sources.lines import Shape, Sieve
from privacy.errors import DataError
from privacy.kernel.canonical import read_toml

NAMES = ["customer", "note", "amount"]


def text_of(rows: list[list[str]], *, end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """Rows as a CSV writer writes them."""
    file = io.StringIO()
    csv.writer(file, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return file.getvalue().encode()


def records(raw: bytes, *, block: int = 1 << 20) -> list[tuple[str, ...]] | str:
    """What counts of the lines after a header of three names, or why the file is refused."""
    lines = [line + b"\n" for line in raw.removesuffix(b"\n").split(b"\n")]
    blocks = [b"".join(lines[at : at + block]) for at in range(0, len(lines), block)]
    shape = Shape(",", len(NAMES))
    joiner, sieve = Joiner(",", (len(NAMES),), before=1), Sieve(shape, before=1)
    try:
        kept = b"".join(sieve.sift(one) for one in joiner.blocks(iter(blocks)))
    except NotJoined as wrong:
        return wrong.why
    found = [shape.fields(line) for line in kept.split(b"\n") if line]
    return [row for row in found if row is not None]


#: What free text of customers may be, with everything that could end or begin a field.
_TEXTS = st.text(alphabet='ab",\n\r ', max_size=12)
_ROWS = st.lists(st.tuples(st.sampled_from(["B1", "B2"]), _TEXTS, st.sampled_from(["1", "", "22"])), max_size=5)
_OWN = st.lists(st.text(alphabet='Va",\n\r ', max_size=10).map(str.encode), min_size=1, max_size=4)


def _pieces(rows: list[tuple[str, str, str]], quoting: int) -> list[bytes]:
    return [text_of([list(row)], quoting=quoting) for row in rows]


@given(rows=_ROWS, own=_OWN, places=st.lists(st.integers(0, 5), min_size=4, max_size=4), everything=st.booleans())
@example(rows=[("B1", "x", "1")], own=[b'V,"a', b'b",1'], places=[0, 1, 0, 0], everything=False)
@example(rows=[("B1", "\nx", "1")], own=[b'V,"a', b'b",1'], places=[0, 1, 0, 0], everything=False)
@example(rows=[("B1", '",', "1")], own=[b'V,"a', b'b",1'], places=[0, 1, 0, 0], everything=True)
@example(rows=[("B1", "", "1")], own=[b'V,"a', b'b",1'], places=[0, 1, 0, 0], everything=True)
@example(rows=[("B1", '"', "")], own=[b'V,"a', b'b",1'], places=[0, 1, 0, 0], everything=True)
def test_whatever_lines_one_customer_adds_the_records_of_others_stay_or_the_file_is_refused(
    rows, own, places, everything
):
    pieces = _pieces(rows, csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL)
    alone = records(b"".join(pieces))
    if isinstance(alone, str):
        return  # it was refused without them
    mixed = list(pieces)
    for line, place in zip(own, places, strict=False):
        mixed.insert(min(place, len(mixed)), line + b"\n")
    together = records(b"".join(mixed))
    if isinstance(together, str):
        return
    assert not Counter(alone) - Counter(together), (pieces, own, places)


@given(rows=_ROWS, everything=st.booleans(), end=st.sampled_from(["\n", "\r\n"]), block=st.integers(1, 4))
def test_what_a_writer_wrote_is_read_or_refused(rows, everything, end, block):
    """The rows are as they were, a blank for a line break; refused is what could be taken for something else."""
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    raw = text_of([list(row) for row in rows], end=end, quoting=quoting)
    found = records(raw, block=block)
    if isinstance(found, str):
        assert found in (EDGES, WHOLE)
        return
    expected = [tuple(re.sub("\r?\n|\r", " ", field) for field in row) for row in rows]
    alone = [row for row, given in zip(expected, rows, strict=True) if "\r" not in given[1] or "\n" in given[1]]
    assert found == (expected if len(found) == len(expected) else alone)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'V,"a\nB,x,1\nb",1\n', WHOLE),
        (b'V,"a\nB,"x",1\n', QUOTES),
        (b'V,a"b,1\n', QUOTES),
        (b'V,"a"b,1\n', QUOTES),
        (b'V, "a",1\n', QUOTES),
        (b'V,"a\nb,1\n', OPEN),
        (b'V,",\n",1\n', EDGES),
        (b'V,"\n",1\n', EDGES),
        (b'V,"' + b"x\n" * (1 << 20), OPEN),
    ],
)
def test_a_file_with_a_quote_out_of_place_is_refused(raw, why):
    assert records(raw) == why


@pytest.mark.parametrize("name", ["note first", "note last", "semicolon", "two files", "fill down"])
def test_line_breaks_inside_quotes_are_found_and_read(tmp_path, name):
    """Every second line has a note of two or three lines."""
    note = {"Note": lambda line: f'ring "twice",\nplease;\n\nthanks {line.order}' if line.sku == "A0" else ""}
    separator = ";" if name == "semicolon" else ","
    columns = dict(note)
    path = tmp_path / "sales.csv"
    if name == "note first":
        columns = {"Order Date": lambda line: f"{line.time:%Y-%m-%d}", **note}
    if name == "two files":
        written(tmp_path / "a.csv", shop()[:40], Note=lambda line: "none")
        written(tmp_path / "b.csv", shop()[40:], **columns)
        path = tmp_path / "*.csv"
    else:
        written(path, separator=separator, **columns)
    report = checked(path)
    assert figures(report) == TRUTH
    assert not report.problems
    config = read_toml(tmp_path / "holder.toml", HolderConfig)
    assert config.source.csv.multiline
    assert "lines go on with the one above inside quotes" in (tmp_path / "holder.toml").read_text(encoding="utf-8")
    continued = 3 * (20 if name == "two files" else 40)
    assert sum(file.continued for file in report.files) == continued
    for file in report.files:
        lines = (tmp_path / file.file).read_text(encoding="utf-8").count("\n")
        assert file.above + file.rows + file.blank + file.continued == lines
    with open_source(config, base=tmp_path) as opened:
        notes = fetch(opened.table.select("Note"), what="reading")["Note"].to_pylist()
    assert 'ring "twice", please;  thanks 1020' in notes


def test_one_stray_quote_and_each_line_counts_by_itself(tmp_path):
    """Then line breaks are not taken for parts of a record, and the lines that are none are said."""
    path = written(tmp_path / "sales.csv", Note=lambda line: "a\nb" if line.order == 1003 else "")
    path.write_text(path.read_text(encoding="utf-8") + '1040,2024-11-20,501,A0,1,12.50,12" inch\n', encoding="utf-8")
    config, _ = drafted(path)
    assert not config.source.csv.multiline
    report = preflight(config, None, base=tmp_path)
    assert [item.code for item in (*report.problems, *report.warnings)].count("lines") == 2
    assert report.cleaning.orders == 40


def test_a_file_that_is_not_strict_is_refused_with_its_line_and_nothing_of_its_rows(tmp_path):
    path = written(tmp_path / "sales.csv", Note=lambda line: "a\nb" if line.order == 1003 else "")
    config, _ = drafted(path)
    text = path.read_text(encoding="utf-8")
    for added, line in (('PLANTED,"x', 84), ('PLANTED,x"y', 84), ('"PLANTED\n' + text.splitlines()[5], 85)):
        path.write_text(f"{text}{added}\n", encoding="utf-8")
        with pytest.raises(DataError) as refused, open_source(config, base=tmp_path):
            pass
        assert f"sales.csv cannot be read with multiline = true: at line {line}" in refused.value.message
        assert "PLANTED" not in refused.value.message + refused.value.hint


def test_continued_orders_go_on_over_lines(tmp_path: Path):
    """Shopify's way: notes on the first line of an order, whose later lines leave its columns empty."""
    path = written(
        tmp_path / "sales.csv",
        **{
            "Order ID": lambda line: line.order if line.sku == "A0" else "",
            "Order Date": lambda line: f"{line.time:%Y-%m-%d}" if line.sku == "A0" else "",
            "Customer ID": lambda line: line.customer if line.sku == "A0" else "",
            "Note": lambda line: "leave it\nat the door" if line.sku == "A0" else "",
        },
    )
    report = checked(path)
    assert figures(report) == TRUTH
