"""Architecture: the rules that keep the privacy argument in few places, read from the source itself.

Import contracts hold; the command starts light; production code has no ``assert`` on input, no numpy or Mersenne
randomness, no switch in any file, field or environment variable that weakens noise; the catalogues name the same
things; canonical nouns hold no floats; everything public says what it is for.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from costs import SECONDS
from own_nouns import own_nouns
from sources import ALL_FILES, COMMAND, FILES, ROOT, dotted, imported_modules, imports, name_of, nodes, offenders, tree

from clients.answering.policy import HolderPolicy
from privacy.accounting.sampled import Slot
from privacy.analyses.catalogue import CATALOGUE as STATISTICS
from privacy.analyses.catalogue import NAMES, STATISTICS_OF
from privacy.kernel.canonical import Noun
from privacy.kernel.features import ScaledFeature
from privacy.ledger.entries import Slots
from privacy.mechanisms import MIN_SHARE_SCALE, PLACEMENTS, SumMechanism
from privacy.protocol import code
from privacy.protocol.study import Study
from privacy.statistics.base import Statistic
from server.analyses.catalogue import CATALOGUE
from server.releases import Release

# --- imports -----------------------------------------------------------------------------------------------------


def test_import_contracts_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists() and shutil.which("lint-imports") is None:
        pytest.skip("import-linter comes with [dev]")
    result = subprocess.run(
        [str(command) if command.exists() else "lint-imports", "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after some code."""
    script = f"import sys\n{code}\nprint('@@' + ' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    return set(result.stdout.rsplit("@@", 1)[1].split())


def test_the_command_starts_without_heavy_packages() -> None:
    loaded = loaded_after(
        "import cohortium\nsys.argv = ['cohortium', '--help']\ntry:\n    cohortium.main()\nexcept SystemExit as end:\n"
        "    assert not end.code, end.code"
    )
    heavy = {"torch", "opacus", "flwr", "pandas", "ibis", "duckdb", "matplotlib", "opendp", "dp_accounting", "scipy"}
    assert not loaded & heavy


def test_an_auditor_needs_no_transport_training_or_data_packages() -> None:
    """The base install reads, verifies and recomputes ledgers."""
    loaded = loaded_after(
        "import privacy.ledger, privacy.accounting.gdp, privacy.protocol.messages, privacy.protocol.identity"
    )
    assert not loaded & {"torch", "opacus", "flwr", "pandas", "ibis", "duckdb", "pyarrow", "opendp"}


def test_what_a_digest_covers_imports_nothing_that_it_leaves_out() -> None:
    """Else what is left out would decide what is computed, and two parties would not see that they differ."""
    free, covered = set(), []
    for path in (ROOT / "privacy").rglob("*.py"):
        name = path.relative_to(ROOT / "privacy").as_posix()
        left_out = name.startswith(code.FREE) or (name.startswith("analyses/") and path.name in code.FREE_IN_ROOMS)
        if left_out:
            free.add(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
        else:
            covered.append(path)
    assert len(free) > 20
    assert len(covered) > 50
    for path in covered:
        found = imported_modules(path) & free
        assert not found, f"{name_of(path)} imports {sorted(found)}"


def test_the_contract_imports_neither_side() -> None:
    for path in FILES:
        found = {name.split(".")[0] for name in imports(path)}
        forbidden = {
            "privacy": {"server", "clients", "simulations", "cohortium"},
            "server": {"clients", "simulations", "cohortium"},
            "clients": {"server", "simulations", "cohortium"},
        }[path.relative_to(ROOT).parts[0]]
        assert not found & forbidden, name_of(path)


def test_no_test_module_is_imported() -> None:
    """What test modules share stands in ``tests/support``: a module that fails to import takes no other with it."""
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert len(tests) > 100

    def borrowed(path: Path) -> Iterator[str]:
        yield from (name for name in imports(path) if any(part.startswith("test_") for part in name.split(".")))
        for node in nodes(path):  # and in the scripts that other processes run
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from re.findall(r"^\s*(?:from|import) +test_\w+", node.value, flags=re.MULTILINE)

    assert not offenders(tests, borrowed)


def test_every_folder_of_code_is_a_package() -> None:
    """One without ``__init__.py`` is found here, and is not in a wheel."""
    folders = {path.parent for path in FILES}
    assert not [folder.as_posix() for folder in sorted(folders) if not (folder / "__init__.py").exists()]


def test_benchmarks_find_the_packages_from_anywhere() -> None:
    """``python benchmarks/x.py`` has its own folder on the path only, and documents say it so."""
    parts = re.compile(r"^(?:from|import) (?:clients|server|privacy|simulations)\b", re.M)
    first = re.compile(r"^(?:import cohortium\b|sys\.path)", re.M)
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        own, found = parts.search(text), first.search(text)
        assert own is None or (found is not None and found.start() < own.start()), path.name


def test_costs_are_of_modules_that_are_there() -> None:
    assert set(SECONDS) <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert all(seconds >= 3 for seconds in SECONDS.values())


# --- forbidden words ---------------------------------------------------------------------------------------------


def test_no_assert_on_input() -> None:
    def asserts(path: Path) -> Iterator[str]:
        return (f"line {node.lineno}" for node in nodes(path) if isinstance(node, ast.Assert))

    assert not offenders(FILES, asserts)


def test_no_randomness_that_could_be_guessed() -> None:
    def guessable(path: Path) -> Iterator[str]:
        for node in nodes(path):
            name = dotted(node)
            if name.startswith(("np.random", "numpy.random", "torch.randn")):
                yield f"line {node.lineno}: {name}"
            if name.startswith("random.") and name != "random.SystemRandom":
                yield f"line {node.lineno}: {name}"
        yield from (name for name in imports(path) if name.startswith(("numpy.random", "random.")))

    assert not offenders(FILES, guessable)


def test_no_pickle_eval_or_code_from_messages() -> None:
    def foreign(path: Path) -> set[str]:
        modules = {name.split(".")[0] for name in imports(path)}
        calls = {dotted(node.func) for node in nodes(path) if isinstance(node, ast.Call)}
        return (modules & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}) | (
            calls & {"eval", "exec", "compile", "__import__"}
        )

    assert not offenders(FILES, foreign)


#: The carriers' processes look at their environment; two modules read a password from it.
FREE = ("server/flower/", "clients/flower/", "clients/data/secrets.py")
RULES = [path for path in FILES if not name_of(path).startswith(FREE)]


#: The modules that take a secret from the environment: a database's password, and that of private keys.
SECRETS = ("clients/data/secrets.py", "privacy/private_keys.py")


def test_rules_do_not_read_the_environment() -> None:
    """A variable must not be able to change a rule; only the carriers' processes look at their environment."""

    def read(path: Path) -> set[str]:
        return {dotted(node) for node in nodes(path)} & {"os.environ", "os.getenv", "os.environb"}

    assert not offenders([path for path in RULES if name_of(path) not in SECRETS], read)


def test_noise_is_made_in_one_place_and_asked_for_in_two() -> None:
    streams = "cryptography.hazmat.primitives.ciphers.algorithms.ChaCha20"
    makers = [name_of(path) for path in ALL_FILES if streams in imports(path)]
    assert makers == ["privacy/mechanisms/sampler.py", "privacy/secure_sum/masks.py"]
    users = [name_of(path) for path in FILES if "privacy.mechanisms.sampler.discrete_gaussian" in imports(path)]
    assert users == [
        "clients/analyses/churn/local_training.py",
        "clients/answering/node.py",
        "server/aggregation/noise.py",
    ]


def test_no_production_code_chooses_another_sampler() -> None:
    """``HolderNode(sampler=...)`` is for tests and simulations; a holder's folder always takes the default."""
    for path in [*FILES, *COMMAND]:
        for node in nodes(path):
            if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == "HolderNode":
                assert "sampler" not in {keyword.arg for keyword in node.keywords}, name_of(path)
                assert None not in {keyword.arg for keyword in node.keywords}, name_of(path)
    from clients.answering.node import HolderNode
    from privacy.mechanisms.sampler import discrete_gaussian

    assert inspect.signature(HolderNode).parameters["sampler"].default is discrete_gaussian


# --- no switch turns noise off -------------------------------------------------------------------------------------


def field_names(kind: type[Noun], seen: set[type[Noun]] | None = None) -> set[str]:
    """Names of a noun's fields and of all nouns inside it."""
    seen = seen if seen is not None else set()
    if kind in seen:
        return set()
    seen.add(kind)
    names = set(kind.model_fields)
    for field in kind.model_fields.values():
        for inner in leaves(field.annotation):
            if isinstance(inner, type) and issubclass(inner, Noun):
                names |= field_names(inner, seen)
    return names


def leaves(annotation: object) -> Iterator[object]:
    """The types that an annotation is made of."""
    arguments = typing.get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from leaves(argument)


def test_no_field_of_a_study_or_policy_is_about_noise() -> None:
    words = ("noise", "sigma", "scale", "exact", "raw", "debug", "insecure", "disable", "skip", "unsafe", "seed",
             "sampler", "clip", "sensitivity", "gamma", "mask", "plain")  # fmt: skip
    for kind in (Study, HolderPolicy):
        # A feature's scale is how it is compared, not how noisy it is; a slot's noise is what its price follows from.
        for name in field_names(kind, {ScaledFeature, Slot, Slots}):
            assert not [word for word in words if word in name], f"{kind.__name__}: {name}"


def test_no_study_field_is_a_switch() -> None:
    """Nothing that can be true or false stands in what is asked, planned or charged."""
    for kind in sorted(own_nouns(), key=lambda kind: kind.__qualname__):
        for name, field in kind.model_fields.items():
            assert bool not in set(leaves(field.annotation)), f"{kind.__name__}.{name}"


def test_every_placement_has_noise() -> None:
    (placements,) = [typing.get_args(SumMechanism.model_fields["placement"].annotation)]
    assert placements == PLACEMENTS == typing.get_args(Study.model_fields["placement"].annotation)
    assert MIN_SHARE_SCALE >= 1000
    for placement in placements:
        mechanism = SumMechanism(placement=placement, holders=3, colluding=1, share_scale=MIN_SHARE_SCALE)
        assert mechanism.released_deviation >= MIN_SHARE_SCALE
        assert mechanism.protecting_shares >= 1
        assert mechanism.released_shares >= mechanism.protecting_shares


def test_no_command_option_is_about_noise() -> None:
    options = {
        node.value
        for path in COMMAND
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("--")
    }
    arguments = {
        argument.arg
        for path in COMMAND
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
        for argument in [*node.args.args, *node.args.kwonlyargs]
    }
    assert {"--again", "workspace"} <= options | arguments
    for name in options | arguments:
        assert not [word for word in ("noise", "sigma", "insecure", "seed", "sampler") if word in name], name


# --- catalogues and nouns ------------------------------------------------------------------------------------------


def test_the_catalogues_name_the_same_analyses() -> None:
    assert set(NAMES) == set(CATALOGUE) == set(STATISTICS_OF)
    assert len(set(NAMES)) == len(NAMES)
    assert tuple(CATALOGUE) == NAMES, "reports show them in this order"
    for name, analysis in CATALOGUE.items():
        assert analysis.name == name
        assert analysis.section.package == f"server.analyses.{name}"


def test_every_statistic_belongs_to_an_analysis_and_to_a_module_of_its_own() -> None:
    assert set().union(*STATISTICS_OF.values()) == set(STATISTICS)
    for kind, statistic in STATISTICS.items():
        rooms = [name for name, kinds in STATISTICS_OF.items() if kind in kinds]
        own = {f"privacy.analyses.{name}.{kind}" for name in rooms} if len(rooms) == 1 else set()
        assert statistic.__module__ in own | {f"privacy.statistics.{kind}"}


def test_canonical_nouns_hold_no_floats_and_no_lists() -> None:
    kinds = own_nouns()
    assert Release in kinds
    assert len(kinds) > 40
    for kind in kinds:
        if kind is Statistic:
            continue
        for name, field in kind.model_fields.items():
            parts = set(leaves(field.annotation))
            assert not parts & {float, complex, bytes, typing.Any, object, list, set}, f"{kind.__name__}.{name}"
            text = str(field.annotation)
            assert "list[" not in text, f"{kind.__name__}.{name}"
            assert "set[" not in text, f"{kind.__name__}.{name}"
        assert kind.model_config["frozen"]
        assert kind.model_config["extra"] == "forbid"


# --- everything says what it is for --------------------------------------------------------------------------------


def test_everything_public_has_a_docstring() -> None:
    def undocumented(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
        for child in node.body:
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if child.name.startswith("_"):
                continue
            overload = any(dotted(item).endswith("overload") for item in child.decorator_list)
            if not ast.get_docstring(child) and not overload:
                yield prefix + child.name
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child, f"{prefix}{child.name}.")

    def missing(path: Path) -> Iterator[str]:
        if not ast.get_docstring(tree(path)):
            yield "the module"
        yield from undocumented(tree(path))

    assert not offenders(ALL_FILES, missing)


def test_all_names_exist() -> None:
    def absent(path: Path) -> Iterator[str]:
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and [dotted(target) for target in node.targets] == ["__all__"]:
                parts = path.relative_to(ROOT).with_suffix("").parts
                module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
                yield from (name for name in ast.literal_eval(node.value) if not hasattr(module, name))

    assert not offenders(ALL_FILES, absent)


def test_the_exit_codes_are_those_of_the_table() -> None:
    from privacy import errors

    first_words = [line.split()[0] for line in (errors.__doc__ or "").splitlines() if line.split()]
    table = {int(word) for word in first_words if word.isdigit()}
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    codes = [kind.exit_code for kind in kinds if "exit_code" in vars(kind)]  # others have that of their kind
    assert set(codes) <= table
    assert len(set(codes)) == len(codes)
