"""Checks of masks that a mutant must fail too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.secure_sum.masks import (
    CHECK_WORDS,
    MaskKey,
    check_keys,
    key_stream,
    mask,
)

CORE, OTHER_CORE = "c" * 64, "d" * 64


Hellos = dict[str, tuple[str, str]]


def federation(size: int) -> tuple[dict[str, MaskKey], Hellos]:
    """Keys and HELLOs of so many holders."""
    keys = {f"holder-{number}": MaskKey() for number in range(size)}
    hellos = {name: (hashlib.sha256(name.encode()).hexdigest(), key.public) for name, key in keys.items()}
    return keys, hellos


def masked(
    values: Mapping[str, NDArray[np.int64]],
    keys: Mapping[str, MaskKey],
    hellos: Hellos,
    cores: Mapping[str, str] | None = None,
    views: Mapping[str, Hellos] | None = None,
) -> list[NDArray[np.uint64]]:
    """What every holder sends; ``cores`` and ``views`` let some see another core or other HELLOs."""
    return [
        mask(
            values[name],
            holder=name,
            key=key,
            hellos=(views or {}).get(name, hellos),
            core=(cores or {}).get(name, CORE),
        )
        for name, key in keys.items()
    ]


def check_opened_keys_unmask_no_data(root: object = None, patch: object = None) -> None:
    """All check keys of a core together leave the data masked: nothing of it shows under their streams."""
    keys, hellos = federation(3)
    values = {name: np.full(64, 5, dtype=np.int64) for name in keys}
    for name, vector in zip(keys, masked(values, keys, hellos), strict=True):
        stripped = vector.copy()
        for other, key in check_keys(holder=name, key=keys[name], hellos=hellos, core=CORE).items():
            for start in (0, len(vector) - CHECK_WORDS):
                part = stripped[start:]
                stream = key_stream(bytes.fromhex(key), len(part))
                part -= stream if name < other else -stream
        assert not np.any(stripped[:64] == 5)
        assert np.unique(stripped[:64] - vector[:64]).size == 64, "not even a constant is left"
