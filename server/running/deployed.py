"""Running a study over a SuperLink: in a ServerApp process of its own, followed through a file of events."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from privacy.errors import CohortiumError
from privacy.locks import one_at_a_time
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.flower.processes import ChildProcesses
from server.flower.runs import RunStarter
from server.flower.superlink import SuperLinkFiles
from server.running.federation import Patience
from server.running.folder import CoordinatorFolder
from server.running.progress import Progress, silent
from server.running.studies import read_result

#: What the ServerApp process is asked for.
ENTRY = "server.running.run:run_over_transport"


def run_served(
    study: Study, folder: CoordinatorFolder, *, patience: Patience | None = None, progress: Progress = silent
) -> StudyResult:
    """Run a study over the SuperLink that ``serve`` keeps running for this coordinator.

    Raises:
        CohortiumError: of the kind that ended the run; ``CarrierError`` if nobody serves.
        Busy: if another run of this coordinator is under way.
    """
    files = SuperLinkFiles(folder.root / "flower")
    files.address()  # says what to do where nobody ever served
    with (
        one_at_a_time(files.folder / ".run.lock"),
        ChildProcesses() as processes,
        RunStarter(files, processes, preload=ENTRY) as starter,
    ):
        return run_with(starter, study, folder, events=files.folder / "events.jsonl", patience=patience,
                        progress=progress)  # fmt: skip


def run_with(  # noqa: PLR0913  all that a process of its own is told
    starter: RunStarter,
    study: Study,
    folder: CoordinatorFolder,
    *,
    events: Path,
    patience: Patience | None = None,
    progress: Progress = silent,
    earlier: Sequence[tuple[str, float]] = (),
    check_alive: Callable[[], None] | None = None,
) -> StudyResult:
    """Run a study in a starter's ServerApp process.

    Args:
        events: file for what happens; written anew.
        patience: in place of the study's waits.
        earlier: steps that came before, with seconds, for the timing table.
        check_alive: see :meth:`RunStarter.run`.

    Raises:
        CohortiumError: of the kind that ended the run.
    """
    patience = patience or Patience.of(study)
    settings: dict[str, Any] = {
        "study": study.canonical().decode(),
        "folder": str(folder.root.resolve()),
        "events": str(events.resolve()),
        "earlier": [list(step) for step in earlier],
        "hello_seconds": patience.hello,
        "answer_seconds": patience.answer,
    }
    events.write_bytes(b"")
    with _Follower(events, progress) as follower:
        status = starter.run(ENTRY, settings, check_alive=check_alive)
    if follower.error is not None:
        raise follower.error
    if status != 0 or not follower.done:
        raise CohortiumError(
            f"the coordinator's process ended with status {status}",
            hint=f"see the logs in {events.parent}; `cohortium study resume` goes on (what was charged stays charged)",
        )
    return read_result(folder.results.folder(study))


class _Follower:
    """Follows a file of events in a thread and passes them on as progress."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.error: CohortiumError | None = None
        self.done = False
        self._path = path
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> _Follower:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        with self._path.open(encoding="utf-8") as file:
            rest = ""
            while True:
                stopping = self._stop.is_set()
                *lines, rest = (rest + file.read()).split("\n")  # the last line may still be being written
                for line in lines:
                    self._pass_on(json.loads(line))
                if stopping:
                    return
                time.sleep(0.05)

    def _pass_on(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "step":
                self._progress.step(event["name"], tuple(event["holders"]))
            case "reply":
                self._progress.reply(event["holder"])
            case "note":
                self._progress.note(event["text"])
            case "done":
                self.done = True
            case "error":
                error = CohortiumError(event["message"], hint=event["hint"])
                error.exit_code = event["exit_code"]
                self.error = error
