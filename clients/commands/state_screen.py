"""How a holder stands, on the screen."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from clients.answering.state import HolderState
from privacy.presentation.terminal import screen

_NODE = {
    "connected": "[green]connected[/]",
    "connecting": "[yellow]trying to connect[/]",
    "away": "[yellow]waits for the coordinator's server, which does not answer[/]",
    "waiting": "[yellow]waits for the coordinator to accept its key[/]",
    "lost": "[yellow]lost its connection, and goes on trying[/]",
}


def show_state(state: HolderState, folder: Path) -> None:
    """Print how a holder stands: one line a thing, and what to do where there is something to do."""
    name = escape(state.holder or str(folder))
    where = "" if state.federation is None else f" in {escape(state.federation)}, roster version {state.version}"
    screen.print(f"[bold]{name}[/]{where}", soft_wrap=True)
    node = state.node
    since = node.since[:19].replace("T", " ")
    if node.running:
        said = _NODE.get(node.event, node.event)
        screen.print(f"node: {said} since {since} UTC, {escape(node.address)}", soft_wrap=True)
    else:
        last = f"; it last said {node.event}, {since} UTC" if node.since else ""
        start = f"cohortium holder node {escape(str(folder))}"
        screen.print(f"node: [yellow]not running[/]{last} (`{start}`)", soft_wrap=True)
    if state.waiting:
        screen.print(
            f"waits for you: {escape(', '.join(state.waiting))} (`cohortium holder studies {escape(str(folder))}`)",
            soft_wrap=True,
        )
    else:
        screen.print("waits for you: nothing")
    if state.last_run is None:
        screen.print("last run: none yet")
    else:
        run = state.last_run
        ended = "" if run.ended else ", which did not end here"
        screen.print(f"last run: {escape(run.study)} as of {run.as_of}{ended}", soft_wrap=True)
    labels = ", ".join(f"{study} as of {day}" for study, day in state.labels.items())
    screen.print(f"labels: {escape(labels) or 'none yet'}", soft_wrap=True)
    if state.tags:
        screen.print(f"tags: as of {escape(state.tags)}")
    if state.policy:
        screen.print(f"policy: {escape(state.policy)}", soft_wrap=True)
    if state.budget:
        screen.print(f"budget: {escape(state.budget)}", soft_wrap=True)
    for problem in state.problems:
        screen.print(f"[bold red]missing:[/] {escape(problem)}", soft_wrap=True)
