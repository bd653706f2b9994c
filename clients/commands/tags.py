"""``cohortium holder tags``: tags of a holder's own customers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from clients.commands.arguments import HolderBefore, HolderPath
from privacy.errors import ConfigError
from privacy.presentation.terminal import Json, command_group, print_json, screen, tell, terminal_language

if TYPE_CHECKING:
    from clients.tagging.setting import TagSetting
    from clients.tags.config import Group, Tag
    from clients.tags.preview import Preview

tags_app = command_group("tags", "Tag your own customers by rules of your own: exact, at your place, free of budget.")


def _day(text: str | None) -> dt.date | None:
    from privacy.protocol.study import parse_day

    try:
        return None if text is None else parse_day(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a day", hint="write YYYY-MM-DD") from None


AsOf = Annotated[str | None, typer.Option("--as-of", help="YYYY-MM-DD: rows from this day on are not seen; today.")]
TagCode = Annotated[str, typer.Argument(metavar="CODE", help="The tag's code.")]


@tags_app.command("list")
def tags_list(folder: HolderPath, as_json: Json = False) -> None:
    """What is in tags.toml, and how many had each tag in the last run. Asks nothing of the data."""
    from clients.tags.config import read_tags
    from clients.tags.store import History, path_of

    file, history = read_tags(folder), History.load(path_of(folder))
    last = history.runs[-1] if history.runs else None
    counts = dict(last.counts) if last else {}
    if as_json:
        tags = [
            tag.model_dump(mode="json", exclude_defaults=True) | {"customers": counts.get(tag.code)} for tag in file.tag
        ]
        groups = [group.model_dump(mode="json", exclude_defaults=True) for group in file.group]
        print_json({"like": file.like, "last_run": str(last.day) if last else None, "tags": tags, "groups": groups})
        return
    table = Table()
    for column in ("tag", "name", "kind", "state", "version", "rule", "customers"):
        table.add_column(column)
    for tag in file.tag:
        rule = tag.when or f"{tag.value}: {', '.join(map(str, tag.bands))}"
        count = f"{counts[tag.code]:,}" if tag.code in counts else "-"
        table.add_row(tag.code, escape(_name(tag)), tag.kind, tag.state, str(tag.version), escape(rule), count)
    for group in file.group:
        table.add_row(group.code, escape(_name(group)), "group", "", "", escape(group.when), "")
    screen.print(table)
    said = (
        f"Last run: {last.day}, {last.customers:,} customers." if last else "No run yet: `cohortium holder tags run`."
    )
    screen.print(said, style="dim")


def _name(item: Tag | Group) -> str:
    from privacy.presentation.texts import of_its_own

    return of_its_own(item, terminal_language()) or item.code


@tags_app.command("new")
def tags_new(
    folder: HolderBefore,
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="Code of a tag of your own.")] = None,
    when: Annotated[str | None, typer.Option(help="Its rule, such as: orders >= 3")] = None,
    value: Annotated[str | None, typer.Option(help="In place of a rule a number, such as: count(order, -365)")] = None,
    bands: Annotated[str | None, typer.Option(help="With --value: where levels begin, such as 1,2,4")] = None,
    en: Annotated[str, typer.Option(help="Its name in English.")] = "",
    zh: Annotated[str, typer.Option(help="Its name in Chinese.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    like: Annotated[str | None, typer.Option(help="Of a new file: the study whose labels rules may name.")] = None,
    as_json: Json = False,
) -> None:
    """Begin tags.toml with the tags of the library that your feeds can answer; or add a tag of your own, as a draft.

    A draft is seen in previews and written nowhere, until you set its state to active.
    """
    from clients.tags.config import NAME

    path = folder / NAME
    if code is None:
        _begin(path, like, as_json)
        return
    fields: dict[str, Any] = {"code": code, "when": when, "value": value, "en": en, "zh": zh, "owner": owner}
    if bands:
        fields["bands"] = tuple(part.strip() for part in bands.split(","))
    _add(path, fields, as_json)


def _begin(path: Path, like: str | None, as_json: bool) -> None:
    from clients.tagging.setting import begin_tags

    tags, left = begin_tags(path.parent, like)
    if as_json:
        print_json({"file": str(path), "tags": [tag.code for tag in tags], "left_out": left})
        return
    screen.print(f"Wrote [bold]{escape(str(path))}[/] with {len(tags)} tags.", soft_wrap=True)
    if left:
        screen.print(f"Left out, because nothing in holder.toml answers them: {', '.join(left)}", soft_wrap=True)
    screen.print(f"Next: cohortium holder tags preview {path.parent}", style="dim", soft_wrap=True)


def _add(path: Path, fields: dict[str, Any], as_json: bool) -> None:
    from pydantic import ValidationError

    from clients.tagging.setting import TagSetting
    from clients.tags.config import Tag, read_tags
    from clients.tags.library import file_text, read_text, with_tag
    from privacy.kernel.canonical import describe_validation

    try:
        tag = Tag.model_validate({**fields, "state": "draft"})
    except ValidationError as problem:
        raise ConfigError(f"this is no tag:\n{describe_validation(problem)}") from None
    if path.exists():
        read_tags(path.parent)  # says what is wrong with it
    text = with_tag(path.read_text(encoding="utf-8") if path.exists() else file_text((), None), tag)
    TagSetting.read(path.parent, file=read_text(text)).rules()  # refused with its place, before the file is touched
    path.write_text(text, encoding="utf-8")
    said = (
        f"Added [bold]{tag.code}[/] to {escape(str(path))} as a draft. Look at it: cohortium holder tags preview "
        f'{escape(str(path.parent))} {tag.code}; then write state = "active" there.'
    )
    tell({"file": str(path), "tag": tag.code, "state": tag.state}, said, as_json)


@tags_app.command("check")
def tags_check(folder: HolderPath, as_of: AsOf = None, as_json: Json = False) -> None:
    """Read tags.toml and say what is wrong, and where, and what deserves a look. Asks nothing of the data."""
    from clients.tagging.looking import check_tags
    from clients.tagging.setting import TagSetting

    found = check_tags(TagSetting.read(folder, _day(as_of)))
    if as_json:
        print_json(found.as_json())
    else:
        for wrong in found.problems:
            screen.print(f"[bold red]wrong:[/] {escape(wrong.text)}", soft_wrap=True)
            screen.print(f"  {escape(wrong.hint)}" if wrong.hint else "", style="dim", soft_wrap=True)
        for warning in found.warnings:
            screen.print(f"[yellow]look:[/] {escape(warning.text)}", soft_wrap=True)
            screen.print(f"  {escape(warning.hint)}" if warning.hint else "", style="dim", soft_wrap=True)
        if not found.problems:
            screen.print(f"{found.tags} tags and {found.groups} groups can be run.")
    if found.problems:
        raise typer.Exit(ConfigError.exit_code)


@tags_app.command("preview")
def tags_preview(
    folder: HolderBefore,
    codes: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Which tags; all if none.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Count before anything is written: customers, share, spend, overlaps, who would enter and leave, ten ids.

    Drafts and groups are counted, too.
    """
    from clients.tagging.looking import preview_tags
    from clients.tagging.setting import TagSetting

    setting = TagSetting.read(folder, _day(as_of))
    evaluated, found = preview_tags(setting, codes or ())
    size = len(evaluated.customers)
    if as_json:
        print_json(
            {"as_of": str(evaluated.day), "customers": size, "tags": [_as_json(one, size, setting) for one in found]}
        )
        return
    screen.print(f"{size:,} customers as of {evaluated.day}; nothing was written.", style="dim")
    _show_previews(found, size, setting)
    for one in found if codes else ():
        _show_more(one)


def _as_json(one: Preview, size: int, setting: TagSetting) -> dict[str, Any]:
    return {
        "code": one.rule.code,
        "group": one.rule.is_group,
        "state": getattr(one.rule.of, "state", None),
        "customers": one.customers,
        "share": round(one.customers / size, 6) if size else 0.0,
        "levels": list(one.levels),
        "spend": _money(one.spent, setting),
        "currency": setting.origin.study.currency,
        "entered": one.change.entered if one.change else None,
        "left": one.change.left if one.change else None,
        "moved": one.change.moved if one.change else None,
        "overlaps": {other.code: other.customers for other in one.overlaps},
        "ids": list(one.ids),
    }


def _money(minor: int, setting: TagSetting) -> str:
    """Exact, with the currency's digits."""
    from decimal import Decimal

    from privacy.kernel.terms import minor_digits

    return str(Decimal(minor).scaleb(-minor_digits(setting.origin.study.currency)))


def _show_previews(found: tuple[Preview, ...], size: int, setting: TagSetting) -> None:
    from decimal import Decimal

    table = Table()
    left = ("tag", "name", "since the last run", "most also have")
    for column in ("tag", "name", "customers", "share", f"spend, {setting.origin.study.currency}", *left[2:]):
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column == "tag")
    for one in found:
        spend = f"{Decimal(_money(one.spent, setting)):,.0f}"
        change = one.change
        moved = f" ~{change.moved:,}" if change and change.moved else ""
        since = f"+{change.entered:,} -{change.left:,}{moved}" if change else ""
        other = one.overlaps[0] if one.overlaps else None
        overlap = f"{other.code} {other.customers / one.customers:.0%}" if other else ""
        state = getattr(one.rule.of, "state", "group" if one.rule.is_group else "active")
        name = escape(_name(one.rule.of)) + (f" [dim]{state}[/]" if state != "active" else "")
        share = f"{one.customers / size:.1%}" if size else "-"
        table.add_row(one.rule.code, name, f"{one.customers:,}", share, spend, since, overlap)
    screen.print(table)


def _show_more(one: Preview) -> None:
    """Of a tag that was asked for: levels, what overlaps, and some ids."""
    if one.levels:
        levels = ", ".join(f"{place}: {count:,}" for place, count in enumerate(one.levels, start=1))
        screen.print(f"{one.rule.code}, customers at each level: {levels}", soft_wrap=True)
    shares = ", ".join(f"{other.code} {other.customers / one.customers:.0%}" for other in one.overlaps)
    if shares:
        screen.print(f"{one.rule.code}, also have: {shares}", soft_wrap=True)
    screen.print(f"{one.rule.code}, the first: {escape(', '.join(one.ids)) or 'nobody'}", soft_wrap=True)


@tags_app.command("run")
def tags_run(
    folder: HolderPath,
    as_of: AsOf = None,
    changed_only: Annotated[
        bool, typer.Option("--changed-only", help="Write a list of who entered, left or moved, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tag all customers as of a day, keep since when, and write files and tables wherever labels.toml says.

    The same day again replaces what it said before. Made for a schedule: once a day, or before each campaign.
    """
    from clients.tagging.running import run_tags
    from clients.tagging.setting import TagSetting
    from clients.tags.changes import counted_changes

    done = run_tags(TagSetting.read(folder, _day(as_of)), changed_only=changed_only)
    note = done.history.runs[-1]
    changes = counted_changes(done.history, note.day, note.counts)
    if as_json:
        tags = {
            code: {
                "customers": count,
                "entered": changes[code].entered,
                "left": changes[code].left,
                "moved": changes[code].moved,
            }
            for code, count in note.counts.items()
        }
        written = [{"place": place, "rows": rows} for place, rows in done.written]
        written += [{"place": one.place, "rows": one.customers, "control": one.control} for one in done.lists]
        print_json({"as_of": str(note.day), "customers": note.customers, "tags": tags, "written": written})
        return
    table = Table()
    for column in ("tag", "customers", "entered", "left", "moved"):
        table.add_column(column, justify="left" if column == "tag" else "right")
    for code, count in note.counts.items():
        one = changes[code]
        table.add_row(code, f"{count:,}", f"{one.entered:,}", f"{one.left:,}", f"{one.moved:,}")
    screen.print(table)
    screen.print(f"{note.customers:,} customers as of {note.day}")
    for place, rows in done.written:
        screen.print(f"Wrote {rows:,} rows to {escape(place)}", soft_wrap=True)
    for drawn in done.lists:
        alone = f"{drawn.control:,} of them to be left alone"
        screen.print(f"Wrote {drawn.customers:,} customers, {alone}, to {escape(drawn.place)}", soft_wrap=True)


@tags_app.command("history")
def tags_history(folder: HolderBefore, code: TagCode, as_json: Json = False) -> None:
    """How many had a tag after each run, who entered and left, and the versions of its rule that were run."""
    from clients.tags.changes import counted_changes
    from clients.tags.store import History, path_of, runs_of

    history = History.load(path_of(folder))
    runs = runs_of(history, code)
    if not runs:
        there = ", ".join(sorted({name for run in history.runs for name in run.counts})) or "none"
        raise ConfigError(f"no run has written the tag {code!r}", hint=f"there is: {there}")
    changes = [counted_changes(history, day, [code])[code] for day, _ in runs]
    versions = sorted(history.versions.get(code, {}))
    rows = [
        {"day": str(day), "customers": count, "entered": one.entered, "left": one.left, "moved": one.moved}
        for (day, count), one in zip(runs, changes, strict=True)
    ]
    if as_json:
        print_json({"tag": code, "versions": versions, "runs": rows})
        return
    table = Table()
    for column in ("day", "customers", "entered", "left", "moved"):
        table.add_column(column, justify="left" if column == "day" else "right")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
    screen.print(table)
    screen.print(f"Versions of the rule that were run: {', '.join(map(str, versions))}", style="dim")


@tags_app.command("coverage")
def tags_coverage(folder: HolderPath, as_of: AsOf = None, as_json: Json = False) -> None:
    """Of how many customers each fact is known that rules read, and of how many the portrait is complete.

    What a complete portrait is stands in tags.toml: [coverage] complete = ["gender", "born", "region"].
    """
    from clients.tagging.looking import coverage_of
    from clients.tagging.setting import TagSetting
    from clients.tags.store import History, path_of

    found, whole, size = coverage_of(TagSetting.read(folder, _day(as_of)))
    trend = [
        (run.day, run.complete, run.customers) for run in History.load(path_of(folder)).runs if run.complete is not None
    ]
    if as_json:
        facts = {one.name: one.known for one in found}
        earlier = [{"day": str(day), "complete": count, "customers": of} for day, count, of in trend]
        print_json({"customers": size, "known": facts, "complete": whole, "trend": earlier})
        return
    table = Table("what rules read", "known", "share")
    for one in found:
        table.add_row(escape(one.name), f"{one.known:,}", f"{one.known / size:.1%}" if size else "-")
    screen.print(table)
    if whole is None:
        screen.print(
            'No complete portrait is declared: write \\[coverage] complete = ["gender", "region"] in tags.toml.'
        )
    else:
        screen.print(f"Complete portraits: {whole:,} of {size:,} customers ({whole / size if size else 0:.1%})")
    for day, count, of in trend:
        screen.print(f"  {day}: {count:,} of {of:,} ({count / of if of else 0:.1%})", style="dim")


@tags_app.command("retire")
def tags_retire(folder: HolderBefore, code: TagCode, as_json: Json = False) -> None:
    """Retire a tag: from the next run on nobody has it; its history stays. Refused while a rule names it."""
    from clients.tags.config import NAME, read_tags
    from clients.tags.library import retired

    read_tags(folder)  # says what is wrong with it
    path = folder / NAME
    path.write_text(retired(path.read_text(encoding="utf-8"), code), encoding="utf-8")
    tell(
        {"file": str(path), "tag": code, "state": "retired"},
        f"Retired [bold]{code}[/] in {escape(str(path))}: from the next run on nobody has it, and its history stays.",
        as_json,
    )
