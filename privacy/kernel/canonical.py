"""The one canonical encoding: what is signed, hashed and stored.

JSON with sorted keys, no white space, no floats: integers as they are, exact decimals as strings. Two equal
objects have equal bytes, on any machine and in any year, and nothing but a JSON reader and SHA-256 is needed to
check them (the number rules keep it inside RFC 8785 for integers below 2**53).
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from privacy.errors import CohortiumError, ConfigError, ProtocolError

#: Kinds of values that hold no others and have a canonical form.
_PLAIN = frozenset({int, str, bool, type(None)})


def _reject_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("floats have no canonical form; use integers or Decimal")
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    if not _PLAIN.issuperset(map(type, items)):  # vectors have thousands of whole numbers
        for item in items:
            _reject_floats(item)


def canonical_json(value: Any) -> bytes:
    """Encode a JSON value canonically.

    Raises:
        TypeError: if the value contains a float or something JSON cannot carry.
    """
    _reject_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_hex(data: bytes) -> str:
    """SHA-256 of ``data`` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def plain_decimal(value: Decimal) -> str:
    """A decimal in one spelling: no exponent, no trailing zeros (``0.000001``, ``10``)."""
    text = format(value if value else Decimal(0), "f")  # zero has a sign, too: one spelling only
    return text.rstrip("0").rstrip(".") if "." in text else text


#: Longest text of a decimal that is read, its most digits, and how far from 1 its first and its last digit may be. The
#: canonical form of what these let through has 43 characters at most, so that it can be read again.
DECIMAL_TEXT, DECIMAL_DIGITS, DECIMAL_EXPONENT = 64, 40, 40


def _short(value: Any) -> Any:
    """Refuse what is too long for a decimal before anything is made of it."""
    if isinstance(value, str | bytes) and len(value) > DECIMAL_TEXT:
        raise ValueError(f"a number has at most {DECIMAL_TEXT} characters")
    return value


def _bounded(value: Decimal) -> Decimal:
    """Refuse a decimal whose plain text would be long: ten characters with an exponent may stand for gigabytes."""
    if not value.is_finite():
        raise ValueError("must be a finite number")
    parts = value.as_tuple()
    if len(parts.digits) > DECIMAL_DIGITS:
        raise ValueError(f"a number has at most {DECIMAL_DIGITS} digits")
    if int(parts.exponent) < -DECIMAL_EXPONENT or value.adjusted() >= DECIMAL_EXPONENT:
        raise ValueError(f"a number is below 10^{DECIMAL_EXPONENT}, with at most {DECIMAL_EXPONENT} decimals")
    return value


#: An exact decimal number of bounded length; canonical form is a plain string.
ExactDecimal = Annotated[
    Decimal, BeforeValidator(_short), AfterValidator(_bounded), PlainSerializer(plain_decimal, return_type=str)
]


def since(release: str, default: Any, **rules: Any) -> Any:
    """A field added in ``release``: not written where it equals its default, so that older values keep their bytes.

    The default must never change afterwards: two releases would mean different things under one digest
    (``tests/golden/defaults.json`` holds every one).

    Args:
        release: the first release that has the field.
        default: the value of a noun that was written before there was such a field.
        rules: further arguments of ``pydantic.Field``, such as ``ge`` and ``max_length``.
    """
    return Field(
        default=default, exclude_if=lambda value: value == default, json_schema_extra={"since": release}, **rules
    )


class Noun(BaseModel):
    """A frozen, validated value of the contract between holders and the coordinator.

    Unknown fields are refused, tuples stand where lists would, and ``digest`` covers every field that was there in
    release 0.1.0, and of the fields added since (:func:`since`) those that differ from their default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def canonical(self) -> bytes:
        """The canonical bytes of this value."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, as hexadecimal digits."""
        return sha256_hex(self.canonical())

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Read a value that arrived from elsewhere.

        Raises:
            ProtocolError: if it is not exactly such a value. The text never quotes what arrived.
        """
        try:
            return cls.model_validate_json(data)
        except (ValidationError, ValueError, RecursionError) as error:
            raise ProtocolError(f"not a valid {cls.__name__}") from error


M = TypeVar("M", bound=BaseModel)


#: What a text must look like, in words, by pattern.
_PATTERNS = {
    r"^[a-z0-9][a-z0-9_-]{0,62}$": "lower case letters, digits, - and _, as in spring-2025; at most 63",
    r"^[A-Z]{3}$": "three capital letters, as in EUR",
}


def describe_validation(error: ValidationError) -> str:
    """Say in plain lines which fields are wrong and why."""
    lines = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "file"
        text = _PATTERNS.get(item.get("ctx", {}).get("pattern", ""), item["msg"]).removeprefix("Value error, ")
        lines.append(f"  {where}: {text[0].lower()}{text[1:]}")
    return "\n".join(lines)


def read_toml(path: Path, model: type[M], *, error: type[CohortiumError] = ConfigError) -> M:
    """Read a TOML file that a person wrote into a validated model; numbers stay exact decimals.

    Raises:
        ConfigError: (or ``error``) if the file is missing, is not TOML, or breaks a rule; the text names the
            field and what it should be.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise error(f"{path} does not exist", hint="check the path") from None
    except IsADirectoryError:
        inside = ", ".join(sorted(found.name for found in path.glob("*.toml"))[:5])
        raise error(f"{path} is a folder", hint=f"give the file: {inside}" if inside else "give a file") from None
    except PermissionError:
        raise error(f"{path} may not be read by this user", hint="change its rights, or run as its owner") from None
    except UnicodeDecodeError:
        raise error(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{path} is not valid TOML: {problem}", hint="mend the line named above") from None
    try:
        return model.model_validate(raw)
    except ValidationError as problem:
        raise error(
            f"{path} is not a valid {model.__name__.lower()} file:\n{describe_validation(problem)}",
            hint="mend the fields named above and try again",
        ) from None
