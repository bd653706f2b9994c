"""What rules read of every customer, as columns over one list of ids: one question a feed, asked where the feed is.

The list has whoever is in ``[customers]``, bought, or has an event in a feed that a rule names, before the day; nobody
who is on the exclusion list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import types as ir

from clients.data.cleaning.ids import are_normal
from clients.data.cleaning.money import QUANTA_PER_UNIT
from clients.data.cleaning.times import wall_time, zone_of
from clients.data.feeds.lines import OpenFeed, open_feed
from clients.data.origin import Origin
from clients.data.recipes.facts import DAY
from clients.data.rows.cells.gathered import Part, minor_units, spread
from clients.data.rows.customers import spellings_of
from clients.data.rows.features import build_features
from clients.data.rows.lines import counted_lines, ids_of_text, lines_as_spelled, tidy_of, with_exact_ids
from clients.data.rows.rules.events import FeedColumns, feed_query
from clients.data.rows.rules.orders import order_query, orders_of_anybody
from clients.data.rows.rules.people import attributes
from clients.data.rows.rules.repeats import DOUBTFUL, are_few
from clients.data.several.rows import open_lines
from clients.data.sources import fetch
from clients.data.sources.opened import Opened
from clients.data.spellings import Spellings, choose
from privacy.kernel.feature_request import FeatureRequest
from privacy.kernel.features import MISSING
from privacy.kernel.feeds import FEEDS, FeedName
from privacy.kernel.rule_words import OF_ORDERS
from privacy.kernel.terms import minor_digits
from privacy.tags.reader import MEAN_PARTS
from privacy.tags.tree import SHARE, Aggregate, Fact, Leaf, Node, Unit
from privacy.tags.truth import BoolArray, Column, IntArray

T = TypeVar("T")

_ADDING = "adding up orders"
#: So many ids are named in a condition one by one.
_FEW = 200


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Customers:
    """A holder's customers as of a day, with what rules read of them.

    Attributes:
        ids: as text, sorted, each once; shape ``(customers,)``.
        source_ids: the same as the source of purchases spells them.
        columns: by leaf; all of shape ``(customers,)``.
        spent: in minor units; 0 where nothing was bought.
    """

    ids: pa.Array
    source_ids: pa.Array
    columns: Mapping[Node, Column]
    spent: IntArray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(kw_only=True, eq=False)
class _Found:
    """Results of questions, before the list of all ids is known."""

    parts: list[Part] = field(default_factory=list)
    columns: list[tuple[Node, Part, Column]] = field(default_factory=list)
    spelled: tuple[pa.ChunkedArray, Spellings] | None = None

    def add(self, part: Part, columns: Mapping[Node, Column]) -> None:
        """Columns over the rows of a part."""
        self.parts.append(part)
        self.columns += [(node, part, column) for node, column in columns.items()]


def customers_of(origin: Origin, wanted: Sequence[Leaf]) -> Customers:
    """Ask for everything that rules read.

    Args:
        origin: the holder's, as of the day of the run.
        wanted: facts and aggregates; those that are of labels are passed over.

    Raises:
        DataError: if a feed cannot be opened, or its columns cannot be what they are mapped as.
    """
    found = _Found()
    spent = Fact("money", Unit("money", 10 ** minor_digits(origin.study.currency)))
    _ask_orders(origin, [*wanted, spent], found)
    _ask_feeds(origin, wanted, found)
    if origin.config.customers is not None:
        _ask_people(origin, wanted, found)
    ids, columns = _over_everybody(origin, wanted, found)
    return Customers(ids=ids, source_ids=_spelled(ids, found.spelled), columns=columns, spent=columns[spent].raw)


def columns_of(origin: Origin, wanted: Sequence[Leaf]) -> tuple[pa.Array, dict[Node, Column]]:
    """Ask for what rules read and nothing else: ids, as text, sorted, and columns over them.

    Raises:
        DataError: as :func:`customers_of`.
    """
    found = _Found()
    if any(isinstance(one, Fact) or one.feed == "order" for one in wanted if not _is_of_people(one)):
        _ask_orders(origin, wanted, found)
    _ask_feeds(origin, wanted, found)
    if any(_is_of_people(one) for one in wanted):
        _ask_people(origin, wanted, found)
    return _over_everybody(origin, wanted, found)


def _is_of_people(one: Leaf) -> bool:
    return isinstance(one, Fact) and one.name.startswith("customer.")


def _over_everybody(origin: Origin, wanted: Sequence[Leaf], found: _Found) -> tuple[pa.Array, dict[Node, Column]]:
    ids, numbers = _numbered(found.parts)
    columns: dict[Node, Column] = {
        node: _over_all(node, numbers[id(part)], column, len(ids)) for node, part, column in found.columns
    }
    return ids, columns | _features(origin, wanted, ids)


def _ask_feeds(origin: Origin, wanted: Sequence[Leaf], found: _Found) -> None:
    for feed in dict.fromkeys(one.feed for one in wanted if isinstance(one, Aggregate) and one.feed != "order"):
        name = next(each for each in FEEDS if each == feed)
        _ask_feed(origin, name, [one for one in wanted if isinstance(one, Aggregate) and one.feed == feed], found)


def _ask_orders(origin: Origin, wanted: Sequence[Leaf], found: _Found) -> None:
    asked = [one for one in wanted if isinstance(one, Aggregate) and one.feed == "order"]
    with open_lines(origin) as opened:
        part, tidy, zone = _orders(opened, origin, asked)
        exact = spellings_of(with_exact_ids(opened, origin, tidy), origin.study)
        if exact is not None:
            spellings = fetch(exact, what="looking at ids")
            ids = pa.chunked_array([part.texts])
            found.spelled = ids, choose(ids, spellings)[0]
    columns: dict[Node, Column] = _answers(part, asked, _start(origin, zone), origin)
    everyone = np.ones(len(part.rows), dtype=bool)
    start = _start(origin, zone)
    plain = {
        "orders": part.column("orders"),
        "money": minor_units(part.column("quanta"), origin.study.currency),
        "recency_days": (start - _moments(part, "last")) // DAY,
        "tenure_days": (start - _moments(part, "first")) // DAY,
    }
    for one in wanted:
        if isinstance(one, Fact) and one.name in OF_ORDERS:
            columns[one] = Column(plain[one.name], everyone)
    found.add(part, columns)


def _orders(opened: Opened, origin: Origin, asked: Sequence[Aggregate]) -> tuple[Part, frozenset[str], str]:
    """Customers with orders; which of their ids are in the one form that ids have; and the zone of times.

    Nearly all sources have ids of text in that form: it is looked at once they are grouped, where a source allows.
    """
    tidy = frozenset[str]()
    lines = lines_as_spelled(opened, origin)
    if lines is not None:
        tidy = ids_of_text(opened, origin)
        part = _of_anybody(lines, origin, asked)
        untidy = "order" in tidy and pc.any(part.rows["untidy"]).as_py()
        if untidy or ("customer" in tidy and not are_normal(part.texts)):
            lines = None
        else:
            part = part.where(pc.greater(part.rows["orders"], 0))
    if lines is None:
        lines, counts = counted_lines(opened, origin)
        tidy = frozenset() if opened.cleaned is not None else tidy_of(opened, origin, counts)
        part = Part.once(order_query(lines, origin, asked), what=_ADDING)
    return part, tidy, "UTC" if zone_of(lines.time) is not None else origin.config.source.time_zone


def _of_anybody(lines: ir.Table, origin: Origin, asked: Sequence[Aggregate]) -> Part:
    """What orders say of everybody; repeated lines are looked for where there may be any."""
    if are_few(lines, origin):
        part = Part.once(orders_of_anybody(lines, origin, asked, with_repeats=True), what=_ADDING)
        doubtful = part.rows["doubtful"]
        count = pc.sum(doubtful).as_py() or 0
        part = part.without("doubtful")
        if not count:
            return part
        if count <= DOUBTFUL * len(part.rows):
            whose = part.ids.dictionary.filter(doubtful.combine_chunks())
            some = lines.filter(lines.customer.isin(_listed(whose)))
            exact = Part.once(orders_of_anybody(some, origin, asked), what=_ADDING)
            return part.where(pc.invert(doubtful)).and_also(exact)
    return Part.once(orders_of_anybody(lines, origin, asked), what=_ADDING)


def _listed(ids: pa.Array) -> list[Any] | ir.Column:
    """Ids as a condition has them: a few by themselves, which databases look for first; many as a table."""
    few = len(ids) <= _FEW
    return ids.to_pylist() if few else ibis.memtable(pa.table({"customer": ids})).customer


def _ask_feed(origin: Origin, name: FeedName, asked: Sequence[Aggregate], found: _Found) -> None:
    def ask(feed: OpenFeed) -> tuple[Part, dict[Node, Column]]:
        columns = FeedColumns(feed.seen, feed.reading, origin.study)
        zone = "UTC" if zone_of(feed.seen.time) is not None else feed.reading.source.time_zone
        query = feed.of_somebody(feed_query(columns, feed.reading, origin.study, asked))
        part = Part.once(query, what=f"adding up {name}")
        return part, _answers(part, asked, _start(origin, zone), origin)

    found.add(*_asked(origin, name, ask))


def _ask_people(origin: Origin, wanted: Sequence[Leaf], found: _Found) -> None:
    facts = {one.name: one for one in wanted if isinstance(one, Fact) and _is_of_people(one)}
    part, columns = _asked(origin, "customer", lambda feed: attributes(feed, facts, origin.study.as_of))
    found.add(part, {facts[name]: column for name, column in columns.items()})


def _asked(origin: Origin, name: FeedName, ask: Callable[[OpenFeed], tuple[Part, T]]) -> tuple[Part, T]:
    """What a feed answers. Nearly all have ids in the one form: that is looked at once they are grouped."""
    with open_feed(origin, name, as_spelled=True) as feed:
        answer = ask(feed)
        if are_normal(answer[0].texts):
            return answer
    with open_feed(origin, name) as feed:
        return ask(feed)


def _numbered(parts: Sequence[Part]) -> tuple[pa.Array, dict[int, IntArray]]:
    """All ids, each once, sorted as text; and by part the place of every row's customer among them.

    Most customers are in the largest part: others are looked up there, and only who is not is looked for further.
    """
    texts = {id(part): part.texts for part in parts}
    most = max(texts, key=lambda part: len(texts[part]))
    whole, places = texts[most], {most: np.arange(len(texts[most]))}
    for part in texts.keys() - {most}:
        own = texts[part]
        place = pc.index_in(own, value_set=whole)
        if place.null_count:
            whole = pa.concat_arrays([whole, own.filter(place.is_null())])
            place = pc.index_in(own, value_set=whole)
        places[part] = place.to_numpy(zero_copy_only=False).astype(np.int64)
    order = pc.sort_indices(whole).to_numpy()
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return whole.take(pa.array(order)), {part: rank[place] for part, place in places.items()}


def _start(origin: Origin, zone: str) -> int:
    """The start of the day in a zone, in microseconds since 1970."""
    return int(np.datetime64(wall_time(origin.study.as_of, origin.study.time_zone, zone), "us").astype(np.int64))


def _moments(part: Part, name: str) -> IntArray:
    column = part.rows[name]
    moments = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64()).fill_null(0)
    found: IntArray = moments.to_numpy()
    return found


def _answers(part: Part, asked: Sequence[Aggregate], start: int, origin: Origin) -> dict[Node, Column]:
    """What a query says of each aggregate."""
    return {one: _answer(part, f"x{place}", one, start, origin) for place, one in enumerate(asked)}


def _answer(part: Part, name: str, one: Aggregate, start: int, origin: Origin) -> Column:
    known: BoolArray = pc.is_valid(part.rows[name]).to_numpy().astype(bool)
    if one.function == "days_since":
        return Column((start - _moments(part, name)) // DAY, known)
    raw = part.column(name)
    per = QUANTA_PER_UNIT // 10 ** minor_digits(origin.study.currency) if one.kind.name == "money" else 1
    if one.function in ("share", "mean"):
        of = part.column(f"{name}_of")
        scale = SHARE.per if one.function == "share" else MEAN_PARTS
        whole = np.maximum(of, 1) * per
        # Rounded down, so that "at least" and "less than" are exact; in two steps, which fit 64 bits.
        return Column(scale * (raw // whole) + scale * (raw % whole) // whole, of > 0)
    raw = (raw + per // 2) // per if per > 1 else raw
    everyone = one.function in ("count", "sum")
    return Column(raw, np.ones(len(raw), dtype=bool) if everyone else known)


def _over_all(node: Node, numbers: IntArray, column: Column, size: int) -> Column:
    """A column over all ids. Who has no event has none, and spent nothing; anything else of them is unknown."""
    known = np.full(size, is_nothing(node))
    if not is_nothing(node):
        known[numbers] = column.known
    return Column(spread(numbers, column.raw, size, 0), known, column.words)


def is_nothing(node: Node) -> bool:
    """Whether a value is 0, and known, of who has no event."""
    if isinstance(node, Aggregate):
        return node.function in ("count", "sum")
    return isinstance(node, Fact) and node.name in ("orders", "money")


def _features(origin: Origin, wanted: Iterable[Leaf], ids: pa.Array) -> dict[Node, Column]:
    """Facts that need more than a sum of orders: features, as analyses have them."""
    facts = {
        one.name: one
        for one in wanted
        if isinstance(one, Fact) and one.name in origin.recipes and one.name not in OF_ORDERS
    }
    if not facts:
        return {}
    made = build_features(origin, FeatureRequest(names=tuple(sorted(facts)), days=(origin.study.as_of,)))
    place = pc.index_in(ids, value_set=pa.array(made.ids, pa.string()))
    there = place.is_valid().to_numpy(zero_copy_only=False)
    row = place.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    found: dict[Node, Column] = {}
    for number, name in enumerate(made.table.names):
        values = made.table.values[:, 0, number]
        raw = values[row] if len(values) else np.full(len(ids), MISSING, dtype=np.int64)
        found[facts[name]] = Column(np.where(there, raw, 0), there & (raw != MISSING))
    return found


def _spelled(ids: pa.Array, spelled: tuple[pa.ChunkedArray, Spellings] | None) -> pa.Array:
    """Ids as the source of purchases spells them; the ids themselves where it does so."""
    if spelled is None or not len(spelled[1]):
        return ids
    own, spellings = spelled
    place = pc.index_in(ids, value_set=own.take(pa.array(spellings.rows)).combine_chunks())
    return pc.coalesce(pa.array(spellings.source_ids, pa.string()).take(place), ids)
