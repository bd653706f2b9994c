"""No hall names an analysis: a new one is its rooms and one line of the tuple."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sources import ALL_FILES, ROOT, name_of, tree

from privacy.analyses.catalogue import NAMES

#: Names that are also words of what halls are about: what counts is an import of a room, or the name of a field of the
#: study or of a result.
WORDS = {"tables", "history"}

#: Where names may stand, and how often; what is not the tuple, a default of 0.1 or an attack on one analysis is to go.
ALLOWED = {
    "privacy/analyses/__init__.py": len(set(NAMES) - WORDS),  # the tuple
    "privacy/kernel/terms.py": 1,  # what a study computes that does not say: its default is of 0.1.0 and never changes
    "clients/answering/policy.py": 2,  # what a policy allows that does not say: the same
    "simulations/attack/audit_trainings.py": 4,  # an attack on the one analysis whose holders train
    "simulations/attack/membership_inference.py": 11,  # an attack on two analyses
    "simulations/commands.py": 1,
    "simulations/worlds/generator.py": 3,  # the demo's study
}


def halls() -> Iterator[Path]:
    """Every module of ours that is in no room."""
    for path in ALL_FILES:
        parts = path.relative_to(ROOT).parts
        if len(parts) < 4 or parts[1] != "analyses" or parts[2] not in NAMES:
            yield path


def named(module: ast.Module) -> int:
    """How often names of analyses stand in a module's names, attributes, arguments, imports and strings.

    Docstrings and comments may speak of them.
    """
    said_so = [name for name in NAMES if name not in WORDS]
    word = re.compile(rf"\b({'|'.join(said_so)})\b|analyses\.({'|'.join(NAMES)})\b")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {id(node.body[0].value) for node in ast.walk(module)
            if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    found = 0
    for node in ast.walk(module):
        if isinstance(node, ast.Constant):
            found += isinstance(node.value, str) and id(node) not in docs and bool(word.search(node.value))
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            found += bool(set(parts) & set(said_so)) or ("analyses" in parts and bool(set(parts) & WORDS))
        elif isinstance(node, ast.Attribute) and node.attr in WORDS:
            found += isinstance(node.value, ast.Name) and node.value.id in ("study", "result")
        else:
            said = {getattr(node, field, None) for field in ("id", "attr", "arg")}
            found += bool(said & set(said_so))
    return found


def test_no_hall_names_an_analysis() -> None:
    counted = Counter({name_of(path): count for path in halls() if (count := named(tree(path)))})
    more = {path: count for path, count in counted.items() if count > ALLOWED.get(path, 0)}
    assert not more, "let it come from the tuple or from the analysis' rooms"
    fewer = {path: count for path, count in ALLOWED.items() if counted[path] < count}
    assert not fewer, "well done: take it out of the list, so that it stays so"


def test_a_name_is_seen_wherever_it_stands() -> None:
    name = NAMES[0]
    for line in (
        f"x = '{name}'",
        f"x.{name}",
        f"{name} = 1",
        f"f({name}=1)",
        f"from a.{name} import b",
        f"def f({name}): ...",
    ):
        assert named(ast.parse(line)) == 1, line
    assert named(ast.parse(f'"""Of {name}."""\n# {name}\nx = "{name}s"')) == 0
    for word in WORDS:
        for line in (f"from privacy.analyses.{word} import b", f"study.{word}", f"x = 'server.analyses.{word}.run'"):
            assert named(ast.parse(line)) == 1, line
        assert named(ast.parse(f"x = '{word}'; y.{word} = {word}")) == 0
