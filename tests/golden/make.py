"""Writes what the installed release signs, hashes and stores, for every later release to read: a folder a version.

Run ``python tests/golden/make.py`` once a release, from the root of the repository at that release; it never writes
over a version that is there. ``tests/trust/test_golden.py`` reads all versions with the code of today: texts must give
the same digests, statements must open, bundles must pass the audit, and what holders and coordinators have on their
disks must be read.

``python tests/golden/make.py --defaults`` adds the fields that nouns have gained to ``defaults.json``, which may only
grow: a default that changes would give one digest two meanings.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

GOLDEN = Path(__file__).resolve().parent
DEFAULTS = GOLDEN / "defaults.json"
sys.path[:0] = [str(GOLDEN.parent), str(GOLDEN.parent / "support")]

from own_nouns import own_subclasses  # noqa: E402

from privacy.figures.estimates import Value  # noqa: E402
from privacy.kernel.canonical import Noun  # noqa: E402
from privacy.protocol.study import Study  # noqa: E402

_PLAIN = {"name": "spring", "as_of": "2025-01-01", "budget": {"epsilon": "1"}}
_CUTS = {
    "recency_days": [30, 90, 180, 365], "orders": [1, 2, 3, 5], "money": [2_000, 5_000, 12_000, 30_000],
    "recency_high": 120, "orders_high": 2, "money_high": 9_000,
}  # fmt: skip
_LISTED = ["orders", "category_share_1", "category_share_2", "channel_share_1"]
_RULES = [
    {"code": "vip", "when": "R<30, M>=500", "en": "VIP", "zh": "贵宾"},
    {"code": "asleep", "when": "R>365", "en": "Asleep", "zh": "沉睡"},
]

#: Ten studies that use what a study of 0.1.0 can say.
STUDIES: dict[str, dict[str, Any]] = {
    "rfm": _PLAIN,
    "rfm-rules": _PLAIN | {
        "currency": "CNY", "time_zone": "Asia/Shanghai",
        "rfm": {"report": ["eight", "ten", "rules"], "rules": _RULES,
                "high_low": {"recency_days": 30, "orders": 2, "money": "99.95"}},
    },
    "rfm-known-cuts": _PLAIN | {"rfm": {"cut_points": {
        "cuts": _CUTS, "money_cap": 150_000, "orders_cap": 24, "above_cap": "0.0125", "origin": "spring 2024-01-01",
    }}},
    "rfm-shares": _PLAIN | {"repeat": 1, "placement": "local", "rfm": {"totals": "shares", "floor": 50}},
    "churn-logistic": _PLAIN | {"analyses": ["churn"], "churn": {"training_days": 3, "horizon_days": 60}},
    "churn-network": _PLAIN | {
        "analyses": ["churn"],
        "churn": {"model": "network", "rounds": 6, "figures": "by_holder", "evaluation_share": "0.3"},
    },
    "clusters-lists": _PLAIN | {
        "analyses": ["clusters"],
        "clusters": {"k": 5, "features": _LISTED, "categories": ["toys", "books"], "channels": ["online"]},
    },
    "clusters-known": _PLAIN | {"analyses": ["clusters"], "clusters": {
        "features": ["recency_days", "orders"],
        "centres": {
            "clusters": {
                "features": [
                    {"name": "recency_days", "scale": {"kind": "log", "high": 3650}, "of": ""},
                    {"name": "orders", "scale": {"kind": "log", "high": 1000}, "of": ""},
                ],
                "centres": [{"id": 2, "place": [-7, 4096]}, {"id": 5, "place": [4096, -4096]}],
                "next_id": 9,
            },
            "shares": {"2": ["0.25", "0.0125"], "5": ["0.75", "0.01"]},
            "origin": "spring 2024-01-01",
        },
        "names": {"2": {"en": "Regulars", "zh": "常客"}},
    }},
    "all-three": _PLAIN | {
        "analyses": ["rfm", "churn", "clusters"],
        "holders": ["alpha", "beta", "gamma"],
        "budget": {"epsilon": "2.5", "delta": "0.0000005", "max_holders_per_customer": 2, "size_class": 50_000,
                   "colluding_holders": 2, "spare_attempts": 2,
                   "split": {"rfm": "0.5", "churn": "0.3", "clusters": "0.2"}},
        "rates": {"GBP": "1.17", "USD": {"2024-01-01": "0.9", "2024-07-01": "0.95"}},
        "cleaning": {"cancellation_prefix": "C", "returns": "net", "non_goods": ["post", "D"], "duplicates": "keep"},
        "bounds": {"money_min": "0.5", "money_max": "20000", "orders_max": 500, "recency_max_days": 1000},
        "waits": {"joining": 60, "answering": 30},
    },
    "central-opacus": _PLAIN | {
        "analyses": ["churn"], "placement": "central", "mechanism": "opacus", "budget": {"epsilon": "4", "delta": None},
    },
}  # fmt: skip

#: What members sign. ``test_golden`` opens one of each.
SIGNED = (
    "AnswerRequest", "BundleSeal", "Checkpoint", "Contribution", "Finished", "FinishRequest", "Heads", "Hello",
    "HelloRequest", "JoinRequest", "Leave", "ModelRecord", "Ready", "ReadyRequest", "Refusal", "RosterUpdate",
    "Rotation",
)  # fmt: skip

#: Customers of the world whose holder's folder, labels and model file are kept whole.
_SMALL_WORLD = 1_000
_GENEROUS = 'epsilon = 20\nsplit = {rfm = "0.1", churn = "0.8", clusters = "0.1"} '


# --- texts ---------------------------------------------------------------------------------------------------------


def studies() -> dict[str, dict[str, str]]:
    """Canonical text and digest of the ten studies."""
    read = {name: Study.model_validate(fields) for name, fields in STUDIES.items()}
    return {name: {"text": study.canonical().decode(), "digest": study.digest} for name, study in read.items()}


def nouns() -> dict[str, list[dict[str, str]]]:
    """Text and digest of the examples of every noun, by its kind."""
    from noun_examples import EXAMPLES

    found: dict[str, list[dict[str, str]]] = {}
    for value in EXAMPLES:
        found.setdefault(type(value).__name__, []).append({"text": value.canonical().decode(), "digest": value.digest})
    return dict(sorted(found.items()))


def statements() -> dict[str, Any]:
    """One signed statement of each kind, and the key of who signed them."""
    from contract_examples import identities
    from noun_examples import EXAMPLES

    signer = identities(["alpha"])["alpha"]
    examples = {type(value).__name__: value for value in EXAMPLES}
    signed = {kind: signer.sign(examples[kind]).model_dump(mode="json") for kind in SIGNED}
    return {"public_key": signer.public_key, "statements": signed}


def statistics() -> dict[str, list[dict[str, Any]]]:
    """Text, digest and bound of every statistic among the examples of the contract suite."""
    from contract_examples import STATISTICS

    return {
        kind: [
            {"text": each.canonical().decode(), "digest": each.digest, "bound": each.bound.model_dump(mode="json")}
            for each in examples
        ]
        for kind, examples in STATISTICS.items()
    }


# --- defaults ------------------------------------------------------------------------------------------------------


def stored_kinds() -> dict[str, type[BaseModel]]:
    """Every noun that is signed, hashed or stored, and every part of a stored result, by its name."""
    found = {kind.__name__: kind for kind in own_subclasses(Noun, Value)}
    return dict(sorted(found.items()))


def since_of(kind: type[BaseModel], field: str) -> str:
    """The release that a field came with, as :func:`privacy.kernel.canonical.since` marks it; empty for 0.1.0."""
    extra = kind.model_fields[field].json_schema_extra
    return str(extra.get("since", "")) if isinstance(extra, dict) else ""


def defaults() -> dict[str, dict[str, Any]]:
    """By kind: fields that must be stated, and the defaults of the others in JSON."""
    return {name: dict(_fields(kind)) for name, kind in stored_kinds().items()}


def _fields(kind: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    yield "required", sorted(name for name, field in kind.model_fields.items() if field.is_required())
    optional = {name: field for name, field in kind.model_fields.items() if not field.is_required()}
    yield (
        "defaults",
        {
            name: TypeAdapter(Any).dump_python(field.get_default(call_default_factory=True), mode="json")
            for name, field in sorted(optional.items())
        },
    )


def grown(old: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """``defaults.json`` with what is new today; what was in it stays as it was."""
    new = defaults()
    return {
        name: {
            "required": old.get(name, new.get(name, {}))["required"],
            "defaults": new.get(name, {}).get("defaults", {}) | old.get(name, {}).get("defaults", {}),
        }
        for name in sorted({*old, *new})
    }


# --- runs ----------------------------------------------------------------------------------------------------------


def demo_bundles(target: Path) -> None:
    """The bundles of everybody in the demo, run in this process."""
    from privacy.audit.export import export
    from privacy.kernel.canonical import read_toml
    from simulations.worlds.generator import generate, study_toml
    from simulations.worlds.local import Workspace, run_local

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        world = generate(root / "data", customers=20_000)
        (root / "study.toml").write_text(study_toml(world), encoding="utf-8")
        sources = {name: root / "data" / name for name in world.holders}
        workspace = Workspace.create(root, sources, declared=world.most_holders)
        run_local(read_toml(root / "study.toml", Study), workspace, transport="in-process")
        target.mkdir(parents=True)
        export(workspace.coordinator.root, target / "coordinator.bundle")
        for name in world.holders:
            export(workspace.holder(name).root, target / f"{name}.bundle")


def small_world(target: Path) -> None:
    """One holder's folder and the coordinator's results after a small study of all analyses.

    Private keys, rows, tables made from rows, and what is written anew from the rest (pages, lists) are left out.
    """
    from privacy.kernel.canonical import read_toml
    from simulations.worlds.generator import generate, study_toml
    from simulations.worlds.kit import demo_policy
    from simulations.worlds.local import Workspace, run_local

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        world = generate(root / "data", customers=_SMALL_WORLD, stores=2)
        text = study_toml(world).replace('analyses = ["rfm"]', 'analyses = ["rfm", "churn", "clusters"]')
        text = text.replace("epsilon = 1 ", _GENEROUS)  # so few customers cannot be told from more noise
        (root / "study.toml").write_text(text, encoding="utf-8")
        policy = demo_policy(len(world.holders), epsilon="40").replace(
            "max_study_epsilon = 4", "max_study_epsilon = 20"
        )
        for name in world.holders:
            (root / "data" / name / "policy.toml").write_text(policy, encoding="utf-8")
        sources = {name: root / "data" / name for name in world.holders}
        workspace = Workspace.create(root, sources, declared=world.most_holders)
        run_local(read_toml(root / "study.toml", Study), workspace, transport="in-process")
        first = world.holders[0]
        ignored = shutil.ignore_patterns("keys", "sales", "tables", "*.csv", "*.html")
        shutil.copytree(workspace.holder(first).root, target / "holder", ignore=ignored)
        shutil.copytree(workspace.coordinator.root / "results", target / "results", ignore=ignored)


def main() -> None:
    """Write the golden files of the release that is installed, or what ``defaults.json`` lacks."""
    if "--defaults" not in sys.argv:
        target = GOLDEN / metadata.version("cohortium")
        if target.exists():
            raise SystemExit(f"{target.name} is written already, for ever; raise the version first")
        target.mkdir()
        for make in (studies, nouns, statements, statistics):
            _write(target / f"{make.__name__}.json", make())
        demo_bundles(target / "bundles")
        small_world(target)
    _write(DEFAULTS, grown(json.loads(DEFAULTS.read_text(encoding="utf-8")) if DEFAULTS.exists() else {}))


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
