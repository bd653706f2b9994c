"""Removing an analysis is deleting its rooms and its line in the tuple; what is left is a product that passes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from privacy.analyses import ANALYSES

ROOT = Path(__file__).resolve().parents[1]
#: Packages and files that are copied; everything else is data, documents and tools.
COPIED = ("privacy", "server", "clients", "simulations", "tests", "examples", "docs", "cohortium",
          "pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")  # fmt: skip
#: What then must pass: the catalogues and what follows from them, studies and policies.
PASSING = ("test_analyses.py", "test_study.py", "test_policy.py")


def removed(name: str, root: Path) -> None:
    """Delete an analysis from a copy of the tree."""
    for side in ("privacy", "server", "clients", "tests"):
        shutil.rmtree(root / side / "analyses" / name)
    tuple_file = root / "privacy" / "analyses" / "__init__.py"
    text = tuple_file.read_text(encoding="utf-8")
    text = re.sub(rf"^ *{name}\.CONTRACT,\n", "", text, flags=re.M)
    text = re.sub(rf"\b{name}, |, {name}\b", "", text)
    assert name not in text
    tuple_file.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_an_analysis_is_removed_with_its_rooms_and_one_line(tmp_path: Path) -> None:
    later = [analysis.name for analysis in ANALYSES if analysis.since != "0.1.0"]
    if not later:
        pytest.skip("the analyses of 0.1 stay: what it stored names them")
    for name in COPIED:
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copyfile(source, target)
    for name in later:
        removed(name, tmp_path)
    program = f"""
import sys, pytest, privacy.analyses
assert privacy.analyses.__file__.startswith({str(tmp_path)!r}), privacy.analyses.__file__
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *{[f"tests/{name}" for name in PASSING]!r}]))
"""
    environment = {"PYTHONPATH": str(tmp_path), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout
