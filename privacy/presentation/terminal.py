"""What all groups of commands share: the two consoles, common options, and how figures are printed."""

from __future__ import annotations

import io
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import click
import typer
from click.core import ParameterSource
from rich.console import Console
from rich.markup import escape

from privacy.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """End as the shell would end us: rich ends with 1, which is our code for nothing."""
        no_more_output()


def no_more_output() -> NoReturn:
    """Whoever read this has read enough, as ``head`` does: end quietly, with the code of a broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left must not be written at the end
    sys.exit(128 + signal.SIGPIPE)


screen = _Console()
errors = _Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts, and nothing else, on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; for schedules.")]


def chosen_language(context: click.Context, wished: str | None) -> str:
    """The value of ``--lang``; a variable of the environment may name a whole locale, and any that there is.

    Raises:
        ConfigError: if it was typed, and no text is in this language.
    """
    from privacy.presentation.texts import LANGUAGES

    typed = context.get_parameter_source("language") is ParameterSource.COMMANDLINE
    if typed and wished not in LANGUAGES:
        raise ConfigError(f"there are no texts in {wished!r}", hint=f"languages: {', '.join(LANGUAGES)}")
    short = (wished or "")[:2].lower()
    return short if short in LANGUAGES else LANGUAGES[0]


def terminal_language() -> str:
    """The language of what people read on the terminal, as ``--lang`` or the locale says."""
    from privacy.presentation.texts import LANGUAGES

    context = click.get_current_context(silent=True)
    return LANGUAGES[0] if context is None else str(context.find_root().params.get("language") or LANGUAGES[0])


def speak_plainly() -> None:
    """Let a terminal that knows only some letters get escapes for the others, not an error in the middle of a table."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def command_group(name: str, text: str) -> typer.Typer:
    """A group of commands; without a command it prints its help."""
    return typer.Typer(name=name, help=text, no_args_is_help=True, rich_markup_mode="rich")


def print_json(value: Any) -> None:
    """Print a value for scripts, and nothing else."""
    print(json.dumps(value, indent=1, ensure_ascii=False))


def tell(value: dict[str, Any], text: str, as_json: bool) -> None:
    """Say what was done: the value for scripts, or the text (rich's markup) for people."""
    if as_json:
        print_json(value)
    else:
        screen.print(text, soft_wrap=True)


def wrote(path: Path, text: str, *, as_json: bool = False) -> None:
    """Say which file was written, and what to do with it."""
    tell({"file": str(path)}, f"Wrote [bold]{escape(str(path))}[/]. {text}", as_json)


def up_or_dash(value: float | None) -> str:
    """The same, and a dash for none."""
    return "-" if value is None else up(value)


def up(epsilon: float) -> str:
    """Three digits, rounded up: what is spent is never shown smaller than it is."""
    return f"{math.ceil(epsilon * 1000) / 1000:.3f}"


class StepBars:
    """Progress bars: one line a step, counting the holders that replied."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def step(self, name: str, holders: tuple[str, ...]) -> None:
        """A step begins, and these holders are asked."""
        self._end()
        self._task = self._bars.add_task(name, total=max(len(holders), 1))

    def reply(self, holder: str) -> None:
        """A holder replied in the current step."""
        if self._task is not None:
            self._bars.advance(self._task)

    def note(self, text: str) -> None:
        """Something people should know."""
        if not self._bars.disable:
            self._bars.console.print(f"  {escape(text)}", style="dim")

    def close(self) -> None:
        """The last step is done."""
        self._end()

    def _end(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=self._bars.tasks[self._task].total)


@contextmanager
def progress_bars(quiet: bool) -> Iterator[StepBars]:
    """Progress of long work as bars on standard error; nothing where ``quiet``."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=quiet) as bars:
        target = StepBars(bars)
        yield target
        target.close()


@contextmanager
def status_line(text: str, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A spinner with a text on standard error while the block works; what it gives takes further texts."""
    if quiet:
        yield lambda _: None
        return
    with errors.status(text) as status:
        yield lambda newer: status.update(escape(newer))
