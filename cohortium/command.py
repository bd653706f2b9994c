"""The ``cohortium`` command. It puts the parts together; heavy ones are imported where a command needs them."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

import server.analyses
from clients.commands import holder_app
from cohortium.demo import demo
from cohortium.doctor import doctor
from cohortium.studies import study_app
from privacy.audit.commands import audit_app, auditor_app, budget_app, ledger_app
from privacy.errors import CohortiumError, ConfigError
from privacy.member_commands import roster_app
from privacy.presentation.terminal import (
    Json,
    chosen_language,
    errors,
    no_more_output,
    print_json,
    speak_plainly,
)
from server.commands import coordinator_app
from simulations.commands import audit_test

#: Modules that come with the extra [node]; the base install is what an auditor needs.
_EXTRA_MODULES = {
    "flwr", "ibis", "duckdb", "jinja2", "matplotlib", "pandas", "psycopg", "pyarrow", "safetensors",
}  # fmt: skip

#: New objects until garbage is looked for. What commands import and draw makes hundreds of thousands that stay: looking
#: through them at every 700, as Python does by itself, took a fifth of what a report takes, and a tenth of a start.
_GARBAGE = 50_000


def room_commands() -> list[typer.Typer]:
    """Groups of commands that analyses bring: ``app`` in the ``commands.py`` of a room, where there is one.

    Commands on studies (``OF_STUDIES`` there, by name) join those of ``cohortium study``.
    """
    rooms = [f"server.analyses.{module.name}" for module in iter_modules(server.analyses.__path__) if module.ispkg]
    found = [import_module(f"{room}.commands") for room in rooms if find_spec(f"{room}.commands") is not None]
    for module in found:
        for name, command in getattr(module, "OF_STUDIES", {}).items():
            study_app.command(name)(command)
    return [module.app for module in found if hasattr(module, "app")]


app = typer.Typer(
    name="cohortium",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},  # groups and commands take them from here
    pretty_exceptions_enable=False,  # its tracebacks print local variables, which may hold rows
    rich_markup_mode="rich",
)
audit_app.command("test")(audit_test)  # here: it drives holders and a coordinator, which `privacy` may not import
for group in (
    study_app,
    holder_app,
    coordinator_app,
    auditor_app,
    roster_app,
    ledger_app,
    audit_app,
    budget_app,
    *room_commands(),
):
    app.add_typer(group)


def main() -> NoReturn:
    """Run the command; every foreseen error becomes readable text and a documented exit code."""
    gc.set_threshold(_GARBAGE)
    speak_plainly()
    try:
        status = app(standalone_mode=False)  # commands return nothing; typer returns the code of an early exit
    except CohortiumError as error:
        _show_error(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except BrokenPipeError:
        no_more_output()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _EXTRA_MODULES:
            raise
        _show_error(ConfigError(f"this command needs {error.name}", hint=_extra_hint(error.name or "")))
        sys.exit(ConfigError.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        hint = "check the path, its rights, and the room on the disk"
        _show_error(ConfigError(f"{error.filename}: {(error.strerror or 'cannot be used').lower()}", hint=hint))
        sys.exit(ConfigError.exit_code)
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's own: wrong use of the command line
            error.show()
            sys.exit(error.exit_code)
        raise
    if status == 130:
        errors.print("Stopped. What was charged stays charged; nothing else was kept half done.")
    sys.exit(status or 0)


def _extra_hint(module: str) -> str:
    return f'pip install "cohortium[{"postgres" if module.startswith("psycopg") else "node"}]"'


def _show_error(error: CohortiumError) -> None:
    errors.print(f"[bold red]Error:[/] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        errors.print(f"[bold]What to do:[/] {escape(error.hint)}", soft_wrap=True)


def _print_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


@app.callback()
def _everywhere(
    asked: Annotated[
        bool, typer.Option("--version", "-V", help="Print the release.", is_eager=True, callback=_print_version)
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            "--lang",
            metavar="en|zh",
            help="Language of results on the terminal; the locale's if not given, else English.",
            envvar=["COHORTIUM_LANG", "LC_ALL", "LC_MESSAGES", "LANG"],
            show_envvar=False,
            callback=chosen_language,
        ),
    ] = None,
) -> None:
    """Private federated customer analytics: RFM segments, clusters and churn over several holders' own data.

    COHORTIUM_WORKSPACE, COHORTIUM_COORDINATOR and COHORTIUM_HOLDER stand in for folders that are not given.
    """


@app.command()
def version(as_json: Json = False) -> None:
    """Print the release."""
    from privacy.kernel.version import software_version

    if as_json:
        print_json({"version": software_version()})
    else:
        print(software_version())


app.command()(demo)
app.command()(doctor)
