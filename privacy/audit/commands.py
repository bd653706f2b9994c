"""Commands of an auditor, which run with the base install; ``cohortium.py`` mounts them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from privacy.audit.export import ledger_path
from privacy.member_folder import MemberFolder
from privacy.presentation.rosters import FingerprintOption, accept_roster, asked, new_member, rotation_written
from privacy.presentation.terminal import Json, Quiet, command_group, print_json, screen, status_line, up, up_or_dash

ledger_app = command_group("ledger", "Read a privacy ledger (everybody, auditors first).")
auditor_app = command_group("auditor", "Be a member without data, who reads and proves (auditor).")
audit_app = command_group("audit", "Prove what was spent (auditors).")


@ledger_app.command("show")
def ledger_show(
    path: Annotated[Path, typer.Argument(help="A ledger file, or a holder's or coordinator's folder.", exists=True)],
    as_json: Json = False,
) -> None:
    """Check a ledger's chain and show what was spent, by whom, for what."""
    from privacy.ledger.view import view_ledger

    view = view_ledger(ledger_path(path))
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    screen.print(
        f"Ledger of {view.role} [bold]{escape(view.owner)}[/]: {view.entries} entries, chain intact, "
        f"head {view.head[:16]}…"
    )
    table = Table()
    for column in ("study", "question", "attempt", "outcome", "holders", "k", "epsilon", "total"):
        table.add_column(column, justify="left" if column in ("study", "question", "outcome") else "right")
    for charge in view.charges:
        table.add_row(
            charge.study, charge.question, str(charge.attempt), charge.outcome, str(charge.holders), str(charge.k),
            up(charge.epsilon), up(charge.total),
        )  # fmt: skip
    screen.print(table)
    if view.cap_epsilon is not None:
        screen.print(
            f"Spent for one person over all studies: epsilon {up(view.spent_epsilon)} of at most {view.cap_epsilon:g} "
            f"at delta {view.delta:.0e}"
        )
    for note in view.notes:
        screen.print(f"[yellow]Note:[/] {escape(note)}")


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

    target = output or Path(f"{MemberFolder(folder).request().member.id}.bundle")
    header, head = export(folder, target)
    if as_json:
        print_json({"bundle": str(target), "owner": header.owner, "entries": head.sequence, "head": head.hash})
    else:
        screen.print(
            f"Wrote {escape(str(target))}: {header.role} {header.owner}, {head.sequence} entries, "
            f"head {head.hash[:16]}…"
        )


@audit_app.command("verify")
def audit_verify(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORD...", help="Bundles (of `audit export`); or ledger files or folders.", exists=True
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check that records are whole, signed and agree with each other, and recompute epsilon from their facts."""
    from privacy.audit.verify import verify
    from privacy.errors import LedgerError

    with status_line("reading", quiet or as_json) as tell:
        verdict = verify((ledger_path(path) for path in paths), progress=tell)
    if as_json:
        print_json({"passed": verdict.passed, **verdict.model_dump(mode="json")})
    else:
        for claim in verdict.claims:
            colour = "green" if claim.verdict == "PASS" else "bold red"
            screen.print(
                f"[{colour}]{claim.verdict}[/] {escape(claim.about)}: {claim.claim} ({escape(claim.why)})",
                soft_wrap=True,
            )
        table = Table(title="Epsilon for one person, recomputed from the recorded facts", title_justify="left")
        for column in ("ledger", "charges", "delta", "closed form", "dp_accounting", "Opacus", "lifetime cap"):
            table.add_column(column, justify="left" if column == "ledger" else "right")
        for spent in verdict.spent:
            table.add_row(
                f"{spent.role} {spent.owner}", str(spent.charges), f"{spent.delta:.0e}", up(spent.epsilon),
                up_or_dash(spent.epsilon_pld), up_or_dash(spent.epsilon_prv),
                "-" if spent.cap is None else f"{spent.cap:g}",
            )  # fmt: skip
        screen.print(table)
        for note in verdict.notes:
            screen.print(f"[yellow]To ask about:[/] {escape(note)}", soft_wrap=True)
        screen.print(
            "PASS: the records are consistent, and the noise they state implies this epsilon. It does not prove that "
            "the noise was added, that rows were clipped, or that a declaration is true."
        )
    if not verdict.passed:
        raise typer.Exit(LedgerError.exit_code)


AuditorPath = Annotated[Path, typer.Argument(help="The auditor's folder.", file_okay=False)]


@auditor_app.command("init")
def auditor_init(
    folder: AuditorPath,
    federation: Annotated[str, typer.Option(help="Name of the federation.")],
    name: Annotated[str, typer.Option(help="The auditor's short name in it.")] = "auditor",
    as_json: Json = False,
) -> None:
    """Make an auditor's key and the request to join, to be sent to the coordinator."""
    asked(MemberFolder(folder), federation, new_member(name, "auditor"), as_json=as_json)


@auditor_app.command("join")
def auditor_join(
    folder: AuditorPath,
    file: Annotated[Path, typer.Argument(help="The roster that the coordinator published, such as roster-v1.json.")],
    fingerprint: FingerprintOption = None,
    as_json: Json = False,
) -> None:
    """Check a version of the roster, compare its fingerprint with other members, and put it in force."""
    accept_roster(MemberFolder(folder), file, fingerprint, as_json=as_json)


@auditor_app.command("rotate-key")
def auditor_rotate_key(folder: AuditorPath) -> None:
    """Make a new key, and the old key's word for it."""
    rotation_written(MemberFolder(folder))
