"""The coordinator's ServerApp process: imports everything first, then waits for Flower's token and runs.

Started by ``superlink.py`` while the SuperLink is still starting, which takes the imports out of the way. The
token comes over standard input: on a command line, every user of the machine could read it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from queue import Queue

from flwr.superlink.runtime import run_serverapp

from server.flower.app import load_entry
from server.flower.internals import upload_no_log


def main(address: str, root_certificate: str, *preload: str) -> None:
    """Run one ServerApp task of the SuperLink at ``address``; end quietly if no token comes.

    Ends the process by itself, with status 0 if the entry returned and 1 if it raised.
    """
    for entry in preload:
        load_entry(entry)
    token = sys.stdin.readline().strip()
    if not token:
        return
    # Nothing is put on this queue: what the coordinator prints stays in its own log and out of the SuperLink.
    upload_no_log()
    run_serverapp(
        runtime_api_address=address,
        log_queue=Queue(),
        token=token,
        insecure=False,
        certificates=Path(root_certificate).read_bytes(),
        runtime_dependency_install=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
