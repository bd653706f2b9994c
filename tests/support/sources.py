"""The product's own source, each file read, parsed and walked once, for the tests that look at it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = ("privacy", "server", "clients")
FILES = sorted(path for folder in PRODUCTION for path in (ROOT / folder).rglob("*.py"))
COMMAND = sorted((ROOT / "cohortium").rglob("*.py"))  # the composition root
ALL_FILES = [*FILES, *sorted((ROOT / "simulations").rglob("*.py")), *COMMAND]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file; walking takes longer than parsing."""
    return tuple(ast.walk(tree(path)))


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of a name or attribute; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


@functools.cache
def imports(path: Path) -> frozenset[str]:
    """What a module imports: names of modules, and of what is taken from them."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def imported_modules(path: Path) -> set[str]:
    """Every module that may be imported: the parts of all names, without the last."""
    return {name.rpartition(".")[0] for name in imports(path)} | imports(path)


def offenders(paths: Iterable[Path], offences: Callable[[Path], Iterable[object]]) -> list[str]:
    """What breaks a rule, each with the file that does."""
    return [f"{name_of(path)}: {offence}" for path in paths for offence in offences(path)]
