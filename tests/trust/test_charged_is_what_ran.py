"""What a ledger was charged for is what ran: the noise that was asked for, and bounds that no customer passes.

The coordinator chooses every parameter of a statistic, and a row may hold anything that a table can hold: whatever both
are, what a node encodes stays within the bound that its ledger is charged for.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from clients.answering.engines import encode_sum
from privacy.analyses.catalogue import CATALOGUE
from privacy.errors import CohortiumError
from privacy.mechanisms import PLACEMENTS
from privacy.statistics import Statistic
from simulations.attack.audit_cases import EXAMPLE_OF, HOLDERS, SUMS, candidates_of
from simulations.attack.audit_charges import FAULTS, another_scale_than_charged, checked_charges

# --- the noise that was asked for --------------------------------------------------------------------------------


def test_the_sampler_is_asked_for_what_every_ledger_was_charged_for() -> None:
    """Every kind of statistic, every placement, through real nodes; the release is exact sum and draws, to the unit."""
    found = list(checked_charges())
    assert [item.where for item in found if item.wrong] == []
    assert len(found) == len(SUMS) * len(PLACEMENTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught_in_every_placement_where_it_can_happen(fault: str) -> None:
    found = list(checked_charges(["grid_counts"], fault=fault))
    assert len(found) == len(FAULTS[fault][1])
    assert {item.verdict for item in found} == {"PASS"}
    assert all(item.wrong for item in found)


def check_the_scale_is_the_charged_one() -> None:
    for item in checked_charges(["prefix_sums"], ["distributed", "central"]):
        assert not item.wrong, item.wrong


@pytest.mark.parametrize("mutant", [another_scale_than_charged], ids=lambda mutant: mutant.__name__)
def test_the_mutant_is_caught(mutant: Any) -> None:
    with mutant(), pytest.raises((AssertionError, CohortiumError)):
        check_the_scale_is_the_charged_one()


# --- bounds, whatever the coordinator asks -------------------------------------------------------------------------

#: Tried in the place of every number of a statistic, where its own rules allow them.
NUMBERS = (
    -(1 << 62),
    -(1 << 40),
    -(1 << 31),
    -1_000_000,
    -4096,
    -1,
    0,
    1,
    2,
    1000,
    4096,
    1_000_000,
    1 << 31,
    1 << 40,
    1 << 62,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a dumped statistic a number stands."""
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def with_number(value: Any, path: tuple[Any, ...], number: int) -> Any:
    """The same with one number replaced."""
    if not path:
        return number
    first, *rest = path
    if isinstance(value, dict):
        return value | {first: with_number(value[first], tuple(rest), number)}
    changed = list(value)
    changed[first] = with_number(value[first], tuple(rest), number)
    return tuple(changed)


def allowed(kind: str, fields: Any) -> Statistic[Any] | None:
    try:
        found = CATALOGUE[kind].model_validate(fields)
        names, days = found.looks_at  # a node refuses others: its table does not have them
        return (
            found
            if found.dim <= 4096 and names <= set(getattr(EXAMPLE_OF[kind].witness, "names", ())) and days <= 1
            else None
        )
    except (ValidationError, CohortiumError):
        return None


@cache
def extremes_of(kind: str) -> tuple[Statistic[Any], ...]:
    """A question with each of its numbers at its ends, one at a time, and then with several there."""
    base = EXAMPLE_OF[kind].statistic.model_dump()
    found, ends = [], {}
    for path in places(base):
        accepted = [number for number in NUMBERS if allowed(kind, with_number(base, path, number)) is not None]
        ends[path] = accepted[:1] + accepted[-1:]
        found += [with_number(base, path, number) for number in ends[path]]
    rng = np.random.default_rng(sum(kind.encode()))
    for _ in range(25):
        fields = base
        for path in ends:
            if ends[path] and rng.random() < 0.5:
                changed = with_number(fields, path, ends[path][rng.integers(len(ends[path]))])
                fields = changed if allowed(kind, changed) is not None else fields
        found.append(fields)
    statistics = (allowed(kind, fields) for fields in found)
    return tuple(dict.fromkeys(statistic for statistic in statistics if statistic is not None))


@pytest.mark.parametrize("kind", SUMS)
def test_no_parameters_and_no_row_pass_the_bound_and_some_reach_it(kind: str) -> None:
    """Exact integers, customer by customer; and the worst of each through the node's own encoder."""
    rows = candidates_of(kind)
    reached = 0.0
    for statistic in extremes_of(kind):
        encoded = statistic.encode_rows(rows)
        norms = [sum(int(value) ** 2 for value in row) for row in encoded]
        worst = int(np.argmax(norms))
        bound = statistic.bound
        assert norms[worst] <= bound.squared_norm, statistic
        assert int(np.abs(encoded).max()) <= bound.max_abs, statistic
        one = rows.take(slice(worst, worst + 1))
        sent = encode_sum(statistic, one, holder=HOLDERS[0])
        assert sum(int(value) ** 2 for value in sent) == norms[worst]
        reached = max(reached, norms[worst] / bound.squared_norm)
    # A question with few numbers has few ends.
    assert len(extremes_of(kind)) >= min(11, len(list(places(EXAMPLE_OF[kind].statistic.model_dump()))))
    assert reached > 0.99999
