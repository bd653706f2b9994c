"""Commands that drive holders and a coordinator at once; ``cohortium.command`` mounts them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from privacy.errors import AuditError, ConfigError
from privacy.presentation.terminal import Json, Quiet, errors, print_json, screen, status_line

if TYPE_CHECKING:
    from privacy.audit.empirical import Audited, Checked, EmpiricalReport, Power
    from privacy.audit.inference import Interval, MembershipResult
    from simulations.attack.empirical_audit import Plan


class PlacementOption(StrEnum):
    """Who adds the noise."""

    distributed = "distributed"
    local = "local"
    central = "central"


def audit_test(
    statistic: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only this kind of statistic; may be given several times.")
    ] = None,
    placement: Annotated[
        list[PlacementOption] | None, typer.Option(help="Only this placement; may be given several times.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer releases: half the variance is still seen, smaller faults are not.")
    ] = False,
    faults: Annotated[
        bool, typer.Option("--faults", help="Plant known faults as well, and check that each is caught.")
    ] = False,
    membership: Annotated[
        bool,
        typer.Option("--membership", help="Instead: membership inference against churn models and cluster centres."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Attack the release path of this installation, and compare what an attacker learns with what is claimed.

    Runs on made-up customers; nothing is charged and no holder is asked. See docs/empirical-audit.md.
    """
    if membership:
        if statistic or placement or faults:
            raise ConfigError("--membership attacks what studies publish; it takes --quick, --json and --quiet only")
        _membership(quick=quick, as_json=as_json, quiet=quiet)
        return
    from simulations.attack.audit_checks import checked_all
    from simulations.attack.audit_trainings import trainings_of
    from simulations.attack.empirical_audit import QUICK_TRIALS, TRIALS, Plan, faulty, report_of, series_of, settings_of

    settings = settings_of(tuple(statistic or ()), tuple(item.value for item in placement or PlacementOption))
    if faults:
        settings += faulty(settings)
    whole = not (statistic or placement)
    series, trainings = (series_of(faults=faults), trainings_of(faults=faults)) if whole else ((), ())
    plan = Plan(settings=(*settings, *series, *trainings), trials=QUICK_TRIALS if quick else TRIALS)
    if not as_json:
        _show_power(plan.power, len(plan.settings))
    results = _released(plan, quiet=quiet or as_json)
    kinds = tuple(dict.fromkeys(setting.kind for setting in settings))
    placements = tuple(dict.fromkeys(setting.placement for setting in settings))
    with status_line("real nodes, and generators", quiet or as_json):
        checked = tuple(checked_all(kinds, placements, whole=whole, faults=faults))
    report = report_of(plan, results, checked)
    if as_json:
        print_json({"passed": report.passed, **report.model_dump(mode="json")})
    else:
        _show(report)
    if not report.passed:
        raise typer.Exit(AuditError.exit_code)


def _released(plan: Plan, *, quiet: bool) -> tuple[Audited, ...]:
    """Release again and again, and say how far it is."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=quiet) as bars:
        task = bars.add_task(str(plan.settings[0]), total=plan.releases)
        results = []
        names = iter([str(setting) for setting in plan.settings[1:]] + ["done"])
        for result in plan.run(on_release=lambda: bars.advance(task)):
            results.append(result)
            bars.update(task, description=next(names))
    return tuple(results)


def _membership(*, quick: bool, as_json: bool, quiet: bool) -> None:
    """Attack models and centres of a series of studies, with their noise and, to compare, without."""
    from rich.progress import Progress

    from simulations.attack.membership_inference import QUICK_RUNS, Exercise

    exercise = Exercise(runs=QUICK_RUNS) if quick else Exercise()
    with Progress(console=errors, disable=quiet or as_json) as bars:
        task = bars.add_task("studies with noise", total=2 * exercise.runs)
        found = exercise.run(on_run=lambda: bars.advance(task))
        bars.update(task, description="the same without noise")
        control = exercise.run(noisy=False, on_run=lambda: bars.advance(task))
    passed = not any(result.refuted for result in found)
    if as_json:
        print_json({
            "passed": passed,
            "epsilon": exercise.epsilon,
            "results": [result.model_dump(mode="json") for result in found],
            "without_noise": [result.model_dump(mode="json") for result in control],
        })  # fmt: skip
    else:
        _show_membership(found, control, exercise.epsilon)
        screen.print(
            "[green]PASS[/]: this attack did no better than the noise allows any attack."
            if passed
            else "[bold red]FAIL[/]: the attack did better than the charged noise allows. Report this."
        )
    if not passed:
        raise typer.Exit(AuditError.exit_code)


def _show_membership(found: Sequence[MembershipResult], control: Sequence[MembershipResult], epsilon: str) -> None:
    from rich.table import Table

    title = (
        f"Was a customer in? {found[0].runs} studies of epsilon {epsilon}, half of the customers in each (95% margins)"
    )
    table = Table(title=title, title_justify="left")
    for column in ("published", "customers", "mu"):
        table.add_column(column, justify="left" if column == "published" else "right")
    for column in ("AUC", "allowed", "without noise", "advantage", "allowed", "without noise"):
        table.add_column(column, justify="right")
    for result, bare in zip(found, control, strict=True):
        table.add_row(
            result.published, f"{result.customers:,}", f"{result.mu or 0:.3f}",
            _with_margin(result.auc), f"{result.allowed_auc:.3f}", _with_margin(bare.auc),
            _with_margin(result.advantage), f"{result.allowed_advantage:.3f}", _with_margin(bare.advantage),
        )  # fmt: skip
    screen.print(table)


def _with_margin(interval: Interval) -> str:
    return f"{interval.value:.3f} ± {interval.high - interval.value:.3f}"


def _show_power(power: Power, settings: int) -> None:
    screen.print(
        f"{settings} settings, {2 * power.trials} releases each: half of them with one customer, half without.\n"
        f"Would notice half of the variance with probability {_chance(power.half_variance)}, three quarters of it with "
        f"{_chance(power.three_quarters)}, nine tenths with {_chance(power.nine_tenths)}; accuses correct code in at "
        f"most {power.false_alarm:.0e} of all runs.",
        soft_wrap=True,
    )


def _chance(value: float) -> str:
    return f"{value:.3f}" if value < 0.9995 else f"1 - {max(1 - value, 1e-12):.0e}"


def _show(report: EmpiricalReport) -> None:
    _show_checked(report.checked)
    _show_table("The code as it is: every lower bound must lie below the claim", report.audited, report.delta)
    if report.planted:
        _show_table("With planted faults: every lower bound must lie above the claim", report.planted, report.delta)
    if report.passed:
        screen.print(
            "[green]PASS[/]: these attackers, with so many releases, learned no more than is claimed. It does not "
            "prove that no attacker could, nor that other installations run this code.",
            soft_wrap=True,
        )
    else:
        screen.print(
            "[bold red]FAIL[/]: releases of this installation protect less than its ledgers say, or a planted fault "
            "was not caught. Do not answer studies with it, and report this.",
            soft_wrap=True,
        )


def _show_checked(checked: tuple[Checked, ...]) -> None:
    """How many of each kind hold or are caught, and each that does not."""
    from rich.table import Table

    table = Table(title="What needs no guessing", title_justify="left")
    for column in ("checked", "planted", "cases", "verdict"):
        table.add_column(column)
    for what, fault in dict.fromkeys((item.what, item.fault) for item in checked):
        items = [item for item in checked if (item.what, item.fault) == (what, fault)]
        failed = [f"{item.where}: {item.wrong or 'not caught'}" for item in items if item.verdict == "FAIL"]
        verdict = "[green]PASS[/]" if not failed else "[bold red]FAIL[/] " + "; ".join(failed)
        table.add_row(what, fault, str(len(items)), verdict)
    screen.print(table)


def _show_table(title: str, rows: tuple[Audited, ...], delta: float) -> None:
    from rich.table import Table

    planted = any(row.fault for row in rows)
    table = Table(title=f"{title} (epsilon at delta {delta:.0e})", title_justify="left")
    for column in ("statistic", "placement", *(["fault"] if planted else []), "attack"):
        table.add_column(column)
    for column in ("claimed mu", "measured mu, at least", "claimed epsilon", "measured, at least"):
        table.add_column(column, justify="right")
    table.add_column("verdict")
    for row in rows:
        best = row.attacks[0]
        colour = "green" if row.verdict == "PASS" else "bold red"
        table.add_row(
            row.statistic,
            row.placement,
            *([row.fault] if planted else []),
            best.attack,
            f"{row.claimed_mu:.3f}",
            f"{best.mu:.3f}",
            f"{row.claimed_epsilon:.2f}",
            f"{best.epsilon:.2f}",
            f"[{colour}]{row.verdict}[/]",
        )
    screen.print(table)
