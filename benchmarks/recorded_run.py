"""What people, programs and ledgers see of the same study under the same noise, now and at an earlier commit.

    python benchmarks/recorded_run.py --against COMMIT [--at COMMIT]

Runs two months of RFM, churn and clusters over three holders in a copy of that commit and in this tree (or a copy of
another commit), with noise that follows from scale and size alone, and compares results, ledger charges, label files
and the words of all pages (not the pictures' bytes). For changes of structure, which must change nothing of these: the
house of analyses was built between 0474c9a and ed387d8. Exits with 1 where something differs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ANALYSES = ("rfm", "churn", "clusters")
#: Two months; the second keeps what the first found.
MONTHS: tuple[tuple[dt.date, dict[str, Any]], ...] = (
    (dt.date(2024, 12, 1), {"clusters": {"k": 4}}),
    (
        dt.date(2025, 1, 1),
        {
            "clusters": {"centres": "previous"},
            "rfm": {"cut_points": "previous", "report": ["eight", "ten", "eleven"]},
        },
    ),
)
#: Where things stand: now, and at 0.1.0.
PLACES = {
    "HolderNode": ("clients.answering.node", "clients.node"),
    "Study": ("privacy.protocol.study", "privacy.contract.study"),
    "generate": ("simulations.worlds.generator", "simulations.generator"),
    "study_toml": ("simulations.worlds.generator", "simulations.generator"),
    "Workspace": ("simulations.worlds.local", "simulations.local"),
    "run_local": ("simulations.worlds.local", "simulations.local"),
    "write_holder_report": ("clients.report.files", "clients.report"),
}


def found(name: str) -> Any:
    """A name of the product, wherever it stands in the tree that runs."""
    for place in PLACES[name]:
        try:
            return getattr(import_module(place), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"{name} is in none of {', '.join(PLACES[name])}")


def noise(scale: int, size: int) -> np.ndarray[Any, Any]:
    """The same for every holder and run: this is no noise, and protects nobody."""
    rng = np.random.default_rng([int(scale) % (1 << 62), size])
    return np.rint(rng.standard_normal(size) * float(scale)).astype(np.int64)


def record(out: Path) -> None:
    """Run the studies with the tree in the working directory, and write what is seen of them."""
    found("HolderNode").__init__.__kwdefaults__["sampler"] = noise
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        world = found("generate")(root / "data", customers=3000, stores=2)
        raw = tomllib.loads(found("study_toml")(world), parse_float=Decimal)
        raw |= {"analyses": ANALYSES, "name": "recorded"}
        raw["budget"] |= {"epsilon": "4", "max_holders_per_customer": 1}
        homes = {name: root / "data" / name for name in world.holders}
        try:
            workspace = found("Workspace").create(root, homes, lifetime_epsilon="40", declared=1)
        except TypeError:  # before holders declared anything
            workspace = found("Workspace").create(root, homes, lifetime_epsilon="40")
        for day, options in MONTHS:
            study = found("Study").model_validate({**raw, "as_of": day, **options})
            result = json.loads(found("run_local")(study, workspace, transport="in-process").model_dump_json())
            kept = {key: result.get(key) for key in (*ANALYSES, "earlier", "spending", "missing")}
            (out / f"result-{day}.json").write_text(json.dumps(kept, indent=1, sort_keys=True), encoding="utf-8")
        for page in (root / "coordinator" / "results").rglob("*.html"):
            (out / f"{page.parent.name}-{page.stem}.txt").write_text(words_of(page), encoding="utf-8")
        for name in world.holders:
            holder = workspace.holder(name)
            (out / f"{name}.txt").write_text(words_of(found("write_holder_report")(holder)), encoding="utf-8")
            for labels in (holder.root / "labels").glob("*.csv"):
                (out / f"{name}-{labels.name}").write_bytes(labels.read_bytes())
            charges = [charge_of(fact) for fact in holder.ledger().facts() if fact.kind == "reserved"]
            (out / f"{name}-ledger.txt").write_text("\n".join(charges), encoding="utf-8")


def charge_of(fact: Any) -> str:
    """One charge, without digests, keys and times."""
    event, asked = fact.event, fact.question
    price = (event.dim, event.gamma, event.squared_norm, event.share_scale, event.variance)
    return f"round {asked.round} attempt {asked.attempt} {fact.placement} {','.join(fact.holders)} {price}"


def words_of(page: Path) -> str:
    """A page's words, one element a line, without what is another in every run."""
    html = page.read_text(encoding="utf-8")
    html = re.sub(r"<(svg|style|script)\b.*?</\1>", "", html, flags=re.S)
    html = re.sub(r"<[^>]+>", "\n", html)
    html = re.sub(r"\b[0-9a-f]{16,64}\b", "[digest]", html)
    html = re.sub(r"(?:\d{5} ){7}\d{5}", "[fingerprint]", html)
    html = re.sub(r"^\s*\d+\.\d\d\s*$", "[seconds]", html, flags=re.M)
    return "\n".join(line.strip() for line in html.splitlines() if line.strip())


def recorded_in(tree: Path, out: Path) -> Path:
    """What :func:`record` writes with the product of another tree."""
    out.mkdir()
    environment = os.environ | {"PYTHONPATH": str(tree)}
    subprocess.run([sys.executable, str(Path(__file__)), "--record", str(out)], cwd=tree, env=environment, check=True)
    return out


def recorded_at(commit: str, folder: Path, name: str) -> Path:
    """The same of a commit, in a copy of its tree."""
    tree = folder / f"tree-{name}"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
    try:
        return recorded_in(tree, folder / name)
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def compared(before: Path, now: Path) -> Iterator[tuple[str, list[str]]]:
    """Every file with the lines that differ."""
    for name in sorted({path.name for folder in (before, now) for path in folder.iterdir()}):
        texts = [
            (folder / name).read_text(encoding="utf-8").splitlines() if (folder / name).exists() else ["(no such file)"]
            for folder in (before, now)
        ]
        lines = difflib.unified_diff(*texts, lineterm="", n=0)
        yield name, [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="COMMIT", help="the commit to compare with")
    parser.add_argument("--at", metavar="COMMIT", help="compare this commit, not the tree here")
    parser.add_argument("--record", type=Path, metavar="FOLDER", help="only write what is seen, of the tree here")
    given = parser.parse_args()
    if given.record:
        record(given.record)
        return 0
    if not given.against:
        parser.error("name a commit: --against COMMIT")
    with tempfile.TemporaryDirectory() as folder:
        before = recorded_at(given.against, Path(folder), "before")
        now = recorded_at(given.at, Path(folder), "now") if given.at else recorded_in(ROOT, Path(folder) / "now")
        differ = 0
        for name, lines in compared(before, now):
            differ += bool(lines)
            print(f"{name:45} {f'{len(lines)} lines differ' if lines else 'the same'}")
            print("".join(f"    {line[:150]}\n" for line in lines[:8]), end="")
    print(f"{differ} files differ" if differ else "everything is the same")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
