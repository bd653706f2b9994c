"""Commands of a data holder on lists of customers: whom to contact, and what contacting them brought."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from clients.commands.arguments import HolderPath
from clients.commands.studies import labelled
from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, print_json, screen

if TYPE_CHECKING:
    from clients.campaigns.effects import Effect
    from clients.campaigns.ended import Told
    from clients.campaigns.outcomes import Measured
    from privacy.figures.estimates import Estimate

_DOUBTS = {
    "few": "Too few customers in one of the groups: no verdict. A larger list, or a larger `control`, says more.",
    "not_as_drawn": "The groups are not as large as they were drawn: no verdict. Was the file edited?",
    "control_contacted": "Customers who were to be left alone were contacted, says your feed `sent`: no verdict.",
}


def holder_contacts(
    folder: HolderPath,
    run: Annotated[str | None, typer.Option(help="Which run; the last one with results if not given.")] = None,
    call: Annotated[int | None, typer.Option(help="How many you can call; labels.toml's if not given.", min=0)] = None,
    write: Annotated[int | None, typer.Option(help="How many more you can write to.", min=0)] = None,
    group: Annotated[
        str | None, typer.Option(help="A group of tags.toml in place of those most at risk.", metavar="CODE")
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            help="What to call it; the study and its day, or the group and the month, if not given.", metavar="CODE"
        ),
    ] = None,
    on: Annotated[
        dt.datetime | None,
        typer.Option(help="First day on which it is worked through; today if not given.", formats=["%Y-%m-%d"]),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write (CSV).")] = None,
    as_json: Json = False,
) -> None:
    """Draw up whom to call and whom to write to, by when, why, and who is left alone to see what it brings.

    The first ones by value at risk, as many as you have hands for. Costs nothing and asks nobody. A part of the list is
    a control group, marked in the column `control`: do not contact these. `holder effect` then says what it brought.
    """
    from clients.campaigns.lists import begin, begin_group
    from clients.labels.config import read_labels_config
    from clients.labels.contacts import PLACES
    from clients.tagging.setting import TagSetting

    wished = {name: count for name, count in (("call", call), ("write", write)) if count is not None}
    labels = read_labels_config(folder)
    labels = labels.model_copy(update={"contacts": labels.contacts.model_copy(update=wished)})
    day = on.date() if on else None
    if group is not None:
        begun = begin_group(TagSetting.read(folder, day), group, labels, code=campaign, output=output)
    else:
        begun = begin(folder, labelled(folder, run)[1], labels, code=campaign, day=day, output=output)
    counts = {place: begun.count(place) for place in PLACES}
    if as_json:
        told = {place: {"customers": count, "control": alone} for place, (count, alone) in counts.items()}
        head = {"file": str(begun.path), "campaign": begun.campaign.code, "control_share": begun.campaign.share / 1000}
        print_json({**head, **told})
        return
    for place, (count, alone) in counts.items():
        screen.print(f"To {place}: {count:,} customers, {alone:,} of them left alone as a control group")
    screen.print(f"Wrote [bold]{escape(str(begun.path))}[/]", soft_wrap=True)
    later = f"In a month, `cohortium holder effect {folder} {begun.campaign.code}` says what it brought."
    screen.print(escape(later), soft_wrap=True)


def holder_effect(
    folder: HolderPath,
    campaign: Annotated[str | None, typer.Argument(help="Which; all of them if not given.", metavar="CODE")] = None,
    days: Annotated[int, typer.Option(help="Days from when a customer was listed that count.", min=1, max=365)] = 30,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(help="See only what was before this day; today if not given.", formats=["%Y-%m-%d"]),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a list brought: who was contacted against who was left alone by lot, with intervals.

    Everybody on the list counts, reached or not. Costs nothing and asks nobody. Before the days are over it says how
    many customers have days to go, and gives no verdict.
    """
    from clients.campaigns.ended import told_of
    from clients.data.campaigns import campaigns

    codes = (campaign,) if campaign else campaigns(folder)
    if not codes:
        raise ConfigError("no list was drawn up here", hint="`cohortium holder contacts` draws one up")
    told = told_of(folder, codes, days=days, day=as_of.date() if as_of else None)
    if as_json:
        print_json([_as_json(one) for one in told])
        return
    for one in told:
        _show(one)
    ended = sum(one.effect is not None for one in told)
    if ended > 1:
        screen.print(f"Verdicts hold for all {ended} campaigns together at 95%.")


def _as_json(one: Told) -> dict[str, Any]:
    measured, found = one.measured, one.effect
    contacted, control = measured.gone
    about = {
        "campaign": one.code, "days": one.days, "open": measured.open,
        "first": str(measured.first), "last": str(measured.last),
        "gone": {"contacted": contacted, "control": control}, "currency": measured.currency,
        "newest_purchase": None if measured.newest is None else str(measured.newest),
    }  # fmt: skip
    if found is None:
        return {**about, "effect": None}
    told = found.model_dump(mode="json")
    for name in ("more_buyers", "more_spent"):
        estimate: Estimate | None = getattr(found, name)
        told[name] = None if estimate is None else estimate.model_dump(mode="json")
    return {**about, "effect": told}


def _show(one: Told) -> None:
    measured, found = one.measured, one.effect
    screen.print(
        f"[bold]{escape(one.code)}[/]: {one.days} days from {measured.first}, the last of them {measured.last}"
    )
    if measured.open:
        screen.print(f"{measured.open:,} customers have days to go.")
    if found is None:
        screen.print("Nobody's days are over: look again later.")
        return
    if any(measured.gone):
        contacted, control = measured.gone
        screen.print(f"Not in the source any more, or opted out: {contacted:,} contacted, {control:,} left alone.")
    if found.bought is not None:
        screen.print(_table(found, measured.currency))
    screen.print(_verdict(found, measured), soft_wrap=True)


def _table(found: Effect, currency: str) -> Table:
    from privacy.kernel.terms import minor_digits

    digits = minor_digits(currency)
    unit = 10**digits
    table = Table()
    table.add_column("")
    for column in ("contacted", "left alone", "difference", "95% interval"):
        table.add_column(column, justify="right")
    bought = [found.contacted_bought / found.contacted, found.control_bought / found.control]
    table.add_row("customers", f"{found.contacted:,}", f"{found.control:,}", "", "")
    table.add_row("bought", *(f"{share:.1%}" for share in bought), *_told(found.bought, 100, 1, " points"))
    table.add_row("orders a customer", "", "", *_told(found.orders, 1, 3))
    most = f"spent, {currency}, at most {(found.cap or 0) / unit:,.{digits}f}"
    table.add_row(most, "", "", *_told(found.spent, 1 / unit, digits))
    table.add_row(f"spent, {currency}, uncapped", "", "", *_told(found.spent_uncapped, 1 / unit, digits))
    return table


def _told(estimate: Estimate | None, factor: float, digits: int, unit: str = "") -> tuple[str, str]:
    if estimate is None:
        return "", ""
    low, high = estimate.interval
    return (
        f"{factor * estimate.value:+,.{digits}f}{unit}",
        f"{factor * low:+,.{digits}f} to {factor * high:+,.{digits}f}",
    )


def _verdict(found: Effect, measured: Measured) -> str:
    if found.doubt == "stale":
        newest = measured.newest or "none"
        until = "no verdict until all of them are there"
        return f"The newest purchase in the source before {measured.last} is of {newest}: {until}."
    if found.doubt is not None:
        return _DOUBTS[found.doubt]
    more = found.more_buyers
    if more is None or found.verdict is None:
        return ""
    low, high = more.interval
    between = f"between {_counted(low)} and {_counted(high)} customers bought than would have without it"
    if found.verdict == "more":
        return (
            f"It brought back about {more.value:,.0f} customers ({low:,.0f} to {high:,.0f}) who would not have bought."
        )
    if found.verdict == "fewer":
        return f"Fewer of those who were contacted bought: {between}. Did contacting them do harm?"
    return f"Not clear that it brought anything: {between}. More names, or more left alone, show smaller effects."


def _counted(count: float) -> str:
    return f"{abs(count):,.0f} {'fewer' if count < 0 else 'more'}"
