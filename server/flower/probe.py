"""A connection check: sends all holders bytes of no meaning; writes down what came back, and how fast."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from privacy.protocol.transport import Transport


def probe(transport: Transport, settings: dict[str, Any]) -> None:
    """Exchange ``rounds`` messages with ``holders`` and write a JSON report.

    A holder's real handler refuses such bytes by code, which is an answer: what is checked is the way there.

    Args:
        transport: the carrier to check.
        settings: ``report`` (path of the JSON file to write), ``holders`` (list of ids), and optionally
            ``rounds`` (default 1), ``size`` (bytes of a request, default 64), ``timeout`` (seconds a round,
            default 10) and ``message`` (text the request begins with, default ``probe``). Where ``rounds`` is a list,
            each of its objects is one round, and what it says counts in that round.
    """
    asked = settings.get("rounds", 1)
    rounds = []
    for number, own in enumerate(asked if isinstance(asked, list) else [{}] * int(asked)):
        told = {**settings, **own}
        size, timeout = int(told.get("size", 64)), float(told.get("timeout", 10.0))
        text = told.get("message", "probe")
        requests = dict.fromkeys(told["holders"], f"{text} {number} ".encode().ljust(size, b"."))
        order: list[str] = []
        started = time.monotonic()
        replies = transport.exchange(requests, timeout=timeout, on_reply=order.append)
        seconds = time.monotonic() - started
        rounds.append(
            {
                "seconds": seconds,
                "order": order,
                "replies": {holder: data.hex() for holder, data in sorted(replies.items())},
            }
        )
    report = {"transport": transport.name, "connected": list(transport.holders()), "rounds": rounds}
    Path(settings["report"]).write_text(json.dumps(report, indent=1), encoding="utf-8")
