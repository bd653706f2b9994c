"""Who is who: long-term Ed25519 signing keys, the roster that lists them, and signed statements."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, model_validator

from privacy.contract.canonical import Noun
from privacy.contract.study import Slug
from privacy.errors import ConfigError, ProtocolError


class Member(Noun):
    """One member of a federation.

    Attributes:
        id: short name.
        role: a ``holder`` has data, the ``coordinator`` asks, an ``auditor`` reads.
        public_key: Ed25519 public key, 64 hexadecimal digits.
    """

    id: Slug
    role: Literal["holder", "coordinator", "auditor"]
    public_key: str = Field(pattern=r"^[0-9a-f]{64}$")


class Roster(Noun):
    """The members of a federation and their keys; its digest is in every message.

    Attributes:
        federation: name of the federation.
        version: grows with every change.
        members: sorted by id.
    """

    federation: Slug
    version: int = Field(ge=1)
    members: tuple[Member, ...]

    @model_validator(mode="after")
    def _proper(self) -> Self:
        ids = [member.id for member in self.members]
        if ids != sorted(set(ids)):
            raise ValueError("members must be sorted by id, each once")
        if len({member.public_key for member in self.members}) != len(self.members):
            raise ValueError("two members have the same key")
        if [member.role for member in self.members].count("coordinator") != 1:
            raise ValueError("a federation has exactly one coordinator")
        return self

    @property
    def coordinator(self) -> str:
        """Id of the coordinator."""
        return next(member.id for member in self.members if member.role == "coordinator")

    @property
    def holders(self) -> tuple[str, ...]:
        """Ids of all holders, sorted."""
        return tuple(member.id for member in self.members if member.role == "holder")

    def key_of(self, member: str) -> Ed25519PublicKey:
        """A member's public key.

        Raises:
            ProtocolError: if there is no such member.
        """
        for entry in self.members:
            if entry.id == member:
                return Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry.public_key))
        raise ProtocolError("the signer is not in the roster")


class Identity:
    """A member's own signing key. Its repr shows no key, and it cannot be pickled by accident."""

    def __init__(self, member: str, key: Ed25519PrivateKey) -> None:
        self.member = member
        self._key = key

    @classmethod
    def create(cls, member: str, path: Path) -> Self:
        """Make a key and write it, owner-only.

        Raises:
            ConfigError: if the file exists: a key is never overwritten.
        """
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(pem)
        except FileExistsError:
            raise ConfigError(f"{path} exists; a key is never overwritten") from None
        return cls(member, key)

    @classmethod
    def load(cls, member: str, path: Path) -> Self:
        """Read a key.

        Raises:
            ConfigError: if it is missing, is not a key, or others may read it.
        """
        try:
            mode = path.stat().st_mode
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except FileNotFoundError:
            raise ConfigError(f"there is no signing key at {path}", hint="make the holder's keys first") from None
        except (ValueError, TypeError):
            raise ConfigError(f"{path} is not a signing key") from None
        if mode & 0o077:
            raise ConfigError(f"others may read the signing key {path}", hint=f"chmod 600 {path}")
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f"{path} is not an Ed25519 key")
        return cls(member, key)

    @property
    def public_key(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, statement: Noun) -> Signed:
        """Sign a statement."""
        kind = type(statement).__name__
        body = statement.canonical().decode()
        signature = self._key.sign(_to_sign(kind, self.member, body)).hex()
        return Signed(kind=kind, signer=self.member, body=body, signature=signature)

    def __repr__(self) -> str:
        return f"Identity({self.member!r})"


N = TypeVar("N", bound=Noun)


def _to_sign(kind: str, signer: str, body: str) -> bytes:
    return b"\x00".join([b"cohortium/statement/v1", kind.encode(), signer.encode(), body.encode()])


class Signed(Noun):
    """A statement, who made it, and the signature over kind, signer and canonical body."""

    kind: str = Field(max_length=40)
    signer: str = Field(max_length=63)
    body: str
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")

    def open(self, model: type[N], roster: Roster, *, signer: str | None = None) -> N:
        """Check the signature and read the statement.

        Args:
            model: which kind of statement it must be.
            roster: whose keys count.
            signer: who must have signed; anybody in the roster when None.

        Raises:
            ProtocolError: if kind, signer, signature or content are not as they must be.
        """
        if self.kind != model.__name__:
            raise ProtocolError(f"expected a signed {model.__name__}")
        if signer is not None and self.signer != signer:
            raise ProtocolError(f"this {model.__name__} is signed by somebody else")
        try:
            roster.key_of(self.signer).verify(
                bytes.fromhex(self.signature), _to_sign(self.kind, self.signer, self.body)
            )
        except InvalidSignature:
            raise ProtocolError(f"the signature of a {model.__name__} is wrong") from None
        value = model.parse(self.body)
        if value.canonical().decode() != self.body:
            raise ProtocolError(f"a {model.__name__} is not in canonical form")
        return value
