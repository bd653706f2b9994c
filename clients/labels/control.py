"""A control group: who on a list is left alone, so that what the list brings can be told from what comes anyway.

The draw is keyed: it looks random to whoever lacks the key, is the same whenever it is made again, and depends on
nothing that is known of a customer but the id. The key never leaves the holder's folder.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from privacy.errors import DataError
from privacy.figures.estimates import Z95
from privacy.private_files import write_private

#: Parts into which the draw divides customers: a share is a number of them.
PARTS = 1000
#: From so many names on a tenth says enough; of fewer it takes three.
_MANY, _OF_MANY, _OF_FEW = 3000, 100, 300
_KEY_BYTES = 32


def usual_share(names: int) -> int:
    """The share that is left alone of a list of so many, in thousandths, where the operator says nothing."""
    return _OF_MANY if names >= _MANY else _OF_FEW


@dataclass(frozen=True, kw_only=True)
class ControlDraw:
    """The draw of one list.

    Attributes:
        key: the holder's.
        study, as_of: of which run; another month draws anew.
    """

    key: bytes
    study: str
    as_of: str

    def __repr__(self) -> str:
        return "ControlDraw(<private>)"

    def of(self, ids: Sequence[str], share: int) -> NDArray[np.bool_]:
        """Who is left alone.

        Args:
            ids: of customers.
            share: in thousandths, 0 to 1000; who is in the control group of a smaller share is in that of a larger.
        """
        return np.fromiter((self._number(one) < share for one in ids), dtype=np.bool_, count=len(ids))

    def _number(self, customer_id: str) -> int:
        said = json.dumps([self.study, self.as_of, customer_id]).encode()  # no two triples are one text
        drawn = int.from_bytes(hmac.digest(self.key, said, hashlib.sha256)[:8], "big")
        return drawn * PARTS >> 64


def group_draw(key: bytes, group: str, day: dt.date) -> ControlDraw:
    """The draw of a group of tags: one for all days of a month, so that nobody changes sides between two lists."""
    return ControlDraw(key=key, study=f"group {group}", as_of=f"{day:%Y-%m}")


def control_key(state: Path) -> bytes:
    """The holder's key, made where there is none yet.

    Raises:
        DataError: if the file is not what was written.
    """
    path = state / "control.key"
    if not path.exists():
        write_private(path, secrets.token_bytes(_KEY_BYTES))
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise DataError(f"{path} is no key", hint="put it back from a backup: another one would draw other customers")
    return key


def seen_from(names: int, share: int, rate: float) -> float:
    """The least difference that one list can show: half-width of the 95% interval of contacted less control.

    For two binomial shares with the same rate p, of n (1 - q) and n q customers: 1.96 sqrt(p (1 - p) / (n q (1 - q))).

    Args:
        names: n, on the list.
        share: q, in thousandths; with 0 or all of them nothing is seen (1).
        rate: p, the share that buys again, 0 to 1.

    Returns:
        A difference of shares, 0 to 1.
    """
    part = share / PARTS
    if not 0 < part < 1 or names == 0:
        return 1.0
    return min(1.0, Z95 * math.sqrt(rate * (1 - rate) / (names * part * (1 - part))))
