"""Pairwise masks bound to the plan core, and the sum in which they cancel.

Each pair of participants derives a key from its two fresh X25519 keys, both HELLOs and the digest of the plan core;
the one with the smaller id adds the keystream modulo 2^64, the other subtracts it (Bonawitz et al. 2017, without
recovery: on a dropout the attempt is abandoned). Because the core is in the key, two holders that were shown
different plans have masks that do not cancel ("model inconsistency", arXiv 2111.07380). One more coordinate, to
which everybody adds zero without noise, must come out zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from privacy.errors import ProtocolError

UintArray = NDArray[np.uint64]

_DOMAIN = b"cohortium/mask/v1"


class MaskMismatch(ProtocolError):
    """The masks did not cancel: some participant answered another plan, or answered wrongly."""


class MaskKey:
    """A fresh X25519 key that lives in this process's memory only."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """The public half, 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def shared_with(self, public: str) -> bytes:
        """The X25519 shared secret with another party's public half.

        Raises:
            ProtocolError: if the other half is a point of small order.
        """
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(public)))
        except ValueError:
            raise ProtocolError("a participant's mask key is not usable") from None

    def __repr__(self) -> str:
        return "MaskKey(<private>)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("mask keys stay in memory")


def pair_stream(shared: bytes, low: tuple[str, str], high: tuple[str, str], core: str, size: int) -> UintArray:
    """The keystream of one pair for one core, shape ``(size,)``.

    Args:
        shared: X25519 secret of the pair.
        low, high: (holder id, HELLO digest) of the pair, smaller id first.
        core: digest of the plan core.
        size: number of 64-bit words.
    """
    key = HKDF(
        algorithm=hashes.SHA256(),
        length=32,
        salt=hashlib.sha256(bytes.fromhex(low[1]) + bytes.fromhex(high[1])).digest(),
        info=b"\x00".join([_DOMAIN, bytes.fromhex(core), low[0].encode(), high[0].encode()]),
    ).derive(shared)
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(8 * size))
    return np.frombuffer(stream, dtype="<u8").astype(np.uint64)


def mask(
    values: NDArray[np.int64],
    *,
    holder: str,
    key: MaskKey,
    hellos: Mapping[str, tuple[str, str]],
    core: str,
) -> UintArray:
    """Add this holder's masks, and the check coordinate, to its noisy sum.

    Args:
        values: shape ``(dim,)``.
        holder: who masks.
        key: its key of this run.
        hellos: every participant's (HELLO digest, mask public key), this holder's own included.
        core: digest of the plan core.

    Returns:
        The masked vector, shape ``(dim + 1,)``, modulo 2^64.
    """
    total = np.zeros(len(values) + 1, dtype=np.uint64)
    total[:-1] = values.view(np.uint64)
    own = (holder, hellos[holder][0])
    for other, (digest, public) in hellos.items():
        if other == holder:
            continue
        low, high = sorted([own, (other, digest)])
        stream = pair_stream(key.shared_with(public), low, high, core, len(total))
        if low[0] == holder:
            total += stream
        else:
            total -= stream
    return total


def unmask(vectors: Sequence[UintArray]) -> NDArray[np.int64]:
    """Add up all participants' vectors; their masks cancel.

    Returns:
        The sum, shape ``(dim,)``.

    Raises:
        MaskMismatch: if they do not cancel.
    """
    total = np.zeros_like(vectors[0])
    for vector in vectors:
        total = total + vector
    if total[-1] != 0:
        raise MaskMismatch("the masks of this attempt did not cancel; it is spent")
    return total[:-1].view(np.int64)


def to_bytes(vector: UintArray) -> bytes:
    """Little-endian bytes of a masked vector."""
    return vector.astype("<u8").tobytes()


def from_bytes(data: bytes, size: int) -> UintArray:
    """Read a masked vector of ``size`` words.

    Raises:
        ProtocolError: if it has another length.
    """
    if len(data) != 8 * size:
        raise ProtocolError("a masked vector has the wrong length")
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)
