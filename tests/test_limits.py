"""What one reader can hold in the head: how long a module and a function may be. ``make lint`` runs this, too.

How many parameters a function may have is ruff's to say (``PLR0913`` in ``pyproject.toml``).
"""

from __future__ import annotations

import ast

from sources import ALL_FILES, ROOT, nodes, offenders

MODULE, FUNCTION = 400, 60

PATHS = [*ALL_FILES, *sorted((ROOT / "benchmarks").rglob("*.py"))]


def test_no_module_is_too_long() -> None:
    def length(path):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        return [f"{lines} lines, of at most {MODULE}"] if lines > MODULE else []

    assert not offenders(PATHS, length)


def test_no_function_is_too_long() -> None:
    """From ``def`` to its last line, with its docstring."""

    def lengths(path):
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = int(node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION:
                    yield f"{node.name} has {lines} lines, of at most {FUNCTION}"

    assert not offenders(PATHS, lengths)


def test_more_parameters_have_a_reason() -> None:
    """Beside the ``noqa``, for whoever reads the function."""

    def bare(path):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            _, found, reason = line.partition("# noqa: PLR0913")
            if found and len(reason.split()) < 3:
                yield f"line {number}"

    assert not offenders(PATHS, bare)
