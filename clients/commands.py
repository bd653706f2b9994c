"""Commands of a data holder; ``cohortium.command`` mounts them as ``cohortium holder``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from privacy.errors import ConfigError
from privacy.member_commands import (
    FingerprintOption,
    accept_roster,
    asked,
    rotation_written,
    wrote,
)
from privacy.member_folder import MemberFolder
from privacy.presentation.terminal import Json, command_group, print_json, screen, up
from privacy.protocol.identity import Declarations

if TYPE_CHECKING:
    from clients.answering.runs import RunFolder
    from clients.data.guess.nouns import Question

HolderPath = Annotated[Path, typer.Argument(help="The holder's folder.", file_okay=False)]
holder_app = command_group("holder", "Check data, answer studies, label customers (data holder).")


@holder_app.command("check")
def holder_check(
    config_file: Annotated[Path, typer.Argument(metavar="HOLDER_TOML", help="The holder's holder.toml.")],
    study_file: Annotated[
        Path | None, typer.Option("--study", help="Apply this study's cleaning rules, currency and as-of day.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at your own data as a study would: counts per cleaning rule, problems, warnings. Nothing leaves."""
    from clients.answering.counting import show_counted
    from clients.data.check import preflight, render_check
    from clients.data.config import HolderConfig
    from privacy.errors import DataError
    from privacy.kernel.canonical import read_toml
    from privacy.protocol.study import Study

    config = read_toml(config_file, HolderConfig)
    study = read_toml(study_file, Study) if study_file else None
    report = preflight(config, study, base=config_file.resolve().parent)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        render_check(report, screen)
        show_counted(config_file.resolve().parent)
    if report.problems:
        raise typer.Exit(DataError.exit_code)


@holder_app.command("init")
def holder_init(
    folder: HolderPath,
    federation: Annotated[str, typer.Option(help="Name of the federation, as the coordinator's operator says it.")],
    name: Annotated[str, typer.Option(help="This holder's short name in it; the same as `holder` in holder.toml.")],
    lifetime_epsilon: Annotated[
        str | None,
        typer.Option(
            help="What one customer may lose over all studies ever answered here, at delta 1e-6. Yours to decide; "
            "written into policy.toml, and not needed where there is one."
        ),
    ] = None,
    max_holders_per_customer: Annotated[
        int | None,
        typer.Option(help="Declare at how many holders one of your customers may be; 1: at no other one.", min=1),
    ] = None,
    size_class: Annotated[
        int | None, typer.Option(help="Declare a public upper figure for the number of your customers.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make this holder's keys, its policy.toml and the request to join, to be sent to the coordinator.

    Private keys stay here. Set COHORTIUM_PASSPHRASE (or COHORTIUM_PASSPHRASE_FILE) to keep them under a passphrase.
    """
    from clients.answering.policy import checked_policy_toml

    policy = folder / "policy.toml"
    text = ""
    if not policy.exists():
        if lifetime_epsilon is None:
            raise ConfigError(
                "a lifetime budget is mandatory, and nobody can decide it for you",
                hint="give --lifetime-epsilon (8 is about forty studies of epsilon 1), or write policy.toml",
            )
        text = checked_policy_toml(epsilon=lifetime_epsilon)
    declared = Declarations(max_holders_per_customer=max_holders_per_customer, size_class=size_class)
    asked(MemberFolder(folder), federation, name, "holder", declared, as_json=as_json)
    if text:
        policy.write_text(text, encoding="utf-8")


@holder_app.command("declare")
def holder_declare(
    folder: HolderPath,
    max_holders_per_customer: Annotated[
        int | None, typer.Option(help="At how many holders one of your customers may be; not given: unknown.", min=1)
    ] = None,
    size_class: Annotated[
        int | None, typer.Option(help="A public upper figure for the number of your customers.", min=1)
    ] = None,
) -> None:
    """Declare something else about your customers; counts when a new version of the roster carries it."""
    member = MemberFolder(folder)
    declared = Declarations(max_holders_per_customer=max_holders_per_customer, size_class=size_class)
    member.declare(declared)
    wrote(folder / "request.json", "Send it to the coordinator's operator, who publishes a new version of the roster.")


@holder_app.command("persons")
def holder_persons(
    folder: HolderPath,
    holders: Annotated[
        int | None,
        typer.Option(
            help="Count one customer at so many holders from now on: never fewer than the roster in force says of you; "
            "more is room for members that are still to come.",
            min=1,
            max=1000,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Show or set K: at how many holders of the federation your lifetime cap counts one of your customers.

    The node raises K by itself when the roster or your declaration grows. Only this command lowers it, and auditors
    ask why.
    """
    from clients.answering.counting import set_counted, show_counted

    told = set_counted(folder, holders, yes=yes)
    if as_json:
        print_json(told)
    else:
        show_counted(folder)


@holder_app.command("join")
def holder_join(
    folder: HolderPath,
    file: Annotated[Path, typer.Argument(help="The roster that the coordinator published, such as roster-v1.json.")],
    fingerprint: FingerprintOption = None,
    as_json: Json = False,
) -> None:
    """Check a version of the roster, compare its fingerprint, and put it in force. The node takes it up by itself."""
    accept_roster(MemberFolder(folder), file, fingerprint, as_json=as_json)


@holder_app.command("rotate-key")
def holder_rotate_key(folder: HolderPath) -> None:
    """Make new keys, and the old key's word for them. They count when a version of the roster lists them."""
    rotation_written(MemberFolder(folder))


@holder_app.command("leave")
def holder_leave(
    folder: HolderPath,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Leave the federation: a last bundle for the auditor and a signed word are written, and the keys are destroyed."""
    import time

    from clients.answering.folder import HolderFolder
    from privacy.audit.export import export
    from privacy.ledger import Departed
    from privacy.protocol.checkpoints import signed_checkpoint

    holder = HolderFolder(folder)
    member, roster, ledger = holder.member, holder.roster(), holder.ledger()
    if not yes:
        typer.confirm(f"Leave {roster.federation} and destroy this holder's private keys?", abort=True)
    own = member.identity()
    bundle = folder / f"{own.member}.bundle"
    _, head = export(folder, bundle)  # while there is a key to seal it with
    words = member.leave(signed_checkpoint(own, ledger, head))
    ledger.append(Departed(roster=roster.digest, statement=words.digest, time=int(time.time())))
    wrote(bundle, "Send it to the auditor: the last that this key seals. The signed word names its head.")
    wrote(folder / "leave.json", "Send it to the coordinator's operator, and to the auditor.")
    screen.print(
        "What stays: your ledger (keep it: it is the budget of your customers, whichever federation you join next), "
        "labels and pages that were written here, and what was released, which contains your customers behind its "
        "noise and cannot be taken back. What ends: this node answers nothing more, and nothing signed with the old "
        "keys counts once the next version of the roster is in force.",
        soft_wrap=True,
    )


@holder_app.command("studies")
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
    screen.print("cohortium holder approve FOLDER DIGEST, or deny", style="dim")


StudyName = Annotated[str, typer.Argument(help="The study's name, or the beginning of its digest.")]


@holder_app.command("approve")
def holder_approve(folder: HolderPath, study: StudyName) -> None:
    """Approve a study by hand: the node answers it from now on, within the policy."""
    _decide(folder, study, "approved")


@holder_app.command("deny")
def holder_deny(folder: HolderPath, study: StudyName) -> None:
    """Deny a study: no further question of it is answered. What was answered before stays spent."""
    _decide(folder, study, "denied")


def _decide(folder: Path, wanted: str, decision: Literal["approved", "denied"]) -> None:
    import time

    from clients.answering.folder import HolderFolder

    approvals = HolderFolder(folder).approvals()
    study = approvals.find(wanted)
    approvals.decide(study, decision, now=int(time.time()))
    screen.print(f"{study.name} ({study.digest[:12]}): {decision}, and written into the ledger.")


@holder_app.command("losses")
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


@holder_app.command("recover")
def holder_recover(
    folder: HolderPath,
    heads: Annotated[
        list[Path], typer.Option(help="Heads from another holder or the auditor; several.", exists=True, dir_okay=False)
    ],
    bundle: Annotated[
        list[Path] | None,
        typer.Option(help="Where entries were lost: bundles of the others; several.", exists=True, dir_okay=False),
    ] = None,
    all_spent: Annotated[
        bool, typer.Option("--all-spent", help="Without bundles: count the whole lifetime budget as spent.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Go on with a ledger that was restored from a backup; until then all of its budget counts as spent."""
    from privacy.audit.commands import recover_ledger

    recover_ledger(folder, heads, bundle or [], all_spent=all_spent, as_json=as_json)


@holder_app.command("node")
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
    from clients.flower.node import run_node

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for every poll
    holder = HolderFolder(folder)
    node = LiveNode(holder)
    latest = holder.member.latest()
    if address is None and latest is None:
        raise ConfigError("nobody said where to connect to", hint="`cohortium holder join`, or give --address")
    # The first study should not wait for these; they are slow to import.
    threading.Thread(target=_warm_up, daemon=True).start()
    run_node(
        address=address or (latest.address if latest else ""),
        root_certificate=root_certificate or folder / "ca.pem",
        node_key=node_key or holder.member.node_key,
        holder=node.holder,
        handler=node.handle,
        stop=threading.Event(),
        on_event=lambda event: logging.getLogger("cohortium.node").info("%s", event),
    )


def _warm_up() -> None:
    import clients.data.rows.customers
    import clients.labels  # noqa: F401


@holder_app.command("labels")
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
    from clients.answering.folder import HolderFolder
    from clients.answering.runs import RunFolder
    from clients.labelling import export_labels, to_label

    holder = HolderFolder(folder)
    runs = RunFolder(holder.state / "runs")
    chosen = _finished_run(runs, run)
    study = runs.study(chosen)
    if to_label(folder, study):
        holder.node().label(chosen)
    written = export_labels(
        folder, study.name, study.as_of, formats=tuple(formats or ()), to=to, table=table, changed_only=changed_only,
        segment=segment,
    )  # fmt: skip
    if as_json:
        print_json({"run": chosen, "written": [{"place": item.place, "rows": item.rows} for item in written]})
    else:
        for item in written:
            screen.print(f"Wrote {item.rows:,} rows to {escape(item.place)}", soft_wrap=True)


def _finished_run(runs: RunFolder, run: str | None) -> str:
    finished = [name for name in runs.runs() if runs.released_plans(name)]
    if run is None and not finished:
        raise ConfigError("no run has ended here yet", hint="labels are written when a study's results arrive")
    if run is not None and run not in finished:
        raise ConfigError(f"no run {run} has ended here", hint=f"there is: {', '.join(finished) or 'none'}")
    return run or finished[-1]


@holder_app.command("report")
def holder_report(
    folder: HolderPath,
    run: Annotated[str | None, typer.Option(help="Which run; the last one with results if not given.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    as_json: Json = False,
) -> None:
    """Write your own page: your customers against the consortium's. Stays on this machine and costs nothing."""
    from clients.answering.folder import HolderFolder
    from clients.report.files import handed_to, write_holder_report

    path = write_holder_report(HolderFolder(folder), run, output)
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


@holder_app.command("forget")
def holder_forget(
    folder: HolderPath,
    customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id, as your source spells it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take a person out of labels, scores, clusters, stored tables, pages and exports here, and exclude the id."""
    from clients.answering.folder import HolderFolder
    from clients.forget import forget

    if not yes:
        typer.confirm("Take this person out of everything that is kept here?", abort=True)
    done = forget(HolderFolder(folder), customer)
    if as_json:
        print_json(
            {
                "ids": done.ids,
                "days": [{"study": study, "as_of": str(day)} for study, day in done.days],
                "deleted": [str(path) for path in done.deleted],
                "excluded": str(done.excluded) if done.excluded else None,
            }
        )
        return
    for study, day in done.days:
        screen.print(f"Taken out of the labels of {escape(study)}, {day}, and of what labels.toml writes of them")
    for path in done.deleted:
        screen.print(f"Deleted, and can be made again: {escape(str(path))}", soft_wrap=True)
    if done.excluded:
        screen.print(f"On the exclusion list {escape(str(done.excluded))}: no further study counts this person")
    else:
        screen.print(
            "[yellow]Not excluded:[/] holder.toml names no source.exclude. Delete the person from your source, or name "
            "a list, else the next study counts and labels them again.",
            soft_wrap=True,
        )
    screen.print(
        "What this cannot do: rows in your own source and CRM, copies of label files or tables elsewhere, and backups "
        "are yours to delete. What was released contains the person behind its noise and cannot be taken back; "
        "the noise is what protects them there, and it is as strong whether they asked for erasure or not.",
        soft_wrap=True,
    )


@holder_app.command("new")
def holder_new(
    url: Annotated[str, typer.Argument(help="A file, a glob, or a database URL.")],
    holder: Annotated[str | None, typer.Option(help="This holder's short name.")] = None,
    table: Annotated[str | None, typer.Option(help="Table, for a database.")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of all rows, where there is no column for it.")] = None,
    password_env: Annotated[str | None, typer.Option(help="Environment variable with the database's password.")] = None,
    password_file: Annotated[str | None, typer.Option(help="Owner-only file with the database's password.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("holder.toml"),
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Never ask; take the best guess, or say what is missing.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Look at a source and write a commented holder.toml with guessed columns; asks only what it cannot guess."""
    from clients.data.guess.guess import new_holder_file

    password = {"password_env": password_env} if password_env else {"password_file": password_file}
    new_holder_file(
        url,
        output=output,
        holder=holder,
        table=table,
        password={name: value for name, value in password.items() if value} or None,
        answers={"currency": currency} if currency else None,
        ask=None if yes else _ask,
        overwrite=force,
    )
    screen.print(f"Wrote {escape(str(output))}. Read it, then: cohortium holder check {escape(str(output))}")


def _ask(question: Question) -> str:
    screen.print(f"[bold]{escape(question.text)}[/]")
    for choice in question.choices:
        screen.print(f"  {escape(choice)}")
    return str(typer.prompt("answer", default=question.default))
