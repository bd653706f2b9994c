"""Walk through a document as its reader does: run its commands, and compare what they print with what it shows.

Blocks marked ``sh`` are run in their order in one shell, in the folder where this is called. A block ``text`` is what
the block before it prints; ``text noisy`` the same but for figures, which differ from run to run. ``...`` alone stands
for lines left out, and at the end of a line for its rest. Other blocks are for reading.

usage: python tests/support/walk.py DOCUMENT
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_FENCED = re.compile(r"^```([a-z ]*)\n(.*?)^```$", re.M | re.S)
#: Rules of tables: how long they are, a terminal's width decides.
_RULES = re.compile(r"[─━┏┓┗┛┡┩┳┻┬┴╇┼├┤┌┐└┘]+")
_END = "-- end of block"


class WalkError(Exception):
    """A command of the document ended badly, or printed something else than the document shows."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, the words behind the fence, and its text."""

    kind: str
    text: str


def blocks(document: str) -> list[Block]:
    """The blocks of a document that have a kind, in their order."""
    return [Block(kind, text) for kind, text in _FENCED.findall(document) if kind]


def _lines(text: str, *, figures: bool) -> list[str]:
    """Lines without what a terminal's width decides, and without figures where these are noisy."""
    plain = _RULES.sub(" ", text)
    plain = plain if figures else re.sub(r"\S*\d\S*", "#", plain)
    return [" ".join(line.split()) for line in plain.splitlines() if line.strip()]


def _run(commands: list[str], folder: Path, environment: dict[str, str], seconds: float) -> list[str]:
    """What each of the commands prints, run one after another in one shell.

    What they leave running is ended: processes whose numbers they wrote into a file named ``processes``, at the top of
    the folder or one below.
    """
    script = "".join(f"{{\n{command}}} 2>&1\nprintf '\\n%s\\n' '{_END}'\n" for command in commands)
    try:
        done = subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    finally:
        for file in (*folder.glob("processes"), *folder.glob("*/processes")):
            subprocess.run(["kill", *file.read_text().split()], stderr=subprocess.DEVNULL, check=False)
    *printed, last = done.stdout.split(f"\n{_END}\n")
    if done.returncode:
        raise WalkError(f"this command ended with {done.returncode}:\n{commands[len(printed)]}\nIt printed\n{last}")
    return printed


def _compare(shown: Block, printed: str) -> None:
    figures = shown.kind == "text"
    there = _lines(printed, figures=figures)
    for line in _lines(shown.text, figures=figures):
        start = line.removesuffix(" ...")
        found = any(other.startswith(start) for other in there) if start != line else line in there
        if line != "..." and not found:
            raise WalkError(f"the document shows\n  {line}\nbut the command printed\n{printed}")


def walk(document: str, folder: Path, *, first: str | None = None, environment: dict[str, str] | None = None) -> None:
    """Run a document's commands in a folder, and compare what they print with what it shows.

    Args:
        document: Its text.
        folder: Where the reader is.
        first: What stands for the first block, where a test has no use for that.
        environment: Variables; this process' own where none are given.

    Raises:
        WalkError: At the first command that ends badly, or the first line that was not printed.
        subprocess.TimeoutExpired: After a quarter of an hour.
    """
    all_blocks = blocks(document)
    commands = [block.text for block in all_blocks if block.kind == "sh"]
    if first is not None:
        commands[0] = first
    printed = _run(commands, folder, dict(os.environ) if environment is None else environment, 900)
    number = -1
    for block in all_blocks:
        if block.kind == "sh":
            number += 1
        elif block.kind.startswith("text"):
            _compare(block, printed[number])


def of_this_tree(tools: Path) -> dict[str, str]:
    """Variables under which ``cohortium`` and ``python3`` are those of this tree.

    Args:
        tools: a folder that is made for them.
    """
    root = Path(__file__).parents[2]
    tools.mkdir()
    for name, module in (("cohortium", "-m cohortium "), ("python3", "")):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n', encoding="utf-8")
        tool.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(root), "COLUMNS": "100"}


if __name__ == "__main__":
    try:
        walk(Path(sys.argv[1]).read_text(encoding="utf-8"), Path.cwd())
    except WalkError as error:
        sys.exit(str(error))
