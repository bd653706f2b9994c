"""Who may call the gateway: the registered node keys, and the signature that every call of a node carries.

Flower's nodes sign the time of each call with their key (ECDSA over P-384 with SHA-256); the SuperLink checks that,
after it has read the whole body. The gateway checks it before it reads a byte of one.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

PUBLIC_KEY_HEADER = b"flwr-public-key"
SIGNATURE_HEADER = b"flwr-signature"
TIME_HEADER = b"flwr-timestamp"

#: Seconds that a signed time may be ahead of this clock, and behind it: Flower's own figures.
AHEAD, BEHIND = 5.0, 305.0

#: Signatures of one key that are remembered; a node of ours makes some 3,000 in the time that one is good for.
_REMEMBERED = 20_000

log = logging.getLogger("cohortium.gateway")


class NodeList:
    """The registered public keys: a file with a line ``NAME OPENSSH-KEY`` for each, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._known: dict[bytes, ec.EllipticCurvePublicKey] = {}

    def key_of(self, header: bytes) -> ec.EllipticCurvePublicKey | None:
        """The key that a value of ``PUBLIC_KEY_HEADER`` names, if it is registered; none is without the file."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                lines = self._path.read_text(encoding="utf-8").splitlines()
                keys = [_public_key(line.split(maxsplit=1)[1]) for line in lines if line.strip()]
                self._known = {_header(key): key for key in keys}
                self._stamp = stamp
        except (OSError, ValueError, IndexError, UnsupportedAlgorithm) as error:
            log.error("the list of nodes cannot be read: %s", type(error).__name__)
            self._known, self._stamp = {}, None
        return self._known.get(header)


class NodeSignatures:
    """Whether a call was signed by a registered key, lately, and for the first time."""

    def __init__(self, nodes: NodeList, *, now: Callable[[], float] = time.time) -> None:
        self._nodes = nodes
        self._now = now
        self._seen: dict[bytes, dict[int, float]] = {}  # by key: a number of each signature, and when it is too old

    def signer(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        """The caller's key, as the header names it; None if anything is not as it must be."""
        name, signed_time = headers.get(PUBLIC_KEY_HEADER, b""), headers.get(TIME_HEADER, b"")
        key = self._nodes.key_of(name)
        if key is None:
            return None
        try:
            then = dt.datetime.fromisoformat(signed_time.decode("ascii")).timestamp()
            signature = base64.b64decode(headers.get(SIGNATURE_HEADER, b""), validate=True)
            # (r, s) and (r, n - s) are both good for one text: a signature is known again by r alone.
            number, _ = decode_dss_signature(signature)
            now = self._now()
            if not -AHEAD < now - then < BEHIND or not self._is_new(name, number, now):
                return None
            key.verify(signature, signed_time, ec.ECDSA(hashes.SHA256()))
        except (ValueError, OverflowError, OSError, binascii.Error, InvalidSignature):
            return None
        self._seen[name][number] = then + BEHIND
        return name

    def _is_new(self, name: bytes, number: int, now: float) -> bool:
        """Whether this signature was not seen, and there is room to remember one more of its key."""
        seen = self._seen.setdefault(name, {})
        for old in [known for known, until in list(seen.items())[:64] if until < now]:  # in the order of their coming
            del seen[old]
        return number not in seen and len(seen) < _REMEMBERED


def write_nodes(path: Path, keys: Mapping[str, str]) -> None:
    """Write the list of registered nodes, by name, in one step."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text("".join(f"{name} {key.strip()}\n" for name, key in sorted(keys.items())), encoding="utf-8")
    draft.replace(path)


def header_of(openssh: str) -> bytes:
    """What a node with this public key sends in ``PUBLIC_KEY_HEADER``.

    Raises:
        ValueError: if it is not an EC key.
    """
    return _header(_public_key(openssh))


def _public_key(openssh: str) -> ec.EllipticCurvePublicKey:
    key = load_ssh_public_key(openssh.encode())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("a node's key is an EC key")
    return key


def _header(key: ec.EllipticCurvePublicKey) -> bytes:
    return base64.b64encode(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
