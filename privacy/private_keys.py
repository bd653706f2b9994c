"""Private keys on disk: a member's Ed25519 signing key and a holder's node key, owner-only, optionally encrypted.

The node key (ECDSA P-384) is what the carrier knows a holder's node by; everything that counts is
signed with the signing key.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from privacy.errors import ConfigError

#: Where a passphrase is looked for: the text itself, or an owner-only file whose first line it is.
PASSPHRASE = "COHORTIUM_PASSPHRASE"
PASSPHRASE_FILE = "COHORTIUM_PASSPHRASE_FILE"


def environment_without_passphrase() -> dict[str, str]:
    """This process's environment for a program that has no business with private keys."""
    return {name: value for name, value in os.environ.items() if name not in (PASSPHRASE, PASSPHRASE_FILE)}


def passphrase() -> bytes | None:
    """The passphrase of this process's private keys, from the environment; None where there is none.

    Raises:
        ConfigError: if the named file cannot be read, is empty, or others may read it.
    """
    if text := os.environ.get(PASSPHRASE):
        return text.encode()
    name = os.environ.get(PASSPHRASE_FILE)
    if not name:
        return None
    path = Path(name)
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"the file that {PASSPHRASE_FILE} names cannot be read", hint="check the path") from None
    if mode & 0o077:
        raise ConfigError(f"others may read the passphrase in {path}", hint=f"chmod 600 {path}")
    if not text:
        raise ConfigError(f"the first line of {path} is empty", hint="write the passphrase there")
    return text.encode()


def _encryption() -> KeySerializationEncryption:
    secret = passphrase()
    return NoEncryption() if secret is None else BestAvailableEncryption(secret)


def create_signing_key(path: Path) -> Ed25519PrivateKey:
    """Make a signing key and write it, under the process's passphrase where there is one.

    Raises:
        ConfigError: if the file exists: a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption()))
    return key


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a signing key.

    Raises:
        ConfigError: if it is missing, is not such a key, needs another passphrase, or others may read it.
    """
    key = _load(path, "signing key")
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is not an Ed25519 key")
    return key


def create_node_key(path: Path) -> str:
    """Make a node key and write it; returns the public key as one line of OpenSSH text.

    Raises:
        ConfigError: if the file exists.
    """
    key = ec.generate_private_key(ec.SECP384R1())
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption()))
    return public_node_key(key)


def public_node_key(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half of a node key as one line of OpenSSH text."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def load_node_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a node key.

    Raises:
        ConfigError: if it is missing, is not such a key, needs another passphrase, or others may read it.
    """
    key = _load(path, "node key")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{path} is not an elliptic-curve key", hint="make the node's keys anew")
    return key


_HINT = f"set {PASSPHRASE}, or {PASSPHRASE_FILE} to an owner-only file that holds it"


def _write_new(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists; a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _load(path: Path, what: str) -> PrivateKeyTypes:
    try:
        mode, data = path.stat().st_mode, path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"there is no {what} at {path}", hint="make the keys first") from None
    except OSError as error:
        raise ConfigError(f"the {what} {path} cannot be read: {error.strerror}", hint="check the path") from None
    if mode & 0o077:
        raise ConfigError(f"others may read the {what} {path}", hint=f"chmod 600 {path}")
    encrypted = b"ENCRYPTED" in data
    try:
        # A key without a passphrase stays usable where one is set for others.
        return serialization.load_pem_private_key(data, passphrase() if encrypted else None)
    except TypeError:
        raise ConfigError(f"the {what} {path} is under a passphrase", hint=_HINT) from None
    except (ValueError, UnsupportedAlgorithm):
        wrong = "does not open with this passphrase" if encrypted else f"is not a {what}"
        raise ConfigError(f"{path} {wrong}", hint=_HINT if encrypted else "restore it, or make the keys anew") from None
