"""Ending a run from another terminal: it ends before it asks its next question, so that no charge is lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from privacy.errors import ConfigError, Stopped
from privacy.locks import is_held
from server.running.folder import CoordinatorFolder


@dataclass(frozen=True)
class StopRequest:
    """The wish that a coordinator's run ends, as a file beside its lock.

    Attributes:
        folder: the coordinator's.
    """

    folder: CoordinatorFolder

    def ask(self) -> None:
        """Ask the run under way to end.

        Raises:
            ConfigError: if none is under way.
        """
        if not is_held(self.folder.run_lock):
            raise ConfigError(
                "no study is being run here",
                hint="`cohortium study list` shows what was cut off, and how it goes on",
            )
        self.folder.stop_file.touch(mode=0o600)

    @contextmanager
    def heard(self) -> Iterator[Self]:
        """A run is in the block: what was asked of an earlier one is not asked of it. Hold the folder's lock."""
        self.folder.stop_file.unlink(missing_ok=True)
        try:
            yield self
        finally:
            self.folder.stop_file.unlink(missing_ok=True)

    def obey(self) -> None:
        """Go on, if nobody asked to stop.

        Raises:
            Stopped: if somebody did.
        """
        if self.folder.stop_file.exists():
            raise Stopped(
                "the run was stopped by `cohortium study stop`",
                hint="what was released is kept and is not asked again: `cohortium study resume` goes on",
            )
