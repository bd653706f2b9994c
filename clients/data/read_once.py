"""A source for those who ask many things of it: columns read as what they are mapped as, and what they do not read.

Files of lines are read once, into a table of the embedded database, which writes to the scratch folder what does not
fit in memory: each question by itself would read all lines again.
"""

from __future__ import annotations

from dataclasses import replace

import ibis
from ibis.expr import types as ir

from clients.data.cleaning.columns import typed
from clients.data.place import Reading, beside
from clients.data.sources.opened import Opened

#: Before a role: a column of what the role's column holds where its form does not read it; null everywhere else.
UNREAD = "_unread_"


def read_once(opened: Opened, config: Reading) -> Opened:
    """The source with its columns read, and ``UNREAD`` ones beside those of text that are times or numbers."""
    if opened.raw is None:
        return opened
    rows = _with_unread(opened, opened.raw, config)
    if opened.files:
        rows = _kept(rows, config)
    return replace(opened, table=rows, raw=None)


def _with_unread(opened: Opened, raw: ir.Table, config: Reading) -> ir.Table:
    roles = config.columns.of_form("time") | config.columns.of_form("number")
    texts = {role: name for role, name in roles.items() if raw[name].type().is_string()}
    held = {role: f"{UNREAD}{role}" for role in texts}
    rows = typed(opened.spell(raw.mutate(**{held[role]: raw[name] for role, name in texts.items()})), config)
    lost = {
        held[role]: ibis.ifelse(rows[name].isnull(), rows[held[role]], ibis.null("string"))
        for role, name in texts.items()
    }
    return rows.mutate(**lost) if lost else rows


def _kept(rows: ir.Table, config: Reading) -> ir.Table:
    """The same as a table, of the columns that anybody asks for; a condition may name any."""
    if config.source.where is None:
        named = {*config.columns.mapped().values(), *beside(config.source).values()}
        rows = rows.select(*(name for name in rows.columns if name in named or name.startswith(UNREAD)))
    try:
        return rows.get_backend().create_table("cohortium_rows", rows, temp=True)
    except Exception:  # such as no room; then each question reads the lines
        return rows
