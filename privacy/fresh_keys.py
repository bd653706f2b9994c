"""Keys that are made anew from the system each time, so that nothing kept in memory can come twice.

A virtual machine that is resumed twice from one snapshot goes on twice from the same memory. Whatever a library keeps
of a random stream there comes again in the twin: OpenSSL's generator, for one, asks the system at its start and then
not for an hour, and notices only that a process has forked. So a key is made from 32 bytes of the system when it is
needed. A kernel that was resumed may itself repeat for a moment, where the hypervisor does not tell it (a VM generation
id does): two clocks and the process id are mixed in, which add no secrecy, and make twins differ as soon as their
clocks do.
"""

from __future__ import annotations

import os
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def fresh_key(purpose: str) -> bytes:
    """32 bytes that nobody had before (HKDF-SHA256 of 32 bytes of the system, with the clocks in ``info``).

    Args:
        purpose: what it is for, a public name.
    """
    moment = f"{purpose}|{time.time_ns()}|{time.perf_counter_ns()}|{os.getpid()}"
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=moment.encode()).derive(os.urandom(32))
