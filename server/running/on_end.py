"""A program of the operator's that is told when a run has ended, however it ended: it mails, or wakes somebody.

It is told which study and day, how the run ended and where the report is, never a figure: what it does with that is the
operator's, and may leave the machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from privacy.errors import CohortiumError
from privacy.kernel.canonical import Noun
from privacy.private_keys import environment_without_passphrase
from privacy.protocol.study import Study
from server.running.termination import exiting_on_sigterm

#: How a run ended: with a result; shown again, since it was run before; with an error; or stopped by somebody.
Outcome = Literal["done", "recorded", "failed", "stopped"]

_STANDARD_ERROR = 2
_STOPPED = (130, 128 + signal.SIGTERM)


class OnEnd(Noun):
    """``[on_end]`` of ``coordinator.toml``.

    Attributes:
        command: the program's whole path and its arguments; no shell reads them.
        seconds: how long it may take, 1 to 3600; then it is stopped.
    """

    command: tuple[str, ...] = Field(min_length=1, max_length=100)
    seconds: int = Field(default=60, ge=1, le=3600)

    @field_validator("command")
    @classmethod
    def _whole_path(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not Path(value[0]).is_absolute():
            raise ValueError("write the program's whole path: schedules know no other")
        if any("\0" in word for word in value):
            raise ValueError("a word has a null byte")
        return value


@dataclass(kw_only=True)
class Ending:
    """What the run says of itself while it goes on.

    Attributes:
        outcome: how it ends if nothing stops it before it says otherwise.
        report: where the result's page is, once there is a result.
    """

    outcome: Outcome = "failed"
    report: Path | None = None


@contextmanager
def told_at_end(hook: OnEnd | None, root: Path, study: Study, warn: Callable[[str], None]) -> Iterator[Ending]:
    """A run is in the block; when it is left, by whatever way, the program is told. Without one nothing is done.

    SIGTERM ends the block as an exception would. SIGKILL and a power cut cannot be told.

    Args:
        hook: what ``coordinator.toml`` says.
        root: the coordinator's folder, where the program is started.
        study: what is run.
        warn: takes one sentence where the program failed; the run's own end stays what it is.
    """
    ending, code = Ending(), 0
    if hook is None:
        yield ending
        return
    with exiting_on_sigterm():
        try:
            yield ending
        except BaseException as error:
            code = _exit_code(error)
            raise
        finally:
            summary = _summary(study, ending, code)
            problem = tell(hook, root, summary)
            if problem:
                warn(f"[on_end] {hook.command[0]} {problem}; the run is not affected")


def _summary(study: Study, ending: Ending, code: int) -> dict[str, str | int | None]:
    stopped = ending.report is None and code in _STOPPED
    outcome: Outcome = "stopped" if stopped else ending.outcome
    report = ending.report if ending.report is not None and ending.report.exists() else None
    return {
        "study": study.name,
        "as_of": study.as_of.isoformat(),
        "outcome": outcome,
        "exit_code": code,
        "report": None if report is None else str(report.resolve()),
    }


def _exit_code(error: BaseException) -> int:
    """What the command ends with; see ``docs/exit-codes.md``."""
    if isinstance(error, CohortiumError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return 130
    if isinstance(error, BrokenPipeError):
        return 128 + signal.SIGPIPE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 1


def tell(hook: OnEnd, root: Path, summary: dict[str, str | int | None]) -> str:
    """Start the program with the summary as JSON on its standard input; what is wrong with it, in words, or nothing.

    What it prints goes to standard error, since standard output may be JSON for a script. It gets no passphrase, and is
    stopped with all that it started where it takes too long.
    """
    try:
        program = subprocess.Popen(
            hook.command,
            cwd=root,
            env=environment_without_passphrase(),
            stdin=subprocess.PIPE,
            stdout=_STANDARD_ERROR,
            start_new_session=True,
        )
    except OSError as error:
        return f"could not be started ({error.strerror})"
    try:
        program.communicate(json.dumps(summary).encode(), timeout=hook.seconds)
    except subprocess.TimeoutExpired:
        return f"had not ended after {hook.seconds} s and was stopped"
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
    return f"ended with {program.returncode}" if program.returncode else ""
