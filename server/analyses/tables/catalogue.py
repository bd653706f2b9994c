"""The catalogue: declared tables that ship, one file each, and how a study's are written out.

Files say what a :class:`privacy.analyses.tables.declared.Table` says, and two things more: ``[[also]]``, tables that
come with it, and ``[small]``, what is otherwise where so few customers are expected that fewer usual cells make a cell
more exact. Caps of money are for a currency worth about a euro, and are adapted to the study's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from pydantic import ValidationError

from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.declared import Table, TableChange
from privacy.analyses.tables.options import TablesOptions
from privacy.errors import ConfigError
from privacy.kernel.canonical import describe_validation
from privacy.kernel.terms import Terms, minor_digits
from privacy.protocol.study import Study

#: Below so many customers ``[small]`` holds: at 20,000 for the whole budget of one question, and a study keeps a spare
#: attempt, so a question has half of it.
SMALL = 28_000

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
    also, small = raw.pop("also", []), raw.pop("small", {})
    first, *others = (Table.model_validate(each) for each in (raw, *also))
    if small and terms.budget.size_class < SMALL:
        first = TableChange.model_validate(small).of(first)
    return tuple(_in_currency(table, terms) for table in (first, *others))


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
        one.model_copy(update={"cap": round(one.cap * factor)}) if one.cap and one.meaning.unit == "money" else one
        for one in table.measure
    )
    return table.model_copy(update={"measure": measures})


def written_out(study: Study) -> Study:
    """A study whose tables say themselves what they are, without catalogue and lists; others stay as they are.

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
        whole = TablesOptions(table=tuple(_tables(options, study)), floor=options.floor)
    except ValidationError as problem:
        raise ConfigError(f"tables:\n{describe_validation(problem)}", hint="mend what is named above") from None
    except ValueError as problem:
        raise ConfigError(f"tables: {problem}", hint="mend what is named above") from None
    return study.model_copy(update={CONTRACT.name: whole})


def _tables(options: TablesOptions, study: Study) -> Iterator[Table]:
    found = {table.name: table for name in options.use for table in tables_of(name, study)}
    for name in options.change:
        if name not in found:
            raise ValueError(f"change.{name}: that is no table of use; it has: {', '.join(found) or 'none'}")
    for table in (*found.values(), *options.table):
        changed = options.change[table.name].of(table) if table.name in options.change else table
        try:
            yield changed.with_lists(options.lists)
        except ValidationError:
            raise
        except ValueError as problem:
            raise ValueError(f"{table.name}: {problem}") from None
