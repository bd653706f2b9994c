"""Who is who: long-term Ed25519 signing keys, the roster that lists them, and signed statements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AfterValidator, Field, model_validator

from privacy.errors import ProtocolError
from privacy.kernel.canonical import Noun, since
from privacy.kernel.limits import LONGEST_BODY, MOST_MEMBERS
from privacy.kernel.signing_points import check_signing_key
from privacy.kernel.terms import Slug
from privacy.private_keys import create_signing_key, load_signing_key

#: An Ed25519 public key under which only the owner of its private key can sign.
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), AfterValidator(check_signing_key)]
#: A node's public key as one line of OpenSSH text without a comment; empty where a member runs no node.
NodeKey = Annotated[str, Field(pattern=r"^(ecdsa-sha2-nistp384 [A-Za-z0-9+/=]{100,250})?$")]


Role = Literal["holder", "coordinator", "auditor"]


class Declarations(Noun):
    """What a holder states about its customers, under its own signature. Nobody can check it; auditors see who said it.

    Attributes:
        max_holders_per_customer: k, at how many holders of the federation a customer of it may be: 1 says that no
            customer of it is a customer of another holder; None that it does not know, which counts as all of them.
        size_class: public upper figure for the number of its customers; None where it states none.
    """

    max_holders_per_customer: int | None = Field(default=None, ge=1, le=1000)
    size_class: int | None = Field(default=None, ge=1, le=1_000_000_000)

    def records_among(self, holders: int) -> int:
        """k as declared, in a federation of so many holders."""
        return min(self.max_holders_per_customer or holders, holders)


class Member(Noun):
    """One member of a federation.

    Attributes:
        id: short name.
        role: a ``holder`` has data, the ``coordinator`` asks, an ``auditor`` reads.
        public_key: Ed25519 public key, 64 hexadecimal digits.
        node_key: of a holder's node.
        declarations: of a holder; None in a rehearsal where nobody made any.
        number: grows with each of this member's requests, so that none of them counts twice.
    """

    id: Slug
    role: Role
    public_key: PublicKey
    node_key: NodeKey = ""
    declarations: Declarations | None = None
    number: int = since("0.2.0", 0, ge=0, le=1_000_000)


class Roster(Noun):
    """The members of a federation and their keys; its digest is in every message.

    Attributes:
        federation: name of the federation.
        version: grows with every change.
        members: sorted by id.
        previous: digest of the roster before this one; empty for the first.
        releases: code digests (``privacy.protocol.code``) of the releases that members may run: this one, and the one
            before, so that one late upgrade stops nobody. Empty means: everybody runs the same, whichever it is.
    """

    federation: Slug
    version: int = Field(ge=1, le=1 << 31)
    members: tuple[Member, ...] = Field(max_length=MOST_MEMBERS)
    previous: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    releases: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = Field(default=(), max_length=2)

    @model_validator(mode="after")
    def _proper(self) -> Self:
        ids = [member.id for member in self.members]
        if ids != sorted(set(ids)):
            raise ValueError("members must be sorted by id, each once")
        if len({member.public_key for member in self.members}) != len(self.members):
            raise ValueError("two members have the same key")
        nodes = [member.node_key for member in self.members if member.node_key]
        if len(set(nodes)) != len(nodes):
            raise ValueError("two members have the same node key")
        if (self.version == 1) != (self.previous == ""):
            raise ValueError("every roster but the first names the one before it")
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

    def accepts(self, code: str, own: str) -> bool:
        """Whether a party that runs the release ``own`` may work with one that runs the release ``code``."""
        return code == own or {code, own} <= set(self.releases)

    def member(self, name: str) -> Member | None:
        """A member by its id."""
        return next((entry for entry in self.members if entry.id == name), None)

    def key_of(self, member: str) -> Ed25519PublicKey:
        """A member's public key.

        Raises:
            ProtocolError: if there is no such member.
        """
        entry = self.member(member)
        if entry is None:
            raise ProtocolError("the signer is not in the roster")
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(entry.public_key))


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
        return cls(member, create_signing_key(path))

    @classmethod
    def load(cls, member: str, path: Path) -> Self:
        """Read a key.

        Raises:
            ConfigError: if it is missing, is not a key, needs another passphrase, or others may read it.
        """
        return cls(member, load_signing_key(path))

    @property
    def public_key(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, statement: Noun) -> Signed:
        """Sign a statement.

        Raises:
            ProtocolError: if it is longer than anybody would read.
        """
        kind = type(statement).__name__
        body = statement.canonical().decode()
        if len(body) > LONGEST_BODY:
            raise ProtocolError(f"a {kind} of {len(body):,} characters: nobody reads more than {LONGEST_BODY:,}")
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
    body: str = Field(max_length=LONGEST_BODY)
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
        if signer is not None and self.signer != signer:
            raise ProtocolError(f"this {model.__name__} is signed by somebody else")
        return self.open_with(model, roster.key_of(self.signer))

    def open_with(self, model: type[N], key: Ed25519PublicKey | str) -> N:
        """The same by a key alone, for who is not in a roster yet.

        Args:
            model: which kind of statement it must be.
            key: the signer's public key, as such or as 64 hexadecimal digits.

        Raises:
            ProtocolError: if kind, signature or content are not as they must be.
        """
        if self.kind != model.__name__:
            raise ProtocolError(f"expected a signed {model.__name__}")
        if isinstance(key, str):
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
        try:
            key.verify(bytes.fromhex(self.signature), _to_sign(self.kind, self.signer, self.body))
        except InvalidSignature:
            raise ProtocolError(f"the signature of a {model.__name__} is wrong") from None
        value = model.parse(self.body)
        if value.canonical().decode() != self.body:
            raise ProtocolError(f"a {model.__name__} is not in canonical form")
        return value


#: Statements of several members, one of each at most.
SignedStatements = Annotated[tuple[Signed, ...], Field(max_length=MOST_MEMBERS)]
