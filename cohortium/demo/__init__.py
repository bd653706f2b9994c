"""The product on this machine: a federation of holders, months of studies, and everybody's pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cohortium.running import Transport, TransportOption, run_there, where_to_run
from cohortium.study_file import study_template
from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, Quiet, screen, status_line


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo's federation lives; started anew each time.")] = Path(
        "demo"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="One month of one analysis only: half a minute instead of three.")
    ] = False,
    customers: Annotated[int, typer.Option(help="How many persons to generate.", min=50)] = 20_000,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Your own data: a folder with one folder per holder, each with a holder.toml (and a study.toml "
            "beside them, if you have one). Without it, an online store and three shops are generated.",
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="With --data and no study.toml: day to count recency from, YYYY-MM-DD.")
    ] = None,
    epsilon: Annotated[str, typer.Option(help="With --data and no study.toml: the privacy budget.")] = "1",
    transport: TransportOption = Transport.flower,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The product on this machine: an online store and three shops, two months, and a page for everybody.

    With --quick, or your own data, one study.
    """
    if data is None and not quick:
        from cohortium.demo.story import tell

        start_anew(folder)
        tell(folder, customers=customers, transport=transport.value, quiet=quiet, as_json=as_json)
        return
    start = partial(_generated, customers=customers) if data is None else partial(_own, data, as_of, epsilon)
    _one_study(folder, start, transport, as_json=as_json, quiet=quiet)


def _one_study(folder: Path, start: Callable[..., Path], transport: Transport, *, as_json: bool, quiet: bool) -> None:
    """One study over generated or own data, which ``start`` puts there with its ``study.toml``."""
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study
    from simulations.worlds.local import Workspace

    study_file = folder / "study.toml"
    source = start(folder, study_file, quiet=quiet or as_json)
    sources = {path.name: path for path in sorted(source.iterdir()) if (path / "holder.toml").exists()}
    study = read_toml(study_file, Study)
    # Here one person speaks for all holders, so they declare what the study counts on.
    workspace = Workspace.create(folder, sources, declared=study.budget.max_holders_per_customer)
    result = run_there(study, where_to_run(workspace.root, None, transport), quiet=quiet, as_json=as_json)
    if not as_json:
        first = workspace.holder(result.participants[0]).root
        screen.print(f"\nEverything of the demo is in [bold]{escape(str(folder))}[/]:")
        screen.print(f"  the study        {escape(str(study_file))}")
        screen.print(f"  one holder       {escape(str(first))} (data, policy, ledger, labels)")
        screen.print(f"  its ledger       cohortium ledger show {escape(str(first))}")


def _own(data: Path, as_of: str | None, epsilon: str, folder: Path, study_file: Path, *, quiet: bool) -> Path:
    """Own data, and their study; returns the folder of the holders' data."""
    if data.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{data} is inside {folder}, which is started anew",
            hint="give another --folder, or keep your data elsewhere; nothing was changed",
        )
    stated = (data / "study.toml").exists()
    if as_of is None and not stated:
        raise ConfigError(
            f"there is no study.toml in {data}", hint="write one with `cohortium study new`, or give --as-of"
        )
    start_anew(folder)
    if stated:
        shutil.copyfile(data / "study.toml", study_file)
    else:
        study_file.write_text(study_template("demo", str(as_of), epsilon, "EUR"), encoding="utf-8")
    return data


def start_anew(folder: Path) -> None:
    """An empty folder, with a mark by which the next demo knows that it may remove it.

    Raises:
        ConfigError: if there is something else.
    """
    marker = folder / ".cohortium-demo"
    if folder.exists() and any(folder.iterdir()):
        if not marker.exists():
            raise ConfigError(
                f"{folder} exists and is not a demo's folder", hint="choose another with --folder; nothing was changed"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _generated(folder: Path, study_file: Path, *, customers: int, quiet: bool) -> Path:
    """A generated world and a study that fits it; returns the folder of the holders' data."""
    from simulations.worlds.generator import generate, study_toml

    start_anew(folder)
    with status_line("generating an online store and three shops", quiet):
        world = generate(folder / "data", customers=customers, feeds=True)
    study_file.write_text(study_toml(world), encoding="utf-8")
    return folder / "data"
