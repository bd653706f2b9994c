"""Examples of everything in the contract's catalogues, for the suites that run over all of them.

Statistics come from ``tests/analyses/<name>/examples.py`` of each analysis; those that several ask from
``shared_examples``. A statistic over a new kind of rows needs an entry in ``row_kits.KINDS`` as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from types import ModuleType
from typing import Any

import shared_examples
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from row_kits import FEATURE_NAMES, KINDS, KindOfRows, kind_with
from statistic_kit import ReadingOf

from privacy.analyses.catalogue import NAMES
from privacy.kernel.canonical import Noun
from privacy.mechanisms import SumMechanism
from privacy.protocol.identity import Identity, Member, Roster
from privacy.statistics import Statistic


def room(name: str) -> ModuleType:
    """An analysis' examples."""
    return import_module(f"analyses.{name}.examples")


#: Kind to examples.
STATISTICS: dict[str, tuple[Statistic[Any], ...]] = dict(shared_examples.STATISTICS)
#: Kind to how it is read, and what it should say.
READINGS: dict[str, ReadingOf] = dict(shared_examples.READINGS)
for _name in NAMES:
    STATISTICS |= room(_name).STATISTICS
    READINGS |= room(_name).READINGS

#: An example of every noun that a room brings beside its statistics.
NOUNS: tuple[Noun, ...] = tuple(noun for name in NAMES for noun in getattr(room(name), "NOUNS", ()))


def kind_of(statistic: Statistic[Any]) -> KindOfRows:
    """How to make what a statistic reads, its witness among the extremes."""
    named, _ = statistic.looks_at
    kind = KINDS[statistic.reads] if named <= set(FEATURE_NAMES) else kind_with(tuple(sorted(named)))
    witness = READINGS[statistic.kind].witness
    if witness is None:
        return kind
    row = witness(statistic)
    return replace(kind, extremes=(row, *(other for other in kind.extremes if other != row)), busy=row)


ALL_STATISTICS = [
    (f"{kind}-{number}", statistic)
    for kind, examples in STATISTICS.items()
    for number, statistic in enumerate(examples)
]

STATISTIC_IDS = [name for name, _ in ALL_STATISTICS]

STATISTIC_VALUES = [statistic for _, statistic in ALL_STATISTICS]


# --- mechanisms ----------------------------------------------------------------------------------------------------

#: Placement to examples: the fewest holders, an ordinary federation, nearly all colluding, the largest.
MECHANISMS: dict[str, tuple[SumMechanism, ...]] = {
    placement: tuple(
        SumMechanism(placement=placement, holders=m, colluding=t, share_scale=scale)
        for m, t, scale in [(2, 1, 1000), (3, 1, 4_000_000), (8, 7, 123_457), (1000, 2, 1 << 48)]
    )
    for placement in ("distributed", "local", "central")
}

MECHANISM_VALUES = [mechanism for examples in MECHANISMS.values() for mechanism in examples]

MECHANISM_IDS = [f"{m.placement}-{m.holders}-{m.colluding}" for m in MECHANISM_VALUES]

# --- people --------------------------------------------------------------------------------------------------------

LIFETIME = (Decimal("2"), Decimal("0.000001"))


def identities(names: Iterable[str]) -> dict[str, Identity]:
    """Signing keys in memory, always the same for the same name."""
    result = {}
    for name in names:
        seed = name.encode().ljust(32, b"\x00")[:32]
        result[name] = Identity(name, Ed25519PrivateKey.from_private_bytes(seed))
    return result


def roster_of(people: dict[str, Identity], *, coordinator: str = "coordinator") -> Roster:
    """A roster of these people, one of whom is the coordinator."""
    return Roster(
        federation="test",
        version=1,
        members=tuple(
            Member(
                id=name,
                role="coordinator" if name == coordinator else "holder",
                public_key=people[name].public_key,
            )
            for name in sorted(people)
        ),
    )
