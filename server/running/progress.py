"""How a run tells people where it is: steps, replies, notes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from privacy.results import Timing


class Progress(Protocol):
    """Receives what happens in a run. Nothing here is about customers."""

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        """A step begins, and these holders are asked."""
        ...

    def reply(self, holder: str) -> None:
        """A holder replied in the current step."""
        ...

    def note(self, text: str) -> None:
        """Something people should know."""
        ...


class _Silent:
    def step(self, name: str, holders: tuple[str, ...]) -> None:
        """Nothing."""

    def reply(self, holder: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


silent: Progress = _Silent()


class Stopwatch:
    """Passes progress on, and measures how long each step takes."""

    def __init__(self, target: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._clock = clock
        self._current: tuple[str, float] | None = None
        self._timings: list[Timing] = []

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        """Start a step; the one before ends."""
        self._end()
        self._current = (name, self._clock())
        self._target.step(name, holders)

    def reply(self, holder: str) -> None:
        """Pass on."""
        self._target.reply(holder)

    def note(self, text: str) -> None:
        """Pass on."""
        self._target.note(text)

    def timings(self) -> tuple[Timing, ...]:
        """Steps so far, the current one ended."""
        self._end()
        return tuple(self._timings)

    def _end(self) -> None:
        if self._current is not None:
            name, since = self._current
            self._timings.append(Timing(step=name, seconds=round(self._clock() - since, 3)))
            self._current = None


class JsonLines:
    """Writes progress as JSON lines to a file that another process follows."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        """A step begins."""
        self.write({"event": "step", "name": name, "holders": list(holders)})

    def reply(self, holder: str) -> None:
        """A holder replied."""
        self.write({"event": "reply", "holder": holder})

    def note(self, text: str) -> None:
        """A note."""
        self.write({"event": "note", "text": text})

    def write(self, event: dict[str, object]) -> None:
        """Append one event."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
