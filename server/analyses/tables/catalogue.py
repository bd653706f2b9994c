"""The catalogue: declared tables that ship, one file each, and how a study's are written out.

Files say what a :class:`privacy.analyses.tables.declared.Table` says, and two things more: ``[[also]]``, tables that
come with it, and ``[small]`` and ``[large]``, what is otherwise in studies of few and of many customers: caps and usual
cells are a choice between noise and what they cut off, and the noise of a cell is the less of it the more customers
there are (docs/decisions/0043). Caps of money are for a currency worth about a euro, and are adapted to the study's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Any

from pydantic import ValidationError

from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.changes import TableChange
from privacy.analyses.tables.declared import Table
from privacy.analyses.tables.options import TablesOptions
from privacy.errors import ConfigError
from privacy.kernel.canonical import describe_validation
from privacy.kernel.terms import Terms, minor_digits
from privacy.protocol.study import Study

#: Below so many customers ``[small]`` holds: at 20,000 for the whole budget of one question, and a study keeps a spare
#: attempt, so a question has half of it.
SMALL = 28_000
#: From so many on ``[large]`` holds.
LARGE = 200_000

_FOLDER = "server.analyses.tables"


@cache
def names() -> tuple[str, ...]:
    """Every table of the catalogue, in alphabetical order."""
    files = resources.files(_FOLDER).joinpath("catalogue").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@cache
def _file(name: str) -> dict[str, Any]:
    text = resources.files(_FOLDER).joinpath("catalogue", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def tables_of(name: str, terms: Terms) -> tuple[Table, ...]:
    """A table of the catalogue, and those that come with it, for a study.

    Raises:
        ConfigError: if there is no such table.
    """
    if name not in names():
        raise ConfigError(
            f"tables.use: there is no table {name!r}",
            hint=f"there is: {', '.join(names())}; or declare your own under [[tables.table]]",
        )
    raw = dict(_file(name))
    tables = (raw, *raw.pop("also", []))
    return tuple(_in_currency(_of_size(each, terms.budget.size_class), terms) for each in tables)


def _of_size(raw: dict[str, Any], customers: int) -> Table:
    """A table of a file as it is for so many customers."""
    plain = {name: value for name, value in raw.items() if name not in ("small", "large")}
    size = "small" if customers < SMALL else "large" if customers >= LARGE else ""
    return TableChange.model_validate(raw.get(size, {})).of(Table.model_validate(plain))


def lists_of(name: str) -> tuple[str, ...]:
    """The lists that a study must have for a table of the catalogue."""
    raw = _file(name)
    uses = [use for table in (raw, *raw.get("also", [])) for use in table["by"]]
    found = [use["keys"]["from"] for use in uses if isinstance(use["keys"], dict) and "from" in use["keys"]]
    return tuple(dict.fromkeys(each.removeprefix("lists.") for each in found))


def _in_currency(table: Table, terms: Terms) -> Table:
    """Caps of money in the study's currency."""
    factor = terms.money_factor * 100 / 10 ** minor_digits(terms.currency)
    measures = tuple(
        one.model_copy(update={"cap": round(one.cap * factor)})
        if isinstance(one.cap, int) and one.meaning.unit == "money"
        else one
        for one in table.measure
    )
    return table.model_copy(update={"measure": measures})


def _none_at_hand(name: str) -> tuple[int, ...]:
    raise ConfigError(
        f"tables take {name} from an earlier run, and none is at hand",
        hint="run or check the study at the coordinator that ran it before; or state numbers",
    )


def written_out(study: Study, released: Callable[[str], tuple[int, ...]] = _none_at_hand) -> Study:
    """A study whose tables say themselves what they are, without catalogue and lists; others stay as they are.

    Args:
        study: as its coordinator wrote it.
        released: numbers of earlier runs, by ``ANALYSIS.NAME``; raises where there are none.

    Raises:
        ConfigError: if it names no table, one that is not there, or a list that it does not have.
    """
    options = study.of(CONTRACT)
    if CONTRACT.name not in study.analyses:
        return study
    if not options.use and not options.table:
        raise ConfigError(
            "the study asks for tables and names none",
            hint=f'add [tables] with use = ["second_purchase"]; there is: {", ".join(names())}',
        )
    if options.is_written_out:
        return study
    try:
        whole = TablesOptions(table=tuple(_tables(options, study, released)), floor=options.floor)
    except ValidationError as problem:
        raise ConfigError(f"tables:\n{describe_validation(problem)}", hint="mend what is named above") from None
    except ValueError as problem:
        raise ConfigError(f"tables: {problem}", hint="mend what is named above") from None
    return study.model_copy(update={CONTRACT.name: whole})


def _fitted(table: Table, options: TablesOptions, study: Study) -> Table:
    """No more usual cells than the study's lists give it."""
    if any(use.keys.source and not options.lists.get(use.keys.source.removeprefix("lists.")) for use in table.by):
        return table  # a list is missing, which is said where lists are written out
    cells = table.written_out(study.as_of, options.lists).cells
    return table.model_copy(update={"usual_cells": min(table.usual_cells, cells)})


def _tables(options: TablesOptions, study: Study, released: Callable[[str], tuple[int, ...]]) -> Iterator[Table]:
    found = {table.name: _fitted(table, options, study) for name in options.use for table in tables_of(name, study)}
    for name in options.change:
        if name not in found:
            raise ValueError(f"change.{name}: that is no table of use; it has: {', '.join(found) or 'none'}")
    tags = {tag.code: tag for tag in options.tag}
    unused = set(tags) - {use.dimension.removeprefix("tag.") for one in options.table for use in one.by if use.is_tag}
    if unused:
        raise ValueError(f"tag {min(unused)}: no table counts by tag.{min(unused)}")
    for table in (*found.values(), *options.table):
        changed = options.change[table.name].of(table) if table.name in options.change else table
        try:
            listed = changed.with_tags(tags).with_lists(options.lists)
            yield listed.with_released(released, minor_digits(study.currency))
        except ValidationError:
            raise
        except ValueError as problem:
            raise ValueError(f"{table.name}: {problem}") from None
