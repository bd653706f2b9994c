"""Noise has one source that cannot be tried through, whatever a study's ``mechanism`` is; old releases are marked."""

from __future__ import annotations

import ast
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import protocol_kit as kit
import pytest
from bundle_kit import export_all
from scipy.stats import chi2
from sources import FILES, ROOT, imports, nodes

import clients.answering.admission
import clients.answering.node
import server.aggregation.noise
import server.running.asking
import server.running.federation
import server.running.spending
from privacy.audit.verify import verify
from privacy.errors import CohortiumError, ConfigError
from privacy.ledger import Reserved
from privacy.mechanisms import SumMechanism
from privacy.mechanisms.sampler import SAMPLER, discrete_gaussian
from server.aggregation.noise import central_noise
from server.running.run import run_study
from simulations.attack.noise_generators import narrow_entropy

#: Probability that a statistical check fails on correct code, each side.
FALSE_ALARM = 1e-9

FIELDS = {"placement": "central", "mechanism": "opacus"}
POLICY: dict[str, Any] = {"placements": ("central",), "mechanisms": ("integer", "opacus")}
SIZE, SCALE = 2048, 10**9


def opacus_study() -> Any:
    return kit.small_study(**FIELDS)


def central(noise: str = "opacus") -> SumMechanism:
    return SumMechanism(placement="central", holders=3, colluding=1, share_scale=SCALE, noise=noise)


def reserved(ledger: Any) -> list[Reserved]:
    return [fact for fact in ledger.facts() if isinstance(fact, Reserved)]


# --- the source --------------------------------------------------------------------------------------------------


def check_noise_is_not_told_by_32_bits() -> None:
    """Noise of two draws differs, though all that Python takes from the system agrees in its low 32 bits."""
    for noise in ("integer", "opacus"):
        with narrow_entropy():
            first, second = (central_noise(central(noise), 16) for _ in range(2))
        assert not np.array_equal(first, second), noise


def test_noise_is_not_told_by_32_bits() -> None:
    check_noise_is_not_told_by_32_bits()


def test_entropy_inside_is_narrow_and_outside_is_not() -> None:
    with narrow_entropy():
        inside = [secrets.randbits(63) for _ in range(8)]
    assert len({number % 2**32 for number in inside}) == 1
    assert len(set(inside)) == 8
    assert len({secrets.randbits(63) % 2**32 for _ in range(8)}) == 8


def central_noise_from_torch(patch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch comes with [train]")

    def gaussian(scale: int, size: int) -> np.ndarray:
        generator = torch.Generator()
        generator.manual_seed(secrets.randbits(63))
        noise = torch.normal(0.0, float(scale), (size,), dtype=torch.float64, generator=generator)
        return np.rint(noise.numpy()).astype(np.int64)

    patch.setattr(server.aggregation.noise, "discrete_gaussian", gaussian)


MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = [
    (central_noise_from_torch, check_noise_is_not_told_by_32_bits)
]


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_mutant_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, CohortiumError)):
        check()


#: Where noise is made, and where it is put to a sum.
NOISE_PATHS = (
    "privacy/mechanisms/sampler.py",
    "clients/answering/answers.py",
    "server/aggregation/noise.py",
    "server/aggregation/adding.py",
)

#: Names under which torch draws; methods by their last part.
TORCH_DRAWS = ("bernoulli", "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn",
               "randn_like", "randperm")  # fmt: skip
TORCH_SEEDS = ("Generator", "manual_seed", "initial_seed", "default_generator", "_generate_noise")
TORCH_IN_PLACE = (
    "bernoulli_",
    "cauchy_",
    "exponential_",
    "geometric_",
    "log_normal_",
    "normal_",
    "random_",
    "uniform_",
)


def own_modules(path: Path) -> Iterator[Path]:
    """Modules of this project that one of them imports, also within functions."""
    for name in imports(path):
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            base = ROOT.joinpath(*parts[:end])
            found = next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.exists()), None)
            if found is not None:
                yield found
                break


def test_torch_is_out_of_reach_of_whatever_makes_noise() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / start for start in NOISE_PATHS]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            assert not {name.split(".")[0] for name in imports(path)} & {"torch", "opacus"}, path
            waiting += own_modules(path)
    assert len(seen) > 2 * len(NOISE_PATHS)


def test_no_production_module_draws_from_torch() -> None:
    for path in FILES:
        torches = any(name.split(".")[0] in ("torch", "opacus") for name in imports(path))
        for node in nodes(path):
            if isinstance(node, ast.Name | ast.Attribute):
                last = node.id if isinstance(node, ast.Name) else node.attr
                assert last not in (*TORCH_SEEDS, *TORCH_IN_PLACE), f"{path}: {last}"
                assert not torches or last not in TORCH_DRAWS, f"{path}: {last}"


# --- through the protocol ----------------------------------------------------------------------------------------


def test_a_study_with_opacus_has_exact_noise_and_says_so(tmp_path: Path) -> None:
    """Chi-square of the coordinator's noise over empty tables, 2,048 coordinates; and what ledgers record of it."""
    tables = {holder: kit.table(0) for holder in kit.HOLDERS}
    federation = kit.federation_at(tmp_path, tables=tables, policy=kit.lenient_policy(**POLICY))
    coordinator = kit.coordinator_of(federation, opacus_study())
    coordinator.join()
    release = coordinator.ask("rfm", "one", kit.wide_statistic(SIZE), kit.price(opacus_study()))
    noise = np.array(release.values, dtype=float)
    low, high = chi2.ppf([FALSE_ALARM, 1 - FALSE_ALARM], SIZE)
    assert low < float((noise**2).sum()) / release.mechanism.share_scale**2 < high
    (own,) = reserved(federation.folder.ledger())
    assert (own.assurance, own.sampler) == ("integer", SAMPLER)
    for holder in kit.HOLDERS:
        (charge,) = reserved(kit.holder_ledger(federation, holder))
        assert (charge.assurance, charge.sampler) == ("integer", "")


def test_without_opacus_such_a_study_is_refused_before_anything_is_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = kit.federation_at(tmp_path, policy=kit.lenient_policy(**POLICY))
    monkeypatch.setattr(server.running.spending.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed"):
        run_study(opacus_study(), folder=federation.folder, transport=federation.transport, pages=False)
    assert set(kit.charged_by(federation).values()) == {0}


# --- releases of before --------------------------------------------------------------------------------------------

GENERATOR = "no noise can be found by trying all states of its generator"


def ended(root: Path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> Path:
    """Bundles of a study with opacus, over a protocol."""
    modules = (
        clients.answering.admission, clients.answering.node, server.running.asking, server.running.federation,
    )  # fmt: skip
    for module in modules:
        monkeypatch.setattr(module, "PROTOCOL", protocol)
    federation = kit.federation_at(root / "federation", policy=kit.lenient_policy(**POLICY))
    coordinator = kit.coordinator_of(federation, opacus_study())
    coordinator.join()
    coordinator.ask("rfm", "cut points", kit.STATISTIC, kit.price(opacus_study()))
    coordinator.finish("{}")
    monkeypatch.undo()
    return export_all(federation, root / "bundles")


def test_a_release_of_protocol_2_with_opacus_is_counted_as_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four records; everything else in them is in order, as it was when they were made."""
    verdict = verify(sorted(ended(tmp_path, monkeypatch, protocol=2).iterdir()), third=False)
    failed = [claim for claim in verdict.claims if claim.verdict == "FAIL"]
    assert {claim.claim for claim in failed} == {GENERATOR}
    assert len(failed) == 4
    for claim in failed:
        assert "(trial, cut points): noise of 2^32 states: count these values as known" in claim.why


def test_the_same_of_today_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = verify(sorted(ended(tmp_path, monkeypatch, protocol=3).iterdir()), third=False)
    assert verdict.passed
    assert [claim.why for claim in verdict.claims if claim.claim == GENERATOR] == 4 * ["exact noise in every charge"]


def test_the_sampler_is_the_only_one_that_is_asked() -> None:
    assert server.aggregation.noise.discrete_gaussian is discrete_gaussian
