"""Whether a container does its work, for its health check: ``healthy.py listens|connected PORT``.

A coordinator or gateway is well while something listens on its port, a holder's node while it has a connection to the
coordinator's. It is read from the kernel's tables of the container's own network, so that nobody is called.
"""

from __future__ import annotations

import sys
from pathlib import Path

ESTABLISHED, LISTENING = "01", "0A"


def healthy(question: str, port: int, tables: str) -> bool:
    """The answer, from the text of ``/proc/net/tcp`` and ``tcp6`` (proc(5)): both addresses, then the state."""
    for line in tables.splitlines():
        words = line.split()
        if len(words) < 4 or ":" not in words[1]:
            continue
        here, there = (int(address.rpartition(":")[2], 16) for address in words[1:3])
        if question == "listens" and here == port and words[3] == LISTENING:
            return True
        if question == "connected" and there == port and words[3] == ESTABLISHED:
            return True
    return False


if __name__ == "__main__":
    files = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    text = "\n".join(file.read_text(encoding="ascii") for file in files if file.exists())
    sys.exit(not healthy(sys.argv[1], int(sys.argv[2]), text))
