"""Commands of a data holder about single customers who stay out or are to be forgotten, and a restored ledger."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from clients.commands.arguments import HolderBefore, HolderPath
from privacy.audit.commands import AllSpentOption, BundlesOption, HeadsOption, recover_ledger
from privacy.presentation.terminal import Json, print_json, screen


def holder_recover(
    folder: HolderPath,
    heads: HeadsOption,
    bundle: BundlesOption = None,
    all_spent: AllSpentOption = False,
    as_json: Json = False,
) -> None:
    """Go on with a ledger that was restored from a backup; until then all of its budget counts as spent."""
    recover_ledger(folder, heads, bundle or [], all_spent=all_spent, as_json=as_json)


def holder_exclude(
    folder: HolderBefore,
    customers: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as your source spells them.")],
    as_json: Json = False,
) -> None:
    """Put ids on the exclusion list: no further study counts them. holder.toml is made to name one where it does not.

    What was labelled or written of them before stays; `holder forget` takes a person out of that as well.
    """
    from clients.answering.folder import HolderFolder
    from clients.data.exclusion import exclude

    done = exclude(folder / "holder.toml", HolderFolder(folder).config(), customers)
    if as_json:
        print_json({"list": str(done.path), "added": done.added, "known": done.known, "named": done.named})
        return
    for item in done.added:
        screen.print(f"Excluded: {escape(item)}")
    for item in done.known:
        screen.print(f"Excluded before: {escape(item)}")
    named = f" {escape(str(folder / 'holder.toml'))} names it now." if done.named else ""
    screen.print(f"On the list {escape(str(done.path))}: no further study counts them.{named}", soft_wrap=True)


def holder_forget(
    folder: HolderPath,
    customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id, as your source spells it.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Take a person out of labels, scores, clusters, tags, tables, pages and exports here, and exclude the id."""
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
                "tags": done.tags,
                "campaigns": list(done.campaigns),
                "deleted": [str(path) for path in done.deleted],
                "excluded": str(done.excluded) if done.excluded else None,
            }
        )
        return
    for study, day in done.days:
        screen.print(f"Taken out of the labels of {escape(study)}, {day}, and of what labels.toml writes of them")
    for code in done.campaigns:
        screen.print(f"Taken out of campaign {code}")
    if done.tags:
        screen.print("Taken out of the history of tags, and of what labels.toml writes of it")
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
