"""The one writer of private files: what it leaves is whole and its owner's alone, or is what was there before."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from privacy.private_files import private_file, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_only_its_owner_may_read_it_from_the_first_byte(tmp_path):
    path = tmp_path / "made" / "here" / "x"
    with private_file(path) as temporary:
        assert (mode(temporary), temporary.parent, path.exists()) == (0o600, path.parent, False)
        temporary.write_bytes(b"1")
    assert (mode(path), mode(path.parent), path.read_bytes()) == (0o600, 0o700, b"1")
    path.chmod(0o644)
    write_private(path, b"2")
    assert (mode(path), path.read_bytes()) == (0o600, b"2")
    assert [item.name for item in path.parent.iterdir()] == ["x"]


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_what_was_there(tmp_path, problem):
    path = tmp_path / "x"
    write_private(path, b"old")

    def half() -> None:
        with private_file(path) as temporary:
            temporary.write_bytes(b"ne")
            raise problem

    with pytest.raises(problem):
        half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_its_place_is_an_error_and_nothing_is_left(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError):
        write_private(tmp_path / "x", b"1")
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


def test_a_kill_in_the_middle_leaves_the_old_file_and_a_hidden_owner_only_rest(tmp_path):
    path = tmp_path / "x"
    write_private(path, b"old")
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from privacy.private_files import private_file\n"
        "os.umask(0)\n"
        "with private_file(Path(sys.argv[2])) as temporary:\n"
        "    temporary.write_bytes(b'ne'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parents[1]), str(path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (rest,) = set(tmp_path.iterdir()) - {path}
    assert (rest.name.startswith(".x."), mode(rest)) == (True, 0o600)
