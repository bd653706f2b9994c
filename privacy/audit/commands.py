"""Commands of an auditor, which run with the base install; ``cohortium.command`` mounts them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from privacy.member_commands import add_member_commands
from privacy.presentation.terminal import (
    Json,
    Quiet,
    command_group,
    errors,
    print_json,
    screen,
    status_line,
    tell,
    up,
    up_or_dash,
    wrote,
)

if TYPE_CHECKING:
    from privacy.audit.verify import Verdict

ledger_app = command_group("ledger", "Read a privacy ledger (everybody, auditors first).")
auditor_app = command_group("auditor", "Be a member without data, who reads and proves (auditor).")
audit_app = command_group("audit", "Prove what was spent (auditors).")
budget_app = command_group("budget", "Plan what is left of a privacy budget (holders, coordinator).")

# What `recover` is told, here and at a holder.
HeadsOption = Annotated[
    list[Path], typer.Option(help="Heads from another holder or the auditor; several.", exists=True, dir_okay=False)
]
BundlesOption = Annotated[
    list[Path] | None,
    typer.Option(help="Where entries were lost: bundles of the others; several.", exists=True, dir_okay=False),
]
AllSpentOption = Annotated[
    bool, typer.Option("--all-spent", help="Without bundles: count the whole lifetime budget as spent.")
]


@ledger_app.command("show")
def ledger_show(
    path: Annotated[Path, typer.Argument(help="A ledger file, or a holder's or coordinator's folder.", exists=True)],
    as_json: Json = False,
) -> None:
    """Check a ledger's chain and show what was spent, by whom, for what."""
    from privacy.audit.export import ledger_path
    from privacy.audit.ledger_screen import show_ledger
    from privacy.audit.ledger_view import view_ledger

    view = view_ledger(ledger_path(path), holders=_known_holders(path))
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        show_ledger(view)


def _known_holders(path: Path) -> int:
    """How many holders the federation of a member's folder has had; 0 for a ledger's file alone."""
    from privacy.member_folder import MemberFolder, known_holders

    return known_holders(MemberFolder(path).rosters() if path.is_dir() else ())


@audit_app.command("export")
def audit_export(
    folder: Annotated[
        Path, typer.Argument(help="A holder's or the coordinator's folder.", exists=True, file_okay=False)
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; OWNER.bundle if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write everything that a member has to show an auditor into one sealed file: no rows, no values, no keys."""
    from privacy.audit.export import export
    from privacy.member_folder import MemberFolder

    target = output or Path(f"{MemberFolder(folder).request().member.id}.bundle")
    header, head = export(folder, target)
    if as_json:
        print_json({"bundle": str(target), "owner": header.owner, "entries": head.sequence, "head": head.hash})
    else:
        screen.print(
            f"Wrote {escape(str(target))}: {header.role} {header.owner}, {head.sequence} entries, "
            f"head {head.hash[:16]}…"
        )


@audit_app.command("heads")
def audit_heads(
    folder: Annotated[
        Path, typer.Argument(help="A holder's or the coordinator's folder.", exists=True, file_okay=False)
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; OWNER-heads.json if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write signed heads of the own ledger and of all that were seen: send them to the auditor every day (cron)."""
    from privacy.audit.export import write_heads
    from privacy.member_folder import MemberFolder

    target = output or Path(f"{MemberFolder(folder).request().member.id}-heads.json")
    write_heads(folder, target)
    wrote(target, "Send it to the auditor, or to another holder.", as_json=as_json)


@budget_app.command("plan")
def budget_plan(
    path: Annotated[Path, typer.Argument(help="A holder's folder, its ledger file.", exists=True)],
    epsilon: Annotated[float, typer.Option(help="Epsilon of the study that you think of.", min=0.001, max=50)] = 1.0,
    delta: Annotated[float, typer.Option(help="Its delta.", min=1e-18, max=0.001)] = 1e-6,
    study_file: Annotated[
        Path | None, typer.Option("--study", help="Take both from this study.", exists=True, dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """What can still be asked this period and for life, and what it would add up to. Asks nothing, charges nothing."""
    import time

    from privacy.audit.budget import budget_left, plan_budget
    from privacy.audit.budget_screen import show_plan
    from privacy.audit.budget_words import budget_in_words
    from privacy.audit.export import ledger_path
    from privacy.errors import ConfigError
    from privacy.kernel.canonical import read_toml
    from privacy.ledger import Ledger
    from privacy.protocol.study import Study

    ledger, known, now = Ledger(ledger_path(path)), _known_holders(path), int(time.time())
    state = ledger.state
    counted, k = state.counted_on(known), None
    if study_file is not None:
        study = read_toml(study_file, Study)
        epsilon, delta = float(study.budget.epsilon), float(study.budget.effective_delta)
        k = study.budget.records_among(len(study.holders) or known or counted)
    try:
        plan = plan_budget(state, epsilon=epsilon, delta=delta, now=now, counted=counted, study_k=k)
    except ValueError:
        raise ConfigError(
            "this ledger states no cap", hint="give a holder's: the coordinator's ledger has no lifetime cap"
        ) from None
    if as_json:
        print_json(plan.model_dump(mode="json"))
        return
    show_plan(plan)
    screen.print(budget_in_words(budget_left(ledger, now, holders=known)), soft_wrap=True)


@ledger_app.command("backup")
def ledger_backup(
    folder: Annotated[Path, typer.Argument(help="A ledger file, or a member's folder.", exists=True)],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    as_json: Json = False,
) -> None:
    """Copy a ledger, whole, also while it is in use; the copy's chain is checked."""
    from privacy.audit.export import ledger_path
    from privacy.ledger import Ledger

    head = Ledger(ledger_path(folder)).back_up(output)
    text = f"Wrote {escape(str(output))}: {head.sequence} entries, head {head.hash[:16]}…"
    tell({"file": str(output), "entries": head.sequence, "head": head.hash}, text, as_json)


@ledger_app.command("restore")
def ledger_restore(
    folder: Annotated[Path, typer.Argument(help="The member's folder.", exists=True, file_okay=False)],
    backup: Annotated[Path, typer.Argument(help="A file of `ledger backup`.", exists=True, dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Put a backup back. Nothing is charged to it until `ledger recover`: entries made since may be lost."""
    from privacy.audit.recovery import restore

    head = restore(folder, backup)
    text = (
        f"Restored {head.sequence} entries. Until it is recovered, all of its budget counts as spent. Next: ask "
        f"another holder or the auditor for heads, then `cohortium ledger recover {escape(str(folder))} --heads FILE`"
    )
    tell({"entries": head.sequence, "head": head.hash}, text, as_json)


@ledger_app.command("recover")
def ledger_recover(
    folder: Annotated[Path, typer.Argument(help="The member's folder.", exists=True, file_okay=False)],
    heads: HeadsOption,
    bundle: BundlesOption = None,
    all_spent: AllSpentOption = False,
    as_json: Json = False,
) -> None:
    """Go on with a restored ledger, with what others remember of it; the recovery is recorded for auditors."""
    recover_ledger(folder, heads, bundle or [], all_spent=all_spent, as_json=as_json)


def recover_ledger(folder: Path, heads: list[Path], bundles: list[Path], *, all_spent: bool, as_json: bool) -> None:
    """Recover a member's ledger and say what came of it."""
    from privacy.audit.recovery import recover

    done = recover(folder, heads, bundles, all_spent=all_spent)
    if as_json:
        print_json(
            {"lost": done.lost, "charges": done.charges, "witnesses": list(done.witnesses), "all_spent": done.all_spent,
             "entries": done.head.sequence, "head": done.head.hash}
        )  # fmt: skip
        return
    screen.print(
        f"Recovered with heads from {', '.join(done.witnesses)}: {done.lost} entries are lost, {done.charges} charges "
        f"were found again{'; the whole lifetime budget counts as spent' if done.all_spent else ''}. The recovery "
        f"is recorded in the ledger, and auditors will ask about it; send new heads to the auditor now.",
        soft_wrap=True,
    )


@audit_app.command("verify")
def audit_verify(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORD...",
            help="Bundles (of `audit export`), heads that were sent earlier; or ledger files or folders.",
            exists=True,
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check that records are whole, signed and agree with each other, and recompute epsilon from their facts."""
    from privacy.audit.export import ledger_path
    from privacy.audit.verify import verify
    from privacy.errors import LedgerError

    with status_line("reading", quiet or as_json) as progress:
        verdict = verify((ledger_path(path) for path in paths), progress=progress)
    if as_json:
        print_json({"passed": verdict.passed, **verdict.model_dump(mode="json")})
    else:
        _show_verdict(verdict)
    if not verdict.passed:
        raise typer.Exit(LedgerError.exit_code)


def _show_verdict(verdict: Verdict) -> None:
    for claim in verdict.claims:
        colour = "green" if claim.verdict == "PASS" else "bold red"
        screen.print(
            f"[{colour}]{claim.verdict}[/] {escape(claim.about)}: {claim.claim} ({escape(claim.why)})",
            soft_wrap=True,
        )
    table = Table(title="Epsilon for one person, recomputed from the recorded facts", title_justify="left")
    for column in ("ledger", "charges", "K", "delta", "closed form", "dp_accounting", "Opacus", "cap"):
        table.add_column(column, justify="left" if column == "ledger" else "right")
    for spent in verdict.spent:
        table.add_row(
            f"{spent.role} {spent.owner}", str(spent.charges), "-" if spent.k is None else str(spent.k),
            f"{spent.delta:.0e}", up(spent.epsilon),
            up_or_dash(spent.epsilon_pld), up_or_dash(spent.epsilon_prv),
            "-" if spent.cap is None else f"{spent.cap:g}",
        )  # fmt: skip
    screen.print(table)
    if verdict.person is not None:
        person = verdict.person
        cap = "" if person.cap is None else f" of {person.cap:g}"
        screen.print(
            f"One person over all records together, at {', '.join(person.holders)}: epsilon "
            f"{'' if person.exact else 'at most '}{up(person.epsilon)}{cap} at delta {person.delta:.0e}",
            soft_wrap=True,
        )
    for note in verdict.notes:
        screen.print(f"[yellow]To ask about:[/] {escape(note)}", soft_wrap=True)
    if verdict.passed:
        screen.print(
            "[green]PASS[/]: the records are consistent, and the noise they state implies this epsilon. It does "
            "not prove that the noise was added, that rows were clipped, or that a declaration is true."
        )
    else:
        failed = sum(claim.verdict == "FAIL" for claim in verdict.claims)
        screen.print(
            f"[bold red]FAIL[/]: {failed} of {len(verdict.claims)} claims do not hold. No figure above counts "
            "until it is known why."
        )


AuditorPath = Annotated[Path, typer.Argument(help="The auditor's folder.", file_okay=False)]


@audit_app.command("report")
def audit_report(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE...", help="Bundles (of `audit export`), of all members.", exists=True),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file to write.")] = Path("audit.html"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify records, and write an HTML page for people, in English and Chinese (needs the extra \\[node])."""
    import datetime as dt

    from privacy.audit.export import ledger_path
    from privacy.audit.report.render import render_audit
    from privacy.audit.timeline import read_story
    from privacy.audit.verify import verify
    from privacy.errors import LedgerError

    files = [ledger_path(path) for path in paths]
    with status_line("verifying", quiet or as_json) as progress:
        verdict = verify(files, progress=progress)
        page = render_audit([read_story(file) for file in files], verdict, made=dt.datetime.now(dt.UTC).date())
    output.write_text(page, encoding="utf-8")
    text = f"Wrote {escape(str(output))}: {'all claims pass' if verdict.passed else 'SOME CLAIMS FAIL'}"
    tell({"file": str(output), "passed": verdict.passed}, text, as_json)
    if not verdict.passed:
        raise typer.Exit(LedgerError.exit_code)


@auditor_app.command("init")
def auditor_init(
    folder: AuditorPath,
    federation: Annotated[str, typer.Option(help="Name of the federation.")],
    name: Annotated[str, typer.Option(help="The auditor's short name in it.")] = "auditor",
    as_json: Json = False,
) -> None:
    """Make an auditor's key and the request to join, to be sent to the coordinator."""
    from privacy.member_folder import MemberFolder
    from privacy.member_rosters import asked

    asked(MemberFolder(folder), federation, name, "auditor", as_json=as_json)


add_member_commands(
    auditor_app,
    "auditor",
    join="Check a version of the roster, compare its fingerprint with other members, and put it in force.",
    rotate_key="Make a new key, and the old key's word for it.",
)


@auditor_app.command("remember")
def auditor_remember(
    folder: AuditorPath,
    files: Annotated[
        list[Path], typer.Argument(metavar="HEADS...", help="Files of `audit heads`.", exists=True, dir_okay=False)
    ],
    as_json: Json = False,
) -> None:
    """Keep the heads that members send, each checked against all that were sent before."""
    from privacy.audit.heads import RememberedHeads
    from privacy.errors import LedgerError

    kept = RememberedHeads(folder)
    problems: list[str] = []
    for file in files:
        heads, found = kept.take(file)
        problems += found
        if not as_json:
            screen.print(f"Kept what {heads.member} sent: {len(heads.all)} heads")
    if as_json:
        print_json({"kept": len(files), "problems": problems})
    for problem in problems:
        errors.print(f"[bold red]Another story:[/] {escape(problem)}", soft_wrap=True)
    if problems:
        raise typer.Exit(LedgerError.exit_code)


@auditor_app.command("heads")
def auditor_heads(
    folder: AuditorPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    as_json: Json = False,
) -> None:
    """Write the newest heads that members sent, signed: what a holder needs to recover its ledger."""
    from privacy.audit.export import write_heads

    write_heads(folder, output)
    wrote(output, "Send it to the member who asked.", as_json=as_json)
