"""Packed files, archives and folders as sources: known by their bytes, in any encoding, and counted line by line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from shop_kit import TRUTH, checked, drafted, figures, shop, written

from clients.data import scratch
from clients.data.check import preflight
from clients.data.sources import open_source
from privacy.errors import DataError

GOODS = {"SKU": lambda line: f"杯子 {line.sku}"}


def zipped(raw: bytes, name: str = "sales.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, raw)
    return buffer.getvalue()


def zstd(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as file:
        file.write(raw)
    return bytes(sink.getvalue())


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd, ".zip": zipped
}  # fmt: skip


@pytest.mark.parametrize(
    ("suffix", "encoding"),
    [(".gz", "gb18030"), (".bz2", "utf-16"), (".xz", "utf-8"), (".zst", "gb18030"), (".zip", "gb18030")],
)
def test_packed_files_of_any_encoding_are_read_whole(tmp_path, suffix, encoding):
    raw = written(tmp_path / "plain", encoding=encoding, **GOODS).read_bytes()
    path = tmp_path / f"sales.csv{suffix}"
    path.write_bytes(PACKINGS[suffix](raw))
    report = checked(path)
    assert figures(report) == TRUTH
    [lines] = report.files
    assert (lines.rows, lines.left_out) == (80, ())
    assert not (tmp_path / "state").exists()  # copies are gone


def test_bytes_tell_how_a_file_is_packed_and_not_its_name(tmp_path):
    raw = written(tmp_path / "sales.csv").read_bytes()
    config, _ = drafted(tmp_path / "sales.csv")
    for pack in PACKINGS.values():
        (tmp_path / "sales.csv").write_bytes(pack(raw))
        with open_source(config, base=tmp_path) as opened:
            assert opened.table["Customer ID"].nunique().to_pyarrow().as_py() == TRUTH[1]
            assert opened.files[0].rows == 80
    assert figures(checked(written(tmp_path / "plain.csv.xz"))) == TRUTH


def test_a_packed_file_that_is_cut_off_is_refused_by_name(tmp_path):
    raw = written(tmp_path / "plain", shop(orders=3000), Note=lambda line: os.urandom(9).hex()).read_bytes()
    config, _ = drafted(written(tmp_path / "sales.csv"))
    for pack in PACKINGS.values():
        packed = pack(raw)
        (tmp_path / "sales.csv").write_bytes(packed[: len(packed) // 2])
        [problem] = preflight(config, None, base=tmp_path).problems
        assert "sales.csv is damaged or cut off" in problem.text


# --- archives ------------------------------------------------------------------------------------------------------


def archive(path: Path, **more: bytes) -> Path:
    """Two months of the shop in a zip, beside what is none of it."""
    lines = shop()
    with zipfile.ZipFile(path, "w") as file:
        for name, some in (("2024/sales-01.csv", lines[:30]), ("2024/sales-02.csv", lines[30:])):
            file.writestr(name, written(path.with_suffix(".part"), some).read_bytes())
        file.writestr("read me.pdf", b"%PDF")
        file.writestr("__MACOSX/2024/._sales-01.csv", b"\0\0")
        file.writestr("2024/.sales-03.csv.swp", b"x")
        file.writestr("2024/empty.csv", b"")
        for name, raw in more.items():
            file.writestr(name, raw)
    return path


def test_a_zip_is_the_files_in_it(tmp_path):
    report = checked(archive(tmp_path / "export.zip"))
    assert figures(report) == TRUTH
    assert [(item.file, item.rows) for item in report.files] == [
        ("export.zip/2024/sales-01.csv", 30),
        ("export.zip/2024/sales-02.csv", 50),
    ]


@pytest.mark.parametrize("pattern", ["export.zip/2024/sales-0[12].csv", "*.zip/*.csv"])
def test_a_pattern_goes_on_inside_of_archives(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    archive(tmp_path / "export.zip")
    config, text = drafted(pattern, output=tmp_path / "holder.toml")
    assert f'url = "{pattern}"' in text
    report = preflight(config, None, base=tmp_path)
    assert figures(report) == TRUTH


def test_bad_lines_of_a_file_in_an_archive_are_named(tmp_path):
    config, _ = drafted(archive(tmp_path / "export.zip"))
    bad = written(tmp_path / "x", shop()[:1]).read_bytes() + b"1,2\n"
    with zipfile.ZipFile(tmp_path / "export.zip", "a") as file:
        file.writestr("2024/sales-03.csv", bad)
    report = preflight(config, None, base=tmp_path)
    assert "lines with fewer fields than the header: 1, the first at line 3 of export.zip/2024/sales-03.csv" in str(
        report.warnings
    )


def encrypted(path: Path) -> None:
    """Mark the members of an archive as encrypted, as their headers say it."""
    raw = bytearray(path.read_bytes())
    for mark, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = raw.find(mark)
        while place >= 0:
            raw[place + flag] |= 1
            place = raw.find(mark, place + 4)
    path.write_bytes(bytes(raw))


def test_an_archive_with_a_password_is_told(tmp_path):
    config, _ = drafted(archive(tmp_path / "export.zip"))
    encrypted(tmp_path / "export.zip")
    [problem] = preflight(config, None, base=tmp_path).problems
    assert "sales-01.csv in export.zip needs a password" in problem.text
    assert "unpack" in problem.hint


def test_parquet_in_an_archive_and_packed(tmp_path):
    written(tmp_path / "plain")
    pq.write_table(pyarrow.csv.read_csv(tmp_path / "plain"), tmp_path / "part")
    raw = (tmp_path / "part").read_bytes()
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(raw))
    (tmp_path / "b.zip").write_bytes(zipped(raw, "sales.parquet"))
    (tmp_path / "c").write_bytes(raw)
    for name in ("a.parquet.gz", "b.zip", "c"):
        assert figures(checked(tmp_path / name)) == TRUTH


# --- folders, and what is no source --------------------------------------------------------------------------------


def test_a_folder_is_the_files_in_it(tmp_path):
    folder = tmp_path / "export"
    (folder / "store=berlin").mkdir(parents=True)
    (folder / "store=paris").mkdir()
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden.csv").write_text("x")
    written(folder / "store=berlin" / "a.csv", shop()[:30])
    (folder / "store=paris" / "b.csv.gz").write_bytes(gzip.compress(written(tmp_path / "x", shop()[30:]).read_bytes()))
    config, _ = drafted(folder, output=tmp_path / "holder.toml")
    report = preflight(config, None, base=tmp_path)
    assert figures(report) == TRUTH
    assert "store" in report.columns
    assert len(report.files) == 2


def test_a_folder_of_several_kinds_asks_for_one(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    written(folder / "a.csv")
    (folder / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"1 of csv and 1 of parquet") as caught:
        drafted(folder, output=tmp_path / "holder.toml")
    assert "/*.csv" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "says"),
    [("a.pdf", "is a PDF file"), ("a.sav", "is an SPSS file"), ("a.tar.gz", "is an archive"), ("a.xyz", "cannot tell")],
)
def test_what_is_no_source_is_told(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"%PDF-1.7 something")
    with pytest.raises(DataError, match=says) as caught:
        drafted(tmp_path / name)
    assert caught.value.hint


def test_a_spreadsheet_that_is_called_csv_is_told(tmp_path):
    (tmp_path / "sales.csv").write_bytes(zipped(b"<x/>", "[Content_Types].xml"))
    with pytest.raises(DataError, match=r"sales.csv is a spreadsheet"):
        drafted(f"csv://{tmp_path}/sales.csv", output=tmp_path / "holder.toml")


# --- the disk ------------------------------------------------------------------------------------------------------


def test_copying_stops_before_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "sales.csv.bz2"
    path.write_bytes(bz2.compress(written(tmp_path / "plain").read_bytes()))
    config, _ = drafted(path)
    monkeypatch.setattr(scratch, "_ROOM", shutil.disk_usage(tmp_path).total * 2)
    [problem] = preflight(config, None, base=tmp_path).problems
    assert "of the disk free" in problem.text
    assert not (tmp_path / "state").exists()


def test_copies_lie_in_the_owners_own_folder(tmp_path, monkeypatch):
    path = tmp_path / "sales.csv.xz"
    path.write_bytes(lzma.compress(written(tmp_path / "plain").read_bytes()))
    config, _ = drafted(path)
    modes = []
    check = scratch.check_room
    monkeypatch.setattr(
        "clients.data.sources.csv.check_room",
        lambda copy: (modes.append(Path(copy.name).parents[1].stat().st_mode & 0o777), check(copy)),
    )
    preflight(config, None, base=tmp_path)
    assert set(modes) == {0o700}
