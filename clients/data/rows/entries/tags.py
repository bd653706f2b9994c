"""Keys of a study's tags: its rules, answered on the holder's own rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clients.data.origin import Origin
from clients.data.rows.cells.facts import use_name
from clients.data.rows.rules.columns import columns_of, is_nothing
from privacy.kernel.declarations import CellTable, DimensionUse
from privacy.kernel.features import IntArray
from privacy.kernel.public_tags import PublicTag
from privacy.kernel.terms import minor_digits
from privacy.tags.tree import Leaf, Node, Unit, leaves
from privacy.tags.truth import Answers, Column


def tag_places(origin: Origin, tables: Iterable[CellTable], everybody: pa.Array) -> dict[str, IntArray]:
    """Place of everybody's key of each use of a tag, by the name of the use; -1 for who has none.

    A customer's key follows from that customer's rows, the study's day and its numbers alone.

    Raises:
        DataError: if a feed cannot be opened, or its columns cannot be what they are mapped as.
    """
    uses = {use_name(use): use for table in tables for use in table.by if use.is_tag}
    if not uses:
        return {}
    digits = minor_digits(origin.study.currency)
    read = (leaf for use in uses.values() for node in _tag(use).nodes(digits) for leaf in leaves(node))
    wanted: tuple[Leaf, ...] = tuple(dict.fromkeys(leaf for leaf in read if isinstance(leaf, Leaf)))
    ids, columns = columns_of(origin, wanted)
    # Who is in no feed that a rule reads comes last: nothing is counted of them, and nothing known.
    place = pc.index_in(everybody, value_set=ids).fill_null(len(ids)).to_numpy(zero_copy_only=False)
    answers = Answers({node: _and_nobody(node, column) for node, column in columns.items()}, len(ids) + 1)
    return {name: _places(use, digits, answers)[place] for name, use in uses.items()}


def _tag(use: DimensionUse) -> PublicTag:
    if use.tag is None:
        raise TypeError(f"{use.dimension} is not written out")
    return use.tag


def _and_nobody(node: Node, column: Column) -> Column:
    return Column(np.append(column.raw, 0), np.append(column.known, is_nothing(node)), column.words)


def _places(use: DimensionUse, digits: int, answers: Answers) -> IntArray:
    tag, keys = _tag(use), use.keys
    if tag.value:
        leaf, unit = tag.number(digits)
        column = answers.column(leaf)
        return np.where(column.known, _in_bins(column.raw, use, unit), -1)
    where = {value.casefold(): place for place, value in enumerate(keys.values)}
    places = [where.get(key.casefold(), -1) for key in tag.listed]
    nodes = tag.nodes(digits)
    if tag.when:
        return np.where(answers.truth(nodes[0]).yes, *places).astype(np.int64)
    found = np.full(answers.size, -1, dtype=np.int64)  # what has no key here is "other", which `Known` says
    for node, key in reversed(list(zip(nodes, places, strict=True))):
        found = np.where(answers.truth(node).yes, key, found)
    return found


def _in_bins(raw: IntArray, use: DimensionUse, unit: Unit) -> IntArray:
    keys = use.keys
    if keys.first is not None and keys.last is not None:
        whole = -(-raw // unit.per)
        return np.where((whole >= keys.first) & (whole <= keys.last), whole - keys.first, -1)
    return np.searchsorted(np.array(keys.upper, dtype=np.int64) * unit.per, raw, side="left").astype(np.int64)
