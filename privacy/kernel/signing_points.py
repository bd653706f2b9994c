"""Ed25519 public keys that prove something: points of the large group, in their one spelling.

A point of small order is a public key under which anybody can sign: with S = 0 and an R of the small group,
R = S B - h A holds by chance for one message in at most eight. And a y-coordinate of p or more is a second spelling
of a point. The library that verifies signatures refuses neither (RFC 8032, section 5.1.7, leaves the first to callers).
"""

from __future__ import annotations

#: The field's prime, 2^255 - 19.
_P = 2**255 - 19
#: y-coordinates of the points of order 1, 2, 4 and 8; each of the last two stands for four points.
_SMALL_ORDER = frozenset(
    {
        1,
        _P - 1,
        0,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


def check_signing_key(public_key: str) -> str:
    """A public key of 64 hexadecimal digits, as it is.

    Raises:
        ValueError: if anybody could sign under it, or it is not the one spelling of its point.
    """
    y = int.from_bytes(bytes.fromhex(public_key), "little") & ((1 << 255) - 1)  # the highest bit is the sign of x
    if y >= _P:
        raise ValueError("this spelling of a key is not the canonical one")
    if y in _SMALL_ORDER:
        raise ValueError("this key proves nothing: anybody can sign under it")
    return public_key
