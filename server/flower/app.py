"""The ServerApp that Flower starts: calls an entry of the installed release with a transport."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from privacy.errors import ProtocolError
from privacy.protocol.transport import Transport
from server.flower.bells import FOLDER
from server.flower.internals import check_flower_version
from server.flower.transport import FlowerTransport

#: What a run may call, as ``module:function``; each is called as ``function(transport, settings)``. A run's
#: configuration comes from outside, so it picks from this list and names nothing else.
ALLOWED_ENTRIES = frozenset({"server.running.run:run_over_transport", "server.flower.probe:probe"})

app = ServerApp()


def load_entry(entry: str) -> Callable[[Transport, dict[str, Any]], None]:
    """The function an entry names.

    Raises:
        ProtocolError: if the entry is not on the list.
    """
    if entry not in ALLOWED_ENTRIES:
        raise ProtocolError(
            "the run asks for an entry that is not allowed",
            hint=f"allowed are: {', '.join(sorted(ALLOWED_ENTRIES))}",
        )
    module, function = entry.split(":")
    found: Callable[[Transport, dict[str, Any]], None] = getattr(import_module(module), function)
    return found


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Call the run's entry with its settings, a JSON object."""
    check_flower_version()
    entry = load_entry(str(context.run_config["entry"]))
    settings = json.loads(str(context.run_config["settings"]))
    if not isinstance(settings, dict):
        raise ProtocolError("the run's settings are not a JSON object", hint="submit it again")
    bells = os.environ.get(FOLDER)
    entry(FlowerTransport(grid, bells=Path(bells) if bells else None), settings)
