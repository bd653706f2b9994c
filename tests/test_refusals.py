"""Every refusal of reading says where it is and what to do: all of them, as they stand in the code.

A refusal names a file, a place or a setting, and its hint is a line to write, or what to do with the file; "check X" is
neither. What single ones say is asserted where they are tried (`test_in_the_wild.py` and the tests of each source).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from sources import ROOT

#: What may stand for a place where nothing else does: a setting, or something of the machine.
_PLACE = re.compile(r"\{|source\.|columns\.|--[a-z]|holder\.toml|the id|these ids|an id|there is no id|Spark|currency")
#: A line to write, an option to give, or what to do with a file.
_DO = re.compile(
    r"\{|\bunder \[|=|--[a-z]|\b(write|export|save|give|name|map|unpack|make|take|mend|add|delete|chmod|install|leave|"
    r"ask|try again|move|close|answer|such as|there is|these may be given|is needed)\b"
)
_IDLE = re.compile(r"^(check|look at|mend it$)")


def _text(node: ast.expr | None) -> str:
    """A text as it is written, with what is filled in in braces."""
    match node:
        case None:
            return ""
        case ast.Constant():
            return str(node.value)
        case ast.JoinedStr():
            return "".join(_text(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        case ast.BinOp():
            return _text(node.left) + _text(node.right)
        case ast.IfExp():
            return f"{_text(node.body)} or {_text(node.orelse)}"
    return "{}"


def _hints(function: ast.AST, name: str) -> list[str]:
    """What a variable that is given as a hint may hold."""
    return [
        _text(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets)
    ]


def _refusals() -> Iterator[tuple[str, str, list[str]]]:
    """Of every refusal in the code that reads: where it is, what it says, and what its hint may be."""
    for path in sorted((ROOT / "clients" / "data").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            for node in ast.walk(function):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                    continue
                if node.func.id not in ("DataError", "ConfigError", "SourceFailed"):
                    continue
                hint = next((word.value for word in node.keywords if word.arg == "hint"), None)
                hints = _hints(function, hint.id) if isinstance(hint, ast.Name) else [_text(hint)]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", _text(node.args[0]), hints or ["{}"]


REFUSALS = sorted(set((place, said, tuple(hints)) for place, said, hints in _refusals()))


def test_there_are_as_many_as_there_were() -> None:
    assert len(REFUSALS) > 90


@pytest.mark.parametrize(("place", "said", "hints"), REFUSALS, ids=[item[0] for item in REFUSALS])
def test_a_refusal_says_where_and_what_to_do(place: str, said: str, hints: tuple[str, ...]) -> None:
    assert _PLACE.search(said), f"{place} names no file, place or setting: {said}"
    for hint in hints:
        assert _DO.search(hint), f"{place} says nothing to do: {hint!r}"
        assert not _IDLE.search(hint), f"{place} gives no line to write: {hint!r}"
