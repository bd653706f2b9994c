"""The walker of documents notices what a reader would."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from walk import WalkError, walk

GOOD = """
```sh
told=7; echo "3 of $told"; echo a long line
```

```text
3 of 7
a long ...
```

```toml
not = "run"
```

```sh
echo "━━━ $told │ ± 4.5"
```

```text noisy
9 │ ± 3.1
...
```
"""


def test_one_shell_and_what_it_prints(tmp_path: Path) -> None:
    walk(GOOD, tmp_path)
    walk(GOOD, tmp_path, first='told=9; echo "3 of 7"; echo "a long story"\n')


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("3 of 7\n", "3 of 8\n", "the document shows\n  3 of 8\nbut the command printed\n3 of 7"),
        ("a long ...", "a short ...", "a short ..."),
        ("9 │ ± 3.1", "9 │ + 3.1", r"# │ \+ #"),
        ("echo a long line", "echo a long line; false; true", "ended with 1:\ntold=7"),
        ('echo "━━━ $told', 'exit 3 "━━━ $told', 'ended with 3:\nexit 3 "━'),
        ("$told │", "$untold │", "untold"),
    ],
)
def test_what_differs_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(WalkError, match=told.replace("$", r"\$")):
        walk(GOOD.replace(old, new), tmp_path)


def test_what_commands_leave_running_is_ended(tmp_path: Path) -> None:
    started = "```sh\nsleep 300 > /dev/null 2>&1 & echo $! > processes\nfalse\n```\n"
    with pytest.raises(WalkError, match="ended with 1"):
        walk(started, tmp_path)
    number = (tmp_path / "processes").read_text().strip()
    state = Path(f"/proc/{number}/stat")
    for _ in range(100):
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("still running")
