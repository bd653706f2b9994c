"""Generators that could be tried through or come twice: what noise does when the randomness behind it is narrow or old.

*Narrow.* A generator that is seeded has as many states as its seed has. Inside :func:`narrow_entropy` everything that
Python draws from the system agrees in its low 32 bits from one draw to the next, so noise of a generator that looks at
no more than these comes out the same again.

*Old.* A machine that is resumed twice from one snapshot goes on twice from the same memory. :func:`twins` makes two of
one process, after it has drawn before, and lets both draw: what comes from a stream that is kept comes twice. (A fork
is near to that, but has another process id, which OpenSSL looks at; :mod:`privacy.fresh_keys` does without it.)
"""

from __future__ import annotations

import importlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from privacy.errors import AuditError
from privacy.fresh_keys import fresh_key
from privacy.mechanisms.sampler import discrete_gaussian, drawn_from, stream_of

#: Bytes at the end of each draw that stay the same: 32 bits, and up to 7 that ``getrandbits`` shifts out.
_KEPT = 5

#: Scale and size of what twins draw: equal by chance with less than 2^-200.
_SCALE, _SIZE = 1 << 30, 8


@contextmanager
def narrow_entropy() -> Iterator[None]:
    """Keep the low 32 bits of what ``os.urandom`` and ``secrets`` give, from one draw to the next, inside."""
    real, kept = os.urandom, os.urandom(_KEPT)

    def narrow(size: int) -> bytes:
        return (real(size) + kept)[-size:] if size <= _KEPT else real(size - _KEPT) + kept

    before = random._urandom  # type: ignore[attr-defined]
    os.urandom = random._urandom = narrow  # type: ignore[attr-defined]
    try:
        yield
    finally:
        os.urandom, random._urandom = real, before  # type: ignore[attr-defined]


def noise() -> list[int]:
    """What a holder or coordinator draws."""
    return [int(draw) for draw in discrete_gaussian(_SCALE, _SIZE)]


def twins(make: str, *, folders: Sequence[Path] = ()) -> tuple[Any, Any]:
    """What ``make`` gives in a process of its own and in the twin of it, after it was called once in both.

    Args:
        make: ``module:function``; what it returns must fit into JSON.
        folders: where else its module is looked for.

    Raises:
        AuditError: if there were no two answers (no process can be doubled here, or ``make`` failed).
    """
    path = os.pathsep.join(map(str, [Path(__file__).resolve().parents[2], *folders]))
    result = subprocess.run(
        [sys.executable, "-m", "simulations.attack.noise_generators", make],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if result.returncode:
        raise AuditError("a process and its twin could not be compared", hint=result.stderr[-300:])
    first, second = json.loads(result.stdout)
    return first, second


#: A stream with a good key that was made when this module was loaded, and lives on in every copy of the process.
_LONG_LIVED = stream_of(fresh_key("a planted fault"))


def noise_of_a_kept_stream() -> list[int]:
    """A planted fault: the generator is as wide as the real one, and kept in memory between draws."""
    return [int(draw) for draw in drawn_from(_SCALE, _SIZE, _LONG_LIVED, _LONG_LIVED)]


def _double(make: Callable[[], Any]) -> tuple[Any, Any]:
    make()  # whatever keeps a stream has begun it now
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(make()).encode())
        os._exit(0)
    os.close(writing)
    own = make()
    with os.fdopen(reading) as told:
        twin = json.loads(told.read())
    os.waitpid(child, 0)
    return own, twin


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    print(json.dumps(_double(getattr(importlib.import_module(module), function))))
