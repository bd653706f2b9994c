"""Pairwise masks bound to the plan core, the sum in which they cancel, and check words that show who spoils it.

Each pair of participants derives keys from its two fresh X25519 keys, both HELLOs and the digest of the plan core;
the one with the smaller id adds the keystream modulo 2^64, the other subtracts it (Bonawitz et al. 2017, without
recovery: on a dropout the attempt is abandoned). Because the core is in the key, two holders that were shown
different plans have masks that do not cancel ("model inconsistency", arXiv 2111.07380).

A pair has two keys for a core: one for the data, and one for *check words*. These mask four zeros, so what a holder
sends of them says nothing of its data, and all participants' must add up to zero. They are announced before anybody
is charged, with the very code that masks the answer. A check key may be opened: it masks nothing but zeros, is for one
core alone, and an output of HKDF says nothing of one with other ``info``. A data key never leaves this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from privacy.errors import ProtocolError
from privacy.fresh_keys import fresh_key

UintArray = NDArray[np.uint64]

#: Words of zeros that everybody masks beside the data: whoever gets them wrong by chance does so with 2^-256.
CHECK_WORDS = 4

#: What a key of a pair is for.
Use = Literal["data", "check"]

_DOMAIN = b"cohortium/mask/v2"


class MaskMismatch(ProtocolError):
    """The masks did not cancel: some participant answered another plan, or answered wrongly."""


class MaskKey:
    """A fresh X25519 key that lives in this process's memory only."""

    def __init__(self) -> None:
        # Not X25519PrivateKey.generate(), whose generator may come twice in a machine that is resumed twice.
        self._key = X25519PrivateKey.from_private_bytes(fresh_key("mask key"))
        self._shared: dict[str, bytes] = {}

    @property
    def public(self) -> str:
        """The public half, 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def shared_with(self, public: str) -> bytes:
        """The X25519 shared secret with another party's public half.

        Raises:
            ProtocolError: if the other half is a point of small order.
        """
        if public not in self._shared:
            try:
                other = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
                self._shared[public] = self._key.exchange(other)
            except ValueError:
                raise ProtocolError("a participant's mask key is not usable") from None
        return self._shared[public]

    def __repr__(self) -> str:
        return "MaskKey(<private>)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("mask keys stay in memory")


def pair_key(shared: bytes, low: tuple[str, str], high: tuple[str, str], core: str, use: Use) -> bytes:
    """The key of one pair for one core and one use, 32 bytes (HKDF-SHA256, RFC 5869).

    Args:
        shared: X25519 secret of the pair.
        low, high: (holder id, HELLO digest) of the pair, smaller id first.
        core: digest of the plan core.
        use: what is masked with it.
    """
    return HKDF(
        algorithm=hashes.SHA256(),
        length=32,
        salt=hashlib.sha256(bytes.fromhex(low[1]) + bytes.fromhex(high[1])).digest(),
        info=b"\x00".join([_DOMAIN, use.encode(), bytes.fromhex(core), low[0].encode(), high[0].encode()]),
    ).derive(shared)


def key_stream(key: bytes, size: int) -> UintArray:
    """The keystream of a pair's key (ChaCha20, RFC 8439, from block 0 with a zero nonce), shape ``(size,)``."""
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
    """Add this holder's masks to its noisy sum and to four zeros, the check words.

    Args:
        values: shape ``(dim,)``; of shape ``(0,)`` for the check words alone.
        holder: who masks.
        key: its key of this run.
        hellos: every participant's (HELLO digest, mask public key), this holder's own included.
        core: digest of the plan core.

    Returns:
        The masked vector and the check words, shape ``(dim + 4,)``, modulo 2^64.
    """
    size = len(values)
    total = np.zeros(size + CHECK_WORDS, dtype=np.uint64)
    total[:size] = values.view(np.uint64)
    parts: tuple[tuple[Use, slice], ...] = (("data", slice(size)), ("check", slice(size, None)))
    for other, pair in _pairs(holder, key, hellos):
        for use, part in parts:
            _add(total[part], pair_key(*pair, core, use), holder, other)
    return total


def check_keys(*, holder: str, key: MaskKey, hellos: Mapping[str, tuple[str, str]], core: str) -> dict[str, str]:
    """This holder's check key with each other participant, 64 hexadecimal digits; to be opened for one core."""
    return {other: pair_key(*pair, core, "check").hex() for other, pair in _pairs(holder, key, hellos)}


def words_of(holder: str, keys: Mapping[str, str]) -> str:
    """The check words that follow from a holder's opened check keys, as :func:`announced` writes them."""
    total = np.zeros(CHECK_WORDS, dtype=np.uint64)
    for other, key in keys.items():
        _add(total, bytes.fromhex(key), holder, other)
    return to_bytes(total).hex()


def announced(masked: bytes) -> str:
    """The check words at the end of a masked vector's bytes: 64 hexadecimal digits, little-endian words."""
    return masked[-8 * CHECK_WORDS :].hex()


def cancel(words: Iterable[str]) -> bool:
    """Whether all participants' check words, as :func:`announced` writes them, add up to zero."""
    total = np.zeros(CHECK_WORDS, dtype=np.uint64)
    for text in words:
        total += from_bytes(bytes.fromhex(text), CHECK_WORDS)
    return not total.any()


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
    if total[-CHECK_WORDS:].any():
        raise MaskMismatch("the masks of this attempt did not cancel; it is spent")
    return total[:-CHECK_WORDS].view(np.int64)


def _pairs(
    holder: str, key: MaskKey, hellos: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, tuple[bytes, tuple[str, str], tuple[str, str]]]]:
    """Each other participant, with the secret shared with it and both (id, HELLO digest), smaller id first."""
    own = (holder, hellos[holder][0])
    for other, (digest, public) in hellos.items():
        if other != holder:
            low, high = sorted([own, (other, digest)])
            yield other, (key.shared_with(public), low, high)


def _add(total: UintArray, key: bytes, holder: str, other: str) -> None:
    """Add a pair's keystream in place at the smaller id, and take it away at the other."""
    stream = key_stream(key, len(total))
    if holder < other:
        total += stream
    else:
        total -= stream


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
