"""Commands of a data holder on studies: decide, answer, label, look at results."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from clients.commands.arguments import HolderBefore, HolderPath
from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, print_json, screen, tell, up

if TYPE_CHECKING:
    from clients.answering.runs import RunFolder
    from privacy.protocol.study import Study


def holder_status(folder: HolderPath, as_json: Json = False) -> None:
    """Whether your node is connected, what waits for you, your last run and labels, and what budget is left."""
    from clients.answering.folder import HolderFolder
    from clients.answering.state import state_of
    from clients.commands.state_screen import show_state

    state = state_of(HolderFolder(folder))
    if as_json:
        print_json(state.model_dump(mode="json"))
    else:
        show_state(state, folder)


def holder_studies(folder: HolderPath, as_json: Json = False) -> None:
    """List the studies that wait for your approval, and what was decided. Shows what each would look at and cost."""
    from clients.answering.folder import HolderFolder

    proposed = HolderFolder(folder).approvals().proposed()
    if as_json:
        print_json(
            [
                {
                    "digest": item.study.digest,
                    "decision": item.decision,
                    "looks_at": sorted(item.study.columns),
                    "tables": [one.model_dump(mode="json") for one in item.study.declared_tables],
                    "study": item.study.model_dump(mode="json"),
                }
                for item in proposed
            ]
        )
        return
    if not proposed:
        screen.print('No study waits here. With allow.approval = "by_hand" in policy.toml each new one does.')
        return
    table = Table()
    for column in ("study", "day", "epsilon", "delta", "analyses", "looks at", "placement", "decision", "digest"):
        table.add_column(column)
    for item in proposed:
        study = item.study
        table.add_row(
            escape(study.name), str(study.as_of), str(study.budget.epsilon), f"{study.budget.effective_delta:.0e}",
            ", ".join(study.analyses), ", ".join(sorted(study.columns)), study.placement,
            item.decision or "[yellow]waits[/]", study.digest[:12],
        )  # fmt: skip
    screen.print(table)
    for item in proposed:
        if item.study.declared_tables:
            _show_tables(item.study)
    screen.print("cohortium holder approve FOLDER DIGEST, or deny", style="dim")


def _show_tables(study: Study) -> None:
    """What is counted by which keys: a key that one holder has alone shows that holder's totals."""
    screen.print(f"{escape(study.name)} counts:", style="bold")
    for table in study.declared_tables:
        measures = ", ".join(use.of for use in table.measures)
        uses = "; ".join(f"{use.dimension} ({', '.join(use.keys.spelled)})" for use in table.by)
        screen.print(f"  {escape(table.name)}: {escape(measures)} by {escape(uses)}")
        for use in table.by:
            for rule in use.tag.texts if use.tag is not None else ():
                screen.print(f"    {escape(use.dimension)}: {escape(rule)}")
    screen.print(
        "Is there a key that you alone have, such as a channel that no other holder sells through? Its cells would be "
        "your own totals, with noise: deny the study, or ask for keys that others have, too."
    )


StudyName = Annotated[str, typer.Argument(help="The study's name, or the beginning of its digest.")]


def holder_approve(folder: HolderBefore, study: StudyName, as_json: Json = False) -> None:
    """Approve a study by hand: the node answers it from now on, within the policy."""
    _decide(folder, study, "approved", as_json)


def holder_deny(folder: HolderBefore, study: StudyName, as_json: Json = False) -> None:
    """Deny a study: no further question of it is answered. What was answered before stays spent."""
    _decide(folder, study, "denied", as_json)


def _decide(folder: Path, wanted: str, decision: Literal["approved", "denied"], as_json: bool) -> None:
    import time

    from clients.answering.folder import HolderFolder

    approvals = HolderFolder(folder).approvals()
    study = approvals.find(wanted)
    approvals.decide(study, decision, now=int(time.time()))
    value = {"study": study.name, "as_of": str(study.as_of), "digest": study.digest, "decision": decision}
    tell(value, f"{study.name} ({study.digest[:12]}): {decision}, and written into the ledger.", as_json)


def holder_losses(
    folder: HolderPath,
    accept: Annotated[
        bool, typer.Option("--accept", help="You know why: let studies go on, and count these no longer.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the charges whose release never came, and what part of the lifetime cap they took; let studies go on."""
    import time

    from clients.answering.folder import HolderFolder
    from privacy.accounting.events import epsilon_spent, squared_cap
    from privacy.ledger import LossesAccepted

    holder = HolderFolder(folder)
    lifetime, ledger = holder.policy().lifetime, holder.ledger()
    charges = tuple(ledger.state.losses.unreleased.values())
    delta = float(lifetime.delta)
    k = ledger.state.counted_on(len(holder.roster().holders))
    prices = [k * k * one.squared_mu for one in charges]
    part = float(sum(prices) / squared_cap(float(lifetime.epsilon), delta))
    if accept and charges:
        ledger.append(LossesAccepted(charges=len(charges), time=int(time.time())))
    rows = [
        (one.name, one.run, one.title, epsilon_spent(price, delta)) for one, price in zip(charges, prices, strict=True)
    ]
    if as_json:
        fields = ("study", "run", "question", "epsilon")
        listed = [dict(zip(fields, row, strict=True)) for row in rows]
        allowed = float(lifetime.max_unreleased)
        print_json({"charges": listed, "part": part, "max_unreleased": allowed, "accepted": accept})
        return
    if not rows:
        screen.print("Every charge led to a release, or was accepted before.")
        return
    table = Table("study", "run", "question", "epsilon")
    for name, run, title, epsilon in rows:
        table.add_row(escape(name), escape(run), escape(title), up(epsilon))
    screen.print(table)
    screen.print(
        f"{part:.0%} of the lifetime cap went to charges without a release; {lifetime.max_unreleased:.0%} may. "
        "Those of a study that goes on, or whose results you missed, still get theirs when it is run again.",
        soft_wrap=True,
    )
    if accept:
        screen.print("Accepted, and written into the ledger: these count no longer.")
    else:
        screen.print("cohortium holder losses FOLDER --accept, when you know why", style="dim")


def holder_node(
    folder: HolderPath,
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT to connect to, if not the one that came with the roster.")
    ] = None,
    root_certificate: Annotated[
        Path | None, typer.Option(help="Authority of the server there, if not the one that came with the roster.")
    ] = None,
    node_key: Annotated[Path | None, typer.Option(help="The node's key, if not FOLDER/keys/node.pem.")] = None,
) -> None:
    """Answer studies until stopped. Listens on no port; runs only the code that is installed here."""
    import logging

    from clients.answering.folder import HolderFolder, LiveNode
    from clients.answering.state import note_node
    from clients.flower.node import run_node
    from privacy.locks import one_at_a_time

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for every poll
    holder = HolderFolder(folder)
    log = logging.getLogger("cohortium.node")
    latest = holder.member.latest()
    if address is None and latest is None:
        raise ConfigError("nobody said where to connect to", hint="`cohortium holder join`, or give --address")
    where = address or (latest.address if latest else "")

    def told(event: str) -> None:
        log.info("%s", event)
        if event in _CONNECTION:
            note_node(holder.state, event, where)

    holder.state.mkdir(mode=0o700, exist_ok=True)
    with one_at_a_time(holder.node_lock, what=f"another node of {folder} runs here"):
        node = LiveNode(holder)
        # The first study should not wait for these; they are slow to import.
        threading.Thread(target=_warm_up, daemon=True).start()
        run_node(
            address=where,
            root_certificate=root_certificate or folder / "ca.pem",
            node_key=node_key or holder.member.node_key,
            holder=node.holder,
            handler=node.handle,
            stop=threading.Event(),
            on_event=told,
        )


#: What a node says of its connection.
_CONNECTION = ("connecting", "away", "waiting", "connected", "lost", "stopped")


def _warm_up() -> None:
    import clients.data.rows.customers
    import clients.labels  # noqa: F401


def holder_labels(
    folder: HolderPath,
    run: Annotated[str | None, typer.Option(help="Which run; the last one with results if not given.")] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="csv or parquet; may be given twice. labels.toml's if not given."),
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="A database: postgresql://USER@HOST/DB (no password in it) or duckdb://FILE.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="With --to: name of the table.")] = None,
    changed_only: Annotated[
        bool, typer.Option("--changed-only", help="Only customers whose segment or cluster changed, and new ones.")
    ] = False,
    segment: Annotated[str | None, typer.Option(help="Only customers of this segment (its code).")] = None,
    as_json: Json = False,
) -> None:
    """Write your customers' segments, churn scores and clusters from a run's releases. Costs nothing, asks nobody."""
    from clients.labelling import export_labels

    chosen, study = labelled(folder, run)
    written = export_labels(
        folder, study.name, study.as_of, formats=tuple(formats or ()), to=to, table=table, changed_only=changed_only,
        segment=segment,
    )  # fmt: skip
    if as_json:
        print_json({"run": chosen, "written": [{"place": item.place, "rows": item.rows} for item in written]})
    else:
        for item in written:
            screen.print(f"Wrote {item.rows:,} rows to {escape(item.place)}", soft_wrap=True)


def labelled(folder: Path, run: str | None) -> tuple[str, Study]:
    """A run that has ended, the last one if none is named, with its study, whose labels are made if they are not yet.

    Raises:
        ConfigError: if there is no such run.
    """
    from clients.answering.folder import HolderFolder
    from clients.answering.runs import RunFolder
    from clients.labelling import to_label

    holder = HolderFolder(folder)
    runs = RunFolder(holder.state / "runs")
    chosen = _finished_run(runs, run)
    study = runs.study(chosen)
    if to_label(folder, study):
        holder.node().label(chosen)
    return chosen, study


def _finished_run(runs: RunFolder, run: str | None) -> str:
    finished = [name for name in runs.runs() if runs.released_plans(name)]
    if run is None and not finished:
        raise ConfigError("no run has ended here yet", hint="labels are written when a study's results arrive")
    if run is not None and run not in finished:
        raise ConfigError(f"no run {run} has ended here", hint=f"there is: {', '.join(finished) or 'none'}")
    return run or finished[-1]


def holder_report(
    folder: HolderPath,
    run: Annotated[str | None, typer.Option(help="Which run; the last one with results if not given.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Only the customers of this group of tags.toml.", metavar="CODE")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    as_json: Json = False,
) -> None:
    """Write your own page: your customers against the consortium's. Stays on this machine and costs nothing."""
    from clients.answering.folder import HolderFolder
    from clients.report.files import handed_to, write_holder_report

    path = write_holder_report(HolderFolder(folder), run, output, group=group)
    handed = handed_to(HolderFolder(folder), run)
    if as_json:
        confirmed = None if handed.agreed is None else {"holders": handed.agreed, "of": handed.total}
        print_json({"report": str(path), "fingerprint": handed.fingerprint, "confirmed": confirmed})
        return
    screen.print(f"Wrote {escape(str(path))}", soft_wrap=True)
    screen.print(
        f"Fingerprint of the result, for another holder to compare: [bold]{handed.fingerprint}[/]", soft_wrap=True
    )
    if handed.agreed is not None:
        screen.print(f"The same result was confirmed by {handed.agreed} of {handed.total} holders.", soft_wrap=True)
