"""Tables on the terminal: one line a value of each figure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.table import Table

from privacy.analyses.tables import CONTRACT
from privacy.analyses.tables.named import named_tables
from privacy.analyses.tables.results import TablesResult
from privacy.analyses.tables.words import key_name, title_of
from privacy.presentation.texts import Language
from privacy.results import StudyResult
from server.analyses.tables.forms import on_screen
from server.analyses.tables.texts import text

#: Values of one figure that are printed; the report and the result have all.
_MOST = 12


def screens(tables: TablesResult, result: StudyResult, folder: Path, language: Language) -> Iterator[Table]:
    """One of rich's tables for each of the study's."""

    say = partial(text, language=language)

    study = result.study
    for named, found in named_tables(study.of(CONTRACT), study.as_of, tables):
        screen = Table(
            title=say("terminal_title", table=title_of(named.table, language), name=found.name, day=study.as_of),
            caption=say("terminal_interval", noise=say("terminal_noise")),
            title_justify="left",
            caption_justify="left",
        )
        screen.add_column(say("column_figure"))
        screen.add_column(say("column_key"))
        screen.add_column(say("column_value"), justify="right")
        for figure in found.figures:
            title = title_of(named.figure(figure.name), language)
            uses = [named.use(name) for name in figure.dimensions]
            for place, point in enumerate(figure.points[:_MOST]):
                keys = ", ".join(key_name(use, key, language) for use, key in zip(uses, point.keys, strict=True))
                screen.add_row("" if place else title, keys, on_screen(figure, point, study, language))
            if len(figure.points) > _MOST:
                screen.add_row("", say("terminal_more", count=len(figure.points) - _MOST), "")
        yield screen
