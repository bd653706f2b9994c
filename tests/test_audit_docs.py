"""The programs and figures of docs/auditor.md: run as they stand there, and computed again."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import protocol_kit as kit
import pytest
from protocol_kit import federation_at, small_study

from privacy.accounting.events import epsilon_spent, squared_cap
from privacy.audit.export import export
from privacy.audit.verify import verify

GUIDE = (Path(__file__).parents[1] / "docs" / "auditor.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("docs")
    federation = federation_at(root / "federation", declared=None)
    coordinator = kit.coordinator_of(federation, small_study(budget={"max_holders_per_customer": None}))
    coordinator.join()
    for title in ("cut points", "segments"):
        coordinator.ask("rfm", title, kit.STATISTIC, kit.price(coordinator.study))
    coordinator.finish("{}")
    export(root / "federation" / "holders" / "alpha", root / "alpha.bundle")
    return root / "alpha.bundle"


def run(program: str, *arguments: str) -> str:
    """Run a program of the guide with nothing but the standard library."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_chain_and_the_seal_are_checked_by_the_program_of_the_guide(bundle: Path, tmp_path: Path) -> None:
    verdict = verify([bundle], third=False)
    whole = next(claim.why for claim in verdict.claims if claim.claim == "the chain is intact")
    told = run(PROGRAMS[0], str(bundle))
    assert f"chain intact: {whole.replace(', head', ', head')}" in told
    assert "sealed as it is" in told

    edited = tmp_path / "edited.bundle"
    edited.write_bytes(bundle.read_bytes().replace(rb"\"colluding\":1", rb"\"colluding\":2", 1))
    assert "broken at entry 2" in run(PROGRAMS[0], str(edited))
    cut = tmp_path / "cut.bundle"
    lines = bundle.read_bytes().splitlines(True)
    cut.write_bytes(b"".join(line for line in lines if not line.startswith(b'{"statement')))
    assert "CHANGED after it was sealed" in run(PROGRAMS[0], str(cut))


def test_the_price_is_that_of_audit_verify(bundle: Path) -> None:
    (spent,) = verify([bundle], third=False).spent
    told = re.search(r"epsilon ([0-9.]+) at delta 1e-06", run(PROGRAMS[1], str(bundle), "1e-6"))
    assert told is not None
    assert float(told[1]) == pytest.approx(spent.epsilon, abs=6e-5)


def test_a_ledger_that_states_no_k_is_priced_at_all_holders(bundle: Path, tmp_path: Path) -> None:
    """K is 3 in this one, stated by the ledger; without it, it is the number of holders in the roster: the same."""
    older = tmp_path / "older.bundle"
    older.write_bytes(bundle.read_bytes().replace(rb",\"records\":3,\"role\"", rb",\"role\"", 1))
    assert older.stat().st_size < bundle.stat().st_size
    assert run(PROGRAMS[1], str(older), "1e-6") == run(PROGRAMS[1], str(bundle), "1e-6")


def test_the_calculation_on_paper_is_right() -> None:
    rows = re.findall(r"\| (?:cut points|segments) \| ([0-9 ]+) \| ([0-9 ]+) \| ([0-9.]+) \|", GUIDE)
    exact = [Fraction(9 * int(b.replace(" ", "")), 3 * int(s.replace(" ", "")) ** 2) for b, s, _ in rows]
    assert [f"{float(price):.8f}" for price in exact] == [shown for _, _, shown in rows]
    mu, epsilon = math.sqrt(sum(exact)), epsilon_spent(sum(exact), 1e-6)
    for figure in (f"mu^2 = {float(sum(exact)):.8f}", f"mu = {mu:.6f}", f"mu = {mu / 3:.6f}", f"mu = {mu * 4 / 3:.6f}"):
        assert figure in GUIDE, figure
    assert f"epsilon = {epsilon:.4f} in delta" in GUIDE

    def phi(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    e = round(epsilon, 4)
    first, second = phi(-e / mu + mu / 2), phi(-e / mu - mu / 2)
    for figure in (f"{first:.4e}", f"{second:.4e}", f"{math.exp(e):.4f}", f"{math.exp(e) * second:.4e}"):
        assert figure in GUIDE, figure
    assert first - math.exp(e) * second == pytest.approx(0.99e-6, rel=1e-3)


def test_what_periods_add_up_to() -> None:
    four = epsilon_spent(4 * squared_cap(1.0, 1e-6), 1e-6)
    assert f"epsilon {four:.1f}. A charge falls" in GUIDE
