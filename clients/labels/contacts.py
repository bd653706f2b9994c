"""Whom to contact: a list as long as the operator has hands for, with what to do, by when, and who is left alone.

Who is on it follows from an order, by value at risk, never from the height of a score: a band that nine tenths of the
customers are in is no list. The first ones are called, the next ones written to, all others left alone; of both
groups a part is left alone, too, as a control group.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clients.labels.config import ContactSettings, FileTarget
from clients.labels.control import PARTS, ControlDraw, usual_share
from clients.labels.day_rows import decimals
from clients.labels.files import write_table
from privacy.presentation.texts import Language

#: Places, the first ones on the list first; whoever has neither is in none of them.
PLACES = ("call", "write")
_NONE = len(PLACES)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Candidates:
    """Customers whom an analysis ranks, of one study and as-of day.

    Attributes:
        study, as_of: which.
        currency, digits: of money, and its fraction digits.
        table: a row per customer: ``customer_id``, ``source_id``; ``probability`` (ten-thousandths); ``money`` of the
            last 365 days and ``value``, by which they are ranked (minor units); ``act_by``; ``code``, of the section of
            ``actions.toml`` that says what to do; ``reason_en``, ``reason_zh``.
    """

    study: str
    as_of: dt.date
    currency: str
    digits: int
    table: pa.Table


def places(value: NDArray[np.int64], settings: ContactSettings) -> NDArray[np.int64]:
    """The place of every customer: index in ``PLACES``, or their number; same shape.

    Args:
        value: by which customers are ranked; of equal ones the earlier comes first, and nobody without any is chosen.
        settings: how many each place has.
    """
    rank = np.empty(len(value), dtype=np.int64)
    rank[np.argsort(-value, kind="stable")] = np.arange(len(value))
    found = np.searchsorted(np.cumsum([settings.call, settings.write]), rank, side="right")
    return np.where(value > 0, found, _NONE).astype(np.int64)


def share_of(names: int, settings: ContactSettings) -> int:
    """How many of a list of so many are left alone as a control group, in thousandths."""
    return usual_share(names) if settings.control is None else round(PARTS * settings.control)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ContactList:
    """A list that was drawn up.

    Attributes:
        share: how many are left alone, in thousandths.
        table: its rows as they are written; see :func:`draw_up`.
    """

    candidates: Candidates
    share: int
    table: pa.Table

    def with_arms(self, arms: pa.Table) -> ContactList:
        """The same list, with everybody left alone, or not, as is kept of an earlier one.

        Args:
            arms: with ``customer_id`` and ``control``, everybody on the list among them.
        """
        return replace(self, table=in_arms(self.table, arms))


def draw_up(
    candidates: Candidates, settings: ContactSettings, todo: Callable[[str, Language], str], key: bytes
) -> ContactList:
    """Draw up the list, in the order in which one works through it: calls by the day to act, letters by value.

    Columns: ``place``, ``number`` (1 for the first), ``customer_id``, ``source_id``, ``control`` (true: leave alone),
    ``act_by``, ``value_at_risk``, ``money_365`` (decimal, in ``currency``), ``currency``, ``probability``,
    ``reason_en``, ``reason_zh``, ``todo_en``, ``todo_zh``.

    Args:
        candidates: whom to choose from.
        settings: how long the list is.
        todo: what to do about a code, in a language.
        key: the holder's, for the control group.
    """
    table = candidates.table
    value = table["value"].to_numpy()
    place = places(value, settings)
    day = table["act_by"].cast(pa.int32()).to_numpy()
    chosen = np.flatnonzero(place < _NONE)
    urgent = np.where(place[chosen] == 0, day[chosen], 0)  # letters go out together
    rows = chosen[np.lexsort((chosen, -value[chosen], urgent, place[chosen]))]
    share = share_of(len(rows), settings)
    draw = ControlDraw(key=key, study=candidates.study, as_of=candidates.as_of.isoformat())
    sorted_by_place = table.take(pa.array(rows)).combine_chunks()
    ids, codes = sorted_by_place["customer_id"].to_pylist(), sorted_by_place["code"].to_pylist()
    starts = np.searchsorted(place[rows], place[rows], side="left")
    columns = {
        "place": pa.array(PLACES).take(pa.array(place[rows])),
        "number": pa.array(1 + np.arange(len(rows)) - starts, pa.int64()),
        "customer_id": sorted_by_place["customer_id"],
        "source_id": sorted_by_place["source_id"],
        "control": pa.array(draw.of(ids, share)),
        "act_by": sorted_by_place["act_by"],
        "value_at_risk": decimals(sorted_by_place["value"].combine_chunks(), candidates.digits),
        "money_365": decimals(sorted_by_place["money"].combine_chunks(), candidates.digits),
        "currency": pa.repeat(candidates.currency, len(rows)),
        "probability": decimals(sorted_by_place["probability"].combine_chunks(), 4, precision=5),
        "reason_en": sorted_by_place["reason_en"],
        "reason_zh": sorted_by_place["reason_zh"],
        **{
            f"todo_{language}": pa.array([todo(code, language) for code in codes], pa.string())
            for language in ("en", "zh")
        },
    }
    return ContactList(candidates=candidates, share=share, table=pa.table(columns))


def in_arms(table: pa.Table, arms: pa.Table) -> pa.Table:
    """A list with ``control`` as it is kept of everybody on it."""
    place = pc.index_in(table["customer_id"], value_set=arms["customer_id"].combine_chunks())
    return table.set_column(table.column_names.index("control"), "control", arms["control"].take(place))


def list_path(root: Path, target: FileTarget, name: str) -> Path:
    """Where a list goes by itself: ``contacts/`` in the folder of a target of ``labels.toml``."""
    return root / Path(target.folder).expanduser() / "contacts" / f"{name}.csv"


def write_contacts(drawn: ContactList, target: FileTarget, path: Path) -> None:
    """Write a list as a file that opens right in a spreadsheet, readable by its owner only.

    Raises:
        OSError: if it cannot be written.
    """
    write_table(path, drawn.table.schema, target, iter(drawn.table.to_batches()))
